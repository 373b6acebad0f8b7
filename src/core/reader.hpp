#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "http.hpp"
#include "message.hpp"
#include "rows.hpp"
#include "streams.hpp"

namespace supabase {

// What a scan has cost so far; EXPLAIN (ANALYZE) and the trace read it.
struct ReadCounters {
  uint64_t requests = 0, pages = 0, rows = 0, bytes = 0, retries = 0;
  int64_t wait_us = 0;   // spent waiting for answers
  uint64_t counted = 0;  // rows of the relation by the server's estimate; 0: it was not asked
  uint64_t text = 0;     // bytes of the pages, unpacked

  void Add(const ReadCounters &other) noexcept {
    requests += other.requests;
    pages += other.pages;
    rows += other.rows;
    bytes += other.bytes;
    retries += other.retries;
    wait_us += other.wait_us;
    text += other.text;
  }
};

// One scan of one relation: sends what Streams asks for and keeps the pages that are complete until they are wanted.
// Never blocks: when there is nothing to read, the caller waits for the session's descriptor and asks again.
class Reader {
 public:
  // `prototype` has headers, timeouts and limits; url and label are prefixes that every request's target is appended
  // to. `expires_at` (Unix seconds, 0 for never): no request is sent when the credential has expired.
  Reader(Session *session, Request prototype, Streams streams, int64_t expires_at);

  enum class Step { kPage, kWait, kEnd, kRefused };
  // Goes on to the next page; the one before is gone. kPage: page() is it. kWait: nothing is complete yet. kEnd: there
  // are no more. kRefused: the server refuses aggregates, which only a query with some can find out. Throws the failure
  // of any request, once the pages before it are read.
  Step Next();
  // Takes the answers that are there and sends what can be sent meanwhile, the first page not being enough. Rows of
  // page() stay.
  void LookAhead();
  // See Transfer::Refused: of one of its requests.
  const Request *Refused() const noexcept;

  const Page &page() const noexcept { return page_.page; }
  // The first row of the page that no page before had.
  size_t first_row() const noexcept { return page_.first_row; }
  // Nothing but this page was needed: it can be read again without a request.
  bool OnlyPage() const noexcept { return counters_.pages == 1 && streams_.finished() && ready_.empty(); }
  bool capped() const noexcept;
  int dropped() const noexcept { return streams_.dropped(); }
  ReadCounters &counters() noexcept { return counters_; }
  // Rows that were asked for whole were not worth it: they lacked columns or had too much beside them, or the server
  // refused.
  bool whole_unfit() const noexcept { return whole_unfit_; }
  // What is known of the time that the query takes, once its only page is there; else what was known before.
  TopTimes LearnTop(const TopTimes &before) const noexcept;
  // An answer that was taken, for the trace, each once; null when there is none. Lives until the next call.
  const AnswerTrace *NextTrace();

 private:
  // Bytes of pages that are kept, read and under way: more is asked for only when something else would stand still.
  static constexpr uint64_t kMaxBytes = 32'000'000;

  // A row of more bytes may have columns that nobody wants, or large ones that come twice because they are fetched as
  // text too: that costs more than it saves.
  static constexpr size_t kLargestWhole = 8'000;

  struct UnderWay {
    Ask ask;
    std::unique_ptr<Transfer> transfer;
  };
  struct ReadyPage {
    Page page;
    size_t first_row = 0;
  };

  void Collect();
  void Take(const Ask &ask, Transfer &transfer);
  bool TakeWhole(const Ask &ask, Response &response);
  void Send();
  bool HasRoom() const;

  Session *session_;
  Request prototype_;
  Streams streams_;
  int64_t expires_at_;
  std::vector<UnderWay> under_way_;
  std::deque<ReadyPage> ready_;
  ReadyPage page_;
  std::exception_ptr failure_;  // thrown when the pages that came before are read
  bool started_ = false, refused_ = false, whole_unfit_ = false;
  ReadCounters counters_;
  int64_t keys_us_ = 0, rows_us_ = 0;  // waited for keys of a page and for rows
  std::deque<AnswerTrace> traces_;
  AnswerTrace trace_;
};

}  // namespace supabase
