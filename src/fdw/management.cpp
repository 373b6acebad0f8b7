#include "fdw/management.hpp"

#include "core/message.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential.hpp"
#include "fdw/mapping.hpp"

namespace supabase::pg {

void FillManagementRequest(Request *request, const Server *server, bool allow_private) {
  FillLimits(request, server, allow_private);
  request->url = server->management_url;
  request->label.clear();
}

void ResolveManagementCredential(const Server *server, Oid role, Credential *credential) {
  RequireManagement(server);
  Mapping const mapping = GetMapping(server, role);
  const char *grant = FindOption(mapping.options, "oauth_grant");
  if (grant != nullptr) {
    UseGrant(server, role, grant, credential);
    return;
  }
  auto *token = Own<Secret>(CurrentMemoryContext);
  if (!ReadAccessToken(server, mapping, token)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("the user mapping for server \"%s\" has no credential", server->name),
                    errdetail("Nothing was sent."),
                    errhint("Give it one of the options access_token, access_token_id, access_token_name and "
                            "oauth_grant.")));
  }
  Guard([&] { credential->authorization = Secret::Join("Bearer ", token->Reveal()); });
}

}  // namespace supabase::pg
