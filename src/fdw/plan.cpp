#include "fdw/plan.hpp"

#include "fdw/deparse.hpp"
#include "fdw/settings.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/sysattr.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
}

namespace supabase::pg {
namespace {

// postgres_fdw's costs: a round trip, and a little for each row that is transferred.
constexpr double kStartupCost = 100.0;
constexpr double kTupleCost = 0.01;
// Rows of a table that nobody has counted.
constexpr double kDefaultRows = 1000.0;
// An ordered scan that must page by offset reads its beginning again for every page; beyond ten full pages sorting here
// is cheaper.
constexpr int64 kMaxOffsetRows = 10'000;

// Planner's notes on one relation, in rel->fdw_private.
struct RelInfo {
  DeparseContext deparse;
  List *remote;        // RestrictInfos that are shipped
  List *trees;         // their trees, same order
  List *local;         // RestrictInfos that are not
  List *reasons;       // Strings, same order as local
  List *key;           // attribute numbers of the key's columns
  int at_most;         // -1: any number
  double transferred;  // rows that come over the network, before local conditions
  QualCost local_cost;
};

RelInfo *InfoOf(RelOptInfo *rel) {
  return static_cast<RelInfo *>(rel->fdw_private);
}

void ClassifyConditions(RelInfo *info, List *restrictions) {
  ListCell *cell;
  foreach (cell, restrictions) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    info->deparse.reason = "supabase_fdw.enable_pushdown is off";
    List *tree = setting_enable_pushdown ? DeparseClause(&info->deparse, restriction->clause) : NIL;
    if (tree != NIL) {
      info->remote = lappend(info->remote, restriction);
      info->trees = lappend(info->trees, tree);
    } else {
      info->local = lappend(info->local, restriction);
      info->reasons = lappend(info->reasons, makeString(pstrdup(info->deparse.reason)));
    }
  }
}

// How many rows the conditions allow when they fix the key: one when each of its columns is compared by "=", as many as
// a constant list has for a key of one column.
int RowsByKey(const RelInfo *info) {
  if (info->key == NIL) return -1;
  int fixed = 0, listed = -1;
  ListCell *key_cell;
  foreach (key_cell, info->key) {
    const char *name = info->deparse.table->columns[lfirst_int(key_cell) - 1].name;
    bool found = false;
    ListCell *cell;
    foreach (cell, info->trees) {
      auto *tree = lfirst_node(List, cell);
      auto const kind = static_cast<Condition::Kind>(intVal(linitial(tree)));
      if (kind != Condition::Kind::kCompare && kind != Condition::Kind::kIn) continue;
      if (strcmp(strVal(lsecond(tree)), name) != 0) continue;
      if (kind == Condition::Kind::kCompare && intVal(lthird(tree)) == static_cast<int>(Op::kEq)) found = true;
      if (kind == Condition::Kind::kIn && intVal(lthird(tree)) == kNoParameter) listed = list_length(tree) - 3;
    }
    if (found) fixed++;
  }
  if (fixed == list_length(info->key)) return 1;
  return list_length(info->key) == 1 ? listed : -1;
}

// Whether the query's LIMIT applies to the rows of this relation as they come: nothing between that drops, joins,
// groups or multiplies rows. The executor's Limit node stays; we only do not fetch more than it can take.
bool LimitApplies(PlannerInfo *root, RelOptInfo *rel) {
  Query *parse = root->parse;
  if (parse->limitCount == nullptr || parse->limitOption != LIMIT_OPTION_COUNT) return false;
  if (parse->hasAggs || parse->groupClause != NIL || parse->groupingSets != NIL || parse->distinctClause != NIL ||
      parse->hasWindowFuncs || parse->hasTargetSRFs || parse->havingQual != nullptr || parse->rowMarks != NIL ||
      parse->setOperations != nullptr || parse->commandType != CMD_SELECT || root->hasHavingQual) {
    return false;
  }
  return rel->reloptkind == RELOPT_BASEREL && bms_equal(root->all_baserels, rel->relids) && InfoOf(rel)->local == NIL;
}

bool IsIntConst(Node *node, int64 *value) {
  if (node == nullptr || !IsA(node, Const) || reinterpret_cast<Const *>(node)->constisnull) return false;
  *value = DatumGetInt64(reinterpret_cast<Const *>(node)->constvalue);
  return true;
}

// A LIMIT that is a small constant, or not known before execution.
bool LimitIsSmall(PlannerInfo *root) {
  int64 limit = 0, offset = 0;
  bool const known = IsIntConst(root->parse->limitCount, &limit);
  (void)IsIntConst(root->parse->limitOffset, &offset);
  return !known || (limit <= kMaxOffsetRows && offset <= kMaxOffsetRows - limit);
}

// The column that a pathkey sorts by, when the remote can sort by it too.
AttrNumber OrderColumn(RelOptInfo *rel, PathKey *pathkey) {
  ListCell *cell;
  foreach (cell, pathkey->pk_eclass->ec_members) {
    auto *member = static_cast<EquivalenceMember *>(lfirst(cell));
    if (member->em_is_const || !bms_equal(member->em_relids, rel->relids)) continue;
    AttrNumber const attno = PlainColumn(&InfoOf(rel)->deparse, member->em_expr);
    if (attno == 0) continue;
    if (!ShippableOrder(&InfoOf(rel)->deparse, attno, pathkey->pk_opfamily, pathkey->pk_eclass->ec_collation)) continue;
    return attno;
  }
  return 0;
}

bool Descending(const PathKey *pathkey) {
#if PG_VERSION_NUM >= 180000
  return pathkey->pk_cmptype == COMPARE_GT;
#else
  return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

// Whether every pathkey can be sent; `by_key` when they are the beginning of the key's own ascending order, in which
// pages come anyway.
bool OrderShippable(RelOptInfo *rel, List *pathkeys, bool *by_key) {
  RelInfo *info = InfoOf(rel);
  *by_key = list_length(pathkeys) <= list_length(info->key);
  ListCell *cell;
  foreach (cell, pathkeys) {
    auto *pathkey = lfirst_node(PathKey, cell);
    AttrNumber const attno = OrderColumn(rel, pathkey);
    if (attno == 0) return false;
    int const i = foreach_current_index(cell);
    *by_key = *by_key && list_nth_int(info->key, i) == attno && !Descending(pathkey) && !pathkey->pk_nulls_first;
  }
  return true;
}

List *OrderItem(const char *column, bool descending, bool nulls_first) {
  return list_make3(makeString(pstrdup(column)), makeInteger(descending), makeInteger(nulls_first));
}

bool OrderHas(List *order, const char *column) {
  ListCell *cell;
  foreach (cell, order) {
    if (strcmp(strVal(linitial(lfirst_node(List, cell))), column) == 0) return true;
  }
  return false;
}

List *AddOrder(List *order, const RelInfo *info, AttrNumber attno) {
  const char *column = info->deparse.table->columns[attno - 1].name;
  return OrderHas(order, column) ? order : lappend(order, OrderItem(column, false, false));
}

bool Sortable(const RelInfo *info, AttrNumber attno) {
  const Column *column = &info->deparse.table->columns[attno - 1];
  return column->name != nullptr && column->remote_type == nullptr &&
         GetTypeRule(get_atttype(info->deparse.table->id, attno)).sortable;
}

// What makes an order total enough for paging by offset: the key; without one every fetched column, since rows that
// are equal in all of them are interchangeable. Where a fetched column cannot be sorted by, every column that can.
List *AddTieBreakers(List *order, const RelInfo *info, List *columns) {
  ListCell *cell;
  if (info->key != NIL) {
    foreach (cell, info->key)
      order = AddOrder(order, info, static_cast<AttrNumber>(lfirst_int(cell)));
    return order;
  }
  bool all = false;
  foreach (cell, columns)
    all = all || !Sortable(info, static_cast<AttrNumber>(lfirst_int(cell)));
  for (int i = 1; i <= info->deparse.table->natts; i++) {
    auto const attno = static_cast<AttrNumber>(i);
    if ((all || list_member_int(columns, i)) && Sortable(info, attno)) order = AddOrder(order, info, attno);
  }
  return order;
}

// Length of a tree's values and names, with room for what stands between them.
size_t TreeLength(const Node *tree) {
  if (IsA(tree, String)) return strlen(strVal(tree)) + 8;
  if (IsA(tree, Integer)) return 0;
  size_t length = 8;
  ListCell *cell;
  foreach (cell, reinterpret_cast<const List *>(tree))
    length += TreeLength(static_cast<Node *>(lfirst(cell)));
  return length;
}

// Whether the conditions may turn out too long to be sent beside the columns. They are then filtered here, so their
// columns must be fetched as well. Percent-encoding makes a byte three.
bool MayNeedRecheck(const RelInfo *info) {
  ListCell *cell;
  foreach (cell, info->deparse.parameters) {
    if (get_typlen(exprType(static_cast<Node *>(lfirst(cell)))) < 0) return true;
  }
  size_t length = TreeLength(reinterpret_cast<Node *>(info->trees));
  for (int i = 0; i < info->deparse.table->natts; i++) {
    const char *name = info->deparse.table->columns[i].name;
    if (name != nullptr) length += strlen(name) + 8;
  }
  return length * 3 > kMaxTargetBytes / 2;
}

// The columns that the scan must return: those in the target list and in conditions that are filtered here.
List *FetchedColumns(RelOptInfo *rel, bool recheck) {
  RelInfo *info = InfoOf(rel);
  Bitmapset *used = nullptr;
  pull_varattnos(reinterpret_cast<Node *>(rel->reltarget->exprs), rel->relid, &used);
  ListCell *cell;
  foreach (cell, recheck ? list_concat_copy(info->local, info->remote) : info->local) {
    pull_varattnos(reinterpret_cast<Node *>(lfirst_node(RestrictInfo, cell)->clause), rel->relid, &used);
  }
  bool const whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
  List *columns = NIL;
  for (int attno = 1; attno <= info->deparse.table->natts; attno++) {
    if (info->deparse.table->columns[attno - 1].name == nullptr) continue;
    if (whole_row || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used))
      columns = lappend_int(columns, attno);
  }
  return columns;
}

List *FirstColumn(const RelInfo *info) {
  for (int attno = 1; attno <= info->deparse.table->natts; attno++) {
    if (info->deparse.table->columns[attno - 1].name != nullptr) return list_make1_int(attno);
  }
  ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
                  errmsg("foreign table \"%s\" has no columns", get_rel_name(info->deparse.table->id))));
  pg_unreachable();
}

List *LimitParameters(PlannerInfo *root, List **expressions, bool applies) {
  List *parameters = NIL;
  for (Node *node : {root->parse->limitCount, root->parse->limitOffset}) {
    int number = kNoParameter;
    if (applies && node != nullptr) {
      number = list_length(*expressions);
      *expressions = lappend(*expressions, node);
    }
    parameters = lappend(parameters, makeInteger(number));
  }
  return parameters;
}

bool LimitIsLocalValue(PlannerInfo *root) {
  for (Node *node : {root->parse->limitCount, root->parse->limitOffset}) {
    if (node != nullptr && (contain_volatile_functions(node) || contain_subplans(node))) return false;
  }
  return true;
}

List *PathOrder(RelOptInfo *rel, List *pathkeys) {
  List *order = NIL;
  ListCell *cell;
  foreach (cell, pathkeys) {
    auto *pathkey = lfirst_node(PathKey, cell);
    const char *column = InfoOf(rel)->deparse.table->columns[OrderColumn(rel, pathkey) - 1].name;
    if (!OrderHas(order, column))
      order = lappend(order, OrderItem(column, Descending(pathkey), pathkey->pk_nulls_first));
  }
  return order;
}

// Conditions that the executor checks, and those that it need not (but may have to, when they turn out too long).
void SplitClauses(const RelInfo *info, List *clauses, List **local, List **remote) {
  *local = *remote = NIL;
  ListCell *cell;
  foreach (cell, clauses) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    if (restriction->pseudoconstant) continue;
    List **target = list_member_ptr(info->remote, restriction) ? remote : local;
    *target = lappend(*target, restriction->clause);
  }
}

// Pages by key: its columns are fetched, and are the order.
void UseKey(const RelInfo *info, List **columns, List **key, List **order) {
  ListCell *cell;
  foreach (cell, info->key) {
    int const attno = lfirst_int(cell);
    if (!list_member_int(*columns, attno)) *columns = lappend_int(*columns, attno);
    *order = AddOrder(*order, info, static_cast<AttrNumber>(attno));
    ListCell *column;
    foreach (column, *columns) {
      if (lfirst_int(column) == attno) *key = lappend_int(*key, foreach_current_index(column));
    }
  }
}

void AddPath(RelOptInfo *rel, PlannerInfo *root, List *pathkeys, double factor) {
  const RelInfo *info = InfoOf(rel);
  Cost const startup = kStartupCost + info->local_cost.startup;
  Cost const total = startup + info->transferred * (kTupleCost + cpu_tuple_cost + info->local_cost.per_tuple) * factor;
  add_path(rel, reinterpret_cast<Path *>(create_foreignscan_path(root, rel, nullptr, rel->rows,
#if PG_VERSION_NUM >= 180000
                                                                 0,
#endif
                                                                 startup, total, pathkeys, rel->lateral_relids, nullptr,
#if PG_VERSION_NUM >= 170000
                                                                 NIL,
#endif
                                                                 NIL)));
}

}  // namespace

void GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table_id) {
  auto *info = static_cast<RelInfo *>(palloc0(sizeof(RelInfo)));
  rel->fdw_private = info;
  Server *server = GetServerOptions(rel->serverid);
  info->deparse = {root, rel, server, GetTableOptions(table_id, server), NIL, nullptr};
  for (int i = 0; i < info->deparse.table->natts; i++) {
    const Column *column = &info->deparse.table->columns[i];
    if (column->name != nullptr && column->key) info->key = lappend_int(info->key, i + 1);
  }
  ClassifyConditions(info, rel->baserestrictinfo);
  info->at_most = RowsByKey(info);
  if (rel->tuples <= 0) {
    rel->tuples = kDefaultRows;
    rel->pages = 10;
  }
  set_baserel_size_estimates(root, rel);
  Selectivity const remote = clauselist_selectivity(root, info->remote, 0, JOIN_INNER, nullptr);
  info->transferred = clamp_row_est(rel->tuples * remote);
  if (info->at_most >= 0) info->transferred = Min(info->transferred, Max(info->at_most, 1));
  rel->rows = Min(rel->rows, info->transferred);
  cost_qual_eval(&info->local_cost, info->local, root);
}

void GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid) {
  AddPath(rel, root, NIL, 1.0);
  bool by_key;
  List *pathkeys = root->query_pathkeys;
  if (pathkeys == NIL || !setting_enable_pushdown || !OrderShippable(rel, pathkeys, &by_key)) return;
  if (by_key || (LimitApplies(root, rel) && LimitIsSmall(root))) AddPath(rel, root, pathkeys, by_key ? 1.0 : 1.05);
}

ForeignScan *GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid, ForeignPath *path, List *tlist, List *clauses,
                            Plan *outer_plan) {
  RelInfo *info = InfoOf(rel);
  List *local_clauses, *remote_clauses;
  SplitClauses(info, clauses, &local_clauses, &remote_clauses);

  bool const recheck = info->trees != NIL && MayNeedRecheck(info);
  List *columns = FetchedColumns(rel, recheck);
  bool by_key = true;
  if (path->path.pathkeys != NIL) (void)OrderShippable(rel, path->path.pathkeys, &by_key);
  List *order = NIL, *key = NIL;
  if (info->key != NIL && by_key) {
    UseKey(info, &columns, &key, &order);
  } else {
    order = AddTieBreakers(PathOrder(rel, path->path.pathkeys), info, columns);
  }
  if (columns == NIL) columns = FirstColumn(info);

  bool const limited = LimitApplies(root, rel) && LimitIsLocalValue(root) && setting_enable_pushdown &&
                       pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys);
  List *expressions = list_copy(info->deparse.parameters);
  List *limit = LimitParameters(root, &expressions, limited);
  List *fdw_private = list_make5(info->trees, columns, key, order, limit);
  fdw_private = lappend(lappend(fdw_private, makeInteger(info->at_most)), info->reasons);
  fdw_private = lappend(fdw_private, makeInteger(recheck));
  fdw_private = lappend(fdw_private, makeInteger(path->path.pathkeys != NIL));
  return make_foreignscan(tlist, local_clauses, rel->relid, expressions, fdw_private, NIL, remote_clauses, outer_plan);
}

}  // namespace supabase::pg
