#include "streams.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace supabase {
namespace {

Condition Leaf(Condition::Kind kind, const std::string &column) {
  Condition leaf;
  leaf.kind = kind;
  leaf.column = column;
  return leaf;
}

std::string FirstTarget(Condition condition, bool ordered) {
  PagerOptions options;
  options.query.relation = "t";
  options.query.select = {{"id"}};
  options.query.order = {{"id"}};
  options.query.where.push_back(std::move(condition));
  options.paging = Paging::kKeyset;
  options.key = {0};
  options.row_limit = 5;
  RowCap cap;
  Streams streams(std::move(options), {4, ordered}, &cap);
  EXPECT_TRUE(streams.HasNext());
  return streams.Next(0).request.target;
}

TEST(Streams, KeepsTheLimitOfWhatIsSentWhole) {
  for (const bool ordered : {false, true}) {
    EXPECT_EQ(FirstTarget(Leaf(Condition::Kind::kIsNull, "a"), ordered), "/t?select=c0:id&a=is.null&order=id&limit=5");
  }
}

// Rows that are filtered here may all be among those after the limit.
TEST(Streams, SendsNoLimitWithoutAllConditions) {
  Condition too_long = Leaf(Condition::Kind::kCompare, "a");
  too_long.values = {std::string(kMaxTargetBytes, 'x')};
  for (const bool ordered : {false, true}) {
    EXPECT_EQ(FirstTarget(Leaf(Condition::Kind::kLocal, "a"), ordered), "/t?select=c0:id&order=id&limit=1000");
    EXPECT_EQ(FirstTarget(too_long, ordered), "/t?select=c0:id&order=id&limit=1000");
  }
}

}  // namespace
}  // namespace supabase
