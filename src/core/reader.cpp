#include "reader.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <utility>

#include "error.hpp"
#include "jwt.hpp"
#include "problem.hpp"
#include "rpc.hpp"
#include "whole_rows.hpp"

namespace supabase {
namespace {

int64_t MonotonicMs() {
  auto const now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Makes the answer to a call look like one to a read, or throws what went wrong.
void TakeCall(const FunctionSource &function, Transfer &transfer, size_t columns) {
  Response &response = transfer.Result();
  if (response.status == 204) {
    // No result at all (void).
    response.status = 200;
    response.headers = {{"content-type", "application/json"}, {"content-range", "*/0"}};
    response.body = "[]";
    return;
  }
  if (response.status != 200 && response.status != 206) throw CallProblem(transfer.request(), response, function.hint);
  const std::optional<ContentRange> range = ParseContentRange(response.Header("content-range"));
  if (function.result == FunctionSource::Result::kRows) {
    const bool empty = range && !range->first;
    response.body = RowsOfCall(std::move(response.body), columns, empty);
  } else {
    const bool set = function.result == FunctionSource::Result::kValues;
    response.body = RowsOfValues(response.body, set, function.values_as_text);
  }
}

// What is wrong with a read. A view has no rows of its own to tell apart, which PostgREST says of a column.
Error ReadProblem(const ReadQuery &query, const Request &request, const Response &response) {
  const Error problem = RemoteProblem(request, response);
  const bool by_place = std::any_of(query.select.begin(), query.select.end(),
                                    [](const SelectColumn &column) { return column.name == "ctid"; });
  if (!by_place || RemoteCode(response) != "42703") return problem;
  return Error(problem.sqlstate(), "rows of remote relation \"" + query.relation + "\" cannot be identified",
               std::string("It has no row identity of its own: ") + problem.what() + ".",
               "Set option \"key\" of the columns that identify a row.", problem.context());
}

}  // namespace

Reader::Reader(Session *session, Request prototype, Streams streams, int64_t expires_at)
    : session_(session), prototype_(std::move(prototype)), streams_(std::move(streams)), expires_at_(expires_at) {}

Reader::Step Reader::Next() {
  if (started_) streams_.WantMore();
  if (!OnlyPage()) page_ = {};
  Collect();
  if (refused_) return Step::kRefused;
  if (ready_.empty()) {
    if (failure_) std::rethrow_exception(failure_);
    if (streams_.finished()) return Step::kEnd;
    Send();
    return Step::kWait;
  }
  started_ = true;
  page_ = std::move(ready_.front());
  ready_.pop_front();
  if (streams_.wants_more()) Send();
  return Step::kPage;
}

bool Reader::capped() const noexcept {
  return streams_.capped(MonotonicMs());
}

TopTimes Reader::LearnTop(const TopTimes &before) const noexcept {
  return counters_.pages == 1 && streams_.finished() ? Learn(before, keys_us_, rows_us_) : before;
}

void Reader::LookAhead() {
  streams_.WantMore();
  Collect();
  Send();
}

const Request *Reader::Refused() const noexcept {
  for (const UnderWay &sent : under_way_) {
    if (const Request *refused = sent.transfer->Refused(); refused != nullptr) return refused;
  }
  return nullptr;
}

// Takes what is complete.
void Reader::Collect() {
  for (size_t i = 0; i < under_way_.size() && !failure_;) {
    if (!under_way_[i].transfer->done()) {
      i++;
      continue;
    }
    UnderWay const done = std::move(under_way_[i]);
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(i));
    try {
      Take(done.ask, *done.transfer);
    } catch (const std::exception &) {
      if (!streams_.DoWithout(done.ask.id)) failure_ = std::current_exception();
    }
  }
}

void Reader::Take(const Ask &ask, Transfer &transfer) {
  Response &response = transfer.Result();
  traces_.emplace_back(transfer.request(), response);
  std::string const &label = transfer.request().label;
  counters_.bytes += response.wire_bytes;
  counters_.retries += static_cast<uint64_t>(response.retries);
  (ask.keys ? keys_us_ : rows_us_) += response.answer_us;
  refused_ = refused_ || (streams_.aggregates() && RefusesAggregates(response));
  if (refused_) return;
  if (ask.query.whole && !TakeWhole(ask, response)) return;
  if (streams_.function()) TakeCall(*streams_.function(), transfer, ask.query.select.size());
  if (response.status != 200 && response.status != 206) throw ReadProblem(ask.query, transfer.request(), response);
  std::optional<ContentRange> const range = ParseContentRange(response.Header("content-range"));
  if (!range) {
    throw Error(sqlstate::kProtocolViolation, "answer to a read has no valid Content-Range header", {}, {},
                "remote request: " + label.substr(0, 300));
  }
  if (range->total) counters_.counted = *range->total;
  uint64_t const bytes = response.body.size();
  Page page = DecodePage(std::move(response), ask.query.select.size(), label);
  std::optional<size_t> const first_row = streams_.Received(ask.id, page, range, bytes, MonotonicMs());
  if (!first_row) return;
  counters_.pages++;
  counters_.text += bytes;
  counters_.rows += page.rows() - *first_row;
  ready_.push_back({std::move(page), *first_row});
}

// False when the columns must be asked for by name: a role may be granted some only, a column may be one that "*" does
// not have, or none at all, which the answer to that will say.
bool Reader::TakeWhole(const Ask &ask, Response &response) {
  bool const refused = response.status >= 400 && response.status < 500;
  if (!refused && response.status != 200 && response.status != 206) return true;
  whole_unfit_ = refused || response.body.size() > kLargestWhole;
  std::optional<std::string> rows;
  if (!refused) rows = AliasWholeRows(response.body, ask.query.select);
  if (rows) {
    response.body = std::move(*rows);
    return true;
  }
  whole_unfit_ = true;
  streams_.AskByName(ask.id);
  return false;
}

bool Reader::HasRoom() const {
  if (under_way_.empty() && ready_.empty()) return true;
  if (ready_.size() >= streams_.pages_ahead()) return false;
  uint64_t bytes = page_.page.bytes();
  for (const ReadyPage &ready : ready_)
    bytes += ready.page.bytes();
  for (const UnderWay &sent : under_way_)
    bytes += sent.ask.bytes;
  return bytes < kMaxBytes;
}

void Reader::Send() {
  while (!failure_ && HasRoom() && streams_.HasNext()) {
    CheckNotExpired(expires_at_, std::time(nullptr));
    Ask ask = streams_.Next(MonotonicMs());
    Request request = prototype_;
    request.url += ask.request.target;
    request.label += ask.request.target;
    if (ask.request.want_count) {
      request.headers.emplace_back("Prefer", streams_.function() ? "count=exact" : "count=estimated");
    }
    if (ask.request.want_plan) request.headers.emplace_back("Prefer", "count=planned");
    std::unique_ptr<Transfer> transfer = session_->Send(std::move(request));
    under_way_.push_back({std::move(ask), std::move(transfer)});
    counters_.requests++;
  }
}

const AnswerTrace *Reader::NextTrace() {
  if (traces_.empty()) return nullptr;
  trace_ = std::move(traces_.front());
  traces_.pop_front();
  return &trace_;
}

}  // namespace supabase
