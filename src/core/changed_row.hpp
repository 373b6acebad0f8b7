#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalogue.hpp"
#include "management_answer.hpp"
#include "management_reader.hpp"
#include "management_write.hpp"

namespace supabase {

// What is known of a row of the Management API after it was changed: what the answer says, what was given, and, where
// more is wanted, the row as it is read again.
class ChangedRow {
 public:
  ChangedRow() = default;
  // `wanted` are columns of the catalogue; those by which a row is recognized are read as well.
  ChangedRow(const ApiTable *table, std::vector<size_t> wanted);

  // The columns that a reader must read, the wanted ones first.
  const std::vector<size_t> &columns() const noexcept { return columns_; }
  // Forgets the last row; takes what was given to this one and what the answer says, if there is one.
  void Take(const ApiRow &given, ManagementAnswer *answer);
  // Whether every wanted column is known.
  bool complete() const noexcept;
  // Where to read the row, by what is known of its key.
  ReadTarget Target() const;
  // One of the rows that were read there: the last one that fits is taken. By the key, or, where the answer does not
  // tell it, by what was given.
  void Offer(ManagementRow row);
  // After an INSERT without an answer: takes the row if it has the values that an INSERT must have, and was not made
  // before `since` (Unix seconds, by this machine's clock).
  bool Adopt(const ApiRow &given, int64_t since, ManagementRow row);

  // By columns(); null cells for what is not known.
  const Cell *cells() const noexcept { return row_.cells.data(); }
  // The text of the key's first column, "" when it is not known.
  std::string Key() const;

 private:
  const ApiColumn &ColumnAt(size_t i) const { return table_->columns[columns_[i]]; }
  bool IsKnown(const ApiRow &given, size_t i, ManagementAnswer *answer);
  bool IsThisRow(const ManagementRow &row) const;
  void TakeWhole(ManagementRow row);

  const ApiTable *table_ = nullptr;
  std::vector<size_t> columns_;
  size_t wanted_ = 0;  // how many of them
  ManagementRow row_;
  std::vector<bool> known_;
  std::vector<bool> told_;  // before the row was read again
  ApiRow given_;
};

}  // namespace supabase
