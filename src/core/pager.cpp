#include "pager.hpp"

#include <algorithm>

#include "error.hpp"

namespace supabase {

void RowCap::Seen(uint64_t rows, int64_t now_ms) noexcept {
  bool const fresh = now_ms - at_ms_ < kTrustMs;
  if (fresh && rows < proven_) return;
  if (!fresh || rows > proven_) exact_ = false;
  proven_ = rows;
  at_ms_ = now_ms;
}

void RowCap::Cut(uint64_t rows, int64_t now_ms) noexcept {
  proven_ = rows;
  exact_ = true;
  at_ms_ = now_ms;
}

uint64_t RowCap::NotBelow(int64_t now_ms) const noexcept { return now_ms - at_ms_ < kTrustMs ? proven_ : 0; }

std::optional<uint64_t> RowCap::Exact(int64_t now_ms) const noexcept {
  if (exact_ && now_ms - at_ms_ < kTrustMs) return proven_;
  return std::nullopt;
}

Pager::Pager(PagerOptions options, RowCap *cap) : options_(std::move(options)), cap_(cap) {
  for (size_t const position : options_.key) key_columns_.push_back(options_.query.select.at(position).name);
  dropped_ = FitTarget(options_.query);
  if (dropped_ > 0) {
    options_.row_limit.reset();
    options_.at_most.reset();
  }
  finished_ = options_.row_limit == 0;
}

PageRequest Pager::Next(int64_t now_ms) {
  ReadQuery query = options_.query;
  uint64_t size = options_.fetch_size;
  if (size == 0) size = first_ ? kFirstPage : kNextPage;
  if (auto const exact = cap_->Exact(now_ms)) size = std::min(size, std::max<uint64_t>(*exact, 1));
  if (options_.row_limit) size = std::min(size, *options_.row_limit - received_);
  asked_ = size;
  query.limit = size;
  if (!last_key_.empty()) {
    query.where.push_back(KeysetAfter(key_columns_, last_key_));
  } else if (received_ > 0) {
    query.offset = received_;
  }
  PageRequest request{BuildTarget(query), false};
  if (request.target.size() > kMaxPageTargetBytes) {
    throw Error(sqlstate::kProgramLimit, "key of the last row is too long to ask for the rows after it",
                "The request would have " + std::to_string(request.target.size()) + " bytes.");
  }
  // A bounded count tells on the first page whether the cap cut it; with an offset such counts can refuse the page (416).
  bool const known = cap_->Exact(now_ms) || cap_->NotBelow(now_ms) >= size || options_.at_most == 1;
  request.want_count = first_ && !known;
  return request;
}

void Pager::Received(const Page &page, const std::optional<ContentRange> &range, int64_t now_ms) {
  uint64_t const rows = page.rows();
  if (rows > asked_) throw Error(sqlstate::kProtocolViolation, "remote server sent more rows than were asked for");
  CheckKey(page);
  finished_ = IsLast(rows, range, now_ms);
  bool const cut = !finished_ && rows < asked_ && range && range->total;
  if (cut) {
    cap_->Cut(rows, now_ms);
  } else {
    cap_->Seen(rows, now_ms);
  }
  received_ += rows;
  first_ = false;
  if (options_.row_limit && received_ >= *options_.row_limit) finished_ = true;
  if (!finished_ && options_.paging == Paging::kKeyset) RememberKey(page);
}

bool Pager::IsLast(uint64_t rows, const std::optional<ContentRange> &range, int64_t now_ms) const {
  if (rows == 0) return true;
  if (options_.at_most && received_ + rows >= *options_.at_most) return true;
  if (rows == asked_) return false;
  if (first_ && range && range->total) return rows >= *range->total;
  return rows < cap_->NotBelow(now_ms);
}

void Pager::CheckKey(const Page &page) const {
  if (options_.paging != Paging::kKeyset) return;
  auto same = [&](size_t row, auto &&value_of) {
    return std::all_of(options_.key.begin(), options_.key.end(), [&](size_t const position) {
      const Cell &cell = page.Row(row)[position];
      return std::string_view(cell.data, cell.size) == value_of(position);
    });
  };
  for (size_t row = 0; row < page.rows(); row++) {
    for (size_t const position : options_.key) {
      if (page.Row(row)[position].kind == Cell::Kind::kNull) {
        throw Error(sqlstate::kFdwError, "key of remote relation \"" + options_.query.relation + "\" contains a null value",
                    "Reading in pages by this key would lose rows.", "Drop the option key from its columns.");
      }
    }
    bool const repeated = row > 0 && same(row, [&](size_t const position) {
      const Cell &cell = page.Row(row - 1)[position];
      return std::string_view(cell.data, cell.size);
    });
    if (repeated) {
      throw Error(sqlstate::kFdwError, "key of remote relation \"" + options_.query.relation + "\" is not unique",
                  "Reading in pages by this key would lose rows.",
                  "Set the option key on all columns of the primary key, or drop it.");
    }
  }
}

void Pager::RememberKey(const Page &page) {
  last_key_.clear();
  const Cell *last = page.Row(page.rows() - 1);
  for (size_t const position : options_.key) last_key_.emplace_back(last[position].data, last[position].size);
}

}  // namespace supabase
