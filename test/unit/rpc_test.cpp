#include "rpc.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "http_driver.hpp"
#include "query.hpp"
#include "reader.hpp"
#include "request.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::DriveUntil;
using test::Each;
using test::Log;
using test::Server;

struct Failure {
  std::string sqlstate, message, detail, hint;
};

// What the function throws; empty for nothing.
Failure ErrorOf(const std::function<void()> &function) {
  try {
    function();
    return {};
  } catch (const Error &error) {
    return {error.sqlstate(), error.what(), error.detail(), error.hint()};
  }
}

std::string Query(const std::string &object) {
  return ArgumentQuery(SplitArguments(object)).value_or("none");
}

TEST(Rpc, SplitsArgumentsAndKeepsTheirText) {
  const std::vector<Argument> arguments =
      SplitArguments(R"( {"a":1e400, "b\n\"" : {"x":[1, 2.50]}, "":"é\u0041", "n":null})");
  ASSERT_EQ(arguments.size(), 4U);
  EXPECT_EQ(arguments[0].json, "1e400");
  EXPECT_EQ(arguments[1].name, "b\n\"");
  EXPECT_EQ(arguments[1].json, R"({"x":[1, 2.50]})");
  EXPECT_EQ(arguments[2].name, "");
  EXPECT_EQ(arguments[2].json, R"("é\u0041")");
  EXPECT_EQ(ArgumentBody(arguments), R"({"a":1e400,"b\u000a\"":{"x":[1, 2.50]},"":"é\u0041","n":null})");
  EXPECT_EQ(ArgumentBody({}), "{}");
}

TEST(Rpc, ArgumentsAreAnObject) {
  for (const char *text : {"", "[]", "1", "\"a\"", "null", "{", "{\"a\"}", "{\"a\":}"}) {
    EXPECT_EQ(ErrorOf([&] { SplitArguments(text); }).sqlstate, "22023") << text;
  }
}

TEST(Rpc, GetPassesOnlyWhatItPassesAsPostDoes) {
  EXPECT_EQ(Query("{}"), "");
  EXPECT_EQ(Query(R"({"a":1,"b":"x y&z=1","c":true,"d":-1.50,"e":""})"), "a=1&b=x%20y%26z%3D1&c=true&d=-1.50&e=");
  EXPECT_EQ(Query(R"({"a":"1.5.2"})"), "a=1.5.2");
  // taken for filters
  for (const char *value : {"eq.1", "not.is.null", "like(any).{a}", "x.y", "fts(english).cat"})
    EXPECT_EQ(Query("{\"a\":\"" + std::string(value) + "\"}"), "none") << value;
  // PostgREST's own parameters and grammar
  for (const char *name : {"select", "order", "limit", "offset", "and", "or", "not", "columns", "on_conflict", "a.b",
                           "a b", "1a", "", "a-b", "ä"}) {
    EXPECT_EQ(Query("{\"" + std::string(name) + "\":1}"), "none") << name;
  }
  // no text that the remote would read as this value
  for (const char *value : {"null", "[1]", "{\"x\":1}", "\"a\\u0000b\""})
    EXPECT_EQ(Query("{\"a\":" + std::string(value) + "}"), "none") << value;
  EXPECT_EQ(Query("{\"a\":\"" + std::string(5000, 'x') + "\"}"), "none");
}

TEST(Rpc, PathIsOneSegment) {
  EXPECT_EQ(FunctionPath("fn odd/\"x\"?#%"), "/rpc/fn%20odd%2F%22x%22%3F%23%25");
}

TEST(Rpc, AnswersBecomeRows) {
  EXPECT_EQ(RowsOfCall(R"([{"c0":1}])", 1, false), R"([{"c0":1}])");
  EXPECT_EQ(RowsOfCall(R"({"c0":1})", 1, false), R"([{"c0":1}])");
  EXPECT_EQ(RowsOfCall("null", 2, false), R"([{"c0":null,"c1":null}])");
  EXPECT_EQ(RowsOfCall("null", 2, true), "[]");
  EXPECT_EQ(RowsOfValues("[1, null,\"x\"]", true, false), R"([{"c0":1},{"c0":null},{"c0":"x"}])");
  EXPECT_EQ(RowsOfValues("[1, null,\"x\"]", true, true), R"([{"c0":"1"},{"c0":null},{"c0":"\"x\""}])");
  EXPECT_EQ(RowsOfValues("[1,2]", false, true), R"([{"c0":"[1,2]"}])");
  EXPECT_EQ(RowsOfValues(" 5\n", false, false), R"([{"c0":5}])");
  EXPECT_EQ(RowsOfValues("[]", true, false), "[]");
}

TEST(Rpc, ArraysAreSplitByText) {
  const std::string body = "[1e400, {\"a\" : [1,2]}, \"],[\", null , [] ]";
  const auto elements = SplitJsonArray(body, "");
  ASSERT_TRUE(elements);
  EXPECT_EQ(*elements, (std::vector<std::string_view>{"1e400", "{\"a\" : [1,2]}", "\"],[\"", "null", "[]"}));
  EXPECT_FALSE(SplitJsonArray("{}", ""));
  for (const char *text : {"[", "[1", "[1,]", "[1] 2", "[1 2]", "[\"a]"}) {
    EXPECT_EQ(ErrorOf([&] { SplitJsonArray(text, ""); }).sqlstate, "08P01") << text;
  }
}

TEST(Rpc, TargetOfAFunction) {
  ReadQuery query;
  query.relation = "f/g";
  query.select = {{"a", false}};
  query.function.emplace();
  EXPECT_EQ(BuildTarget(query), "/rpc/f%2Fg?select=c0:a");
  query.function->arguments = "x=1";
  query.limit = 3;
  EXPECT_EQ(BuildTarget(query), "/rpc/f%2Fg?select=c0:a&x=1&limit=3");
  query.function->result = FunctionSource::Result::kValues;
  EXPECT_EQ(BuildTarget(query), "/rpc/f%2Fg?x=1&limit=3");
  query.function->arguments.clear();
  EXPECT_EQ(BuildTarget(query), "/rpc/f%2Fg?limit=3");
  query.limit.reset();
  EXPECT_EQ(BuildTarget(query), "/rpc/f%2Fg");
}

// ---- FunctionCall against a server ----

std::string Json(const std::string &status, const std::string &body, const std::string &range) {
  return Answer(status, body, "Content-Type: application/json\r\nContent-Range: " + range + "\r\n");
}

struct CallRun {
  std::vector<std::string> rows;
  Failure failure;
};

CallRun CallAll(const Server &server, const std::string &arguments, ResultShape shape = ResultShape::kAuto) {
  Session session;
  FunctionCall::Options options;
  options.prototype = test::Get(server.url());
  options.prototype.label.clear();
  options.prototype.max_retries = 2;
  options.schema = "public";
  options.function = "f";
  options.arguments = arguments;
  options.shape = shape;
  CallRun run;
  run.failure = ErrorOf([&] {
    FunctionCall call(&session, options);
    while (const Transfer *transfer = call.Waiting()) {
      ASSERT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
      call.Take();
      for (const std::string_view row : call.rows())
        run.rows.emplace_back(row);
    }
  });
  return run;
}

TEST(FunctionCall, ShapeFollowsTheNumberOfRows) {
  struct Case {
    const char *body, *range;
    ResultShape shape;
    std::vector<std::string> rows;
  };
  for (const Case &c : std::vector<Case>{{"5", "0-0/1", ResultShape::kAuto, {"5"}},
                                         {"null", "0-0/1", ResultShape::kAuto, {"null"}},
                                         {"[1,2,3]", "0-2/3", ResultShape::kAuto, {"1", "2", "3"}},
                                         {"[1,2,3]", "0-0/1", ResultShape::kAuto, {"[1,2,3]"}},
                                         {"[]", "0-0/1", ResultShape::kAuto, {"[]"}},
                                         {"[]", "*/0", ResultShape::kAuto, {}},
                                         {"[7]", "0-0/1", ResultShape::kAuto, {"7"}},
                                         {"[7]", "0-0/1", ResultShape::kSet, {"7"}},
                                         {"[7]", "0-0/1", ResultShape::kValue, {"[7]"}},
                                         {"{\"a\":1e400}", "0-0/1", ResultShape::kAuto, {"{\"a\":1e400}"}}}) {
    const Server server(Each([&](const std::string &) { return Json("200 OK", c.body, c.range); }));
    const CallRun run = CallAll(server, "{}", c.shape);
    EXPECT_EQ(run.failure.sqlstate, "") << c.body << c.range;
    EXPECT_EQ(run.rows, c.rows) << c.body << c.range;
  }
}

TEST(FunctionCall, NoContentIsNoRow) {
  const Server server(Each([](const std::string &) { return Answer("204 No Content", ""); }));
  const CallRun run = CallAll(server, "{}");
  EXPECT_EQ(run.failure.sqlstate, "");
  EXPECT_TRUE(run.rows.empty());
}

TEST(FunctionCall, PostsOnceAndNeverAgainAfterAnOpenOutcome) {
  Log log;
  const Server server(Each([&](const std::string &request) {
    log.Add(request);
    return Answer("502 Bad Gateway", "");
  }));
  const CallRun run = CallAll(server, "{\"a\":1}");
  EXPECT_NE(run.failure.sqlstate, "");
  ASSERT_EQ(log.size(), 1U);
  const std::string request = log.entries()[0];
  EXPECT_EQ(request.rfind("POST /rpc/f HTTP", 0), 0U) << request;
  EXPECT_NE(request.find("{\"a\":1}"), std::string::npos);
  EXPECT_NE(request.find("Prefer: count=exact"), std::string::npos);
}

TEST(FunctionCall, RestOfACutResultComesByGetFromTheLastRow) {
  Log log;
  const Server server(Each([&](const std::string &request) {
    log.Add(request);
    if (log.size() == 1) return Json("206 Partial Content", "[1,2]", "0-1/5");
    if (log.size() == 2) return Json("206 Partial Content", "[2,3]", "1-2/5");
    if (log.size() == 3) return Json("206 Partial Content", "[3,4]", "2-3/5");
    return Json("206 Partial Content", "[4,5]", "3-4/5");
  }));
  const CallRun run = CallAll(server, "{\"a\":\"x\"}");
  EXPECT_EQ(run.failure.sqlstate, "") << run.failure.message;
  EXPECT_EQ(run.rows, (std::vector<std::string>{"1", "2", "3", "4", "5"}));
  ASSERT_EQ(log.size(), 4U);
  EXPECT_EQ(log.entries()[1].rfind("GET /rpc/f?a=x&offset=1 HTTP", 0), 0U);
  EXPECT_EQ(log.entries()[3].rfind("GET /rpc/f?a=x&offset=3 HTTP", 0), 0U);
}

TEST(FunctionCall, ACutResultThatCannotBeCompletedIsAnError) {
  struct Case {
    std::string arguments, second, detail;
  };
  const std::string refused = Answer("405 Method Not Allowed", R"({"code":"25006","message":"read-only"})",
                                     "Content-Type: application/json\r\n");
  for (const Case &c :
       std::vector<Case>{{"{}", Json("200 OK", "[9,3]", "1-2/3"), "returned other rows"},
                         {"{}", Json("200 OK", "[2,3,4]", "1-3/4"), "returned other rows"},
                         {"{}", Json("200 OK", "[]", "*/3"), "returned other rows"},
                         {"{}", refused, "The function writes"},
                         {"{\"a\":[1]}", Json("200 OK", "[2,3]", "1-2/3"), "do not fit a read-only request"}}) {
    Log log;
    const Server server(Each([&](const std::string &request) {
      log.Add(request);
      return log.size() == 1 ? Json("206 Partial Content", "[1,2]", "0-1/3") : c.second;
    }));
    const CallRun run = CallAll(server, c.arguments);
    EXPECT_EQ(run.failure.sqlstate, "54000") << c.detail;
    EXPECT_NE(run.failure.detail.find(c.detail), std::string::npos) << run.failure.detail;
  }
}

TEST(FunctionCall, AFunctionThatIsMissingHasItsOwnCode) {
  for (const auto &[code, sqlstate] : {std::pair{"PGRST202", "42883"}, {"PGRST203", "42725"}, {"22003", "22003"}}) {
    const std::string body = std::string(R"({"code":")") + code + R"(","message":"m","details":null,"hint":null})";
    const Server server(
        Each([&](const std::string &) { return Answer("404 Not Found", body, "Content-Type: application/json\r\n"); }));
    EXPECT_EQ(CallAll(server, "{}").failure.sqlstate, sqlstate);
  }
}

TEST(FunctionCall, AnswersThatContradictTheirRangeAreRefused) {
  for (const auto &[body, range] : {std::pair{"[1,2]", "0-2/3"}, {"5", "0-1/2"}, {"[1", "0-0/1"}, {"", "0-0/1"}}) {
    const Server server(
        Each([&, body = body, range = range](const std::string &) { return Json("200 OK", body, range); }));
    EXPECT_EQ(CallAll(server, "{}").failure.sqlstate, "08P01") << body;
  }
}

// ---- A function's rows as a table's ----

struct ReadRun {
  std::vector<std::string> rows;  // first cell of each
  Failure failure;
};

ReadRun ReadAll(const Server &server, PagerOptions options) {
  Session session;
  RowCap cap;
  options.query.relation = "f";
  options.query.select = {{"a", false}};
  if (!options.query.function) options.query.function.emplace();
  options.query.function->hint = "the hint";
  ReadRun run;
  run.failure = ErrorOf([&] {
    Reader reader(&session, test::Prototype(server.url()), Streams(std::move(options), {1, true}, &cap), 0);
    for (;;) {
      Reader::Step step = reader.Next();
      if (step == Reader::Step::kWait) {
        ASSERT_TRUE(DriveUntil(session, [&] { return (step = reader.Next()) != Reader::Step::kWait; }));
      }
      if (step != Reader::Step::kPage) break;
      for (size_t row = reader.first_row(); row < reader.page().rows(); row++) {
        const Cell &cell = reader.page().Row(row)[0];
        run.rows.push_back(cell.kind == Cell::Kind::kNull ? "NULL" : std::string(cell.data, cell.size));
      }
    }
  });
  return run;
}

PagerOptions CallOptions(Paging paging, FunctionSource::Result result = FunctionSource::Result::kRows) {
  PagerOptions options;
  options.paging = paging;
  options.query.function.emplace();
  options.query.function->result = result;
  return options;
}

TEST(FunctionTable, AnswersOfEveryShape) {
  using Result = FunctionSource::Result;
  struct Case {
    const char *body, *range;
    Result result;
    std::vector<std::string> rows;
  };
  for (const Case &c : std::vector<Case>{{R"([{"c0":1},{"c0":2}])", "0-1/2", Result::kRows, {"1", "2"}},
                                         {R"({"c0":1})", "0-0/1", Result::kRows, {"1"}},
                                         {"null", "0-0/1", Result::kRows, {"NULL"}},
                                         {"null", "*/0", Result::kRows, {}},
                                         {"[1,2]", "0-1/2", Result::kValues, {"1", "2"}},
                                         {"5", "0-0/1", Result::kValue, {"5"}},
                                         {"[1,2]", "0-0/1", Result::kValue, {"[1,2]"}}}) {
    const Server server(Each([&](const std::string &) { return Json("200 OK", c.body, c.range); }));
    const ReadRun run = ReadAll(server, CallOptions(Paging::kOnce, c.result));
    EXPECT_EQ(run.failure.sqlstate, "") << c.body << run.failure.message;
    EXPECT_EQ(run.rows, c.rows) << c.body;
  }
}

TEST(FunctionTable, IsAskedOnceWithoutALimitAndACutIsAnError) {
  Log log;
  const Server server(Each([&](const std::string &request) {
    log.Add(request);
    return Json("206 Partial Content", R"([{"c0":1},{"c0":2}])", "0-1/3");
  }));
  const ReadRun run = ReadAll(server, CallOptions(Paging::kOnce));
  EXPECT_EQ(run.failure.sqlstate, "54000");
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log.entries()[0].rfind("GET /rpc/f?select=c0:a HTTP", 0), 0U) << log.entries()[0];
  EXPECT_NE(log.entries()[0].find("Prefer: count=exact"), std::string::npos);
  PagerOptions limited = CallOptions(Paging::kOnce);
  limited.row_limit = 2;
  const ReadRun enough = ReadAll(server, std::move(limited));
  EXPECT_EQ(enough.failure.sqlstate, "");
  EXPECT_EQ(enough.rows.size(), 2U);
}

TEST(FunctionTable, ThatOnlyReadsIsReadOnFromItsLastRow) {
  Log log;
  std::string third = R"([{"c0":2},{"c0":3}])";
  const Server server(Each([&](const std::string &request) {
    log.Add(request);
    return log.size() % 2 == 1 ? Json("206 Partial Content", R"([{"c0":1},{"c0":2}])", "0-1/3")
                               : Json("206 Partial Content", third, "1-2/3");
  }));
  const ReadRun run = ReadAll(server, CallOptions(Paging::kRepeat));
  EXPECT_EQ(run.failure.sqlstate, "") << run.failure.message;
  EXPECT_EQ(run.rows, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(log.entries()[1].rfind("GET /rpc/f?select=c0:a&offset=1 HTTP", 0), 0U) << log.entries()[1];
  third = R"([{"c0":9},{"c0":3}])";
  EXPECT_EQ(ReadAll(server, CallOptions(Paging::kRepeat)).failure.sqlstate, "54000");
}

TEST(FunctionTable, NoContentIsNoRowAndAMissingFunctionHasTheHint) {
  const Server empty(Each([](const std::string &) { return Answer("204 No Content", ""); }));
  const ReadRun none = ReadAll(empty, CallOptions(Paging::kOnce));
  EXPECT_EQ(none.failure.sqlstate, "");
  EXPECT_TRUE(none.rows.empty());
  const Server missing(Each([](const std::string &) {
    return Answer("404 Not Found", R"({"code":"PGRST202","message":"m","details":null,"hint":null})",
                  "Content-Type: application/json\r\n");
  }));
  const ReadRun run = ReadAll(missing, CallOptions(Paging::kOnce));
  EXPECT_EQ(run.failure.sqlstate, "42883");
  EXPECT_EQ(run.failure.hint, "the hint");
}

// ---- FreeRequest ----

Request Free(const char *method, const char *path, const char *query = "{}", const char *body = nullptr) {
  Request request;
  request.url = "http://h/rest/v1";
  SetFreeRequest(&request, {method, path, query, body, "public", "/rest/v1"});
  return request;
}

TEST(FreeRequest, IsEncodedFromPlainText) {
  const Request request =
      Free("get", "/odd, \"t\"/%2e?#", R"({"id":["gt.1","lt.5"],"a&b":"c=d e","limit":3,"x":true})");
  EXPECT_EQ(request.url,
            "http://h/rest/v1/odd%2C%20%22t%22/%252e%3F%23?id=gt.1&id=lt.5&a%26b=c%3Dd%20e&limit=3&x=true");
  EXPECT_EQ(request.method, "GET");
  EXPECT_TRUE(request.idempotent);
  EXPECT_EQ(request.label.rfind("GET /rest/v1/odd", 0), 0U);
  const Request write = Free("Patch", "/t", R"({"id":"eq.1"})", R"({"a":1e400})");
  EXPECT_EQ(write.method, "PATCH");
  EXPECT_FALSE(write.idempotent);
  EXPECT_EQ(write.body, R"({"a":1e400})");
}

TEST(FreeRequest, RefusesWhatCouldLeaveTheRoot) {
  for (const char *path : {"", "t", "//t", "/t/", "/../t", "/a/../b", "/.", "/a//b"})
    EXPECT_EQ(ErrorOf([&] { Free("GET", path); }).sqlstate, "22023") << path;
  for (const char *method : {"", "GETT", "TRACE", "CONNECT", "GET\r\n", "OPTIONS"})
    EXPECT_EQ(ErrorOf([&] { Free(method, "/t"); }).sqlstate, "22023") << method;
  for (const char *query : {"[]", "{\"a\":null}", "{\"a\":{}}", "{\"a\":[[1]]}", "1"})
    EXPECT_EQ(ErrorOf([&] { Free("GET", "/t", query); }).sqlstate, "22023") << query;
  EXPECT_EQ(ErrorOf([&] { Free("GET", "/t", "{}", "{}"); }).sqlstate, "22023");
  const std::string longest = "{\"a\":\"" + std::string(13000, 'x') + "\"}";
  EXPECT_EQ(ErrorOf([&] { Free("GET", "/t", longest.c_str()); }).sqlstate, "54000");
}

TEST(FreeRequest, ResultIsTheJsonOfASuccess) {
  Request request;
  Response response;
  response.status = 200;
  response.headers = {{"content-type", "application/json; charset=utf-8"}};
  response.body = "[1e400]";
  EXPECT_EQ(FreeResult(request, response), "[1e400]");
  response.body = "\n ";
  EXPECT_EQ(FreeResult(request, response), "");
  response.body = "<html>";
  response.headers = {{"content-type", "text/html"}};
  EXPECT_EQ(ErrorOf([&] { FreeResult(request, response); }).sqlstate, "08P01");
  response.status = 404;
  EXPECT_NE(ErrorOf([&] { FreeResult(request, response); }).sqlstate, "");
}

}  // namespace
}  // namespace supabase
