#pragma once

#include "core/condition.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// Conditions on their way from the planner to the request. What may be shipped becomes a tree of Lists (a plan must be
// copyable), in which constants are text and everything else is an index into the plan's expressions:
//   (kAnd | kOr, child, …)   (kNot | kHoldsTrue | kHoldsFalse | kHoldsUnknown, child)
//   (kIsNull | kIsTrue | kIsFalse | kIsUnknown | kTrueIfKnown | kFalseIfKnown, column)
//   (kCompare, column, op, value)   (kIn, column, parameter, value, …)   (kIn, column, parameter, form, column type)
//   (kPlanEach, column, op, any, negated, parameter, form, column type): the comparison with each element of an array
//   (kPlanKnown, parameter): a boolean value without columns
//   (kPlanPath, text, (step, …), leaf): the leaf tests what the steps lead to in the column, text for ->> at the end
// with kinds, ops, forms and type OIDs as Integers and columns as Strings; any, negated and text are 0 or 1. A value is
// a String, the Integer of a parameter, the Integer kNullValue, or (parameter, form, column type) for a parameter that
// is folded (fold.hpp). `parameter` of kIn is an array parameter, or kNoParameter when the values follow. A step is a
// String (key) or an Integer (index).
inline constexpr int kNullValue = -1;
inline constexpr int kNoParameter = -1;
enum PlanKind { kPlanEach = 100, kPlanPath, kPlanKnown };  // beside Condition::Kind

struct DeparseContext {
  PlannerInfo *root;
  RelOptInfo *rel;
  const Server *server;
  const Table *table;
  List *parameters;        // out: expressions that the trees' parameters index
  const char *reason;      // out: why the last clause is not shipped
  Relids outer = nullptr;  // relations whose columns a value may have, for a parameterised path
  // What the clause at hand must be for a row to be kept; for the functions of deparse alone.
  enum Wanted { kTrue, kFalse, kBoth } wanted = kTrue;
};

// The tree for a clause, or NIL with `reason` set.
List *DeparseClause(DeparseContext *context, Expr *clause);

// The column of this relation that a plain (perhaps binary-relabelled) Var is, or 0.
AttrNumber PlainColumn(const DeparseContext *context, const Expr *expr);

// Whether the remote may order by a column as this pathkey does. `collation` is the sort's.
bool ShippableOrder(const DeparseContext *context, AttrNumber attno, Oid opfamily, Oid collation);

// The elements of an array, whatever its dimensions.
struct ArrayElements {
  Datum *values;
  bool *nulls;
  int count;
};
ArrayElements SplitArray(Oid element_type, Datum array);
// The same without those that equal an earlier one.
ArrayElements DistinctElements(Oid element_type, Datum array);

// Pushes the tree onto core's builder, parameters replaced by their values' text. `values` and `isnull` are by
// parameter number; NULL pointers stand for EXPLAIN, which shows $1, $2, …
struct ParameterValues {
  List *expressions;
  const Datum *values;
  const bool *isnull;
};
void BuildCondition(ConditionBuilder *builder, List *tree, const ParameterValues *parameters);

}  // namespace supabase::pg
