#include "writer.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Connection;
using test::DriveUntil;
using test::Server;

// Answers a request for /n by what the test has given for it, when it has given that; "" is a cut.
class Remote {
 public:
  Remote() : server_([this](Connection &connection) { Serve(connection); }) {}
  ~Remote() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  Remote(const Remote &) = delete;
  Remote &operator=(const Remote &) = delete;

  std::string url() const { return server_.url(); }
  void Give(int number, std::string answer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    answers_[number] = std::move(answer);
    changed_.notify_all();
  }
  size_t arrived() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return arrived_.size();
  }

 private:
  void Serve(Connection &connection) {
    for (;;) {
      const std::string request = connection.ReadRequest();
      if (request.empty()) return;
      const int number = std::stoi(request.substr(request.find('/') + 1));
      std::string answer;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        arrived_.insert(number);
        changed_.notify_all();
        changed_.wait(lock, [&] { return ended_ || answers_.count(number) > 0; });
        answer = ended_ ? "" : answers_[number];
      }
      if (answer.empty() || !connection.Write(answer)) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, std::string> answers_;
  std::multiset<int> arrived_;
  bool ended_ = false;
  Server server_;
};

std::string Inserted(int rows) {
  return Answer("201 Created", "", "Content-Range: */" + std::to_string(rows) + "\r\n");
}

const std::string kRefusal = Answer("409 Conflict", R"({"code":"23505","message":"duplicate key"})");

class WriterTest : public ::testing::Test {
 protected:
  void Send(Writer *writer, int number, uint64_t rows = 10) {
    WriteNote note;
    note.table = "t";
    note.rows = rows;
    note.first_row = static_cast<uint64_t>(number) * 10 + 1;
    writer->Send(test::Post(remote.url() + "/" + std::to_string(number), "[]"), note);
  }

  // The next answer; its first row tells whose it is.
  bool TakeNext(Writer *writer) {
    Writer::Step step = Writer::Step::kWait;
    EXPECT_TRUE(DriveUntil(session, [&] { return (step = writer->Next()) != Writer::Step::kWait; }));
    return step == Writer::Step::kAnswer;
  }

  Error FailureOf(const Writer &writer) {
    try {
      writer.ThrowFailure();
    } catch (const Error &error) {
      return error;
    }
  }

  // The failure once all of these have been answered, all of them under way together.
  Error FailureAfter(const std::vector<std::string> &answers) {
    Writer writer(&session, answers.size(), 0);
    for (size_t i = 0; i < answers.size(); ++i) {
      remote.Give(static_cast<int>(i), answers[i]);
      Send(&writer, static_cast<int>(i));
    }
    while (TakeNext(&writer)) {
    }
    EXPECT_TRUE(writer.failed());
    return FailureOf(writer);
  }

  Remote remote;
  Session session;
};

TEST_F(WriterTest, NothingUnderWay) {
  Writer writer(&session, 4, 0);
  EXPECT_TRUE(writer.idle());
  EXPECT_TRUE(writer.HasRoom());
  EXPECT_FALSE(writer.failed());
  EXPECT_EQ(writer.Next(), Writer::Step::kIdle);
}

TEST_F(WriterTest, AnswersComeInTheOrderOfTheRequests) {
  Writer writer(&session, 3, 0);
  for (int i = 0; i < 3; ++i)
    Send(&writer, i);
  // Not by the descriptor: the server's receipt of a request is no event of ours.
  while (remote.arrived() < 3)
    session.Pump();
  remote.Give(2, Inserted(3));
  remote.Give(1, Inserted(2));
  ASSERT_TRUE(DriveUntil(session, [&] { return session.active() == 1; }));
  EXPECT_EQ(writer.Next(), Writer::Step::kWait);
  remote.Give(0, Inserted(1));
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(TakeNext(&writer));
    EXPECT_EQ(writer.note().first_row, i * 10 + 1);
    EXPECT_EQ(writer.answer().outcome, Outcome::kDone);
    EXPECT_EQ(writer.answer().rows, i + 1);
    ASSERT_NE(writer.trace(), nullptr);
    EXPECT_EQ(writer.trace()->status, 201);
  }
  EXPECT_EQ(writer.Next(), Writer::Step::kIdle);
  EXPECT_TRUE(writer.idle());
  EXPECT_EQ(writer.counters().requests, 3U);
  EXPECT_EQ(writer.counters().rows, 6U);
  EXPECT_EQ(writer.counters().bytes_sent, 6U);
}

TEST_F(WriterTest, RoomIsForAsManyAsMayBeUnderWay) {
  Writer writer(&session, 2, 0);
  Send(&writer, 0);
  EXPECT_TRUE(writer.HasRoom());
  Send(&writer, 1);
  EXPECT_FALSE(writer.HasRoom());
  remote.Give(0, Inserted(1));
  ASSERT_TRUE(TakeNext(&writer));
  EXPECT_TRUE(writer.HasRoom());
  remote.Give(1, Inserted(1));
  ASSERT_TRUE(TakeNext(&writer));
}

TEST_F(WriterTest, AFailureStopsSendingAndTheOthersAreWaitedFor) {
  Writer writer(&session, 4, 0);
  for (int i = 0; i < 3; ++i)
    Send(&writer, i);
  remote.Give(0, kRefusal);
  ASSERT_TRUE(TakeNext(&writer));
  EXPECT_TRUE(writer.failed());
  EXPECT_FALSE(writer.HasRoom());
  EXPECT_EQ(writer.Next(), Writer::Step::kWait);
  remote.Give(1, Inserted(10));
  remote.Give(2, Inserted(10));
  EXPECT_TRUE(TakeNext(&writer));
  EXPECT_TRUE(TakeNext(&writer));
  EXPECT_FALSE(TakeNext(&writer));
  const Error error = FailureOf(writer);
  EXPECT_STREQ(error.sqlstate(), "23505");
  EXPECT_STREQ(error.detail(), "Other requests of the statement have changed 20 rows at the remote.");
}

TEST_F(WriterTest, TheFailureTellsWhatElseWasDone) {
  const Error alone = FailureAfter({kRefusal});
  EXPECT_STREQ(alone.sqlstate(), "23505");
  EXPECT_STREQ(alone.detail(), "");
  const Error one = FailureAfter({Inserted(1), kRefusal});
  EXPECT_STREQ(one.sqlstate(), "23505");
  EXPECT_STREQ(one.detail(), "Other requests of the statement have changed 1 row at the remote.");
  EXPECT_STREQ(FailureAfter({kRefusal, kRefusal}).detail(), "");
}

// What nobody knows weighs more than what was refused.
TEST_F(WriterTest, AnUnknownOutcomeIsTheFailure) {
  for (const bool first : {true, false}) {
    const std::string cut;
    const Error error =
        first ? FailureAfter({cut, kRefusal, Inserted(10)}) : FailureAfter({kRefusal, cut, Inserted(10)});
    EXPECT_STREQ(error.sqlstate(), "08007");
    const std::string detail = error.detail();
    EXPECT_NE(detail.find("Other requests of the statement have changed 10 rows at the remote."), std::string::npos)
        << detail;
    EXPECT_EQ(detail.find("Another request failed: duplicate key.") == std::string::npos, first) << detail;
    EXPECT_EQ(detail.find("more is unknown"), std::string::npos) << detail;
  }
}

TEST_F(WriterTest, SeveralUnknownOutcomes) {
  const Error error = FailureAfter({"", "", "", Inserted(5)});
  EXPECT_STREQ(error.sqlstate(), "08007");
  EXPECT_STREQ(error.what(), "outcome of the remote INSERT of rows 1 to 10 into \"t\" is unknown");
  const std::string detail = error.detail();
  EXPECT_NE(detail.find("have changed 5 rows at the remote. The outcome for 20 rows more is unknown."),
            std::string::npos)
      << detail;
}

TEST_F(WriterTest, UnknownRequestsWithoutANumberOfRows) {
  Writer writer(&session, 2, 0);
  for (int i = 0; i < 2; ++i) {
    remote.Give(i, "");
    Send(&writer, i, 0);
  }
  while (TakeNext(&writer)) {
  }
  const std::string detail = FailureOf(writer).detail();
  EXPECT_NE(detail.find("The outcome of other requests is unknown."), std::string::npos) << detail;
}

// What was done and could not be read has changed its rows itself, not "other requests".
TEST_F(WriterTest, RowsOfTheFailureItselfAreNotOthers) {
  Writer writer(&session, 2, 0);
  for (int i = 0; i < 2; ++i) {
    remote.Give(i, Answer("201 Created", i == 0 ? "[]" : "[{\"c0\":1}]",
                          "Content-Range: */1\r\nContent-Type: application/json\r\n"));
    WriteNote note;
    note.table = "t";
    note.select = 1;
    note.rows = 1;
    writer.Send(test::Post(remote.url() + "/" + std::to_string(i), "[]"), note);
  }
  while (TakeNext(&writer)) {
  }
  EXPECT_EQ(writer.counters().rows, 2U);
  const Error error = FailureOf(writer);
  EXPECT_STREQ(error.sqlstate(), "08P01");
  const std::string detail = error.detail();
  EXPECT_NE(detail.find("The write itself was done. Other requests of the statement have changed 1 row at the remote."),
            std::string::npos)
      << detail;
}

TEST_F(WriterTest, NothingIsSentWithAnExpiredCredential) {
  Writer writer(&session, 2, 1);
  Send(&writer, 0);
  ASSERT_EQ(writer.Next(), Writer::Step::kAnswer);
  EXPECT_EQ(writer.answer().outcome, Outcome::kRefused);
  EXPECT_EQ(writer.trace(), nullptr);
  EXPECT_EQ(writer.counters().requests, 0U);
  EXPECT_STREQ(FailureOf(writer).sqlstate(), "28000");
  EXPECT_EQ(remote.arrived(), 0U);
}

TEST_F(WriterTest, ARequestThatMustNotBeSentIsAnAnswer) {
  Writer writer(&session, 2, 0);
  remote.Give(0, Inserted(10));
  Send(&writer, 0);
  Request request = test::Post(remote.url() + "/1", "[]");
  request.headers.emplace_back("X", "a\r\nb");
  writer.Send(request, WriteNote());
  ASSERT_TRUE(TakeNext(&writer));
  ASSERT_TRUE(TakeNext(&writer));
  EXPECT_EQ(writer.answer().outcome, Outcome::kRefused);
  EXPECT_EQ(writer.counters().requests, 1U);
  const Error error = FailureOf(writer);
  EXPECT_STREQ(error.sqlstate(), "22023");
  EXPECT_NE(std::string(error.detail()).find("changed 10 rows"), std::string::npos);
}

}  // namespace
}  // namespace supabase
