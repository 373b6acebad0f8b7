// One attempt to exchange a refresh token, against servers that lose the answer at each point where it can be lost.

#include "refresh.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "error.hpp"
#include "http_driver.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Certificate;
using test::Connection;
using test::DriveUntil;
using test::Each;
using test::Log;
using test::Server;

constexpr char kToken[] = "v1.MbkXyzTokenOfTheUser";
// {"sub":"2b6f","exp":1760003600,"role":"authenticated"}
constexpr char kJwt[] =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyYjZmIiwiZXhwIjoxNzYwMDAzNjAwLCJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.c2ln";

std::string Pair(const std::string &access = kJwt) {
  return R"({"access_token":")" + access +
         R"(","token_type":"bearer","expires_in":3600,"refresh_token":"v1.NextTokenOfTheUser"})";
}

Request Grant(const std::string &url) {
  Request request = test::Get(url + "/auth/v1");
  request.label = "/auth/v1";
  request.secret_headers.emplace_back("apikey", Secret("sb_publishable_0123456789"));
  FillRefreshGrant(Secret(kToken), &request);
  return request;
}

// An attempt that has ended.
std::unique_ptr<RefreshAttempt> Attempt(Session *session, Request request) {
  auto attempt = std::make_unique<RefreshAttempt>();
  attempt->Start(session, std::move(request));
  if (attempt->waiting() == nullptr) return attempt;
  if (!DriveUntil(*session, [&] { return attempt->waiting()->done(); })) ADD_FAILURE() << "the attempt hangs";
  attempt->Take();
  EXPECT_EQ(attempt->waiting(), nullptr);
  return attempt;
}

std::unique_ptr<RefreshAttempt> Attempt(Request request) {
  Session session;
  return Attempt(&session, std::move(request));
}

void ExpectFailure(const RefreshAttempt &attempt, RefreshOutcome outcome, const std::string &error) {
  EXPECT_EQ(attempt.outcome(), outcome) << attempt.error();
  EXPECT_NE(attempt.error().find(error), std::string::npos) << attempt.error();
  for (const char *secret : {kToken, "MbkXyz", "sb_publishable", kJwt, "NextToken"})
    EXPECT_EQ(attempt.error().find(secret), std::string::npos) << attempt.error();
}

// Reads the request and then does this, once.
Server::Handler After(std::function<void(Connection &)> then) {
  return [then](Connection &connection) {
    if (!connection.ReadRequest().empty()) then(connection);
  };
}

TEST(Refresh, TakesTheNewPair) {
  Log seen;
  const Server server(Each([&](const std::string &request) {
    seen.Add(request);
    return Answer("200 OK", Pair(), "Content-Type: application/json\r\n");
  }));
  const auto attempt = Attempt(Grant(server.url()));
  EXPECT_EQ(attempt->outcome(), RefreshOutcome::kTokens);
  EXPECT_EQ(attempt->pair().access.Reveal(), kJwt);
  EXPECT_EQ(attempt->pair().refresh.Reveal(), "v1.NextTokenOfTheUser");
  EXPECT_EQ(attempt->pair().expires_in, 3600);
  EXPECT_EQ(attempt->claims().sub, "2b6f");
  EXPECT_EQ(attempt->claims().exp, 1760003600);
  EXPECT_EQ(attempt->error(), "");

  ASSERT_EQ(seen.size(), 1U);
  const std::string request = seen.entries()[0];
  EXPECT_EQ(request.find("POST /auth/v1/token?grant_type=refresh_token HTTP/1.1\r\n"), 0U);
  EXPECT_NE(request.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(request.find("apikey: sb_publishable_0123456789\r\n"), std::string::npos);
  EXPECT_EQ(request.substr(request.find("\r\n\r\n") + 4), R"({"refresh_token":"v1.MbkXyzTokenOfTheUser"})");
}

TEST(Refresh, TakesAPairOverTls) {
  const Certificate certificate;
  const Server server(Each([&](const std::string &) { return Answer("201 Created", Pair()); }), &certificate);
  Session session;
  session.settings().ca_file = certificate.file();
  EXPECT_EQ(Attempt(&session, Grant(server.url()))->outcome(), RefreshOutcome::kTokens);
}

TEST(Refresh, TakesAnAccessTokenThatIsNoJwt) {
  const Server server(Each([&](const std::string &) { return Answer("201 Created", Pair("sbp_oauth_0123")); }));
  const auto attempt = Attempt(Grant(server.url()));
  EXPECT_EQ(attempt->outcome(), RefreshOutcome::kTokens);
  EXPECT_EQ(attempt->pair().access.Reveal(), "sbp_oauth_0123");
  EXPECT_EQ(attempt->claims().sub, "");
}

// --- Nothing was sent: the refresh token is as good as before -------------------------------------------------------

TEST(Refresh, NotSentWhenTheConnectionIsRefused) {
  std::optional<Server> server(std::in_place, [](Connection &) {});
  const std::string url = server->url();
  server.reset();
  ExpectFailure(*Attempt(Grant(url)), RefreshOutcome::kNotSent, "Could not connect to \"127.0.0.1:");
}

TEST(Refresh, NotSentWithoutATrustedCertificate) {
  const Certificate certificate;
  const Server server([](Connection &) {}, &certificate);
  ExpectFailure(*Attempt(Grant(server.url())), RefreshOutcome::kNotSent, "Could not connect to ");
}

TEST(Refresh, NotSentWhenTheHandshakeIsCut) {
  const Server server([](Connection &) {});
  Request request = Grant("https" + server.url().substr(4));
  ExpectFailure(*Attempt(std::move(request)), RefreshOutcome::kNotSent, "Could not connect to ");
}

TEST(Refresh, NotSentWhenTheRequestMustNotBe) {
  Request plain = Grant("http://127.0.0.1:1");
  plain.allow_http = false;
  Session session;
  RefreshAttempt attempt;
  attempt.Start(&session, plain);
  EXPECT_EQ(attempt.waiting(), nullptr);
  ExpectFailure(attempt, RefreshOutcome::kNotSent, "Scheme \"http\" is not allowed");

  Request internal = Grant("http://127.0.0.1:1");
  internal.allow_private_address = false;
  ExpectFailure(*Attempt(std::move(internal)), RefreshOutcome::kNotSent, "is not allowed");
}

// --- Sent, and no answer that tells
// -----------------------------------------------------------------------------------

TEST(Refresh, UnknownWhenTheAnswerIsLost) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: ";
  const std::string whole = Answer("200 OK", Pair());
  const struct {
    const char *name;
    Server::Handler handler;
  } cases[] = {
      {"closed before the request was read", [](Connection &) {}},
      {"closed after the request was read", After([](Connection &) {})},
      {"reset after the request was read", After([](Connection &connection) { connection.Reset(); })},
      {"a part of the status line", After([](Connection &connection) { connection.Write("HTTP/1.1 2"); })},
      {"a part of the head", After([=](Connection &connection) { connection.Write(head); })},
      {"the head", After([=](Connection &connection) { connection.Write(head + "500\r\n\r\n"); })},
      {"half of the body",
       After([=](Connection &connection) { connection.Write(whole.substr(0, whole.size() - Pair().size() / 2)); })},
      {"all but a byte", After([=](Connection &connection) { connection.Write(whole.substr(0, whole.size() - 1)); })},
      {"a body without end",
       After([](Connection &connection) { connection.Write("HTTP/1.1 200 OK\r\n\r\n" + Pair()); })},
      {"a reset in the body", After([=](Connection &connection) {
         connection.Write(whole.substr(0, whole.size() - 20));
         connection.Reset();
       })},
      {"garbage", After([](Connection &connection) { connection.Write("SSH-2.0-OpenSSH_9.2\r\n\r\n"); })},
      {"a body that is not what it says",
       After([](Connection &connection) { connection.Write(Answer("200 OK", Pair(), "Content-Encoding: gzip\r\n")); })},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.name);
    const Server server(c.handler);
    ExpectFailure(*Attempt(Grant(server.url())), RefreshOutcome::kUnknown, "utcome of a remote request is unknown");
    EXPECT_EQ(server.accepted(), 1);  // never asked again by itself
  }
}

// The reset may be there before the request has left.
TEST(Refresh, UnknownOrNotSentWhenTheConnectionIsResetAtOnce) {
  const Server server([](Connection &connection) { connection.Reset(); });
  const RefreshOutcome outcome = Attempt(Grant(server.url()))->outcome();
  EXPECT_TRUE(outcome == RefreshOutcome::kUnknown || outcome == RefreshOutcome::kNotSent);
}

TEST(Refresh, UnknownAfterATimeout) {
  const Server server(After([](Connection &connection) { connection.AwaitClose(); }));
  Request request = Grant(server.url());
  request.total_timeout_ms = 200;
  ExpectFailure(*Attempt(std::move(request)), RefreshOutcome::kUnknown, "utcome of a remote request is unknown");
}

TEST(Refresh, UnknownAfterAnAnswerThatDoesNotTell) {
  const struct {
    const char *status, *body, *error;
  } cases[] = {
      {"200 OK", "<html>Welcome</html>", "The Auth server is not available"},
      {"200 OK", "", "The Auth server is not available"},
      {"200 OK", R"({"error":"invalid_grant"})", "The Auth server is not available"},
      {"200 OK", R"({"access_token":"a b","token_type":"bearer"})", "Invalid answer to a request for tokens"},
      {"200 OK", R"({"access_token":"a","token_type":"mac"})", "Invalid answer to a request for tokens"},
      {"200 OK", R"({"access_token":"a","token_type":"bearer","expires_in":"1"})",
       "Invalid answer to a request for tokens"},
      {"400 Bad Request", "<html>invalid_grant</html>", "The Auth server is not available"},
      {"400 Bad Request", R"({"error":"temporarily_unavailable"})", "The Auth server is not available"},
      {"500 Oops", R"({"code":500,"msg":"Database error"})", "Database error"},
      {"502 Bad Gateway", "<html>nginx</html>", "The Auth server is not available"},
      {"503 Unavailable", "", "The Auth server is not available"},
      {"302 Found", "", "The Auth server is not available"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(std::string(c.status) + " " + c.body);
    const Server server(Each([&](const std::string &) {
      return Answer(c.status, c.body, std::strcmp(c.status, "302 Found") == 0 ? "Location: /token\r\n" : "");
    }));
    ExpectFailure(*Attempt(Grant(server.url())), RefreshOutcome::kUnknown, c.error);
    EXPECT_EQ(server.accepted(), 1);
  }
}

// --- Answered
// -----------------------------------------------------------------------------------------------------------

TEST(Refresh, OutcomeIsWhatTheAnswerSays) {
  const struct {
    const char *status, *body;
    RefreshOutcome outcome;
    const char *error;
  } cases[] = {
      {"400 Bad Request",
       R"({"code":400,"error_code":"refresh_token_not_found","msg":"Not Found v1.MbkXyzTokenOfTheUser"})",
       RefreshOutcome::kDead,
       "The Auth server refused the request. The Auth server answered with status 400: Not Found <hidden>."},
      {"400 Bad Request", R"({"error":"invalid_grant","error_description":"revoked"})", RefreshOutcome::kDead,
       "revoked"},
      {"401 Unauthorized", R"({"message":"Invalid API key"})", RefreshOutcome::kRefused, "Invalid API key"},
      {"400 Bad Request", R"({"error":"invalid_client"})", RefreshOutcome::kRefused, "invalid_client"},
      {"429 Slow Down", R"({"code":429,"msg":"Request rate limit reached"})", RefreshOutcome::kLimited,
       "Too many requests to the Auth server"},
      {"409 Conflict", R"({"code":409,"error_code":"conflict","msg":"Too many at once"})", RefreshOutcome::kLimited,
       "Too many at once"},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(c.body);
    const Server server(Each([&](const std::string &) { return Answer(c.status, c.body); }));
    const auto attempt = Attempt(Grant(server.url()));
    ExpectFailure(*attempt, c.outcome, c.error);
    EXPECT_EQ(attempt->retry_after(), 0);
    EXPECT_EQ(server.accepted(), 1);
  }
}

TEST(Refresh, ReadsRetryAfter) {
  const struct {
    const char *value;
    int64_t seconds;
  } cases[] = {{"7", 7},
               {"0", 0},
               {"", 0},
               {"-7", 0},
               {"7s", 0},
               {"soon", 0},
               {"Sun, 06 Nov 2094 08:49:37 GMT", 0},
               {"86400", 86400},
               {"99999999999999999999", INT64_MAX},
               {"-99999999999999999999", 0}};
  for (const auto &c : cases) {
    const Server server(Each([&](const std::string &) {
      return Answer("429 Slow", "{}", std::string("Retry-After: ") + c.value + "\r\n");
    }));
    EXPECT_EQ(Attempt(Grant(server.url()))->retry_after(), c.seconds) << c.value;
  }
}

// What one attempt left behind is not taken for the next one's.
TEST(Refresh, AnAttemptMayBeStartedAgain) {
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &) {
    return requests++ == 0 ? Answer("503 Later", R"({"msg":"wait"})", "Retry-After: 9\r\n") : Answer("200 OK", Pair());
  }));
  Session session;
  RefreshAttempt attempt;
  attempt.Start(&session, Grant(server.url()));
  ASSERT_TRUE(DriveUntil(session, [&] { return attempt.waiting()->done(); }));
  attempt.Take();
  ExpectFailure(attempt, RefreshOutcome::kUnknown, "wait");
  EXPECT_EQ(attempt.retry_after(), 9);
  attempt.Start(&session, Grant(server.url()));
  ASSERT_TRUE(DriveUntil(session, [&] { return attempt.waiting()->done(); }));
  attempt.Take();
  EXPECT_EQ(attempt.outcome(), RefreshOutcome::kTokens);
  EXPECT_EQ(attempt.retry_after(), 0);
  EXPECT_EQ(attempt.error(), "");
  EXPECT_EQ(attempt.claims().sub, "2b6f");
  Request invalid = Grant("ftp://127.0.0.1");
  attempt.Start(&session, invalid);
  EXPECT_EQ(attempt.waiting(), nullptr);
  EXPECT_EQ(attempt.outcome(), RefreshOutcome::kNotSent);
  EXPECT_TRUE(attempt.pair().access.empty());
  EXPECT_EQ(attempt.claims().sub, "");
}

// A worker that is told to stop.
TEST(Refresh, MayBeDestroyedUnderWay) {
  const Server server(After([](Connection &connection) { connection.AwaitClose(); }));
  Session session;
  {
    RefreshAttempt attempt;
    attempt.Start(&session, Grant(server.url()));
    ASSERT_TRUE(DriveUntil(session, [&] { return server.accepted() == 1; }));
  }
  EXPECT_EQ(session.active(), 0);
}

}  // namespace
}  // namespace supabase
