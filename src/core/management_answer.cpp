#include "management_answer.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.hpp"
#include "problem.hpp"

namespace supabase {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxLevels = 200;
constexpr size_t kMaxMessageBytes = 500;
// The years 1 to 9999.
constexpr double kFirstSecond = -62'135'596'800, kEndSecond = 253'402'300'800;

std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    parts.emplace_back(path.substr(0, dot));
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return parts;
}

// Takes "[]" from the end of a part.
bool TakeBrackets(std::string *part) {
  if (part->size() < 2 || part->compare(part->size() - 2, 2, "[]") != 0) return false;
  part->resize(part->size() - 2);
  return true;
}

const Json *Member(const Json *object, const std::string &name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

// What stands at a path without "[]".
const Json *At(const Json *value, const std::vector<std::string> &parts, size_t first = 0) {
  for (size_t i = first; i < parts.size() && value != nullptr; ++i)
    value = Member(value, parts[i]);
  return value;
}

std::string Dump(const Json &value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string PlainText(const Json &value) {
  return value.is_string() ? value.get<std::string>() : Dump(value);
}

// ---- Values ----

// A PostgreSQL array of texts.
std::string ArrayText(const Json &list) {
  std::string text = "{";
  for (const Json &item : list) {
    if (text.size() > 1) text += ',';
    if (item.is_null()) {
      text += "NULL";
      continue;
    }
    text += '"';
    for (const char c : PlainText(item)) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

// Seconds or milliseconds since 1970 as a timestamp with time zone; what is no such number as it is.
std::string EpochText(const Json &value, int64_t per_second) {
  const std::string plain = PlainText(value);
  char *end = nullptr;
  const double number = value.is_number() ? value.get<double>() : std::strtod(plain.c_str(), &end);
  const bool read = value.is_number() || (end != plain.c_str() && *end == '\0');
  const double whole = std::floor(number / static_cast<double>(per_second));
  if (!read || !(whole >= kFirstSecond && whole < kEndSecond)) return plain;
  const auto millis =
      static_cast<int>((number - whole * static_cast<double>(per_second)) * 1000 / static_cast<double>(per_second));
  const auto seconds = static_cast<time_t>(whole);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d.%03d+00", parts.tm_year + 1900, parts.tm_mon + 1,
           parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis);
  return text;
}

bool IsWhole(const std::string &type) {
  return type == "integer" || type == "bigint";
}

// 3.0 for an integer column.
std::string NumberText(const Json &value, const std::string &type) {
  if (value.is_number_float() && IsWhole(type)) {
    const double number = value.get<double>();
    if (number == static_cast<double>(static_cast<int64_t>(number)))
      return std::to_string(static_cast<int64_t>(number));
  }
  return Dump(value);
}

Cell Convert(const Json &value, const ApiColumn &column, CellTexts *texts) {
  if (value.is_null()) return {};
  if (column.decode == "epoch_ms") return TextCell(EpochText(value, 1000), texts);
  if (column.decode == "epoch_s") return TextCell(EpochText(value, 1), texts);
  if (column.decode == "empty_null" && value.is_string() && value.get_ref<const std::string &>().empty()) return {};
  if (column.type == "jsonb") {
    Cell cell = TextCell(Dump(value), texts);
    cell.kind = Cell::Kind::kJson;
    return cell;
  }
  if (column.type == "text[]") return TextCell(value.is_array() ? ArrayText(value) : PlainText(value), texts);
  if (value.is_boolean()) {
    Cell cell = TextCell(value.get<bool>() ? "t" : "f", texts);
    cell.kind = value.get<bool>() ? Cell::Kind::kTrue : Cell::Kind::kFalse;
    return cell;
  }
  if (value.is_number()) {
    Cell cell = TextCell(NumberText(value, column.type), texts);
    cell.kind = Cell::Kind::kNumber;
    return cell;
  }
  return TextCell(PlainText(value), texts);
}

}  // namespace

struct ManagementAnswer::Impl {
  // A row, and the object around it, for columns of the form ^x.
  struct Row {
    const Json *value, *around;
  };
  Json document;
  std::vector<Row> rows;
  std::string label;

  [[noreturn]] void Refuse(const std::string &what) const {
    throw Error(sqlstate::kProtocolViolation, "answer of the Management API is not what was expected", what, {},
                "remote request: " + CleanText(label, 300));
  }

  void Take(const Json *value, const Json *around, const std::vector<std::string> &parts, size_t at) {
    if (value == nullptr || value->is_null()) return;
    if (at == parts.size()) {
      rows.push_back({value, around});
      return;
    }
    std::string part = parts[at];
    const bool list = TakeBrackets(&part);
    const Json *found = part.empty() ? value : Member(value, part);
    if (!list) return Take(found, value, parts, at + 1);
    if (found == nullptr || found->is_null()) return;
    if (!found->is_array()) Refuse("There is no list where one was expected.");
    for (const Json &item : *found)
      Take(&item, part.empty() ? around : value, parts, at + 1);
  }

  // "^^x" would be the object around the object around.
  const Json *Find(size_t row, const std::string &path) const {
    if (path == ".") return rows[row].value;
    if (path.empty()) return nullptr;
    const bool outer = path[0] == '^';
    return At(outer ? rows[row].around : rows[row].value, SplitPath(std::string_view(path).substr(outer ? 1 : 0)));
  }

  // A path with "[]": a list of what stands behind it in each item.
  bool FindList(size_t row, const std::string &path, Json *list) const {
    const size_t brackets = path.find("[].");
    if (brackets == std::string::npos) return false;
    *list = nullptr;
    const Json *items = Find(row, path.substr(0, brackets));
    if (items == nullptr || !items->is_array()) return true;
    *list = Json::array();
    const std::vector<std::string> rest = SplitPath(std::string_view(path).substr(brackets + 3));
    for (const Json &item : *items) {
      if (const Json *value = item.is_object() ? At(&item, rest) : &item; value != nullptr) list->push_back(*value);
    }
    return true;
  }
};

ManagementAnswer::ManagementAnswer(const Response &response, const std::string &label)
    : impl_(std::make_unique<Impl>()) {
  impl_->label = label;
  bool too_deep = false;
  const auto check = [&](int depth, Json::parse_event_t, Json &) {
    too_deep = too_deep || depth > kMaxLevels;
    return !too_deep;
  };
  impl_->document = Json::parse(response.body.begin(), response.body.end(), check, false);
  if (too_deep) throw Error(sqlstate::kProgramLimit, "answer of the Management API has too many levels");
  if (impl_->document.is_discarded()) impl_->Refuse("It is no JSON.");
}

ManagementAnswer::~ManagementAnswer() = default;
ManagementAnswer::ManagementAnswer(ManagementAnswer &&) noexcept = default;
ManagementAnswer &ManagementAnswer::operator=(ManagementAnswer &&) noexcept = default;

void ManagementAnswer::Select(const std::string &path) {
  impl_->rows.clear();
  const Json *error = Member(&impl_->document, "error");
  impl_->Take(&impl_->document, nullptr, SplitPath(path), 0);
  // A row may have such a member, but not alone.
  const bool no_row = path.empty() ? impl_->document.size() == 1 : impl_->rows.empty();
  if (no_row && error != nullptr && !error->is_null()) {
    const Json *message = error->is_object() ? Member(error, "message") : error;
    throw Error(sqlstate::kInvalidParameterValue,
                CleanText(message == nullptr ? Dump(*error) : PlainText(*message), kMaxMessageBytes), {}, {},
                "remote request: " + CleanText(impl_->label, 300));
  }
}

size_t ManagementAnswer::rows() const {
  return impl_->rows.size();
}

bool ManagementAnswer::Has(size_t row, const ApiColumn &column) const {
  Json list;
  return column.whole || impl_->FindList(row, column.json, &list) || impl_->Find(row, column.json) != nullptr;
}

Cell ManagementAnswer::Value(size_t row, const ApiTable &table, const ApiColumn &column, CellTexts *texts) const {
  if (column.whole) {
    Json shown = *impl_->rows[row].value;
    for (const ApiColumn &other : table.columns) {
      if (other.secret && !other.digest && shown.is_object() && !other.json.empty())
        shown.erase(SplitPath(other.json)[0]);
    }
    return Convert(shown, column, texts);
  }
  Json list;
  if (impl_->FindList(row, column.json, &list)) return Convert(list, column, texts);
  const Json *value = impl_->Find(row, column.json);
  return value == nullptr ? Cell{} : Convert(*value, column, texts);
}

std::string ManagementAnswer::TextAt(const std::string &path) const {
  const Json *value = At(&impl_->document, SplitPath(path));
  return value == nullptr || value->is_null() ? std::string() : PlainText(*value);
}

std::string ManagementAnswer::JsonAt(const std::string &path) const {
  const Json *value = At(&impl_->document, SplitPath(path));
  return value == nullptr || value->is_null() ? std::string() : Dump(*value);
}

Cell TextCell(std::string text, CellTexts *texts) {
  texts->push_back(std::move(text));
  Cell cell;
  cell.data = texts->back().c_str();
  cell.size = static_cast<uint32_t>(texts->back().size());
  cell.kind = Cell::Kind::kText;
  return cell;
}

}  // namespace supabase
