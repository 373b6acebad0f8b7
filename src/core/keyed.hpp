#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "query.hpp"

namespace supabase {

// Rows named by their keys, each with the body of its change ("" for a deletion), put together into as few requests as
// possible: rows with the same body share one, as many as its URL holds.
class KeyedWrites {
 public:
  using Key = std::vector<std::string>;

  // `most_rows` in one request. `distinct`: a key that was added before is left out, however long ago that was: a row
  // that a join finds twice is changed once.
  KeyedWrites(std::vector<std::string> columns, size_t most_rows, bool distinct);

  // False when the key is left out.
  bool Add(const std::string &body, Key key);
  // Rows that were added and not taken.
  size_t rows() const noexcept { return rows_; }

  struct Batch {
    std::string body;
    Condition keys;
    size_t rows = 0;
  };
  // The next request's; `room` is what its URL has left for the keys, in bytes. One row at least. There must be rows.
  Batch Next(size_t room);

  // The condition that a row has one of the keys (at least one).
  static Condition Match(const std::vector<std::string> &columns, const std::deque<Key> &keys, size_t count);

 private:
  std::vector<std::string> columns_;
  size_t most_rows_;
  bool distinct_;
  std::map<std::string, std::deque<Key>> by_body_;
  std::unordered_set<std::string> seen_;
  size_t rows_ = 0;
};

// A key as one text, the same for the same key only.
std::string KeyText(const KeyedWrites::Key &key);

}  // namespace supabase
