#include "problem.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "corpus.hpp"

// The fuzz target under a name of its own, to run its corpus here.
#define LLVMFuzzerTestOneInput ProblemFuzzOneInput
#include "../fuzz/problem_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

Request Asked() {
  Request request;
  request.label = "GET /rest/v1/orders?select=c0:id";
  request.secret_headers.emplace_back("apikey", Secret(kKey));
  request.secret_headers.emplace_back("authorization", Secret(std::string("Bearer ") + kToken));
  return request;
}

Response Answer(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

Error Problem(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers = {}) {
  return RemoteProblem(Asked(), Answer(status, std::move(body), std::move(headers)));
}

// Everything a user may see.
std::string Shown(const Error &error) {
  return std::string(error.what()) + "\n" + error.detail() + "\n" + error.hint() + "\n" + error.context();
}

struct Case {
  int status;
  const char *body, *sqlstate, *message, *detail, *hint;  // detail and hint: how they begin, nullptr for empty
};

void Check(const Case &c) {
  SCOPED_TRACE(std::to_string(c.status) + " " + c.body);
  const Error error = Problem(c.status, c.body);
  EXPECT_STREQ(error.sqlstate(), c.sqlstate);
  EXPECT_STREQ(error.what(), c.message);
  const auto begins = [](const char *text, const char *start) {
    return start == nullptr ? *text == '\0' : std::string(text).compare(0, std::string(start).size(), start) == 0;
  };
  EXPECT_TRUE(begins(error.detail(), c.detail)) << error.detail();
  EXPECT_TRUE(begins(error.hint(), c.hint)) << error.hint();
  EXPECT_STREQ(error.context(), "remote request: GET /rest/v1/orders?select=c0:id");
}

// Bodies as PostgREST 12.0 sends them.
TEST(Problem, MapsThePostgrest12Bodies) {
  const Case cases[] = {
      {400,
       R"({"code":"42703","details":null,"hint":"Perhaps you meant to reference the column \"t.id\".",)"
       R"("message":"column t.idd does not exist"})",
       "HV005", "column t.idd does not exist",
       "Hint of the remote: Perhaps you meant to reference the column \"t.id\".",
       "If the remote schema has changed, run IMPORT FOREIGN SCHEMA again"},
      {404, R"({"code":"42P01","details":null,"hint":null,"message":"relation \"public.nope\" does not exist"})",
       "HV00R", "relation \"public.nope\" does not exist", nullptr,
       "If the remote schema has changed, run IMPORT FOREIGN SCHEMA"},
      {404,
       R"({"code":"42883","details":null,)"
       R"("hint":"No operator matches the given name and argument types. You might need to add explicit type casts.",)"
       R"("message":"operator does not exist: json = unknown"})",
       "HV00C", "operator does not exist: json = unknown", "Hint of the remote: No operator matches",
       "The remote has no such operator or function. Set supabase_fdw.enable_pushdown to off"},
      {409,
       R"({"code":"23505","details":"Key (id)=(1) already exists.","hint":null,)"
       R"("message":"duplicate key value violates unique constraint \"t_pkey\""})",
       "23505", "duplicate key value violates unique constraint \"t_pkey\"", "Key (id)=(1) already exists.", nullptr},
      {401, R"({"code":"42501","details":null,"hint":null,"message":"permission denied for table secret"})", "42501",
       "permission denied for table secret", nullptr, nullptr},
      {403,
       R"({"code":"42501","details":null,"hint":null,)"
       R"("message":"new row violates row-level security policy for table \"t\""})",
       "42501", "new row violates row-level security policy for table \"t\"", nullptr, nullptr},
      {500,
       R"({"code":"57014","details":null,"hint":null,)"
       R"("message":"canceling statement due to statement timeout"})",
       "57014", "canceling statement due to statement timeout",
       "The statement timeout of the role in the remote database", nullptr},
      {400,
       R"({"code":"22P02","details":null,"hint":null,)"
       R"("message":"invalid input syntax for type integer: \"x\""})",
       "22P02", "invalid input syntax for type integer: \"x\"", nullptr, nullptr},
      {400, R"({"code":"P0001","details":"d","hint":"h","message":"raised"})", "P0001", "raised", "d", "h"},
      {418, R"({"code":"PT418","details":null,"hint":null,"message":"teapot"})", "PT418", "teapot", nullptr, nullptr},
      {400, R"({"code":"22023","details":null,"hint":null,"message":"role \"x\" does not exist"})", "22023",
       "role \"x\" does not exist", nullptr, nullptr},
      {400,
       R"_({"code":"PGRST100","details":"unexpected \"x\" expecting \"not\" or operator (eq, gt, ...)",)_"
       R"_("hint":null,"message":"\"failed to parse filter (xx.5)\" (line 1, column 1)"})_",
       "HV00C", "\"failed to parse filter (xx.5)\" (line 1, column 1)", "unexpected \"x\" expecting", nullptr},
      {400,
       R"({"code":"PGRST108","details":null,)"
       R"("hint":"Verify that 'dot' is included in the 'select' query parameter.",)"
       R"("message":"'dot' is not an embedded resource in this request"})",
       "HV00C", "'dot' is not an embedded resource in this request", nullptr, "Verify that 'dot' is included"},
      {400,
       R"({"code":"PGRST204","details":null,"hint":null,)"
       R"("message":"Could not find the 'x' column of 't' in the schema cache"})",
       "HV005", "Could not find the 'x' column of 't' in the schema cache", nullptr,
       "If the remote schema has changed"},
      {300,
       R"_({"code":"PGRST201",)_"
       R"_("details":[{"cardinality":"many-to-one","embedding":"a with b","relationship":"fk using a(b) and b(id)"}],)_"
       R"_("hint":"Try changing 'b' to one of the following: 'b!fk'.",)_"
       R"_("message":"Could not embed because more than one relationship was found for 'a' and 'b'"})_",
       "HV00C", "Could not embed because more than one relationship was found for 'a' and 'b'",
       R"_([{"cardinality":"many-to-one","embedding":"a with b","relationship":"fk using a(b) and b(id)"}])_",
       "Try changing 'b' to one"},
      {401, R"({"code":"PGRST301","details":null,"hint":null,"message":"JWT expired"})", "28000", "JWT expired",
       nullptr, "Pass a fresh access token to supabase_set_auth."},
      {401, R"({"code":"PGRST301","details":null,"hint":null,"message":"JWSError JWSInvalidSignature"})", "28000",
       "JWSError JWSInvalidSignature", nullptr, "Pass a fresh access token"},
      {401, R"({"code":"PGRST302","details":null,"hint":null,"message":"Anonymous access is disabled"})", "28000",
       "Anonymous access is disabled", nullptr, "Pass a fresh access token"},
      {500, R"({"code":"PGRST300","details":null,"hint":null,"message":"Server lacks JWT secret"})", "28000",
       "Server lacks JWT secret", nullptr, nullptr},
      {503,
       R"({"code":"PGRST000",)"
       R"("details":"connection to server at \"127.0.0.1\", port 5432 failed: Connection refused\n",)"
       R"("hint":null,"message":"Database connection error. Retrying the connection."})",
       "57P03", "Database connection error. Retrying the connection.",
       "connection to server at \"127.0.0.1\", port 5432 failed: Connection refused ", nullptr},
      {503,
       R"({"code":"PGRST002","details":null,"hint":null,)"
       R"("message":"Could not query the database for the schema cache. Retrying."})",
       "57P03", "Could not query the database for the schema cache. Retrying.", nullptr, nullptr},
      {504,
       R"({"code":"PGRST003","details":null,"hint":null,)"
       R"("message":"Timed out acquiring connection from connection pool."})",
       "57P03", "Timed out acquiring connection from connection pool.", nullptr, nullptr},
      {406,
       R"({"code":"PGRST106","details":null,"hint":null,"message":"The schema must be one of the following: public"})",
       "HV00C", "The schema must be one of the following: public", nullptr, "Add the schema to the exposed schemas"},
      {500, R"({"code":"PGRSTX00","details":null,"hint":null,"message":"internal"})", "08006", "internal", nullptr,
       nullptr},
      {404, R"({})", "HV00R", "remote table or function does not exist (status 404)", nullptr,
       "If the remote schema has"},
  };
  for (const Case &c : cases)
    Check(c);
}

// Bodies as PostgREST 13 and 14 send them, where they differ.
TEST(Problem, MapsThePostgrest14Bodies) {
  const Case cases[] = {
      {404,
       R"({"code":"PGRST205","details":null,"hint":"Perhaps you meant the table 'public.orders'",)"
       R"("message":"Could not find the table 'public.order' in the schema cache"})",
       "HV00R", "Could not find the table 'public.order' in the schema cache",
       "Hint of the remote: Perhaps you meant the table 'public.orders'", "If the remote schema has changed"},
      {401, R"({"code":"PGRST303","details":null,"hint":null,"message":"JWT expired"})", "28000", "JWT expired",
       nullptr, "Pass a fresh access token"},
      {401,
       R"({"code":"PGRST301","details":"No suitable key or wrong key type","hint":null,)"
       R"("message":"No suitable key was found to decode the JWT"})",
       "28000", "No suitable key was found to decode the JWT", "No suitable key or wrong key type",
       "Pass a fresh access token"},
      {404,
       R"({"code":"PGRST202",)"
       R"("details":"Searched for the function public.f without parameters, but no matches were found.",)"
       R"("hint":null,)"
       R"("message":"Could not find the function public.f without parameters in the schema cache"})",
       "HV005", "Could not find the function public.f without parameters in the schema cache",
       "Searched for the function", "If the remote schema"},
      {400,
       R"({"code":"PGRST200","details":"Searched for a foreign key relationship","hint":null,)"
       R"("message":"Could not find a relationship between 'a' and 'b' in the schema cache"})",
       "HV005", "Could not find a relationship between 'a' and 'b' in the schema cache", "Searched for",
       "If the remote schema"},
      {404, R"({"code":"PGRST126","details":null,"hint":null,"message":"Root endpoint metadata is disabled"})", "HV00C",
       "Root endpoint metadata is disabled", nullptr, nullptr},
      {401, R"({"code":"PGRST399","message":"new"})", "28000", "new", nullptr, "Check the credentials"},
      {401, R"({"code":"22023","details":null,"hint":null,"message":"role \"x\" does not exist"})", "22023",
       "role \"x\" does not exist", nullptr, nullptr},
  };
  for (const Case &c : cases)
    Check(c);
}

TEST(Problem, MapsTheGatewaysBodies) {
  const Case cases[] = {
      {403,
       R"({"message":"Access to schema is forbidden",)"
       R"("hint":"Accessing the schema via the Data API is only allowed using a secret API key."})",
       "28000", "remote refused access to the schema of the project", "Hint of the remote: Accessing the schema",
       "Use a secret API key (sb_secret_... or the service_role key) in the user mapping for IMPORT FOREIGN SCHEMA."},
      {401, R"({"message":"Access to schema is forbidden"})", "28000",
       "remote refused access to the schema of the project", nullptr, "Use a secret API key"},
      {401,
       R"({"message":"No API key found in request",)"
       R"("hint":"No `apikey` request header or url param was found."})",
       "28000", "No API key found in request", "Hint of the remote: No `apikey`",
       "Check the option \"api_key\" of the user mapping."},
      {401, R"({"message":"Invalid API key","hint":"Double check your Supabase `anon` or `service_role` API key."})",
       "28000", "Invalid API key", "Hint of the remote: Double check",
       "Check the option \"api_key\" of the user mapping."},
      {401, R"({"message":"Invalid JWT"})", "28000", "Invalid JWT", nullptr, "Pass a fresh access token"},
      {403, R"({"code":403,"error_code":"bad_jwt","msg":"invalid JWT: token is expired"})", "28000",
       "invalid JWT: token is expired", nullptr, "Pass a fresh access token"},
      {401, "Unauthorized", "28000", "remote refused the credentials (status 401)", "The remote answered: Unauthorized",
       "Check the credentials"},
      {403, R"({"message":"no"})", "42501", "no", nullptr, nullptr},
      {400, R"({"error":"invalid_grant","error_description":"Invalid login credentials"})", "HV00C",
       "Invalid login credentials", nullptr, nullptr},
      {429, "", "53400", "remote refused the request because of too many requests (status 429)", nullptr,
       "Try again later"},
      {402, "", "HV00C", "remote request failed with status 402", nullptr, "The remote project is restricted"},
      {540, "", "57P03", "remote request failed with status 540", nullptr, "The remote project is paused."},
      {544, "", "08006", "remote request failed with status 544", nullptr, "The remote gateway waited"},
      {503, "", "57P03", "remote request failed with status 503", nullptr, "The remote service is not available."},
      {520, "<html><head><title>520</title></head></html>", "08006", "remote request failed with status 520",
       "The remote answered: 520", nullptr},
      {400, "Bad Request", "HV00C", "remote request failed with status 400", "The remote answered: Bad Request",
       nullptr},
      {500, "Something went wrong", "08006", "remote request failed with status 500",
       "The remote answered: Something went wrong", nullptr},
      {304, "", "08004", "remote answered with a redirect (status 304)", nullptr, "Redirects are not followed."},
      {204, "", "08P01", "remote request failed with status 204", nullptr, nullptr},
  };
  for (const Case &c : cases)
    Check(c);
}

TEST(Problem, TakesInvalidTokenFromTheHeader) {
  const Error error = Problem(401, "", {{"www-authenticate", "Bearer error=\"invalid_token\""}});
  EXPECT_STREQ(error.sqlstate(), "28000");
  EXPECT_STREQ(error.hint(), "Pass a fresh access token to supabase_set_auth.");
}

TEST(Problem, IgnoresStatesThatMeanNoError) {
  for (const char *code : {"00000", "01000", "02000", "0200", "235055", "23 05", "2350a", "", "PGRST", "pgrst205"}) {
    const Error error = Problem(400, std::string(R"({"message":"m","code":")") + code + "\"}");
    EXPECT_STREQ(error.sqlstate(), std::string(code) == "PGRST" ? "PGRST" : "HV00C") << code;
    EXPECT_STREQ(error.what(), "m");
  }
  for (const char *code : {"null", "5", "[\"23505\"]", "{}", "\"23505\\u0000\""}) {
    EXPECT_STREQ(Problem(400, std::string(R"({"message":"m","code":)") + code + "}").sqlstate(), "HV00C") << code;
  }
}

TEST(Problem, RedirectNamesStatusAndHostOnly) {
  struct Redirect {
    const char *location, *message;
  };
  const Redirect cases[] = {
      {"https://evil.example/steal?token=marker#x", " to host \"evil.example\""},
      {"http://Evil.Example:8080", " to host \"evil.example\""},
      {"https://u:marker@evil.example/", ""},
      {"/marker", ""},
      {"", ""},
      {"https://\x1b[31mmarker/", ""},
      {"javascript:marker", ""},
      {"https://sb_secret_0123456789abcdefghij.evil.example/", ""},
  };
  for (const Redirect &c : cases) {
    const Error error = Problem(302, R"({"code":"23505","message":"marker","hint":"marker","details":"marker"})",
                                {{"location", c.location}});
    EXPECT_STREQ(error.sqlstate(), "08004");
    EXPECT_EQ(error.what(), std::string("remote answered with a redirect (status 302)") + c.message);
    EXPECT_EQ(Shown(error).find("marker"), std::string::npos) << Shown(error);
    EXPECT_EQ(Shown(error).find(kKey), std::string::npos) << Shown(error);
  }
}

TEST(Problem, TooManyRequestsTellsHowLongToWait) {
  EXPECT_STREQ(Problem(429, "", {{"retry-after", "30"}}).detail(), "The remote asks to wait for 30 seconds.");
  EXPECT_STREQ(Problem(429, "", {{"retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"}}).detail(),
               "The remote asks to wait until \"Fri, 31 Dec 1999 23:59:59 GMT\".");
  EXPECT_EQ(std::string(Problem(429, "", {{"retry-after", std::string("\x1b") + kKey}}).detail()),
            "The remote asks to wait until \" <hidden>\".");
  EXPECT_STREQ(Problem(503, "", {{"retry-after", "30"}}).detail(), "");
}

TEST(Problem, HidesSecretsThatTheRemoteEchoes) {
  const std::string key = kKey;
  const std::string token = kToken;
  const std::string signature = token.substr(token.rfind('.') + 1);
  const std::string payload = token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1);
  // whole, twice, joined, cut at either end, in parts
  for (const std::string &echo :
       {key, token, "Bearer " + token, key + key + token, "x" + token + "y", token.substr(0, 60), key.substr(0, 20),
        token.substr(token.find('.')), signature, payload, key + "\\n" + key}) {
    const std::string body = R"({"code":"22023","message":"m )" + echo + R"( m","details":["d )" + echo +
                             R"(",{"x":")" + echo + R"("}],"hint":"h )" + echo + R"("})";
    for (const Error &error : {Problem(400, body), Problem(401, "plain " + echo + " text"),
                               Problem(500, "<p>" + echo + "</p>"), Problem(502, "[\"" + echo + "\"]")}) {
      const std::string shown = Shown(error);
      EXPECT_NE(shown.find("<hidden>"), std::string::npos) << shown;
      for (const std::string &part :
           {key.substr(0, 16), signature.substr(0, 16), payload.substr(0, 16), token.substr(0, 16)}) {
        EXPECT_EQ(shown.find(part), std::string::npos) << shown;
      }
    }
  }
  EXPECT_STREQ(Problem(400, R"({"code":"22023","message":"bad key )" + key + R"( given"})").what(),
               "bad key <hidden> given");
}

TEST(Problem, HidesSecretsAtTheCut) {
  const std::string key = kKey;
  for (size_t before = 980; before < 1030; ++before) {
    const std::string message = std::string(before, 'a') + key + std::string(3000, 'b');
    const std::string shown = Shown(Problem(400, "{\"code\":\"22023\",\"message\":\"" + message + "\"}"));
    ASSERT_EQ(shown.find(key.substr(0, 4)), std::string::npos) << before;
  }
}

TEST(Problem, TagsCannotHideASecretFromUs) {
  const std::string key = kKey;
  const std::string shown = Shown(Problem(500, "<p>" + key.substr(0, 8) + "<b></b>" + key.substr(8) + "</p>"));
  EXPECT_EQ(shown.find(key.substr(8)), std::string::npos) << shown;
  EXPECT_NE(shown.find("<hidden>"), std::string::npos);
}

TEST(Problem, ShortSecretsAreHiddenWhole) {
  Request request;
  request.secret_headers.emplace_back("apikey", Secret("k3y"));
  request.secret_headers.emplace_back("x", Secret(""));
  const Error error = RemoteProblem(request, Answer(400, R"({"code":"22023","message":"k3y k3 ak3yb"})"));
  EXPECT_STREQ(error.what(), "<hidden> k3 a<hidden>b");
}

TEST(Problem, CutsAndCleansEveryField) {
  const std::string megabyte(1 << 20, 'x');
  const std::string body = "{\"code\":\"P0001\",\"message\":\"" + megabyte + "\",\"details\":[\"" + megabyte +
                           "\"],\"hint\":\"" + megabyte + "\"}";
  const auto start = std::chrono::steady_clock::now();
  const Error error = Problem(400, body);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_STREQ(error.sqlstate(), "P0001");
  EXPECT_EQ(error.what(), std::string(1021, 'x') + "...");
  EXPECT_EQ(std::string(error.detail()).size(), 1024U);
  EXPECT_EQ(std::string(error.hint()).size(), 1024U);

  const Error ansi =
      Problem(400, R"({"code":"P0001","message":"\u001b[31mred\u0007\r\n\u0000x\u0085\u202ey\u2028\u2066"})");
  EXPECT_STREQ(ansi.what(), " [31mred    x  y  ");
}

TEST(Problem, ABodyTooLargeOrTooDeepMapsByStatus) {
  EXPECT_STREQ(Problem(400, "{\"code\":\"23505\",\"message\":\"" + std::string(5 << 20, 'x') + "\"}").sqlstate(),
               "HV00C");
  EXPECT_STREQ(Problem(409, std::string(1 << 20, '[')).sqlstate(), "HV00C");
  const std::string nested = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_STREQ(Problem(409, "{\"code\":\"23505\",\"details\":" + nested + "}").sqlstate(), "HV00C");
  EXPECT_STREQ(Problem(409, R"({"code":"23505","message":"cut)").sqlstate(), "HV00C");
}

TEST(Problem, PagesLoseTheirTags) {
  struct Page {
    const char *body, *text;
  };
  const Page cases[] = {
      {"<!DOCTYPE html>\n<html><head>\n<title>502 Bad\tgateway</title><style>p { x: y }</style>"
       "<SCRIPT type='a'>alert('<p>x</p>')</SCRIPT></head><body><h1>Error</h1><!-- <b> -- > c "
       "--><p>Host&nbsp;down</p></body></html>",
       "502 Bad gateway Error Host&nbsp;down"},
      {"a<b>c", "a c"},
      {"a<b", "a"},
      {"a<script>b", "a"},
      {"a<!-- b", "a"},
      {"a > b", "a > b"},
  };
  for (const Page &c : cases)
    EXPECT_EQ(Problem(502, c.body).detail(), std::string("The remote answered: ") + c.text);
  EXPECT_STREQ(Problem(502, "<html>\n</html>").detail(), "");
  EXPECT_EQ(Problem(502, std::string(500, 'x')).detail(), "The remote answered: " + std::string(197, 'x') + "...");
}

TEST(Problem, BlankMessagesAreReplaced) {
  for (const char *message : {"\"\"", "null", "\" \\n\\u0000\"", "\"\\u001b\""}) {
    const Error error = Problem(400, std::string(R"({"code":"P0001","message":)") + message + "}");
    EXPECT_STREQ(error.what(), "remote request failed with status 400") << message;
    EXPECT_STREQ(error.sqlstate(), "P0001");
  }
}

TEST(Problem, LabelIsCutAt300) {
  Request request = Asked();
  request.label = "GET /" + std::string(1000, 'x');
  const Error error = RemoteProblem(request, Answer(400, "{}"));
  EXPECT_EQ(error.context(), "remote request: GET /" + std::string(292, 'x') + "...");
}

TEST(Problem, RemoteCodeIsTheCodeOfABody) {
  EXPECT_EQ(RemoteCode(Answer(503, R"({"code":"PGRST002","message":"m"})")), "PGRST002");
  EXPECT_EQ(RemoteCode(Answer(500, R"({"message":"m","code":"40001"})")), "40001");
  for (const char *body :
       {"", "{}", "[]", "<html>", R"({"code":5})", R"({"code":null})", R"(["code"])", R"({"code":"4000)"}) {
    EXPECT_EQ(RemoteCode(Answer(503, body)), "") << body;
  }
}

TEST(Problem, CleanTextKeepsUtf8AndReplacesTheRest) {
  struct Clean {
    std::string text, clean;
  };
  const Clean cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"},
      {"\xEF\xBF\xBF \xF4\x8F\xBF\xBF \xEE\x80\x80 \xED\x9F\xBF",
       "\xEF\xBF\xBF \xF4\x8F\xBF\xBF \xEE\x80\x80 \xED\x9F\xBF"},
      {std::string("a\0b\tc\x7F", 6), "a b c "},
      {"\xC2\x80\xC2\x9F\xC2\xA0", "  \xC2\xA0"},
      {"a\xFF\xFE"
       "b",
       "a??b"},
      {"\x80", "?"},
      {"\xC0\x80", "??"},
      {"\xC1\xBF", "??"},
      {"\xE0\x9F\xBF", "???"},
      {"\xED\xA0\x80", "???"},
      {"\xF0\x8F\xBF\xBF", "????"},
      {"\xF4\x90\x80\x80", "????"},
      {"\xF5\x80\x80\x80", "????"},
      {"\xE2\x82", "??"},
      {"\xC3", "?"},
      {"\xC3(", "?("},
  };
  for (const Clean &c : cases)
    EXPECT_EQ(CleanText(c.text, 100), c.clean);
}

TEST(Problem, CleanTextCutsBetweenCharacters) {
  EXPECT_EQ(CleanText("abcdef", 6), "abcdef");
  EXPECT_EQ(CleanText("abcdefg", 6), "abc...");
  EXPECT_EQ(CleanText("ab\xE2\x82\xAC"
                      "efg",
                      6),
            "ab...");
  EXPECT_EQ(CleanText("\xE2\x82\xAC\xE2\x82\xAC", 6), "\xE2\x82\xAC\xE2\x82\xAC");
  EXPECT_EQ(CleanText("abcd", 3), "...");
  EXPECT_EQ(CleanText("abcd", 2), "");
  EXPECT_EQ(CleanText("abcd", 0), "");
}

TEST(Problem, KnowsTheRefusalOfAggregates) {
  const auto refuses = [](int status, const std::string &code) {
    Response response;
    response.status = status;
    response.body = "{\"code\":\"" + code + "\",\"message\":\"m\",\"details\":null,\"hint\":null}";
    return RefusesAggregates(response);
  };
  EXPECT_TRUE(refuses(400, "PGRST123"));
  EXPECT_TRUE(refuses(400, "PGRST100"));
  EXPECT_FALSE(refuses(400, "PGRST103"));
  EXPECT_FALSE(refuses(400, "42703"));
  EXPECT_FALSE(refuses(401, "PGRST123"));
  EXPECT_FALSE(refuses(200, "PGRST123"));
}

TEST(Problem, RunsTheCorpus) {
  EXPECT_GE(RunCorpus("problem", ProblemFuzzOneInput), 15);
}

TEST(Problem, NamesTheConstraint) {
  const struct {
    const char *code, *message, *constraint;
  } cases[] = {
      {"23505", R"(duplicate key value violates unique constraint \"items_pkey\")", "items_pkey"},
      {"23503", R"(insert on table \"a\" violates foreign key constraint \"a_b_fkey\" on table \"c\")", "a_b_fkey"},
      {"23514", R"(new row for relation \"a\" violates check constraint \"a b, c\")", "a b, c"},
      {"23P01", R"(conflicting key value violates exclusion constraint \"x\")", "x"},
      {"23505", R"(doppelter Schl\u00fcsselwert verletzt Unique-Constraint \u00bbitems_pkey\u00ab)", ""},
      {"23505", R"(constraint \"cut)", ""},
      {"23505", R"(constraint \"\")", ""},
      {"23502", R"(null value in column \"a\" of relation \"b\" violates not-null constraint)", ""},
      {"42704", R"(constraint \"x\" for table \"t\" does not exist)", ""},
      {"P0001", R"(constraint \"x\")", ""},
      {"PGRST100", R"(constraint \"x\")", ""},
  };
  for (const auto &c : cases) {
    const Error error = Problem(409, std::string(R"({"code":")") + c.code + R"(","message":")" + c.message + "\"}");
    EXPECT_STREQ(error.constraint(), c.constraint) << c.message;
  }
}

TEST(Problem, ConstraintIsCleanAndNoSecret) {
  const Error secret = Problem(409, std::string(R"({"code":"23505","message":"constraint \")") + kKey + R"(\""})");
  EXPECT_STREQ(secret.constraint(), "<hidden>");
  const Error line = Problem(409, R"({"code":"23505","message":"constraint \"a\nb\""})");
  EXPECT_STREQ(line.constraint(), "a b");
  const Error large = Problem(409, R"({"code":"23505","message":"constraint \")" + std::string(500, 'x') + R"(\""})");
  EXPECT_EQ(std::string(large.constraint()).size(), 63U);
}

}  // namespace
}  // namespace supabase
