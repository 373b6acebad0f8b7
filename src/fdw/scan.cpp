#include "fdw/scan.hpp"

#include "core/http.hpp"
#include "core/seeded.hpp"

#include "fdw/acting_user.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential.hpp"
#include "fdw/deparse.hpp"
#include "fdw/estimate.hpp"
#include "fdw/plan.hpp"
#include "fdw/rpc.hpp"
#include "fdw/settings.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/heap.h"
#include "catalog/pg_type_d.h"
#include "common/int.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "portability/instr_time.h"
#include "utils/plancache.h"
}

namespace supabase::pg {
namespace {

// Rows between two looks at the network while a page is consumed, so that the next one arrives meanwhile: a look costs
// about a microsecond, a row about as much.
constexpr size_t kPumpRows = 64;
// Columns that are worth asking for as "*".
constexpr int kLeastPlain = 4;

int PlanInteger(const ScanState *state, PlanPrivate which) {
  return intVal(list_nth(state->plan, which));
}

// LIMIT plus OFFSET as rows to fetch at the most; -1 for no limit.
int64 RowLimit(ScanState *state, const Datum *values, const bool *isnull) {
  List *numbers = PlanList(state, kPlanLimit);
  int64 total = 0;
  ListCell *cell;
  foreach (cell, numbers) {
    int const number = intVal(lfirst(cell));
    bool const is_count = foreach_current_index(cell) == 0;
    if (Seeded(Bug::kOffsetNotInLimit) && !is_count) continue;
    if (number == kNoParameter) {
      if (is_count) return -1;
      continue;
    }
    auto *expr = static_cast<Expr *>(list_nth(state->expressions, number));
    bool const constant = IsA(expr, Const);
    if (values == nullptr && !constant) return -1;
    bool const null = constant ? reinterpret_cast<Const *>(expr)->constisnull : isnull[number];
    Datum const datum = constant ? reinterpret_cast<Const *>(expr)->constvalue : values[number];
    if (null && is_count) return -1;
    int64 const value = null ? 0 : DatumGetInt64(datum);
    // What is negative the Limit node refuses itself.
    if (value < 0 || pg_add_s64_overflow(total, value, &total)) return -1;
  }
  return total;
}

// Whether the query is one whose rows all come in pages of the usual size, so that the first can be one for all. What
// tells it from others is in `query`.
bool TakesAll(const ScanState *state, List **query) {
  if (state->groups || state->table->function != nullptr || state->table->fetch_size > 0 ||
      PlanInteger(state, kPlanAll) == kSomeRows || PlanInteger(state, kPlanAtMost) == 1) {
    return false;
  }
  *query = list_make2(PlanList(state, kPlanColumns), PlanList(state, kPlanConditions));
  return true;
}

// How many rows will come, if they are as many as the last time, and their size.
void SetExpected(ScanState *state) {
  PagerOptions *options = &state->objects->options;
  List *query;
  Brought last;
  bool const known = TakesAll(state, &query) && LastBrought(state->server, state->table, state->identity, query, &last);
  Guard([&] {
    options->expected = known ? std::optional<uint64_t>(last.rows) : std::nullopt;
    options->row_bytes = known ? static_cast<uint64_t>(last.bytes / last.rows) : 0;
  });
}

bool KeyIsWholeNumber(const ScanState *state) {
  if (state->key_count != 1) return false;
  Oid const type = state->converters[state->key[0]].type;
  return type == INT2OID || type == INT4OID || type == INT8OID;
}

void SetPaging(ScanState *state, int64 row_limit) {
  PagerOptions *options = &state->objects->options;
  int const at_most = PlanInteger(state, kPlanAtMost);
  int const fetch_size = state->table->fetch_size;
  bool const ordered = PlanInteger(state, kPlanOrdered) != 0;
  bool const large = PlanInteger(state, kPlanAll) == kManyRows && KeyIsWholeNumber(state);
  int const *key = state->key;
  int const key_count = state->key_count;
  Guard([&] {
    options->paging = key_count > 0 ? Paging::kKeyset : Paging::kOffset;
    options->key.assign(key, key + key_count);
    options->fetch_size = static_cast<uint64_t>(fetch_size);
    options->row_limit = row_limit >= 0 ? std::optional<uint64_t>(row_limit) : std::nullopt;
    options->at_most = at_most >= 0 ? std::optional<uint64_t>(at_most) : std::nullopt;
    state->objects->how = {static_cast<size_t>(state->table->max_parallel_requests), ordered, large};
  });
}

// Conditions to conjuncts; one that can never be true makes the whole scan empty.
bool SetConditions(ScanObjects *objects) {
  return Guard([&] {
    for (Condition const &condition : objects->conditions.Take()) {
      Normalized normalized = Normalize(condition);
      if (normalized.truth == Normalized::Truth::kNever) return false;
      if (normalized.truth == Normalized::Truth::kAlways) continue;
      auto &where = objects->options.query.where;
      if (normalized.condition.kind != Condition::Kind::kAnd) {
        where.push_back(std::move(normalized.condition));
        continue;
      }
      for (Condition &child : normalized.condition.children)
        where.push_back(std::move(child));
    }
    return true;
  });
}

// What cannot be sent is done here instead, where the plan has a way to.
void Dropped(ForeignScanState *node, ScanState *state) {
  if (outerPlanState(node) != nullptr) {
    state->local = true;
    return;
  }
  state->recheck = PlanInteger(state, kPlanRecheck) != 0;
  if (!state->recheck) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("conditions are too long for one request"),
                    errhint("Set supabase_fdw.enable_pushdown to off for this query.")));
  }
}

// Whether all columns of the table are fetched, most of them not as text.
bool TakesWholeRows(const ScanState *state) {
  const Table *table = state->table;
  if (state->groups || state->system_columns || table->function != nullptr) return false;
  int plain = 0, texts = 0;
  for (int i = 0; i < table->natts; i++) {
    const Column *column = &table->columns[i];
    if (column->name == nullptr) continue;
    (column->as_text ? texts : plain)++;
  }
  return state->column_count == plain + texts && plain >= kLeastPlain && texts <= plain / 2;
}

// Begins to read the query that BuildQuery made; the number of conditions that are too long to be sent.
int StartReader(ScanState *state, const char *schema) {
  bool const allow_private = AllowPrivate(state->server);
  ScanObjects *objects = state->objects;
  ChooseSelect(state);
  return Guard([&] {
    Request prototype;
    FillPrototype(state, &prototype, schema, allow_private);
    Streams streams(objects->options, objects->how, state->row_cap);
    objects->reader = std::make_unique<Reader>(state->session, std::move(prototype), std::move(streams),
                                               objects->credential.expires_at);
    return objects->reader->dropped();
  });
}

void StartScan(ForeignScanState *node, ScanState *state) {
  state->started = true;
  state->exhausted = state->never = state->recheck = state->waiting = false;
  state->row = 0;
  if (state->local) return;
  MemoryContext const old = MemoryContextSwitchTo(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
  Datum *values;
  bool *isnull;
  EvaluateParameters(node, state, &values, &isnull);
  bool fits;
  if (PlanList(state, kPlanCounts) != NIL) {
    fits = StartCounts(state, values, isnull);
  } else {
    BuildQuery(state, values, isnull, NIL);
    fits = state->never || StartReader(state, ToUtf8(state->table->schema_name)) == 0;
  }
  MemoryContextSwitchTo(old);
  if (!fits) Dropped(node, state);
}

// The server does not aggregate: the session's first try shows it.
void Refused(ForeignScanState *node, ScanState *state) {
  bool const fixed = state->server->aggregates != Aggregates::kUnknown;
  if (!fixed) RememberAggregates(state->server, Aggregates::kRefused);
  state->local = outerPlanState(node) != nullptr;
  if (state->local) return;
  if (!fixed) ResetPlanCache();
  ereport(ERROR, (errcode(ERRCODE_FDW_ERROR), errmsg("server \"%s\" does not allow aggregates", state->server->name),
                  fixed ? errhint("Set db-aggregates-enabled there, or server option aggregates to false.")
                        : errhint("Execute the statement again: it will aggregate here.")));
}

void TraceAnswers(Reader *reader) {
  const AnswerTrace *trace;
  while ((trace = Guard([&] { return reader->NextTrace(); })) != nullptr)
    TraceAnswer(*trace);
}

// Goes on to the next page if it is there: see Reader::Next.
Reader::Step TryNextPage(ForeignScanState *node, ScanState *state) {
  Reader *reader = state->objects->reader.get();
  PumpAndRenew(state->session, reader);
  Reader::Step const step = Guard([&] { return reader->Next(); });
  TraceAnswers(reader);
  if (step == Reader::Step::kRefused) Refused(node, state);
  if (step != Reader::Step::kPage) return step;
  if (PlanList(state, kPlanFunctions) != NIL) RememberAggregates(state->server, Aggregates::kAllowed);
  state->row = reader->first_row();
  return step;
}

// Goes on to the next page; waits for it, unless the scan is asynchronous.
Reader::Step NextPage(ForeignScanState *node, ScanState *state) {
  for (;;) {
    Reader::Step const step = TryNextPage(node, state);
    if (step != Reader::Step::kWait || (node->ss.ps.async_capable && !state->keeps_rows)) return step;
    instr_time start, end;
    INSTR_TIME_SET_CURRENT(start);
    AwaitAny(state->session);
    INSTR_TIME_SET_CURRENT(end);
    INSTR_TIME_SUBTRACT(end, start);
    state->objects->reader->counters().wait_us += static_cast<int64_t>(INSTR_TIME_GET_MICROSEC(end));
  }
}

// Keeps the network going while rows are consumed. Half of the first page: the query wants more than a little.
void LookAhead(ScanState *state, Reader *reader) {
  if (state->row % kPumpRows != 0) return;
  PumpAndRenew(state->session, reader);
  if (reader->counters().pages == 1 && state->row < reader->page().rows() / 2) return;
  Guard([&] { reader->LookAhead(); });
  TraceAnswers(reader);
}

bool PassesRecheck(ForeignScanState *node, TupleTableSlot *slot) {
  ExprContext *context = node->ss.ps.ps_ExprContext;
  context->ecxt_scantuple = slot;
  ResetExprContext(context);
  return ExecQual(node->fdw_recheck_quals, context);
}

// What a scan of a whole table has shown of its size is worth keeping: all rows that were read, else what the server
// estimated with the first page.
void LearnCount(ForeignScanState *node, ScanState *state) {
  const ScanObjects *objects = state->objects;
  // A function's rows depend on its arguments.
  bool const whole = reinterpret_cast<Scan *>(node->ss.ps.plan)->scanrelid > 0 && state->table->function == nullptr &&
                     PlanList(state, kPlanConditions) == NIL;
  if (!whole || objects->reader == nullptr) return;
  ReadCounters const &counters = objects->reader->counters();
  bool const complete = state->exhausted && !objects->options.row_limit && !objects->options.at_most;
  uint64_t const rows = complete ? counters.rows : counters.counted;
  // An empty table is rather one that is about to be filled.
  if (rows > 0) RememberCount(state->server, state->table, state->identity, static_cast<double>(rows));
}

// One page had no room for a query's rows: the next time it may, unless the server cuts pages anyway.
void LearnBrought(ScanState *state) {
  const ScanObjects *objects = state->objects;
  if (!state->exhausted || state->recheck || objects->reader == nullptr || objects->reader->capped()) return;
  ReadCounters const &counters = objects->reader->counters();
  List *query;
  if (counters.rows <= Pager::kFirstPage || counters.rows > Pager::kNextPage || !TakesAll(state, &query)) return;
  RememberBrought(state->server, state->table, state->identity, query,
                  {static_cast<double>(counters.rows), static_cast<double>(counters.text)});
}

}  // namespace

void InitColumns(ScanState *state, TupleDesc desc) {
  List *columns = PlanList(state, kPlanColumns);
  state->column_count = list_length(columns);
  Size const count = static_cast<Size>(state->column_count);
  state->converters = static_cast<ColumnConverter *>(palloc0(sizeof(ColumnConverter) * count));
  state->attnos = static_cast<AttrNumber *>(palloc0(sizeof(AttrNumber) * count));
  state->slots = static_cast<int *>(palloc0(sizeof(int) * count));
  ListCell *cell;
  foreach (cell, columns) {
    int const i = foreach_current_index(cell);
    state->attnos[i] = static_cast<AttrNumber>(lfirst_int(cell));
    bool const system = state->attnos[i] < 0 && !state->groups;
    state->slots[i] = state->groups ? i : lfirst_int(cell) - 1;
    state->system_columns = state->system_columns || system;
    InitConverter(&state->converters[i],
                  system ? const_cast<Form_pg_attribute>(SystemAttributeDefinition(state->attnos[i]))
                         : TupleDescAttr(desc, state->slots[i]),
                  CurrentMemoryContext);
  }
  List *key = PlanList(state, kPlanKey);
  state->key_count = list_length(key);
  state->key = static_cast<int *>(palloc0(sizeof(int) * static_cast<Size>(state->key_count + 1)));
  foreach (cell, key)
    state->key[foreach_current_index(cell)] = lfirst_int(cell);
  state->position = {get_rel_name(state->table->id), nullptr, nullptr, state->key_count, state->key, state->converters};
}

void EvaluateParameters(ForeignScanState *node, ScanState *state, Datum **values, bool **isnull) {
  ExprContext *context = node->ss.ps.ps_ExprContext;
  Size const count = static_cast<Size>(list_length(state->expression_states));
  *values = static_cast<Datum *>(palloc0(sizeof(Datum) * (count + 1)));
  *isnull = static_cast<bool *>(palloc0(sizeof(bool) * (count + 1)));
  ListCell *cell;
  foreach (cell, state->expression_states) {
    int const i = foreach_current_index(cell);
    (*values)[i] = ExecEvalExpr(static_cast<ExprState *>(lfirst(cell)), context, &(*isnull)[i]);
  }
}

void SetSelectAndOrder(ScanState *state) {
  ReadQuery *query = &state->objects->options.query;
  const char *relation = ToUtf8(state->table->table_name);
  Guard([&] {
    *query = ReadQuery();
    query->relation = relation;
  });
  List *functions = PlanList(state, kPlanFunctions);
  for (int i = 0; i < state->column_count; i++) {
    const Column *column = state->attnos[i] > 0 ? &state->table->columns[state->attnos[i] - 1] : nullptr;
    const char *name = column != nullptr ? ToUtf8(column->name) : state->attnos[i] < 0 ? state->converters[i].name : "";
    const char *function = functions != NIL ? strVal(list_nth(functions, i)) : "";
    // The type of an aggregate is its own.
    bool const as_text =
        column != nullptr && *function == '\0' ? column->as_text : GetTypeRule(state->converters[i].type).as_text;
    Guard([&] { query->select.push_back({name, as_text, function}); });
  }
  // What makes groups of columns alone.
  if (list_length(functions) > state->column_count) Guard([&] { query->select.push_back({"", false, "count"}); });
  ListCell *cell;
  foreach (cell, PlanList(state, kPlanOrder)) {
    auto *item = static_cast<List *>(lfirst(cell));
    const char *name = ToUtf8(strVal(linitial(item)));
    bool const descending = intVal(lsecond(item)) != 0, nulls_first = intVal(lthird(item)) != 0;
    Guard([&] { query->order.push_back({name, descending, nulls_first}); });
  }
}

// Makes the row one that has the remote row's ctid and xmin: only a heap tuple can.
static void StoreSystemColumns(TupleTableSlot *slot, Datum ctid, Datum xmin) {
  HeapTuple tuple = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
  if (ctid != 0) tuple->t_self = *reinterpret_cast<ItemPointer>(DatumGetPointer(ctid));
  HeapTupleHeaderSetXmin(tuple->t_data, DatumGetTransactionId(xmin));
  ExecForceStoreHeapTuple(tuple, slot, false);
}

void StoreRow(ScanState *state, const Cell *row, TupleTableSlot *slot) {
  MemoryContextReset(state->row_context);
  MemoryContext const old = MemoryContextSwitchTo(state->row_context);
  Datum system[2] = {0, 0};  // ctid, xmin
  memset(slot->tts_isnull, true, sizeof(bool) * static_cast<Size>(slot->tts_tupleDescriptor->natts));
  ErrorContextCallback callback = {error_context_stack, ConvertErrorContext, &state->position};
  error_context_stack = &callback;
  state->position.row = row;
  for (int i = 0; i < state->column_count; i++) {
    ColumnConverter *converter = &state->converters[i];
    int const slot_index = state->slots[i];
    state->position.converter = converter;
    if (state->attnos[i] < 0 && !state->groups) {
      bool isnull;
      system[slot_index == SelfItemPointerAttributeNumber - 1 ? 0 : 1] = ConvertCell(converter, &row[i], &isnull);
      continue;
    }
    slot->tts_values[slot_index] = ConvertCell(converter, &row[i], &slot->tts_isnull[slot_index]);
  }
  state->position.converter = nullptr;
  error_context_stack = callback.previous;
  if (state->table->function != nullptr) StoreArguments(state, slot);
  ExecStoreVirtualTuple(slot);
  if (state->system_columns) StoreSystemColumns(slot, system[0], system[1]);
  MemoryContextSwitchTo(old);
}

List *PlanList(const ScanState *state, int which) {
  return static_cast<List *>(list_nth(state->plan, which));
}

void ChooseSelect(ScanState *state) {
  bool const whole = PlanInteger(state, kPlanAtMost) == 1 && !*state->table->by_name && TakesWholeRows(state);
  Guard([&] { state->objects->options.query.whole = whole; });
}

void FillPrototype(const ScanState *state, Request *prototype, const char *schema, bool allow_private) {
  FillRequest(prototype, state->server, schema, allow_private);
  if (state->table->function != nullptr) SetCallRequest(state->objects, state->server, schema, prototype);
  AddCredential(state->objects->credential, prototype);
}

void BuildQuery(ScanState *state, const Datum *values, const bool *isnull, List *more) {
  ParameterValues const parameters = {state->expressions, values, isnull};
  SetSelectAndOrder(state);
  ListCell *cell;
  foreach (cell, list_concat_copy(PlanList(state, kPlanConditions), more)) {
    BuildCondition(&state->objects->conditions, static_cast<List *>(lfirst(cell)), &parameters);
  }
  state->never = !SetConditions(state->objects);
  SetPaging(state, RowLimit(state, values, isnull));
  SetExpected(state);
  ChooseTop(state);
  if (state->table->function != nullptr && !BindArguments(state, values, isnull)) state->never = true;
}

void BeginForeignScan(ForeignScanState *node, int flags) {
  auto *plan = reinterpret_cast<ForeignScan *>(node->ss.ps.plan);
  auto *state = static_cast<ScanState *>(palloc0(sizeof(ScanState)));
  node->fdw_state = state;
  Oid const table_id = ScannedTable(node)->relid;
  state->server = UseServer(GetForeignServerIdByRelId(table_id));
  RequireProject(state->server);
  state->table = UseTable(table_id, state->server);
  state->plan = plan->fdw_private;
  state->groups = plan->scan.scanrelid == 0;
  state->descriptor = state->always_readable = -1;
  state->expressions = plan->fdw_exprs;
  state->argument_context =
      AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "supabase_fdw arguments", ALLOCSET_SMALL_SIZES);
  state->objects = Own<ScanObjects>(node->ss.ps.state->es_query_cxt);
  // Its first block, which a reset keeps, holds what converting a row takes.
  state->row_context =
      AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "supabase_fdw row", ALLOCSET_DEFAULT_SIZES);
  InitColumns(state, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
  state->identity = EstimateIdentity(state->server, ActingUser(node));
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  CheckHostAllowed(state->server);
  ResolveCredential(state->server, ActingUser(node),
                    state->table->require_user_jwt ? Actor::kRequiredUser : Actor::kUser, &state->objects->credential);
  state->expression_states = ExecInitExprList(plan->fdw_exprs, reinterpret_cast<PlanState *>(node));
  state->session = GetSession();
  state->row_cap = GetRowCap(state->server);
}

TupleTableSlot *LocalGroup(ForeignScanState *node) {
  // A scan is called in the memory of one tuple, a plan in that of the query: what a sort or a hash table begins with
  // must outlive the row.
  MemoryContext const old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
  TupleTableSlot *row = ExecProcNode(outerPlanState(node));
  MemoryContextSwitchTo(old);
  return TupIsNull(row) ? node->ss.ss_ScanTupleSlot : ExecCopySlot(node->ss.ss_ScanTupleSlot, row);
}

static TupleTableSlot *NextRow(ForeignScanState *node, ScanState *state) {
  TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
  for (;;) {
    ExecClearTuple(slot);
    if (state->local) return LocalGroup(node);
    if (state->exhausted || (state->never && !HasOneGroup(state))) return slot;
    if (state->never) {
      StoreEmptyGroup(state, slot);
      state->exhausted = true;
      return slot;
    }
    if (state->objects->counts != nullptr) {
      StoreCounts(state, slot);
      state->exhausted = true;
      return slot;
    }
    Reader *reader = state->objects->reader.get();
    if (state->row >= reader->page().rows()) {
      Reader::Step const step = NextPage(node, state);
      state->exhausted = step == Reader::Step::kEnd || step == Reader::Step::kRefused;
      state->waiting = step == Reader::Step::kWait;
      if (state->waiting) return slot;
      continue;
    }
    const Cell *row = reader->page().Row(state->row++);
    LookAhead(state, reader);
    StoreRow(state, row, slot);
    if (!state->recheck || PassesRecheck(node, slot)) return slot;
  }
}

// Reads what is left before the first row is given out.
static void KeepRows(ForeignScanState *node, ScanState *state) {
  EState *estate = node->ss.ps.state;
  state->kept_context = AllocSetContextCreate(estate->es_query_cxt, "supabase_fdw kept rows", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const old = MemoryContextSwitchTo(state->kept_context);
  for (;;) {
    TupleTableSlot *row = NextRow(node, state);
    if (TupIsNull(row)) break;
    state->kept = lappend(state->kept, ExecCopySlotHeapTuple(row));
  }
  MemoryContextSwitchTo(old);
}

static TupleTableSlot *NextKept(ForeignScanState *node, ScanState *state) {
  TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
  if (state->kept_context == nullptr) KeepRows(node, state);
  if (state->kept_row >= list_length(state->kept)) return ExecClearTuple(slot);
  ExecForceStoreHeapTuple(static_cast<HeapTuple>(list_nth(state->kept, state->kept_row++)), slot, false);
  return slot;
}

TupleTableSlot *IterateForeignScan(ForeignScanState *node) {
  auto *state = static_cast<ScanState *>(node->fdw_state);
  if (!state->started) StartScan(node, state);
  return state->keeps_rows ? NextKept(node, state) : NextRow(node, state);
}

void ReScanForeignScan(ForeignScanState *node) {
  auto *state = static_cast<ScanState *>(node->fdw_state);
  if (!state->started) return;
  if (state->kept_context != nullptr) MemoryContextDelete(state->kept_context);
  state->kept_context = nullptr;
  state->kept = NIL;
  state->kept_row = 0;
  ScanObjects *objects = state->objects;
  bool const same = node->ss.ps.chgParam == nullptr;
  bool const rewind =
      same && objects->reader != nullptr && !state->never && Guard([&] { return objects->reader->OnlyPage(); });
  if (rewind || (Seeded(Bug::kRescanKeepsRows) && objects->reader != nullptr && !state->never &&
                 Guard([&] { return objects->reader->OnlyPage(); }))) {
    state->row = 0;
    state->exhausted = false;
    return;
  }
  Guard([&] {
    if (objects->reader != nullptr) objects->before.Add(objects->reader->counters());
    if (objects->counts != nullptr) objects->before.Add(objects->counts->counters());
    objects->reader.reset();
    objects->counts.reset();
  });
  state->started = false;
}

void EndForeignScan(ForeignScanState *node) {
  auto *state = static_cast<ScanState *>(node->fdw_state);
  if (state == nullptr) return;
  LearnCount(node, state);
  LearnBrought(state);
  LearnTop(state);
  if (state->objects->reader != nullptr && state->objects->reader->whole_unfit()) *state->table->by_name = true;
  // What is under way is aborted now; the rest goes with the memory context.
  ScanObjects *objects = state->objects;
  Guard([&] {
    objects->reader.reset();
    objects->counts.reset();
  });
}

}  // namespace supabase::pg
