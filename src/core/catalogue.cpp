#include "catalogue.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.hpp"

// catalogue.json as it is; the build says where it is.
asm(R"(
  .section .rodata
  .global supabase_catalogue_begin
  .hidden supabase_catalogue_begin
  .global supabase_catalogue_end
  .hidden supabase_catalogue_end
supabase_catalogue_begin:
  .incbin ")" CATALOGUE_FILE R"("
supabase_catalogue_end:
  .byte 0
  .previous
)");

extern "C" const char supabase_catalogue_begin[], supabase_catalogue_end[];

namespace supabase {

namespace {

using Json = nlohmann::ordered_json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// The one whose member is that text; null when there is none.
template <typename T>
const T *FindBy(const std::vector<T> &list, std::string T::*member, std::string_view text) {
  for (const T &item : list) {
    if (item.*member == text) return &item;
  }
  return nullptr;
}

std::string Text(const Json &object, const char *name, const char *otherwise = "") {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}

bool Flag(const Json &object, const char *name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::string Scalar(const Json &value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// A list of texts; one text alone is a list of it.
std::vector<std::string> Texts(const Json &object, const char *name) {
  std::vector<std::string> texts;
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return texts;
  if (!found->is_array()) return {Scalar(*found)};
  for (const Json &item : *found) {
    if (!item.is_null()) texts.push_back(Scalar(item));
  }
  return texts;
}

Pairs Constants(const Json &object, const char *name) {
  Pairs pairs;
  if (const auto found = object.find(name); found != object.end() && found->is_object()) {
    for (const auto &[key, value] : found->items())
      pairs.emplace_back(key, value.dump());
  }
  return pairs;
}

std::optional<double> Bound(const Json &object, const char *name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

[[noreturn]] void Refuse(const std::string &what) {
  throw Error(sqlstate::kFdwError, "catalogue of the Management API is not consistent", what + ".");
}

// ---- Operations ----

std::vector<ApiParameter> PathParameters(const std::string &path) {
  std::vector<ApiParameter> parameters;
  for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1)) {
    ApiParameter parameter;
    parameter.name = path.substr(at + 1, path.find('}', at) - at - 1);
    parameter.type = "string";
    parameter.required = true;
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

void ReadParameter(const Json &json, std::vector<ApiParameter> *parameters) {
  ApiParameter read;
  read.name = Text(json, "name");
  const std::string place = Text(json, "in", "query");
  read.place = place == "path"     ? ApiParameter::Place::kPath
               : place == "header" ? ApiParameter::Place::kHeader
                                   : ApiParameter::Place::kQuery;
  read.type = Text(json, "type", "string");
  read.required = Flag(json, "required") || read.place == ApiParameter::Place::kPath;
  read.repeat = Flag(json, "repeat");
  read.values = Texts(json, "enum");
  const auto same = std::find_if(parameters->begin(), parameters->end(), [&](const ApiParameter &other) {
    return other.name == read.name && other.place == read.place;
  });
  if (same != parameters->end()) {
    *same = std::move(read);
  } else {
    parameters->push_back(std::move(read));
  }
}

ApiBody ReadBody(const Json &json) {
  ApiBody body;
  body.exists = true;
  body.required = Flag(json, "required");
  body.type = Text(json, "type", "object");
  body.form = Text(json, "form");
  body.additional = Flag(json, "additional");
  if (const auto properties = json.find("properties"); properties != json.end()) {
    for (const Json &property : *properties) {
      body.properties.push_back(
          {Text(property, "name"), Text(property, "type", "any"), Flag(property, "required"), Texts(property, "enum")});
    }
  }
  return body;
}

ApiOperation ReadOperation(const Json &json) {
  ApiOperation operation;
  operation.id = Text(json, "id");
  const std::string call = Text(json, "call");
  const size_t blank = call.find(' ');
  if (operation.id.empty() || blank == std::string::npos) Refuse("Operation \"" + operation.id + "\" has no call");
  operation.method = call.substr(0, blank);
  operation.path = call.substr(blank + 1);
  operation.scope = Text(json, "scope");
  operation.parameters = PathParameters(operation.path);
  if (const auto parameters = json.find("params"); parameters != json.end()) {
    for (const Json &parameter : *parameters)
      ReadParameter(parameter, &operation.parameters);
  }
  if (const auto body = json.find("body"); body != json.end() && body->is_object()) operation.body = ReadBody(*body);
  operation.answer = Text(json, "answer");
  operation.rows = Text(json, "rows");
  operation.destructive = Flag(json, "destructive");
  operation.reads = Flag(json, "reads");
  operation.once = Flag(json, "once");
  operation.function = Text(json, "function");
  return operation;
}

// ---- Tables ----

std::vector<Absence> ReadAbsences(const Json &object) {
  std::vector<Absence> absences;
  if (const auto list = object.find("absent"); list != object.end()) {
    for (const Json &item : *list)
      absences.push_back({item.value("status", 0), Text(item, "message"), Text(item, "op")});
  }
  return absences;
}

ApiColumn ReadColumn(const Json &json) {
  ApiColumn column;
  column.name = Text(json, "name");
  column.type = Text(json, "type", "text");
  column.parameter = Text(json, "param");
  column.write_only = Flag(json, "write_only");
  column.constant = Flag(json, "const");
  const bool in_row = !column.write_only && !column.constant;
  column.json = Text(json, "json", in_row ? column.name.c_str() : "");
  column.body = Text(json, "body", column.json.empty() ? column.name.c_str() : column.json.c_str());
  column.body_constants = Constants(json, "body_const");
  column.header = Text(json, "header");
  column.hydrate = Text(json, "hydrate");
  column.decode = Text(json, "decode");
  column.encode = Text(json, "encode");
  column.update = Text(json, "update", Flag(json, "update") ? "update" : "");
  column.insert_required = Text(json, "insert") == "required";
  column.insert = column.insert_required || Flag(json, "insert");
  column.secret = Flag(json, "secret");
  column.generated = !Text(json, "generate").empty();
  column.digest = !Text(json, "digest").empty();
  column.defaults = Texts(json, "default");
  column.values = Texts(json, "enum");
  column.least = Bound(json, "min");
  column.most = Bound(json, "max");
  return column;
}

TableOperation ReadTableOperation(const std::string &name, const Json &json, const Catalogue &catalogue) {
  TableOperation read;
  read.name = name;
  read.operation = catalogue.FindOperation(Text(json, "op"));
  if (read.operation == nullptr) Refuse("There is no operation \"" + Text(json, "op") + "\"");
  read.rows = Text(json, "rows");
  read.body = Text(json, "body");
  read.column = Text(json, "column");
  read.path = Text(json, "path");
  read.file_name = Text(json, "file_name");
  read.scalar = Text(json, "scalar");
  read.query = Texts(json, "query");
  read.with = Texts(json, "with");
  read.drop_null = Flag(json, "drop_null");
  read.constants = Constants(json, "const");
  if (const auto paths = json.find("paths"); paths != json.end()) {
    for (const auto &[column, path] : paths->items())
      read.paths.emplace_back(column, Scalar(path));
  }
  return read;
}

// The operation of a source, which is one of the table's or another.
std::string SourceOperation(const Json &source, ApiTable *table, const Catalogue &catalogue) {
  const std::string id = Text(source, "op");
  if (id.empty()) return "list";
  for (const TableOperation &operation : table->operations) {
    if (operation.operation->id == id) return operation.name;
  }
  table->operations.push_back(ReadTableOperation(id, source, catalogue));
  return id;
}

void ReadParts(const Json &json, ApiTable *table, const Catalogue &catalogue) {
  if (const auto operations = json.find("operations"); operations != json.end()) {
    for (const auto &[name, operation] : operations->items()) {
      TableOperation read = ReadTableOperation(name, operation, catalogue);
      if (const auto fallback = operation.find("fallback"); fallback != operation.end()) {
        read.fallback = name + " fallback";
        table->operations.push_back(ReadTableOperation(read.fallback, *fallback, catalogue));
      }
      table->operations.push_back(std::move(read));
    }
  }
  if (const auto sources = json.find("sources"); sources != json.end()) {
    for (const Json &source : *sources) {
      table->sources.push_back(
          {SourceOperation(source, table, catalogue), Text(source, "rows"), Constants(source, "const")});
    }
  }
  if (const auto page = json.find("page"); page != json.end()) {
    table->paging = {Text(*page, "style"),
                     Text(*page, "limit", "limit"),
                     Text(*page, "offset", "offset"),
                     Text(*page, "cursor", "cursor"),
                     Text(*page, "total"),
                     page->value("size", 100)};
  }
  for (const Json &column : json.at("columns"))
    table->columns.push_back(ReadColumn(column));
}

// A column "attrs" after the others shows the row as it came.
void AddWhole(ApiTable *table) {
  ApiColumn whole;
  whole.name = "attrs";
  whole.type = "jsonb";
  whole.whole = true;
  table->columns.push_back(std::move(whole));
}

ApiTable ReadTable(const Json &json, const Catalogue &catalogue) {
  ApiTable table;
  table.name = Text(json, "name");
  table.doc = Text(json, "doc");
  const std::string kind = Text(json, "kind");
  table.kind = kind == "singleton"     ? ApiTable::Kind::kSingleton
               : kind == "zero_or_one" ? ApiTable::Kind::kZeroOrOne
                                       : ApiTable::Kind::kCollection;
  table.key = Texts(json, "key");
  if (const auto parent = json.find("parent"); parent != json.end() && parent->is_object()) {
    table.parent_column = Text(*parent, "column");
    table.parent_table = Text(*parent, "table");
    table.parent_key = Text(*parent, "key");
  }
  table.require_qual = Text(json, "fanout") == "require_qual";
  table.service = Flag(json, "service");
  table.internal = Flag(json, "internal");
  table.absences = ReadAbsences(json);
  ReadParts(json, &table, catalogue);
  if (Flag(json, "attrs")) AddWhole(&table);
  return table;
}

void Check(const ApiTable &table) {
  const auto refuse = [&](const std::string &what) { Refuse("Table \"" + table.name + "\": " + what); };
  if (table.Find("list") == nullptr && table.Find("get") == nullptr) refuse("nothing reads it");
  for (const std::string &column : table.key) {
    if (table.FindColumn(column) < 0) refuse("no key column \"" + column + "\"");
  }
  for (const ApiColumn &column : table.columns) {
    if (!column.hydrate.empty() && table.Find(column.hydrate) == nullptr)
      refuse("no operation \"" + column.hydrate + "\"");
    if (!column.update.empty() && table.Find(column.update) == nullptr)
      refuse("no operation \"" + column.update + "\"");
  }
  for (const TableOperation &operation : table.operations) {
    for (const ApiParameter &parameter : operation.operation->parameters) {
      if (parameter.place != ApiParameter::Place::kPath) continue;
      if (table.ColumnOfParameter(parameter.name) < 0) refuse("no column is parameter \"" + parameter.name + "\"");
    }
  }
}

}  // namespace

const ApiParameter *ApiOperation::FindParameter(std::string_view name) const {
  return FindBy(parameters, &ApiParameter::name, name);
}

const TableOperation *ApiTable::Find(std::string_view operation) const {
  return FindBy(operations, &TableOperation::name, operation);
}

int ApiTable::FindColumn(std::string_view column) const {
  const ApiColumn *found = FindBy(columns, &ApiColumn::name, column);
  return found == nullptr ? -1 : static_cast<int>(found - columns.data());
}

int ApiTable::ColumnOfParameter(std::string_view parameter) const {
  const ApiColumn *found = FindBy(columns, &ApiColumn::parameter, parameter);
  return found == nullptr ? -1 : static_cast<int>(found - columns.data());
}

bool ApiTable::IsKey(std::string_view column) const {
  return std::find(key.begin(), key.end(), column) != key.end();
}

static Catalogue Read(const Json &json) {
  Catalogue catalogue;
  for (const Json &operation : json.at("operations"))
    catalogue.operations.push_back(ReadOperation(operation));
  catalogue.absences = ReadAbsences(json);
  const Json &status = json.at("project_status");
  catalogue.ready = Texts(status, "ready");
  catalogue.pending = Texts(status, "pending");
  catalogue.failed = Texts(status, "failed");
  catalogue.unavailable = Texts(status, "unavailable");
  for (const Json &table : json.at("tables")) {
    catalogue.tables.push_back(ReadTable(table, catalogue));
    Check(catalogue.tables.back());
  }
  return catalogue;
}

Catalogue Catalogue::Parse(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) Refuse("It is no JSON object");
  try {
    return Read(json);
  } catch (const Json::exception &) {
    Refuse("A part is missing or of another type");
  }
}

const Catalogue &Catalogue::Get() {
  // Never freed: a module is never unloaded.
  static const Catalogue *const catalogue = new Catalogue(
      Parse({supabase_catalogue_begin, static_cast<size_t>(supabase_catalogue_end - supabase_catalogue_begin)}));
  return *catalogue;
}

const ApiOperation *Catalogue::FindOperation(std::string_view id) const {
  return FindBy(operations, &ApiOperation::id, id);
}

const ApiTable *Catalogue::FindTable(std::string_view name) const {
  return FindBy(tables, &ApiTable::name, name);
}

}  // namespace supabase
