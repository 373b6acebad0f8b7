// SQL-callable functions for signing in and for stored logins.

#include <cstring>
#include <memory>
#include <string>

#include "core/auth_api.hpp"
#include "core/crypto.hpp"
#include "core/http.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential.hpp"
#include "fdw/credential_write.hpp"
#include "fdw/function.hpp"
#include "fdw/mapping.hpp"

extern "C" {
#include "access/xlog.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_sign_in(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_sign_out(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_refresh_login(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_refresh_due(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_sign_in);
PG_FUNCTION_INFO_V1(supabase_sign_out);
PG_FUNCTION_INFO_V1(supabase_refresh_login);
PG_FUNCTION_INFO_V1(supabase_oauth_refresh_due);
}

namespace {

// What one call owns besides memory of PostgreSQL's.
struct SignInObjects {
  Secret api_key;
  Secret refresh_token;
  TokenPair pair;
  Claims claims;
  std::unique_ptr<Transfer> transfer;
  AnswerTrace trace;
};

struct SignInArguments {
  char *email;  // UTF-8, or NULL, as the next two
  char *password;
  char *refresh_token;
  const char *save_as;
  bool is_local;
};

char *Utf8OrNull(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? nullptr : ToUtf8(text_to_cstring(PG_GETARG_TEXT_PP(number)));
}

SignInArguments ReadArguments(FunctionCallInfo fcinfo) {
  SignInArguments arguments = {Utf8OrNull(fcinfo, 1), Utf8OrNull(fcinfo, 2), Utf8OrNull(fcinfo, 5),
                               PG_ARGISNULL(4) ? nullptr : NameStr(*PG_GETARG_NAME(4)),
                               !PG_ARGISNULL(3) && PG_GETARG_BOOL(3)};
  bool const by_password = arguments.email != nullptr && arguments.password != nullptr;
  bool const by_token = arguments.refresh_token != nullptr;
  if (by_token ? arguments.email != nullptr || arguments.password != nullptr : !by_password) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("either email and password or refresh_token must be given")));
  }
  // The new refresh token would be lost with the session, and the old one is used up.
  if (by_token && arguments.save_as == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("refresh_token needs save_as"),
                    errdetail("A refresh token can be used once; the next one must be kept.")));
  }
  return arguments;
}

void WipeArguments(const SignInArguments *arguments) {
  for (char *text : {arguments->password, arguments->refresh_token}) {
    if (text != nullptr) explicit_bzero(text, strlen(text));
  }
}

// A project server that has an Auth API.
const Server *AuthServer(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"server\" must not be null")));
  }
  const Server *server = GetServerByName(NameStr(*PG_GETARG_NAME(0)), ServerType::kProject);
  if (server->auth_url == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND), errmsg("server \"%s\" has no Auth API", server->name),
                    errdetail("Its address is that of a bare PostgREST."),
                    errhint("Give the server the option url or project_ref in place of rest_url.")));
  }
  CheckHostAllowed(server);
  return server;
}

void AwaitAnswer(Session *session, SignInObjects *objects) {
  Await(session, objects->transfer.get());
  Guard([&] {
    if (objects->transfer->answered())
      objects->trace = AnswerTrace(objects->transfer->request(), objects->transfer->Result());
  });
  TraceAnswer(objects->trace);
}

void SignInByPassword(const Server *server, const SignInArguments *arguments, SignInObjects *objects) {
  Session *session = GetSession();
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    Request request;
    FillAuthRequest(&request, server, objects->api_key, allow_private);
    FillPasswordGrant(arguments->email, arguments->password, &request);
    objects->transfer = session->Send(std::move(request));
  });
  AwaitAnswer(session, objects);
  Guard([&] {
    Response &response = objects->transfer->Result();
    TokenAnswer const answer = ReadTokenAnswer(&response, &objects->pair);
    if (answer != TokenAnswer::kTokens) throw TokenProblem(objects->transfer->request(), response, answer);
    objects->claims = DecodeJwt(objects->pair.access.Reveal());
    objects->transfer.reset();
  });
}

const char *ServerText(const std::string &text) {
  return text.empty() ? nullptr : ToServer(text.c_str(), text.size());
}

// Before anything is sent: what would keep the login from being stored.
void CheckCanSave(const char *name) {
  if (name == nullptr) return;
  if (RecoveryInProgress()) {
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("cannot store a login during recovery")));
  }
  if (StoreChangedHere()) RefuseStoreChanged(kLogins);
  (void)OwnerOf(kLogins, name);
  (void)ThisInstance(true);
}

void SaveLogin(const Server *server, const char *name, const SignInObjects *objects) {
  NewCredential login = {};
  login.kind = &kLogins;
  login.name = name;
  MakeUuid(login.id);
  login.owner = OwnerOf(kLogins, name);
  login.role = GetUserId();
  login.server = server->name;
  login.origin = server->auth_url;
  login.instance = ThisInstance(true);
  login.details[0] = ServerText(objects->claims.sub);
  login.details[1] = ServerText(objects->claims.email);
  login.details[2] = ServerText(objects->claims.role);
  const Secret *refresh = &objects->refresh_token;
  if (refresh->empty()) {
    refresh = &objects->pair.refresh;
    login.access = SealSecret(login.id, login.origin, kAccessToken, 1, &objects->pair.access);
    login.expires_at = NowMicroseconds() + objects->pair.expires_in * 1'000'000;
  }
  if (refresh->empty()) {
    ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the Auth server gave no refresh token")));
  }
  login.refresh = SealSecret(login.id, login.origin, kRefreshToken, 1, refresh);
  char fingerprint[16] = "";
  Guard([&] { Fingerprint(*refresh).copy(fingerprint, sizeof fingerprint - 1); });
  login.fingerprint = fingerprint;
  SaveInWorker(&login);
}

// A refresh token that somebody else got: stored first, so that it cannot be lost once it has been used.
void SignInByToken(const Server *server, const SignInArguments *arguments, SignInObjects *objects) {
  Guard([&] { objects->refresh_token = Secret(StripBearer(arguments->refresh_token)); });
  SaveLogin(server, arguments->save_as, objects);
  auto *credential = Own<Credential>(CurrentMemoryContext);
  UseLogin(server, GetUserId(), arguments->save_as, nullptr, credential);
  Guard([&] { objects->pair.access = Secret(StripBearer(credential->authorization.Reveal())); });
}

StoredCredential *LoginArgument(FunctionCallInfo fcinfo, int number) {
  const char *name = NameStr(*PG_GETARG_NAME(number));
  StoredCredential *login = FindCredential(kLogins, name);
  if (login == nullptr) RefuseMissing(kLogins, name);
  return login;
}

// Ends a session at the Auth server; a failure is a warning, since the caller's own part is done all the same.
void SignOutRemotely(const Server *server, const Secret *access_token) {
  auto *objects = Own<SignInObjects>(CurrentMemoryContext);
  (void)FindApiKey(server, GetUserId(), &objects->api_key);
  Session *session = GetSession();
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    Request request;
    FillAuthRequest(&request, server, objects->api_key, allow_private);
    FillSignOut(*access_token, &request);
    objects->transfer = session->Send(std::move(request));
  });
  AwaitAnswer(session, objects);
  bool const answered = objects->transfer->answered();
  int const status = answered ? Guard([&] { return objects->transfer->Result().status; }) : 0;
  // 401, 403 and 404: there is no such session any more.
  if (answered && (status < 300 || (status >= 401 && status <= 404))) return;
  ereport(WARNING, (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("could not sign out at server \"%s\"", server->name),
                    answered ? errdetail("It answered with status %d.", status) : errdetail("It did not answer."),
                    errhint("The session there ends by itself when its refresh token is not used.")));
}

struct RemoteSignOut {
  const Server *server;
  StoredCredential *login;
};

// By the access token that there is, or a fresh one; not by a fresh one where the row could not be removed then, since
// this transaction's snapshot is older.
void SignOutStored(void *argument) {
  auto *call = static_cast<RemoteSignOut *>(argument);
  if (!IsAlive(call->login->times, NowMicroseconds()) && IsolationUsesXactSnapshot()) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("stored login \"%s\" was not signed out at the server", call->login->name),
                    errdetail("Its access token has expired, and this transaction cannot refresh it.")));
  }
  auto *token = Own<Secret>(CurrentMemoryContext);
  LoginToken(call->server, call->login, token);
  SignOutRemotely(call->server, token);
}

void SignOutLogin(FunctionCallInfo fcinfo, const Server *server) {
  StoredCredential *login = LoginArgument(fcinfo, 1);
  CheckOwns(login, GetUserId());
  PreventCommandIfReadOnly("supabase_sign_out()");
  if (login->times.status != CredentialStatus::kDead) {
    RemoteSignOut argument = {server, login};
    (void)TryOr(SignOutStored, &argument);
  }
  if (!DeleteRow(login)) RefuseMissing(kLogins, login->name);
  Audit(kLogins, login->name, "sign out", GetUserId(), "ok", nullptr);
}

struct DueRefresh {
  StoredCredential *login, *now;
};

void RefreshDue(void *argument) {
  auto *refresh = static_cast<DueRefresh *>(argument);
  refresh->now = RefreshNow(refresh->login, GetUserId());
}

}  // namespace

// supabase_sign_in(server name, email text, password text, is_local boolean, save_as name, refresh_token text)
// RETURNS supabase_identity
Datum supabase_sign_in(PG_FUNCTION_ARGS) {
  HideActivity("SELECT supabase_sign_in(<hidden>)");
  StatementHider hider;
  hider.Push();
  SignInArguments const arguments = ReadArguments(fcinfo);
  const Server *server = AuthServer(fcinfo);
  if (!arguments.is_local) CheckSessionAuthAllowed();
  auto *objects = Own<SignInObjects>(CurrentMemoryContext);
  Mapping const mapping = GetMapping(server, GetUserId());
  (void)ReadApiKey(server, mapping, &objects->api_key);
  CheckCanSave(arguments.save_as);
  if (arguments.refresh_token != nullptr) {
    SignInByToken(server, &arguments, objects);
  } else {
    SignInByPassword(server, &arguments, objects);
    if (arguments.save_as != nullptr) SaveLogin(server, arguments.save_as, objects);
  }
  WipeArguments(&arguments);
  std::string_view const token = objects->pair.access.Reveal();
  char *text = pnstrdup(token.data(), token.size());
  KeptFresh const fresh = {arguments.save_as == nullptr ? &objects->pair.refresh : nullptr, arguments.save_as};
  IdentityRow const row = SetIdentity(text, server, arguments.is_local, fresh);
  explicit_bzero(text, strlen(text));
  hider.Pop();
  PG_RETURN_DATUM(MakeIdentity(fcinfo, &row));
}

// supabase_sign_out(server name, login name) RETURNS void
Datum supabase_sign_out(PG_FUNCTION_ARGS) {
  const Server *server = AuthServer(fcinfo);
  if (!PG_ARGISNULL(1)) {
    SignOutLogin(fcinfo, server);
    PG_RETURN_VOID();
  }
  auto *token = Own<Secret>(CurrentMemoryContext);
  if (SessionToken(server, token)) SignOutRemotely(server, token);
  ClearIdentity(server);
  PG_RETURN_VOID();
}

// supabase_refresh_login(login name, force boolean) RETURNS timestamptz
Datum supabase_refresh_login(PG_FUNCTION_ARGS) {
  StoredCredential *login = LoginArgument(fcinfo, 0);
  CheckMayUse(login, GetUserId());
  login = PG_GETARG_BOOL(1) ? RefreshNow(login, GetUserId()) : EnsureFresh(login, GetUserId(), 0);
  PG_RETURN_TIMESTAMPTZ(FromMicroseconds(login->times.expires_at));
}

// supabase_oauth_refresh_due(within interval) RETURNS integer: what cannot be refreshed is a warning, so that one dead
// login does not keep the others from it.
Datum supabase_oauth_refresh_due(PG_FUNCTION_ARGS) {
  Datum const until =
      DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), PG_GETARG_DATUM(0));
  int32 refreshed = 0;
  ListCell *cell;
  List *all = list_concat(AllCredentials(kLogins), AllCredentials(kGrants));
  foreach (cell, all) {
    auto *login = static_cast<StoredCredential *>(lfirst(cell));
    // A revoked one has nothing to refresh, and is not news.
    if (!MayUse(login, GetUserId()) || login->sealed[1] == nullptr) continue;
    if (login->times.expires_at > ToMicroseconds(DatumGetTimestampTz(until))) continue;
    DueRefresh refresh = {login, nullptr};
    if (TryOr(RefreshDue, &refresh) && refresh.now->generation != login->generation) refreshed++;
  }
  PG_RETURN_INT32(refreshed);
}

}  // namespace supabase::pg
