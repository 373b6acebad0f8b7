// The background worker that changes stored credentials. It commits on its own, so that what it wrote stands whatever
// becomes of the statement that needed it, and it goes on when that statement is cancelled.

#include <cstring>
#include <memory>
#include <string>

#include "core/http.hpp"
#include "core/refresh.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential_worker.hpp"
#include "fdw/mapping.hpp"
#include "fdw/oauth.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void supabase_credential_worker(Datum argument);
}

namespace supabase::pg {
namespace {

constexpr int kCommitAttempts = 6;
// Keeps the old answer until the process ends: a static, because what it holds must outlive transactions.
RefreshAttempt *Attempt() {
  static RefreshAttempt *attempt = nullptr;
  if (attempt == nullptr) {
    Guard([] { attempt = new RefreshAttempt(); });
  }
  return attempt;
}

// A wait in which the worker can be terminated.
void Sleep(int64_t microseconds) {
  int64_t const until = NowMicroseconds() + microseconds;
  for (int64_t left = microseconds; left > 0; left = until - NowMicroseconds()) {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(left / 1000 + 1),
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

// The login that is to be refreshed, or NULL when that has been done, or must not be now.
StoredCredential *FindDue(const Task *task) {
  StoredCredential *stored = FindCredential(KindOf(task->kind), NameStr(task->name));
  if (stored == nullptr || strcmp(stored->id, task->id) != 0 || stored->generation != task->generation) return nullptr;
  if (stored->times.status == CredentialStatus::kDead) return nullptr;
  return stored;
}

// How long to wait before the refresh token may be sent again.
int64_t Delay(const StoredCredential *stored) {
  int64_t const now = NowMicroseconds();
  int64_t delay = stored->times.next_attempt_at - now;
  // Whoever wrote "refreshing" is gone, since it held the lock: its answer is lost.
  if (stored->times.status != CredentialStatus::kActive) {
    delay = Max(delay, stored->attempted_at + kAmbiguousDelay - now);
  }
  return Max(delay, 0);
}

// The request of a login; raises what is wrong with server or mapping.
void PrepareLogin(const StoredCredential *stored, Oid role, Request *request) {
  Server *server = CheckRefreshable(stored);
  auto *key = Own<Secret>(CurrentMemoryContext);
  // The owner's before that of whoever asks, who may have a bad one.
  if (!FindApiKey(server, stored->owner, key)) (void)FindApiKey(server, role, key);
  auto *token = Own<Secret>(CurrentMemoryContext);
  OpenSecret(stored, kRefreshToken, token);
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    FillAuthRequest(request, server, *key, allow_private);
    FillRefreshGrant(*token, request);
  });
}

void PrepareRequest(const StoredCredential *stored, Oid role, Request *request) {
  if (stored->kind == &kGrants) {
    PrepareGrant(stored, request);
  } else {
    PrepareLogin(stored, role, request);
  }
  request->total_timeout_ms = std::min(request->total_timeout_ms, kWorkerTimeoutMs);
}

// Commits the intent: from now on a reader knows that the refresh token may have been used.
void WriteIntent(const StoredCredential *stored) {
  Parameter const parameters[] = {IdParameter(stored->id), NumberParameter(stored->generation)};
  if (!UpdateRow(stored, "status = 'refreshing', attempted_at = clock_timestamp(), attempts = attempts + 1",
                 parameters)) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("%s \"%s\" was changed", stored->kind->noun, stored->name)));
  }
}

void WriteTokens(const StoredCredential *stored, Oid role, int64_t received_at) {
  RefreshAttempt *attempt = Attempt();
  TokenPair *pair = &attempt->pair();
  const Claims *claims = &attempt->claims();
  int64_t const generation = stored->generation + 1;
  auto *same = Own<Secret>(CurrentMemoryContext);
  // No new refresh token: the old one stays valid (RFC 6749, section 6).
  if (pair->refresh.empty()) OpenSecret(stored, kRefreshToken, same);
  const Secret *refresh = pair->refresh.empty() ? same : &pair->refresh;
  auto text = [](const std::string *value) {
    return TextParameter(value->empty() ? nullptr : ToServerLossy(value->c_str()));
  };
  Parameter const parameters[] = {
      IdParameter(stored->id),
      NumberParameter(stored->generation),
      NumberParameter(generation),
      BytesParameter(SealSecret(stored->id, stored->origin, kAccessToken, generation, &pair->access)),
      BytesParameter(SealSecret(stored->id, stored->origin, kRefreshToken, generation, refresh)),
      TimeParameter(received_at + pair->expires_in * 1'000'000),
      TimeParameter(received_at),
      text(&claims->sub),
      text(&claims->email),
      text(&claims->role),
  };
  // Only logins have somebody whom the access token names.
  constexpr char kUser[] = ", user_id = coalesce($8, user_id), email = coalesce($9, email), role = coalesce($10, role)";
  bool const login = stored->kind == &kLogins;
  const char *set = psprintf(
      "generation = $3, access_token = $4, refresh_token = $5, expires_at = $6, refreshed_at = $7, "
      "refresh_count = refresh_count + 1, status = 'active', attempts = 0, next_attempt_at = NULL, last_error = NULL%s",
      login ? kUser : "");
  bool const changed = UpdateRow(stored, set, parameters, login ? 10 : 7);
  const char *outcome = changed ? "ok" : psprintf("the %s was replaced meanwhile", stored->kind->name);
  Audit(*stored->kind, stored->name, "refresh", role, outcome, refresh);
}

void WriteFailure(const StoredCredential *stored, Oid role) {
  RefreshAttempt *attempt = Attempt();
  AfterFailure const after =
      Failed(attempt->outcome(), stored->times.status, stored->attempts + 1, NowMicroseconds(), attempt->retry_after());
  const char *error = attempt->error().empty() ? "out of memory" : attempt->error().c_str();
  error = ToServerLossy(error);
  if (attempt->outcome() == RefreshOutcome::kDead && stored->times.status != CredentialStatus::kActive) {
    error = psprintf("%s The outcome of the refresh before, at %s, is unknown: its answer may have been lost.", error,
                     timestamptz_to_str(FromMicroseconds(stored->attempted_at)));
  }
  Parameter const parameters[] = {IdParameter(stored->id), NumberParameter(stored->generation),
                                  TextParameter(StatusName(after.status)), TimeParameter(after.next_attempt_at),
                                  TextParameter(error)};
  (void)UpdateRow(stored, "status = $3, next_attempt_at = $4, last_error = $5", parameters);
  Audit(*stored->kind, stored->name, "refresh", role, error, nullptr);
}

struct Outcome {
  const StoredCredential *stored;
  Oid role;
  int64_t received_at;
};

void WriteOutcome(void *argument) {
  auto *outcome = static_cast<Outcome *>(argument);
  if (Attempt()->outcome() == RefreshOutcome::kTokens) {
    WriteTokens(outcome->stored, outcome->role, outcome->received_at);
  } else {
    WriteFailure(outcome->stored, outcome->role);
  }
}

// One attempt: the request is sent and its outcome stored, without giving way to a cancel or a termination in between.
// The refresh token may be used up as soon as the first byte has left.
void Exchange(const StoredCredential *stored, const Task *task, Request *request) {
  Session *session = GetSession();
  RefreshAttempt *attempt = Attempt();
  HOLD_INTERRUPTS();
  Guard([&] { attempt->Start(session, std::move(*request)); });
  if (attempt->waiting() != nullptr) {
    Await(session, attempt->waiting());
    attempt->Take();
  }
  Outcome outcome = {stored, task->role, NowMicroseconds()};
  (void)WriteAnswer(WriteOutcome, &outcome);
  RESUME_INTERRUPTS();
}

// Whether another attempt should follow at once: the second finds out what became of a lost answer, or whether the
// server was only just not there.
bool WorthRepeating() {
  RefreshOutcome const outcome = Attempt()->outcome();
  return outcome == RefreshOutcome::kUnknown || outcome == RefreshOutcome::kNotSent;
}

void RecordError(const StoredCredential *stored, Oid role, const char *message) {
  Parameter const parameters[] = {IdParameter(stored->id), NumberParameter(stored->generation), TextParameter(message),
                                  TimeParameter(NowMicroseconds() + AttemptDelay(stored->attempts + 1, 0))};
  (void)UpdateRow(stored, "last_error = $3, next_attempt_at = $4, attempts = attempts + 1", parameters);
  Audit(*stored->kind, stored->name, "refresh", role, message, nullptr);
}

struct Preparation {
  const StoredCredential *stored;
  Oid role;
  Request *request;
};

void Prepare(void *argument) {
  auto *preparation = static_cast<Preparation *>(argument);
  PrepareRequest(preparation->stored, preparation->role, preparation->request);
  WriteIntent(preparation->stored);
}

// What kept the request from being made goes into the row, where the one who waits will look.
bool TryPrepare(const StoredCredential *stored, Oid role, Request *request) {
  MemoryContext const context = CurrentMemoryContext;
  Preparation preparation = {stored, role, request};
  const ErrorData *error = TryTransaction(Prepare, &preparation);
  if (error == nullptr) return true;
  Begin();
  char *text = error->detail != nullptr ? psprintf("%s. %s", error->message, error->detail) : error->message;
  text[0] = static_cast<char>(pg_toupper(static_cast<unsigned char>(text[0])));
  RecordError(stored, role, text);
  Commit();
  MemoryContextSwitchTo(context);
  return false;
}

void Refresh(const Task *task) {
  MemoryContext const context = CurrentMemoryContext;
  LockCredential(task->id);
  for (int attempt = 0; attempt < 2; attempt++) {
    Begin();
    MemoryContextSwitchTo(context);
    StoredCredential *stored = FindDue(task);
    Commit();
    MemoryContextSwitchTo(context);
    if (stored == nullptr) return;
    int64_t const delay = Delay(stored);
    // A longer wait is for whoever comes then.
    if (delay > 2 * kAmbiguousDelay) return;
    Sleep(delay);
    auto *request = Own<Request>(context);
    SetLocalSetting("lock_timeout", kLockTimeout);
    if (!TryPrepare(stored, task->role, request)) return;
    Exchange(stored, task, request);
    if (!WorthRepeating()) return;
  }
}

}  // namespace

void Begin() {
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
}

void Commit() {
  PopActiveSnapshot();
  CommitTransactionCommand();
}

ErrorData *TryTransaction(void (*action)(void *), void *argument) {
  MemoryContext const context = CurrentMemoryContext;
  ErrorData *volatile error = nullptr;
  PG_TRY();
  {
    Begin();
    action(argument);
    Commit();
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  return error;
}

void SetLocalSetting(const char *name, const char *value) {
  SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

bool WriteAnswer(void (*write)(void *), void *argument) {
  MemoryContext const context = CurrentMemoryContext;
  volatile bool done = false;
  for (volatile int left = kCommitAttempts; left > 0 && !done; left = left - 1) {
    PG_TRY();
    {
      // Whoever holds a lock now does not wait for this worker.
      SetLocalSetting("lock_timeout", "0");
      Begin();
      write(argument);
      Commit();
      done = true;
    }
    PG_CATCH();
    {
      HOLD_INTERRUPTS();
      MemoryContextSwitchTo(context);
      EmitErrorReport();
      FlushErrorState();
      AbortCurrentTransaction();
      if (left > 1) pg_usleep(1'000'000);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
  }
  return done;
}

void LockCredential(const char *id) {
  SetLocalSetting("lock_timeout", kLockTimeout);
  Begin();
  LOCKTAG const tag = CredentialLock(id, CredentialLockKind::kRefresh);
  (void)LockAcquire(&tag, ExclusiveLock, true, false);
  Commit();
}

bool RunWorker(const Task *task, const char *name) {
  BackgroundWorker worker = {};
  (void)snprintf(worker.bgw_name, BGW_MAXLEN, "supabase_fdw credential \"%s\"", name);
  (void)snprintf(worker.bgw_type, BGW_MAXLEN, "%s", "supabase_fdw credential");
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  (void)snprintf(worker.bgw_library_name, sizeof worker.bgw_library_name, "%s", "$libdir/supabase_fdw");
  (void)snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", "supabase_credential_worker");
  memcpy(worker.bgw_extra, task, sizeof *task);
  worker.bgw_notify_pid = MyProcPid;
  BackgroundWorkerHandle *handle;
  if (!RegisterDynamicBackgroundWorker(&worker, &handle)) return false;
  (void)WaitForBackgroundWorkerShutdown(handle);
  return true;
}

Task MakeTask(Job job, const StoredKind &kind, const char *name, const char *id, Oid role) {
  Task task = {};
  task.database = MyDatabaseId;
  task.role = role;
  task.job = job;
  task.kind = kind.code;
  (void)snprintf(task.id, sizeof task.id, "%s", id);
  namestrcpy(&task.name, name);
  return task;
}

const char *AddressFor(const StoredKind &kind, const Server *server) {
  return &kind == &kLogins ? server->auth_url : server->management_url;
}

Server *CheckRefreshable(const StoredRow *stored) {
  CheckInstance(stored);
  Server *server = GetServerOptions(GetForeignServerByName(stored->server, false)->serverid);
  const char *address = AddressFor(*stored->kind, server);
  if (address == nullptr || strcmp(address, stored->origin) != 0) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("server \"%s\" has another address than when %s \"%s\" was stored", server->name,
                           stored->kind->name, stored->name),
                    errdetail("Nothing was sent."), errhint("Replace it: %s.", CallForAnother(stored))));
  }
  CheckHostAllowed(server);
  return server;
}

bool RefreshInWorker(const StoredCredential *stored, Oid role) {
  Task task = MakeTask(Job::kRefresh, *stored->kind, stored->name, stored->id, role);
  task.generation = stored->generation;
  return RunWorker(&task, stored->name);
}

}  // namespace supabase::pg

// Entry point of the background worker.
void supabase_credential_worker(Datum) {
  using namespace supabase::pg;
  Task task;
  memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof task);
  // The default handler would end the process in the middle of an exchange.
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(task.database, InvalidOid, 0);
  pgstat_report_appname("supabase_fdw");
  // Settings of the database must not get between: a time limit, a search path, commits that may be lost.
  SetLocalSetting("search_path", "pg_catalog, pg_temp");
  SetLocalSetting("statement_timeout", "0");
  SetLocalSetting("default_transaction_read_only", "off");
  SetLocalSetting("default_transaction_isolation", "read committed");
  if (synchronous_commit < SYNCHRONOUS_COMMIT_REMOTE_FLUSH) SetLocalSetting("synchronous_commit", "on");
  MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "supabase_fdw worker", ALLOCSET_DEFAULT_SIZES));
  if (task.job == Job::kRefresh) {
    Refresh(&task);
  } else {
    RunWithResult(&task);
  }
  proc_exit(0);
}
