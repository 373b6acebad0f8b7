#include "management_write.hpp"

#include <string>
#include <utility>
#include <vector>

#include "management.hpp"

namespace supabase {
namespace {

using test::Column;
using test::Table;
using test::Thrown;

// A column's value; nullptr for NULL.
using Given = std::vector<std::pair<std::string, const char *>>;

ApiRow Row(const ApiTable &table, const Given &given) {
  ApiRow row(table.columns.size());
  for (const auto &[name, text] : given)
    row[Column(table, name)] = ApiValue{text == nullptr, text == nullptr ? "" : text};
  return row;
}

std::vector<size_t> Columns(const ApiTable &table, const std::vector<std::string> &names) {
  std::vector<size_t> columns;
  for (const std::string &name : names)
    columns.push_back(Column(table, name));
  return columns;
}

std::vector<WriteCall> Insert(const std::string &name, const std::vector<Given> &rows) {
  std::vector<ApiRow> made;
  for (const Given &row : rows)
    made.push_back(Row(Table(name), row));
  return BuildInsert(Table(name), made);
}

std::vector<WriteCall> Update(const std::string &name, const Given &row, const std::vector<std::string> &set) {
  return BuildUpdate(Table(name), Row(Table(name), row), Columns(Table(name), set));
}

std::vector<WriteCall> Delete(const std::string &name, const std::vector<Given> &rows) {
  std::vector<ApiRow> made;
  for (const Given &row : rows)
    made.push_back(Row(Table(name), row));
  return BuildDelete(Table(name), made);
}

// The only call: "METHOD path", with its parameters and the body.
std::string Shown(const WriteCall &call) {
  std::string text = call.operation->method + " " + call.operation->path;
  for (const auto &[name, value] : call.arguments)
    text.append(" ").append(name).append("=").append(value);
  return text + (call.body ? " " + *call.body : "");
}

std::string Only(const std::vector<WriteCall> &calls) {
  EXPECT_EQ(calls.size(), 1U);
  return calls.empty() ? "" : Shown(calls[0]);
}

void ExpectError(const std::function<void()> &run, const char *state, const std::string &message,
                 const std::string &more = "") {
  const Error error = Thrown(run);
  EXPECT_STREQ(error.sqlstate(), state);
  EXPECT_EQ(error.what(), message);
  EXPECT_EQ(more.empty() ? more : std::string(error.detail()) + error.hint(), more);
}

// ---- UPDATE ----

TEST(ManagementUpdate, SendsOnlyWhatIsSet) {
  EXPECT_EQ(
      Only(Update("auth_config", {{"project_ref", "p"}, {"smtp_host", "h"}, {"smtp_port", "25"}, {"smtp_user", "old"}},
                  {"smtp_host", "smtp_port"})),
      R"(PATCH /v1/projects/{ref}/config/auth ref=p {"smtp_host":"h","smtp_port":"25"})");
  EXPECT_EQ(Only(Update("auth_config", {{"project_ref", "p"}, {"smtp_host", nullptr}}, {"smtp_host"})),
            R"(PATCH /v1/projects/{ref}/config/auth ref=p {"smtp_host":null})");
  EXPECT_EQ(Only(Update("api_keys", {{"project_ref", "p"}, {"id", "i"}, {"description", "d"}, {"name", "keep"}},
                        {"description"})),
            R"(PATCH /v1/projects/{ref}/api-keys/{id} ref=p id=i {"description":"d"})");
}

// The operation also takes what columns are called as query parameters, which nobody set.
TEST(ManagementUpdate, SendsNothingBesideTheBody) {
  EXPECT_EQ(Only(Update("edge_functions",
                        {{"project_ref", "p"}, {"slug", "s"}, {"name", "n"}, {"verify_jwt", "f"}, {"ezbr_sha256", "x"}},
                        {"verify_jwt"})),
            R"(PATCH /v1/projects/{ref}/functions/{function_slug} ref=p function_slug=s {"verify_jwt":false})");
  EXPECT_EQ(Only(Update("legacy_api_keys", {{"project_ref", "p"}, {"enabled", "f"}}, {"enabled"})),
            "PUT /v1/projects/{ref}/api-keys/legacy ref=p enabled=false");
}

TEST(ManagementUpdate, ACallForEachOperation) {
  const std::vector<WriteCall> calls =
      Update("projects", {{"ref", "p"}, {"name", "n"}, {"db_pass", "longpassword"}}, {"db_pass", "name"});
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(Shown(calls[0]), R"(PATCH /v1/projects/{ref} ref=p {"name":"n"})");
  EXPECT_EQ(Shown(calls[1]), R"(PATCH /v1/projects/{ref}/database/password ref=p {"password":"longpassword"})");
  EXPECT_TRUE(calls[0].secrets.empty());
  EXPECT_FALSE(calls[1].secrets.empty());
}

TEST(ManagementUpdate, WithAll) {
  const Given disk = {{"project_ref", "p"},          {"iops", "3000"}, {"size_gb", "16"},
                      {"throughput_mibps", nullptr}, {"type", "gp3"},  {"last_modified_at", "2024-01-01"}};
  EXPECT_EQ(Only(Update("disk", disk, {"size_gb"})),
            R"(POST /v1/projects/{ref}/config/disk ref=p {"attributes":{"iops":3000,"size_gb":16,"type":"gp3"}})");
  EXPECT_EQ(Only(Update("network_restrictions",
                        {{"project_ref", "p"},
                         {"allowed_cidrs", R"(["192.0.2.0/24"])"},
                         {"allowed_cidrs_v6", R"(["2001:db8::/32"])"}},
                        {"allowed_cidrs"})),
            R"(POST /v1/projects/{ref}/network-restrictions/apply ref=p )"
            R"({"dbAllowedCidrs":["192.0.2.0/24"],"dbAllowedCidrsV6":["2001:db8::/32"]})");
}

// PUT replaces the configuration: what is set to NULL is left out, which resets it.
TEST(ManagementUpdate, WithAllAndWithoutNull) {
  const Given config = {{"project_ref", "p"},      {"max_connections", "100"}, {"work_mem", nullptr},
                        {"statement_timeout", ""}, {"restart_database", "t"},  {"track_commit_timestamp", "f"}};
  EXPECT_EQ(Only(Update("postgres_config", {{"project_ref", "p"}, {"max_connections", "100"}, {"work_mem", nullptr}},
                        {"work_mem"})),
            R"(PUT /v1/projects/{ref}/config/database/postgres ref=p {"max_connections":100})");
  EXPECT_EQ(Only(Update("postgres_config", config, {"track_commit_timestamp"})),
            R"(PUT /v1/projects/{ref}/config/database/postgres ref=p )"
            R"({"max_connections":100,"statement_timeout":"","track_commit_timestamp":false})")
      << "what cannot be read does not go along";
}

TEST(ManagementUpdate, WithItsGroup) {
  const Given config = {{"project_ref", "p"},
                        {"file_size_limit", "5"},
                        {"image_transformation_enabled", "t"},
                        {"vector_buckets_enabled", "true"},
                        {"vector_buckets_max_buckets", "3"},
                        {"vector_buckets_max_indexes", nullptr}};
  EXPECT_EQ(Only(Update("storage_config", config, {"vector_buckets_enabled"})),
            R"(PATCH /v1/projects/{ref}/config/storage ref=p )"
            R"({"features":{"vectorBuckets":{"enabled":true,"maxBuckets":3}}})");
  EXPECT_EQ(Only(Update("storage_config", config, {"file_size_limit"})),
            R"(PATCH /v1/projects/{ref}/config/storage ref=p {"fileSizeLimit":5})");
}

TEST(ManagementUpdate, WithItsKey) {
  EXPECT_EQ(Only(Update("addons", {{"project_ref", "p"}, {"type", "pitr"}, {"variant", "pitr_7"}}, {"variant"})),
            R"(PATCH /v1/projects/{ref}/billing/addons ref=p {"addon_type":"pitr","addon_variant":"pitr_7"})");
  const std::vector<WriteCall> calls =
      Update("secrets", {{"project_ref", "p"}, {"name", "A"}, {"value", "v"}, {"digest", "00"}}, {"value"});
  EXPECT_EQ(Only(calls), R"(POST /v1/projects/{ref}/secrets ref=p [{"name":"A","value":"v"}])");
  EXPECT_FALSE(calls[0].secrets.empty());
}

TEST(ManagementUpdate, ByParameters) {
  EXPECT_EQ(Only(Update("legacy_api_keys", {{"project_ref", "p"}, {"enabled", "f"}}, {"enabled"})),
            "PUT /v1/projects/{ref}/api-keys/legacy ref=p enabled=false");
  EXPECT_EQ(Only(Update("legacy_api_keys", {{"project_ref", "p"}, {"enabled", "t"}}, {"enabled"})),
            "PUT /v1/projects/{ref}/api-keys/legacy ref=p enabled=true");
}

TEST(ManagementUpdate, RefusesWhatNothingChanges) {
  ExpectError(
      [] {
        Update("projects", {{"ref", "p"}, {"region", "us-east-1"}}, {"region"});
      },
      "0A000", "column \"region\" of table \"projects\" cannot be updated",
      "The Management API has no operation for it.");
  ExpectError(
      [] {
        Update("secrets", {{"project_ref", "p"}, {"name", "A"}}, {"name"});
      },
      "0A000", "column \"name\" of table \"secrets\" cannot be updated");
}

// ---- INSERT ----

TEST(ManagementInsert, OneRow) {
  const std::vector<WriteCall> calls = Insert(
      "projects",
      {{{"organization_slug", "acme"}, {"name", "n"}, {"region", "eu-west-1"}, {"db_pass", "p"}, {"ref", nullptr}}});
  EXPECT_EQ(Only(calls), R"(POST /v1/projects {"organization_slug":"acme","name":"n",)"
                         R"("region_selection":{"code":"eu-west-1","type":"specific"},"db_pass":"p"})");
  EXPECT_FALSE(calls[0].secrets.empty());
  EXPECT_EQ(calls[0].content_type, "application/json");
  EXPECT_EQ(InsertBatch(Table("projects")), 1U);
  EXPECT_EQ(
      Insert("projects", {{{"organization_slug", "a"}, {"name", "n"}}, {{"organization_slug", "a"}, {"name", "m"}}})
          .size(),
      2U);
}

TEST(ManagementInsert, ConstantsListsAndHeaders) {
  EXPECT_EQ(Only(Insert("sso_providers", {{{"project_ref", "p"},
                                           {"metadata_url", "https://idp/m"},
                                           {"attribute_mapping", R"({"keys":{}})"},
                                           {"domains", R"(["a.example.com","b.example.com"])"}}})),
            R"(POST /v1/projects/{ref}/config/auth/sso/providers ref=p {"type":"saml","metadata_url":"https://idp/m",)"
            R"("attribute_mapping":{"keys":{}},"domains":["a.example.com","b.example.com"]})");
  EXPECT_EQ(Only(Insert("migrations", {{{"project_ref", "p"}, {"query", "select 1"}, {"idempotency_key", "k"}}})),
            R"(POST /v1/projects/{ref}/database/migrations ref=p Idempotency-Key=k {"query":"select 1"})");
}

TEST(ManagementInsert, ArraysByParent) {
  const std::vector<WriteCall> calls = Insert("secrets", {{{"project_ref", "p"}, {"name", "A"}, {"value", "1"}},
                                                          {{"project_ref", "q"}, {"name", "B"}, {"value", "2"}},
                                                          {{"project_ref", "p"}, {"name", "C"}, {"value", "3"}}});
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(Shown(calls[0]),
            R"(POST /v1/projects/{ref}/secrets ref=p [{"name":"A","value":"1"},{"name":"C","value":"3"}])");
  EXPECT_EQ(Shown(calls[1]), R"(POST /v1/projects/{ref}/secrets ref=q [{"name":"B","value":"2"}])");
  EXPECT_FALSE(calls[0].secrets.empty());
  EXPECT_GT(InsertBatch(Table("secrets")), 1U);
}

TEST(ManagementInsert, FamiliesOfAddresses) {
  EXPECT_EQ(Only(Insert("network_restriction_cidrs", {{{"project_ref", "p"}, {"cidr", "192.0.2.0/24"}},
                                                      {{"project_ref", "p"}, {"cidr", "2001:db8::/32"}},
                                                      {{"project_ref", "p"}, {"cidr", "198.51.100.0/24"}}})),
            R"(PATCH /v1/projects/{ref}/network-restrictions ref=p {"add":{)"
            R"("dbAllowedCidrs":["192.0.2.0/24","198.51.100.0/24"],"dbAllowedCidrsV6":["2001:db8::/32"]}})");
}

TEST(ManagementInsert, Multipart) {
  const std::vector<WriteCall> calls = Insert("edge_functions", {{{"project_ref", "p"},
                                                                  {"slug", "hello"},
                                                                  {"name", "Hello"},
                                                                  {"verify_jwt", "f"},
                                                                  {"entrypoint_path", "a\"\r\nb.ts"},
                                                                  {"body", "Deno.serve();\n"}}});
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].arguments, (CallArguments{{"ref", "p"}, {"slug", "hello"}}));
  const std::string prefix = "multipart/form-data; boundary=";
  ASSERT_EQ(calls[0].content_type.compare(0, prefix.size(), prefix), 0);
  const std::string mark = "--" + calls[0].content_type.substr(prefix.size());
  EXPECT_EQ(*calls[0].body,
            mark + "\r\nContent-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json\r\n\r\n" +
                R"({"name":"Hello","verify_jwt":false,"entrypoint_path":"a\"\r\nb.ts"})" + "\r\n" + mark +
                "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a___b.ts\"\r\nContent-Type: "
                "application/octet-stream\r\n\r\nDeno.serve();\n\r\n" +
                mark + "--\r\n");
  // No source can hold the boundary of the next one.
  EXPECT_NE(Insert("edge_functions",
                   {{{"project_ref", "p"}, {"slug", "hello"}, {"entrypoint_path", "a"}, {"body", mark.c_str()}}})[0]
                .content_type,
            calls[0].content_type);
}

TEST(ManagementInsert, NeedsRequiredColumns) {
  ExpectError(
      [] {
        Insert("projects", {{{"name", "n"}}});
      },
      "23502", "null value in column \"organization_slug\" of table \"projects\"", "The Management API needs it.");
  ExpectError(
      [] {
        Insert("secrets", {{{"name", "A"}, {"value", "1"}}});
      },
      "23502", "null value in column \"project_ref\" of table \"secrets\"");
  ExpectError(
      [] {
        Insert("secrets", {{{"project_ref", "p"}, {"name", "A"}, {"value", nullptr}}});
      },
      "23502", "null value in column \"value\" of table \"secrets\"");
}

TEST(ManagementInsert, RefusesWhatTheServiceSets) {
  ExpectError(
      [] {
        Insert("projects", {{{"organization_slug", "a"}, {"name", "n"}, {"status", "ACTIVE_HEALTHY"}}});
      },
      "0A000", "column \"status\" of table \"projects\" cannot be given a value", "The Management API sets it.");
  ExpectError(
      [] {
        Insert("secrets", {{{"project_ref", "p"}, {"name", "A"}, {"value", "1"}, {"digest", "d"}}});
      },
      "0A000", "column \"digest\" of table \"secrets\" cannot be given a value");
}

TEST(ManagementInsert, ColumnsThatExcludeEachOther) {
  ExpectError(
      [] {
        Insert("projects",
               {{{"organization_slug", "a"}, {"name", "n"}, {"region", "eu-west-1"}, {"region_group", "emea"}}});
      },
      "22023", "columns \"region\" and \"region_group\" exclude each other");
}

TEST(ManagementInsert, ChecksValues) {
  const auto project = [](const char *column, const char *value) {
    return [=] { Insert("projects", {{{"organization_slug", "a"}, {"name", "n"}, {column, value}}}); };
  };
  ExpectError(project("region_group", "moon"), "22023",
              "invalid value for column \"region_group\" of table \"projects\"",
              "Valid values are: americas, emea, apac.");
  ExpectError(project("name", ""), "22023", "invalid value for column \"name\" of table \"projects\"",
              "Its length must be at least 1 and at most 256.");
  ExpectError(
      [] {
        Update("disk", {{"project_ref", "p"}, {"iops", "-1"}}, {"iops"});
      },
      "22023", "invalid value for column \"iops\" of table \"disk\"", "It must be at least 0.");
  ExpectError(
      [] {
        Update("postgres_config", {{"project_ref", "p"}, {"max_connections", "262144"}}, {"max_connections"});
      },
      "22023", "invalid value for column \"max_connections\" of table \"postgres_config\"",
      "It must be at least 1 and at most 262143.");
  ExpectError(
      [] {
        Update("api_keys", {{"project_ref", "p"}, {"id", "i"}, {"secret_jwt_template", "{"}}, {"secret_jwt_template"});
      },
      "22023", "invalid value for column \"secret_jwt_template\" of table \"api_keys\"", "It has no JSON form.");
}

// A length counts characters, as the service's does.
TEST(ManagementInsert, LengthsCountCharacters) {
  std::string name;
  for (int i = 0; i < 200; ++i)
    name += "\xC3\xA4";
  EXPECT_EQ(Insert("projects", {{{"organization_slug", "a"}, {"name", name.c_str()}}}).size(), 1U);
}

// ---- DELETE ----

TEST(ManagementDelete, OneCallForEachRow) {
  const std::vector<WriteCall> calls =
      Delete("api_keys", {{{"project_ref", "p"}, {"id", "a"}}, {{"project_ref", "p"}, {"id", "b"}}});
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(Shown(calls[1]), "DELETE /v1/projects/{ref}/api-keys/{id} ref=p id=b");
  EXPECT_FALSE(DeletesLists(Table("api_keys")));
}

TEST(ManagementDelete, ListsByParent) {
  EXPECT_TRUE(DeletesLists(Table("secrets")));
  const std::vector<WriteCall> calls = Delete("secrets", {{{"project_ref", "p"}, {"name", "A"}},
                                                          {{"project_ref", "p"}, {"name", "B"}},
                                                          {{"project_ref", "q"}, {"name", "C"}}});
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(Shown(calls[0]), R"(DELETE /v1/projects/{ref}/secrets ref=p ["A","B"])");
  EXPECT_EQ(Shown(calls[1]), R"(DELETE /v1/projects/{ref}/secrets ref=q ["C"])");
  EXPECT_EQ(Only(Delete("network_bans", {{{"project_ref", "p"}, {"banned_address", "192.0.2.1"}},
                                         {{"project_ref", "p"}, {"banned_address", "192.0.2.2"}}})),
            R"(DELETE /v1/projects/{ref}/network-bans ref=p {"ipv4_addresses":["192.0.2.1","192.0.2.2"]})");
  EXPECT_EQ(Only(Delete("network_restriction_cidrs", {{{"project_ref", "p"}, {"cidr", "2001:db8::/32"}}})),
            R"(PATCH /v1/projects/{ref}/network-restrictions ref=p {"remove":{"dbAllowedCidrsV6":["2001:db8::/32"]}})");
}

TEST(ManagementDelete, AnAddonGoesByItsVariant) {
  EXPECT_EQ(Only(Delete("addons", {{{"project_ref", "p"}, {"type", "pitr"}, {"variant", "pitr_7"}}})),
            "DELETE /v1/projects/{ref}/billing/addons/{addon_variant} ref=p addon_variant=pitr_7");
}

}  // namespace
}  // namespace supabase
