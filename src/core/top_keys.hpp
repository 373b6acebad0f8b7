#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "keyed.hpp"
#include "query.hpp"
#include "rows.hpp"

namespace supabase {

// The first rows of an order in two requests: their keys, then the rows by these keys. PostgreSQL computes a select
// list before it sorts, so casts in it (::text) are computed for every row of the relation, and thrown away for all but
// a few: without an index on the order that takes three times as long as the sort. The second request has the
// conditions and the order of the first, so its rows are what one statement of the remote saw, in the right order; a
// row that is gone by then, or is none of the wanted any more, is left out.
class TopKeys {
 public:
  // Rows that are asked for so: the keys of that many usually have room in a request.
  static constexpr uint64_t kMostRows = 100;

  // Names of the key's columns, none of which needs a cast.
  explicit TopKeys(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  std::vector<SelectColumn> Select() const;
  // Keeps the keys of a page that has Select()'s columns; false when they name no rows: one is NULL or comes twice.
  bool Take(const Page &page);
  // Keys that were taken and whose rows are not there yet.
  size_t size() const noexcept { return keys_.size(); }
  void Clear() noexcept { keys_.clear(); }
  // Asks for their rows, and for one more, which comes only when the key is none. What `query` says of limit and offset
  // is of the keys.
  ReadQuery RowsOf(ReadQuery query) const;
  // How that looks for `count` keys that are not known yet.
  ReadQuery RowsOfAny(ReadQuery query, uint64_t count) const;

 private:
  std::vector<std::string> columns_;
  std::deque<KeyedWrites::Key> keys_;
};

// How long a query's answers took, each way of asking; 0: not known.
struct TopTimes {
  int64_t at_once_us = 0, by_keys_us = 0;
};
// Whether to ask for the keys first, knowing what the query took before and whether many rows are thought to be sorted.
bool KeysFirst(const TopTimes &before, bool many_rows) noexcept;
// What is known after a query whose answers took that long; keys_us is 0 when it was asked at once.
TopTimes Learn(TopTimes before, int64_t keys_us, int64_t rows_us) noexcept;

}  // namespace supabase
