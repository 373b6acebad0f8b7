#include "pages.hpp"

#include "text.hpp"

namespace supabase_connect {

const char *const kStyle = R"(:root{color-scheme:light}
body{font:16px/1.5 system-ui,"DejaVu Sans",sans-serif;background:#f3f6f5;color:#1b2421;margin:0}
main{max-width:46rem;margin:2.5rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:0 0 .7rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
.card{background:#fff;border:1px solid #dce4e0;border-radius:12px;padding:1.2rem 1.4rem;margin:1rem 0;box-shadow:0 1px 6px #0000000d}
.small{color:#5a6863;font-size:.87rem}p{margin:.4rem 0}
code,pre{font:.87rem/1.5 ui-monospace,"DejaVu Sans Mono",monospace;background:#edf2f0;border-radius:5px}
code{padding:.08rem .3rem}pre{padding:.7rem .9rem;white-space:pre-wrap;overflow-wrap:anywhere}
label{display:block;font-weight:600;margin:.8rem 0 .25rem}
input,select{width:100%;box-sizing:border-box;font:inherit;padding:.45rem .6rem;border:1px solid #b9c6c0;border-radius:8px;background:#fff}
button{font:inherit;font-weight:600;padding:.5rem 1.1rem;border:1px solid #b9c6c0;border-radius:8px;background:#fff;cursor:pointer}
button.go{background:#1b7f53;border-color:#1b7f53;color:#fff;margin-top:1rem}button.go:hover{background:#166b46}
table{width:100%;border-collapse:collapse}th{text-align:left;font-size:.82rem;color:#5a6863;font-weight:600}
th,td{padding:.4rem .6rem .4rem 0;border-top:1px solid #e7edea;vertical-align:top}tr:first-child th{border-top:0}
td form{margin:0}td button{padding:.2rem .7rem;font-size:.87rem}
.badge{display:inline-block;border-radius:99px;padding:.05rem .6rem;font-size:.82rem;font-weight:600;background:#e9ecef;color:#47514d}
.good{background:#d9f2e5;color:#11603d}.bad{background:#fbe1df;color:#8c1d18}
.problem{border-color:#e8b4b0;background:#fff8f7}.done{border-color:#a9d8c0;background:#f5fcf8}
)";

namespace {

std::string Page(const std::string &title, const std::string &body, const std::string &head = "") {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\">" +
         head + "<title>" + Escape(title) +
         "</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body><main>\n" + body +
         "</main></body></html>\n";
}

std::string Card(const std::string &heading, const std::string &content, const std::string &kind = "") {
  return "<section class=\"card " + kind + "\"><h2>" + Escape(heading) + "</h2>\n" + content + "</section>\n";
}

std::string Code(const std::string &text) {
  return "<code>" + Escape(text) + "</code>";
}

std::string Hidden(const std::string &name, const std::string &value) {
  return "<input type=\"hidden\" name=\"" + name + "\" value=\"" + Escape(value) + "\">";
}

std::string Form(const std::string &action, const std::string &csrf, const std::string &content) {
  return "<form method=\"post\" action=\"" + action + "\">" + Hidden("csrf", csrf) + content + "</form>\n";
}

std::string Badge(const std::string &status) {
  bool const good = status == "active" || status == "ACTIVE_HEALTHY";
  bool const bad = status == "needs_reauthorization" || status == "revoked" || status == "INIT_FAILED";
  return "<span class=\"badge " + std::string(good ? "good" : bad ? "bad" : "") + "\">" + Escape(status) + "</span>";
}

std::string Where(const Overview &overview) {
  std::string const server =
      overview.server ? Escape(overview.server->name) + " (" + Escape(overview.server->url) + ")" : "none yet";
  return "<p class=\"small\">Database <b id=\"database\">" + Escape(overview.database) + "</b> · role <b id=\"role\">" +
         Escape(overview.role) + "</b> · server " + server + "</p>\n";
}

std::string Statements(const std::vector<std::string> &statements) {
  std::string text;
  for (const std::string &statement : statements)
    text += statement + ";\n";
  return "<pre>" + Escape(text) + "</pre>";
}

std::string ProblemCard(const Problem &problem) {
  std::string content = "<p id=\"message\">" + Escape(problem.message);
  if (!problem.sqlstate.empty()) content += " <span class=\"badge bad\">" + Escape(problem.sqlstate) + "</span>";
  content += "</p>\n";
  if (!problem.detail.empty()) content += "<p id=\"detail\">" + Escape(problem.detail) + "</p>\n";
  if (!problem.hint.empty()) content += "<p id=\"hint\"><b>Hint:</b> " + Escape(problem.hint) + "</p>\n";
  return Card(problem.heading, content, "problem");
}

std::string AppField(const HomePage &page) {
  const auto &apps = page.overview.apps;
  if (!page.app.empty()) return "<p>OAuth app <b>" + Escape(page.app) + "</b></p>" + Hidden("app", page.app);
  std::string const label = "<label for=\"app\">OAuth app</label>";
  if (!apps) return label + "<input id=\"app\" name=\"app\" required autocomplete=\"off\">";
  std::string options;
  for (const App &app : *apps)
    options += "<option>" + Escape(app.name) + "</option>";
  return label + "<select id=\"app\" name=\"app\">" + options + "</select>";
}

std::string ConnectCard(const HomePage &page) {
  if (page.app.empty() && page.overview.apps && page.overview.apps->empty()) {
    std::string statement =
        page.overview.server ? "" : "CREATE SERVER mgmt TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw;\n";
    statement += "SELECT supabase_oauth_create_app('NAME', 'CLIENT ID', 'CLIENT SECRET', '" + page.callback + "');";
    return Card("No OAuth app yet",
                "<p>Create one in the organization's settings, OAuth Apps, with the redirect address " +
                    Code(page.callback) + ", and register it:</p><pre>" + Escape(statement) + "</pre>");
  }
  return Card("Grant this database access to an organization",
              Form("/connect", page.csrf,
                   AppField(page) +
                       "<label for=\"organization\">Organization (its slug; may be left empty)</label>"
                       "<input id=\"organization\" name=\"organization\" autocomplete=\"off\" spellcheck=\"false\">"
                       "<button class=\"go\" id=\"connect\">Connect Supabase</button>"));
}

std::string GrantRow(const Grant &grant, const std::string &csrf) {
  std::string const why = grant.last_error.empty() ? "" : "<div class=\"small\">" + Escape(grant.last_error) + "</div>";
  return "<tr><td><b>" + Escape(grant.name) + "</b></td><td>" + Escape(grant.app) + "</td><td>" + Escape(grant.owner) +
         "</td><td>" + Badge(grant.status) + why + "</td><td>" + Escape(grant.expires_at) + "</td><td>" +
         Form("/connect", csrf,
              Hidden("app", grant.app) + Hidden("grant", grant.name) +
                  "<button class=\"reconnect\">Reconnect</button>") +
         "</td></tr>\n";
}

std::string GrantsCard(const HomePage &page) {
  if (page.overview.grants.empty()) return "";
  std::string rows;
  for (const Grant &grant : page.overview.grants)
    rows += GrantRow(grant, page.csrf);
  return Card("Grants",
              "<table id=\"grants\"><tr><th>Grant</th><th>App</th><th>Owner</th><th>Status</th><th>Token until</th>"
              "<th></th></tr>\n" +
                  rows + "</table><p><a href=\"/projects\" id=\"projects-link\">Organizations and projects</a></p>\n");
}

std::string OrganizationTable(const Organization &organization) {
  std::string text = "<h3 class=\"organization\">" + Escape(organization.name) + " <span class=\"small\">" +
                     Escape(organization.slug) + "</span></h3>\n";
  if (organization.projects.empty()) return text + "<p class=\"small\">No projects.</p>\n";
  text += "<table><tr><th>Project</th><th>Reference</th><th>Region</th><th>Status</th></tr>\n";
  for (const Project &project : organization.projects) {
    text += "<tr><td class=\"project\"><b>" + Escape(project.name) + "</b></td><td>" + Code(project.ref) + "</td><td>" +
            Escape(project.region) + "</td><td>" + Badge(project.status) + "</td></tr>\n";
  }
  return text + "</table>\n";
}

std::string SetUpCard(const Reach &reach, const std::string &csrf) {
  if (!reach.missing.empty()) {
    return Card("Foreign tables",
                "<p>To read organizations and projects by SQL, this is missing:</p>" + Statements(reach.missing) +
                    Form("/setup", csrf,
                         Hidden("grant", reach.grant) + "<button class=\"go\" id=\"setup\">Create them</button>"));
  }
  if (reach.use.empty()) return "";
  return Card("User mapping",
              "<p>The user mapping has the grant <b>" + Escape(reach.overview.server->grant) +
                  "</b>: that is what the tables show.</p>" + Statements(reach.use) +
                  Form("/use", csrf,
                       Hidden("grant", reach.grant) + "<button id=\"use\">Use " + Escape(reach.grant) + "</button>"));
}

std::string OrganizationsCard(const Reach &reach) {
  if (!reach.organizations) return "";
  std::string content;
  for (const Organization &organization : *reach.organizations)
    content += OrganizationTable(organization);
  if (content.empty()) content = "<p>None.</p>\n";
  const Server &server = *reach.overview.server;
  content += "<p class=\"small\">From " + Code(server.organizations) + " and " + Code(server.projects) + ", as role " +
             Code(reach.overview.role) + (server.grant.empty() ? "" : " with grant " + Code(server.grant)) + ".</p>\n";
  return Card("Organizations and projects", content);
}

}  // namespace

Problem Describe(const std::string &heading, const DatabaseError &error) {
  return {heading, error.what(), error.detail, error.hint, error.sqlstate};
}

std::string ShowHome(const HomePage &page) {
  return Page("Connect Supabase",
              "<h1>Connect Supabase</h1>\n" + Where(page.overview) + ConnectCard(page) + GrantsCard(page));
}

std::string ShowReach(const Reach &reach, const std::string &stored, const std::string &expires_at,
                      const std::string &csrf) {
  std::string body = "<h1>Connect Supabase</h1>\n" + Where(reach.overview);
  if (!stored.empty()) {
    body += Card("Connected",
                 "<p>The grant is stored as <b id=\"grant\">" + Escape(stored) + "</b>. Its token is valid until " +
                     Escape(expires_at) + " and is refreshed before.</p>\n",
                 "done");
  }
  body += SetUpCard(reach, csrf) + OrganizationsCard(reach);
  if (reach.problem) body += ProblemCard(*reach.problem);
  return Page("Connect Supabase", body + "<p><a href=\"/\">Back</a></p>\n");
}

std::string ShowProblem(const Problem &problem) {
  return Page(problem.heading,
              "<h1>Connect Supabase</h1>\n" + ProblemCard(problem) + "<p><a href=\"/\">Back</a></p>\n");
}

std::string ShowContinue(const std::string &url) {
  std::string const address = Escape(url);
  return Page("Connect Supabase",
              "<h1>Connect Supabase</h1>\n" +
                  Card("To Supabase", "<p><a id=\"continue\" href=\"" + address + "\">Continue</a></p>\n"),
              "<meta http-equiv=\"refresh\" content=\"0; url=" + address + "\">");
}

}  // namespace supabase_connect
