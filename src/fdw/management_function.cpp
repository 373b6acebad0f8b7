// SQL-callable functions of the Management API: any operation, the list of them, SQL in a project's database, actions.

#include "fdw/management_function.hpp"

#include "fdw/bridge.hpp"
#include "fdw/function.hpp"

extern "C" {
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_management(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_management_operations(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_rate_limits(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_run_sql(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_pause_project(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_restore_project(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_merge_branch(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_push_branch(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_reset_branch(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_upgrade_project(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_management);
PG_FUNCTION_INFO_V1(supabase_management_operations);
PG_FUNCTION_INFO_V1(supabase_rate_limits);
PG_FUNCTION_INFO_V1(supabase_run_sql);
PG_FUNCTION_INFO_V1(supabase_pause_project);
PG_FUNCTION_INFO_V1(supabase_restore_project);
PG_FUNCTION_INFO_V1(supabase_merge_branch);
PG_FUNCTION_INFO_V1(supabase_push_branch);
PG_FUNCTION_INFO_V1(supabase_reset_branch);
PG_FUNCTION_INFO_V1(supabase_upgrade_project);
}

namespace {

FunctionObjects *MakeObjects() {
  return Own<FunctionObjects>(CurrentMemoryContext);
}

const char *JsonArgument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return nullptr;
  Jsonb *value = PG_GETARG_JSONB_P(number);
  return ToUtf8(JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value))));
}

Datum ToJsonb(const std::string *text) {
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(ToServer(text->c_str(), text->size())));
}

void StoreRow(ReturnSetInfo *result, Datum value) {
  bool isnull = false;
  tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
}

// POST, with a body of what is not NULL among the text arguments from `first` on.
FunctionObjects *Act(FunctionCallInfo fcinfo, const char *id, const char *parameters, const Server *server,
                     const char *const *members, int count) {
  StringInfoData body;
  initStringInfo(&body);
  for (int i = 0; i < count; i++) {
    if (!PG_ARGISNULL(i + 1)) AppendMember(&body, members[i], RequiredText(fcinfo, i + 1, members[i]));
  }
  FunctionObjects *objects = MakeObjects();
  CallOperation(server, id, parameters, members == nullptr ? nullptr : body.len > 0 ? body.data : "{}", objects);
  return objects;
}

// What an action that goes on after the answer can be followed by.
void TellMember(const FunctionObjects *objects, const char *member, const char *what) {
  auto *id = Own<std::string>(CurrentMemoryContext);
  Guard([&] { *id = MemberText(objects->result, member); });
  if (id->empty()) return;
  ereport(NOTICE, (errmsg("%s \"%s\" was started", what, ToServer(id->c_str(), id->size()))));
}

// (branch text, migration_version text, server name)
Datum BranchAction(FunctionCallInfo fcinfo, const char *id) {
  static constexpr const char *kMembers[] = {"migration_version"};
  StringInfoData parameters;
  initStringInfo(&parameters);
  AppendMember(&parameters, "branch_id_or_ref", RequiredText(fcinfo, 0, "branch"));
  TellMember(Act(fcinfo, id, parameters.data, ManagementServer(fcinfo, 2), kMembers, 1), "workflow_run_id",
             "workflow run");
  PG_RETURN_VOID();
}

}  // namespace

// supabase_management(operation text, params jsonb, body jsonb, server name) RETURNS jsonb
Datum supabase_management(PG_FUNCTION_ARGS) {
  // A body may hold a password.
  StatementHider hider;
  bool const hidden = !PG_ARGISNULL(2);
  if (hidden) {
    HideActivity("SELECT supabase_management(<hidden>)");
    hider.Push();
  }
  const char *id = RequiredText(fcinfo, 0, "operation");
  const char *parameters = JsonArgument(fcinfo, 1);
  FunctionObjects *objects = MakeObjects();
  CallOperation(ManagementServer(fcinfo, 3), id, parameters == nullptr ? "{}" : parameters, JsonArgument(fcinfo, 2),
                objects);
  if (hidden) hider.Pop();
  if (objects->result.empty()) PG_RETURN_NULL();
  PG_RETURN_DATUM(ToJsonb(&objects->result));
}

// supabase_management_operations() RETURNS TABLE (operation, method, path, scope text, destructive boolean)
Datum supabase_management_operations(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  const Catalogue *catalogue = Guard([] { return &Catalogue::Get(); });
  for (const ApiOperation &operation : catalogue->operations) {
    Datum values[] = {CStringGetTextDatum(operation.id.c_str()), CStringGetTextDatum(operation.method.c_str()),
                      CStringGetTextDatum(operation.path.c_str()), CStringGetTextDatum(operation.scope.c_str()),
                      BoolGetDatum(operation.destructive)};
    bool nulls[] = {false, false, false, operation.scope.empty(), false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum(0);
}

// supabase_rate_limits() RETURNS TABLE (bucket text, "limit" integer, remaining integer, reset_at timestamptz)
Datum supabase_rate_limits(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  RateLimits *limits = GetRateLimits();
  auto *known = Own<std::vector<KnownLimit>>(CurrentMemoryContext);
  Guard([&] { *known = KnownLimits(limits); });
  TimestampTz const now = GetCurrentTimestamp();
  for (const KnownLimit &limit : *known) {
    Datum values[] = {CStringGetTextDatum(ToServerLossy(limit.bucket.c_str())),
                      Int32GetDatum(static_cast<int32>(limit.limit)),
                      Int32GetDatum(static_cast<int32>(limit.remaining)),
                      TimestampTzGetDatum(TimestampTzPlusMilliseconds(now, limit.left_ms))};
    bool nulls[4] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum(0);
}

// supabase_run_sql(ref text, query text, read_only boolean, server name) RETURNS SETOF jsonb: a row for each.
Datum supabase_run_sql(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  const char *parameters = RefParameters(RequiredText(fcinfo, 0, "ref"));
  StringInfoData body;
  initStringInfo(&body);
  AppendMember(&body, "query", RequiredText(fcinfo, 1, "query"));
  bool const read_only = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
  FunctionObjects *objects = MakeObjects();
  CallOperation(ManagementServer(fcinfo, 3), read_only ? "v1-read-only-query" : "v1-run-a-query", parameters, body.data,
                objects);
  if (objects->result.empty()) return Datum(0);
  Datum const answer = ToJsonb(&objects->result);
  Jsonb *rows = DatumGetJsonbP(answer);
  if (!JB_ROOT_IS_ARRAY(rows) || JB_ROOT_IS_SCALAR(rows)) {
    StoreRow(result, answer);
    return Datum(0);
  }
  JsonbIterator *iterator = JsonbIteratorInit(&rows->root);
  JsonbValue value;
  JsonbIteratorToken token;
  while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
    if (token == WJB_ELEM) StoreRow(result, JsonbPGetDatum(JsonbValueToJsonb(&value)));
    CHECK_FOR_INTERRUPTS();
  }
  return Datum(0);
}

// supabase_pause_project(ref text, server name)
Datum supabase_pause_project(PG_FUNCTION_ARGS) {
  const char *parameters = RefParameters(RequiredText(fcinfo, 0, "ref"));
  (void)Act(fcinfo, "v1-pause-a-project", parameters, ManagementServer(fcinfo, 1), nullptr, 0);
  PG_RETURN_VOID();
}

// supabase_restore_project(ref text, server name)
Datum supabase_restore_project(PG_FUNCTION_ARGS) {
  const char *parameters = RefParameters(RequiredText(fcinfo, 0, "ref"));
  (void)Act(fcinfo, "v1-restore-a-project", parameters, ManagementServer(fcinfo, 1), nullptr, 0);
  PG_RETURN_VOID();
}

Datum supabase_merge_branch(PG_FUNCTION_ARGS) {
  return BranchAction(fcinfo, "v1-merge-a-branch");
}

Datum supabase_push_branch(PG_FUNCTION_ARGS) {
  return BranchAction(fcinfo, "v1-push-a-branch");
}

Datum supabase_reset_branch(PG_FUNCTION_ARGS) {
  return BranchAction(fcinfo, "v1-reset-a-branch");
}

// supabase_upgrade_project(ref text, target_version text, release_channel text, server name)
Datum supabase_upgrade_project(PG_FUNCTION_ARGS) {
  static constexpr const char *kMembers[] = {"target_version", "release_channel"};
  const char *parameters = RefParameters(RequiredText(fcinfo, 0, "ref"));
  const Server *server = ManagementServer(fcinfo, 3);
  TellMember(Act(fcinfo, "v1-upgrade-postgres-version", parameters, server, kMembers, 2), "tracking_id", "upgrade");
  PG_RETURN_VOID();
}

}  // namespace supabase::pg
