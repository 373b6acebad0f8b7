#include "splitter.hpp"

#include <algorithm>
#include <charconv>

#include "error.hpp"

namespace supabase {
namespace {

// Rows per number may differ so much between what was read and what is left for keys to be reckoned.
constexpr double kSameDensity = 3.0;

size_t Bytes(const Key &key) {
  size_t bytes = 0;
  for (const std::string &value : key)
    bytes += value.size();
  return bytes;
}

std::optional<int64_t> WholeNumber(const std::string &text) {
  int64_t number = 0;
  const char *const end = text.data() + text.size();
  auto const [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional<int64_t>(number) : std::nullopt;
}

// One row's key.
ReadQuery KeyQuery(const PagerOptions &options) {
  ReadQuery query = options.query;
  query.select.clear();
  for (size_t const position : options.key)
    query.select.push_back(options.query.select[position]);
  query.limit = 1;
  query.whole = false;
  return query;
}

}  // namespace

ReadQuery Splitter::LargestQuery(const PagerOptions &options) {
  ReadQuery query = KeyQuery(options);
  for (OrderItem &item : query.order)
    item.descending = item.nulls_first = true;
  return query;
}

std::optional<int64_t> Splitter::Largest(const Page &page, const std::string &relation) {
  if (page.rows() == 0) return std::nullopt;
  Cell const &cell = page.Row(0)[0];
  if (cell.kind == Cell::Kind::kNull) ThrowNullKey(relation);
  return WholeNumber(std::string(cell.data, cell.size));
}

Splitter::Splitter(const Pager &pager, uint64_t rest, uint64_t skip, size_t parts, std::optional<int64_t> largest)
    : rest_(rest),
      skip_(skip),
      parts_(parts),
      largest_(largest),
      numbers_(pager.numbers()),
      received_(pager.received()) {
  PagerOptions const &options = pager.options();
  query_ = KeyQuery(options);
  for (Condition &condition : pager.RestConditions(false))
    query_.where.push_back(std::move(condition));
  bool const bounded = !options.range.up_to.empty();
  if (numbers_ && bounded) largest_ = WholeNumber(options.range.up_to.front());
  if (numbers_ && !bounded && !largest_) {
    AskForLargest(options);
  } else if (!Reckon()) {
    AskForBounds();
  }
}

// Whether the keys could be reckoned.
bool Splitter::Reckon() {
  if (!numbers_ || !largest_ || *largest_ <= numbers_->last) return false;
  double const read = static_cast<double>(numbers_->last) - static_cast<double>(numbers_->first) + 1;
  double const left = static_cast<double>(*largest_) - static_cast<double>(numbers_->last);
  double const density = (static_cast<double>(received_) / read) / (static_cast<double>(rest_) / left);
  if (density > kSameDensity || density < 1 / kSameDensity) return false;
  for (size_t i = 1; i < parts_; i++) {
    uint64_t const rows = skip_ + (rest_ - skip_) * i / parts_;
    double const step = left * (static_cast<double>(rows) / static_cast<double>(rest_));
    if (step >= left) break;
    int64_t const key = numbers_->last + static_cast<int64_t>(step);
    if (bounds_.empty() || std::to_string(key) != bounds_.back().front()) bounds_.push_back({std::to_string(key)});
  }
  ordered_ = true;
  return true;
}

void Splitter::AskForLargest(const PagerOptions &options) {
  asking_largest_ = true;
  probes_.push_back({LargestQuery(options), {}});
}

void Splitter::AskForBounds() {
  for (size_t i = 1; i < parts_; i++) {
    ReadQuery query = query_;
    query.offset = skip_ + (rest_ - skip_) * i / parts_;
    probes_.push_back({std::move(query), {}});
  }
}

void Splitter::Received(size_t number, const Page &page) {
  answered_++;
  if (asking_largest_ && number == 0) {
    TakeLargest(page);
    return;
  }
  Probe &probe = probes_.at(number);
  for (size_t i = 0; i < query_.select.size() && page.rows() > 0; i++)
    probe.key.emplace_back(page.Row(0)[i].data, page.Row(0)[i].size);
  if (page.rows() == 0) rest_at_most_ = std::min(rest_at_most_.value_or(UINT64_MAX), *probe.query.offset);
  if (complete()) TakeBounds();
}

void Splitter::TakeLargest(const Page &page) {
  if (page.rows() == 0) {
    rest_at_most_ = 0;
    return;
  }
  largest_ = Largest(page, query_.relation);
  if (!Reckon()) AskForBounds();
}

void Splitter::TakeBounds() {
  size_t bytes = 0;
  for (Probe &probe : probes_) {
    bytes += Bytes(probe.key);
    if (Bytes(probe.key) > kMaxKeyBytes || bytes > kMaxBoundBytes) return;
    if (!probe.key.empty()) bounds_.push_back(std::move(probe.key));
  }
}

std::vector<Key> Splitter::BoundsAfter(const Key &last) const {
  if (Bytes(last) > kMaxKeyBytes) return {};
  if (!ordered_) return bounds_;
  int64_t const number = WholeNumber(last.front()).value_or(INT64_MAX);
  std::vector<Key> bounds;
  for (const Key &bound : bounds_) {
    if (WholeNumber(bound.front()).value_or(INT64_MIN) > number) bounds.push_back(bound);
  }
  return bounds;
}

}  // namespace supabase
