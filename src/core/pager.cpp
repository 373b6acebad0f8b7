#include "pager.hpp"

#include <algorithm>
#include <charconv>

#include <limits>

#include "error.hpp"
#include "problem.hpp"
#include "seeded.hpp"

namespace supabase {

void ThrowNullKey(const std::string &relation) {
  throw Error(sqlstate::kFdwError, "key of remote relation \"" + relation + "\" contains a null value",
              "Reading in pages by this key would lose rows.", "Drop the option key from its columns.");
}

void RowCap::Seen(uint64_t rows, int64_t asked_at_ms) noexcept {
  bool const fresh = asked_at_ms - at_ms_ < kTrustMs, older = asked_at_ms < at_ms_;
  if (fresh && rows < proven_) return;
  if (older && (exact_ || rows == proven_)) return;
  if (!fresh || rows > proven_) exact_ = false;
  proven_ = rows;
  at_ms_ = asked_at_ms;
}

void RowCap::Cut(uint64_t rows, int64_t asked_at_ms) noexcept {
  if (asked_at_ms < at_ms_ && (exact_ || proven_ > rows)) return;
  proven_ = rows;
  exact_ = true;
  at_ms_ = asked_at_ms;
}

uint64_t RowCap::NotBelow(int64_t now_ms) const noexcept {
  return now_ms - at_ms_ < kTrustMs ? proven_ : 0;
}

std::optional<uint64_t> RowCap::Exact(int64_t now_ms) const noexcept {
  if (exact_ && now_ms - at_ms_ < kTrustMs) return proven_;
  return std::nullopt;
}

// Text of a cell in which NULL is no other cell's text.
static std::string CellText(const Cell &cell) {
  return cell.kind == Cell::Kind::kNull ? std::string() : "=" + std::string(cell.data, cell.size);
}

Pager::Pager(PagerOptions options, RowCap *cap) : options_(std::move(options)), cap_(cap) {
  for (size_t const position : options_.key)
    key_columns_.push_back(options_.query.select.at(position).name);
  row_bytes_ = options_.row_bytes;
  dropped_ = FitTarget(options_.query);
  if (dropped_ > 0) {
    options_.row_limit.reset();
    options_.at_most.reset();
  }
  finished_ = options_.row_limit == 0;
  if (!options_.keys_first.empty() && options_.row_limit && *options_.row_limit <= TopKeys::kMostRows) {
    top_.emplace(options_.keys_first);
  }
}

uint64_t Pager::LaterPage() const {
  return std::min(kNextPage, options_.page_bytes / std::max<uint64_t>(row_bytes_, 1) + 1);
}

uint64_t Pager::FirstPage() const {
  if (!options_.expected || row_bytes_ == 0 || cap_->Exact(asked_at_ms_)) return kFirstPage;
  // There may be some more meanwhile.
  uint64_t const wanted = *options_.expected + *options_.expected / 4;
  return wanted > kFirstPage && wanted <= LaterPage() ? LaterPage() : kFirstPage;
}

uint64_t Pager::PageSize() const {
  uint64_t size = options_.fetch_size;
  if (size == 0) size = first_ && options_.small_first_page ? FirstPage() : LaterPage();
  if (options_.row_limit) size = std::min(size, *options_.row_limit - received_);
  return size;
}

uint64_t Pager::PageRows() const {
  return cut_to_ > 0 ? std::min(PageSize(), cut_to_) : PageSize();
}

std::vector<Condition> Pager::RestConditions(bool with_last) const {
  std::vector<Condition> where;
  const KeyRange &range = options_.range;
  if (!last_key_.empty()) {
    where.push_back(KeysetAfter(key_columns_, last_key_, with_last ? Op::kGe : Op::kGt));
  } else {
    for (const Key &after : range.after)
      where.push_back(KeysetAfter(key_columns_, after));
  }
  if (!range.up_to.empty()) where.push_back(KeysetUpTo(key_columns_, range.up_to));
  return where;
}

PageRequest Pager::Next(int64_t now_ms, uint64_t most) {
  asked_at_ms_ = now_ms;
  known_ = *cap_;
  query_ = options_.query;
  if (IsCall()) return NextCall(now_ms);
  if (top_ && top_->size() > 0) {
    query_ = top_->RowsOf(options_.query);
    asked_ = *query_.limit;
    PageRequest request{BuildTarget(query_)};
    if (request.target.size() <= kMaxTargetBytes) return request;
    top_.reset();
    query_ = options_.query;
  }
  if (top_) {
    query_.select = top_->Select();
    query_.whole = false;
  }
  asked_ = std::min(PageSize(), most);
  for (Condition &condition : RestConditions(ask_overlap_))
    query_.where.push_back(std::move(condition));
  if (!last_key_.empty()) {
    if (ask_overlap_) asked_++;
  } else if (received_ > 0) {
    query_.offset = received_ + (Seeded(Bug::kOffsetPageSkipsRow) ? 1 : 0);
  }
  query_.limit = asked_;
  PageRequest request{BuildTarget(query_)};
  bool const part = !options_.range.after.empty() || !options_.range.up_to.empty();
  if (request.target.size() > kMaxBareTargetBytes + (part ? kRangeBytes : 0)) {
    throw Error(sqlstate::kProgramLimit, "key of the last row is too long to ask for the rows after it",
                "The request would have " + std::to_string(request.target.size()) + " bytes.");
  }
  // A bounded count tells on the first page whether the cap cut it; with an offset such counts can refuse the page
  // (416). A server without a cap counts the whole table, so not for a page that the row limit will probably fill, and
  // not for a part of a table.
  bool const known = known_.Exact(now_ms) || known_.NotBelow(now_ms) >= asked_ || options_.at_most == 1;
  // With groups the count would be that of the rows they are made of.
  // Nor where a page has room for all rows that are expected: asking whether there are more is cheaper.
  bool const roomy = options_.fetch_size == 0 && asked_ > kFirstPage;
  counts_ = request.want_count = first_ && !part && !known && !roomy && asked_ != options_.row_limit && !aggregates();
  bool const few = roomy || (options_.at_most && *options_.at_most <= asked_);
  request.want_plan = first_ && options_.want_plan && !request.want_count && !few && !aggregates();
  return request;
}

// Every request runs the function whole, so each asks for all that the cap lets through, and is counted: a function's
// rows are there anyway. The last row comes again, to see whether the rows still come in the same order.
PageRequest Pager::NextCall(int64_t now_ms) {
  uint64_t const overlap = received_ > 0 ? 1 : 0;
  asked_ = std::numeric_limits<uint64_t>::max();
  if (options_.row_limit) asked_ = *options_.row_limit - received_ + overlap;
  if (options_.fetch_size > 0 && options_.paging == Paging::kRepeat) {
    asked_ = std::min(asked_, options_.fetch_size + overlap);
  }
  if (asked_ != std::numeric_limits<uint64_t>::max()) query_.limit = asked_;
  if (received_ > 0) query_.offset = received_ - 1;
  // A limit that the cap is known not to undercut needs no count, which would make the remote compute every row.
  bool const counted = !options_.row_limit || known_.NotBelow(now_ms) < asked_ || received_ > 0;
  return {BuildTarget(query_), counted};
}

void Pager::ReceivedCall(const Page &page, const std::optional<ContentRange> &range, int64_t now_ms) {
  uint64_t const rows = page.rows();
  overlap_ = received_ > 0 ? 1 : 0;
  std::optional<uint64_t> const total = range ? range->total : std::nullopt;
  if (received_ > 0 && (total != total_ || !HasLastRow(page))) {
    throw CutProblem(options_.query.relation, received_, total_,
                     "Called again for the rest, the function returned other rows.");
  }
  received_ += rows - overlap_;
  first_ = false;
  uint64_t wanted = total.value_or(std::numeric_limits<uint64_t>::max());
  if (options_.row_limit) wanted = std::min(wanted, *options_.row_limit);
  finished_ = received_ >= wanted || (!total && (rows == 0 || rows < known_.NotBelow(now_ms)));
  if (rows < asked_ && !finished_ && total) cap_->Cut(rows, asked_at_ms_);
  if (finished_) return;
  if (options_.paging == Paging::kOnce || !total) {
    throw CutProblem(options_.query.relation, received_, total.value_or(received_),
                     "It may write, as the option rpc_read_only is not set, so it is not called again.");
  }
  if (rows == overlap_) throw Error(sqlstate::kProtocolViolation, "remote server sent the same page again");
  total_ = *total;
  last_key_.clear();
  const Cell *last = page.Row(rows - 1);
  for (size_t i = 0; i < page.columns(); i++)
    last_key_.push_back(CellText(last[i]));
}

bool Pager::HasLastRow(const Page &page) const {
  if (page.rows() == 0) return false;
  for (size_t i = 0; i < page.columns(); i++) {
    if (CellText(page.Row(0)[i]) != last_key_[i]) return false;
  }
  return true;
}

void Pager::Received(const Page &page, const std::optional<ContentRange> &range, uint64_t bytes, int64_t now_ms) {
  uint64_t const rows = page.rows();
  CheckRange(rows, range);
  if (IsCall()) return ReceivedCall(page, range, now_ms);
  brought_page_ = !top_;
  if (top_) return top_->size() > 0 ? ReceivedByKeys(page) : ReceivedKeys(page, range, now_ms);
  CheckKey(page);
  overlap_ = HasLastKey(page, 0) ? 1 : 0;
  if (rows > overlap_ && HasLastKey(page, rows - 1)) {
    throw Error(sqlstate::kProtocolViolation, "remote server sent the same page again");
  }
  if (overlap_ > 0 && !ask_overlap_) {
    throw Error(sqlstate::kFdwError, "cannot read remote relation \"" + options_.query.relation + "\" by its key",
                "The remote server sent a row again although only later ones were asked for.",
                "Drop the option key from its columns.");
  }
  finished_ = IsLast(rows, range, now_ms);
  NoteSize(rows, finished_, range);
  if (rows == 1 && rows < asked_) ask_overlap_ = false;
  received_ += rows - overlap_;
  if (rows > 0) row_bytes_ = bytes / rows;
  first_ = false;
  if (options_.row_limit && received_ >= *options_.row_limit) finished_ = true;
  if (finished_ || options_.paging != Paging::kKeyset) return;
  RememberNumbers(page);
  RememberKey(page);
}

// What the size of a page says of the row cap.
void Pager::NoteSize(uint64_t rows, bool last, const std::optional<ContentRange> &range) {
  bool const cut = !last && rows < asked_ && counts_ && range && range->total;
  if (cut) {
    cap_->Cut(rows, asked_at_ms_);
  } else {
    cap_->Seen(rows, asked_at_ms_);
  }
  was_cut_ = was_cut_ || (cut_to_ > 0 && rows > overlap_);
  cut_to_ = !last && rows < asked_ ? rows : 0;
  if (first_ && range && range->total) counted_ = range->total;
}

void Pager::ReceivedKeys(const Page &page, const std::optional<ContentRange> &range, int64_t now_ms) {
  uint64_t const rows = page.rows();
  last_keys_ = IsLast(rows, range, now_ms) || received_ + rows >= *options_.row_limit;
  NoteSize(rows, last_keys_, range);
  finished_ = rows == 0;
  if (!top_->Take(page)) top_.reset();
}

// More rows than keys: a key is not one row's alone, so that these need not be the first. All is asked for at once
// then.
void Pager::ReceivedByKeys(const Page &page) {
  brought_page_ = page.rows() <= top_->size();
  if (!brought_page_) {
    top_.reset();
    return;
  }
  received_ += top_->size();
  finished_ = last_keys_;
  first_ = false;
  top_->Clear();
}

// Content-Range says which rows the page has: one that was cut by whoever stands between is not complete by its looks.
void Pager::CheckRange(uint64_t rows, const std::optional<ContentRange> &range) const {
  if (rows > asked_) throw Error(sqlstate::kProtocolViolation, "remote server sent more rows than were asked for");
  if (!range) return;
  bool const counted = range->first && range->last;
  uint64_t const stated = counted ? *range->last - *range->first + 1 : 0;
  if (stated != rows || (counted && *range->first != query_.offset.value_or(0))) {
    throw Error(sqlstate::kProtocolViolation, "remote server sent other rows than its Content-Range header says",
                "The header says " + std::to_string(stated) + " rows, the answer has " + std::to_string(rows) + ".");
  }
}

bool Pager::IsLast(uint64_t rows, const std::optional<ContentRange> &range, int64_t now_ms) const {
  if (rows == 0) return true;
  if (options_.at_most && received_ + rows - overlap_ >= *options_.at_most) return true;
  // Counted with the page, and never too low.
  if (first_ && counts_ && range && range->total) return rows >= *range->total;
  return rows < asked_ && rows < known_.NotBelow(now_ms);
}

static std::string_view KeyText(const Page &page, size_t row, size_t position) {
  const Cell &cell = page.Row(row)[position];
  return {cell.data, cell.size};
}

bool Pager::HasLastKey(const Page &page, size_t row) const {
  if (last_key_.empty() || page.rows() == 0) return false;
  for (size_t i = 0; i < options_.key.size(); i++) {
    if (KeyText(page, row, options_.key[i]) != last_key_[i]) return false;
  }
  return true;
}

void Pager::CheckKey(const Page &page) const {
  if (options_.paging != Paging::kKeyset) return;
  for (size_t row = 0; row < page.rows(); row++) {
    bool repeats = row > 0;
    for (size_t const position : options_.key) {
      if (page.Row(row)[position].kind == Cell::Kind::kNull) ThrowNullKey(options_.query.relation);
      repeats = repeats && KeyText(page, row, position) == KeyText(page, row - 1, position);
    }
    if (repeats) {
      throw Error(sqlstate::kFdwError, "key of remote relation \"" + options_.query.relation + "\" is not unique",
                  "Reading in pages by this key would lose rows.",
                  "Set the option key on all columns of the primary key, or drop it.");
    }
  }
}

void Pager::RememberKey(const Page &page) {
  last_key_.clear();
  const Cell *last = page.Row(page.rows() - 1);
  for (size_t const position : options_.key)
    last_key_.emplace_back(last[position].data, last[position].size);
}

static std::optional<int64_t> WholeNumber(const Cell &cell) {
  int64_t number = 0;
  const char *const end = cell.data + cell.size;
  if (cell.kind != Cell::Kind::kNumber) return std::nullopt;
  const auto [stop, error] = std::from_chars(cell.data, end, number);
  return error == std::errc() && stop == end ? std::optional<int64_t>(number) : std::nullopt;
}

// JSON numbers are of a type that sorts by value, so whole ones can be reckoned with.
void Pager::RememberNumbers(const Page &page) {
  if (!numeric_ || options_.key.size() != 1) return;
  std::optional<int64_t> const first = WholeNumber(page.Row(0)[options_.key[0]]);
  std::optional<int64_t> const last = WholeNumber(page.Row(page.rows() - 1)[options_.key[0]]);
  numeric_ = first && last && *first <= *last;
  if (!numeric_) return;
  if (last_key_.empty()) numbers_.first = *first;
  numbers_.last = *last;
}

std::optional<Pager::Numbers> Pager::numbers() const noexcept {
  if (!numeric_ || options_.key.size() != 1 || last_key_.empty()) return std::nullopt;
  return numbers_;
}

}  // namespace supabase
