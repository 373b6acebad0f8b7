#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "http.hpp"
#include "message.hpp"
#include "write.hpp"

namespace supabase {

struct WriteCounters {
  uint64_t requests = 0, retries = 0, rows = 0;  // rows: changed at the remote
  uint64_t bytes_sent = 0, bytes_received = 0;
  int64_t wait_us = 0;
};

// The writes of one statement: several requests under way at once, their answers in the order in which they were sent.
// After a failure nothing more is sent, but what is under way is waited for, so that the error can say what was done.
// Never blocks (see Reader).
class Writer {
 public:
  // `expires_at` (Unix seconds, 0 for never): no request is sent when the credential has expired.
  Writer(Session *session, size_t most_under_way, int64_t expires_at);

  // Whether another request may be sent now.
  bool HasRoom() const noexcept { return !failure_ && under_way_.size() < most_under_way_; }
  bool idle() const noexcept { return under_way_.empty(); }
  bool failed() const noexcept { return failure_.has_value(); }
  // Does not throw what is wrong with the request: that is its answer.
  void Send(Request request, WriteNote note);

  enum class Step { kAnswer, kWait, kIdle };
  // Goes on to the answer of the oldest request: kAnswer when it is there. kIdle: nothing is under way.
  Step Next();
  // See Transfer::Refused: of one of its requests.
  const Request *Refused() const noexcept;
  WriteAnswer &answer() noexcept { return answer_; }
  const WriteNote &note() const noexcept { return note_; }
  // Of the answer; null when the request never left.
  const AnswerTrace *trace() const noexcept { return traced_ ? &trace_ : nullptr; }
  WriteCounters &counters() noexcept { return counters_; }

  // Throws the first failure that leaves an outcome unknown, else the first of all; its detail tells what else the
  // statement has done.
  [[noreturn]] void ThrowFailure() const;

 private:
  void NoteFailure();

  struct UnderWay {
    WriteNote note;
    std::unique_ptr<Transfer> transfer;  // null: it could not be sent
    std::optional<Error> refusal;
  };

  Session *session_;
  size_t most_under_way_;
  int64_t expires_at_;
  std::deque<UnderWay> under_way_;
  WriteAnswer answer_;
  WriteNote note_;
  AnswerTrace trace_;
  bool traced_ = false;
  std::optional<Error> failure_;  // that is to be thrown
  bool failure_is_unknown_ = false;
  uint64_t failure_rows_ = 0;                         // that were changed all the same
  std::string earlier_;                               // message of the failure that was first
  uint64_t unknown_rows_ = 0, unknown_requests_ = 0;  // beside that failure
  WriteCounters counters_;
};

}  // namespace supabase
