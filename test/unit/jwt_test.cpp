#include "jwt.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "corpus.hpp"
#include "error.hpp"

// The fuzz target under a name of its own, to run its corpus here; and its base64url encoder.
#define LLVMFuzzerTestOneInput JwtFuzzOneInput
#include "../fuzz/jwt_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

std::string Token(const std::string &payload, const std::string &header = R"({"alg":"HS256","typ":"JWT"})") {
  return Encode(header) + "." + Encode(payload) + "." + Encode("signature");
}

// The detail with which a token is refused, "" when it is taken.
std::string Refusal(const std::string &token) {
  try {
    DecodeJwt(token);
    return {};
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "22023");
    EXPECT_STREQ(error.what(), "invalid JSON Web Token");
    return error.detail();
  }
}

TEST(Jwt, ReadsTheClaimsOfAUser) {
  const Claims claims = DecodeJwt(Token(R"({"iss":"https://abcdefghijklmnopqrst.supabase.co/auth/v1",
      "sub":"2b6f6f0e-3c1a-4e0f-9d0e-0c8f6b1f2a3d","aud":"authenticated","exp":1760003600,"iat":1760000000,
      "nbf":1759999999,"email":"joe@example.com","app_metadata":{"role":"not this","exp":1},"role":"authenticated",
      "amr":[{"sub":"nor this"}]})"));
  EXPECT_EQ(claims.iss, "https://abcdefghijklmnopqrst.supabase.co/auth/v1");
  EXPECT_EQ(claims.sub, "2b6f6f0e-3c1a-4e0f-9d0e-0c8f6b1f2a3d");
  EXPECT_EQ(claims.email, "joe@example.com");
  EXPECT_EQ(claims.role, "authenticated");
  EXPECT_EQ(claims.ref, "");
  EXPECT_EQ(claims.exp, 1760003600);
  EXPECT_EQ(claims.iat, 1760000000);
  EXPECT_EQ(claims.nbf, 1759999999);
}

TEST(Jwt, ReadsAnOlderKey) {
  const Claims claims = DecodeJwt(
      Token(R"({"iss":"supabase","ref":"abcdefghijklmnopqrst","role":"anon","iat":1600000000,"exp":1915360000})"));
  EXPECT_EQ(claims.ref, "abcdefghijklmnopqrst");
  EXPECT_EQ(claims.role, "anon");
}

TEST(Jwt, AbsentClaimsAreEmpty) {
  const Claims claims = DecodeJwt("e30.e30.AA");
  EXPECT_TRUE(claims.sub.empty() && claims.role.empty() && claims.email.empty() && claims.iss.empty());
  EXPECT_FALSE(claims.exp || claims.nbf || claims.iat);
}

TEST(Jwt, OtherTypesOfTextClaimsAreIgnored) {
  const Claims claims = DecodeJwt(Token(R"({"sub":1,"role":null,"email":["a"],"iss":{"sub":"x"},"ref":true})"));
  EXPECT_EQ(claims.sub + claims.role + claims.email + claims.iss + claims.ref, "");
}

TEST(Jwt, TimesMayBeFractionsAndAreCutToDates) {
  const auto exp = [](const std::string &number) { return DecodeJwt(Token("{\"exp\":" + number + "}")).exp; };
  EXPECT_EQ(exp("0"), 0);
  EXPECT_EQ(exp("1760000000.999"), 1760000000);
  EXPECT_EQ(exp("1.76e9"), 1760000000);
  EXPECT_EQ(exp("-0.5"), -1);
  EXPECT_EQ(exp("253402300799"), 253402300799);
  EXPECT_EQ(exp("253402300800"), 253402300799);
  EXPECT_EQ(exp("18446744073709551615"), 253402300799);
  EXPECT_EQ(exp("99999999999999999999999"), 253402300799);
  EXPECT_EQ(exp("-9223372036854775808"), -62167219200);
  EXPECT_EQ(exp("-1e300"), -62167219200);
}

TEST(Jwt, RefusesTimesThatAreNoNumbers) {
  for (const char *name : {"exp", "nbf", "iat"}) {
    for (const char *value : {"\"1760000000\"", "null", "true", "[1]", "{}", "\"\""}) {
      const std::string payload = std::string("{\"") + name + "\":" + value + "}";
      EXPECT_NE(Refusal(Token(payload)).find("must be numbers"), std::string::npos) << payload;
    }
  }
  EXPECT_EQ(Refusal(Token(R"({"x":{"exp":"text"},"y":[{"nbf":null}]})")), "");
}

TEST(Jwt, RefusesDuplicateTopLevelKeysOnly) {
  EXPECT_NE(Refusal(Token(R"({"role":"anon","role":"anon"})")), "");
  EXPECT_NE(Refusal(Token(R"({"role":"anon","\u0072ole":"service_role"})")), "");
  EXPECT_NE(Refusal(Token(R"({"x":1,"y":{},"x":2})")), "");
  EXPECT_NE(Refusal(Token("{}", R"({"alg":"HS256","alg":"none"})")), "");
  EXPECT_EQ(Refusal(Token(R"({"x":{"a":1,"a":2}})")), "");
}

TEST(Jwt, LimitsDepthToSixteen) {
  const auto nested = [](size_t arrays) {
    return Token("{\"a\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}");
  };
  EXPECT_EQ(Refusal(nested(15)), "");
  EXPECT_NE(Refusal(nested(16)), "");
  EXPECT_NE(Refusal(nested(2900)), "");
}

TEST(Jwt, RefusesWhatIsNoJsonObject) {
  for (const std::string &payload :
       {std::string("[]"), std::string("1"), std::string("\"x\""), std::string("null"), std::string("{"),
        std::string("{}x"), std::string("{'a':1}"), std::string("{\"a\":1,}"), std::string("{\"exp\":1e999}"),
        std::string("{\"exp\":NaN}"), std::string("{\"sub\":\"\xFF\"}"), std::string("{}\0", 3),
        std::string("{}\0{}", 5), std::string(" "), std::string("{\"sub\":\"a\nb\"}"), std::string("/**/{}")}) {
    EXPECT_NE(Refusal(Token(payload)), "") << payload;
    EXPECT_NE(Refusal(Token("{}", payload)), "") << payload;
  }
}

TEST(Jwt, RefusesControlCharactersInClaims) {
  for (const char *name : {"sub", "role", "email", "iss", "ref"}) {
    for (const char *escape : {"\\u0000", "\\n", "\\u001b", "\\u007f"}) {
      EXPECT_NE(Refusal(Token(std::string("{\"") + name + "\":\"a" + escape + "\"}")), "") << name << escape;
    }
  }
  EXPECT_EQ(Refusal(Token(R"({"name":"a\nb"})")), "");
}

TEST(Jwt, RefusesEverythingOutsideTheGrammar) {
  const std::string good = Token(R"({"sub":"a"})");
  ASSERT_EQ(Refusal(good), "");
  const std::string cases[] = {
      "",
      ".",
      "..",
      "a",
      "a.b",
      "e30.e30.",
      "e30..AA",
      ".e30.AA",
      "e30.e30.AA.",
      "e30.e30.AA.AA",
      ".e30.e30.AA",
      " " + good,
      good + " ",
      good + "\n",
      good + "\r\nX-Evil: 1",
      "Bearer " + good,
      good + std::string(1, '\0'),
      good + "=",
      good + "==",
      "e30=.e30.AA",
      "e3+.e30.AA",
      "e3/.e30.AA",
      "e30.e30.A\xC3\xA4",
      // one digit too many, and unused bits that are not zero
      "e30.e30.A",
      "e30.e30.AAAAA",
      "e30.e30.AB",
      "e31.e30.AA",
      "e30.e31.AA",
      "e30.e30.AAB",
  };
  for (const std::string &token : cases)
    EXPECT_NE(Refusal(token), "") << token;
}

TEST(Jwt, RemembersTheExpiryOfTheSameTokenOnly) {
  ExpiryMemo memo;
  EXPECT_EQ(memo.ExpiresAt(Token(R"({"exp":100})")), 100);
  EXPECT_EQ(memo.ExpiresAt(Token(R"({"exp":100})")), 100);
  EXPECT_EQ(memo.ExpiresAt(Token(R"({"exp":200})")), 200);
  EXPECT_EQ(memo.ExpiresAt(Token("{}")), 0);
  EXPECT_THROW(memo.ExpiresAt("no token"), Error);
  EXPECT_THROW(memo.ExpiresAt("no token"), Error);
  EXPECT_THROW(memo.ExpiresAt(""), Error);
  EXPECT_EQ(memo.ExpiresAt(Token(R"({"exp":100})")), 100);
  memo.Forget();
  EXPECT_THROW(memo.ExpiresAt(""), Error);
}

TEST(Jwt, LimitsLength) {
  const std::string head = "e30.e30.";
  EXPECT_EQ(Refusal(head + std::string(kMaxTokenBytes - head.size(), 'A')), "");
  EXPECT_NE(Refusal(head + std::string(kMaxTokenBytes - head.size() + 1, 'A')), "");
  EXPECT_NE(Refusal(std::string(1 << 20, '.')), "");
}

TEST(Jwt, KeysGetAHintAndAreNotRepeated) {
  const std::string rest = "0123456789012345678901234567890123456789";
  for (const char *prefix : {"sb_publishable_", "sb_secret_", "sbp_"}) {
    try {
      DecodeJwt(prefix + rest);
      ADD_FAILURE() << prefix;
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "22023");
      EXPECT_NE(std::string(error.hint()).find("user mapping"), std::string::npos) << prefix;
      EXPECT_EQ((std::string(error.what()) + error.detail() + error.hint()).find(rest), std::string::npos);
    }
  }
}

TEST(Jwt, ErrorsNeverRepeatTheText) {
  for (const std::string &token :
       {std::string("markermarker"), Token("{\"markermarker\":1,\"markermarker\":2}"), Token("markermarker"),
        Token("{\"exp\":\"markermarker\"}"), Token("[\"markermarker\"]"), Token("{\"iss\":\"markermarker\\n\"}")}) {
    try {
      DecodeJwt(token);
      ADD_FAILURE() << token;
    } catch (const Error &error) {
      const std::string all = std::string(error.what()) + error.detail() + error.hint() + error.context();
      EXPECT_EQ(all.find("marker"), std::string::npos) << all;
    }
  }
}

TEST(Jwt, DecodesWhatIsEncoded) {
  std::mt19937 random(1);
  for (int run = 0; run < 2000; ++run) {
    std::string subject(random() % 50, ' ');
    for (char &c : subject)
      c = static_cast<char>(0x20 + random() % 95);
    const int64_t exp = static_cast<int64_t>(random());
    const std::string payload = nlohmann::json{{"sub", subject}, {"exp", exp}}.dump();
    const Claims claims = DecodeJwt(Token(payload));
    ASSERT_EQ(claims.sub, subject);
    ASSERT_EQ(claims.exp, exp);
  }
}

TEST(Jwt, StripsBearerAndBlanks) {
  EXPECT_EQ(StripBearer("Bearer a.b.c"), "a.b.c");
  EXPECT_EQ(StripBearer("bEARER   a.b.c \n"), "a.b.c");
  EXPECT_EQ(StripBearer(" \t a.b.c\r\n"), "a.b.c");
  EXPECT_EQ(StripBearer("Bearer\ta"), "a");
  EXPECT_EQ(StripBearer("Bearera"), "Bearera");
  EXPECT_EQ(StripBearer("Bearer Bearer a"), "Bearer a");
  EXPECT_EQ(StripBearer("\x02"
                        "earer a"),
            "\x02"
            "earer a");
  EXPECT_EQ(StripBearer("Bearer"), "Bearer");
  EXPECT_EQ(StripBearer(""), "");
  EXPECT_EQ(StripBearer(" \n "), "");
}

TEST(Jwt, ClassifiesKeys) {
  EXPECT_EQ(ClassifyKey("sb_publishable_abc"), KeyKind::kPublishable);
  EXPECT_EQ(ClassifyKey("sb_secret_abc"), KeyKind::kSecret);
  EXPECT_EQ(ClassifyKey(Token("{}")), KeyKind::kJwt);
  for (const char *key : {"", "abc", "a.b.c", "eyJ.b", "eyJ.b.", "eyJ.b.c.d", "eyJ.b c.d", "sbp_x", "SB_SECRET_abc"}) {
    EXPECT_EQ(ClassifyKey(key), KeyKind::kOther) << key;
  }
}

TEST(Jwt, FindsSecretsInTexts) {
  const std::string forty = "0123456789abcdef0123456789abcdef01234567";
  for (const std::string &text :
       {Token("{}"), "Bearer " + Token("{}"), "https://h?apikey=" + Token("{}") + "&x",
        std::string("eyJhbGciOiJIUzI1NiJ9.e30."), std::string("sb_secret_a"), std::string("https://h/?k=sb_secret_abc"),
        "sbp_" + forty, "sba_" + forty, "x sbp_" + forty, "k%3Dsbp_" + forty, "sbp_oauth_" + forty}) {
    EXPECT_TRUE(LooksLikeSecret(text)) << text;
  }
  for (const std::string &text :
       {std::string(), std::string("public"), std::string("https://abcdefghijklmnopqrst.supabase.co"),
        std::string("sb_publishable_abc"), std::string("sbp_items"), std::string("sbp_"), std::string("sb_secret_"),
        std::string("eyJ"), std::string("eyJabc"), std::string("eyJabc.def"), std::string("eyJabc..def"),
        std::string("abc.def.ghi"), std::string("eyJ abc.def.ghi")}) {
    EXPECT_FALSE(LooksLikeSecret(text)) << text;
  }
}

TEST(Jwt, RunsTheCorpus) {
  EXPECT_GE(RunCorpus("jwt", JwtFuzzOneInput), 20);
}

}  // namespace
}  // namespace supabase
