#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "http.hpp"
#include "message.hpp"
#include "query.hpp"
#include "reader.hpp"

namespace supabase {

// Numbers of rows that meet conditions, counted by PostgREST (Prefer: count=exact) without sending any: it says the
// total in Content-Range. The page asked for is empty rather than left out (HEAD), because an error then has its text.
// All requests are under way at once. Never blocks: the caller waits for Waiting() between the calls.
class CountReader {
 public:
  // As Reader's.
  CountReader(Session *session, Request prototype, int64_t expires_at);

  // The next count. False, and nothing is asked for, when the conditions are too long for a request.
  bool Add(ReadQuery query);
  // The next count is known to be nothing.
  void AddNone() { totals_.push_back(0); }

  // The first transfer whose answer has not been taken; null when there is none.
  const Transfer *Waiting() const noexcept { return waiting_.empty() ? nullptr : waiting_.front().transfer.get(); }
  // Takes that answer.
  void Take();

  // In the order in which they were added, once nothing is waited for.
  const std::vector<uint64_t> &totals() const noexcept { return totals_; }
  ReadCounters &counters() noexcept { return counters_; }
  const AnswerTrace &last() const noexcept { return last_; }

 private:
  struct Pending {
    size_t index;
    std::unique_ptr<Transfer> transfer;
  };
  Session *session_;
  Request prototype_;
  int64_t expires_at_;
  std::deque<Pending> waiting_;
  std::vector<uint64_t> totals_;
  ReadCounters counters_;
  AnswerTrace last_;
};

// The path and query of such a request: the query's first column and conditions.
std::string BuildCountTarget(ReadQuery query);

}  // namespace supabase
