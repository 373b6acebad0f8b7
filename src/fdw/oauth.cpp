// SQL-callable functions for OAuth apps and grants.

#include "fdw/oauth.hpp"

#include <cstring>
#include <string>

#include "core/keyring.hpp"
#include "core/oauth.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential.hpp"
#include "fdw/function.hpp"

extern "C" {
#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_oauth_create_app(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_drop_app(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_authorize_url(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_exchange(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_refresh(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_revoke(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_oauth_drop_grant(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_oauth_create_app);
PG_FUNCTION_INFO_V1(supabase_oauth_drop_app);
PG_FUNCTION_INFO_V1(supabase_oauth_authorize_url);
PG_FUNCTION_INFO_V1(supabase_oauth_exchange);
PG_FUNCTION_INFO_V1(supabase_oauth_refresh);
PG_FUNCTION_INFO_V1(supabase_oauth_revoke);
PG_FUNCTION_INFO_V1(supabase_oauth_drop_grant);
}

namespace {

// How long a user may take to come back.
constexpr int64_t kStateSeconds = 600;

struct AuthorizeObjects {
  OAuthState content;
  Secret verifier;
  std::string state, name, challenge, url;
};

void Require(FunctionCallInfo fcinfo, int number, const char *name) {
  if (!PG_ARGISNULL(number)) return;
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", name)));
}

char *TextArgument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? nullptr : ToUtf8(text_to_cstring(PG_GETARG_TEXT_PP(number)));
}

void CheckWritable(const char *function) {
  PreventCommandIfReadOnly(function);
  PreventCommandDuringRecovery(function);
}

StoredCredential *GrantArgument(FunctionCallInfo fcinfo) {
  const char *name = NameStr(*PG_GETARG_NAME(0));
  StoredCredential *grant = FindCredential(kGrants, name);
  if (grant == nullptr) RefuseMissing(kGrants, name);
  return grant;
}

bool HasGrants(const char *app) {
  ListCell *cell;
  foreach (cell, AllCredentials(kGrants)) {
    if (strcmp(static_cast<StoredCredential *>(lfirst(cell))->app, app) == 0) return true;
  }
  return false;
}

struct AppArguments {
  const char *name;
  char *client_id, *client_secret, *redirect_uri;
};

// What is stored of an app that is there already goes with it, but not under another client: its grants are that one's.
void SaveApp(const AppArguments *arguments, const Server *server) {
  StoredApp *old = FindApp(arguments->name);
  Oid const owner = OwnerOf(kApps, arguments->name);
  bool const same = old != nullptr && strcmp(old->client_id, arguments->client_id) == 0 &&
                    strcmp(old->origin, server->management_url) == 0;
  if (old != nullptr && !same && HasGrants(arguments->name)) {
    ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                    errmsg("OAuth app \"%s\" has grants of another client", arguments->name),
                    errhint("Revoke them, or use another name.")));
  }
  char id[kUuidText];
  MakeUuid(id);
  auto *secret = Own<Secret>(CurrentMemoryContext);
  Guard([&] { *secret = Secret(arguments->client_secret); });
  Parameter const parameters[] = {
      NameParameter(arguments->name),
      IdParameter(id),
      {OIDOID, ObjectIdGetDatum(owner), false},
      NameParameter(server->name),
      TextParameter(server->management_url),
      TextParameter(ThisInstance(true)),
      BytesParameter(SealSecret(id, server->management_url, kClientSecret, 1, secret)),
      TextParameter(arguments->client_id),
      TextParameter(arguments->redirect_uri),
  };
  (void)ChangeStore(
      "INSERT INTO supabase_fdw.oauth_apps (name, id, owner, server, origin, instance, generation, client_secret, "
      "client_id, redirect_uri) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9) "
      "ON CONFLICT (name) DO UPDATE SET id = EXCLUDED.id, server = EXCLUDED.server, origin = EXCLUDED.origin, "
      "instance = EXCLUDED.instance, generation = 1, client_secret = EXCLUDED.client_secret, "
      "client_id = EXCLUDED.client_id, redirect_uri = EXCLUDED.redirect_uri",
      parameters);
  Audit(kApps, arguments->name, "save", GetUserId(), "ok", secret);
}

// A state with its verifier, and the row that remembers both.
void BeginAuthorization(AuthorizeObjects *objects) {
  const char *path = KeyFilePath();
  const char *instance = ThisInstance(false);
  int64_t const now = NowMicroseconds() / 1'000'000;
  Guard([&] {
    objects->content.expires_at = now + kStateSeconds;
    objects->state = MakeState(LoadKeyring(path, DataDir), instance, objects->content);
    objects->name = StateName(objects->state);
    objects->verifier = MakeVerifier();
    objects->challenge = ChallengeOf(objects->verifier);
  });
}

void SavePending(const StoredApp *app, const AuthorizeObjects *objects) {
  char id[kUuidText];
  MakeUuid(id);
  Parameter const parameters[] = {
      NameParameter(objects->name.c_str()),
      IdParameter(id),
      {OIDOID, ObjectIdGetDatum(GetUserId()), false},
      NameParameter(app->server),
      TextParameter(app->origin),
      TextParameter(app->instance),
      BytesParameter(SealSecret(id, app->origin, kCodeVerifier, 1, &objects->verifier)),
      NameParameter(app->name),
      TextParameter(app->redirect_uri),
      TimeParameter(objects->content.expires_at * 1'000'000),
  };
  // Nobody can come back to these any more.
  (void)ChangeStore("DELETE FROM supabase_fdw.oauth_pending WHERE expires_at < clock_timestamp()", parameters, 0);
  (void)ChangeStore(
      "INSERT INTO supabase_fdw.oauth_pending (name, id, owner, server, origin, instance, generation, code_verifier, "
      "app, redirect_uri, expires_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)",
      parameters);
  Audit(kApps, app->name, "authorize", GetUserId(), "ok", nullptr);
}

// The authorization that a state was made for, if it is this role's.
PendingAuthorization *PendingOf(const char *state, OAuthState *content) {
  const char *path = KeyFilePath();
  const char *instance = ThisInstance(false);
  int64_t const now = NowMicroseconds() / 1'000'000;
  char name[NAMEDATALEN] = "";
  Guard([&] {
    *content = ReadState(LoadKeyring(path, DataDir), instance, state, now);
    StateName(state).copy(name, sizeof name - 1);
  });
  PendingAuthorization *pending = FindPending(name);
  if (pending == nullptr || !has_privs_of_role(GetUserId(), pending->owner)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("no authorization of this state"),
                    errdetail("Another role began it, or its transaction was not committed."),
                    errhint("Begin again: supabase_oauth_authorize_url.")));
  }
  if (pending->used) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("state was used already"),
                    errdetail("A state and its code are good for one exchange."),
                    errhint("Begin again: supabase_oauth_authorize_url('%s').", pending->app)));
  }
  return pending;
}

// The app's name, or the first of app_2, app_3, … that there is no grant of: one app serves many users.
const char *FreeGrantName(const char *app) {
  const char *name = app;
  for (int i = 2; FindCredential(kGrants, name) != nullptr; i++) {
    const char *suffix = psprintf("_%d", i);
    auto const room = static_cast<int>(NAMEDATALEN - 1 - strlen(suffix));
    name = psprintf("%.*s%s", pg_mbcliplen(app, static_cast<int>(strlen(app)), room), app, suffix);
  }
  return name;
}

JobResult ExchangeCode(const PendingAuthorization *pending, const char *name, char *code) {
  auto *secret = Own<Secret>(CurrentMemoryContext);
  Guard([&] { *secret = Secret(code); });
  explicit_bzero(code, strlen(code));
  char id[kUuidText];
  MakeUuid(id);
  StringInfoData fields;
  initStringInfo(&fields);
  AppendField(&fields, name);
  AppendField(&fields, id);
  AppendField(&fields, psprintf("%u", OwnerOf(kGrants, name)));
  AppendHex(&fields, SealSecret(pending->id, pending->origin, kCode, pending->generation, secret));
  Task task = MakeTask(Job::kExchange, kPending, pending->name, pending->id, GetUserId());
  return RunJob(&task, &fields);
}

Datum ExchangeRow(FunctionCallInfo fcinfo, const char *name, int64_t expires_at, const std::string *return_to) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  Datum values[3] = {NameParameter(name).value, TimestampTzGetDatum(FromMicroseconds(expires_at)), Datum(0)};
  bool nulls[3] = {false, false, return_to->empty()};
  if (!nulls[2]) values[2] = CStringGetTextDatum(ToServer(return_to->c_str(), return_to->size()));
  return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

}  // namespace

// supabase_oauth_create_app(name name, client_id text, client_secret text, redirect_uri text, server name) RETURNS void
Datum supabase_oauth_create_app(PG_FUNCTION_ARGS) {
  HideActivity("SELECT supabase_oauth_create_app(<hidden>)");
  StatementHider hider;
  hider.Push();
  constexpr const char *kNames[] = {"name", "client_id", "client_secret", "redirect_uri"};
  for (int i = 0; i < 4; i++)
    Require(fcinfo, i, kNames[i]);
  CheckWritable("supabase_oauth_create_app()");
  AppArguments const arguments = {NameStr(*PG_GETARG_NAME(0)), TextArgument(fcinfo, 1), TextArgument(fcinfo, 2),
                                  TextArgument(fcinfo, 3)};
  Guard([&] {
    CheckClientId(arguments.client_id);
    CheckRedirectUri(arguments.redirect_uri);
  });
  if (*arguments.client_secret == '\0') {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("client_secret must not be empty")));
  }
  const Server *server =
      GetServerByName(PG_ARGISNULL(4) ? nullptr : NameStr(*PG_GETARG_NAME(4)), ServerType::kManagement);
  SaveApp(&arguments, server);
  explicit_bzero(arguments.client_secret, strlen(arguments.client_secret));
  hider.Pop();
  PG_RETURN_VOID();
}

// supabase_oauth_drop_app(name name) RETURNS void
Datum supabase_oauth_drop_app(PG_FUNCTION_ARGS) {
  const char *name = NameStr(*PG_GETARG_NAME(0));
  CheckWritable("supabase_oauth_drop_app()");
  StoredApp *app = FindApp(name);
  if (app == nullptr) RefuseMissing(kApps, name);
  CheckOwns(app, GetUserId());
  if (HasGrants(name)) {
    ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST), errmsg("OAuth app \"%s\" has grants", name),
                    errdetail("Without it they cannot be refreshed or revoked."),
                    errhint("Use supabase_oauth_revoke and supabase_oauth_drop_grant first.")));
  }
  if (!DeleteRow(app)) RefuseMissing(kApps, name);
  Audit(kApps, name, "drop", GetUserId(), "ok", nullptr);
  PG_RETURN_VOID();
}

// supabase_oauth_authorize_url(app name, return_to text, organization_slug text) RETURNS text
Datum supabase_oauth_authorize_url(PG_FUNCTION_ARGS) {
  Require(fcinfo, 0, "app");
  CheckWritable("supabase_oauth_authorize_url()");
  const char *name = NameStr(*PG_GETARG_NAME(0));
  StoredApp *app = FindApp(name);
  if (app == nullptr) RefuseMissing(kApps, name);
  CheckMayUse(app, GetUserId());
  (void)CheckRefreshable(app);
  const char *return_to = TextArgument(fcinfo, 1);
  const char *organization = TextArgument(fcinfo, 2);
  auto *objects = Own<AuthorizeObjects>(CurrentMemoryContext);
  Guard([&] {
    if (return_to == nullptr) return;
    CheckReturnTo(return_to);
    objects->content.return_to = return_to;
  });
  BeginAuthorization(objects);
  Guard([&] {
    objects->url = MakeAuthorizeUrl({app->origin, app->client_id, app->redirect_uri, objects->state, objects->challenge,
                                     organization != nullptr ? organization : ""});
  });
  SavePending(app, objects);
  PG_RETURN_TEXT_P(cstring_to_text(objects->url.c_str()));
}

// supabase_oauth_exchange(code text, state text, save_as name, OUT grant_name, OUT expires_at, OUT return_to)
Datum supabase_oauth_exchange(PG_FUNCTION_ARGS) {
  HideActivity("SELECT supabase_oauth_exchange(<hidden>)");
  StatementHider hider;
  hider.Push();
  Require(fcinfo, 0, "code");
  Require(fcinfo, 1, "state");
  PreventCommandDuringRecovery("supabase_oauth_exchange()");
  if (StoreChangedHere()) RefuseStoreChanged(kGrants);
  auto *content = Own<OAuthState>(CurrentMemoryContext);
  PendingAuthorization *pending = PendingOf(TextArgument(fcinfo, 1), content);
  const char *name = PG_ARGISNULL(2) ? FreeGrantName(pending->app) : NameStr(*PG_GETARG_NAME(2));
  JobResult const result = ExchangeCode(pending, name, TextArgument(fcinfo, 0));
  hider.Pop();
  PG_RETURN_DATUM(ExchangeRow(fcinfo, name, result.expires_at, &content->return_to));
}

// supabase_oauth_refresh(grant_name name, force boolean) RETURNS timestamptz
Datum supabase_oauth_refresh(PG_FUNCTION_ARGS) {
  StoredCredential *grant = GrantArgument(fcinfo);
  CheckMayUse(grant, GetUserId());
  grant = PG_GETARG_BOOL(1) ? RefreshNow(grant, GetUserId()) : EnsureFresh(grant, GetUserId(), 0);
  PG_RETURN_TIMESTAMPTZ(FromMicroseconds(grant->times.expires_at));
}

// supabase_oauth_revoke(grant_name name) RETURNS void
Datum supabase_oauth_revoke(PG_FUNCTION_ARGS) {
  StoredCredential *grant = GrantArgument(fcinfo);
  CheckOwns(grant, GetUserId());
  CheckWritable("supabase_oauth_revoke()");
  if (StoreChangedHere()) RefuseStoreChanged(kGrants);
  StringInfoData nothing;
  initStringInfo(&nothing);
  Task task = MakeTask(Job::kRevoke, kGrants, grant->name, grant->id, GetUserId());
  JobResult const result = RunJob(&task, &nothing);
  ForgetAccessTokens();
  if (result.message[0] != '\0') {
    ereport(WARNING, (errcode(ERRCODE_CONNECTION_FAILURE),
                      errmsg("OAuth grant \"%s\" was revoked here, but perhaps not at the server", grant->name),
                      errdetail("%s", result.message),
                      errhint("Look into the authorized apps of the organization in the dashboard.")));
  }
  PG_RETURN_VOID();
}

// supabase_oauth_drop_grant(grant_name name) RETURNS void
Datum supabase_oauth_drop_grant(PG_FUNCTION_ARGS) {
  StoredCredential *grant = GrantArgument(fcinfo);
  CheckOwns(grant, GetUserId());
  CheckWritable("supabase_oauth_drop_grant()");
  if (!DeleteRow(grant)) RefuseMissing(kGrants, grant->name);
  Audit(kGrants, grant->name, "drop", GetUserId(), "ok", nullptr);
  PG_RETURN_VOID();
}

}  // namespace supabase::pg
