#include "sampler.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "error.hpp"
#include "jwt.hpp"
#include "problem.hpp"

namespace supabase {
namespace {

constexpr char kQueryCanceled[] = "57014";

void SetTarget(Request *request, const ReadQuery &query) {
  const std::string target = BuildTarget(query);
  request->url += target;
  request->label += target;
}

bool Succeeded(const Response &response) noexcept {
  return response.status == 200 || response.status == 206;
}

}  // namespace

void MakeCountRequest(Request *request, ReadQuery query, CountMode mode) {
  query.order.clear();
  query.offset.reset();
  query.limit = 0;
  (void)FitTarget(query);
  SetTarget(request, query);
  request->headers.emplace_back("Prefer", mode == CountMode::kExact ? "count=exact" : "count=planned");
}

uint64_t TakeCount(const Request &request, const Response &response) {
  if (!Succeeded(response)) throw RemoteProblem(request, response);
  const std::optional<ContentRange> range = ParseContentRange(response.Header("content-range"));
  if (!range || !range->total) {
    throw Error(sqlstate::kProtocolViolation, "remote server did not count", {}, {},
                "remote request: " + request.label.substr(0, 300));
  }
  return *range->total;
}

SamplePlan::SamplePlan(SampleOptions options, uint64_t total)
    : options_(std::move(options)), total_(total), wanted_(std::min(options_.rows, total)), random_(options_.seed) {
  for (const size_t position : options_.key)
    key_columns_.push_back(options_.query.select[position].name);
  const bool probes = !key_columns_.empty() && total_ > kMaxOffset;
  blocks_ = std::clamp(wanted_ / kBlockRows, uint64_t{1}, probes ? kMaxBlocks / 2 : kMaxBlocks);
}

// The rows after the first ones are parted evenly; each part has its share of what is still wanted.
bool SamplePlan::BeginBlock() {
  const uint64_t first = std::min(wanted_, kFirstPage), last = !key_columns_.empty() && total_ > wanted_ ? 1 : 0;
  if (block_ == blocks_ || wanted_ <= first + last) return false;
  const uint64_t rest = total_ - first, share = wanted_ - first - last;
  const uint64_t begin = rest / blocks_ * block_, before = share / blocks_ * block_;
  ++block_;
  const uint64_t end = block_ == blocks_ ? rest : rest / blocks_ * block_;
  const uint64_t until = block_ == blocks_ ? share : share / blocks_ * block_;
  rows_ = std::min({until - before, end - begin, kMaxPage, std::max(kBlockBytes / row_bytes_, uint64_t{1})});
  offset_ = first + begin + std::uniform_int_distribution<uint64_t>(0, end - begin - rows_)(random_);
  begin_.clear();
  return true;
}

// To the next request; false when there is none.
bool SamplePlan::Advance() {
  if (!started_) {
    started_ = true;
    rows_ = std::min(wanted_, kFirstPage);
    return rows_ > 0;
  }
  if (step_ == Step::kFirst && !key_columns_.empty() && total_ > wanted_ && wanted_ > kFirstPage) {
    step_ = Step::kLast;
    rows_ = 1;
    return true;
  }
  if (step_ == Step::kProbe && !begin_.empty()) {
    step_ = Step::kBlock;
    return true;
  }
  if (!BeginBlock()) return false;
  step_ = !key_columns_.empty() && offset_ > kMaxOffset ? Step::kProbe : Step::kBlock;
  return true;
}

std::optional<ReadQuery> SamplePlan::Next() {
  finished_ = finished_ || !Advance();
  if (finished_) return std::nullopt;
  ReadQuery query = options_.query;
  const bool last = step_ == Step::kLast;
  // Nulls where an index that is read backwards has them.
  for (const std::string &column : key_columns_)
    query.order.push_back({column, last, last});
  query.limit = step_ == Step::kProbe ? 1 : rows_;
  if (step_ == Step::kProbe) {
    query.select.clear();
    for (const size_t position : options_.key)
      query.select.push_back(options_.query.select[position]);
  }
  if (step_ == Step::kBlock && !begin_.empty()) {
    query.where.push_back(KeysetAfter(key_columns_, begin_, Op::kGe));
  } else if ((step_ == Step::kProbe || step_ == Step::kBlock) && offset_ > 0) {
    query.offset = offset_;
  }
  return query;
}

size_t SamplePlan::columns() const noexcept {
  return step_ == Step::kProbe ? options_.key.size() : options_.query.select.size();
}

void SamplePlan::Received(const Page &page, uint64_t bytes) {
  const uint64_t rows = page.rows(), asked = step_ == Step::kProbe ? 1 : rows_;
  if (rows > asked) throw Error(sqlstate::kProtocolViolation, "remote server sent more rows than were asked for");
  if (rows == 0) return;
  if (step_ == Step::kFirst) row_bytes_ = std::max(bytes / rows, uint64_t{1});
  if (step_ != Step::kProbe) return;
  for (size_t i = 0; i < options_.key.size(); ++i) {
    const Cell &cell = page.Row(0)[i];
    // A key with nulls is none: nothing can be asked for from there on.
    if (cell.kind == Cell::Kind::kNull) {
      begin_.clear();
      return;
    }
    begin_.emplace_back(cell.data, cell.size);
  }
}

Sampler::Sampler(Session *session, Request prototype, SampleOptions options, int64_t expires_at)
    : session_(session), prototype_(std::move(prototype)), options_(std::move(options)), expires_at_(expires_at) {}

const Transfer *Sampler::Waiting() {
  if (transfer_ != nullptr) return transfer_.get();
  Request request = prototype_;
  if (!plan_) {
    MakeCountRequest(&request, options_.query, mode_);
  } else {
    const std::optional<ReadQuery> query = plan_->Next();
    if (!query) return nullptr;
    SetTarget(&request, *query);
  }
  CheckNotExpired(expires_at_, std::time(nullptr));
  transfer_ = session_->Send(std::move(request));
  return transfer_.get();
}

void Sampler::TakeTotal(const Request &request, const Response &response) {
  if (mode_ == CountMode::kExact && !Succeeded(response) && RemoteCode(response) == kQueryCanceled) {
    mode_ = CountMode::kPlanned;
    return;
  }
  total_ = TakeCount(request, response);
  plan_.emplace(std::move(options_), total_);
}

void Sampler::Take() {
  const std::unique_ptr<Transfer> transfer = std::move(transfer_);
  Response &response = transfer->Result();
  last_ = AnswerTrace(transfer->request(), response);
  page_ = Page();
  if (!plan_) {
    TakeTotal(transfer->request(), response);
    return;
  }
  if (!Succeeded(response)) throw RemoteProblem(transfer->request(), response);
  const uint64_t bytes = response.body.size();
  Page page = DecodePage(std::move(response), plan_->columns(), last_.label);
  plan_->Received(page, bytes);
  if (plan_->wants_rows()) page_ = std::move(page);
}

}  // namespace supabase
