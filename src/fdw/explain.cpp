// EXPLAIN: the request exactly as it will be sent, without credentials and without sending it.

#include "fdw/bridge.hpp"
#include "fdw/plan.hpp"
#include "fdw/scan.hpp"

namespace supabase::pg {
namespace {

const char *RequestText(ScanState *state, List *more, bool count) {
  BuildQuery(state, nullptr, nullptr, more);
  if (state->never) return "none: the conditions can never be true";
  if (!count) ChooseSelect(state);
  auto *text = Own<std::string>(CurrentMemoryContext);
  ScanObjects *objects = state->objects;
  Guard([&] {
    // The first page of a session that knows nothing yet of the server's row cap.
    RowCap unknown;
    if (count) {
      *text = std::string("GET ") + state->server->rest_path + BuildCountTarget(objects->options.query);
      return;
    }
    Streams streams(objects->options, objects->how, &unknown);
    *text = "none: no row is wanted";
    if (!streams.HasNext()) return;
    *text = std::string(objects->by_get ? "GET " : "POST ") + state->server->rest_path + streams.Next(0).request.target;
    if (streams.parts() > 1) *text += " (first of " + std::to_string(streams.parts()) + " parts of the list)";
  });
  return ToServer(text->c_str(), text->size());
}

// After RequestText; NULL where it asks for rows itself.
const char *RowsText(const ScanState *state) {
  auto *text = Own<std::string>(CurrentMemoryContext);
  const ScanObjects *objects = state->objects;
  Guard([&] {
    RowCap unknown;
    Streams streams(objects->options, objects->how, &unknown);
    if (!streams.HasNext() || !streams.Next(0).keys) return;
    const ReadQuery rows =
        TopKeys(objects->options.keys_first).RowsOfAny(objects->options.query, *objects->options.row_limit);
    *text = std::string("GET ") + state->server->rest_path + BuildTarget(rows);
  });
  return text->empty() ? nullptr : ToServer(text->c_str(), text->size());
}

// After RequestText.
const char *ArgumentsText(ScanState *state) {
  auto *text = Own<std::string>(CurrentMemoryContext);
  const ScanObjects *objects = state->objects;
  Guard([&] { *text = ArgumentBody(objects->arguments); });
  return ToServer(text->c_str(), text->size());
}

void ShowRequests(ScanState *state, ExplainState *explain) {
  List *counts = PlanList(state, kPlanCounts);
  if (counts == NIL) {
    ExplainPropertyText("Remote Request", RequestText(state, NIL, false), explain);
    const char *rows = state->never ? nullptr : RowsText(state);
    if (rows != nullptr) ExplainPropertyText("Remote Request", rows, explain);
  }
  ListCell *cell;
  foreach (cell, counts) {
    ExplainPropertyText("Remote Request", RequestText(state, static_cast<List *>(lfirst(cell)), true), explain);
  }
}

void ShowReasons(ScanState *state, ExplainState *explain) {
  auto *reasons = static_cast<List *>(list_nth(state->plan, kPlanReasons));
  List *texts = NIL;
  ListCell *cell;
  foreach (cell, reasons)
    texts = lappend(texts, strVal(lfirst(cell)));
  if (texts != NIL) ExplainPropertyList("Local Filter Reason", texts, explain);
}

void ShowCounters(const ScanObjects *objects, ExplainState *explain) {
  ReadCounters total = objects->before;
  if (objects->reader != nullptr) total.Add(objects->reader->counters());
  if (objects->counts != nullptr) total.Add(objects->counts->counters());
  ExplainPropertyInteger("Requests", nullptr, static_cast<int64>(total.requests), explain);
  ExplainPropertyInteger("Pages", nullptr, static_cast<int64>(total.pages), explain);
  ExplainPropertyInteger("Rows Received", nullptr, static_cast<int64>(total.rows), explain);
  ExplainPropertyInteger("Bytes Received", nullptr, static_cast<int64>(total.bytes), explain);
  ExplainPropertyInteger("Retries", nullptr, static_cast<int64>(total.retries), explain);
  if (explain->timing) ExplainPropertyFloat("Wait Time", "ms", static_cast<double>(total.wait_us) / 1000.0, 3, explain);
}

}  // namespace

void ExplainForeignScan(ForeignScanState *node, ExplainState *explain) {
  auto *state = static_cast<ScanState *>(node->fdw_state);
  if (explain->analyze) ShowCounters(state->objects, explain);
  if (!explain->verbose) return;
  ShowRequests(state, explain);
  if (state->table->function != nullptr) ExplainPropertyText("Remote Arguments", ArgumentsText(state), explain);
  ShowReasons(state, explain);
}

}  // namespace supabase::pg
