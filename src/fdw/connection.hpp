#pragma once

#include "fdw/option.hpp"

namespace supabase {
class RowCap;
class Secret;
class Session;
struct Request;
struct AnswerTrace;
}  // namespace supabase

namespace supabase::pg {

// The backend's one HTTP session: connections are kept across statements and shared by all servers, since who a request
// is for stands in its headers. Made on first use, lives as long as the backend.
Session *GetSession();

// Wipes the tokens that the session got for refused ones, unless there is no session yet.
void ForgetRenewed();

// What is known of a server's row cap, by its address.
RowCap *GetRowCap(const Server *server);

// Whether a server answers requests for aggregates (PostgREST's db-aggregates-enabled, off by default): by its option,
// else as the first such request of the session showed.
Aggregates ServerAggregates(const Server *server);
void RememberAggregates(const Server *server, Aggregates seen);

// Raises 42501 when supabase_fdw.allowed_hosts does not cover the server. Must be called before anything is sent.
void CheckHostAllowed(const Server *server);

// Fills address, label prefix, timeouts, limits and the headers of a read. Makes no PostgreSQL call: for use in Guard.
// `schema` is UTF-8. `allow_private` is AllowPrivate(server).
void FillRequest(Request *request, const Server *server, const char *schema, bool allow_private);
bool AllowPrivate(const Server *server);
// The same for the server's Auth API, which there must be, with the project's key.
void FillAuthRequest(Request *request, const Server *server, const Secret &api_key, bool allow_private);

// What these do about limits alone, which does not depend on which API is asked.
void FillLimits(Request *request, const Server *server, bool allow_private);

// Logs an answer when supabase_fdw.trace is on.
void TraceAnswer(const AnswerTrace &answer);

}  // namespace supabase::pg
