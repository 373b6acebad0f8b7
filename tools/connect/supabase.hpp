// What supabase_fdw in the database is asked. Each object is a connection of its own, as an authorization has to begin
// and end in different transactions anyway.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "database.hpp"

namespace supabase_connect {

struct App {
  std::string name, redirect_uri;
};

struct Grant {
  std::string name, app, owner, status, expires_at, last_error;
};

// A server of TYPE 'management', as the role has it.
struct Server {
  std::string name, url;
  bool mapped = false;                  // the role has a user mapping of its own
  std::string grant;                    // its oauth_grant
  std::string organizations, projects;  // foreign tables, quoted; empty when there are none
  bool complete() const { return mapped && !organizations.empty() && !projects.empty(); }
};

struct Overview {
  std::string database, role;
  // Apps are in a table that few may read; nothing for the others, who know the name.
  std::optional<std::vector<App>> apps;
  std::vector<Grant> grants;
  std::optional<Server> server;
};

struct Exchanged {
  std::string grant, expires_at, return_to;
};

struct Project {
  std::string ref, name, region, status;
};

struct Organization {
  std::string slug, name;
  std::vector<Project> projects;
};

class Supabase {
 public:
  // Throws DatabaseError, also when the extension is not there.
  explicit Supabase(const std::string &conninfo);

  // server: the name of one; empty for the one named mgmt, else the first.
  Overview Look(const std::string &server);

  std::string AuthorizeUrl(const std::string &app, const std::string &return_to, const std::string &organization);
  Exchanged Exchange(const std::string &code, const std::string &state, const std::string &save_as);

  // The statements that are missing before the role can read its projects through this grant (empty: any); nothing when
  // all is there.
  std::vector<std::string> MissingStatements(const Overview &overview, const std::string &grant);
  // Those that have the role's user mapping use another grant.
  std::vector<std::string> UseStatements(const Overview &overview, const std::string &grant);
  // All of them or, when one fails, none.
  void Run(const std::vector<std::string> &statements);

  // By the foreign tables of a server that is complete.
  std::vector<Organization> Reachable(const Server &server);

 private:
  std::string Format(const char *format, const std::string &first, const std::string &second = "");

  Connection connection_;
  std::string schema_;  // of the extension, quoted
};

}  // namespace supabase_connect
