#include "fdw/management_modify.hpp"

#include "fdw/acting_user.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/fold.hpp"
#include "fdw/management_returning.hpp"
#include "fdw/management_send.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "executor/executor.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/rel.h"
}

namespace supabase::pg {

namespace {

constexpr char kWholeRow[] = "wholerow";

// fdw_private.
enum ModifyPrivate {
  kModifyMark,       // String
  kModifySet,        // UPDATE: attribute numbers of the SET list (IntList)
  kModifyReturning,  // attribute numbers that RETURNING needs (IntList)
};

struct ModifyObjects {
  ManagementObjects management;
  std::vector<ApiRow> rows;     // of the request that is being made
  std::vector<ApiRow> deleted;  // rows that one request will delete
  std::vector<WriteCall> calls;
  std::vector<size_t> set;
};

struct ManagementModify {
  ApiRelation *relation;
  CmdType operation;
  List *returning;
  AttrNumber whole_row;  // where the row below has the old one
  ModifyObjects *objects;
  Returning *answer;
  MemoryContext context;  // of one row
};

ManagementModify *StateOf(const ResultRelInfo *info) {
  return static_cast<ManagementModify *>(info->ri_FdwState);
}

// ---- Values ----

// A value's text as core takes it: JSON for arrays.
const char *ValueText(Oid type, Datum value) {
  if (!OidIsValid(get_element_type(type))) return ToUtf8(DatumToText(type, value));
  return ToUtf8(TextDatumGetCString(DirectFunctionCall1(array_to_json, value)));
}

void ReadSlot(const ManagementModify *modify, TupleTableSlot *slot, ApiRow *row) {
  const ApiRelation *relation = modify->relation;
  slot_getallattrs(slot);
  Guard([&] { row->assign(relation->api->columns.size(), std::nullopt); });
  for (int i = 0; i < relation->natts; i++) {
    if (relation->columns[i] < 0) continue;
    Oid const type = TupleDescAttr(slot->tts_tupleDescriptor, i)->atttypid;
    const char *text = slot->tts_isnull[i] ? nullptr : ValueText(type, slot->tts_values[i]);
    auto const column = static_cast<size_t>(relation->columns[i]);
    Guard([&] { (*row)[column] = ApiValue{text == nullptr, text == nullptr ? "" : text}; });
  }
}

// ---- Sending ----

const ApiOperation *OperationOf(const ManagementModify *modify, const char *name) {
  const TableOperation *operation = Guard([&] { return modify->relation->api->Find(name); });
  return operation->operation;
}

WriteKind KindOf(CmdType operation) {
  return operation == CMD_INSERT   ? WriteKind::kInserted
         : operation == CMD_UPDATE ? WriteKind::kUpdated
                                   : WriteKind::kDeleted;
}

// Sends the calls of objects->calls, one after the other. The answer of the last one is what RETURNING is made from.
CallObjects *SendCalls(const ManagementModify *modify, int rows) {
  ModifyObjects *objects = modify->objects;
  CallObjects *sent = nullptr;
  for (WriteCall &call : objects->calls) {
    CheckDestructive(modify->relation->server, call.operation);
    sent = Own<CallObjects>(modify->context);
    Guard([&] { sent->call = std::move(call); });
    WriteEntry *entry = EnterWrite(modify->relation->server, modify->relation->table, KindOf(modify->operation));
    bool const may_be_unknown = modify->operation == CMD_INSERT && rows == 1 && sent->call.operation->once;
    if (SendCall(&objects->management, sent, entry, rows, may_be_unknown) == Outcome::kAnswered) continue;
    // It may have been done: look before anything else, and ask again only if it was not.
    if (FindCreated(modify->answer, &objects->rows.front())) {
      WriteEnded(entry, static_cast<uint64_t>(rows), static_cast<uint64_t>(rows));
      return nullptr;
    }
    WriteEnded(entry, static_cast<uint64_t>(rows), 0);
    (void)SendCall(&objects->management, sent, entry, rows, false);
  }
  return sent;
}

void FlushDeletes(const ManagementModify *modify) {
  ModifyObjects *objects = modify->objects;
  if (objects->deleted.empty()) return;
  const ApiTable *api = modify->relation->api;
  auto const count = static_cast<int>(objects->deleted.size());
  Guard([&] {
    objects->calls = BuildDelete(*api, objects->deleted);
    objects->deleted.clear();
  });
  (void)SendCalls(modify, count);
}

// ---- Planning ----

List *ReturningColumns(const ModifyTable *plan, Index index, int subplan, Relation relation) {
  if (plan->returningLists == NIL) return NIL;
  Bitmapset *used = nullptr;
  pull_varattnos(static_cast<Node *>(list_nth(plan->returningLists, subplan)), index, &used);
  bool const whole = bms_is_member(-FirstLowInvalidHeapAttributeNumber, used);
  List *columns = NIL;
  for (int attno = 1; attno <= RelationGetNumberOfAttributes(relation); attno++) {
    if (TupleDescAttr(RelationGetDescr(relation), attno - 1)->attisdropped) continue;
    if (whole || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used)) columns = lappend_int(columns, attno);
  }
  return columns;
}

bool Has(const ApiTable *api, const char *operation) {
  return Guard([&] { return api->Find(operation) != nullptr; });
}

void Begin(EState *estate, ResultRelInfo *info, CmdType operation, List *set, List *returning, Oid role) {
  auto *modify = static_cast<ManagementModify *>(palloc0(sizeof(ManagementModify)));
  info->ri_FdwState = modify;
  modify->relation = UseApiRelation(RelationGetRelid(info->ri_RelationDesc));
  modify->operation = operation;
  modify->returning = returning;
  modify->objects = Own<ModifyObjects>(estate->es_query_cxt);
  modify->context = AllocSetContextCreate(estate->es_query_cxt, "supabase_fdw change", ALLOCSET_SMALL_SIZES);
  ListCell *cell;
  foreach (cell, returning)
    CheckSecretColumn(modify->relation, static_cast<AttrNumber>(lfirst_int(cell)), role);
  foreach (cell, set) {
    auto const column = static_cast<size_t>(modify->relation->columns[lfirst_int(cell) - 1]);
    ModifyObjects *objects = modify->objects;
    Guard([&] { objects->set.push_back(column); });
  }
  OpenManagement(modify->relation->server, role, &modify->objects->management);
  modify->answer = MakeReturning(modify->relation, &modify->objects->management,
                                 RelationGetDescr(info->ri_RelationDesc), returning, estate->es_query_cxt);
}

}  // namespace

int ManagementUpdatable(Relation relation) {
  const ApiRelation *api = UseApiRelation(RelationGetRelid(relation));
  if (!api->table->updatable) return 0;
  return (Has(api->api, "insert") ? 1 << CMD_INSERT : 0) | (Has(api->api, "update") ? 1 << CMD_UPDATE : 0) |
         (Has(api->api, "delete") ? 1 << CMD_DELETE : 0);
}

void AddManagementTargets(PlannerInfo *root, Index index, RangeTblEntry *, Relation relation) {
  // An UPDATE has the whole row anyway.
  if (root->parse->commandType == CMD_UPDATE) return;
  Var *var = makeVar(static_cast<int>(index), InvalidAttrNumber, RelationGetForm(relation)->reltype, -1, InvalidOid, 0);
  add_row_identity_var(root, var, index, kWholeRow);
}

List *PlanManagementModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan) {
  if (plan->onConflictAction != ONCONFLICT_NONE) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("ON CONFLICT is not supported by tables of the Management API")));
  }
  Relation relation = table_open(planner_rt_fetch(index, root)->relid, NoLock);
  List *set = plan->operation == CMD_UPDATE ? static_cast<List *>(list_nth(plan->updateColnosLists, subplan)) : NIL;
  List *returning = ReturningColumns(plan, index, subplan, relation);
  table_close(relation, NoLock);
  return list_make3(makeString(pstrdup("management")), list_copy(set), returning);
}

void BeginManagementModify(ModifyTableState *state, ResultRelInfo *info, List *fdw_private, int, int flags) {
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  EState *estate = state->ps.state;
  Begin(estate, info, state->operation, static_cast<List *>(list_nth(fdw_private, kModifySet)),
        static_cast<List *>(list_nth(fdw_private, kModifyReturning)), WritingUser(estate, info));
  if (state->operation == CMD_INSERT) return;
  StateOf(info)->whole_row = ExecFindJunkAttributeInTlist(outerPlanState(state)->plan->targetlist, kWholeRow);
}

void BeginManagementInsert(ModifyTableState *state, ResultRelInfo *info) {
  EState *estate = state->ps.state;
  Begin(estate, info, CMD_INSERT, NIL, NIL, WritingUser(estate, info));
}

int ManagementBatchSize(ResultRelInfo *info) {
  if (info->ri_FdwState == nullptr) return 1;
  const ApiTable *api = StateOf(info)->relation->api;
  if (info->ri_projectReturning != nullptr || info->ri_TrigDesc != nullptr) return 1;
  return static_cast<int>(Guard([&] { return InsertBatch(*api); }));
}

TupleTableSlot **ExecManagementBatchInsert(EState *, ResultRelInfo *info, TupleTableSlot **slots, TupleTableSlot **,
                                           int *count) {
  ManagementModify *modify = StateOf(info);
  ModifyObjects *objects = modify->objects;
  MemoryContextReset(modify->context);
  MemoryContext const old = MemoryContextSwitchTo(modify->context);
  int const rows = *count;
  Guard([&] { objects->rows.assign(static_cast<size_t>(rows), ApiRow()); });
  for (int i = 0; i < rows; i++)
    ReadSlot(modify, slots[i], &objects->rows[static_cast<size_t>(i)]);
  const ApiTable *api = modify->relation->api;
  KeepGenerated(modify->answer, &objects->rows);
  Guard([&] { objects->calls = BuildInsert(*api, objects->rows); });
  CallObjects *sent = SendCalls(modify, rows);
  StoreGenerated(modify->answer, sent, &objects->rows.front());
  if (modify->returning != NIL) StoreReturning(modify->answer, sent, &objects->rows.front(), slots[0]);
  MemoryContextSwitchTo(old);
  return slots;
}

TupleTableSlot *ExecManagementInsert(EState *estate, ResultRelInfo *info, TupleTableSlot *slot,
                                     TupleTableSlot *source) {
  int count = 1;
  return ExecManagementBatchInsert(estate, info, &slot, &source, &count)[0];
}

TupleTableSlot *ExecManagementUpdate(EState *, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *) {
  ManagementModify *modify = StateOf(info);
  ModifyObjects *objects = modify->objects;
  MemoryContextReset(modify->context);
  MemoryContext const old = MemoryContextSwitchTo(modify->context);
  Guard([&] { objects->rows.assign(1, ApiRow()); });
  ReadSlot(modify, slot, &objects->rows.front());
  const ApiTable *api = modify->relation->api;
  Guard([&] { objects->calls = BuildUpdate(*api, objects->rows.front(), objects->set); });
  CallObjects *sent = SendCalls(modify, 1);
  StoreGenerated(modify->answer, sent, &objects->rows.front());
  if (modify->returning != NIL) StoreReturning(modify->answer, sent, &objects->rows.front(), slot);
  MemoryContextSwitchTo(old);
  return slot;
}

TupleTableSlot *ExecManagementDelete(EState *, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source) {
  ManagementModify *modify = StateOf(info);
  ModifyObjects *objects = modify->objects;
  CheckDestructive(modify->relation->server, OperationOf(modify, "delete"));
  MemoryContextReset(modify->context);
  MemoryContext const old = MemoryContextSwitchTo(modify->context);
  bool isnull;
  HeapTupleHeader header = DatumGetHeapTupleHeader(ExecGetJunkAttribute(source, modify->whole_row, &isnull));
  HeapTupleData tuple = {};
  tuple.t_len = HeapTupleHeaderGetDatumLength(header);
  tuple.t_data = header;
  ExecForceStoreHeapTuple(heap_copytuple(&tuple), slot, false);
  Guard([&] { objects->deleted.emplace_back(); });
  ReadSlot(modify, slot, &objects->deleted.back());
  const ApiTable *api = modify->relation->api;
  if (!Guard([&] { return DeletesLists(*api); })) FlushDeletes(modify);
  MemoryContextSwitchTo(old);
  return slot;
}

void EndManagementModify(EState *, ResultRelInfo *info) {
  if (info->ri_FdwState == nullptr) return;
  // Not before: one request for all rows.
  FlushDeletes(StateOf(info));
}

void ExplainManagementModify(ModifyTableState *state, ResultRelInfo *info, List *, int, ExplainState *explain) {
  if (!explain->verbose) return;
  const ApiRelation *relation = UseApiRelation(RelationGetRelid(info->ri_RelationDesc));
  const char *name = state->operation == CMD_INSERT ? "insert" : state->operation == CMD_UPDATE ? "update" : "delete";
  const TableOperation *operation = Guard([&] { return relation->api->Find(name); });
  if (operation == nullptr) return;
  const ApiOperation *call = operation->operation;
  ExplainPropertyText("Remote Request", psprintf("%s %s", call->method.c_str(), call->path.c_str()), explain);
}

}  // namespace supabase::pg
