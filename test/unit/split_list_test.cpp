#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "conditions.hpp"
#include "query.hpp"

namespace supabase {
namespace {

using namespace conditions;

Values Numbers(int count) {
  Values values;
  for (int i = 0; i < count; i++)
    values.emplace_back(std::to_string(10'000 + i));
  return values;
}

ReadQuery ListQuery(std::vector<Condition> where) {
  ReadQuery query;
  query.relation = "t";
  query.select = {{"id"}};
  query.order = {{"id"}};
  query.where = std::move(where);
  return query;
}

TEST(SplitList, SplitsALongList) {
  const ReadQuery query = ListQuery({Compare("a", Op::kEq, "1"), In("id", Numbers(10'000)), In("b", Numbers(50))});
  for (const size_t most : {size_t{700}, size_t{100'000}}) {
    const SplitQuery split = SplitList(query, most);
    EXPECT_EQ(split.dropped, 0);
    EXPECT_GE(split.parts.size(), most == 700 ? 15U : 9U);
    EXPECT_LE(split.parts.size(), most == 700 ? 15U : 10U);
    Values values;
    for (const ReadQuery &part : split.parts) {
      EXPECT_LE(BuildTarget(part).size(), kMaxTargetBytes);
      ASSERT_EQ(part.where.size(), 3U);
      const Condition &list = part.where.at(split.list);
      EXPECT_EQ(list.column, "id");
      EXPECT_LE(list.values.size(), most);
      values.insert(values.end(), list.values.begin(), list.values.end());
    }
    EXPECT_EQ(values, query.where[1].values);
  }
}

TEST(SplitList, SplitsNoListThatFitsOrHelpsNothing) {
  Condition none = In("id", Numbers(5000));
  none.negated = true;
  Values values = Numbers(5000);
  values.emplace_back(std::string(kMaxTargetBytes, 'x'));
  const ReadQuery queries[] = {
      ListQuery({In("id", Numbers(1000))}),
      ListQuery({none}),
      ListQuery({In("id", values)}),  // a value that fits nowhere
      ListQuery({Compare("a", Op::kEq, std::string(kMaxTargetBytes, 'x'))}),
  };
  for (const ReadQuery &query : queries) {
    const SplitQuery split = SplitList(query, 100'000);
    ASSERT_EQ(split.parts.size(), 1U);
    EXPECT_EQ(BuildTarget(split.parts[0]), BuildTarget(query));
    EXPECT_EQ(split.dropped, 0);
  }
}

// Values take the room that is left, to the byte.
TEST(SplitList, PartsOfAListAreFull) {
  Values values;
  for (int i = 0; i < 30; i++)
    values.emplace_back(std::string(999, static_cast<char>('a' + i % 20)) + std::to_string(i + 10));
  const SplitQuery split = SplitList(ListQuery({In("x y", values)}), 100'000);
  for (size_t i = 0; i + 1 < split.parts.size(); i++) {
    ReadQuery part = split.parts[i];
    EXPECT_LE(BuildTarget(part).size(), kMaxTargetBytes);
    part.where[0].values.push_back(split.parts[i + 1].where[0].values[0]);
    EXPECT_GT(BuildTarget(part).size(), kMaxTargetBytes);
  }
}

// Of two lists one is split, and the other is left out: the caller looks at the rows.
TEST(SplitList, DropsWhatLeavesNoRoomForAList) {
  const SplitQuery split = SplitList(ListQuery({In("a", Numbers(2000)), In("b", Numbers(3000))}), 100'000);
  EXPECT_EQ(split.dropped, 1);
  EXPECT_EQ(split.parts.size(), 3U);
  for (const ReadQuery &part : split.parts) {
    ASSERT_EQ(part.where.size(), 1U);
    EXPECT_EQ(part.where[0].column, "b");
  }
}

}  // namespace
}  // namespace supabase
