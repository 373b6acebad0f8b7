#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "query.hpp"
#include "rows.hpp"

namespace supabase {

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
};

struct PagerOptions {
  ReadQuery query;  // select, where and the whole order; no limit, no offset
  Paging paging = Paging::kOffset;
  std::vector<size_t> key;            // kKeyset: positions in `select` of the key columns, which are also the order
  uint64_t fetch_size = 0;            // rows per request; 0: 1,000 first, 10,000 after
  std::optional<uint64_t> row_limit;  // rows wanted at the most
  std::optional<uint64_t> at_most;    // rows there can be at the most (every key column is compared with a constant)
};

struct PageRequest {
  std::string target;       // path and query below the REST root
  bool want_count = false;  // send Prefer: count=estimated
};

// Decides which page to ask for next and when a relation is complete. PostgREST cuts a page at its row cap without
// saying so: a page shorter than what was asked for is the end only when the cap is known not to have cut it.
class Pager {
 public:
  // First page when nothing is known: what hosted projects cap a page at. Later pages: near the optimum measured for
  // throughput, a few MB of memory; fewer rows when they are so wide that a page would be more than that.
  static constexpr uint64_t kFirstPage = 1'000;
  static constexpr uint64_t kNextPage = 10'000;
  static constexpr uint64_t kNextPageBytes = 8'000'000;

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

  // The next request; not to be called when finished.
  PageRequest Next(int64_t now_ms);
  // What that request asks for, as a value.
  const ReadQuery &query() const noexcept { return query_; }
  // The answer to it, `bytes` long (0: not known). Throws Error when key values are NULL or repeat: the key is none,
  // and paging by it would lose rows. (A parent table's key need not be unique among its inheritance children, and
  // nothing in PostgREST's description says that a table has any.)
  void Received(const Page &page, const std::optional<ContentRange> &range, uint64_t bytes, int64_t now_ms);
  // Rows at the beginning of that page which the page before had already.
  size_t overlap() const noexcept { return overlap_; }

 private:
  uint64_t PageSize() const;
  bool IsLast(uint64_t rows, const std::optional<ContentRange> &range, int64_t now_ms) const;
  void CheckKey(const Page &page) const;
  void CheckRange(uint64_t rows, const std::optional<ContentRange> &range) const;
  bool HasLastKey(const Page &page, size_t row) const;
  void RememberKey(const Page &page);

  PagerOptions options_;
  RowCap *cap_;
  RowCap known_;  // what was known when the page under way was asked for: later pages may be of a later cap
  ReadQuery query_;
  std::vector<std::string> key_columns_;
  std::vector<std::string> last_key_;
  uint64_t received_ = 0;   // rows so far, each once
  uint64_t row_bytes_ = 0;  // average of the last page
  size_t overlap_ = 0;
  // Ask again for the last row of the page before: whether another row has the same key shows only so. Given up when a
  // page holds one row of several asked for, which may mean a row cap of one.
  bool ask_overlap_ = true;
  uint64_t asked_ = 0;  // limit of the page under way
  int64_t asked_at_ms_ = 0;
  bool first_ = true, finished_ = false;
  int dropped_ = 0;
};

}  // namespace supabase
