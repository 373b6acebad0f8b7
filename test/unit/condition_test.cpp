#include "condition.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace supabase {
namespace {

using Kind = Condition::Kind;

// A condition as text, every field of it.
std::string Text(const Condition &condition) {
  static const char *const kKinds[] = {"and", "or", "not", "cmp", "in", "null", "true", "false", "unknown"};
  static const char *const kOps[] = {"=", "<>", "<", "<=", ">", ">="};
  std::string text = kKinds[static_cast<int>(condition.kind)];
  if (condition.kind == Kind::kCompare) text += kOps[static_cast<int>(condition.op)];
  text += condition.negated ? "!(" : "(";
  text += condition.column;
  for (const std::optional<std::string> &value : condition.values)
    text += value ? " '" + *value + "'" : " NULL";
  for (const Condition &child : condition.children)
    text += " " + Text(child);
  return text + ")";
}

std::string Text(const std::vector<Condition> &conditions) {
  std::string text;
  for (const Condition &condition : conditions)
    text += (text.empty() ? "" : " & ") + Text(condition);
  return text;
}

TEST(Condition, NothingPushedIsNoCondition) {
  ConditionBuilder builder;
  EXPECT_TRUE(builder.Take().empty());
}

TEST(Condition, CompareTakesEveryOperatorAndNull) {
  ConditionBuilder builder;
  for (const Op op : {Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe})
    builder.Compare("a", op, "1");
  builder.Compare("b", Op::kLt, nullptr);
  builder.Compare("", Op::kEq, "");
  EXPECT_EQ(Text(builder.Take()),
            "cmp=(a '1') & cmp<>(a '1') & cmp<(a '1') & cmp<=(a '1') & cmp>(a '1') & cmp>=(a '1') & cmp<(b NULL) & "
            "cmp=( '')");
}

TEST(Condition, StepsBelongToTheLastLeaf) {
  ConditionBuilder builder;
  builder.Compare("a", Op::kEq, "1");
  builder.In("j");
  builder.Step("k", false);
  builder.Step("-1", true);
  builder.PathAsText();
  builder.InValue("x");
  builder.Test(Kind::kIsNull, "b");
  builder.Discard();
  const std::vector<Condition> conditions = builder.Take();
  ASSERT_EQ(conditions.size(), 2u);
  EXPECT_TRUE(conditions[0].path.empty());
  ASSERT_EQ(conditions[1].path.size(), 2u);
  EXPECT_EQ(conditions[1].path[0].text, "k");
  EXPECT_FALSE(conditions[1].path[0].index);
  EXPECT_TRUE(conditions[1].path[1].index);
  EXPECT_TRUE(conditions[1].path_text);
}

TEST(Condition, TestsHaveNoValue) {
  ConditionBuilder builder;
  for (const Kind kind : {Kind::kIsNull, Kind::kIsTrue, Kind::kIsFalse, Kind::kIsUnknown})
    builder.Test(kind, "a");
  EXPECT_EQ(Text(builder.Take()), "null(a) & true(a) & false(a) & unknown(a)");
}

TEST(Condition, InValuesGoToTheLastIn) {
  ConditionBuilder builder;
  builder.In("a");
  builder.InValue("1");
  builder.InValue(nullptr);
  builder.In("b");
  builder.InValue("");
  builder.In("c");
  EXPECT_EQ(Text(builder.Take()), "in(a '1' NULL) & in(b '') & in(c)");
}

TEST(Condition, CombineTakesTheLastOnesInTheirOrder) {
  ConditionBuilder builder;
  builder.Test(Kind::kIsNull, "a");
  builder.Test(Kind::kIsNull, "b");
  builder.Test(Kind::kIsNull, "c");
  builder.Combine(Kind::kOr, 2);
  builder.Combine(Kind::kNot, 1);
  builder.Test(Kind::kIsNull, "d");
  EXPECT_EQ(Text(builder.Take()), "null(a) & not( or( null(b) null(c))) & null(d)");
}

TEST(Condition, CombineOfNoneAndOfAll) {
  ConditionBuilder builder;
  builder.Combine(Kind::kAnd, 0);
  builder.Combine(Kind::kOr, 0);
  builder.Test(Kind::kIsTrue, "a");
  builder.Combine(Kind::kAnd, 3);
  EXPECT_EQ(Text(builder.Take()), "and( and() or() true(a))");
}

// The caller's memory is its own again after each call.
TEST(Condition, KeepsCopies) {
  ConditionBuilder builder;
  std::string column = "a column with a long name", value = "a value that fits no inline buffer";
  builder.Compare(column.c_str(), Op::kEq, value.c_str());
  builder.In(column.c_str());
  builder.InValue(value.c_str());
  const std::string expected = "cmp=(" + column + " '" + value + "') & in(" + column + " '" + value + "')";
  column.assign(column.size(), 'x');
  value.assign(value.size(), 'x');
  EXPECT_EQ(Text(builder.Take()), expected);
}

TEST(Condition, TakeLeavesAnEmptyBuilder) {
  ConditionBuilder builder;
  builder.Test(Kind::kIsTrue, "a");
  EXPECT_EQ(builder.Take().size(), 1U);
  EXPECT_TRUE(builder.Take().empty());
  builder.Test(Kind::kIsFalse, "b");
  EXPECT_EQ(Text(builder.Take()), "false(b)");
}

// Any tree in post-order is that tree again.
TEST(ConditionProperty, PostOrderBuildsTheTree) {
  std::mt19937 random(1);
  const auto pick = [&](int last) { return std::uniform_int_distribution<int>(0, last)(random); };
  for (int round = 0; round < 2000; round++) {
    ConditionBuilder builder;
    const std::function<Condition(int)> push = [&](int depth) {
      Condition node;
      const int shape = depth == 0 ? pick(2) : pick(5);
      if (shape > 2) {
        node.kind = static_cast<Kind>(shape - 3);
        const int children = node.kind == Kind::kNot ? 1 : pick(4);
        for (int i = 0; i < children; i++)
          node.children.push_back(push(depth - 1));
        builder.Combine(node.kind, node.children.size());
        return node;
      }
      node.column = std::to_string(pick(9));
      if (shape == 0) {
        node.kind = static_cast<Kind>(static_cast<int>(Kind::kIsNull) + pick(3));
        builder.Test(node.kind, node.column.c_str());
        return node;
      }
      node.kind = shape == 1 ? Kind::kCompare : Kind::kIn;
      if (shape == 1) node.op = static_cast<Op>(pick(5));
      if (shape == 2) builder.In(node.column.c_str());
      for (int i = shape == 1 ? 1 : pick(3); i > 0; i--) {
        node.values.push_back(pick(3) == 0 ? std::nullopt : std::optional<std::string>(std::to_string(i)));
        const char *const value = node.values.back() ? node.values.back()->c_str() : nullptr;
        if (shape == 1) {
          builder.Compare(node.column.c_str(), node.op, value);
        } else {
          builder.InValue(value);
        }
      }
      return node;
    };
    std::vector<Condition> expected;
    for (int conjuncts = pick(3); conjuncts > 0; conjuncts--)
      expected.push_back(push(4));
    ASSERT_EQ(Text(builder.Take()), Text(expected));
  }
}

}  // namespace
}  // namespace supabase
