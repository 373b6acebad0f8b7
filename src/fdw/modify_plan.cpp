// Planning of writes: which way a statement's rows are changed (modify.hpp).

#include "fdw/bridge.hpp"
#include "fdw/modify.hpp"
#include "fdw/option.hpp"
#include "fdw/plan.hpp"
#include "fdw/relation.hpp"
#include "fdw/settings.hpp"
#include "fdw/write.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/heap.h"
#include "optimizer/appendinfo.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
#endif
}

namespace supabase::pg {
namespace {

bool IsColumn(const Table *table, int attno) {
  return attno >= 1 && attno <= table->natts && table->columns[attno - 1].name != nullptr;
}

// The table's columns that RETURNING reads; one at least, since each row that comes back is a row of the result.
List *ReturningColumns(const ModifyTable *plan, int subplan, Index index, const Table *table) {
  if (plan->returningLists == NIL) return NIL;
  Bitmapset *used = nullptr;
  pull_varattnos(static_cast<Node *>(list_nth(plan->returningLists, subplan)), index, &used);
  bool const whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
  List *columns = NIL, *any = NIL;
  for (int attno = 1; attno <= table->natts; attno++) {
    if (!IsColumn(table, attno)) continue;
    if (any == NIL) any = list_make1_int(attno);
    if (whole_row || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used))
      columns = lappend_int(columns, attno);
  }
  return columns != NIL ? columns : any;
}

bool IsGenerated(Oid table_id, int attno) {
  return get_attgenerated(table_id, static_cast<AttrNumber>(attno)) != '\0';
}

// The columns that an INSERT gives values for, by its column list or a local default; the remote gives the others
// theirs.
List *InsertedColumns(PlannerInfo *root, const Table *table) {
  List *columns = NIL;
  ListCell *cell;
  foreach (cell, root->parse->targetList) {
    auto *entry = lfirst_node(TargetEntry, cell);
    if (entry->resjunk || !IsColumn(table, entry->resno) || IsGenerated(table->id, entry->resno)) continue;
    columns = lappend_int(columns, entry->resno);
  }
  return columns;
}

// The columns that an UPDATE sets, without those that are generated, and where the plan below has their new values.
List *UpdatedColumns(const ModifyTable *plan, int subplan, const Table *table, List **positions = nullptr) {
  List *columns = NIL;
  ListCell *cell;
  foreach (cell, static_cast<List *>(list_nth(plan->updateColnosLists, subplan))) {
    if (IsGenerated(table->id, lfirst_int(cell))) continue;
    columns = lappend_int(columns, lfirst_int(cell));
    if (positions != nullptr) *positions = lappend_int(*positions, foreach_current_index(cell));
  }
  return columns;
}

// Whether it says which of several tables the row belongs to; above an Append that has no table of its own.
bool IsTableOid(PlannerInfo *root, const Expr *column) {
  if (!IsA(column, Var)) return false;
  auto *var = reinterpret_cast<const Var *>(column);
  if (var->varno == ROWID_VAR)
    var = static_cast<RowIdentityVarInfo *>(list_nth(root->row_identity_vars, var->varattno - 1))->rowidvar;
  return var->varattno == TableOidAttributeNumber;
}

// What stands in a target list for a column of the table that is changed.
Expr *StandIn(PlannerInfo *root, const Expr *column, Oid table_id) {
  if (IsTableOid(root, column))
    return reinterpret_cast<Expr *>(makeConst(OIDOID, -1, InvalidOid, sizeof(Oid), table_id, false, true));
  auto *node = reinterpret_cast<Node *>(const_cast<Expr *>(column));
  return reinterpret_cast<Expr *>(makeNullConst(exprType(node), exprTypmod(node), exprCollation(node)));
}

// Whether that is a column, or the whole row, of another table than `changed`: the one that is changed and those above
// it.
bool IsOthers(const Expr *expr, const Bitmapset *changed) {
  if (IsA(expr, PlaceHolderVar)) return true;
  // A whole row of a partition, as one of its partitioned table.
  while (IsA(expr, ConvertRowtypeExpr))
    expr = reinterpret_cast<const ConvertRowtypeExpr *>(expr)->arg;
  if (!IsA(expr, Var)) return false;
  // A row's identity has no table yet above an Append.
  int const varno = reinterpret_cast<const Var *>(expr)->varno;
  return !IS_SPECIAL_VARNO(varno) && !bms_is_member(varno, changed);
}

// A target list of the same shape that reads nothing of the table itself: the node that carries it has no row of it.
List *WithoutTable(PlannerInfo *root, List *tlist, Oid table_id) {
  List *result = NIL;
  ListCell *cell;
  foreach (cell, tlist) {
    auto *entry = static_cast<TargetEntry *>(copyObjectImpl(lfirst(cell)));
    if (!IsOthers(entry->expr, root->all_result_relids)) entry->expr = StandIn(root, entry->expr, table_id);
    result = lappend(result, entry);
  }
  return result;
}

bool ReadsOthers(List *expressions, Index index) {
  List *vars = pull_var_clause(reinterpret_cast<Node *>(expressions),
                               PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_INCLUDE_PLACEHOLDERS);
  ListCell *cell;
  foreach (cell, vars) {
    auto *node = static_cast<Node *>(lfirst(cell));
    if (!IsA(node, Var) || reinterpret_cast<Var *>(node)->varno != static_cast<int>(index)) return true;
  }
  return false;
}

bool IsScanOf(const Plan *node, Index index) {
  return IsA(node, ForeignScan) && reinterpret_cast<const ForeignScan *>(node)->scan.scanrelid == index;
}

// Whether the rows of a plan are those of the table that are to be changed: they then say which table they belong to.
bool GivesRowsOf(const Plan *node, Index index) {
  if (IsScanOf(node, index)) return true;
  ListCell *cell;
  foreach (cell, node->targetlist) {
    auto *var = reinterpret_cast<const Var *>(lfirst_node(TargetEntry, cell)->expr);
    if (IsA(var, Var) && var->varno == static_cast<int>(index) && var->varattno == TableOidAttributeNumber) return true;
  }
  return false;
}

// What gives the rows of one of the tables that a statement changes, and those of no other.
struct RowsBelow {
  Plan *node;      // NULL: there is no such node
  ListCell *cell;  // where the Append has it; NULL: directly below ModifyTable
  bool projected;  // the new values are made above the Append
};

// Of a partitioned table, or one with children, it is a part of the Append, unless that is joined as a whole.
RowsBelow PartBelow(const ModifyTable *plan, Index index, int subplan) {
  RowsBelow below = {outerPlan(plan), nullptr, false};
  if (IsA(below.node, Result) && outerPlan(below.node) != nullptr && IsA(outerPlan(below.node), Append)) {
    below = {outerPlan(below.node), nullptr, true};
  }
  if (!IsA(below.node, Append)) return {nullptr, nullptr, false};
  List *parts = reinterpret_cast<Append *>(below.node)->appendplans;
  // Mostly both lists are in the same order.
  if (subplan < list_length(parts)) below.cell = list_nth_cell(parts, subplan);
  if (below.cell == nullptr || !GivesRowsOf(static_cast<Plan *>(lfirst(below.cell)), index)) {
    ListCell *cell;
    below.cell = nullptr;
    foreach (cell, parts) {
      if (GivesRowsOf(static_cast<Plan *>(lfirst(cell)), index)) below.cell = cell;
    }
  }
  below.node = below.cell == nullptr ? nullptr : static_cast<Plan *>(lfirst(below.cell));
  return below;
}

// The scan of the table that ModifyTable, or its Append, has directly below; NULL when there is none.
ForeignScan *ScanBelow(const ModifyTable *plan, Index index, int subplan) {
  Plan *below = outerPlan(plan);
  if (!IsScanOf(below, index)) below = PartBelow(plan, index, subplan).node;
  return below != nullptr && IsScanOf(below, index) ? reinterpret_cast<ForeignScan *>(below) : nullptr;
}

// Whether a new value is the same for every row and known before the first one.
bool IsConstantValue(const Expr *expr, Index index) {
  auto *node = reinterpret_cast<Node *>(const_cast<Expr *>(expr));
  Bitmapset *used = nullptr;
  pull_varattnos(node, index, &used);
  return used == nullptr && !contain_volatile_functions(node) && !contain_subplans(node);
}

// The new values of a pushed UPDATE, for `columns`; false when some depend on the row.
bool ConstantValues(PlannerInfo *root, Index index, List *columns, List **values) {
  List *tlist, *numbers;
  get_translated_update_targetlist(root, index, &tlist, &numbers);
  ListCell *entry_cell, *number_cell;
  forboth(entry_cell, tlist, number_cell, numbers) {
    auto *entry = lfirst_node(TargetEntry, entry_cell);
    if (!list_member_int(columns, lfirst_int(number_cell))) continue;
    if (!IsConstantValue(entry->expr, index)) return false;
    *values = lappend(*values, entry->expr);
  }
  return list_length(*values) == list_length(columns);
}

// Whether a tree of conditions (deparse.hpp) has that text in it, as a column's name or elsewhere.
bool MentionsName(const Node *tree, const char *name) {
  if (tree == nullptr) return false;
  if (IsA(tree, String)) return strcmp(strVal(tree), name) == 0;
  if (!IsA(tree, List)) return false;
  ListCell *cell;
  foreach (cell, reinterpret_cast<const List *>(tree)) {
    if (MentionsName(static_cast<Node *>(lfirst(cell)), name)) return true;
  }
  return false;
}

// Whether the remote finds the same rows again among those it has changed, to return them: what compares a column with
// a constant it does not ask of them again (see SelectTreeColumns); everything else must not depend on what is set.
bool FindsAgain(const List *conditions, const List *set, const Table *table) {
  // What stands for no condition may be needed even where there are some: these may turn out to be true of all rows.
  AllRows const all = NameAllRows(table);
  if (!all.never_null && list_member_int(set, all.attno)) return false;
  ListCell *cell;
  foreach (cell, conditions) {
    auto *tree = lfirst_node(List, cell);
    auto const kind = static_cast<Condition::Kind>(intVal(linitial(tree)));
    bool const plain = kind == Condition::Kind::kIn ||
                       (kind == Condition::Kind::kCompare && intVal(lthird(tree)) != static_cast<int>(Op::kDistinct));
    if (plain) continue;
    ListCell *attno;
    foreach (attno, set) {
      if (MentionsName(reinterpret_cast<Node *>(tree), table->columns[lfirst_int(attno) - 1].name)) return false;
    }
  }
  return true;
}

// The node becomes the one that executes the statement.
void BecomeModification(ForeignScan *scan, CmdType operation, Index index, List *fdw_private) {
  scan->operation = operation;
  scan->resultRelation = index;
  scan->fdw_private = fdw_private;
  scan->fdw_recheck_quals = NIL;
  scan->fsSystemCol = false;
  scan->scan.plan.async_capable = false;
}

// ---- pushed: the remote finds the rows ----

bool PlanPushed(PlannerInfo *root, ModifyTable *plan, Index index, int subplan, const Table *table) {
  if (plan->operation == CMD_INSERT || !setting_enable_pushdown) return false;
  ForeignScan *scan = ScanBelow(plan, index, subplan);
  if (scan == nullptr || scan->scan.plan.qual != NIL || outerPlan(scan) != nullptr) return false;
  // Conditions that are too long to be sent would have to be checked here. Of parameters that shows later: a long list
  // is sent in parts, a long text is an error.
  const RelInfo *info = InfoOf(root->simple_rel_array[index]);
  if (MayNeedRecheck(info, info->trees, NIL)) return false;
  List *returning = ReturningColumns(plan, subplan, index, table);
  auto *conditions = static_cast<List *>(list_nth(scan->fdw_private, kPlanConditions));
  List *columns = NIL, *values = NIL, *positions = NIL;
  if (plan->operation == CMD_UPDATE) {
    columns = UpdatedColumns(plan, subplan, table);
    if (columns == NIL || !ConstantValues(root, index, columns, &values)) return false;
  }
  for (int i = 0; i < list_length(values); i++)
    positions = lappend_int(positions, list_length(scan->fdw_exprs) + i);

  if (returning != NIL && !FindsAgain(conditions, columns, table)) return false;
  int const flags = kDirectPushed | (plan->canSetTag ? kDirectSetsProcessed : 0);
  List *fdw_private = list_make5(columns, positions, returning, NIL, NIL);
  fdw_private = lappend(lappend(fdw_private, makeInteger(flags)), MakePlainScan(conditions, returning));
  BecomeModification(scan, plan->operation, index, fdw_private);
  scan->fdw_exprs = list_concat(list_copy(scan->fdw_exprs), values);
  scan->scan.plan.targetlist = WithoutTable(root, scan->scan.plan.targetlist, table->id);
  scan->fdw_scan_tlist = static_cast<List *>(copyObjectImpl(scan->scan.plan.targetlist));
  return true;
}

// ---- fed: the plan below gives the rows ----

#if PG_VERSION_NUM >= 160000
Oid AccessedAs(PlannerInfo *root, Index index) {
  RangeTblEntry *entry = planner_rt_fetch(index, root);
  // Of partitions and children the table that the statement names is what permissions are about.
  if (entry->perminfoindex == 0) entry = planner_rt_fetch(root->parse->resultRelation, root);
  return getRTEPermissionInfo(root->parse->rteperminfos, entry)->checkAsUser;
}
#endif

// The node that takes the rows of `below`. Its own have the shape of `shape`.
ForeignScan *MakeFed(PlannerInfo *root, CmdType operation, Index index, Plan *below, List *shape, List *fdw_private) {
  Oid const table_id = planner_rt_fetch(index, root)->relid;
  List *tlist = WithoutTable(root, shape, table_id);
  ForeignScan *scan =
      make_foreignscan(tlist, NIL, index, NIL, NIL, static_cast<List *>(copyObjectImpl(tlist)), NIL, below);
  scan->scan.plan.startup_cost = below->startup_cost;
  scan->scan.plan.total_cost = below->total_cost;
  scan->scan.plan.plan_rows = below->plan_rows;
  scan->scan.plan.plan_width = below->plan_width;
  scan->fs_server = GetForeignTable(table_id)->serverid;
  scan->fs_relids = bms_make_singleton(static_cast<int>(index));
#if PG_VERSION_NUM >= 160000
  scan->fs_base_relids = scan->fs_relids;
  scan->checkAsUser = AccessedAs(root, index);
#endif
  below->async_capable = false;
  BecomeModification(scan, operation, index, fdw_private);
  return scan;
}

// A plan above the Append makes the new values, and would be given them no more: the part makes them itself. False when
// it cannot, or when the plan above must not be given rows without the table's columns.
bool ProjectInPart(PlannerInfo *root, const ModifyTable *plan, Index index, Plan *part) {
  if (plan->operation != CMD_UPDATE || !IsScanOf(part, index)) return false;
  List *tlist, *numbers;
  get_translated_update_targetlist(root, index, &tlist, &numbers);
  auto *values = reinterpret_cast<Node *>(tlist);
  if (contain_subplans(values)) return false;
  if (plan->returningLists != NIL && (contain_volatile_functions(values) || contain_nonstrict_functions(values)))
    return false;
  part->targetlist = tlist;
  return true;
}

// Whether a part of the plan asks for more than the rows of the table itself, once for all.
bool ReadsMore(Plan *part, Index index) {
  return !IsScanOf(part, index) || contain_subplans(reinterpret_cast<Node *>(part->targetlist)) ||
         contain_subplans(reinterpret_cast<Node *>(part->qual)) ||
         contain_subplans(reinterpret_cast<Node *>(reinterpret_cast<ForeignScan *>(part)->fdw_exprs));
}

int FedFlags(const ModifyTable *plan, Index index, Plan *below) {
  int flags = plan->canSetTag ? kDirectSetsProcessed : 0;
  if (plan->onConflictAction == ONCONFLICT_NOTHING) flags |= kDirectIgnore;
  if (plan->operation == CMD_INSERT) return flags;
  if (!IsScanOf(below, index)) flags |= kDirectDistinctKeys;
  if (ReadsMore(below, index)) flags |= kDirectReadsMore;
  return flags;
}

bool PlanFed(PlannerInfo *root, ModifyTable *plan, Index index, int subplan, const Table *table) {
  bool const alone = list_length(plan->resultRelations) == 1;
  RowsBelow below = PartBelow(plan, index, subplan);
  if (alone && (below.node == nullptr || below.projected)) below = {outerPlan(plan), nullptr, false};
  if (below.node == nullptr) return false;
  List *columns = NIL, *positions = NIL, *key = NIL, *key_at = NIL;
  if (plan->operation == CMD_INSERT) {
    columns = InsertedColumns(root, table);
    ListCell *cell;
    foreach (cell, columns)
      positions = lappend_int(positions, lfirst_int(cell) - 1);
  } else {
    if (plan->operation == CMD_UPDATE) columns = UpdatedColumns(plan, subplan, table, &positions);
    if (plan->operation == CMD_UPDATE && columns == NIL) return false;
    key = IdentityColumns(table);
    if (!IdentityPositions(table, outerPlan(plan)->targetlist, &key_at)) return false;
  }
  int flags = FedFlags(plan, index, below.node);
  List *returning = ReturningColumns(plan, subplan, index, table);
  if (plan->returningLists != NIL && ReadsOthers(static_cast<List *>(list_nth(plan->returningLists, subplan)), index)) {
    // What comes back finds the row below that it belongs to by the key.
    flags |= kDirectNeedsSource;
    if (key != NIL && linitial_int(key) > 0) returning = list_concat_unique_int(list_copy(returning), key);
  }
  List *shape = plan->operation == CMD_INSERT ? NIL : below.node->targetlist;
  if (below.projected && !ProjectInPart(root, plan, index, below.node)) return false;
  List *fdw_private = list_make5(columns, positions, returning, key, key_at);
  fdw_private = lappend(lappend(fdw_private, makeInteger(flags)), NIL);
  ForeignScan *fed = MakeFed(root, plan->operation, index, below.node, shape, fdw_private);
  if (below.cell != nullptr) {
    lfirst(below.cell) = fed;
  } else {
    outerPlan(plan) = reinterpret_cast<Plan *>(fed);
  }
  return true;
}

}  // namespace

int IsForeignRelUpdatable(Relation relation) {
  const Table *table = TableOf(RelationGetRelid(relation));
  if (!table->updatable || table->function != nullptr) return 0;
  return (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE);
}

const Table *TableOf(Oid table_id) {
  const Server *server = UseServer(GetForeignServerIdByRelId(table_id));
  RequireProject(server);
  return UseTable(table_id, server);
}

// The name under which a plan carries a column of a row's identity. The same name in two tables of an inheritance tree
// stands for the same column.
static const char *IdentityName(Oid table_id, AttrNumber attno) {
  if (attno < 0) return psprintf("supabase_key_%d", attno);
  Oid type, collation;
  int32 typmod;
  get_atttypetypmodcoll(table_id, attno, &type, &typmod, &collation);
  return psprintf("supabase_key_%d_%u_%d_%u", attno, type, typmod, collation);
}

List *IdentityColumns(const Table *table) {
  List *columns = NIL;
  for (int i = 0; i < table->natts; i++) {
    if (table->columns[i].name != nullptr && table->columns[i].key) columns = lappend_int(columns, i + 1);
  }
  if (columns != NIL) return columns;
  return list_make2_int(SelfItemPointerAttributeNumber, MinTransactionIdAttributeNumber);
}

bool IdentityPositions(const Table *table, List *tlist, List **positions) {
  *positions = NIL;
  ListCell *cell;
  foreach (cell, IdentityColumns(table)) {
    auto const attno = static_cast<AttrNumber>(lfirst_int(cell));
    AttrNumber const at = ExecFindJunkAttributeInTlist(tlist, IdentityName(table->id, attno));
    if (!AttributeNumberIsValid(at)) return false;
    *positions = lappend_int(*positions, at - 1);
  }
  return true;
}

void AddForeignUpdateTargets(PlannerInfo *root, Index index, RangeTblEntry *, Relation relation) {
  ListCell *cell;
  foreach (cell, IdentityColumns(TableOf(RelationGetRelid(relation)))) {
    auto const attno = static_cast<AttrNumber>(lfirst_int(cell));
    const FormData_pg_attribute *attribute =
        attno < 0 ? SystemAttributeDefinition(attno) : TupleDescAttr(RelationGetDescr(relation), attno - 1);
    Var *var =
        makeVar(static_cast<int>(index), attno, attribute->atttypid, attribute->atttypmod, attribute->attcollation, 0);
    add_row_identity_var(root, var, index, IdentityName(RelationGetRelid(relation), attno));
  }
}

bool PlanDirectModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan) {
  if (plan->operation != CMD_INSERT && plan->operation != CMD_UPDATE && plan->operation != CMD_DELETE) return false;
  const Table *table = TableOf(planner_rt_fetch(index, root)->relid);
  if (!table->updatable || table->function != nullptr) return false;  // the executor refuses it
  // A row that does not fit its partition any more is refused row by row.
  if (plan->rootRelation != 0 && root->partColsUpdated) return false;
  return PlanPushed(root, plan, index, subplan, table) || PlanFed(root, plan, index, subplan, table);
}

List *PlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan) {
  const Table *table = TableOf(planner_rt_fetch(index, root)->relid);
  List *columns = NIL;
  if (plan->operation == CMD_INSERT) columns = InsertedColumns(root, table);
  if (plan->operation == CMD_UPDATE) columns = UpdatedColumns(plan, subplan, table);
  return list_make3(columns, ReturningColumns(plan, subplan, index, table),
                    makeInteger(plan->onConflictAction == ONCONFLICT_NOTHING));
}

}  // namespace supabase::pg
