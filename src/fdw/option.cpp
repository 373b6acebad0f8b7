#include "fdw/option.hpp"

#include <cstring>

#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/postgres.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/genam.h"
}

namespace supabase::pg {
namespace {

// postgres_fdw's: a round trip, and a little for each row that is transferred.
constexpr double kDefaultStartupCost = 100.0;
constexpr double kDefaultTupleCost = 0.01;
// Rows of an INSERT request: a fifth slower with a hundred, no faster with ten thousand.
constexpr double kBatchSize = 1000;

bool FanoutOption(List *options, bool otherwise) {
  const char *value = FindOption(options, "fanout");
  return value == nullptr ? otherwise : strcmp(value, "require_qual") == 0;
}

SessionAuth SessionAuthOption(List *options) {
  const char *value = FindOption(options, "session_auth");
  if (value == nullptr || strcmp(value, "always") == 0) return SessionAuth::kAlways;
  return strcmp(value, "ignore") == 0 ? SessionAuth::kIgnore : SessionAuth::kSetter;
}

Aggregates AggregatesOption(List *options) {
  const char *value = FindOption(options, "aggregates");
  if (value == nullptr || strcmp(value, "auto") == 0) return Aggregates::kUnknown;
  return strcmp(value, "true") == 0 ? Aggregates::kAllowed : Aggregates::kRefused;
}

}  // namespace

const char *FindOption(List *options, const char *name) {
  ListCell *cell;
  foreach (cell, options) {
    auto *def = static_cast<DefElem *>(lfirst(cell));
    if (strcmp(def->defname, name) == 0) return defGetString(def);
  }
  return nullptr;
}

bool BoolOption(List *options, const char *name, bool otherwise) {
  const char *value = FindOption(options, name);
  bool result = otherwise;
  if (value != nullptr) (void)parse_bool(value, &result);
  return result;
}

double RealOption(List *options, const char *name, int unit_flags, double otherwise) {
  const char *value = FindOption(options, name);
  double result = otherwise;
  if (value != nullptr) (void)parse_real(value, &result, unit_flags, nullptr);
  return result;
}

Server *GetServerOptions(Oid server_id) {
  ForeignServer *foreign = GetForeignServer(server_id);
  List *options = foreign->options;
  auto *server = static_cast<Server *>(palloc0(sizeof(Server)));
  server->id = server_id;
  server->name = foreign->servername;
  const char *type = foreign->servertype != nullptr ? foreign->servertype : "project";
  server->management = strcmp(type, "management") == 0;
  server->superuser_owned = superuser_arg(foreign->owner);
  server->access = static_cast<HostAccess *>(palloc0(sizeof(HostAccess)));
  if (!server->management && strcmp(type, "project") != 0) {
    ereport(ERROR, (errcode(ERRCODE_FDW_ERROR), errmsg("server \"%s\" has the unknown type \"%s\"", server->name, type),
                    errhint("Valid types are: project, management.")));
  }
  CheckOptionsFit(options, kServer, server->management, server->name);
  if (server->management) {
    SetManagementAddress(server, options);
    server->destructive = BoolOption(options, "destructive", false);
    server->require_qual = FanoutOption(options, false);
  } else {
    SetAddress(server, options);
  }
  const char *schema = FindOption(options, "schema_name");
  server->schema_name = schema != nullptr ? schema : "public";
  server->fetch_size = static_cast<int>(RealOption(options, "fetch_size", 0, 0));
  server->max_parallel_requests = static_cast<int>(RealOption(options, "max_parallel_requests", 0, 4));
  server->async_capable = BoolOption(options, "async_capable", true);
  server->forward_request_jwt = BoolOption(options, "forward_request_jwt", false);
  server->require_user_jwt = BoolOption(options, "require_user_jwt", false);
  server->session_auth = SessionAuthOption(options);
  server->aggregates = AggregatesOption(options);
  server->connect_timeout = RealOption(options, "connect_timeout", GUC_UNIT_S, 10);
  server->request_timeout = RealOption(options, "request_timeout", GUC_UNIT_S, 60);
  server->max_retries = static_cast<int>(RealOption(options, "max_retries", 0, 3));
  server->max_response_size = RealOption(options, "max_response_size", GUC_UNIT_BYTE, 256.0 * 1024 * 1024);
  return server;
}

void RequireProject(const Server *server) {
  if (!server->management) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("server \"%s\" has type \"management\", which cannot be used here", server->name),
                  errhint("Use a server of type \"project\".")));
}

void RequireManagement(const Server *server) {
  if (server->management) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("server \"%s\" has type \"project\", which cannot be used here", server->name),
                  errhint("Use a server of type \"management\".")));
}

// Walks pg_foreign_server for servers of this wrapper that are projects, or that are not. Returns how many, and the
// last one's OID.
static int FindServers(bool management, Oid *last) {
  Oid const wrapper = get_foreign_data_wrapper_oid("supabase_fdw", true);
  Relation relation = table_open(ForeignServerRelationId, AccessShareLock);
  SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 0, nullptr);
  int count = 0;
  HeapTuple tuple;
  while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
    auto *form = reinterpret_cast<Form_pg_foreign_server>(GETSTRUCT(tuple));
    if (form->srvfdw != wrapper) continue;
    bool isnull;
    Datum const type = heap_getattr(tuple, Anum_pg_foreign_server_srvtype, RelationGetDescr(relation), &isnull);
    if (management != (!isnull && strcmp(TextDatumGetCString(type), "management") == 0)) continue;
    count++;
    *last = form->oid;
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return count;
}

int CountProjectServers() {
  Oid last = InvalidOid;
  return FindServers(false, &last);
}

static void CheckUsage(const ForeignServer *server) {
#if PG_VERSION_NUM >= 160000
  AclResult const result = object_aclcheck(ForeignServerRelationId, server->serverid, GetUserId(), ACL_USAGE);
#else
  AclResult const result = pg_foreign_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE);
#endif
  if (result != ACLCHECK_OK) aclcheck_error(result, OBJECT_FOREIGN_SERVER, server->servername);
}

static Server *RequireType(Server *server, ServerType type) {
  if (type == ServerType::kProject) RequireProject(server);
  if (type == ServerType::kManagement) RequireManagement(server);
  return server;
}

Server *GetServerByName(const char *name, ServerType type) {
  if (name != nullptr) {
    ForeignServer *foreign = GetForeignServerByName(name, false);
    ForeignDataWrapper *wrapper = GetForeignDataWrapper(foreign->fdwid);
    if (strcmp(wrapper->fdwname, "supabase_fdw") != 0) {
      ereport(ERROR,
              (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("server \"%s\" is not a server of supabase_fdw", name)));
    }
    CheckUsage(foreign);
    return RequireType(GetServerOptions(foreign->serverid), type);
  }
  bool const management = type == ServerType::kManagement;
  Oid id = InvalidOid;
  int const count = FindServers(management, &id);
  if (count != 1) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the server must be named"),
                    errdetail("The database has %d %s servers.", count, management ? "management" : "project"),
                    count == 0 && management ? errhint("Create one: CREATE SERVER ... TYPE 'management' ...")
                                             : errhint("Give its name as the argument \"server\".")));
  }
  CheckUsage(GetForeignServer(id));
  return GetServerOptions(id);
}

static void SetFunction(Table *table, List *options) {
  table->function = FindOption(options, "rpc");
  table->function_read_only = BoolOption(options, "rpc_read_only", false);
  const char *result = FindOption(options, "rpc_result");
  table->function_result = result == nullptr || strcmp(result, "rows") == 0 ? FunctionResult::kRows
                           : strcmp(result, "values") == 0                  ? FunctionResult::kValues
                                                                            : FunctionResult::kValue;
}

static void SetWriting(Table *table, List *options, List *server_options) {
  auto flag = [&](const char *name) { return BoolOption(options, name, BoolOption(server_options, name, true)); };
  table->updatable = flag("updatable");
  table->truncatable = flag("truncatable");
  table->batch_size =
      static_cast<int>(RealOption(options, "batch_size", 0, RealOption(server_options, "batch_size", 0, kBatchSize)));
  const char *mode = FindOption(options, "insert_mode");
  table->insert_mode = mode == nullptr || strcmp(mode, "insert") == 0 ? InsertMode::kInsert
                       : strcmp(mode, "ignore") == 0                  ? InsertMode::kIgnore
                                                                      : InsertMode::kUpsert;
  table->on_conflict = FindOption(options, "on_conflict");
}

Table *GetTableOptions(Oid table_id, const Server *server) {
  ForeignTable *foreign = GetForeignTable(table_id);
  ForeignServer *foreign_server = GetForeignServer(foreign->serverid);
  auto *table = static_cast<Table *>(palloc0(sizeof(Table)));
  table->id = table_id;
  CheckOptionsFit(foreign->options, kTable, server->management, get_rel_name(table_id));
  table->resource = FindOption(foreign->options, "resource");
  table->require_qual = FanoutOption(foreign->options, server->require_qual);
  const char *schema = FindOption(foreign->options, "schema_name");
  const char *name = FindOption(foreign->options, "table_name");
  SetFunction(table, foreign->options);
  table->schema_name = schema != nullptr ? schema : pstrdup(server->schema_name);
  table->table_name = table->function != nullptr ? table->function : name != nullptr ? name : get_rel_name(table_id);
  table->fetch_size = static_cast<int>(RealOption(foreign->options, "fetch_size", 0, server->fetch_size));
  table->max_parallel_requests =
      static_cast<int>(RealOption(foreign->options, "max_parallel_requests", 0, server->max_parallel_requests));
  table->async_capable = BoolOption(foreign->options, "async_capable", server->async_capable);
  table->require_user_jwt =
      BoolOption(foreign->options, "require_user_jwt", BoolOption(foreign_server->options, "require_user_jwt", false));
  SetWriting(table, foreign->options, foreign_server->options);
  table->case_mapping =
      BoolOption(foreign->options, "case_mapping", BoolOption(foreign_server->options, "case_mapping", false));
  List *server_options = foreign_server->options;
  table->use_remote_estimate =
      table->function == nullptr &&
      BoolOption(foreign->options, "use_remote_estimate", BoolOption(server_options, "use_remote_estimate", false));
  table->startup_cost = RealOption(foreign->options, "fdw_startup_cost", 0,
                                   RealOption(server_options, "fdw_startup_cost", 0, kDefaultStartupCost));
  table->tuple_cost = RealOption(foreign->options, "fdw_tuple_cost", 0,
                                 RealOption(server_options, "fdw_tuple_cost", 0, kDefaultTupleCost));
  bool const text_ordering =
      BoolOption(foreign->options, "text_ordering", BoolOption(foreign_server->options, "text_ordering", false));

  Relation relation = table_open(table_id, NoLock);
  TupleDesc desc = RelationGetDescr(relation);
  table->natts = desc->natts;
  table->by_name = static_cast<bool *>(palloc0(sizeof(bool)));
  table->columns = static_cast<Column *>(palloc0(sizeof(Column) * static_cast<Size>(desc->natts)));
  for (int i = 0; i < desc->natts; i++) {
    Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (attribute->attisdropped) continue;
    List *options = GetForeignColumnOptions(table_id, static_cast<AttrNumber>(i + 1));
    CheckOptionsFit(options, kColumn, server->management, NameStr(attribute->attname));
    Column *column = &table->columns[i];
    const char *remote = FindOption(options, "column_name");
    column->name = remote != nullptr ? remote : pstrdup(NameStr(attribute->attname));
    column->remote_type = FindOption(options, "remote_type");
    column->key = BoolOption(options, "key", false);
    column->as_text = column->remote_type != nullptr || GetTypeRule(attribute->atttypid).as_text;
    column->argument = table->function != nullptr && BoolOption(options, "rpc_argument", false);
    // PostgREST's name for plain values, in filters and orders.
    if (table->function_result != FunctionResult::kRows && !column->argument) column->name = "pgrst_scalar";
    column->text_ordering = BoolOption(options, "text_ordering", text_ordering);
  }
  table_close(relation, NoLock);
  return table;
}

}  // namespace supabase::pg
