// What becomes of a write, by what came back.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "http_driver.hpp"
#include "test_server.hpp"
#include "write.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Connection;
using test::DriveUntil;
using test::Each;
using test::Server;

WriteQuery Insert() {
  WriteQuery query;
  query.rows.relation = "orders";
  query.columns = {"id"};
  return query;
}

WriteNote NoteOf(const WriteQuery &query, uint64_t rows = 2) {
  WriteNote note;
  note.verb = query.verb;
  note.conflict = query.conflict;
  note.table = query.rows.relation;
  note.select = query.rows.select.size();
  note.rows = rows;
  if (query.verb == WriteVerb::kInsert) note.first_row = 11;
  return note;
}

WriteAnswer Write(const std::string &url, const WriteQuery &query, const WriteNote &note, int max_retries = 0,
                  const std::string &body = R"([{"id":"1"},{"id":"2"}])") {
  Session session;
  Request request = test::Get(url);
  request.label = "POST ";
  request.max_retries = max_retries;
  SetWriteRequest(&request, query, BuildWriteTarget(query), body);
  const std::unique_ptr<Transfer> transfer = session.Send(std::move(request));
  EXPECT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
  return TakeWrite(note, *transfer);
}

// The outcome of an INSERT of rows 11 and 12 that is answered by that.
WriteAnswer AnsweredBy(const std::string &status, const std::string &body, const std::string &headers = {}) {
  const Server server(Each([&](const std::string &) { return Answer(status, body, headers); }));
  return Write(server.url(), Insert(), NoteOf(Insert()));
}

std::string StateOf(const WriteAnswer &answer) {
  return answer.failure ? answer.failure->sqlstate() : "00000";
}

std::string Code(const char *code) {
  return std::string(R"({"code":")") + code + R"(","message":"said","details":null,"hint":null})";
}

constexpr char kHtml[] = "<html><h1>Bad Gateway</h1></html>";

TEST(WriteAnswer, Outcomes) {
  const struct {
    const char *status;
    std::string body;
    Outcome outcome;
    const char *sqlstate;
  } cases[] = {
      // refused by PostgreSQL or PostgREST
      {"409 Conflict", Code("23505"), Outcome::kRefused, "23505"},
      {"403 Forbidden", Code("42501"), Outcome::kRefused, "42501"},
      {"400 Bad", Code("22P02"), Outcome::kRefused, "22P02"},
      {"400 Bad", Code("PGRST102"), Outcome::kRefused, "HV00C"},
      {"404 No", Code("PGRST205"), Outcome::kRefused, "HV00R"},
      {"401 No", Code("PGRST301"), Outcome::kRefused, "28000"},
      {"500 Error", Code("P0001"), Outcome::kRefused, "P0001"},
      {"500 Error", Code("57014"), Outcome::kRefused, "57014"},
      {"500 Error", Code("40001"), Outcome::kRefused, "40001"},
      {"500 Error", Code("53100"), Outcome::kRefused, "53100"},
      {"503 No", Code("PGRST000"), Outcome::kRefused, "57P03"},
      {"503 No", Code("PGRST002"), Outcome::kRefused, "57P03"},
      {"504 No", Code("PGRST003"), Outcome::kRefused, "57P03"},
      // by what stands before it
      {"400 Bad", kHtml, Outcome::kRefused, "HV00C"},
      {"401 No", "", Outcome::kRefused, "28000"},
      {"403 No", kHtml, Outcome::kRefused, "42501"},
      {"404 No", kHtml, Outcome::kRefused, "HV00R"},
      {"405 No", kHtml, Outcome::kRefused, "HV00C"},
      {"413 Large", kHtml, Outcome::kRefused, "HV00C"},
      {"414 Long", "", Outcome::kRefused, "HV00C"},
      {"429 Wait", kHtml, Outcome::kRefused, "53400"},
      {"307 Elsewhere", "", Outcome::kRefused, "08004"},
      // nobody knows
      {"408 Timeout", "", Outcome::kUnknown, "08007"},
      {"499 Gone", kHtml, Outcome::kUnknown, "08007"},
      {"500 Error", "", Outcome::kUnknown, "08007"},
      {"500 Error", kHtml, Outcome::kUnknown, "08007"},
      {"502 Bad", kHtml, Outcome::kUnknown, "08007"},
      {"503 No", kHtml, Outcome::kUnknown, "08007"},
      {"504 Late", kHtml, Outcome::kUnknown, "08007"},
      {"520 Odd", "", Outcome::kUnknown, "08007"},
      {"544 Late", R"({"message":"late"})", Outcome::kUnknown, "08007"},
      {"503 No", Code("PGRST001"), Outcome::kUnknown, "08007"},
      {"500 No", Code("PGRSTX00"), Outcome::kUnknown, "08007"},
      {"500 No", Code("57P01"), Outcome::kUnknown, "08007"},
      {"500 No", Code("57P02"), Outcome::kUnknown, "08007"},
      {"500 No", Code("40003"), Outcome::kUnknown, "08007"},
      {"503 No", Code("08006"), Outcome::kUnknown, "08007"},
      // codes of a gateway
      {"502 Bad", Code("upstream_error"), Outcome::kUnknown, "08007"},
      {"500 Bad", Code("UNEXPECTED"), Outcome::kUnknown, "08007"},
      {"504 Late", R"({"code":504,"message":"late"})", Outcome::kUnknown, "08007"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.status) + " " + c.body);
    const WriteAnswer answer = AnsweredBy(c.status, c.body);
    EXPECT_EQ(answer.outcome, c.outcome);
    EXPECT_EQ(StateOf(answer), c.sqlstate);
    EXPECT_EQ(answer.rows, 0U);
    EXPECT_EQ(answer.page.rows(), 0U);
  }
}

TEST(WriteAnswer, CountsAreTheRemotes) {
  const struct {
    const char *status, *range;
    uint64_t rows;
  } cases[] = {{"201 Created", "*/2", 2},
               {"201 Created", "*/0", 0},
               {"200 OK", "*/1", 1},
               {"204 None", "0-4/5", 5},
               {"200 OK", "0-1/123456", 123456}};
  for (const auto &c : cases) {
    const WriteAnswer answer = AnsweredBy(c.status, "", std::string("Content-Range: ") + c.range + "\r\n");
    EXPECT_EQ(answer.outcome, Outcome::kDone) << c.range;
    EXPECT_EQ(StateOf(answer), "00000") << c.range;
    EXPECT_EQ(answer.rows, c.rows) << c.range;
  }
}

// A success that does not come from PostgREST proves nothing.
TEST(WriteAnswer, SuccessWithoutACountIsUnknown) {
  for (const char *headers : {"", "Content-Range: */*\r\n", "Content-Range: 0-1/*\r\n", "Content-Range: x\r\n"}) {
    const WriteAnswer answer = AnsweredBy("200 OK", kHtml, headers);
    EXPECT_EQ(answer.outcome, Outcome::kUnknown) << headers;
    EXPECT_EQ(StateOf(answer), "08007") << headers;
    EXPECT_EQ(answer.rows, 0U);
  }
}

TEST(WriteAnswer, UnknownNamesWhatItWas) {
  const WriteAnswer answer = AnsweredBy("502 Bad", kHtml);
  ASSERT_TRUE(answer.failure);
  EXPECT_STREQ(answer.failure->what(), "outcome of the remote INSERT of rows 11 to 12 into \"orders\" is unknown");
  EXPECT_STREQ(answer.failure->detail(),
               "The request was sent, but: remote request failed with status 502. The remote answered: Bad Gateway");
  EXPECT_STREQ(answer.failure->hint(), "Look at the remote table before you repeat the statement.");
  EXPECT_STREQ(answer.failure->context(), "remote request: POST /orders?columns=id");
}

TEST(WriteAnswer, ConnectionsThatBreak) {
  const struct {
    const char *name;
    void (*serve)(Connection &);
    Outcome outcome;
  } cases[] = {
      {"no answer", [](Connection &c) { c.ReadRequest(); }, Outcome::kUnknown},
      {"reset", [](Connection &c) { c.ReadRequest(), c.Reset(); }, Outcome::kUnknown},
      {"cut head", [](Connection &c) { c.ReadRequest(), c.Write("HTTP/1.1 201 Cre"); }, Outcome::kUnknown},
      {"cut body",
       [](Connection &c) {
         c.ReadRequest();
         c.Write("HTTP/1.1 201 Created\r\nContent-Range: */2\r\nContent-Length: 9\r\n\r\n[");
       },
       Outcome::kUnknown},
      {"no HTTP", [](Connection &c) { c.ReadRequest(), c.Write("SSH-2.0-x\r\n"); }, Outcome::kUnknown},
  };
  for (const auto &c : cases) {
    const Server server(c.serve);
    const WriteAnswer answer = Write(server.url(), Insert(), NoteOf(Insert()), 3);
    EXPECT_EQ(answer.outcome, c.outcome) << c.name;
    EXPECT_EQ(StateOf(answer), "08007") << c.name;
    EXPECT_EQ(server.accepted(), 1) << c.name;
  }
}

TEST(WriteAnswer, NothingWasSent) {
  std::string closed;
  {
    const Server server([](Connection &) {});
    closed = server.url();
  }
  const WriteAnswer answer = Write(closed, Insert(), NoteOf(Insert()));
  EXPECT_EQ(answer.outcome, Outcome::kRefused);
  EXPECT_EQ(StateOf(answer), "08001");
}

WriteQuery Upsert(Conflict conflict = Conflict::kMerge) {
  WriteQuery query = Insert();
  query.conflict = conflict;
  query.on_conflict = {"id"};
  return query;
}

constexpr char kMerged[] = "Content-Range: */2\r\nPreference-Applied: return=minimal, resolution=merge-duplicates\r\n";

TEST(WriteAnswer, DuplicatesWereLookedFor) {
  const struct {
    Conflict conflict;
    const char *applied, *sqlstate;
  } cases[] = {
      {Conflict::kMerge, "Preference-Applied: resolution=merge-duplicates\r\n", "00000"},
      {Conflict::kMerge, "Preference-Applied: return=minimal, resolution=merge-duplicates, count=exact\r\n", "00000"},
      {Conflict::kMerge, "Preference-Applied: resolution=ignore-duplicates\r\n", "HV000"},
      {Conflict::kMerge, "Preference-Applied: return=minimal\r\n", "HV000"},
      {Conflict::kMerge, "", "HV000"},
      {Conflict::kIgnore, "Preference-Applied: resolution=ignore-duplicates\r\n", "00000"},
      {Conflict::kIgnore, "", "HV000"},
      {Conflict::kFail, "", "00000"},
  };
  for (const auto &c : cases) {
    const Server server(Each([&](const std::string &) {
      return Answer("201 Created", "", std::string("Content-Range: */2\r\n") + c.applied);
    }));
    const WriteAnswer answer = Write(server.url(), Upsert(c.conflict), NoteOf(Upsert(c.conflict)));
    EXPECT_EQ(answer.outcome, Outcome::kDone) << c.applied;
    EXPECT_EQ(answer.rows, 2U) << c.applied;
    EXPECT_EQ(StateOf(answer), c.sqlstate) << c.applied;
  }
}

// Answers the first request by `first`, later ones by `later`; an empty text is a cut.
WriteAnswer InTwoAttempts(const WriteQuery &query, const std::string &first, const std::string &later, int *requests) {
  std::atomic<int> count{0};
  const Server server([&](Connection &connection) {
    while (!connection.ReadRequest().empty()) {
      const std::string &answer = count++ == 0 ? first : later;
      if (answer.empty()) return;
      connection.Write(answer);
    }
  });
  WriteAnswer answer = Write(server.url(), query, NoteOf(query), 2);
  *requests = count;
  return answer;
}

TEST(WriteAnswer, WhatWasRepeated) {
  const std::string done = Answer("201 Created", "", kMerged), cut, bad = Answer("502 Bad", kHtml),
                    conflict = Answer("409 Conflict", Code("23505")), busy = Answer("503 No", Code("PGRST000")),
                    wait = Answer("429 Wait", "", "Retry-After: 0\r\n");
  const struct {
    const char *name;
    Conflict conflict;
    std::string first, later;
    int requests;
    Outcome outcome;
    const char *sqlstate;
  } cases[] = {
      {"upsert cut, done", Conflict::kMerge, cut, done, 2, Outcome::kDone, "00000"},
      {"upsert 502, done", Conflict::kMerge, bad, done, 2, Outcome::kDone, "00000"},
      {"upsert cut for ever", Conflict::kMerge, cut, cut, 3, Outcome::kUnknown, "08007"},
      // the first attempt may have done it all the same
      {"upsert cut, refused", Conflict::kMerge, cut, conflict, 2, Outcome::kUnknown, "08007"},
      {"upsert busy, refused", Conflict::kMerge, busy, conflict, 2, Outcome::kRefused, "23505"},
      {"insert cut", Conflict::kFail, cut, done, 1, Outcome::kUnknown, "08007"},
      {"insert 502", Conflict::kFail, bad, done, 1, Outcome::kUnknown, "08007"},
      {"insert busy, done", Conflict::kFail, busy, done, 2, Outcome::kDone, "00000"},
      {"insert waits, done", Conflict::kFail, wait, done, 2, Outcome::kDone, "00000"},
      {"insert waits, cut", Conflict::kFail, wait, cut, 2, Outcome::kUnknown, "08007"},
      {"insert busy for ever", Conflict::kFail, busy, busy, 3, Outcome::kRefused, "57P03"},
      {"ignore cut", Conflict::kIgnore, cut, done, 1, Outcome::kUnknown, "08007"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    int requests = 0;
    const WriteAnswer answer = InTwoAttempts(Upsert(c.conflict), c.first, c.later, &requests);
    EXPECT_EQ(answer.outcome, c.outcome);
    EXPECT_EQ(StateOf(answer), c.sqlstate);
    EXPECT_EQ(requests, c.requests);
  }
}

WriteAnswer Returned(const std::string &status, const std::string &body, const char *headers) {
  const Server server(Each([&](const std::string &) { return Answer(status, body, headers); }));
  WriteQuery query = Insert();
  query.rows.select = {{"id", false, {}}};
  return Write(server.url(), query, NoteOf(query));
}

constexpr char kTwoRows[] = "Content-Range: */2\r\nContent-Type: application/json; charset=utf-8\r\n";

TEST(WriteAnswer, RowsComeBack) {
  for (const char *status : {"201 Created", "200 OK"}) {
    const WriteAnswer answer = Returned(status, R"([{"c0":1},{"c0":2}])", kTwoRows);
    EXPECT_EQ(StateOf(answer), "00000");
    EXPECT_EQ(answer.outcome, Outcome::kDone);
    ASSERT_EQ(answer.page.rows(), 2U);
    EXPECT_STREQ(answer.page.Row(1)[0].data, "2");
  }
}

// The rows are there, whatever can be read of them.
TEST(WriteAnswer, UnreadableRowsAreDoneAllTheSame) {
  const struct {
    const char *body, *headers, *sqlstate;
  } cases[] = {
      {R"([{"c0":1},{"c0":2)", kTwoRows, "08P01"},
      {"", kTwoRows, "08P01"},
      {R"([{"c0":1},{"c1":2}])", kTwoRows, "08P01"},
      {R"([{"c0":1}])", kTwoRows, "08P01"},
      {R"([{"c0":1},{"c0":2},{"c0":3}])", kTwoRows, "08P01"},
      {R"([{"c0":"\u0000"},{"c0":2}])", kTwoRows, "22P05"},
      {kHtml, "Content-Range: */2\r\nContent-Type: text/html\r\n", "08P01"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.body);
    const WriteAnswer answer = Returned("201 Created", c.body, c.headers);
    EXPECT_EQ(answer.outcome, Outcome::kDone);
    EXPECT_EQ(answer.rows, 2U);
    EXPECT_EQ(StateOf(answer), c.sqlstate);
    EXPECT_NE(std::string(answer.failure->detail()).find("The write itself was done."), std::string::npos);
  }
}

std::string DetailOf(const char *code, const char *details, const WriteNote &note, const std::string &body) {
  const Server server(Each([&](const std::string &) {
    return Answer("409 Conflict", std::string(R"({"code":")") + code +
                                      R"(","message":"violates constraint \"c\"","details":")" + details + "\"}");
  }));
  const WriteAnswer answer = Write(server.url(), Insert(), note, 0, body);
  EXPECT_EQ(answer.outcome, Outcome::kRefused);
  EXPECT_STREQ(answer.failure->sqlstate(), code);
  if (code[0] == '2' && code[1] == '3') {
    EXPECT_STREQ(answer.failure->constraint(), "c");
  }
  return answer.failure->detail();
}

TEST(WriteAnswer, NamesTheRowThatAConstraintRefused) {
  const WriteNote two = NoteOf(Insert()), one = NoteOf(Insert(), 1);
  const std::string rows = R"([{"id":"1"},{"id":"2"}])", twice = R"([{"id":"2"},{"id":"2"}])";
  const std::string exists = "Key (id)=(2) already exists.", absent = "Key (id)=(2) is not present in table.";
  EXPECT_EQ(DetailOf("23505", exists.c_str(), two, rows), exists + " It is row 12 of the statement.");
  EXPECT_EQ(DetailOf("23505", exists.c_str(), two, twice), exists);
  EXPECT_EQ(DetailOf("23503", absent.c_str(), two, twice), absent + " It is row 11 of the statement.");
  EXPECT_EQ(DetailOf("23514", "Failing row contains (9).", two, rows), "Failing row contains (9).");
  EXPECT_EQ(DetailOf("23514", "Failing row contains (9).", one, rows),
            "Failing row contains (9). It is row 11 of the statement.");
  EXPECT_EQ(DetailOf("23502", "", one, rows), "It is row 11 of the statement.");
  EXPECT_EQ(DetailOf("22003", exists.c_str(), two, rows), exists);
  WriteNote unnumbered = two;
  unnumbered.first_row.reset();
  EXPECT_EQ(DetailOf("23505", exists.c_str(), unnumbered, rows), exists);
}

TEST(WriteAnswer, NotSentIsRefused) {
  const WriteAnswer answer = NotSent(Error("28000", "token has expired"));
  EXPECT_EQ(answer.outcome, Outcome::kRefused);
  EXPECT_EQ(StateOf(answer), "28000");
  EXPECT_EQ(answer.rows, 0U);
}

}  // namespace
}  // namespace supabase
