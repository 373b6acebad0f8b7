#pragma once

#include "fdw/deparse.hpp"

namespace supabase {
struct ReadQuery;
struct TopTimes;
}  // namespace supabase

namespace supabase::pg {

struct Credential;

// Row counts for the planner. What one user may see, another may not: a count is kept for who it was learnt as, for a
// few minutes, and for the session only.

// Who `user_id` is at the server now, as a key; NULL when that is not fixed by the session's own state, in which case
// nothing is remembered.
const char *EstimateIdentity(const Server *server, Oid user_id);

// Keeps the number of rows of a whole table.
void RememberCount(const Server *server, const Table *table, const char *identity, double rows);
// Finds it; false when it is not known.
bool CachedCount(const Server *server, const Table *table, const char *identity, double *rows);

// What a query brought the last time: rows, and bytes of JSON.
struct Brought {
  double rows, bytes;
};
// Keeps it, by what tells the query from others of the table.
void RememberBrought(const Server *server, const Table *table, const char *identity, List *query, Brought brought);
// Finds it; false when it is not known.
bool LastBrought(const Server *server, const Table *table, const char *identity, List *query, Brought *brought);

// The same for how long a query's answers took (zeros: not known). It lasts from the first of them on, so that each way
// of asking is tried again now and then.
void RememberTimes(const Server *server, const Table *table, const char *identity, List *query, const TopTimes *times);
void LastTimes(const Server *server, const Table *table, const char *identity, List *query, TopTimes *times);

// Asks the remote planner how many rows the conditions select (option use_remote_estimate). `remote` are the shipped
// RestrictInfos; those whose values are not known before execution are not asked about and are returned in `unasked`.
// False when nothing was asked: no identity, or no right to read the table.
bool RemoteEstimate(const DeparseContext *context, List *remote, const char *identity, List **unasked, double *rows);

// The remote planner's estimate for a query (UTF-8), asked with that credential.
double FetchPlannedCount(const Server *server, const Table *table, const Credential *credential,
                         const ReadQuery *query);

// Another user from now on: no plan made so far may be used, if it rests on a count.
void EstimateIdentityChanged();

}  // namespace supabase::pg
