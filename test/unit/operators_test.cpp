#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "conditions.hpp"
#include "error.hpp"
#include "query.hpp"

namespace supabase {
namespace {

using namespace conditions;

TEST(Query, NamesEveryOperator) {
  const std::pair<Op, const char *> names[] = {
      {Op::kDistinct, "isdistinct"}, {Op::kLike, "like"},         {Op::kILike, "ilike"},  {Op::kMatch, "match"},
      {Op::kIMatch, "imatch"},       {Op::kContains, "cs"},       {Op::kContained, "cd"}, {Op::kOverlaps, "ov"},
      {Op::kAdjacent, "adj"},        {Op::kLeft, "sl"},           {Op::kRight, "sr"},     {Op::kNotRight, "nxr"},
      {Op::kNotLeft, "nxl"},         {Op::kSearch, "fts(simple)"}};
  for (const auto &[op, name] : names) {
    const Condition leaf = Compare("a", op, "x,\"y");
    EXPECT_EQ(Filters(leaf), std::string("a=") + name + ".x,%22y");
    EXPECT_EQ(Filters(Or({Not(leaf), Is("b", Kind::kIsNull)})),
              std::string("or=(a.not.") + name + ".%22x,%5C%22y%22,b.is.null)");
  }
}

TEST(Query, SaysWhatHasNoOperatorByOthers) {
  EXPECT_EQ(Filters(Compare("a", Op::kStartsWith, "50%_\\")), "a=like.50%5C%25%5C_%5C%5C%25");
  EXPECT_EQ(Filters(Compare("a", Op::kStartsWith, "*")), "a=match.%5E%5C*.*$");
  EXPECT_EQ(Filters(Compare("a", Op::kHasElement, "x\"\\")), "a=cs.%7B%22x%5C%22%5C%5C%22%7D");
  EXPECT_EQ(Filters(Compare("a", Op::kDistinct, std::nullopt)), "a=not.is.null");
  EXPECT_EQ(Filters(Not(Compare("a", Op::kDistinct, std::nullopt))), "a=is.null");
}

TEST(Query, PatternWithAStarIsARegularExpression) {
  EXPECT_EQ(Filters(Compare("a", Op::kLike, "a%_\\%")), "a=like.a%25_%5C%25");
  EXPECT_EQ(Filters(Compare("a", Op::kLike, "*")), "a=match.%5E%5C*$");
  EXPECT_EQ(Filters(Not(Compare("a", Op::kLike, "a.b*%_\\%\\*(\\x"))), "a=not.match.%5Ea%5C.b%5C*.*.%25%5C*%5C(x$");
  EXPECT_EQ(Filters(Compare("a", Op::kMatch, "*")), "a=match.*");
}

TEST(Query, UnknownIsKeptWhereItMustNotBeTrue) {
  const Condition a = Compare("a", Op::kGt, "5");
  const auto holds = [](Kind kind, Condition child) { return Group(kind, {std::move(child)}); };
  EXPECT_EQ(Filters(holds(Kind::kHoldsTrue, a)), "a=gt.5");
  EXPECT_EQ(Filters(Not(holds(Kind::kHoldsTrue, a))), "or=(a.not.gt.5,a.is.null)");
  EXPECT_EQ(Filters(Not(holds(Kind::kHoldsFalse, a))), "or=(a.gt.5,a.is.null)");
  EXPECT_EQ(Filters(holds(Kind::kHoldsUnknown, a)), "a=is.null");
  EXPECT_EQ(Filters(Not(holds(Kind::kHoldsUnknown, a))), "a=not.is.null");
  EXPECT_EQ(Filters(Is("a", Kind::kTrueIfKnown)), "a=not.is.null");
  EXPECT_EQ(Filters(Is("a", Kind::kFalseIfKnown)), "<never>");
  EXPECT_EQ(Filters(Not(holds(Kind::kHoldsFalse, Is("a", Kind::kFalseIfKnown)))), "a=is.null");
}

TEST(Query, StepsIntoJson) {
  Condition leaf = Compare("j", Op::kEq, "x");
  leaf.path = {{"a"}, {"0"}, {"0", true}, {"-1", true}, {"sp \"ace"}, {""}};
  leaf.path_text = true;
  EXPECT_EQ(Filters(leaf), "j-%3Ea-%3E%220%22-%3E0-%3E-1-%3E%22sp%20%5C%22ace%22-%3E%3E%22%22=eq.x");
  leaf.path = {{"order"}};
  EXPECT_EQ(Filters(Or({leaf, Not(leaf)})), "or=(j-%3E%3E%22order%22.eq.x,j-%3E%3E%22order%22.not.eq.x)");
  leaf.path_text = false;
  EXPECT_EQ(Filters(Not(Group(Kind::kHoldsTrue, {leaf}))), "or=(j-%3E%22order%22.not.eq.x,j-%3E%22order%22.is.null)");
  leaf.path = {{std::string("\0", 1)}};
  EXPECT_THROW(Filters(leaf), Error);
}

// What cannot be said is dropped, with the conjunct it stands in, and whoever asks is told.
TEST(Query, DropsWhatIsLocal) {
  const Condition a = Compare("a", Op::kEq, "1"), local = Is("b", Kind::kLocal);
  const auto fit = [](const Condition &condition) {
    ReadQuery query;
    query.relation = "t";
    query.select = {{"id"}};
    query.where = {Normalize(condition).condition};
    const int dropped = FitTarget(query);
    return BuildTarget(query) + " " + std::to_string(dropped);
  };
  EXPECT_EQ(fit(local), "/t?select=c0:id 1");
  EXPECT_EQ(fit(Not(local)), "/t?select=c0:id 1");
  EXPECT_EQ(fit(And({a, local})), "/t?select=c0:id&a=eq.1 1");
  EXPECT_EQ(fit(And({a, Or({a, And({a, local})})})), "/t?select=c0:id&a=eq.1 1");
  // A pattern that ends in an escape fails only where it is reached; that no element equals a value cannot be asked.
  EXPECT_EQ(fit(And({a, Compare("b", Op::kLike, "x\\")})), "/t?select=c0:id&a=eq.1 1");
  EXPECT_EQ(fit(And({a, Compare("b", Op::kILike, "*")})), "/t?select=c0:id&a=eq.1 1");
  EXPECT_EQ(fit(And({a, Not(Compare("b", Op::kHasElement, "x"))})), "/t?select=c0:id&a=eq.1 1");
  EXPECT_EQ(fit(Not(Group(Kind::kHoldsTrue, {Compare("b", Op::kHasElement, "x")}))),
            "/t?select=c0:id&or=(b.not.cs.%22%7B%5C%22x%5C%22%7D%22,b.is.null) 0");
  EXPECT_THROW(Filters(local), Error);
}

}  // namespace
}  // namespace supabase
