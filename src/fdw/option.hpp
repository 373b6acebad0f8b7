#pragma once

#include "fdw/postgres.hpp"

namespace supabase::pg {

// Options of servers, user mappings, tables and columns: what exists, what a value may be, and the effective values of
// one server or table. Nothing here holds a secret.

// Whether a server aggregates. kUnknown: the option is "auto".
enum class Aggregates { kUnknown, kAllowed, kRefused };
enum class SessionAuth { kAlways, kIgnore, kSetter };

// Whether a server's host may be asked, by a value of supabase_fdw.allowed_hosts.
struct HostAccess {
  const char *setting;  // that value; NULL: not looked at yet
  bool covered;         // it covers the host
  bool listed;          // it names the host itself
};

// A server of one type has the fields of both that are not said to be the other's.
struct Server {
  Oid id;
  const char *name;
  bool management;  // TYPE 'management': the Management API; else a project
  bool superuser_owned;
  const char *management_url;  // of the Management API: "https://api.supabase.com"; NULL for a project
  bool destructive;            // likewise, as the next: what cannot be undone is permitted
  bool require_qual;           // option fanout: a query without project_ref does not visit every project
  const char *rest_url;   // "https://host/rest/v1", where tables are; the PostgREST root; NULL for the Management API
  const char *rest_path;  // its path part, for EXPLAIN: "/rest/v1" or ""
  const char *auth_url;   // "https://host/auth/v1"; NULL for a bare PostgREST, which has no Auth
  const char *auth_path;  // its path part
  const char *host;
  const char *project_ref;  // or NULL; also derived from a host <ref>.supabase.co
  const char *schema_name;
  int fetch_size;  // 0: adaptive
  int max_parallel_requests;
  bool async_capable;
  bool forward_request_jwt;
  bool require_user_jwt;
  SessionAuth session_auth;
  Aggregates aggregates;
  double connect_timeout;  // seconds
  double request_timeout;  // seconds
  int max_retries;
  double max_response_size;  // bytes
  HostAccess *access;        // for connection.cpp to remember
};

struct Column {
  const char *name;         // remote
  const char *remote_type;  // set when the remote type differs from the local one; NULL else
  bool key;
  bool argument;  // of the function that the table shows
  bool as_text;   // fetched as text, because its JSON form would lose something
  bool text_ordering;
};

// What a remote function returns, as the table that shows it takes it.
enum class FunctionResult { kRows, kValues, kValue };

// What an INSERT does about a row whose key is there already.
enum class InsertMode { kInsert, kIgnore, kUpsert };

struct Table {
  Oid id;
  const char *schema_name;
  const char *table_name;  // or the function's name
  const char *resource;    // of the Management API's catalogue; NULL for a project's table
  bool require_qual;       // option fanout of a table of the Management API
  const char *function;    // option rpc; NULL for a table or view
  bool function_read_only;
  FunctionResult function_result;
  int fetch_size;  // 0: adaptive
  int max_parallel_requests;
  bool async_capable;
  bool updatable;
  bool truncatable;
  int batch_size;  // rows of an INSERT request
  InsertMode insert_mode;
  const char *on_conflict;  // local names of columns, separated by commas; NULL: the key
  bool require_user_jwt;
  bool case_mapping;
  bool use_remote_estimate;
  double startup_cost;  // of one request, in the planner's units
  double tuple_cost;    // of a row that is transferred
  bool *by_name;        // for scan.cpp to remember: whole rows were not worth asking for
  int natts;
  Column *columns;  // by attribute number - 1; dropped columns have a NULL name
};

// Where an option may stand.
enum Place : unsigned { kServer = 1, kMapping = 2, kTable = 4, kColumn = 8 };

// Raises HV00D for an option that servers of this type do not have. The validator is not told the type, so this is
// checked when options are used; `name` is what has them, for the message.
void CheckOptionsFit(List *options, Place place, bool management, const char *name);

// Effective options, palloc'd in the current memory context. Raise HV00N-class errors for a server without an address.
// A server may be of either type.
Server *GetServerOptions(Oid server_id);
Table *GetTableOptions(Oid table_id, const Server *server);
// The same from a cache of the backend, which forgets what a catalog change may concern. They live as long as the
// current memory context.
const Server *UseServer(Oid server_id);
const Table *UseTable(Oid table_id, const Server *server);
// What a caller is made for. Raise 0A000 for a server of the other type.
void RequireProject(const Server *server);
void RequireManagement(const Server *server);
// By name, or the only server of that type of the database when `name` is NULL. Raises 0A000 for one of another type,
// 42501 when the role has no USAGE on it.
enum class ServerType { kProject, kManagement, kAny };
Server *GetServerByName(const char *name, ServerType type);

// How many project servers of this wrapper the database has.
int CountProjectServers();

// Splits a server's address into what requests and checks need.
void SetAddress(Server *server, List *options);
void SetManagementAddress(Server *server, List *options);
// Where a server of this type with these options sends its requests, in one spelling; "" when the options do not say.
const char *ServerAddress(const char *type, List *options);
// Whether a user mapping with these options has a secret in it, or the name of one in Supabase Vault: what goes to
// whatever address the server has. A stored login has an address of its own and does not count.
bool HoldsSecret(List *mapping_options);

// One option of a list, or NULL; as a value, which the validator has seen.
const char *FindOption(List *options, const char *name);
bool BoolOption(List *options, const char *name, bool otherwise);
double RealOption(List *options, const char *name, int unit_flags, double otherwise);

}  // namespace supabase::pg
