// Conditions to negation normal form (query.hpp).

#include <algorithm>
#include <utility>

#include "pattern.hpp"
#include "query.hpp"
#include "seeded.hpp"

namespace supabase {

namespace {

using Kind = Condition::Kind;
using Truth = Normalized::Truth;

// What an expression must be for its row to be kept. The first two are what WHERE and NOT ask for, the others what
// IS NOT TRUE and IS NOT FALSE do: they keep "unknown" too.
enum class Goal { kTrue, kFalse, kNotTrue, kNotFalse };

Goal Negate(Goal goal) {
  switch (goal) {
    case Goal::kTrue:
      return Goal::kFalse;
    case Goal::kFalse:
      return Goal::kTrue;
    case Goal::kNotTrue:
      return Goal::kNotFalse;
    default:
      return Goal::kNotTrue;
  }
}

bool KeepsUnknown(Goal goal) {
  return goal == Goal::kNotTrue || goal == Goal::kNotFalse;
}

// Whether a two-valued expression has to be false.
bool WantsFalse(Goal goal) {
  return goal == Goal::kFalse || goal == Goal::kNotTrue;
}

Normalized Constant(bool value) {
  return {value ? Truth::kAlways : Truth::kNever, {}};
}

Normalized NormalizeTree(const Condition &condition, Goal goal);

Normalized NormalizeGroup(const Condition &group, Goal goal) {
  const bool flipped = WantsFalse(goal) && !Seeded(Bug::kDeMorganForgotten);
  const bool conjunction = (group.kind == Kind::kAnd) != flipped;
  const Truth neutral = conjunction ? Truth::kAlways : Truth::kNever;
  Normalized result{Truth::kDepends, {}};
  result.condition.kind = conjunction ? Kind::kAnd : Kind::kOr;
  std::vector<Condition> &children = result.condition.children;
  for (const Condition &child : group.children) {
    Normalized part = NormalizeTree(child, goal);
    if (part.truth == neutral) continue;
    if (part.truth != Truth::kDepends) return part;
    if (part.condition.kind == result.condition.kind) {
      std::move(part.condition.children.begin(), part.condition.children.end(), std::back_inserter(children));
    } else {
      children.push_back(std::move(part.condition));
    }
  }
  if (children.empty()) return {neutral, {}};
  if (children.size() == 1) {
    Condition only = std::move(children.front());
    result.condition = std::move(only);
  }
  return result;
}

Condition NullTest(const Condition &leaf, bool negated) {
  Condition test;
  test.kind = Kind::kIsNull;
  test.column = leaf.column;
  test.path = leaf.path;
  test.path_text = leaf.path_text;
  test.negated = negated;
  return test;
}

Normalized Local() {
  Normalized result{Truth::kDepends, {}};
  result.condition.kind = Kind::kLocal;
  return result;
}

// A leaf that is unknown for NULL and for nothing else.
Normalized Strict(Condition leaf, Goal goal) {
  leaf.negated = WantsFalse(goal);
  if (!KeepsUnknown(goal) || Seeded(Bug::kUnknownLost)) return {Truth::kDepends, std::move(leaf)};
  Normalized result{Truth::kDepends, {}};
  result.condition.kind = Kind::kOr;
  result.condition.children = {leaf, NullTest(leaf, false)};
  return result;
}

Normalized TwoValued(Condition leaf, Goal goal) {
  leaf.negated = WantsFalse(goal);
  return {Truth::kDepends, std::move(leaf)};
}

Normalized NormalizeDistinct(Condition leaf, Goal goal) {
  if (leaf.values.at(0)) return TwoValued(std::move(leaf), goal);
  return {Truth::kDepends, NullTest(leaf, !WantsFalse(goal) || Seeded(Bug::kDistinctFromNull))};
}

Normalized NormalizePattern(Condition leaf, Goal goal) {
  std::string &pattern = *leaf.values.at(0);
  if (leaf.op == Op::kStartsWith) {
    pattern = Seeded(Bug::kPrefixIsPattern) ? pattern + "%" : PrefixPattern(pattern);
    leaf.op = Op::kLike;
  }
  if (EndsInEscape(pattern)) return Local();
  if (pattern.find('*') != std::string::npos && !Seeded(Bug::kStarInLike)) {
    // Regular expressions and ILIKE do not fold the same letters.
    if (leaf.op == Op::kILike) return Local();
    pattern = PatternToRegex(pattern);
    leaf.op = Op::kMatch;
  }
  return Strict(std::move(leaf), goal);
}

std::string ArrayOfOne(std::string_view element) {
  std::string array = "{\"";
  for (const char c : element) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  return array += "\"}";
}

// The value equals an element: true exactly when the array contains it, but unknown, not false, when nothing equals it
// and an element is NULL.
Normalized NormalizeElement(Condition leaf, Goal goal) {
  if (goal == Goal::kFalse || goal == Goal::kNotFalse) return Local();
  leaf.op = Op::kContains;
  leaf.values = {ArrayOfOne(*leaf.values.at(0))};
  return Strict(std::move(leaf), goal);
}

Normalized NormalizeCompare(Condition leaf, Goal goal) {
  if (leaf.op == Op::kDistinct) return NormalizeDistinct(std::move(leaf), goal);
  if (!leaf.values.at(0)) return Constant(KeepsUnknown(goal));
  switch (leaf.op) {
    case Op::kLike:
    case Op::kILike:
    case Op::kStartsWith:
      return NormalizePattern(std::move(leaf), goal);
    case Op::kHasElement:
      return NormalizeElement(std::move(leaf), goal);
    default:
      return Strict(std::move(leaf), goal);
  }
}

Normalized NormalizeIn(Condition leaf, Goal goal) {
  // IN () is false even for a NULL on the left.
  if (leaf.values.empty()) return Constant(WantsFalse(goal) && !Seeded(Bug::kEmptyNotInFalse));
  const auto nulls = std::remove(leaf.values.begin(), leaf.values.end(), std::nullopt);
  const bool has_null = nulls != leaf.values.end() && !Seeded(Bug::kNullLostInNotIn);
  leaf.values.erase(nulls, leaf.values.end());
  // x IN (…, NULL) is true or unknown, never false, whatever x is.
  if (has_null && (goal == Goal::kFalse || goal == Goal::kNotFalse)) return Constant(goal == Goal::kNotFalse);
  if (leaf.values.empty()) return Constant(goal == Goal::kNotTrue);
  return Strict(std::move(leaf), goal);
}

Normalized NormalizeKnown(const Condition &leaf, bool value, Goal goal) {
  const bool reached = value != WantsFalse(goal);
  if (reached == KeepsUnknown(goal)) return Constant(reached);
  return {Truth::kDepends, NullTest(leaf, reached)};
}

Normalized NormalizeLeaf(Condition leaf, Goal goal) {
  leaf.children.clear();
  if (std::exchange(leaf.negated, false)) goal = Negate(goal);
  switch (leaf.kind) {
    case Kind::kCompare:
      return NormalizeCompare(std::move(leaf), goal);
    case Kind::kIn:
      return NormalizeIn(std::move(leaf), goal);
    case Kind::kTrueIfKnown:
      return NormalizeKnown(leaf, true, goal);
    case Kind::kFalseIfKnown:
      return NormalizeKnown(leaf, false, goal);
    case Kind::kLocal:
      return Local();
    default:
      return TwoValued(std::move(leaf), goal);
  }
}

bool IsPlainComparison(const Condition &leaf) {
  return leaf.kind == Kind::kCompare && leaf.values.at(0) && leaf.op != Op::kDistinct && leaf.op != Op::kHasElement;
}

// Unknown: neither true nor false.
Normalized NormalizeUnknown(const Condition &expression, Goal goal) {
  if (IsPlainComparison(expression)) return {Truth::kDepends, NullTest(expression, WantsFalse(goal))};
  Condition both;
  both.kind = Kind::kAnd;
  for (const Kind kind : {Kind::kHoldsTrue, Kind::kHoldsFalse}) {
    Condition holds, negation;
    holds.kind = kind;
    holds.children = {expression};
    negation.kind = Kind::kNot;
    negation.children.push_back(std::move(holds));
    both.children.push_back(std::move(negation));
  }
  return NormalizeTree(both, goal);
}

Normalized NormalizeTree(const Condition &condition, Goal goal) {
  switch (condition.kind) {
    case Kind::kNot:
      return NormalizeTree(condition.children.at(0), Negate(goal));
    case Kind::kAnd:
    case Kind::kOr:
      return NormalizeGroup(condition, goal);
    case Kind::kHoldsTrue:
      return NormalizeTree(condition.children.at(0), WantsFalse(goal) ? Goal::kNotTrue : Goal::kTrue);
    case Kind::kHoldsFalse:
      return NormalizeTree(condition.children.at(0), WantsFalse(goal) ? Goal::kNotFalse : Goal::kFalse);
    case Kind::kHoldsUnknown:
      return NormalizeUnknown(condition.children.at(0), goal);
    default:
      return NormalizeLeaf(condition, goal);
  }
}

}  // namespace

Normalized Normalize(const Condition &condition) {
  return NormalizeTree(condition, Goal::kTrue);
}

}  // namespace supabase
