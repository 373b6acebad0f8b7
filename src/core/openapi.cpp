#include "openapi.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "error.hpp"
#include "problem.hpp"

namespace supabase {

namespace {

using Json = nlohmann::json;

// PostgREST's documents have eight levels.
constexpr size_t kMaxDepth = 64;
// NAMEDATALEN - 1 and MaxHeapAttributeNumber of PostgreSQL as everyone builds it.
constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxColumns = 1600;
// Each note becomes a message to the user.
constexpr size_t kMaxNotes = 100;
// FUNC_MAX_ARGS of PostgreSQL as everyone builds it.
constexpr size_t kMaxArguments = 100;
// Two names and a dot.
constexpr size_t kMaxReferenceBytes = 2 * kMaxNameBytes + 1;
constexpr int kMaxLength = 1 << 30;
constexpr std::string_view kFunctionPath = "/rpc/";

[[noreturn]] void Refuse(const std::string &detail) {
  throw Error(sqlstate::kProtocolViolation, "remote did not answer with a description of its tables", detail,
              "The Data API of the remote must have its OpenAPI document enabled (openapi-mode).");
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// --- Names and descriptions -----------------------------------------------------------------------------------------

// C0, DEL and C1. The text is valid UTF-8, as JSON is.
bool IsControlAt(std::string_view text, size_t i) {
  const auto byte = static_cast<uint8_t>(text[i]);
  if (byte == 0xC2 && i + 1 < text.size()) return static_cast<uint8_t>(text[i + 1]) < 0xA0;
  return byte < 0x20 || byte == 0x7F;
}

// Why the name cannot be an identifier, or null.
const char *NameFault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) return "is longer than 63 bytes";
  for (size_t i = 0; i < name.size(); ++i) {
    if (IsControlAt(name, i)) return "contains a control character";
  }
  return nullptr;
}

// Views may have columns of these names, (foreign) tables may not.
bool IsSystemColumn(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kNames{"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// A comment may have lines; every other control character becomes a blank.
std::string CleanComment(std::string_view text) {
  std::string clean(text);
  for (size_t i = 0; i < clean.size(); ++i) {
    if (clean[i] == '\n' || clean[i] == '\t' || !IsControlAt(clean, i)) continue;
    if (static_cast<uint8_t>(clean[i]) == 0xC2) clean[i++] = ' ';
    clean[i] = ' ';
  }
  return clean;
}

// Takes PostgREST's note off the end of a column's description: "<comment>\n\nNote:\n" and then, each on its line,
// "This is a Primary Key.<pk/>", "This is a Foreign Key to `t.c`.<fk table='t' column='c'/>". Text that only resembles
// it stays in the comment.
void ReadDescription(const std::string &description, RemoteColumn &column) {
  static constexpr std::string_view kNote = "Note:\n";
  static constexpr std::string_view kGap = "\n\n";
  static constexpr std::string_view kPrimary = "This is a Primary Key.<pk/>";
  static constexpr std::string_view kForeign = "This is a Foreign Key to `";
  static constexpr std::string_view kTag = "`.<fk table='";
  static constexpr std::string_view kTagEnd = "'/>";

  column.comment = CleanComment(description);
  const std::string_view text = description;
  const size_t note = text.rfind(kNote);
  if (note == std::string_view::npos) return;
  const bool has_comment = note > kGap.size() && text.substr(note - kGap.size(), kGap.size()) == kGap;
  if (note > 0 && !has_comment) return;

  std::string_view rest = text.substr(note + kNote.size());
  const bool is_key = StartsWith(rest, kPrimary);
  if (is_key) rest.remove_prefix(kPrimary.size());
  std::string_view target;
  if (!rest.empty()) {
    if (is_key && rest.front() != '\n') return;
    if (is_key) rest.remove_prefix(1);
    const size_t tag = rest.find(kTag);
    const bool is_reference = StartsWith(rest, kForeign) && tag != std::string_view::npos && tag >= kForeign.size() &&
                              rest.substr(rest.size() - kTagEnd.size()) == kTagEnd;
    if (!is_reference) return;
    target = rest.substr(kForeign.size(), tag - kForeign.size());
  }
  if (!is_key && target.empty()) return;

  column.is_key = is_key;
  bool is_clean = target.size() <= kMaxReferenceBytes;
  for (size_t i = 0; i < target.size(); ++i)
    is_clean = is_clean && !IsControlAt(target, i);
  if (is_clean) column.references = target;
  column.comment = has_comment ? CleanComment(text.substr(0, note - kGap.size())) : std::string();
}

// Notes that something is left out.
void LeaveOut(const char *kind, const std::string &name, const std::string &fault, size_t &count,
              std::vector<std::string> &notes) {
  if (++count > kMaxNotes) return;
  notes.push_back(std::string(kind) + " \"" + CleanText(name, kMaxNameBytes) + "\" is left out because " + fault + ".");
}

// --- The document ---------------------------------------------------------------------------------------------------

// A definition while it is read.
struct Draft {
  RemoteTable table;
  std::unordered_set<std::string> column_names;
  std::unordered_set<std::string> required;
  std::string fault;  // why it is left out
};

// A function while it is read.
struct FunctionDraft {
  RemoteFunction function;
  std::unordered_set<std::string> required;
  std::vector<std::string> required_order, get_order;  // names as declared
  std::unordered_set<std::string> variadic;
  std::string parameter;           // of GET, the one being read: its name
  bool parameter_repeats = false;  // its collectionFormat is "multi"
  std::string fault;
};

// Follows the parser's events and keeps what is in the places it knows. Events instead of a document: order and
// duplicates of keys stay visible, memory stays in proportion to what is kept, and depth costs no stack.
class DocumentReader : public nlohmann::json_sax<Json> {
 public:
  RemoteSchema Finish();
  const std::string &complaint() const { return complaint_; }

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t, const string_t &) override { return Value(); }
  bool binary(binary_t &) override { return Value(); }
  bool string(string_t &value) override;
  bool start_object(std::size_t) override { return Enter(); }
  bool start_array(std::size_t) override { return MustBeObject() ? Value() : Enter(); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  bool key(string_t &name) override;
  bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &) override {
    return Stop("The answer is not valid JSON at byte " + std::to_string(position) + ".");
  }

 private:
  bool Stop(std::string why) {
    complaint_ = std::move(why);
    return false;
  }
  bool Value();
  bool Enter();
  bool Leave();
  bool StartTable(const std::string &name);
  void StartColumn(const std::string &name);
  void EndTable();
  bool StartFunction(const std::string &path);
  void StartArgument(const std::string &name);
  void FunctionString(const std::string &value);
  void EndParameter();
  void EndFunction();

  bool InDefinitions() const { return path_.size() > 1 && path_[0] == "definitions"; }
  bool InProperties() const { return path_.size() > 2 && InDefinitions() && path_[2] == "properties"; }
  bool InFunction() const { return path_.size() > 1 && path_[0] == "paths" && StartsWith(path_[1], kFunctionPath); }
  // Where POST describes its arguments: "parameters" is an array, whose elements have no key.
  bool InBodySchema() const {
    return path_.size() > 6 && InFunction() && path_[2] == "post" && path_[3] == "parameters" && path_[5] == "schema";
  }
  bool InParameter() const {
    return path_.size() == 6 && InFunction() && path_[2] == "get" && path_[3] == "parameters";
  }
  // Whether the value that comes next belongs to the column read last.
  bool InColumn() const { return path_.size() == 5 && InProperties(); }
  // Whether the value that comes next is the document, the definitions, a table, its columns or one column. With these
  // being objects, every key that StartTable and StartColumn need has been seen before what is inside.
  bool MustBeObject() const {
    if (path_.size() <= 1) return path_.empty() || path_[0] == "definitions";
    return path_.size() == 2 ? InDefinitions() : path_.size() <= 4 && InProperties();
  }

  std::vector<std::string> path_;  // of each open object the key read last, of an array ""
  std::string complaint_;
  std::string swagger_;
  RemoteSchema schema_;
  Draft draft_;
  std::unordered_set<std::string> table_names_;
  std::unordered_set<std::string> writable_paths_;
  FunctionDraft function_;
  std::unordered_set<std::string> function_names_;
  size_t left_out_ = 0, functions_left_out_ = 0;
};

// A value that is no object.
bool DocumentReader::Value() {
  return MustBeObject() ? Stop("A part that must be a JSON object is none.") : true;
}

bool DocumentReader::Enter() {
  if (path_.size() == kMaxDepth) return Stop("The document is nested more than 64 levels deep.");
  if (InColumn() && path_[4] == "enum") draft_.table.columns.back().is_enum = true;
  path_.emplace_back();
  return true;
}

bool DocumentReader::Leave() {
  path_.pop_back();
  if (path_.size() == 2 && InDefinitions()) EndTable();
  if (path_.size() == 2 && InFunction()) EndFunction();
  if (path_.size() == 5 && InFunction() && path_[2] == "get" && path_[3] == "parameters") EndParameter();
  return true;
}

bool DocumentReader::key(string_t &name) {
  path_.back() = name;
  if (path_.size() == 2 && InDefinitions()) return StartTable(name);
  if (path_.size() == 4 && InProperties()) StartColumn(name);
  if (path_.size() == 2 && InFunction()) return StartFunction(name);
  if (path_.size() == 8 && InBodySchema() && path_[6] == "properties") StartArgument(name);
  if (path_.size() == 3 && path_[0] == "paths" && (name == "post" || name == "patch" || name == "delete")) {
    writable_paths_.insert(path_[1]);
  }
  return true;
}

bool DocumentReader::string(string_t &value) {
  if (path_.size() == 1 && path_[0] == "swagger") swagger_ = value;
  if (path_.size() == 2 && path_[0] == "info" && path_[1] == "version")
    schema_.version = CleanText(value, kMaxNameBytes);
  if (path_.size() == 3 && InDefinitions() && path_[2] == "description") draft_.table.comment = CleanComment(value);
  if (path_.size() == 4 && InDefinitions() && path_[2] == "required") {
    draft_.required.insert(value);
    return true;
  }
  if (InColumn()) {
    RemoteColumn &column = draft_.table.columns.back();
    if (path_[4] == "format") column.format = value;
    if (path_[4] == "description") ReadDescription(value, column);
  }
  if (InFunction()) FunctionString(value);
  return Value();
}

bool DocumentReader::number_unsigned(number_unsigned_t value) {
  if (InColumn() && path_[4] == "maxLength" && value <= kMaxLength) {
    draft_.table.columns.back().max_length = static_cast<int>(value);
  }
  return Value();
}

bool DocumentReader::StartTable(const std::string &name) {
  if (!table_names_.insert(name).second) return Stop("A table occurs twice.");
  draft_ = Draft();
  draft_.table.name = name;
  return true;
}

void DocumentReader::StartColumn(const std::string &name) {
  RemoteTable &table = draft_.table;
  std::string fault;
  if (const char *what = NameFault(name)) {
    fault = std::string("the name of a column ") + what;
  } else if (IsSystemColumn(name)) {
    fault = "the name of column \"" + name + "\" is that of a system column";
  } else if (!draft_.column_names.insert(name).second) {
    fault = "column \"" + CleanText(name, kMaxNameBytes) + "\" occurs twice";
  } else if (table.columns.size() == kMaxColumns) {
    fault = "it has more than 1600 columns";
  }
  if (draft_.fault.empty()) draft_.fault = fault;
  // Of a table that is left out only the column being read is kept.
  if (!draft_.fault.empty()) table.columns.clear();
  table.columns.emplace_back().name = name;
}

void DocumentReader::EndTable() {
  RemoteTable &table = draft_.table;
  if (const char *what = NameFault(table.name)) {
    draft_.fault = std::string("its name ") + what;
  } else if (table.columns.empty()) {
    draft_.fault = "it has no columns";
  }
  if (!draft_.fault.empty()) return LeaveOut("Table", table.name, draft_.fault, left_out_, schema_.left_out);
  table.is_view = draft_.required.empty();
  for (RemoteColumn &column : table.columns)
    column.not_null = draft_.required.count(column.name) > 0;
  schema_.tables.push_back(std::move(table));
}

bool DocumentReader::StartFunction(const std::string &path) {
  if (!function_names_.insert(path).second) return Stop("A function occurs twice.");
  function_ = FunctionDraft();
  function_.function.name = path.substr(kFunctionPath.size());
  return true;
}

void DocumentReader::StartArgument(const std::string &name) {
  std::vector<RemoteArgument> &arguments = function_.function.arguments;
  const bool repeated = std::any_of(arguments.begin(), arguments.end(),
                                    [&](const RemoteArgument &other) { return other.value.name == name; });
  std::string fault;
  if (repeated) {
    fault = "argument \"" + CleanText(name, kMaxNameBytes) + "\" occurs twice";
  } else if (const char *what = name.empty() ? nullptr : NameFault(name)) {
    fault = std::string("the name of an argument ") + what;
  } else if (arguments.size() == kMaxArguments) {
    fault = "it has more than 100 arguments";
  }
  if (function_.fault.empty()) function_.fault = fault;
  // Of a function that is left out only the argument being read is kept.
  if (!function_.fault.empty()) arguments.clear();
  arguments.emplace_back().value.name = name;
}

void DocumentReader::FunctionString(const std::string &value) {
  if (InParameter() && path_[5] == "name") function_.parameter = value;
  if (InParameter() && path_[5] == "collectionFormat") function_.parameter_repeats = value == "multi";
  if (!InBodySchema()) return;
  if (path_.size() == 7 && path_[6] == "description") function_.function.comment = CleanComment(value);
  if (path_.size() == 8 && path_[6] == "required" && function_.required.insert(value).second) {
    function_.required_order.push_back(value);
  }
  if (path_.size() == 9 && path_[6] == "properties" && path_[8] == "format") {
    function_.function.arguments.back().value.format = value;
  }
}

void DocumentReader::EndParameter() {
  function_.get_order.push_back(function_.parameter);
  if (function_.parameter_repeats) function_.variadic.insert(function_.parameter);
  function_.parameter_repeats = false;
}

// POST lists the arguments by name, GET as they are declared; what only POST has comes with its required ones first,
// which it lists as declared.
void DocumentReader::EndFunction() {
  RemoteFunction &function = function_.function;
  if (const char *what = NameFault(function.name)) function_.fault = std::string("its name ") + what;
  for (const RemoteArgument &argument : function.arguments) {
    if (argument.value.name.empty() && function.arguments.size() > 1 && function_.fault.empty()) {
      function_.fault = "it has arguments without a name";
    }
  }
  if (!function_.fault.empty()) {
    return LeaveOut("Function", function.name, function_.fault, functions_left_out_, schema_.functions_left_out);
  }
  const auto rank = [](const std::vector<std::string> &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  for (RemoteArgument &argument : function.arguments) {
    argument.required = function_.required.count(argument.value.name) > 0;
    argument.variadic = function_.variadic.count(argument.value.name) > 0;
  }
  std::stable_sort(function.arguments.begin(), function.arguments.end(),
                   [&](const RemoteArgument &a, const RemoteArgument &b) {
                     const std::string &x = a.value.name, &y = b.value.name;
                     const auto x_get = rank(function_.get_order, x), y_get = rank(function_.get_order, y);
                     if (x_get != y_get) return x_get < y_get;
                     return rank(function_.required_order, x) < rank(function_.required_order, y);
                   });
  schema_.functions.push_back(std::move(function));
}

RemoteSchema DocumentReader::Finish() {
  if (swagger_ != "2.0") Refuse("The answer is not a Swagger 2.0 document.");
  for (RemoteTable &table : schema_.tables)
    table.writable = writable_paths_.count("/" + table.name) > 0;
  std::sort(schema_.tables.begin(), schema_.tables.end(),
            [](const RemoteTable &a, const RemoteTable &b) { return a.name < b.name; });
  std::sort(schema_.functions.begin(), schema_.functions.end(),
            [](const RemoteFunction &a, const RemoteFunction &b) { return a.name < b.name; });
  if (left_out_ > kMaxNotes) {
    schema_.left_out.push_back(std::to_string(left_out_ - kMaxNotes) + " more tables are left out.");
  }
  if (functions_left_out_ > kMaxNotes) {
    schema_.functions_left_out.push_back(std::to_string(functions_left_out_ - kMaxNotes) +
                                         " more functions are left out.");
  }
  return std::move(schema_);
}

}  // namespace

RemoteSchema ParseOpenApi(std::string_view body) {
  DocumentReader reader;
  // The parser takes a NUL byte for the end of the text.
  if (body.find('\0') != std::string_view::npos) Refuse("The answer contains a NUL byte.");
  if (!Json::sax_parse(body.begin(), body.end(), &reader)) Refuse(reader.complaint());
  return reader.Finish();
}

}  // namespace supabase
