// OAuth in the background worker: a code and a refresh token can be sent once, so what came of that must stand whatever
// becomes of the statement that wanted it.

#include <cstring>
#include <memory>
#include <string>

#include "core/crypto.hpp"
#include "core/http.hpp"
#include "core/oauth.hpp"
#include "core/refresh.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/management.hpp"
#include "fdw/oauth.hpp"

namespace supabase::pg {
namespace {

struct Exchange {
  OAuthClient client;
  Secret code;
  Secret verifier;
  Request request;
  RefreshAttempt attempt;
};

// Everything that is known before the code is sent.
struct ExchangeTask {
  const Task *task;
  PendingAuthorization *pending;
  NewCredential grant;
  Exchange *objects;
  int64_t received_at;
};

// The code and the verifier are encrypted under the pending row.
void PrepareExchange(ExchangeTask *exchange, const bytea *code) {
  PendingAuthorization *pending = exchange->pending;
  Exchange *objects = exchange->objects;
  Server *server = CheckRefreshable(pending);
  (void)OpenApp(pending->app, pending->origin, &objects->client);
  UnsealSecret(pending->id, pending->origin, kCode, pending->generation, code, &objects->code);
  OpenSecret(pending, kCodeVerifier, &objects->verifier);
  const char *redirect_uri = pending->redirect_uri;
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    FillManagementRequest(&objects->request, server, allow_private);
    FillCodeGrant(objects->client, objects->code, redirect_uri, objects->verifier, &objects->request);
    objects->request.total_timeout_ms = std::min(objects->request.total_timeout_ms, kWorkerTimeoutMs);
  });
}

// Whoever marks it has it: a state is good for one exchange, however that ends.
void UsePending(const PendingAuthorization *pending) {
  Parameter const parameters[] = {IdParameter(pending->id)};
  if (ChangeStore("UPDATE supabase_fdw.oauth_pending SET used_at = clock_timestamp() "
                  "WHERE id = $1 AND used_at IS NULL AND expires_at > clock_timestamp()",
                  parameters) == 1) {
    return;
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("state was used already"),
                  errdetail("A state and its code are good for one exchange."),
                  errhint("Begin again: supabase_oauth_authorize_url('%s').", pending->app)));
}

// The grant's row, which must be there before anybody uses the tokens.
void WriteGrant(void *argument) {
  auto *exchange = static_cast<ExchangeTask *>(argument);
  TokenPair *pair = &exchange->objects->attempt.pair();
  NewCredential *grant = &exchange->grant;
  grant->access = SealSecret(grant->id, grant->origin, kAccessToken, 1, &pair->access);
  grant->refresh = SealSecret(grant->id, grant->origin, kRefreshToken, 1, &pair->refresh);
  grant->expires_at = exchange->received_at + pair->expires_in * 1'000'000;
  char fingerprint[16] = "";
  Guard([&] { Fingerprint(pair->refresh).copy(fingerprint, sizeof fingerprint - 1); });
  grant->fingerprint = fingerprint;
  InsertCredential(grant);
}

// A code that was not sent is still good, and so is its state.
void WriteRefusal(void *argument) {
  auto *exchange = static_cast<ExchangeTask *>(argument);
  if (exchange->objects->attempt.outcome() == RefreshOutcome::kNotSent) {
    Parameter const parameters[] = {IdParameter(exchange->pending->id)};
    (void)ChangeStore("UPDATE supabase_fdw.oauth_pending SET used_at = NULL WHERE id = $1", parameters);
  }
  Audit(kGrants, exchange->grant.name, "exchange", exchange->task->role,
        ToServerLossy(exchange->objects->attempt.error().c_str()), nullptr);
}

[[noreturn]] void RefuseExchange(const ExchangeTask *exchange) {
  const RefreshAttempt *attempt = &exchange->objects->attempt;
  RefreshOutcome const outcome = attempt->outcome();
  bool const refused = outcome == RefreshOutcome::kDead || outcome == RefreshOutcome::kRefused;
  const char *detail = outcome == RefreshOutcome::kTokens ? "The server gave no refresh token."
                                                          : ToServerLossy(attempt->error().c_str());
  const char *hint = outcome == RefreshOutcome::kNotSent
                         ? "Nothing was sent, so the same code and state can be tried again."
                         : psprintf("Begin again: supabase_oauth_authorize_url('%s').", exchange->pending->app);
  ereport(ERROR,
          (errcode(refused                              ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION
                   : outcome == RefreshOutcome::kTokens ? ERRCODE_PROTOCOL_VIOLATION
                                                        : ERRCODE_CANNOT_CONNECT_NOW),
           errmsg("the authorization code could not be exchanged"), errdetail("%s", detail), errhint("%s", hint)));
  pg_unreachable();
}

void SendCode(ExchangeTask *exchange) {
  Session *session = GetSession();
  RefreshAttempt *attempt = &exchange->objects->attempt;
  HOLD_INTERRUPTS();
  Guard([&] { attempt->Start(session, std::move(exchange->objects->request)); });
  if (attempt->waiting() != nullptr) {
    Await(session, attempt->waiting());
    attempt->Take();
  }
  exchange->received_at = NowMicroseconds();
  bool const usable = attempt->outcome() == RefreshOutcome::kTokens && !attempt->pair().refresh.empty();
  bool const written = WriteAnswer(usable ? WriteGrant : WriteRefusal, exchange);
  RESUME_INTERRUPTS();
  if (!usable) RefuseExchange(exchange);
  if (!written) {
    ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("the grant could not be stored"),
                    errdetail("The server log tells more.")));
  }
}

struct Revocation {
  OAuthClient client;
  Secret token;
  Request request;
  std::unique_ptr<Transfer> transfer;
};

struct RevokeTask {
  const Task *task;
  const StoredCredential *grant;
  Revocation *objects;
  char problem[512];  // why the server may not know; empty: it does
};

void PrepareRevocation(void *argument) {
  auto *revoke = static_cast<RevokeTask *>(argument);
  Revocation *objects = revoke->objects;
  Server *server = CheckRefreshable(revoke->grant);
  (void)OpenApp(revoke->grant->app, revoke->grant->origin, &objects->client);
  OpenSecret(revoke->grant, kRefreshToken, &objects->token);
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    FillManagementRequest(&objects->request, server, allow_private);
    FillOAuthRevoke(objects->client, objects->token, &objects->request);
    objects->request.total_timeout_ms = std::min(objects->request.total_timeout_ms, kWorkerTimeoutMs);
  });
}

// False, with the problem noted, when there can be no request.
bool TryPrepareRevocation(RevokeTask *revoke) {
  const ErrorData *error = TryTransaction(PrepareRevocation, revoke);
  if (error != nullptr) (void)snprintf(revoke->problem, sizeof revoke->problem, "%s", error->message);
  return error == nullptr;
}

// Once: whoever repeats a revocation may end a newer grant of the same user.
void SendRevocation(RevokeTask *revoke) {
  Session *session = GetSession();
  Revocation *objects = revoke->objects;
  Guard([&] { objects->transfer = session->Send(std::move(objects->request)); });
  Await(session, objects->transfer.get());
  if (!objects->transfer->answered()) {
    (void)snprintf(revoke->problem, sizeof revoke->problem, "%s", "the server did not answer");
    return;
  }
  int const status = objects->transfer->status();
  if (status < 200 || status >= 300) {
    (void)snprintf(revoke->problem, sizeof revoke->problem, "the server answered with status %d", status);
  }
}

void WriteRevoked(void *argument) {
  auto *revoke = static_cast<RevokeTask *>(argument);
  const StoredCredential *grant = revoke->grant;
  const char *role = GetUserNameFromId(revoke->task->role, true);
  Parameter const parameters[] = {IdParameter(grant->id), NumberParameter(grant->generation),
                                  TextParameter(psprintf("Revoked by role \"%s\".", role == nullptr ? "?" : role))};
  (void)UpdateRow(grant,
                  "status = 'revoked', access_token = NULL, refresh_token = NULL, expires_at = NULL, "
                  "next_attempt_at = NULL, generation = generation + 1, last_error = $3",
                  parameters);
  Audit(kGrants, grant->name, "revoke", revoke->task->role, *revoke->problem == '\0' ? "ok" : revoke->problem, nullptr);
}

}  // namespace

StoredApp *OpenApp(const char *name, const char *origin, OAuthClient *client) {
  StoredApp *app = FindApp(name);
  if (app == nullptr) RefuseMissing(kApps, name);
  if (strcmp(app->origin, origin) != 0) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("OAuth app \"%s\" is for another address", name),
                    errdetail("Nothing was sent.")));
  }
  CheckInstance(app);
  OpenSecret(app, kClientSecret, &client->secret);
  const char *id = app->client_id;
  Guard([&] { client->id = id; });
  return app;
}

void PrepareGrant(const StoredCredential *grant, Request *request) {
  Server *server = CheckRefreshable(grant);
  auto *client = Own<OAuthClient>(CurrentMemoryContext);
  (void)OpenApp(grant->app, grant->origin, client);
  auto *token = Own<Secret>(CurrentMemoryContext);
  OpenSecret(grant, kRefreshToken, token);
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    FillManagementRequest(request, server, allow_private);
    FillOAuthRefresh(*client, *token, request);
  });
}

void ExchangeInWorker(const Task *task, const char *fields, JobResult *result) {
  MemoryContext const context = CurrentMemoryContext;
  ExchangeTask exchange = {};
  exchange.task = task;
  exchange.objects = Own<Exchange>(context);
  NewCredential *grant = &exchange.grant;
  grant->kind = &kGrants;
  grant->name = NextField(&fields);
  (void)snprintf(grant->id, sizeof grant->id, "%s", NextField(&fields));
  grant->owner = static_cast<Oid>(strtoul(NextField(&fields), nullptr, 10));
  grant->role = task->role;
  bytea *code = NextHex(&fields);
  Begin();
  MemoryContextSwitchTo(context);
  PendingAuthorization *pending = exchange.pending = FindPending(NameStr(task->name));
  if (pending == nullptr || strcmp(pending->id, task->id) != 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION), errmsg("state was forgotten meanwhile")));
  }
  PrepareExchange(&exchange, code);
  UsePending(pending);
  Commit();
  MemoryContextSwitchTo(context);
  grant->server = pending->server;
  grant->origin = pending->origin;
  grant->instance = pending->instance;
  grant->details[0] = pending->app;
  SendCode(&exchange);
  result->expires_at = grant->expires_at;
}

void RevokeInWorker(const Task *task, JobResult *result) {
  MemoryContext const context = CurrentMemoryContext;
  LockCredential(task->id);
  Begin();
  MemoryContextSwitchTo(context);
  StoredCredential *grant = FindCredential(kGrants, NameStr(task->name));
  Commit();
  MemoryContextSwitchTo(context);
  if (grant == nullptr || strcmp(grant->id, task->id) != 0) RefuseMissing(kGrants, NameStr(task->name));
  RevokeTask revoke = {task, grant, Own<Revocation>(context), ""};
  bool const alive = grant->times.status != CredentialStatus::kDead && grant->sealed[1] != nullptr;
  HOLD_INTERRUPTS();
  if (alive && TryPrepareRevocation(&revoke)) SendRevocation(&revoke);
  bool const written = WriteAnswer(WriteRevoked, &revoke);
  RESUME_INTERRUPTS();
  if (!written) ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("the revocation could not be stored")));
  (void)snprintf(result->message, sizeof result->message, "%s", revoke.problem);
}

}  // namespace supabase::pg
