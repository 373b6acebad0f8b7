#include "keyed.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "write.hpp"

namespace supabase {
namespace {

using Key = KeyedWrites::Key;
using Kind = Condition::Kind;

constexpr size_t kPlenty = 1'000'000;

// The keys that a batch's condition names.
std::vector<Key> KeysOf(const Condition &condition) {
  std::vector<Key> keys;
  if (condition.kind == Kind::kIn) {
    for (const auto &value : condition.values)
      keys.push_back({*value});
  } else if (condition.kind == Kind::kOr) {
    for (const Condition &child : condition.children)
      keys.push_back(KeysOf(child).at(0));
  } else {
    Key key;
    for (const Condition &leaf : condition.children) {
      EXPECT_EQ(leaf.kind, Kind::kCompare);
      EXPECT_EQ(leaf.op, Op::kEq);
      key.push_back(*leaf.values.at(0));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

WriteQuery QueryOf(const Condition &keys) {
  WriteQuery query;
  query.verb = WriteVerb::kDelete;
  query.rows.relation = "orders";
  query.rows.where = {keys};
  return query;
}

std::string TargetOf(const KeyedWrites::Batch &batch) {
  return BuildWriteTarget(QueryOf(batch.keys));
}

TEST(Keyed, RowsWithTheSameBodyShareARequest) {
  KeyedWrites writes({"id"}, 100, false);
  for (int i = 0; i < 6; ++i)
    EXPECT_TRUE(writes.Add(i % 2 == 0 ? "even" : "odd", {std::to_string(i)}));
  EXPECT_EQ(writes.rows(), 6U);
  const KeyedWrites::Batch even = writes.Next(kPlenty);
  EXPECT_EQ(even.body, "even");
  EXPECT_EQ(even.rows, 3U);
  EXPECT_EQ(TargetOf(even), "/orders?id=in.(0,2,4)");
  EXPECT_EQ(writes.rows(), 3U);
  const KeyedWrites::Batch odd = writes.Next(kPlenty);
  EXPECT_EQ(odd.body, "odd");
  EXPECT_EQ(TargetOf(odd), "/orders?id=in.(1,3,5)");
  EXPECT_EQ(writes.rows(), 0U);
}

TEST(Keyed, OneKeyAloneIsEqual) {
  KeyedWrites writes({"id"}, 100, false);
  writes.Add("", {"a,b"});
  EXPECT_EQ(TargetOf(writes.Next(kPlenty)), "/orders?id=eq.a,b");
  writes.Add("", {""});
  EXPECT_EQ(TargetOf(writes.Next(kPlenty)), "/orders?id=eq.");
}

TEST(Keyed, CompositeKeys) {
  KeyedWrites writes({"a", "b"}, 100, false);
  writes.Add("", {"1", "x"});
  EXPECT_EQ(TargetOf(writes.Next(kPlenty)), "/orders?a=eq.1&b=eq.x");
  writes.Add("", {"1", "x"});
  writes.Add("", {"2", "y,\"z"});
  EXPECT_EQ(TargetOf(writes.Next(kPlenty)), "/orders?or=(and(a.eq.1,b.eq.x),and(a.eq.2,b.eq.%22y,%5C%22z%22))");
}

TEST(Keyed, MostRowsOfARequest) {
  KeyedWrites writes({"id"}, 3, false);
  for (int i = 0; i < 7; ++i)
    writes.Add("", {std::to_string(i)});
  EXPECT_EQ(writes.Next(kPlenty).rows, 3U);
  EXPECT_EQ(writes.Next(kPlenty).rows, 3U);
  EXPECT_EQ(writes.Next(kPlenty).rows, 1U);
  EXPECT_EQ(writes.rows(), 0U);
}

TEST(Keyed, DistinctLeavesOutWhatWasThereEverBefore) {
  KeyedWrites writes({"a", "b"}, 100, true);
  EXPECT_TRUE(writes.Add("x", {"1", "2"}));
  EXPECT_FALSE(writes.Add("y", {"1", "2"}));
  EXPECT_TRUE(writes.Add("y", {"12", ""}));
  EXPECT_TRUE(writes.Add("y", {"", "12"}));
  while (writes.rows() > 0)
    writes.Next(kPlenty);
  EXPECT_FALSE(writes.Add("z", {"1", "2"}));
  EXPECT_EQ(writes.rows(), 0U);
}

TEST(Keyed, WithoutDistinctAKeyComesAgain) {
  KeyedWrites writes({"id"}, 100, false);
  EXPECT_TRUE(writes.Add("", {"1"}));
  EXPECT_TRUE(writes.Add("", {"1"}));
  EXPECT_EQ(writes.Next(kPlenty).rows, 2U);
}

TEST(Keyed, OneRowAtLeast) {
  KeyedWrites writes({"id"}, 100, false);
  const std::string big(5000, 'x');
  writes.Add("", {big});
  writes.Add("", {big});
  for (int i = 0; i < 2; ++i) {
    const KeyedWrites::Batch batch = writes.Next(0);
    EXPECT_EQ(batch.rows, 1U);
    EXPECT_EQ(KeysOf(batch.keys), std::vector<Key>({{big}}));
  }
  EXPECT_EQ(writes.rows(), 0U);
}

// As many as there is room for: one more would not fit.
TEST(Keyed, FillsTheRoom) {
  const std::vector<std::pair<std::vector<std::string>, Key>> cases = {
      {{"id"}, {"1234567"}},
      {{"id"}, {"a\"b\\c, (d)"}},
      {{"name with, \"quotes\""}, {"\xc3\xa4\xc3\xb6"}},
      {{"a", "b"}, {"1", "x y"}},
      {{"a", "b", "and"}, {"", "\"\"", "%&;+"}},
  };
  constexpr size_t kRoom = 1500;
  for (const auto &[columns, key] : cases) {
    SCOPED_TRACE(columns[0]);
    KeyedWrites writes(columns, 10'000, false);
    for (int i = 0; i < 1000; ++i)
      writes.Add("", key);
    const size_t bare = std::string("/orders").size();
    const KeyedWrites::Batch batch = writes.Next(kRoom);
    EXPECT_LE(TargetOf(batch).size(), bare + kRoom);
    const std::deque<Key> more(batch.rows + 2, key);
    const Condition larger = KeyedWrites::Match(columns, more, batch.rows + 2);
    EXPECT_GT(BuildWriteTarget(QueryOf(larger)).size(), bare + kRoom);
  }
}

TEST(Keyed, KeyTextIsTheSameForTheSameKeyOnly) {
  const std::vector<Key> keys = {{},          {""},        {"", ""},     {"a"},       {"a", ""},   {"", "a"},
                                 {"ab", "c"}, {"a", "bc"}, {"1:a"},      {"1", "a"},  {"2:ab"},    {"1:a1:b"},
                                 {"a", "b"},  {"a1:b"},    {"a", "1:b"}, {"0:", "a"}, {"0:0:", ""}};
  std::set<std::string> texts;
  for (const Key &key : keys) {
    EXPECT_EQ(KeyText(key), KeyText(Key(key)));
    texts.insert(KeyText(key));
  }
  EXPECT_EQ(texts.size(), keys.size());
}

// Every key goes out exactly once, with its own body, and every target fits.
TEST(Keyed, EveryKeyIsSentOnce) {
  std::mt19937 random(7);
  const auto pick = [&random](size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random); };
  const std::vector<std::string> pieces = {"1", "42", "x",        ",", "\"", "\\", "(",
                                           ")", " ",  "\xc3\xa4", "%", "&",  "",   "."};
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> columns;
    for (size_t i = 0, count = 1 + pick(3); i < count; ++i)
      columns.push_back("k" + std::to_string(i) + pieces[pick(pieces.size())]);
    const size_t most = 1 + pick(400), bodies = 1 + pick(5), longest = 1 + pick(60);
    const bool distinct = pick(2) == 0;
    KeyedWrites writes(columns, most, distinct);
    std::map<std::pair<std::string, Key>, size_t> left;
    std::set<Key> seen;
    size_t added = 0;
    const auto take = [&] {
      ReadQuery fixed;
      fixed.relation = "orders";
      const KeyedWrites::Batch batch = writes.Next(kMaxTargetBytes - BuildWriteTarget(fixed, {}, {}).size());
      EXPECT_LE(TargetOf(batch).size(), kMaxTargetBytes);
      EXPECT_LE(batch.rows, most);
      const std::vector<Key> keys = KeysOf(batch.keys);
      EXPECT_EQ(keys.size(), batch.rows);
      for (const Key &key : keys) {
        const auto found = left.find({batch.body, key});
        ASSERT_NE(found, left.end());
        if (--found->second == 0) left.erase(found);
      }
      added -= batch.rows;
      EXPECT_EQ(writes.rows(), added);
    };
    for (size_t row = 0, rows = pick(600); row < rows; ++row) {
      Key key;
      for (size_t i = 0; i < columns.size(); ++i) {
        std::string value;
        for (size_t n = pick(longest); n > 0; --n)
          value += pieces[pick(pieces.size())];
        key.push_back(std::move(value));
      }
      const std::string body = "body " + std::to_string(pick(bodies));
      const bool fresh = seen.insert(key).second;
      ASSERT_EQ(writes.Add(body, key), fresh || !distinct);
      if (fresh || !distinct) {
        ++left[{body, key}];
        ++added;
      }
      if (pick(50) == 0 && writes.rows() > 0) take();
    }
    while (writes.rows() > 0 && !HasFatalFailure())
      take();
    EXPECT_TRUE(left.empty());
  }
}

}  // namespace
}  // namespace supabase
