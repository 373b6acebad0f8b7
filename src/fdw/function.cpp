// SQL-callable functions for acting as a user.

#include <cstring>

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/function.hpp"

extern "C" {
#include "pgstat.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_set_auth(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_clear_auth(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_auth(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_set_auth_from_request(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_set_auth);
PG_FUNCTION_INFO_V1(supabase_clear_auth);
PG_FUNCTION_INFO_V1(supabase_auth);
PG_FUNCTION_INFO_V1(supabase_set_auth_from_request);
}

namespace {

Datum TextOrNull(const char *text, bool *isnull) {
  *isnull = text == nullptr;
  return text == nullptr ? Datum(0) : CStringGetTextDatum(text);
}

Datum ExpiryOrNull(int64_t expires_at, bool *isnull) {
  *isnull = expires_at == 0;
  return TimestampTzGetDatum(time_t_to_timestamptz(static_cast<pg_time_t>(expires_at)));
}

const Server *ServerArgument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? nullptr : GetServerByName(NameStr(*PG_GETARG_NAME(number)), ServerType::kProject);
}

}  // namespace

// A supabase_identity (user_id, role, email, expires_at).
Datum MakeIdentity(FunctionCallInfo fcinfo, const IdentityRow *row) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("return type must be supabase_identity")));
  }
  Datum values[4];
  bool nulls[4];
  values[0] = TextOrNull(row->user_id, &nulls[0]);
  values[1] = TextOrNull(row->role, &nulls[1]);
  values[2] = TextOrNull(row->email, &nulls[2]);
  values[3] = ExpiryOrNull(row->expires_at, &nulls[3]);
  return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

void HideActivity(const char *shown) {
  pgstat_report_activity(STATE_RUNNING, shown);
}

// supabase_set_auth(access_token text, server name, is_local boolean) RETURNS supabase_identity
Datum supabase_set_auth(PG_FUNCTION_ARGS) {
  HideActivity("SELECT supabase_set_auth(<hidden>)");
  StatementHider hider;
  hider.Push();
  char *token = PG_ARGISNULL(0) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(0));
  const Server *server = ServerArgument(fcinfo, 1);
  bool const is_local = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
  IdentityRow const row = SetIdentity(token, server, is_local);
  hider.Pop();
  if (token == nullptr) PG_RETURN_NULL();
  explicit_bzero(token, strlen(token));
  PG_RETURN_DATUM(MakeIdentity(fcinfo, &row));
}

// supabase_clear_auth(server name) RETURNS void
Datum supabase_clear_auth(PG_FUNCTION_ARGS) {
  ClearIdentity(ServerArgument(fcinfo, 0));
  PG_RETURN_VOID();
}

// supabase_set_auth_from_request(header text, server name) RETURNS supabase_identity: for the transaction, which is one
// PostgREST request. Without that header nothing changes and NULL is returned.
Datum supabase_set_auth_from_request(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the header's name must not be null")));
  }
  char *header = text_to_cstring(PG_GETARG_TEXT_PP(0));
  for (char *c = header; *c != '\0'; c++)
    *c = static_cast<char>(pg_ascii_tolower(static_cast<unsigned char>(*c)));
  char *token = RequestToken(ToUtf8(header));
  if (token == nullptr) PG_RETURN_NULL();
  IdentityRow const row = SetIdentity(token, ServerArgument(fcinfo, 1), true);
  explicit_bzero(token, strlen(token));
  PG_RETURN_DATUM(MakeIdentity(fcinfo, &row));
}

// supabase_auth() RETURNS TABLE (server name, user_id text, role text, email text, expires_at timestamptz, scope text)
Datum supabase_auth(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  ListCell *cell;
  foreach (cell, ListIdentities()) {
    auto *row = static_cast<IdentityRow *>(lfirst(cell));
    Datum values[6];
    bool nulls[6];
    nulls[0] = row->server == nullptr;
    values[0] = nulls[0] ? Datum(0) : DirectFunctionCall1(namein, CStringGetDatum(row->server));
    values[1] = TextOrNull(row->user_id, &nulls[1]);
    values[2] = TextOrNull(row->role, &nulls[2]);
    values[3] = TextOrNull(row->email, &nulls[3]);
    values[4] = ExpiryOrNull(row->expires_at, &nulls[4]);
    values[5] = TextOrNull(row->scope, &nulls[5]);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum(0);
}

}  // namespace supabase::pg
