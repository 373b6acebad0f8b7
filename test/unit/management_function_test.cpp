#include "management_function.hpp"

#include <gtest/gtest.h>

#include <string>

#include "error.hpp"

namespace supabase {
namespace {

std::string HintOf(std::string_view id) {
  try {
    (void)FindCallable(id);
  } catch (const Error &error) {
    return error.sqlstate() + std::string(" ") + error.hint();
  }
  return "found";
}

std::string Refusal(std::string_view id, std::string_view parameters, std::string_view body) {
  try {
    (void)BuildCall(FindCallable(id), parameters, body);
  } catch (const Error &error) {
    return error.what();
  }
  return "built";
}

Response Answer(std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  Response response;
  response.status = 200;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

const ApiOperation &Operation(std::string_view id) {
  return *Catalogue::Get().FindOperation(id);
}

TEST(ManagementFunction, EveryOperationIsFoundButThoseOfOAuth) {
  size_t refused = 0;
  for (const ApiOperation &operation : Catalogue::Get().operations) {
    const std::string hint = HintOf(operation.id);
    if (hint != "found") {
      ++refused;
      EXPECT_EQ(hint.find("0A000 Use supabase_oauth_"), 0U) << operation.id << ": " << hint;
    }
  }
  EXPECT_EQ(refused, 4U);
}

TEST(ManagementFunction, NamesTheNearestOfUnknownOnes) {
  EXPECT_NE(HintOf("V1-GET-PROFIL").find("22023 Near it are: \"v1-get-profile\""), std::string::npos);
  EXPECT_EQ(HintOf("x").find("Near"), std::string::npos);
  EXPECT_EQ(HintOf(std::string(100000, 'x')).find("Near"), std::string::npos);
}

TEST(ManagementFunction, FormWithFiles) {
  const WriteCall call =
      BuildCall(Operation("v1-deploy-a-function"), R"({"ref": "r"})",
                R"({"metadata": {"name": "n"}, "files": {"a\"\r\nb.ts": "one\r\n", "c.ts": "two"}})");
  const std::string &body = *call.body;
  const std::string boundary = "--" + call.content_type.substr(call.content_type.find('=') + 1);
  EXPECT_EQ(body.find(boundary + "\r\n"), 0U);
  EXPECT_NE(body.find("name=\"metadata\"\r\nContent-Type: application/json\r\n\r\n{\"name\":\"n\"}\r\n"),
            std::string::npos);
  EXPECT_NE(body.find("filename=\"a___b.ts\""), std::string::npos);
  EXPECT_NE(body.find("\r\n\r\none\r\n\r\n" + boundary), std::string::npos);
  EXPECT_EQ(body.substr(body.size() - boundary.size() - 4), boundary + "--\r\n");
  EXPECT_EQ(Refusal("v1-deploy-a-function", R"({"ref": "r"})", R"({"metadata": {}, "files": ["a"]})"),
            "invalid value for body member \"files\" of operation \"v1-deploy-a-function\"");
  EXPECT_EQ(Refusal("v1-deploy-a-function", R"({"ref": "r"})", R"({"metadata": {}, "more": 1})"),
            "unknown body member \"more\" of operation \"v1-deploy-a-function\"");
  EXPECT_EQ(Refusal("v1-deploy-a-function", R"({"ref": "r"})", "[]"),
            "invalid body of operation \"v1-deploy-a-function\"");
}

TEST(ManagementFunction, LabelHidesClaimTokens) {
  const WriteCall call =
      BuildCall(Operation("v1-get-organization-project-claim"), R"({"slug": "s", "token": "t0k"})", "");
  EXPECT_EQ(CallLabel(call), "GET /v1/organizations/s/project-claim/<hidden>");
}

TEST(ManagementFunction, Results) {
  const ApiOperation &profile = Operation("v1-get-profile"), &count = Operation("v1-count-action-runs"),
                     &text = Operation("v1-diff-a-branch"), &bytes = Operation("v1-get-a-function-body");
  EXPECT_EQ(CallResult(profile, "", Answer("{\"n\": 1.10}"), true, ""), "{\"n\": 1.10}");
  EXPECT_EQ(CallResult(profile, "", Answer(""), false, ""), "");
  EXPECT_THROW((void)CallResult(profile, "", Answer(""), false, "<html>"), Error);
  EXPECT_EQ(CallResult(count, "", Answer("", {{"x-total-count", "12"}}), false, ""), "{\"count\": 12}");
  EXPECT_EQ(CallResult(count, "", Answer("", {{"x-total-count", "-1"}}), false, ""), "{\"count\": null}");
  EXPECT_EQ(CallResult(text, "", Answer(""), false, "a\n\"\xff"), "\"a\\n\\\"\xEF\xBF\xBD\"");
  EXPECT_EQ(CallResult(bytes, "", Answer(""), false, std::string("\0\1", 2)), "\"AAE=\"");
}

TEST(ManagementFunction, StatesOfProjects) {
  EXPECT_EQ(StateOf("ACTIVE_HEALTHY"), ProjectState::kReady);
  EXPECT_EQ(StateOf("RESTORING"), ProjectState::kPending);
  EXPECT_EQ(StateOf("SOMETHING_NEW"), ProjectState::kPending);
  EXPECT_EQ(StateOf("INIT_FAILED"), ProjectState::kFailed);
  EXPECT_EQ(MemberText(R"({"status": "X", "n": 1})", "status"), "X");
  EXPECT_EQ(MemberText("[1]", "status"), "");
}

TEST(ManagementFunction, UnhealthyServices) {
  EXPECT_EQ(
      UnhealthyServices(R"([{"name": "auth", "status": "ACTIVE_HEALTHY"}, {"name": "rest", "status": "DISABLED"}])"),
      "");
  EXPECT_EQ(UnhealthyServices(
                R"([{"name": "auth", "status": "COMING_UP", "healthy": true}, {"name": "db", "status": "UNHEALTHY"}])"),
            "auth, db");
  EXPECT_EQ(UnhealthyServices(R"([{"name": "auth", "healthy": true}, 1])"), "");
  EXPECT_EQ(UnhealthyServices("{}"), "all");
}

TEST(ManagementFunction, KeysOfAProject) {
  const ProjectKeys both = ReadProjectKeys(
      R"([{"name": "anon", "type": "legacy", "api_key": "eyJanon012345678901234567890"},
          {"name": "default", "type": "publishable", "api_key": "sb_publishable_0123456789"},
          {"name": "default", "type": "secret", "api_key": "sb_secret_01234567890123"}, 3])");
  EXPECT_EQ(both.publishable.Reveal(), "sb_publishable_0123456789");
  EXPECT_EQ(both.secret.Reveal(), "sb_secret_01234567890123");
  const ProjectKeys legacy = ReadProjectKeys(
      R"([{"name": "anon", "type": "legacy", "api_key": "eyJanon012345678901234567890"},
          {"name": "service_role", "type": "legacy", "api_key": "eyJserv012345678901234567890"},
          {"name": "default", "type": "secret", "api_key": "sb_secret_01234················"}])");
  EXPECT_EQ(legacy.publishable.Reveal(), "eyJanon012345678901234567890");
  EXPECT_EQ(legacy.secret.Reveal(), "eyJserv012345678901234567890");
  EXPECT_TRUE(ReadProjectKeys("{}").publishable.empty());
}

TEST(ManagementFunction, Identifiers) {
  EXPECT_EQ(IdentifierOf("My Shop (2)"), "my_shop_2");
  EXPECT_EQ(IdentifierOf("2 fast"), "fast");
  EXPECT_EQ(IdentifierOf("\xC3\xA4\xC3\xB6"), "");
  EXPECT_EQ(IdentifierOf(std::string(100, 'a')).size(), 63U);
}

TEST(ManagementFunction, ConnectionUri) {
  EXPECT_EQ(ConnectionUri("abc", Secret("a/b@c: %\xC3\xA4")).Reveal(),
            "postgresql://postgres:a%2Fb%40c%3A%20%25%C3%A4@db.abc.supabase.co:5432/postgres");
}

TEST(ManagementFunction, LimitsWithoutCallers) {
  RateLimits limits;
  const Response response =
      Answer("", {{"x-ratelimit-limit", "120"}, {"x-ratelimit-remaining", "7"}, {"x-ratelimit-reset", "50"}});
  limits.End("api.supabase.com 0a1b2c3d GET /v1/projects/{ref} abc", response, RateLimits::NowMs());
  const auto known = KnownLimits(&limits);
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known[0].bucket, "GET /v1/projects/{ref} abc");
  EXPECT_EQ(known[0].remaining, 7);
}

}  // namespace
}  // namespace supabase
