#include "management_reader.hpp"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "http_driver.hpp"
#include "management.hpp"
#include "test_server.hpp"

namespace supabase {
namespace {

using test::Answer;
using test::Column;
using test::DriveUntil;
using test::Log;
using test::Server;
using test::Table;

using Answers = std::map<std::string, std::string>;
using Values = std::vector<std::pair<std::string, std::string>>;

// Answers by "METHOD path?query"; everything else is 404. "!" begins a status, which ends at "|".
class Remote {
 public:
  explicit Remote(Answers answers)
      : answers_(std::move(answers)), server_(test::Each([this](const std::string &request) {
          const std::string call = request.substr(0, request.find(" HTTP/"));
          log_.Add(call);
          const auto found = answers_.find(call);
          if (found == answers_.end()) return Answer("404 Not Found", R"({"message":"not here"})");
          const std::string &answer = found->second;
          if (answer[0] != '!') return Answer("200 OK", answer);
          const size_t end = answer.find('|');
          return Answer(answer.substr(1, end - 1), answer.substr(end + 1));
        })) {}
  std::string url() const { return server_.url(); }
  std::vector<std::string> calls() const { return log_.entries(); }

 private:
  const Answers answers_;
  Log log_;
  Server server_;
};

// A whole read: rows as "value|value", and what the reader says at its end.
struct Read {
  std::vector<std::string> rows;
  std::vector<ManagementReader::Skipped> skipped;
  ManagementReader::Counters counters;
};

Read ReadAll(const Remote &remote, const std::string &name, const std::vector<std::string> &columns,
             const std::vector<Values> &targets, bool fan_out = false, size_t parallel = 4) {
  const ApiTable &table = Table(name);
  Session session;
  RateLimits limits;
  ManagementReader::Options options;
  options.caller = {test::Get(remote.url()), "caller", &session, &limits};
  options.table = &table;
  options.fan_out = fan_out;
  options.parallel = parallel;
  for (const std::string &column : columns)
    options.columns.push_back(Column(table, column));
  for (const Values &values : targets) {
    ReadTarget target;
    for (const auto &[column, value] : values)
      target.bound.emplace_back(Column(table, column), value);
    options.targets.push_back(std::move(target));
  }
  ManagementReader reader(std::move(options));
  Read read;
  for (;;) {
    if (const Transfer *waiting = reader.Waiting(); waiting != nullptr) {
      if (!DriveUntil(session, [&] { return waiting->done(); })) throw Error("XXXXX", "the reader hangs");
      reader.Take();
      continue;
    }
    if (!reader.HasRow()) break;
    const ManagementRow next = reader.Next();
    const Cell *const row = next.cells.data();
    std::string text;
    for (size_t i = 0; i < columns.size(); ++i) {
      text += i > 0 ? "|" : "";
      text += row[i].kind == Cell::Kind::kNull ? "NULL" : std::string(row[i].data, row[i].size);
    }
    read.rows.push_back(text);
  }
  read.skipped = reader.TakeSkipped();
  read.counters = reader.counters();
  return read;
}

using Rows = std::vector<std::string>;

TEST(ManagementReader, ByKeyOrAsAList) {
  const Remote remote(Answers{{"GET /v1/projects", R"([{"ref":"p","name":"P"},{"ref":"q","name":"Q"}])"},
                              {"GET /v1/projects/q", R"({"ref":"q","name":"Q"})"}});
  EXPECT_EQ(ReadAll(remote, "projects", {"name", "ref"}, {{}}).rows, (Rows{"P|p", "Q|q"}));
  EXPECT_EQ(ReadAll(remote, "projects", {"name"}, {{{"ref", "q"}}}).rows, (Rows{"Q"}));
  EXPECT_EQ(ReadAll(remote, "projects", {"name"}, {{{"ref", "none"}}}).rows, Rows{}) << "404: there is nothing";
  EXPECT_EQ(remote.calls(), (Rows{"GET /v1/projects", "GET /v1/projects/q", "GET /v1/projects/none"}));
}

TEST(ManagementReader, FanOutInTheParentsOrder) {
  const Remote remote(Answers{
      {"GET /v1/projects", R"([{"ref":"p","status":"INACTIVE"},{"ref":"q","status":"ACTIVE_HEALTHY"},{"ref":"r"}])"},
      {"GET /v1/projects/p/secrets", R"([{"name":"A"}])"},
      {"GET /v1/projects/q/secrets", "[]"},
      {"GET /v1/projects/r/secrets", R"([{"name":"B"},{"name":"C"}])"},
  });
  for (const size_t parallel : {1, 2, 8}) {
    const Read read = ReadAll(remote, "secrets", {"project_ref", "name"}, {{}}, true, parallel);
    EXPECT_EQ(read.rows, (Rows{"p|A", "r|B", "r|C"})) << parallel;
    EXPECT_EQ(read.counters.requests, 4U);
    EXPECT_EQ(read.counters.rows, 3U);
    EXPECT_GT(read.counters.bytes, 0U);
  }
}

TEST(ManagementReader, AServiceOfAProjectThatIsDownIsNotAsked) {
  const Remote remote(
      Answers{{"GET /v1/projects", R"([{"ref":"p","status":"INACTIVE"},{"ref":"q","status":"RESTORING"}])"},
              {"GET /v1/projects/q/postgrest", R"({"max_rows":7})"}});
  EXPECT_EQ(ReadAll(remote, "postgrest_config", {"project_ref", "max_rows"}, {{}}, true).rows, (Rows{"q|7"}));
  EXPECT_EQ(remote.calls(), (Rows{"GET /v1/projects", "GET /v1/projects/q/postgrest"}));
}

TEST(ManagementReader, SkipsWhatRefusesAndSaysSo) {
  const Remote remote(Answers{
      {"GET /v1/projects", R"([{"ref":"p"},{"ref":"q"},{"ref":"r"},{"ref":"s"}])"},
      {"GET /v1/projects/p/secrets", R"(!403 Forbidden|{"message":"no"})"},
      {"GET /v1/projects/q/secrets", R"([{"name":"A"}])"},
      {"GET /v1/projects/r/secrets", R"(!402 Payment Required|{"message":"pay"})"},
  });
  const Read read = ReadAll(remote, "secrets", {"name"}, {{}}, true);
  EXPECT_EQ(read.rows, (Rows{"A"}));
  ASSERT_EQ(read.skipped.size(), 2U) << "404 is no more than nothing";
  EXPECT_EQ(read.skipped[0].parent, "p");
  EXPECT_STREQ(read.skipped[0].problem.sqlstate(), "42501");
  EXPECT_EQ(read.skipped[1].parent, "r");
  EXPECT_STREQ(read.skipped[1].problem.what(), "pay");
}

TEST(ManagementReader, WhatOneAskedForByNameFails) {
  const Remote remote(Answers{{"GET /v1/projects/p/secrets", R"(!403 Forbidden|{"message":"no"})"}});
  const Error error = test::Thrown([&] { ReadAll(remote, "secrets", {"name"}, {{{"project_ref", "p"}}}); });
  EXPECT_STREQ(error.sqlstate(), "42501");
}

TEST(ManagementReader, AFanOutEndsWithWhatFailsForAll) {
  const std::pair<const char *, const char *> cases[] = {
      {"401 Unauthorized", "28000"}, {"429 Too Many", "53400"}, {"409 Conflict", "23505"}};
  for (const auto &[status, state] : cases) {
    const Remote remote(Answers{{"GET /v1/projects", R"([{"ref":"p"}])"},
                                {"GET /v1/projects/p/secrets", std::string("!") + status + R"(|{"message":"no"})"}});
    const Error error = test::Thrown([&] { ReadAll(remote, "secrets", {"name"}, {{}}, true); });
    EXPECT_STREQ(error.sqlstate(), state) << status;
  }
  const Remote remote(Answers{{"GET /v1/projects", R"(!403 Forbidden|{"message":"no projects"})"}});
  EXPECT_STREQ(test::Thrown([&] { ReadAll(remote, "secrets", {"name"}, {{}}, true); }).what(), "no projects");
}

std::string Items(int first, int count) {
  std::string items;
  for (int i = first; i < first + count; ++i)
    items += (items.empty() ? "{\"ref\":\"" : ",{\"ref\":\"") + std::to_string(i) + "\"}";
  return items;
}

TEST(ManagementReader, PagesByOffset) {
  const std::string path = "GET /v1/organizations/acme/projects?limit=100&offset=";
  const Remote remote(Answers{
      {path + "0", R"({"pagination":{"count":201},"projects":[)" + Items(0, 100) + "]}"},
      {path + "100", R"({"pagination":{"count":201},"projects":[)" + Items(100, 100) + "]}"},
      {path + "200", R"({"pagination":{"count":201},"projects":[)" + Items(200, 1) + "]}"},
  });
  const Read read = ReadAll(remote, "organization_projects", {"ref"}, {{{"organization_slug", "acme"}}});
  ASSERT_EQ(read.rows.size(), 201U);
  EXPECT_EQ(read.rows.front(), "0");
  EXPECT_EQ(read.rows.back(), "200");
  EXPECT_EQ(read.counters.requests, 3U);
}

TEST(ManagementReader, PagesWithoutATotalEndWithAShortOne) {
  const std::string path = "GET /v1/projects/p/actions?limit=100&offset=";
  const Remote remote(Answers{{path + "0", "[" + Items(0, 100) + "]"}, {path + "100", "[]"}});
  const Read read = ReadAll(remote, "action_runs", {"project_ref"}, {{{"project_ref", "p"}}});
  EXPECT_EQ(read.rows.size(), 100U);
  EXPECT_EQ(read.counters.requests, 2U);
}

TEST(ManagementReader, PagesByCursor) {
  const std::string path = "GET /v1/snippets?limit=100";
  const Remote remote(Answers{
      {path, R"({"data":[{"id":"1"}],"cursor":"a b"})"},
      {path + "&cursor=a%20b", R"({"data":[],"cursor":"c"})"},
      {path + "&cursor=c", R"({"data":[{"id":"2"}],"cursor":"c"})"},
  });
  const Read read = ReadAll(remote, "snippets", {"id"}, {{}});
  EXPECT_EQ(read.rows, (Rows{"1", "2"})) << "a cursor that stands still is the end";
  EXPECT_EQ(read.counters.requests, 3U);
}

TEST(ManagementReader, HydratesOnlyWhenItMust) {
  const Remote remote(Answers{
      {"GET /v1/projects/p/branches",
       R"([{"name":"main","project_ref":"p1","git_branch":"m"},{"name":"dev","project_ref":"p2"}])"},
      {"GET /v1/branches/p1", R"({"db_host":"h1","status":"UP"})"},
  });
  EXPECT_EQ(ReadAll(remote, "branches", {"name"}, {{{"project_ref", "p"}}}).rows, (Rows{"main", "dev"}));
  EXPECT_EQ(remote.calls().size(), 1U);
  EXPECT_EQ(ReadAll(remote, "branches", {"name", "db_host", "ref"}, {{{"project_ref", "p"}}}).rows,
            (Rows{"main|h1|p1", "dev|NULL|p2"}))
      << "a row whose rest is not there stays a row, and in its place";
  EXPECT_EQ(remote.calls().size(), 4U);
}

TEST(ManagementReader, FallsBackWhereTheBetterOneIsRefused) {
  const std::string path = "POST /v1/projects/p/network-bans/retrieve";
  const Values target = {{"project_ref", "p"}};
  const Remote plain(Answers{{path + "/enriched", R"(!403 Forbidden|{"message":"no"})"},
                             {path, R"({"banned_ipv4_addresses":["192.0.2.1","192.0.2.2"]})"}});
  EXPECT_EQ(ReadAll(plain, "network_bans", {"banned_address", "type"}, {target}).rows,
            (Rows{"192.0.2.1|NULL", "192.0.2.2|NULL"}));
  const Remote enriched(
      Answers{{path + "/enriched", R"({"banned_ipv4_addresses":[{"banned_address":"192.0.2.1","type":"ipv4"}]})"}});
  EXPECT_EQ(ReadAll(enriched, "network_bans", {"banned_address", "type"}, {target}).rows, (Rows{"192.0.2.1|ipv4"}));
  EXPECT_EQ(enriched.calls().size(), 1U);
}

TEST(ManagementReader, SourcesByTheirConstants) {
  const Remote remote(Answers{{"GET /v1/projects/p/advisors/security", R"({"lints":[{"cache_key":"s"}]})"},
                              {"GET /v1/projects/p/advisors/performance", R"({"lints":[{"cache_key":"f"}]})"}});
  const Read all = ReadAll(remote, "advisor_lints", {"advisor", "cache_key"}, {{{"project_ref", "p"}}});
  EXPECT_EQ(all.rows.size(), 2U);
  EXPECT_EQ(
      ReadAll(remote, "advisor_lints", {"advisor", "cache_key"}, {{{"project_ref", "p"}, {"advisor", "security"}}})
          .rows,
      (Rows{"security|s"}));
  EXPECT_EQ(ReadAll(remote, "advisor_lints", {"cache_key"}, {{{"project_ref", "p"}, {"advisor", "other"}}}).rows,
            Rows{});
  EXPECT_EQ(remote.calls().size(), 3U);
  const Remote addresses(Answers{{"GET /v1/projects/p/network-restrictions",
                                  R"({"config":{"dbAllowedCidrs":["0.0.0.0/0"],"dbAllowedCidrsV6":["::/0"]}})"}});
  EXPECT_EQ(ReadAll(addresses, "network_restriction_cidrs", {"cidr", "type"}, {{{"project_ref", "p"}}}).rows,
            (Rows{"0.0.0.0/0|v4", "::/0|v6"}));
  EXPECT_EQ(addresses.calls().size(), 1U);
}

TEST(ManagementReader, RepeatedParametersAndDefaults) {
  const Remote remote(Answers{{"GET /v1/projects/p/health?services=auth&services=db",
                               R"([{"name":"auth","healthy":true},{"name":"db","healthy":false}])"}});
  EXPECT_EQ(
      ReadAll(remote, "service_health", {"name", "healthy"}, {{{"project_ref", "p"}, {"name", "auth"}, {"name", "db"}}})
          .rows,
      (Rows{"auth|t", "db|f"}));
  ReadAll(remote, "service_health", {"name"}, {{{"project_ref", "q"}}});
  EXPECT_EQ(remote.calls()[1],
            "GET /v1/projects/q/health?services=auth&services=db&services=db_postgres_user&services=pooler&"
            "services=realtime&services=rest&services=storage&services=pg_bouncer");
}

TEST(ManagementReader, DescribesItsCalls) {
  const ApiTable &secrets = Table("secrets");
  EXPECT_EQ(ManagementReader::Describe(secrets, {}), "GET /v1/projects/{ref}/secrets for each of projects");
  EXPECT_EQ(ManagementReader::Describe(secrets, {{{Column(secrets, "project_ref"), "p"}}}),
            "GET /v1/projects/p/secrets");
}

}  // namespace
}  // namespace supabase
