// Waiting for a project.

#include "fdw/bridge.hpp"
#include "fdw/management_function.hpp"

extern "C" {
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_wait_for_project(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_wait_for_project);
}

namespace {

// Between two looks. The limit is 120 requests a minute for each endpoint of a project; two endpoints are asked.
constexpr long kFirstPauseMs = 1'000;
constexpr long kLongestPauseMs = 10'000;

struct Wait {
  const Server *server;
  const char *ref;  // UTF-8
  TimestampTz until;
  long pause_ms;
  char seen[512];  // what the last look showed
};

void Show(Wait *wait, const char *text) {
  if (strcmp(wait->seen, text) == 0) return;
  (void)snprintf(wait->seen, sizeof wait->seen, "%s", text);
  ereport(NOTICE, (errmsg("project \"%s\": %s", ToServerLossy(wait->ref), wait->seen)));
}

// Whether its services are up. A refusal is none to give up for: they are being started.
bool ServicesReady(Wait *wait) {
  StringInfoData ref;
  initStringInfo(&ref);
  AppendMember(&ref, "ref", wait->ref);
  // {"ref": "…"} without the end
  ref.data[ref.len - 1] = '\0';
  const char *parameters =
      psprintf("%s, \"services\": [\"auth\", \"db\", \"pooler\", \"realtime\", \"rest\", \"storage\"]}", ref.data);
  auto *objects = Own<FunctionObjects>(CurrentMemoryContext);
  AskOperation(wait->server, "v1-get-services-health", parameters, objects);
  auto *unhealthy = Own<std::string>(CurrentMemoryContext);
  bool const refused = objects->result.empty();
  if (objects->status == 401 || objects->status == 403) RaiseRefusal(objects);
  if (!refused) Guard([&] { *unhealthy = UnhealthyServices(objects->result); });
  if (!refused && unhealthy->empty()) return true;
  Show(wait, refused ? "ACTIVE_HEALTHY, services do not answer yet"
                     : psprintf("ACTIVE_HEALTHY, services not yet healthy: %s", ToServerLossy(unhealthy->c_str())));
  return false;
}

// The status when there is nothing more to wait for, or NULL.
const char *Look(Wait *wait) {
  auto *objects = Own<FunctionObjects>(CurrentMemoryContext);
  AskOperation(wait->server, "v1-get-project", RefParameters(wait->ref), objects);
  if (objects->result.empty()) RaiseRefusal(objects);
  auto *status = Own<std::string>(CurrentMemoryContext);
  Guard([&] { *status = MemberText(objects->result, "status"); });
  const char *text = ToServerLossy(status->c_str());
  ProjectState const state = Guard([&] { return StateOf(*status); });
  if (state == ProjectState::kReady && ServicesReady(wait)) {
    Show(wait, text);
    return text;
  }
  if (state != ProjectState::kReady) Show(wait, text);
  if (state == ProjectState::kFailed) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("project \"%s\" will not become healthy by itself", ToServerLossy(wait->ref)),
                    errdetail("Its status is %s.", text),
                    errhint("A paused project is started by supabase_restore_project.")));
  }
  return nullptr;
}

// Until the next look, or the end of the time.
void Pause(Wait *wait) {
  double const jitter = 0.8 + 0.4 * pg_prng_double(&pg_global_prng_state);
  TimestampTz const end =
      Min(TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
                                      static_cast<int64>(static_cast<double>(wait->pause_ms) * jitter)),
          wait->until);
  wait->pause_ms = Min(wait->pause_ms * 3 / 2, kLongestPauseMs);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    long const left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);
    if (left <= 0) return;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
  }
}

}  // namespace

// supabase_wait_for_project(ref text, timeout interval, server name) RETURNS text
Datum supabase_wait_for_project(PG_FUNCTION_ARGS) {
  Wait wait = {};
  wait.ref = RequiredText(fcinfo, 0, "ref");
  if (PG_ARGISNULL(1)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", "timeout")));
  }
  wait.until = DatumGetTimestampTz(
      DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(1)));
  wait.server = ManagementServer(fcinfo, 2);
  wait.pause_ms = kFirstPauseMs;
  MemoryContext const caller = CurrentMemoryContext;
  MemoryContext const look = AllocSetContextCreate(caller, "supabase_fdw wait", ALLOCSET_SMALL_SIZES);
  for (;;) {
    MemoryContextSwitchTo(look);
    const char *status = Look(&wait);
    MemoryContextSwitchTo(caller);
    if (status != nullptr) PG_RETURN_TEXT_P(cstring_to_text(status));
    if (GetCurrentTimestamp() >= wait.until) break;
    MemoryContextReset(look);
    Pause(&wait);
  }
  ereport(ERROR,
          (errcode(ERRCODE_CANNOT_CONNECT_NOW), errmsg("project \"%s\" is not healthy yet", ToServerLossy(wait.ref)),
           errdetail("What was last seen of it: %s.", wait.seen),
           errhint("Wait again, or for longer: argument \"timeout\".")));
  pg_unreachable();
}

}  // namespace supabase::pg
