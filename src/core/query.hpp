#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supabase {

// The read side of PostgREST's URL grammar (https://docs.postgrest.org, "Tables and Views"): a query as plain values,
// and its text. Quoting follows the three positions that grammar has: a value after `column=op.` is raw to its end,
// an element of `in.(…)` and a value inside `and=(…)`/`or=(…)` is double-quoted with \ escapes, or bare when it has
// nothing but letters, digits and _ - . : (two quotes cost six bytes of the URL, more than most keys are long).

// What a leaf compares by; PostgREST's names are in query.cpp. Two are said by others: kStartsWith by kLike,
// kHasElement (the value is an element of the array column) by kContains.
enum class Op : int {
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kDistinct,
  kLike,
  kILike,
  kMatch,
  kIMatch,
  kContains,
  kContained,
  kOverlaps,
  kAdjacent,
  kLeft,
  kRight,
  kNotRight,
  kNotLeft,
  kSearch,  // a tsvector by a tsquery of plain words: see fdw/fold.hpp
  kStartsWith,
  kHasElement,
};

// One step into a json or jsonb value: an object's key or an array's index.
struct JsonStep {
  std::string text;
  bool index = false;
};

// A boolean expression over the columns of one relation. Values are PostgreSQL text of the column's own type, because
// the server hands them to that type's input function; nullopt is SQL NULL.
struct Condition {
  enum class Kind : int {
    kAnd,
    kOr,
    kNot,
    kCompare,
    kIn,
    kIsNull,
    kIsTrue,
    kIsFalse,
    kIsUnknown,
    kTrueIfKnown,   // true for every value of the column, unknown for NULL
    kFalseIfKnown,  // false for every value of the column, unknown for NULL
    kHoldsTrue,     // expression IS TRUE
    kHoldsFalse,    // expression IS FALSE
    kHoldsUnknown,  // expression IS UNKNOWN
    kLocal,         // what cannot be said to the server with the values it has now
  };
  Kind kind = Kind::kAnd;
  std::string column;                              // leaves
  std::vector<JsonStep> path;                      // leaves: into the column's value
  bool path_text = false;                          // the last step gives text (->>), not JSON (->)
  Op op = Op::kEq;                                 // kCompare
  std::vector<std::optional<std::string>> values;  // kCompare: one; kIn: any number
  std::vector<Condition> children;                 // kAnd, kOr: any number; kNot and kHolds…: one
  bool negated = false;                            // leaves only; set by Normalize
};

// A condition in negation normal form: NOT stands at leaves only, no leaf holds a NULL, no AND/OR has fewer than two
// children; kTrueIfKnown, kHolds… and the two operators that are said by others are gone. A WHERE clause keeps a row
// only when it is true, so once NOT is at the leaves "unknown" can be taken for "false": that is how a comparison with
// NULL is decided here, not sent.
struct Normalized {
  enum class Truth { kNever, kAlways, kDepends };
  Truth truth = Truth::kAlways;
  Condition condition;  // meaningful with kDepends
};
// A NULL among the values of IN is dropped; among those of NOT IN it makes the condition never true. A LIKE pattern
// with a * becomes a regular expression. kHasElement can be kept where it must be true or not be true, not where it
// must be false: there it becomes kLocal.
Normalized Normalize(const Condition &condition);

// "a > x", or for several columns "a > x OR (a = x AND (b > y …))": what follows the row whose key is `values` in
// ascending key order; with kGe as the `last` comparison, that row itself as well. Sizes are equal and not zero.
Condition KeysetAfter(const std::vector<std::string> &columns, const std::vector<std::string> &values,
                      Op last = Op::kGt);
// The mirror image: what comes before the row whose key is `values`, and that row itself.
Condition KeysetUpTo(const std::vector<std::string> &columns, const std::vector<std::string> &values);

struct SelectColumn {
  std::string name;           // may be empty with a function: count() of all rows
  bool as_text = false;       // adds ::text
  std::string function = {};  // aggregate, which makes the other columns groups; empty: none
};

struct OrderItem {
  std::string column;
  bool descending = false;
  bool nulls_first = false;  // written only where it differs from PostgreSQL's default for the direction
};

// A function's rows in place of a relation's (https://docs.postgrest.org, "Functions as RPC").
struct FunctionSource {
  // What it returns: rows, of which columns are selected; a set of plain values; one plain value.
  enum class Result { kRows, kValues, kValue };
  Result result = Result::kRows;
  bool values_as_text = false;  // plain values are wanted as their JSON text
  std::string arguments;        // as parameters of the URL, percent-encoded: "a=1&b=x"; empty when the body has them
  std::string hint;             // for the error when the remote has no such function
};

struct ReadQuery {
  std::string relation;  // or the function's name
  std::optional<FunctionSource> function;
  std::vector<SelectColumn> select;  // must not be empty; the n-th is aliased c<n>, counted from 0
  // Ask for "*" in place of the columns that are not fetched as text: see whole_rows.hpp. Of a relation, without
  // aggregates.
  bool whole = false;
  std::vector<Condition> where;  // conjuncts, each normalized (kDepends)
  std::vector<OrderItem> order;
  std::optional<uint64_t> limit;
  std::optional<uint64_t> offset;
};

// The name as PostgREST reads it: bare when it is a plain identifier and not a reserved parameter name, else
// double-quoted. Not percent-encoded. Throws Error (HV005) for "*", which PostgREST takes for all columns even in
// quotes.
std::string QuoteName(std::string_view name);

// Path and query, percent-encoded: "/orders?select=c0:id,c1:note::text&id=gt.5&order=id&limit=1000".
// Plain identifiers select as `c0:id`; parameters come in the order select, filters, order, limit, offset. A conjunct
// that is an AND becomes several parameters, an IN of one value `eq.` (PostgREST reads `in.("")` as an empty list).
// Throws Error (22P05) for a NUL byte in a name or value, where PostgREST would cut the text silently.
std::string BuildTarget(const ReadQuery &query);

// The same for a write (write.hpp): "/orders?columns=id,note&on_conflict=id&select=c0:id&id=eq.5"; without select list
// where the query has none. `columns` and `on_conflict` are left out when empty.
std::string BuildWriteTarget(const ReadQuery &rows, const std::vector<std::string> &columns,
                             const std::vector<std::string> &on_conflict);

// Bytes that a condition takes in a URL, with what stands before it.
size_t ConditionBytes(const Condition &condition);

// The longest path and query that may be sent. Gateways refuse a request line and headers above 16 kB and clients warn
// from 8,000 characters; a user's JWT takes up to 2 kB of that.
inline constexpr size_t kMaxTargetBytes = 7000;

// What it may be when nothing but the names of its columns is in it, or the key of a page: gateways refuse from 16 kB.
inline constexpr size_t kMaxBareTargetBytes = 12'000;

// Drops conjuncts: those with a kLocal, then the longest first until the target fits `limit`. Returns how many were
// dropped: with any, the caller must filter the rows itself and must not send a limit. Throws Error (54000) when it is
// above kMaxBareTargetBytes even so. It may drop any conjunct, so a keyset condition must be added after it.
int FitTarget(ReadQuery &query, size_t limit = kMaxTargetBytes);

// A query as several: its longest IN is cut into lists of at most `most_values` that make targets of kMaxTargetBytes.
// Together they keep the same rows, each row once if the values are distinct. Other conjuncts that leave no room for a
// list are dropped as by FitTarget. One query, the same, when it fits or has no list that helps.
struct SplitQuery {
  std::vector<ReadQuery> parts;
  size_t list = 0;  // position of the list in `where`, with more than one part
  int dropped = 0;
};
SplitQuery SplitList(ReadQuery query, size_t most_values);

}  // namespace supabase
