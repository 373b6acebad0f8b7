#include "payload.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace supabase {
namespace {

PayloadValue Text(std::string_view text) {
  return {text.data(), text.size(), PayloadValue::Kind::kText};
}

PayloadValue JsonValue(std::string_view text) {
  return {text.data(), text.size(), PayloadValue::Kind::kJson};
}

std::string Escaped(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(Payload, StringsAreEscapedWhereJsonMustBe) {
  const struct {
    std::string_view text;
    const char *json;
  } cases[] = {
      {"", R"("")"},
      {"plain", R"("plain")"},
      {R"(")", R"("\"")"},
      {R"(\)", R"("\\")"},
      {R"(a"b\c")", R"("a\"b\\c\"")"},
      {"/", R"("/")"},
      {"\n\r\t\b\f", R"("\u000a\u000d\u0009\u0008\u000c")"},
      {std::string_view("\0", 1), R"("\u0000")"},
      {"\x1f\x20\x7f", "\"\\u001f\x20\x7f\""},
      {"h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {"{1,NULL,\"x\"}", R"("{1,NULL,\"x\"}")"},
      {"\xe2\x80\xa8", "\"\xe2\x80\xa8\""},
  };
  for (const auto &c : cases)
    EXPECT_EQ(Escaped(c.text), c.json);
}

TEST(Payload, EveryControlCharacterComesBack) {
  std::string all;
  for (int c = 0; c < 128; ++c)
    all += static_cast<char>(c);
  const std::string json = Escaped(all);
  EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), all);
  for (const char c : json)
    EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Payload, AppendsAndLeavesWhatIsThere) {
  std::string out = "before ";
  AppendJsonString(out, "a\"");
  AppendJsonString(out, "b");
  EXPECT_EQ(out, R"(before "a\"""b")");
}

TEST(Payload, RowsBecomeAnArrayOfObjects) {
  Payload payload({"id", "note"});
  EXPECT_EQ(payload.rows(), 0U);
  EXPECT_EQ(payload.bytes(), 0U);
  const PayloadValue first[] = {Text("1"), Text("a")}, second[] = {Text("2"), PayloadValue()};
  payload.AddRow(first);
  payload.AddRow(second);
  EXPECT_EQ(payload.rows(), 2U);
  EXPECT_GT(payload.bytes(), 30U);
  EXPECT_EQ(payload.Take(), R"([{"id":"1","note":"a"},{"id":"2","note":null}])");
}

TEST(Payload, TakeLeavesAnEmptyOne) {
  Payload payload({"id"});
  const PayloadValue row[] = {Text("1")};
  payload.AddRow(row);
  payload.Take();
  EXPECT_EQ(payload.rows(), 0U);
  EXPECT_EQ(payload.bytes(), 0U);
  EXPECT_EQ(payload.Take(), "[]");
  payload.AddRow(row);
  EXPECT_EQ(payload.Take(), R"([{"id":"1"}])");
}

TEST(Payload, JsonIsCopiedByteForByte) {
  Payload payload({"doc"});
  const std::string_view document = R"({"b" : 1.50,  "a":[1e3 , null],"b":"\u00e4"})";
  const PayloadValue row[] = {JsonValue(document)};
  EXPECT_EQ(payload.Object(row), "{\"doc\":" + std::string(document) + "}");
  const PayloadValue number[] = {JsonValue("12345678901234567890.10")}, null[] = {JsonValue("null")};
  EXPECT_EQ(payload.Object(number), R"({"doc":12345678901234567890.10})");
  EXPECT_EQ(payload.Object(null), R"({"doc":null})");
}

TEST(Payload, NullIsNoText) {
  Payload payload({"a", "b", "c"});
  const PayloadValue row[] = {PayloadValue(), Text("null"), Text("")};
  EXPECT_EQ(payload.Object(row), R"({"a":null,"b":"null","c":""})");
}

TEST(Payload, NamesAreEscapedToo) {
  Payload payload({"a\"b", "c\\d", "h\xc3\xa4\n", ""});
  const PayloadValue row[] = {Text("1"), Text("2"), Text("3"), Text("4")};
  EXPECT_EQ(payload.Object(row), "{\"a\\\"b\":\"1\",\"c\\\\d\":\"2\",\"h\xc3\xa4\\u000a\":\"3\",\"\":\"4\"}");
}

TEST(Payload, WithoutColumnsRowsAreEmptyObjects) {
  Payload payload({});
  EXPECT_EQ(payload.Object(nullptr), "{}");
  payload.AddRow(nullptr);
  payload.AddRow(nullptr);
  EXPECT_EQ(payload.rows(), 2U);
  EXPECT_EQ(payload.Take(), "[{},{}]");
}

TEST(Payload, ObjectDoesNotTouchTheRows) {
  Payload payload({"id"});
  const PayloadValue one[] = {Text("1")}, two[] = {Text("2")};
  payload.AddRow(one);
  EXPECT_EQ(payload.Object(two), R"({"id":"2"})");
  EXPECT_EQ(payload.rows(), 1U);
  EXPECT_EQ(payload.Take(), R"([{"id":"1"}])");
}

// Any rows are read back by a JSON parser as they were.
TEST(Payload, RandomRowsComeBack) {
  std::mt19937 random(20240501);
  const auto pick = [&random](int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); };
  const std::vector<std::string> pieces = {"a", "\"", "\\", "\n",  "\x01", "\xc3\xa4", "\xf0\x9f\x98\x80",
                                           "{", ",",  ":",  "null"};
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> columns;
    for (int i = 0, count = 1 + pick(5); i < count; ++i)
      columns.push_back("c" + std::to_string(i) + pieces[static_cast<size_t>(pick(11))]);
    Payload payload(columns);
    nlohmann::json expected = nlohmann::json::array();
    for (int row = 0, rows = pick(5); row < rows; ++row) {
      std::vector<std::string> texts(columns.size());
      std::vector<PayloadValue> values;
      nlohmann::json object = nlohmann::json::object();
      for (size_t i = 0; i < columns.size(); ++i) {
        for (int n = pick(6); n > 0; --n)
          texts[i] += pieces[static_cast<size_t>(pick(11))];
        const bool null = pick(4) == 0;
        values.push_back(null ? PayloadValue() : Text(texts[i]));
        object[columns[i]] = null ? nlohmann::json() : nlohmann::json(texts[i]);
      }
      payload.AddRow(values.data());
      expected.push_back(object);
    }
    EXPECT_EQ(nlohmann::json::parse(payload.Take()), expected);
  }
}

}  // namespace
}  // namespace supabase
