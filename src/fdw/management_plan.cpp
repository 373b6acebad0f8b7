// Planning of foreign tables of the Management API.

#include "fdw/bridge.hpp"
#include "fdw/management_table.hpp"

extern "C" {
#include "access/sysattr.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/selfuncs.h"
}

namespace supabase::pg {
namespace {

// A request is a round trip to a gateway and counts against a rate limit.
constexpr double kRequestCost = 200.0;
constexpr double kRowCost = 0.01;
// What a table has, as long as nobody knows.
constexpr double kRowsOfParent = 10.0;
constexpr double kParents = 30.0;
constexpr double kListLength = 10.0;

// The planner's notes, in rel->fdw_private.
struct ManagementInfo {
  PlannerInfo *root;
  RelOptInfo *rel;
  ApiRelation *relation;
  bool changes;  // the relation is what an UPDATE or DELETE changes
};

struct Key {
  AttrNumber attno;
  BindKind kind;
  Expr *value;  // NULL for kTrue and kFalse
};

ManagementInfo *InfoOf(RelOptInfo *rel) {
  return static_cast<ManagementInfo *>(rel->fdw_private);
}

bool IsBindable(const ManagementInfo *info, AttrNumber attno) {
  const ApiColumn *column = attno > 0 ? ColumnOf(info->relation, attno) : nullptr;
  return column != nullptr && (!column->parameter.empty() || column->constant);
}

// The bindable column that an expression is, or 0.
AttrNumber BindableColumn(const ManagementInfo *info, Expr *expr) {
  while (IsA(expr, RelabelType))
    expr = reinterpret_cast<RelabelType *>(expr)->arg;
  if (!IsA(expr, Var)) return 0;
  auto *var = reinterpret_cast<Var *>(expr);
  if (static_cast<Index>(var->varno) != info->rel->relid || var->varlevelsup != 0) return 0;
  return IsBindable(info, var->varattno) ? var->varattno : static_cast<AttrNumber>(0);
}

// Whether a value is known before the relation's rows are.
bool IsKnown(const ManagementInfo *info, Expr *value) {
  auto *node = reinterpret_cast<Node *>(value);
  return !bms_overlap(pull_varnos(info->root, node), info->rel->relids) && !contain_volatile_functions(node) &&
         !contain_subplans(node);
}

bool IsEquality(Oid operator_id) {
  return get_mergejoin_opfamilies(operator_id) != NIL;
}

bool TakeComparison(const ManagementInfo *info, OpExpr *clause, Key *key) {
  if (list_length(clause->args) != 2 || !IsEquality(clause->opno)) return false;
  auto *left = static_cast<Expr *>(linitial(clause->args)), *right = static_cast<Expr *>(lsecond(clause->args));
  for (Expr *side : {left, right}) {
    Expr *other = side == left ? right : left;
    AttrNumber const attno = BindableColumn(info, side);
    if (attno == 0 || !IsKnown(info, other)) continue;
    *key = {attno, BindKind::kValue, other};
    return true;
  }
  return false;
}

bool TakeList(const ManagementInfo *info, ScalarArrayOpExpr *clause, Key *key) {
  auto *list = static_cast<Expr *>(lsecond(clause->args));
  AttrNumber const attno = BindableColumn(info, static_cast<Expr *>(linitial(clause->args)));
  if (attno == 0 || !clause->useOr || !IsEquality(clause->opno) || !IsKnown(info, list)) return false;
  *key = {attno, BindKind::kList, list};
  return true;
}

// Whether a condition gives the value of a column.
bool TakeKey(const ManagementInfo *info, Expr *clause, Key *key) {
  if (IsA(clause, OpExpr)) return TakeComparison(info, reinterpret_cast<OpExpr *>(clause), key);
  if (IsA(clause, ScalarArrayOpExpr)) return TakeList(info, reinterpret_cast<ScalarArrayOpExpr *>(clause), key);
  // The planner writes "flag" for "flag = true" and "NOT flag" for "flag = false".
  bool const negated = is_notclause(reinterpret_cast<Node *>(clause));
  AttrNumber const attno = BindableColumn(info, negated ? get_notclausearg(clause) : clause);
  if (attno == 0) return false;
  *key = {attno, negated ? BindKind::kFalse : BindKind::kTrue, nullptr};
  return true;
}

bool HasKey(List *keys, AttrNumber attno) {
  ListCell *cell;
  foreach (cell, keys) {
    if (static_cast<Key *>(lfirst(cell))->attno == attno) return true;
  }
  return false;
}

// Keys of some RestrictInfos: the first condition on a column counts, one value before a list.
List *KeysOf(const ManagementInfo *info, List *restrictions) {
  List *keys = NIL;
  for (bool const lists : {false, true}) {
    ListCell *cell;
    foreach (cell, restrictions) {
      Key key;
      if (!TakeKey(info, lfirst_node(RestrictInfo, cell)->clause, &key)) continue;
      if ((key.kind == BindKind::kList) != lists || HasKey(keys, key.attno)) continue;
      auto *kept = static_cast<Key *>(palloc(sizeof(Key)));
      *kept = key;
      keys = lappend(keys, kept);
    }
  }
  return keys;
}

AttrNumber AttributeOf(const ApiRelation *relation, const std::string *column) {
  for (int i = 0; i < relation->natts; i++) {
    const ApiColumn *candidate = ColumnOf(relation, static_cast<AttrNumber>(i + 1));
    if (candidate != nullptr && candidate->name == *column) return static_cast<AttrNumber>(i + 1);
  }
  return 0;
}

double ListLength(const ManagementInfo *info, List *keys) {
  double length = 1;
  ListCell *cell;
  foreach (cell, keys) {
    auto *key = static_cast<Key *>(lfirst(cell));
    if (key->kind != BindKind::kList) continue;
    auto *node = reinterpret_cast<Node *>(key->value);
#if PG_VERSION_NUM >= 170000
    length *= Max(estimate_array_length(info->root, node), 1.0);
#else
    (void)info;
    length *= Max(estimate_array_length(node), 1);
#endif
  }
  return Min(length, kListLength * kListLength);
}

// Requests that rows with these keys take.
double RequestsOf(const ManagementInfo *info, List *keys) {
  const ApiTable *api = info->relation->api;
  double requests = ListLength(info, keys);
  if (api->parent_column.empty()) return requests;
  AttrNumber const parent = AttributeOf(info->relation, &api->parent_column);
  if (parent == 0 || !HasKey(keys, parent)) requests *= kParents;
  return requests;
}

double RowsOf(const ManagementInfo *info, List *keys) {
  const ApiTable *api = info->relation->api;
  double const requests = RequestsOf(info, keys);
  if (api->kind != ApiTable::Kind::kCollection) return requests;
  AttrNumber const own = AttributeOf(info->relation, &api->key.back());
  return own != 0 && HasKey(keys, own) ? requests : requests * kRowsOfParent;
}

void AddPath(const ManagementInfo *info, Relids outer, List *keys, double rows) {
  RelOptInfo *rel = info->rel;
  Cost const total = RequestsOf(info, keys) * kRequestCost + rows * (kRowCost + cpu_tuple_cost);
  add_path(rel, reinterpret_cast<Path *>(create_foreignscan_path(info->root, rel, nullptr, rows,
#if PG_VERSION_NUM >= 180000
                                                                 0,
#endif
                                                                 kRequestCost, total, NIL, outer, nullptr,
#if PG_VERSION_NUM >= 170000
                                                                 NIL,
#endif
                                                                 NIL)));
}

// generate_implied_equalities_for_column: whether an equivalence member is the column in question.
bool IsColumnMember(PlannerInfo *, RelOptInfo *rel, EquivalenceClass *, EquivalenceMember *member, void *arg) {
  Key key = *static_cast<Key *>(arg);
  return BindableColumn(InfoOf(rel), member->em_expr) == key.attno;
}

// Join conditions that could give a key.
List *JoinClauses(const ManagementInfo *info) {
  RelOptInfo *rel = info->rel;
  List *clauses = list_copy(rel->joininfo);
  for (int attno = 1; rel->has_eclass_joins && attno <= info->relation->natts; attno++) {
    Key key = {static_cast<AttrNumber>(attno), BindKind::kValue, nullptr};
    if (!IsBindable(info, key.attno)) continue;
    clauses = list_concat(clauses, generate_implied_equalities_for_column(info->root, rel, IsColumnMember, &key,
                                                                          rel->lateral_referencers));
  }
  return clauses;
}

// A path for each set of relations whose rows give keys, and for all of them together.
void AddJoinPaths(const ManagementInfo *info) {
  RelOptInfo *rel = info->rel;
  List *sets = NIL;
  Relids all = bms_copy(rel->lateral_relids);
  ListCell *cell;
  foreach (cell, JoinClauses(info)) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    Key key;
    if (!join_clause_is_movable_to(restriction, rel) || !TakeKey(info, restriction->clause, &key)) continue;
    Relids outer =
        bms_del_member(bms_union(restriction->clause_relids, rel->lateral_relids), static_cast<int>(rel->relid));
    all = bms_add_members(all, outer);
    sets = lappend(sets, outer);
  }
  if (list_length(sets) > 1) sets = lappend(sets, all);
  foreach (cell, sets) {
    auto *outer = static_cast<Relids>(lfirst(cell));
    ParamPathInfo *param = get_baserel_parampathinfo(info->root, rel, outer);
    List *keys = KeysOf(info, list_concat_copy(rel->baserestrictinfo, param->ppi_clauses));
    AddPath(info, outer, keys, param->ppi_rows);
  }
}

// Columns whose values the query needs. What an UPDATE or DELETE only carries along, the whole row, is without columns
// that cost a request of their own or that show a secret.
List *FetchedColumns(const ManagementInfo *info, List *clauses) {
  Bitmapset *used = nullptr;
  pull_varattnos(reinterpret_cast<Node *>(info->rel->reltarget->exprs), info->rel->relid, &used);
  pull_varattnos(reinterpret_cast<Node *>(clauses), info->rel->relid, &used);
  bool const whole = bms_is_member(-FirstLowInvalidHeapAttributeNumber, used);
  List *columns = NIL;
  for (int i = 0; i < info->relation->natts; i++) {
    const ApiColumn *column = ColumnOf(info->relation, static_cast<AttrNumber>(i + 1));
    if (column == nullptr) continue;
    bool const named = bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, used);
    bool const dear = !column->hydrate.empty() || (column->secret && !column->digest) || column->whole;
    if (named || (whole && !(info->changes && dear))) columns = lappend_int(columns, i + 1);
  }
  return columns;
}

bool IsChanged(PlannerInfo *root, RelOptInfo *rel) {
  CmdType const command = root->parse->commandType;
  return (command == CMD_UPDATE || command == CMD_DELETE) &&
         bms_is_member(static_cast<int>(rel->relid), root->all_result_relids);
}

}  // namespace

void ManagementRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table_id) {
  auto *info = static_cast<ManagementInfo *>(palloc0(sizeof(ManagementInfo)));
  rel->fdw_private = info;
  info->root = root;
  info->rel = rel;
  info->relation = UseApiRelation(table_id);
  info->changes = IsChanged(root, rel);
  rel->tuples = kParents * kRowsOfParent;
  rel->rows = clamp_row_est(RowsOf(info, KeysOf(info, rel->baserestrictinfo)));
}

void ManagementPaths(PlannerInfo *, RelOptInfo *rel) {
  const ManagementInfo *info = InfoOf(rel);
  AddPath(info, rel->lateral_relids, KeysOf(info, rel->baserestrictinfo), rel->rows);
  AddJoinPaths(info);
}

ForeignScan *ManagementPlan(PlannerInfo *, RelOptInfo *rel, ForeignPath *path, List *tlist, List *clauses,
                            Plan *outer_plan) {
  const ManagementInfo *info = InfoOf(rel);
  List *restrictions = path->path.param_info == nullptr
                           ? rel->baserestrictinfo
                           : list_concat_copy(rel->baserestrictinfo, path->path.param_info->ppi_clauses);
  List *keys = NIL, *values = NIL;
  ListCell *cell;
  foreach (cell, KeysOf(info, restrictions)) {
    auto *key = static_cast<Key *>(lfirst(cell));
    int const parameter = list_length(values);
    if (key->value != nullptr) values = lappend(values, key->value);
    keys = lappend(keys, list_make3(makeInteger(key->attno), makeInteger(static_cast<int>(key->kind)),
                                    makeInteger(key->value == nullptr ? -1 : parameter)));
  }
  List *local = extract_actual_clauses(clauses, false);
  List *fdw_private = list_make3(makeString(pstrdup("management")), FetchedColumns(info, local), keys);
  return make_foreignscan(tlist, local, rel->relid, values, fdw_private, NIL, NIL, outer_plan);
}

}  // namespace supabase::pg
