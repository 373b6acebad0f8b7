#pragma once

#include "core/openapi.hpp"
#include "fdw/bridge.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace supabase::pg {

// The remote's description of one schema, asked for as the acting role's user mapping. Lives as long as the current
// memory context.
const RemoteSchema *FetchSchema(const Server *server, const char *remote_schema);

// From now on the description of that server is asked for with this key in place of the user mapping's, which may have
// one that is not allowed to see it. NULL: no longer.
void UseImportKey(Oid server_id, const Secret *key);

// SQL text of the local type that has the name of a type which only the remote is known to have: looked for in the
// schema it has remotely, then in `local_schema`. NULL when there is none.
const char *FindLocalTypeText(const char *remote_type, const char *local_schema);

// The type that SQL text names, and its modifier; raises 42704 when there is none.
Oid ParseType(const char *text, int32 *typmod);

// Text of the remote's as a palloc'd string in the database's encoding.
inline const char *Text(const std::string &text) {
  return ToServer(text.c_str(), text.size());
}

// Whether the column is of a key that pages can be read by. A view shows the key of its base table even where a join
// repeats it or makes it null; one that can be written shows one table's rows, each once.
inline bool IsUsableKey(const RemoteTable &table, const RemoteColumn &column) {
  return column.is_key && (!table.is_view || table.writable);
}

// Whether LIMIT TO or EXCEPT lets the table be imported.
bool IsImported(const ImportForeignSchemaStmt *statement, const char *table);
// For a server of type 'management' (management_import.cpp).
List *ImportManagementSchema(ImportForeignSchemaStmt *statement, const Server *server);

// FdwRoutine callback.
List *ImportForeignSchema(ImportForeignSchemaStmt *statement, Oid server_id);

}  // namespace supabase::pg
