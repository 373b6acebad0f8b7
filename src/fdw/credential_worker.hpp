#pragma once

#include "fdw/credential_write.hpp"

extern "C" {
#include "storage/dsm.h"
}

namespace supabase::pg {

// The background worker that changes stored credentials: what its jobs share.

enum class Job : char { kRefresh, kSave, kExchange, kRevoke };

// What a worker is started with; fits into BackgroundWorker.bgw_extra.
struct Task {
  Oid database;
  Oid role;
  dsm_handle payload;  // a JobResult and what the job is about; 0: none
  int64_t generation;
  char id[kUuidText];
  NameData name;
  Job job;
  char kind;  // of what `id` and `name` are
};
static_assert(sizeof(Task) <= 128, "BGW_EXTRALEN");

// What became of it, for the one who waits.
struct JobResult {
  bool done;
  int sqlstate;  // else
  int64_t expires_at;
  char message[512];  // of the error; or a warning
  char detail[512];
  char hint[256];
};

// A worker waits no longer for an answer; so long can it delay the end of the server.
constexpr int64_t kWorkerTimeoutMs = 15'000;
// For locks before anything was sent. Who holds them may be waiting for the worker.
constexpr char kLockTimeout[] = "5s";

// --- For the one who waits ------------------------------------------------------------------------------------------

Task MakeTask(Job job, const StoredKind &kind, const char *name, const char *id, Oid role);
// False when there is no free worker. A cancelled wait leaves it at work.
bool RunWorker(const Task *task, const char *name);
// The job's fields: texts, each with its NUL.
void AppendField(StringInfo fields, const char *text);  // NULL: an empty one
void AppendHex(StringInfo fields, bytea *bytes);
// Runs a job with these fields. Raises 53400 when there is no free worker, and what the worker raised.
JobResult RunJob(Task *task, const StringInfoData *fields);

// --- In the worker --------------------------------------------------------------------------------------------------

void Begin();
void Commit();
// Does something in a transaction of its own; what it raised, as a copy in the current memory context, or NULL.
ErrorData *TryTransaction(void (*action)(void *), void *argument);
void SetLocalSetting(const char *name, const char *value);
// Until the process ends.
void LockCredential(const char *id);
const char *NextField(const char **fields);
bytea *NextHex(const char **fields);  // NULL for an empty one
// Commits what came of an answer. The answer is in memory only, so a failure to store it (a full disk) is tried again
// for some seconds. Interrupts are held all the while, also after an error, which lets them go.
bool WriteAnswer(void (*write)(void *), void *argument);
// Runs the task's job and leaves its result where RunJob waits for it.
void RunWithResult(const Task *task);

}  // namespace supabase::pg
