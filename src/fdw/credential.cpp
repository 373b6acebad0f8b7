#include "fdw/credential.hpp"

#include <cstring>
#include <map>
#include <string>

#include "core/http.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential_write.hpp"

extern "C" {
#include "access/xlog.h"
#include "common/hashfn.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
}

namespace supabase::pg {
namespace {

// A back-off this short is left to the worker to wait for.
constexpr int64_t kShortDelay = 2'000'000;

// Decrypted access tokens of this backend, by login.
struct Opened {
  std::string id;
  int64_t generation;
  Secret token;
};
std::map<std::string, Opened> *opened = nullptr;

void OpenAccessToken(const StoredLogin *login, Secret *token) {
  bool const known = Guard([&] {
    if (opened == nullptr) opened = new std::map<std::string, Opened>();
    auto const found = opened->find(login->name);
    if (found == opened->end() || found->second.id != login->id || found->second.generation != login->generation) {
      return false;
    }
    *token = found->second.token;
    return true;
  });
  if (known) return;
  CheckInstance(login);
  OpenToken(login, kAccessToken, token);
  Guard([&] { (*opened)[login->name] = {login->id, login->generation, *token}; });
}

// In [-1, 1], the same for a session and a login, different between sessions.
double Jitter(const StoredLogin *login) {
  uint32 const hash = hash_combine(DatumGetUInt32(hash_uint32(static_cast<uint32>(MyProcPid))),
                                   DatumGetUInt32(hash_any(reinterpret_cast<const unsigned char *>(login->id), 36)));
  return 2.0 * hash / PG_UINT32_MAX - 1;
}

[[noreturn]] void RefuseDead(const StoredLogin *login) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                  errmsg("stored login \"%s\" needs to be signed in again", login->name),
                  login->last_error != nullptr ? errdetail("%s", login->last_error) : 0,
                  errhint("Use SELECT supabase_sign_in('%s', email, password, save_as => '%s').", login->server,
                          login->name)));
  pg_unreachable();
}

[[noreturn]] void RefuseNotRefreshed(const StoredLogin *login) {
  ereport(
      ERROR,
      (errcode(ERRCODE_CANNOT_CONNECT_NOW), errmsg("stored login \"%s\" could not be refreshed", login->name),
       login->last_error != nullptr ? errdetail("%s", login->last_error) : 0,
       login->times.next_attempt_at != 0 ? errhint("It will be tried again after %s.",
                                                   timestamptz_to_str(FromMicroseconds(login->times.next_attempt_at)))
                                         : 0));
  pg_unreachable();
}

// Why this session must not refresh; NULL when it may.
const char *WhyNot() {
  if (RecoveryInProgress()) return "standby";
  return RefreshEnabled() ? nullptr : "setting";
}

[[noreturn]] void RefuseHere(const StoredLogin *login, const char *why) {
  bool const standby = strcmp(why, "standby") == 0;
  ereport(ERROR, (errcode(standby ? ERRCODE_READ_ONLY_SQL_TRANSACTION : ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("access token of stored login \"%s\" has expired", login->name),
                  standby ? errdetail("A standby server cannot refresh it.")
                          : errdetail("The setting supabase_fdw.oauth_refresh is off."),
                  standby ? errhint("Refresh happens on the primary: SELECT supabase_oauth_refresh_due().")
                          : errhint("Turn it on unless this database is a copy; sign in again on a copy.")));
  pg_unreachable();
}

// The row again. Everything that was checked of it was checked of this login, so one that has come in its place since
// is not used.
StoredLogin *LookAgain(const StoredLogin *login) {
  StoredLogin *now = FindLogin(login->name);
  if (now == nullptr) RefuseMissingLogin(login->name);
  if (strcmp(now->id, login->id) != 0) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("stored login \"%s\" was replaced meanwhile", login->name)));
  }
  return now;
}

// A worker that a session started and did not wait for may still be at work: its lock tells. Another one beside it
// would only take a slot.
void WaitForWorker(const StoredLogin *login) {
  LOCKTAG const tag = LoginLock(login->id, LoginLockKind::kRefresh);
  (void)LockAcquire(&tag, ShareLock, false, false);
  (void)LockRelease(&tag, ShareLock, false);
}

// Starts a worker, or waits for the one that another session has started; with `alive` it does not wait for others, and
// the login is as it was. NULL when there is no free worker. Errors leave the locks to the end of the transaction.
StoredLogin *RefreshOnce(StoredLogin *login, Oid role, bool alive) {
  // Whoever finds a login due takes this lock before starting a worker, so that a hundred sessions start one.
  LOCKTAG const tag = LoginLock(login->id, LoginLockKind::kLaunch);
  if (LockAcquire(&tag, ExclusiveLock, false, alive) == LOCKACQUIRE_NOT_AVAIL) return login;
  WaitForWorker(login);
  StoredLogin *now = LookAgain(login);
  bool const started = now->generation != login->generation || RefreshInWorker(now, role);
  if (started) now = LookAgain(login);
  (void)LockRelease(&tag, ExclusiveLock, false);
  return started ? now : nullptr;
}

[[noreturn]] void RefuseNoWorker() {
  ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("no free background worker slot"),
                  errdetail("A stored login is refreshed by a background worker."),
                  errhint("Increase the configuration parameter \"max_worker_processes\".")));
  pg_unreachable();
}

// One look at a login that is due. `alive`: its access token can still be used.
StoredLogin *Refresh(StoredLogin *login, Oid role, bool alive) {
  const char *why = WhyNot();
  if (why != nullptr) {
    if (alive) return login;
    RefuseHere(login, why);
  }
  if (login->times.next_attempt_at > NowMicroseconds() + kShortDelay) {
    if (alive) return login;
    RefuseNotRefreshed(login);
  }
  (void)CheckRefreshable(login);
  // The worker would wait for this transaction's rows, and this session waits for the worker.
  if (StoreChangedHere()) {
    if (alive) return login;
    RefuseStoreChanged();
  }
  StoredLogin *now = RefreshOnce(login, role, alive);
  if (now == nullptr) {
    if (alive) return login;
    RefuseNoWorker();
  }
  if (now->times.status == CredentialStatus::kDead) RefuseDead(now);
  if (now->generation == login->generation && !alive) RefuseNotRefreshed(now);
  return now;
}

void CheckOrigin(const StoredLogin *login, const Server *server) {
  if (server->auth_url != nullptr && strcmp(server->auth_url, login->origin) == 0) return;
  ereport(ERROR,
          (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
           errmsg("stored login \"%s\" is not for server \"%s\"", login->name, server->name),
           errdetail("It was made at \"%s\". Nothing was sent.", login->origin),
           errhint("Sign in at this server: supabase_sign_in('%s', email, password, save_as => ...).", server->name)));
}

// "id role name", what a refused request needs to be renewed.
void NameRenewal(const StoredLogin *login, Oid role, std::string *text) {
  *text = std::string(login->id) + " " + std::to_string(role) + " " + login->name;
}

struct Renewal {
  std::string id;
  Secret token;
};

// A newer token for the refused request, or the refusal stands.
void Renew(Session *session, Renewal *renewal, int64_t generation) {
  char *rest = nullptr;
  Oid const role = static_cast<Oid>(strtoul(renewal->id.c_str() + kUuidText, &rest, 10));
  StoredLogin *login = FindLogin(rest + 1);
  StoredLogin *fresh = nullptr;
  if (login != nullptr && strncmp(login->id, renewal->id.c_str(), kUuidText - 1) == 0 && MayUseLogin(login, role)) {
    fresh = EnsureFresh(login, role, generation);
  }
  if (fresh == nullptr || fresh->generation == generation) {
    session->GiveUp(renewal->id);
    return;
  }
  OpenAccessToken(fresh, &renewal->token);
  Guard([&] { session->Renew(renewal->id, fresh->generation, Secret::Join("Bearer ", renewal->token.Reveal())); });
}

// An error lets the refusal stand: the transfer may be another statement's, which is not to raise this error in every
// one that comes.
void RenewRefused(Session *session, const Request *refused) {
  auto *renewal = Own<Renewal>(CurrentMemoryContext);
  Guard([&] { renewal->id = refused->renewal_id; });
  int64_t const generation = refused->renewal_generation;
  PG_TRY();
  { Renew(session, renewal, generation); }
  PG_CATCH();
  {
    session->GiveUp(renewal->id);
    PG_RE_THROW();
  }
  PG_END_TRY();
}

}  // namespace

StoredLogin *EnsureFresh(StoredLogin *login, Oid role, int64_t refused) {
  if (login->times.status == CredentialStatus::kDead) RefuseDead(login);
  int64_t const now = NowMicroseconds();
  if (refused != 0 && refused == login->generation) {
    return MayForce(login->times, now) ? Refresh(login, role, false) : nullptr;
  }
  if (!IsDue(login->times, now, Jitter(login))) return login;
  return Refresh(login, role, IsAlive(login->times, now));
}

StoredLogin *RefreshNow(StoredLogin *login, Oid role) {
  if (login->times.status == CredentialStatus::kDead) RefuseDead(login);
  return Refresh(login, role, false);
}

bool TryOr(void (*action)(void *), void *argument) {
  MemoryContext const context = CurrentMemoryContext;
  ResourceOwner const owner = CurrentResourceOwner;
  volatile bool done = false;
  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(context);
  PG_TRY();
  {
    action(argument);
    ReleaseCurrentSubTransaction();
    done = true;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    // A cancel is meant for the whole statement.
    if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN) PG_RE_THROW();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    ereport(WARNING, (errcode(error->sqlerrcode), errmsg_internal("%s", error->message),
                      error->detail != nullptr ? errdetail_internal("%s", error->detail) : 0,
                      error->hint != nullptr ? errhint("%s", error->hint) : 0));
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  CurrentResourceOwner = owner;
  return done;
}

void UseLogin(const Server *server, Oid role, const char *name, const char *user_id, Credential *credential) {
  StoredLogin *login = FindLogin(name);
  if (login == nullptr) RefuseMissingLogin(name);
  CheckMayUseLogin(login, role);
  CheckOrigin(login, server);
  login = EnsureFresh(login, role, 0);
  if (user_id != nullptr && (login->user_id == nullptr || strcmp(login->user_id, user_id) != 0)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("stored login \"%s\" is another user's by now", name), errhint("Sign in again.")));
  }
  auto *token = Own<Secret>(CurrentMemoryContext);
  OpenAccessToken(login, token);
  Guard([&] {
    credential->authorization = Secret::Join("Bearer ", token->Reveal());
    NameRenewal(login, role, &credential->renewal_id);
    credential->renewal_generation = login->generation;
  });
}

void ForgetAccessTokens() {
  if (opened != nullptr) opened->clear();
  ForgetRenewed();
}

void LoginToken(const Server *server, StoredLogin *login, Secret *token) {
  CheckOrigin(login, server);
  OpenAccessToken(EnsureFresh(login, GetUserId(), 0), token);
}

void PumpAndRenew(Session *session) {
  session->Pump();
  for (const Request *refused = session->Refused(); refused != nullptr; refused = session->Refused())
    RenewRefused(session, refused);
}

}  // namespace supabase::pg
