#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "query.hpp"
#include "rows.hpp"

namespace supabase {

// What the pages seen so far say about a server's row cap (PostgREST's db-max-rows, which no answer states). One per
// server address and session. Trusted for a minute only: the cap may be changed while a session lives.
class RowCap {
 public:
  static constexpr int64_t kTrustMs = 60'000;

  // A page of `rows` rows arrived: the cap is not below that.
  void Seen(uint64_t rows, int64_t now_ms) noexcept;
  // A page was cut to `rows` rows although more were there: that is the cap.
  void Cut(uint64_t rows, int64_t now_ms) noexcept;
  // A page of fewer rows than this was not cut by the cap; 0 when nothing is known.
  uint64_t NotBelow(int64_t now_ms) const noexcept;
  // The cap itself, where it is known.
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
  ReadQuery query;             // select, where and the whole order; no limit, no offset
  Paging paging = Paging::kOffset;
  std::vector<size_t> key;     // kKeyset: positions in `select` of the key columns, which are also the order
  uint64_t fetch_size = 0;     // rows per request; 0: 1,000 first, 10,000 after
  std::optional<uint64_t> row_limit;  // rows wanted at the most
  std::optional<uint64_t> at_most;    // rows there can be at the most (every key column is compared with a constant)
};

struct PageRequest {
  std::string target;      // path and query below the REST root
  bool want_count = false; // send Prefer: count=estimated
};

// Decides which page to ask for next and when a relation is complete. PostgREST cuts a page at its row cap without saying
// so: a page shorter than what was asked for is the end only when the cap is known not to have cut it.
class Pager {
 public:
  // First page when nothing is known: what hosted projects cap a page at. Later pages: near the optimum measured for
  // throughput, a few MB of memory.
  static constexpr uint64_t kFirstPage = 1'000;
  static constexpr uint64_t kNextPage = 10'000;
  // A page's target may be longer than FitTarget's limit by one key's values; gateways refuse from 16 kB.
  static constexpr size_t kMaxPageTargetBytes = 12'000;

  // `cap` must outlive the pager. Conditions that make the first target too long are dropped: see dropped().
  Pager(PagerOptions options, RowCap *cap);

  bool finished() const noexcept { return finished_; }
  // Conditions that could not be sent: the caller filters rows itself. No row limit is applied then.
  int dropped() const noexcept { return dropped_; }
  size_t columns() const noexcept { return options_.query.select.size(); }

  // The next request; not to be called when finished.
  PageRequest Next(int64_t now_ms);
  // The answer to it. Throws Error when key values are NULL or repeat: the key is none, and paging by it loses rows.
  void Received(const Page &page, const std::optional<ContentRange> &range, int64_t now_ms);

 private:
  bool IsLast(uint64_t rows, const std::optional<ContentRange> &range, int64_t now_ms) const;
  void CheckKey(const Page &page) const;
  void RememberKey(const Page &page);

  PagerOptions options_;
  RowCap *cap_;
  std::vector<std::string> key_columns_;
  std::vector<std::string> last_key_;
  uint64_t received_ = 0;  // rows so far
  uint64_t asked_ = 0;     // limit of the page under way
  bool first_ = true, finished_ = false;
  int dropped_ = 0;
};

}  // namespace supabase
