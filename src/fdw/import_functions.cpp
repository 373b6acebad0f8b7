// supabase_import_functions: a local SQL function for each remote one, whose typed arguments become the JSON object
// that supabase_rpc sends.

#include "core/problem.hpp"

#include "fdw/bridge.hpp"
#include "fdw/import.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_import_functions(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_import_functions);
}

namespace {

struct Import {
  const Server *server;
  const char *local_schema;
  const char *remote_schema;
  const char *extension_schema;  // where supabase_rpc is
  Jsonb *results;
  int results_used;
};

// One argument as the statement writer sees it.
struct ArgumentText {
  const char *name;  // "" for the whole body
  const char *type;
  bool as_text;  // the value goes out as its text: its JSON form may be another than the remote reads
  bool required;
  bool variadic;
};

// What a wrapper returns, from the caller's list.
struct ResultType {
  const char *type;  // SQL text; NULL: not declared
  bool set;
  bool composite;
  bool is_void;
};

const char *Literal(const char *text) {
  return quote_literal_cstr(text);
}

// ---- Types ----

Oid TypeOf(const char *text) {
  int32 typmod;
  return ParseType(text, &typmod);
}

// Whether values of a type that is not built in are their text in JSON as the remote wants them: extensions' types may
// have a cast to json, which gives another form.
bool GoesAsText(const char *text) {
  Oid type = TypeOf(text);
  Oid const element = get_element_type(type);
  if (OidIsValid(element)) type = element;
  return get_typtype(getBaseType(type)) == TYPTYPE_BASE;
}

ArgumentText ReadArgument(const Import *import, const RemoteFunction *function, const RemoteArgument *argument) {
  auto *type = Own<LocalType>(CurrentMemoryContext);
  Guard([&] { *type = MapType(argument->value); });
  ArgumentText text = {Text(argument->value.name), Text(type->name), false, argument->required, argument->variadic};
  if (type->known) return text;
  const char *local = FindLocalTypeText(text.type, import->local_schema);
  if (local == nullptr) {
    ereport(NOTICE, (errmsg("argument \"%s\" of function \"%s\" is imported as text", text.name, Text(function->name)),
                     errdetail("Its type at the remote server is %s.", text.type)));
    text.type = "text";
    return text;
  }
  text.type = local;
  text.as_text = GoesAsText(local);
  return text;
}

// "type" or "SETOF type", as the caller wrote it.
ResultType ReadResult(Import *import, const char *function) {
  ResultType result = {nullptr, true, false, false};
  JsonbValue key = {};
  key.type = jbvString;
  key.val.string.val = const_cast<char *>(function);
  key.val.string.len = static_cast<int>(strlen(function));
  JsonbValue *value = findJsonbValueFromContainer(&import->results->root, JB_FOBJECT, &key);
  if (value == nullptr) return result;
  import->results_used++;
  if (value->type != jbvString) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("result of function \"%s\" must be a string with the name of a type", function)));
  }
  char *text = pnstrdup(value->val.string.val, static_cast<Size>(value->val.string.len));
  constexpr char kSetof[] = "setof ";
  result.set = pg_strncasecmp(text, kSetof, strlen(kSetof)) == 0;
  Oid const type = TypeOf(result.set ? text + strlen(kSetof) : text);
  result.is_void = type == VOIDOID;
  if (!result.is_void && get_typtype(type) == TYPTYPE_PSEUDO) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("result of function \"%s\" cannot be of pseudo-type %s", function, format_type_be(type))));
  }
  result.composite = get_typtype(getBaseType(type)) == TYPTYPE_COMPOSITE;
  result.type = format_type_be_qualified(type);
  return result;
}

// ---- The statement ----

// Arguments with a default stay out of the call when they are NULL: the remote's default then holds.
void AppendArguments(StringInfo sql, const ArgumentText *arguments, int count) {
  if (count == 1 && arguments[0].name[0] == '\0') {
    appendStringInfoString(sql, "pg_catalog.to_jsonb($1)");
    return;
  }
  appendStringInfoString(sql, "'{}'::pg_catalog.jsonb");
  for (int i = 0; i < count; i++) {
    const ArgumentText *argument = &arguments[i];
    bool const array = argument->as_text && OidIsValid(get_element_type(TypeOf(argument->type)));
    const char *cast = !argument->as_text ? "" : array ? "::pg_catalog.text[]" : "::pg_catalog.text";
    const char *object = psprintf("pg_catalog.jsonb_build_object(%s, $%d%s)", Literal(argument->name), i + 1, cast);
    if (argument->required) {
      appendStringInfo(sql, " || %s", object);
    } else {
      appendStringInfo(sql, " || CASE WHEN $%d IS NULL THEN '{}'::pg_catalog.jsonb ELSE %s END", i + 1, object);
    }
  }
}

// First line of a wrapper's body. It marks what may be replaced: this function of this server, in this schema.
const char *Marker(const Import *import, const char *function) {
  return psprintf("-- supabase_import_functions: %s",
                  Literal(psprintf("%s.%s.%s", quote_identifier(import->server->name),
                                   quote_identifier(import->remote_schema), quote_identifier(function))));
}

const char *Body(const Import *import, const char *function, const ArgumentText *arguments, int count,
                 const ResultType *result) {
  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfo(&sql, "%s\nSELECT ", Marker(import, function));
  if (result->type == nullptr) {
    appendStringInfoString(&sql, "r.j");
  } else if (result->is_void) {
    appendStringInfoString(&sql, "NULL::pg_catalog.void");
  } else {
    appendStringInfoString(&sql, result->composite ? "x.*" : "x.v");
  }
  appendStringInfo(&sql, " FROM %s.supabase_rpc(%s, %s, ", quote_identifier(import->extension_schema),
                   Literal(import->server->name), Literal(function));
  AppendArguments(&sql, arguments, count);
  appendStringInfo(&sql, ", %s, '%s') AS r(j)", Literal(import->remote_schema),
                   result->type == nullptr ? "auto"
                   : result->set           ? "set"
                                           : "value");
  if (result->type != nullptr && !result->is_void && result->composite) {
    appendStringInfo(&sql,
                     ", LATERAL pg_catalog.jsonb_populate_record(NULL::%s,"
                     " CASE WHEN pg_catalog.jsonb_typeof(r.j) <> 'null' THEN r.j END) AS x",
                     result->type);
  } else if (result->type != nullptr && !result->is_void) {
    appendStringInfo(&sql, ", LATERAL pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object('v', r.j)) AS x(v %s)",
                     result->type);
  }
  return sql.data;
}

void AppendParameters(StringInfo sql, const ArgumentText *arguments, int count, bool declare) {
  for (int i = 0; i < count; i++) {
    const ArgumentText *argument = &arguments[i];
    // A parameter that can be left out must not be followed by one that cannot, and VARIADIC cannot.
    bool const variadic = argument->variadic && i == count - 1 && (i == 0 || arguments[i - 1].required);
    const char *name = argument->name[0] == '\0' ? "" : quote_identifier(argument->name);
    appendStringInfo(sql, "%s%s%s%s%s", i > 0 ? ", " : "", declare && variadic ? "VARIADIC " : "", name,
                     *name == '\0' ? "" : " ", argument->type);
    if (declare && !argument->required) appendStringInfoString(sql, " DEFAULT NULL");
  }
}

// The function's name and arguments, as DROP FUNCTION and the caller want it.
const char *Signature(const Import *import, const char *function, const ArgumentText *arguments, int count) {
  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfo(&sql, "%s.%s(", quote_identifier(import->local_schema), quote_identifier(function));
  AppendParameters(&sql, arguments, count, false);
  appendStringInfoChar(&sql, ')');
  return sql.data;
}

void Execute(const char *sql) {
  if (SPI_execute(sql, false, 0) < 0) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not create or drop a function")));
  }
}

// Drops wrappers that an earlier import made of the same function. Whatever else has the name stays, and CREATE
// FUNCTION then says what it has to say.
void DropEarlier(const Import *import, const char *function) {
  const char *marker = Marker(import, function);
  const char *query = psprintf(
      "SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l"
      " ON l.oid = p.prolang WHERE p.pronamespace = %u AND p.proname = %s AND l.lanname = 'sql'"
      " AND pg_catalog.starts_with(p.prosrc, %s)",
      get_namespace_oid(import->local_schema, false), Literal(function), Literal(psprintf("%s\n", marker)));
  Execute(query);
  SPITupleTable *rows = SPI_tuptable;
  uint64 const count = SPI_processed;
  for (uint64 i = 0; i < count; i++)
    Execute(psprintf("DROP FUNCTION %s", SPI_getvalue(rows->vals[i], rows->tupdesc, 1)));
}

// Creates one wrapper; returns its signature.
const char *CreateWrapper(Import *import, const RemoteFunction *remote) {
  const char *function = Text(remote->name);
  auto const count = static_cast<int>(remote->arguments.size());
  auto *arguments = static_cast<ArgumentText *>(palloc0(sizeof(ArgumentText) * (static_cast<Size>(count) + 1)));
  for (int i = 0; i < count; i++)
    arguments[i] = ReadArgument(import, remote, &remote->arguments[static_cast<size_t>(i)]);
  ResultType const result = ReadResult(import, function);
  DropEarlier(import, function);

  StringInfoData sql;
  initStringInfo(&sql);
  appendStringInfo(&sql, "CREATE FUNCTION %s.%s(", quote_identifier(import->local_schema), quote_identifier(function));
  AppendParameters(&sql, arguments, count, true);
  appendStringInfo(&sql, ") RETURNS %s%s LANGUAGE sql VOLATILE PARALLEL UNSAFE",
                   result.set && !result.is_void ? "SETOF " : "",
                   result.type == nullptr ? "pg_catalog.jsonb" : result.type);
  // The settings that change how a value is written as JSON.
  appendStringInfoString(&sql,
                         " SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, MDY'"
                         " SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 3");
  appendStringInfo(&sql, " AS %s", Literal(Body(import, function, arguments, count, &result)));
  Execute(sql.data);
  const char *signature = Signature(import, function, arguments, count);
  Execute(psprintf("REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC", signature));
  if (!remote->comment.empty())
    Execute(psprintf("COMMENT ON FUNCTION %s IS %s", signature, Literal(Text(remote->comment))));
  return signature;
}

// ---- The call ----

void ReadCall(FunctionCallInfo fcinfo, Import *import) {
  for (int i = 0; i < 2; i++) {
    if (!PG_ARGISNULL(i)) continue;
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("server and local schema must not be null")));
  }
  import->server = GetServerByName(NameStr(*PG_GETARG_NAME(0)), ServerType::kProject);
  import->local_schema = NameStr(*PG_GETARG_NAME(1));
  (void)get_namespace_oid(import->local_schema, false);
  import->remote_schema = PG_ARGISNULL(2) ? import->server->schema_name : text_to_cstring(PG_GETARG_TEXT_PP(2));
  // The names stand in a comment of the wrappers' bodies, which a line break would end.
  if (strpbrk(import->server->name, "\r\n") != nullptr || strpbrk(import->remote_schema, "\r\n") != nullptr) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("names must not contain line breaks")));
  }
  import->extension_schema = get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid));
  Datum const results = PG_ARGISNULL(3) ? DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")) : PG_GETARG_DATUM(3);
  import->results = DatumGetJsonbP(results);
  if (!JB_ROOT_IS_OBJECT(import->results)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"results\" must be a JSON object")));
  }
}

void CreateWrappers(Import *import, const RemoteSchema *schema, ReturnSetInfo *result) {
  for (const std::string &reason : schema->functions_left_out)
    ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("%s", Text(reason))));
  for (const RemoteFunction &function : schema->functions) {
    Datum value = CStringGetTextDatum(CreateWrapper(import, &function));
    bool isnull = false;
    tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
  }
  if (import->results_used < static_cast<int>(JB_ROOT_COUNT(import->results))) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("argument \"results\" names a function that remote schema \"%s\" does not have",
                           import->remote_schema)));
  }
}

}  // namespace

// supabase_import_functions(server name, local_schema name, schema text, results jsonb) RETURNS SETOF text
Datum supabase_import_functions(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
  Import import = {};
  ReadCall(fcinfo, &import);
  const RemoteSchema *schema = FetchSchema(import.server, import.remote_schema);
  if (SPI_connect() != SPI_OK_CONNECT) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not run commands")));
  }
  CreateWrappers(&import, schema, reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo));
  SPI_finish();
  return Datum(0);
}

}  // namespace supabase::pg
