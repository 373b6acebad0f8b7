#include "count.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "error.hpp"
#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::DriveUntil;
using test::Each;
using test::Log;
using test::Server;

constexpr char kJson[] = "Content-Type: application/json\r\n";

ReadQuery Query(const std::string &relation) {
  ReadQuery query;
  query.relation = relation;
  query.select = {{"id", false, ""}, {"note", true, ""}};
  query.order = {{"id", false, false}};
  query.limit = 7;
  query.offset = 3;
  return query;
}

Condition Equals(const std::string &column, const std::string &value) {
  Condition condition;
  condition.kind = Condition::Kind::kCompare;
  condition.column = column;
  condition.values = {value};
  return condition;
}

// Every answer that is waited for.
void TakeAll(Session *session, CountReader *counts) {
  while (const Transfer *transfer = counts->Waiting()) {
    DriveUntil(*session, [&] { return transfer->done(); });
    counts->Take();
  }
}

TEST(Count, AsksForNoRow) {
  EXPECT_EQ(BuildCountTarget(Query("t")), "/t?select=c0:id&limit=0");
}

TEST(Count, TotalsComeInTheOrderOfTheQuestions) {
  Log log;
  Server server(Each([&](const std::string &request) {
    log.Add(request);
    // Any order of arrival: each relation's name says how many rows it has.
    std::string const total = request.substr(5, request.find('?') - 5);
    return Answer("206 Partial Content", "[]", std::string(kJson) + "Content-Range: */" + total + "\r\n");
  }));
  Session session;
  CountReader counts(&session, test::Prototype(server.url()), 0);
  for (const char *rows : {"12", "0", "18446744073709551615"}) {
    if (std::string(rows) == "0") {
      counts.AddNone();
    } else {
      EXPECT_TRUE(counts.Add(Query(rows)));
    }
  }
  TakeAll(&session, &counts);
  EXPECT_EQ(counts.totals(), (std::vector<uint64_t>{12, 0, UINT64_MAX}));
  EXPECT_EQ(counts.counters().requests, 2U);
  ASSERT_EQ(log.size(), 2U);
  for (const std::string &request : log.entries())
    EXPECT_NE(request.find("Prefer: count=exact\r\n"), std::string::npos) << request;
}

TEST(Count, WithoutATotalThereIsNoCount) {
  for (const char *range : {"", "Content-Range: */*\r\n", "Content-Range: 0-4/5\r\n", "Content-Range: five\r\n"}) {
    Server server(Each([&](const std::string &) { return Answer("200 OK", "[]", std::string(kJson) + range); }));
    Session session;
    CountReader counts(&session, test::Prototype(server.url()), 0);
    ASSERT_TRUE(counts.Add(Query("t")));
    try {
      TakeAll(&session, &counts);
      FAIL() << range;
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), sqlstate::kProtocolViolation) << range;
    }
  }
}

TEST(Count, RemoteErrorsKeepTheirCode) {
  Server server(Each([](const std::string &) {
    return Answer("400 Bad Request", R"({"code":"22012","message":"division by zero","details":null,"hint":null})",
                  kJson);
  }));
  Session session;
  CountReader counts(&session, test::Prototype(server.url()), 0);
  ASSERT_TRUE(counts.Add(Query("t")));
  try {
    TakeAll(&session, &counts);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "22012");
  }
}

TEST(Count, SendsNothingThatIsTooLong) {
  Server server(Each([](const std::string &) { return Answer("200 OK", "[]", kJson); }));
  Session session;
  CountReader counts(&session, test::Prototype(server.url()), 0);
  ReadQuery query = Query("t");
  query.where.push_back(Equals("note", std::string(kMaxTargetBytes, 'x')));
  EXPECT_FALSE(counts.Add(std::move(query)));
  EXPECT_EQ(counts.Waiting(), nullptr);
}

TEST(Count, SendsNothingWithAnExpiredToken) {
  Session session;
  CountReader counts(&session, Request(), 1);
  EXPECT_THROW(counts.Add(Query("t")), Error);
}

}  // namespace
}  // namespace supabase
