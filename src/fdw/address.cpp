// Where a server is, by its options.

#include <cstring>

#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/option.hpp"

namespace supabase::pg {
namespace {

// Where a server of TYPE 'management' is without an option.
constexpr char kManagementUrl[] = "https://api.supabase.com";

// The URL that the options give, or NULL.
const char *AddressOption(List *options) {
  const char *ref = FindOption(options, "project_ref");
  if (ref != nullptr) return psprintf("https://%s.supabase.co", ref);
  const char *url = FindOption(options, "url");
  return url != nullptr ? url : FindOption(options, "rest_url");
}

}  // namespace

void SetAddress(Server *server, List *options) {
  const char *ref = FindOption(options, "project_ref");
  const char *rest_url = FindOption(options, "rest_url");
  const char *text = AddressOption(options);
  if (text == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND), errmsg("server \"%s\" has no address", server->name),
                    errhint("Set one of the options project_ref, url and rest_url.")));
  }
  const char *suffix = rest_url != nullptr ? "" : "/rest/v1";
  // One size for all texts: each is a part of the address, which is at most a few characters longer than
  // `text`.
  size_t const size = strlen(text) + strlen(suffix) + 32;
  auto *rest = static_cast<char *>(palloc0(size));
  auto *path = static_cast<char *>(palloc0(size));
  auto *host = static_cast<char *>(palloc0(size));
  auto *auth = static_cast<char *>(palloc0(size));
  auto *auth_path = static_cast<char *>(palloc0(size));
  Guard([&] {
    BaseUrl const base = ParseBaseUrl("url", text);
    (base.Text() + "/auth/v1").copy(auth, size - 1);
    (base.path + "/auth/v1").copy(auth_path, size - 1);
    (base.Text() + suffix).copy(rest, size - 1);
    (base.path + suffix).copy(path, size - 1);
    base.host.copy(host, size - 1);
  });
  server->rest_url = rest;
  server->rest_path = path;
  server->auth_url = rest_url != nullptr ? nullptr : auth;
  server->auth_path = auth_path;
  server->host = host;
  server->project_ref = ref;
  const char *dot = strchr(host, '.');
  if (ref == nullptr && dot != nullptr &&
      Guard([&] { return HostMatches(host, "*.supabase.co, *.supabase.in, *.supabase.red"); })) {
    server->project_ref = pnstrdup(host, static_cast<Size>(dot - host));
  }
}

// The Management API has one address; another one is a copy of it for tests, or a proxy before it.
void SetManagementAddress(Server *server, List *options) {
  const char *text = FindOption(options, "url");
  if (text == nullptr) text = kManagementUrl;
  size_t const size = strlen(text) + 32;
  auto *url = static_cast<char *>(palloc0(size));
  auto *host = static_cast<char *>(palloc0(size));
  Guard([&] {
    BaseUrl const base = ParseBaseUrl("url", text);
    base.Text().copy(url, size - 1);
    base.host.copy(host, size - 1);
  });
  server->management_url = url;
  server->host = host;
}

const char *ServerAddress(const char *type, List *options) {
  const char *text = AddressOption(options);
  if (text == nullptr && type != nullptr && strcmp(type, "management") == 0) text = kManagementUrl;
  if (text == nullptr) return "";
  const char *suffix = FindOption(options, "rest_url") != nullptr ? "" : "/rest/v1";
  size_t const size = strlen(text) + strlen(suffix) + 32;
  auto *address = static_cast<char *>(palloc0(size));
  Guard([&] { (ParseBaseUrl("url", text).Text() + suffix).copy(address, size - 1); });
  return address;
}

}  // namespace supabase::pg
