#include "pager.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "pager_remote.hpp"

namespace supabase {
namespace {

using namespace pager_test;

constexpr int64_t kTrust = RowCap::kTrustMs;

TEST(RowCap, KnowsNothingAtFirst) {
  const RowCap cap;
  for (const int64_t now : {int64_t{0}, int64_t{5}, kTrust, int64_t{1} << 50}) {
    EXPECT_EQ(cap.NotBelow(now), 0U);
    EXPECT_FALSE(cap.Exact(now));
  }
}

TEST(RowCap, RemembersTheLargestPage) {
  RowCap cap;
  cap.Seen(10, 100);
  cap.Seen(30, 200);
  cap.Seen(20, 300);
  EXPECT_EQ(cap.NotBelow(300), 30U);
  EXPECT_FALSE(cap.Exact(300));
  // The smaller page said nothing of the larger size.
  EXPECT_EQ(cap.NotBelow(200 + kTrust - 1), 30U);
  EXPECT_EQ(cap.NotBelow(200 + kTrust), 0U);
}

TEST(RowCap, SameSizeAgainIsTrustedAnew) {
  RowCap cap;
  cap.Cut(30, 0);
  cap.Seen(30, 50'000);
  EXPECT_EQ(cap.NotBelow(50'000 + kTrust - 1), 30U);
  EXPECT_EQ(cap.Exact(50'000 + kTrust - 1), 30U);
  EXPECT_FALSE(cap.Exact(50'000 + kTrust));
}

TEST(RowCap, CutIsTheCapUntilALargerPage) {
  RowCap cap;
  cap.Seen(100, 0);
  cap.Cut(30, 1);
  EXPECT_EQ(cap.Exact(1), 30U);
  EXPECT_EQ(cap.NotBelow(1), 30U);
  cap.Seen(20, 2);
  EXPECT_EQ(cap.Exact(2), 30U);
  cap.Seen(31, 3);
  EXPECT_FALSE(cap.Exact(3));
  EXPECT_EQ(cap.NotBelow(3), 31U);
}

TEST(RowCap, AfterItsTimeAnythingReplacesIt) {
  RowCap cap;
  cap.Cut(30, 0);
  cap.Seen(2, kTrust);
  EXPECT_EQ(cap.NotBelow(kTrust), 2U);
  EXPECT_FALSE(cap.Exact(kTrust));
}

// Pages are asked for and taken in different orders.
TEST(RowCap, OlderEvidenceReplacesNoNewerOne) {
  RowCap cut;
  cut.Cut(30, 1000);
  cut.Seen(100, 0);
  EXPECT_EQ(cut.NotBelow(1000), 30U);
  EXPECT_EQ(cut.Exact(1000), 30U);
  cut.Seen(30, 0);
  EXPECT_EQ(cut.NotBelow(kTrust + 999), 30U);

  RowCap raised;
  raised.Seen(100, 1000);
  raised.Cut(30, 0);
  EXPECT_EQ(raised.NotBelow(1000), 100U);
  EXPECT_FALSE(raised.Exact(1000));

  RowCap lowered;
  lowered.Cut(30, 1000);
  lowered.Cut(50, 0);
  EXPECT_EQ(lowered.Exact(1000), 30U);

  RowCap same;
  same.Seen(30, 1000);
  same.Seen(30, 0);
  EXPECT_EQ(same.NotBelow(kTrust + 999), 30U);

  // A larger page is worth more than a newer one, for as long as it is trusted.
  RowCap larger;
  larger.Seen(3, 1000);
  larger.Seen(100, 0);
  EXPECT_EQ(larger.NotBelow(kTrust - 1), 100U);
  EXPECT_EQ(larger.NotBelow(kTrust), 0U);
}

TEST(Pager, AsksForAThousandRowsThenTenThousand) {
  const std::vector<Row> table = MakeTable(12'000);
  for (const Paging paging : {Paging::kKeyset, Paging::kOffset}) {
    RowCap cap;
    Want want;
    want.paging = paging;
    Pager pager(Options(want), &cap);
    const Remote remote{&table, std::nullopt};
    const uint64_t known = paging == Paging::kKeyset ? 1 : 0;
    for (const uint64_t limit : {uint64_t{1'000}, 10'000 + known, 10'000 + known}) {
      ASSERT_FALSE(pager.finished());
      const PageRequest request = pager.Next(0);
      EXPECT_EQ(pager.query().limit, limit);
      const Answer answer = remote.Read(pager.query(), request.want_count);
      Give(&pager, answer, 0);
    }
    EXPECT_TRUE(pager.finished());
  }
}

TEST(Pager, AsksForFewerRowsWhenTheyAreWide) {
  const std::vector<Row> table = MakeTable(2000);
  const struct {
    uint64_t fetch_size, bytes, limit;
  } cases[] = {
      {0, 1'000'000, 8'001},                                                  // 1,000 bytes each
      {0, 800'000, 10'000},          {0, 0, 10'000}, {0, 20'000'000'000, 1},  // never none
      {1'000, 1'000'000'000, 1'000},                                          // the user has said how many
  };
  for (const auto &c : cases) {
    RowCap cap;
    Want want;
    want.paging = Paging::kOffset;
    want.fetch_size = c.fetch_size;
    Pager pager(Options(want), &cap);
    const PageRequest request = pager.Next(0);
    Answer answer = Remote{&table, std::nullopt}.Read(pager.query(), request.want_count);
    answer.bytes = c.bytes;
    Give(&pager, answer, 0);
    pager.Next(0);
    EXPECT_EQ(pager.query().limit, c.limit) << c.bytes;
  }
}

TEST(Pager, TargetsOfTheTwoKindsOfPaging) {
  const std::vector<Row> table = MakeTable(10, Keys::kTwo);
  const std::string select = "/t?select=c0:v,c1:b,c2:a";
  const struct {
    Paging paging;
    Keys keys;
    std::string second;
  } cases[] = {
      {Paging::kKeyset, Keys::kTwo, select + "&a=gte.-3&or=(a.gt.-3,and(a.eq.-3,b.gte.-1))&order=a,b&limit=4"},
      {Paging::kOffset, Keys::kTwo, select + "&order=a,b&limit=3&offset=3"},
      {Paging::kOffset, Keys::kOne, select + "&order=a&limit=3&offset=3"},
  };
  for (const auto &c : cases) {
    RowCap cap;
    Want want;
    want.paging = c.paging;
    want.keys = c.keys;
    want.fetch_size = 3;
    Pager pager(Options(want), &cap);
    const PageRequest first = pager.Next(0);
    EXPECT_EQ(first.target, select + (c.keys == Keys::kTwo ? "&order=a,b" : "&order=a") + "&limit=3");
    const Answer answer = Remote{&table, std::nullopt}.Read(pager.query(), first.want_count);
    Give(&pager, answer, 0);
    EXPECT_EQ(pager.Next(0).target, c.second);
  }
}

// What a table of so many rows costs when its statistics are right: with nothing known, and again.
TEST(Pager, CostsOneRequestMoreThanItsPagesAtMost) {
  struct Cost {
    uint64_t cold, warm;
  };
  const struct {
    size_t rows;
    std::optional<uint64_t> cap;
    uint64_t fetch_size;
    Cost keyset, offset;
  } cases[] = {
      {0, 1000, 0, {1, 1}, {1, 1}},
      {1, 1000, 0, {1, 1}, {1, 1}},
      {999, 1000, 0, {1, 1}, {1, 1}},
      {1000, 1000, 0, {1, 2}, {1, 2}},
      {1001, 1000, 0, {2, 2}, {2, 2}},
      {2000, 1000, 0, {3, 3}, {3, 3}},
      {3500, 1000, 0, {4, 4}, {4, 4}},
      {999, std::nullopt, 0, {1, 1}, {1, 1}},
      {1000, std::nullopt, 0, {1, 2}, {1, 2}},
      {1001, std::nullopt, 0, {2, 2}, {2, 2}},
      {11'000, std::nullopt, 0, {3, 3}, {3, 3}},
      {999, 1000, 5000, {1, 1}, {1, 1}},
      {1000, 1000, 5000, {1, 1}, {1, 1}},
      {1001, 1000, 5000, {2, 2}, {2, 2}},
      {999, 1000, 100, {10, 10}, {10, 10}},
      {1000, 1000, 100, {11, 11}, {11, 11}},
      {20, 5, 10, {5, 5}, {5, 5}},
      {21, 5, 10, {6, 6}, {5, 5}},
      {5, 5, 10, {1, 1}, {1, 1}},
      {2, 1, 10, {3, 3}, {3, 3}},
  };
  for (const Paging paging : {Paging::kKeyset, Paging::kOffset}) {
    for (const auto &c : cases) {
      const std::vector<Row> table = MakeTable(c.rows);
      const Remote remote{&table, c.cap, c.rows};
      const Cost &cost = paging == Paging::kKeyset ? c.keyset : c.offset;
      RowCap cap;
      Want want;
      want.paging = paging;
      want.fetch_size = c.fetch_size;
      for (const uint64_t requests : {cost.cold, cost.warm}) {
        Scan scan(table, want, &cap);
        scan.Run(remote, 100 * kTrust);
        scan.Check();
        EXPECT_EQ(scan.requests(), requests)
            << c.rows << " rows, cap " << c.cap.value_or(0) << ", size " << c.fetch_size;
      }
    }
  }
}

// The limit of the first request.
uint64_t FirstLimit(const Want &want, RowCap cap) {
  Pager pager(Options(want), &cap);
  const PageRequest request = pager.Next(0);
  EXPECT_EQ(request.want_count, pager.asked() == Pager::kFirstPage && cap.NotBelow(0) < pager.asked());
  EXPECT_EQ(pager.query().limit, pager.asked());
  return pager.asked();
}

TEST(Pager, FirstPageHasRoomForWhatIsExpected) {
  const auto limit = [](uint64_t expected, uint64_t row_bytes, RowCap cap = {}) {
    Want want;
    want.expected = expected;
    want.row_bytes = row_bytes;
    return FirstLimit(want, cap);
  };
  EXPECT_EQ(limit(5000, 300), Pager::kNextPage);
  // Little enough for a page that may want a few rows only, and too much for one page even so.
  EXPECT_EQ(limit(700, 300), Pager::kFirstPage);
  EXPECT_EQ(limit(9000, 300), Pager::kFirstPage);
  // Rows of unknown width, and too wide ones.
  EXPECT_EQ(limit(5000, 0), Pager::kFirstPage);
  EXPECT_EQ(limit(5000, 2000), Pager::kFirstPage);
  EXPECT_EQ(limit(2000, 2000), 4001U);
  RowCap capped;
  capped.Cut(1000, 0);
  EXPECT_EQ(limit(5000, 300, capped), Pager::kFirstPage);
  Want sized;
  sized.expected = 5000;
  sized.row_bytes = 300;
  sized.fetch_size = Pager::kFirstPage;
  EXPECT_EQ(FirstLimit(sized, {}), Pager::kFirstPage);
}

TEST(Pager, TellsWhetherPagesWereCut) {
  for (const uint64_t rows : {2500, 900}) {
    const std::vector<Row> table = MakeTable(rows);
    for (const std::optional<uint64_t> cap : {std::optional<uint64_t>(), {1000}}) {
      Want want;
      want.expected = 4000;
      want.row_bytes = 50;
      RowCap unknown;
      Scan scan(table, want, &unknown);
      scan.Run({&table, cap}, 0);
      EXPECT_EQ(scan.was_cut(), cap && rows > *cap);
    }
  }
}

TEST(Pager, WrongExpectationsLoseNoRow) {
  for (const uint64_t rows : {0, 1, 999, 1000, 1001, 4000, 5000, 10'000, 10'001, 12'000}) {
    const std::vector<Row> table = MakeTable(rows);
    for (const std::optional<uint64_t> cap : {std::optional<uint64_t>(), {1000}, {3000}}) {
      for (const uint64_t seen : {0, 1000, 10'000}) {
        if (seen > cap.value_or(UINT64_MAX)) continue;
        Want want;
        want.expected = 4000;
        want.row_bytes = 50;
        RowCap known;
        if (seen > 0) known.Seen(seen, 0);
        Scan scan(table, want, &known);
        scan.Run({&table, cap}, 0);
        EXPECT_EQ(scan.counted(), 0U);
        // A page that nothing can have cut ends the scan.
        const bool one = seen > rows && rows < 10'000;
        EXPECT_EQ(scan.requests(), one ? 1U : scan.requests());
      }
    }
  }
}

TEST(Pager, CountsOnTheFirstPageOfWhatItDoesNotKnow) {
  const std::vector<Row> table = MakeTable(40);
  const Remote remote{&table, 10};
  Want want;
  want.fetch_size = 20;
  RowCap cap;
  Scan cold(table, want, &cap);
  cold.Run(remote, 0);
  EXPECT_EQ(cold.counted(), 1U);
  Scan cap_known(table, want, &cap);
  cap_known.Run(remote, 0);
  EXPECT_EQ(cap_known.counted(), 0U);
  Scan too_old(table, want, &cap);
  too_old.Run(remote, kTrust);
  EXPECT_EQ(too_old.counted(), 1U);

  // A page of that size was seen before.
  for (const uint64_t seen : {19, 20, 21}) {
    RowCap proven;
    proven.Seen(seen, 0);
    Scan scan(table, want, &proven);
    scan.Ask(0);
    EXPECT_EQ(scan.counted(), seen < 20 ? 1U : 0U) << seen;
  }

  // A page that is full was not cut, whatever the count.
  RowCap full;
  Want ten = want;
  ten.fetch_size = 10;
  ten.paging = Paging::kOffset;
  Scan(table, ten, &full).Run({&table, std::nullopt}, 0);
  Scan larger(table, want, &full);
  larger.Ask(0);
  EXPECT_EQ(larger.counted(), 1U);

  // One row at the most is complete in any case.
  for (const uint64_t at_most : {1, 2}) {
    RowCap unknown;
    want.at_most = at_most;
    Scan one(table, want, &unknown);
    one.Ask(0);
    EXPECT_EQ(one.counted(), at_most == 1 ? 0U : 1U);
  }
}

// Nobody asked for it, and with an offset it is of more rows than the page's.
TEST(Pager, TotalOfALaterPageIsNotRead) {
  const std::vector<Row> table = MakeTable(5);
  RowCap cap;
  Want want;
  want.paging = Paging::kOffset;
  want.fetch_size = 3;
  Pager pager(Options(want), &cap);
  for (const bool last : {false, true}) {
    const PageRequest request = pager.Next(0);
    Answer answer = Remote{&table, 3}.Read(pager.query(), request.want_count);
    answer.range->total = 5;
    Give(&pager, answer, 0);
    EXPECT_EQ(pager.finished(), last);
  }
}

TEST(Pager, OffsetPagingReadsNoKey) {
  PagerOptions options = Options({});
  options.paging = Paging::kOffset;
  options.fetch_size = 3;
  ASSERT_FALSE(options.key.empty());
  const std::vector<Row> table = MakeTable(5);
  RowCap cap;
  Pager pager(options, &cap);
  pager.Next(0);
  const Answer answer = Remote{&table, std::nullopt}.Read(pager.query(), false);
  Give(&pager, answer, 0);
  pager.Next(0);
  EXPECT_EQ(pager.query().offset, 3U);
  EXPECT_TRUE(pager.query().where.empty());
}

TEST(Pager, RowLimitIsExact) {
  const std::vector<Row> table = MakeTable(30);
  for (const uint64_t limit : {0, 1, 9, 10, 11, 20, 29, 30, 31}) {
    for (const std::optional<uint64_t> server_cap : {std::optional<uint64_t>(4), std::optional<uint64_t>()}) {
      RowCap cap;
      Want want;
      want.fetch_size = 10;
      want.row_limit = limit;
      Scan scan(table, want, &cap);
      scan.Run({&table, server_cap, 30}, 0);
      scan.Check();
      const uint64_t last = limit < 30 ? 0 : 1;
      EXPECT_LE(scan.requests(), scan.PagesNeeded() + last) << limit;
    }
  }
}

TEST(Pager, AtMostSavesTheLastRequest) {
  const std::vector<Row> table = MakeTable(10);
  for (const uint64_t at_most : {10, 11}) {
    RowCap cap;
    Want want;
    want.fetch_size = 5;
    want.at_most = at_most;
    Scan scan(table, want, &cap);
    scan.Run({&table, std::nullopt, 10}, 0);
    scan.Check();
    EXPECT_EQ(scan.requests(), at_most == 10 ? 2U : 3U);
  }
}

// ---- answers that cannot be ----

std::string Refusal(Paging paging, std::vector<size_t> key, std::vector<std::string> bodies) {
  RowCap cap;
  PagerOptions options = Options({});
  options.paging = paging;
  options.key = std::move(key);
  options.fetch_size = 3;
  Pager pager(options, &cap);
  for (std::string &body : bodies) {
    pager.Next(0);
    try {
      Give(&pager, {MakePage(std::move(body), 3), std::nullopt}, 0);
    } catch (const Error &error) {
      return std::string(error.sqlstate()) + ' ' + error.what();
    }
  }
  return "";
}

TEST(Pager, RefusesAKeyThatIsNone) {
  const std::string null = "HV000 key of remote relation \"t\" contains a null value";
  const std::string repeated = "HV000 key of remote relation \"t\" is not unique";
  const auto rows = [](const std::vector<std::vector<std::string>> &values) {
    std::string body;
    for (const auto &row : values) {
      body += (body.empty() ? "[{\"c0\":" : ",{\"c0\":") + row[0] + ",\"c1\":" + row[1] + ",\"c2\":" + row[2] + "}";
    }
    return body + "]";
  };
  const std::string full = rows({{"1", "1", "1"}, {"1", "2", "1"}, {"1", "3", "1"}});
  const struct {
    std::vector<size_t> key;
    std::vector<std::string> bodies;
    std::string refusal;
  } cases[] = {
      {{1}, {full}, ""},
      {{2}, {full}, repeated},
      {{2, 1}, {full}, ""},
      {{2, 0}, {full}, repeated},
      {{1}, {rows({{"1", "null", "1"}})}, null},
      {{2}, {rows({{"1", "null", "1"}})}, ""},
      {{2, 1}, {rows({{"1", "1", "1"}, {"1", "null", "2"}})}, null},
      {{1}, {rows({{"1", "1", "1"}, {"1", "2", "1"}, {"1", "2", "2"}})}, repeated},
      {{1}, {rows({{"1", "\"\"", "1"}, {"1", "null", "1"}})}, null},
      {{1}, {rows({{"1", "\"a\"", "1"}, {"1", "\"ab\"", "1"}})}, ""},
      // A page begins with the last row of the one before, and that only once.
      {{1}, {full, rows({{"1", "3", "1"}, {"1", "4", "1"}})}, ""},
      {{1}, {full, rows({{"1", "3", "1"}, {"2", "3", "1"}})}, repeated},
      {{2, 1}, {full, rows({{"1", "3", "1"}, {"2", "3", "1"}})}, repeated},
      {{2, 1}, {full, rows({{"1", "3", "1"}, {"1", "3", "2"}})}, ""},
  };
  for (const auto &c : cases) {
    EXPECT_EQ(Refusal(Paging::kKeyset, c.key, c.bodies), c.refusal) << c.bodies.back();
    EXPECT_EQ(Refusal(Paging::kOffset, {}, c.bodies), "");
  }
}

TEST(Pager, RefusesRowsThatContentRangeDoesNotTell) {
  const struct {
    std::optional<ContentRange> range;  // of the second page of three rows
    bool refused;
  } cases[] = {
      {std::nullopt, false},
      {ContentRange{3, 5, std::nullopt}, false},
      {ContentRange{3, 5, 100}, false},
      {ContentRange{3, 4, std::nullopt}, true},
      {ContentRange{3, 6, std::nullopt}, true},
      {ContentRange{0, 2, std::nullopt}, true},
      {ContentRange{4, 6, std::nullopt}, true},
      {ContentRange{std::nullopt, std::nullopt, 100}, true},
      {ContentRange{}, true},
  };
  const std::vector<Row> table = MakeTable(9);
  for (const auto &c : cases) {
    RowCap cap;
    Want want;
    want.paging = Paging::kOffset;
    want.fetch_size = 3;
    Pager pager(Options(want), &cap);
    const Remote remote{&table, std::nullopt};
    pager.Next(0);
    Give(&pager, remote.Read(pager.query(), false), 0);
    pager.Next(0);
    Answer answer = remote.Read(pager.query(), false);
    answer.range = c.range;
    std::string refusal;
    try {
      Give(&pager, answer, 0);
    } catch (const Error &error) {
      refusal = error.sqlstate();
    }
    EXPECT_EQ(refusal, c.refused ? "08P01" : "");
  }
}

// A cache that answers for another request would never let the scan end.
TEST(Pager, RefusesThePageBefore) {
  const std::string page = R"([{"c0":1,"c1":1,"c2":1},{"c0":1,"c1":2,"c2":1},{"c0":1,"c1":3,"c2":1}])";
  EXPECT_EQ(Refusal(Paging::kKeyset, {1}, {page, page}), "08P01 remote server sent the same page again");
}

// By a key whose text is less than its value a scan would never end.
TEST(Pager, RefusesARowThatComesAgain) {
  const std::string row = R"([{"c0":1,"c1":3,"c2":1}])";
  EXPECT_EQ(Refusal(Paging::kKeyset, {1}, {row, row}), "HV000 cannot read remote relation \"t\" by its key");
  EXPECT_EQ(Refusal(Paging::kKeyset, {1}, {row, "[]"}), "");
}

// The end of a query with LIMIT is not counted.
TEST(Pager, OneRowOfSeveralWantedCostsTwoRequests) {
  const std::vector<Row> table = MakeTable(1);
  RowCap cap;
  Want want;
  want.row_limit = 10;
  Scan scan(table, want, &cap);
  scan.Run({&table, std::nullopt}, 0);
  scan.Check();
  EXPECT_EQ(scan.counted(), 0U);
  EXPECT_EQ(scan.requests(), 2U);
}

TEST(Pager, RefusesMoreRowsThanItAskedFor) {
  EXPECT_EQ(Refusal(Paging::kOffset, {}, {R"([{"c0":1,"c1":1,"c2":1},{"c0":1,"c1":2,"c2":2},{"c0":1,"c1":3,"c2":3},
    {"c0":1,"c1":4,"c2":4}])"}),
            "08P01 remote server sent more rows than were asked for");
}

TEST(Pager, KeysOfAnyText) {
  RowCap cap;
  PagerOptions options = Options({});
  options.key = {2, 1};
  options.query.order = {{"a"}, {"b"}};
  options.fetch_size = 1;
  Pager pager(options, &cap);
  pager.Next(0);
  Give(&pager, {MakePage(R"([{"c0":1,"c1":"","c2":"x\"y\\ ,)\n&ß"}])", 3), std::nullopt}, 0);
  ASSERT_FALSE(pager.finished());
  const PageRequest request = pager.Next(0);
  EXPECT_EQ(request.target, BuildTarget(pager.query()));
  const Condition &after = pager.query().where.at(0).children.at(1);
  EXPECT_EQ(after.children.at(0).values.at(0), "x\"y\\ ,)\n&ß");
  EXPECT_EQ(after.children.at(1).children.at(1).values.at(0), "");
  EXPECT_FALSE(pager.query().offset);
}

TEST(Pager, RefusesAKeyTooLongForAnUrl) {
  for (const bool fits : {true, false}) {
    RowCap cap;
    PagerOptions options = Options({});
    options.fetch_size = 1;
    Pager pager(options, &cap);
    const size_t rest = pager.Next(0).target.size() + std::string("&a=gte.").size();
    const std::string key(kMaxBareTargetBytes - rest + (fits ? 0 : 1), 'k');
    Give(&pager, {MakePage(R"([{"c0":1,"c1":1,"c2":")" + key + "\"}]", 3), std::nullopt}, 0);
    try {
      EXPECT_EQ(pager.Next(0).target.size(), kMaxBareTargetBytes);
      EXPECT_TRUE(fits);
    } catch (const Error &error) {
      EXPECT_FALSE(fits);
      EXPECT_STREQ(error.sqlstate(), sqlstate::kProgramLimit);
    }
  }
}

// Rows that the dropped conditions would have kept back are not what the limits count.
TEST(Pager, DroppedConditionsTakeTheLimitsAlong) {
  const std::vector<Row> table = MakeTable(25);
  for (const uint64_t limit : {0, 4}) {
    RowCap cap;
    PagerOptions options = Options({});
    options.fetch_size = 10;
    options.row_limit = limit;
    options.at_most = limit;
    options.query.where = {CompareV(Op::kEq, 7919)};
    options.query.where[0].values = {std::string(kMaxTargetBytes, '1')};
    Pager pager(options, &cap);
    EXPECT_EQ(pager.dropped(), 1);
    size_t rows = 0;
    for (int requests = 0; !pager.finished() && requests < 10; requests++) {
      const PageRequest request = pager.Next(0);
      const Answer answer = Remote{&table, std::nullopt}.Read(pager.query(), request.want_count);
      Give(&pager, answer, 0);
      rows += answer.page.rows() - pager.overlap();
    }
    EXPECT_EQ(rows, 25U);
  }
}

}  // namespace
}  // namespace supabase
