// Bugs that a build for testing can be told to have, so that test/differential can show that it finds them. Every other
// build has none: Seeded is false at compile time.
#pragma once

#include <cstddef>
#include <iterator>

namespace supabase {

enum class Bug {
  kNone,
  kTreeValuesBare,
  kBackslashBare,
  kQuoteBare,
  kTopLevelQuoted,
  kPlusBare,
  kSingleListed,
  kNullsOrderLost,
  kConjunctLost,
  kGreaterForGreaterEqual,
  kTreeNegationLost,
  kDeMorganForgotten,
  kNullLostInNotIn,
  kEmptyNotInFalse,
  kUnknownLost,
  kDistinctFromNull,
  kStarInLike,
  kPrefixIsPattern,
  kFoldOffByOne,
  kBeyondAlwaysAbove,
  kFloat4Nearest,
  kDateStyleOpen,
  kFloatDigitsOpen,
  kZoneLost,
  kNotCommuted,
  kRowCompareAllEqual,
  kKeysetFirstColumn,
  kOffsetPageSkipsRow,
  kOffsetNotInLimit,
  kLimitBelowFilter,
  kJsonNullIsNull,
  kArrayBoundsLost,
  kFractionLost,
  kCountCountsNulls,
  kHavingLost,
  kFilterLost,
  kDistinctArgumentLost,
  kParameterMixed,
  kParameterNullEmpty,
  kRescanKeepsRows,
};

// In the order of Bug, from its second on.
constexpr const char *kSeededBugs[] = {
    "values in or=(…) are not quoted",
    "a backslash in a quoted value is not escaped",
    "a quote in a quoted value is not escaped",
    "values of plain parameters are quoted",
    "a plus sign is not percent-encoded",
    "IN of one value is sent as a list: in.(\"\") has no rows",
    "NULLS FIRST and NULLS LAST are not sent",
    "the first of several conditions is dropped",
    "> is sent for >=",
    "NOT is dropped inside or=(…)",
    "NOT (a AND b) becomes (NOT a) AND (NOT b)",
    "NULL in a NOT IN list is dropped",
    "NOT IN of an empty array is false",
    "IS NOT TRUE forgets unknown",
    "IS DISTINCT FROM NULL is negated wrongly",
    "LIKE is sent with its *, which PostgREST makes a %",
    "what a text starts with is taken for a pattern",
    "integer < 1.5 becomes < 1",
    "a value out of the column's range is always above it",
    "a float8 is rounded for a float4 column",
    "DateStyle is not pinned",
    "extra_float_digits is not pinned",
    "timestamptz is sent without its offset",
    "5 < a becomes a < 5",
    "(a, b) <= (x, y) becomes a <= x OR …",
    "the next page of a composite key begins after its first column",
    "a page by row number begins one row late",
    "LIMIT does not have OFFSET added",
    "LIMIT is sent although rows are filtered here",
    "JSON null arrives as SQL NULL",
    "array bounds are lost",
    "fractions of a second are lost",
    "count(column) counts nulls",
    "HAVING is dropped",
    "FILTER of an aggregate is dropped",
    "DISTINCT in an aggregate is dropped",
    "every parameter has the first one's value",
    "a NULL parameter is sent as an empty text",
    "a scan that is run again has the rows of its last parameters",
};

#ifdef SUPABASE_FDW_SEEDED_BUGS
inline int seeded_bug = 0;  // the setting supabase_fdw.seeded_bug
inline bool Seeded(Bug bug) {
  return seeded_bug == static_cast<int>(bug);
}
#else
constexpr bool Seeded(Bug) {
  return false;
}
#endif

}  // namespace supabase
