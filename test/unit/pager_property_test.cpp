#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "pager.hpp"
#include "pager_remote.hpp"

// No row is lost and none comes twice, whatever the server's row cap is and becomes.

namespace supabase {
namespace {

using namespace pager_test;

using Random = std::mt19937;

constexpr int64_t kTrust = RowCap::kTrustMs;

uint64_t Pick(Random &random, uint64_t low, uint64_t high) {
  return std::uniform_int_distribution<uint64_t>(low, high)(random);
}

// The page lay unread for an hour, and what it proves of the cap is an hour old.
TEST(Pager, PageTakenLateProvesNothingOfToday) {
  const std::vector<Row> table = MakeTable(100);
  RowCap cap;
  Want want;
  want.fetch_size = 50;
  Scan slow(table, want, &cap), next(table, want, &cap);
  slow.Ask(0);
  slow.Serve({&table, 50});
  constexpr int64_t kHour = 3'600'000;
  slow.Take(kHour);
  next.Run({&table, 10, 100}, kHour + 1);
  next.Check();
}

// A page cut at the lower cap is taken after the cap was raised and another scan has seen larger pages.
TEST(Pager, LargerPageSeenLaterProvesNothingOfAnEarlierOne) {
  const std::vector<Row> table = MakeTable(100);
  RowCap cap;
  Want want;
  want.fetch_size = 50;
  Scan early(table, want, &cap), other(table, want, &cap);
  const Remote lower{&table, 10, 100}, higher{&table, 50, 100};
  for (int step = 0; step < 3; step++)
    early.Step(lower, 0);
  early.Ask(10);
  early.Serve(lower);
  other.Run(higher, 20);
  other.Check();
  early.Take(30);
  early.Run(higher, 40);
  EXPECT_TRUE(early.finished());
  early.Check();
}

// A server without a cap answers count=estimated with too much where its statistics are old.
TEST(Pager, EstimateTooHighDoesNotShrinkThePages) {
  const std::vector<Row> small = MakeTable(45), large = MakeTable(5000);
  RowCap cap;
  Scan first(small, {}, &cap), second(large, {}, &cap), third(small, {}, &cap);
  first.Run({&small, std::nullopt, 630}, 0);
  first.Check();
  second.Run({&large, std::nullopt, 5000}, 1);
  second.Check();
  third.Run({&small, std::nullopt, 630}, 2);
  third.Check();
  EXPECT_EQ(third.requests(), 1U);
}

TEST(Pager, RaisedCapIsUsedAtOnce) {
  const std::vector<Row> table = MakeTable(5000);
  RowCap cap;
  Want want;
  want.fetch_size = 1000;
  for (int64_t now = 0; now < 5; now++) {
    Scan scan(table, want, &cap);
    scan.Run({&table, now < 2 ? 100 : 1000, 5000}, now);
    scan.Check();
  }
}

TEST(PagerProperty, DefaultSizes) {
  for (const size_t size : {0, 1, 999, 1000, 1001, 1999, 2000, 2001, 10'999, 11'000, 11'001, 21'000}) {
    for (const uint64_t server_cap : {0, 500, 999, 1000, 1001, 5000, 10'000, 10'001, 50'000}) {
      const std::vector<Row> table = MakeTable(size);
      RowCap cap;
      for (const Paging paging : {Paging::kKeyset, Paging::kOffset}) {
        Want want;
        want.paging = paging;
        const auto cap_option = server_cap > 0 ? std::optional<uint64_t>(server_cap) : std::nullopt;
        Scan scan(table, want, &cap);
        scan.Run({&table, cap_option, size + size / 10}, 0);
        scan.Check();
        ASSERT_FALSE(HasFailure()) << size << " rows, cap " << server_cap;
      }
    }
  }
}

// Sizes around each other's multiples are what matters, so small ones are as good as large ones.
Want RandomWant(Random &random, const std::vector<Row> &table, Keys keys) {
  Want want;
  want.paging = Pick(random, 0, 1) == 0 ? Paging::kKeyset : Paging::kOffset;
  want.keys = keys;
  want.fetch_size = Pick(random, 1, 25);
  if (Pick(random, 0, 2) == 0) want.below = static_cast<int64_t>(Pick(random, 0, 8000 * table.size() + 1));
  const auto matching = static_cast<uint64_t>(
      std::count_if(table.begin(), table.end(), [&](const Row &row) { return Wanted(want, row); }));
  if (Pick(random, 0, 3) == 0) want.row_limit = Pick(random, 0, matching + 3);
  if (Pick(random, 0, 3) == 0) want.at_most = matching + Pick(random, 0, 1) * Pick(random, 0, 5);
  return want;
}

std::optional<uint64_t> RandomCap(Random &random, uint64_t least) {
  if (Pick(random, 0, 4) == 0) return std::nullopt;
  return std::max(least, Pick(random, 1, 30));
}

TEST(PagerProperty, EveryRowOnceUnderAnyCap) {
  for (unsigned seed = 0; seed < 500 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Keys keys = Pick(random, 0, 1) == 0 ? Keys::kOne : Keys::kTwo;
    const std::vector<Row> table = MakeTable(Pick(random, 0, 70), keys);
    Remote remote{&table, RandomCap(random, 1), Pick(random, 0, 200), Pick(random, 0, 5) > 0};
    RowCap cap;
    int64_t now = 0;
    for (int scans = 0; scans < 4; scans++) {
      Scan scan(table, RandomWant(random, table, keys), &cap);
      scan.Run(remote, now);
      scan.Check();
      const int64_t later[] = {0, 1, kTrust - 1, kTrust, kTrust + 1};
      now += later[Pick(random, 0, 4)];
    }
  }
}

// Scans that share a RowCap, requests under way and pages not taken yet while time passes and the cap changes. What
// must not happen: the cap falls below the size of a page that was served less than a minute ago.
class Chaos {
 public:
  explicit Chaos(unsigned seed) : random_(seed), table_(MakeTable(Pick(random_, 0, 70), Keys::kTwo)) {
    remote_ = {&table_, RandomCap(random_, 1), Pick(random_, 0, 200), true};
    for (int i = 0; i < 3; i++)
      AddScan();
  }
  void Run() {
    for (int started = 3; !scans_.empty() && !::testing::Test::HasFailure();) {
      const uint64_t choice = Pick(random_, 0, 19);
      if (choice == 0) {
        const int64_t later[] = {1, 100, 30'000, kTrust - 1, kTrust, kTrust + 1, 10 * kTrust};
        now_ += later[Pick(random_, 0, 6)];
      } else if (choice == 1) {
        ChangeCap();
      } else if (StepScan() && started < 8) {
        AddScan();
        started++;
      }
    }
  }

 private:
  void AddScan() { scans_.push_back(std::make_unique<Scan>(table_, RandomWant(random_, table_, Keys::kTwo), &cap_)); }
  void ChangeCap() {
    while (!served_.empty() && now_ - served_.front().first >= kTrust)
      served_.pop_front();
    uint64_t least = 1;
    for (const auto &[when, rows] : served_)
      least = std::max(least, rows);
    remote_.cap = RandomCap(random_, least);
    remote_.estimate = Pick(random_, 0, 200);
  }
  // True when a scan has ended.
  bool StepScan() {
    const auto chosen = scans_.begin() + static_cast<std::ptrdiff_t>(Pick(random_, 0, scans_.size() - 1));
    Scan &scan = **chosen;
    if (!scan.finished()) {
      const uint64_t rows = scan.Step(remote_, now_);
      if (rows > 0) served_.emplace_back(now_, rows);
    }
    if (!scan.finished()) return false;
    scan.Check();
    scans_.erase(chosen);
    return true;
  }

  Random random_;
  std::vector<Row> table_;
  Remote remote_{};
  RowCap cap_;
  int64_t now_ = 0;
  std::vector<std::unique_ptr<Scan>> scans_;
  std::deque<std::pair<int64_t, uint64_t>> served_;  // when, and how many rows
};

TEST(PagerProperty, EveryRowOnceWhileTheCapChanges) {
  for (unsigned seed = 0; seed < 800 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos(seed).Run();
  }
}

}  // namespace
}  // namespace supabase
