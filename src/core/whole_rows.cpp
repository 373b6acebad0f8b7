#include "whole_rows.hpp"

#include <simdjson.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace supabase {
namespace {

namespace ondemand = simdjson::ondemand;

struct Field {
  std::string name;
  std::string_view value;  // JSON text
};

std::string Alias(size_t column) {
  return "c" + std::to_string(column);
}

std::vector<Field> Fields(ondemand::object object) {
  std::vector<Field> fields;
  for (ondemand::field field : object) {
    std::string name(field.unescaped_key().value());
    fields.push_back({std::move(name), simdjson::to_json_string(field.value())});
  }
  return fields;
}

// Appends a row; false when it lacks a column. What follows the columns of the relation has aliases, so a column of the
// relation with such a name is no other's value.
bool AppendRow(std::string &rows, const std::vector<Field> &fields, const std::vector<SelectColumn> &select) {
  const auto texts = static_cast<size_t>(
      std::count_if(select.begin(), select.end(), [](const SelectColumn &column) { return column.as_text; }));
  if (fields.size() < texts) return false;
  const auto own_end = fields.end() - static_cast<std::ptrdiff_t>(texts);
  auto text = own_end;
  rows += rows.size() > 1 ? ",{" : "{";
  for (size_t i = 0; i < select.size(); ++i) {
    const auto named = [&](const Field &field) { return field.name == select[i].name; };
    const auto field = select[i].as_text ? text++ : std::find_if(fields.begin(), own_end, named);
    if (select[i].as_text ? field->name != Alias(i) : field == own_end) return false;
    rows.append(i > 0 ? ",\"" : "\"").append(Alias(i)).append("\":").append(field->value);
  }
  rows += '}';
  return true;
}

}  // namespace

std::optional<std::string> AliasWholeRows(const std::string &body, const std::vector<SelectColumn> &select) {
  const simdjson::padded_string padded(body);
  std::string rows = "[";
  ondemand::parser parser;
  try {
    ondemand::document document = parser.iterate(padded);
    for (auto row : document.get_array()) {
      if (!AppendRow(rows, Fields(row.get_object()), select)) return std::nullopt;
    }
    const char *rest;
    if (document.current_location().get(rest) == simdjson::SUCCESS) return body;
  } catch (const simdjson::simdjson_error &) {
    return body;
  }
  return rows += ']';
}

}  // namespace supabase
