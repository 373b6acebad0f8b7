#pragma once

// Conditions in a line each, and the filters they become.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "query.hpp"

namespace supabase::conditions {

using Kind = Condition::Kind;
using Truth = Normalized::Truth;
using Values = std::vector<std::optional<std::string>>;

inline Condition Compare(std::string column, Op op, std::optional<std::string> value) {
  Condition leaf;
  leaf.kind = Kind::kCompare;
  leaf.column = std::move(column);
  leaf.op = op;
  leaf.values = {std::move(value)};
  return leaf;
}

inline Condition In(std::string column, Values values) {
  Condition leaf;
  leaf.kind = Kind::kIn;
  leaf.column = std::move(column);
  leaf.values = std::move(values);
  return leaf;
}

inline Condition Is(std::string column, Kind kind) {
  Condition leaf;
  leaf.kind = kind;
  leaf.column = std::move(column);
  return leaf;
}

inline Condition Group(Kind kind, std::vector<Condition> children) {
  Condition group;
  group.kind = kind;
  group.children = std::move(children);
  return group;
}

inline Condition And(std::vector<Condition> children) {
  return Group(Kind::kAnd, std::move(children));
}
inline Condition Or(std::vector<Condition> children) {
  return Group(Kind::kOr, std::move(children));
}
inline Condition Not(Condition child) {
  return Group(Kind::kNot, {std::move(child)});
}

// The filters of a target: what stands after the select list, which is "select=c0:id".
inline std::string Filters(const Condition &condition) {
  const Normalized normalized = Normalize(condition);
  if (normalized.truth != Truth::kDepends) return normalized.truth == Truth::kAlways ? "<always>" : "<never>";
  ReadQuery query;
  query.relation = "t";
  query.select = {{"id"}};
  query.where = {normalized.condition};
  const std::string target = BuildTarget(query), head = "/t?select=c0:id&";
  EXPECT_EQ(target.substr(0, head.size()), head);
  return target.substr(head.size());
}

}  // namespace supabase::conditions
