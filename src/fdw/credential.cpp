#include "fdw/credential.hpp"

#include <cstring>
#include <map>
#include <string>

#include "core/http.hpp"
#include "core/reader.hpp"
#include "core/writer.hpp"

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

void OpenAccessToken(const StoredCredential *stored, Secret *token) {
  bool const known = Guard([&] {
    if (opened == nullptr) opened = new std::map<std::string, Opened>();
    auto const found = opened->find(std::string(1, stored->kind->code) + stored->name);
    if (found == opened->end() || found->second.id != stored->id || found->second.generation != stored->generation) {
      return false;
    }
    *token = found->second.token;
    return true;
  });
  if (known) return;
  CheckInstance(stored);
  OpenSecret(stored, kAccessToken, token);
  Guard([&] {
    (*opened)[std::string(1, stored->kind->code) + stored->name] = {stored->id, stored->generation, *token};
  });
}

// In [-1, 1], the same for a session and a login, different between sessions.
double Jitter(const StoredCredential *stored) {
  uint32 const hash = hash_combine(DatumGetUInt32(hash_uint32(static_cast<uint32>(MyProcPid))),
                                   DatumGetUInt32(hash_any(reinterpret_cast<const unsigned char *>(stored->id), 36)));
  return 2.0 * hash / PG_UINT32_MAX - 1;
}

[[noreturn]] void RefuseDead(const StoredCredential *stored) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                  errmsg(stored->kind == &kLogins ? "%s \"%s\" needs to be signed in again"
                                                  : "%s \"%s\" needs to be authorized again",
                         stored->kind->noun, stored->name),
                  stored->last_error != nullptr ? errdetail("%s", stored->last_error) : 0,
                  errhint("Use SELECT %s.", CallForAnother(stored))));
  pg_unreachable();
}

[[noreturn]] void RefuseNotRefreshed(const StoredCredential *stored) {
  ereport(ERROR, (errcode(ERRCODE_CANNOT_CONNECT_NOW),
                  errmsg("%s \"%s\" could not be refreshed", stored->kind->noun, stored->name),
                  stored->last_error != nullptr ? errdetail("%s", stored->last_error) : 0,
                  stored->times.next_attempt_at != 0
                      ? errhint("It will be tried again after %s.",
                                timestamptz_to_str(FromMicroseconds(stored->times.next_attempt_at)))
                      : 0));
  pg_unreachable();
}

// Why this session must not refresh; NULL when it may.
const char *WhyNot() {
  if (RecoveryInProgress()) return "standby";
  return RefreshEnabled() ? nullptr : "setting";
}

[[noreturn]] void RefuseHere(const StoredCredential *stored, const char *why) {
  bool const standby = strcmp(why, "standby") == 0;
  ereport(ERROR, (errcode(standby ? ERRCODE_READ_ONLY_SQL_TRANSACTION : ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("access token of %s \"%s\" has expired", stored->kind->noun, stored->name),
                  standby ? errdetail("A standby server cannot refresh it.")
                          : errdetail("The setting supabase_fdw.oauth_refresh is off."),
                  standby ? errhint("Refresh happens on the primary: SELECT supabase_oauth_refresh_due().")
                          : errhint("Turn it on unless this database is a copy; sign in again on a copy.")));
  pg_unreachable();
}

// The row again. Everything that was checked of it was checked of this login, so one that has come in its place since
// is not used.
StoredCredential *LookAgain(const StoredCredential *stored) {
  StoredCredential *now = FindCredential(*stored->kind, stored->name);
  if (now == nullptr) RefuseMissing(*stored->kind, stored->name);
  if (strcmp(now->id, stored->id) != 0) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("%s \"%s\" was replaced meanwhile", stored->kind->noun, stored->name)));
  }
  return now;
}

// A worker that a session started and did not wait for may still be at work: its lock tells. Another one beside it
// would only take a slot.
void WaitForWorker(const StoredCredential *stored) {
  LOCKTAG const tag = CredentialLock(stored->id, CredentialLockKind::kRefresh);
  (void)LockAcquire(&tag, ShareLock, false, false);
  (void)LockRelease(&tag, ShareLock, false);
}

// Starts a worker, or waits for the one that another session has started; with `alive` it does not wait for others, and
// the login is as it was. NULL when there is no free worker. Errors leave the locks to the end of the transaction.
StoredCredential *RefreshOnce(StoredCredential *stored, Oid role, bool alive) {
  // Whoever finds a login due takes this lock before starting a worker, so that a hundred sessions start one.
  LOCKTAG const tag = CredentialLock(stored->id, CredentialLockKind::kLaunch);
  if (LockAcquire(&tag, ExclusiveLock, false, alive) == LOCKACQUIRE_NOT_AVAIL) return stored;
  WaitForWorker(stored);
  StoredCredential *now = LookAgain(stored);
  bool const started = now->generation != stored->generation || RefreshInWorker(now, role);
  if (started) now = LookAgain(stored);
  (void)LockRelease(&tag, ExclusiveLock, false);
  return started ? now : nullptr;
}

[[noreturn]] void RefuseNoWorker() {
  ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("no free background worker slot"),
                  errdetail("Stored credentials are refreshed by a background worker."),
                  errhint("Increase the configuration parameter \"max_worker_processes\".")));
  pg_unreachable();
}

// One look at a login that is due. `alive`: its access token can still be used.
StoredCredential *Refresh(StoredCredential *stored, Oid role, bool alive) {
  const char *why = WhyNot();
  if (why != nullptr) {
    if (alive) return stored;
    RefuseHere(stored, why);
  }
  if (stored->times.next_attempt_at > NowMicroseconds() + kShortDelay) {
    if (alive) return stored;
    RefuseNotRefreshed(stored);
  }
  (void)CheckRefreshable(stored);
  // The worker would wait for this transaction's rows, and this session waits for the worker.
  if (StoreChangedHere()) {
    if (alive) return stored;
    RefuseStoreChanged(*stored->kind);
  }
  StoredCredential *now = RefreshOnce(stored, role, alive);
  if (now == nullptr) {
    if (alive) return stored;
    RefuseNoWorker();
  }
  if (now->times.status == CredentialStatus::kDead) RefuseDead(now);
  if (now->generation == stored->generation && !alive) RefuseNotRefreshed(now);
  return now;
}

void CheckOrigin(const StoredCredential *stored, const Server *server) {
  const char *address = AddressFor(*stored->kind, server);
  if (address != nullptr && strcmp(address, stored->origin) == 0) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("%s \"%s\" is not for server \"%s\"", stored->kind->noun, stored->name, server->name),
                  errdetail("It was made at \"%s\". Nothing was sent.", stored->origin),
                  stored->kind == &kLogins
                      ? errhint("Sign in at this server: supabase_sign_in('%s', email, password, save_as => ...).",
                                server->name)
                      : errhint("Authorize with an OAuth app of this server.")));
}

// "kind, id role name", what a refused request needs to be renewed.
void NameRenewal(const StoredCredential *stored, Oid role, std::string *text) {
  *text = std::string(1, stored->kind->code) + stored->id + " " + std::to_string(role) + " " + stored->name;
}

struct Renewal {
  std::string id;
  Secret token;
};

// A newer token for the refused request, or the refusal stands.
void Renew(Session *session, Renewal *renewal, int64_t generation) {
  const char *id = renewal->id.c_str() + 1;
  char *rest = nullptr;
  Oid const role = static_cast<Oid>(strtoul(id + kUuidText, &rest, 10));
  StoredCredential *stored = FindCredential(KindOf(renewal->id[0]), rest + 1);
  StoredCredential *fresh = nullptr;
  if (stored != nullptr && strncmp(stored->id, id, kUuidText - 1) == 0 && MayUse(stored, role)) {
    fresh = EnsureFresh(stored, role, generation);
  }
  if (fresh == nullptr || fresh->generation == generation) {
    session->GiveUp(renewal->id);
    return;
  }
  OpenAccessToken(fresh, &renewal->token);
  Guard([&] { session->Renew(renewal->id, fresh->generation, Secret::Join("Bearer ", renewal->token.Reveal())); });
}

template <typename Awaited>
void RenewFor(Session *session, const Awaited *awaited) {
  session->Pump();
  for (const Request *refused = awaited->Refused(); refused != nullptr; refused = awaited->Refused()) {
    auto *renewal = Own<Renewal>(CurrentMemoryContext);
    Guard([&] { renewal->id = refused->renewal_id; });
    Renew(session, renewal, refused->renewal_generation);
  }
}

}  // namespace

StoredCredential *EnsureFresh(StoredCredential *stored, Oid role, int64_t refused) {
  if (stored->times.status == CredentialStatus::kDead) RefuseDead(stored);
  int64_t const now = NowMicroseconds();
  if (refused != 0 && refused == stored->generation) {
    return MayForce(stored->times, now) ? Refresh(stored, role, false) : nullptr;
  }
  if (!IsDue(stored->times, now, Jitter(stored))) return stored;
  return Refresh(stored, role, IsAlive(stored->times, now));
}

StoredCredential *RefreshNow(StoredCredential *stored, Oid role) {
  if (stored->times.status == CredentialStatus::kDead) RefuseDead(stored);
  return Refresh(stored, role, false);
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
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    // A cancel is meant for the whole statement; whoever catches it ends a subtransaction of its own.
    if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN) {
      MemoryContextSwitchTo(context);
      CurrentResourceOwner = owner;
      ReThrowError(error);
    }
    ereport(WARNING, (errcode(error->sqlerrcode), errmsg_internal("%s", error->message),
                      error->detail != nullptr ? errdetail_internal("%s", error->detail) : 0,
                      error->hint != nullptr ? errhint("%s", error->hint) : 0));
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  CurrentResourceOwner = owner;
  return done;
}

static StoredCredential *FindFresh(const StoredKind &kind, const Server *server, Oid role, const char *name) {
  StoredCredential *stored = FindCredential(kind, name);
  if (stored == nullptr) RefuseMissing(kind, name);
  CheckMayUse(stored, role);
  CheckOrigin(stored, server);
  return EnsureFresh(stored, role, 0);
}

static void UseStored(const StoredCredential *stored, Oid role, Credential *credential) {
  auto *token = Own<Secret>(CurrentMemoryContext);
  OpenAccessToken(stored, token);
  Guard([&] {
    credential->authorization = Secret::Join("Bearer ", token->Reveal());
    NameRenewal(stored, role, &credential->renewal_id);
    credential->renewal_generation = stored->generation;
  });
}

void UseLogin(const Server *server, Oid role, const char *name, const char *user_id, Credential *credential) {
  StoredCredential *stored = FindFresh(kLogins, server, role, name);
  if (user_id != nullptr && (stored->user_id == nullptr || strcmp(stored->user_id, user_id) != 0)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("stored login \"%s\" is another user's by now", name), errhint("Sign in again.")));
  }
  UseStored(stored, role, credential);
}

void UseGrant(const Server *server, Oid role, const char *name, Credential *credential) {
  UseStored(FindFresh(kGrants, server, role, name), role, credential);
}

void ForgetAccessTokens() {
  if (opened != nullptr) opened->clear();
  ForgetRenewed();
}

void LoginToken(const Server *server, StoredCredential *stored, Secret *token) {
  CheckOrigin(stored, server);
  OpenAccessToken(EnsureFresh(stored, GetUserId(), 0), token);
}

void PumpAndRenew(Session *session, const Transfer *awaited) {
  RenewFor(session, awaited);
}

void PumpAndRenew(Session *session, const Reader *awaited) {
  RenewFor(session, awaited);
}

void PumpAndRenew(Session *session, const Writer *awaited) {
  RenewFor(session, awaited);
}

}  // namespace supabase::pg
