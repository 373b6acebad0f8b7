#include "fdw/routine.hpp"

#include "fdw/analyze.hpp"
#include "fdw/import.hpp"
#include "fdw/management_modify.hpp"
#include "fdw/management_table.hpp"
#include "fdw/modify.hpp"
#include "fdw/plan.hpp"
#include "fdw/scan.hpp"
#include "fdw/upper.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/memutils.h"
}

namespace supabase::pg {

namespace {

bool IsManagementTable(Oid table_id) {
  return UseServer(GetForeignServerIdByRelId(table_id))->management;
}

void PlanManagementPaths(PlannerInfo *root, RelOptInfo *rel, Oid) {
  ManagementPaths(root, rel);
}

ForeignScan *PlanManagementScan(PlannerInfo *root, RelOptInfo *rel, Oid, ForeignPath *path, List *tlist, List *clauses,
                                Plan *outer_plan) {
  return ManagementPlan(root, rel, path, tlist, clauses, outer_plan);
}

// For relations and nodes of the Management API; made once.
FdwRoutine *ManagementRoutine() {
  static FdwRoutine *routine = nullptr;
  if (routine != nullptr) return routine;
  MemoryContext const old = MemoryContextSwitchTo(TopMemoryContext);
  FdwRoutine *made = makeNode(FdwRoutine);
  made->GetForeignRelSize = ManagementRelSize;
  made->GetForeignPaths = PlanManagementPaths;
  made->GetForeignPlan = PlanManagementScan;
  made->BeginForeignScan = BeginManagementScan;
  made->IterateForeignScan = IterateManagementScan;
  made->ReScanForeignScan = ReScanManagementScan;
  made->EndForeignScan = EndManagementScan;
  made->ExplainForeignScan = ExplainManagementScan;
  made->IsForeignRelUpdatable = ManagementUpdatable;
  made->AddForeignUpdateTargets = AddManagementTargets;
  made->PlanForeignModify = PlanManagementModify;
  made->BeginForeignModify = BeginManagementModify;
  made->ExecForeignInsert = ExecManagementInsert;
  made->ExecForeignBatchInsert = ExecManagementBatchInsert;
  made->GetForeignModifyBatchSize = ManagementBatchSize;
  made->ExecForeignUpdate = ExecManagementUpdate;
  made->ExecForeignDelete = ExecManagementDelete;
  made->EndForeignModify = EndManagementModify;
  made->EndForeignInsert = EndManagementModify;
  made->ExplainForeignModify = ExplainManagementModify;
  MemoryContextSwitchTo(old);
  return routine = made;
}

// ---- Callbacks that come first ----

void RelSize(PlannerInfo *root, RelOptInfo *rel, Oid table_id) {
  if (!IsManagementTable(table_id)) return GetForeignRelSize(root, rel, table_id);
  rel->fdwroutine = ManagementRoutine();
  ManagementRelSize(root, rel, table_id);
}

void BeginScan(ForeignScanState *node, int flags) {
  if (!IsManagementPlan(reinterpret_cast<ForeignScan *>(node->ss.ps.plan)->fdw_private)) {
    return BeginForeignScan(node, flags);
  }
  node->fdwroutine = ManagementRoutine();
  BeginManagementScan(node, flags);
}

int Updatable(Relation relation) {
  return IsManagementTable(RelationGetRelid(relation)) ? ManagementUpdatable(relation)
                                                       : IsForeignRelUpdatable(relation);
}

void AddTargets(PlannerInfo *root, Index index, RangeTblEntry *entry, Relation relation) {
  if (IsManagementTable(RelationGetRelid(relation))) return AddManagementTargets(root, index, entry, relation);
  AddForeignUpdateTargets(root, index, entry, relation);
}

bool PlanDirect(PlannerInfo *root, ModifyTable *plan, Index index, int subplan) {
  return !IsManagementTable(planner_rt_fetch(index, root)->relid) && PlanDirectModify(root, plan, index, subplan);
}

List *PlanModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan) {
  if (IsManagementTable(planner_rt_fetch(index, root)->relid)) return PlanManagementModify(root, plan, index, subplan);
  return PlanForeignModify(root, plan, index, subplan);
}

void BeginModify(ModifyTableState *state, ResultRelInfo *info, List *fdw_private, int subplan, int flags) {
  if (!IsManagementPlan(fdw_private)) return BeginForeignModify(state, info, fdw_private, subplan, flags);
  info->ri_FdwRoutine = ManagementRoutine();
  BeginManagementModify(state, info, fdw_private, subplan, flags);
}

// COPY, and rows that are routed to a partition.
void BeginInsert(ModifyTableState *state, ResultRelInfo *info) {
  if (!IsManagementTable(RelationGetRelid(info->ri_RelationDesc))) return BeginForeignInsert(state, info);
  info->ri_FdwRoutine = ManagementRoutine();
  BeginManagementInsert(state, info);
}

void Truncate(List *relations, DropBehavior behavior, bool restart_sequences) {
  ListCell *cell;
  foreach (cell, relations) {
    auto relation = static_cast<Relation>(lfirst(cell));
    if (!IsManagementTable(RelationGetRelid(relation))) continue;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot truncate foreign table \"%s\"", RelationGetRelationName(relation)),
                    errdetail("It shows objects of the Management API."), errhint("Use DELETE.")));
  }
  ExecForeignTruncate(relations, behavior, restart_sequences);
}

bool Analyze(Relation relation, AcquireSampleRowsFunc *function, BlockNumber *pages) {
  return !IsManagementTable(RelationGetRelid(relation)) && AnalyzeForeignTable(relation, function, pages);
}

}  // namespace

FdwRoutine *MakeRoutine() {
  FdwRoutine *routine = makeNode(FdwRoutine);
  routine->GetForeignRelSize = RelSize;
  routine->GetForeignPaths = GetForeignPaths;
  routine->GetForeignPlan = GetForeignPlan;
  routine->GetForeignUpperPaths = GetForeignUpperPaths;
  routine->BeginForeignScan = BeginScan;
  routine->IterateForeignScan = IterateForeignScan;
  routine->ReScanForeignScan = ReScanForeignScan;
  routine->EndForeignScan = EndForeignScan;
  routine->IsForeignPathAsyncCapable = IsForeignPathAsyncCapable;
  routine->ForeignAsyncRequest = ForeignAsyncRequest;
  routine->ForeignAsyncConfigureWait = ForeignAsyncConfigureWait;
  routine->ForeignAsyncNotify = ForeignAsyncNotify;
  routine->ExplainForeignScan = ExplainForeignScan;
  routine->IsForeignRelUpdatable = Updatable;
  routine->AddForeignUpdateTargets = AddTargets;
  routine->PlanForeignModify = PlanModify;
  routine->BeginForeignModify = BeginModify;
  routine->ExecForeignInsert = ExecForeignInsert;
  routine->ExecForeignBatchInsert = ExecForeignBatchInsert;
  routine->GetForeignModifyBatchSize = GetForeignModifyBatchSize;
  routine->ExecForeignUpdate = ExecForeignUpdate;
  routine->ExecForeignDelete = ExecForeignDelete;
  routine->EndForeignModify = EndForeignModify;
  routine->BeginForeignInsert = BeginInsert;
  routine->EndForeignInsert = EndForeignInsert;
  routine->ExplainForeignModify = ExplainForeignModify;
  routine->PlanDirectModify = PlanDirect;
  routine->BeginDirectModify = BeginDirectModify;
  routine->IterateDirectModify = IterateDirectModify;
  routine->EndDirectModify = EndDirectModify;
  routine->ExplainDirectModify = ExplainDirectModify;
  routine->ExecForeignTruncate = Truncate;
  routine->AnalyzeForeignTable = Analyze;
  routine->ImportForeignSchema = ImportForeignSchema;
  return routine;
}

}  // namespace supabase::pg
