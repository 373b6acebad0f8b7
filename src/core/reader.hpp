#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http.hpp"
#include "message.hpp"
#include "pager.hpp"
#include "rows.hpp"

namespace supabase {

// What a scan has cost so far; EXPLAIN (ANALYZE) and the trace read it.
struct ReadCounters {
  uint64_t requests = 0, pages = 0, rows = 0, bytes = 0, retries = 0;
  int64_t wait_us = 0;  // spent waiting for answers

  void Add(const ReadCounters &other) noexcept {
    requests += other.requests;
    pages += other.pages;
    rows += other.rows;
    bytes += other.bytes;
    retries += other.retries;
    wait_us += other.wait_us;
  }
};

// One scan of one relation: pages, one of them ahead. Never blocks: the caller waits for Waiting() between the calls.
class Reader {
 public:
  // `prototype` has headers, timeouts and limits; url and label are prefixes that every page's target is appended to.
  // `expires_at` (Unix seconds, 0 for never): no request is sent when the credential has expired.
  Reader(Session *session, Request prototype, Pager pager, int64_t expires_at);

  // The transfer whose answer the next page is in, started if need be; null when there is no further page.
  const Transfer *Waiting();
  // Takes the answer of that transfer, which is done: checks and decodes it. The page before it is gone. False when the
  // server refuses aggregates, which only a query with some can find out.
  bool Take();
  // Starts the request for the page after this one, so that it is under way while this one is consumed.
  void Prefetch();

  const Page &page() const noexcept { return page_; }
  // The first row of the page that no page before had.
  size_t first_row() const noexcept { return pager_.overlap(); }
  // Nothing but this page was needed: it can be read again without a request.
  bool OnlyPage() const noexcept { return counters_.pages == 1 && pager_.finished(); }
  int dropped() const noexcept { return pager_.dropped(); }
  ReadCounters &counters() noexcept { return counters_; }
  // The last answer, for the trace.
  const AnswerTrace &last() const noexcept { return last_; }

 private:
  Session *session_;
  Request prototype_;
  Pager pager_;
  int64_t expires_at_;
  std::unique_ptr<Transfer> transfer_;
  Page page_;
  ReadCounters counters_;
  AnswerTrace last_;
};

}  // namespace supabase
