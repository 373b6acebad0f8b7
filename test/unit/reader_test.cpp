#include "reader.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "http_driver.hpp"
#include "jwt.hpp"
#include "test_server.hpp"

namespace {

std::atomic<time_t> clock_ahead{0};

}  // namespace

// Takes the place of libc's, so that a token can expire between two requests.
extern "C" time_t time(time_t *result) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const time_t seconds = now.tv_sec + clock_ahead;
  if (result != nullptr) *result = seconds;
  return seconds;
}

namespace supabase {
namespace {

using test::Answer;
using test::DriveUntil;
using test::Each;
using test::Log;
using test::Server;

// "GET /rest/v1/t?select=c0:id&order=id&limit=3&offset=6 HTTP/1.1 …" → 6 for "offset".
std::optional<uint64_t> Number(const std::string &request, const std::string &name) {
  const std::string line = request.substr(0, request.find('\r'));
  const size_t at = line.find("&" + name);
  if (at == std::string::npos) return std::nullopt;
  return std::stoull(line.substr(at + 1 + name.size()));
}

// The ids 1 … rows, by keyset or by offset, at most `cap` at a time.
std::string Ids(const std::string &request, uint64_t rows, uint64_t cap) {
  const uint64_t offset = Number(request, "offset=").value_or(0);
  // The rows that a condition on the id keeps back.
  const uint64_t before = Number(request, "id=gte.").value_or(Number(request, "id=gt.").value_or(0) + 1) - 1;
  const uint64_t first = before + offset;
  const uint64_t end = std::min(rows, first + std::min(Number(request, "limit=").value(), cap));
  std::string body = "[";
  for (uint64_t id = first; id < end; id++)
    body += (id > first ? ", \n {\"c0\":" : "{\"c0\":") + std::to_string(id + 1) + "}";
  body += "]";
  const bool counted = request.find("Prefer: count=estimated") != std::string::npos;
  const std::string range = first < end ? std::to_string(offset) + '-' + std::to_string(end - 1 - before) : "*";
  const std::string total = counted ? std::to_string(std::min(rows, cap + 1)) : "*";
  const bool partial = counted && end - first < rows;
  return Answer(partial ? "206 Partial Content" : "200 OK", body,
                "Content-Type: application/json\r\nContent-Range: " + range + '/' + total + "\r\n");
}

PagerOptions Options(Paging paging, uint64_t fetch_size) {
  PagerOptions options;
  options.query.relation = "t";
  options.query.select = {{"id"}};
  options.query.order = {{"id"}};
  options.paging = paging;
  if (paging == Paging::kKeyset) options.key = {0};
  options.fetch_size = fetch_size;
  return options;
}

Request Prototype(const Server &server) {
  Request request = test::Prototype(server.url(), "/rest/v1");
  request.headers = {{"Accept-Profile", "public"}};
  request.secret_headers.emplace_back("apikey", Secret("k1"));
  return request;
}

// What a test needs for one reader; `server` outlives it.
struct Fixture {
  explicit Fixture(const Server &server, PagerOptions options = Options(Paging::kOffset, 10), int64_t expires_at = 0,
                   StreamOptions how = {})
      : reader(&session, Prototype(server), Streams(std::move(options), how, &cap), expires_at) {}

  // False when there is no further page.
  bool NextPage() {
    Reader::Step step = reader.Next();
    if (step == Reader::Step::kWait) {
      EXPECT_TRUE(DriveUntil(session, [&] { return (step = reader.Next()) != Reader::Step::kWait; }));
    }
    return step == Reader::Step::kPage;
  }
  AnswerTrace LastAnswer() {
    AnswerTrace last;
    while (const AnswerTrace *trace = reader.NextTrace())
      last = *trace;
    return last;
  }
  std::vector<std::string> Rows() const {
    std::vector<std::string> rows;
    for (size_t i = reader.first_row(); i < reader.page().rows(); i++)
      rows.emplace_back(reader.page().Row(i)[0].data);
    return rows;
  }
  // The failure of a read, which must fail.
  Error Failure() {
    try {
      while (NextPage())
        continue;
    } catch (const Error &error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return Error("XXXXX", "no error");
  }

  RowCap cap;
  Session session;
  Reader reader;
};

std::string FirstLine(const std::string &request) {
  return request.substr(0, request.find(" HTTP/1.1"));
}

TEST(Reader, ReadsThePagesInOrder) {
  const std::string head = "GET /rest/v1/t?select=c0:id";
  const struct {
    Paging paging;
    std::vector<std::string> requests;
  } cases[] = {
      {Paging::kOffset,
       {head + "&order=id&limit=10", head + "&order=id&limit=10&offset=4", head + "&order=id&limit=10&offset=8"}},
      {Paging::kKeyset,
       {head + "&order=id&limit=10", head + "&id=gte.4&order=id&limit=11", head + "&id=gte.7&order=id&limit=11",
        head + "&id=gte.10&order=id&limit=11"}},
  };
  for (const auto &c : cases) {
    Log log;
    const Server server(Each([&log](const std::string &request) {
      log.Add(request);
      return Ids(request, 10, 4);
    }));
    Fixture f(server, Options(c.paging, 10));
    std::vector<std::string> rows;
    while (f.NextPage()) {
      EXPECT_EQ(f.LastAnswer().label, c.requests.at(f.reader.counters().pages - 1));
      for (std::string &row : f.Rows())
        rows.push_back(std::move(row));
    }
    EXPECT_EQ(rows, (std::vector<std::string>{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}));
    EXPECT_EQ(f.reader.counters().rows, 10U) << "each row once";
    ASSERT_EQ(log.size(), c.requests.size());
    for (size_t i = 0; i < log.size(); i++) {
      const std::string request = log.entries()[i];
      EXPECT_EQ(FirstLine(request), c.requests[i]);
      EXPECT_NE(request.find("\r\nAccept-Profile: public\r\n"), std::string::npos);
      EXPECT_NE(request.find("\r\napikey: k1\r\n"), std::string::npos);
      EXPECT_EQ(request.find("\r\nPrefer: count=estimated\r\n") != std::string::npos, i == 0);
    }
    EXPECT_EQ(f.reader.Next(), Reader::Step::kEnd);
    EXPECT_EQ(server.accepted(), 1);
  }
}

TEST(Reader, CountsWhatTheScanCost) {
  const Server server(Each([](const std::string &request) { return Ids(request, 10, 4); }));
  Fixture f(server);
  // [{"c0":1}, \n {"c0":2}, …]: 8 bytes for a row of one digit, 4 between two, 2 around.
  const struct {
    uint64_t asked, rows, bytes;
    int status;
  } pages[] = {{1, 4, 4 * 8 + 3 * 4 + 2, 206}, {2, 4, 4 * 8 + 3 * 4 + 2, 200}, {3, 2, 2 * 8 + 1 + 4 + 2, 200}};
  ReadCounters expected;
  for (const auto &page : pages) {
    EXPECT_EQ(f.reader.Next(), Reader::Step::kWait);
    EXPECT_EQ(f.reader.counters().requests, page.asked) << "a request counts when it is sent";
    EXPECT_EQ(f.reader.counters().pages, expected.pages);
    ASSERT_TRUE(f.NextPage());
    expected.Add({0, 1, page.rows, page.bytes, 0, 0});
    const ReadCounters &counters = f.reader.counters();
    EXPECT_EQ(counters.requests, page.asked == 2 ? 3 : page.asked) << "from the second on one page ahead";
    EXPECT_EQ(counters.pages, expected.pages);
    EXPECT_EQ(counters.rows, expected.rows);
    EXPECT_EQ(counters.bytes, expected.bytes);
    EXPECT_EQ(counters.retries, 0U);
    const AnswerTrace last = f.LastAnswer();
    EXPECT_EQ(last.bytes, page.bytes);
    EXPECT_EQ(last.status, page.status);
  }
  EXPECT_FALSE(f.NextPage());
}

TEST(Reader, WideRowsMakeSmallerPages) {
  Log log;
  const std::string wide = "[{\"c0\":\"" + std::string(99'990, 'x') + "\"}]";  // 100,000 bytes
  const Server server(Each([&](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", wide, "Content-Type: application/json\r\nContent-Range: 0-0/2\r\n");
  }));
  Fixture f(server, Options(Paging::kOffset, 0));
  ASSERT_TRUE(f.NextPage());
  f.reader.LookAhead();
  ASSERT_TRUE(DriveUntil(f.session, [&] { return log.size() == 2; }));
  EXPECT_EQ(Number(log.entries()[1], "limit="), PagerOptions().page_bytes / wide.size() + 1);
}

PagerOptions WholeOptions() {
  PagerOptions options = Options(Paging::kKeyset, 0);
  options.query.select = {{"id"}, {"note"}, {"tags", true}};
  options.query.whole = true;
  options.at_most = 1;
  return options;
}

constexpr char kOneRow[] = "Content-Type: application/json\r\nContent-Range: 0-0/*\r\n";

TEST(Reader, TakesWholeRowsByTheirNames) {
  Log log;
  const Server server(Each([&](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", R"([{"note":"n","tags":["a"],"other":1,"id":7,"c2":"{a}"}])", kOneRow);
  }));
  Fixture f(server, WholeOptions());
  ASSERT_TRUE(f.NextPage());
  ASSERT_EQ(f.reader.page().rows(), 1U);
  const Cell *row = f.reader.page().Row(0);
  EXPECT_STREQ(row[0].data, "7");
  EXPECT_STREQ(row[1].data, "n");
  EXPECT_STREQ(row[2].data, "{a}");
  EXPECT_FALSE(f.reader.whole_unfit());
  EXPECT_FALSE(f.NextPage());
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(FirstLine(log.entries()[0]), "GET /rest/v1/t?select=*,c2:tags::text&order=id&limit=1000");
}

TEST(Reader, AsksByNameWhereWholeRowsAreOfNoUse) {
  const std::string whole[] = {
      Answer("403 Forbidden", R"({"code":"42501","message":"permission denied for table t"})",
             "Content-Type: application/json\r\n"),
      Answer("200 OK", R"([{"id":7,"tags":["a"],"c2":"{a}"}])", kOneRow),
      Answer("200 OK", R"([{"id":7,"note":"n","tags":["a"]}])", kOneRow),
  };
  for (const std::string &refusal : whole) {
    Log log;
    const Server server(Each([&](const std::string &request) {
      log.Add(request);
      if (request.find("select=*") != std::string::npos) return refusal;
      return Answer("200 OK", R"([{"c0":7,"c1":"n","c2":"{a}"}])", kOneRow);
    }));
    Fixture f(server, WholeOptions());
    ASSERT_TRUE(f.NextPage());
    EXPECT_EQ(f.Rows(), (std::vector<std::string>{"7"}));
    EXPECT_TRUE(f.reader.whole_unfit());
    EXPECT_FALSE(f.NextPage());
    ASSERT_EQ(log.size(), 2U);
    EXPECT_EQ(FirstLine(log.entries()[1]), "GET /rest/v1/t?select=c0:id,c1:note,c2:tags::text&order=id&limit=1000");
  }
}

TEST(Reader, WholeRowsThatAreLargeAreNotWorthIt) {
  const std::string large(10'000, 'x');
  const Server server(Each([&](const std::string &) {
    return Answer("200 OK", R"([{"id":7,"note":"n","blob":")" + large + R"(","tags":[],"c2":"{}"}])", kOneRow);
  }));
  Fixture f(server, WholeOptions());
  ASSERT_TRUE(f.NextPage());
  EXPECT_EQ(f.Rows(), (std::vector<std::string>{"7"}));
  EXPECT_TRUE(f.reader.whole_unfit());
  EXPECT_EQ(f.reader.counters().requests, 1U);
}

TEST(Reader, FailuresOfWholeRowsAreThoseOfNamedOnes) {
  const Server refusing(Each([](const std::string &) {
    return Answer("404 Not Found", R"({"code":"42P01","message":"relation \"t\" does not exist"})",
                  "Content-Type: application/json\r\n");
  }));
  Fixture none(refusing, WholeOptions());
  const Error error = none.Failure();
  EXPECT_STREQ(error.sqlstate(), "HV00R");
  EXPECT_NE(std::string(error.context()).find("select=c0:id"), std::string::npos);
  const Server cut(Each([](const std::string &) { return Answer("200 OK", R"([{"id":7,)", kOneRow); }));
  EXPECT_STREQ(Fixture(cut, WholeOptions()).Failure().sqlstate(), "08P01");
}

TEST(Reader, SumOfCountersIsFieldByField) {
  ReadCounters sum{1, 2, 3, 4, 5, 6};
  sum.Add({10, 20, 30, 40, 50, 60});
  EXPECT_EQ(sum.requests, 11U);
  EXPECT_EQ(sum.pages, 22U);
  EXPECT_EQ(sum.rows, 33U);
  EXPECT_EQ(sum.bytes, 44U);
  EXPECT_EQ(sum.retries, 55U);
  EXPECT_EQ(sum.wait_us, 66);
}

TEST(Reader, RetriesAreNoRequestsOfTheirOwn) {
  std::atomic<int> seen{0};
  const Server server(Each([&seen](const std::string &request) {
    return seen++ == 0 ? Answer("503 Service Unavailable", "") : Ids(request, 3, 100);
  }));
  RowCap cap;
  Session session;
  Request prototype = Prototype(server);
  prototype.max_retries = 1;
  Reader reader(&session, prototype, Streams(Options(Paging::kOffset, 10), {}, &cap), 0);
  ASSERT_EQ(reader.Next(), Reader::Step::kWait);
  ASSERT_TRUE(DriveUntil(session, [&] { return reader.Next() == Reader::Step::kPage; }));
  EXPECT_EQ(reader.page().rows(), 3U);
  EXPECT_EQ(reader.counters().retries, 1U);
  EXPECT_EQ(reader.counters().requests, 1U);
}

// The answer to the second request is held back until the first page has been read.
TEST(Reader, PrefetchIsUnderWayWhileThePageIsRead) {
  std::promise<void> asked, release;
  std::future<void> released = release.get_future();
  std::atomic<int> seen{0};
  const Server server(Each([&](const std::string &request) {
    if (seen++ == 1) {
      asked.set_value();
      released.wait_for(std::chrono::seconds(20));
    }
    return Ids(request, 10, 4);
  }));
  Fixture f(server);
  ASSERT_TRUE(f.NextPage());
  f.reader.LookAhead();
  f.reader.LookAhead();
  EXPECT_EQ(f.reader.counters().requests, 2U) << "one page ahead and no more";
  std::future<void> second = asked.get_future();
  for (int i = 0; i < 1000 && second.wait_for(std::chrono::seconds(0)) != std::future_status::ready; i++) {
    pollfd waited{f.session.fd(), POLLIN, 0};
    poll(&waited, 1, 10);
    f.session.Pump();
  }
  EXPECT_EQ(second.wait_for(std::chrono::seconds(0)), std::future_status::ready) << "nothing was sent";
  EXPECT_EQ(f.Rows(), (std::vector<std::string>{"1", "2", "3", "4"}));
  EXPECT_EQ(f.reader.counters().pages, 1U);
  EXPECT_EQ(f.reader.Next(), Reader::Step::kWait);
  EXPECT_EQ(f.reader.counters().requests, 2U) << "it is waited for, not asked for again";
  release.set_value();
  ASSERT_TRUE(f.NextPage());
  EXPECT_EQ(f.Rows(), (std::vector<std::string>{"5", "6", "7", "8"}));
  EXPECT_EQ(f.reader.counters().requests, 3U) << "from the second on one page ahead";
}

TEST(Reader, NothingIsFetchedAheadOfTheEnd) {
  const Server server(Each([](const std::string &request) { return Ids(request, 3, 100); }));
  Fixture f(server);
  ASSERT_TRUE(f.NextPage());
  f.reader.LookAhead();
  EXPECT_EQ(f.reader.counters().requests, 1U);
  EXPECT_EQ(f.session.active(), 0);
  EXPECT_EQ(f.reader.Next(), Reader::Step::kEnd);
  EXPECT_EQ(f.reader.page().rows(), 3U) << "the page stays";
}

TEST(Reader, GivesUpWhatIsUnderWay) {
  const Server server([](test::Connection &connection) {
    connection.ReadRequest();
    connection.AwaitClose();
  });
  RowCap cap;
  Session session;
  {
    Reader reader(&session, Prototype(server), Streams(Options(Paging::kOffset, 10), {}, &cap), 0);
    reader.LookAhead();
    EXPECT_EQ(session.active(), 1);
  }
  EXPECT_EQ(session.active(), 0);
}

TEST(Reader, OnlyPageIsTheFirstAndLast) {
  for (const uint64_t rows : {0, 3, 4, 5}) {
    const Server server(Each([rows](const std::string &request) { return Ids(request, rows, 4); }));
    Fixture f(server);
    EXPECT_FALSE(f.reader.OnlyPage());
    ASSERT_TRUE(f.NextPage());
    EXPECT_EQ(f.reader.OnlyPage(), rows <= 4);
    while (f.NextPage())
      EXPECT_FALSE(f.reader.OnlyPage());
  }
}

TEST(Reader, NoRowsWantedIsNoRequest) {
  const Server server(Each([](const std::string &) { return Answer("500 Oops", ""); }));
  PagerOptions options = Options(Paging::kOffset, 10);
  options.row_limit = 0;
  Fixture f(server, options);
  EXPECT_FALSE(f.NextPage());
  EXPECT_EQ(f.reader.counters().requests, 0U);
}

TEST(Reader, TellsHowManyConditionsWereDropped) {
  const Server server(Each([](const std::string &request) { return Ids(request, 3, 100); }));
  PagerOptions options = Options(Paging::kOffset, 10);
  Condition leaf;
  leaf.kind = Condition::Kind::kCompare;
  leaf.column = "id";
  leaf.values = {std::string(kMaxTargetBytes, '1')};
  options.query.where = {leaf, leaf};
  Fixture f(server, options);
  EXPECT_EQ(f.reader.dropped(), 2);
  ASSERT_TRUE(f.NextPage());
  EXPECT_EQ(f.reader.page().rows(), 3U);
}

TEST(CheckNotExpired, AllowsTheClockSkewAndNever) {
  const struct {
    int64_t expires_at, now;
    bool expired;
  } cases[] = {
      {0, INT64_MAX, false},
      {1000, 0, false},
      {1000, 1000, false},
      {1000, 1000 + kClockSkew, false},
      {1000, 1001 + kClockSkew, true},
      {1000, 1'000'000, true},
      {-1, 1000, true},
      {253'402'300'799, 253'402'300'799 + kClockSkew + 1, true},
  };
  for (const auto &c : cases) {
    for (const auto &check : {CheckNotExpired, CheckMappingNotExpired}) {
      bool expired = false;
      try {
        check(c.expires_at, c.now);
      } catch (const Error &error) {
        expired = true;
        EXPECT_STREQ(error.sqlstate(), sqlstate::kInvalidAuthorization);
      }
      EXPECT_EQ(expired, c.expired) << c.expires_at << ' ' << c.now;
    }
  }
}

TEST(CheckNotExpired, TellsWhen) {
  try {
    CheckNotExpired(1'700'000'000, 1'800'000'000);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "the user's token has expired");
    EXPECT_STREQ(error.detail(), "It expired at 2023-11-14 22:13:20 UTC.");
    EXPECT_STRNE(error.hint(), "");
  }
}

TEST(Reader, ChecksExpiryBeforeEveryRequest) {
  const Server server(Each([](const std::string &request) { return Ids(request, 10, 4); }));
  for (const bool prefetch : {true, false}) {
    Fixture f(server, Options(Paging::kOffset, 10), std::time(nullptr) + 1000);
    ASSERT_TRUE(f.NextPage());
    clock_ahead = 1000 + kClockSkew + 1;
    const auto ask = [&] { prefetch ? f.reader.LookAhead() : (void)f.reader.Next(); };
    try {
      ask();
      ADD_FAILURE() << "sent with an expired token";
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), sqlstate::kInvalidAuthorization);
    }
    EXPECT_EQ(f.reader.counters().requests, 1U);
    EXPECT_EQ(f.session.active(), 0);
    EXPECT_EQ(f.reader.page().rows(), prefetch ? 4U : 0U);
    clock_ahead = 0;
    ASSERT_TRUE(f.NextPage()) << "and nothing was lost by it";
    EXPECT_EQ(f.Rows().front(), "5");
  }
}

TEST(Reader, SendsNothingWithAnExpiredToken) {
  const Server server(Each([](const std::string &request) { return Ids(request, 10, 4); }));
  Fixture f(server, Options(Paging::kOffset, 10), std::time(nullptr) - kClockSkew - 10);
  EXPECT_STREQ(f.Failure().sqlstate(), sqlstate::kInvalidAuthorization);
  EXPECT_EQ(server.accepted(), 0);
}

// What is under way was sent in time and may be used.
TEST(Reader, TakesThePageThatWasAskedForInTime) {
  const Server server(Each([](const std::string &request) { return Ids(request, 10, 4); }));
  Fixture f(server, Options(Paging::kOffset, 10), std::time(nullptr) + 1000);
  ASSERT_EQ(f.reader.Next(), Reader::Step::kWait);
  ASSERT_TRUE(DriveUntil(f.session, [&] { return f.session.active() == 0; }));
  clock_ahead = 1'000'000;
  EXPECT_TRUE(f.NextPage());
  clock_ahead = 0;
  EXPECT_EQ(f.reader.page().rows(), 4U);
}

const char *const kContext = "remote request: GET /rest/v1/t?select=c0:id&order=id&limit=10";

TEST(Reader, AnyOtherStatusIsAnError) {
  const struct {
    const char *status, *body, *sqlstate;
  } cases[] = {
      {"400 Bad Request", R"({"code":"42703","message":"no column","details":null,"hint":null})", "HV005"},
      {"400 Bad Request", R"({"code":"22P02","message":"bad input","details":null,"hint":null})", "22P02"},
      {"401 Unauthorized", R"({"code":"PGRST301","message":"JWT expired","details":null,"hint":null})", "28000"},
      {"416 Range Not Satisfiable", R"({"code":"PGRST103","message":"offset","details":null,"hint":null})", "HV00C"},
      {"500 Oops", "<html>oops</html>", "08006"},
      {"201 Created", "[]", "08P01"},
      {"204 No Content", "", "08P01"},
      {"302 Found", "", "08004"},
  };
  for (const auto &c : cases) {
    const Server server(Each([&c](const std::string &) {
      return Answer(c.status, c.body, "Content-Type: application/json\r\nContent-Range: */*\r\n");
    }));
    Fixture f(server);
    const Error error = f.Failure();
    EXPECT_STREQ(error.sqlstate(), c.sqlstate) << c.status;
    EXPECT_STREQ(error.context(), kContext) << c.status;
    EXPECT_EQ(f.LastAnswer().status, std::stoi(c.status));
    EXPECT_EQ(f.reader.counters().pages, 0U);
    EXPECT_EQ(f.reader.counters().requests, 1U);
  }
}

TEST(Reader, ErrorOnALaterPage) {
  const Server server(Each([](const std::string &request) {
    return Number(request, "offset=") ? Answer("500 Oops", "") : Ids(request, 10, 4);
  }));
  Fixture f(server);
  ASSERT_TRUE(f.NextPage());
  f.reader.LookAhead();
  EXPECT_EQ(f.reader.page().rows(), 4U);
  EXPECT_EQ(f.Failure().context(), std::string(kContext) + "&offset=4");
  EXPECT_EQ(f.reader.counters().pages, 1U);
}

TEST(Reader, AnswerWithoutContentRangeIsNone) {
  for (const char *header : {"", "Content-Range: \r\n", "Content-Range: bytes 0-1\r\n", "Content-Range: 0-0\r\n",
                             "Content-Range: 1-0/*\r\n", "Content-Range: 0-0/x\r\n", "X-Content-Range: 0-0/*\r\n"}) {
    const Server server(Each([header](const std::string &) {
      return Answer("200 OK", "[{\"c0\":1}]", std::string("Content-Type: application/json\r\n") + header);
    }));
    Fixture f(server);
    const Error error = f.Failure();
    EXPECT_STREQ(error.sqlstate(), sqlstate::kProtocolViolation) << header;
    EXPECT_STREQ(error.what(), "answer to a read has no valid Content-Range header");
    EXPECT_STREQ(error.context(), kContext);
  }
}

TEST(Reader, ContextIsCut) {
  const Server server(Each([](const std::string &) { return Answer("200 OK", "[]"); }));
  PagerOptions options = Options(Paging::kOffset, 10);
  options.query.relation = std::string(1000, 'r');
  Fixture f(server, options);
  const std::string label = "GET /rest/v1/" + std::string(1000, 'r');
  EXPECT_EQ(f.Failure().context(), "remote request: " + label.substr(0, 300));
}

TEST(Reader, BodyThatIsNoPageIsNone) {
  const std::string json = "Content-Type: application/json\r\nContent-Range: 0-0/*\r\n";
  const struct {
    const char *body;
    std::string headers;
  } cases[] = {
      {"[{\"c0\":1}]", "Content-Type: text/html\r\nContent-Range: 0-0/*\r\n"},
      {"[{\"c0\":1}", json},
      {"[{\"id\":1}]", json},
      {"{\"c0\":1}", json},
      {"", json},
  };
  for (const auto &c : cases) {
    const Server server(Each([&c](const std::string &) { return Answer("200 OK", c.body, c.headers); }));
    Fixture f(server);
    const Error error = f.Failure();
    EXPECT_STREQ(error.sqlstate(), sqlstate::kProtocolViolation) << c.body;
    EXPECT_STREQ(error.context(), kContext) << c.body;
    EXPECT_EQ(f.reader.counters().pages, 0U);
  }
}

TEST(Reader, BrokenConnectionIsAnError) {
  const Server server([](test::Connection &connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[");
  });
  Fixture f(server);
  const Error error = f.Failure();
  EXPECT_STREQ(error.sqlstate(), sqlstate::kConnectionFailure);
  EXPECT_STREQ(error.context(), kContext);
}

}  // namespace
}  // namespace supabase
