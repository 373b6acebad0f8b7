#include "url.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "corpus.hpp"
#include "error.hpp"

// The fuzz target under a name of its own, to run its corpus here.
#define LLVMFuzzerTestOneInput UrlFuzzOneInput
#include "../fuzz/url_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

struct ValidCase {
  const char *text, *scheme, *host;
  int port;
  const char *path, *written;
};

TEST(Url, TakesSchemeHostPortAndPath) {
  const ValidCase cases[] = {
      {"https://abcdefghijklmnopqrst.supabase.co", "https", "abcdefghijklmnopqrst.supabase.co", 443, "",
       "https://abcdefghijklmnopqrst.supabase.co"},
      {"https://Shop.Example.COM/", "https", "shop.example.com", 443, "", "https://shop.example.com"},
      {"HTTPS://h", "https", "h", 443, "", "https://h"},
      {"https://h:443", "https", "h", 443, "", "https://h"},
      {"https://h:80", "https", "h", 80, "", "https://h:80"},
      {"http://h:80/", "http", "h", 80, "", "http://h"},
      {"http://127.0.0.1:3000", "http", "127.0.0.1", 3000, "", "http://127.0.0.1:3000"},
      {"http://[::1]:54321", "http", "::1", 54321, "", "http://[::1]:54321"},
      {"http://[0:0:0:0:0:0:0:1]", "http", "::1", 80, "", "http://[::1]"},
      {"https://[2001:DB8::A]/x", "https", "2001:db8::a", 443, "/x", "https://[2001:db8::a]/x"},
      {"https://h:65535/a/b.c/~d_e-1/", "https", "h", 65535, "/a/b.c/~d_e-1", "https://h:65535/a/b.c/~d_e-1"},
      {"https://my_host.local/rest/v1", "https", "my_host.local", 443, "/rest/v1", "https://my_host.local/rest/v1"},
      {"https://1a.2b", "https", "1a.2b", 443, "", "https://1a.2b"},
      {"https://h/...", "https", "h", 443, "/...", "https://h/..."},
  };
  for (const ValidCase &c : cases) {
    SCOPED_TRACE(c.text);
    const BaseUrl url = ParseBaseUrl("url", c.text);
    EXPECT_EQ(url.scheme, c.scheme);
    EXPECT_EQ(url.host, c.host);
    EXPECT_EQ(url.port, c.port);
    EXPECT_EQ(url.path, c.path);
    EXPECT_EQ(url.Text(), c.written);
  }
}

TEST(Url, RefusesEverythingOutsideTheGrammar) {
  const std::string cases[] = {
      "",
      "https",
      "https:",
      "https:/h",
      "https://",
      "https:///p",
      "//h",
      "h",
      "ftp://h",
      "file:///etc/passwd",
      " https://h",
      "https://h ",
      "https://h\n",
      "https://h\r\nX-Evil: 1",
      "https ://h",
      "httpsx://h",
      // user info, query, fragment, escapes, backslash: what readers of URLs disagree about
      "https://a@h",
      "https://a:b@h",
      "https://good.com@evil.com",
      "https://good.com:80@evil.com",
      "https://good.com#@evil.com",
      "https://good.com/@x",
      "https://good.com\\@evil.com",
      "https://good.com\\evil",
      "https://h?x=1",
      "https://h/p?x",
      "https://h/p#f",
      "https://h%2eevil.com",
      "https://h/%2e%2e",
      "https://h/a b",
      "https://h;x",
      "https://h,evil.com",
      "https://h/a;b",
      // ports
      "https://h:",
      "https://h:/",
      "https://h:0",
      "https://h:00443",
      "https://h:65536",
      "https://h:99999999999",
      "https://h:-1",
      "https://h:+1",
      "https://h:4x",
      "https://h:443:443",
      "https://[::1]:",
      "https://[::1]443",
      "https://[::1]x",
      // host names
      "https://.h",
      "https://h.",
      "https://a..b",
      "https://-h",
      "https://h-",
      "https://a.-b.c",
      "https://h!",
      "https://\xC3\xA4.de",
      "https://\xE2\x93\x94.com",
      "https://" + std::string(64, 'a'),
      "https://h*",
      "https://*.supabase.co",
      // numbers that resolvers read as 127.0.0.1
      "http://2130706433",
      "http://0x7f.1",
      "http://017700000001",
      "http://127.1",
      "http://0177.0.0.1",
      "http://127.0.0.1.",
      "http://127.0.0.256",
      "http://127.0.0.01",
      "http://1.2.3.4.5",
      "http://0x7F000001",
      "http://a.0x",
      "http://h.1",
      // IPv6
      "https://[",
      "https://[]",
      "https://[::1",
      "https://::1",
      "https://[::1%25lo]",
      "https://[fe80::1%lo]",
      "https://[1:2]",
      "https://[127.0.0.1]",
      "https://[h]",
      "https://[[::1]]",
      // paths
      "https://h//",
      "https://h//p",
      "https://h/a//b",
      "https://h/.",
      "https://h/..",
      "https://h/../x",
      "https://h/a/../b",
      "https://h/a/./b",
      "https://h/\xC3\xA4",
      std::string("https://h\0.supabase.co", 22),
      std::string("https://[::1\0]", 14),
      std::string("https://h/\0", 11),
      "https://h/" + std::string(600, 'a'),
  };
  for (const std::string &text : cases) {
    SCOPED_TRACE(text);
    try {
      const BaseUrl url = ParseBaseUrl("rest_url", text);
      ADD_FAILURE() << "taken as " << url.Text();
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "HV024");
      EXPECT_EQ(std::string(error.what()).find("invalid value for option \"rest_url\": "), 0U) << error.what();
    }
  }
}

TEST(Url, LimitsLengthOfHostAndAddress) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_EQ(ParseBaseUrl("url", "https://" + longest).host, longest);
  EXPECT_THROW(ParseBaseUrl("url", "https://" + longest + "a"), Error);
  EXPECT_NO_THROW(ParseBaseUrl("url", "https://h/" + std::string(502, 'p')));
  EXPECT_THROW(ParseBaseUrl("url", "https://h/" + std::string(503, 'p')), Error);
}

TEST(Url, ErrorsDoNotRepeatTheValue) {
  for (const char *text : {"https://joe:marker@h", "https://h?apikey=marker", "marker://h", "https://h:marker",
                           "https://h/\x1b[31mmarker", "https://marker\x1b", "https://[marker]"}) {
    try {
      ParseBaseUrl("url", text);
      ADD_FAILURE() << text;
    } catch (const Error &error) {
      const std::string all = std::string(error.what()) + error.detail() + error.hint() + error.context();
      EXPECT_EQ(all.find("marker"), std::string::npos) << all;
      EXPECT_EQ(all.find('\x1b'), std::string::npos);
    }
  }
}

TEST(Url, KnowsLoopback) {
  for (const char *text : {"http://localhost", "http://LOCALHOST:1", "http://api.localhost", "http://127.0.0.1",
                           "http://127.255.255.254", "http://[::1]", "http://[0::0:1]"}) {
    EXPECT_TRUE(ParseBaseUrl("url", text).IsLoopback()) << text;
  }
  for (const char *text :
       {"http://notlocalhost", "http://localhost.evil.com", "http://127.evil.com", "http://128.0.0.1",
        "http://10.0.0.1", "http://[::2]", "http://[::ffff:127.0.0.1]", "http://0.0.0.0"}) {
    EXPECT_FALSE(ParseBaseUrl("url", text).IsLoopback()) << text;
  }
}

TEST(Url, TextIsParsedToTheSameAddress) {
  for (const char *text : {"https://h", "http://[2001:db8::1]:8080/a/b/", "https://A.b:80/x", "http://10.1.2.3/"}) {
    const BaseUrl first = ParseBaseUrl("url", text);
    const BaseUrl second = ParseBaseUrl("url", first.Text());
    EXPECT_EQ(first.Text(), second.Text());
    EXPECT_EQ(first.host, second.host);
    EXPECT_EQ(first.port, second.port);
    EXPECT_EQ(first.path, second.path);
  }
}

struct HostCase {
  const char *host, *list;
  bool matches, literally;
};

TEST(Url, HostListCoversNamesAndWildcards) {
  const HostCase cases[] = {
      {"a.supabase.co", "", false, false},
      {"a.supabase.co", " , ,", false, false},
      {"a.supabase.co", "*.supabase.co", true, false},
      {"a.b.supabase.co", "*.supabase.co", true, false},
      {"supabase.co", "*.supabase.co", false, false},
      {".supabase.co", "*.supabase.co", false, false},
      {"evilsupabase.co", "*.supabase.co", false, false},
      {"a.supabase.co.evil.com", "*.supabase.co", false, false},
      {"A.SUPABASE.CO", "*.supabase.Co", true, false},
      {"api.supabase.com", "*.supabase.co, *.supabase.in ,api.supabase.com", true, true},
      {"x.api.supabase.com", "*.supabase.co,api.supabase.com", false, false},
      {"h", "*", true, false},
      {"h", "x,*,h", true, true},
      {"10.0.0.1", "*", true, false},
      {"10.0.0.1", "*.0.0.1", false, false},
      {"10.0.0.1", "10.0.0.1", true, true},
      {"::1", "::1", true, true},
      {"::1", "[::1]", true, true},
      {"::1", "0:0:0:0:0:0:0:1", true, true},
      {"::1", "*.1", false, false},
      {"h", "*.", false, false},
      {"h", "h*", false, false},
      {"ah", "*h", false, false},
      {"", "*", false, false},
      {"a", "a b", false, false},
  };
  for (const HostCase &c : cases) {
    SCOPED_TRACE(std::string(c.host) + " in " + c.list);
    EXPECT_EQ(HostMatches(c.host, c.list), c.matches);
    EXPECT_EQ(HostListedLiterally(c.host, c.list), c.literally);
  }
}

std::string Decode(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return bytes;
}

TEST(Url, EncodesEveryByteReversibly) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte)
    all += static_cast<char>(byte);
  EXPECT_EQ(Decode(PercentEncode(all)), all);
  EXPECT_EQ(Decode(QueryEncode(all)), all);

  std::mt19937 random(1);
  for (int run = 0; run < 10000; ++run) {
    std::string text(random() % 40, '\0');
    for (char &c : text)
      c = static_cast<char>(random());
    ASSERT_EQ(Decode(PercentEncode(text)), text);
    ASSERT_EQ(Decode(QueryEncode(text)), text);
    ASSERT_EQ(QueryEncode(text).find_first_of("+;&=#\"\\ \t\r\n?[]{}|<>^`"), std::string::npos);
    for (const char c : QueryEncode(text))
      ASSERT_TRUE(c > 0x20 && c < 0x7F);
  }
}

TEST(Url, PercentEncodeLeavesUnreservedOnly) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a/b?c:d%\xC3\xA4"), "a%2Fb%3Fc%3Ad%25%C3%A4");
  EXPECT_EQ(PercentEncode(std::string_view("\0", 1)), "%00");
}

TEST(Url, QueryEncodeLeavesPostgrestGrammar) {
  EXPECT_EQ(QueryEncode(",.:()*'!~@/$-_aZ09"), ",.:()*'!~@/$-_aZ09");
  EXPECT_EQ(QueryEncode("+;&=#%\" \x7F"), "%2B%3B%26%3D%23%25%22%20%7F");
  EXPECT_EQ(QueryEncode(std::string_view("\0", 1)), "%00");
}

TEST(Url, ProjectRefIsTwentyLowerCaseLettersOrDigits) {
  EXPECT_TRUE(IsProjectRef("abcdefghijklmnopqrst"));
  EXPECT_TRUE(IsProjectRef("abcdefghij0123456789"));
  for (const char *text : {"", "abcdefghijklmnopqrs", "abcdefghijklmnopqrstu", "Abcdefghijklmnopqrst",
                           "abcdefghijklmnopqrs.", "abcdefghijklmnopqrs/", "abcdefghijklmnopqr\xC3\xA4"}) {
    EXPECT_FALSE(IsProjectRef(text)) << text;
  }
}

TEST(Url, RunsTheCorpus) {
  EXPECT_GE(RunCorpus("url", UrlFuzzOneInput), 10);
}

}  // namespace
}  // namespace supabase
