#pragma once

#include "core/secret.hpp"
#include "core/stored_credential.hpp"

#include "fdw/postgres.hpp"

namespace supabase::pg {

// The rows of the tables with stored credentials: finding them, who may use them, and what is encrypted in them.
// Reading is direct and sees what is committed now, whatever the transaction's snapshot is; whatever changes a row goes
// through SQL (credential_write.hpp).

constexpr char kAccessToken[] = "access_token";
constexpr char kRefreshToken[] = "refresh_token";
constexpr char kClientSecret[] = "client_secret";
constexpr char kCodeVerifier[] = "code_verifier";
constexpr char kPassword[] = "password";
constexpr size_t kUuidText = 37;
constexpr int kMaxSecrets = 2;
constexpr int kMaxDetails = 3;

// One of these tables. All that differs between stored logins and OAuth grants in keeping them is here.
struct StoredKind {
  char code;                         // 'l', 'g', …: in what names a row outside its table
  const char *name;                  // in audit rows
  const char *noun;                  // in messages
  const char *relation;              // in schema supabase_fdw
  const char *index;                 // its primary key
  const char *secrets[kMaxSecrets];  // encrypted columns, or NULL
  const char *details[kMaxDetails];  // columns of text that only this kind of credential has, or NULL
  const char *missing;               // hint about one that does not exist, with %s for its name
};
extern const StoredKind kLogins, kGrants, kApps, kPending, kPasswords;
extern const StoredKind *const kAllKinds[5];
// By its code; an error for another one.
const StoredKind &KindOf(char code);

// What every row has.
struct StoredRow {
  const StoredKind *kind;
  const char *name;
  char id[kUuidText];
  Oid owner;
  List *grantees;  // Oids
  const char *server;
  const char *origin;    // the API's address, the only place that the secrets may go to
  const char *instance;  // who encrypted it
  int64_t generation;
  struct varlena *sealed[kMaxSecrets];  // in the order of the kind's secrets; or NULL
};

// A login or an OAuth grant.
struct StoredCredential : StoredRow {
  int attempts;            // in a row that failed
  int64_t attempted_at;    // of the last one; Unix microseconds, 0: never
  const char *last_error;  // or NULL
  const char *user_id;     // of a login, or NULL
  const char *app;         // of a grant
  CredentialTimes times;
};

// The client that users grant access to.
struct StoredApp : StoredRow {
  const char *client_id;
  const char *redirect_uri;
};

// An authorization that a user has not come back from.
struct PendingAuthorization : StoredRow {
  const char *app;
  const char *redirect_uri;
  int64_t expires_at;  // Unix microseconds
  bool used;
};

// The database password of a project.
struct ProjectPassword : StoredRow {
  const char *project_ref;
  int64_t kept_at;  // Unix microseconds
};

// NULL when there is none of that name.
StoredCredential *FindCredential(const StoredKind &kind, const char *name);
StoredRow *FindStored(const StoredKind &kind, const char *name);  // what every kind has
StoredApp *FindApp(const char *name);
PendingAuthorization *FindPending(const char *name);
// All of a kind: lists of pointers.
List *AllCredentials(const StoredKind &kind);
List *StoredRows(const StoredKind &kind);
List *AllPasswords();

// Its owner's members, superusers, and those that it was granted to; raise 28000 else, as if it did not exist.
bool MayUse(const StoredRow *row, Oid role);
void CheckMayUse(const StoredRow *row, Oid role);
// Its owner's members and superusers.
void CheckOwns(const StoredRow *row, Oid role);
[[noreturn]] void RefuseMissing(const StoredKind &kind, const char *name);
// How to get another one in its place, as a call; palloc'd.
const char *CallForAnother(const StoredRow *row);

// Raises 55000 for a row that another installation or database encrypted: what is a copy must not use up the refresh
// token of the original.
void CheckInstance(const StoredRow *row);
// The text that says whose rows are ours: the key file's instance and this database. Makes the key file when there is
// none and `create` says so.
const char *ThisInstance(bool create);

// Decrypts one column; raises 28000 for what was changed, 55000 for a key file that cannot be used.
void OpenSecret(const StoredRow *row, const char *column, Secret *secret);
// Encrypts for a column of a row; palloc'd.
bytea *SealSecret(const char *id, const char *origin, const char *column, int64_t generation, const Secret *secret);
// The other way, for what did not come from a table.
void UnsealSecret(const char *id, const char *origin, const char *column, int64_t generation, const bytea *sealed,
                  Secret *secret);

// The number of the key that is used for encrypting.
uint32 ActiveKey();
// Where the keys are, for what core does with them; palloc'd.
const char *KeyFilePath();

// Now, in Unix microseconds.
int64_t NowMicroseconds();
int64_t ToMicroseconds(TimestampTz time);
TimestampTz FromMicroseconds(int64_t time);

// Defines the settings key_file and oauth_refresh. Called once by _PG_init.
void DefineCredentialSettings();
bool RefreshEnabled();

}  // namespace supabase::pg
