// Trying again, giving up, and stopping in the middle.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Connection;
using test::DriveUntil;
using test::Each;
using test::Fetch;
using test::FetchError;
using test::Get;
using test::Post;
using test::Server;

using Clock = std::chrono::steady_clock;

int64_t MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

Request Retried(Request request, int max_retries = 3) {
  request.max_retries = max_retries;
  return request;
}

// Answers the first requests with the texts given, in order, and all later ones with "ok".
class Script {
 public:
  explicit Script(std::vector<std::string> answers)
      : answers_(std::move(answers)), server_(Each([this](const std::string &) {
          const size_t number = requests_++;
          return number < answers_.size() ? answers_[number] : Answer("200 OK", "ok");
        })) {}
  std::string url() const { return server_.url(); }
  int requests() const { return static_cast<int>(requests_); }

 private:
  const std::vector<std::string> answers_;
  std::atomic<size_t> requests_{0};
  Server server_;
};

TEST(HttpRetry, WaitsAsRetryAfterSays) {
  const struct {
    const char *status, *retry_after;
    int64_t at_least;
  } cases[] = {{"429 Too Many Requests", "0", 50}, {"503 Unavailable", "0", 50}, {"429 Too Many Requests", "1", 1000}};
  for (const auto &c : cases) {
    Script script({Answer(c.status, "wait", std::string("Retry-After: ") + c.retry_after + "\r\n")});
    Session session;
    const auto begin = Clock::now();
    const Response response = Fetch(session, Retried(Get(script.url())));
    EXPECT_EQ(response.body, "ok");
    EXPECT_EQ(response.retries, 1);
    EXPECT_GE(MillisecondsSince(begin), c.at_least);
    EXPECT_EQ(script.requests(), 2);
  }
}

TEST(HttpRetry, ReturnsTheLastAnswerWhenExhausted) {
  Script script({Answer("503 A", "1"), Answer("502 B", "2"), Answer("504 C", "3")});
  Session session;
  const Response response = Fetch(session, Retried(Get(script.url()), 2));
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.body, "3");
  EXPECT_EQ(response.retries, 2);
  EXPECT_EQ(script.requests(), 3);
}

TEST(HttpRetry, RepeatsPostOnlyWhenSurelyNotExecuted) {
  const struct {
    const char *status, *body;
    int requests;
  } cases[] = {
      {"503 Unavailable", "<html>\"code\":PGRST000</html>", 1},
      {"502 Bad Gateway", "", 1},
      {"503 Unavailable", R"({"code":"PGRST001","message":"Database client error"})", 1},
      {"503 Unavailable", R"({"code" : "PGRST000","details":null})", 2},
      {"500 Oops", R"({"message":"x","code":"40001"})", 2},
      {"500 Oops", R"({"message":"\"code\":\"40001\"","code":"P0001"})", 1},
      {"200 OK", R"([{"code":"40001"}])", 1},
      {"429 Slow Down", "", 2},
  };
  Session session;
  for (const auto &c : cases) {
    Script script({Answer(c.status, c.body)});
    const Response response = Fetch(session, Retried(Post(script.url(), "{}")));
    EXPECT_EQ(script.requests(), c.requests) << c.status << " " << c.body;
    EXPECT_EQ(response.retries, c.requests - 1) << c.status << " " << c.body;
  }
}

TEST(HttpRetry, RepeatsGetAfterABrokenAnswer) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    if (connection.number() == 0) connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    if (connection.number() == 1) connection.Write("HTTP/1.1 200 OK\r\nConte");
    if (connection.number() == 2) connection.Reset();
    if (connection.number() == 3) connection.Write(Answer("200 OK", "whole"));
  });
  Session session;
  const Response response = Fetch(session, Retried(Get(server.url())));
  EXPECT_EQ(response.body, "whole");
  EXPECT_EQ(response.retries, 3);
}

TEST(HttpRetry, RepeatsGetWhenKeptConnectionEndsWithoutAnAnswer) {
  std::atomic<int> requests{0};
  const Server server([&requests](Connection &connection) {
    while (!connection.ReadRequest().empty()) {
      if (++requests == 2) return;
      connection.Write(Answer("200 OK", "ok"));
    }
  });
  Session session;
  Fetch(session, Get(server.url()));
  EXPECT_EQ(Fetch(session, Retried(Get(server.url()), 1)).body, "ok");
  EXPECT_EQ(requests, 3);
}

// libcurl would send it again by itself.
TEST(HttpRetry, NeverRepeatsPostWhenKeptConnectionEndsWithoutAnAnswer) {
  std::atomic<int> requests{0};
  const Server server([&requests](Connection &connection) {
    while (!connection.ReadRequest().empty()) {
      if (++requests == 2) return;
      connection.Write(Answer("200 OK", "ok"));
    }
  });
  Session session;
  Fetch(session, Post(server.url(), "{}"));
  const Error error = FetchError(session, Retried(Post(server.url(), "{}")));
  EXPECT_STREQ(error.sqlstate(), "08007");
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(Fetch(session, Post(server.url(), "{}")).body, "ok");
}

// Whether a byte of a request can have been taken for one, in an attempt that no answer tells of.
TEST(HttpRetry, KnowsWhetherTheServerMayHaveRunIt) {
  const struct {
    const char *name;
    bool idempotent;
    std::vector<std::string> answers;  // empty: the connection ends
    bool may_have_run, answered;
  } cases[] = {
      {"answered", false, {Answer("200 OK", "ok")}, false, true},
      {"refused", false, {Answer("409 Conflict", R"({"code":"23505"})")}, false, true},
      {"an answer that stands", false, {Answer("502 Bad", "")}, false, true},
      {"cut", false, {""}, true, false},
      {"cut in the answer", false, {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}, true, false},
      {"waits, answered", false, {Answer("429 Wait", ""), Answer("200 OK", "ok")}, false, true},
      {"busy, answered", false, {Answer("503 No", R"({"code":"PGRST000"})"), Answer("200 OK", "ok")}, false, true},
      {"waits, cut", false, {Answer("429 Wait", ""), ""}, true, false},
      {"repeated after a cut", true, {"", Answer("200 OK", "ok")}, true, true},
      {"repeated after a gateway's word", true, {Answer("502 Bad", ""), Answer("409 No", "")}, true, true},
      {"repeated after a broken database",
       true,
       {Answer("503 No", R"({"code":"PGRST001"})"), Answer("200 OK", "ok")},
       true,
       true},
      {"cut for ever", true, {"", "", ""}, true, false},
  };
  for (const auto &c : cases) {
    std::atomic<size_t> number{0};
    const Server server([&](Connection &connection) {
      while (!connection.ReadRequest().empty()) {
        const std::string answer = c.answers.at(number++);
        if (answer.empty() || !connection.Write(answer) || answer.find("half") != std::string::npos) return;
      }
    });
    Session session;
    Request request = Retried(Post(server.url(), "{}"), 2);
    request.idempotent = c.idempotent;
    const auto transfer = session.Send(std::move(request));
    ASSERT_TRUE(DriveUntil(session, [&] { return transfer->done(); })) << c.name;
    EXPECT_EQ(transfer->may_have_run(), c.may_have_run) << c.name;
    EXPECT_EQ(transfer->answered(), c.answered) << c.name;
    EXPECT_EQ(number, c.answers.size()) << c.name;
  }
}

TEST(HttpRetry, NothingRanWhereNobodyListens) {
  std::string closed;
  {
    const Server server([](Connection &) {});
    closed = server.url();
  }
  Session session;
  const auto transfer = session.Send(Retried(Post(closed, "{}"), 1));
  ASSERT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
  EXPECT_FALSE(transfer->may_have_run());
  EXPECT_FALSE(transfer->answered());
}

// A gateway closes connections that were idle for a while; over TLS its goodbye is a record that waits to be read.
TEST(HttpRetry, SendsPostOnANewConnectionWhenTheKeptOneHasEnded) {
  const test::Certificate certificate;
  for (const test::Certificate *tls : {static_cast<const test::Certificate *>(nullptr), &certificate}) {
    std::promise<void> finish;
    std::shared_future<void> finished = finish.get_future().share();
    std::promise<void> ended;
    const Server server(
        [&](Connection &connection) {
          connection.ReadRequest();
          connection.Write(Answer("200 OK", "ok"));
          if (connection.number() > 0) return;
          finished.wait();
          connection.Goodbye();
          ended.set_value();
          connection.AwaitClose();
        },
        tls);
    Session session;
    session.settings().ca_file = certificate.file();
    Fetch(session, Post(server.url(), "{}"));
    finish.set_value();
    ended.get_future().wait();
    const Response response = Fetch(session, Post(server.url(), "{}"));
    EXPECT_EQ(response.body, "ok");
    EXPECT_EQ(response.retries, 0);
    EXPECT_EQ(server.accepted(), 2);
  }
}

TEST(HttpRetry, TimeoutThatNobodyWatchedIsTriedAgain) {
  std::atomic<int> requests{0};
  std::promise<void> received;
  const Server server([&](Connection &connection) {
    connection.ReadRequest();
    if (++requests > 1) return static_cast<void>(connection.Write(Answer("200 OK", "ok")));
    received.set_value();
    connection.AwaitClose();
  });
  Session session;
  Request request = Retried(Get(server.url()), 1);
  request.total_timeout_ms = 100;
  const auto transfer = session.Send(request);
  const auto arrival = received.get_future();
  const auto arrived = [&] { return arrival.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
  // Not by the descriptor: the server's receipt of the request is no event of ours.
  while (!arrived())
    session.Pump();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the cursor is left alone
  ASSERT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
  EXPECT_EQ(transfer->Result().retries, 1);
}

TEST(HttpCancel, MidBodyLeavesSessionUsable) {
  const Server server([](Connection &connection) {
    if (connection.ReadRequest().find("/slow") != std::string::npos) {
      connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin");
      connection.AwaitClose();
    } else {
      connection.Write(Answer("200 OK", "ok"));
    }
  });
  Session session;
  for (int i = 0; i < 10; ++i) {
    auto slow = session.Send(Get(server.url() + "/slow"));
    EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
    EXPECT_FALSE(slow->done());
    EXPECT_THROW(slow->Result(), Error);
    slow.reset();
    EXPECT_EQ(session.active(), 0);
  }
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
}

TEST(HttpCancel, BeforeAnythingHappened) {
  const Server server(Each([](const std::string &) { return Answer("200 OK", "ok"); }));
  Session session;
  { const auto unsent = session.Send(Get(server.url())); }
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
}

TEST(HttpCancel, DuringBackOff) {
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &request) {
    if (request.find("/busy") == std::string::npos) return Answer("200 OK", "ok");
    ++requests;
    return Answer("429 Wait", "", "Retry-After: 60\r\n");
  }));
  Session session;
  auto waiting = session.Send(Retried(Get(server.url() + "/busy")));
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  while (requests == 0)
    session.Pump();
  waiting.reset();
  EXPECT_EQ(session.active(), 0);
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  EXPECT_EQ(requests, 1);
}

TEST(HttpCancel, SessionMayGoBeforeItsTransfers) {
  const Server server([](Connection &connection) { connection.AwaitClose(); });
  auto session = std::make_unique<Session>();
  const auto transfer = session->Send(Get(server.url()));
  session.reset();
  EXPECT_TRUE(transfer->done());
  EXPECT_THROW(transfer->Result(), Error);
}

TEST(HttpSession, KeepsTheSignalMask) {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    Session session;
    session.Pump();
    session.CloseIdle();
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < 32; ++signal)
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
}

TEST(HttpSession, DescriptorIsQuietWhenNothingIsToBeDone) {
  const Server server(Each([](const std::string &) { return Answer("200 OK", "ok"); }));
  Session session;
  Fetch(session, Get(server.url()));
  pollfd waited{session.fd(), POLLIN, 0};
  int rounds = 0;  // a timer of libcurl may remain, but it must run out
  while (poll(&waited, 1, 0) > 0 && ++rounds < 20)
    session.Pump();
  EXPECT_LT(rounds, 20);
}

}  // namespace
}  // namespace supabase
