#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace supabase {

// Appends a text as a JSON string. The text is UTF-8 and is not checked.
void AppendJsonString(std::string &out, std::string_view text);

// One value of a row to be written: the text that PostgreSQL prints for it, or JSON as it is (json and jsonb columns).
struct PayloadValue {
  enum class Kind { kNull, kText, kJson };
  const char *data = nullptr;
  size_t size = 0;
  Kind kind = Kind::kNull;
};

// The body of a write. Every value but NULL and JSON goes as a string, because the server hands a string to the input
// function of the column's type, which reads all that the type prints: NaN, arrays with bounds, composites, bytea. JSON
// is copied byte for byte.
class Payload {
 public:
  explicit Payload(const std::vector<std::string> &columns);

  // `values` in the order of the columns.
  void AddRow(const PayloadValue *values);
  size_t rows() const noexcept { return rows_; }
  size_t bytes() const noexcept { return body_.size(); }

  // The rows so far as an array of objects; a payload without rows is left.
  std::string Take();
  // One row as an object.
  std::string Object(const PayloadValue *values) const;

 private:
  void Append(std::string &out, const PayloadValue *values) const;

  std::vector<std::string> keys_;  // with quotes and colon, and the comma before all but the first
  std::string body_;
  size_t rows_ = 0;
};

}  // namespace supabase
