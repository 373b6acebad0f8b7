#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pager.hpp"

namespace supabase {

// Finds keys that cut the rest of a pager's range into parts of about the same number of rows. A key of one
// whole-number column is reckoned, once the largest is known, where the rest is about as dense as the rows so far; any
// other is asked for, which costs the server a walk along the index.
class Splitter {
 public:
  // Longer keys are no bounds, nor are more than this together: they stand in the requests of the parts.
  static constexpr size_t kMaxKeyBytes = 200, kMaxBoundBytes = 600;

  // What the row with the largest key is asked for by, as the last of the relation: NULL, should there be one.
  static ReadQuery LargestQuery(const PagerOptions &options);
  // The answer to that; nullopt when it is no whole number, or there is no row. Throws Error when it is NULL.
  static std::optional<int64_t> Largest(const Page &page, const std::string &relation);

  // `rest` rows are thought to follow the pager's last key, which there must be; its next `skip` stay its own.
  // `largest` is the largest key of the relation, where known.
  Splitter(const Pager &pager, uint64_t rest, uint64_t skip, size_t parts, std::optional<int64_t> largest);

  // The next request to send, whose answer has the columns of the key.
  bool HasNext() const noexcept { return sent_ < probes_.size(); }
  const ReadQuery &Next() { return probes_.at(sent_++).query; }
  // The answer to the n-th of them, counted from 0. Throws Error when the largest key is NULL.
  void Received(size_t number, const Page &page);
  bool complete() const noexcept { return answered_ == probes_.size(); }

  // Once complete: keys of rows, or numbers between, that cut what follows the key `last`; none when that is too long
  // to be part of a request. Unless `ordered`, rows that came or went meanwhile may have put them in another order, or
  // before `last`.
  std::vector<Key> BoundsAfter(const Key &last) const;
  bool ordered() const noexcept { return ordered_; }
  // Rows that are likely to be in each part.
  uint64_t rows_each() const noexcept { return (rest_ - skip_) / parts_; }
  uint64_t skip() const noexcept { return skip_; }
  // No more rows than this follow the last key, where a request showed so.
  std::optional<uint64_t> rest_at_most() const noexcept { return rest_at_most_; }
  std::optional<int64_t> largest() const noexcept { return largest_; }

 private:
  struct Probe {
    ReadQuery query;
    Key key;  // empty: no such row, or a key too long
  };

  bool Reckon();
  void AskForLargest(const PagerOptions &options);
  void AskForBounds();
  void TakeLargest(const Page &page);
  void TakeBounds();

  uint64_t rest_, skip_;
  size_t parts_;
  std::optional<int64_t> largest_;
  ReadQuery query_;  // keys of the rest, ascending, one row
  std::optional<Pager::Numbers> numbers_;
  uint64_t received_;
  bool asking_largest_ = false;
  std::vector<Probe> probes_;
  size_t sent_ = 0, answered_ = 0;
  std::vector<Key> bounds_;
  bool ordered_ = false;
  std::optional<uint64_t> rest_at_most_;
};

}  // namespace supabase
