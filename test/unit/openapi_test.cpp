#include "openapi.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>

#include "corpus.hpp"
#include "error.hpp"

// The fuzz target under a name of its own, to run its corpus here.
#define LLVMFuzzerTestOneInput OpenApiFuzzOneInput
#include "../fuzz/openapi_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

std::string CorpusFile(const std::string &name) {
  std::ifstream file(std::string(CORPUS_DIR "/openapi/") + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string Document(const std::string &definitions) {
  return R"({"swagger":"2.0","info":{"version":"12.0.2"},"definitions":{)" + definitions + "}}";
}

// A document with one table "t".
RemoteTable Table(const std::string &properties, const std::string &more = "") {
  RemoteSchema schema =
      ParseOpenApi(Document("\"t\":{\"type\":\"object\"," + more + "\"properties\":{" + properties + "}}"));
  EXPECT_EQ(schema.tables.size(), 1U);
  return schema.tables.empty() ? RemoteTable() : schema.tables[0];
}

RemoteColumn Described(const std::string &description) {
  const RemoteTable table = Table(R"("a":{"description":")" + description + R"(","format":"integer"})");
  return table.columns.empty() ? RemoteColumn() : table.columns[0];
}

std::string Refusal(const std::string &body) {
  try {
    ParseOpenApi(body);
    return {};
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "08P01");
    return error.detail();
  }
}

TEST(OpenApi, ReadsTheDocumentOfPostgrest12) {
  const RemoteSchema schema = ParseOpenApi(CorpusFile("postgrest12.json"));
  EXPECT_EQ(schema.version, "12.0.2 (a4e00ff)");
  EXPECT_TRUE(schema.left_out.empty());
  ASSERT_EQ(schema.tables.size(), 3U);
  EXPECT_EQ(schema.tables[0].name, "order_notes");
  EXPECT_EQ(schema.tables[1].name, "order_totals");
  const RemoteTable &orders = schema.tables[2];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_EQ(orders.comment, "What was ordered");
  EXPECT_TRUE(orders.writable);
  EXPECT_FALSE(orders.is_view);
  EXPECT_FALSE(schema.tables[1].writable);
  EXPECT_TRUE(schema.tables[1].is_view);

  std::string order;
  for (const RemoteColumn &column : orders.columns)
    order += column.name + " ";
  EXPECT_EQ(order, "id customer_id total code fixed flags mood tags extra embedding created_at ");
  const RemoteColumn &id = orders.columns[0];
  EXPECT_TRUE(id.is_key && id.not_null && !id.is_enum);
  EXPECT_EQ(id.comment + id.references, "");
  const RemoteColumn &customer = orders.columns[1];
  EXPECT_EQ(customer.references, "customers.id");
  EXPECT_EQ(customer.comment, "Who pays");
  EXPECT_FALSE(customer.is_key);
  EXPECT_EQ(orders.columns[3].max_length, 20);
  EXPECT_FALSE(orders.columns[3].not_null);
  EXPECT_TRUE(orders.columns[6].is_enum);
  EXPECT_EQ(orders.columns[8].format, "jsonb");
  const RemoteColumn &both = schema.tables[0].columns[0];
  EXPECT_TRUE(both.is_key);
  EXPECT_EQ(both.references, "orders.id");
}

TEST(OpenApi, ReadsTheIntegersOfPostgrest14) {
  const RemoteTable orders = ParseOpenApi(CorpusFile("postgrest14.json")).tables.at(0);
  EXPECT_EQ(MapType(orders.columns[0]).name, "bigint");
  EXPECT_EQ(MapType(orders.columns[1]).name, "integer");
}

TEST(OpenApi, DescriptionKeepsTheCommentApartFromTheNote) {
  const std::string pk = "This is a Primary Key.<pk/>";
  const std::string fk = "This is a Foreign Key to `t.c`.<fk table='t' column='c'/>";
  struct Case {
    std::string description, comment, references;
    bool is_key;
  };
  const Case cases[] = {
      {"", "", "", false},
      {"just text", "just text", "", false},
      {"Note:\\n" + pk, "", "", true},
      {"Note:\\n" + fk, "", "t.c", false},
      {"Note:\\n" + pk + "\\n" + fk, "", "t.c", true},
      {"text\\n\\nNote:\\n" + pk + "\\n" + fk, "text", "t.c", true},
      {"line\\nline\\n\\nNote:\\n" + fk, "line\nline", "t.c", false},
      // a comment that quotes a note of its own
      {"Note:\\n" + pk + "\\n\\nNote:\\n" + fk, "Note:\n" + pk, "t.c", false},
      // resembles a note
      {"Note:\\n", "Note:\n", "", false},
      {"Note: " + pk, "Note: " + pk, "", false},
      {"x Note:\\n" + pk, "x Note:\n" + pk, "", false},
      {"Note:\\n" + pk + "x", "Note:\n" + pk + "x", "", false},
      {"Note:\\n" + pk + fk, "Note:\n" + pk + fk, "", false},
      {"Note:\\nThis is a Foreign Key to `", "Note:\nThis is a Foreign Key to `", "", false},
      {"Note:\\n" + fk + "x", "Note:\n" + fk + "x", "", false},
      // names are not escaped
      {"Note:\\nThis is a Foreign Key to `a b.c'd`.<fk table='a b' column='c'd'/>", "", "a b.c'd", false},
      {"Note:\\nThis is a Foreign Key to `a\\u001b.c`.<fk table='a' column='c'/>", "", "", false},
      {"bell\\u0007 tab\\t nul\\u0000 c1\\u0085", std::string("bell  tab\t nul  c1  "), "", false},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.description);
    const RemoteColumn column = Described(c.description);
    EXPECT_EQ(column.comment, c.comment);
    EXPECT_EQ(column.references, c.references);
    EXPECT_EQ(column.is_key, c.is_key);
  }
}

TEST(OpenApi, OrderOfKeysDoesNotMatter) {
  const RemoteSchema schema = ParseOpenApi(
      R"({"paths":{"/t":{"get":{},"patch":{}}},"definitions":{"t":{"properties":{"b":{"maxLength":3,"format":"bit"},
      "a":{"format":"text"}},"required":["b"]}},"swagger":"2.0"})");
  ASSERT_EQ(schema.tables.size(), 1U);
  EXPECT_TRUE(schema.tables[0].writable);
  EXPECT_FALSE(schema.tables[0].is_view);
  EXPECT_EQ(schema.tables[0].columns[0].name, "b");
  EXPECT_TRUE(schema.tables[0].columns[0].not_null);
  EXPECT_FALSE(schema.tables[0].columns[1].not_null);
}

TEST(OpenApi, KeepsOddButLegalNames) {
  const std::string name = R"(o'r \"d;e.r--\u00e4 ,)";
  const RemoteSchema schema =
      ParseOpenApi(Document("\"" + name + R"(":{"properties":{")" + name + R"(":{"format":"text"}}})"));
  ASSERT_EQ(schema.tables.size(), 1U);
  EXPECT_EQ(schema.tables[0].name, "o'r \"d;e.r--\xC3\xA4 ,");
  EXPECT_EQ(schema.tables[0].columns[0].name, schema.tables[0].name);
  EXPECT_TRUE(schema.left_out.empty());
}

TEST(OpenApi, LeavesOutTablesThatCannotBeMade) {
  const std::string longest(63, 'n');
  struct Case {
    std::string table, columns, note;
  };
  const Case cases[] = {
      {"", R"("a":{})", "its name is empty"},
      {longest + "n", R"("a":{})", "its name is longer than 63 bytes"},
      {"a\\nb", R"("a":{})", "its name contains a control character"},
      {"a\\u0000b", R"("a":{})", "its name contains a control character"},
      {"a\\u0085b", R"("a":{})", "its name contains a control character"},
      {"t", R"("a":{},"":{},"b":{})", "the name of a column is empty"},
      {"t", "\"" + longest + "n\":{}", "the name of a column is longer than 63 bytes"},
      {"t", R"("\u001b[31m":{},"b":{})", "the name of a column contains a control character"},
      {"t", R"("a":{},"xmin":{})", "the name of column \"xmin\" is that of a system column"},
      {"t", R"("a":{},"b":{},"a":{})", "column \"a\" occurs twice"},
      {"t", "", "it has no columns"},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.table + ": " + c.columns);
    const RemoteSchema schema = ParseOpenApi(
        Document("\"" + c.table + R"(":{"properties":{)" + c.columns + R"(}},"other":{"properties":{"a":{}}})"));
    ASSERT_EQ(schema.tables.size(), 1U);
    EXPECT_EQ(schema.tables[0].name, "other");
    ASSERT_EQ(schema.left_out.size(), 1U);
    EXPECT_NE(schema.left_out[0].find("is left out because " + c.note + "."), std::string::npos) << schema.left_out[0];
    for (const char byte : schema.left_out[0])
      EXPECT_GE(static_cast<unsigned char>(byte), 0x20);
  }
  EXPECT_EQ(ParseOpenApi(Document("\"" + longest + R"(":{"properties":{")" + longest + R"(":{}}})")).tables.size(), 1U);
}

TEST(OpenApi, LimitsColumnsTo1600) {
  const auto columns = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += (i > 0 ? ",\"c" : "\"c") + std::to_string(i) + "\":{\"format\":\"text\"}";
    return Document("\"t\":{\"properties\":{" + text + "}}");
  };
  EXPECT_EQ(ParseOpenApi(columns(1600)).tables.at(0).columns.size(), 1600U);
  EXPECT_EQ(ParseOpenApi(columns(1601)).left_out.size(), 1U);
}

TEST(OpenApi, LimitsNotes) {
  std::string definitions;
  for (int i = 0; i < 250; ++i)
    definitions += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) + "\":{}";
  const RemoteSchema schema = ParseOpenApi(Document(definitions));
  ASSERT_EQ(schema.left_out.size(), 101U);
  EXPECT_EQ(schema.left_out.back(), "150 more tables are left out.");
}

TEST(OpenApi, TakesADocumentWithoutTables) {
  EXPECT_TRUE(ParseOpenApi(CorpusFile("no_tables.json")).tables.empty());
  EXPECT_TRUE(ParseOpenApi(R"({"swagger":"2.0"})").tables.empty());
}

TEST(OpenApi, RefusesWhatIsNoSuchDocument) {
  for (const std::string &body :
       {std::string(),
        std::string("{}"),
        std::string("[]"),
        std::string("null"),
        std::string("\"2.0\""),
        std::string("<html>"),
        std::string(R"({"openapi":"3.0.0"})"),
        std::string(R"({"swagger":2.0})"),
        std::string(R"({"swagger":"2.0"}x)"),
        std::string(R"({"swagger":"2.0","definitions":[]})"),
        std::string(R"({"swagger":"2.0","definitions":null})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":1}})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":[]}})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":{"properties":[{"format":"x"}]}}})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":{"properties":"x"}}})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":{"properties":{"a":"x"}}}})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":{"properties":{"a":["x"]}}}})"),
        std::string(R"({"swagger":"2.0","definitions":{"t":{},"t":{}}})"),
        std::string("{\"swagger\":\"2.0\"}\0x", 18),
        std::string("{\"swagger\":\"2.0\",\"x\":\"\xFF\"}"),
        CorpusFile("error.json"),
        CorpusFile("cut.json")}) {
    EXPECT_NE(Refusal(body), "") << body;
  }
}

TEST(OpenApi, DepthCostsNoStack) {
  const size_t depth = 5'000'000;
  EXPECT_NE(Refusal(std::string(depth, '[')), "");
  EXPECT_NE(Refusal(R"({"swagger":"2.0","x":)" + std::string(depth, '[')).find("64 levels"), std::string::npos);
  std::string objects = "{\"swagger\":\"2.0\"";
  for (int i = 0; i < 100000; ++i)
    objects += ",\"x\":{\"a\":1";
  EXPECT_NE(Refusal(objects), "");
}

TEST(OpenApi, ManyTablesTakeLinearTime) {
  std::string definitions;
  for (int i = 0; i < 100000; ++i) {
    definitions += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"properties":{"a":{"format":"text"}}})";
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(ParseOpenApi(Document(definitions)).tables.size(), 100000U);
  // Milliseconds when linear, over a minute when every key is compared with every other.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(OpenApi, OddValuesInAColumnAreIgnored) {
  const RemoteTable table = Table(R"("a":{"format":7,"maxLength":"x","description":[1],"enum":5},"b":{"maxLength":-1},
      "c":{"maxLength":1e300},"d":{"maxLength":99999999999},"e":{"items":{"format":"text"},"x":{"enum":[1]}})");
  ASSERT_EQ(table.columns.size(), 5U);
  for (const RemoteColumn &column : table.columns) {
    EXPECT_EQ(column.format, "") << column.name;
    EXPECT_EQ(column.max_length, 0) << column.name;
    EXPECT_FALSE(column.is_enum) << column.name;
  }
}

LocalType Map(const std::string &format, int max_length = 0) {
  RemoteColumn column;
  column.format = format;
  column.max_length = max_length;
  return MapType(column);
}

TEST(OpenApi, MapsBuiltInTypes) {
  struct Case {
    const char *format;
    int max_length;
    const char *local;
  };
  const Case cases[] = {
      {"smallint", 0, "smallint"},
      {"integer", 0, "integer"},
      {"bigint", 0, "bigint"},
      {"int32", 0, "integer"},
      {"int64", 0, "bigint"},
      {"numeric", 0, "numeric"},
      {"real", 0, "real"},
      {"double precision", 0, "double precision"},
      {"text", 0, "text"},
      {"character varying", 0, "character varying"},
      {"character varying", 20, "character varying(20)"},
      {"character varying", 10485760, "character varying(10485760)"},
      {"character varying", 10485761, "character varying"},
      {"character varying(20)", 0, "character varying"},
      {"character", 5, "character(5)"},
      {"character", 0, "bpchar"},
      {"bpchar", 0, "bpchar"},
      {"\"char\"", 0, "\"char\""},
      {"bit", 3, "bit(3)"},
      {"bit", 0, "\"bit\""},
      {"bit varying", 8, "bit varying(8)"},
      {"bit varying", 0, "bit varying"},
      {"text", 9, "text"},
      {"uuid", 0, "uuid"},
      {"json", 0, "json"},
      {"jsonb", 0, "jsonb"},
      {"date", 0, "date"},
      {"interval", 0, "interval"},
      {"timestamp without time zone", 0, "timestamp without time zone"},
      {"timestamp(3) without time zone", 0, "timestamp without time zone"},
      {"time(0) with time zone", 0, "time with time zone"},
      {"numeric(10,2)", 0, "numeric"},
      {"numeric(3,-2)", 0, "numeric"},
      {"tstzmultirange", 0, "tstzmultirange"},
      {"int4range", 0, "int4range"},
      {"xml", 0, "xml"},
      {"integer[]", 0, "integer[]"},
      {"int64[]", 0, "bigint[]"},
      {"character varying[]", 20, "character varying[]"},
      {"character[]", 0, "bpchar[]"},
      {"bit[]", 0, "\"bit\"[]"},
      {"timestamp(3) with time zone[]", 0, "timestamp with time zone[]"},
      {"\"char\"[]", 0, "\"char\"[]"},
  };
  for (const Case &c : cases) {
    const LocalType type = Map(c.format, c.max_length);
    EXPECT_TRUE(type.known) << c.format;
    EXPECT_EQ(type.name, c.local) << c.format;
  }
}

TEST(OpenApi, OtherTypesKeepTheirRemoteName) {
  for (const char *format :
       {"public.mood", "public.mood[]", "extensions.citext", "extensions.vector(384)",
        "extensions.geometry(Point,4326)", "\"My Schema\".\"T\"", "Integer", "integer ", " integer", "integer[][]",
        "[]", "integer(x)", "text(", "text)(", "integer); DROP TABLE x; --", "int4", "vector(384)"}) {
    const LocalType type = Map(format);
    EXPECT_FALSE(type.known) << format;
    EXPECT_EQ(type.name, format);
  }
}

TEST(OpenApi, TypeNamesThatNoTypeHasBecomeText) {
  for (const std::string &format : {std::string(), std::string("a\nb"), std::string("a\0b", 3), std::string("\x1b[31m"),
                                    std::string("a\xC2\x85"), std::string(257, 'x'), std::string("a\x7F")}) {
    const LocalType type = Map(format);
    EXPECT_FALSE(type.known);
    EXPECT_EQ(type.name, "text");
  }
  EXPECT_EQ(Map(std::string(256, 'x')).name, std::string(256, 'x'));
}

std::string ArgumentNames(const RemoteFunction &function) {
  std::string names;
  for (const RemoteArgument &argument : function.arguments) {
    names += argument.value.name + ':' + argument.value.format + (argument.required ? "" : "?") +
             (argument.variadic ? "... " : " ");
  }
  return names;
}

const RemoteFunction *FindFunction(const RemoteSchema &schema, const std::string &name) {
  for (const RemoteFunction &function : schema.functions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

TEST(OpenApi, ReadsFunctionsWithTheirArgumentsAsDeclared) {
  const RemoteSchema schema = ParseOpenApi(CorpusFile("functions12.json"));
  EXPECT_EQ(schema.tables.size(), 1U);
  EXPECT_EQ(schema.functions.size(), 8U);
  EXPECT_TRUE(schema.functions_left_out.empty());
  const std::map<std::string, std::string> expected{{"fn_default", "a:integer b:integer? c:text? "},
                                                    {"fn_variadic", "first:text v:integer[]... "},
                                                    {"fn_unnamed", ":jsonb "},
                                                    {"fn_echo", "select:text limit:text and:text k:text a b,c:text "},
                                                    {"fn odd, \"name\" (x)/y?z", "an \"arg:integer "},
                                                    {"fn_calls", ""},
                                                    {"fn_composite", "a:address "}};
  for (const auto &[name, arguments] : expected) {
    const RemoteFunction *function = FindFunction(schema, name);
    ASSERT_NE(function, nullptr) << name;
    EXPECT_EQ(ArgumentNames(*function), arguments) << name;
  }
  EXPECT_EQ(FindFunction(schema, "fn_default")->comment, "Arguments with defaults");
}

TEST(OpenApi, WithoutGetRequiredArgumentsComeFirst) {
  const RemoteSchema schema = ParseOpenApi(CorpusFile("functions14.json"));
  ASSERT_EQ(schema.functions.size(), 1U);
  EXPECT_EQ(ArgumentNames(schema.functions[0]), "z:text a:int32 b:int64? ");
}

TEST(OpenApi, LeavesOutFunctionsThatNoLocalOneCanBe) {
  const RemoteSchema schema = ParseOpenApi(CorpusFile("functions_hostile.json"));
  ASSERT_EQ(schema.functions.size(), 2U);
  EXPECT_EQ(schema.functions[0].name, "array");
  EXPECT_EQ(schema.functions[1].name, "x\"); DROP TABLE t; --");
  ASSERT_EQ(schema.functions_left_out.size(), 6U);
  EXPECT_EQ(schema.functions_left_out[0], "Function \"\" is left out because its name is empty.");
  EXPECT_EQ(schema.functions_left_out[1],
            "Function \"bad \" is left out because its name contains a control character.");
  EXPECT_EQ(schema.functions_left_out[2],
            "Function \"long_arg\" is left out because the name of an argument is longer than 63 bytes.");
  EXPECT_EQ(schema.functions_left_out[3],
            "Function \"ctl_arg\" is left out because the name of an argument contains a control character.");
  EXPECT_EQ(schema.functions_left_out[4],
            "Function \"two_unnamed\" is left out because it has arguments without a name.");
  EXPECT_EQ(schema.functions_left_out[5], "Function \"too_many\" is left out because it has more than 100 arguments.");
}

TEST(OpenApi, LeavesOutAFunctionWithAnArgumentTwice) {
  const RemoteSchema schema = ParseOpenApi(CorpusFile("functions_duplicate.json"));
  EXPECT_TRUE(schema.functions.empty());
  ASSERT_EQ(schema.functions_left_out.size(), 1U);
  EXPECT_EQ(schema.functions_left_out[0], "Function \"f\" is left out because argument \"a\" occurs twice.");
}

TEST(OpenApi, RunsTheCorpus) {
  EXPECT_GE(RunCorpus("openapi", OpenApiFuzzOneInput), 20);
}

}  // namespace
}  // namespace supabase
