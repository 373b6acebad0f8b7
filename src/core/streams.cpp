#include "streams.hpp"

#include <algorithm>
#include <utility>

#include "error.hpp"

namespace supabase {

// Rows that one part of the list can have: a value of a whole key is in one row.
static std::optional<uint64_t> AtMost(const PagerOptions &options, const Condition &list) {
  bool const whole_key = options.key.size() == 1 && options.query.select[options.key[0]].name == list.column;
  uint64_t const values = list.values.size();
  return whole_key ? std::min(values, options.at_most.value_or(values)) : options.at_most;
}

Streams::Streams(PagerOptions options, StreamOptions how, RowCap *cap)
    : how_(how), cap_(cap), function_(options.query.function) {
  // A limit is of all rows together: what one reading may bring is known when the one before is done.
  if (options.row_limit) how_.parallel = 1;
  // Groups of parts would not be groups of the whole.
  aggregates_ = std::any_of(options.query.select.begin(), options.query.select.end(),
                            [](const SelectColumn &column) { return !column.function.empty(); });
  how_.ordered = how_.ordered || aggregates_;
  if (how_.parallel == 0 || how_.ordered) how_.parallel = 1;
  row_limit_ = options.row_limit;
  options.want_plan = how_.parallel > 1 && options.paging == Paging::kKeyset;
  options.page_bytes = std::min(options.page_bytes, kBytesUnderWay / how_.parallel);
  MakeParts(std::move(options));
  if (dropped_ > 0) row_limit_.reset();
  OpenPart();
  if (streams_.size() == 1) {
    dropped_ += streams_[0]->pager.dropped();
    if (streams_[0]->pager.finished()) Close(streams_[0].get());
  }
  if (dropped_ > 0) row_limit_.reset();
  want_largest_ = LargestPays();
}

// Not where the first page has room for all rows that are expected.
bool Streams::LargestPays() const {
  if (!how_.large || how_.parallel == 1 || parts_ > 1 || streams_.empty()) return false;
  PagerOptions const &options = streams_.front()->pager.options();
  return options.paging == Paging::kKeyset && options.key.size() == 1 && !options.expected;
}

void Streams::MakeParts(PagerOptions options) {
  if (how_.ordered) {
    pending_.push_back(std::move(options));
    return;
  }
  SplitQuery split = SplitList(std::move(options.query), kListValues);
  parts_ = split.parts.size();
  dropped_ = split.dropped;
  if (dropped_ > 0) {
    options.row_limit.reset();
    options.at_most.reset();
  }
  for (ReadQuery &query : split.parts) {
    PagerOptions part = options;
    part.query = std::move(query);
    if (parts_ > 1) part.at_most = AtMost(part, part.query.where.at(split.list));
    pending_.push_back(std::move(part));
  }
}

bool Streams::OpenPart() {
  if (pending_.empty() || streams_.size() >= how_.parallel) return false;
  PagerOptions options = std::move(pending_.front());
  pending_.pop_front();
  if (row_limit_) options.row_limit = *row_limit_ - received_;
  Open(std::move(options), 0, std::nullopt);
  return true;
}

void Streams::Open(PagerOptions options, uint64_t expected, std::optional<int64_t> largest) {
  streams_.push_back(std::make_unique<Stream>(Stream{Pager(std::move(options), cap_), expected, largest}));
}

void Streams::Close(Stream *stream) {
  if (split_ != nullptr && split_->stream == stream) split_.reset();
  streams_.erase(std::find_if(streams_.begin(), streams_.end(), [&](const auto &s) { return s.get() == stream; }));
  if (row_limit_ && received_ >= *row_limit_) pending_.clear();
}

bool Streams::HasNext() {
  bool const begun = pages_ > 0 || !under_way_.empty();
  if (under_way_.size() >= how_.parallel) return false;
  if (AsksLargest()) return true;
  if (!more_ && begun) return false;
  while (OpenPart())
    continue;
  FinishSplit();
  BeginSplit();
  // Where the bounds could be reckoned at once.
  FinishSplit();
  return (split_ != nullptr && split_->splitter.HasNext()) || Idle() != nullptr;
}

// While the first page is under way.
bool Streams::AsksLargest() const noexcept {
  return want_largest_ && !under_way_.empty() && pages_ == 0;
}

Ask Streams::Next(int64_t now_ms) {
  if (AsksLargest()) {
    want_largest_ = false;
    largest_under_way_ = true;
    return AskProbe(Splitter::LargestQuery(streams_.front()->pager.options()));
  }
  if (split_ != nullptr && split_->splitter.HasNext()) return AskProbe(split_->splitter.Next());
  return AskPage(Idle(), now_ms);
}

Streams::Stream *Streams::Idle() const noexcept {
  auto const idle =
      std::find_if(streams_.begin(), streams_.end(), [](auto const &stream) { return !stream->under_way; });
  return idle != streams_.end() ? idle->get() : nullptr;
}

Ask Streams::AskPage(Stream *stream, int64_t now_ms) {
  bool const splitting = largest_under_way_ || (split_ != nullptr && split_->stream == stream);
  PageRequest request = stream->pager.Next(now_ms, splitting ? kSplitPage : UINT64_MAX);
  stream->under_way = true;
  under_way_.push_back({next_id_, stream, 0, 0});
  uint64_t const bytes = stream->pager.asked() * stream->pager.row_bytes();
  return {next_id_++, std::move(request), stream->pager.query(), bytes, stream->pager.asks_keys()};
}

Ask Streams::AskProbe(const ReadQuery &probe) {
  under_way_.push_back({next_id_, nullptr, probes_sent_++, splits_});
  return {next_id_++, {BuildTarget(probe)}, probe, 0};
}

std::vector<Streams::UnderWay>::iterator Streams::FindUnderWay(size_t id) {
  return std::find_if(under_way_.begin(), under_way_.end(), [id](const UnderWay &u) { return u.id == id; });
}

Streams::UnderWay Streams::TakeUnderWay(size_t id) {
  auto const found = FindUnderWay(id);
  if (found == under_way_.end()) throw Error(sqlstate::kFdwError, "answer to no request");
  UnderWay const answered = *found;
  under_way_.erase(found);
  return answered;
}

void Streams::AskByName(size_t id) {
  Stream *stream = TakeUnderWay(id).stream;
  stream->under_way = false;
  stream->pager.AskByName();
}

// Whether there is anything to split is not known when the largest key is asked for; if so, it is asked for again.
bool Streams::DoWithout(size_t id) {
  auto const found = FindUnderWay(id);
  if (found == under_way_.end() || found->stream != nullptr || found->split > 0) return false;
  under_way_.erase(found);
  largest_under_way_ = false;
  return true;
}

std::optional<size_t> Streams::Received(size_t id, const Page &page, const std::optional<ContentRange> &range,
                                        uint64_t bytes, int64_t now_ms) {
  UnderWay const answered = TakeUnderWay(id);
  if (answered.stream == nullptr && answered.split == 0) {
    largest_under_way_ = false;
    if (!streams_.empty()) {
      Stream &whole = *streams_.front();
      whole.largest = Splitter::Largest(page, whole.pager.options().query.relation);
    }
    return std::nullopt;
  }
  if (answered.stream == nullptr) {
    // The range may be at its end before it is split.
    if (split_ == nullptr || answered.split != splits_) return std::nullopt;
    split_->splitter.Received(answered.probe, page);
    return std::nullopt;
  }
  Stream *stream = answered.stream;
  Pager &pager = stream->pager;
  stream->under_way = false;
  uint64_t const before = pager.received();
  pager.Received(page, range, bytes, now_ms);
  received_ += pager.received() - before;
  was_cut_ = was_cut_ || pager.was_cut();
  if (pager.counted() && before == 0) stream->expected = *pager.counted();
  std::optional<size_t> const first_row = pager.brought_page() ? std::optional<size_t>(pager.overlap()) : std::nullopt;
  if (first_row) pages_++;
  if (pager.finished()) Close(stream);
  return first_row;
}

// ---- splitting ----

// Where a range has more rows than expected, it is thought to have as many more again.
uint64_t Streams::Rest(const Stream &stream) {
  uint64_t const received = stream.pager.received();
  return stream.expected > received ? stream.expected - received : received - stream.expected;
}

// Rows that the range's own next page has in any case.
uint64_t Streams::Skip(const Stream &stream) const {
  return stream.under_way ? stream.pager.asked() : std::min(kSplitPage, stream.pager.PageRows());
}

bool Streams::Splittable(const Stream &stream) const {
  return stream.pager.options().paging == Paging::kKeyset && !stream.pager.last_key().empty();
}

void Streams::BeginSplit() {
  if (split_ != nullptr || largest_under_way_ || !pending_.empty() || streams_.size() >= how_.parallel) return;
  Stream *largest = nullptr;
  for (auto const &stream : streams_) {
    if (Splittable(*stream) && (largest == nullptr || Rest(*stream) > Rest(*largest))) largest = stream.get();
  }
  if (largest == nullptr) return;
  uint64_t const rest = Rest(*largest), skip = Skip(*largest);
  // A range that was cut already is worth a request only where that saves some.
  uint64_t const least = largest->pager.PageRows() * (streams_.size() == 1 ? 1 : 2);
  uint64_t const room = rest > skip ? (rest - skip) / least : 0;
  size_t const parts = std::min<uint64_t>(how_.parallel - streams_.size() + 1, room);
  if (parts < 2) return;
  splits_++;
  probes_sent_ = 0;
  split_ = std::make_unique<Split>(
      Split{largest, largest->pager.received(), Splitter(largest->pager, rest, skip, parts, largest->largest)});
}

// The bounds count only once the range's page under way is there: all parts follow its last row, so that no row comes
// twice wherever the bounds are.
void Streams::FinishSplit() {
  if (split_ == nullptr || !split_->splitter.complete() || split_->stream->under_way) return;
  std::unique_ptr<Split> const split = std::move(split_);
  Splitter const &splitter = split->splitter;
  Stream *stream = split->stream;
  stream->largest = splitter.largest();
  std::vector<Key> const bounds = splitter.BoundsAfter(stream->pager.last_key());
  if (bounds.empty()) {
    stream->expected = splitter.rest_at_most() ? split->received + *splitter.rest_at_most() : stream->pager.received();
    return;
  }
  PagerOptions options = stream->pager.options();
  options.small_first_page = options.want_plan = false;
  options.row_bytes = stream->pager.row_bytes();
  options.range.after = splitter.ordered() ? std::vector<Key>() : std::vector<Key>{stream->pager.last_key()};
  Key const end = std::exchange(options.range.up_to, {});
  stream->pager.SetEnd(bounds.front());
  stream->expected = split->received + splitter.skip() + splitter.rows_each();
  for (size_t i = 0; i < bounds.size(); i++) {
    if (splitter.ordered()) options.range.after.clear();
    options.range.after.push_back(bounds[i]);
    options.range.up_to = i + 1 < bounds.size() ? bounds[i + 1] : end;
    Open(options, splitter.rows_each(), i + 1 < bounds.size() ? std::nullopt : splitter.largest());
  }
}

}  // namespace supabase
