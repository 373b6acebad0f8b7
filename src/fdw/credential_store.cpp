#include "fdw/credential_store.hpp"

#include <cstring>
#include <string>

#include "core/keyring.hpp"

#include "fdw/bridge.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_collation.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace supabase::pg {
namespace {

// Columns of supabase_fdw.logins in the order of the extension's script.
enum LoginColumn : AttrNumber {
  kName = 1,
  kId,
  kOwner,
  kGrantees,
  kServer,
  kOrigin,
  kInstance,
  kUserId,
  kEmail,
  kRole,
  kAccess,
  kRefresh,
  kGeneration,
  kExpiresAt,
  kRefreshedAt,
  kRefreshCount,
  kStatus,
  kAttempts,
  kAttemptedAt,
  kNextAttemptAt,
  kLastError,
};

char *setting_key_file = nullptr;
bool setting_oauth_refresh = true;

Oid RelationId(const char *name) {
  Oid const schema = get_namespace_oid("supabase_fdw", true);
  Oid const id = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  if (!OidIsValid(id)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"supabase_fdw.%s\" does not exist", name),
                    errhint("Use CREATE EXTENSION supabase_fdw.")));
  }
  return id;
}

struct Row {
  HeapTuple tuple;
  TupleDesc desc;

  Datum Get(LoginColumn column, bool *isnull) const { return heap_getattr(tuple, column, desc, isnull); }
  const char *Text(LoginColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return isnull ? nullptr : TextDatumGetCString(value);
  }
  const char *NameAt(LoginColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return pstrdup(NameStr(*DatumGetName(value)));
  }
  struct varlena *Bytes(LoginColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return isnull ? nullptr : PG_DETOAST_DATUM_COPY(value);
  }
  int64_t Time(LoginColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return isnull ? 0 : ToMicroseconds(DatumGetTimestampTz(value));
  }
};

List *Oids(Datum array) {
  Datum *elements;
  int count;
  deconstruct_array(DatumGetArrayTypeP(array), OIDOID, sizeof(Oid), true, TYPALIGN_INT, &elements, nullptr, &count);
  List *list = NIL;
  for (int i = 0; i < count; i++)
    list = lappend_oid(list, DatumGetObjectId(elements[i]));
  return list;
}

StoredLogin *ReadRow(const Row &row) {
  auto *login = static_cast<StoredLogin *>(palloc0(sizeof(StoredLogin)));
  bool isnull;
  login->name = row.NameAt(kName);
  (void)snprintf(login->id, sizeof login->id, "%s",
                 DatumGetCString(DirectFunctionCall1(uuid_out, row.Get(kId, &isnull))));
  login->owner = DatumGetObjectId(row.Get(kOwner, &isnull));
  login->grantees = Oids(row.Get(kGrantees, &isnull));
  login->server = row.NameAt(kServer);
  login->origin = row.Text(kOrigin);
  login->instance = row.Text(kInstance);
  login->user_id = row.Text(kUserId);
  login->generation = DatumGetInt64(row.Get(kGeneration, &isnull));
  login->attempts = DatumGetInt32(row.Get(kAttempts, &isnull));
  login->attempted_at = row.Time(kAttemptedAt);
  login->last_error = row.Text(kLastError);
  login->access = row.Bytes(kAccess);
  login->refresh = row.Bytes(kRefresh);
  login->times.status = ParseStatus(row.Text(kStatus));
  login->times.expires_at = login->access == nullptr ? 0 : row.Time(kExpiresAt);
  login->times.refreshed_at = row.Time(kRefreshedAt);
  login->times.next_attempt_at = row.Time(kNextAttemptAt);
  return login;
}

// The rows of a name, or all when it is NULL. A catalog snapshot is new for a table that is no catalog, and is allowed
// where the transaction's is not: in parallel mode.
List *ReadLogins(const char *name) {
  Relation relation = table_open(RelationId("logins"), AccessShareLock);
  ScanKeyData key;
  NameData wanted;
  if (name != nullptr) {
    namestrcpy(&wanted, name);
    ScanKeyInit(&key, kName, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(&wanted));
    key.sk_collation = C_COLLATION_OID;
  }
  SysScanDesc scan = systable_beginscan(relation, name != nullptr ? RelationId("logins_pkey") : InvalidOid,
                                        name != nullptr, nullptr, name != nullptr ? 1 : 0, &key);
  List *logins = NIL;
  HeapTuple tuple;
  while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
    logins = lappend(logins, ReadRow({tuple, RelationGetDescr(relation)}));
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return logins;
}

// Two databases of one server are as different as two servers.
std::string InstanceText(const Keyring &keyring, Oid database) {
  return keyring.instance() + "/" + std::to_string(database);
}

std::string KeyFile(const char *setting) {
  return *setting == '\0' ? DefaultKeyFile() : std::string(setting);
}

SealedPlace PlaceOf(const char *instance, const char *id, const char *column, const char *origin, int64_t generation) {
  return {instance, id, column, origin, generation};
}

}  // namespace

StoredLogin *FindLogin(const char *name) {
  List *logins = ReadLogins(name);
  return logins == NIL ? nullptr : static_cast<StoredLogin *>(linitial(logins));
}

List *AllLogins() {
  return ReadLogins(nullptr);
}

bool MayUseLogin(const StoredLogin *login, Oid role) {
  if (has_privs_of_role(role, login->owner)) return true;
  ListCell *cell;
  foreach (cell, login->grantees) {
    // A role that was dropped is nobody's.
    Oid const grantee = lfirst_oid(cell);
    if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(grantee)) && has_privs_of_role(role, grantee)) return true;
  }
  return false;
}

void RefuseMissingLogin(const char *name) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("no stored login \"%s\"", name),
                  errdetail("It does not exist, or the role may not use it."),
                  errhint("Use supabase_sign_in(..., save_as => '%s'), or supabase_grant_login as its owner.", name)));
  pg_unreachable();
}

void CheckMayUseLogin(const StoredLogin *login, Oid role) {
  if (!MayUseLogin(login, role)) RefuseMissingLogin(login->name);
}

void CheckOwnsLogin(const StoredLogin *login, Oid role) {
  if (has_privs_of_role(role, login->owner)) return;
  if (!MayUseLogin(login, role)) RefuseMissingLogin(login->name);
  ereport(ERROR,
          (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of stored login \"%s\"", login->name)));
}

const char *ThisInstance(bool create) {
  auto *text = Own<std::string>(CurrentMemoryContext);
  Guard([&] {
    std::string const path = KeyFile(setting_key_file);
    *text = InstanceText(create ? LoadOrCreateKeyring(path, DataDir) : LoadKeyring(path, DataDir), MyDatabaseId);
  });
  return pstrdup(text->c_str());
}

void CheckInstance(const StoredLogin *login) {
  if (strcmp(ThisInstance(false), login->instance) == 0) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("stored login \"%s\" belongs to another database", login->name),
                  errdetail("This database is a copy, or its key file was replaced. Two databases that use one refresh "
                            "token destroy the session it belongs to."),
                  errhint("Sign in again: supabase_sign_in(..., save_as => '%s').", login->name)));
}

void OpenToken(const StoredLogin *login, const char *column, Secret *token) {
  struct varlena *sealed = strcmp(column, kAccessToken) == 0 ? login->access : login->refresh;
  std::string_view const bytes(VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed));
  Guard([&] {
    Keyring const keyring = LoadKeyring(KeyFile(setting_key_file), DataDir);
    std::string const instance = InstanceText(keyring, MyDatabaseId);
    *token = keyring.Open(PlaceOf(instance.c_str(), login->id, column, login->origin, login->generation), bytes);
  });
}

bytea *SealToken(const char *id, const char *origin, const char *column, int64_t generation, const Secret *token) {
  auto *sealed = Own<std::string>(CurrentMemoryContext);
  Guard([&] {
    Keyring const keyring = LoadKeyring(KeyFile(setting_key_file), DataDir);
    std::string const instance = InstanceText(keyring, MyDatabaseId);
    *sealed = keyring.Seal(PlaceOf(instance.c_str(), id, column, origin, generation), *token);
  });
  auto *bytes = static_cast<bytea *>(palloc(VARHDRSZ + sealed->size()));
  SET_VARSIZE(bytes, VARHDRSZ + sealed->size());
  memcpy(VARDATA(bytes), sealed->data(), sealed->size());
  return bytes;
}

uint32 ActiveKey() {
  return Guard([&] { return LoadKeyring(KeyFile(setting_key_file), DataDir).active(); });
}

constexpr int64_t kEpochShift =
    static_cast<int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * USECS_PER_SEC;

int64_t ToMicroseconds(TimestampTz time) {
  return time + kEpochShift;
}

TimestampTz FromMicroseconds(int64_t time) {
  return time - kEpochShift;
}

int64_t NowMicroseconds() {
  return ToMicroseconds(GetCurrentTimestamp());
}

bool RefreshEnabled() {
  return setting_oauth_refresh;
}

void DefineCredentialSettings() {
  DefineCustomStringVariable("supabase_fdw.key_file", "File with the keys that stored credentials are encrypted with.",
                             "Empty: .supabase_fdw/key in the home directory of the server's operating-system user.",
                             &setting_key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("supabase_fdw.oauth_refresh", "Refreshes stored credentials.",
                           "Off on a copy of a database: stored credentials are used but never refreshed.",
                           &setting_oauth_refresh, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

}  // namespace supabase::pg
