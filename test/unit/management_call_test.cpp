#include "management_call.hpp"

#include <string>
#include <utility>
#include <vector>

#include "management.hpp"
#include "problem.hpp"

namespace supabase {
namespace {

using test::Operation;
using test::Reply;
using test::Thrown;

constexpr char kRef[] = "abcdefghijklmnopqrst";

Request Filled(const std::string &operation, const CallArguments &arguments) {
  Request request;
  request.url = "https://api.supabase.com";
  request.headers = {{"Accept", "application/json"}};
  FillCall(&request, Operation(operation), arguments);
  return request;
}

TEST(ManagementCall, FillsMethodAddressAndLabel) {
  const Request request =
      Filled("v1-get-project-api-key", {{"id", "a/b?c=d %41&ä"}, {"nothing", "x"}, {"ref", kRef}, {"reveal", "true"}});
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.url,
            "https://api.supabase.com/v1/projects/abcdefghijklmnopqrst/api-keys/a%2Fb%3Fc%3Dd%20%2541%26%C3%A4"
            "?reveal=true");
  EXPECT_EQ(request.label, "GET /v1/projects/abcdefghijklmnopqrst/api-keys/a%2Fb%3Fc%3Dd%20%2541%26%C3%A4?reveal=true");
  EXPECT_EQ(request.headers.size(), 1U);
}

TEST(ManagementCall, RefusesStepsInThePath) {
  for (const std::string &value : {std::string("."), std::string(".."), std::string(), std::string(513, 'a')}) {
    const Error error = Thrown([&] { Filled("v1-get-project", {{"ref", value}}); });
    EXPECT_STREQ(error.sqlstate(), "22023");
    EXPECT_STREQ(error.what(), "invalid value for parameter \"ref\"");
  }
  // No steps: the percent sign and the slash are encoded.
  EXPECT_EQ(Filled("v1-get-project", {{"ref", "%2e%2e"}}).label, "GET /v1/projects/%252e%252e");
  EXPECT_EQ(Filled("v1-get-project", {{"ref", "../x"}}).label, "GET /v1/projects/..%2Fx");
  EXPECT_EQ(Filled("v1-get-project", {{"ref", "..."}}).label, "GET /v1/projects/...");
  const Error missing = Thrown([] { Filled("v1-get-project", {}); });
  EXPECT_STREQ(missing.what(), "parameter \"ref\" of operation \"v1-get-project\" is missing");
}

TEST(ManagementCall, TheLabelHidesAClaimToken) {
  const Request request = Filled("v1-claim-project-for-organization", {{"slug", "acme"}, {"token", "t0ken"}});
  EXPECT_EQ(request.url, "https://api.supabase.com/v1/organizations/acme/project-claim/t0ken");
  EXPECT_EQ(request.label, "POST /v1/organizations/acme/project-claim/<hidden>");
}

TEST(ManagementCall, RepeatsParameters) {
  EXPECT_EQ(Filled("v1-get-services-health", {{"services", "auth"}, {"ref", kRef}, {"services", "db"}}).label,
            "GET /v1/projects/abcdefghijklmnopqrst/health?services=auth&services=db");
}

TEST(ManagementCall, WhatMayBeRepeated) {
  EXPECT_TRUE(Filled("v1-get-project", {{"ref", kRef}}).idempotent);
  EXPECT_TRUE(Filled("v1-count-action-runs", {{"ref", kRef}}).idempotent);
  EXPECT_TRUE(Filled("v1-delete-a-project", {{"ref", kRef}}).idempotent);
  EXPECT_TRUE(Filled("v1-update-postgres-config", {{"ref", kRef}}).idempotent);
  EXPECT_TRUE(Filled("v1-read-only-query", {{"ref", kRef}}).idempotent) << "a POST that reads";
  EXPECT_FALSE(Filled("v1-run-a-query", {{"ref", kRef}}).idempotent);
  EXPECT_FALSE(Filled("v1-create-a-project", {}).idempotent);
  EXPECT_FALSE(Filled("v1-update-a-project", {{"ref", kRef}}).idempotent);
}

TEST(ManagementCall, HeadersOfParametersAndOfTheAnswer) {
  const Request request = Filled("v1-apply-a-migration", {{"ref", kRef}, {"Idempotency-Key", "k1"}});
  EXPECT_EQ(request.headers.back(), (std::pair<std::string, std::string>("Idempotency-Key", "k1")));
  EXPECT_EQ(request.label, "POST /v1/projects/abcdefghijklmnopqrst/database/migrations");
  for (const ApiOperation &operation : Catalogue::Get().operations) {
    if (operation.answer != "binary" && operation.answer != "text") continue;
    CallArguments arguments;
    for (const ApiParameter &parameter : operation.parameters)
      arguments.emplace_back(parameter.name, "x");
    EXPECT_NE(Filled(operation.id, arguments).headers[0].second, "application/json") << operation.id;
  }
}

TEST(ManagementCall, BodiesWithSecretsAreApart) {
  Request open, secret, partly;
  SetCallBody(&open, "{}", {}, false);
  EXPECT_EQ(open.body, "{}");
  // Only the secret in it is hidden in messages.
  SetCallBody(&partly, R"({"name":"n","password":"p"})", {Secret("p")}, false);
  EXPECT_TRUE(partly.body.empty());
  EXPECT_EQ(partly.body_secrets.size(), 1U);
  SetCallBody(&secret, R"({"password":"p"})", {}, true);
  EXPECT_TRUE(secret.body_secrets.empty());
  EXPECT_TRUE(secret.body.empty());
  EXPECT_EQ(secret.secret_body.Reveal(), R"({"password":"p"})");
  EXPECT_EQ(secret.headers, open.headers);
}

// ---- supabase_management ----

std::string Refused(const std::string &operation, const char *parameters, const char *body = "") {
  const Error error = Thrown([&] { CheckCall(Operation(operation), parameters, body); });
  EXPECT_STREQ(error.sqlstate(), "22023");
  return error.what() + std::string(*error.detail() == '\0' ? "" : " | ") + error.detail() +
         (*error.hint() == '\0' ? "" : " | ") + error.hint();
}

TEST(ManagementCall, ChecksParameters) {
  EXPECT_EQ(Refused("v1-get-project", "[]"), "argument \"params\" must be a JSON object");
  EXPECT_EQ(Refused("v1-get-project", "{"), "argument \"params\" must be a JSON object");
  EXPECT_EQ(Refused("v1-get-project", "{}"), "missing parameter \"ref\" of operation \"v1-get-project\"");
  EXPECT_EQ(Refused("v1-get-project", R"({"ref":null})"), "missing parameter \"ref\" of operation \"v1-get-project\"");
  EXPECT_EQ(Refused("v1-get-project", R"({"reff":"x"})"),
            "unknown parameter \"reff\" of operation \"v1-get-project\" | Its parameters are: ref.");
  EXPECT_EQ(Refused("v1-list-all-projects", R"({"ref":"x"})"),
            "unknown parameter \"ref\" of operation \"v1-list-all-projects\" | It takes no parameters.");
  EXPECT_EQ(Refused("v1-get-project", R"({"ref":["x"]})"),
            "invalid value for parameter \"ref\" of operation \"v1-get-project\" | It must be of type string.");
  EXPECT_EQ(Refused("v1-get-services-health", R"({"ref":"x","services":["auth"],"timeout_ms":"soon"})"),
            "invalid value for parameter \"timeout_ms\" of operation \"v1-get-services-health\" | It must be of type "
            "integer.");
  EXPECT_NE(Refused("v1-get-services-health", R"({"ref":"x","services":["auth","mail"]})")
                .find("Valid values are: auth, db, db_postgres_user"),
            std::string::npos);
}

TEST(ManagementCall, TakesNumbersAsTextAndLists) {
  const CallArguments arguments =
      CheckCall(Operation("v1-get-services-health"), R"({"ref":"x","services":["auth","db"],"timeout_ms":"5"})", "");
  EXPECT_EQ(arguments, (CallArguments{{"ref", "x"}, {"services", "auth"}, {"services", "db"}, {"timeout_ms", "5"}}));
  EXPECT_EQ(CheckCall(Operation("v1-list-action-runs"), R"({"ref":"x","limit":20})", "").front().second, "20");
  EXPECT_EQ(CheckCall(Operation("v1-get-project-api-keys"), R"({"ref":"x","reveal":true})", "").back().second, "true");
}

TEST(ManagementCall, ChecksBodies) {
  const std::string of = " of operation \"v1-run-a-query\"";
  EXPECT_EQ(Refused("v1-run-a-query", R"({"ref":"x"})"), "missing body" + of);
  EXPECT_EQ(Refused("v1-run-a-query", R"({"ref":"x"})", "[]"), "invalid body" + of + " | It must be a JSON object.");
  EXPECT_EQ(Refused("v1-run-a-query", R"({"ref":"x"})", "{"), "invalid body" + of + " | It must be a JSON object.");
  EXPECT_EQ(Refused("v1-run-a-query", R"({"ref":"x"})", "{}"), "missing body member \"query\"" + of);
  EXPECT_EQ(Refused("v1-run-a-query", R"({"ref":"x"})", R"({"query":1})"),
            "invalid value for body member \"query\"" + of + " | It must be of type string.");
  EXPECT_EQ(Refused("v1-run-a-query", R"({"ref":"x"})", R"({"query":"","readonly":true})"),
            "unknown body member \"readonly\"" + of + " | Members of its body are: query, parameters, read_only.");
  EXPECT_EQ(Refused("v1-get-project", R"({"ref":"x"})", "{}"),
            "there is no body in a call of operation \"v1-get-project\"");
  EXPECT_EQ(Refused("v1-bulk-create-secrets", R"({"ref":"x"})", R"([{"name":"a"}])"),
            "missing body member \"value\" of operation \"v1-bulk-create-secrets\"");
  EXPECT_EQ(Refused("v1-bulk-create-secrets", R"({"ref":"x"})", "{}"),
            "invalid body of operation \"v1-bulk-create-secrets\" | It must be a JSON array.");
  EXPECT_NE(Refused("v1-create-project-signing-key", R"({"ref":"x"})", R"({"algorithm":"none"})")
                .find("Valid values are: EdDSA"),
            std::string::npos);
  EXPECT_EQ(CheckCall(Operation("v1-bulk-create-secrets"), R"({"ref":"x"})", R"([{"name":"a","value":"b"}])"),
            (CallArguments{{"ref", "x"}}));
}

TEST(ManagementCall, BucketsByProjectOrOrganizationAndRoute) {
  EXPECT_EQ(RateBucket(Operation("v1-get-project-api-key"), {{"ref", "p"}, {"id", "i"}, {"reveal", "true"}}),
            "GET /v1/projects/{ref}/api-keys/{id} p");
  EXPECT_EQ(RateBucket(Operation("v1-get-an-organization"), {{"slug", "acme"}}), "GET /v1/organizations/{slug} acme");
  EXPECT_EQ(RateBucket(Operation("v1-list-all-projects"), {}), "GET /v1/projects");
}

// ---- Answers ----

Error Problem(const std::string &operation, int status, const std::string &body,
              std::vector<std::pair<std::string, std::string>> headers = {}) {
  Request request;
  request.label = "GET /v1/x";
  request.secret_headers.emplace_back("Authorization", Secret("Bearer sbp_secret0123456789"));
  return ManagementProblem(Operation(operation), request, Reply(status, body, std::move(headers)));
}

TEST(ManagementProblem, StatusesHaveTheirStates) {
  const std::pair<int, const char *> cases[] = {{400, "22023"}, {401, "28000"}, {402, "0A000"}, {403, "42501"},
                                                {404, "02000"}, {406, "02000"}, {409, "23505"}, {412, "22023"},
                                                {422, "22023"}, {429, "53400"}};
  for (const auto &[status, state] : cases) {
    const Error error = Problem("v1-get-project", status, R"({"message":"what it says"})");
    EXPECT_STREQ(error.sqlstate(), state) << status;
    EXPECT_STREQ(error.what(), "what it says") << status;
    EXPECT_STREQ(error.context(), "remote request: GET /v1/x");
  }
  for (const int status : {500, 502, 503, 540, 544}) {
    const Error error = Problem("v1-get-project", status, "<html>sbp_secret0123456789</html>");
    EXPECT_STREQ(error.sqlstate(), RemoteProblem({}, Reply(status, "<html>sbp_secret0123456789</html>")).sqlstate())
        << status;
    EXPECT_EQ(std::string(error.detail()).find("sbp_secret"), std::string::npos);
  }
  EXPECT_NE(std::string(Problem("v1-get-project", 401, "").hint()).find("access_token"), std::string::npos);
  EXPECT_STREQ(Problem("v1-get-project", 404, "").what(), "the Management API has no such object (status 404)");
  EXPECT_STREQ(Problem("v1-get-project", 400, R"({"message":"Resource has been removed"})").sqlstate(), "02000");
}

TEST(ManagementProblem, ARefusalNamesTheScope) {
  EXPECT_STREQ(Problem("v1-list-all-projects", 403, R"({"message":"no"})").hint(),
               "Operation \"v1-list-all-projects\" needs the OAuth scope projects:read, or a personal access token "
               "whose owner has the privilege.");
  EXPECT_STREQ(Problem("v1-create-an-organization", 403, "").hint(),
               "Operation \"v1-create-an-organization\" has no OAuth scope: it needs a personal access token (option "
               "\"access_token\" of the user mapping).");
  EXPECT_STREQ(
      Problem("v1-list-all-projects", 403, R"({"message":"no","missing_permissions":["projects:read",7,"a\nb"]})")
          .detail(),
      "Missing permissions: projects:read, a b.");
  EXPECT_STREQ(Problem("v1-list-all-projects", 403, R"({"missing_permissions":[]})").detail(), "");
}

TEST(ManagementProblem, SeveralMessages) {
  EXPECT_STREQ(Problem("v1-get-project", 400, R"({"message":["first is wrong","second is wrong"]})").what(),
               "first is wrong; second is wrong");
}

TEST(ManagementProblem, TooManyRequests) {
  EXPECT_STREQ(Problem("v1-get-project", 429, "", {{"x-ratelimit-reset", "17"}}).detail(),
               "The limit is reset in 17 seconds.");
  EXPECT_STREQ(Problem("v1-get-project", 429, "", {{"x-ratelimit-reset", "17"}, {"retry-after", "9"}}).detail(),
               "The remote asks to wait for 9 seconds.");
  EXPECT_STREQ(Problem("v1-get-project", 429, "", {{"x-ratelimit-reset", "soon"}}).detail(), "");
}

TEST(ManagementAbsence, ByStatusMessageAndOperation) {
  const std::vector<Absence> absences = {{404, "", ""}, {400, "No custom hostname", ""}, {422, "", "list"}};
  EXPECT_TRUE(IsAbsent(absences, Reply(404, "anything"), "get"));
  EXPECT_TRUE(IsAbsent(absences, Reply(400, R"({"message":"No custom hostname configuration found."})"), "get"));
  EXPECT_FALSE(IsAbsent(absences, Reply(400, R"({"message":"Bad"})"), "get"));
  EXPECT_FALSE(IsAbsent(absences, Reply(400, "No custom hostname"), "get"));
  EXPECT_FALSE(IsAbsent(absences, Reply(400, R"({"message":7})"), "get"));
  EXPECT_TRUE(IsAbsent(absences, Reply(422, ""), "list"));
  EXPECT_FALSE(IsAbsent(absences, Reply(422, ""), "get"));
  EXPECT_FALSE(IsAbsent(absences, Reply(200, ""), "get"));
  EXPECT_FALSE(IsAbsent({}, Reply(404, ""), "get"));
  EXPECT_TRUE(IsSuccess(Reply(204, "")));
  EXPECT_FALSE(IsSuccess(Reply(304, "")));
}

}  // namespace
}  // namespace supabase
