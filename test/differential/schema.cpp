#include "schema.hpp"

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "node.hpp"
#include "random.hpp"

namespace differential {
namespace {

using Names = std::vector<std::string>;

Names AllTypes() {
  Names names;
  for (const Type &type : Types())
    names.push_back(type.name);
  return names;
}

const Names kSome = {"b", "i4", "i8", "num2", "f8x", "f4", "t", "vc", "d", "tz", "uuid", "mood", "jb", "i4a", "ir"};
const Names kSortable = {"i4", "num2", "t", "d", "b"};

// Adds the columns `types`; prefixed, so that a join's columns have different names.
Table MakeTable(const std::string &name, const std::string &prefix, const Names &key, const Names &types, int rows,
                int fetch_size) {
  Table table;
  table.name = name;
  table.rows = rows;
  table.fetch_size = fetch_size;
  for (size_t i = 0; i < key.size(); i++) {
    const std::string column = i == 0 ? "id" : "id" + std::to_string(i + 1);
    table.columns.push_back({column, &TypeOf(key[i]), QuoteName(column)});
    table.key.push_back(QuoteName(column));
    table.key_types.push_back(&TypeOf(key[i]));
  }
  for (const std::string &type : types) {
    table.columns.push_back({prefix + type, &TypeOf(type), QuoteName(prefix + type)});
  }
  return table;
}

Table OddNames() {
  Table table = MakeTable("diff odd \"(t)\", *", "", {"i4"}, {}, 40, 9);
  const std::pair<const char *, const char *> columns[] = {
      {"na me", "t"},     {"com,ma", "i4"},  {"do.t", "t"},     {"qu\"ote", "i4"},   {"par(en)", "d"}, {"st*ar", "b"},
      {"co:lon", "num2"}, {"per%cent", "t"}, {"am&p=er", "i8"}, {"ar->row", "jb"},   {"é😀", "mood"},   {"Upper", "vc"},
      {"select", "i4"},   {"or", "b"},       {"not.and", "i4"}, {"back\\slash", "t"}};
  for (const auto &[name, type] : columns)
    table.columns.push_back({name, &TypeOf(type), QuoteName(name)});
  return table;
}

// Columns that show another type than the remote one. Those that say so (remote_type) may take values that the remote
// column would refuse, or compare otherwise (a name has the collation C, in which only ASCII letters have cases); the
// rest compare as the remote column does.
Table OtherTypes() {
  Table table = MakeTable("diff_typed", "", {"i4"}, {}, 60, 10);
  struct Shown {
    const char *type, *remote;
    bool declared;
  };
  static const Shown shown[] = {
      {"i8", "i4", true},     {"num", "i4", true},    {"num", "i8", true},  {"f8", "f4", true},    {"t", "i4", true},
      {"t", "f8", true},      {"t", "tz", true},      {"t", "mood", true},  {"t", "jb", true},     {"t", "ta", true},
      {"t", "i4a", true},     {"t", "ba", true},      {"t", "uuid", true},  {"t", "ci", true},     {"t", "ch", true},
      {"d", "ts", true},      {"jb", "json", true},   {"vc", "mood", true}, {"ci", "vc", true},    {"i4", "i2", true},
      {"i4", "dpos", false},  {"num", "num2", false}, {"t", "vc", false},   {"t", "dtext", false}, {"t", "nm", true},
      {"dtext", "vc", false}, {"tz", "tz0", false},   {"f8", "f8x", false}};
  for (const Shown &column : shown) {
    const std::string name = std::string(column.type) + "_of_" + column.remote;
    table.columns.push_back({name, &TypeOf(column.type), QuoteName(name), &TypeOf(column.remote), column.declared});
  }
  return table;
}

std::vector<Table> MakeTables() {
  std::vector<Table> tables;
  tables.push_back(MakeTable("diff_all", "c_", {"i4"}, AllTypes(), 300, 64));
  tables.push_back(
      MakeTable("diff_big", "g_", {"i8"}, {"b", "i4", "num2", "f8x", "t", "vc", "d", "tz", "mood"}, 3000, 400));
  tables.back().large = true;
  tables.push_back(MakeTable("diff_pair_key", "p_", {"t", "i4"}, kSome, 57, 7));
  tables.push_back(MakeTable("diff_text_key", "k_", {"t"}, kSome, 60, 7));
  tables.push_back(MakeTable("diff_uuid_key", "u_", {"uuid"}, kSome, 50, 8));
  tables.push_back(MakeTable("diff_time_key", "z_", {"tz", "num2"}, kSome, 50, 6));
  tables.push_back(MakeTable("diff_none", "n_", {}, kSortable, 50, 9));
  tables.push_back(MakeTable("diff_empty", "e_", {"i4"}, kSome, 0, 0));
  tables.push_back(MakeTable("diff_one", "o_", {"i4"}, kSome, 1, 0));
  tables.push_back(MakeTable("diff_part", "q_", {"i4"}, {"b", "i4", "t", "num2", "d", "tz"}, 90, 11));
  tables.push_back(OtherTypes());
  tables.push_back(OddNames());
  return tables;
}

// The partitions of diff_part, of which the last is a local table on both sides.
constexpr int kPartitions = 3;
constexpr int kPartitionRows = 30;

std::string PartitionName(int number) {
  return "diff_part_" + std::to_string(number);
}

std::string PartitionBounds(int number) {
  return "FOR VALUES FROM (" + std::to_string(number * kPartitionRows) + ") TO (" +
         std::to_string((number + 1) * kPartitionRows) + ")";
}

enum class Side { kRemote, kLocal, kForeign };

std::string ColumnList(const Table &table, Side side) {
  std::string sql;
  for (const Column &column : table.columns) {
    const Type &type = side == Side::kRemote ? *column.Stored() : *column.type;
    sql += (sql.empty() ? "" : ", ") + column.sql + " " + type.sql;
    bool key = false;
    for (const std::string &name : table.key)
      key = key || name == column.sql;
    if (side == Side::kForeign && key) sql += " OPTIONS (key 'true')";
    if (side == Side::kForeign && column.declared)
      sql += " OPTIONS (remote_type " + QuoteLiteral(column.remote->sql) + ")";
    if (key) sql += " NOT NULL";
  }
  return sql;
}

std::string KeyClause(const Table &table) {
  std::string sql;
  for (const std::string &name : table.key)
    sql += (sql.empty() ? "" : ", ") + name;
  return sql.empty() ? "" : ", PRIMARY KEY (" + sql + ")";
}

// A value for row `row` of a key column: the pool's while they last, for text made unique by a number.
std::string KeyValue(const Table &table, size_t column, int row) {
  const Type &type = *table.key_types[column];
  if (type.name == "i4" || type.name == "i8") return std::to_string(table.key.size() > 1 ? row % 5 : row);
  if (type.name == "t" && table.key.size() == 1) {
    return static_cast<size_t>(row) < type.pool.size() ? type.pool[static_cast<size_t>(row) * 2 % type.pool.size()]
                                                       : "";
  }
  if (type.name == "t") return type.pool[static_cast<size_t>(row) / 5 * 7 % type.pool.size()];
  if (type.name == "uuid") {
    const std::string digits = std::to_string(1000 + row * 7 % 50);
    return digits + "0000-e89b-12d3-a456-42661417" + digits;
  }
  if (type.name == "tz") return type.pool[static_cast<size_t>(row) / 10 % type.pool.size()];
  return std::to_string(row % 10) + ".25";  // num2
}

// The literal of a value that the remote column has, as the column of that side takes it.
std::string StoredLiteral(const Column &column, Side side, const std::string &text) {
  if (column.remote == nullptr || side == Side::kRemote) return QuoteLiteral(text);
  return QuoteLiteral(text) + "::" + column.remote->sql + "::text::" + column.type->sql;
}

std::string RowValues(const Table &table, Side side, int row, Random *random) {
  std::string sql;
  for (size_t i = 0; i < table.columns.size(); i++) {
    if (i > 0) sql += ", ";
    const Column &column = table.columns[i];
    if (i < table.key.size()) {
      sql += QuoteLiteral(KeyValue(table, i, row));
    } else if (random->Chance(25)) {
      sql += "NULL";
    } else {
      const std::string &text = random->Pick(column.Stored()->pool);
      const bool emptied = (column.type->traits & kString) != 0 && column.remote == nullptr && random->Chance(5);
      sql += StoredLiteral(column, side, emptied ? "" : text);
    }
  }
  return "(" + sql + ")";
}

// INSERT of the rows from `first` on.
std::string Rows(const Table &table, Side side, const std::string &name, int first, int count) {
  if (count == 0) return "";
  Random random(7, table.name.size() * 100000 + static_cast<uint64_t>(first));
  std::string sql = "INSERT INTO " + name + " VALUES ";
  for (int row = first; row < first + count; row++)
    sql += (row > first ? ", " : "") + RowValues(table, side, row, &random);
  return sql + ";";
}

constexpr const char *kSettings =
    "SET DateStyle = ISO; SET TimeZone = 'UTC'; SET xmloption = content; SET client_min_messages = error;";

constexpr const char *kObjects =
    "CREATE TYPE diff_mood AS ENUM ('sad', 'ok', 'happy', 'so, so', 'it''s \"fine\"', 'par(en', '*', 'ANGRY', '');"
    "CREATE TYPE diff_pair AS (a int, b text);"
    "CREATE DOMAIN diff_positive AS int CHECK (value > 0);"
    "CREATE DOMAIN diff_short AS text CHECK (length(value) <= 20);";

constexpr const char *kDropObjects =
    "DROP TYPE IF EXISTS diff_mood, diff_pair CASCADE; DROP DOMAIN IF EXISTS diff_positive, diff_short CASCADE;";

std::string RemoteName(const std::string &table) {
  return "public." + QuoteName(table);
}

std::string RemoteTable(const Table &table, const std::string &name, int first, int count) {
  const std::string sql = RemoteName(name);
  return "DROP TABLE IF EXISTS " + sql + "; CREATE TABLE " + sql + " (" + ColumnList(table, Side::kRemote) +
         KeyClause(table) + "); GRANT SELECT ON " + sql + " TO anon, authenticated, service_role;" +
         Rows(table, Side::kRemote, sql, first, count);
}

void FillRemote(Database *remote) {
  remote->Must(std::string(kSettings) + "SET search_path = public, extensions;" + kDropObjects + kObjects);
  for (const Table &table : Tables()) {
    if (table.name != "diff_part") {
      remote->Must(RemoteTable(table, table.name, 0, table.rows));
      continue;
    }
    for (int i = 0; i < kPartitions; i++) {
      remote->Must(RemoteTable(table, PartitionName(i), i * kPartitionRows, kPartitionRows));
    }
  }
  remote->Must("ANALYZE");
  remote->Must("NOTIFY pgrst, 'reload schema'");
}

void FillLocal(Database *local) {
  const std::string schema = std::string(kLocalSchema) + ".";
  local->Must(std::string("CREATE SCHEMA ") + kLocalSchema);
  for (const Table &table : Tables()) {
    const std::string name = schema + QuoteName(table.name);
    if (table.name != "diff_part") {
      local->Must("CREATE TABLE " + name + " (" + ColumnList(table, Side::kLocal) + KeyClause(table) + ");" +
                  Rows(table, Side::kLocal, name, 0, table.rows));
      continue;
    }
    local->Must("CREATE TABLE " + name + " (" + ColumnList(table, Side::kLocal) + ") PARTITION BY RANGE (id)");
    for (int i = 0; i < kPartitions; i++) {
      const std::string part = schema + PartitionName(i);
      local->Must("CREATE TABLE " + part + " PARTITION OF " + name + " " + PartitionBounds(i) + ";" +
                  Rows(table, Side::kLocal, part, i * kPartitionRows, kPartitionRows));
    }
  }
  // In every search_path: what is joined with foreign tables and is none.
  const Table &pairs = TableOf("diff_pair_key");
  local->Must("CREATE TABLE public.diff_here (" + ColumnList(pairs, Side::kLocal) + KeyClause(pairs) + ");" +
              Rows(pairs, Side::kLocal, "public.diff_here", 0, pairs.rows) + "ANALYZE");
}

std::string ForeignOptions(const Table &table, const std::string &remote, const Variant &variant) {
  std::string options = "table_name " + QuoteLiteral(remote);
  if (!variant.options.empty()) options += ", " + variant.options;
  const int fetch_size = table.fetch_size * variant.pages;
  if (fetch_size > 0) options += ", fetch_size '" + std::to_string(fetch_size) + "'";
  return " SERVER " + variant.server + " OPTIONS (" + options + ")";
}

void CreateForeign(Database *local, const Variant &variant) {
  local->Must("CREATE SCHEMA " + variant.schema);
  for (const Table &table : Tables()) {
    const std::string name = variant.schema + "." + QuoteName(table.name);
    if (table.name != "diff_part") {
      local->Must("CREATE FOREIGN TABLE " + name + " (" + ColumnList(table, Side::kForeign) + ")" +
                  ForeignOptions(table, table.name, variant));
      continue;
    }
    local->Must("CREATE TABLE " + name + " (" + ColumnList(table, Side::kLocal) + ") PARTITION BY RANGE (id)");
    for (int i = 0; i < kPartitions; i++) {
      const std::string part = variant.schema + "." + PartitionName(i);
      if (i == kPartitions - 1) {
        local->Must("CREATE TABLE " + part + " PARTITION OF " + name + " " + PartitionBounds(i) + ";" +
                    Rows(table, Side::kLocal, part, i * kPartitionRows, kPartitionRows));
      } else {
        local->Must("CREATE FOREIGN TABLE " + part + " PARTITION OF " + name + " " + PartitionBounds(i) +
                    ForeignOptions(table, PartitionName(i), variant) + "; ALTER FOREIGN TABLE " + part +
                    " ALTER id OPTIONS (ADD key 'true')");
      }
    }
  }
}

const std::string &Get(const Environment &stack, const std::string &name) {
  const auto found = stack.find(name);
  if (found == stack.end()) throw std::runtime_error("the variable " + name + " of test/stack is not set");
  return found->second;
}

void CreateServers(Database *local, const Environment &stack) {
  const auto create = [&](const char *name, const std::string &options, const std::string &mapping) {
    local->Must("CREATE SERVER " + std::string(name) + " FOREIGN DATA WRAPPER supabase_fdw OPTIONS (" + options +
                "); CREATE USER MAPPING FOR CURRENT_USER SERVER " + name + " OPTIONS (" + mapping + ")");
  };
  const std::string key = "api_key " + QuoteLiteral(Get(stack, "STACK_SECRET_KEY"));
  const std::string jwt = "jwt " + QuoteLiteral(Get(stack, "STACK_SERVICE_JWT"));
  const std::string cases = ", case_mapping 'true'";
  create("diff_bare", "rest_url " + QuoteLiteral(Get(stack, "STACK_REST_URL")) + cases, jwt);
  create("diff_uncapped", "rest_url " + QuoteLiteral(Get(stack, "STACK_REST_URL_UNCAPPED")) + cases, jwt);
  create("diff_gateway", "url " + QuoteLiteral(Get(stack, "STACK_URL")), key);
}

// PostgREST learns of the tables when it gets the notification.
void AwaitTables(Database *local) {
  for (const Variant &variant : Variants()) {
    const std::string sql = "SELECT count(*) FROM " + variant.schema + "." + QuoteName(Tables().back().name);
    for (int attempt = 1;; attempt++) {
      const Result result = local->Run(sql);
      if (result.sqlstate.empty()) break;
      if (attempt == 100) throw std::runtime_error(result.message);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

}  // namespace

const std::vector<Table> &Tables() {
  static const std::vector<Table> tables = MakeTables();
  return tables;
}

const Table &TableOf(const std::string &name) {
  for (const Table &table : Tables()) {
    if (table.name == name) return table;
  }
  throw std::logic_error("no table " + name);
}

const std::vector<Variant> &Variants() {
  static const std::vector<Variant> variants = {
      {"fgn_ordered", "diff_bare", "text_ordering 'true'", 4, 26},
      {"fgn_serial", "diff_bare", "text_ordering 'true', max_parallel_requests '1'", 1, 7},
      {"fgn_parallel", "diff_uncapped", "text_ordering 'true', max_parallel_requests '4'", 1, 7},
      {"fgn_aggregates", "diff_uncapped", "text_ordering 'true'", 0, 35},
      {"fgn_careful", "diff_gateway", "", 5, 25},
  };
  return variants;
}

std::string RemoteConnection(const Environment &stack) {
  return "host=" + Get(stack, "STACK_REMOTE_HOST") + " port=" + Get(stack, "STACK_REMOTE_PORT") +
         " user=postgres dbname=postgres client_encoding=UTF8";
}

std::string LocalConnection(const Environment &stack, const std::string &database) {
  return "host=" + Get(stack, "STACK_LOCAL_HOST") + " port=" + Get(stack, "STACK_LOCAL_PORT") +
         " user=postgres client_encoding=UTF8 dbname=" + database;
}

void Prepare(const Environment &stack, const std::string &database) {
  Database remote(RemoteConnection(stack));
  FillRemote(&remote);
  {
    Database maintenance(LocalConnection(stack, "postgres"));
    maintenance.Must("DROP DATABASE IF EXISTS " + database);
    maintenance.Must("CREATE DATABASE " + database);
  }
  Database local(LocalConnection(stack, database));
  local.Must(std::string(kSettings) +
             "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE EXTENSION hstore SCHEMA "
             "extensions; CREATE EXTENSION ltree SCHEMA extensions; CREATE EXTENSION supabase_fdw;");
  local.Must(std::string("SET search_path = public, extensions;") + kObjects);
  CreateServers(&local, stack);
  FillLocal(&local);
  for (const Variant &variant : Variants())
    CreateForeign(&local, variant);
  AwaitTables(&local);
}

}  // namespace differential
