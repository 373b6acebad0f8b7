#include "reader.hpp"

#include <chrono>
#include <ctime>
#include <optional>

#include "error.hpp"
#include "jwt.hpp"
#include "problem.hpp"

namespace supabase {
namespace {

int64_t MonotonicMs() {
  auto const now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

Reader::Reader(Session *session, Request prototype, Pager pager, int64_t expires_at)
    : session_(session), prototype_(std::move(prototype)), pager_(std::move(pager)), expires_at_(expires_at) {}

const Transfer *Reader::Waiting() {
  Prefetch();
  return transfer_.get();
}

void Reader::Prefetch() {
  if (transfer_ != nullptr || pager_.finished()) return;
  CheckNotExpired(expires_at_, std::time(nullptr));
  PageRequest const page = pager_.Next(MonotonicMs());
  Request request = prototype_;
  request.url += page.target;
  request.label += page.target;
  if (page.want_count) request.headers.emplace_back("Prefer", "count=estimated");
  transfer_ = session_->Send(std::move(request));
  counters_.requests++;
}

bool Reader::Take() {
  std::unique_ptr<Transfer> const transfer = std::move(transfer_);
  Response &response = transfer->Result();
  last_ = AnswerTrace(transfer->request(), response);
  counters_.bytes += response.wire_bytes;
  counters_.retries += static_cast<uint64_t>(response.retries);
  if (pager_.aggregates() && RefusesAggregates(response)) return false;
  if (response.status != 200 && response.status != 206) throw RemoteProblem(transfer->request(), response);
  std::optional<ContentRange> const range = ParseContentRange(response.Header("content-range"));
  if (!range) {
    throw Error(sqlstate::kProtocolViolation, "answer to a read has no valid Content-Range header", {}, {},
                "remote request: " + last_.label.substr(0, 300));
  }
  uint64_t const bytes = response.body.size();
  page_ = DecodePage(std::move(response), pager_.columns(), last_.label);
  pager_.Received(page_, range, bytes, MonotonicMs());
  counters_.pages++;
  counters_.rows += page_.rows() - pager_.overlap();
  return true;
}

}  // namespace supabase
