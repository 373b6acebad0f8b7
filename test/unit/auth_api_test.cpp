#include "auth_api.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "error.hpp"

namespace supabase {
namespace {

using nlohmann::json;

constexpr char kPair[] =
    R"({"access_token":"new.access.token","token_type":"bearer","expires_in":3600,"expires_at":1760003600,)"
    R"("refresh_token":"new-refresh","user":{"id":"2b6f6f0e-3c1a-4e0f-9d0e-0c8f6b1f2a3d"}})";

Request Base() {
  Request request;
  request.url = "https://abc.supabase.co/auth/v1";
  request.label = "/auth/v1";
  request.secret_headers.emplace_back("apikey", Secret("sb_publishable_0123456789"));
  return request;
}

Response Answer(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

Request PasswordGrant(std::string_view email, std::string_view password) {
  Request request = Base();
  FillPasswordGrant(email, password, &request);
  return request;
}

Request RefreshGrant(std::string_view token) {
  Request request = Base();
  FillRefreshGrant(Secret(token), &request);
  return request;
}

std::string Shown(const Error &error) {
  return std::string(error.what()) + "\n" + error.detail() + "\n" + error.hint() + "\n" + error.context();
}

// --- Requests -------------------------------------------------------------------------------------------------------

TEST(AuthApi, PasswordGrant) {
  const Request request = PasswordGrant("joe@example.com", "correct horse");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://abc.supabase.co/auth/v1/token?grant_type=password");
  EXPECT_EQ(request.label, "POST /auth/v1/token");
  EXPECT_EQ(request.secret_body.Reveal(), R"({"email":"joe@example.com","password":"correct horse"})");
  EXPECT_EQ(request.body, "");
  ASSERT_EQ(request.headers.size(), 1U);
  EXPECT_EQ(request.headers[0], (std::pair<std::string, std::string>("Content-Type", "application/json")));
  EXPECT_FALSE(request.idempotent);
  EXPECT_EQ(request.max_retries, 0);
  EXPECT_EQ(request.secret_headers.size(), 1U);
}

TEST(AuthApi, RefreshGrant) {
  const Request request = RefreshGrant("v1.token");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://abc.supabase.co/auth/v1/token?grant_type=refresh_token");
  EXPECT_EQ(request.label, "POST /auth/v1/token");
  EXPECT_EQ(request.secret_body.Reveal(), R"({"refresh_token":"v1.token"})");
  EXPECT_FALSE(request.idempotent);
  EXPECT_EQ(request.max_retries, 0);
}

TEST(AuthApi, SignOutOfThisSessionOnly) {
  Request request = Base();
  FillSignOut(Secret("a.b.c"), &request);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://abc.supabase.co/auth/v1/logout?scope=local");
  EXPECT_EQ(request.label, "POST /auth/v1/logout");
  EXPECT_TRUE(request.secret_body.empty());
  ASSERT_EQ(request.secret_headers.size(), 2U);
  EXPECT_EQ(request.secret_headers[1].first, "Authorization");
  EXPECT_EQ(request.secret_headers[1].second.Reveal(), "Bearer a.b.c");
}

TEST(AuthApi, BodiesAreJsonWhateverIsInThem) {
  std::string all;
  for (int c = 0; c < 0x80; ++c)
    all += static_cast<char>(c);
  for (const std::string &text :
       {std::string(), std::string("\""), std::string("\\"), std::string("a\",\"password\":\"b"),
        std::string("\\u0041"), std::string("\n\r\t\b\f"), std::string("\0", 1), std::string("grüße ☃ 𝄞"), all,
        std::string(8000, '\x01')}) {
    const json password = json::parse(PasswordGrant(text, text).secret_body.Reveal());
    EXPECT_EQ(password, (json{{"email", text}, {"password", text}}));
    EXPECT_EQ(json::parse(RefreshGrant(text).secret_body.Reveal()), (json{{"refresh_token", text}}));
  }
  EXPECT_EQ(PasswordGrant("a\"b\\c\n", "\x1f").secret_body.Reveal(),
            R"({"email":"a\"b\\c\u000a","password":"\u001f"})");
}

// --- Answers --------------------------------------------------------------------------------------------------------

TEST(AuthApi, ReadsAPair) {
  for (const int status : {200, 201}) {
    Response response = Answer(status, kPair);
    TokenPair pair;
    EXPECT_EQ(ReadTokenAnswer(&response, &pair), TokenAnswer::kTokens);
    EXPECT_EQ(pair.access.Reveal(), "new.access.token");
    EXPECT_EQ(pair.refresh.Reveal(), "new-refresh");
    EXPECT_EQ(pair.expires_in, 3600);
  }
}

TEST(AuthApi, ReadsAPairWithoutRefreshToken) {
  for (const char *body : {R"({"access_token":"a","token_type":"Bearer"})",
                           R"({"access_token":"a","token_type":"BEARER","refresh_token":null})",
                           R"({"access_token":"a","token_type":"bearer","refresh_token":""})"}) {
    Response response = Answer(200, body);
    TokenPair pair;
    pair.refresh = Secret("of before");
    EXPECT_EQ(ReadTokenAnswer(&response, &pair), TokenAnswer::kTokens) << body;
    EXPECT_EQ(pair.access.Reveal(), "a");
    EXPECT_TRUE(pair.refresh.empty()) << body;
    EXPECT_EQ(pair.expires_in, 300);
  }
}

// An answer that claims to be a success with this member.
std::string With(const std::string &member) {
  json body = json::parse(kPair);
  body.update(json::parse("{" + member + "}"));
  return body.dump();
}

TEST(AuthApi, ReadsTheLifetime) {
  const struct {
    const char *member;
    int64_t seconds;
  } cases[] = {
      {R"("expires_in":1)", 1},
      {R"("expires_in":1.9)", 1},
      {R"("expires_in":null)", 300},
      {R"("expires_in":2592000)", 2592000},
      {R"("expires_in":2592001)", 2592000},
      {R"("expires_in":9223372036854775807)", 2592000},
      {R"("expires_in":99999999999999999999999)", 2592000},
      {R"("expires_in":1e300)", 2592000},
  };
  for (const auto &c : cases) {
    Response response = Answer(200, With(c.member));
    TokenPair pair;
    EXPECT_EQ(ReadTokenAnswer(&response, &pair), TokenAnswer::kTokens) << c.member;
    EXPECT_EQ(pair.expires_in, c.seconds) << c.member;
  }
}

// Whether anything of `text` can be read in the memory of a string, up to its capacity.
bool StandsIn(const std::string &memory, std::string_view text) {
  return std::string_view(memory.data(), memory.capacity()).find(text) != std::string_view::npos;
}

TEST(AuthApi, RefusesASuccessWithoutUsableToken) {
  const std::string long_token(kMaxTokenBytes + 1, 't');
  const std::string bodies[] = {
      "{}",
      With(R"("token_type":"mac")"),
      With(R"("token_type":null)"),
      With(R"("token_type":"bearer ")"),
      With(R"("token_type":["bearer"])"),
      With(R"("expires_in":0)"),
      With(R"("expires_in":0.5)"),
      With(R"("expires_in":-1)"),
      With(R"("expires_in":-1e300)"),
      With(R"("expires_in":"3600")"),
      With(R"("expires_in":true)"),
      With(R"("expires_in":[3600])"),
      With(R"("access_token":"")"),
      With(R"("access_token":null)"),
      With(R"("access_token":7)"),
      With(R"("access_token":"a b")"),
      With(R"("access_token":"a\r\nX-Evil: 1")"),
      With(R"("access_token":"a\u0000b")"),
      With(R"("access_token":"a\u007fb")"),
      With(R"("access_token":"grüße")"),
      With("\"access_token\":\"" + long_token + "\""),
      With(R"("refresh_token":"a\nb")"),
      With(R"("refresh_token":"a b")"),
      With("\"refresh_token\":\"" + long_token + "\""),
  };
  for (const std::string &body : bodies) {
    SCOPED_TRACE(body.substr(0, 200));
    Response response = Answer(200, body);
    TokenPair pair;
    try {
      ReadTokenAnswer(&response, &pair);
      ADD_FAILURE() << "taken";
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "08P01");
      EXPECT_STREQ(error.what(), "invalid answer to a request for tokens");
      for (const char *secret : {"new.access", "new-refresh", "X-Evil", "tttttttt"})
        EXPECT_EQ(Shown(error).find(secret), std::string::npos);
    }
    // What could not be used may be valid all the same.
    for (const char *secret : {"new.access", "new-refresh", "tttttttt"})
      EXPECT_FALSE(StandsIn(response.body, secret)) << secret;
  }
}

TEST(AuthApi, WipesTheBodyThatHadTokens) {
  Response response = Answer(200, With(R"("provider_refresh_token":"of-the-provider")"));
  TokenPair pair;
  ASSERT_EQ(ReadTokenAnswer(&response, &pair), TokenAnswer::kTokens);
  for (const char *secret : {"new.access.token", "new-refresh", "of-the-provider"})
    EXPECT_FALSE(StandsIn(response.body, secret)) << secret;
}

const struct {
  int status;
  const char *body;
  TokenAnswer answer;
  const char *sqlstate, *message;  // the message: how it ends in the detail
} kAnswers[] = {
    // The refresh token is dead.
    {400,
     R"({"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token: Refresh Token Not Found"})",
     TokenAnswer::kDead, "28000", "400: Invalid Refresh Token: Refresh Token Not Found."},
    {400, R"({"code":400,"error_code":"refresh_token_already_used","msg":"Invalid Refresh Token: Already Used"})",
     TokenAnswer::kDead, "28000", "400: Invalid Refresh Token: Already Used."},
    {400, R"({"error":"invalid_grant","error_description":"Invalid Refresh Token"})", TokenAnswer::kDead, "28000",
     "400: Invalid Refresh Token."},
    {401, R"({"error":"invalid_grant"})", TokenAnswer::kDead, "28000", "401: invalid_grant."},
    {403,
     R"({"code":403,"error_code":"session_not_found","msg":"Session from session_id claim in JWT does not exist"})",
     TokenAnswer::kDead, "28000", "403: Session from session_id claim in JWT does not exist."},
    {400, R"({"code":400,"error_code":"session_expired","msg":"Invalid Refresh Token: Session Expired"})",
     TokenAnswer::kDead, "28000", "400: Invalid Refresh Token: Session Expired."},
    {403, R"({"code":403,"error_code":"user_banned","msg":"User is banned"})", TokenAnswer::kDead, "28000",
     "403: User is banned."},
    {400, R"({"code":400,"error_code":"validation_failed","msg":"Refresh token is not valid"})", TokenAnswer::kDead,
     "28000", "400: Refresh token is not valid."},
    // Since version 2024-01-01 of the API "code" has the name.
    {400, R"({"code":"refresh_token_not_found","message":"Invalid Refresh Token: Refresh Token Not Found"})",
     TokenAnswer::kDead, "28000", "400: Invalid Refresh Token: Refresh Token Not Found."},

    // The client is wrong.
    {400, R"({"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"})", TokenAnswer::kRefused,
     "28000", "400: Invalid login credentials."},
    {401, R"({"message":"Invalid API key","hint":"Double check your Supabase API key."})", TokenAnswer::kRefused,
     "28000", "401: Invalid API key."},
    {400, R"({"error":"invalid_client","error_description":"No such client"})", TokenAnswer::kRefused, "28000",
     "400: No such client."},
    {400, R"({"code":400,"error_code":"validation_failed","msg":"missing email or phone"})", TokenAnswer::kRefused,
     "28000", "400: missing email or phone."},
    {422, R"({"code":422,"error_code":"email_provider_disabled","msg":"Email logins are disabled"})",
     TokenAnswer::kRefused, "28000", "422: Email logins are disabled."},
    {404, "{}", TokenAnswer::kRefused, "28000", "answered with status 404."},
    {400, R"({"msg":["invalid_grant"],"error":{"error":"invalid_grant"}})", TokenAnswer::kRefused, "28000",
     "answered with status 400."},

    // Later perhaps.
    {429, R"({"code":429,"error_code":"over_request_rate_limit","msg":"Request rate limit reached"})",
     TokenAnswer::kTransient, "53400", "429: Request rate limit reached."},
    {429, "<html>slow down</html>", TokenAnswer::kTransient, "53400", "answered with status 429."},
    {429, R"({"error":"invalid_grant"})", TokenAnswer::kTransient, "53400", "429: invalid_grant."},
    {409,
     R"({"code":409,"error_code":"conflict","msg":"Too many concurrent token refresh requests on the same session"})",
     TokenAnswer::kTransient, "57P03", "409: Too many concurrent token refresh requests on the same session."},
    {500, R"({"code":500,"error_code":"unexpected_failure","msg":"Unexpected failure"})", TokenAnswer::kTransient,
     "57P03", "500: Unexpected failure."},
    {500, R"({"error":"invalid_grant"})", TokenAnswer::kTransient, "57P03", "500: invalid_grant."},
    {504, R"({"code":504,"error_code":"request_timeout","msg":"Processing this request timed out"})",
     TokenAnswer::kTransient, "57P03", "504: Processing this request timed out."},
    {503, "", TokenAnswer::kTransient, "57P03", "answered with status 503."},
    {400, R"({"error":"temporarily_unavailable"})", TokenAnswer::kTransient, "57P03", "400: temporarily_unavailable."},
    // Not the API's own answers.
    {200, "<html>invalid_grant</html>", TokenAnswer::kTransient, "57P03", "answered with status 200."},
    {400, "<html>invalid_grant</html>", TokenAnswer::kTransient, "57P03", "answered with status 400."},
    {400, "", TokenAnswer::kTransient, "57P03", "answered with status 400."},
    {400, R"("invalid_grant")", TokenAnswer::kTransient, "57P03", "answered with status 400."},
    {400, R"([{"error":"invalid_grant"}])", TokenAnswer::kTransient, "57P03", "answered with status 400."},
    {400, R"({"error":"invalid_grant")", TokenAnswer::kTransient, "57P03", "answered with status 400."},
    {200, "", TokenAnswer::kTransient, "57P03", "answered with status 200."},
    {200, R"({"access_token":"new.acc)", TokenAnswer::kTransient, "57P03", "answered with status 200."},
    {200, R"({"error":"invalid_grant"})", TokenAnswer::kTransient, "57P03", "200: invalid_grant."},
    {204, "", TokenAnswer::kTransient, "57P03", "answered with status 204."},
    {302, R"({"error":"invalid_grant"})", TokenAnswer::kTransient, "57P03", "302: invalid_grant."},
};

TEST(AuthApi, ClassifiesAnswers) {
  for (const auto &c : kAnswers) {
    SCOPED_TRACE(std::to_string(c.status) + " " + c.body);
    Response response = Answer(c.status, c.body);
    TokenPair pair;
    EXPECT_EQ(ReadTokenAnswer(&response, &pair), c.answer);
    EXPECT_TRUE(pair.access.empty());
    const Error error = TokenProblem(RefreshGrant("v1.token"), response, c.answer);
    EXPECT_STREQ(error.sqlstate(), c.sqlstate);
    EXPECT_STREQ(error.context(), "remote request: POST /auth/v1/token");
    const std::string detail = error.detail();
    const std::string end = c.message;
    EXPECT_TRUE(detail.size() >= end.size() && detail.substr(detail.size() - end.size()) == end) << detail;
  }
}

TEST(AuthApi, AnswerThatIsTooLargeIsNotRead) {
  Response response = Answer(400, R"({"error":"invalid_grant","x":")" + std::string(1 << 20, 'x') + "\"}");
  TokenPair pair;
  EXPECT_EQ(ReadTokenAnswer(&response, &pair), TokenAnswer::kTransient);
}

TEST(AuthApi, DeepAnswerIsRead) {
  const size_t depth = 200'000;
  Response response =
      Answer(400, R"({"error":"invalid_grant","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
  TokenPair pair;
  EXPECT_EQ(ReadTokenAnswer(&response, &pair), TokenAnswer::kDead);
}

// --- Errors ---------------------------------------------------------------------------------------------------------

// The detail for an answer whose message repeats this.
std::string Repeated(const Request &request, const std::string &text) {
  const Response response = Answer(400, json{{"msg", "cannot use " + text + " here"}}.dump());
  return Shown(TokenProblem(request, response, TokenAnswer::kRefused));
}

TEST(AuthApi, ProblemRepeatsNoSecret) {
  Request refresh = RefreshGrant("v1.MbkXyzTokenOfTheUser0123456789");
  refresh.secret_headers.emplace_back("Authorization", Secret("Bearer aaaa.bbbb.cccc-0123456789"));
  const Request password = PasswordGrant("joe@example.com", "pass\"word\n1\\");
  const struct {
    const Request &request;
    std::string text, secret;
  } cases[] = {
      {refresh, "v1.MbkXyzTokenOfTheUser0123456789", "MbkXyz"},
      {refresh, "\"v1.MbkXyzTokenOfTheUser0123456789\"", "MbkXyz"},
      {refresh, std::string(refresh.secret_body.Reveal()), "MbkXyz"},
      {refresh, "v1.MbkXyzTokenOfTheUser", "MbkXyz"},  // cut
      {refresh, "sb_publishable_0123456789", "sb_publishable_0123456789"},
      {refresh, "Bearer aaaa.bbbb.cccc-0123456789", "bbbb"},
      {refresh, "aaaa.bbbb.cccc-0123456789", "bbbb"},
      {password, "pass\"word\n1\\", "pass\"word"},
      {password, std::string(password.secret_body.Reveal()), "word"},  // as it was sent, escaped
      {RefreshGrant("k3x9"), "k3x9", "k3x9"},
  };
  for (const auto &c : cases) {
    const std::string shown = Repeated(c.request, c.text);
    EXPECT_EQ(shown.find(c.secret), std::string::npos) << shown;
    EXPECT_NE(shown.find("<hidden>"), std::string::npos) << shown;
    EXPECT_NE(shown.find("cannot use"), std::string::npos) << shown;  // the rest is shown
  }
}

// A secret that the cut at the end of a long message would halve.
TEST(AuthApi, ProblemHidesBeforeItCuts) {
  const Request request = RefreshGrant("v1.MbkXyzTokenOfTheUser0123456789");
  for (size_t before = 250; before < 310; ++before) {
    const std::string shown = Repeated(request, std::string(before, '.') + "v1.MbkXyzTokenOfTheUser0123456789");
    EXPECT_EQ(shown.find("Mbk"), std::string::npos) << shown;
  }
}

TEST(AuthApi, ProblemCleansTheMessage) {
  const Response response = Answer(400, json{{"msg", "a\nb\tc\x01" + std::string(5000, 'x')}}.dump());
  const std::string detail = TokenProblem(RefreshGrant("v1.token"), response, TokenAnswer::kRefused).detail();
  EXPECT_LT(detail.size(), 400U);
  EXPECT_TRUE(std::none_of(detail.begin(), detail.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  EXPECT_EQ(detail.back(), '.');
}

}  // namespace
}  // namespace supabase
