#include "rows.hpp"

#include <gtest/gtest.h>

#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"

// The fuzz target under a name of its own, to run its corpus here.
#define LLVMFuzzerTestOneInput RowsFuzzOneInput
#include "../fuzz/rows_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

using Kind = Cell::Kind;

Response Json(std::string body) {
  Response response;
  response.status = 200;
  response.headers = {{"content-type", "application/json; charset=utf-8"}};
  response.body = std::move(body);
  return response;
}

Page Decode(std::string body, size_t columns = 1) {
  return DecodePage(Json(std::move(body)), columns, "GET /t");
}

// The SQLSTATE with which a response is refused, "" when it is not.
std::string Refusal(Response response, size_t columns = 1) {
  try {
    DecodePage(std::move(response), columns, "GET /t?select=c0:a");
    return "";
  } catch (const Error &error) {
    EXPECT_STREQ(error.context(), "remote request: GET /t?select=c0:a");
    EXPECT_STRNE(error.what(), "");
    EXPECT_STRNE(error.detail(), "");
    return error.sqlstate();
  }
}
std::string Refusal(std::string body, size_t columns = 1) {
  return Refusal(Json(std::move(body)), columns);
}

// One value in every position that a parser could treat differently.
std::string RefusalOfValue(const std::string &value) {
  const std::string first = Refusal("[{\"c0\":" + value + ",\"c1\":1}]", 2);
  const std::string last = Refusal("[{\"c0\":1,\"c1\":" + value + "}]", 2);
  const std::string second_row = Refusal("[{\"c0\":1,\"c1\":2}, \n {\"c0\":1,\"c1\":" + value + "}]", 2);
  EXPECT_EQ(first, last) << value;
  EXPECT_EQ(first, second_row) << value;
  return first;
}

std::string Text(const Cell &cell) {
  EXPECT_EQ(cell.data[cell.size], '\0');
  return std::string(cell.data, cell.size);
}

TEST(Rows, DecodesEveryKindOfValue) {
  const Page page = Decode(R"([{"c0":1,"c1":"x y","c2":null,"c3":true,"c4":false,"c5":{"a": [1, "]"]},"c6":[]}, 
 {"c0":-2.50,"c1":"","c2":"NaN","c3":null,"c4":"null","c5":[ {} ] ,"c6":"{}"}])",
                           7);
  ASSERT_EQ(page.rows(), 2u);
  ASSERT_EQ(page.columns(), 7u);
  using Expected = std::pair<Kind, const char *>;
  const Expected expected[2][7] = {
      {{Kind::kNumber, "1"},
       {Kind::kText, "x y"},
       {Kind::kNull, ""},
       {Kind::kTrue, "t"},
       {Kind::kFalse, "f"},
       {Kind::kJson, R"({"a": [1, "]"]})"},
       {Kind::kJson, "[]"}},
      {{Kind::kNumber, "-2.50"},
       {Kind::kText, ""},
       {Kind::kText, "NaN"},
       {Kind::kNull, ""},
       {Kind::kText, "null"},
       {Kind::kJson, "[ {} ]"},
       {Kind::kText, "{}"}},
  };
  for (size_t row = 0; row < 2; ++row) {
    for (size_t column = 0; column < 7; ++column) {
      const Cell &cell = page.Row(row)[column];
      EXPECT_EQ(cell.kind, expected[row][column].first) << row << ' ' << column;
      if (cell.kind == Kind::kNull) {
        EXPECT_EQ(cell.data, nullptr);
      } else {
        EXPECT_EQ(Text(cell), expected[row][column].second);
      }
    }
  }
}

TEST(Rows, NumbersKeepTheirText) {
  const std::string digits(131072, '7');
  for (const std::string number : {"0", "-0", "0.0", "9223372036854775808", "123456789012345678901234567890123456789",
                                   "1e400", "1E+400", "-1.50e-7", "100.000", digits.c_str()}) {
    const Page page = Decode("[{\"c0\":" + number + "}]");
    EXPECT_EQ(page.Row(0)->kind, Kind::kNumber);
    EXPECT_EQ(Text(*page.Row(0)), number);
  }
}

TEST(Rows, RefusesMalformedNumbers) {
  for (const char *value : {"01",    "-",  "+1",  "1.",  ".5",       "1e",        "1e+", "1.e5",  "--1", "1-", "0x10",
                            "1_000", "1,", "1 2", "NaN", "Infinity", "-Infinity", "1a",  "1\"\"", "00",  "-01"}) {
    EXPECT_EQ(RefusalOfValue(value), "08P01") << value;
    EXPECT_EQ(RefusalOfValue("[" + std::string(value) + "]"), "08P01") << value;
  }
}

TEST(Rows, RefusesMalformedLiterals) {
  for (const char *value :
       {"nul",   "nulll",  "True",        "tru",     "truefalse", "fals", "null null", "undefined", "'a'", "a", "",
        "/**/1", "\"a\"b", "\"a\" \"b\"", "\"a\":1", "\"c1\":1",  "1:2",  ":",         ",",         "]",   "}"}) {
    EXPECT_EQ(RefusalOfValue(value), "08P01") << value;
    if (*value != '\0' && *value != ']') {
      EXPECT_EQ(RefusalOfValue("[" + std::string(value) + "]"), "08P01") << value;
    }
  }
}

TEST(Rows, UnescapesStrings) {
  const std::pair<const char *, const char *> cases[] = {
      {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
      {R"("\u0001\u001f\u007f")", "\x01\x1f\x7f"},
      {R"("\u0080\u07FF\u0800\uffff")", "\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"},
      {R"("\ud800\udc00\uDBFF\uDFFF")", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
      {R"("\\u0041")", "\\u0041"},
      {"\"\xC3\xA4\xF0\x9F\x98\x80 /\x7F\"", "\xC3\xA4\xF0\x9F\x98\x80 /\x7F"},
      {R"("long text before an escape\nand long text after an escape\\")",
       "long text before an escape\nand long text after an escape\\"},
  };
  for (const auto &[json, text] : cases) {
    const Page page = Decode("[{\"c0\":" + std::string(json) + "}]");
    EXPECT_EQ(page.Row(0)->kind, Kind::kText);
    EXPECT_EQ(Text(*page.Row(0)), text);
  }
}

TEST(Rows, RefusesMalformedStrings) {
  for (const char *value : {R"("\x")", R"("\u12")", R"("\u12g4")", R"("\U0041")", R"("\ud800")", R"("\udc00")",
                            R"("\ud800\u0041")", R"("\ud800\ud800\udc00")", R"("\ud800x")", R"("\ud83d\n")", "\"a\nb\"",
                            "\"a\tb\"", "\"12345678\x01\"", "\"\x1f\"", "\"a\\", "\"a"}) {
    EXPECT_EQ(RefusalOfValue(value), "08P01") << value;
  }
}

TEST(Rows, RefusesZeroCharacter) {
  EXPECT_EQ(RefusalOfValue(R"("\u0000")"), "22P05");
  EXPECT_EQ(RefusalOfValue(R"("a\n\u0000b")"), "22P05");
  EXPECT_EQ(RefusalOfValue(R"("\\u0000")"), "");
  EXPECT_EQ(RefusalOfValue(std::string("\"a\0b\"", 5)), "08P01");
  EXPECT_EQ(Refusal(std::string("[{\"c0\":1}]\0", 11)), "08P01");
}

TEST(Rows, RefusesInvalidUtf8) {
  for (const char *value : {"\"\x80\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
                            "\"\xF5\"", "\"\xE2\x82\"", "[\"\xFF\"]"}) {
    EXPECT_EQ(RefusalOfValue(value), "08P01") << value;
  }
}

TEST(Rows, ChecksNestedValuesAndKeepsThemVerbatim) {
  for (const std::string value : {R"({})", R"([])", R"({ "a" : 1.50 , "a" : [ ] })", "[1,\n{\"b\":\"}\"}]",
                                  R"({"":[{},[[]],null,true,false,-1e400]})",
                                  // What an escape says is up to the type that reads the text.
                                  R"(["\u0000\ud800"])", R"(["\x","\u00g0"])", R"({"\x":"\\"})"}) {
    const Page page = Decode("[{\"c0\":" + value + "  }]");
    EXPECT_EQ(page.Row(0)->kind, Kind::kJson);
    EXPECT_EQ(Text(*page.Row(0)), value);
  }
  for (const char *value : {"[1}",
                            "{]",
                            "[1,]",
                            "{\"a\":1,}",
                            "{\"a\"}",
                            "{\"a\":}",
                            "{1:2}",
                            "{a:1}",
                            "[,1]",
                            "[1 2]",
                            "{\"a\":1 \"b\":2}",
                            "[\"a\":1]",
                            "{\"a\",1}",
                            "[\"\\\"]",
                            "[\"a\nb\"]",
                            "[[]",
                            "[}]",
                            "{\"a\":{}",
                            "[1]]",
                            "{}}",
                            "[tru]",
                            "{\"a\":1]",
                            "[\"a]",
                            "{[]}",
                            "{[}",
                            "{{}",
                            "{1}",
                            "{\"a}\"}",
                            "[{\"a\":1]}",
                            "[[1}]",
                            "{,}",
                            "{:}",
                            "[:]",
                            "[1,,2]",
                            "{\"a\":1,\"b\"}"}) {
    EXPECT_EQ(RefusalOfValue(value), "08P01") << value;
  }
}

TEST(Rows, NestingIsLimitedBeforeTheStackIs) {
  for (const int levels : {499, 500, 501, 1022, 2000000}) {
    const std::string arrays = std::string(levels, '[') + std::string(levels, ']');
    std::string objects = "{}";
    for (int i = 1; i < std::min(levels, 2000); ++i)
      objects = "{\"a\":" + objects + "}";
    EXPECT_EQ(RefusalOfValue(arrays), levels <= 500 ? "" : "54000") << levels;
    EXPECT_EQ(RefusalOfValue(objects), levels <= 500 ? "" : "54000") << levels;
  }
  const std::string open(2000000, '[');
  EXPECT_EQ(Refusal("[{\"c0\":" + open), "08P01");
  EXPECT_EQ(Refusal(open), "08P01");
  std::string objects = "[{\"c0\":";
  for (int i = 0; i < 500000; ++i)
    objects += "{\"a\":";
  EXPECT_EQ(Refusal(objects), "08P01");
}

// The parser is kept from page to page, except for large pages, which have one of their own.
TEST(Rows, APageDoesNotDependOnTheOneBefore) {
  const std::string large(9 << 20, 'x'), small = R"([{"c0":"a\u00e9"},{"c0":[1]}])";
  for (int i = 0; i < 3; ++i) {
    const Page page = Decode(small), big = Decode("[{\"c0\":\"" + large + "\\n\"},{\"c0\":7}]");
    EXPECT_EQ(Refusal("[{\"c0\":\"" + large), "08P01");
    EXPECT_EQ(Refusal("[{\"c0\":1"), "08P01");
    EXPECT_EQ(Text(*page.Row(0)), "a\xC3\xA9");
    EXPECT_EQ(Text(*page.Row(1)), "[1]");
    EXPECT_EQ(Text(*big.Row(0)), large + "\n");
    EXPECT_EQ(Text(*big.Row(1)), "7");
  }
}

TEST(Rows, RefusesEverythingButAnArrayOfRows) {
  for (const char *body : {"",
                           " ",
                           "null",
                           "{}",
                           "1",
                           "\"[]\"",
                           "{\"c0\":1}",
                           "[",
                           "]",
                           "[]]",
                           "[] x",
                           "[],",
                           "[][]",
                           "[1]",
                           "[null]",
                           "[[]]",
                           "[{}]",
                           "[{\"c0\":1}",
                           "[{\"c0\":1},",
                           "[{\"c0\":1},]",
                           "[{\"c0\":1}{\"c0\":1}]",
                           "[,{\"c0\":1}]",
                           "[{\"c0\":1}]]",
                           "[{\"c0\":1}] 1",
                           "[{\"c0\":1}}",
                           "[{\"c0\":1]",
                           "[{\"c0\" 1}]",
                           "[{\"c0\"::1}]",
                           "[{c0:1}]",
                           "[{\"c0\":1,}]",
                           "[{,\"c0\":1}]",
                           "<html></html>",
                           "\xEF\xBB\xBF",
                           "\xEF\xBB\xBF\xEF\xBB\xBF[]",
                           "\xFF\xFE[]"}) {
    EXPECT_EQ(Refusal(body), "08P01") << body;
  }
}

TEST(Rows, AcceptsEmptyArrayBlanksAndByteOrderMark) {
  EXPECT_EQ(Decode("[]").rows(), 0u);
  EXPECT_EQ(Decode(" [ \r\n\t] ").rows(), 0u);
  EXPECT_EQ(Decode("\xEF\xBB\xBF[{\"c0\":1}]").rows(), 1u);
  const Page page = Decode(" [ { \"c0\" : 1 , \"c1\"\t:\n\"a\" } ,{\"c0\":2,\"c1\":null}\n]\r\n", 2);
  ASSERT_EQ(page.rows(), 2u);
  EXPECT_EQ(Text(page.Row(0)[0]), "1");
  EXPECT_EQ(Text(page.Row(0)[1]), "a");
  EXPECT_EQ(Text(page.Row(1)[0]), "2");
}

TEST(Rows, RefusesOtherKeysThanTheAliasesInOrder) {
  for (const char *row :
       {R"({"c0":1})", R"({"c0":1,"c1":2,"c2":3})", R"({"c1":1,"c0":2})", R"({"c0":1,"c0":2})",
        R"({"c0":1,"c1":2,"c1":3})", R"({"c0":1,"C1":2})", R"({"c0":1,"c10":2})", R"({"c00":1,"c1":2})",
        R"({"c0":1,"":2})", R"({"c0":1,"c1 ":2})", R"({"c0":1,"c1\u0000":2})", R"({})"}) {
    EXPECT_NE(Refusal("[" + std::string(row) + "]", 2), "") << row;
    EXPECT_NE(Refusal("[{\"c0\":1,\"c1\":2},\n" + std::string(row) + "]", 2), "") << row;
  }
  EXPECT_EQ(Text(Decode(R"([{"\u00630":1}])").Row(0)[0]), "1");
}

TEST(Rows, RefusesATokenTooManyAroundAValue) {
  for (const char *row : {R"({"c0":"a":1},"c1":2})", R"({"c0":1:"a","c1":2})", R"({"c0"{"a":1},"c1":2})",
                          R"({"c0":[1],2,"c1":2})", R"({"c0":1,"c1":2}})", R"({{"c0":1,"c1":2})", R"({"c0":1,"c1":2]})",
                          R"({"c0":1]"c1":2})", R"({"c0":1}"c1":2})", R"({"c0":1,,"c1":2})", R"({"c0":"a""b","c1":2})",
                          R"({"c0":{"a":1}"c1":2})", R"({"c0":1"c1":2})", R"({"c0","c1":2})", R"({"c0":1,"c1"})"}) {
    EXPECT_EQ(Refusal("[" + std::string(row) + "]", 2), "08P01") << row;
    EXPECT_EQ(Refusal("[" + std::string(row) + ",{\"c0\":1,\"c1\":2}]", 2), "08P01") << row;
  }
}

TEST(Rows, DecodesManyColumns) {
  for (const size_t columns : {11u, 101u, 1600u, 10002u}) {
    std::string row = "{";
    for (size_t i = 0; i < columns; ++i)
      row += (i > 0 ? ",\"c" : "\"c") + std::to_string(i) + "\":" + std::to_string(i);
    const Page page = Decode("[" + row + "}, \n " + row + "}]", columns);
    ASSERT_EQ(page.rows(), 2u);
    for (size_t i = 0; i < columns; ++i)
      ASSERT_EQ(Text(page.Row(1)[i]), std::to_string(i));
    EXPECT_EQ(Refusal("[" + row + "}]", columns - 1), "08P01");
    EXPECT_EQ(Refusal("[" + row + "}]", columns + 1), "08P01");
  }
}

TEST(Rows, RefusesOtherStatusAndContentType) {
  for (const int status : {0, 100, 201, 204, 301, 400, 404, 416, 500}) {
    Response response = Json("[]");
    response.status = status;
    EXPECT_EQ(Refusal(response), "08P01") << status;
  }
  Response response = Json("[]");
  response.status = 206;
  EXPECT_EQ(Refusal(response), "");
  for (const char *type : {"application/json", "Application/JSON ;charset=utf-8", "application/vnd.pgrst.array+json",
                           "application/vnd.pgrst.array+json;nulls=stripped"}) {
    response.headers = {{"content-type", type}};
    EXPECT_EQ(Refusal(response), "") << type;
  }
  for (const char *type : {"", "text/html", "text/csv; charset=utf-8", "application/jsonp", "application/geo+json",
                           "json", "text/html; x=application/json", "application/vnd.pgrst+jsonx"}) {
    response.headers = {{"content-type", type}};
    EXPECT_EQ(Refusal(response), "08P01") << type;
  }
  response.headers.clear();
  EXPECT_EQ(Refusal(response), "08P01");
}

TEST(Rows, SaysWhereTheTextIsWrong) {
  try {
    Decode("[{\"c0\":1,\"c1\":2}, \n {\"c0\":1,\"c1\":x}]", 2);
    ADD_FAILURE();
  } catch (const Error &error) {
    EXPECT_STREQ(error.detail(), "The JSON text is not as expected at byte 33 (row 2, column 2): invalid value.");
  }
}

TEST(Rows, EveryPrefixAndEveryLostByteIsRefusedOrStillJson) {
  const std::string body = R"([{"c0":-1.5e3,"c1":"a\u00e9\n","c2":{"k":[true,null]}}, {"c0":null,"c1":"","c2":false}])";
  ASSERT_EQ(Refusal(body, 3), "");
  const auto run = [](const std::string &text) {
    EXPECT_NO_THROW(RowsFuzzOneInput(reinterpret_cast<const uint8_t *>(text.data()), text.size())) << text;
  };
  for (size_t i = 0; i < body.size(); ++i) {
    EXPECT_EQ(Refusal(body.substr(0, i), 3), "08P01") << i;
    run(body.substr(0, i) + body.substr(i + 1));
    for (const char c : std::string("\"\\{}[],: 0eu\x01\xFF")) {
      std::string changed = body;
      changed[i] = c;
      run(changed);
    }
  }
}

TEST(Rows, DecodesWhatAnotherLibraryEncodes) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    json rows = json::array();
    std::vector<std::string> texts;
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (size_t length = random() % 40; length > 0; --length) {
        static const char *const kPieces[] = {"a", "\"", "\\", "\n", "\x01", "\x7f", "ä", "€", "😀", "/", "\t", " "};
        text += kPieces[random() % std::size(kPieces)];
      }
      texts.push_back(text);
      rows.push_back({{"c0", text}, {"c1", i}, {"c2", json::array({text})}});
    }
    const Page page = Decode(rows.dump(-1, ' ', round % 2 == 0), 3);
    ASSERT_EQ(page.rows(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      ASSERT_EQ(Text(page.Row(i)[0]), texts[i]);
      ASSERT_EQ(Text(page.Row(i)[1]), std::to_string(i));
      ASSERT_EQ(json::parse(Text(page.Row(i)[2])), json::array({texts[i]}));
    }
  }
}

TEST(Rows, CellsStayWhereTheyAreWhenThePageMoves) {
  Page page = Decode("[{\"c0\":7}]");  // a body that would fit a std::string's own buffer
  const char *data = page.Row(0)->data, *object = reinterpret_cast<const char *>(&page);
  EXPECT_TRUE(std::less<>()(data, object) || !std::less<>()(data, object + sizeof page)) << "inside the object";
  std::vector<Page> pages;
  for (int i = 0; i < 5; ++i)
    pages.push_back(Decode("[]"));
  pages.push_back(std::move(page));
  pages.push_back(Decode("[]"));
  EXPECT_EQ(pages[5].Row(0)->data, data);
  EXPECT_EQ(Text(*pages[5].Row(0)), "7");
}

TEST(Rows, RunsTheCorpus) {
  const std::string path = std::string(CORPUS_DIR) + "/rows";
  DIR *directory = opendir(path.c_str());
  ASSERT_NE(directory, nullptr) << path;
  int files = 0;
  for (const dirent *entry = readdir(directory); entry != nullptr; entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream file(path + "/" + entry->d_name, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_NO_THROW(RowsFuzzOneInput(reinterpret_cast<const uint8_t *>(text.data()), text.size())) << entry->d_name;
    ++files;
  }
  closedir(directory);
  EXPECT_GE(files, 30);
}

TEST(Rows, ParsesContentRange) {
  using Number = std::optional<uint64_t>;
  struct Case {
    const char *text;
    Number first, last, total;
  };
  const Case cases[] = {
      {"0-24/3573", 0, 24, 3573},
      {"5-5/*", 5, 5, {}},
      {"*/0", {}, {}, 0},
      {"*/*", {}, {}, {}},
      {"0-999/45", 0, 999, 45},  // an estimate may be too low
      {"0-18446744073709551615/*", 0, UINT64_MAX, {}},
  };
  for (const Case &c : cases) {
    const auto range = ParseContentRange(c.text);
    ASSERT_TRUE(range.has_value()) << c.text;
    EXPECT_EQ(range->first, c.first) << c.text;
    EXPECT_EQ(range->last, c.last) << c.text;
    EXPECT_EQ(range->total, c.total) << c.text;
  }
  for (const char *text :
       {"", "*", "/", "0-1", "0-1/", "-1/2", "0-/2", "1-0/5", "0/5", "a-b/c", " 0-1/2", "0-1/2 ", "0-1/2/3", "0--1/2",
        "+0-1/2", "bytes 0-1/2", "0-18446744073709551616/*", "*-1/2", "0-1/-1"}) {
    EXPECT_FALSE(ParseContentRange(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace supabase
