// Direct modifications: a node that executes a whole INSERT, UPDATE or DELETE.

#include "fdw/direct_modify.hpp"

#include "fdw/acting_user.hpp"
#include "fdw/bridge.hpp"
#include "fdw/plan.hpp"

extern "C" {
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
}

namespace supabase::pg {
namespace {

DirectState *StateOf(ForeignScanState *node) {
  return static_cast<DirectState *>(node->fdw_state);
}

List *DirectList(const DirectState *state, DirectPrivate which) {
  return static_cast<List *>(list_nth(state->plan, which));
}

bool Is(const DirectState *state, DirectFlag flag) {
  return (state->flags & flag) != 0;
}

bool IsOurScan(PlanState *node, void *) {
  if (IsA(node, ForeignScanState) &&
      reinterpret_cast<ForeignScanState *>(node)->fdwroutine->IterateForeignScan == IterateForeignScan) {
    return true;
  }
  return WalkPlanStates(node, IsOurScan);
}

// Whether the plan below reads remote tables: what this statement writes must not show up there.
bool ReadsRemote(ForeignScanState *node) {
  PlanState *below = outerPlanState(node);
  return below != nullptr && IsOurScan(below, nullptr);
}

// ---- pushed: requests that name their rows by the statement's own conditions ----

// Whether a request with those conditions is too long. They may not be weakened.
bool IsTooLong(const WriteQuery &query, const ReadQuery &rows) {
  WriteQuery whole = query;
  whole.rows.where = rows.where;
  return BuildWriteTarget(whole).size() > kMaxTargetBytes;
}

// The statement's requests, with the conditions and new values of the moment (NULL values: EXPLAIN); NULL when no row
// can meet the conditions.
SplitQuery *MakePushed(DirectState *state, const Datum *values, const bool *isnull) {
  WriteState *write = state->write;
  BuildQuery(write->rows, values, isnull, NIL);
  if (write->rows->never) return nullptr;
  if (values != nullptr) {
    EncodeRow(write->columns.encoders, write->columns.positions, write->columns.count, {values, isnull},
              write->columns.values);
  }
  AllRows const all = NameAllRows(write->rows->table);
  const WriteObjects *objects = write->objects;
  ReadQuery *rows = &write->rows->objects->options.query;
  auto *split = Own<SplitQuery>(CurrentMemoryContext);
  bool const fits = Guard([&] {
    if (rows->where.empty()) rows->where.push_back(Everything(all));
    *split = SplitList(std::move(*rows), SIZE_MAX);
    if (split->dropped > 0) return false;
    for (const ReadQuery &part : split->parts) {
      if (IsTooLong(objects->query, part)) return false;
    }
    return true;
  });
  if (!fits) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("conditions cannot be sent in one request"),
                    errdetail("They are too long, or have values that a request cannot express."),
                    errhint("Set supabase_fdw.enable_pushdown to off for this statement.")));
  }
  return split;
}

void StartPushed(ForeignScanState *node, DirectState *state) {
  MemoryContext const old = MemoryContextSwitchTo(state->parameters);
  Datum *values;
  bool *isnull;
  state->write->rows->expression_states = state->expression_states;
  EvaluateParameters(node, state->write->rows, &values, &isnull);
  state->pushed = MakePushed(state, values, isnull);
  MemoryContextSwitchTo(old);
  state->no_more_rows = true;
}

void SendPushed(DirectState *state) {
  WriteState *write = state->write;
  const ReadQuery *part = &state->pushed->parts[state->part++];
  Guard([&] {
    write->objects->query.rows.where = part->where;
    if (write->verb == WriteVerb::kUpdate)
      write->objects->body = write->objects->payload->Object(write->columns.values);
  });
  SendWrite(write, 0, false);
}

// ---- fed INSERT ----

void SendInserts(ForeignScanState *node, DirectState *state) {
  WriteState *write = state->write;
  while (!BatchIsFull(write)) {
    TupleTableSlot *row = NextRowBelow(node, state);
    if (row == nullptr) break;
    slot_getallattrs(row);
    AddRow(write, {row->tts_values, row->tts_isnull});
  }
  SendRows(write);
}

// Keeps all rows below before the first request.
void StoreRowsBelow(ForeignScanState *node, DirectState *state) {
  PlanState *below = outerPlanState(node);
  state->store = tuplestore_begin_heap(false, false, work_mem);
  state->stored = MakeSingleTupleTableSlot(ExecGetResultType(below), &TTSOpsMinimalTuple);
  for (;;) {
    TupleTableSlot *row = ExecProcNode(below);
    if (TupIsNull(row)) break;
    tuplestore_puttupleslot(state->store, row);
  }
}

// Whether that is changed by a node of ours, which takes part in this execution.
bool IsDirect(const ResultRelInfo *info) {
  return info->ri_usesFdwDirectModify && info->ri_FdwState != nullptr &&
         info->ri_FdwRoutine->IterateDirectModify == IterateDirectModify;
}

bool IsSameRemote(const ScanState *rows, const Server *server, const Table *table) {
  return strcmp(rows->table->table_name, table->table_name) == 0 &&
         strcmp(rows->table->schema_name, table->schema_name) == 0 &&
         strcmp(rows->server->rest_url, server->rest_url) == 0;
}

void Start(ForeignScanState *node, DirectState *state) {
  state->started = true;
  MemoryContext const old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
  StartWriting(state->write, WritingUser(node->ss.ps.state, node->resultRelInfo));
  ReadBeforeChanging(node->ss.ps.state, node->resultRelInfo);
  if (Is(state, kDirectPushed)) {
    StartPushed(node, state);
  } else {
    if (state->write->verb != WriteVerb::kInsert) StartKeyed(node, state);
    if (state->store == nullptr && (state->write->verb != WriteVerb::kInsert || ReadsRemote(node)))
      StoreRowsBelow(node, state);
  }
  MemoryContextSwitchTo(old);
}

void SendNext(ForeignScanState *node, DirectState *state) {
  MemoryContext const old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
  if (Is(state, kDirectPushed)) {
    SendPushed(state);
  } else if (state->write->verb == WriteVerb::kInsert) {
    SendInserts(node, state);
  } else {
    SendKeyed(node, state);
  }
  MemoryContextSwitchTo(old);
}

bool HasMore(const DirectState *state) {
  const KeyedWrites *keyed = state->write->objects->keyed.get();
  return !state->no_more_rows || (keyed != nullptr && keyed->rows() > 0) ||
         (state->pushed != nullptr && state->part < state->pushed->parts.size());
}

// Goes on until an answer is there; false when all are taken and nothing is left to send.
bool Advance(ForeignScanState *node, DirectState *state) {
  WriteState *write = state->write;
  for (;;) {
    if (TakeAnswer(write, false)) return true;
    if (HasMore(state) && MaySend(write)) {
      SendNext(node, state);
      continue;
    }
    if (TakeAnswer(write, true)) return true;
    if (!HasMore(state)) return false;
  }
}

void Count(ForeignScanState *node, DirectState *state, uint64_t rows) {
  if (Is(state, kDirectSetsProcessed)) node->ss.ps.state->es_processed += rows;
  state->processed += rows;
}

// Makes the next row of an answer the one that RETURNING reads.
TupleTableSlot *ReturnRow(ForeignScanState *node, DirectState *state) {
  TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
  StoreReturned(state->write, state->row++, state->result);
  if (state->sources != nullptr) {
    ExecForceStoreMinimalTuple(FindSource(state), slot, false);
  } else {
    ExecStoreAllNullTuple(slot);
  }
  Count(node, state, 1);
  node->resultRelInfo->ri_projectReturning->pi_exprContext->ecxt_scantuple = state->result;
  return slot;
}

void ShowCounters(WriteState *write, ExplainState *explain) {
  Writer *writer = write->objects->writer.get();
  if (writer == nullptr) return;
  const WriteCounters &counters = writer->counters();
  ExplainPropertyInteger("Requests", nullptr, static_cast<int64>(counters.requests), explain);
  ExplainPropertyInteger("Rows Changed", nullptr, static_cast<int64>(counters.rows), explain);
  ExplainPropertyInteger("Bytes Sent", nullptr, static_cast<int64>(counters.bytes_sent), explain);
  ExplainPropertyInteger("Bytes Received", nullptr, static_cast<int64>(counters.bytes_received), explain);
  ExplainPropertyInteger("Retries", nullptr, static_cast<int64>(counters.retries), explain);
  if (explain->timing)
    ExplainPropertyFloat("Wait Time", "ms", static_cast<double>(counters.wait_us) / 1000.0, 3, explain);
}

}  // namespace

TupleTableSlot *NextRowBelow(ForeignScanState *node, DirectState *state) {
  TupleTableSlot *row;
  if (state->store != nullptr) {
    row = tuplestore_gettupleslot(state->store, true, false, state->stored) ? state->stored : nullptr;
  } else {
    row = ExecProcNode(outerPlanState(node));
  }
  if (!TupIsNull(row)) return row;
  state->no_more_rows = true;
  return nullptr;
}

void BeginDirectModify(ForeignScanState *node, int flags) {
  auto *plan = reinterpret_cast<ForeignScan *>(node->ss.ps.plan);
  auto *state = static_cast<DirectState *>(palloc0(sizeof(DirectState)));
  Relation relation = node->resultRelInfo->ri_RelationDesc;
  node->fdw_state = state;
  node->resultRelInfo->ri_FdwState = node;
  state->plan = plan->fdw_private;
  state->flags = intVal(list_nth(state->plan, kDirectFlags));
  state->write = MakeWriteState(relation, VerbOf(plan->operation), DirectList(state, kDirectColumns),
                                DirectList(state, kDirectReturning), DirectList(state, kDirectScan));
  WriteState *write = state->write;
  write->rows->expressions = plan->fdw_exprs;
  Outgoing const placed = MakeOutgoing(write->rows->table, RelationGetDescr(relation),
                                       DirectList(state, kDirectColumns), DirectList(state, kDirectPositions));
  write->columns = placed;
  if (plan->operation == CMD_INSERT) SetConflict(write, Is(state, kDirectIgnore));
  List *key = DirectList(state, kDirectKey);
  write->key = MakeOutgoing(write->rows->table, RelationGetDescr(relation), key, DirectList(state, kDirectKeyAt));
  write->counts_missing = key != NIL;
  state->parameters = AllocSetContextCreate(CurrentMemoryContext, "supabase_fdw parameters", ALLOCSET_DEFAULT_SIZES);
  state->result = ExecInitExtraTupleSlot(node->ss.ps.state, RelationGetDescr(relation), &TTSOpsHeapTuple);
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  state->expression_states = ExecInitExprList(plan->fdw_exprs, reinterpret_cast<PlanState *>(node));
}

void ReadBeforeChanging(EState *estate, const ResultRelInfo *info) {
  if (info->ri_RootResultRelInfo == nullptr) return;
  const Table *changed = TableOf(RelationGetRelid(info->ri_RelationDesc));
  const Server *server = UseServer(GetForeignServerIdByRelId(changed->id));
  MemoryContext const old = MemoryContextSwitchTo(estate->es_query_cxt);
  ListCell *cell;
  foreach (cell, estate->es_opened_result_relations) {
    auto *other = static_cast<const ResultRelInfo *>(lfirst(cell));
    if (other == info || other->ri_RootResultRelInfo != info->ri_RootResultRelInfo || !IsDirect(other)) continue;
    auto *node = static_cast<ForeignScanState *>(other->ri_FdwState);
    DirectState *state = StateOf(node);
    if (Is(state, kDirectPushed) || state->started || state->store != nullptr) continue;
    if (Is(state, kDirectReadsMore) || IsSameRemote(state->write->rows, server, changed)) StoreRowsBelow(node, state);
  }
  MemoryContextSwitchTo(old);
}

TupleTableSlot *IterateDirectModify(ForeignScanState *node) {
  DirectState *state = StateOf(node);
  WriteState *write = state->write;
  bool const returning = node->resultRelInfo->ri_projectReturning != nullptr;
  if (!state->started) Start(node, state);
  for (;;) {
    if (returning && state->row < write->objects->page.rows()) return ReturnRow(node, state);
    if (!Advance(node, state)) break;
    state->row = 0;
  }
  FinishWriting(write);
  if (!returning) {
    uint64_t const changed = write->changed - state->processed;
    Count(node, state, changed);
    if (node->ss.ps.instrument != nullptr) node->ss.ps.instrument->tuplecount += static_cast<double>(changed);
  }
  return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

void EndDirectModify(ForeignScanState *node) {
  DirectState *state = StateOf(node);
  if (state == nullptr) return;
  if (state->store != nullptr) tuplestore_end(state->store);
  if (state->stored != nullptr) ExecDropSingleTupleTableSlot(state->stored);
}

void ExplainDirectModify(ForeignScanState *node, ExplainState *explain) {
  DirectState *state = StateOf(node);
  WriteState *write = state->write;
  if (explain->analyze) ShowCounters(write, explain);
  if (!explain->verbose) return;
  const char *text;
  if (Is(state, kDirectPushed)) {
    const SplitQuery *pushed = MakePushed(state, nullptr, nullptr);
    if (pushed != nullptr) {
      Guard([&] { write->objects->query.rows.where = pushed->parts[0].where; });
      text = WriteRequestText(write);
    } else {
      text = "none: the conditions can never be true";
    }
  } else {
    if (write->verb != WriteVerb::kInsert) ShowKey(write);
    text = WriteRequestText(write);
  }
  ExplainPropertyText("Remote Request", text, explain);
  if (write->verb == WriteVerb::kInsert)
    ExplainPropertyInteger("Batch Size", nullptr, write->rows->table->batch_size, explain);
}

}  // namespace supabase::pg
