#pragma once

#include <string>
#include <utility>
#include <vector>

#include "query.hpp"

namespace supabase {

// Builds a Condition bottom-up, so that a caller who may own nothing can hand over a tree in plain calls: leaves are
// pushed, And/Or/Not take the last ones pushed as their children.
class ConditionBuilder {
 public:
  // A null `value` is SQL NULL.
  void Compare(const char *column, Op op, const char *value) {
    Condition leaf = Leaf(Condition::Kind::kCompare, column);
    leaf.op = op;
    leaf.values.push_back(Value(value));
    stack_.push_back(std::move(leaf));
  }
  void In(const char *column) { stack_.push_back(Leaf(Condition::Kind::kIn, column)); }
  // Adds an element to the last In.
  void InValue(const char *value) { stack_.back().values.push_back(Value(value)); }
  void Test(Condition::Kind kind, const char *column) { stack_.push_back(Leaf(kind, column)); }
  // Takes the last condition back.
  void Discard() { stack_.pop_back(); }
  // Adds a step into the JSON value that the last leaf tests.
  void Step(const char *text, bool index) { stack_.back().path.push_back({text, index}); }
  void PathAsText() { stack_.back().path_text = true; }
  // kAnd, kOr, kNot or kHolds… over the last `count` conditions.
  void Combine(Condition::Kind kind, size_t count) {
    Condition node;
    node.kind = kind;
    auto const first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    node.children.assign(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
    stack_.erase(first, stack_.end());
    stack_.push_back(std::move(node));
  }
  // The conditions pushed so far, ANDed.
  std::vector<Condition> Take() { return std::exchange(stack_, {}); }

 private:
  static Condition Leaf(Condition::Kind kind, const char *column) {
    Condition leaf;
    leaf.kind = kind;
    leaf.column = column;
    return leaf;
  }
  static std::optional<std::string> Value(const char *value) {
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }

  std::vector<Condition> stack_;
};

}  // namespace supabase
