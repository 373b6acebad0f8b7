#pragma once

#include "core/condition.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// Conditions on their way from the planner to the request. What may be shipped becomes a tree of Lists (a plan must be
// copyable), in which constants are text and everything else is an index into the plan's expressions:
//   (kAnd | kOr, child, …)   (kNot, child)   (kIsNull | kIsTrue | kIsFalse | kIsUnknown, column)
//   (kCompare, column, op, value)   (kIn, column, parameter, value, …)
// with kinds and ops as Integers of core's enums and columns as Strings. A value is a String, the Integer of a
// parameter, or the Integer kNullValue. `parameter` of kIn is an array parameter, or kNoParameter when the values
// follow.
inline constexpr int kNullValue = -1;
inline constexpr int kNoParameter = -1;

struct DeparseContext {
  PlannerInfo *root;
  RelOptInfo *rel;
  const Server *server;
  const Table *table;
  List *parameters;    // out: expressions that the trees' parameters index
  const char *reason;  // out: why the last clause is not shipped
  Relids outer;  // other relations whose columns a compared value may have: those that the path is parameterised by
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

// Text of a value by its type's output function, under settings that every PostgreSQL server reads the same way.
char *DatumToText(Oid type, Datum value);

// Pushes the tree onto core's builder, parameters replaced by their values' text. `values` and `isnull` are by
// parameter number; NULL pointers stand for EXPLAIN, which shows $1, $2, …
struct ParameterValues {
  List *expressions;
  const Datum *values;
  const bool *isnull;
};
void BuildCondition(ConditionBuilder *builder, List *tree, const ParameterValues *parameters);

}  // namespace supabase::pg
