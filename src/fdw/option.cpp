#include "fdw/option.hpp"

#include <cstring>
#include <string_view>

#include "core/jwt.hpp"
#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/postgres.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/pg_attribute.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_fdw_validator(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_fdw_validator);
}

namespace {

enum Place : unsigned { kServer = 1, kMapping = 2, kTable = 4, kColumn = 8 };

// kVault: a text that names a secret in Supabase Vault.
enum class Kind { kText, kSecret, kVault, kBool, kInt, kCost, kSeconds, kBytes, kChoice, kUrl, kRef };

struct Option {
  const char *name;
  unsigned places;
  Kind kind;
  double min, max;      // kInt, kCost, kSeconds, kBytes
  const char *choices;  // kChoice: separated by blanks
};

// A new option is a row. Ranges: a page above 1,000,000 rows exceeds what hosted projects can set as their cap;
// costs up to what the planner takes for a forbidden path; timeouts up to an hour; an answer up to PostgreSQL's own
// limit for one value (1 GB).
constexpr Option kOptions[] = {
    {"project_ref", kServer, Kind::kRef, 0, 0, nullptr},
    {"url", kServer, Kind::kUrl, 0, 0, nullptr},
    {"rest_url", kServer, Kind::kUrl, 0, 0, nullptr},
    {"schema_name", kServer | kTable, Kind::kText, 0, 0, nullptr},
    {"table_name", kTable, Kind::kText, 0, 0, nullptr},
    {"rpc", kTable, Kind::kText, 0, 0, nullptr},
    {"rpc_read_only", kTable, Kind::kBool, 0, 0, nullptr},
    {"rpc_result", kTable, Kind::kChoice, 0, 0, "rows values value"},
    {"rpc_argument", kColumn, Kind::kBool, 0, 0, nullptr},
    {"column_name", kColumn, Kind::kText, 0, 0, nullptr},
    {"key", kColumn, Kind::kBool, 0, 0, nullptr},
    {"references", kColumn, Kind::kText, 0, 0, nullptr},
    {"remote_type", kColumn, Kind::kText, 0, 0, nullptr},
    {"fetch_size", kServer | kTable, Kind::kInt, 1, 1'000'000, nullptr},
    {"max_parallel_requests", kServer | kTable, Kind::kInt, 1, 16, nullptr},
    {"batch_size", kServer | kTable, Kind::kInt, 1, 100'000, nullptr},
    {"updatable", kServer | kTable, Kind::kBool, 0, 0, nullptr},
    {"truncatable", kServer | kTable, Kind::kBool, 0, 0, nullptr},
    {"insert_mode", kTable, Kind::kChoice, 0, 0, "insert upsert ignore"},
    {"on_conflict", kTable, Kind::kText, 0, 0, nullptr},
    {"async_capable", kServer | kTable, Kind::kBool, 0, 0, nullptr},
    {"text_ordering", kServer | kTable | kColumn, Kind::kBool, 0, 0, nullptr},
    {"case_mapping", kServer | kTable, Kind::kBool, 0, 0, nullptr},
    {"require_user_jwt", kServer | kTable, Kind::kBool, 0, 0, nullptr},
    {"use_remote_estimate", kServer | kTable, Kind::kBool, 0, 0, nullptr},
    {"fdw_startup_cost", kServer | kTable, Kind::kCost, 0, 1e10, nullptr},
    {"fdw_tuple_cost", kServer | kTable, Kind::kCost, 0, 1e10, nullptr},
    {"session_auth", kServer | kMapping, Kind::kChoice, 0, 0, "always ignore setter"},
    {"aggregates", kServer, Kind::kChoice, 0, 0, "auto true false"},
    {"forward_request_jwt", kServer, Kind::kBool, 0, 0, nullptr},
    {"allow_insecure", kServer, Kind::kBool, 0, 0, nullptr},
    {"connect_timeout", kServer, Kind::kSeconds, 0.001, 3600, nullptr},
    {"request_timeout", kServer, Kind::kSeconds, 0.001, 3600, nullptr},
    {"max_retries", kServer, Kind::kInt, 0, 10, nullptr},
    {"max_response_size", kServer, Kind::kBytes, 1024, 1073741823, nullptr},
    {"api_key", kMapping, Kind::kSecret, 0, 0, nullptr},
    {"jwt", kMapping, Kind::kSecret, 0, 0, nullptr},
    {"login", kMapping, Kind::kText, 0, 0, nullptr},
    {"api_key_id", kMapping, Kind::kVault, 0, 0, nullptr},
    {"api_key_name", kMapping, Kind::kVault, 0, 0, nullptr},
    {"origin", kMapping, Kind::kUrl, 0, 0, nullptr},
};

// postgres_fdw's: a round trip, and a little for each row that is transferred.
constexpr double kDefaultStartupCost = 100.0;
constexpr double kDefaultTupleCost = 0.01;
// Rows of an INSERT request: a fifth slower with a hundred, no faster with ten thousand.
constexpr double kBatchSize = 1000;

// Words that name a secret whatever the spelling; refused with their own message where every role can read options.
constexpr const char *kSecretWords[] = {"key", "token", "secret", "password", "jwt", "credential", "auth"};

unsigned PlaceOf(Oid catalog) {
  switch (catalog) {
    case ForeignServerRelationId:
      return kServer;
    case UserMappingRelationId:
      return kMapping;
    case ForeignTableRelationId:
      return kTable;
    case AttributeRelationId:
      return kColumn;
    default:
      return 0;
  }
}

const char *PlaceName(unsigned place) {
  switch (place) {
    case kServer:
      return "server";
    case kMapping:
      return "user mapping";
    case kTable:
      return "foreign table";
    case kColumn:
      return "column";
    default:
      return "foreign-data wrapper";
  }
}

const char *ValidNames(unsigned place) {
  StringInfoData names;
  initStringInfo(&names);
  for (const Option &option : kOptions) {
    if ((option.places & place) != 0) appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", option.name);
  }
  return names.len > 0 ? names.data : "none";
}

[[noreturn]] void BadValue(const Option *option, const char *value, const char *hint) {
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                  errmsg("invalid value for option \"%s\": \"%s\"", option->name, value), errhint("%s", hint)));
  pg_unreachable();
}

void CheckNumber(const Option *option, const char *value, int unit_flags, const char *what) {
  double number = 0;
  const char *unit_hint = nullptr;
  bool const whole = option->kind == Kind::kInt;
  if (!parse_real(value, &number, unit_flags, &unit_hint) || number < option->min || number > option->max ||
      (whole && number != static_cast<int>(number))) {
    BadValue(option, value, psprintf("The value must be %s between %.10g and %.10g.", what, option->min, option->max));
  }
}

const char *CommaList(const char *words) {
  StringInfoData list;
  initStringInfo(&list);
  for (; *words != '\0'; words++) {
    if (*words == ' ') appendStringInfoChar(&list, ',');
    appendStringInfoChar(&list, *words);
  }
  return list.data;
}

void CheckChoice(const Option *option, const char *value) {
  size_t const size = strlen(value);
  for (const char *word = option->choices; word != nullptr; word = strchr(word, ' ')) {
    while (*word == ' ')
      word++;
    if (strchr(value, ' ') == nullptr && strncmp(word, value, size) == 0 && (word[size] == ' ' || word[size] == '\0') &&
        size > 0)
      return;
  }
  BadValue(option, value, psprintf("Valid values are: %s.", CommaList(option->choices)));
}

void CheckSecret(const Option *option, const char *value) {
  for (const char *c = value; *c != '\0'; c++) {
    // A header value may hold visible ASCII only (RFC 9110 5.5); the value itself stays out of the message.
    if (*c <= 0x20 || *c >= 0x7f) {
      ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                      errmsg("value of option \"%s\" contains a blank, a control character or a non-ASCII character",
                             option->name)));
    }
  }
  if (*value == '\0') {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("value of option \"%s\" must not be empty", option->name)));
  }
}

void CheckValue(const Option *option, const char *value) {
  bool flag;
  switch (option->kind) {
    case Kind::kText:
    case Kind::kVault:
      if (*value == '\0') BadValue(option, value, "The value must not be empty.");
      break;
    case Kind::kSecret:
      CheckSecret(option, value);
      break;
    case Kind::kBool:
      if (!parse_bool(value, &flag)) BadValue(option, value, "The value must be true or false.");
      break;
    case Kind::kInt:
      CheckNumber(option, value, 0, "a whole number");
      break;
    case Kind::kCost:
      CheckNumber(option, value, 0, "a number");
      break;
    case Kind::kSeconds:
      CheckNumber(option, value, GUC_UNIT_S, "a time, in seconds when it has no unit,");
      break;
    case Kind::kBytes:
      CheckNumber(option, value, GUC_UNIT_BYTE, "a size, in bytes when it has no unit,");
      break;
    case Kind::kChoice:
      CheckChoice(option, value);
      break;
    case Kind::kUrl:
      Guard([&] { ParseBaseUrl(option->name, value); });
      break;
    case Kind::kRef:
      if (!Guard([&] { return IsProjectRef(value); })) {
        BadValue(option, value,
                 "A project reference is 20 lower-case letters, as in https://<project_ref>.supabase.co.");
      }
      break;
  }
}

[[noreturn]] void RefuseSecret(const char *name, unsigned place) {
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                  errmsg("a secret cannot be an option of a %s: \"%s\"", PlaceName(place), name),
                  errdetail("Every role can read the options of servers, foreign tables and columns."),
                  errhint("Set it with CREATE USER MAPPING ... OPTIONS (api_key '...').")));
  pg_unreachable();
}

[[noreturn]] void UnknownOption(const char *name, unsigned place) {
  bool known = false;
  for (const Option &option : kOptions)
    known = known || (option.kind != Kind::kSecret && strcmp(option.name, name) == 0);
  if (place != kMapping && !known) {
    for (const char *word : kSecretWords) {
      if (strcasestr(name, word) != nullptr) RefuseSecret(name, place);
    }
  }
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
                  errhint("Valid options in this context are: %s.", ValidNames(place))));
  pg_unreachable();
}

const Option *FindDefinition(const char *name, unsigned place) {
  for (const Option &option : kOptions) {
    if ((option.places & place) != 0 && strcmp(option.name, name) == 0) return &option;
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

// An address without TLS sends keys and tokens in the clear: only to this machine, unless a superuser says otherwise.
void CheckScheme(List *options, const char *name) {
  const char *value = FindOption(options, name);
  if (value == nullptr) return;
  bool const insecure = BoolOption(options, "allow_insecure", false);
  bool const safe = Guard([&] {
    BaseUrl const url = ParseBaseUrl(name, value);
    return url.scheme == "https" || url.IsLoopback();
  });
  if (!safe && !insecure) {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("invalid value for option \"%s\": \"%s\"", name, value),
                    errdetail("Keys and tokens would be sent without encryption."),
                    errhint("Use https, or have a superuser set allow_insecure 'true'.")));
  }
}

void CheckServerOptions(List *options) {
  const char *addresses[] = {"project_ref", "url", "rest_url"};
  int given = 0;
  for (const char *name : addresses)
    given += FindOption(options, name) != nullptr ? 1 : 0;
  if (given > 1) {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("options \"project_ref\", \"url\" and \"rest_url\" exclude each other")));
  }
  if (BoolOption(options, "allow_insecure", false) && !superuser()) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to set option \"allow_insecure\"")));
  }
  CheckScheme(options, "url");
  CheckScheme(options, "rest_url");
}

// At most one of these.
void CheckExclusive(List *options, const char *first, const char *second) {
  if (FindOption(options, first) == nullptr || FindOption(options, second) == nullptr) return;
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                  errmsg("options \"%s\" and \"%s\" exclude each other", first, second)));
}

void CheckMappingOptions(List *options) {
  CheckExclusive(options, "jwt", "login");
  CheckExclusive(options, "api_key", "api_key_id");
  CheckExclusive(options, "api_key", "api_key_name");
  CheckExclusive(options, "api_key_id", "api_key_name");
}

void CheckTableOptions(List *options) {
  const char *function = FindOption(options, "rpc");
  CheckExclusive(options, "rpc", "table_name");
  for (const char *name : {"rpc_read_only", "rpc_result"}) {
    if (function != nullptr || FindOption(options, name) == nullptr) continue;
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" needs the option \"rpc\"", name)));
  }
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

bool HoldsSecret(List *mapping_options) {
  ListCell *cell;
  foreach (cell, mapping_options) {
    const Option *option = FindDefinition(static_cast<DefElem *>(lfirst(cell))->defname, kMapping);
    if (option != nullptr && (option->kind == Kind::kSecret || option->kind == Kind::kVault)) return true;
  }
  return false;
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
  if (server->management) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("server \"%s\" has type \"management\", which this version cannot query", server->name)));
  }
  if (strcmp(type, "project") != 0) {
    ereport(ERROR, (errcode(ERRCODE_FDW_ERROR), errmsg("server \"%s\" has the unknown type \"%s\"", server->name, type),
                    errhint("Valid types are: project, management.")));
  }
  SetAddress(server, options);
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

// Walks pg_foreign_server for servers of this wrapper that are projects. Returns how many, and the last one's OID.
static int FindProjectServers(Oid *last) {
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
    if (!isnull && strcmp(TextDatumGetCString(type), "management") == 0) continue;
    count++;
    *last = form->oid;
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return count;
}

int CountProjectServers() {
  Oid last = InvalidOid;
  return FindProjectServers(&last);
}

static void CheckUsage(const ForeignServer *server) {
#if PG_VERSION_NUM >= 160000
  AclResult const result = object_aclcheck(ForeignServerRelationId, server->serverid, GetUserId(), ACL_USAGE);
#else
  AclResult const result = pg_foreign_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE);
#endif
  if (result != ACLCHECK_OK) aclcheck_error(result, OBJECT_FOREIGN_SERVER, server->servername);
}

Server *GetServerByName(const char *name) {
  if (name != nullptr) {
    ForeignServer *foreign = GetForeignServerByName(name, false);
    ForeignDataWrapper *wrapper = GetForeignDataWrapper(foreign->fdwid);
    if (strcmp(wrapper->fdwname, "supabase_fdw") != 0) {
      ereport(ERROR,
              (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("server \"%s\" is not a server of supabase_fdw", name)));
    }
    CheckUsage(foreign);
    return GetServerOptions(foreign->serverid);
  }
  Oid id = InvalidOid;
  int const count = FindProjectServers(&id);
  if (count != 1) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the server must be named"),
                    errdetail("The database has %d project servers.", count)));
  }
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

// VALIDATOR of the wrapper: called for every CREATE and ALTER with the whole new list of options.
Datum supabase_fdw_validator(PG_FUNCTION_ARGS) {
  // Whatever is wrong with it: the statement may hold a secret, in the right place or in a wrong one.
  StatementHider hider;
  hider.Push();
  List *options = untransformRelOptions(PG_GETARG_DATUM(0));
  unsigned const place = PlaceOf(PG_GETARG_OID(1));
  ListCell *cell;
  foreach (cell, options) {
    auto *def = static_cast<DefElem *>(lfirst(cell));
    const Option *option = FindDefinition(def->defname, place);
    if (option == nullptr) UnknownOption(def->defname, place);
    const char *value = defGetString(def);
    if (option->kind != Kind::kSecret && Guard([&] { return LooksLikeSecret(value); })) {
      RefuseSecret(def->defname, place);
    }
    CheckValue(option, value);
  }
  if (place == kServer) CheckServerOptions(options);
  if (place == kTable) CheckTableOptions(options);
  if (place == kMapping) CheckMappingOptions(options);
  hider.Pop();
  PG_RETURN_VOID();
}

}  // namespace supabase::pg
