// Execution of scans of the Management API's tables.

#include <map>

#include "fdw/acting_user.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/fold.hpp"
#include "fdw/management_table.hpp"

extern "C" {
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/array.h"
}

namespace supabase::pg {
namespace {

// Targets of one scan; more would be many requests that nobody wants.
constexpr int kMaxTargets = 10000;

// Rows that were read, for scans of the same targets again: a nested loop would use the rate limit up.
using KeptRows = std::vector<ManagementRow>;

struct ScanObjects {
  ManagementObjects management;
  std::unique_ptr<ManagementReader> reader;
  std::vector<size_t> columns;  // of the catalogue, in the order of the fetched ones
  std::vector<ReadTarget> targets;
  std::map<std::string, KeptRows> kept;  // by targets
  KeptRows *rows = nullptr;              // of the present ones
  std::string key;
  ManagementReader::Counters counters;  // of readers that have ended
};

struct ManagementScan {
  ApiRelation *relation;
  List *columns;  // attribute numbers to fetch
  List *keys;
  List *expressions;  // states
  ScanObjects *objects;
  Session *session;
  MemoryContext row_context;
  ColumnConverter *converters;
  ConvertPosition position;
  bool started, complete;  // `complete`: all rows are kept
  size_t row;              // next of the kept ones
};

// ---- Targets ----

// Texts of a key's values; NIL when there is none, so that no row can satisfy the condition.
List *ListTexts(Datum array, Oid array_type) {
  Oid const type = get_element_type(array_type);
  int16 length;
  bool by_value;
  char align;
  get_typlenbyvalalign(type, &length, &by_value, &align);
  Datum *values;
  bool *isnull;
  int count;
  deconstruct_array(DatumGetArrayTypeP(array), type, length, by_value, align, &values, &isnull, &count);
  List *texts = NIL;
  for (int i = 0; i < count; i++) {
    if (isnull[i]) continue;
    char *text = DatumToText(type, values[i]);
    bool known = false;
    ListCell *cell;
    foreach (cell, texts)
      known = known || strcmp(static_cast<char *>(lfirst(cell)), text) == 0;
    if (!known) texts = lappend(texts, text);
  }
  return texts;
}

List *KeyTexts(ForeignScanState *node, const ManagementScan *scan, List *key) {
  auto const kind = static_cast<BindKind>(intVal(lsecond(key)));
  if (kind == BindKind::kTrue) return list_make1(pstrdup("true"));
  if (kind == BindKind::kFalse) return list_make1(pstrdup("false"));
  int const number = intVal(lthird(key));
  auto *plan = reinterpret_cast<ForeignScan *>(node->ss.ps.plan);
  Oid const type = exprType(static_cast<Node *>(list_nth(plan->fdw_exprs, number)));
  bool isnull;
  Datum const value =
      ExecEvalExpr(static_cast<ExprState *>(list_nth(scan->expressions, number)), node->ss.ps.ps_ExprContext, &isnull);
  if (isnull) return NIL;
  if (kind == BindKind::kList) return ListTexts(value, type);
  char *text = DatumToText(type, value);
  if (type == BOOLOID) text = pstrdup(DatumGetBool(value) ? "true" : "false");
  return list_make1(text);
}

// Every combination of the targets so far with the values of one more column; a parameter that takes several has all in
// one target. False when there are none.
bool Combine(ManagementScan *scan, size_t column, List *texts) {
  ScanObjects *objects = scan->objects;
  const ApiColumn *api = &scan->relation->api->columns[column];
  bool const repeats = api->defaults.size() > 1;
  int const count = list_length(texts);
  if (count == 0) return false;
  if (!repeats && static_cast<int64>(objects->targets.size()) * count > kMaxTargets) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("conditions on foreign table \"%s\" would take more than %d requests", scan->relation->name,
                           kMaxTargets)));
  }
  auto **values = static_cast<const char **>(palloc(sizeof(char *) * static_cast<Size>(count)));
  for (int i = 0; i < count; i++)
    values[i] = ToUtf8(static_cast<char *>(list_nth(texts, i)));
  Guard([&] {
    std::vector<ReadTarget> combined;
    for (const ReadTarget &target : objects->targets) {
      for (int i = 0; i < count; i++) {
        if (!repeats || i == 0) combined.push_back(target);
        combined.back().bound.emplace_back(column, values[i]);
      }
    }
    objects->targets = std::move(combined);
  });
  return true;
}

bool BindTargets(ForeignScanState *node, ManagementScan *scan) {
  ScanObjects *objects = scan->objects;
  Guard([&] { objects->targets.assign(1, ReadTarget()); });
  ListCell *cell;
  foreach (cell, scan->keys) {
    auto *key = lfirst_node(List, cell);
    int const attno = intVal(linitial(key));
    auto const column = static_cast<size_t>(scan->relation->columns[attno - 1]);
    if (!Combine(scan, column, KeyTexts(node, scan, key))) return false;
  }
  Guard([&] {
    objects->key.clear();
    for (const ReadTarget &target : objects->targets) {
      objects->key += '\x1d';
      for (const auto &[column, value] : target.bound)
        objects->key += std::to_string(column) + '\x1f' + value + '\x1e';
    }
  });
  return true;
}

// Whether every parent must be asked, since no condition names one.
bool FansOut(const ManagementScan *scan) {
  const ApiTable *api = scan->relation->api;
  if (api->parent_column.empty()) return false;
  auto const parent = static_cast<size_t>(api->FindColumn(api->parent_column));
  return scan->objects->targets.front().Find(parent) == nullptr;
}

void CheckFanOut(const ManagementScan *scan) {
  const ApiRelation *relation = scan->relation;
  if (!relation->api->require_qual && !relation->table->require_qual && !relation->server->require_qual) return;
  const char *column = relation->api->parent_column.c_str();
  ereport(ERROR, (errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
                  errmsg("a query of foreign table \"%s\" needs a condition on column \"%s\"", relation->name, column),
                  errhint("Add a condition of the form %s = value, or join with a table that has it.", column)));
}

// ---- Rows ----

void Start(ForeignScanState *node, ManagementScan *scan) {
  scan->started = true;
  scan->complete = false;
  scan->row = 0;
  MemoryContext const old = MemoryContextSwitchTo(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
  bool const any = BindTargets(node, scan);
  bool const fan_out = any && FansOut(scan);
  if (fan_out) CheckFanOut(scan);
  auto const parallel = static_cast<size_t>(scan->relation->table->max_parallel_requests);
  ScanObjects *objects = scan->objects;
  Guard([&] {
    if (objects->reader != nullptr) objects->counters.Add(objects->reader->counters());
    objects->reader.reset();
    objects->rows = nullptr;
    if (!any) return;
    const auto [found, added] = objects->kept.try_emplace(objects->key);
    objects->rows = &found->second;
    if (!added) return;
    ManagementReader::Options options;
    options.caller = objects->management.caller;
    options.table = scan->relation->api;
    options.columns = objects->columns;
    options.targets = objects->targets;
    options.fan_out = fan_out;
    options.parallel = parallel;
    objects->reader = std::make_unique<ManagementReader>(std::move(options));
  });
  scan->complete = objects->reader == nullptr;
  MemoryContextSwitchTo(old);
}

// Reads until there is a row that was not given out; false at the end.
bool ReadMore(ManagementScan *scan) {
  ScanObjects *objects = scan->objects;
  if (scan->complete || !AwaitRow(scan->session, objects->reader.get())) {
    scan->complete = true;
    return false;
  }
  Guard([&] { objects->rows->push_back(objects->reader->Next()); });
  return true;
}

void StoreRow(ManagementScan *scan, const Cell *row, TupleTableSlot *slot) {
  MemoryContextReset(scan->row_context);
  MemoryContext const old = MemoryContextSwitchTo(scan->row_context);
  memset(slot->tts_isnull, true, sizeof(bool) * static_cast<Size>(slot->tts_tupleDescriptor->natts));
  ErrorContextCallback callback = {error_context_stack, ConvertErrorContext, &scan->position};
  error_context_stack = &callback;
  scan->position.row = row;
  ListCell *cell;
  foreach (cell, scan->columns) {
    int const i = foreach_current_index(cell), attno = lfirst_int(cell);
    ColumnConverter *converter = &scan->converters[i];
    scan->position.converter = converter;
    slot->tts_values[attno - 1] = ConvertCell(converter, &row[i], &slot->tts_isnull[attno - 1]);
  }
  scan->position.converter = nullptr;
  error_context_stack = callback.previous;
  ExecStoreVirtualTuple(slot);
  MemoryContextSwitchTo(old);
}

void InitColumns(ForeignScanState *node, ManagementScan *scan) {
  TupleDesc const desc = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
  MemoryContext const context = node->ss.ps.state->es_query_cxt;
  scan->converters = static_cast<ColumnConverter *>(
      palloc0(sizeof(ColumnConverter) * static_cast<Size>(list_length(scan->columns) + 1)));
  ListCell *cell;
  foreach (cell, scan->columns) {
    int const attno = lfirst_int(cell);
    InitConverter(&scan->converters[foreach_current_index(cell)], TupleDescAttr(desc, attno - 1), context);
    auto const column = static_cast<size_t>(scan->relation->columns[attno - 1]);
    ScanObjects *objects = scan->objects;
    Guard([&] { objects->columns.push_back(column); });
  }
  scan->position.table = scan->relation->name;
  scan->position.converters = scan->converters;
}

// ---- EXPLAIN ----

// The call for the first target, with $n for what is not known before execution.
const char *RequestText(const ManagementScan *scan, List *expressions) {
  auto *text = Own<std::string>(CurrentMemoryContext);
  const ApiRelation *relation = scan->relation;
  ScanObjects *objects = scan->objects;
  Guard([&] { objects->targets.assign(1, ReadTarget()); });
  ListCell *cell;
  foreach (cell, scan->keys) {
    auto *key = lfirst_node(List, cell);
    auto const kind = static_cast<BindKind>(intVal(lsecond(key)));
    auto const column = static_cast<size_t>(relation->columns[intVal(linitial(key)) - 1]);
    int const number = intVal(lthird(key));
    auto *constant = number < 0 ? nullptr : static_cast<Const *>(list_nth(expressions, number));
    const char *value = kind == BindKind::kTrue    ? "true"
                        : kind == BindKind::kFalse ? "false"
                                                   : psprintf("$%d", number + 1);
    if (constant != nullptr && IsA(constant, Const) && !constant->constisnull && kind == BindKind::kValue) {
      value = ToUtf8(DatumToText(constant->consttype, constant->constvalue));
    }
    Guard([&] { objects->targets.front().bound.emplace_back(column, value); });
  }
  Guard([&] { *text = ManagementReader::Describe(*relation->api, objects->targets.front()); });
  return ToServer(text->c_str(), text->size());
}

}  // namespace

void BeginManagementScan(ForeignScanState *node, int flags) {
  auto *plan = reinterpret_cast<ForeignScan *>(node->ss.ps.plan);
  EState *estate = node->ss.ps.state;
  auto *scan = static_cast<ManagementScan *>(palloc0(sizeof(ManagementScan)));
  node->fdw_state = scan;
  scan->relation = UseApiRelation(ScannedTable(node)->relid);
  scan->columns = static_cast<List *>(list_nth(plan->fdw_private, kManagementColumns));
  scan->keys = static_cast<List *>(list_nth(plan->fdw_private, kManagementKeys));
  scan->objects = Own<ScanObjects>(estate->es_query_cxt);
  scan->row_context = AllocSetContextCreate(estate->es_query_cxt, "supabase_fdw row", ALLOCSET_DEFAULT_SIZES);
  InitColumns(node, scan);
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  Oid const role = ActingUser(node);
  ListCell *cell;
  foreach (cell, scan->columns)
    CheckSecretColumn(scan->relation, static_cast<AttrNumber>(lfirst_int(cell)), role);
  OpenManagement(scan->relation->server, role, &scan->objects->management);
  scan->expressions = ExecInitExprList(plan->fdw_exprs, reinterpret_cast<PlanState *>(node));
  scan->session = GetSession();
}

TupleTableSlot *IterateManagementScan(ForeignScanState *node) {
  auto *scan = static_cast<ManagementScan *>(node->fdw_state);
  TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
  ExecClearTuple(slot);
  if (!scan->started) Start(node, scan);
  KeptRows *rows = scan->objects->rows;
  if (rows == nullptr) return slot;
  if (scan->row >= rows->size() && !ReadMore(scan)) return slot;
  const Cell *row = Guard([&] { return (*rows)[scan->row++].cells.data(); });
  StoreRow(scan, row, slot);
  return slot;
}

void ReScanManagementScan(ForeignScanState *node) {
  auto *scan = static_cast<ManagementScan *>(node->fdw_state);
  if (!scan->started) return;
  if (node->ss.ps.chgParam == nullptr) {
    scan->row = 0;
    return;
  }
  // What was not read to its end is read again.
  ScanObjects *objects = scan->objects;
  bool const complete = scan->complete;
  Guard([&] {
    if (!complete) objects->kept.erase(objects->key);
  });
  scan->started = false;
}

void EndManagementScan(ForeignScanState *node) {
  auto *scan = static_cast<ManagementScan *>(node->fdw_state);
  if (scan == nullptr) return;
  ScanObjects *objects = scan->objects;
  Guard([&] { objects->reader.reset(); });
}

void ExplainManagementScan(ForeignScanState *node, ExplainState *explain) {
  auto *scan = static_cast<ManagementScan *>(node->fdw_state);
  auto *plan = reinterpret_cast<ForeignScan *>(node->ss.ps.plan);
  if (explain->analyze) {
    ManagementReader::Counters counters = scan->objects->counters;
    if (scan->objects->reader != nullptr) counters.Add(scan->objects->reader->counters());
    ExplainPropertyInteger("Requests", nullptr, static_cast<int64>(counters.requests), explain);
    ExplainPropertyInteger("Rows Received", nullptr, static_cast<int64>(counters.rows), explain);
    ExplainPropertyInteger("Bytes Received", nullptr, static_cast<int64>(counters.bytes), explain);
    ExplainPropertyInteger("Retries", nullptr, static_cast<int64>(counters.retries), explain);
  }
  if (!explain->verbose) return;
  ExplainPropertyText("Remote Request", RequestText(scan, plan->fdw_exprs), explain);
}

}  // namespace supabase::pg
