#include "catalogue.hpp"

#include <set>
#include <string>

#include "management.hpp"

namespace supabase {
namespace {

using test::Column;
using test::Operation;
using test::Table;
using test::Thrown;

std::string Whole(const std::string &operations, const std::string &tables) {
  return R"({"operations":[)" + operations + R"(],"absent":[{"status":404}],"project_status":{"ready":["UP"],)" +
         R"("pending":[],"failed":"GONE"},"tables":[)" + tables + "]}";
}

constexpr char kRead[] = R"({"id":"read","call":"GET /v1/projects/{ref}/things"})";

std::string Refusal(const std::string &operations, const std::string &tables) {
  const Error error = Thrown([&] { Catalogue::Parse(Whole(operations, tables)); });
  EXPECT_STREQ(error.sqlstate(), "HV000");
  EXPECT_STREQ(error.what(), "catalogue of the Management API is not consistent");
  return error.detail();
}

// A table with these columns whose list is operation "read".
std::string Things(const std::string &columns, const std::string &more = "") {
  return R"({"name":"things","operations":{"list":{"op":"read","rows":"[]"}},"columns":[)" + columns + "]" + more + "}";
}

TEST(Catalogue, TheOneBuiltInHoldsTogether) {
  const Catalogue &catalogue = Catalogue::Get();
  EXPECT_EQ(catalogue.operations.size(), 164U);
  EXPECT_EQ(catalogue.tables.size(), 54U);
  std::set<std::string> ids, names, calls;
  for (const ApiOperation &operation : catalogue.operations) {
    EXPECT_TRUE(ids.insert(operation.id).second) << operation.id;
    EXPECT_TRUE(calls.insert(operation.method + " " + operation.path).second) << operation.id;
    EXPECT_EQ(operation.path.compare(0, 4, "/v1/"), 0) << operation.id;
    EXPECT_FALSE(operation.destructive && operation.ReadsOnly()) << operation.id;
  }
  for (const char *id : {"v1-delete-a-project", "v1-delete-a-branch", "v1-restore-pitr-backup"})
    EXPECT_TRUE(Operation(id).destructive) << id;
  for (const ApiTable &table : catalogue.tables) {
    EXPECT_TRUE(names.insert(table.name).second) << table.name;
    EXPECT_FALSE(table.key.empty()) << table.name;
    EXPECT_EQ(table.parent_column.empty(), table.parent_table.empty()) << table.name;
    if (!table.parent_table.empty()) {
      const ApiTable &parent = Table(table.parent_table);
      EXPECT_GE(parent.FindColumn(table.parent_key), 0) << table.name;
      EXPECT_NE(parent.Find("list"), nullptr) << table.name;
      EXPECT_GE(table.FindColumn(table.parent_column), 0) << table.name;
    }
    std::set<std::string> columns;
    for (const ApiColumn &column : table.columns)
      EXPECT_TRUE(columns.insert(column.name).second) << table.name << "." << column.name;
    for (const TableOperation &operation : table.operations) {
      const bool reads = operation.name == "list" || operation.name == "get";
      EXPECT_TRUE(operation.operation->ReadsOnly() || !reads) << table.name;
      EXPECT_TRUE(operation.column.empty() || table.FindColumn(operation.column) >= 0) << table.name;
    }
  }
}

TEST(Catalogue, SecretsAndWhatOnlyWritesSee) {
  const ApiTable &secrets = Table("secrets");
  EXPECT_TRUE(secrets.columns[Column(secrets, "value")].secret);
  EXPECT_TRUE(secrets.columns[Column(secrets, "value")].write_only);
  EXPECT_TRUE(secrets.columns[Column(secrets, "digest")].digest);
  EXPECT_TRUE(secrets.columns[Column(secrets, "digest")].body == "value");
  const ApiTable &keys = Table("api_keys");
  EXPECT_TRUE(keys.columns[Column(keys, "api_key")].secret);
  EXPECT_TRUE(keys.IsKey("project_ref"));
  EXPECT_TRUE(keys.IsKey("id"));
  EXPECT_FALSE(keys.IsKey("name"));
  EXPECT_EQ(keys.ColumnOfParameter("id"), keys.FindColumn("id"));
  EXPECT_EQ(keys.ColumnOfParameter("nothing"), -1);
  const ApiTable &projects = Table("projects");
  EXPECT_TRUE(projects.columns[Column(projects, "db_pass")].generated);
  EXPECT_TRUE(projects.columns.back().whole);
  EXPECT_EQ(projects.columns.back().name, "attrs");
}

TEST(Catalogue, ReadsOperations) {
  const Catalogue catalogue = Catalogue::Parse(Whole(
      R"({"id":"a","call":"POST /v1/a/{x}/b/{y}","params":[{"name":"y","in":"path","type":"integer"},
          {"name":"q","repeat":true,"enum":["p","q"]},{"name":"h","in":"header","required":true}],
          "body":{"required":true,"form":"multipart","properties":[{"name":"m","required":true}]},"reads":true})",
      ""));
  const ApiOperation &read = *catalogue.FindOperation("a");
  EXPECT_EQ(read.method, "POST");
  ASSERT_EQ(read.parameters.size(), 4U);
  EXPECT_EQ(read.parameters[0].name, "x");
  EXPECT_TRUE(read.parameters[0].required);
  EXPECT_EQ(read.parameters[1].type, "integer");
  EXPECT_TRUE(read.parameters[1].required);
  EXPECT_TRUE(read.parameters[2].repeat);
  EXPECT_EQ(read.parameters[2].values.size(), 2U);
  EXPECT_TRUE(read.parameters[3].place == ApiParameter::Place::kHeader);
  EXPECT_EQ(read.body.form, "multipart");
  EXPECT_EQ(read.body.properties[0].type, "any");
  EXPECT_TRUE(read.ReadsOnly());
  EXPECT_EQ(catalogue.FindOperation("b"), nullptr);
  EXPECT_EQ(catalogue.FindTable("a"), nullptr);
  EXPECT_EQ(catalogue.failed, std::vector<std::string>{"GONE"});
}

TEST(Catalogue, RefusesWhatDoesNotHoldTogether) {
  const std::string ref = R"({"name":"ref","param":"ref"})";
  EXPECT_EQ(Refusal(R"({"id":"x","call":"GET"})", ""), "Operation \"x\" has no call.");
  EXPECT_EQ(Refusal(R"({"call":"GET /"})", ""), "Operation \"\" has no call.");
  EXPECT_EQ(Refusal("", Things(ref)), "There is no operation \"read\".");
  EXPECT_EQ(Refusal(kRead, R"({"name":"things","columns":[)" + ref + "]}"), "Table \"things\": nothing reads it.");
  EXPECT_EQ(Refusal(kRead, Things(ref, R"(,"key":["ref","id"])")), "Table \"things\": no key column \"id\".");
  EXPECT_EQ(Refusal(kRead, Things(R"({"name":"ref"})")), "Table \"things\": no column is parameter \"ref\".");
  EXPECT_EQ(Refusal(kRead, Things(ref + R"(,{"name":"more","hydrate":"get"})")),
            "Table \"things\": no operation \"get\".");
  EXPECT_EQ(Refusal(kRead, Things(ref + R"(,{"name":"more","update":true})")),
            "Table \"things\": no operation \"update\".");
  EXPECT_EQ(Catalogue::Parse(Whole(kRead, Things(ref, R"(,"key":"ref")"))).tables[0].key,
            std::vector<std::string>{"ref"});
  const Error error = Thrown([] { Catalogue::Parse("[]"); });
  EXPECT_STREQ(error.detail(), "It is no JSON object.");
  EXPECT_STREQ(Thrown([] { Catalogue::Parse("{"); }).detail(), "It is no JSON object.");
}

TEST(Catalogue, RefusesAFileThatLacksAPart) {
  EXPECT_STREQ(Thrown([] { Catalogue::Parse("{}"); }).sqlstate(), "HV000");
  EXPECT_STREQ(Thrown([] { Catalogue::Parse(R"({"operations":[],"tables":[]})"); }).sqlstate(), "HV000");
  EXPECT_EQ(Refusal(kRead, R"({"name":"things","operations":{"list":{"op":"read"}}})").empty(), false);
}

}  // namespace
}  // namespace supabase
