#include "fdw/auth.hpp"

#include <cstring>
#include <ctime>
#include <string>

#include "core/identity.hpp"
#include "core/jwt.hpp"
#include "core/message.hpp"
#include "core/reader.hpp"

#include "fdw/bridge.hpp"
#include "fdw/credential.hpp"
#include "fdw/estimate.hpp"
#include "fdw/mapping.hpp"
#include "fdw/session_refresh.hpp"
#include "fdw/settings.hpp"

extern "C" {
#include "access/parallel.h"
#include "catalog/pg_authid.h"
#include "utils/inval.h"
}

namespace supabase::pg {
namespace {

constexpr char kSessionHandle[] = "supabase_fdw.session_handle";
constexpr char kLocalHandle[] = "supabase_fdw.local_handle";

// Values of the two settings: names of states in the store, or "". Session scope and transaction scope are apart, so
// that a session-wide change made beside a transaction-local token does not carry that token past the transaction.
char *session_handle = nullptr;
char *local_handle = nullptr;
// The handle that SetHandle is about to set; no other value than this and '' is ever accepted.
char pending_handle[2 * IdentityStore::kHandleBytes + 1] = "";
// Whether this transaction has set a handle: older ones may then come back by rollback, so no state is forgotten.
bool changed_in_transaction = false;
IdentityStore *store = nullptr;

bool CheckHandle(char **value, void **, GucSource) {
  if (**value == '\0' || InitializingParallelWorker || strcmp(*value, pending_handle) == 0) return true;
  // The default text would show the value.
  GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
  GUC_check_errmsg("this setting cannot be set directly");
  GUC_check_errhint("Call supabase_set_auth.");
  return false;
}

// Any change inside a transaction, RESET included, may be rolled back. What the end of a transaction restores comes
// here too, but then the transaction is no longer in progress.
void AssignHandle(const char *, void *) {
  if (IsTransactionState()) changed_in_transaction = true;
  EstimateIdentityChanged();
}

const char *ShowSessionHandle() {
  return session_handle != nullptr && *session_handle != '\0' ? "<set>" : "<unset>";
}
const char *ShowLocalHandle() {
  return local_handle != nullptr && *local_handle != '\0' ? "<set>" : "<unset>";
}

// At the end of a transaction that set nothing the settings' stack is flat: what the two handles do not name is
// unreachable and is wiped. (A transaction that did set one is followed by another, or by the sweep in SetIdentity.)
void SweepAtTransactionEnd(XactEvent event, void *) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
  if (!changed_in_transaction && store != nullptr) store->Keep(session_handle, local_handle);
  changed_in_transaction = false;
}

IdentityStore *GetStore() {
  if (store == nullptr) {
    Guard([] { store = new IdentityStore(); });
    RegisterXactCallback(SweepAtTransactionEnd, nullptr);
  }
  if (!changed_in_transaction) store->Keep(session_handle, local_handle);
  return store;
}

void SetHandle(const char *name, const char *handle, bool is_local) {
  (void)snprintf(pending_handle, sizeof pending_handle, "%s", handle);
  (void)set_config_option(name, handle, PGC_USERSET, PGC_S_SESSION, is_local ? GUC_ACTION_LOCAL : GUC_ACTION_SET, true,
                          0, false);
  pending_handle[0] = '\0';
}

struct RandomBytes {
  unsigned char bytes[IdentityStore::kHandleBytes];
};

RandomBytes MakeRandom() {
  RandomBytes random;
  if (!pg_strong_random(random.bytes, sizeof random.bytes)) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
  }
  return random;
}

// Removes one server's identity from one scope.
void DropIdentity(const char *name, const char *handle, unsigned server_id, bool is_local) {
  IdentityStore *identities = GetStore();
  const IdentityState *state = identities->Find(handle);
  if (state == nullptr || state->Find(server_id) == nullptr) return;
  RandomBytes const random = MakeRandom();
  SetHandle(name, Guard([&] { return identities->Without(handle, random.bytes, server_id); }), is_local);
}

[[noreturn]] void RefuseToken(const Server *server, const char *detail, const char *hint) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                  errmsg("the user's token is not for server \"%s\"", server->name), errdetail("%s", detail),
                  errhint("%s", hint)));
  pg_unreachable();
}

Belongs BelongsTo(const Identity *identity, const Server *server) {
  const char *ref = server->project_ref != nullptr ? server->project_ref : "";
  return Guard([&] { return TokenBelongs(identity->claims, server->host, ref); });
}

// A token goes only where it was meant to go: to the server it was given for, as long as that has the same address, or
// to the project that issued it.
void CheckOrigin(const Identity *identity, const Server *server) {
  if (identity->server_id != 0) {
    if (strcmp(identity->bound_url.c_str(), server->rest_url) == 0) return;
    RefuseToken(server, "The server's address has changed since the token was set.",
                "Call supabase_set_auth again if the new address may have the token.");
  }
  switch (BelongsTo(identity, server)) {
    case Belongs::kYes:
      return;
    case Belongs::kNo:
      RefuseToken(
          server, "Its issuer is another project.",
          psprintf("Call supabase_set_auth(..., server => '%s') if this server may have the token.", server->name));
    case Belongs::kUnnamed:
      if (CountProjectServers() <= 1) return;
      RefuseToken(server, "It names no project, and the database has several project servers.",
                  psprintf("Call supabase_set_auth(..., server => '%s').", server->name));
  }
}

SessionAuth EffectiveSessionAuth(const Server *server, List *mapping) {
  const char *value = FindOption(mapping, "session_auth");
  if (value == nullptr) return server->session_auth;
  if (strcmp(value, "ignore") == 0) return SessionAuth::kIgnore;
  return strcmp(value, "setter") == 0 ? SessionAuth::kSetter : SessionAuth::kAlways;
}

// The session's identity for a server: the transaction's before the session's, the server's own before the general one.
// One without a token ("nobody, explicitly") ends the search.
const Identity *FindIdentity(const Server *server) {
  for (const char *handle : {local_handle, session_handle}) {
    if (*handle == '\0') continue;
    const IdentityState *state = store == nullptr ? nullptr : store->Find(handle);
    if (state == nullptr) {
      // Never fall through to the mapping's credential: that would turn a user into somebody mightier.
      ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                      errmsg("the token of the session's user is gone"), errhint("Call supabase_set_auth again.")));
    }
    const Identity *identity = state->Find(server->id);
    if (identity == nullptr) identity = state->Find(0);
    if (identity != nullptr) return identity->token.empty() ? nullptr : identity;
  }
  return nullptr;
}

void UseToken(const Identity *identity, const Server *server, Credential *credential) {
  CheckOrigin(identity, server);
  Guard([&] {
    CheckNotExpired(identity->claims.exp.value_or(0), std::time(nullptr));
    credential->authorization = Secret::Join("Bearer ", identity->token.Reveal());
    credential->expires_at = identity->claims.exp.value_or(0);
  });
}

// The user's token, refreshed first when the user signed in and it is about to expire.
void UseIdentity(const Identity *identity, const Server *server, Credential *credential) {
  if (!identity->login.empty()) {
    CheckOrigin(identity, server);
    // A new sign-in under that name, elsewhere, must not make this session somebody else.
    const char *user_id = ToServer(identity->claims.sub.c_str(), identity->claims.sub.size());
    UseLogin(server, identity->setter, identity->login.c_str(), user_id, credential);
    return;
  }
  if (!identity->refresh.empty()) {
    CheckOrigin(identity, server);
    RefreshSession(store, identity, server);
  }
  UseToken(identity, server, credential);
}

// The token of the PostgREST request that the local session serves: its own header first, else the caller's
// Authorization. The latter was meant for the local project, so it goes out only when it names this server's project.
bool UseRequestToken(const Server *server, Credential *credential) {
  char *token = RequestToken("x-supabase-auth");
  bool const own_header = token != nullptr;
  if (token == nullptr) token = RequestToken("authorization");
  if (token == nullptr) return false;
  auto *identity = Own<Identity>(CurrentMemoryContext);
  Guard([&] {
    std::string_view const text = StripBearer(token);
    identity->claims = DecodeJwt(text);
    identity->token = Secret(text);
  });
  explicit_bzero(token, strlen(token));
  if (!own_header && BelongsTo(identity, server) != Belongs::kYes) {
    RefuseToken(server, "The Authorization of the local request does not name this project.",
                "Send the user's token for it in the header X-Supabase-Auth.");
  }
  UseToken(identity, server, credential);
  return true;
}

bool UseUserToken(const Server *server, Oid user_id, List *mapping, Credential *credential) {
  SessionAuth const rule = EffectiveSessionAuth(server, mapping);
  if (rule == SessionAuth::kIgnore) return false;
  const Identity *identity = FindIdentity(server);
  if (identity != nullptr && (rule == SessionAuth::kAlways || identity->setter == user_id)) {
    UseIdentity(identity, server, credential);
    return true;
  }
  // Any role can write the setting that holds the request's headers, so "setter" cannot trust them.
  return rule == SessionAuth::kAlways && server->forward_request_jwt && UseRequestToken(server, credential);
}

ExpiryMemo *mapping_expiry = nullptr;

// A mapping that has changed or gone: its token need not stay in memory.
void ForgetMappingToken(Datum, int, uint32) {
  mapping_expiry->Forget();
}

ExpiryMemo *MappingExpiry() {
  if (mapping_expiry == nullptr) {
    Guard([] { mapping_expiry = new ExpiryMemo(); });
    CacheRegisterSyscacheCallback(USERMAPPINGOID, ForgetMappingToken, Datum(0));
  }
  return mapping_expiry;
}

const char *TextOrNull(const std::string &text) {
  return text.empty() ? nullptr : text.c_str();
}

IdentityRow MakeRow(const Identity *identity, const char *scope) {
  auto copy = [](const std::string &text) -> const char * {
    const char *utf8 = TextOrNull(text);
    return utf8 == nullptr ? nullptr : ToServer(utf8, strlen(utf8));
  };
  const char *server = nullptr;
  if (identity->server_id != 0) {
    ForeignServer *foreign = GetForeignServerExtended(identity->server_id, FSV_MISSING_OK);
    server = foreign != nullptr ? foreign->servername : "(dropped)";
  }
  const Claims &claims = identity->claims;
  return {server, copy(claims.sub), copy(claims.role), copy(claims.email), claims.exp.value_or(0), scope};
}

// Decodes and checks a token into `identity`; warns about one that is not valid yet.
void ReadToken(const char *token, Identity *identity) {
  int64_t const now = std::time(nullptr);
  Guard([&] {
    std::string_view const text = StripBearer(token);
    identity->claims = DecodeJwt(text);
    identity->token = Secret(text);
    CheckNotExpired(identity->claims.exp.value_or(0), now);
  });
  const Claims &claims = identity->claims;
  if (claims.nbf.value_or(0) > now + kClockSkew || claims.iat.value_or(0) > now + kClockSkew) {
    ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("the user's token is not valid yet by this server's clock")));
  }
}

}  // namespace

void DefineAuthSettings() {
  int const flags = GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE | GUC_DISALLOW_IN_AUTO_FILE;
  DefineCustomStringVariable(kSessionHandle, "Names the user of the session; set by supabase_set_auth.", nullptr,
                             &session_handle, "", PGC_USERSET, flags, CheckHandle, AssignHandle, ShowSessionHandle);
  DefineCustomStringVariable(kLocalHandle, "Names the user of the transaction; set by supabase_set_auth.", nullptr,
                             &local_handle, "", PGC_USERSET, flags, CheckHandle, AssignHandle, ShowLocalHandle);
}

void ResolveCredential(const Server *server, Oid user_id, Actor actor, Credential *credential) {
  Mapping const mapping = GetMapping(server, user_id);
  const char *jwt = FindOption(mapping.options, "jwt");
  const char *login = FindOption(mapping.options, "login");
  bool const as_user = actor != Actor::kMapping && UseUserToken(server, user_id, mapping.options, credential);
  if (!as_user && jwt == nullptr && login == nullptr && actor == Actor::kRequiredUser) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
             errmsg("server \"%s\" requires a user's token", server->name), errhint("Call supabase_set_auth first.")));
  }
  (void)ReadApiKey(server, mapping, &credential->api_key);
  if (!as_user && login != nullptr) UseLogin(server, user_id, login, nullptr, credential);
  ExpiryMemo *expiry = MappingExpiry();
  Guard([&] {
    if (!as_user && jwt != nullptr) {
      credential->expires_at = expiry->ExpiresAt(jwt);
      CheckMappingNotExpired(credential->expires_at, std::time(nullptr));
      credential->authorization = Secret::Join("Bearer ", jwt);
    }
    std::string_view const api_key = credential->api_key.Reveal();
    // The older keys are JWTs: they name the role themselves. The sb_ keys must not go into Authorization.
    if (credential->authorization.empty() && !api_key.empty() && ClassifyKey(api_key) == KeyKind::kJwt) {
      credential->authorization = Secret::Join("Bearer ", api_key);
    }
  });
}

const char *IdentityKey(const Server *server, Oid user_id) {
  const char *headers = server->forward_request_jwt ? GetConfigOption("request.headers", true, false) : nullptr;
  if (headers != nullptr && *headers != '\0') return nullptr;
  return psprintf("%u/%s/%s", user_id, session_handle, local_handle);
}

void AddCredential(const Credential &credential, Request *request) {
  if (!credential.api_key.empty()) request->secret_headers.emplace_back("apikey", credential.api_key);
  if (!credential.authorization.empty())
    request->secret_headers.emplace_back("Authorization", credential.authorization);
  request->renewal_id = credential.renewal_id;
  request->renewal_generation = credential.renewal_generation;
}

IdentityRow SetIdentity(const char *token, const Server *server, bool is_local, KeptFresh fresh) {
  if (token != nullptr && !is_local) CheckSessionAuthAllowed();
  if (token == nullptr && !is_local) {
    ClearIdentity(server);
    return {};
  }
  auto *identity = Own<Identity>(CurrentMemoryContext);
  identity->setter = GetUserId();
  if (token != nullptr) ReadToken(token, identity);
  Guard([&] {
    if (fresh.refresh != nullptr) identity->refresh = *fresh.refresh;
    if (fresh.login != nullptr) identity->login = fresh.login;
  });
  if (server != nullptr) {
    identity->server_id = server->id;
    Guard([&] { identity->bound_url = server->rest_url; });
  } else if (token != nullptr && CountProjectServers() > 1 &&
             Guard([&] { return TokenBelongs(identity->claims, "", "") == Belongs::kUnnamed; })) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                    errmsg("the user's token names no project, and the database has several project servers"),
                    errhint("Use supabase_set_auth(..., server => '...').")));
  }
  // What is set now for the session is newer than what the transaction has.
  if (!is_local) DropIdentity(kLocalHandle, local_handle, identity->server_id, true);
  RandomBytes const random = MakeRandom();
  IdentityStore *identities = GetStore();
  const char *base = is_local ? local_handle : session_handle;
  // "Nobody" at every server hides the servers' own identities too.
  if (token == nullptr && server == nullptr) base = "";
  const char *handle = Guard([&] { return identities->With(base, random.bytes, *identity); });
  SetHandle(is_local ? kLocalHandle : kSessionHandle, handle, is_local);
  return token == nullptr ? IdentityRow{} : MakeRow(identity, is_local ? "transaction" : "session");
}

void CheckSessionAuthAllowed() {
  if (!setting_require_local_auth) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("a token for the whole session is not allowed"),
                  errdetail("The setting supabase_fdw.require_local_auth is on."),
                  errhint("Use is_local => true inside the transaction.")));
}

bool SessionToken(const Server *server, Secret *token) {
  const Identity *identity = FindIdentity(server);
  if (identity == nullptr || identity->server_id != server->id || !identity->login.empty()) return false;
  CheckOrigin(identity, server);
  Guard([&] { *token = identity->token; });
  return true;
}

void ClearIdentity(const Server *server) {
  if (server == nullptr) {
    ForgetAccessTokens();
    if (*local_handle != '\0') SetHandle(kLocalHandle, "", true);
    if (*session_handle != '\0') SetHandle(kSessionHandle, "", false);
    return;
  }
  DropIdentity(kLocalHandle, local_handle, server->id, true);
  DropIdentity(kSessionHandle, session_handle, server->id, false);
}

List *ListIdentities() {
  List *rows = NIL;
  if (store == nullptr) return rows;
  struct {
    const char *handle, *scope;
  } const scopes[] = {{local_handle, "transaction"}, {session_handle, "session"}};
  for (const auto &scope : scopes) {
    const IdentityState *state = store->Find(scope.handle);
    if (state == nullptr) continue;
    for (const Identity &identity : state->all()) {
      if (identity.token.empty()) continue;
      auto *row = static_cast<IdentityRow *>(palloc(sizeof(IdentityRow)));
      *row = MakeRow(&identity, scope.scope);
      rows = lappend(rows, row);
    }
  }
  return rows;
}

char *RequestToken(const char *header) {
  const char *headers = GetConfigOption("request.headers", true, false);
  if (headers == nullptr || *headers == '\0') return nullptr;
  auto *value = Own<Secret>(CurrentMemoryContext);
  Guard([&] {
    std::optional<Secret> found = RequestHeader(headers, header);
    if (found) *value = std::move(*found);
  });
  std::string_view const text = value->Reveal();
  return text.empty() ? nullptr : pnstrdup(text.data(), text.size());
}

}  // namespace supabase::pg
