#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "query.hpp"
#include "rows.hpp"
#include "top_keys.hpp"

namespace supabase {

[[noreturn]] void ThrowNullKey(const std::string &relation);

// What the pages seen so far say about a server's row cap (PostgREST's db-max-rows, which no answer states). One per
// server address and session. Trusted for a minute only: the cap may be changed while a session lives. Evidence is as
// old as its request, because a page that was fetched ahead can lie for hours before it is taken.
class RowCap {
 public:
  static constexpr int64_t kTrustMs = 60'000;

  // A page of `rows` rows arrived: the cap is not below that.
  void Seen(uint64_t rows, int64_t asked_at_ms) noexcept;
  // A page was cut to `rows` rows although the server counts more: that is the cap, or the count is an estimate too
  // high.
  void Cut(uint64_t rows, int64_t asked_at_ms) noexcept;
  // A page of fewer rows than this was not cut by the cap; 0 when nothing is known.
  uint64_t NotBelow(int64_t now_ms) const noexcept;
  // The cap itself, where a page was cut. No page size may depend on it: see Cut.
  std::optional<uint64_t> Exact(int64_t now_ms) const noexcept;

 private:
  uint64_t proven_ = 0;
  bool exact_ = false;
  int64_t at_ms_ = 0;
};

enum class Paging {
  kKeyset,  // by the key columns, ascending: cost does not grow with depth, no row twice
  kOffset,  // by row number: for relations without a key and for orders that are not the key's
  kOnce,    // one request for everything: a function that must not be called again
  kRepeat,  // a function's rows in its own order, by row number: each request calls it again
};

using Key = std::vector<std::string>;  // one row's, as text, in the order of its columns

// A part of a relation: what follows every key of `after`, up to and including `up_to` (empty: to the end). Which of
// two keys is the greater is known to the remote server alone.
struct KeyRange {
  std::vector<Key> after;
  Key up_to;
};

struct PagerOptions {
  ReadQuery query;  // select, where and the whole order; no limit, no offset
  Paging paging = Paging::kOffset;
  std::vector<size_t> key;            // kKeyset: positions in `select` of the key columns, which are also the order
  uint64_t fetch_size = 0;            // rows per request; 0: 1,000 first, 10,000 after
  std::optional<uint64_t> row_limit;  // rows wanted at the most
  std::optional<uint64_t> at_most;    // rows there can be at the most (every key column is compared with a constant)
  KeyRange range;                     // kKeyset: the part to read
  bool small_first_page = true;       // the query may want a few rows only
  // Rows that will come and are all wanted, as far as is known, with row_bytes: a first page may have room for them.
  std::optional<uint64_t> expected;
  bool want_plan = false;           // ask for the planner's estimate of the rows where no better count is asked for
  uint64_t page_bytes = 8'000'000;  // what an answer may have, as far as the rows before tell
  uint64_t row_bytes = 0;           // of an average row, when it is known before the first page
  // kOffset with a row limit: the key's columns, where the keys of a page are asked for before its rows.
  std::vector<std::string> keys_first;
};

struct PageRequest {
  std::string target;       // path and query below the REST root
  bool want_count = false;  // send Prefer: count=estimated (of a function: exact)
  bool want_plan = false;   // send Prefer: count=planned
};

// Decides which page to ask for next and when a relation is complete. PostgREST cuts a page at its row cap without
// saying so: a page shorter than what was asked for is the end only when the cap is known not to have cut it.
class Pager {
 public:
  // First page when nothing is known: what hosted projects cap a page at. One of all rows that are expected, where they
  // would make one of those to come. Later pages: near the optimum measured for
  // throughput, a few MB of memory; fewer rows when they are so wide that a page would be more than page_bytes.
  static constexpr uint64_t kFirstPage = 1'000;
  static constexpr uint64_t kNextPage = 10'000;
  // What the bounds of a range may add to a target.
  static constexpr size_t kRangeBytes = 2'000;

  // `cap` must outlive the pager. Conditions that make the first target too long are dropped: see dropped().
  Pager(PagerOptions options, RowCap *cap);

  bool finished() const noexcept { return finished_; }
  // Conditions that could not be sent: the caller filters rows itself. No row limit is applied then.
  int dropped() const noexcept { return dropped_; }
  size_t columns() const noexcept { return options_.query.select.size(); }
  // Whether its rows are groups.
  bool aggregates() const noexcept {
    return !options_.query.select.empty() && !options_.query.select.back().function.empty();
  }

  // The next request, for `most` rows at the most; not to be called when finished.
  PageRequest Next(int64_t now_ms, uint64_t most = UINT64_MAX);
  // What that request asks for, as a value.
  const ReadQuery &query() const noexcept { return query_; }
  // The answer to it, `bytes` long (0: not known). Throws Error when key values are NULL or repeat: the key is none,
  // and paging by it would lose rows. (A parent table's key need not be unique among its inheritance children, and
  // nothing in PostgREST's description says that a table has any.)
  void Received(const Page &page, const std::optional<ContentRange> &range, uint64_t bytes, int64_t now_ms);
  // Whether that answer was a page of the relation, not of keys alone.
  bool brought_page() const noexcept { return brought_page_; }
  // Whether the request at hand is for keys alone.
  bool asks_keys() const noexcept { return top_ && top_->size() == 0; }
  // Rows at the beginning of that page which the page before had already.
  size_t overlap() const noexcept { return overlap_; }

  // Its rows are not to be asked for whole. Nothing may have been received.
  void AskByName() { options_.query.whole = false; }

  // For cutting what is left into parts. Nothing may be under way when the end is moved.
  const PagerOptions &options() const noexcept { return options_; }
  const std::vector<std::string> &key_columns() const noexcept { return key_columns_; }
  const Key &last_key() const noexcept { return last_key_; }
  void SetEnd(Key up_to) { options_.range.up_to = std::move(up_to); }
  uint64_t received() const noexcept { return received_; }
  uint64_t row_bytes() const noexcept { return row_bytes_; }
  // Rows that the page under way may have.
  uint64_t asked() const noexcept { return asked_; }
  // Whether rows followed a page that was shorter than asked for: the server cuts.
  bool was_cut() const noexcept { return was_cut_; }
  // Rows that a later page is likely to have.
  uint64_t PageRows() const;
  // Rows of the relation as the first page's count has them.
  std::optional<uint64_t> counted() const noexcept { return counted_; }
  // First and last key so far when it is one column of whole numbers.
  struct Numbers {
    int64_t first, last;
  };
  std::optional<Numbers> numbers() const noexcept;
  // Conditions that keep what the pages so far have not brought.
  std::vector<Condition> RestConditions(bool with_last) const;

 private:
  uint64_t PageSize() const;
  uint64_t LaterPage() const;
  uint64_t FirstPage() const;
  PageRequest NextCall(int64_t now_ms);
  void ReceivedCall(const Page &page, const std::optional<ContentRange> &range, int64_t now_ms);
  bool IsCall() const noexcept { return options_.paging == Paging::kOnce || options_.paging == Paging::kRepeat; }
  void ReceivedKeys(const Page &page, const std::optional<ContentRange> &range, int64_t now_ms);
  void ReceivedByKeys(const Page &page);
  void NoteSize(uint64_t rows, bool last, const std::optional<ContentRange> &range);
  bool HasLastRow(const Page &page) const;
  bool IsLast(uint64_t rows, const std::optional<ContentRange> &range, int64_t now_ms) const;
  void CheckKey(const Page &page) const;
  void CheckRange(uint64_t rows, const std::optional<ContentRange> &range) const;
  bool HasLastKey(const Page &page, size_t row) const;
  void RememberKey(const Page &page);
  void RememberNumbers(const Page &page);

  PagerOptions options_;
  RowCap *cap_;
  RowCap known_;  // what was known when the page under way was asked for: later pages may be of a later cap
  ReadQuery query_;
  std::vector<std::string> key_columns_;
  Key last_key_;            // kRepeat: all cells of the last row
  uint64_t received_ = 0;   // rows so far, each once
  uint64_t row_bytes_ = 0;  // average of the last page
  size_t overlap_ = 0;
  std::optional<TopKeys> top_;
  bool last_keys_ = false;  // no rows follow those of the keys
  bool brought_page_ = true;
  // Ask again for the last row of the page before: whether another row has the same key shows only so. Given up when a
  // page holds one row of several asked for, which may mean a row cap of one.
  bool ask_overlap_ = true;
  uint64_t asked_ = 0;  // limit of the page under way
  uint64_t total_ = 0;  // kRepeat: rows by the count of the first page
  int64_t asked_at_ms_ = 0;
  bool counts_ = false;  // whether its count is an exact one as far as the cap
  bool was_cut_ = false;
  uint64_t cut_to_ = 0;  // rows of a page that was shorter than asked for and not the last
  std::optional<uint64_t> counted_;
  Numbers numbers_{};
  bool numeric_ = true;
  bool first_ = true, finished_ = false;
  int dropped_ = 0;
};

}  // namespace supabase
