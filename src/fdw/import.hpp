#pragma once

#include "fdw/postgres.hpp"

namespace supabase::pg {

// FdwRoutine callback: the CREATE FOREIGN TABLE commands for the remote schema's tables and views, from PostgREST's own
// description of it. Raises 28000 with a hint when the project gives that to secret keys only and the mapping has none.
List *ImportForeignSchema(ImportForeignSchemaStmt *statement, Oid server_id);

}  // namespace supabase::pg
