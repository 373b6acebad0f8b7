// IMPORT FOREIGN SCHEMA management: the catalogue's tables as foreign tables.

#include "fdw/bridge.hpp"
#include "fdw/import.hpp"
#include "fdw/management_table.hpp"

extern "C" {
#include "commands/defrem.h"
#include "utils/builtins.h"
}

namespace supabase::pg {

namespace {

constexpr char kSchema[] = "management";

// Whether tables that only partners of Supabase may use are imported too: unless option "internal" is false.
bool ImportsInternal(const ImportForeignSchemaStmt *statement) {
  bool internal = true;
  ListCell *cell;
  foreach (cell, statement->options) {
    auto *option = static_cast<DefElem *>(lfirst(cell));
    if (strcmp(option->defname, "internal") != 0) {
      ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", option->defname),
                      errhint("Valid options are: internal.")));
    }
    internal = defGetBoolean(option);
  }
  return internal;
}

const char *CreateCommand(const ApiTable *api, const Server *server) {
  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(api->name.c_str()));
  const char *separator = "";
  for (const ApiColumn &column : api->columns) {
    appendStringInfo(&sql, "%s\n  %s %s", separator, quote_identifier(column.name.c_str()), column.type.c_str());
    separator = ",";
  }
  appendStringInfo(&sql, "\n) SERVER %s OPTIONS (resource %s)", quote_identifier(server->name),
                   quote_literal_cstr(api->name.c_str()));
  return sql.data;
}

}  // namespace

List *ImportManagementSchema(ImportForeignSchemaStmt *statement, const Server *server) {
  if (strcmp(statement->remote_schema, kSchema) != 0) {
    ereport(ERROR, (errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
                    errmsg("server \"%s\" has no schema \"%s\"", server->name, statement->remote_schema),
                    errhint("The tables of the Management API are in schema \"%s\".", kSchema)));
  }
  bool const internal = ImportsInternal(statement);
  const Catalogue *catalogue = Guard([] { return &Catalogue::Get(); });
  List *commands = NIL;
  for (const ApiTable &table : catalogue->tables) {
    if (table.internal && !internal && statement->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO) continue;
    if (!IsImported(statement, table.name.c_str())) continue;
    commands = lappend(commands, pstrdup(CreateCommand(&table, server)));
  }
  return commands;
}

}  // namespace supabase::pg
