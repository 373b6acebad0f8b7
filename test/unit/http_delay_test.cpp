// Requests that are to wait before they start.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Each;
using test::Fetch;
using test::Get;
using test::Server;

using Clock = std::chrono::steady_clock;

int64_t MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

TEST(HttpDelay, StartsLater) {
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &) {
    ++requests;
    return Answer("200 OK", "ok");
  }));
  Session session;
  Request request = Get(server.url());
  request.delay_ms = 80;
  const auto begin = Clock::now();
  const std::unique_ptr<Transfer> transfer = session.Send(request);
  EXPECT_EQ(session.active(), 1);
  // One that is not to wait goes first.
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  ASSERT_TRUE(test::DriveUntil(session, [&] { return transfer->done(); }));
  EXPECT_GE(MillisecondsSince(begin), 80);
  EXPECT_EQ(transfer->Result().body, "ok");
  EXPECT_EQ(transfer->Result().retries, 0) << "its wait was no retry";
  EXPECT_EQ(requests, 2);
}

TEST(HttpDelay, IsNoneOfTheRetries) {
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &) {
    return ++requests == 1 ? Answer("503 Unavailable", "", "Retry-After: 0\r\n") : Answer("200 OK", "ok");
  }));
  Session session;
  Request request = Get(server.url());
  request.delay_ms = 1;
  request.max_retries = 1;
  const Response response = Fetch(session, request);
  EXPECT_EQ(response.body, "ok");
  EXPECT_EQ(response.retries, 1);
}

TEST(HttpDelay, EndsBeforeItStarts) {
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &) {
    ++requests;
    return Answer("200 OK", "ok");
  }));
  Session session;
  Request request = Get(server.url());
  request.delay_ms = 3'600'000;
  std::unique_ptr<Transfer> transfer = session.Send(request);
  session.Pump();
  EXPECT_FALSE(transfer->done());
  transfer.reset();
  EXPECT_EQ(session.active(), 0);
  session.Pump();
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  EXPECT_EQ(requests, 1);
}

TEST(HttpDelay, TheResetIsARetryAfter) {
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &) {
    return ++requests == 1 ? Answer("429 Too Many", "", "X-RateLimit-Reset: 1\r\n") : Answer("200 OK", "ok");
  }));
  Session session;
  Request request = Get(server.url());
  request.max_retries = 1;
  const auto begin = Clock::now();
  EXPECT_EQ(Fetch(session, request).body, "ok");
  EXPECT_GE(MillisecondsSince(begin), 1000);
  EXPECT_EQ(requests, 2);
}

}  // namespace
}  // namespace supabase
