#pragma once

#include "fdw/option.hpp"

namespace supabase {
struct Request;
}

namespace supabase::pg {

struct Credential;

// Requests to the Management API: where they go, and as whom.

// Fills address, timeouts, limits and the Accept header; the caller appends the path to `url` and sets method and
// label. Makes no PostgreSQL call: for use in Guard. `allow_private` is AllowPrivate(server).
void FillManagementRequest(Request *request, const Server *server, bool allow_private);

// The credential in the role's user mapping: an access token, or an OAuth grant that is refreshed when it is due. Only
// Authorization is sent. Raises 28000 when there is none, 42501 when it is for another address. AddCredential
// (auth.hpp) adds it.
void ResolveManagementCredential(const Server *server, Oid role, Credential *credential);

}  // namespace supabase::pg
