#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue.hpp"
#include "management_call.hpp"

namespace supabase {

// Changes of rows of the Management API's tables, as calls.

// A column's value: plain text, or JSON where the column's type is jsonb or text[].
struct ApiValue {
  bool null = true;
  std::string text;
};
// By column of the catalogue; none where nothing is said of it.
using ApiRow = std::vector<std::optional<ApiValue>>;

struct WriteCall {
  const ApiOperation *operation = nullptr;
  CallArguments arguments;
  std::optional<std::string> body;
  std::string content_type = "application/json";
  std::vector<Secret> secrets;  // that the body has
  bool secret = false;          // any text in the body may be one
};

// Makes the body a form with files (RFC 7578): a part "metadata", JSON, and a part "file" for each.
struct FormFile {
  std::string name, content;
};
void SetForm(const std::string &metadata, const std::vector<FormFile> &files, WriteCall *call);

// INSERT of rows: one call for each, or one for all of one parent where the operation takes a list ("array",
// "families"). Throws Error: 23502 for a column without a value that needs one, 0A000 for a value of a column that
// cannot be given, 22023 for one that is not allowed.
std::vector<WriteCall> BuildInsert(const ApiTable &table, const std::vector<ApiRow> &rows);
// How many rows BuildInsert can take at once.
size_t InsertBatch(const ApiTable &table);

// UPDATE of a row. `row` is the new one; `set` are the columns of the SET list, the only ones that are sent, but for
// what the operation needs beside them. A call for each operation that the columns belong to, in the catalogue's order.
// Throws Error: 0A000 for a column that cannot be changed, 22023 as above.
std::vector<WriteCall> BuildUpdate(const ApiTable &table, const ApiRow &row, const std::vector<size_t> &set);

// DELETE of rows: one call for each, or one for each parent where the operation takes a list.
std::vector<WriteCall> BuildDelete(const ApiTable &table, const std::vector<ApiRow> &rows);
// Whether BuildDelete makes one call of several rows.
bool DeletesLists(const ApiTable &table);

}  // namespace supabase
