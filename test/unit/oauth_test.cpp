#include "oauth.hpp"

#include <gtest/gtest.h>

#include "crypto.hpp"
#include "error.hpp"

namespace supabase {
namespace {

constexpr char kInstance[] = "6f1c2f0e/16384";

Keyring Keys(const std::string &more = {}) {
  return Keyring::Parse("instance x\n" + more + std::string("1 ") +
                        std::string(EncodeBase64(std::string(32, 'k')).Reveal()) + "\n");
}

template <typename F>
std::string Refusal(F call) {
  try {
    call();
  } catch (const Error &error) {
    return std::string(error.sqlstate()) + " " + error.detail();
  }
  return "none";
}

std::string Read(const Keyring &keys, std::string_view instance, std::string_view state, int64_t now) {
  return Refusal([&] { (void)ReadState(keys, instance, state, now); });
}

// RFC 7636, appendix B.
TEST(OAuth, Challenge) {
  EXPECT_EQ(ChallengeOf(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST(OAuth, VerifierHasTheFormOfTheRfcAndIsNew) {
  Secret const verifier = MakeVerifier();
  EXPECT_EQ(verifier.Reveal().size(), 43u);
  EXPECT_EQ(verifier.Reveal().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string_view::npos);
  EXPECT_NE(verifier.Reveal(), MakeVerifier().Reveal());
}

// RFC 4231, test case 2.
TEST(OAuth, HmacKnownAnswer) {
  EXPECT_EQ(Hex(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(OAuth, Base64Url) {
  std::string const bytes("\xfb\xff\xfe", 3);
  EXPECT_EQ(EncodeBase64Url(bytes), "-__-");
  std::string back;
  EXPECT_TRUE(DecodeBase64Url("-__-", &back));
  EXPECT_EQ(back, bytes);
  for (const char *bad : {"+//+", "-__", "-__-=", "a", "AB"})
    EXPECT_FALSE(DecodeBase64Url(bad, &back) && EncodeBase64Url(back) != bad) << bad;
  EXPECT_FALSE(DecodeBase64Url("+//+", &back));
}

TEST(OAuth, StateComesBack) {
  Keyring const keys = Keys();
  std::string const state = MakeState(keys, kInstance, {1000, "/projects?a=b"});
  OAuthState const content = ReadState(keys, kInstance, state, 999);
  EXPECT_EQ(content.return_to, "/projects?a=b");
  EXPECT_EQ(content.expires_at, 1000);
  EXPECT_NE(state, MakeState(keys, kInstance, {1000, "/projects?a=b"}));
  EXPECT_EQ(StateName(state).size(), 32u);
}

TEST(OAuth, StateIsGoodForItsTimeAndDatabase) {
  Keyring const keys = Keys();
  std::string const state = MakeState(keys, kInstance, {1000, ""});
  EXPECT_EQ(Read(keys, kInstance, state, 1000), "28000 Its time is over.");
  EXPECT_EQ(Read(keys, "6f1c2f0e/16385", state, 1), "28000 The authorization was begun in another database.");
}

TEST(OAuth, EveryChangeOfAStateIsSeen) {
  Keyring const keys = Keys();
  std::string bytes;
  ASSERT_TRUE(DecodeBase64Url(MakeState(keys, kInstance, {1000, "https://a.example/"}), &bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(Read(keys, kInstance, EncodeBase64Url(changed), 1).substr(0, 5), "28000") << i;
  }
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(Read(keys, kInstance, EncodeBase64Url(bytes.substr(0, size)), 1).substr(0, 5), "28000") << size;
}

TEST(OAuth, StateSurvivesANewKeyButNotTheLossOfItsOwn) {
  std::string const other = "2 " + std::string(EncodeBase64(std::string(32, 'o')).Reveal()) + "\n";
  std::string const state = MakeState(Keys(), kInstance, {1000, ""});
  EXPECT_EQ(Read(Keys(other), kInstance, state, 1), "none");
  EXPECT_EQ(Read(Keyring::Parse("instance x\n" + other), kInstance, state, 1).substr(0, 5), "28000");
}

TEST(OAuth, AuthorizeUrl) {
  EXPECT_EQ(MakeAuthorizeUrl({"https://api.example", "id", "http://127.0.0.1:1/cb?x=1", "st-_", "ch", "acme"}),
            "https://api.example/v1/oauth/authorize?response_type=code&client_id=id&redirect_uri="
            "http%3A%2F%2F127.0.0.1%3A1%2Fcb%3Fx%3D1&state=st-_&code_challenge=ch&code_challenge_method=S256"
            "&organization_slug=acme");
  std::string const uri = "https://a.example/";
  EXPECT_EQ(Refusal([&] { MakeAuthorizeUrl({"", "", uri, std::string(4096 - uri.size(), 's'), "", ""}); }), "none");
  EXPECT_EQ(Refusal([&] {
              MakeAuthorizeUrl({"", "", uri, std::string(4097 - uri.size(), 's'), "", ""});
            }).substr(0, 5),
            "22023");
}

TEST(OAuth, ReturnTo) {
  for (const char *good : {"/", "/a?b=c#d", "https://a.example", "https://a.example/x?y#z", "http://localhost:3000/"})
    EXPECT_EQ(Refusal([&] { CheckReturnTo(good); }), "none") << good;
  for (const char *bad :
       {"", "//evil.example", "/\\evil.example", "/a b", "/a\nb", "http://a.example/", "javascript:alert(1)",
        "javascript://x", "data:text/html,x", "https://", "https://u@a.example/", "https:\\\\a", "a/b", "/a\"b"})
    EXPECT_NE(Refusal([&] { CheckReturnTo(bad); }), "none") << bad;
}

TEST(OAuth, RedirectUri) {
  EXPECT_EQ(Refusal([] { CheckRedirectUri("http://127.0.0.1:8675/callback"); }), "none");
  for (const char *bad : {"/callback", "http://a.example/cb", "https://a.example/cb#f", "urn:ietf:wg:oauth:2.0:oob"})
    EXPECT_NE(Refusal([&] { CheckRedirectUri(bad); }), "none") << bad;
}

TEST(OAuth, TokenRequests) {
  OAuthClient const client = {"id", Secret("s+/:")};
  Request request;
  request.url = "https://api.example";
  FillCodeGrant(client, Secret("c&d"), "http://127.0.0.1/cb", Secret("v"), &request);
  EXPECT_EQ(request.url, "https://api.example/v1/oauth/token");
  EXPECT_EQ(request.label, "POST /v1/oauth/token");
  EXPECT_EQ(request.secret_body.Reveal(),
            "grant_type=authorization_code&code=c%26d&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&code_verifier=v");
  EXPECT_FALSE(request.idempotent);
  EXPECT_EQ(request.max_retries, 0);
  ASSERT_EQ(request.secret_headers.size(), 1u);
  // "id:s%2B%2F%3A", as RFC 6749, 2.3.1 has it
  EXPECT_EQ(request.secret_headers[0].second.Reveal(), "Basic aWQ6cyUyQiUyRiUzQQ==");
  Request refresh;
  FillOAuthRefresh(client, Secret("r=1"), &refresh);
  EXPECT_EQ(refresh.secret_body.Reveal(), "grant_type=refresh_token&refresh_token=r%3D1");
}

TEST(OAuth, RevocationIsJsonWithoutBasic) {
  Request request;
  FillOAuthRevoke({"id", Secret("s\"")}, Secret("r"), &request);
  EXPECT_EQ(request.label, "POST /v1/oauth/revoke");
  EXPECT_EQ(request.secret_body.Reveal(), R"({"client_id":"id","client_secret":"s\"","refresh_token":"r"})");
  EXPECT_TRUE(request.secret_headers.empty());
}

}  // namespace
}  // namespace supabase
