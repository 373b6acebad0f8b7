#include "sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::DriveUntil;
using test::Each;
using test::Server;

// Rows with the ids 0, 10, 20, …, at most `cap` in one answer.
struct Remote {
  uint64_t rows = 0, cap = 1'000'000, width = 20;
  bool null_keys = false;

  Response Get(const ReadQuery &query) const {
    uint64_t first = query.offset.value_or(0), end = rows;
    if (!query.where.empty()) {
      EXPECT_EQ(query.where.size(), 1U);
      EXPECT_EQ(query.where[0].op, Op::kGe);
      first = (std::stoull(query.where[0].values[0].value()) + 9) / 10;
    }
    const uint64_t count = std::min(std::min(query.limit.value(), cap), first < end ? end - first : 0);
    if (!query.order.empty() && query.order[0].descending) first = end - count;
    Response response;
    response.status = 200;
    response.headers = {{"content-type", "application/json"}};
    response.body = "[";
    for (uint64_t i = first; i < first + count; ++i) {
      response.body += i > first ? ",{" : "{";
      for (size_t c = 0; c < query.select.size(); ++c) {
        const bool id = query.select[c].name == "id";
        response.body += (c > 0 ? ",\"c" : "\"c") + std::to_string(c) + "\":";
        response.body += id ? (null_keys ? "null" : std::to_string(i * 10)) : '"' + std::string(width, 'x') + '"';
      }
      response.body += "}";
    }
    response.body += "]";
    return response;
  }
};

SampleOptions Options(uint64_t rows, bool keyed, uint64_t seed = 1) {
  SampleOptions options;
  options.query.relation = "t";
  options.query.select = {{"note"}, {"id"}};
  if (keyed) options.key = {1};
  options.rows = rows;
  options.seed = seed;
  return options;
}

struct Sample {
  std::vector<uint64_t> rows;  // numbers from 0
  uint64_t requests = 0, probes = 0, bytes = 0;
};

Sample Draw(const Remote &remote, SampleOptions options) {
  SamplePlan plan(std::move(options), remote.rows);
  Sample sample;
  while (const std::optional<ReadQuery> query = plan.Next()) {
    ++sample.requests;
    Response response = remote.Get(*query);
    const uint64_t bytes = response.body.size();
    const Page page = DecodePage(std::move(response), plan.columns(), "GET /t");
    plan.Received(page, bytes);
    if (!plan.wants_rows()) {
      ++sample.probes;
      continue;
    }
    sample.bytes += bytes;
    for (size_t i = 0; i < page.rows(); ++i)
      sample.rows.push_back(remote.null_keys ? 0 : std::stoull(page.Row(i)[1].data) / 10);
  }
  return sample;
}

// A small table is read whole, each row once, in order.
TEST(SamplePlan, AllOfASmallTable) {
  for (const bool keyed : {true, false}) {
    for (const uint64_t rows : {0U, 1U, 19U, 20U, 21U, 71U, 270U, 271U, 999U, 1000U, 1001U, 9999U, 29'999U, 30'000U}) {
      const Sample sample = Draw(Remote{rows, 1000}, Options(30'000, keyed));
      ASSERT_EQ(sample.rows.size(), rows);
      for (uint64_t i = 0; i < rows; ++i)
        ASSERT_EQ(sample.rows[i], i);
      EXPECT_LE(sample.requests, SamplePlan::kMaxRequests);
      EXPECT_EQ(sample.probes, 0U);
    }
  }
}

// Of a large one no more than is wanted, with few requests, from all over it.
TEST(SamplePlan, PartsOfALargeTable) {
  for (const bool keyed : {true, false}) {
    for (const uint64_t rows : {30'001U, 100'000U, 250'000U, 2'000'000U}) {
      for (const uint64_t cap : {7U, 100U, 1000U, 1'000'000U}) {
        for (const uint64_t wanted : {300U, 30'000U}) {
          const Sample sample = Draw(Remote{rows, cap}, Options(wanted, keyed));
          ASSERT_LE(sample.rows.size(), wanted);
          ASSERT_LE(sample.requests, SamplePlan::kMaxRequests);
          const uint64_t least = cap < 1000 ? 10 : wanted * (rows > SamplePlan::kMaxOffset && cap == 1000 ? 5 : 9) / 10;
          ASSERT_GE(sample.rows.size(), std::min(least, wanted)) << rows << ' ' << cap;
          // Where the single block of a small sample begins is left to chance.
          if (wanted > 300 || !keyed) {
            ASSERT_EQ(sample.probes > 0, keyed && rows > SamplePlan::kMaxOffset) << rows;
          }
          const std::set<uint64_t> distinct(sample.rows.begin(), sample.rows.end());
          // The last row may also be in the last block.
          ASSERT_GE(distinct.size() + 1, sample.rows.size());
          ASSERT_EQ(*distinct.begin(), 0U);
          ASSERT_EQ(*distinct.rbegin() == rows - 1 || !keyed, true);
          if (wanted == 300) continue;
          for (uint64_t tenth = 0; tenth < 10; ++tenth)
            ASSERT_TRUE(distinct.lower_bound(rows / 10 * tenth) != distinct.upper_bound(rows / 10 * (tenth + 1)));
        }
      }
    }
  }
}

TEST(SamplePlan, AnotherSeedAnotherSample) {
  const Remote remote{500'000};
  EXPECT_EQ(Draw(remote, Options(3'000, true, 7)).rows, Draw(remote, Options(3'000, true, 7)).rows);
  EXPECT_NE(Draw(remote, Options(3'000, true, 7)).rows, Draw(remote, Options(3'000, true, 8)).rows);
}

// Rows of 100 kB: fewer of them.
TEST(SamplePlan, WideRowsAreFewer) {
  const Sample sample = Draw(Remote{3'000, 1'000'000, 100'000}, Options(30'000, true));
  EXPECT_LT(sample.bytes, 64'000'000U);
  EXPECT_GT(sample.rows.size(), 100U);
}

TEST(SamplePlan, KeysThatAreNull) {
  Remote remote{1'000'000};
  remote.null_keys = true;
  const Sample sample = Draw(remote, Options(30'000, true));
  EXPECT_LE(sample.requests, SamplePlan::kMaxRequests);
  EXPECT_GT(sample.rows.size(), 20U);
}

TEST(SamplePlan, MoreRowsThanAskedFor) {
  SamplePlan plan(Options(10, false), 100);
  ReadQuery query = plan.Next().value();
  query.limit = 11;
  const Page page = DecodePage(Remote{100}.Get(query), 2, "GET /t");
  EXPECT_THROW(plan.Received(page, 1), Error);
}

TEST(CountRequest, AsksForNoRows) {
  Request request;
  request.url = request.label = "/rest";
  ReadQuery query;
  query.relation = "t";
  query.select = {{"id"}};
  query.order = {{"id"}};
  query.offset = 5;
  query.limit = 7;
  MakeCountRequest(&request, query, CountMode::kPlanned);
  EXPECT_EQ(request.url, "/rest/t?select=c0:id&limit=0");
  EXPECT_EQ(request.label, request.url);
  ASSERT_EQ(request.headers.size(), 1U);
  EXPECT_EQ(request.headers[0].second, "count=planned");
}

TEST(CountRequest, TakesTheTotal) {
  Response response;
  response.status = 206;
  response.headers = {{"content-range", "*/12345678901"}};
  EXPECT_EQ(TakeCount({}, response), 12345678901U);
  response.headers = {{"content-range", "0-9/*"}};
  EXPECT_THROW(TakeCount({}, response), Error);
  response.headers = {};
  EXPECT_THROW(TakeCount({}, response), Error);
  response.status = 403;
  EXPECT_THROW(TakeCount({}, response), Error);
}

constexpr char kJson[] = "Content-Type: application/json\r\n";

struct Fetched {
  uint64_t total = 0;
  size_t rows = 0, requests = 0;
};
Fetched Fetch(const Server &server) {
  Session session;
  Request prototype = test::Get(server.url());
  SampleOptions options;
  options.query.relation = "t";
  options.query.select = {{"id"}};
  options.rows = 100;
  Sampler sampler(&session, std::move(prototype), std::move(options), 0);
  Fetched fetched;
  while (const Transfer *transfer = sampler.Waiting()) {
    EXPECT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
    sampler.Take();
    fetched.rows += sampler.page().rows();
    ++fetched.requests;
  }
  fetched.total = sampler.total();
  return fetched;
}

TEST(Sampler, CountsThenReads) {
  const Server server(Each([](const std::string &request) {
    if (request.find("limit=0") == std::string::npos) return Answer("200 OK", "[{\"c0\":1},{\"c0\":2}]", kJson);
    EXPECT_NE(request.find("Prefer: count=exact"), std::string::npos);
    return Answer("206 Partial Content", "[]", std::string(kJson) + "Content-Range: */2\r\n");
  }));
  const Fetched fetched = Fetch(server);
  EXPECT_EQ(fetched.total, 2U);
  EXPECT_EQ(fetched.rows, 2U);
  EXPECT_EQ(fetched.requests, 2U);
}

// Counting ran into the remote's statement timeout: its estimate has to do.
TEST(Sampler, EstimatesWhatTakesTooLongToCount) {
  const Server server(Each([](const std::string &request) {
    if (request.find("Prefer: count=exact") != std::string::npos)
      return Answer("500 Internal Server Error", "{\"code\":\"57014\",\"message\":\"canceled\"}", kJson);
    if (request.find("Prefer: count=planned") != std::string::npos)
      return Answer("206 Partial Content", "[]", std::string(kJson) + "Content-Range: */77\r\n");
    return Answer("200 OK", "[{\"c0\":1}]", kJson);
  }));
  EXPECT_EQ(Fetch(server).total, 77U);
}

TEST(Sampler, OtherFailuresAreErrors) {
  const Server server(Each([](const std::string &) {
    return Answer("403 Forbidden", "{\"code\":\"42501\",\"message\":\"permission denied\"}", kJson);
  }));
  EXPECT_THROW(Fetch(server), Error);
}

}  // namespace
}  // namespace supabase
