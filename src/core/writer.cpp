#include "writer.hpp"

#include <ctime>
#include <string>
#include <utility>

#include "jwt.hpp"
#include "problem.hpp"

namespace supabase {

Writer::Writer(Session *session, size_t most_under_way, int64_t expires_at)
    : session_(session), most_under_way_(most_under_way), expires_at_(expires_at) {}

void Writer::Send(Request request, WriteNote note) {
  under_way_.push_back({std::move(note), nullptr, std::nullopt});
  UnderWay &sent = under_way_.back();
  counters_.bytes_sent += request.body.size();
  try {
    CheckNotExpired(expires_at_, std::time(nullptr));
    sent.transfer = session_->Send(std::move(request));
    counters_.requests++;
  } catch (const Error &error) {
    sent.refusal = error;
  }
}

Writer::Step Writer::Next() {
  if (under_way_.empty()) return Step::kIdle;
  UnderWay &oldest = under_way_.front();
  if (oldest.transfer != nullptr && !oldest.transfer->done()) return Step::kWait;
  note_ = std::move(oldest.note);
  const std::unique_ptr<Transfer> transfer = std::move(oldest.transfer);
  std::optional<Error> refusal = std::move(oldest.refusal);
  under_way_.pop_front();
  traced_ = transfer != nullptr && transfer->answered();
  if (traced_) {
    const Response &response = transfer->Result();
    trace_ = AnswerTrace(transfer->request(), response);
    counters_.bytes_received += response.wire_bytes;
    counters_.retries += static_cast<uint64_t>(response.retries);
  }
  answer_ = transfer != nullptr ? TakeWrite(note_, *transfer) : NotSent(std::move(*refusal));
  if (answer_.outcome == Outcome::kDone) counters_.rows += answer_.rows;
  if (answer_.failure) NoteFailure();
  return Step::kAnswer;
}

const Request *Writer::Refused() const noexcept {
  for (const UnderWay &sent : under_way_) {
    const Request *refused = sent.transfer != nullptr ? sent.transfer->Refused() : nullptr;
    if (refused != nullptr) return refused;
  }
  return nullptr;
}

void Writer::NoteFailure() {
  const bool unknown = answer_.outcome == Outcome::kUnknown;
  if (!failure_ || (unknown && !failure_is_unknown_)) {
    if (failure_) earlier_ = failure_->what();
    failure_ = answer_.failure;
    failure_is_unknown_ = unknown;
    failure_rows_ = answer_.rows;
  } else if (unknown) {
    unknown_requests_++;
    unknown_rows_ += note_.rows;
  }
}

static std::string Rows(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " row" : " rows");
}

void Writer::ThrowFailure() const {
  std::string detail = failure_->detail();
  const auto add = [&detail](const std::string &sentence) { AddSentence(&detail, sentence); };
  if (!earlier_.empty()) add("Another request failed: " + earlier_ + ".");
  const uint64_t changed = counters_.rows - failure_rows_;
  if (changed > 0) add("Other requests of the statement have changed " + Rows(changed) + " at the remote.");
  if (unknown_requests_ > 0) {
    add(unknown_rows_ > 0 ? "The outcome for " + Rows(unknown_rows_) + " more is unknown."
                          : "The outcome of other requests is unknown.");
  }
  throw Error(failure_->sqlstate(), failure_->what(), detail, failure_->hint(), failure_->context(),
              failure_->constraint());
}

}  // namespace supabase
