#include "fdw/deparse.hpp"

#include "fdw/bridge.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/stratnum.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/typcache.h"
}

// What may be shipped: a condition whose answer is the same on both sides. PostgREST passes a literal on untyped, so
// the remote database parses it with the column's own type: 42.0 is an error for an integer column, a timestamp loses
// its time for a date column. Both sides of a comparison must therefore have one type, or be integers whose value fits.

namespace supabase::pg {
namespace {

using Kind = Condition::Kind;

List *Refuse(DeparseContext *context, const char *reason) {
  context->reason = reason;
  return NIL;
}

List *MakeNode(Kind kind) {
  return list_make1(makeInteger(static_cast<int>(kind)));
}

bool IsInteger(Oid type) {
  return type == INT2OID || type == INT4OID || type == INT8OID;
}

int IntegerWidth(Oid type) {
  return type == INT2OID ? 2 : type == INT4OID ? 4 : 8;
}

int64 IntegerValue(Oid type, Datum value) {
  return type == INT2OID ? DatumGetInt16(value) : type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

bool FitsInteger(Oid type, int64 value) {
  if (type == INT2OID) return value >= PG_INT16_MIN && value <= PG_INT16_MAX;
  if (type == INT4OID) return value >= PG_INT32_MIN && value <= PG_INT32_MAX;
  return true;
}

const Column *RemoteColumn(const DeparseContext *context, AttrNumber attno) {
  return &context->table->columns[attno - 1];
}

// Which comparison an operator is, among those of the column type's default btree operator family.
bool FindComparison(Oid opno, Oid column_type, Op *op) {
  TypeCacheEntry *entry = lookup_type_cache(column_type, TYPECACHE_BTREE_OPFAMILY);
  if (!OidIsValid(entry->btree_opf)) return false;
  switch (get_op_opfamily_strategy(opno, entry->btree_opf)) {
    case BTLessStrategyNumber:
      *op = Op::kLt;
      return true;
    case BTLessEqualStrategyNumber:
      *op = Op::kLe;
      return true;
    case BTEqualStrategyNumber:
      *op = Op::kEq;
      return true;
    case BTGreaterEqualStrategyNumber:
      *op = Op::kGe;
      return true;
    case BTGreaterStrategyNumber:
      *op = Op::kGt;
      return true;
    default:
      break;
  }
  Oid const negator = get_negator(opno);
  if (OidIsValid(negator) && get_op_opfamily_strategy(negator, entry->btree_opf) == BTEqualStrategyNumber) {
    *op = Op::kNe;
    return true;
  }
  return false;
}

bool IsArrayName(const char *type) {
  size_t const length = strlen(type);
  return length > 2 && strcmp(type + length - 2, "[]") == 0;
}

// For a column whose local type only stands in for the remote one.
List *RefuseStandIn(DeparseContext *context, AttrNumber attno) {
  const Column *column = RemoteColumn(context, attno);
  return Refuse(context, psprintf("column \"%s\" has the remote type %s, which the local type only shows", column->name,
                                  column->remote_type));
}

// Whether the comparison means the same remotely for this column: type, collation, options.
bool ComparisonAllowed(DeparseContext *context, AttrNumber attno, Op op, Oid collation, Oid column_collation) {
  const Column *column = RemoteColumn(context, attno);
  if (column->remote_type != nullptr) {
    (void)RefuseStandIn(context, attno);
    return false;
  }
  TypeRule const rule = GetTypeRule(get_atttype(context->table->id, attno));
  bool const equality = op == Op::kEq || op == Op::kNe;
  if (equality ? !rule.equality : !rule.ordering) {
    context->reason = psprintf("comparison of column \"%s\" may differ at the remote server", column->name);
    return false;
  }
  if (OidIsValid(collation) && !get_collation_isdeterministic(collation)) {
    context->reason = psprintf("column \"%s\" is compared under a nondeterministic collation", column->name);
    return false;
  }
  if (!equality && rule.collated && !(column->text_ordering && collation == column_collation)) {
    context->reason =
        psprintf("order of text in column \"%s\" may differ at the remote server (option text_ordering)", column->name);
    return false;
  }
  return true;
}

// An expression that is evaluated here before the request: no column, nothing volatile, no subplan of its own.
bool IsLocalValue(DeparseContext *context, Expr *expr) {
  auto *node = reinterpret_cast<Node *>(expr);
  if (!bms_is_subset(pull_varnos(context->root, node), context->outer)) {
    context->reason = "columns are compared with each other";
    return false;
  }
  if (contain_volatile_functions(node) || contain_subplans(node)) {
    context->reason = "the value is volatile or comes from a subquery";
    return false;
  }
  return true;
}

int AddParameter(DeparseContext *context, Expr *expr) {
  ListCell *cell;
  foreach (cell, context->parameters) {
    if (equal(lfirst(cell), expr)) return foreach_current_index(cell);
  }
  context->parameters = lappend(context->parameters, expr);
  return list_length(context->parameters) - 1;
}

// A constant as a node of the tree, or NULL when the column's type cannot hold it.
Node *ConstantValue(DeparseContext *context, Oid column_type, Oid type, Datum value, bool isnull) {
  if (isnull) return reinterpret_cast<Node *>(makeInteger(kNullValue));
  if (IsInteger(column_type) && IsInteger(type) && !FitsInteger(column_type, IntegerValue(type, value))) {
    context->reason = "the value is out of range for the column's type";
    return nullptr;
  }
  return reinterpret_cast<Node *>(makeString(DatumToText(type, value)));
}

// Whether a value of `type` may be compared with a column of `column_type` remotely.
bool TypesAgree(DeparseContext *context, Oid column_type, Oid type, bool constant) {
  Oid const base = getBaseType(column_type);
  bool const text = (base == VARCHAROID && type == TEXTOID) || (base == TEXTOID && type == VARCHAROID);
  bool const address = base == CIDROID && type == INETOID;
  if (type == base || type == column_type || text || address) return true;
  // A parameter's value is not known yet: it must be of a type that cannot be out of range.
  if (IsInteger(base) && IsInteger(type) && (constant || IntegerWidth(type) <= IntegerWidth(base))) return true;
  context->reason = psprintf("value of type %s is compared with a column of type %s", format_type_be(type),
                             format_type_be(column_type));
  return false;
}

Node *ComparedValue(DeparseContext *context, Oid column_type, Expr *expr) {
  if (!IsLocalValue(context, expr)) return nullptr;
  auto *node = reinterpret_cast<Node *>(expr);
  Oid const type = getBaseType(exprType(node));
  bool const constant = IsA(expr, Const);
  if (!TypesAgree(context, column_type, type, constant)) return nullptr;
  if (!constant) return reinterpret_cast<Node *>(makeInteger(AddParameter(context, expr)));
  auto *value = reinterpret_cast<Const *>(expr);
  return ConstantValue(context, getBaseType(column_type), type, value->constvalue, value->constisnull);
}

Oid ColumnType(const DeparseContext *context, AttrNumber attno) {
  return get_atttype(context->table->id, attno);
}

Oid ColumnCollation(const DeparseContext *context, AttrNumber attno) {
  Oid type, collation;
  int32 typmod;
  get_atttypetypmodcoll(context->table->id, attno, &type, &typmod, &collation);
  return collation;
}

Node *ColumnName(const DeparseContext *context, AttrNumber attno) {
  return reinterpret_cast<Node *>(makeString(const_cast<char *>(RemoteColumn(context, attno)->name)));
}

List *DeparseOperator(DeparseContext *context, OpExpr *clause) {
  if (list_length(clause->args) != 2) return Refuse(context, "the operator is not one that is pushed down");
  auto *left = static_cast<Expr *>(linitial(clause->args));
  auto *right = static_cast<Expr *>(lsecond(clause->args));
  Oid opno = clause->opno;
  AttrNumber attno = PlainColumn(context, left);
  if (attno == 0) {
    attno = PlainColumn(context, right);
    Expr *swap = left;
    left = right;
    right = swap;
    opno = get_commutator(opno);
  }
  if (attno == 0 || !OidIsValid(opno)) {
    return Refuse(context, "neither side of the operator is a plain column of the table");
  }
  Op op;
  if (!FindComparison(opno, getBaseType(ColumnType(context, attno)), &op)) {
    return Refuse(context, psprintf("operator %s is not pushed down", get_opname(opno)));
  }
  if (!ComparisonAllowed(context, attno, op, clause->inputcollid, ColumnCollation(context, attno))) return NIL;
  Node *value = ComparedValue(context, ColumnType(context, attno), right);
  if (value == nullptr) return NIL;
  return lappend(
      lappend(lappend(MakeNode(Kind::kCompare), ColumnName(context, attno)), makeInteger(static_cast<int>(op))), value);
}

// The elements of a constant array, appended to a kIn node; NIL when one does not fit.
List *AppendElements(DeparseContext *context, List *node, Oid column_type, Oid element_type, Datum array) {
  ArrayElements const elements = SplitArray(element_type, array);
  for (int i = 0; i < elements.count; i++) {
    Node *value = ConstantValue(context, getBaseType(column_type), element_type, elements.values[i], elements.nulls[i]);
    if (value == nullptr) return NIL;
    node = lappend(node, value);
  }
  return node;
}

// column = ANY (array) and column <> ALL (array), which IN and NOT IN become.
List *DeparseArray(DeparseContext *context, ScalarArrayOpExpr *clause) {
  auto *array = static_cast<Expr *>(lsecond(clause->args));
  AttrNumber const attno = PlainColumn(context, static_cast<Expr *>(linitial(clause->args)));
  if (attno == 0) return Refuse(context, "the left side of the list is not a plain column of the table");
  Oid const column_type = ColumnType(context, attno);
  Op op;
  bool const found = FindComparison(clause->opno, getBaseType(column_type), &op);
  if (!found || op != (clause->useOr ? Op::kEq : Op::kNe)) {
    return Refuse(context, psprintf("operator %s with a list is not pushed down", get_opname(clause->opno)));
  }
  if (!ComparisonAllowed(context, attno, op, clause->inputcollid, ColumnCollation(context, attno))) return NIL;
  if (!IsLocalValue(context, array)) return NIL;
  Oid const element_type = getBaseType(get_base_element_type(exprType(reinterpret_cast<Node *>(array))));
  bool const constant = IsA(array, Const);
  if (!TypesAgree(context, column_type, element_type, constant)) return NIL;

  List *node = lappend(MakeNode(Kind::kIn), ColumnName(context, attno));
  if (!constant) {
    node = lappend(node, makeInteger(AddParameter(context, array)));
  } else if (reinterpret_cast<Const *>(array)->constisnull) {
    // Compared with a null array nothing is true or false, as with a null value.
    node = lappend(MakeNode(Kind::kCompare), ColumnName(context, attno));
    return lappend(lappend(node, makeInteger(static_cast<int>(op))), makeInteger(kNullValue));
  } else {
    node = lappend(node, makeInteger(kNoParameter));
    node = AppendElements(context, node, column_type, element_type, reinterpret_cast<Const *>(array)->constvalue);
    if (node == NIL) return NIL;
  }
  return clause->useOr ? node : lappend(MakeNode(Kind::kNot), node);
}

List *DeparseBoolean(DeparseContext *context, BoolExpr *clause) {
  List *node = MakeNode(clause->boolop == AND_EXPR ? Kind::kAnd : clause->boolop == OR_EXPR ? Kind::kOr : Kind::kNot);
  ListCell *cell;
  foreach (cell, clause->args) {
    List *child = DeparseClause(context, static_cast<Expr *>(lfirst(cell)));
    if (child == NIL) return NIL;
    node = lappend(node, child);
  }
  return node;
}

List *DeparseNullTest(DeparseContext *context, NullTest *clause) {
  AttrNumber const attno = clause->argisrow ? 0 : PlainColumn(context, clause->arg);
  if (attno == 0) return Refuse(context, "the tested expression is not a plain column of the table");
  // A composite is NULL remotely when all its fields are; as text it is not.
  const char *remote_type = RemoteColumn(context, attno)->remote_type;
  if (remote_type != nullptr && !IsArrayName(remote_type)) return RefuseStandIn(context, attno);
  List *node = lappend(MakeNode(Kind::kIsNull), ColumnName(context, attno));
  return clause->nulltesttype == IS_NULL ? node : lappend(MakeNode(Kind::kNot), node);
}

List *DeparseBooleanTest(DeparseContext *context, BooleanTest *clause) {
  AttrNumber const attno = PlainColumn(context, clause->arg);
  if (attno == 0 || RemoteColumn(context, attno)->remote_type != nullptr) {
    return Refuse(context, "the tested expression is not a plain boolean column of the table");
  }
  BoolTestType const test = clause->booltesttype;
  Kind const kind = test == IS_TRUE || test == IS_NOT_TRUE     ? Kind::kIsTrue
                    : test == IS_FALSE || test == IS_NOT_FALSE ? Kind::kIsFalse
                                                               : Kind::kIsUnknown;
  bool const negated = test == IS_NOT_TRUE || test == IS_NOT_FALSE || test == IS_NOT_UNKNOWN;
  List *node = lappend(MakeNode(kind), ColumnName(context, attno));
  return negated ? lappend(MakeNode(Kind::kNot), node) : node;
}

// A bare boolean column: "column = true", which is unknown for NULL as the column itself is.
List *DeparseColumn(DeparseContext *context, Expr *expr) {
  AttrNumber const attno = PlainColumn(context, expr);
  if (attno == 0 || RemoteColumn(context, attno)->remote_type != nullptr ||
      getBaseType(ColumnType(context, attno)) != BOOLOID) {
    return Refuse(context, "the expression is not one that is pushed down");
  }
  List *node = lappend(MakeNode(Kind::kCompare), ColumnName(context, attno));
  return lappend(lappend(node, makeInteger(static_cast<int>(Op::kEq))), makeString(pstrdup("true")));
}

}  // namespace

AttrNumber PlainColumn(const DeparseContext *context, const Expr *expr) {
  while (IsA(expr, RelabelType)) {
    auto *relabel = reinterpret_cast<const RelabelType *>(expr);
    Oid const from = getBaseType(exprType(reinterpret_cast<const Node *>(relabel->arg)));
    Oid const to = getBaseType(relabel->resulttype);
    // Other relabellings change what comparison means (int4 to oid is one).
    bool const same = from == to || (from == VARCHAROID && to == TEXTOID) || (from == CIDROID && to == INETOID);
    if (!same) return 0;
    expr = relabel->arg;
  }
  if (!IsA(expr, Var)) return 0;
  auto *var = reinterpret_cast<const Var *>(expr);
  if (!bms_is_member(var->varno, context->rel->relids) || var->varlevelsup != 0 || var->varattno <= 0) return 0;
  return var->varattno;
}

List *DeparseClause(DeparseContext *context, Expr *clause) {
  switch (nodeTag(clause)) {
    case T_OpExpr:
      return DeparseOperator(context, reinterpret_cast<OpExpr *>(clause));
    case T_ScalarArrayOpExpr:
      return DeparseArray(context, reinterpret_cast<ScalarArrayOpExpr *>(clause));
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
      return Refuse(context, psprintf("function %s is not pushed down",
                                      get_func_name(reinterpret_cast<FuncExpr *>(clause)->funcid)));
    default:
      return Refuse(context, "the expression is not one that is pushed down");
  }
}

bool ShippableOrder(const DeparseContext *context, AttrNumber attno, Oid opfamily, Oid collation) {
  const Column *column = RemoteColumn(context, attno);
  if (column->remote_type != nullptr) return false;
  Oid const type = ColumnType(context, attno);
  TypeRule const rule = GetTypeRule(type);
  if (!rule.ordering || lookup_type_cache(getBaseType(type), TYPECACHE_BTREE_OPFAMILY)->btree_opf != opfamily)
    return false;
  return !rule.collated || (column->text_ordering && collation == ColumnCollation(context, attno));
}

ArrayElements SplitArray(Oid element_type, Datum array) {
  int16 length;
  bool by_value;
  char align;
  ArrayElements elements;
  get_typlenbyvalalign(element_type, &length, &by_value, &align);
  deconstruct_array(DatumGetArrayTypeP(array), element_type, length, by_value, align, &elements.values, &elements.nulls,
                    &elements.count);
  return elements;
}

char *DatumToText(Oid type, Datum value) {
  if (type == BOOLOID) return pstrdup(DatumGetBool(value) ? "true" : "false");
  Oid output;
  bool varlena;
  getTypeOutputInfo(type, &output, &varlena);
  // The settings that change a type's text; what is left open (TimeZone) is written into the text itself as an offset.
  int const level = NewGUCNestLevel();
  auto set = [](const char *name, const char *setting) {
    (void)set_config_option(name, setting, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  };
  set("datestyle", "ISO, MDY");
  set("intervalstyle", "postgres");
  set("extra_float_digits", "3");
  set("bytea_output", "hex");
  char *text = OidOutputFunctionCall(output, value);
  AtEOXact_GUC(true, level);
  return text;
}

}  // namespace supabase::pg
