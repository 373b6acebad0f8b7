// ParseOpenApi and MapType over arbitrary bytes: whatever is accepted can be made into foreign tables. A failed
// property is a std::logic_error.

#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>

#include "error.hpp"
#include "openapi.hpp"

namespace {

void Require(bool holds, const char *otherwise) {
  if (!holds) throw std::logic_error(otherwise);
}

bool HasControl(const std::string &text) {
  for (const char c : text) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

void RequireIdentifier(const std::string &name) {
  Require(!name.empty() && name.size() <= 63 && !HasControl(name), "not an identifier");
}

void RequireColumn(const supabase::RemoteColumn &column) {
  RequireIdentifier(column.name);
  Require(column.max_length >= 0, "a negative length");
  Require(!HasControl(column.references), "a control character in a reference");
  Require(column.comment.find('\0') == std::string::npos, "a NUL in a comment");
  const supabase::LocalType type = supabase::MapType(column);
  Require(!type.name.empty() && type.name.size() <= 256 && !HasControl(type.name), "not a type name");
  const bool is_plain =
      type.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_ \"()[]") == std::string::npos;
  Require(!type.known || is_plain, "a known type that is not from the list");
}

void RequireFunctions(const supabase::RemoteSchema &schema) {
  std::string last;
  for (const supabase::RemoteFunction &function : schema.functions) {
    RequireIdentifier(function.name);
    Require(last < function.name, "functions out of order or twice");
    last = function.name;
    Require(function.arguments.size() <= 100, "too many arguments");
    Require(function.comment.find('\0') == std::string::npos, "a NUL in a comment");
    std::set<std::string> names;
    for (const supabase::RemoteArgument &argument : function.arguments) {
      if (!argument.value.name.empty() || function.arguments.size() > 1) RequireColumn(argument.value);
      Require(names.insert(argument.value.name).second, "an argument twice");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  supabase::RemoteSchema schema;
  try {
    schema = supabase::ParseOpenApi(std::string_view(reinterpret_cast<const char *>(data), size));
  } catch (const supabase::Error &error) {
    Require(std::string(error.sqlstate()) == "08P01", "an unexpected SQLSTATE");
    return 0;
  }
  std::string last;
  for (const supabase::RemoteTable &table : schema.tables) {
    RequireIdentifier(table.name);
    Require(last < table.name, "tables out of order or twice");
    last = table.name;
    Require(!table.columns.empty() && table.columns.size() <= 1600, "no columns or too many");
    std::set<std::string> names;
    bool has_required = false;
    for (const supabase::RemoteColumn &column : table.columns) {
      RequireColumn(column);
      Require(names.insert(column.name).second, "a column twice");
      has_required = has_required || column.not_null;
    }
    Require(!has_required || !table.is_view, "a view with a required column");
  }
  RequireFunctions(schema);
  for (const auto *notes : {&schema.left_out, &schema.functions_left_out}) {
    Require(notes->size() <= 101, "too many notes");
    for (const std::string &note : *notes)
      Require(!HasControl(note), "a control character in a note");
  }
  return 0;
}
