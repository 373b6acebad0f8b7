// supabase_attach_project: from a credential of the Management API to foreign tables of a project.

#include <cstring>

#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/import.hpp"
#include "fdw/management_function.hpp"

extern "C" {
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_attach_project(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_attach_project);
}

namespace {

struct Attach {
  const Server *management;
  const char *ref;
  const char *local_schema, *remote_schema;
  const char *server;  // to be made
  Oid server_id;
  ProjectKeys *keys;
};

// The project's name as the server's, unless that is taken; its reference else. Raises 55000 for one that is not up.
const char *DefaultServerName(const Attach *attach) {
  auto *objects = Own<FunctionObjects>(CurrentMemoryContext);
  AskOperation(attach->management, "v1-get-project", RefParameters(attach->ref), objects);
  // A branch is no project in this, but in everything else.
  if (objects->status == 404) return attach->ref;
  if (objects->result.empty()) RaiseRefusal(objects);
  auto *name = Own<std::string>(CurrentMemoryContext);
  auto *status = Own<std::string>(CurrentMemoryContext);
  bool const ready = Guard([&] {
    *name = IdentifierOf(MemberText(objects->result, "name"));
    *status = MemberText(objects->result, "status");
    return StateOf(*status) == ProjectState::kReady;
  });
  if (!ready) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("project \"%s\" is not running", attach->ref),
             errdetail("Its status is %s.", ToServerLossy(status->c_str())),
             errhint("supabase_restore_project starts a paused one, supabase_wait_for_project waits for one "
                     "that is starting.")));
  }
  bool const taken = GetForeignServerByName(name->c_str(), true) != nullptr;
  return name->empty() || taken ? attach->ref : pstrdup(name->c_str());
}

// The secret key only if the caller may see it.
void FetchKeys(const Attach *attach) {
  auto *objects = Own<FunctionObjects>(CurrentMemoryContext);
  const char *parameters = psprintf("{\"ref\": \"%s\", \"reveal\": true}", attach->ref);
  AskOperation(attach->management, "v1-get-project-api-keys", parameters, objects);
  if (objects->status == 403) {
    objects = Own<FunctionObjects>(CurrentMemoryContext);
    AskOperation(attach->management, "v1-get-project-api-keys", RefParameters(attach->ref), objects);
  }
  if (objects->result.empty()) RaiseRefusal(objects);
  Guard([&] {
    *attach->keys = ReadProjectKeys(objects->result);
    explicit_bzero(objects->result.data(), objects->result.size());
  });
  if (!attach->keys->publishable.empty()) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("project \"%s\" has no publishable key", attach->ref),
                  errhint("Create one: INSERT into the table api_keys with type 'publishable'.")));
}

void Execute(const char *sql) {
  if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
  int const result = SPI_execute(sql, false, 0);
  if (result < 0) elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
  SPI_finish();
  CommandCounterIncrement();
}

DefElem *TextOption(const char *name, const char *value) {
  return makeDefElem(pstrdup(name), reinterpret_cast<Node *>(makeString(pstrdup(value))), -1);
}

// Not as SQL: no statement is to have the key in it, where others would see it.
void CreateMapping(const Attach *attach) {
  const ForeignServer *server = GetForeignServer(attach->server_id);
  std::string_view const key = attach->keys->publishable.Reveal();
  char *text = pnstrdup(key.data(), key.size());
  CreateUserMappingStmt *statement = makeNode(CreateUserMappingStmt);
  statement->user = makeNode(RoleSpec);
  statement->user->roletype = ROLESPEC_CURRENT_USER;
  statement->user->location = -1;
  statement->servername = pstrdup(attach->server);
  statement->options =
      list_make2(TextOption("api_key", text), TextOption("origin", ServerAddress(server->servertype, server->options)));
  explicit_bzero(text, strlen(text));
  (void)CreateUserMapping(statement);
  CommandCounterIncrement();
}

// As the mapping's key, which is in everybody's hands, may not see the description of the schema.
void Import(const Attach *attach) {
  const char *sql = psprintf("IMPORT FOREIGN SCHEMA %s FROM SERVER %s INTO %s", quote_identifier(attach->remote_schema),
                             quote_identifier(attach->server), quote_identifier(attach->local_schema));
  if (!attach->keys->secret.empty()) UseImportKey(attach->server_id, &attach->keys->secret);
  PG_TRY();
  { Execute(sql); }
  PG_FINALLY();
  { UseImportKey(InvalidOid, nullptr); }
  PG_END_TRY();
}

const char *NameArgument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? nullptr : NameStr(*PG_GETARG_NAME(number));
}

Attach ReadArguments(FunctionCallInfo fcinfo) {
  Attach attach = {};
  attach.ref = RequiredText(fcinfo, 0, "ref");
  attach.local_schema = NameArgument(fcinfo, 1);
  if (attach.local_schema == nullptr) {
    ereport(ERROR,
            (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", "local_schema")));
  }
  attach.remote_schema = PG_ARGISNULL(2) ? "public" : text_to_cstring(PG_GETARG_TEXT_PP(2));
  attach.server = NameArgument(fcinfo, 3);
  if (!Guard([&] { return IsProjectRef(attach.ref); })) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value for argument \"ref\""),
                    errdetail("A project's reference has 20 lower-case letters and digits.")));
  }
  attach.management = ManagementServer(fcinfo, 4);
  attach.keys = Own<ProjectKeys>(CurrentMemoryContext);
  return attach;
}

}  // namespace

// supabase_attach_project(ref text, local_schema name, remote_schema text, server_name name, management_server name)
// RETURNS name
Datum supabase_attach_project(PG_FUNCTION_ARGS) {
  PreventCommandIfReadOnly("supabase_attach_project()");
  Attach attach = ReadArguments(fcinfo);
  const char *name = DefaultServerName(&attach);
  if (attach.server == nullptr) attach.server = name;
  FetchKeys(&attach);
  Execute(psprintf("CREATE SERVER %s TYPE 'project' FOREIGN DATA WRAPPER supabase_fdw OPTIONS (project_ref %s)",
                   quote_identifier(attach.server), quote_literal_cstr(attach.ref)));
  attach.server_id = GetForeignServerByName(attach.server, false)->serverid;
  CreateMapping(&attach);
  if (!OidIsValid(get_namespace_oid(attach.local_schema, true))) {
    Execute(psprintf("CREATE SCHEMA %s", quote_identifier(attach.local_schema)));
  }
  Import(&attach);
  PG_RETURN_DATUM(DirectFunctionCall1(namein, CStringGetDatum(attach.server)));
}

}  // namespace supabase::pg
