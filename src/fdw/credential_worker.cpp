// The background worker that changes stored credentials. It commits on its own, so that what it wrote stands whatever
// becomes of the statement that needed it, and it goes on when that statement is cancelled.

#include <cstring>
#include <memory>
#include <string>

#include "core/http.hpp"
#include "core/refresh.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential_write.hpp"
#include "fdw/mapping.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
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

// What a worker is started with; fits into BackgroundWorker.bgw_extra.
struct Task {
  Oid database;
  Oid role;
  dsm_handle payload;  // a new login to save; 0: refresh
  int64_t generation;
  char id[kUuidText];
  NameData name;
};
static_assert(sizeof(Task) <= BGW_EXTRALEN);

// A refresh waits no longer for the answer; so long can it delay the end of the server.
constexpr int64_t kTimeoutMs = 15'000;
// For locks before anything was sent. Who holds them may be waiting for this worker.
constexpr char kLockTimeout[] = "5s";
constexpr int kCommitAttempts = 6;
// Keeps the old answer until the process ends: a static, because what it holds must outlive transactions.
RefreshAttempt *Attempt() {
  static RefreshAttempt *attempt = nullptr;
  if (attempt == nullptr) {
    Guard([] { attempt = new RefreshAttempt(); });
  }
  return attempt;
}

void Begin() {
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
}

void Commit() {
  PopActiveSnapshot();
  CommitTransactionCommand();
}

void SetLocalSetting(const char *name, const char *value) {
  SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
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
StoredLogin *FindDue(const Task *task) {
  StoredLogin *login = FindLogin(NameStr(task->name));
  if (login == nullptr || strcmp(login->id, task->id) != 0 || login->generation != task->generation) return nullptr;
  if (login->times.status == CredentialStatus::kDead) return nullptr;
  return login;
}

// How long to wait before the refresh token may be sent again.
int64_t Delay(const StoredLogin *login) {
  int64_t const now = NowMicroseconds();
  int64_t delay = login->times.next_attempt_at - now;
  // Whoever wrote "refreshing" is gone, since it held the lock: its answer is lost.
  if (login->times.status != CredentialStatus::kActive) {
    delay = Max(delay, login->attempted_at + kAmbiguousDelay - now);
  }
  return Max(delay, 0);
}

// The request; raises what is wrong with server or mapping.
void PrepareRequest(const StoredLogin *login, Oid role, Request *request) {
  Server *server = CheckRefreshable(login);
  auto *key = Own<Secret>(CurrentMemoryContext);
  // The owner's before that of whoever asks, who may have a bad one.
  if (!FindApiKey(server, login->owner, key)) (void)FindApiKey(server, role, key);
  auto *token = Own<Secret>(CurrentMemoryContext);
  OpenToken(login, kRefreshToken, token);
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    FillAuthRequest(request, server, *key, allow_private);
    FillRefreshGrant(*token, request);
    request->total_timeout_ms = std::min(request->total_timeout_ms, kTimeoutMs);
  });
}

// Commits the intent: from now on a reader knows that the refresh token may have been used.
void WriteIntent(const StoredLogin *login) {
  Parameter const parameters[] = {IdParameter(login->id), NumberParameter(login->generation)};
  if (ChangeStore("UPDATE supabase_fdw.logins SET status = 'refreshing', attempted_at = clock_timestamp(), "
                  "attempts = attempts + 1 WHERE id = $1 AND generation = $2",
                  parameters) != 1) {
    ereport(ERROR,
            (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), errmsg("stored login \"%s\" was changed", login->name)));
  }
}

void WriteTokens(const StoredLogin *login, Oid role, int64_t received_at) {
  RefreshAttempt *attempt = Attempt();
  TokenPair *pair = &attempt->pair();
  const Claims *claims = &attempt->claims();
  int64_t const generation = login->generation + 1;
  auto *same = Own<Secret>(CurrentMemoryContext);
  // No new refresh token: the old one stays valid (RFC 6749, section 6).
  if (pair->refresh.empty()) OpenToken(login, kRefreshToken, same);
  const Secret *refresh = pair->refresh.empty() ? same : &pair->refresh;
  auto text = [](const std::string *value) {
    return TextParameter(value->empty() ? nullptr : ToServerLossy(value->c_str()));
  };
  Parameter const parameters[] = {
      IdParameter(login->id),
      NumberParameter(login->generation),
      NumberParameter(generation),
      BytesParameter(SealToken(login->id, login->origin, kAccessToken, generation, &pair->access)),
      BytesParameter(SealToken(login->id, login->origin, kRefreshToken, generation, refresh)),
      TimeParameter(received_at + pair->expires_in * 1'000'000),
      TimeParameter(received_at),
      text(&claims->sub),
      text(&claims->email),
      text(&claims->role),
  };
  uint64 const changed = ChangeStore(
      "UPDATE supabase_fdw.logins SET generation = $3, access_token = $4, refresh_token = $5, expires_at = $6, "
      "refreshed_at = $7, refresh_count = refresh_count + 1, status = 'active', attempts = 0, next_attempt_at = NULL, "
      "last_error = NULL, user_id = coalesce($8, user_id), email = coalesce($9, email), role = coalesce($10, role) "
      "WHERE id = $1 AND generation = $2",
      parameters);
  Audit(login->name, "refresh", role, changed == 1 ? "ok" : "the login was replaced meanwhile", refresh);
}

void WriteFailure(const StoredLogin *login, Oid role) {
  RefreshAttempt *attempt = Attempt();
  AfterFailure const after =
      Failed(attempt->outcome(), login->times.status, login->attempts + 1, NowMicroseconds(), attempt->retry_after());
  const char *error = attempt->error().empty() ? "out of memory" : attempt->error().c_str();
  error = ToServerLossy(error);
  if (attempt->outcome() == RefreshOutcome::kDead && login->times.status != CredentialStatus::kActive) {
    error = psprintf("%s The outcome of the refresh before, at %s, is unknown: its answer may have been lost.", error,
                     timestamptz_to_str(FromMicroseconds(login->attempted_at)));
  }
  Parameter const parameters[] = {IdParameter(login->id), NumberParameter(login->generation),
                                  TextParameter(StatusName(after.status)), TimeParameter(after.next_attempt_at),
                                  TextParameter(error)};
  (void)ChangeStore(
      "UPDATE supabase_fdw.logins SET status = $3, next_attempt_at = $4, last_error = $5 "
      "WHERE id = $1 AND generation = $2",
      parameters);
  Audit(login->name, "refresh", role, error, nullptr);
}

// Writes the outcome down and commits. The answer is in memory only, so a failure to store it (a full disk) is tried
// again for some seconds. Interrupts are held all the while, also after an error, which lets them go.
bool WriteOutcome(const StoredLogin *login, Oid role, int64_t received_at) {
  MemoryContext const context = CurrentMemoryContext;
  volatile bool done = false;
  for (volatile int left = kCommitAttempts; left > 0 && !done; left = left - 1) {
    PG_TRY();
    {
      // Whoever holds a lock now does not wait for this worker.
      SetLocalSetting("lock_timeout", "0");
      Begin();
      if (Attempt()->outcome() == RefreshOutcome::kTokens) {
        WriteTokens(login, role, received_at);
      } else {
        WriteFailure(login, role);
      }
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

// One attempt: the request is sent and its outcome stored, without giving way to a cancel or a termination in between.
// The refresh token may be used up as soon as the first byte has left.
void Exchange(const StoredLogin *login, const Task *task, Request *request) {
  Session *session = GetSession();
  RefreshAttempt *attempt = Attempt();
  HOLD_INTERRUPTS();
  Guard([&] { attempt->Start(session, std::move(*request)); });
  if (attempt->waiting() != nullptr) {
    Await(session, attempt->waiting());
    attempt->Take();
  }
  (void)WriteOutcome(login, task->role, NowMicroseconds());
  RESUME_INTERRUPTS();
}

// Whether another attempt should follow at once: the second finds out what became of a lost answer, or whether the
// server was only just not there.
bool WorthRepeating() {
  RefreshOutcome const outcome = Attempt()->outcome();
  return outcome == RefreshOutcome::kUnknown || outcome == RefreshOutcome::kNotSent;
}

void RecordError(const StoredLogin *login, Oid role, const char *message) {
  Parameter const parameters[] = {IdParameter(login->id), NumberParameter(login->generation), TextParameter(message),
                                  TimeParameter(NowMicroseconds() + AttemptDelay(login->attempts + 1, 0))};
  (void)ChangeStore(
      "UPDATE supabase_fdw.logins SET last_error = $3, next_attempt_at = $4, attempts = attempts + 1 "
      "WHERE id = $1 AND generation = $2",
      parameters);
  Audit(login->name, "refresh", role, message, nullptr);
}

// What kept the request from being made goes into the row, where the one who waits will look.
bool TryPrepare(const StoredLogin *login, Oid role, Request *request) {
  MemoryContext const context = CurrentMemoryContext;
  volatile bool prepared = false;
  PG_TRY();
  {
    Begin();
    PrepareRequest(login, role, request);
    WriteIntent(login);
    Commit();
    prepared = true;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    Begin();
    char *text = error->detail != nullptr ? psprintf("%s. %s", error->message, error->detail) : error->message;
    text[0] = static_cast<char>(pg_toupper(static_cast<unsigned char>(text[0])));
    RecordError(login, role, text);
    Commit();
  }
  PG_END_TRY();
  MemoryContextSwitchTo(context);
  return prepared;
}

void Refresh(const Task *task) {
  MemoryContext const context = CurrentMemoryContext;
  SetLocalSetting("lock_timeout", kLockTimeout);
  Begin();
  LOCKTAG const tag = LoginLock(task->id, LoginLockKind::kRefresh);
  (void)LockAcquire(&tag, ExclusiveLock, true, false);
  Commit();
  for (int attempt = 0; attempt < 2; attempt++) {
    Begin();
    MemoryContextSwitchTo(context);
    StoredLogin *login = FindDue(task);
    Commit();
    MemoryContextSwitchTo(context);
    if (login == nullptr) return;
    int64_t const delay = Delay(login);
    // A longer wait is for whoever comes then.
    if (delay > 2 * kAmbiguousDelay) return;
    Sleep(delay);
    auto *request = Own<Request>(context);
    SetLocalSetting("lock_timeout", kLockTimeout);
    if (!TryPrepare(login, task->role, request)) return;
    Exchange(login, task, request);
    if (!WorthRepeating()) return;
  }
}

// --- Saving a login -------------------------------------------------------------------------------------------------

// What went wrong in the worker, for the one who waits.
struct SaveResult {
  bool done;
  int sqlstate;
  char message[512];
};

// The payload: a SaveResult, then these texts, each with its NUL; an empty one is null. Tokens are encrypted and in
// hexadecimal digits.
constexpr int kSaveFields = 12;

void Save(const char *fields, Oid role) {
  const char *field[kSaveFields];
  for (auto &text : field) {
    text = fields;
    fields += strlen(fields) + 1;
  }
  auto null_if_empty = [](const char *text) { return *text == '\0' ? nullptr : text; };
  Parameter parameters[kSaveFields];
  for (int i = 0; i < kSaveFields; i++)
    parameters[i] = TextParameter(null_if_empty(field[i]));
  uint64 const changed = ChangeStore(
      "INSERT INTO supabase_fdw.logins AS l (name, id, owner, server, origin, instance, user_id, email, role, "
      "access_token, refresh_token, generation, expires_at, refreshed_at) "
      "SELECT $1::name, $2::uuid, $3::oid, $4::name, $5, $6, $7, $8, $9, decode($10, 'hex'), decode($11, 'hex'), 1, "
      "to_timestamp($12::float8), CASE WHEN $10 IS NOT NULL THEN clock_timestamp() END "
      "ON CONFLICT (name) DO UPDATE SET id = EXCLUDED.id, server = EXCLUDED.server, origin = EXCLUDED.origin, "
      "instance = EXCLUDED.instance, user_id = EXCLUDED.user_id, email = EXCLUDED.email, role = EXCLUDED.role, "
      "access_token = EXCLUDED.access_token, refresh_token = EXCLUDED.refresh_token, generation = 1, "
      "expires_at = EXCLUDED.expires_at, refreshed_at = EXCLUDED.refreshed_at, refresh_count = 0, status = 'active', "
      "attempts = 0, attempted_at = NULL, next_attempt_at = NULL, last_error = NULL WHERE l.owner = EXCLUDED.owner",
      parameters);
  if (changed != 1) {
    ereport(ERROR,
            (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("stored login \"%s\" belongs to another role", field[0])));
  }
  Parameter const audit[] = {NameParameter(field[0]), TextParameter(GetUserNameFromId(role, true)),
                             TextParameter(fields)};
  (void)ChangeStore(
      "INSERT INTO supabase_fdw.credential_audit (kind, name, action, role, outcome, fingerprint) "
      "VALUES ('login', $1, 'save', $2, 'ok', $3)",
      audit);
}

void RunSave(const Task *task) {
  dsm_segment *segment = dsm_attach(task->payload);
  if (segment == nullptr) return;  // whoever wanted it has gone
  auto *result = static_cast<SaveResult *>(dsm_segment_address(segment));
  MemoryContext const context = CurrentMemoryContext;
  SetLocalSetting("lock_timeout", kLockTimeout);
  PG_TRY();
  {
    Begin();
    Save(reinterpret_cast<const char *>(result + 1), task->role);
    Commit();
    result->done = true;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    result->sqlstate = error->sqlerrcode;
    (void)snprintf(result->message, sizeof result->message, "%s", error->message);
  }
  PG_END_TRY();
  dsm_detach(segment);
}

// --- Starting one ---------------------------------------------------------------------------------------------------

// False when there is no free worker.
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

Task MakeTask(const char *name, const char *id, Oid role) {
  Task task = {};
  task.database = MyDatabaseId;
  task.role = role;
  (void)snprintf(task.id, sizeof task.id, "%s", id);
  namestrcpy(&task.name, name);
  return task;
}

void AppendField(StringInfo payload, const char *text) {
  appendBinaryStringInfo(payload, text == nullptr ? "" : text,
                         text == nullptr ? 1 : static_cast<int>(strlen(text)) + 1);
}

void AppendHex(StringInfo payload, bytea *bytes) {
  const char *text = bytes == nullptr ? "\\x" : DatumGetCString(DirectFunctionCall1(byteaout, PointerGetDatum(bytes)));
  AppendField(payload, text + 2);
}

}  // namespace

Server *CheckRefreshable(const StoredLogin *login) {
  CheckInstance(login);
  Server *server = GetServerOptions(GetForeignServerByName(login->server, false)->serverid);
  RequireProject(server);
  if (server->auth_url == nullptr || strcmp(server->auth_url, login->origin) != 0) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("server \"%s\" has another address than when login \"%s\" was stored", server->name, login->name),
             errdetail("Nothing was sent."),
             errhint("Sign in again: supabase_sign_in('%s', email, password, save_as => '%s').", server->name,
                     login->name)));
  }
  CheckHostAllowed(server);
  return server;
}

bool RefreshInWorker(const StoredLogin *login, Oid role) {
  Task task = MakeTask(login->name, login->id, role);
  task.generation = login->generation;
  return RunWorker(&task, login->name);
}

void SaveInWorker(const NewLogin *login) {
  if (StoreChangedHere()) RefuseStoreChanged();
  StringInfoData payload;
  initStringInfo(&payload);
  const char *texts[] = {login->name,    login->id,     psprintf("%u", login->owner),
                         login->server,  login->origin, login->instance,
                         login->user_id, login->email,  login->user_role};
  for (const char *text : texts)
    AppendField(&payload, text);
  // bytea_output may be "escape" here.
  int const level = NewGUCNestLevel();
  (void)set_config_option("bytea_output", "hex", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  AppendHex(&payload, login->access);
  AppendHex(&payload, login->refresh);
  AtEOXact_GUC(false, level);
  AppendField(&payload, login->expires_at == 0 ? "" : psprintf("%.6f", static_cast<double>(login->expires_at) / 1e6));
  AppendField(&payload, login->fingerprint);
  dsm_segment *segment = dsm_create(sizeof(SaveResult) + static_cast<Size>(payload.len), 0);
  auto *result = static_cast<SaveResult *>(dsm_segment_address(segment));
  *result = {};
  memcpy(result + 1, payload.data, static_cast<size_t>(payload.len));
  Task task = MakeTask(login->name, login->id, login->role);
  task.payload = dsm_segment_handle(segment);
  if (!RunWorker(&task, login->name)) {
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("no free background worker slot"),
                    errhint("Increase the configuration parameter \"max_worker_processes\".")));
  }
  if (!result->done) {
    ereport(ERROR,
            (errcode(result->sqlstate != 0 ? result->sqlstate : ERRCODE_INTERNAL_ERROR),
             errmsg("could not store the login \"%s\"", login->name),
             result->sqlstate != 0 ? errdetail("%s.", result->message)
                                   : errdetail("The background worker ended early; the server log tells more.")));
  }
  dsm_detach(segment);
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
  if (task.payload != 0) {
    RunSave(&task);
  } else {
    Refresh(&task);
  }
  proc_exit(0);
}
