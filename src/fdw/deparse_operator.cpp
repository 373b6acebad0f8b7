// Which operators may be sent: comparisons by their operator family, the others by a table.

#include "core/seeded.hpp"

#include "fdw/bridge.hpp"
#include "fdw/deparse_internal.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "mb/pg_wchar.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"
}

namespace supabase::pg {
namespace {

// Kinds of types that an operator takes. kElement: what a range or multirange has as its bounds.
enum class Class {
  kNone,
  kText,
  kPadded,
  kName,
  kVector,
  kQuery,
  kJson,
  kArray,
  kRange,
  kMultirange,
  kNetwork,
  kElement
};

enum class Need { kNothing, kCaseMapping };

struct OperatorRow {
  const char *name;  // in pg_catalog
  Class column, value;
  Op op;
  bool negated;
  Form form;
  Need need;
};

// A new operator is a row.
constexpr OperatorRow kOperators[] = {
    {"~~", Class::kText, Class::kText, Op::kLike, false, Form::kText, Need::kNothing},
    {"!~~", Class::kText, Class::kText, Op::kLike, true, Form::kText, Need::kNothing},
    {"~~", Class::kPadded, Class::kText, Op::kLike, false, Form::kText, Need::kNothing},
    {"!~~", Class::kPadded, Class::kText, Op::kLike, true, Form::kText, Need::kNothing},
    {"~~", Class::kName, Class::kText, Op::kLike, false, Form::kText, Need::kNothing},
    {"!~~", Class::kName, Class::kText, Op::kLike, true, Form::kText, Need::kNothing},
    {"^@", Class::kText, Class::kText, Op::kStartsWith, false, Form::kText, Need::kNothing},
    {"~~*", Class::kText, Class::kText, Op::kILike, false, Form::kText, Need::kCaseMapping},
    {"!~~*", Class::kText, Class::kText, Op::kILike, true, Form::kText, Need::kCaseMapping},
    {"~", Class::kText, Class::kText, Op::kMatch, false, Form::kText, Need::kCaseMapping},
    {"!~", Class::kText, Class::kText, Op::kMatch, true, Form::kText, Need::kCaseMapping},
    {"~*", Class::kText, Class::kText, Op::kIMatch, false, Form::kText, Need::kCaseMapping},
    {"!~*", Class::kText, Class::kText, Op::kIMatch, true, Form::kText, Need::kCaseMapping},
    {"@@", Class::kVector, Class::kQuery, Op::kSearch, false, Form::kSearch, Need::kNothing},
    {"@>", Class::kJson, Class::kJson, Op::kContains, false, Form::kText, Need::kNothing},
    {"<@", Class::kJson, Class::kJson, Op::kContained, false, Form::kText, Need::kNothing},
    {"@>", Class::kArray, Class::kArray, Op::kContains, false, Form::kText, Need::kNothing},
    {"<@", Class::kArray, Class::kArray, Op::kContained, false, Form::kText, Need::kNothing},
    {"&&", Class::kArray, Class::kArray, Op::kOverlaps, false, Form::kText, Need::kNothing},
    {"@>", Class::kRange, Class::kElement, Op::kContains, false, Form::kRangeElement, Need::kNothing},
    {"@>", Class::kRange, Class::kRange, Op::kContains, false, Form::kText, Need::kNothing},
    {"<@", Class::kRange, Class::kRange, Op::kContained, false, Form::kText, Need::kNothing},
    {"&&", Class::kRange, Class::kRange, Op::kOverlaps, false, Form::kText, Need::kNothing},
    {"-|-", Class::kRange, Class::kRange, Op::kAdjacent, false, Form::kText, Need::kNothing},
    {"<<", Class::kRange, Class::kRange, Op::kLeft, false, Form::kText, Need::kNothing},
    {">>", Class::kRange, Class::kRange, Op::kRight, false, Form::kText, Need::kNothing},
    {"&<", Class::kRange, Class::kRange, Op::kNotRight, false, Form::kText, Need::kNothing},
    {"&>", Class::kRange, Class::kRange, Op::kNotLeft, false, Form::kText, Need::kNothing},
    {"@>", Class::kMultirange, Class::kElement, Op::kContains, false, Form::kMultirangeElement, Need::kNothing},
    {"@>", Class::kMultirange, Class::kRange, Op::kContains, false, Form::kMultirange, Need::kNothing},
    {"<@", Class::kMultirange, Class::kRange, Op::kContained, false, Form::kMultirange, Need::kNothing},
    {"&&", Class::kMultirange, Class::kRange, Op::kOverlaps, false, Form::kMultirange, Need::kNothing},
    {"-|-", Class::kMultirange, Class::kRange, Op::kAdjacent, false, Form::kMultirange, Need::kNothing},
    {"<<", Class::kMultirange, Class::kRange, Op::kLeft, false, Form::kMultirange, Need::kNothing},
    {">>", Class::kMultirange, Class::kRange, Op::kRight, false, Form::kMultirange, Need::kNothing},
    {"&<", Class::kMultirange, Class::kRange, Op::kNotRight, false, Form::kMultirange, Need::kNothing},
    {"&>", Class::kMultirange, Class::kRange, Op::kNotLeft, false, Form::kMultirange, Need::kNothing},
    {"@>", Class::kMultirange, Class::kMultirange, Op::kContains, false, Form::kText, Need::kNothing},
    {"<@", Class::kMultirange, Class::kMultirange, Op::kContained, false, Form::kText, Need::kNothing},
    {"&&", Class::kMultirange, Class::kMultirange, Op::kOverlaps, false, Form::kText, Need::kNothing},
    {"-|-", Class::kMultirange, Class::kMultirange, Op::kAdjacent, false, Form::kText, Need::kNothing},
    {"<<", Class::kMultirange, Class::kMultirange, Op::kLeft, false, Form::kText, Need::kNothing},
    {">>", Class::kMultirange, Class::kMultirange, Op::kRight, false, Form::kText, Need::kNothing},
    {"&<", Class::kMultirange, Class::kMultirange, Op::kNotRight, false, Form::kText, Need::kNothing},
    {"&>", Class::kMultirange, Class::kMultirange, Op::kNotLeft, false, Form::kText, Need::kNothing},
    {"<<", Class::kNetwork, Class::kNetwork, Op::kLeft, false, Form::kText, Need::kNothing},
    {">>", Class::kNetwork, Class::kNetwork, Op::kRight, false, Form::kText, Need::kNothing},
    {"&&", Class::kNetwork, Class::kNetwork, Op::kOverlaps, false, Form::kText, Need::kNothing},
};

Class ClassOf(Oid type) {
  switch (type) {
    case TEXTOID:
    case VARCHAROID:
      return Class::kText;
    case BPCHAROID:
      return Class::kPadded;
    case NAMEOID:
      return Class::kName;
    case TSVECTOROID:
      return Class::kVector;
    case TSQUERYOID:
      return Class::kQuery;
    case JSONBOID:
      return Class::kJson;
    case INETOID:
    case CIDROID:
      return Class::kNetwork;
    default:
      break;
  }
  if (OidIsValid(get_element_type(type))) return Class::kArray;
  if (type_is_multirange(type)) return Class::kMultirange;
  return type_is_range(type) ? Class::kRange : Class::kNone;
}

// Which of an operator's rows applies depends on the other side too: a range has operators for its own type and for its
// element's, a multirange for its range's as well.
bool ValueFits(Oid column_type, Class column, Oid value_type, Class value) {
  if (column != Class::kRange && column != Class::kMultirange) {
    if (column == Class::kArray) {
      return column_type == value_type || (column_type == VARCHARARRAYOID && value_type == TEXTARRAYOID);
    }
    return ClassOf(value_type) == value;
  }
  Oid const range = column == Class::kRange ? column_type : get_multirange_range(column_type);
  if (value == Class::kElement) return get_range_subtype(range) == value_type;
  return value_type == (value == Class::kRange ? range : column_type);
}

const OperatorRow *FindRow(const Operand *operand, Oid opno, Oid value_type) {
  HeapTuple const tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
  if (!HeapTupleIsValid(tuple)) return nullptr;
  auto *form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
  const OperatorRow *found = nullptr;
  Class const column = ClassOf(operand->type);
  for (const OperatorRow &row : kOperators) {
    if (found == nullptr && form->oprnamespace == PG_CATALOG_NAMESPACE && row.column == column &&
        ClassOf(operand->column_type) == column && strcmp(row.name, NameStr(form->oprname)) == 0 &&
        ValueFits(operand->column_type, column, value_type, row.value)) {
      found = &row;
    }
  }
  ReleaseSysCache(tuple);
  return found;
}

// Which comparison an operator is, among those of the type's default btree operator family.
bool FindComparison(Oid opno, Oid type, Op *op) {
  TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
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

// Whether the operator means the same remotely for this operand: type, collation, options.
bool MeaningAllowed(DeparseContext *context, const Operand *operand, Op op, Oid collation) {
  const Column *column = RemoteColumn(context, operand->attno);
  if (column->remote_type != nullptr) {
    (void)RefuseStandIn(context, operand->attno);
    return false;
  }
  TypeRule const rule = GetTypeRule(operand->column_type);
  bool const ordering = op == Op::kLt || op == Op::kLe || op == Op::kGt || op == Op::kGe;
  if (ordering ? !rule.ordering : !rule.equality) {
    context->reason = psprintf("comparison of column \"%s\" may differ at the remote server", column->name);
    return false;
  }
  if (OidIsValid(collation) && !get_collation_isdeterministic(collation)) {
    context->reason = psprintf("column \"%s\" is compared under a nondeterministic collation", column->name);
    return false;
  }
  if (ordering && rule.collated && !(column->text_ordering && collation == operand->collation)) {
    context->reason =
        psprintf("order of text in column \"%s\" may differ at the remote server (option text_ordering)", column->name);
    return false;
  }
  return true;
}

// The operand and the value of a clause with two sides, whichever side the operand is on.
bool FindSides(DeparseContext *context, List *args, Oid *opno, Operand *operand, Expr **value) {
  auto *left = static_cast<Expr *>(linitial(args));
  auto *right = static_cast<Expr *>(lsecond(args));
  *value = right;
  if (FindOperand(context, left, operand)) return true;
  *value = left;
  if (!Seeded(Bug::kNotCommuted)) *opno = get_commutator(*opno);
  if (FindOperand(context, right, operand) && OidIsValid(*opno)) return true;
  context->reason = "neither side of the operator is a plain column of the table";
  return false;
}

Oid ValueType(Expr *value) {
  return getBaseType(exprType(reinterpret_cast<Node *>(value)));
}

}  // namespace

bool FindMeaning(DeparseContext *context, const Operand *operand, Oid opno, Oid collation, Oid value_type,
                 Meaning *meaning) {
  if (FindComparison(opno, operand->type, &meaning->op)) {
    meaning->negated = false;
    meaning->form = Form::kComparison;
    return MeaningAllowed(context, operand, meaning->op, collation);
  }
  const OperatorRow *row = FindRow(operand, opno, value_type);
  if (row == nullptr) {
    context->reason = psprintf("operator %s is not pushed down", get_opname(opno));
    return false;
  }
  if (row->need == Need::kCaseMapping && !context->table->case_mapping) {
    context->reason = psprintf("operator %s may differ at the remote server (option case_mapping)", row->name);
    return false;
  }
  // "_", classes and quantifiers match a byte here then, and a character there.
  bool const pattern = row->op == Op::kLike || row->op == Op::kILike || row->op == Op::kMatch || row->op == Op::kIMatch;
  if (pattern && GetDatabaseEncoding() == PG_SQL_ASCII) {
    context->reason = "patterns match bytes in a database of encoding SQL_ASCII";
    return false;
  }
  *meaning = {row->op, row->negated, row->form};
  return MeaningAllowed(context, operand, row->op, collation);
}

List *DeparseOperator(DeparseContext *context, OpExpr *clause) {
  if (list_length(clause->args) != 2) return Refuse(context, "the operator is not one that is pushed down");
  Oid opno = clause->opno;
  Operand operand;
  Expr *value;
  Meaning meaning;
  if (!FindSides(context, clause->args, &opno, &operand, &value)) return NIL;
  if (!FindMeaning(context, &operand, opno, clause->inputcollid, ValueType(value), &meaning)) return NIL;
  List *tree = CompareValue(context, &operand, meaning.op, meaning.form, value);
  return tree != NIL && meaning.negated ? Negate(tree) : tree;
}

List *DeparseDistinct(DeparseContext *context, DistinctExpr *clause) {
  Oid opno = clause->opno;
  Operand operand;
  Expr *value;
  Meaning meaning;
  if (!FindSides(context, clause->args, &opno, &operand, &value)) return NIL;
  if (!FindMeaning(context, &operand, opno, clause->inputcollid, ValueType(value), &meaning)) return NIL;
  if (meaning.op != Op::kEq) return Refuse(context, "IS DISTINCT FROM is not pushed down for this type");
  return CompareValue(context, &operand, Op::kDistinct, meaning.form, value);
}

List *DeparseFunction(DeparseContext *context, FuncExpr *clause) {
  Operand operand;
  if (clause->funcid != F_STARTS_WITH || !FindOperand(context, static_cast<Expr *>(linitial(clause->args)), &operand) ||
      !IsText(operand.column_type)) {
    return Refuse(context, psprintf("function %s is not pushed down", get_func_name(clause->funcid)));
  }
  if (!MeaningAllowed(context, &operand, Op::kStartsWith, clause->inputcollid)) return NIL;
  return CompareValue(context, &operand, Op::kStartsWith, Form::kText, static_cast<Expr *>(lsecond(clause->args)));
}

// (a, b) > (x, y) is a > x OR (a = x AND b > y), and so on; with NULLs too.
List *DeparseRowCompare(DeparseContext *context, RowCompareExpr *clause) {
  List *tree = NIL;
  for (int i = list_length(clause->opnos) - 1; i >= 0; i--) {
    Operand operand;
    Meaning meaning;
    auto *value = static_cast<Expr *>(list_nth(clause->rargs, i));
    if (!FindOperand(context, static_cast<Expr *>(list_nth(clause->largs, i)), &operand)) {
      return Refuse(context, "the left side of the row comparison is not made of plain columns of the table");
    }
    if (!FindMeaning(context, &operand, list_nth_oid(clause->opnos, i), list_nth_oid(clause->inputcollids, i),
                     ValueType(value), &meaning)) {
      return NIL;
    }
    // Only the last column may be equal.
    Op const strict = meaning.op == Op::kLe ? Op::kLt : meaning.op == Op::kGe ? Op::kGt : meaning.op;
    bool const last = tree == NIL || Seeded(Bug::kRowCompareAllEqual);
    List *beyond = CompareValue(context, &operand, last ? meaning.op : strict, Form::kComparison, value);
    if (beyond == NIL || tree == NIL) {
      tree = beyond;
      if (tree == NIL) return NIL;
      continue;
    }
    List *equal = CompareValue(context, &operand, Op::kEq, Form::kComparison, value);
    if (equal == NIL) return NIL;
    List *rest = lappend(lappend(MakeNode(static_cast<int>(Condition::Kind::kAnd)), equal), tree);
    tree = lappend(lappend(MakeNode(static_cast<int>(Condition::Kind::kOr)), beyond), rest);
  }
  return tree;
}

}  // namespace supabase::pg
