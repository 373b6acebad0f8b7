// A stored credential that the server refuses, and another one in its place.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
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
using test::Log;
using test::Post;
using test::Server;

Request With(Request request, const std::string &id, int64_t generation, const std::string &token) {
  request.renewal_id = id;
  request.renewal_generation = generation;
  request.secret_headers.emplace_back("apikey", Secret("key"));
  request.secret_headers.emplace_back("Authorization", Secret("Bearer " + token));
  return request;
}

Secret Bearer(const std::string &token) {
  return Secret("Bearer " + token);
}

// "GET new {body}": method, token and body of a request.
std::string Summary(const std::string &request) {
  constexpr std::string_view kHeader = "Authorization: Bearer ";
  const size_t at = request.find(kHeader);
  const size_t token = at + kHeader.size();
  return request.substr(0, request.find(' ')) + " " +
         (at == std::string::npos ? "none" : request.substr(token, request.find("\r\n", token) - token)) + " " +
         request.substr(request.find("\r\n\r\n") + 4);
}

// Takes one token, which can be changed, and refuses all others.
class Api {
 public:
  explicit Api(const std::string &accepted)
      : accepted_(accepted), server_(Each([this](const std::string &request) {
          seen_.Add(Summary(request));
          return request.find("Authorization: Bearer " + accepted_ + "\r\n") != std::string::npos
                     ? Answer("200 OK", "ok")
                     : Answer("401 Unauthorized", R"({"code":"PGRST301","message":"JWT expired"})");
        })) {}
  std::string url() const { return server_.url(); }
  std::vector<std::string> seen() const { return seen_.entries(); }

 private:
  const std::string accepted_;
  Log seen_;
  Server server_;
};

// Until the transfer waits for another credential.
bool AwaitRefusal(Session &session, const Transfer &transfer) {
  return DriveUntil(session, [&] { return transfer.Refused() != nullptr; });
}

Response Finish(Session &session, Transfer &transfer) {
  if (!DriveUntil(session, [&] { return transfer.done(); })) {
    ADD_FAILURE() << "the transfer hangs";
    return {};
  }
  return transfer.Result();
}

TEST(HttpRenewal, SendsGetAndPostAgainWithTheNewAuthorization) {
  for (const std::string method : {"GET", "POST"}) {
    SCOPED_TRACE(method);
    const Api api("new");
    Session session;
    const Request request = method == "GET" ? Get(api.url()) : Post(api.url(), "{\"a\":1}");
    const std::unique_ptr<Transfer> transfer = session.Send(With(request, "login", 1, "old"));
    ASSERT_TRUE(AwaitRefusal(session, *transfer));
    EXPECT_FALSE(transfer->done());
    EXPECT_FALSE(transfer->answered());
    EXPECT_EQ(session.active(), 1);
    EXPECT_EQ(transfer->Refused()->renewal_id, "login");
    EXPECT_EQ(transfer->Refused()->renewal_generation, 1);
    session.Pump();
    EXPECT_NE(transfer->Refused(), nullptr);  // it stays

    session.Renew("login", 2, Bearer("new"));
    EXPECT_EQ(transfer->Refused(), nullptr);
    EXPECT_EQ(Finish(session, *transfer).body, "ok");
    EXPECT_FALSE(transfer->may_have_run());
    EXPECT_EQ(transfer->request().renewal_generation, 2);
    const std::string body = method == "GET" ? "" : "{\"a\":1}";
    EXPECT_EQ(api.seen(), (std::vector<std::string>{method + " old " + body, method + " new " + body}));
  }
}

TEST(HttpRenewal, SendsASecretBodyAndSendsItAgain) {
  const Api api("new");
  Session session;
  Request request = Post(api.url(), "not this");
  request.secret_body = Secret(R"({"password":"x"})");
  const std::unique_ptr<Transfer> transfer = session.Send(With(request, "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  session.Renew("login", 2, Bearer("new"));
  EXPECT_EQ(Finish(session, *transfer).status, 200);
  EXPECT_EQ(api.seen(), (std::vector<std::string>{R"(POST old {"password":"x"})", R"(POST new {"password":"x"})"}));
}

TEST(HttpRenewal, LaterRequestsOfAnOlderGenerationGetTheNewerToken) {
  const Api api("new");
  Session session;
  const std::unique_ptr<Transfer> transfer = session.Send(With(Get(api.url()), "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  session.Renew("login", 3, Bearer("new"));
  EXPECT_EQ(Finish(session, *transfer).status, 200);
  EXPECT_EQ(Fetch(session, With(Get(api.url()), "login", 1, "old")).status, 200);
  EXPECT_EQ(Fetch(session, With(Get(api.url()), "login", 2, "older")).status, 200);
  // Not those of another login, or without one, or that know better.
  EXPECT_EQ(Fetch(session, With(Get(api.url()), "", 0, "mine")).status, 401);
  const std::unique_ptr<Transfer> newer = session.Send(With(Get(api.url()), "login", 4, "newest"));
  ASSERT_TRUE(AwaitRefusal(session, *newer));
  session.GiveUp("login");
  const std::unique_ptr<Transfer> other = session.Send(With(Get(api.url()), "other", 1, "theirs"));
  ASSERT_TRUE(AwaitRefusal(session, *other));
  session.GiveUp("other");
  EXPECT_EQ(api.seen(), (std::vector<std::string>{"GET old ", "GET new ", "GET new ", "GET new ", "GET mine ",
                                                  "GET newest ", "GET theirs "}));
}

// What was renewed last may be older, when two renewals overtake each other.
TEST(HttpRenewal, AnOlderRenewalDoesNotReplaceANewerOne) {
  const Api api("new");
  Session session;
  session.Renew("login", 3, Bearer("new"));
  session.Renew("login", 2, Bearer("middle"));
  EXPECT_EQ(Fetch(session, With(Get(api.url()), "login", 1, "old")).status, 200);
}

TEST(HttpRenewal, GivingUpLetsTheRefusalStand) {
  for (const std::string method : {"GET", "POST"}) {
    const Api api("new");
    Session session;
    const Request request = method == "GET" ? Get(api.url()) : Post(api.url(), "{}");
    const std::unique_ptr<Transfer> transfer = session.Send(With(request, "login", 1, "old"));
    ASSERT_TRUE(AwaitRefusal(session, *transfer));
    session.GiveUp("another");
    EXPECT_FALSE(transfer->done());
    session.GiveUp("login");
    EXPECT_EQ(transfer->Refused(), nullptr);
    ASSERT_TRUE(transfer->done());
    EXPECT_TRUE(transfer->answered());
    EXPECT_FALSE(transfer->may_have_run());
    EXPECT_EQ(transfer->Result().status, 401);
    EXPECT_NE(transfer->Result().body.find("JWT expired"), std::string::npos);
    EXPECT_EQ(session.active(), 0);
    EXPECT_EQ(api.seen().size(), 1U);
  }
}

TEST(HttpRenewal, ASecondRefusalIsFinal) {
  const Api api("none of these");
  Session session;
  const std::unique_ptr<Transfer> transfer = session.Send(With(Post(api.url(), "{}"), "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  session.Renew("login", 2, Bearer("new"));
  EXPECT_EQ(Finish(session, *transfer).status, 401);
  EXPECT_EQ(transfer->Refused(), nullptr);
  EXPECT_EQ(api.seen(), (std::vector<std::string>{"POST old {}", "POST new {}"}));
}

TEST(HttpRenewal, OnlyARefusedCredentialWaits) {
  const Server server(Each([](const std::string &request) {
    return Answer(request.find("GET /403") == 0 ? "403 Forbidden" : "401 Unauthorized", "{}");
  }));
  Session session;
  EXPECT_EQ(Fetch(session, With(Get(server.url() + "/403"), "login", 1, "old")).status, 403);
  EXPECT_EQ(Fetch(session, With(Get(server.url()), "", 0, "old")).status, 401);
  EXPECT_EQ(session.active(), 0);
}

TEST(HttpRenewal, RenewsAllThatWaitForThisCredentialAndNoOther) {
  const Api api("new");
  Session session;
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (const char *id : {"login", "other", "login"})
    transfers.push_back(session.Send(With(Get(api.url()), id, 1, "old")));
  ASSERT_TRUE(DriveUntil(session, [&] { return transfers[0]->Refused() != nullptr; }));
  session.Renew("login", 2, Bearer("new"));
  // What was not refused yet asks once more.
  ASSERT_TRUE(DriveUntil(session, [&] {
    if (transfers[2]->Refused() != nullptr) session.Renew("login", 2, Bearer("new"));
    return transfers[0]->done() && transfers[2]->done();
  }));
  EXPECT_EQ(transfers[0]->Result().status, 200);
  EXPECT_EQ(transfers[2]->Result().status, 200);
  ASSERT_TRUE(AwaitRefusal(session, *transfers[1]));
  EXPECT_EQ(transfers[1]->Refused()->renewal_id, "other");
  EXPECT_EQ(transfers[1]->Refused()->secret_headers[1].second.Reveal(), "Bearer old");
  EXPECT_FALSE(transfers[1]->done());
  session.GiveUp("other");
  EXPECT_EQ(transfers[1]->Result().status, 401);
}

// A request that was refused with this very token is not sent with it again.
TEST(HttpRenewal, ATransferOfTheSameGenerationKeepsWaiting) {
  const Api api("newest");
  Session session;
  const std::unique_ptr<Transfer> same = session.Send(With(Get(api.url()), "login", 2, "new"));
  ASSERT_TRUE(AwaitRefusal(session, *same));
  const std::unique_ptr<Transfer> old = session.Send(With(Get(api.url()), "login", 1, "old"));
  ASSERT_TRUE(DriveUntil(session, [&] {
    session.Renew("login", 2, Bearer("new"));
    return old->done();
  }));
  EXPECT_EQ(old->Result().status, 401);
  EXPECT_FALSE(same->done());
  ASSERT_NE(same->Refused(), nullptr);
  EXPECT_EQ(same->Refused()->renewal_generation, 2);
  session.Renew("login", 3, Bearer("newest"));
  EXPECT_EQ(Finish(session, *same).status, 200);
  EXPECT_EQ(api.seen(), (std::vector<std::string>{"GET new ", "GET old ", "GET new ", "GET newest "}));
}

// There is nothing newer to have, so that asking again and again would be a loop.
TEST(HttpRenewal, AnOlderTokenLetsTheRefusalStand) {
  const Api api("none");
  Session session;
  const std::unique_ptr<Transfer> transfer = session.Send(With(Get(api.url()), "login", 5, "new"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  session.Renew("login", 4, Bearer("old"));
  EXPECT_EQ(transfer->Refused(), nullptr);
  ASSERT_TRUE(transfer->done());
  EXPECT_EQ(transfer->Result().status, 401);
  EXPECT_EQ(api.seen().size(), 1U);
}

// A transfer that waits to try again takes the new token along.
TEST(HttpRenewal, ARetryGetsTheNewToken) {
  Log seen;
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &request) {
    seen.Add(Summary(request));
    return requests++ == 0 ? Answer("503 Unavailable", "", "Retry-After: 1\r\n") : Answer("200 OK", "ok");
  }));
  Session session;
  Request request = With(Get(server.url()), "login", 1, "old");
  request.max_retries = 1;
  const std::unique_ptr<Transfer> transfer = session.Send(request);
  ASSERT_TRUE(DriveUntil(session, [&] { return seen.size() == 1; }));
  session.Renew("login", 2, Bearer("new"));
  EXPECT_EQ(Finish(session, *transfer).body, "ok");
  EXPECT_EQ(seen.entries(), (std::vector<std::string>{"GET old ", "GET new "}));
}

TEST(HttpRenewal, RefusesAnAuthorizationThatWouldBeMoreThanAHeader) {
  const Api api("new");
  Session session;
  const std::unique_ptr<Transfer> transfer = session.Send(With(Get(api.url()), "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  try {
    session.Renew("login", 2, Bearer("new\r\nX-Evil: 1"));
    ADD_FAILURE() << "taken";
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "22023");
    EXPECT_EQ(std::string(error.detail()).find("Evil"), std::string::npos);
  }
  // Nothing has changed: it still waits, and later requests get nothing of it.
  ASSERT_NE(transfer->Refused(), nullptr);
  session.Renew("login", 2, Bearer("new"));
  EXPECT_EQ(Finish(session, *transfer).status, 200);
  EXPECT_EQ(api.seen(), (std::vector<std::string>{"GET old ", "GET new "}));
}

TEST(HttpRenewal, ARefusedTransferMayBeDestroyed) {
  const Api api("new");
  Session session;
  std::unique_ptr<Transfer> transfer = session.Send(With(Get(api.url()), "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  transfer.reset();
  EXPECT_EQ(session.active(), 0);
  session.Renew("login", 2, Bearer("new"));
  session.GiveUp("login");
  session.Pump();
  EXPECT_EQ(Fetch(session, With(Get(api.url()), "login", 1, "old")).status, 200);
}

TEST(HttpRenewal, ARefusedTransferOutlivesItsSession) {
  const Api api("new");
  auto session = std::make_unique<Session>();
  const std::unique_ptr<Transfer> transfer = session->Send(With(Post(api.url(), "{}"), "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(*session, *transfer));
  session.reset();
  EXPECT_TRUE(transfer->done());
  EXPECT_FALSE(transfer->may_have_run());
  EXPECT_THROW(transfer->Result(), Error);
}

// The first attempt was refused, so it did nothing; of the second nothing is known.
TEST(HttpRenewal, ALostAnswerAfterARenewalIsAnUnknownOutcome) {
  const Server server([](Connection &connection) {
    while (true) {
      const std::string request = connection.ReadRequest();
      if (request.empty() || request.find("Bearer new") != std::string::npos) return;
      connection.Write(Answer("401 Unauthorized", "{}"));
    }
  });
  Session session;
  const std::unique_ptr<Transfer> transfer = session.Send(With(Post(server.url(), "{}"), "login", 1, "old"));
  ASSERT_TRUE(AwaitRefusal(session, *transfer));
  session.Renew("login", 2, Bearer("new"));
  ASSERT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
  EXPECT_TRUE(transfer->may_have_run());
  try {
    transfer->Result();
    ADD_FAILURE() << "no error";
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "08007");
  }
}

}  // namespace
}  // namespace supabase
