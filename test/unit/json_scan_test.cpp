#include "json_scan.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "corpus.hpp"

// The fuzz target under a name of its own, to run its corpus here.
#define LLVMFuzzerTestOneInput JsonScanFuzz
#include "../fuzz/json_scan_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

// A letter for each token, in the order of JsonToken::Kind; strings and numbers follow theirs.
std::string Tokens(const std::string &text) {
  // without anything readable after it
  const std::vector<char> exact(text.begin(), text.end());
  JsonScanner scanner({exact.data(), exact.size()});
  std::string tokens;
  for (;;) {
    const JsonToken token = scanner.Next();
    tokens += "{}[]ksntf0.?"[static_cast<int>(token.kind)];
    tokens += token.text;
    if (token.escaped) tokens += '~';
    if (token.kind == JsonToken::Kind::kEnd || token.kind == JsonToken::Kind::kOther) {
      EXPECT_EQ(scanner.Next().kind, token.kind) << text;
      return tokens;
    }
  }
}

TEST(JsonScan, Tokens) {
  EXPECT_EQ(Tokens("1"), "n1.");
  EXPECT_EQ(Tokens(" \"a\\nb\" \n"), "sa\\nb~.");
  EXPECT_EQ(Tokens("{\"a\": [1, -2.50, {}], \"\": null}"), "{ka[n1n-2.50{}]k0}.");
  EXPECT_EQ(Tokens("[true,false , null,[],\"\\u00e9\"]"), "[tf0[]s\\u00e9~].");
  EXPECT_EQ(Tokens(std::string(64, '[') + std::string(64, ']')), std::string(64, '[') + std::string(64, ']') + ".");
}

TEST(JsonScan, LeavesTheRest) {
  for (const char *text : {"",
                           " ",
                           "{",
                           "[",
                           "}",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{,}",
                           "{a:1}",
                           "{1:1}",
                           "[1}",
                           "{\"a\":1]",
                           "1 2",
                           "01",
                           "-",
                           "1.",
                           ".5",
                           "+1",
                           "1e5",
                           "-01",
                           "nul",
                           "nullx",
                           "True",
                           "\"",
                           "\"a",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\u0000\"",
                           "\"\\ud83d\\ude00\"",
                           "\"\\udc00\"",
                           "\"\t\"",
                           "\"\\",
                           "\"\\u",
                           "'a'",
                           "[1]]",
                           "{}{}",
                           "[\"a\":1]",
                           "\xEF\xBB\xBF"
                           "1",
                           "/**/1"}) {
    const std::string tokens = Tokens(text);
    EXPECT_EQ(tokens.back(), '?') << text << " gives " << tokens;
  }
  EXPECT_EQ(Tokens(std::string(65, '[') + std::string(65, ']')).back(), '?');
  EXPECT_EQ(Tokens(std::string("1\0", 2)).back(), '?');
}

TEST(JsonScan, Unescapes) {
  const auto plain = [](std::string text) {
    text.resize(UnescapeJson(text, text.data()));
    return text;
  };
  EXPECT_EQ(plain("\\\"\\\\\\/\\b\\f\\n\\r\\t"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(plain("a\\u0041\\u007f\\u0080\\u07fF\\u0800\\uFFFFb"),
            "aA\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"
            "b");
}

TEST(JsonScan, AgreesWithAParser) {
  EXPECT_GT(RunCorpus("json_scan", JsonScanFuzz), 3);
  // and the texts of answers, which have much in common
  EXPECT_GT(RunCorpus("rows", JsonScanFuzz), 3);
}

}  // namespace
}  // namespace supabase
