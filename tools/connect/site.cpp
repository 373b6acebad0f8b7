#include "site.hpp"

#include <algorithm>
#include <utility>

#include "text.hpp"

namespace supabase_connect {
namespace {

// More than a person has under way; what is older is forgotten.
constexpr size_t kRemembered = 50;
constexpr size_t kMaxBody = 8192;
constexpr int kForbidden = 403;
constexpr int kBadRequest = 400;
constexpr int kConflict = 409;
constexpr int kBadGateway = 502;
constexpr int kSeeOther = 303;

void Send(httplib::Response *response, const std::string &page, int status = 200) {
  response->status = status;
  response->set_content(page, "text/html; charset=utf-8");
}

void Refuse(httplib::Response *response, int status, const std::string &message, const std::string &hint) {
  Send(response, ShowProblem({"Refused", message, "", hint, ""}), status);
}

template <typename Value>
void Remember(std::deque<std::pair<std::string, Value>> *list, const std::string &key, Value value) {
  list->emplace_back(key, std::move(value));
  if (list->size() > kRemembered) list->pop_front();
}

}  // namespace

Site::Site(const Options &options, std::function<void(const std::string &)> announce)
    : options_(options),
      announce_(std::move(announce)),
      // cookies are of a host, not of a port: two helpers must not take each other's
      cookie_name_("supabase_connect_" + std::to_string(options.port)),
      cookie_(RandomToken()),
      csrf_(RandomToken()) {}

// --- who may use it -------------------------------------------------------------------------------------------------

// Any other name is somebody's who lets it point here.
bool Site::IsOwnHost(const std::string &host) const {
  std::string const port = ":" + std::to_string(options_.port);
  return host == "127.0.0.1" + port || host == "localhost" + port;
}

bool Site::HasCookie(const httplib::Request &request) const {
  std::string const cookies = "; " + request.get_header_value("Cookie");
  std::string const name = "; " + cookie_name_ + "=";
  size_t const at = cookies.find(name);
  if (at == std::string::npos) return false;
  size_t const from = at + name.size();
  return SameToken(cookies.substr(from, cookies.find(';', from) - from), cookie_);
}

bool Site::IsOwnForm(const httplib::Request &request) const {
  bool const own_origin = !request.has_header("Origin") ||
                          request.get_header_value("Origin") == "http://" + request.get_header_value("Host");
  return own_origin && SameToken(request.get_param_value("csrf"), csrf_);
}

// Before any address is looked at.
bool Site::Admit(const httplib::Request &request, httplib::Response &response) const {
  if (request.get_header_value_count("Host") != 1 || !IsOwnHost(request.get_header_value("Host"))) {
    Refuse(&response, kForbidden, "not a name of this site",
           "Open the address that supabase-connect printed, at 127.0.0.1 or localhost.");
    return false;
  }
  if (request.method != "GET" && request.method != "POST") {
    Refuse(&response, kBadRequest, "only GET and POST are answered", "");
    return false;
  }
  if (request.path == "/start" || request.path == "/style.css" || HasCookie(request)) return true;
  Refuse(&response, kForbidden, "this browser was not let in",
         "Open the address that supabase-connect printed last on its terminal.");
  return false;
}

httplib::Server::Handler Site::Guarded(Handler handler, bool changes) {
  return [this, handler, changes](const httplib::Request &request, httplib::Response &response) {
    if (changes && !IsOwnForm(request)) {
      return Refuse(&response, kForbidden, "this form is not of a page of this site",
                    "Go back and load the page again.");
    }
    try {
      (this->*handler)(request, response);
    } catch (const DatabaseError &error) {
      Send(&response, ShowProblem(Describe("The database says", error)), kBadGateway);
    }
  };
}

void Site::Attach(httplib::Server *server) {
  server->set_default_headers({
      {"Cache-Control", "no-store"},
      {"Content-Security-Policy",
       "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      // 'no-referrer' would have browsers send the Origin of a form as null
      {"Referrer-Policy", "same-origin"},
  });
  server->set_payload_max_length(kMaxBody);
  server->set_pre_routing_handler([this](const httplib::Request &request, httplib::Response &response) {
    return Admit(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                    : httplib::Server::HandlerResponse::Handled;
  });
  server->set_exception_handler([](const httplib::Request &, httplib::Response &response, std::exception_ptr) {
    Send(&response, ShowProblem({"Internal error", "the request could not be handled", "", "", ""}), 500);
  });
  server->set_error_handler([](const httplib::Request &, httplib::Response &response) {
    if (!response.body.empty()) return;
    Send(&response, ShowProblem({"Not here", "there is no such page", "", "", ""}), response.status);
  });
  server->Get("/style.css",
              [](const httplib::Request &, httplib::Response &response) { response.set_content(kStyle, "text/css"); });
  server->Get("/start", Guarded(&Site::Start, false));
  server->Get("/", Guarded(&Site::Home, false));
  server->Get("/callback", Guarded(&Site::TakeAnswer, false));
  server->Get("/result", Guarded(&Site::Result, false));
  server->Get("/projects", Guarded(&Site::Projects, false));
  server->Post("/connect", Guarded(&Site::Connect, true));
  server->Post("/setup", Guarded(&Site::SetUp, true));
  server->Post("/use", Guarded(&Site::Use, true));
}

// --- keys, states, outcomes -----------------------------------------------------------------------------------------

std::string Site::NewKey(const std::string &destination) {
  std::string key = RandomToken();
  const std::lock_guard<std::mutex> lock(mutex_);
  keys_[key] = destination;
  return key;
}

std::string Site::NewAddress(const std::string &host) {
  std::string const key = NewKey("/");
  const std::lock_guard<std::mutex> lock(mutex_);
  announced_ = key;
  return "http://" + host + ":" + std::to_string(options_.port) + "/start?key=" + key;
}

std::optional<std::string> Site::TakeKey(const std::string &key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto const found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  std::string destination = found->second;
  keys_.erase(found);
  return destination;
}

std::optional<std::string> Site::TakeFlow(const std::string &state) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto const found =
      std::find_if(flows_.begin(), flows_.end(), [&](const auto &flow) { return SameToken(state, flow.first); });
  if (found == flows_.end()) return std::nullopt;
  std::string save_as = found->second;
  flows_.erase(found);
  return save_as;
}

std::string Site::Keep(Outcome outcome) {
  std::string id = RandomToken();
  const std::lock_guard<std::mutex> lock(mutex_);
  Remember(&outcomes_, id, std::move(outcome));
  return id;
}

// --- addresses ------------------------------------------------------------------------------------------------------

void Site::Start(const httplib::Request &request, httplib::Response &response) {
  std::string const key = request.get_param_value("key");
  std::optional<std::string> const destination = TakeKey(key);
  if (!destination) {
    return Refuse(&response, kForbidden, "this address was used already, or is of an earlier run",
                  "Open the address that supabase-connect printed last on its terminal.");
  }
  bool printed = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    printed = key == announced_;
  }
  if (printed) {
    std::string const host = request.get_header_value("Host");
    announce_(NewAddress(host.substr(0, host.find(':'))));
  }
  response.set_header("Set-Cookie", cookie_name_ + "=" + cookie_ + "; Path=/; HttpOnly; SameSite=Lax");
  response.set_redirect(*destination, kSeeOther);
}

void Site::Home(const httplib::Request &request, httplib::Response &response) {
  Send(&response, ShowHome({Supabase(options_.conninfo).Look(options_.server), options_.app,
                            Callback(request.get_header_value("Host")), csrf_}));
}

std::string Site::Callback(const std::string &host) const {
  return "http://" + host + "/callback";
}

void Site::Connect(const httplib::Request &request, httplib::Response &response) {
  std::string const url =
      Supabase(options_.conninfo)
          .AuthorizeUrl(request.get_param_value("app"), options_.return_to, request.get_param_value("organization"));
  std::string const redirect_uri = Parameter(url, "redirect_uri");
  std::optional<Address> const back = ParseAddress(redirect_uri);
  std::string const here = Callback(request.get_header_value("Host"));
  if (!back || !IsOwnHost(back->host) || redirect_uri != Callback(back->host)) {
    Problem problem{"The answer would go elsewhere", "the redirect address of the OAuth app is " + redirect_uri,
                    "This helper takes answers at " + here + ".", "", ""};
    bool const port_only = back && back->scheme == "http" && back->path == "/callback" && back->port != options_.port;
    problem.hint = port_only ? "Start it with --port " + std::to_string(back->port) + "."
                             : "Register this one with supabase_oauth_create_app; the app has to have it, too.";
    return Send(&response, ShowProblem(problem), kConflict);
  }
  std::string const state = Parameter(url, "state");
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Remember(&flows_, state, request.get_param_value("grant"));
  }
  // The answer has to find the cookie, which is of one name of this machine.
  bool const same_name = back->host == request.get_header_value("Host");
  Send(&response, ShowContinue(same_name ? url : "http://" + back->host + "/start?key=" + NewKey(url)));
}

// Always ends in a redirect when the state is known, so that no code stays in the browser's address bar.
void Site::TakeAnswer(const httplib::Request &request, httplib::Response &response) {
  std::optional<std::string> const save_as = TakeFlow(request.get_param_value("state"));
  if (!save_as) {
    return Refuse(&response, kForbidden, "no authorization with this state was begun here",
                  "Begin again with the button Connect Supabase.");
  }
  std::string return_to;
  Outcome outcome = Exchange(request, *save_as, &return_to);
  bool const done = !outcome.problem;
  std::string const id = Keep(std::move(outcome));
  response.set_redirect(done && !return_to.empty() ? return_to : "/result?id=" + id, kSeeOther);
}

Site::Outcome Site::Exchange(const httplib::Request &request, const std::string &save_as, std::string *return_to) {
  if (request.has_param("error") || !request.has_param("code")) {
    return {"", "",
            Problem{"Not connected", "the authorization was refused: " + request.get_param_value("error"),
                    request.get_param_value("error_description"), "", ""}};
  }
  try {
    Exchanged const exchanged =
        Supabase(options_.conninfo)
            .Exchange(request.get_param_value("code"), request.get_param_value("state"), save_as);
    *return_to = exchanged.return_to;
    return {exchanged.grant, exchanged.expires_at, std::nullopt};
  } catch (const DatabaseError &error) {
    return {"", "", Describe("Not connected", error)};
  }
}

void Site::Result(const httplib::Request &request, httplib::Response &response) {
  std::string const id = request.get_param_value("id");
  Outcome outcome;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto const found =
        std::find_if(outcomes_.begin(), outcomes_.end(), [&](const auto &known) { return known.first == id; });
    if (found == outcomes_.end()) return response.set_redirect("/", kSeeOther);
    outcome = found->second;
  }
  if (outcome.problem) return Send(&response, ShowProblem(*outcome.problem), kBadRequest);
  Send(&response, ShowReach(Look(outcome.grant), outcome.grant, outcome.expires_at, csrf_));
}

void Site::Projects(const httplib::Request &request, httplib::Response &response) {
  Send(&response, ShowReach(Look(request.get_param_value("grant")), "", "", csrf_));
}

// grant: empty for the one that was refreshed last.
Reach Site::Look(const std::string &grant) const {
  Supabase supabase(options_.conninfo);
  Reach reach;
  reach.overview = supabase.Look(options_.server);
  reach.grant = grant;
  if (grant.empty() && !reach.overview.grants.empty()) reach.grant = reach.overview.grants.front().name;
  reach.missing = supabase.MissingStatements(reach.overview, reach.grant);
  if (!grant.empty()) reach.use = supabase.UseStatements(reach.overview, grant);
  if (!reach.overview.server || !reach.overview.server->complete()) return reach;
  try {
    reach.organizations = supabase.Reachable(*reach.overview.server);
  } catch (const DatabaseError &error) {
    reach.problem = Describe("Organizations and projects cannot be read", error);
  }
  return reach;
}

void Site::SetUp(const httplib::Request &request, httplib::Response &response) {
  std::string const grant = request.get_param_value("grant");
  Supabase supabase(options_.conninfo);
  supabase.Run(supabase.MissingStatements(supabase.Look(options_.server), grant));
  response.set_redirect("/projects?grant=" + Encode(grant), kSeeOther);
}

void Site::Use(const httplib::Request &request, httplib::Response &response) {
  std::string const grant = request.get_param_value("grant");
  Supabase supabase(options_.conninfo);
  supabase.Run(supabase.UseStatements(supabase.Look(options_.server), grant));
  response.set_redirect("/projects?grant=" + Encode(grant), kSeeOther);
}

}  // namespace supabase_connect
