// Execution of foreign tables over functions: values of argument columns become the arguments of the call.

#include "core/rpc.hpp"

#include "fdw/bridge.hpp"
#include "fdw/encode.hpp"
#include "fdw/fold.hpp"
#include "fdw/plan.hpp"
#include "fdw/rpc.hpp"

extern "C" {
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
}

namespace supabase::pg {
namespace {

List *PlanArguments(const ScanState *state) {
  return static_cast<List *>(list_nth(state->plan, kPlanArguments));
}

// A value as JSON text. An array or composite through PostgreSQL's own JSON functions, under the settings that every
// server reads the same way; everything else by its type's text.
char *DatumToJson(Oid type, Datum value, bool *is_string) {
  Oid const base = getBaseType(type);
  bool const array = OidIsValid(get_element_type(base)), row = get_typtype(base) == TYPTYPE_COMPOSITE;
  *is_string = false;
  if (!array && !row) {
    switch (base) {
      case BOOLOID:
      case INT2OID:
      case INT4OID:
      case INT8OID:
      case JSONOID:
      case JSONBOID:
        return DatumToText(base, value);
      default:
        // Numbers as strings: "NaN" is none in JSON, and the remote's type reads either.
        *is_string = true;
        return DatumToText(base, value);
    }
  }
  int const level = PushOutputSettings();
  Datum const json = array ? DirectFunctionCall1(array_to_json, value) : DirectFunctionCall1(row_to_json, value);
  AtEOXact_GUC(true, level);
  return TextDatumGetCString(json);
}

void Keep(ScanState *state, AttrNumber attno, Oid type, Datum value, bool isnull) {
  int16 length;
  bool by_value;
  get_typlenbyval(type, &length, &by_value);
  MemoryContext const old = MemoryContextSwitchTo(state->argument_context);
  state->argument_values[attno - 1] = isnull ? Datum(0) : datumCopy(value, by_value, length);
  state->argument_isnull[attno - 1] = isnull;
  MemoryContextSwitchTo(old);
}

// One argument; false for one that is compared with NULL.
bool BindArgument(ScanState *state, List *argument, const Datum *values, const bool *isnull) {
  auto const attno = static_cast<AttrNumber>(intVal(linitial(argument)));
  int const number = intVal(lsecond(argument));
  const char *name = ToUtf8(state->table->columns[attno - 1].name);
  const char *json = "null";
  bool is_string = false;
  auto *expression = number == kNullValue ? nullptr : static_cast<Node *>(list_nth(state->expressions, number));
  if (expression != nullptr && values == nullptr && !IsA(expression, Const)) {
    json = psprintf("$%d", number + 1);
  } else if (expression != nullptr) {
    auto *constant = reinterpret_cast<Const *>(expression);
    if (values == nullptr ? constant->constisnull : isnull[number]) return false;
    Datum const value = values == nullptr ? constant->constvalue : values[number];
    Oid const type = exprType(expression);
    Keep(state, attno, type, value, false);
    json = ToUtf8(DatumToJson(type, value, &is_string));
  }
  std::vector<Argument> *arguments = &state->objects->arguments;
  Guard([&] { arguments->push_back({name, is_string ? JsonString(json) : std::string(json)}); });
  return true;
}

// For the error about a function that the remote does not have: which argument columns there are.
const char *ArgumentHint(const Table *table) {
  StringInfoData names;
  initStringInfo(&names);
  for (int i = 0; i < table->natts; i++) {
    const Column *column = &table->columns[i];
    if (column->name == nullptr || !column->argument) continue;
    appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", column->name);
  }
  if (names.len == 0) return "The foreign table has no columns with the option rpc_argument.";
  return psprintf(
      "Arguments come from conditions on the columns with the option rpc_argument: %s. Those without a "
      "default at the remote server need one of the form column = value.",
      names.data);
}

FunctionSource::Result ResultOf(const Table *table) {
  switch (table->function_result) {
    case FunctionResult::kValues:
      return FunctionSource::Result::kValues;
    case FunctionResult::kValue:
      return FunctionSource::Result::kValue;
    default:
      return FunctionSource::Result::kRows;
  }
}

// The one column that shows plain values, whose type must be one that JSON has a scalar for.
void CheckValueColumn(const ScanState *state) {
  int results = 0;
  for (int i = 0; i < state->table->natts; i++) {
    const Column *column = &state->table->columns[i];
    if (column->name == nullptr || column->argument) continue;
    Oid const type = getBaseType(get_atttype(state->table->id, static_cast<AttrNumber>(i + 1)));
    results++;
    if (!OidIsValid(get_element_type(type)) && get_typtype(type) != TYPTYPE_COMPOSITE) continue;
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
                    errmsg("a plain value of a remote function cannot be shown as %s", format_type_be(type)),
                    errhint("Use a column of type jsonb.")));
  }
  if (results == 1) return;
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
                  errmsg("foreign table \"%s\" must have one result column, but has %d", get_rel_name(state->table->id),
                         results),
                  errdetail("Its option rpc_result says that the function returns plain values.")));
}

}  // namespace

bool BindArguments(ScanState *state, const Datum *values, const bool *isnull) {
  auto const natts = static_cast<Size>(state->table->natts);
  MemoryContextReset(state->argument_context);
  state->argument_values = static_cast<Datum *>(MemoryContextAllocZero(state->argument_context, sizeof(Datum) * natts));
  state->argument_isnull = static_cast<bool *>(MemoryContextAllocZero(state->argument_context, sizeof(bool) * natts));
  memset(state->argument_isnull, true, sizeof(bool) * natts);
  if (state->table->function_result != FunctionResult::kRows) CheckValueColumn(state);

  ScanObjects *objects = state->objects;
  Guard([&] { objects->arguments.clear(); });
  ListCell *cell;
  foreach (cell, PlanArguments(state)) {
    if (!BindArgument(state, lfirst_node(List, cell), values, isnull)) return false;
  }
  Oid const type = state->converters[0].type;
  bool const as_text = getBaseType(type) == JSONOID || getBaseType(type) == JSONBOID;
  bool const read_only = state->table->function_read_only;
  const char *hint = ToUtf8(ArgumentHint(state->table));
  FunctionSource::Result const result = ResultOf(state->table);
  Guard([&] {
    FunctionSource source;
    source.result = result;
    source.values_as_text = as_text;
    source.hint = hint;
    std::optional<std::string> query;
    if (read_only) query = ArgumentQuery(objects->arguments);
    objects->by_get = query.has_value();
    objects->read_only = read_only;
    source.arguments = query.value_or("");
    objects->options.query.function = std::move(source);
    if (objects->options.paging != Paging::kKeyset || !read_only) {
      objects->options.paging = read_only ? Paging::kRepeat : Paging::kOnce;
      objects->options.key.clear();
    }
    // One call at a time: neither ranges nor parts of a list.
    objects->how = {1, true};
    if (result == FunctionSource::Result::kValue) objects->options.row_limit.reset();
  });
  return true;
}

void StoreArguments(const ScanState *state, TupleTableSlot *slot) {
  for (int i = 0; i < state->table->natts; i++) {
    if (!state->table->columns[i].argument) continue;
    slot->tts_values[i] = state->argument_values[i];
    slot->tts_isnull[i] = state->argument_isnull[i];
  }
}

void SetCallRequest(const ScanObjects *objects, const Server *server, const char *schema, Request *request) {
  if (objects->by_get) return;
  request->method = "POST";
  request->idempotent = objects->read_only;
  request->headers.emplace_back("Content-Type", "application/json");
  request->headers.emplace_back("Content-Profile", schema);
  request->body = ArgumentBody(objects->arguments);
  request->label = std::string("POST ") + server->rest_path;
}

}  // namespace supabase::pg
