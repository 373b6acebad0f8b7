#include "fdw/plan.hpp"

#include "core/seeded.hpp"

#include "fdw/estimate.hpp"
#include "fdw/relation.hpp"
#include "fdw/rpc.hpp"
#include "fdw/settings.hpp"
#include "fdw/upper.hpp"

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

// Makes the path of a function without arguments that joins could give dearer than any with them.
constexpr double kWithoutArguments = 1.0e8;
// Rows of a table that nobody has counted.
constexpr double kDefaultRows = 1000.0;
// A join that asks for each outer row waits a whole round trip for each, while a scan asks ahead: in time that is worth
// several of a scan's. More rows than a page has cost as many more.
constexpr double kLookupTrips = 4.0;
constexpr double kPageRows = 1000.0;
// An ordered scan that must page by offset reads its beginning again for every page; beyond ten full pages sorting here
// is cheaper.
constexpr int64 kMaxOffsetRows = 10'000;
// Fewer are read in three or four of the largest pages: where such a scan is cut matters little.
constexpr double kManyRowsLeast = 30'000.0;

void ClassifyConditions(RelInfo *info, List *restrictions) {
  ListCell *cell;
  foreach (cell, restrictions) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    if (TakeArgument(&info->deparse, restriction->clause, &info->arguments)) {
      info->argument_clauses = lappend(info->argument_clauses, restriction);
      continue;
    }
    info->deparse.reason = "supabase_fdw.enable_pushdown is off";
    List *tree = setting_enable_pushdown ? DeparseResultClause(&info->deparse, restriction->clause) : NIL;
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
int RowsByKey(const RelInfo *info, List *trees) {
  if (info->key == NIL) return -1;
  int fixed = 0, listed = -1;
  ListCell *key_cell;
  foreach (key_cell, info->key) {
    const char *name = info->deparse.table->columns[lfirst_int(key_cell) - 1].name;
    bool found = false;
    ListCell *cell;
    foreach (cell, trees) {
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
  return rel->reloptkind == RELOPT_BASEREL && bms_equal(root->all_baserels, rel->relids) &&
         (InfoOf(rel)->local == NIL || Seeded(Bug::kLimitBelowFilter));
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

// The columns that the scan must return: those in the target list and in conditions that are filtered here.
List *FetchedColumns(RelOptInfo *rel, List *filters) {
  RelInfo *info = InfoOf(rel);
  Bitmapset *used = nullptr;
  pull_varattnos(reinterpret_cast<Node *>(rel->reltarget->exprs), rel->relid, &used);
  pull_varattnos(reinterpret_cast<Node *>(filters), rel->relid, &used);
  bool const whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
  List *columns = NIL;
  for (int attno = 1; attno <= info->deparse.table->natts; attno++) {
    if (!IsResult(info, attno)) continue;
    if (whole_row || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used))
      columns = lappend_int(columns, attno);
  }
  for (int const attno : {SelfItemPointerAttributeNumber, MinTransactionIdAttributeNumber}) {
    if (bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used)) columns = lappend_int(columns, attno);
  }
  return columns;
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

// What a plan ships and what it leaves: a parameterised path has join clauses beside the relation's own conditions.
struct PlanClauses {
  List *local;       // the executor checks these
  List *remote;      // and need not check these, but may have to, when they turn out too long
  List *trees;       // of `remote`
  List *parameters;  // that the trees index
  List *arguments;   // of a function, given by some of `remote`
};

PlanClauses SplitClauses(const RelInfo *info, List *clauses, Relids outer) {
  DeparseContext context = info->deparse;
  context.outer = outer;
  context.parameters = list_copy(info->deparse.parameters);
  PlanClauses split = {NIL, NIL, list_copy(info->trees), NIL, NIL};
  ListCell *cell;
  foreach (cell, clauses) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    if (restriction->pseudoconstant) continue;
    bool ships =
        list_member_ptr(info->remote, restriction) || TakeArgument(&context, restriction->clause, &split.arguments);
    if (!ships && outer != nullptr && setting_enable_pushdown && !list_member_ptr(info->local, restriction)) {
      List *tree = DeparseResultClause(&context, restriction->clause);
      ships = tree != NIL;
      if (ships) split.trees = lappend(split.trees, tree);
    }
    List **target = ships ? &split.remote : &split.local;
    *target = lappend(*target, restriction->clause);
  }
  split.parameters = context.parameters;
  return split;
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

// LIMIT, cursors and EXISTS leave a fraction. What an outer row gives narrows the scan by what is not estimated here.
PlanAll AllRows(const PlannerInfo *root, const RelInfo *info, bool parameterized) {
  if (root->tuple_fraction > 0) return kSomeRows;
  return !parameterized && info->transferred >= kManyRowsLeast ? kManyRows : kAllRows;
}

Path *MakeScanPath(PlannerInfo *root, RelOptInfo *rel, double rows, Cost startup, Cost total, List *pathkeys,
                   Relids outer) {
  return reinterpret_cast<Path *>(create_foreignscan_path(root, rel, nullptr, rows,
#if PG_VERSION_NUM >= 180000
                                                          0,
#endif
                                                          startup, total, pathkeys, outer, nullptr,
#if PG_VERSION_NUM >= 170000
                                                          NIL,
#endif
                                                          NIL));
}

void AddPath(PlannerInfo *root, RelOptInfo *rel, List *pathkeys, double factor) {
  const RelInfo *info = InfoOf(rel);
  const Table *table = info->deparse.table;
  Cost const startup = table->startup_cost + info->local_cost.startup;
  Cost const total =
      startup + info->transferred * (table->tuple_cost + cpu_tuple_cost + info->local_cost.per_tuple) * factor;
  add_path(rel, MakeScanPath(root, rel, rel->rows, startup, total, pathkeys, rel->lateral_relids));
}

// ---- parameterised paths: a join whose outer row gives the values that this side is asked for ----

// Which member of an equivalence class generate_implied_equalities_for_column is asked about.
struct WantedMember {
  Expr *current;  // NULL: the next one that was not asked about yet
  List *used;
};

bool IsWantedMember(PlannerInfo *, RelOptInfo *, EquivalenceClass *, EquivalenceMember *member, void *arg) {
  auto *wanted = static_cast<WantedMember *>(arg);
  if (wanted->current != nullptr) return equal(member->em_expr, wanted->current);
  if (list_member(wanted->used, member->em_expr)) return false;
  wanted->current = member->em_expr;
  return true;
}

// Adds what the outer side must be for this clause to be shipped, when it can be.
void AddParameterization(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *clause, List **infos) {
  if (!join_clause_is_movable_to(clause, rel)) return;
  Relids outer = bms_del_members(bms_union(clause->clause_relids, rel->lateral_relids), rel->relids);
  if (bms_is_empty(outer)) return;
  DeparseContext context = InfoOf(rel)->deparse;
  context.outer = outer;
  context.parameters = NIL;
  if (DeparseClause(&context, clause->clause) == NIL) return;
  *infos = list_append_unique_ptr(*infos, get_baserel_parampathinfo(root, rel, outer));
}

List *Parameterizations(PlannerInfo *root, RelOptInfo *rel) {
  List *infos = NIL;
  ListCell *cell;
  foreach (cell, rel->joininfo)
    AddParameterization(root, rel, lfirst_node(RestrictInfo, cell), &infos);
  if (!rel->has_eclass_joins) return infos;
  WantedMember wanted = {nullptr, NIL};
  for (;;) {
    wanted.current = nullptr;
    List *clauses =
        generate_implied_equalities_for_column(root, rel, IsWantedMember, &wanted, rel->lateral_referencers);
    if (wanted.current == nullptr) return infos;
    foreach (cell, clauses)
      AddParameterization(root, rel, lfirst_node(RestrictInfo, cell), &infos);
    wanted.used = lappend(wanted.used, wanted.current);
  }
}

void AddParameterizedPaths(PlannerInfo *root, RelOptInfo *rel) {
  const RelInfo *info = InfoOf(rel);
  ListCell *cell;
  foreach (cell, Parameterizations(root, rel)) {
    auto *parameterization = lfirst_node(ParamPathInfo, cell);
    double const rows = parameterization->ppi_rows;
    double const trips = kLookupTrips + rows / kPageRows;
    Cost const startup = info->deparse.table->startup_cost * trips + info->local_cost.startup;
    Cost const total = startup + rows * (info->deparse.table->tuple_cost + cpu_tuple_cost + info->local_cost.per_tuple);
    add_path(rel, MakeScanPath(root, rel, rows, startup, total, NIL, parameterization->ppi_req_outer));
  }
}

// Rows of the table, and those that the conditions leave: by the remote planner where the option says so, else by what
// is known of the table, for this user, and the local statistics.
void EstimateSize(PlannerInfo *root, RelOptInfo *rel) {
  RelInfo *info = InfoOf(rel);
  const Table *table = info->deparse.table;
  const char *identity = EstimateIdentity(info->deparse.server, OidIsValid(rel->userid) ? rel->userid : GetUserId());
  double rows;
  if (CachedCount(info->deparse.server, table, identity, &rows)) rel->tuples = rows;
  if (rel->tuples < 0) {
    rel->tuples = kDefaultRows;
    rel->pages = 10;
  }
  set_baserel_size_estimates(root, rel);
  List *conditions = info->remote;
  double base = rel->tuples;
  bool const asked =
      table->use_remote_estimate && RemoteEstimate(&info->deparse, info->remote, identity, &conditions, &base);
  if (!asked) conditions = info->remote;
  info->transferred = clamp_row_est(base * clauselist_selectivity(root, conditions, 0, JOIN_INNER, nullptr));
  if (!asked) return;
  rel->tuples = Max(rel->tuples, base);
  rel->rows = clamp_row_est(info->transferred * clauselist_selectivity(root, info->local, 0, JOIN_INNER, nullptr));
}

}  // namespace

RelInfo *InfoOf(RelOptInfo *rel) {
  return static_cast<RelInfo *>(rel->fdw_private);
}

bool IsResult(const RelInfo *info, int attno) {
  const Column *column = &info->deparse.table->columns[attno - 1];
  return column->name != nullptr && !column->argument;
}

AttrNumber AnyColumn(const Table *table) {
  AttrNumber first = 0;
  for (int i = 0; i < table->natts; i++) {
    const Column *column = &table->columns[i];
    if (column->name == nullptr || column->argument) continue;
    if (column->key) return static_cast<AttrNumber>(i + 1);
    if (first == 0) first = static_cast<AttrNumber>(i + 1);
  }
  if (first > 0) return first;
  ereport(ERROR, (errcode(ERRCODE_FDW_ERROR), errmsg("foreign table \"%s\" has no columns", get_rel_name(table->id))));
  pg_unreachable();
}

// Length of a tree's values and names, with room for what stands between them.
static size_t TreeLength(const Node *tree) {
  if (tree == nullptr) return 0;  // an empty list
  if (IsA(tree, String)) return strlen(strVal(tree)) + 8;
  if (IsA(tree, Integer)) return 0;
  size_t length = 8;
  ListCell *cell;
  foreach (cell, reinterpret_cast<const List *>(tree))
    length += TreeLength(static_cast<Node *>(lfirst(cell)));
  return length;
}

// Percent-encoding makes a byte three.
bool MayNeedRecheck(const RelInfo *info, List *trees, List *parameters) {
  if (trees == NIL) return false;
  ListCell *cell;
  foreach (cell, parameters) {
    if (get_typlen(exprType(static_cast<Node *>(lfirst(cell)))) < 0) return true;
  }
  size_t length = TreeLength(reinterpret_cast<Node *>(trees));
  for (int i = 0; i < info->deparse.table->natts; i++) {
    const char *name = info->deparse.table->columns[i].name;
    if (name != nullptr) length += strlen(name) + 8;
  }
  return length * 3 > kMaxTargetBytes / 2;
}

void GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table_id) {
  auto *info = static_cast<RelInfo *>(palloc0(sizeof(RelInfo)));
  rel->fdw_private = info;
  const Server *server = UseServer(rel->serverid);
  RequireProject(server);
  info->deparse = {root, rel, server, UseTable(table_id, server), NIL, nullptr};
  for (int i = 0; i < info->deparse.table->natts; i++) {
    const Column *column = &info->deparse.table->columns[i];
    if (column->name != nullptr && column->key && !column->argument) info->key = lappend_int(info->key, i + 1);
  }
  ClassifyConditions(info, rel->baserestrictinfo);
  info->at_most = RowsByKey(info, info->trees);
  // Conditions that give arguments say nothing about how many rows come.
  List *restrictions = rel->baserestrictinfo;
  rel->baserestrictinfo = list_difference_ptr(restrictions, info->argument_clauses);
  EstimateSize(root, rel);
  rel->baserestrictinfo = restrictions;
  if (info->at_most >= 0) info->transferred = Min(info->transferred, Max(info->at_most, 1));
  rel->rows = Min(rel->rows, info->transferred);
  cost_qual_eval(&info->local_cost, info->local, root);
}

void GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid) {
  if (!AddCallPaths(&InfoOf(rel)->deparse)) {
    AddPath(root, rel, NIL, kWithoutArguments);
    return;
  }
  AddPath(root, rel, NIL, 1.0);
  if (!setting_enable_pushdown) return;
  bool by_key;
  List *pathkeys = root->query_pathkeys;
  if (pathkeys != NIL && OrderShippable(rel, pathkeys, &by_key) &&
      (by_key || (LimitApplies(root, rel) && LimitIsSmall(root)))) {
    AddPath(root, rel, pathkeys, by_key ? 1.0 : 1.05);
  }
  // A function is not called for every outer row only to filter its result.
  if (InfoOf(rel)->deparse.table->function == nullptr) AddParameterizedPaths(root, rel);
}

ForeignScan *GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid, ForeignPath *path, List *tlist, List *clauses,
                            Plan *outer_plan) {
  if (IS_UPPER_REL(rel)) return GetUpperPlan(rel, tlist, outer_plan);
  RelInfo *info = InfoOf(rel);
  Relids const outer = path->path.param_info != nullptr ? path->path.param_info->ppi_req_outer : nullptr;
  PlanClauses const split = SplitClauses(info, clauses, outer);

  CheckArguments(&info->deparse, split.arguments, split.local);
  // A function's result has only the columns that are selected (until PostgREST 13).
  bool const call = info->deparse.table->function != nullptr;
  bool const recheck = (call && split.trees != NIL) || MayNeedRecheck(info, split.trees, split.parameters);
  List *columns = FetchedColumns(rel, recheck ? list_concat_copy(split.local, split.remote) : split.local);
  bool by_key = true;
  if (path->path.pathkeys != NIL) (void)OrderShippable(rel, path->path.pathkeys, &by_key);
  List *order = NIL, *key = NIL;
  if (call && info->key == NIL) {
    // In the function's own order, unless the query wants another.
    order = PathOrder(rel, path->path.pathkeys);
  } else if (info->key != NIL && by_key) {
    UseKey(info, &columns, &key, &order);
  } else {
    order = AddTieBreakers(PathOrder(rel, path->path.pathkeys), info, columns);
  }
  if (columns == NIL) columns = list_make1_int(AnyColumn(info->deparse.table));

  bool const limited = LimitApplies(root, rel) && LimitIsLocalValue(root) && setting_enable_pushdown &&
                       pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys);
  List *expressions = split.parameters;
  List *limit = LimitParameters(root, &expressions, limited);
  ScanPlan const plan = {split.trees,
                         columns,
                         key,
                         order,
                         limit,
                         RowsByKey(info, split.trees),
                         info->reasons,
                         recheck,
                         path->path.pathkeys != NIL,
                         NIL,
                         NIL,
                         split.arguments,
                         AllRows(root, info, outer != nullptr),
                         limited && key == NIL ? TopOf(info, columns, order) : kTopAtOnce};
  return make_foreignscan(tlist, split.local, rel->relid, expressions, MakePlanPrivate(&plan), NIL, split.remote,
                          outer_plan);
}

List *MakePlainScan(List *conditions, List *columns) {
  List *no_limit = list_make2(makeInteger(kNoParameter), makeInteger(kNoParameter));
  ScanPlan const plan = {conditions, columns, NIL, NIL, no_limit, -1, NIL, false, false, NIL, NIL, NIL};
  return MakePlanPrivate(&plan);
}

List *MakePlanPrivate(const ScanPlan *plan) {
  List *result = list_make5(plan->conditions, plan->columns, plan->key, plan->order, plan->limit);
  result = lappend(lappend(result, makeInteger(plan->at_most)), plan->reasons);
  result = lappend(result, makeInteger(plan->recheck));
  result = lappend(result, makeInteger(plan->ordered));
  result = lappend(lappend(lappend(result, plan->functions), plan->counts), plan->arguments);
  return lappend(lappend(result, makeInteger(plan->all)), makeInteger(plan->top));
}

}  // namespace supabase::pg
