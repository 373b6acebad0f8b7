// Who may use what is stored, and who owns it.

#include "fdw/bridge.hpp"
#include "fdw/credential_write.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/uuid.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_grant_login(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_revoke_login(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_grant_oauth_app(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_revoke_oauth_app(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_grant_oauth_grant(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_revoke_oauth_grant(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_grant_login);
PG_FUNCTION_INFO_V1(supabase_revoke_login);
PG_FUNCTION_INFO_V1(supabase_grant_oauth_app);
PG_FUNCTION_INFO_V1(supabase_revoke_oauth_app);
PG_FUNCTION_INFO_V1(supabase_grant_oauth_grant);
PG_FUNCTION_INFO_V1(supabase_revoke_oauth_grant);
}

Oid OwnerOf(const StoredKind &kind, const char *name) {
  StoredRow *existing = FindStored(kind, name);
  if (existing == nullptr) return GetUserId();
  if (!has_privs_of_role(GetUserId(), existing->owner)) {
    ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("%s \"%s\" belongs to another role", kind.noun, name)));
  }
  return existing->owner;
}

void MakeUuid(char *text) {
  Datum const uuid = DirectFunctionCall1(gen_random_uuid, Datum(0));
  (void)snprintf(text, kUuidText, "%s", DatumGetCString(DirectFunctionCall1(uuid_out, uuid)));
}

// The argument `name`, which the role must own.
static StoredRow *OwnedArgument(const StoredKind &kind, FunctionCallInfo fcinfo) {
  const char *name = NameStr(*PG_GETARG_NAME(0));
  StoredRow *row = FindStored(kind, name);
  if (row == nullptr) RefuseMissing(kind, name);
  CheckOwns(row, GetUserId());
  return row;
}

static Datum ChangeGrantees(const StoredKind &kind, FunctionCallInfo fcinfo, const char *set, const char *action) {
  StoredRow *row = OwnedArgument(kind, fcinfo);
  Oid const grantee = get_role_oid(NameStr(*PG_GETARG_NAME(1)), false);
  Parameter const parameters[] = {IdParameter(row->id), {OIDOID, ObjectIdGetDatum(grantee), false}};
  if (ChangeStore(psprintf("UPDATE supabase_fdw.%s SET grantees = %s WHERE id = $1", kind.relation, set), parameters) !=
      1) {
    RefuseMissing(kind, row->name);
  }
  Audit(kind, row->name, action, GetUserId(), NameStr(*PG_GETARG_NAME(1)), nullptr);
  PG_RETURN_VOID();
}

static Datum Give(const StoredKind &kind, FunctionCallInfo fcinfo) {
  return ChangeGrantees(kind, fcinfo, "array_append(array_remove(grantees, $2), $2)", "grant");
}

static Datum Take(const StoredKind &kind, FunctionCallInfo fcinfo) {
  return ChangeGrantees(kind, fcinfo, "array_remove(grantees, $2)", "revoke");
}

// Each (name, grantee name) RETURNS void.
Datum supabase_grant_login(PG_FUNCTION_ARGS) {
  return Give(kLogins, fcinfo);
}

Datum supabase_revoke_login(PG_FUNCTION_ARGS) {
  return Take(kLogins, fcinfo);
}

Datum supabase_grant_oauth_app(PG_FUNCTION_ARGS) {
  return Give(kApps, fcinfo);
}

Datum supabase_revoke_oauth_app(PG_FUNCTION_ARGS) {
  return Take(kApps, fcinfo);
}

Datum supabase_grant_oauth_grant(PG_FUNCTION_ARGS) {
  return Give(kGrants, fcinfo);
}

Datum supabase_revoke_oauth_grant(PG_FUNCTION_ARGS) {
  return Take(kGrants, fcinfo);
}

}  // namespace supabase::pg
