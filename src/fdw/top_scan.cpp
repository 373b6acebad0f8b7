#include "core/top_keys.hpp"

#include "fdw/bridge.hpp"
#include "fdw/estimate.hpp"
#include "fdw/plan.hpp"
#include "fdw/scan.hpp"

namespace supabase::pg {
namespace {

PlanTop TopOfPlan(const ScanState *state) {
  return static_cast<PlanTop>(intVal(list_nth(state->plan, kPlanTop)));
}

// What tells the query from others; not the values of its parameters.
List *TopQuery(const ScanState *state) {
  return list_make3(PlanList(state, kPlanColumns), PlanList(state, kPlanConditions), PlanList(state, kPlanOrder));
}

TopTimes TimesBefore(const ScanState *state) {
  TopTimes times;
  LastTimes(state->server, state->table, state->identity, TopQuery(state), &times);
  return times;
}

}  // namespace

void ChooseTop(ScanState *state) {
  std::vector<std::string> *columns = &state->objects->options.keys_first;
  Guard([&] { columns->clear(); });
  PlanTop const top = TopOfPlan(state);
  if (top == kTopAtOnce || !KeysFirst(TimesBefore(state), top == kTopByKeys)) return;
  for (int i = 0; i < state->table->natts; i++) {
    const Column *column = &state->table->columns[i];
    if (column->name == nullptr || !column->key || column->argument) continue;
    const char *name = ToUtf8(column->name);
    Guard([&] { columns->emplace_back(name); });
  }
}

void LearnTop(ScanState *state) {
  const ScanObjects *objects = state->objects;
  if (TopOfPlan(state) == kTopAtOnce || objects->reader == nullptr) return;
  bool const many = TopOfPlan(state) == kTopByKeys;
  TopTimes const before = TimesBefore(state);
  TopTimes const after = Guard([&] { return objects->reader->LearnTop(before); });
  if (KeysFirst(after, many) == KeysFirst(before, many)) return;
  RememberTimes(state->server, state->table, state->identity, TopQuery(state), &after);
}

}  // namespace supabase::pg
