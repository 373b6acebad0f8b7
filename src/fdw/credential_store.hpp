#pragma once

#include "core/secret.hpp"
#include "core/stored_credential.hpp"

#include "fdw/postgres.hpp"

namespace supabase::pg {

// The rows of supabase_fdw.logins: finding them, who may use them, and what is encrypted in them. Reading is direct and
// sees what is committed now, whatever the transaction's snapshot is; whatever changes a row goes through SQL
// (credential_write.hpp).

constexpr char kAccessToken[] = "access_token";
constexpr char kRefreshToken[] = "refresh_token";
constexpr size_t kUuidText = 37;

struct StoredLogin {
  const char *name;
  char id[kUuidText];
  Oid owner;
  List *grantees;  // Oids
  const char *server;
  const char *origin;    // the Auth API's address, the only place that the refresh token may go to
  const char *instance;  // who encrypted it
  const char *user_id;   // or NULL
  int64_t generation;
  int attempts;             // in a row that failed
  int64_t attempted_at;     // of the last one; Unix microseconds, 0: never
  const char *last_error;   // or NULL
  struct varlena *access;   // encrypted, or NULL
  struct varlena *refresh;  // encrypted
  CredentialTimes times;
};

// NULL when there is no login of that name.
StoredLogin *FindLogin(const char *name);
// All of them: a List of StoredLogin pointers.
List *AllLogins();

// Its owner's members, superusers, and those that it was granted to; raise 42501 else, as if it did not exist.
bool MayUseLogin(const StoredLogin *login, Oid role);
void CheckMayUseLogin(const StoredLogin *login, Oid role);
// Its owner's members and superusers.
void CheckOwnsLogin(const StoredLogin *login, Oid role);
[[noreturn]] void RefuseMissingLogin(const char *name);

// Raises 55000 for a row that another installation or database encrypted: what is a copy must not use up the refresh
// token of the original.
void CheckInstance(const StoredLogin *login);
// The text that says whose rows are ours: the key file's instance and this database. Makes the key file when there is
// none and `create` says so.
const char *ThisInstance(bool create);

// Decrypts one column; raises 28000 for what was changed, 55000 for a key file that cannot be used.
void OpenToken(const StoredLogin *login, const char *column, Secret *token);
// Encrypts for a column of a row; palloc'd.
bytea *SealToken(const char *id, const char *origin, const char *column, int64_t generation, const Secret *token);

// The number of the key that is used for encrypting.
uint32 ActiveKey();

// Now, in Unix microseconds.
int64_t NowMicroseconds();
int64_t ToMicroseconds(TimestampTz time);
TimestampTz FromMicroseconds(int64_t time);

// Defines the settings key_file and oauth_refresh. Called once by _PG_init.
void DefineCredentialSettings();
bool RefreshEnabled();

}  // namespace supabase::pg
