// Writing row by row, as the executor hands over: with row triggers or views that check, into partitions, by COPY.

#include "fdw/acting_user.hpp"
#include "fdw/bridge.hpp"
#include "fdw/modify.hpp"
#include "fdw/write.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/heap.h"
#include "commands/trigger.h"
#include "executor/executor.h"
}

namespace supabase::pg {
namespace {

struct ModifyState {
  WriteState *write;
  bool buffered;       // rows are answered for before they are sent: nobody looks at what becomes of each
  bool any_column;     // a trigger can give a value to columns that the statement does not name
  Bitmapset *named;    // those that it names
  AttrNumber old_row;  // UPDATE with any_column: where the row below has the row as it was
};

ModifyState *StateOf(ResultRelInfo *info) {
  return static_cast<ModifyState *>(info->ri_FdwState);
}

bool HasTrigger(const ResultRelInfo *info, bool TriggerDesc::*which) {
  return info->ri_TrigDesc != nullptr && info->ri_TrigDesc->*which;
}

bool IsWritable(const Table *table, TupleDesc desc, int attno) {
  return table->columns[attno - 1].name != nullptr && TupleDescAttr(desc, attno - 1)->attgenerated == '\0';
}

List *AllColumns(Relation relation, bool writable) {
  const Table *table = TableOf(RelationGetRelid(relation));
  List *columns = NIL;
  for (int attno = 1; attno <= table->natts; attno++) {
    if (table->columns[attno - 1].name == nullptr) continue;
    if (!writable || IsWritable(table, RelationGetDescr(relation), attno)) columns = lappend_int(columns, attno);
  }
  return columns;
}

// What comes back of each row: what RETURNING needs, all where a trigger or check option sees the row.
List *ReturnedColumns(const ResultRelInfo *info, CmdType operation, List *returning) {
  bool const seen = info->ri_WithCheckOptions != NIL ||
                    (operation == CMD_INSERT && HasTrigger(info, &TriggerDesc::trig_insert_after_row)) ||
                    (operation == CMD_UPDATE && HasTrigger(info, &TriggerDesc::trig_update_after_row));
  return seen ? AllColumns(info->ri_RelationDesc, false) : returning;
}

ModifyState *MakeState(ResultRelInfo *info, CmdType operation, List *columns, List *returning, bool ignore) {
  auto *state = static_cast<ModifyState *>(palloc0(sizeof(ModifyState)));
  Relation const relation = info->ri_RelationDesc;
  ListCell *cell;
  foreach (cell, columns)
    state->named = bms_add_member(state->named, lfirst_int(cell));
  state->any_column = (operation == CMD_INSERT && HasTrigger(info, &TriggerDesc::trig_insert_before_row)) ||
                      (operation == CMD_UPDATE && HasTrigger(info, &TriggerDesc::trig_update_before_row));
  if (state->any_column) columns = AllColumns(relation, true);
  state->write = MakeWriteState(relation, VerbOf(operation), columns, ReturnedColumns(info, operation, returning), NIL);
  if (operation == CMD_INSERT) SetConflict(state->write, ignore);
  return state;
}

bool KeepsRows(PlanState *node, void *) {
  if (IsA(node, ForeignScanState)) {
    auto *scan = reinterpret_cast<ForeignScanState *>(node);
    bool const reads = reinterpret_cast<ForeignScan *>(node->plan)->operation == CMD_SELECT;
    if (reads && scan->fdwroutine->IterateForeignScan == IterateForeignScan && scan->fdw_state != nullptr)
      static_cast<ScanState *>(scan->fdw_state)->keeps_rows = true;
  }
  return WalkPlanStates(node, KeepsRows);
}

// What is written row by row must not show up among the rows that are still to be read.
void KeepRowsBelow(ModifyTableState *mtstate) {
  if (mtstate->ps.plan != nullptr && outerPlanState(mtstate) != nullptr)
    (void)KeepsRows(outerPlanState(mtstate), nullptr);
}

// Finds the row's identity among the columns of the plan below.
void FindIdentity(WriteState *write, Relation relation, const Plan *below) {
  List *key = IdentityColumns(write->rows->table), *positions;
  if (!IdentityPositions(write->rows->table, below->targetlist, &positions))
    elog(ERROR, "could not find the key of a row to be changed");
  write->key = MakeOutgoing(write->rows->table, RelationGetDescr(relation), key, positions);
}

bool Same(const PayloadValue &a, const PayloadValue &b) {
  return a.kind == b.kind && a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// Leaves columns out that neither the statement nor a trigger has given a value, which is then the one in `old`: the
// remote's own values are for them. The rest becomes the statement's columns and `values`.
void KeepGiven(ModifyState *state, const PayloadValue *old, std::vector<PayloadValue> *values) {
  WriteState *write = state->write;
  const Outgoing *columns = &write->columns;
  auto *named = static_cast<bool *>(palloc0(sizeof(bool) * static_cast<Size>(columns->count + 1)));
  for (int i = 0; i < columns->count; i++)
    named[i] = bms_is_member(columns->encoders[i].attno, state->named);
  Guard([&] {
    std::vector<std::string> names;
    for (int i = 0; i < columns->count; i++) {
      if (!named[i] && Same(columns->values[i], old[i])) continue;
      names.emplace_back(columns->encoders[i].name);
      values->push_back(columns->values[i]);
    }
    write->objects->payload = std::make_unique<Payload>(names);
    write->objects->query.columns = std::move(names);
  });
}

void AddInsert(ModifyState *state, TupleTableSlot *slot) {
  WriteState *write = state->write;
  slot_getallattrs(slot);
  RowValues const row = {slot->tts_values, slot->tts_isnull};
  if (!state->any_column) {
    AddRow(write, row);
    return;
  }
  MemoryContextReset(write->rows->row_context);
  MemoryContext const old = MemoryContextSwitchTo(write->rows->row_context);
  EncodeRow(write->columns.encoders, write->columns.positions, write->columns.count, row, write->columns.values);
  auto *nulls =
      static_cast<PayloadValue *>(palloc0(sizeof(PayloadValue) * static_cast<Size>(write->columns.count + 1)));
  auto *given = Own<std::vector<PayloadValue>>(CurrentMemoryContext);
  KeepGiven(state, nulls, given);
  Guard([&] { write->objects->payload->AddRow(given->data()); });
  MemoryContextSwitchTo(old);
}

// The new values of a row; where a trigger may have made some, only those that differ from the old ones.
void EncodeUpdate(ModifyState *state, TupleTableSlot *slot, TupleTableSlot *source) {
  WriteState *write = state->write;
  Outgoing *columns = &write->columns;
  slot_getallattrs(slot);
  EncodeRow(columns->encoders, columns->positions, columns->count, {slot->tts_values, slot->tts_isnull},
            columns->values);
  if (!state->any_column) {
    Guard([&] { write->objects->body = write->objects->payload->Object(columns->values); });
    return;
  }
  auto *old = static_cast<PayloadValue *>(palloc0(sizeof(PayloadValue) * static_cast<Size>(columns->count + 1)));
  HeapTupleHeader const row = DatumGetHeapTupleHeader(source->tts_values[state->old_row - 1]);
  HeapTupleData tuple;
  tuple.t_len = HeapTupleHeaderGetDatumLength(row);
  ItemPointerSetInvalid(&tuple.t_self);
  tuple.t_tableOid = InvalidOid;
  tuple.t_data = row;
  TupleDesc const desc = slot->tts_tupleDescriptor;
  auto *values = static_cast<Datum *>(palloc0(sizeof(Datum) * static_cast<Size>(desc->natts)));
  auto *isnull = static_cast<bool *>(palloc0(sizeof(bool) * static_cast<Size>(desc->natts)));
  heap_deform_tuple(&tuple, desc, values, isnull);
  EncodeRow(columns->encoders, columns->positions, columns->count, {values, isnull}, old);
  auto *given = Own<std::vector<PayloadValue>>(CurrentMemoryContext);
  KeepGiven(state, old, given);
  Guard([&] { write->objects->body = write->objects->payload->Object(given->data()); });
}

// Sends what is there; waits only for a place.
void SendBatch(WriteState *write) {
  while (!MaySend(write))
    (void)TakeAnswer(write, true);
  SendRows(write);
  while (TakeAnswer(write, false)) {
  }
}

// Waits for the one request that was sent; the changed row in the slot, or NULL when there is none.
TupleTableSlot *Answered(WriteState *write, TupleTableSlot *slot) {
  uint64_t const before = write->changed;
  (void)TakeAnswer(write, true);
  if (write->changed == before) return nullptr;
  if (write->objects->page.rows() > 0) StoreReturned(write, 0, slot);
  return slot;
}

// An UPDATE or DELETE of the row that `source` names; NULL when this statement has changed that row before, as
// PostgreSQL does with a row that a join finds twice.
TupleTableSlot *ChangeRow(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source) {
  ModifyState *state = StateOf(info);
  WriteState *write = state->write;
  WriteObjects *objects = write->objects;
  slot_getallattrs(source);
  MemoryContextReset(write->rows->row_context);
  MemoryContext const old = MemoryContextSwitchTo(write->rows->row_context);
  EncodeRow(write->key.encoders, write->key.positions, write->key.count, {source->tts_values, source->tts_isnull},
            write->key.values);
  if (write->verb == WriteVerb::kUpdate) {
    // PostgreSQL moves no row out of a partition that is a foreign table.
    if (info->ri_RelationDesc->rd_rel->relispartition) ExecPartitionCheck(info, slot, estate, true);
    EncodeUpdate(state, slot, source);
  }
  bool const again = Guard([&] {
    KeyedWrites::Key key;
    for (int i = 0; i < write->key.count; i++)
      key.emplace_back(write->key.values[i].data, write->key.values[i].size);
    if (!objects->keyed->Add("", std::move(key))) return true;
    objects->query.rows.where = {objects->keyed->Next(kMaxTargetBytes).keys};
    return false;
  });
  MemoryContextSwitchTo(old);
  if (again) return nullptr;
  if (write->entry == nullptr) ReadBeforeChanging(estate, info);
  SendWrite(write, 1, false);
  return Answered(write, slot);
}

// What ChangeRow names rows by, and knows them again by.
void StartChanging(WriteState *write) {
  Guard([&] {
    std::vector<std::string> names;
    for (int i = 0; i < write->key.count; i++)
      names.emplace_back(write->key.encoders[i].name);
    write->objects->keyed = std::make_unique<KeyedWrites>(std::move(names), 1, true);
  });
}

// The columns that rows which come from elsewhere (COPY, a partitioned table) have values for: those that the statement
// names, and those with a local default.
List *RoutedColumns(EState *estate, ResultRelInfo *info, bool all) {
  Relation const relation = info->ri_RelationDesc;
  List *columns = AllColumns(relation, true);
  if (all) return columns;
  Bitmapset *named = ExecGetInsertedCols(info, estate);
  Relation const root = info->ri_RootResultRelInfo != nullptr ? info->ri_RootResultRelInfo->ri_RelationDesc : relation;
  List *given = NIL;
  ListCell *cell;
  foreach (cell, columns) {
    int const attno = lfirst_int(cell);
    Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), attno - 1);
    AttrNumber const above = get_attnum(RelationGetRelid(root), NameStr(attribute->attname));
    bool const has_default =
        attribute->atthasdef || (above > 0 && TupleDescAttr(RelationGetDescr(root), above - 1)->atthasdef);
    if (has_default || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, named))
      given = lappend_int(given, attno);
  }
  return given;
}

}  // namespace

void BeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *info, List *fdw_private, int, int flags) {
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  ModifyState *state = MakeState(info, mtstate->operation, static_cast<List *>(list_nth(fdw_private, kModifyColumns)),
                                 static_cast<List *>(list_nth(fdw_private, kModifyReturning)),
                                 intVal(list_nth(fdw_private, kModifyIgnore)) != 0);
  if (mtstate->operation != CMD_INSERT) {
    FindIdentity(state->write, info->ri_RelationDesc, outerPlanState(mtstate)->plan);
    StartChanging(state->write);
    state->write->counts_missing = true;
    state->old_row = ExecFindJunkAttributeInTlist(outerPlanState(mtstate)->plan->targetlist, "wholerow");
  }
  KeepRowsBelow(mtstate);
  StartWriting(state->write, WritingUser(mtstate->ps.state, info));
  info->ri_FdwState = state;
}

void BeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *info) {
  auto *plan = reinterpret_cast<ModifyTable *>(mtstate->ps.plan);
  bool const moved = plan != nullptr && plan->operation == CMD_UPDATE;
  if (moved && (info->ri_usesFdwDirectModify || info->ri_FdwState != nullptr)) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot route tuples into foreign table to be updated \"%s\"",
                           RelationGetRelationName(info->ri_RelationDesc))));
  }
  EState *estate = mtstate->ps.state;
  List *returning = info->ri_returningList != NIL ? AllColumns(info->ri_RelationDesc, false) : NIL;
  bool const ignore = plan != nullptr && plan->onConflictAction == ONCONFLICT_NOTHING;
  ModifyState *state = MakeState(info, CMD_INSERT, RoutedColumns(estate, info, moved), returning, ignore);
  // COPY asks for each row alone before PostgreSQL 16.
  state->buffered = plan == nullptr && GetForeignModifyBatchSize(info) > 1;
  KeepRowsBelow(mtstate);
  StartWriting(state->write, WritingUser(estate, info));
  info->ri_FdwState = state;
}

TupleTableSlot *ExecForeignInsert(EState *, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *) {
  ModifyState *state = StateOf(info);
  AddInsert(state, slot);
  if (state->buffered) {
    if (BatchIsFull(state->write)) SendBatch(state->write);
    return slot;
  }
  SendRows(state->write);
  return Answered(state->write, slot);
}

TupleTableSlot **ExecForeignBatchInsert(EState *, ResultRelInfo *info, TupleTableSlot **slots, TupleTableSlot **,
                                        int *count) {
  ModifyState *state = StateOf(info);
  WriteState *write = state->write;
  uint64_t const before = write->changed;
  for (int i = 0; i < *count; i++) {
    AddInsert(state, slots[i]);
    if (BatchIsFull(write)) SendBatch(write);
  }
  SendBatch(write);
  // The last batch is the one that is not full. Where rows can be left out, their number must be known now.
  bool const some = write->objects->query.conflict == Conflict::kIgnore;
  if (some || *count < info->ri_BatchSize) FinishWriting(write);
  if (some) *count = static_cast<int>(write->changed - before);
  return slots;
}

int GetForeignModifyBatchSize(ResultRelInfo *info) {
  if (info->ri_projectReturning != nullptr || info->ri_returningList != NIL || info->ri_WithCheckOptions != NIL ||
      HasTrigger(info, &TriggerDesc::trig_insert_before_row) || HasTrigger(info, &TriggerDesc::trig_insert_after_row)) {
    return 1;
  }
  return TableOf(RelationGetRelid(info->ri_RelationDesc))->batch_size;
}

TupleTableSlot *ExecForeignUpdate(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source) {
  return ChangeRow(estate, info, slot, source);
}

TupleTableSlot *ExecForeignDelete(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source) {
  return ChangeRow(estate, info, slot, source);
}

void EndForeignModify(EState *, ResultRelInfo *info) {
  ModifyState *state = StateOf(info);
  if (state == nullptr) return;
  SendRows(state->write);
  FinishWriting(state->write);
}

void EndForeignInsert(EState *estate, ResultRelInfo *info) {
  EndForeignModify(estate, info);
}

void ExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *info, List *fdw_private, int,
                          ExplainState *explain) {
  if (!explain->verbose) return;
  ModifyState *state = MakeState(info, mtstate->operation, static_cast<List *>(list_nth(fdw_private, kModifyColumns)),
                                 static_cast<List *>(list_nth(fdw_private, kModifyReturning)),
                                 intVal(list_nth(fdw_private, kModifyIgnore)) != 0);
  WriteState *write = state->write;
  if (mtstate->operation != CMD_INSERT) {
    FindIdentity(write, info->ri_RelationDesc, outerPlanState(mtstate)->plan);
    ShowKey(write);
  }
  ExplainPropertyText("Remote Request", WriteRequestText(write), explain);
}

}  // namespace supabase::pg
