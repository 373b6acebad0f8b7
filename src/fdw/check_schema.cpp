// supabase_check_schema: foreign tables held against the remote's description.

#include "fdw/bridge.hpp"
#include "fdw/import.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "utils/fmgroids.h"
#include "utils/tuplestore.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_check_schema(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_check_schema);
}

namespace {

// Descriptions that were fetched, one for each remote schema that tables name.
struct Description {
  const char *schema;
  const RemoteSchema *content;
};

struct Check {
  const Server *server;
  const char *local_schema;
  ReturnSetInfo *result;
  List *descriptions;
  const Table *table;  // the one being checked
};

void Note(const Check *check, const char *column, const char *problem) {
  Datum values[3] = {CStringGetTextDatum(get_rel_name(check->table->id)), Datum(0), CStringGetTextDatum(problem)};
  bool nulls[3] = {false, column == nullptr, false};
  if (column != nullptr) values[1] = CStringGetTextDatum(column);
  tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

const RemoteSchema *Describe(Check *check, const char *schema) {
  ListCell *cell;
  foreach (cell, check->descriptions) {
    auto *known = static_cast<Description *>(lfirst(cell));
    if (strcmp(known->schema, schema) == 0) return known->content;
  }
  auto *description = static_cast<Description *>(palloc(sizeof(Description)));
  description->schema = schema;
  description->content = FetchSchema(check->server, schema);
  check->descriptions = lappend(check->descriptions, description);
  return description->content;
}

// Whether a local column's type is the one that import would give it.
void CheckType(const Check *check, Form_pg_attribute attribute, const Column *local, const RemoteColumn *remote) {
  auto *mapped = Own<LocalType>(CurrentMemoryContext);
  Guard([&] { *mapped = MapType(*remote); });
  const char *name = Text(mapped->name);
  const char *text = mapped->known ? name : FindLocalTypeText(name, check->local_schema);
  if (text == nullptr && local->remote_type != nullptr && strcmp(local->remote_type, name) == 0) return;
  if (text != nullptr && local->remote_type == nullptr) {
    int32 typmod;
    Oid const type = ParseType(text, &typmod);
    if (type == attribute->atttypid && (typmod == attribute->atttypmod || attribute->atttypmod < 0)) return;
  }
  const char *here = local->remote_type != nullptr
                         ? local->remote_type
                         : format_type_with_typemod(attribute->atttypid, attribute->atttypmod);
  const char *there = text == nullptr ? name : text;
  if (local->remote_type != nullptr && text != nullptr && strcmp(local->remote_type, name) == 0) return;
  Note(check, NameStr(attribute->attname), psprintf("remote type is %s, local type is %s", there, here));
}

void CheckKey(const Check *check, const char *name, const Column *local, const RemoteTable *table,
              const RemoteColumn *remote) {
  bool const key = IsUsableKey(*table, *remote);
  if (key == local->key) return;
  Note(check, name,
       key ? "remote column is part of the primary key, which the option key does not say"
           : "option key is set, but the remote column is not part of a primary key");
}

const RemoteColumn *FindColumn(const RemoteTable *table, const char *name) {
  for (const RemoteColumn &column : table->columns) {
    if (strcmp(Text(column.name), name) == 0) return &column;
  }
  return nullptr;
}

const RemoteTable *FindTable(const RemoteSchema *schema, const char *name) {
  for (const RemoteTable &table : schema->tables) {
    if (strcmp(Text(table.name), name) == 0) return &table;
  }
  return nullptr;
}

void CheckColumns(const Check *check, TupleDesc desc, const RemoteTable *remote) {
  for (int i = 0; i < desc->natts; i++) {
    Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (attribute->attisdropped) continue;
    const Column *local = &check->table->columns[i];
    const char *name = NameStr(attribute->attname);
    const RemoteColumn *column = FindColumn(remote, local->name);
    if (column == nullptr) {
      Note(check, name, psprintf("remote column \"%s\" does not exist", local->name));
      continue;
    }
    CheckType(check, attribute, local, column);
    CheckKey(check, name, local, remote, column);
    if (attribute->attnotnull && !column->not_null)
      Note(check, name, "remote column may be null, the local one may not");
  }
}

// Remote columns that no local one shows.
void CheckMissing(const Check *check, const RemoteTable *remote) {
  for (const RemoteColumn &column : remote->columns) {
    const char *name = Text(column.name);
    bool found = false;
    for (int i = 0; i < check->table->natts; i++) {
      const char *local = check->table->columns[i].name;
      found = found || (local != nullptr && strcmp(local, name) == 0);
    }
    if (!found) Note(check, name, "remote column is not in the foreign table");
  }
}

const RemoteFunction *FindFunction(const RemoteSchema *schema, const char *name) {
  for (const RemoteFunction &function : schema->functions) {
    if (strcmp(Text(function.name), name) == 0) return &function;
  }
  return nullptr;
}

// Of a function only its name and arguments are described, and of overloaded ones only one's.
void CheckFunction(const Check *check, const RemoteSchema *schema) {
  const RemoteFunction *function = FindFunction(schema, check->table->table_name);
  if (function != nullptr) return;
  Note(check, nullptr,
       psprintf("remote function \"%s\" does not exist, or may not be called", check->table->table_name));
}

void CheckTable(Check *check, Oid table_id) {
  check->table = GetTableOptions(table_id, check->server);
  const RemoteSchema *schema = Describe(check, check->table->schema_name);
  if (check->table->function != nullptr) {
    CheckFunction(check, schema);
    return;
  }
  const RemoteTable *remote = FindTable(schema, check->table->table_name);
  if (remote == nullptr) {
    Note(check, nullptr, psprintf("remote table \"%s\" does not exist, or may not be read", check->table->table_name));
    return;
  }
  Relation relation = table_open(table_id, AccessShareLock);
  CheckColumns(check, RelationGetDescr(relation), remote);
  table_close(relation, AccessShareLock);
  CheckMissing(check, remote);
}

// Foreign tables of the server in the schema, by name.
List *FindTables(Oid server_id, Oid schema_id) {
  List *tables = NIL;
  Relation relation = table_open(ForeignTableRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_foreign_table_ftserver, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(server_id));
  SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 1, &key);
  HeapTuple tuple;
  while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
    Oid const id = reinterpret_cast<Form_pg_foreign_table>(GETSTRUCT(tuple))->ftrelid;
    if (get_rel_namespace(id) == schema_id) tables = lappend_oid(tables, id);
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  list_sort(tables, [](const ListCell *a, const ListCell *b) {
    return strcmp(get_rel_name(lfirst_oid(a)), get_rel_name(lfirst_oid(b)));
  });
  return tables;
}

}  // namespace

// supabase_check_schema(server name, local_schema name) RETURNS TABLE (table_name text, column_name text, problem text)
Datum supabase_check_schema(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  for (int i = 0; i < 2; i++) {
    if (!PG_ARGISNULL(i)) continue;
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("server and local schema must not be null")));
  }
  Check check = {};
  check.server = GetServerByName(NameStr(*PG_GETARG_NAME(0)), ServerType::kProject);
  check.local_schema = NameStr(*PG_GETARG_NAME(1));
  check.result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  ListCell *cell;
  foreach (cell, FindTables(check.server->id, get_namespace_oid(check.local_schema, false)))
    CheckTable(&check, lfirst_oid(cell));
  return Datum(0);
}

}  // namespace supabase::pg
