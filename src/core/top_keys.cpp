#include "top_keys.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace supabase {

// A query that is answered sooner is not worth a second request, unless that is known to be quicker.
static constexpr int64_t kSlowUs = 100'000;
// What the second request must save to be sent: less is the network's whim.
static constexpr int64_t kWorthUs = 10'000;

std::vector<SelectColumn> TopKeys::Select() const {
  std::vector<SelectColumn> select;
  for (const std::string &column : columns_)
    select.push_back({column});
  return select;
}

bool TopKeys::Take(const Page &page) {
  keys_.clear();
  std::unordered_set<std::string> seen;
  for (size_t row = 0; row < page.rows(); row++) {
    const Cell *cells = page.Row(row);
    KeyedWrites::Key key;
    for (size_t i = 0; i < columns_.size(); i++) {
      if (cells[i].kind == Cell::Kind::kNull) return false;
      key.emplace_back(cells[i].data, cells[i].size);
    }
    if (!seen.insert(KeyText(key)).second) return false;
    keys_.push_back(std::move(key));
  }
  return true;
}

ReadQuery TopKeys::RowsOf(ReadQuery query) const {
  query.where.push_back(KeyedWrites::Match(columns_, keys_, keys_.size()));
  query.limit = keys_.size() + 1;
  query.offset.reset();
  return query;
}

ReadQuery TopKeys::RowsOfAny(ReadQuery query, uint64_t count) const {
  std::deque<KeyedWrites::Key> keys = {KeyedWrites::Key(columns_.size(), "$key")};
  // A key of several columns is an "and" of its own.
  if (columns_.size() == 1 && count > 1) keys.push_back({"..."});
  query.where.push_back(KeyedWrites::Match(columns_, keys, keys.size()));
  query.limit = count + 1;
  return query;
}

bool KeysFirst(const TopTimes &before, bool many_rows) noexcept {
  if (before.at_once_us > 0 && before.by_keys_us > 0) return before.by_keys_us + kWorthUs < before.at_once_us;
  if (before.at_once_us > 0) return before.at_once_us >= kSlowUs;
  return before.by_keys_us > 0 || many_rows;
}

// Keys that come as quickly as rows by their keys were found without a sort, so the rows would have come with them.
TopTimes Learn(TopTimes before, int64_t keys_us, int64_t rows_us) noexcept {
  if (keys_us == 0) {
    before.at_once_us = std::max<int64_t>(rows_us, 1);
    return before;
  }
  before.by_keys_us = keys_us + rows_us;
  if (before.at_once_us == 0 && keys_us < 2 * rows_us) before.at_once_us = keys_us;
  return before;
}

}  // namespace supabase
