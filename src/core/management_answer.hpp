#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue.hpp"
#include "message.hpp"
#include "rows.hpp"

namespace supabase {

// Texts that cells point into. A deque: what is added moves nothing.
using CellTexts = std::deque<std::string>;

// A JSON answer of the Management API, as rows of a table. Missing and unknown members are no error: the service is
// ahead of its description.
class ManagementAnswer {
 public:
  // Throws Error: 08P01 for a body that is no JSON, 54000 for one of more than 200 levels.
  ManagementAnswer(const Response &response, const std::string &label);
  ~ManagementAnswer();
  ManagementAnswer(ManagementAnswer &&) noexcept;
  ManagementAnswer &operator=(ManagementAnswer &&) noexcept;

  // Makes what stands at that path of the answer the rows (catalogue: "rows"). What is missing or null is no row.
  // Throws Error: 08P01 for something else than objects there, 22023 for an answer that is an error in spite of its
  // status.
  void Select(const std::string &path);
  size_t rows() const;
  // Whether the row has a value for the column, be it null.
  bool Has(size_t row, const ApiColumn &column) const;
  // A column's value in a row, as ConvertCell takes it. `table` says what is not shown in a whole row.
  Cell Value(size_t row, const ApiTable &table, const ApiColumn &column, CellTexts *texts) const;
  // The value at a path of the whole answer as text, "" for none.
  std::string TextAt(const std::string &path) const;
  // The value at a path as JSON text, "" for none; the whole for an empty path.
  std::string JsonAt(const std::string &path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A row with what its cells point into. To be moved, not copied.
struct ManagementRow {
  CellTexts texts;
  std::vector<Cell> cells;

  ManagementRow() = default;
  ManagementRow(const ManagementRow &) = delete;
  ManagementRow &operator=(const ManagementRow &) = delete;
  ManagementRow(ManagementRow &&) = default;
  ManagementRow &operator=(ManagementRow &&) = default;
};

// A cell of plain text.
Cell TextCell(std::string text, CellTexts *texts);

}  // namespace supabase
