#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "http_driver.hpp"
#include "pager_remote.hpp"
#include "reader.hpp"
#include "streams.hpp"
#include "test_server.hpp"

// The largest key, asked for along with the first page.

namespace supabase {
namespace {

using namespace pager_test;

constexpr size_t kParallel = 4;

bool ForLargest(const Ask &ask) {
  return !ask.query.order.empty() && ask.query.order[0].descending;
}
bool ForBound(const Ask &ask) {
  return ask.query.limit == 1 && ask.query.offset.has_value();
}

// A scan that is believed to be large, whose requests are answered one by one.
class LargeScan {
 public:
  explicit LargeScan(const Remote &remote, PagerOptions options = Options({}),
                     StreamOptions how = {kParallel, false, true})
      : remote_(remote), streams_(std::move(options), how, &cap_) {}

  Streams &streams() { return streams_; }
  const std::vector<int64_t> &got() const { return got_; }

  // What can be sent now.
  std::vector<Ask> Send() {
    std::vector<Ask> asks;
    while (streams_.HasNext())
      asks.push_back(streams_.Next(0));
    return asks;
  }
  Answer Serve(const Ask &ask) const {
    return remote_.Read(ask.query, ask.request.want_count || ask.request.want_plan);
  }
  void Take(const Ask &ask, const Answer &answer) {
    const std::optional<size_t> first = streams_.Received(ask.id, answer.page, answer.range, answer.bytes, 0);
    for (size_t i = first.value_or(answer.page.rows()); i < answer.page.rows(); i++)
      got_.push_back(std::stoll(answer.page.Row(i)[0].data));
  }
  void Give(const Ask &ask) { Take(ask, Serve(ask)); }
  // Reads to the end, with these under way; what else was sent.
  std::vector<Ask> Finish(std::vector<Ask> under_way) {
    std::vector<Ask> sent;
    streams_.WantMore();
    while (!streams_.finished() && sent.size() < 1000) {
      for (Ask &ask : Send()) {
        sent.push_back(ask);
        under_way.push_back(std::move(ask));
      }
      if (under_way.empty()) break;
      const Ask next = std::move(under_way.front());
      under_way.erase(under_way.begin());
      Give(next);
    }
    EXPECT_TRUE(streams_.finished());
    return sent;
  }

 private:
  Remote remote_;
  RowCap cap_;
  Streams streams_;
  std::vector<int64_t> got_;
};

Remote RemoteOf(const std::vector<Row> &table) {
  return {&table, std::nullopt, table.size(), true, false};
}

void ExpectAllOnce(std::vector<int64_t> got, const std::vector<Row> &table) {
  std::vector<int64_t> expected;
  for (const Row &row : table)
    expected.push_back(row.v);
  std::sort(expected.begin(), expected.end());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got.size(), expected.size());
  EXPECT_TRUE(got == expected);
}

size_t Probes(const std::vector<Ask> &asks) {
  return static_cast<size_t>(
      std::count_if(asks.begin(), asks.end(), [](const Ask &ask) { return ForLargest(ask) || ForBound(ask); }));
}

TEST(LargestKey, IsAskedForWithTheFirstPage) {
  const std::vector<Row> table = MakeTable(60'000);
  Want want;
  want.below = 1'000'000;
  LargeScan scan(RemoteOf(table), Options(want));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U) << "and nothing more, before more is wanted";
  EXPECT_EQ(asks[0].request.target, "/t?select=c0:v,c1:b,c2:a&or=(v.lt.1000000,v.eq.7919)&order=a&limit=1000");
  EXPECT_TRUE(asks[0].request.want_count || asks[0].request.want_plan);
  EXPECT_EQ(asks[1].request.target, "/t?select=c0:a&or=(v.lt.1000000,v.eq.7919)&order=a.desc&limit=1");
  EXPECT_FALSE(asks[1].request.want_count || asks[1].request.want_plan);
  scan.Give(asks[1]);
  scan.Give(asks[0]);
  EXPECT_TRUE(scan.Send().empty());
}

TEST(LargestKey, IsNotAskedForWhereNothingWillBeSplit) {
  const std::vector<Row> table = MakeTable(60'000);
  const auto requests = [&](const Want &want, StreamOptions how, size_t list = 0) {
    PagerOptions options = Options(want);
    Condition in;
    in.kind = Condition::Kind::kIn;
    in.column = "v";
    for (size_t i = 0; i < list; i++)
      in.values.emplace_back(std::to_string(i));
    if (list > 0) options.query.where.push_back(in);
    LargeScan scan(RemoteOf(table), std::move(options), how);
    return scan.Send().size();
  };
  const StreamOptions how{kParallel, false, true};
  Want offset, two_columns, limited, expected;
  offset.paging = Paging::kOffset;
  two_columns.keys = Keys::kTwo;
  limited.row_limit = 10;
  expected.expected = 5000;
  expected.row_bytes = 100;
  EXPECT_EQ(requests({}, how), 2U);
  EXPECT_EQ(requests({}, how, 10), 2U);
  EXPECT_EQ(requests({}, {kParallel, false, false}), 1U);
  EXPECT_EQ(requests({}, {kParallel, true, true}), 1U);
  EXPECT_EQ(requests({}, {1, false, true}), 1U);
  EXPECT_EQ(requests(offset, how), 1U);
  EXPECT_EQ(requests(two_columns, how), 1U);
  EXPECT_EQ(requests(limited, how), 1U);
  EXPECT_EQ(requests(expected, how), 1U) << "one page for all that is expected";
  EXPECT_EQ(requests({}, how, 5000), 1U) << "parts of a list";
}

// The ranges begin when the first page is there, in whichever order the two came.
TEST(LargestKey, KnownWithTheFirstPageCutsAtOnce) {
  const std::vector<Row> table = MakeTable(60'000);
  for (const bool probe_first : {true, false}) {
    LargeScan scan(RemoteOf(table));
    const std::vector<Ask> asks = scan.Send();
    ASSERT_EQ(asks.size(), 2U);
    scan.Give(asks[probe_first ? 1 : 0]);
    scan.Give(asks[probe_first ? 0 : 1]);
    scan.streams().WantMore();
    const std::vector<Ask> ranges = scan.Send();
    ASSERT_EQ(ranges.size(), kParallel);
    for (const Ask &ask : ranges) {
      EXPECT_FALSE(ForLargest(ask) || ForBound(ask));
      EXPECT_GE(ask.query.limit, Pager::kNextPage) << ask.request.target;
      EXPECT_NE(ask.request.target.find("&a=g"), std::string::npos) << ask.request.target;
    }
    EXPECT_EQ(Probes(scan.Finish(ranges)), 0U);
    ExpectAllOnce(scan.got(), table);
  }
}

// A page that decides soon when the range can be cut is asked for meanwhile.
TEST(LargestKey, AnsweredDuringTheSecondPageCutsAfterIt) {
  const std::vector<Row> table = MakeTable(60'000);
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  scan.Give(asks[0]);
  scan.streams().WantMore();
  const std::vector<Ask> second = scan.Send();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].query.limit, 2001U);
  scan.Give(asks[1]);
  EXPECT_TRUE(scan.Send().empty()) << "it is not asked for again";
  scan.Give(second[0]);
  const std::vector<Ask> ranges = scan.Send();
  EXPECT_EQ(ranges.size(), kParallel);
  EXPECT_EQ(Probes(ranges), 0U);
  EXPECT_EQ(Probes(scan.Finish(ranges)), 0U);
  ExpectAllOnce(scan.got(), table);
}

TEST(LargestKey, NeverAnsweredIsNotWaitedFor) {
  const std::vector<Row> table = MakeTable(60'000);
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  EXPECT_EQ(Probes(scan.Finish({asks[0]})), 0U);
  ExpectAllOnce(scan.got(), table);
  scan.Give(asks[1]);
  EXPECT_TRUE(scan.streams().finished());
  EXPECT_FALSE(scan.streams().HasNext());
}

TEST(LargestKey, ThatCouldNotBeHadIsAskedForAgainWhenNeeded) {
  const std::vector<Row> table = MakeTable(60'000);
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  EXPECT_FALSE(scan.streams().DoWithout(asks[0].id)) << "the first page is needed";
  EXPECT_TRUE(scan.streams().DoWithout(asks[1].id));
  EXPECT_FALSE(scan.streams().DoWithout(asks[1].id));
  EXPECT_TRUE(scan.Send().empty()) << "not before the first page";
  scan.Give(asks[0]);
  scan.streams().WantMore();
  const std::vector<Ask> next = scan.Send();
  ASSERT_EQ(next.size(), 2U);
  EXPECT_TRUE(ForLargest(next[0]));
  EXPECT_FALSE(scan.streams().DoWithout(next[0].id)) << "the split needs it";
  EXPECT_EQ(Probes(scan.Finish(next)), 0U);
  ExpectAllOnce(scan.got(), table);
}

TEST(LargestKey, OfATableThatTurnsOutSmallIsOfNoUse) {
  for (const size_t size : {0U, 500U}) {
    const std::vector<Row> table = MakeTable(size);
    for (const bool probe_first : {true, false}) {
      LargeScan scan(RemoteOf(table));
      const std::vector<Ask> asks = scan.Send();
      ASSERT_EQ(asks.size(), 2U);
      scan.Give(asks[probe_first ? 1 : 0]);
      EXPECT_EQ(scan.streams().finished(), !probe_first);
      scan.Give(asks[probe_first ? 0 : 1]);
      EXPECT_TRUE(scan.streams().finished());
      scan.streams().WantMore();
      EXPECT_TRUE(scan.Send().empty());
      ExpectAllOnce(scan.got(), table);
    }
  }
}

// Where what is left is much less dense than what was read, rows are counted off.
TEST(LargestKey, BeyondAGapIsNoneToReckonWith) {
  std::vector<Row> table = MakeTable(60'000);
  for (size_t i = 40'000; i < table.size(); i++)
    table[i].a += 1'000'000'000;
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  scan.Give(asks[1]);
  scan.Give(asks[0]);
  scan.streams().WantMore();
  const std::vector<Ask> next = scan.Send();
  ASSERT_EQ(next.size(), kParallel);
  EXPECT_EQ(std::count_if(next.begin(), next.end(), ForBound), kParallel - 1);
  EXPECT_EQ(Probes(next), kParallel - 1) << "the largest key is known";
  scan.Finish(next);
  ExpectAllOnce(scan.got(), table);
}

TEST(LargestKey, IsNotTheEndWhereRowsAreAppended) {
  const std::vector<Row> all = MakeTable(80'000);
  std::vector<Row> table(all.begin(), all.begin() + 60'000);
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  scan.Give(asks[1]);
  table = all;
  scan.Give(asks[0]);
  scan.Finish({});
  ExpectAllOnce(scan.got(), all);
}

// Nor where it was read before all other rows came.
TEST(LargestKey, BelowTheFirstPageIsOfNoUse) {
  const std::vector<Row> all = MakeTable(60'000);
  std::vector<Row> table(all.begin(), all.begin() + 10);
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  scan.Give(asks[1]);
  table = all;
  scan.Give(asks[0]);
  scan.Finish({});
  ExpectAllOnce(scan.got(), all);
}

TEST(LargestKey, OfTextIsNone) {
  const std::vector<Row> table = MakeTable(60'000);
  Remote remote = RemoteOf(table);
  remote.text = true;
  LargeScan scan(remote);
  const std::vector<Ask> asks = scan.Send();
  scan.Finish(asks);
  ExpectAllOnce(scan.got(), table);
}

TEST(LargestKey, OfNullIsNoKey) {
  const std::vector<Row> table = MakeTable(60'000);
  LargeScan scan(RemoteOf(table));
  const std::vector<Ask> asks = scan.Send();
  ASSERT_EQ(asks.size(), 2U);
  const Answer null{MakePage("[{\"c0\":null}]", 1), ParseContentRange("0-0/*"), 13};
  EXPECT_THROW(scan.Take(asks[1], null), Error);
  EXPECT_FALSE(scan.streams().DoWithout(asks[1].id)) << "this is no failure to do without";
}

// A server that cannot tell the largest key has the rows all the same.
TEST(LargestKey, FailureOfItAloneDoesNotFailTheScan) {
  const test::Server server(test::Each([](const std::string &request) {
    if (request.find("order=a.desc") != std::string::npos) return test::Answer("500 Internal Server Error", "{}");
    return test::Answer("200 OK", "[{\"c0\":1,\"c1\":2,\"c2\":3}]",
                        "Content-Type: application/json\r\nContent-Range: 0-0/1\r\n");
  }));
  RowCap cap;
  Session session;
  Reader reader(&session, test::Prototype(server.url(), "/rest/v1"),
                Streams(Options({}), {kParallel, false, true}, &cap), 0);
  Reader::Step step = Reader::Step::kWait;
  size_t answers = 0;
  EXPECT_EQ(reader.Next(), Reader::Step::kWait);
  EXPECT_EQ(reader.counters().requests, 2U);
  ASSERT_TRUE(test::DriveUntil(session, [&] {
    reader.LookAhead();
    while (reader.NextTrace() != nullptr)
      answers++;
    return answers == 2;
  }));
  ASSERT_TRUE(test::DriveUntil(session, [&] { return (step = reader.Next()) != Reader::Step::kWait; }));
  EXPECT_EQ(step, Reader::Step::kPage);
  EXPECT_EQ(reader.page().rows(), 1U);
  EXPECT_EQ(reader.Next(), Reader::Step::kEnd);
}

}  // namespace
}  // namespace supabase
