#include "fdw/session_refresh.hpp"

#include <cstring>

#include "core/http.hpp"
#include "core/identity.hpp"
#include "core/refresh.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential_store.hpp"
#include "fdw/mapping.hpp"

namespace supabase::pg {
namespace {

// After a failure the next attempt waits, so that a statement that reads a hundred times does not ask a hundred times.
constexpr int64_t kPause = 5'000'000;
// Seconds, of a token that does not say when it was issued: Auth's default.
constexpr int64_t kUsualLifetime = 3600;

bool IsDueNow(const Identity *identity, int64_t now) {
  int64_t const expires = identity->claims.exp.value_or(0) * 1'000'000;
  if (expires == 0) return false;
  int64_t const issued = identity->claims.iat.value_or(*identity->claims.exp - kUsualLifetime) * 1'000'000;
  return IsDue({CredentialStatus::kActive, expires, issued, 0}, now, 0);
}

struct Exchange {
  Secret api_key;
  Request request;
  RefreshAttempt attempt;
};

[[noreturn]] void RefuseExpired(const Server *server, const Exchange *exchange) {
  ereport(ERROR,
          (errcode(exchange->attempt.outcome() == RefreshOutcome::kDead ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION
                                                                        : ERRCODE_CANNOT_CONNECT_NOW),
           errmsg("the user's token for server \"%s\" has expired and could not be refreshed", server->name),
           errdetail("%s", exchange->attempt.error().c_str()), errhint("Call supabase_sign_in again.")));
  pg_unreachable();
}

}  // namespace

void RefreshSession(IdentityStore *store, const Identity *identity, const Server *server) {
  int64_t const now = NowMicroseconds();
  bool const alive = now < identity->claims.exp.value_or(0) * 1'000'000;
  if (!IsDueNow(identity, now) || server->auth_url == nullptr || (alive && now < identity->refresh_after)) return;
  CheckHostAllowed(server);
  auto *exchange = Own<Exchange>(CurrentMemoryContext);
  (void)FindApiKey(server, identity->setter, &exchange->api_key);
  bool const allow_private = AllowPrivate(server);
  Session *session = GetSession();
  Guard([&] {
    FillAuthRequest(&exchange->request, server, exchange->api_key, allow_private);
    FillRefreshGrant(identity->refresh, &exchange->request);
    exchange->attempt.Start(session, std::move(exchange->request));
  });
  if (exchange->attempt.waiting() != nullptr) {
    // A cancel here may lose the answer; Supabase Auth gives it again to whoever has the token before it.
    Await(session, exchange->attempt.waiting());
    exchange->attempt.Take();
  }
  RefreshAttempt *attempt = &exchange->attempt;
  if (attempt->outcome() == RefreshOutcome::kTokens) {
    Guard([&] {
      // The pair is taken whatever the access token is: the old refresh token is used up.
      Claims claims = attempt->claims().exp ? attempt->claims() : identity->claims;
      if (!attempt->claims().exp) claims.exp = now / 1'000'000 + attempt->pair().expires_in;
      store->Replace(identity->token, attempt->pair().access, attempt->pair().refresh, claims);
    });
    return;
  }
  Guard([&] { store->Defer(identity->token, now + kPause); });
  if (!alive) RefuseExpired(server, exchange);
}

}  // namespace supabase::pg
