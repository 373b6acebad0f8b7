#include "fdw/deparse.hpp"

#include "fdw/bridge.hpp"
#include "fdw/deparse_internal.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "utils/typcache.h"
}

// What may be shipped: a condition whose answer is the same on both sides. This file has what combines and tests;
// operators, their sides and arrays have files of their own.

namespace supabase::pg {
namespace {

List *DeparseNode(DeparseContext *context, Expr *clause);

using Kind = Condition::Kind;
using Wanted = DeparseContext::Wanted;

bool IsArrayName(const char *type) {
  size_t const length = strlen(type);
  return length > 2 && strcmp(type + length - 2, "[]") == 0;
}

List *DeparseAs(DeparseContext *context, Expr *clause, Wanted wanted) {
  Wanted const before = context->wanted;
  context->wanted = wanted;
  List *tree = DeparseNode(context, clause);
  context->wanted = before;
  return tree;
}

Wanted Opposite(Wanted wanted) {
  return wanted == DeparseContext::kTrue    ? DeparseContext::kFalse
         : wanted == DeparseContext::kFalse ? DeparseContext::kTrue
                                            : wanted;
}

List *DeparseBoolean(DeparseContext *context, BoolExpr *clause) {
  Kind const kind = clause->boolop == AND_EXPR ? Kind::kAnd : clause->boolop == OR_EXPR ? Kind::kOr : Kind::kNot;
  Wanted const wanted = kind == Kind::kNot ? Opposite(context->wanted) : context->wanted;
  List *node = MakeNode(static_cast<int>(kind));
  ListCell *cell;
  foreach (cell, clause->args) {
    List *child = DeparseAs(context, static_cast<Expr *>(lfirst(cell)), wanted);
    if (child == NIL) return NIL;
    node = lappend(node, child);
  }
  return node;
}

List *DeparseNullTest(DeparseContext *context, NullTest *clause) {
  Operand operand;
  if (clause->argisrow || !FindOperand(context, clause->arg, &operand)) {
    return Refuse(context, "the tested expression is not a plain column of the table");
  }
  // A composite is NULL remotely when all its fields are; as text it is not.
  const char *remote_type = RemoteColumn(context, operand.attno)->remote_type;
  if (remote_type != nullptr && (!IsArrayName(remote_type) || operand.path != NIL)) {
    return RefuseStandIn(context, operand.attno);
  }
  List *node = MakeLeaf(context, &operand, static_cast<int>(Kind::kIsNull), NIL);
  return clause->nulltesttype == IS_NULL ? node : Negate(node);
}

bool IsBooleanColumn(DeparseContext *context, Expr *expr, Operand *operand) {
  return FindOperand(context, expr, operand) && operand->type == BOOLOID &&
         RemoteColumn(context, operand->attno)->remote_type == nullptr;
}

// IS [NOT] TRUE, FALSE and UNKNOWN: of a column by PostgREST's own tests, of anything else by what it is made of.
List *DeparseBooleanTest(DeparseContext *context, BooleanTest *clause) {
  BoolTestType const test = clause->booltesttype;
  bool const of_true = test == IS_TRUE || test == IS_NOT_TRUE, of_false = test == IS_FALSE || test == IS_NOT_FALSE;
  bool const negated = test == IS_NOT_TRUE || test == IS_NOT_FALSE || test == IS_NOT_UNKNOWN;
  Operand operand;
  List *node;
  if (IsBooleanColumn(context, clause->arg, &operand)) {
    Kind const kind = of_true ? Kind::kIsTrue : of_false ? Kind::kIsFalse : Kind::kIsUnknown;
    node = MakeLeaf(context, &operand, static_cast<int>(kind), NIL);
  } else {
    Kind const kind = of_true ? Kind::kHoldsTrue : of_false ? Kind::kHoldsFalse : Kind::kHoldsUnknown;
    Wanted const wanted = of_true ? DeparseContext::kTrue : of_false ? DeparseContext::kFalse : DeparseContext::kBoth;
    List *child = DeparseAs(context, clause->arg, wanted);
    if (child == NIL) return NIL;
    node = lappend(MakeNode(static_cast<int>(kind)), child);
  }
  return negated ? Negate(node) : node;
}

// A bare boolean column: "column = true", which is unknown for NULL as the column itself is.
List *DeparseColumn(DeparseContext *context, Expr *expr) {
  Operand operand;
  if (!IsBooleanColumn(context, expr, &operand)) {
    return Refuse(context, "the expression is not one that is pushed down");
  }
  return MakeLeaf(context, &operand, static_cast<int>(Kind::kCompare),
                  list_make2(makeInteger(static_cast<int>(Op::kEq)), makeString(pstrdup("true"))));
}

// What has no column of the table is true, false or unknown before the request.
List *DeparseKnown(DeparseContext *context, Expr *clause) {
  if (!IsLocalValue(context, clause)) return NIL;
  return lappend(MakeNode(kPlanKnown), makeInteger(AddParameter(context, clause)));
}

List *DeparseNode(DeparseContext *context, Expr *clause) {
  check_stack_depth();
  if (bms_is_subset(pull_varnos(context->root, reinterpret_cast<Node *>(clause)), context->outer)) {
    return DeparseKnown(context, clause);
  }
  switch (nodeTag(clause)) {
    case T_OpExpr:
      return DeparseOperator(context, reinterpret_cast<OpExpr *>(clause));
    case T_DistinctExpr:
      return DeparseDistinct(context, reinterpret_cast<DistinctExpr *>(clause));
    case T_ScalarArrayOpExpr:
      return DeparseArray(context, reinterpret_cast<ScalarArrayOpExpr *>(clause));
    case T_RowCompareExpr:
      return DeparseRowCompare(context, reinterpret_cast<RowCompareExpr *>(clause));
    case T_BoolExpr:
      return DeparseBoolean(context, reinterpret_cast<BoolExpr *>(clause));
    case T_NullTest:
      return DeparseNullTest(context, reinterpret_cast<NullTest *>(clause));
    case T_BooleanTest:
      return DeparseBooleanTest(context, reinterpret_cast<BooleanTest *>(clause));
    case T_Var:
    case T_RelabelType:
      return DeparseColumn(context, clause);
    case T_FuncExpr:
      return DeparseFunction(context, reinterpret_cast<FuncExpr *>(clause));
    default:
      return Refuse(context, "the expression is not one that is pushed down");
  }
}

}  // namespace

List *Refuse(DeparseContext *context, const char *reason) {
  context->reason = reason;
  return NIL;
}

List *RefuseStandIn(DeparseContext *context, AttrNumber attno) {
  const Column *column = RemoteColumn(context, attno);
  return Refuse(context, psprintf("column \"%s\" has the remote type %s, which the local type only shows", column->name,
                                  column->remote_type));
}

List *MakeNode(int kind) {
  return list_make1(makeInteger(kind));
}

List *Negate(List *tree) {
  return lappend(MakeNode(static_cast<int>(Kind::kNot)), tree);
}

const Column *RemoteColumn(const DeparseContext *context, AttrNumber attno) {
  return &context->table->columns[attno - 1];
}

List *DeparseClause(DeparseContext *context, Expr *clause) {
  int const parameters = list_length(context->parameters);
  List *tree = DeparseNode(context, clause);
  // What is not sent must not be evaluated for it either: it might fail.
  if (tree == NIL) context->parameters = list_truncate(context->parameters, parameters);
  return tree;
}

bool ShippableOrder(const DeparseContext *context, AttrNumber attno, Oid opfamily, Oid collation) {
  const Column *column = RemoteColumn(context, attno);
  if (column->remote_type != nullptr) return false;
  Oid type, column_collation;
  int32 typmod;
  get_atttypetypmodcoll(context->table->id, attno, &type, &typmod, &column_collation);
  TypeRule const rule = GetTypeRule(type);
  if (!rule.ordering || lookup_type_cache(getBaseType(type), TYPECACHE_BTREE_OPFAMILY)->btree_opf != opfamily)
    return false;
  return !rule.collated || (column->text_ordering && collation == column_collation);
}

}  // namespace supabase::pg
