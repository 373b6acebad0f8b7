#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message.hpp"

namespace supabase {

// One value of one row, as plain text: a string unescaped, a number exactly as sent, "t" or "f", an object or array as
// its JSON text. `data` ends with a NUL byte that `size` does not count, so that it can go to a type's input function,
// and lives as long as its Page. For kNull it is a null pointer.
struct Cell {
  enum class Kind : uint8_t { kNull, kText, kNumber, kTrue, kFalse, kJson };
  const char *data = nullptr;
  uint32_t size = 0;
  Kind kind = Kind::kNull;
};

// A decoded page: every row of one response, checked whole before the first one is handed out.
class Page {
 public:
  Page() = default;
  // Cells point into text_, so a copy would point into the original. A move keeps the heap block where it is.
  Page(const Page &) = delete;
  Page &operator=(const Page &) = delete;
  Page(Page &&) noexcept = default;
  Page &operator=(Page &&) noexcept = default;

  size_t rows() const noexcept { return rows_; }
  size_t columns() const noexcept { return columns_; }
  // Memory it takes.
  size_t bytes() const noexcept { return text_.capacity() + cells_.capacity() * sizeof(Cell); }
  const Cell *Row(size_t index) const noexcept { return cells_.data() + index * columns_; }

 private:
  friend Page DecodePage(Response response, size_t columns, std::string_view label);
  std::vector<Cell> cells_;
  std::string text_;  // the body, its values unescaped and terminated in place; always on the heap (see DecodePage)
  size_t rows_ = 0, columns_ = 0;
};

// Decodes the answer to a read whose select list has `columns` aliases c0, c1, … in that order: a JSON array of
// objects. The response's status must be 200 or 206. Throws Error: 08P01 for anything else than exactly that shape
// (content type, truncated or trailing text, missing, surplus, duplicate or reordered keys, invalid UTF-8), 22P05 for a
// \u0000 in a string. `label` names the request in the context. A string with an unpaired surrogate is 08P01; inside an
// object or array escapes are not checked, which is up to the type that reads the text. A body above 4 GB and an object
// or array with more than 500 levels are 54000.
Page DecodePage(Response response, size_t columns, std::string_view label);

// "first-last/total" of Content-Range (RFC 9110 14.4 as PostgREST uses it), each part absent for "*".
struct ContentRange {
  std::optional<uint64_t> first, last, total;
};
// nullopt for text that is not of that form.
std::optional<ContentRange> ParseContentRange(std::string_view text);

}  // namespace supabase
