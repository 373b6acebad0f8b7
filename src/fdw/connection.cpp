#include "fdw/connection.hpp"

#include <cstring>
#include <map>
#include <string>

#include "core/http.hpp"
#include "core/pager.hpp"
#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/settings.hpp"

namespace supabase::pg {
namespace {

// Process-wide and never freed: a module is never unloaded, and at exit the sockets go with the process.
Session *session = nullptr;
std::map<std::string, RowCap> *row_caps = nullptr;
std::map<std::string, Aggregates> *aggregates_seen = nullptr;

}  // namespace

Session *GetSession() {
  const char *ca_file = setting_ca_file;
  const char *proxy = setting_proxy;
  Guard([&] {
    if (session == nullptr) session = new Session();
    HttpSettings &settings = session->settings();
    settings.ca_file = ca_file;
    settings.proxy = proxy;
    settings.user_agent = "supabase_fdw/1.0";
  });
  return session;
}

void ForgetRenewed() {
  if (session != nullptr) session->ForgetRenewed();
}

RowCap *GetRowCap(const Server *server) {
  return Guard([&] {
    if (row_caps == nullptr) row_caps = new std::map<std::string, RowCap>();
    return &(*row_caps)[server->rest_url];
  });
}

Aggregates ServerAggregates(const Server *server) {
  if (server->aggregates != Aggregates::kUnknown) return server->aggregates;
  return Guard([&] {
    if (aggregates_seen == nullptr) return Aggregates::kUnknown;
    auto const found = aggregates_seen->find(server->rest_url);
    return found == aggregates_seen->end() ? Aggregates::kUnknown : found->second;
  });
}

void RememberAggregates(const Server *server, Aggregates seen) {
  Guard([&] {
    if (aggregates_seen == nullptr) aggregates_seen = new std::map<std::string, Aggregates>();
    (*aggregates_seen)[server->rest_url] = seen;
  });
}

// What the setting says of a server's host now.
static const HostAccess *Access(const Server *server) {
  const char *list = setting_allowed_hosts;
  HostAccess *access = server->access;
  if (access->setting != nullptr && strcmp(access->setting, list) == 0) return access;
  if (access->setting != nullptr) pfree(const_cast<char *>(access->setting));
  access->setting = nullptr;
  access->covered = Guard([&] { return HostMatches(server->host, list); });
  access->listed = Guard([&] { return HostListedLiterally(server->host, list); });
  access->setting = MemoryContextStrdup(GetMemoryChunkContext(access), list);
  return access;
}

bool AllowPrivate(const Server *server) {
  return server->superuser_owned || Access(server)->listed;
}

void TraceAnswer(const AnswerTrace &answer) {
  if (!setting_trace) return;
  ereport(LOG, (errmsg("supabase_fdw: %s: status %d, %llu bytes, %.1f ms", answer.label.c_str(), answer.status,
                       static_cast<unsigned long long>(answer.bytes), static_cast<double>(answer.elapsed_us) / 1000.0),
                errhidestmt(true), errhidecontext(true)));
}

void CheckHostAllowed(const Server *server) {
  if (Access(server)->covered) return;
  const char *url = server->management ? server->management_url : server->rest_url;
  bool const loopback = Guard([&] { return ParseBaseUrl("url", url).IsLoopback(); });
  if (loopback && server->superuser_owned) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("host \"%s\" of server \"%s\" is not allowed", server->host, server->name),
                  errdetail("Nothing was sent."),
                  errhint("A superuser can add it to the setting supabase_fdw.allowed_hosts.")));
}

// What does not depend on which API is asked.
void FillLimits(Request *request, const Server *server, bool allow_private) {
  request->headers.clear();
  request->headers.emplace_back("Accept", "application/json");
  request->connect_timeout_ms = static_cast<int64_t>(server->connect_timeout * 1000);
  request->total_timeout_ms = static_cast<int64_t>(server->request_timeout * 1000);
  request->max_retries = server->max_retries;
  request->max_response_bytes = static_cast<uint64_t>(server->max_response_size);
  request->allow_private_address = allow_private;
  // Whether the option could hold an http address was decided when it was set.
  request->allow_http = true;
}

void FillRequest(Request *request, const Server *server, const char *schema, bool allow_private) {
  FillLimits(request, server, allow_private);
  request->method = "GET";
  request->url = server->rest_url;
  request->label = std::string("GET ") + server->rest_path;
  request->headers.emplace_back("Accept-Profile", schema);
}

void FillAuthRequest(Request *request, const Server *server, const Secret &api_key, bool allow_private) {
  FillLimits(request, server, allow_private);
  request->url = server->auth_url;
  request->label = server->auth_path;
  if (!api_key.empty()) request->secret_headers.emplace_back("apikey", api_key);
}

}  // namespace supabase::pg
