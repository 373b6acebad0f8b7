#include "fdw/upper.hpp"

#include "core/seeded.hpp"

#include "fdw/connection.hpp"
#include "fdw/plan.hpp"
#include "fdw/relation.hpp"
#include "fdw/settings.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "catalog/pg_namespace.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/prep.h"
#include "optimizer/tlist.h"
#include "utils/fmgroids.h"
#include "utils/selfuncs.h"
}

namespace supabase::pg {
namespace {

// Remote work is not free, but less than that of transferring a row and counting it here.
constexpr double kRemoteTupleCost = 0.001;

// The planner's notes on a relation of groups, in its fdw_private.
struct UpperInfo {
  RelOptInfo *base;
  DeparseContext deparse;  // the base's, with the parameters of aggregates' FILTER clauses added
  List *tlist;             // TargetEntries: what the remote returns, group columns first
  List *columns;           // their attribute numbers; 0 for count(*) among other aggregates
  List *functions;         // Strings: "" for a group column
  List *counts;            // with counts_only: each one's own conditions, a List of trees
  int group_columns;
  List *having;      // evaluated here, on the groups
  bool counts_only;  // nothing but count(*) and count(column), no groups
};

UpperInfo *UpperInfoOf(RelOptInfo *rel) {
  return static_cast<UpperInfo *>(rel->fdw_private);
}

enum class Domain { kAny, kNumber, kOrdered };

// An aggregate that PostgREST has. By name: each stands for a family of pg_catalog functions.
struct AggregateRow {
  const char *name;
  Domain domain;
};
constexpr AggregateRow kAggregates[] = {{"count", Domain::kAny},
                                        {"sum", Domain::kNumber},
                                        {"avg", Domain::kNumber},
                                        {"min", Domain::kOrdered},
                                        {"max", Domain::kOrdered}};

bool IsNumber(Oid type) {
  return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID || type == FLOAT4OID ||
         type == FLOAT8OID;
}

// The column that an aggregate is over or a query groups by, when its values mean the same on both sides; 0 otherwise.
AttrNumber SafeColumn(const UpperInfo *upper, const Node *node) {
  if (node == nullptr) return 0;
  AttrNumber const attno = PlainColumn(&upper->deparse, reinterpret_cast<const Expr *>(node));
  if (attno == 0 || upper->deparse.table->columns[attno - 1].remote_type != nullptr) return 0;
  return attno;
}

Oid ColumnType(const UpperInfo *upper, AttrNumber attno) {
  return get_atttype(upper->deparse.table->id, attno);
}

bool Groupable(const UpperInfo *upper, AttrNumber attno, const Node *node) {
  if (attno == 0) return false;
  // PostgREST cannot group by what it is to send as text.
  TypeRule const rule = GetTypeRule(ColumnType(upper, attno));
  if (!rule.equality || rule.as_text) return false;
  Oid const collation = exprCollation(node);
  return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

// min and max depend on the order of text, which must be the same there.
bool Ordered(const UpperInfo *upper, AttrNumber attno, const Aggref *aggregate) {
  Oid type, collation;
  int32 typmod;
  get_atttypetypmodcoll(upper->deparse.table->id, attno, &type, &typmod, &collation);
  TypeRule const rule = GetTypeRule(type);
  if (!rule.ordering) return false;
  return !rule.collated ||
         (upper->deparse.table->columns[attno - 1].text_ordering && aggregate->inputcollid == collation);
}

void AddItem(UpperInfo *upper, Node *node, AttrNumber attno, const char *function, Index group) {
  auto const number = static_cast<AttrNumber>(list_length(upper->tlist) + 1);
  TargetEntry *entry = makeTargetEntry(static_cast<Expr *>(copyObjectImpl(node)), number, nullptr, false);
  entry->ressortgroupref = group;
  upper->tlist = lappend(upper->tlist, entry);
  upper->columns = lappend_int(upper->columns, attno);
  upper->functions = lappend(upper->functions, makeString(pstrdup(function)));
}

bool AddGroups(UpperInfo *upper, List *clauses, List *targets) {
  ListCell *cell;
  foreach (cell, clauses) {
    auto *clause = lfirst_node(SortGroupClause, cell);
    Node *node = get_sortgroupclause_expr(clause, targets);
    AttrNumber const attno = IsA(node, Var) ? SafeColumn(upper, node) : static_cast<AttrNumber>(0);
    if (!Groupable(upper, attno, node)) return false;
    if (tlist_member(reinterpret_cast<Expr *>(node), upper->tlist) != nullptr) continue;
    AddItem(upper, node, attno, "", clause->tleSortGroupRef);
  }
  upper->group_columns = list_length(upper->tlist);
  return true;
}

const AggregateRow *FindAggregate(const Aggref *aggregate) {
  if (get_func_namespace(aggregate->aggfnoid) != PG_CATALOG_NAMESPACE) return nullptr;
  const char *name = get_func_name(aggregate->aggfnoid);
  for (const AggregateRow &row : kAggregates) {
    if (name != nullptr && strcmp(row.name, name) == 0) return &row;
  }
  return nullptr;
}

// The conditions of one count: its FILTER, and that its argument is not null.
bool AddCountConditions(UpperInfo *upper, const Aggref *aggregate, Node *argument) {
  List *trees = NIL;
  List *clauses = NIL;
  // A row of nulls counts, though it "is null" to PostgREST's filter.
  if (argument != nullptr && type_is_rowtype(exprType(argument))) return false;
  if (argument != nullptr && !Seeded(Bug::kCountCountsNulls)) {
    NullTest *test = makeNode(NullTest);
    test->arg = reinterpret_cast<Expr *>(argument);
    test->nulltesttype = IS_NOT_NULL;
    test->argisrow = false;
    clauses = lappend(clauses, test);
  }
  if (aggregate->aggfilter != nullptr) clauses = lappend(clauses, aggregate->aggfilter);
  ListCell *cell;
  foreach (cell, clauses) {
    List *tree = DeparseClause(&upper->deparse, static_cast<Expr *>(lfirst(cell)));
    if (tree == NIL) return false;
    trees = lappend(trees, tree);
  }
  upper->counts = lappend(upper->counts, trees);
  return true;
}

// NULL for count(*), and for count(1) and the like, which count the same.
Node *AggregateArgument(const Aggref *aggregate) {
  if (aggregate->aggstar) return nullptr;
  auto *argument = reinterpret_cast<Node *>(linitial_node(TargetEntry, aggregate->args)->expr);
  bool const counts_all = IsA(argument, Const) && !reinterpret_cast<Const *>(argument)->constisnull &&
                          FindAggregate(aggregate)->domain == Domain::kAny;
  return counts_all ? nullptr : argument;
}

bool AddAggregate(UpperInfo *upper, Aggref *aggregate) {
  if (tlist_member(reinterpret_cast<Expr *>(aggregate), upper->tlist) != nullptr) return true;
  const AggregateRow *row = FindAggregate(aggregate);
  if (row == nullptr || (aggregate->aggdistinct != NIL && !Seeded(Bug::kDistinctArgumentLost)) ||
      aggregate->aggorder != NIL || aggregate->aggvariadic || aggregate->aggsplit != AGGSPLIT_SIMPLE ||
      list_length(aggregate->args) > 1) {
    return false;
  }
  Node *argument = AggregateArgument(aggregate);
  AttrNumber attno = 0;
  if (argument != nullptr) {
    attno = upper->counts_only ? PlainColumn(&upper->deparse, reinterpret_cast<Expr *>(argument))
                               : SafeColumn(upper, argument);
    if (attno == 0) return false;
  }
  if (upper->counts_only) {
    if (row->domain != Domain::kAny || !AddCountConditions(upper, aggregate, argument)) return false;
  } else {
    if (aggregate->aggfilter != nullptr && !Seeded(Bug::kFilterLost)) return false;
    if (row->domain == Domain::kNumber && !IsNumber(getBaseType(ColumnType(upper, attno)))) return false;
    if (row->domain == Domain::kOrdered && !Ordered(upper, attno, aggregate)) return false;
  }
  // A request for a count must name some column that may be read.
  if (upper->counts_only && attno == 0) attno = AnyColumn(InfoOf(upper->base)->deparse.table);
  AddItem(upper, reinterpret_cast<Node *>(aggregate), attno, row->name, 0);
  return true;
}

// What an expression over groups needs of the remote; the expression itself is evaluated here.
bool AddNeeds(UpperInfo *upper, Node *expr) {
  ListCell *cell;
  foreach (cell, pull_var_clause(expr, PVC_INCLUDE_AGGREGATES | PVC_INCLUDE_PLACEHOLDERS)) {
    auto *node = static_cast<Node *>(lfirst(cell));
    bool const known = tlist_member(static_cast<Expr *>(lfirst(cell)), upper->tlist) != nullptr;
    if (IsA(node, Aggref) ? !AddAggregate(upper, reinterpret_cast<Aggref *>(node)) : !known) return false;
  }
  return true;
}

// Fills the notes for the wanted groups and targets; false when part of it cannot be asked of the remote.
bool Describe(UpperInfo *upper, PlannerInfo *root, List *groups, List *targets, bool counts_only) {
  upper->deparse = InfoOf(upper->base)->deparse;
  upper->deparse.parameters = list_copy(upper->deparse.parameters);
  upper->tlist = upper->columns = upper->functions = upper->counts = NIL;
  upper->counts_only = counts_only;
  if (!AddGroups(upper, groups, root->processed_tlist)) return false;
  ListCell *cell;
  foreach (cell, list_concat_copy(targets, upper->having)) {
    if (!AddNeeds(upper, static_cast<Node *>(lfirst(cell)))) return false;
  }
  if (counts_only) return upper->tlist != NIL;
  // Groups alone are no groups to PostgREST: some aggregate must be asked for.
  if (list_length(upper->tlist) == upper->group_columns)
    upper->functions = lappend(upper->functions, makeString(pstrdup("count")));
  return true;
}

// ---- paths ----

// The same rows made here, of all rows of the table.
Path *LocalPath(PlannerInfo *root, UpperInfo *upper, RelOptInfo *output, List *groups, double rows) {
  PathTarget *target = create_empty_pathtarget();
  ListCell *cell;
  foreach (cell, upper->tlist) {
    auto *entry = lfirst_node(TargetEntry, cell);
    add_column_to_pathtarget(target, entry->expr, entry->ressortgroupref);
  }
  set_pathtarget_cost_width(root, target);
  Path *path = upper->base->cheapest_total_path;
  AggStrategy strategy = AGG_PLAIN;
  if (groups != NIL) {
    strategy = AGG_HASHED;
    if (!enable_hashagg || !grouping_is_hashable(groups)) {
      strategy = AGG_SORTED;
      List *pathkeys = make_pathkeys_for_sortclauses(root, groups, root->processed_tlist);
      path = reinterpret_cast<Path *>(create_sort_path(root, upper->base, path, pathkeys, -1.0));
    }
  }
  AggClauseCosts costs = {};
  get_agg_clause_costs(root, AGGSPLIT_SIMPLE, &costs);
  return reinterpret_cast<Path *>(
      create_agg_path(root, output, path, target, strategy, AGGSPLIT_SIMPLE, groups, NIL, &costs, rows));
}

double GroupCount(PlannerInfo *root, const UpperInfo *upper, List *groups) {
  if (groups == NIL) return 1;
  List *expressions = get_sortgrouplist_exprs(groups, root->processed_tlist);
  return clamp_row_est(estimate_num_groups(root, expressions, upper->base->rows, nullptr, nullptr));
}

void AddUpperPath(PlannerInfo *root, UpperInfo *upper, RelOptInfo *output, PathTarget *target, List *groups,
                  bool uncertain) {
  const RelInfo *info = InfoOf(upper->base);
  double const rows = GroupCount(root, upper, groups);
  Path *local = nullptr;
  if (uncertain || MayNeedRecheck(info, list_concat_copy(info->trees, upper->counts), upper->deparse.parameters)) {
    local = LocalPath(root, upper, output, groups, rows);
  }
  output->fdw_private = upper;
  Cost const startup = upper->base->cheapest_total_path->startup_cost;
  Cost const total = startup + upper->base->rows * kRemoteTupleCost + rows * cpu_tuple_cost * 2;
  add_path(output, reinterpret_cast<Path *>(create_foreign_upper_path(root, output, target, rows,
#if PG_VERSION_NUM >= 180000
                                                                      0,
#endif
                                                                      startup, total, NIL, local,
#if PG_VERSION_NUM >= 170000
                                                                      NIL,
#endif
                                                                      NIL)));
}

// Whether the rows of `input` are just those of one foreign table whose conditions are all shipped.
bool IsPlainScan(PlannerInfo *root, RelOptInfo *input) {
  Query *parse = root->parse;
  return input->reloptkind == RELOPT_BASEREL && input->fdw_private != nullptr && InfoOf(input)->local == NIL &&
         InfoOf(input)->deparse.table->function == nullptr && input->cheapest_total_path != nullptr &&
         input->cheapest_total_path->param_info == nullptr && bms_is_empty(input->lateral_relids) &&
         parse->rowMarks == NIL && parse->groupingSets == NIL && !root->hasPseudoConstantQuals &&
         bms_equal(root->all_baserels, input->relids);
}

void Consider(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, PathTarget *target, List *groups,
              List *having) {
  auto *upper = static_cast<UpperInfo *>(palloc0(sizeof(UpperInfo)));
  upper->base = input;
  upper->having = Seeded(Bug::kHavingLost) ? NIL : having;
  if (groups == NIL && Describe(upper, root, NIL, target->exprs, true)) {
    AddUpperPath(root, upper, output, target, NIL, false);
    return;
  }
  Aggregates const allowed = ServerAggregates(InfoOf(input)->deparse.server);
  if (allowed == Aggregates::kRefused || !Describe(upper, root, groups, target->exprs, false)) return;
  AddUpperPath(root, upper, output, target, groups, allowed == Aggregates::kUnknown);
}

List *GroupClauses(PlannerInfo *root) {
#if PG_VERSION_NUM >= 160000
  return root->processed_groupClause;
#else
  return root->parse->groupClause;
#endif
}

List *DistinctClauses(PlannerInfo *root) {
#if PG_VERSION_NUM >= 160000
  return root->processed_distinctClause;
#else
  return root->parse->distinctClause;
#endif
}

}  // namespace

void GetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *) {
  if (!setting_enable_pushdown || output->fdw_private != nullptr || !IsPlainScan(root, input)) return;
  if (stage == UPPERREL_GROUP_AGG) {
    Consider(root, input, output, root->upper_targets[UPPERREL_GROUP_AGG], GroupClauses(root),
             reinterpret_cast<List *>(root->parse->havingQual));
  } else if (stage == UPPERREL_DISTINCT && !root->parse->hasDistinctOn && DistinctClauses(root) != NIL) {
    Consider(root, input, output, root->upper_targets[UPPERREL_DISTINCT], DistinctClauses(root), NIL);
  }
}

ForeignScan *GetUpperPlan(RelOptInfo *rel, List *tlist, Plan *outer_plan) {
  UpperInfo *upper = UpperInfoOf(rel);
  const RelInfo *info = InfoOf(upper->base);
  List *order = NIL;
  for (int i = 0; i < upper->group_columns; i++)
    order = AddOrder(order, info, static_cast<AttrNumber>(list_nth_int(upper->columns, i)));
  int const at_most = upper->group_columns == 0 ? 1 : -1;
  List *limit = list_make2(makeInteger(kNoParameter), makeInteger(kNoParameter));
  ScanPlan const plan = {info->trees,   upper->columns,
                         NIL,           order,
                         limit,         at_most,
                         NIL,           false,
                         true,          upper->counts_only ? NIL : upper->functions,
                         upper->counts, NIL};
  return make_foreignscan(tlist, upper->having, 0, upper->deparse.parameters, MakePlanPrivate(&plan), upper->tlist, NIL,
                          outer_plan);
}

}  // namespace supabase::pg
