#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "http.hpp"
#include "message.hpp"
#include "query.hpp"
#include "rows.hpp"

namespace supabase {

// What one statement asks only to plan: how many rows there are, and a few of them from all over a relation.

enum class CountMode {
  kExact,    // the server counts: as long as it takes
  kPlanned,  // its planner's estimate
};
// Makes a request whose answer has no rows, only how many the query selects. Conditions that do not fit are left out,
// so that the count is too high then. Throws Error for a query that cannot be sent.
void MakeCountRequest(Request *request, ReadQuery query, CountMode mode);
// That number. Throws Error for an answer that is none.
uint64_t TakeCount(const Request &request, const Response &response);

struct SampleOptions {
  ReadQuery query;          // relation and select
  std::vector<size_t> key;  // positions in `select` of the key columns, or none
  uint64_t rows = 0;        // at the most
  uint64_t seed = 0;        // two samples with different ones begin at different rows
};

// Which rows of a relation to ask for: the first few, which show how wide rows are; with a key the last one, so that
// the range of an ascending column is known; and blocks of neighbours, each at a random place in its part of the rest.
// All of it when there are no more than are wanted. The number of requests is bounded whatever pages are cut to.
class SamplePlan {
 public:
  static constexpr uint64_t kFirstPage = 20;
  // A block has at least so many rows: fewer are not worth a request.
  static constexpr uint64_t kBlockRows = 250;
  // Skipping so many rows is cheap. Beyond, the key of a block's first row is looked up, which takes only the key's
  // index, and with twice the requests there are half as many blocks.
  static constexpr uint64_t kMaxOffset = 200'000;
  static constexpr uint64_t kMaxBlocks = 36;
  static constexpr uint64_t kMaxRequests = kMaxBlocks + 2;
  // No block has more rows, nor, as far as the first ones tell, more bytes: 36 of them stay below 64 MB.
  static constexpr uint64_t kMaxPage = 10'000;
  static constexpr uint64_t kBlockBytes = 1'750'000;

  SamplePlan(SampleOptions options, uint64_t total);
  // The next request; nullopt when there is none.
  std::optional<ReadQuery> Next();
  size_t columns() const noexcept;  // of its answer
  // Whether it was for rows of the sample, not for where to begin.
  bool wants_rows() const noexcept { return step_ != Step::kProbe; }
  // Its answer, with `bytes` of text. Throws Error for more rows than were asked for.
  void Received(const Page &page, uint64_t bytes);

 private:
  enum class Step { kFirst, kLast, kProbe, kBlock };
  bool Advance();
  bool BeginBlock();

  SampleOptions options_;
  uint64_t total_, wanted_, blocks_ = 0;
  std::mt19937_64 random_;
  std::vector<std::string> key_columns_;
  Step step_ = Step::kFirst;
  bool started_ = false, finished_ = false;
  uint64_t block_ = 0;  // counted from 1
  uint64_t offset_ = 0, rows_ = 0, row_bytes_ = 1;
  std::vector<std::string> begin_;  // key that the block begins with, when that was looked up
};

// Carries a plan out, the exact count first. Used like a Reader: wait for Waiting(), Take(), use page().
class Sampler {
 public:
  static constexpr uint64_t kMaxRequests = 2 + SamplePlan::kMaxRequests;

  // `prototype` as for a Reader.
  Sampler(Session *session, Request prototype, SampleOptions options, int64_t expires_at);
  // The transfer under way, started if need be; null when the sample is complete.
  const Transfer *Waiting();
  // Takes its answer. Rows of the page before are gone; the page may be empty.
  void Take();
  const Page &page() const noexcept { return page_; }
  // Rows of the relation: counted, or estimated when counting ran into the server's statement timeout.
  uint64_t total() const noexcept { return total_; }
  const AnswerTrace &last() const noexcept { return last_; }

 private:
  void TakeTotal(const Request &request, const Response &response);

  Session *session_;
  Request prototype_;
  SampleOptions options_;
  int64_t expires_at_;
  CountMode mode_ = CountMode::kExact;
  std::optional<SamplePlan> plan_;  // none until the rows are counted
  std::unique_ptr<Transfer> transfer_;
  Page page_;
  uint64_t total_ = 0;
  AnswerTrace last_;
};

}  // namespace supabase
