#pragma once

#include "fdw/credential_worker.hpp"

namespace supabase {
struct OAuthClient;
struct Request;
}  // namespace supabase

namespace supabase::pg {

// OAuth grants of the Management API: what only they have among stored credentials.

constexpr char kCode[] = "code";  // how an encrypted authorization code is named

// The app of a grant or of a pending authorization, with its secret. Raises 28000 when it has gone, 42501 when it is
// another server's by now.
StoredApp *OpenApp(const char *name, const char *origin, OAuthClient *client);

// The request that refreshes a grant; raises what is wrong with server or app.
void PrepareGrant(const StoredCredential *grant, Request *request);

// Jobs of the worker. The one uses up an authorization and stores the grant; the other ends a grant, at the server and
// here, and says in the result's message why the server may not know.
void ExchangeInWorker(const Task *task, const char *fields, JobResult *result);
void RevokeInWorker(const Task *task, JobResult *result);

}  // namespace supabase::pg
