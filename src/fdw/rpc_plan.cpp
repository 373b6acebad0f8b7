// Planning of foreign tables over functions.

#include "fdw/bridge.hpp"
#include "fdw/rpc.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/sysattr.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_coerce.h"
}

namespace supabase::pg {
namespace {

// A call is a round trip and the work of a function that nobody here knows.
constexpr double kCallCost = 100.0;
constexpr double kRowCost = 0.01;

const Column *ColumnOf(const DeparseContext *context, AttrNumber attno) {
  return &context->table->columns[attno - 1];
}

bool IsArgument(const DeparseContext *context, AttrNumber attno) {
  return attno > 0 && ColumnOf(context, attno)->name != nullptr && ColumnOf(context, attno)->argument;
}

AttrNumber ArgumentColumn(const DeparseContext *context, const Expr *expr) {
  AttrNumber const attno = PlainColumn(context, expr);
  return IsArgument(context, attno) ? attno : 0;
}

bool IsGiven(List *arguments, AttrNumber attno) {
  ListCell *cell;
  foreach (cell, arguments) {
    if (intVal(linitial(lfirst_node(List, cell))) == attno) return true;
  }
  return false;
}

bool IsInteger(Oid type) {
  return type == INT2OID || type == INT4OID || type == INT8OID;
}

// A value that is known before the call, as one of the column's type; NULL when it is another's or not known. Only
// conversions that change no value: what the column shows must satisfy the condition.
Expr *ArgumentValue(const DeparseContext *context, AttrNumber attno, Expr *value) {
  auto *node = reinterpret_cast<Node *>(value);
  if (bms_overlap(pull_varnos(context->root, node), context->rel->relids)) return nullptr;
  if (contain_volatile_functions(node) || contain_subplans(node)) return nullptr;
  Oid const type = getBaseType(exprType(node)), wanted = getBaseType(get_atttype(context->table->id, attno));
  bool const text = (type == TEXTOID || type == VARCHAROID) && (wanted == TEXTOID || wanted == VARCHAROID);
  if (type == wanted || text) return value;
  if (!IsInteger(type) || !IsInteger(wanted)) return nullptr;
  return reinterpret_cast<Expr *>(
      coerce_to_target_type(nullptr, node, type, wanted, -1, COERCION_EXPLICIT, COERCE_IMPLICIT_CAST, -1));
}

int AddParameter(DeparseContext *context, Expr *expr) {
  ListCell *cell;
  foreach (cell, context->parameters) {
    if (equal(lfirst(cell), expr)) return foreach_current_index(cell);
  }
  context->parameters = lappend(context->parameters, expr);
  return list_length(context->parameters) - 1;
}

bool Give(DeparseContext *context, AttrNumber attno, Expr *value, List **arguments) {
  if (IsGiven(*arguments, attno)) return false;
  int const parameter = value == nullptr ? kNullValue : AddParameter(context, value);
  *arguments = lappend(*arguments, list_make2(makeInteger(attno), makeInteger(parameter)));
  return true;
}

bool TakeComparison(DeparseContext *context, OpExpr *clause, List **arguments) {
  if (list_length(clause->args) != 2 || get_mergejoin_opfamilies(clause->opno) == NIL) return false;
  auto *left = static_cast<Expr *>(linitial(clause->args)), *right = static_cast<Expr *>(lsecond(clause->args));
  for (Expr *side : {left, right}) {
    AttrNumber const attno = ArgumentColumn(context, side);
    if (attno == 0) continue;
    Expr *value = ArgumentValue(context, attno, side == left ? right : left);
    if (value != nullptr && Give(context, attno, value, arguments)) return true;
  }
  return false;
}

Expr *BoolValue(bool value) {
  return reinterpret_cast<Expr *>(makeBoolConst(value, false));
}

// Columns of arguments that a condition uses.
bool UsesArgument(const DeparseContext *context, Node *clause, AttrNumber wanted) {
  Bitmapset *used = nullptr;
  pull_varattnos(clause, context->rel->relid, &used);
  for (int attno = 1; attno <= context->table->natts; attno++) {
    if (wanted != 0 && attno != wanted) continue;
    if (IsArgument(context, static_cast<AttrNumber>(attno)) &&
        bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used)) {
      return true;
    }
  }
  return false;
}

// Whether a join, and not only the output, needs the column.
bool NeededByJoin(const DeparseContext *context, AttrNumber attno) {
  Relids needed = context->rel->attr_needed[attno - context->rel->min_attr];
  return needed != nullptr && !bms_is_subset(needed, bms_make_singleton(0));
}

// ---- Parameterised paths ----

// Arguments that the relation's own conditions and those moved to it from joins give.
List *GivenArguments(DeparseContext *context, List *join_clauses) {
  List *arguments = NIL;
  ListCell *cell;
  foreach (cell, list_concat_copy(context->rel->baserestrictinfo, join_clauses))
    (void)TakeArgument(context, lfirst_node(RestrictInfo, cell)->clause, &arguments);
  return arguments;
}

bool GivesNeeded(DeparseContext *context, List *arguments) {
  for (int attno = 1; attno <= context->table->natts; attno++) {
    auto const column = static_cast<AttrNumber>(attno);
    if (IsArgument(context, column) && NeededByJoin(context, column) && !IsGiven(arguments, column)) return false;
  }
  return true;
}

// generate_implied_equalities_for_column: whether an equivalence member is the column in question.
bool IsColumnMember(PlannerInfo *, RelOptInfo *rel, EquivalenceClass *, EquivalenceMember *member, void *arg) {
  auto *expr = member->em_expr;
  while (IsA(expr, RelabelType))
    expr = reinterpret_cast<RelabelType *>(expr)->arg;
  if (!IsA(expr, Var)) return false;
  auto *var = reinterpret_cast<Var *>(expr);
  return static_cast<Index>(var->varno) == rel->relid && var->varattno == *static_cast<AttrNumber *>(arg);
}

// Sets of relations that could give arguments: for each join condition that does the relations in it, and all together.
List *OuterSets(DeparseContext *context) {
  RelOptInfo *rel = context->rel;
  List *clauses = NIL, *sets = NIL;
  ListCell *cell;
  foreach (cell, rel->joininfo) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    if (join_clause_is_movable_to(restriction, rel)) clauses = lappend(clauses, restriction);
  }
  for (int attno = 1; rel->has_eclass_joins && attno <= context->table->natts; attno++) {
    auto column = static_cast<AttrNumber>(attno);
    if (!IsArgument(context, column)) continue;
    clauses = list_concat(clauses, generate_implied_equalities_for_column(context->root, rel, IsColumnMember, &column,
                                                                          rel->lateral_referencers));
  }
  Relids all = bms_copy(rel->lateral_relids);
  foreach (cell, clauses) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    if (!join_clause_is_movable_to(restriction, rel)) continue;
    List *arguments = NIL;
    if (!TakeArgument(context, restriction->clause, &arguments)) continue;
    Relids outer =
        bms_del_member(bms_union(restriction->clause_relids, rel->lateral_relids), static_cast<int>(rel->relid));
    all = bms_add_members(all, outer);
    sets = lappend(sets, outer);
  }
  if (list_length(sets) > 1) sets = lappend(sets, all);
  return sets;
}

void AddCallPath(DeparseContext *context, Relids outer) {
  RelOptInfo *rel = context->rel;
  ParamPathInfo *info = get_baserel_parampathinfo(context->root, rel, outer);
  Cost const total = kCallCost + info->ppi_rows * (kRowCost + cpu_tuple_cost);
  add_path(rel, reinterpret_cast<Path *>(create_foreignscan_path(context->root, rel, nullptr, info->ppi_rows,
#if PG_VERSION_NUM >= 180000
                                                                 0,
#endif
                                                                 kCallCost, total, NIL, outer, nullptr,
#if PG_VERSION_NUM >= 170000
                                                                 NIL,
#endif
                                                                 NIL)));
}

}  // namespace

bool TakeArgument(DeparseContext *context, Expr *clause, List **arguments) {
  if (context->table->function == nullptr) return false;
  if (IsA(clause, OpExpr)) return TakeComparison(context, reinterpret_cast<OpExpr *>(clause), arguments);
  // The planner writes "flag" for "flag = true" and "NOT flag" for "flag = false".
  bool const negated = is_notclause(reinterpret_cast<Node *>(clause));
  Expr *tested = negated ? get_notclausearg(clause) : clause;
  if (IsA(clause, NullTest)) {
    auto *test = reinterpret_cast<NullTest *>(clause);
    AttrNumber const attno = test->argisrow ? 0 : ArgumentColumn(context, test->arg);
    return attno != 0 && test->nulltesttype == IS_NULL && Give(context, attno, nullptr, arguments);
  }
  AttrNumber const attno = ArgumentColumn(context, tested);
  if (attno == 0 || getBaseType(get_atttype(context->table->id, attno)) != BOOLOID) return false;
  return Give(context, attno, BoolValue(!negated), arguments);
}

List *DeparseResultClause(DeparseContext *context, Expr *clause) {
  if (context->table->function == nullptr) return DeparseClause(context, clause);
  if (UsesArgument(context, reinterpret_cast<Node *>(clause), 0)) {
    context->reason = "an argument of the function is not a column of its result";
    return NIL;
  }
  if (context->table->function_result == FunctionResult::kValue) {
    context->reason = "the function returns one value";
    return NIL;
  }
  return DeparseClause(context, clause);
}

void CheckArguments(const DeparseContext *context, List *arguments, List *local) {
  if (context->table->function == nullptr) return;
  for (int attno = 1; attno <= context->table->natts; attno++) {
    auto const column = static_cast<AttrNumber>(attno);
    if (!IsArgument(context, column) || IsGiven(arguments, column)) continue;
    if (!UsesArgument(context, reinterpret_cast<Node *>(local), column) && !NeededByJoin(context, column)) continue;
    const char *name = get_attname(context->table->id, column, false);
    ereport(ERROR,
            (errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
             errmsg("argument \"%s\" of foreign table \"%s\" has no value", name, get_rel_name(context->table->id)),
             errdetail("A condition uses it, but none gives its value."),
             errhint("Add a condition of the form %s = value, with a value of the column's own type.",
                     quote_identifier(name))));
  }
}

bool AddCallPaths(DeparseContext *context) {
  if (context->table->function == nullptr) return true;
  if (GivesNeeded(context, GivenArguments(context, NIL))) return true;
  ListCell *cell;
  foreach (cell, OuterSets(context)) {
    auto *outer = static_cast<Relids>(lfirst(cell));
    ParamPathInfo *info = get_baserel_parampathinfo(context->root, context->rel, outer);
    if (info != nullptr && GivesNeeded(context, GivenArguments(context, info->ppi_clauses)))
      AddCallPath(context, outer);
  }
  return false;
}

}  // namespace supabase::pg
