#include "management_write.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "crypto.hpp"
#include "error.hpp"
#include "problem.hpp"

namespace supabase {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxBatch = 100;

bool Given(const ApiRow &row, size_t column) {
  return row[column].has_value() && !row[column]->null;
}

bool IsList(const TableOperation &operation) {
  return operation.body == "array" || operation.body == "names" || operation.body == "list" ||
         operation.body == "families";
}

// ---- Values ----

Error BadValue(const ApiTable &table, const ApiColumn &column, const std::string &detail,
               const std::string &hint = {}) {
  return {sqlstate::kInvalidParameterValue,
          "invalid value for column \"" + column.name + "\" of table \"" + table.name + "\"", detail, hint};
}

std::string Names(const std::vector<std::string> &names) {
  std::string list;
  for (const std::string &name : names)
    list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

std::string Number(double value) {
  return Json(value == static_cast<double>(static_cast<int64_t>(value)) ? Json(static_cast<int64_t>(value))
                                                                        : Json(value))
      .dump();
}

bool IsNumeric(const ApiColumn &column) {
  return column.type == "integer" || column.type == "bigint" || column.type == "numeric";
}

// JSON Schema counts characters: bytes of UTF-8 that begin one.
size_t Characters(const std::string &text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// What the description allows, so that a slip is told before anything is sent.
void CheckValue(const ApiTable &table, const ApiColumn &column, const std::string &text) {
  if (!column.values.empty() && std::find(column.values.begin(), column.values.end(), text) == column.values.end()) {
    throw BadValue(table, column, {}, "Valid values are: " + Names(column.values) + ".");
  }
  if (!column.least && !column.most) return;
  const bool number = IsNumeric(column);
  if (!number && column.type != "text") return;
  const double measured = number ? std::strtod(text.c_str(), nullptr) : static_cast<double>(Characters(text));
  if ((!column.least || measured >= *column.least) && (!column.most || measured <= *column.most)) return;
  std::string range;
  if (column.least) range += "at least " + Number(*column.least);
  if (column.most) range += (range.empty() ? "at most " : " and at most ") + Number(*column.most);
  throw BadValue(table, column, (number ? "It must be " : "Its length must be ") + range + ".");
}

Json ToJson(const ApiTable &table, const ApiColumn &column, const ApiValue &value) {
  if (value.null) return nullptr;
  CheckValue(table, column, value.text);
  if (column.type == "boolean") return value.text == "t" || value.text == "true";
  if (column.type == "jsonb" || column.type == "text[]" || IsNumeric(column)) {
    Json parsed = Json::parse(value.text, nullptr, false);
    if (parsed.is_discarded()) throw BadValue(table, column, "It has no JSON form.");
    return parsed;
  }
  return value.text;
}

// As the text of a parameter.
std::string ToText(const ApiColumn &column, const ApiValue &value) {
  if (column.type == "boolean") return value.text == "t" || value.text == "true" ? "true" : "false";
  return value.text;
}

// ---- Bodies ----

void Put(Json *body, const std::string &path, Json value) {
  Json *at = body;
  size_t begin = 0;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', begin)) {
    at = &(*at)[path.substr(begin, dot - begin)];
    begin = dot + 1;
  }
  (*at)[path.substr(begin)] = std::move(value);
}

std::string BodyPath(const TableOperation &operation, const ApiColumn &column) {
  for (const auto &[name, path] : operation.paths) {
    if (name == column.name) return path;
  }
  return column.body;
}

void PutColumn(const ApiTable &table, const TableOperation &operation, size_t index, const ApiRow &row, Json *body) {
  const ApiColumn &column = table.columns[index];
  if (row[index]->null && operation.drop_null) return;
  Put(body, BodyPath(operation, column), ToJson(table, column, *row[index]));
  for (const auto &[path, json] : column.body_constants)
    Put(body, path, Json::parse(json));
}

void PutConstants(const TableOperation &operation, Json *body) {
  for (const auto &[path, json] : operation.constants)
    Put(body, path, Json::parse(json));
}

// The column that gives a parameter; -1 when there is none.
int ColumnFor(const ApiTable &table, const TableOperation &operation, const ApiParameter &parameter) {
  const auto &query = operation.query;
  if (std::find(query.begin(), query.end(), parameter.name) != query.end()) return table.FindColumn(parameter.name);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].header == parameter.name) return static_cast<int>(i);
  }
  return table.ColumnOfParameter(parameter.name);
}

CallArguments Arguments(const ApiTable &table, const TableOperation &operation, const ApiRow &row) {
  CallArguments arguments;
  for (const ApiParameter &parameter : operation.operation->parameters) {
    const int column = ColumnFor(table, operation, parameter);
    if (column < 0 || !Given(row, static_cast<size_t>(column))) continue;
    const auto index = static_cast<size_t>(column);
    arguments.emplace_back(parameter.name, ToText(table.columns[index], *row[index]));
  }
  return arguments;
}

// A file's name as a header's value in quotes.
std::string FileName(const std::string &path) {
  std::string name;
  for (const char c : path)
    name += c == '"' || static_cast<unsigned char>(c) < 32 ? '_' : c;
  return name;
}

void AppendPart(const std::string &boundary, const std::string &head, const std::string &content, std::string *body) {
  body->append("--").append(boundary).append("\r\nContent-Disposition: form-data; ").append(head);
  body->append("\r\n\r\n").append(content).append("\r\n");
}

void AddSecrets(const ApiTable &table, const ApiRow &row, const std::vector<size_t> &columns, WriteCall *call) {
  for (const size_t column : columns) {
    if (table.columns[column].secret && Given(row, column)) call->secrets.emplace_back(row[column]->text);
  }
}

const char *FamilyOf(const std::string &cidr) {
  return cidr.find(':') == std::string::npos ? "dbAllowedCidrs" : "dbAllowedCidrsV6";
}

// A body that is, or holds, a list of one column's values.
Json ListBody(const ApiTable &table, const TableOperation &operation, const std::vector<const ApiRow *> &rows) {
  const std::string &name = operation.column.empty() ? table.key.back() : operation.column;
  const auto column = static_cast<size_t>(table.FindColumn(name));
  Json body = operation.body == "names" ? Json::array() : Json::object();
  for (const ApiRow *row : rows) {
    const Json value = ToJson(table, table.columns[column], *(*row)[column]);
    if (operation.body == "names") {
      body.push_back(value);
    } else if (operation.body == "list") {
      body[operation.path].push_back(value);
    } else {
      body[operation.path][FamilyOf(value.get<std::string>())].push_back(value);
    }
  }
  PutConstants(operation, &body);
  return body;
}

// Rows by parent, in the order of the first of each.
std::vector<std::vector<const ApiRow *>> ByParent(const ApiTable &table, const std::vector<ApiRow> &rows) {
  std::vector<std::vector<const ApiRow *>> groups;
  std::map<std::string, size_t> known;
  const int parent = table.FindColumn(table.parent_column);
  for (const ApiRow &row : rows) {
    const std::string key =
        parent >= 0 && row[static_cast<size_t>(parent)] ? row[static_cast<size_t>(parent)]->text : "";
    const auto [found, added] = known.try_emplace(key, groups.size());
    if (added) groups.emplace_back();
    groups[found->second].push_back(&row);
  }
  return groups;
}

// ---- INSERT ----

// Whether the column's value goes into the path or the query.
bool IsParameter(const ApiTable &table, const TableOperation &operation, size_t column) {
  const auto &parameters = operation.operation->parameters;
  return std::any_of(parameters.begin(), parameters.end(), [&](const ApiParameter &parameter) {
    return parameter.place != ApiParameter::Place::kHeader &&
           ColumnFor(table, operation, parameter) == static_cast<int>(column);
  });
}

std::vector<size_t> CheckInsert(const ApiTable &table, const TableOperation &operation, const ApiRow &row) {
  std::vector<size_t> sent;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const ApiColumn &column = table.columns[i];
    const bool address = IsParameter(table, operation, i);
    const bool required = column.insert_required || (address && column.name == table.parent_column);
    if (!Given(row, i)) {
      if (!required) continue;
      throw Error("23502", "null value in column \"" + column.name + "\" of table \"" + table.name + "\"",
                  "The Management API needs it.");
    }
    if (column.insert && column.header.empty()) {
      sent.push_back(i);
    } else if (!address && column.header.empty() && column.parameter.empty()) {
      throw Error("0A000", "column \"" + column.name + "\" of table \"" + table.name + "\" cannot be given a value",
                  "The Management API sets it.");
    }
  }
  // Two ways to say the same thing.
  for (const size_t one : sent) {
    for (const size_t other : sent) {
      if (one >= other || table.columns[one].body != table.columns[other].body) continue;
      throw Error(sqlstate::kInvalidParameterValue, "columns \"" + table.columns[one].name + "\" and \"" +
                                                        table.columns[other].name + "\" exclude each other");
    }
  }
  return sent;
}

Json RowBody(const ApiTable &table, const TableOperation &operation, const ApiRow &row,
             const std::vector<size_t> &columns) {
  Json body = Json::object();
  PutConstants(operation, &body);
  for (const size_t column : columns)
    PutColumn(table, operation, column, row, &body);
  return body;
}

WriteCall InsertRow(const ApiTable &table, const TableOperation &operation, const ApiRow &row) {
  std::vector<size_t> sent = CheckInsert(table, operation, row);
  WriteCall call;
  call.operation = operation.operation;
  call.arguments = Arguments(table, operation, row);
  AddSecrets(table, row, sent, &call);
  if (operation.body == "multipart") {
    const auto file = static_cast<size_t>(table.FindColumn(operation.column)),
               name = static_cast<size_t>(table.FindColumn(operation.file_name));
    const auto apart = [&](size_t column) { return column == file || IsParameter(table, operation, column); };
    sent.erase(std::remove_if(sent.begin(), sent.end(), apart), sent.end());
    SetForm(RowBody(table, operation, row, sent).dump(), {{row[name]->text, row[file]->text}}, &call);
  } else if (operation.operation->body.exists && operation.body != "none") {
    call.body = RowBody(table, operation, row, sent).dump();
  }
  return call;
}

WriteCall InsertRows(const ApiTable &table, const TableOperation &operation, const std::vector<const ApiRow *> &rows) {
  WriteCall call;
  call.operation = operation.operation;
  call.arguments = Arguments(table, operation, *rows.front());
  Json list = Json::array();
  for (const ApiRow *row : rows) {
    const std::vector<size_t> sent = CheckInsert(table, operation, *row);
    AddSecrets(table, *row, sent, &call);
    if (operation.body == "array") list.push_back(RowBody(table, operation, *row, sent));
  }
  call.body = (operation.body == "array" ? list : ListBody(table, operation, rows)).dump();
  return call;
}

// ---- UPDATE ----

bool Contains(const std::vector<size_t> &columns, size_t column) {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

// "a.b" of "a.b.c".
std::string Group(const std::string &path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

// Whether a column's present value goes along with the ones that are set.
bool GoesAlong(const ApiTable &table, const TableOperation &operation, size_t column, const std::vector<size_t> &set) {
  const ApiColumn &candidate = table.columns[column];
  const bool own = candidate.update == operation.name && !candidate.write_only;
  for (const std::string &with : operation.with) {
    if (with == candidate.name) return true;
    if (with == "all" && own) return true;
    if (with != "group" || !own || Group(candidate.body).empty()) continue;
    const auto same = [&](size_t other) { return Group(table.columns[other].body) == Group(candidate.body); };
    if (std::any_of(set.begin(), set.end(), same)) return true;
  }
  return false;
}

WriteCall UpdateBy(const ApiTable &table, const TableOperation &operation, const ApiRow &row,
                   const std::vector<size_t> &set) {
  std::vector<size_t> sent;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!row[i].has_value()) continue;
    // What is not set and has no value was not set before either.
    if (Contains(set, i) || (!row[i]->null && GoesAlong(table, operation, i, set))) sent.push_back(i);
  }
  WriteCall call;
  call.operation = operation.operation;
  call.arguments = Arguments(table, operation, row);
  AddSecrets(table, row, sent, &call);
  if (!operation.operation->body.exists) return call;
  const Json body = RowBody(table, operation, row, sent);
  call.body = operation.body == "array" ? Json::array({body}).dump() : body.dump();
  return call;
}

}  // namespace

void SetForm(const std::string &metadata, const std::vector<FormFile> &files, WriteCall *call) {
  const std::string boundary = "supabase_fdw-" + Hex(RandomBytes(16));
  std::string body;
  AppendPart(boundary, "name=\"metadata\"\r\nContent-Type: application/json", metadata, &body);
  for (const FormFile &file : files) {
    AppendPart(boundary,
               "name=\"file\"; filename=\"" + FileName(file.name) + "\"\r\nContent-Type: application/octet-stream",
               file.content, &body);
  }
  call->body = body + "--" + boundary + "--\r\n";
  call->content_type = "multipart/form-data; boundary=" + boundary;
}

size_t InsertBatch(const ApiTable &table) {
  const TableOperation *operation = table.Find("insert");
  return operation != nullptr && IsList(*operation) ? kMaxBatch : 1;
}

bool DeletesLists(const ApiTable &table) {
  const TableOperation *operation = table.Find("delete");
  return operation != nullptr && IsList(*operation);
}

std::vector<WriteCall> BuildInsert(const ApiTable &table, const std::vector<ApiRow> &rows) {
  const TableOperation &operation = *table.Find("insert");
  std::vector<WriteCall> calls;
  if (IsList(operation)) {
    for (const auto &group : ByParent(table, rows))
      calls.push_back(InsertRows(table, operation, group));
    return calls;
  }
  for (const ApiRow &row : rows)
    calls.push_back(InsertRow(table, operation, row));
  return calls;
}

std::vector<WriteCall> BuildUpdate(const ApiTable &table, const ApiRow &row, const std::vector<size_t> &set) {
  for (const size_t column : set) {
    if (!table.columns[column].update.empty()) continue;
    throw Error("0A000",
                "column \"" + table.columns[column].name + "\" of table \"" + table.name + "\" cannot be updated",
                "The Management API has no operation for it.");
  }
  std::vector<WriteCall> calls;
  for (const TableOperation &operation : table.operations) {
    std::vector<size_t> own;
    std::copy_if(set.begin(), set.end(), std::back_inserter(own),
                 [&](size_t column) { return table.columns[column].update == operation.name; });
    if (!own.empty()) calls.push_back(UpdateBy(table, operation, row, own));
  }
  return calls;
}

std::vector<WriteCall> BuildDelete(const ApiTable &table, const std::vector<ApiRow> &rows) {
  const TableOperation &operation = *table.Find("delete");
  std::vector<WriteCall> calls;
  const auto add = [&](const std::vector<const ApiRow *> &group) {
    WriteCall call;
    call.operation = operation.operation;
    call.arguments = Arguments(table, operation, *group.front());
    if (IsList(operation)) call.body = ListBody(table, operation, group).dump();
    calls.push_back(std::move(call));
  };
  if (IsList(operation)) {
    for (const auto &group : ByParent(table, rows))
      add(group);
  } else {
    for (const ApiRow &row : rows)
      add({&row});
  }
  return calls;
}

}  // namespace supabase
