#pragma once

#include <cstdint>
#include <string>

#include "core/secret.hpp"
#include "fdw/option.hpp"

namespace supabase {
struct Claims;
struct Request;
}  // namespace supabase

namespace supabase::pg {

// Who a remote request is for. The order: the transaction's token, the session's, the local request's (option
// forward_request_jwt), the user mapping's login or jwt, the mapping's api_key alone. What is found first is used or
// refused; an expired or foreign token never falls through to the next step.

// What a request carries. A C++ object: keep it in one made by Own.
struct Credential {
  Secret api_key;
  Secret authorization;    // "Bearer …", or empty
  int64_t expires_at = 0;  // Unix seconds, 0: not known, never, or a stored login's, which is refreshed
  std::string renewal_id;  // names the stored login that the authorization comes from, or empty
  int64_t renewal_generation = 0;
};

// Whether an end user's token may be used, must be, or must not: importing a schema takes the mapping's own credential.
enum class Actor { kUser, kRequiredUser, kMapping };

// Finds the credential of `user_id` at `server`. Raises 28000 when there is none or it must not be used. Sends nothing.
void ResolveCredential(const Server *server, Oid user_id, Actor actor, Credential *credential);
// Adds it to a request; makes no PostgreSQL call.
void AddCredential(const Credential &credential, Request *request);

// A text that is the same for two requests only if both are for the same user, as far as the session knows; NULL when a
// header of the local request may decide. Stands for no secret, but is not for showing.
const char *IdentityKey(const Server *server, Oid user_id);

// Defines the two handle settings. Called once by _PG_init.
void DefineAuthSettings();

// A user as supabase_identity shows it: palloc'd text or NULL, database encoding.
struct IdentityRow {
  const char *server;  // NULL: every server
  const char *user_id;
  const char *role;
  const char *email;
  int64_t expires_at;  // Unix seconds, 0: never
  const char *scope;   // "session" or "transaction"
};

// How a token that was got by signing in is kept fresh; both NULL for one that was given.
struct KeptFresh {
  const Secret *refresh;  // by this refresh token
  const char *login;      // as this stored login
};

// Makes `token` (NULL: nobody) the user at `server` (NULL: at every server), for the transaction or the session.
// Raises 22023 for what is no JWT, 28000 for an expired one. No message repeats any of it.
IdentityRow SetIdentity(const char *token, const Server *server, bool is_local, KeptFresh fresh = {});
// Raises 0A000 when supabase_fdw.require_local_auth forbids a token for the session.
void CheckSessionAuthAllowed();
// The token of the session's or transaction's user at a server; false when there is none, or when it is the general
// one, which another server may be using.
bool SessionToken(const Server *server, Secret *token);
// Clears one server's identity, or all of them when `server` is NULL, in both scopes.
void ClearIdentity(const Server *server);
// A List of IdentityRow pointers, the transaction's first.
List *ListIdentities();
// The token in a header of the local PostgREST request, palloc'd, or NULL. The caller wipes it.
char *RequestToken(const char *header);

}  // namespace supabase::pg
