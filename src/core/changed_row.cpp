#include "changed_row.hpp"

#include <ctime>

namespace supabase {

namespace {

// How far the remote's clock may be behind.
constexpr int64_t kClockSkewSeconds = 60;

bool Given(const ApiRow &row, size_t column) {
  return row[column].has_value() && !row[column]->null;
}

std::string Text(const Cell &cell) {
  return cell.data == nullptr ? std::string() : std::string(cell.data, cell.size);
}

bool IsTimeMade(const ApiColumn &column) {
  return column.name == "created_at" || column.name == "inserted_at";
}

// "2026-11-24T17:30:00", which sorts like the time.
std::string TimeText(int64_t seconds) {
  const auto time = static_cast<time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

bool IsBefore(std::string made, int64_t seconds) {
  if (made.size() > 10 && made[10] == ' ') made[10] = 'T';
  return !made.empty() && made < TimeText(seconds);
}

Cell GivenCell(const ApiColumn &column, const ApiValue &value, CellTexts *texts) {
  Cell cell = TextCell(value.text, texts);
  if (column.type == "boolean") {
    cell.kind = value.text == "t" || value.text == "true" ? Cell::Kind::kTrue : Cell::Kind::kFalse;
  }
  return cell;
}

// Selects the row of an answer to a change: the answer, or the one item of its list.
bool SelectRow(ManagementAnswer *answer) {
  const std::string json = answer->JsonAt("");
  answer->Select(!json.empty() && json[0] == '[' ? "[]" : "");
  return answer->rows() == 1;
}

// Whether what was given can be compared with what is read: lists and JSON come back in a spelling of their own.
bool IsComparable(const ApiColumn &column) {
  return column.insert && !column.write_only && column.hydrate.empty() && column.type != "jsonb" &&
         column.type != "text[]";
}

}  // namespace

ChangedRow::ChangedRow(const ApiTable *table, std::vector<size_t> wanted)
    : table_(table), columns_(std::move(wanted)), wanted_(columns_.size()) {
  for (size_t i = 0; i < table->columns.size(); ++i) {
    const ApiColumn &column = table->columns[i];
    const bool recognizes = table->IsKey(column.name) || (column.insert && !column.write_only) || IsTimeMade(column) ||
                            column.name == table->parent_column;
    if (recognizes && column.hydrate.empty() && !column.constant) columns_.push_back(i);
  }
}

// Parameters and keys keep the value that was given; everything else is the remote's to say. What shows the whole row
// must be read: the answer to a change may have a part of it.
bool ChangedRow::IsKnown(const ApiRow &given, size_t i, ManagementAnswer *answer) {
  const ApiColumn &column = ColumnAt(i);
  if (column.write_only) return true;
  if (column.constant || column.whole) return false;
  if (Given(given, columns_[i]) && (table_->IsKey(column.name) || !column.parameter.empty())) {
    row_.cells[i] = GivenCell(column, *given[columns_[i]], &row_.texts);
    return true;
  }
  const bool told =
      answer != nullptr && answer->Has(0, column) && (column.hydrate.empty() || column.hydrate == "insert");
  if (told) row_.cells[i] = answer->Value(0, *table_, column, &row_.texts);
  return told;
}

void ChangedRow::Take(const ApiRow &given, ManagementAnswer *answer) {
  row_.texts.clear();
  row_.cells.assign(columns_.size(), Cell{});
  known_.assign(columns_.size(), false);
  if (answer != nullptr && !SelectRow(answer)) answer = nullptr;
  for (size_t i = 0; i < columns_.size(); ++i)
    known_[i] = IsKnown(given, i, answer);
  told_ = known_;
  given_ = given;
}

bool ChangedRow::complete() const noexcept {
  for (size_t i = 0; i < wanted_; ++i) {
    if (!known_[i]) return false;
  }
  return true;
}

ReadTarget ChangedRow::Target() const {
  ReadTarget target;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const ApiColumn &column = ColumnAt(i);
    const bool binds =
        told_[i] && !column.parameter.empty() && row_.cells[i].data != nullptr && column.defaults.size() < 2;
    if (binds && target.Find(columns_[i]) == nullptr) target.bound.emplace_back(columns_[i], Text(row_.cells[i]));
  }
  return target;
}

bool ChangedRow::IsThisRow(const ManagementRow &row) const {
  bool key_told = true;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (!table_->IsKey(ColumnAt(i).name)) continue;
    key_told = key_told && told_[i];
    if (told_[i] && Text(row.cells[i]) != Text(row_.cells[i])) return false;
  }
  for (size_t i = 0; i < columns_.size() && !key_told; ++i) {
    if (!IsComparable(ColumnAt(i)) || !Given(given_, columns_[i])) continue;
    if (Text(row.cells[i]) != given_[columns_[i]]->text) return false;
  }
  return true;
}

void ChangedRow::TakeWhole(ManagementRow row) {
  row_ = std::move(row);
  known_.assign(columns_.size(), true);
}

void ChangedRow::Offer(ManagementRow row) {
  if (IsThisRow(row)) TakeWhole(std::move(row));
}

bool ChangedRow::Adopt(const ApiRow &given, int64_t since, ManagementRow row) {
  bool compared = false;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const ApiColumn &column = ColumnAt(i);
    if (IsTimeMade(column) && IsBefore(Text(row.cells[i]), since - kClockSkewSeconds)) return false;
    if (!column.insert_required || column.write_only || !Given(given, columns_[i])) continue;
    if (Text(row.cells[i]) != given[columns_[i]]->text) return false;
    compared = true;
  }
  if (compared) TakeWhole(std::move(row));
  return compared;
}

std::string ChangedRow::Key() const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (ColumnAt(i).name == table_->key.front()) return Text(row_.cells[i]);
  }
  return {};
}

}  // namespace supabase
