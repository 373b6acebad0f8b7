#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pager_remote.hpp"
#include "streams.hpp"

// No row is lost and none comes twice, however many streams read, wherever ranges are cut, and in whatever order the
// answers come.

namespace supabase {
namespace {

using namespace pager_test;
using Random = std::mt19937;

uint64_t Pick(Random &random, uint64_t low, uint64_t high) {
  return std::uniform_int_distribution<uint64_t>(low, high)(random);
}
bool OneIn(Random &random, uint64_t n) {
  return Pick(random, 1, n) == 1;
}

// Keys of every density: runs, gaps of very different widths, and with two columns many equal first ones.
std::vector<Row> RandomTable(Random &random, size_t size, Keys keys) {
  std::vector<Row> rows = MakeTable(size, keys);
  if (keys == Keys::kTwo && OneIn(random, 2)) return rows;
  const uint64_t shape = Pick(random, 0, 2);
  int64_t a = static_cast<int64_t>(Pick(random, 0, 2000)) - 1000;
  for (Row &row : rows) {
    row.a = a;
    const uint64_t widest = shape == 0 ? 1 : shape == 1 ? 10 : OneIn(random, 20) ? 1'000'000'000'000 : 3;
    a += static_cast<int64_t>(Pick(random, 1, widest));
  }
  return rows;
}

std::optional<uint64_t> RandomCap(Random &random) {
  if (OneIn(random, 4)) return std::nullopt;
  return Pick(random, 1, 40);
}

// One scan, whose requests are answered in any order. The answer is made at some time between request and receipt.
class ParallelScan {
 public:
  ParallelScan(Random *random, PagerOptions options, StreamOptions how, RowCap *cap)
      : random_(random), streams_(std::move(options), how, cap), parallel_(how.parallel) {
    streams_.WantMore();
  }

  bool finished() const { return streams_.finished(); }
  uint64_t requests() const { return requests_; }
  size_t most_under_way() const { return most_; }
  const std::vector<int64_t> &got() const { return got_; }

  void Step(const Remote &remote, int64_t now_ms) {
    while (streams_.HasNext() && (under_way_.empty() || !OneIn(*random_, 5))) {
      under_way_.push_back({streams_.Next(now_ms), std::nullopt});
      requests_++;
      EXPECT_EQ(under_way_.back().ask.request.target, BuildTarget(under_way_.back().ask.query));
    }
    most_ = std::max(most_, under_way_.size());
    EXPECT_LE(under_way_.size(), parallel_);
    ASSERT_FALSE(under_way_.empty()) << "the scan stands still";
    const auto chosen = under_way_.begin() + static_cast<std::ptrdiff_t>(Pick(*random_, 0, under_way_.size() - 1));
    if (!chosen->answer) {
      chosen->answer = remote.Read(chosen->ask.query, chosen->ask.request.want_count || chosen->ask.request.want_plan);
      return;
    }
    const auto [ask, answer] = std::move(*chosen);
    under_way_.erase(chosen);
    const std::optional<size_t> first = streams_.Received(ask.id, answer->page, answer->range, answer->bytes, now_ms);
    for (size_t i = first.value_or(answer->page.rows()); i < answer->page.rows(); i++)
      got_.push_back(std::stoll(answer->page.Row(i)[0].data));
  }
  void Run(const Remote &remote) {
    const size_t most = 30 * (remote.rows->size() + 10);
    for (size_t steps = 0; !finished() && !::testing::Test::HasFailure(); steps++) {
      Step(remote, 0);
      ASSERT_LT(steps, most) << "the scan does not end";
    }
  }

 private:
  struct UnderWay {
    Ask ask;
    std::optional<Answer> answer;
  };
  Random *random_;
  Streams streams_;
  size_t parallel_;
  std::vector<UnderWay> under_way_;
  std::vector<int64_t> got_;
  uint64_t requests_ = 0;
  size_t most_ = 0;
};

std::vector<int64_t> Values(const std::vector<Row> &table, const Want &want) {
  std::vector<int64_t> values;
  for (const Row &row : table) {
    if (Wanted(want, row)) values.push_back(row.v);
  }
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<int64_t> Sorted(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

// A good estimate, a bad one, none.
uint64_t RandomEstimate(Random &random, uint64_t rows) {
  switch (Pick(random, 0, 3)) {
    case 0:
      return rows;
    case 1:
      return Pick(random, 0, 3 * rows);
    case 2:
      return 100 * rows;
    default:
      return 0;
  }
}

TEST(StreamsProperty, EveryRowOnceInAnyOrderOfAnswers) {
  size_t most_under_way = 0;
  for (unsigned seed = 0; seed < 600 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Keys keys = OneIn(random, 2) ? Keys::kOne : Keys::kTwo;
    const std::vector<Row> table = RandomTable(random, Pick(random, 0, 400), keys);
    Want want;
    want.keys = keys;
    want.fetch_size = Pick(random, 1, 40);
    if (OneIn(random, 10)) want.paging = Paging::kOffset;
    if (OneIn(random, 4)) want.below = static_cast<int64_t>(Pick(random, 0, 8000 * table.size() + 1));
    const std::vector<int64_t> expected = Values(table, want);
    const Remote remote{&table, RandomCap(random), RandomEstimate(random, expected.size()), !OneIn(random, 8),
                        OneIn(random, 2)};
    RowCap cap;
    const StreamOptions how{Pick(random, 1, 8), OneIn(random, 8), OneIn(random, 2)};
    ParallelScan scan(&random, Options(want), how, &cap);
    scan.Run(remote);
    EXPECT_EQ(Sorted(scan.got()), expected);
    most_under_way = std::max(most_under_way, scan.most_under_way());
    if (how.ordered || how.parallel == 1) {
      EXPECT_EQ(scan.most_under_way(), expected.empty() ? scan.most_under_way() : 1U);
    }
  }
  EXPECT_EQ(most_under_way, 8U) << "nothing was split";
}

// Rows come and go while they are read, anywhere: what was there all the time comes once, anything else once at most.
TEST(StreamsProperty, RowsThatStayComeOnceWhileOthersComeAndGo) {
  for (unsigned seed = 0; seed < 600 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Keys keys = OneIn(random, 2) ? Keys::kOne : Keys::kTwo;
    const std::vector<Row> all = RandomTable(random, Pick(random, 20, 300), keys);
    std::set<size_t> gone;
    std::set<int64_t> changed;
    const size_t first_half = all.size() / 2;
    for (size_t i = 0; i < all.size(); i++) {
      if (OneIn(random, 3)) gone.insert(i);
    }
    std::vector<Row> table;
    const auto fill = [&] {
      table.clear();
      for (size_t i = 0; i < all.size(); i++) {
        if (gone.count(i) == 0) table.push_back(all[i]);
      }
    };
    fill();
    for (const size_t i : gone)
      changed.insert(all[i].v);
    Want want;
    want.keys = keys;
    want.fetch_size = Pick(random, 1, 15);
    const Remote remote{&table, RandomCap(random), RandomEstimate(random, table.size()), true, OneIn(random, 2)};
    RowCap cap;
    ParallelScan scan(&random, Options(want), {Pick(random, 2, 6), false, OneIn(random, 2)}, &cap);
    for (size_t steps = 0; !scan.finished() && !HasFailure(); steps++) {
      scan.Step(remote, 0);
      ASSERT_LT(steps, 50 * all.size());
      if (!OneIn(random, 4)) continue;
      // a whole stretch at once, so that numbers of rows say little
      const size_t from = OneIn(random, 2) ? Pick(random, 0, first_half) : Pick(random, 0, all.size() - 1);
      const bool go = OneIn(random, 2);
      for (size_t i = from; i < std::min(all.size(), from + Pick(random, 1, 60)); i++) {
        if (go ? gone.insert(i).second : gone.erase(i) > 0) changed.insert(all[i].v);
      }
      fill();
    }
    std::map<int64_t, int> times;
    for (const int64_t v : scan.got())
      EXPECT_EQ(++times[v], 1) << v;
    for (const Row &row : all) {
      EXPECT_TRUE(times[row.v] == 1 || changed.count(row.v) > 0) << row.v;
    }
  }
}

// A long list in parts, of the key or of another column, with a limit or without.
TEST(StreamsProperty, PartsOfAListTogether) {
  const std::vector<Row> table = MakeTable(4000);
  for (unsigned seed = 0; seed < 30 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Condition list;
    list.kind = Condition::Kind::kIn;
    list.column = OneIn(random, 2) ? "a" : "v";
    std::set<int64_t> values;
    std::vector<int64_t> expected;
    for (const Row &row : table) {
      if (OneIn(random, 3)) continue;
      values.insert(list.column == "a" ? row.a : row.v);
      expected.push_back(row.v);
    }
    for (int i = 0; i < 1000; i++)
      values.insert(2'000'000 + i);  // of no row
    for (const int64_t value : values)
      list.values.emplace_back(std::to_string(value));
    PagerOptions options = Options({});
    options.query.where = {list};
    if (OneIn(random, 3)) options.row_limit = Pick(random, 0, 4000);
    const size_t wanted = std::min<size_t>(expected.size(), options.row_limit.value_or(UINT64_MAX));
    RowCap cap;
    const std::optional<uint64_t> server_cap = OneIn(random, 2) ? std::optional<uint64_t>(1000) : std::nullopt;
    const Remote remote{&table, server_cap, expected.size(), true, OneIn(random, 2)};
    ParallelScan scan(&random, options, {Pick(random, 1, 6), false}, &cap);
    scan.Run(remote);
    EXPECT_EQ(scan.got().size(), wanted);
    const std::vector<int64_t> got = Sorted(scan.got());
    EXPECT_EQ(std::adjacent_find(got.begin(), got.end()), got.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_TRUE(std::includes(expected.begin(), expected.end(), got.begin(), got.end()));
    // an estimate that is too high, or a limit, costs requests that only show that there is nothing more
    EXPECT_LE(scan.requests(), (values.size() / 900 + 1) * (server_cap && !options.row_limit ? 1 : 2) + 1);
  }
}

}  // namespace
}  // namespace supabase
