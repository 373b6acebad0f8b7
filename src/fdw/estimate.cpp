#include "fdw/estimate.hpp"

#include <map>
#include <memory>
#include <string>

#include "core/sampler.hpp"
#include "core/top_keys.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/relation.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "utils/inval.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"
}

namespace supabase::pg {
namespace {

// A table may have grown in the meantime, and a plan needs the order of magnitude only.
constexpr int64 kTrustUs = INT64CONST(300'000'000);
// Counts kept at once; a session that changes its user for each transaction makes new ones all the time.
constexpr size_t kMaxCounts = 1000;
// Queries of a table that are remembered at once.
constexpr size_t kMaxQueries = 20;

struct Count {
  double rows;
  double bytes;
  int64 at;  // TimestampTz
  TopTimes times = {};
};
// By user and query. Process-wide and never freed, like the HTTP session.
std::map<std::string, Count> *counts = nullptr;
// Whether a plan may rest on one of them.
bool counts_used = false;

// The same by table, user and query, for tables of which there is any.
std::map<Oid, std::map<std::string, Count>> *brought_by_table = nullptr;

// A user mapping or a server has changed: the same local user may be another remote one now.
void ForgetCounts(Datum, int, uint32) {
  counts->clear();
  if (brought_by_table != nullptr) brought_by_table->clear();
}

void Prepare() {
  if (counts != nullptr) return;
  Guard([&] { counts = new std::map<std::string, Count>(); });
  CacheRegisterSyscacheCallback(USERMAPPINGOID, ForgetCounts, Datum(0));
  CacheRegisterSyscacheCallback(FOREIGNSERVEROID, ForgetCounts, Datum(0));
}

bool Trusted(const Count &count, int64 now) {
  return now - count.at <= kTrustUs && now >= count.at;
}

void Remember(const char *key, double rows) {
  int64 const now = GetCurrentTimestamp();
  Prepare();
  Guard([&] {
    if (counts->size() >= kMaxCounts) counts->clear();
    (*counts)[key] = {rows, 0, now};
  });
}

bool Recall(const char *key, double *rows) {
  if (counts == nullptr) return false;
  int64 const now = GetCurrentTimestamp();
  bool const found = Guard([&] {
    auto const at = counts->find(key);
    if (at == counts->end() || !Trusted(at->second, now)) return false;
    *rows = at->second.rows;
    return true;
  });
  counts_used = counts_used || found;
  return found;
}

// The count of a whole table has no query. Lengths keep a name with a line feed from passing for two parts.
const char *CountKey(const Server *server, const Table *table, const char *identity, const char *query) {
  return psprintf("%s\n%s\n%zu %s\n%zu %s\n%s", identity, server->rest_url, strlen(table->schema_name),
                  table->schema_name, strlen(table->table_name), table->table_name, query);
}

struct CountObjects {
  Credential credential;
  std::unique_ptr<Transfer> transfer;
  AnswerTrace trace;
};

struct QueryObjects {
  ReadQuery query;
  ConditionBuilder conditions;
  std::string target;
};

// What a query showed.
void Keep(const Server *server, const Table *table, const char *identity, List *query, Count shown) {
  const char *key = CountKey(server, table, identity, nodeToString(query));
  Prepare();
  Guard([&] {
    if (brought_by_table == nullptr) brought_by_table = new std::map<Oid, std::map<std::string, Count>>();
    if (brought_by_table->size() >= kMaxCounts) brought_by_table->clear();
    auto &of_table = (*brought_by_table)[table->id];
    if (of_table.size() >= kMaxQueries) of_table.clear();
    of_table[key] = shown;
  });
}

// False when it showed nothing, or too long ago.
bool Kept(const Server *server, const Table *table, const char *identity, List *query, Count *shown) {
  if (identity == nullptr || brought_by_table == nullptr) return false;
  Oid const table_id = table->id;
  // Making the text takes longer than finding it.
  if (Guard([&] { return brought_by_table->count(table_id) == 0; })) return false;
  const char *key = CountKey(server, table, identity, nodeToString(query));
  int64 const now = GetCurrentTimestamp();
  return Guard([&] {
    auto const &of_table = brought_by_table->at(table_id);
    auto const at = of_table.find(key);
    if (at == of_table.end() || !Trusted(at->second, now)) return false;
    *shown = at->second;
    return true;
  });
}

// Executing the plan will be refused to a role that may read no column. Before that nothing is sent for it.
bool MayRead(Oid table_id, Oid user_id) {
  return pg_class_aclcheck(table_id, user_id, ACL_SELECT) == ACLCHECK_OK ||
         pg_attribute_aclcheck_all(table_id, user_id, ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
}

Oid PlanUser(const RelOptInfo *rel) {
  return OidIsValid(rel->userid) ? rel->userid : GetUserId();
}

// Pushes the conditions that hold constants only; lists the others.
List *PushFixed(const DeparseContext *context, List *remote, ConditionBuilder *conditions) {
  List *unasked = NIL;
  ListCell *cell;
  foreach (cell, remote) {
    auto *restriction = lfirst_node(RestrictInfo, cell);
    DeparseContext own = *context;
    own.parameters = NIL;
    List *tree = DeparseClause(&own, restriction->clause);
    if (tree == NIL || own.parameters != NIL) {
      unasked = lappend(unasked, restriction);
      continue;
    }
    ParameterValues const none = {NIL, nullptr, nullptr};
    BuildCondition(conditions, tree, &none);
  }
  return unasked;
}

// False when the conditions can never be true.
bool MakeQuery(QueryObjects *objects, const char *relation, const char *column) {
  return Guard([&] {
    ReadQuery &query = objects->query;
    query.relation = relation;
    query.select.push_back({column});
    for (Condition const &condition : objects->conditions.Take()) {
      Normalized normalized = Normalize(condition);
      if (normalized.truth == Normalized::Truth::kNever) return false;
      if (normalized.truth == Normalized::Truth::kDepends) query.where.push_back(std::move(normalized.condition));
    }
    FitTarget(query);
    objects->target = BuildTarget(query);
    return true;
  });
}

double Fetch(CountObjects *objects, const Server *server, const Table *table, const Credential *credential,
             const ReadQuery *query) {
  const char *schema = ToUtf8(table->schema_name);
  bool const allow_private = AllowPrivate(server);
  Session *session = GetSession();
  Guard([&] {
    Request request;
    FillRequest(&request, server, schema, allow_private);
    AddCredential(*credential, &request);
    MakeCountRequest(&request, *query, CountMode::kPlanned);
    objects->transfer = session->Send(std::move(request));
  });
  Await(session, objects->transfer.get());
  auto const rows = Guard([&] {
    Response &response = objects->transfer->Result();
    objects->trace = AnswerTrace(objects->transfer->request(), response);
    return static_cast<double>(TakeCount(objects->transfer->request(), response));
  });
  TraceAnswer(objects->trace);
  return rows;
}

}  // namespace

const char *EstimateIdentity(const Server *server, Oid user_id) {
  return IdentityKey(server, user_id);
}

void RememberCount(const Server *server, const Table *table, const char *identity, double rows) {
  if (identity != nullptr) Remember(CountKey(server, table, identity, ""), rows);
}

bool CachedCount(const Server *server, const Table *table, const char *identity, double *rows) {
  return identity != nullptr && Recall(CountKey(server, table, identity, ""), rows);
}

void RememberBrought(const Server *server, const Table *table, const char *identity, List *query, Brought brought) {
  if (identity != nullptr) Keep(server, table, identity, query, {brought.rows, brought.bytes, GetCurrentTimestamp()});
}

bool LastBrought(const Server *server, const Table *table, const char *identity, List *query, Brought *brought) {
  Count last;
  if (!Kept(server, table, identity, query, &last)) return false;
  *brought = {last.rows, last.bytes};
  return true;
}

void RememberTimes(const Server *server, const Table *table, const char *identity, List *query, const TopTimes *times) {
  if (identity == nullptr) return;
  Count last;
  int64 const since = Kept(server, table, identity, query, &last) ? last.at : GetCurrentTimestamp();
  Keep(server, table, identity, query, {0, 0, since, *times});
}

void LastTimes(const Server *server, const Table *table, const char *identity, List *query, TopTimes *times) {
  Count last;
  *times = Kept(server, table, identity, query, &last) ? last.times : TopTimes();
}

bool RemoteEstimate(const DeparseContext *context, List *remote, const char *identity, List **unasked, double *rows) {
  const Server *server = context->server;
  const Table *table = context->table;
  Oid const user_id = PlanUser(context->rel);
  *unasked = NIL;
  if (identity == nullptr || !MayRead(table->id, user_id)) return false;
  const char *column = table->columns[AnyColumn(table) - 1].name;
  auto *query = Own<QueryObjects>(CurrentMemoryContext);
  *unasked = PushFixed(context, remote, &query->conditions);
  *rows = 0;
  if (!MakeQuery(query, ToUtf8(table->table_name), ToUtf8(column))) return true;
  const char *key = CountKey(server, table, identity, query->target.c_str());
  if (Recall(key, rows)) return true;
  CheckHostAllowed(server);
  auto *objects = Own<CountObjects>(CurrentMemoryContext);
  ResolveCredential(server, user_id, table->require_user_jwt ? Actor::kRequiredUser : Actor::kUser,
                    &objects->credential);
  *rows = Fetch(objects, server, table, &objects->credential, &query->query);
  Remember(key, *rows);
  counts_used = true;
  return true;
}

double FetchPlannedCount(const Server *server, const Table *table, const Credential *credential,
                         const ReadQuery *query) {
  return Fetch(Own<CountObjects>(CurrentMemoryContext), server, table, credential, query);
}

void EstimateIdentityChanged() {
  if (!counts_used) return;
  counts_used = false;
  ResetPlanCache();
}

}  // namespace supabase::pg
