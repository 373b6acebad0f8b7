#include "fdw/scan.hpp"

#include "core/http.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/plan.hpp"

extern "C" {
#include "executor/tuptable.h"
#include "portability/instr_time.h"
}

namespace supabase::pg {

bool StartCounts(ScanState *state, const Datum *values, const bool *isnull) {
  ScanObjects *objects = state->objects;
  const char *schema = ToUtf8(state->table->schema_name);
  bool const allow_private = AllowPrivate(state->server);
  Guard([&] {
    Request prototype;
    FillPrototype(state, &prototype, schema, allow_private);
    objects->counts =
        std::make_unique<CountReader>(state->session, std::move(prototype), objects->credential.expires_at);
  });
  ListCell *cell;
  foreach (cell, PlanList(state, kPlanCounts)) {
    BuildQuery(state, values, isnull, static_cast<List *>(lfirst(cell)));
    bool const none = state->never;
    bool const fits = Guard([&] {
      if (none) objects->counts->AddNone();
      return none || objects->counts->Add(objects->options.query);
    });
    if (!fits) {
      Guard([&] { objects->counts.reset(); });
      return false;
    }
  }
  state->never = false;  // there is a row even if every count is zero
  return true;
}

void StoreCounts(ScanState *state, TupleTableSlot *slot) {
  CountReader *counts = state->objects->counts.get();
  while (const Transfer *transfer = counts->Waiting()) {
    instr_time start, end;
    INSTR_TIME_SET_CURRENT(start);
    Await(state->session, transfer);
    INSTR_TIME_SET_CURRENT(end);
    INSTR_TIME_SUBTRACT(end, start);
    auto const waited = static_cast<int64_t>(INSTR_TIME_GET_MICROSEC(end));
    Guard([&] {
      counts->counters().wait_us += waited;
      counts->Take();
    });
    TraceAnswer(counts->last());
  }
  for (int i = 0; i < state->column_count; i++) {
    auto const total = static_cast<int64>(Guard([&] { return counts->totals().at(static_cast<size_t>(i)); }));
    slot->tts_values[state->slots[i]] = Int64GetDatum(total);
    slot->tts_isnull[state->slots[i]] = false;
  }
  ExecStoreVirtualTuple(slot);
}

bool HasOneGroup(const ScanState *state) {
  List *functions = PlanList(state, kPlanFunctions);
  ListCell *cell;
  foreach (cell, functions) {
    if (strVal(lfirst(cell))[0] == '\0') return false;
  }
  return functions != NIL;
}

void StoreEmptyGroup(ScanState *state, TupleTableSlot *slot) {
  for (int i = 0; i < state->column_count; i++) {
    bool const count = strcmp(strVal(list_nth(PlanList(state, kPlanFunctions), i)), "count") == 0;
    slot->tts_values[state->slots[i]] = Int64GetDatum(0);
    slot->tts_isnull[state->slots[i]] = !count;
  }
  ExecStoreVirtualTuple(slot);
}

}  // namespace supabase::pg
