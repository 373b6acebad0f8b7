// A column and an array: column operator ANY or ALL (array), value = ANY (column).

#include "fdw/bridge.hpp"
#include "fdw/deparse_internal.hpp"

extern "C" {
#include "utils/array.h"
#include "utils/typcache.h"
}

namespace supabase::pg {
namespace {

using Kind = Condition::Kind;

List *Maybe(List *tree, bool negated) {
  return tree != NIL && negated ? Negate(tree) : tree;
}

Expr *NullOf(Oid type) {
  return reinterpret_cast<Expr *>(makeNullConst(type, -1, InvalidOid));
}

// IN. A value that the column cannot have is left out: it changes nothing, for NULL is unknown with any other value.
List *ListConstants(DeparseContext *context, const Operand *operand, Oid type, const ArrayElements *elements) {
  List *values = list_make1(makeInteger(kNoParameter));
  for (int i = 0; i < elements->count; i++) {
    if (elements->nulls[i]) {
      values = lappend(values, makeInteger(kNullValue));
      continue;
    }
    Folded const folded = FoldValue(Form::kComparison, operand->column_type, Op::kEq, type, elements->values[i]);
    if (folded.outcome == Folded::kUnfit) return Refuse(context, "a value of the list cannot be sent");
    if (folded.outcome == Folded::kSend) values = lappend(values, makeString(pstrdup(folded.text)));
  }
  if (elements->count > 0 && list_length(values) == 1) {
    return MakeLeaf(context, operand, static_cast<int>(Kind::kFalseIfKnown), NIL);
  }
  return MakeLeaf(context, operand, static_cast<int>(Kind::kIn), values);
}

List *EachConstant(DeparseContext *context, const Operand *operand, const Meaning *meaning, Oid type,
                   const ArrayElements *elements, bool any) {
  List *tree = MakeNode(static_cast<int>(any ? Kind::kOr : Kind::kAnd));
  for (int i = 0; i < elements->count; i++) {
    List *leaf = elements->nulls[i]
                     ? CompareValue(context, operand, meaning->op, meaning->form, NullOf(type))
                     : CompareConstant(context, operand, meaning->op, meaning->form, type, elements->values[i]);
    if (leaf == NIL) return NIL;
    tree = lappend(tree, Maybe(leaf, meaning->negated));
  }
  return tree;
}

// What PostgREST's in.(…) can list: it makes an array of the column's type, and there are no arrays of arrays.
bool IsListed(const Operand *operand, const Meaning *meaning, bool any) {
  return meaning->form == Form::kComparison && meaning->op == (any ? Op::kEq : Op::kNe) &&
         !OidIsValid(get_element_type(operand->column_type));
}

List *DeparseConstants(DeparseContext *context, const Operand *operand, const Meaning *meaning, Oid type,
                       const Const *array, bool any) {
  // Compared with a null array nothing is true or false, as with a null value.
  if (array->constisnull) return CompareValue(context, operand, meaning->op, meaning->form, NullOf(type));
  ArrayElements const elements = DistinctElements(type, array->constvalue);
  if (!IsListed(operand, meaning, any)) return EachConstant(context, operand, meaning, type, &elements, any);
  return Maybe(ListConstants(context, operand, type, &elements), !any);
}

List *DeparseParameter(DeparseContext *context, const Operand *operand, const Meaning *meaning, Expr *array, bool any) {
  auto *parameter = makeInteger(AddParameter(context, array));
  auto *form = makeInteger(static_cast<int>(meaning->form));
  auto *type = makeInteger(static_cast<int>(operand->column_type));
  if (IsListed(operand, meaning, any)) {
    return Maybe(MakeLeaf(context, operand, static_cast<int>(Kind::kIn), list_make3(parameter, form, type)), !any);
  }
  List *rest = list_make3(makeInteger(static_cast<int>(meaning->op)), makeInteger(any), makeInteger(meaning->negated));
  return MakeLeaf(context, operand, kPlanEach, lappend(lappend(lappend(rest, parameter), form), type));
}

// value = ANY (column). Where it must be false this cannot be said: no element equals the value and none is NULL.
List *DeparseElement(DeparseContext *context, ScalarArrayOpExpr *clause) {
  auto *value = static_cast<Expr *>(linitial(clause->args));
  Operand operand;
  if (!FindOperand(context, static_cast<Expr *>(lsecond(clause->args)), &operand)) {
    return Refuse(context, "neither side of the list is a plain column of the table");
  }
  Oid const element = getBaseType(get_element_type(operand.type));
  Oid const type = getBaseType(exprType(reinterpret_cast<Node *>(value)));
  if (!OidIsValid(element) || element == CHAROID || (type != element && !(IsText(type) && IsText(element)))) {
    return Refuse(context, "the value is not of the type of the array's elements");
  }
  Meaning meaning;
  // The element's own comparison, as if the column were one.
  Operand one = operand;
  one.type = one.column_type = element;
  if (!FindMeaning(context, &one, clause->opno, clause->inputcollid, type, &meaning)) return NIL;
  if (meaning.op != Op::kEq || !clause->useOr) {
    return Refuse(context,
                  psprintf("operator %s with a column of arrays is not pushed down", get_opname(clause->opno)));
  }
  if (context->wanted != DeparseContext::kTrue) {
    return Refuse(context, "that no element of an array equals a value cannot be asked for");
  }
  return CompareValue(context, &operand, Op::kHasElement, Form::kText, value);
}

}  // namespace

List *DeparseArray(DeparseContext *context, ScalarArrayOpExpr *clause) {
  auto *array = static_cast<Expr *>(lsecond(clause->args));
  Operand operand;
  if (!FindOperand(context, static_cast<Expr *>(linitial(clause->args)), &operand)) {
    return DeparseElement(context, clause);
  }
  Oid const type = getBaseType(get_base_element_type(exprType(reinterpret_cast<Node *>(array))));
  Meaning meaning;
  if (!FindMeaning(context, &operand, clause->opno, clause->inputcollid, type, &meaning)) return NIL;
  if (!IsLocalValue(context, array) || !ValueAllowed(context, &operand, meaning.form, type)) return NIL;
  if (DependsOnSettings(meaning.form, operand.column_type, type)) {
    return Refuse(context, "the values of the list depend on the time zone");
  }
  if (IsA(array, Const)) {
    return DeparseConstants(context, &operand, &meaning, type, reinterpret_cast<Const *>(array), clause->useOr);
  }
  return DeparseParameter(context, &operand, &meaning, array, clause->useOr);
}

namespace {

struct ElementOrder {
  const ArrayElements *elements;
  TypeCacheEntry *type;
};

// By value, NULL last.
int CompareValues(const ElementOrder *order, int i, int j) {
  const ArrayElements *elements = order->elements;
  int const null = static_cast<int>(elements->nulls[i]) - static_cast<int>(elements->nulls[j]);
  if (null != 0 || elements->nulls[i]) return null;
  return DatumGetInt32(FunctionCall2Coll(&order->type->cmp_proc_finfo, order->type->typcollation, elements->values[i],
                                         elements->values[j]));
}

// Among equals the first one first.
int CompareElements(const void *left, const void *right, void *order) {
  int const i = *static_cast<const int *>(left), j = *static_cast<const int *>(right);
  int const result = CompareValues(static_cast<ElementOrder *>(order), i, j);
  return result != 0 ? result : i - j;
}

// Leaves the first of equal elements only: a list is read in parts, and a row must not be in two of them.
void KeepDistinct(Oid element_type, ArrayElements *elements) {
  TypeCacheEntry *type = lookup_type_cache(element_type, TYPECACHE_CMP_PROC_FINFO);
  if (!OidIsValid(type->cmp_proc_finfo.fn_oid)) return;
  ElementOrder order = {elements, type};
  auto *sorted = static_cast<int *>(palloc(sizeof(int) * static_cast<Size>(elements->count + 1)));
  auto *keep = static_cast<bool *>(palloc0(sizeof(bool) * static_cast<Size>(elements->count + 1)));
  for (int i = 0; i < elements->count; i++)
    sorted[i] = i;
  qsort_arg(sorted, static_cast<size_t>(elements->count), sizeof(int), CompareElements, &order);
  for (int i = 0; i < elements->count; i++)
    keep[sorted[i]] = i == 0 || CompareValues(&order, sorted[i - 1], sorted[i]) != 0;
  int kept = 0;
  for (int i = 0; i < elements->count; i++) {
    if (!keep[i]) continue;
    elements->values[kept] = elements->values[i];
    elements->nulls[kept++] = elements->nulls[i];
  }
  elements->count = kept;
}

}  // namespace

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

ArrayElements DistinctElements(Oid element_type, Datum array) {
  ArrayElements elements = SplitArray(element_type, array);
  KeepDistinct(element_type, &elements);
  return elements;
}

}  // namespace supabase::pg
