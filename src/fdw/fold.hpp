#pragma once

#include "core/query.hpp"

#include "fdw/postgres.hpp"

namespace supabase::pg {

// Values on their way into a condition. PostgREST passes a literal on untyped, so the remote database parses it with
// the column's own type: 42.0 is an error for an integer column, a timestamp loses its time for a date column. A value
// of another type is therefore folded into one of the column's type, and the comparison into one that means the same.

// How a value becomes the literal that the operator is given.
enum class Form : int {
  kComparison,    // compared, so folded to the column's type
  kText,          // as its type prints it
  kRangeElement,  // an element, as the range that holds nothing else
  kMultirangeElement,
  kMultirange,  // a range, as a multirange
  kSearch,      // a tsquery, as plain words for to_tsquery('simple', …)
};

// `text` is meaningful with kSend. kAlways is for IS DISTINCT FROM a value that no column can have.
struct Folded {
  enum Outcome { kSend, kTrueIfKnown, kFalseIfKnown, kAlways, kUnfit } outcome;
  Op op;
  const char *text;
};

// Whether values of `type` may stand beside a column of `column_type` at all; both are base types.
bool CanFold(Form form, Oid column_type, Oid type);
// Whether a value's own text will do, so that nothing depends on the value.
bool IsPlain(Form form, Oid column_type, Oid type);
// Whether what comes of it depends on the session's settings (TimeZone), so that it must not be decided in a plan.
bool DependsOnSettings(Form form, Oid column_type, Oid type);
// kUnfit: the literal would not say the same. Only types of varying length have such values.
Folded FoldValue(Form form, Oid column_type, Op op, Oid type, Datum value);

// Text of a value by its type's output function, under settings that every PostgreSQL server reads the same way.
char *DatumToText(Oid type, Datum value);

bool IsInteger(Oid type);
// text or varchar, which compare alike.
bool IsText(Oid type);

}  // namespace supabase::pg
