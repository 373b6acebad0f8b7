#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jwt.hpp"
#include "secret.hpp"

namespace supabase {

// The users that a session acts as. A state is a set of identities, at most one for each server and one for all; it is
// named by a random handle, and only that handle lies in a PostgreSQL setting. So PostgreSQL's own stack of settings
// gives rollback, savepoints, SET LOCAL, RESET and DISCARD, while no SQL can read a token: it is only here.

struct Identity {
  Secret token;  // empty: explicitly nobody (hides an identity of wider scope)
  Claims claims;
  unsigned server_id = 0;  // 0: every server
  std::string bound_url;   // address of that server when the token was set
  unsigned setter = 0;     // role that set it
  // How the token is kept fresh, for a user who signed in: by this refresh token, or as this stored login.
  Secret refresh;
  std::string login;
  int64_t refresh_after = 0;  // Unix microseconds; after a refresh that failed
};

class IdentityState {
 public:
  const Identity *Find(unsigned server_id) const noexcept;
  const std::vector<Identity> &all() const noexcept { return identities_; }

 private:
  friend class IdentityStore;
  std::vector<Identity> identities_;
};

class IdentityStore {
 public:
  static constexpr size_t kHandleBytes = 16;  // 128 random bits

  // A new state: the one that `handle` names ("" for none) with `identity` in place of the one for the same server.
  // Returns its handle, made from `random` (kHandleBytes). The pointer lives until Keep forgets the state.
  const char *With(std::string_view handle, const unsigned char *random, Identity identity);
  // The same without the identity for that server; "" when nothing is left.
  const char *Without(std::string_view handle, const unsigned char *random, unsigned server_id);

  // Puts a refreshed token in the place of `token` in every state: whatever a rollback brings back is fresh too.
  void Replace(const Secret &token, const Secret &access, const Secret &refresh, const Claims &claims);
  // Has the identity with this token wait until then for its next refresh, in every state; others do not wait with it.
  void Defer(const Secret &token, int64_t refresh_after);

  // Null for a handle that names no state.
  const IdentityState *Find(std::string_view handle) const noexcept;
  // Forgets (and wipes) every state but those two.
  void Keep(std::string_view first, std::string_view second) noexcept;
  size_t size() const noexcept { return states_.size(); }

 private:
  const char *Add(const unsigned char *random, IdentityState state);
  std::map<std::string, IdentityState, std::less<>> states_;
};

// Whether a token with these claims belongs to the project at `host` (`ref` is its project reference, or empty): "iss"
// is a URL of that host, or the older "ref" claim is that reference. kUnnamed: the token names no project at all.
enum class Belongs { kYes, kNo, kUnnamed };
Belongs TokenBelongs(const Claims &claims, std::string_view host, std::string_view ref);

// A request header's value out of the JSON object that PostgREST keeps in the setting request.headers (names in lower
// case); nullopt when the text is empty or has no such header or an empty one. Throws Error 22023 when it is no such
// object.
std::optional<Secret> RequestHeader(std::string_view json, std::string_view name);

}  // namespace supabase
