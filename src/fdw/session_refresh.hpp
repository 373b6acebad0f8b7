#pragma once

#include "fdw/option.hpp"

namespace supabase {
class IdentityStore;
struct Identity;
}  // namespace supabase

namespace supabase::pg {

// Refreshes the token of a session's user who signed in, when it is due. Nothing of it is stored: the session's memory
// has the only copy, and the end of the session is the end of it. When it cannot be refreshed, the token is used as
// long as it lives; a refresh token that is not valid any more is 28000 then.
void RefreshSession(IdentityStore *store, const Identity *identity, const Server *server);

}  // namespace supabase::pg
