#include "fdw/import.hpp"

#include <memory>

#include "core/http.hpp"
#include "core/jwt.hpp"
#include "core/problem.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
}

namespace supabase::pg {
namespace {

struct FetchObjects {
  Credential credential;
  std::unique_ptr<Transfer> transfer;
  RemoteSchema schema;
  AnswerTrace trace;
};

// One remote column as the statement writer sees it: plain text in the database's encoding.
struct ColumnText {
  const char *name;
  const char *type;  // remote or mapped name
  bool known;
  bool key;
  bool not_null;
  const char *references;  // NULL for none
};

}  // namespace

bool IsImported(const ImportForeignSchemaStmt *statement, const char *table) {
  if (statement->list_type == FDW_IMPORT_SCHEMA_ALL) return true;
  bool listed = false;
  ListCell *cell;
  foreach (cell, statement->table_list) {
    listed = listed || strcmp(static_cast<RangeVar *>(lfirst(cell))->relname, table) == 0;
  }
  return listed == (statement->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO);
}

namespace {

// Name parts of a type that only the remote is known to have: [schema.]name[(typmod)][[]], each part possibly quoted.
struct TypeParts {
  const char *schema;
  const char *name;
  const char *typmod;  // with parentheses, or ""
  bool array;
};

// Reads one identifier; NULL when there is none.
char *ReadIdentifier(const char **at) {
  StringInfoData name;
  initStringInfo(&name);
  const char *c = *at;
  if (*c == '"') {
    for (c++; *c != '\0'; c++) {
      if (*c == '"' && *++c != '"') break;
      appendStringInfoChar(&name, *c);
    }
  } else {
    while (*c != '\0' && strchr(".([ \"", *c) == nullptr)
      appendStringInfoChar(&name, *c++);
  }
  *at = c;
  return name.len > 0 ? name.data : nullptr;
}

bool SplitTypeName(const char *text, TypeParts *parts) {
  const char *at = text;
  parts->schema = nullptr;
  parts->name = ReadIdentifier(&at);
  if (*at == '.') {
    at++;
    parts->schema = parts->name;
    parts->name = ReadIdentifier(&at);
  }
  const char *rest = at;
  size_t const typmod =
      *rest == '(' ? strspn(rest + 1, "0123456789, ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") + 2 : 0;
  if (typmod > 0 && (strlen(rest) < typmod || rest[typmod - 1] != ')')) return false;
  parts->typmod = pnstrdup(rest, typmod);
  rest += typmod;
  parts->array = strcmp(rest, "[]") == 0;
  return parts->name != nullptr && (parts->array || *rest == '\0');
}

// Looks for a type of that name here: in the schema it has remotely, then in the one that is imported into.
Oid FindLocalType(const TypeParts *parts, const char *local_schema) {
  for (const char *schema : {parts->schema, local_schema}) {
    if (schema == nullptr) continue;
    Oid const namespace_id = get_namespace_oid(schema, true);
    if (!OidIsValid(namespace_id)) continue;
    Oid const type =
        GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, PointerGetDatum(parts->name), ObjectIdGetDatum(namespace_id));
    if (OidIsValid(type) && get_typisdefined(type)) return type;
  }
  return InvalidOid;
}

// SQL text of the column's local type. `remote_type` is set when the local database lacks the type and text stands in.
const char *LocalTypeText(const ColumnText *column, const char *table, const char *local_schema,
                          const char **remote_type) {
  *remote_type = nullptr;
  if (column->known) return column->type;
  const char *type = FindLocalTypeText(column->type, local_schema);
  if (type != nullptr) return type;
  ereport(NOTICE, (errmsg("column \"%s\" of foreign table \"%s\" is imported as text", column->name, table),
                   errdetail("Its type at the remote server is %s.", column->type)));
  *remote_type = column->type;
  return "text";
}

void AppendOption(StringInfo sql, const char *name, const char *value, bool *first) {
  appendStringInfo(sql, "%s%s %s", *first ? " OPTIONS (" : ", ", quote_identifier(name), quote_literal_cstr(value));
  *first = false;
}

void AppendColumn(StringInfo sql, const ColumnText *column, const char *table, const char *local_schema) {
  const char *remote_type;
  const char *type = LocalTypeText(column, table, local_schema, &remote_type);
  appendStringInfo(sql, "\n  %s %s", quote_identifier(column->name), type);
  bool first = true;
  AppendOption(sql, "column_name", column->name, &first);
  if (column->key) AppendOption(sql, "key", "true", &first);
  if (column->references != nullptr) AppendOption(sql, "references", column->references, &first);
  if (remote_type != nullptr) AppendOption(sql, "remote_type", remote_type, &first);
  appendStringInfoString(sql, ")");
  if (column->not_null) appendStringInfoString(sql, " NOT NULL");
}

ColumnText ReadColumn(const RemoteTable *table, const RemoteColumn *column) {
  auto *type = Own<LocalType>(CurrentMemoryContext);
  Guard([&] { *type = MapType(*column); });
  bool const key = IsUsableKey(*table, *column);
  return {Text(column->name), Text(type->name),
          type->known,        key,
          column->not_null,   column->references.empty() ? nullptr : Text(column->references)};
}

char *CreateTable(const RemoteTable *table, const char *name, const Server *server,
                  const ImportForeignSchemaStmt *statement) {
  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(name));
  for (size_t i = 0; i < table->columns.size(); i++) {
    if (i > 0) appendStringInfoChar(&sql, ',');
    ColumnText const column = ReadColumn(table, &table->columns[i]);
    AppendColumn(&sql, &column, name, statement->local_schema);
  }
  appendStringInfo(&sql, "\n) SERVER %s", quote_identifier(server->name));
  bool first = true;
  AppendOption(&sql, "schema_name", statement->remote_schema, &first);
  AppendOption(&sql, "table_name", name, &first);
  appendStringInfoChar(&sql, ')');
  return sql.data;
}

// Set by UseImportKey.
Oid import_key_server = InvalidOid;
const Secret *import_key = nullptr;

// The description is the server's matter, not an end user's: the mapping's own credential asks for it.
void ImportCredential(const Server *server, Credential *credential) {
  if (import_key == nullptr || import_key_server != server->id) {
    ResolveCredential(server, GetUserId(), Actor::kMapping, credential);
    return;
  }
  Guard([&] {
    credential->api_key = *import_key;
    if (ClassifyKey(import_key->Reveal()) == KeyKind::kJwt)
      credential->authorization = Secret::Join("Bearer ", import_key->Reveal());
  });
}

}  // namespace

void UseImportKey(Oid server_id, const Secret *key) {
  import_key_server = server_id;
  import_key = key;
}

const RemoteSchema *FetchSchema(const Server *server, const char *remote_schema) {
  CheckHostAllowed(server);
  auto *objects = Own<FetchObjects>(CurrentMemoryContext);
  ImportCredential(server, &objects->credential);
  const char *schema = ToUtf8(remote_schema);
  bool const allow_private = AllowPrivate(server);
  Session *session = GetSession();
  Guard([&] {
    Request request;
    FillRequest(&request, server, schema, allow_private);
    request.headers[0].second = "application/openapi+json";
    request.url += "/";
    request.label += "/";
    AddCredential(objects->credential, &request);
    objects->transfer = session->Send(std::move(request));
  });
  Await(session, objects->transfer.get());
  Guard([&] {
    Response &response = objects->transfer->Result();
    objects->trace = AnswerTrace(objects->transfer->request(), response);
    if (response.status != 200) throw RemoteProblem(objects->transfer->request(), response);
    objects->schema = ParseOpenApi(response.body);
    objects->transfer.reset();
  });
  TraceAnswer(objects->trace);
  return &objects->schema;
}

const char *FindLocalTypeText(const char *remote_type, const char *local_schema) {
  TypeParts parts;
  Oid const type = SplitTypeName(remote_type, &parts) ? FindLocalType(&parts, local_schema) : InvalidOid;
  if (!OidIsValid(type)) return nullptr;
  return psprintf("%s%s%s", format_type_be_qualified(type), parts.typmod, parts.array ? "[]" : "");
}

Oid ParseType(const char *text, int32 *typmod) {
  Oid type;
#if PG_VERSION_NUM >= 160000
  (void)parseTypeString(text, &type, typmod, nullptr);
#else
  parseTypeString(text, &type, typmod, false);
#endif
  return type;
}

List *ImportForeignSchema(ImportForeignSchemaStmt *statement, Oid server_id) {
  Server *server = GetServerOptions(server_id);
  if (server->management) return ImportManagementSchema(statement, server);
  ListCell *cell;
  foreach (cell, statement->options) {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("invalid option \"%s\"", static_cast<DefElem *>(lfirst(cell))->defname),
                    errhint("IMPORT FOREIGN SCHEMA takes no options.")));
  }
  const RemoteSchema *schema = FetchSchema(server, statement->remote_schema);

  for (const std::string &reason : schema->left_out) {
    ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("%s", Text(reason))));
  }
  List *commands = NIL;
  for (const RemoteTable &table : schema->tables) {
    const char *name = Text(table.name);
    if (!IsImported(statement, name)) continue;
    commands = lappend(commands, CreateTable(&table, name, server, statement));
  }
  return commands;
}

}  // namespace supabase::pg
