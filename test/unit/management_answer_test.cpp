#include "management_answer.hpp"

#include <string>

#include "management.hpp"

namespace supabase {
namespace {

using test::Column;
using test::Reply;
using test::Table;
using test::Thrown;

ManagementAnswer Parsed(const std::string &body, const std::string &path = "[]") {
  ManagementAnswer answer(Reply(200, body), "GET /v1/things");
  answer.Select(path);
  return answer;
}

ApiColumn Shown(const std::string &json, const std::string &type = "text", const std::string &decode = "") {
  ApiColumn column;
  column.name = "shown";
  column.json = json;
  column.type = type;
  column.decode = decode;
  return column;
}

// A cell as text, "NULL" for none.
std::string Text(const Cell &cell) {
  if (cell.kind == Cell::Kind::kNull) return "NULL";
  EXPECT_EQ(cell.data[cell.size], '\0');
  return {cell.data, cell.size};
}

std::string Value(const ManagementAnswer &answer, size_t row, const ApiColumn &column) {
  CellTexts texts;
  return Text(answer.Value(row, Table("projects"), column, &texts));
}

std::string Value(const std::string &value, const std::string &type, const std::string &decode = "") {
  return Value(Parsed("{\"a\":" + value + "}", ""), 0, Shown("a", type, decode));
}

TEST(ManagementAnswer, FindsRows) {
  EXPECT_EQ(Parsed(R"([{"a":1},{"a":2}])").rows(), 2U);
  EXPECT_EQ(Parsed("[]").rows(), 0U);
  EXPECT_EQ(Parsed(R"({"a":1})", "").rows(), 1U);
  EXPECT_EQ(Parsed(R"({"keys":[{},{},{}]})", "keys[]").rows(), 3U);
  EXPECT_EQ(Parsed(R"({"a":{"b":[1,null,2]}})", "a.b[]").rows(), 2U) << "null is no row";
  EXPECT_EQ(Parsed(R"({"a":{"b":{"c":1}}})", "a.b").rows(), 1U);
}

TEST(ManagementAnswer, WhatIsMissingIsNoRow) {
  EXPECT_EQ(Parsed("{}", "keys[]").rows(), 0U);
  EXPECT_EQ(Parsed(R"({"keys":null})", "keys[]").rows(), 0U);
  EXPECT_EQ(Parsed("null", "").rows(), 0U);
  EXPECT_EQ(Parsed("null").rows(), 0U);
  EXPECT_EQ(Parsed(R"({"status":null})", "status").rows(), 0U);
  EXPECT_EQ(Parsed("7", "a.b").rows(), 0U);
}

TEST(ManagementAnswer, RefusesWhatIsNoList) {
  for (const char *body : {R"({"message":"x"})", R"("text")", "7"}) {
    const Error error = Thrown([&] { Parsed(body); });
    EXPECT_STREQ(error.sqlstate(), "08P01") << body;
    EXPECT_STREQ(error.detail(), "There is no list where one was expected.");
    EXPECT_STREQ(error.context(), "remote request: GET /v1/things");
  }
  EXPECT_STREQ(Thrown([] { Parsed(R"({"keys":{}})", "keys[]"); }).sqlstate(), "08P01");
}

TEST(ManagementAnswer, RefusesWhatIsNoJson) {
  for (const char *body : {"", "<html></html>", "[{\"a\":1}", "[1]x", "{\"a\":\"\xff\"}"}) {
    const Error error = Thrown([&] { Parsed(body); });
    EXPECT_STREQ(error.sqlstate(), "08P01") << body;
    EXPECT_STREQ(error.detail(), "It is no JSON.");
  }
}

TEST(ManagementAnswer, AnErrorInsideASuccess) {
  const Error error = Thrown([] { Parsed(R"({"error":{"message":"no such range","code":5}})", "result[]"); });
  EXPECT_STREQ(error.sqlstate(), "22023");
  EXPECT_STREQ(error.what(), "no such range");
  EXPECT_STREQ(Thrown([] { Parsed(R"({"error":"text"})", "result[]"); }).what(), "text");
  EXPECT_STREQ(Thrown([] { Parsed(R"({"result":[],"error":{"code":5}})", "result[]"); }).what(), R"({"code":5})");
  EXPECT_EQ(Parsed(R"({"result":[],"error":null})", "result[]").rows(), 0U);
  EXPECT_EQ(Parsed(R"({"result":[{"n":1}],"error":"late"})", "result[]").rows(), 1U);
  EXPECT_STREQ(Thrown([] { Parsed(R"({"error":{"message":"in place of a row"}})", ""); }).what(), "in place of a row");
  EXPECT_EQ(Parsed(R"({"error":"a column of the row","id":1})", "").rows(), 1U);
}

TEST(ManagementAnswer, Depth) {
  const auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_EQ(Parsed(nested(150)).rows(), 1U);
  EXPECT_STREQ(Thrown([&] { Parsed(nested(1000)); }).sqlstate(), "54000");
  EXPECT_STREQ(Thrown([&] { Parsed(std::string(1000000, '[')); }).sqlstate(), "54000");
}

TEST(ManagementAnswer, TwoLevelsOfRows) {
  const ManagementAnswer answer = Parsed(
      R"({"projects":[{"ref":"p","databases":[{"id":"a"},{"id":"b"}]},{"ref":"q","databases":[]},{"ref":"r"},
         {"ref":"s","databases":[{"id":"c","ref":"own"}]}]})",
      "projects[].databases[]");
  ASSERT_EQ(answer.rows(), 3U);
  EXPECT_EQ(Value(answer, 1, Shown("id")), "b");
  EXPECT_EQ(Value(answer, 1, Shown("^ref")), "p");
  EXPECT_EQ(Value(answer, 2, Shown("^ref")), "s");
  EXPECT_EQ(Value(answer, 2, Shown("ref")), "own");
  EXPECT_EQ(Value(answer, 2, Shown("^nothing")), "NULL");
}

TEST(ManagementAnswer, Paths) {
  const ManagementAnswer answer =
      Parsed(R"([{"a":{"b":{"c":"deep"}},"list":[{"x":1},{"y":2},{"x":null},"plain"],"no":null}])");
  EXPECT_EQ(Value(answer, 0, Shown("a.b.c")), "deep");
  EXPECT_EQ(Value(answer, 0, Shown("a.b.d")), "NULL");
  EXPECT_EQ(Value(answer, 0, Shown("a.b.c.d")), "NULL");
  EXPECT_EQ(Value(answer, 0, Shown("a.b", "jsonb")), R"({"c":"deep"})");
  EXPECT_EQ(Value(answer, 0, Shown("a.b")), R"({"c":"deep"})");
  EXPECT_EQ(Value(answer, 0, Shown("list[].x", "text[]")), R"({"1",NULL,"plain"})");
  EXPECT_EQ(Value(answer, 0, Shown("no[].x", "text[]")), "NULL");
  EXPECT_EQ(Value(answer, 0, Shown("none[].x", "text[]")), "NULL");
  EXPECT_TRUE(answer.Has(0, Shown("no")));
  EXPECT_FALSE(answer.Has(0, Shown("none")));
  EXPECT_FALSE(answer.Has(0, Shown("")));
}

TEST(ManagementAnswer, Scalars) {
  const ManagementAnswer answer = Parsed(R"({"ips":["192.0.2.1","2001:db8::1"]})", "ips[]");
  ASSERT_EQ(answer.rows(), 2U);
  EXPECT_EQ(Value(answer, 1, Shown(".")), "2001:db8::1");
  EXPECT_EQ(Value(answer, 1, Shown("address")), "NULL");
}

TEST(ManagementAnswer, Values) {
  EXPECT_EQ(Value("null", "text"), "NULL");
  EXPECT_EQ(Value("null", "jsonb"), "NULL");
  EXPECT_EQ(Value(R"("a\"b\\c\u00e4")", "text"), "a\"b\\c\xC3\xA4");
  EXPECT_EQ(Value(R"("")", "text"), "");
  EXPECT_EQ(Value(R"("")", "text", "empty_null"), "NULL");
  EXPECT_EQ(Value(R"("x")", "text", "empty_null"), "x");
  EXPECT_EQ(Value("true", "boolean"), "t");
  EXPECT_EQ(Value("false", "boolean"), "f");
  EXPECT_EQ(Value("3.0", "integer"), "3");
  EXPECT_EQ(Value("3.5", "integer"), "3.5") << "up to the type";
  EXPECT_EQ(Value("1e300", "bigint"), "1e+300");
  EXPECT_EQ(Value("9007199254740993", "bigint"), "9007199254740993");
  EXPECT_EQ(Value("7", "text"), "7");
  EXPECT_EQ(Value(R"(["a","b,c","d\"e\\",null,1,{"f":2}])", "text[]"), R"({"a","b,c","d\"e\\",NULL,"1","{\"f\":2}"})");
  EXPECT_EQ(Value("[]", "text[]"), "{}");
  EXPECT_EQ(Value(R"("x")", "jsonb"), R"("x")");
  EXPECT_EQ(Value(R"({"z":1,"a":[true]})", "jsonb"), R"({"z":1,"a":[true]})");
}

TEST(ManagementAnswer, Epochs) {
  EXPECT_EQ(Value("1700000000123", "timestamptz", "epoch_ms"), "2023-11-14 22:13:20.123+00");
  EXPECT_EQ(Value("1700000000", "timestamptz", "epoch_s"), "2023-11-14 22:13:20.000+00");
  EXPECT_EQ(Value(R"("1700000000123")", "timestamptz", "epoch_ms"), "2023-11-14 22:13:20.123+00");
  EXPECT_EQ(Value("0", "timestamptz", "epoch_ms"), "1970-01-01 00:00:00.000+00");
  EXPECT_EQ(Value("-1", "timestamptz", "epoch_ms"), "1969-12-31 23:59:59.999+00");
  EXPECT_EQ(Value("-1500", "timestamptz", "epoch_ms"), "1969-12-31 23:59:58.500+00");
  EXPECT_EQ(Value(R"("2024-01-02T03:04:05Z")", "timestamptz", "epoch_ms"), "2024-01-02T03:04:05Z")
      << "as the service may have it one day";
  EXPECT_EQ(Value("253402300799000", "timestamptz", "epoch_ms"), "9999-12-31 23:59:59.000+00");
  EXPECT_EQ(Value("1e300", "timestamptz", "epoch_ms"), "1e+300") << "up to the type, which refuses it";
}

TEST(ManagementAnswer, TheWholeRowIsWithoutSecrets) {
  const ManagementAnswer answer =
      Parsed(R"([{"name":"n","api_key":"sb_secret_x","hash":"h","new_member":{"x":1}},"scalar"])");
  const ApiTable &keys = Table("api_keys");
  CellTexts texts;
  const Cell cell = answer.Value(0, keys, keys.columns[Column(keys, "attrs")], &texts);
  EXPECT_TRUE(cell.kind == Cell::Kind::kJson);
  EXPECT_EQ(Text(cell), R"({"name":"n","hash":"h","new_member":{"x":1}})");
  EXPECT_EQ(Text(answer.Value(1, keys, keys.columns[Column(keys, "attrs")], &texts)), "\"scalar\"");
  EXPECT_TRUE(answer.Has(0, keys.columns[Column(keys, "attrs")]));
  // A digest of a secret is none.
  const ApiTable &config = Table("auth_config");
  const ManagementAnswer shown = Parsed(R"({"smtp_pass":"abc123","site_url":"https://x"})", "");
  EXPECT_EQ(Text(shown.Value(0, config, config.columns[Column(config, "attrs")], &texts)),
            R"({"smtp_pass":"abc123","site_url":"https://x"})");
}

// A secret need not be at the top: all that it is a part of goes.
TEST(ManagementAnswer, TheWholeRowIsWithoutNestedSecrets) {
  ApiTable table;
  table.columns = {Shown("saml.key"), Shown("saml.id")};
  table.columns[0].secret = true;
  ApiColumn whole = Shown("");
  whole.type = "jsonb";
  whole.whole = true;
  CellTexts texts;
  const ManagementAnswer answer = Parsed(R"([{"saml":{"key":"s","id":"i"},"id":1},{}])");
  EXPECT_EQ(Text(answer.Value(0, table, whole, &texts)), R"({"id":1})");
  EXPECT_EQ(Text(answer.Value(1, table, whole, &texts)), "{}");
}

TEST(ManagementAnswer, PartsOfTheAnswer) {
  const ManagementAnswer answer = Parsed(R"({"page":{"count":7},"cursor":"c","none":null})", "");
  EXPECT_EQ(answer.TextAt("page.count"), "7");
  EXPECT_EQ(answer.TextAt("cursor"), "c");
  EXPECT_EQ(answer.TextAt("none"), "");
  EXPECT_EQ(answer.TextAt("page.count.x"), "");
  EXPECT_EQ(answer.JsonAt("cursor"), "\"c\"");
  EXPECT_EQ(answer.JsonAt("page"), R"({"count":7})");
  EXPECT_EQ(answer.JsonAt(""), R"({"page":{"count":7},"cursor":"c","none":null})");
  EXPECT_EQ(Parsed("null", "").JsonAt(""), "");
}

}  // namespace
}  // namespace supabase
