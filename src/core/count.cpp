#include "count.hpp"

#include <ctime>
#include <utility>

#include "error.hpp"
#include "jwt.hpp"
#include "problem.hpp"
#include "rows.hpp"

namespace supabase {

std::string BuildCountTarget(ReadQuery query) {
  query.select.resize(1);
  query.order.clear();
  query.limit = 0;
  query.offset.reset();
  return BuildTarget(query);
}

CountReader::CountReader(Session *session, Request prototype, int64_t expires_at)
    : session_(session), prototype_(std::move(prototype)), expires_at_(expires_at) {
  prototype_.headers.emplace_back("Prefer", "count=exact");
}

bool CountReader::Add(ReadQuery query) {
  if (FitTarget(query) > 0) return false;
  CheckNotExpired(expires_at_, std::time(nullptr));
  const std::string target = BuildCountTarget(std::move(query));
  Request request = prototype_;
  request.url += target;
  request.label += target;
  waiting_.push_back({totals_.size(), session_->Send(std::move(request))});
  totals_.push_back(0);
  counters_.requests++;
  return true;
}

void CountReader::Take() {
  const Pending pending = std::move(waiting_.front());
  waiting_.pop_front();
  const Request &request = pending.transfer->request();
  Response &response = pending.transfer->Result();
  last_ = AnswerTrace(request, response);
  counters_.bytes += response.wire_bytes;
  counters_.retries += static_cast<uint64_t>(response.retries);
  if (response.status != 200 && response.status != 206) throw RemoteProblem(request, response);
  const std::optional<ContentRange> range = ParseContentRange(response.Header("content-range"));
  if (!range || !range->total || range->first) {
    throw Error(sqlstate::kProtocolViolation, "answer to a count has no valid total in its Content-Range header", {},
                {}, "remote request: " + last_.label.substr(0, 300));
  }
  totals_[pending.index] = *range->total;
}

}  // namespace supabase
