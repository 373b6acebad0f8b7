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

// Columns in the order of the extension's script. Those of every table:
enum StoredColumn : AttrNumber {
  kName = 1,
  kId,
  kOwner,
  kGrantees,
  kServer,
  kOrigin,
  kInstance,
  kGeneration,
  kFirstSecret,
  // of logins and grants
  kExpiresAt = kFirstSecret + 2,
  kRefreshedAt,
  kRefreshCount,
  kStatus,
  kAttempts,
  kAttemptedAt,
  kNextAttemptAt,
  kLastError,
  kUserId,
  kGrantApp = kUserId,
  // of apps
  kClientId = kFirstSecret + 1,
  kAppRedirectUri,
  // of pending authorizations
  kPendingApp = kFirstSecret + 1,
  kPendingRedirectUri,
  kPendingExpiresAt,
  kUsedAt,
  // of projects' passwords
  kProjectRef = kFirstSecret + 1,
  kKeptAt,
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

  Datum Get(StoredColumn column, bool *isnull) const { return heap_getattr(tuple, column, desc, isnull); }
  const char *Text(StoredColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return isnull ? nullptr : TextDatumGetCString(value);
  }
  const char *NameAt(StoredColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return pstrdup(NameStr(*DatumGetName(value)));
  }
  struct varlena *Bytes(StoredColumn column) const {
    bool isnull;
    Datum const value = Get(column, &isnull);
    return isnull ? nullptr : PG_DETOAST_DATUM_COPY(value);
  }
  int64_t Time(StoredColumn column) const {
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

void ReadCommon(const Row &row, const StoredKind &kind, StoredRow *stored) {
  bool isnull;
  stored->kind = &kind;
  stored->name = row.NameAt(kName);
  (void)snprintf(stored->id, sizeof stored->id, "%s",
                 DatumGetCString(DirectFunctionCall1(uuid_out, row.Get(kId, &isnull))));
  stored->owner = DatumGetObjectId(row.Get(kOwner, &isnull));
  stored->grantees = Oids(row.Get(kGrantees, &isnull));
  stored->server = row.NameAt(kServer);
  stored->origin = row.Text(kOrigin);
  stored->instance = row.Text(kInstance);
  stored->generation = DatumGetInt64(row.Get(kGeneration, &isnull));
  for (int i = 0; i < kMaxSecrets && kind.secrets[i] != nullptr; i++)
    stored->sealed[i] = row.Bytes(static_cast<StoredColumn>(kFirstSecret + i));
}

template <typename T>
T *Make(const Row &row, const StoredKind &kind) {
  auto *stored = static_cast<T *>(palloc0(sizeof(T)));
  ReadCommon(row, kind, stored);
  return stored;
}

void *ReadCredential(const Row &row, const StoredKind &kind) {
  auto *stored = Make<StoredCredential>(row, kind);
  bool isnull;
  stored->attempts = DatumGetInt32(row.Get(kAttempts, &isnull));
  stored->attempted_at = row.Time(kAttemptedAt);
  stored->last_error = row.Text(kLastError);
  if (&kind == &kLogins) {
    stored->user_id = row.Text(kUserId);
  } else {
    stored->app = row.NameAt(kGrantApp);
  }
  stored->times.status = ParseStatus(row.Text(kStatus));
  stored->times.expires_at = stored->sealed[0] == nullptr ? 0 : row.Time(kExpiresAt);
  stored->times.refreshed_at = row.Time(kRefreshedAt);
  stored->times.next_attempt_at = row.Time(kNextAttemptAt);
  return stored;
}

void *ReadApp(const Row &row, const StoredKind &kind) {
  auto *app = Make<StoredApp>(row, kind);
  app->client_id = row.Text(kClientId);
  app->redirect_uri = row.Text(kAppRedirectUri);
  return app;
}

void *ReadPending(const Row &row, const StoredKind &kind) {
  auto *pending = Make<PendingAuthorization>(row, kind);
  pending->app = row.NameAt(kPendingApp);
  pending->redirect_uri = row.Text(kPendingRedirectUri);
  pending->expires_at = row.Time(kPendingExpiresAt);
  pending->used = row.Time(kUsedAt) != 0;
  return pending;
}

void *ReadPassword(const Row &row, const StoredKind &kind) {
  auto *password = Make<ProjectPassword>(row, kind);
  password->project_ref = row.Text(kProjectRef);
  password->kept_at = row.Time(kKeptAt);
  return password;
}

void *ReadPlain(const Row &row, const StoredKind &kind) {
  return Make<StoredRow>(row, kind);
}

// The rows of a name, or all when it is NULL. A catalog snapshot is new for a table that is no catalog, and is allowed
// where the transaction's is not: in parallel mode.
List *ReadRows(const StoredKind &kind, const char *name, void *(*read)(const Row &, const StoredKind &)) {
  Relation relation = table_open(RelationId(kind.relation), AccessShareLock);
  ScanKeyData key;
  NameData wanted;
  if (name != nullptr) {
    namestrcpy(&wanted, name);
    ScanKeyInit(&key, kName, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(&wanted));
    key.sk_collation = C_COLLATION_OID;
  }
  SysScanDesc scan = systable_beginscan(relation, name != nullptr ? RelationId(kind.index) : InvalidOid,
                                        name != nullptr, nullptr, name != nullptr ? 1 : 0, &key);
  List *rows = NIL;
  HeapTuple tuple;
  while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
    rows = lappend(rows, read({tuple, RelationGetDescr(relation)}, kind));
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return rows;
}

template <typename T>
T *FindRow(const StoredKind &kind, const char *name, void *(*read)(const Row &, const StoredKind &)) {
  List *rows = ReadRows(kind, name, read);
  return rows == NIL ? nullptr : static_cast<T *>(linitial(rows));
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

const StoredKind kLogins = {'l',
                            "login",
                            "stored login",
                            "logins",
                            "logins_pkey",
                            {kAccessToken, kRefreshToken},
                            {"user_id", "email", "role"},
                            "Use supabase_sign_in(..., save_as => '%s'), or supabase_grant_login as its owner."};
const StoredKind kGrants = {
    'g',
    "grant",
    "OAuth grant",
    "oauth_grants",
    "oauth_grants_pkey",
    {kAccessToken, kRefreshToken},
    {"app", nullptr, nullptr},
    "Use supabase_oauth_exchange(..., save_as => '%s'), or supabase_grant_oauth_grant as its owner."};
const StoredKind kApps = {'a',
                          "app",
                          "OAuth app",
                          "oauth_apps",
                          "oauth_apps_pkey",
                          {kClientSecret, nullptr},
                          {nullptr, nullptr, nullptr},
                          "Use supabase_oauth_create_app('%s', ...), or supabase_grant_oauth_app as its owner."};
const StoredKind kPending = {'p',
                             "pending",
                             "authorization",
                             "oauth_pending",
                             "oauth_pending_pkey",
                             {kCodeVerifier, nullptr},
                             {nullptr, nullptr, nullptr},
                             ""};
const StoredKind kPasswords = {
    'w',
    "password",
    "project password",
    "project_passwords",
    "project_passwords_pkey",
    {kPassword, nullptr},
    {"project_ref", nullptr, nullptr},
    "One is kept when this role creates project %s or sets its db_pass. Set another one to have it kept."};
const StoredKind *const kAllKinds[] = {&kLogins, &kGrants, &kApps, &kPending, &kPasswords};

const StoredKind &KindOf(char code) {
  for (const StoredKind *kind : kAllKinds) {
    if (kind->code == code) return *kind;
  }
  elog(ERROR, "unknown kind of stored credential: %d", code);
  pg_unreachable();
}

StoredCredential *FindCredential(const StoredKind &kind, const char *name) {
  return FindRow<StoredCredential>(kind, name, ReadCredential);
}

StoredRow *FindStored(const StoredKind &kind, const char *name) {
  return FindRow<StoredRow>(kind, name, ReadPlain);
}

StoredApp *FindApp(const char *name) {
  return FindRow<StoredApp>(kApps, name, ReadApp);
}

PendingAuthorization *FindPending(const char *name) {
  return FindRow<PendingAuthorization>(kPending, name, ReadPending);
}

List *AllCredentials(const StoredKind &kind) {
  return ReadRows(kind, nullptr, ReadCredential);
}

List *StoredRows(const StoredKind &kind) {
  return ReadRows(kind, nullptr, ReadPlain);
}

List *AllPasswords() {
  return ReadRows(kPasswords, nullptr, ReadPassword);
}

bool MayUse(const StoredRow *row, Oid role) {
  if (has_privs_of_role(role, row->owner)) return true;
  ListCell *cell;
  foreach (cell, row->grantees) {
    // A role that was dropped is nobody's.
    Oid const grantee = lfirst_oid(cell);
    if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(grantee)) && has_privs_of_role(role, grantee)) return true;
  }
  return false;
}

void RefuseMissing(const StoredKind &kind, const char *name) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("no %s \"%s\"", kind.noun, name),
                  errdetail("It does not exist, or the role may not use it."), errhint(kind.missing, name)));
  pg_unreachable();
}

void CheckMayUse(const StoredRow *row, Oid role) {
  if (!MayUse(row, role)) RefuseMissing(*row->kind, row->name);
}

void CheckOwns(const StoredRow *row, Oid role) {
  if (has_privs_of_role(role, row->owner)) return;
  CheckMayUse(row, role);
  ereport(ERROR,
          (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of %s \"%s\"", row->kind->noun, row->name)));
}

const char *CallForAnother(const StoredRow *row) {
  if (row->kind == &kLogins) {
    return psprintf("supabase_sign_in('%s', email, password, save_as => '%s')", row->server, row->name);
  }
  if (row->kind == &kGrants) {
    return psprintf("supabase_oauth_authorize_url('%s')", static_cast<const StoredCredential *>(row)->app);
  }
  if (row->kind == &kPending) {
    return psprintf("supabase_oauth_authorize_url('%s')", static_cast<const PendingAuthorization *>(row)->app);
  }
  if (row->kind == &kPasswords) return "UPDATE projects SET db_pass = ...";
  return psprintf("supabase_oauth_create_app('%s', ...)", row->name);
}

const char *ThisInstance(bool create) {
  auto *text = Own<std::string>(CurrentMemoryContext);
  Guard([&] {
    std::string const path = KeyFile(setting_key_file);
    *text = InstanceText(create ? LoadOrCreateKeyring(path, DataDir) : LoadKeyring(path, DataDir), MyDatabaseId);
  });
  return pstrdup(text->c_str());
}

void CheckInstance(const StoredRow *row) {
  if (strcmp(ThisInstance(false), row->instance) == 0) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("%s \"%s\" belongs to another database", row->kind->noun, row->name),
                  errdetail("This database is a copy, or its key file was replaced. Two databases that use one refresh "
                            "token destroy the session it belongs to."),
                  errhint("Replace it: %s.", CallForAnother(row))));
}

static void Unseal(const char *id, const char *origin, const char *column, int64_t generation, std::string_view bytes,
                   Secret *secret) {
  Guard([&] {
    Keyring const keyring = LoadKeyring(KeyFile(setting_key_file), DataDir);
    std::string const instance = InstanceText(keyring, MyDatabaseId);
    *secret = keyring.Open(PlaceOf(instance.c_str(), id, column, origin, generation), bytes);
  });
}

void OpenSecret(const StoredRow *row, const char *column, Secret *secret) {
  int number = 0;
  while (strcmp(row->kind->secrets[number], column) != 0)
    number++;
  struct varlena *sealed = row->sealed[number];
  std::string_view const bytes(VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed));
  Unseal(row->id, row->origin, column, row->generation, bytes, secret);
}

void UnsealSecret(const char *id, const char *origin, const char *column, int64_t generation, const bytea *sealed,
                  Secret *secret) {
  std::string_view const bytes(VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed));
  Unseal(id, origin, column, generation, bytes, secret);
}

bytea *SealSecret(const char *id, const char *origin, const char *column, int64_t generation, const Secret *secret) {
  auto *sealed = Own<std::string>(CurrentMemoryContext);
  Guard([&] {
    Keyring const keyring = LoadKeyring(KeyFile(setting_key_file), DataDir);
    std::string const instance = InstanceText(keyring, MyDatabaseId);
    *sealed = keyring.Seal(PlaceOf(instance.c_str(), id, column, origin, generation), *secret);
  });
  auto *bytes = static_cast<bytea *>(palloc(VARHDRSZ + sealed->size()));
  SET_VARSIZE(bytes, VARHDRSZ + sealed->size());
  memcpy(VARDATA(bytes), sealed->data(), sealed->size());
  return bytes;
}

const char *KeyFilePath() {
  auto *path = Own<std::string>(CurrentMemoryContext);
  Guard([&] { *path = KeyFile(setting_key_file); });
  return pstrdup(path->c_str());
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
