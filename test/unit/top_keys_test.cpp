#include "top_keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pager_remote.hpp"
#include "streams.hpp"

namespace supabase {
namespace {

using namespace pager_test;

PagerOptions TopOptions(uint64_t limit, std::vector<std::string> key = {"a"}) {
  Want want;
  want.paging = Paging::kOffset;
  want.row_limit = limit;
  PagerOptions options = Options(want);
  options.query.select[0].as_text = true;
  options.query.where = {CompareV(Op::kLt, 900'000)};
  options.keys_first = std::move(key);
  return options;
}

// Reads to the end; `between` happens before each request. The values of v, and what was asked for.
struct Reading {
  std::vector<int64_t> rows;
  std::vector<std::string> targets;
};
template <typename Between>
Reading Read(const PagerOptions &options, const Remote &remote, Between between) {
  RowCap cap;
  Streams streams(options, {4, true}, &cap);
  Reading reading;
  while (streams.HasNext() && reading.targets.size() < 20) {
    const Ask ask = streams.Next(0);
    between(reading.targets.size());
    reading.targets.push_back(ask.request.target);
    const Answer answer = remote.Read(ask.query, ask.request.want_count);
    const std::optional<size_t> first = streams.Received(ask.id, answer.page, answer.range, answer.bytes, 0);
    EXPECT_FALSE(first && ask.keys) << ask.request.target;
    if (!first) continue;
    streams.WantMore();
    for (size_t i = *first; i < answer.page.rows(); i++)
      reading.rows.push_back(std::stoll(answer.page.Row(i)[0].data));
  }
  EXPECT_TRUE(streams.finished());
  return reading;
}
Reading Read(const PagerOptions &options, const Remote &remote) {
  return Read(options, remote, [](size_t) {});
}

// What the same reads without asking for keys first.
std::vector<int64_t> AtOnce(PagerOptions options, const Remote &remote) {
  options.keys_first.clear();
  return Read(options, remote).rows;
}

TEST(TopKeys, AsksForKeysThenForTheirRows) {
  const std::vector<Row> table = MakeTable(1000);
  const Reading reading = Read(TopOptions(3), {&table, std::nullopt});
  EXPECT_EQ(reading.targets, (std::vector<std::string>{
                                 "/t?select=c0:a&v=lt.900000&order=a&limit=3",
                                 "/t?select=c0:v::text,c1:b,c2:a&v=lt.900000&a=in.(-40,-37,-34)&order=a&limit=4"}));
  EXPECT_EQ(reading.rows, AtOnce(TopOptions(3), {&table, std::nullopt}));
}

TEST(TopKeys, KeysOfSeveralColumns) {
  const std::vector<Row> table = MakeTable(100, Keys::kTwo);
  PagerOptions options = TopOptions(2, {"a", "b"});
  options.query.order = {{"a"}, {"b"}};
  const Reading reading = Read(options, {&table, std::nullopt});
  ASSERT_EQ(reading.targets.size(), 2U);
  EXPECT_EQ(
      reading.targets[1],
      "/t?select=c0:v::text,c1:b,c2:a&v=lt.900000&or=(and(a.eq.-3,b.eq.-3),and(a.eq.-3,b.eq.-2))&order=a,b&limit=3");
  EXPECT_EQ(reading.rows, AtOnce(options, {&table, std::nullopt}));
}

TEST(TopKeys, SameRowsUnderAnyLimitCapAndPageSize) {
  for (const size_t size : {0, 1, 5, 99, 100, 101}) {
    const std::vector<Row> table = MakeTable(size);
    for (const uint64_t limit : {0, 1, 4, 5, 99, 100, 101}) {
      for (const std::optional<uint64_t> server_cap : {std::optional<uint64_t>(), std::optional<uint64_t>(40)}) {
        for (const uint64_t fetch_size : {0, 30}) {
          PagerOptions options = TopOptions(limit);
          options.fetch_size = fetch_size;
          const Remote remote{&table, server_cap};
          EXPECT_EQ(Read(options, remote).rows, AtOnce(options, remote)) << size << ' ' << limit << ' ' << fetch_size;
        }
      }
    }
  }
}

TEST(TopKeys, ManyRowsAreAskedForAtOnce) {
  const std::vector<Row> table = MakeTable(200);
  EXPECT_EQ(Read(TopOptions(TopKeys::kMostRows), {&table, std::nullopt}).targets.size(), 2U);
  EXPECT_EQ(Read(TopOptions(TopKeys::kMostRows + 1), {&table, std::nullopt}).targets.size(), 1U);
}

TEST(TopKeys, NoKeysAreNoRows) {
  const std::vector<Row> table;
  EXPECT_EQ(Read(TopOptions(3), {&table, std::nullopt}).targets.size(), 1U);
}

// Meanwhile one row goes and another is none of the wanted any more.
TEST(TopKeys, LeavesOutWhatIsGone) {
  std::vector<Row> table = MakeTable(10);
  const std::vector<int64_t> before = AtOnce(TopOptions(4), {&table, std::nullopt});
  const Reading reading = Read(TopOptions(4), {&table, std::nullopt}, [&](size_t request) {
    if (request != 1) return;
    table[2].v = 950'000;
    table.erase(table.begin());
  });
  EXPECT_EQ(reading.targets.size(), 2U);
  EXPECT_EQ(reading.rows, (std::vector<int64_t>{before[1], before[3]}));
}

// Rows with the same "key" may be anywhere in the order.
TEST(TopKeys, AsksAtOnceWhereTheKeyIsNone) {
  std::vector<Row> table = MakeTable(10);
  table[3].a = table[2].a;
  for (const uint64_t limit : {3, 4}) {
    const Reading reading = Read(TopOptions(limit), {&table, std::nullopt});
    EXPECT_EQ(reading.rows, AtOnce(TopOptions(limit), {&table, std::nullopt}));
    EXPECT_EQ(reading.targets.size(), limit == 3 ? 3U : 2U);
    EXPECT_EQ(reading.targets.back().find("in.("), std::string::npos);
  }
  TopKeys keys({"a"});
  EXPECT_FALSE(keys.Take(MakePage(R"([{"c0":1}, {"c0":null}])", 1)));
  EXPECT_TRUE(keys.Take(MakePage(R"([{"c0":1}, {"c0":"null"}])", 1)));
}

TEST(TopKeys, AsksAtOnceWhereTheKeysAreTooLong) {
  PagerOptions options = TopOptions(2);
  RowCap cap;
  Streams streams(options, {1, true}, &cap);
  ASSERT_TRUE(streams.HasNext());
  const Ask keys = streams.Next(0);
  const std::string half(kMaxTargetBytes / 2, 'k');
  const std::string body = R"([{"c0":")" + half + R"(1"}, {"c0":")" + half + R"(2"}])";
  EXPECT_FALSE(streams.Received(keys.id, MakePage(body, 1), ParseContentRange("0-1/*"), body.size(), 0));
  ASSERT_TRUE(streams.HasNext());
  EXPECT_EQ(streams.Next(0).request.target, "/t?select=c0:v::text,c1:b,c2:a&v=lt.900000&order=a&limit=2");
}

TEST(TopKeys, NeitherWithoutLimitNorWithConditionsThatStayHere) {
  PagerOptions no_limit = TopOptions(3), local = TopOptions(3);
  no_limit.row_limit.reset();
  local.query.where.emplace_back();
  local.query.where.back().kind = Condition::Kind::kLocal;
  local.query.where.back().column = "v";
  for (const PagerOptions &options : {no_limit, local}) {
    RowCap cap;
    Streams streams(options, {1, true}, &cap);
    ASSERT_TRUE(streams.HasNext());
    EXPECT_FALSE(streams.Next(0).keys);
  }
}

TEST(TopKeys, SecondRequestAsExplainShowsIt) {
  const PagerOptions options = TopOptions(3);
  const auto shown = [&](const std::vector<std::string> &key, uint64_t count) {
    const std::string target = BuildTarget(TopKeys(key).RowsOfAny(options.query, count));
    return target.substr(target.find("&v=lt.900000") + 12);
  };
  EXPECT_EQ(shown({"a"}, 3), "&a=in.($key,...)&order=a&limit=4");
  EXPECT_EQ(shown({"a"}, 1), "&a=eq.$key&order=a&limit=2");
  EXPECT_EQ(shown({"a", "b"}, 3), "&a=eq.$key&b=eq.$key&order=a&limit=4");
}

TEST(TopKeys, LearnsWhichWayIsQuicker) {
  // Nothing is known: what is thought of the table decides.
  EXPECT_TRUE(KeysFirst({}, true));
  EXPECT_FALSE(KeysFirst({}, false));
  // A slow answer is worth a try, which shows what is quicker.
  TopTimes times = Learn({}, 0, 300'000);
  EXPECT_TRUE(KeysFirst(times, false));
  EXPECT_TRUE(KeysFirst(Learn(times, 90'000, 2'000), false));
  EXPECT_FALSE(KeysFirst(Learn(times, 290'000, 290'000), true));
  EXPECT_FALSE(KeysFirst(Learn({}, 0, 5'000), true));
  // Keys that take as long as their rows were not sorted: then one request is.
  times = Learn({}, 2'000, 2'000);
  EXPECT_FALSE(KeysFirst(times, true));
  EXPECT_FALSE(KeysFirst(Learn(times, 0, 3'000), true));
  EXPECT_FALSE(KeysFirst(Learn(times, 0, 6'000), true));
  EXPECT_TRUE(KeysFirst(Learn(times, 0, 300'000), false));
  EXPECT_TRUE(KeysFirst(Learn({}, 60'000, 2'000), false));
}

}  // namespace
}  // namespace supabase
