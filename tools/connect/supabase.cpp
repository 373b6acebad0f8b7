#include "supabase.hpp"

namespace supabase_connect {
namespace {

std::optional<std::string> OrNull(const std::string &text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

// The values of options: never those with a secret.
constexpr const char *kServers = R"(
SELECT s.srvname,
  coalesce((SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'url'),
           'https://api.supabase.com'),
  m.umid IS NOT NULL,
  (SELECT option_value FROM pg_options_to_table(m.umoptions) WHERE option_name = 'oauth_grant'),
  (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
   JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE t.ftserver = s.oid AND 'resource=organizations' = ANY (t.ftoptions) ORDER BY 1 LIMIT 1),
  (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
   JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE t.ftserver = s.oid AND 'resource=projects' = ANY (t.ftoptions) ORDER BY 1 LIMIT 1)
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
LEFT JOIN pg_user_mappings m ON m.srvid = s.oid AND m.usename = current_user
WHERE w.fdwname = 'supabase_fdw' AND s.srvtype = 'management' AND coalesce(s.srvname = $1, true)
ORDER BY s.srvname <> 'mgmt', s.srvname LIMIT 1)";

constexpr const char *kGrants = R"(
SELECT name, app, owner, status, to_char(expires_at, 'YYYY-MM-DD HH24:MI TZ'), last_error
FROM supabase_fdw.grants ORDER BY status <> 'active', refreshed_at DESC NULLS LAST, name)";

}  // namespace

Supabase::Supabase(const std::string &conninfo) : connection_(conninfo) {
  Rows const rows = connection_.Query(
      "SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
      "ON n.oid = e.extnamespace WHERE e.extname = 'supabase_fdw'");
  if (rows.size() == 0) {
    DatabaseError error("extension \"supabase_fdw\" is not in this database");
    error.hint = "CREATE EXTENSION supabase_fdw;";
    throw error;
  }
  schema_ = rows.Text(0, 0);
  // whatever the role's search_path is: the names below are PostgreSQL's, or qualified
  (void)connection_.Query("SET search_path = pg_catalog, pg_temp");
}

Overview Supabase::Look(const std::string &server) {
  Overview overview;
  Rows const here = connection_.Query(
      "SELECT current_database(), current_user, has_table_privilege('supabase_fdw.oauth_apps', 'SELECT')");
  overview.database = here.Text(0, 0);
  overview.role = here.Text(0, 1);
  if (here.IsTrue(0, 2)) {
    Rows const apps = connection_.Query("SELECT name, redirect_uri FROM supabase_fdw.oauth_apps ORDER BY name");
    overview.apps.emplace();
    for (int i = 0; i < apps.size(); i++)
      overview.apps->push_back({apps.Text(i, 0), apps.Text(i, 1)});
  }
  Rows const grants = connection_.Query(kGrants);
  for (int i = 0; i < grants.size(); i++) {
    overview.grants.push_back({grants.Text(i, 0), grants.Text(i, 1), grants.Text(i, 2), grants.Text(i, 3),
                               grants.Text(i, 4), grants.Text(i, 5)});
  }
  Rows const found = connection_.Query(kServers, {OrNull(server)});
  if (found.size() > 0) {
    overview.server = Server{found.Text(0, 0), found.Text(0, 1), found.IsTrue(0, 2),
                             found.Text(0, 3), found.Text(0, 4), found.Text(0, 5)};
  }
  return overview;
}

std::string Supabase::AuthorizeUrl(const std::string &app, const std::string &return_to,
                                   const std::string &organization) {
  return connection_
      .Query("SELECT " + schema_ + ".supabase_oauth_authorize_url($1, $2, $3)",
             {app, OrNull(return_to), OrNull(organization)})
      .Text(0, 0);
}

Exchanged Supabase::Exchange(const std::string &code, const std::string &state, const std::string &save_as) {
  Rows const rows =
      connection_.Query("SELECT grant_name, to_char(expires_at, 'YYYY-MM-DD HH24:MI TZ'), return_to FROM " + schema_ +
                            ".supabase_oauth_exchange($1, $2, $3)",
                        {code, state, OrNull(save_as)});
  return {rows.Text(0, 0), rows.Text(0, 1), rows.Text(0, 2)};
}

std::string Supabase::Format(const char *format, const std::string &first, const std::string &second) {
  return connection_.Query("SELECT format($1, $2::text, $3::text)", {format, first, second}).Text(0, 0);
}

std::vector<std::string> Supabase::MissingStatements(const Overview &overview, const std::string &grant) {
  std::vector<std::string> statements;
  Server server;
  if (overview.server) {
    server = *overview.server;
  } else {
    server.name = "mgmt";
    statements.push_back("CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw");
  }
  if (!server.mapped && !grant.empty()) {
    statements.push_back(
        Format("CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (oauth_grant %L)", server.name, grant));
  }
  if (server.organizations.empty() || server.projects.empty()) {
    statements.push_back("CREATE SCHEMA mgmt");
    statements.push_back(Format("IMPORT FOREIGN SCHEMA management FROM SERVER %I INTO mgmt", server.name));
  }
  return statements;
}

std::vector<std::string> Supabase::UseStatements(const Overview &overview, const std::string &grant) {
  // nothing for a mapping with another credential, which would be lost
  if (!overview.server || overview.server->grant.empty() || overview.server->grant == grant) return {};
  return {Format("ALTER USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (SET oauth_grant %L)", overview.server->name,
                 grant)};
}

void Supabase::Run(const std::vector<std::string> &statements) {
  // an exception ends the connection, and so the transaction
  (void)connection_.Query("BEGIN");
  for (const std::string &statement : statements)
    (void)connection_.Query(statement);
  (void)connection_.Query("COMMIT");
}

std::vector<Organization> Supabase::Reachable(const Server &server) {
  std::vector<Organization> organizations;
  Rows const slugs = connection_.Query("SELECT slug, name FROM " + server.organizations + " ORDER BY name, slug");
  for (int i = 0; i < slugs.size(); i++)
    organizations.push_back({slugs.Text(i, 0), slugs.Text(i, 1), {}});
  Rows const projects = connection_.Query("SELECT organization_slug, ref, name, region, status FROM " +
                                          server.projects + " ORDER BY name, ref");
  for (int i = 0; i < projects.size(); i++) {
    std::string const slug = projects.Text(i, 0);
    auto owner = organizations.begin();
    while (owner != organizations.end() && owner->slug != slug)
      ++owner;
    // a token may reach a project and not its organization
    if (owner == organizations.end()) owner = organizations.insert(owner, {slug, slug, {}});
    owner->projects.push_back({projects.Text(i, 1), projects.Text(i, 2), projects.Text(i, 3), projects.Text(i, 4)});
  }
  return organizations;
}

}  // namespace supabase_connect
