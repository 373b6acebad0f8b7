#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pager.hpp"

namespace supabase::pager_test {

// A PostgREST in the process, with one relation in the order of its key: pages, cap and counts as it has them.

// v is another number in each row, in no order.
struct Row {
  int64_t v, a, b;
};

enum class Keys { kOne, kTwo };

// With Keys::kOne, a alone is unique; with kTwo only a and b together are.
inline std::vector<Row> MakeTable(size_t size, Keys keys = Keys::kOne) {
  std::vector<Row> rows;
  for (size_t i = 0; i < size; i++) {
    const auto n = static_cast<int64_t>(i);
    const auto v = static_cast<int64_t>(i * 7919 % 1'000'003);  // distinct below that prime, and in no order
    rows.push_back(keys == Keys::kOne ? Row{v, 3 * n - 40, 5} : Row{v, n / 7 - 3, n % 7 - 3});
  }
  return rows;
}

inline bool Matches(const Condition &condition, const Row &row) {
  const auto child_matches = [&](const Condition &child) { return Matches(child, row); };
  const std::vector<Condition> &children = condition.children;
  if (condition.kind == Condition::Kind::kAnd) return std::all_of(children.begin(), children.end(), child_matches);
  if (condition.kind == Condition::Kind::kOr) return std::any_of(children.begin(), children.end(), child_matches);
  const auto equal = [&](int64_t left) {
    return [left](const std::optional<std::string> &value) { return std::stoll(*value) == left; };
  };
  const int64_t left = condition.column == "a" ? row.a : condition.column == "b" ? row.b : row.v;
  if (condition.kind == Condition::Kind::kIn) {
    return std::any_of(condition.values.begin(), condition.values.end(), equal(left));
  }
  const int64_t right = std::stoll(*condition.values.at(0));
  switch (condition.op) {
    case Op::kEq:
      return left == right;
    case Op::kNe:
      return left != right;
    case Op::kLt:
      return left < right;
    case Op::kLe:
      return left <= right;
    case Op::kGt:
      return left > right;
    default:
      return left >= right;
  }
}

inline Page MakePage(std::string body, size_t columns) {
  Response response;
  response.status = 200;
  response.headers = {{"content-type", "application/json"}};
  response.body = std::move(body);
  return DecodePage(std::move(response), columns, "GET /t");
}

struct Answer {
  Page page;
  std::optional<ContentRange> range;
  uint64_t bytes = 0;
};

inline void Give(Pager *pager, const Answer &answer, int64_t now_ms) {
  pager->Received(answer.page, answer.range, answer.bytes, now_ms);
}

struct Remote {
  const std::vector<Row> *rows;
  std::optional<uint64_t> cap;  // db-max-rows
  uint64_t estimate = 0;        // the planner's, for what a query's conditions keep
  bool counts = true;           // else "Prefer: count" is ignored
  bool text = false;            // whether columns are of a text type, which sorts by the number all the same

  Answer Read(const ReadQuery &query, bool want_count) const {
    std::vector<const Row *> kept;
    for (const Row &row : *rows) {
      const bool matches = std::all_of(query.where.begin(), query.where.end(),
                                       [&](const Condition &condition) { return Matches(condition, row); });
      if (matches) kept.push_back(&row);
    }
    const uint64_t first = std::min<uint64_t>(query.offset.value_or(0), kept.size());
    const uint64_t limit = std::min(query.limit.value_or(UINT64_MAX), cap.value_or(UINT64_MAX));
    const uint64_t end = first + std::min<uint64_t>(limit, kept.size() - first);
    // An estimate below the offset is answered with 416 and no rows.
    EXPECT_FALSE(want_count && query.offset) << "an estimated count with an offset";
    if (!query.order.empty() && query.order[0].descending) std::reverse(kept.begin(), kept.end());
    std::string body = "[";
    for (uint64_t i = first; i < end; i++) {
      body.append(i > first ? ", \n " : "");
      for (size_t column = 0; column < query.select.size(); column++) {
        const std::string &name = query.select[column].name;
        const int64_t value = name == "a" ? kept[i]->a : name == "b" ? kept[i]->b : kept[i]->v;
        body.append(column == 0 ? "{\"c" : ",\"c").append(std::to_string(column)).append(text ? "\":\"" : "\":");
        body.append(std::to_string(value)).append(text ? "\"" : "");
      }
      body += '}';
    }
    const std::string range = end > first ? std::to_string(first) + '-' + std::to_string(end - 1) : "*";
    const std::string total = want_count && counts ? std::to_string(Total(kept.size())) : "*";
    body += "]";
    const uint64_t bytes = body.size();
    return {MakePage(std::move(body), query.select.size()), ParseContentRange(range + '/' + total), bytes};
  }

 private:
  // count=estimated: exact up to the cap, and without a cap never less than the rows.
  uint64_t Total(uint64_t count) const {
    if (cap && count <= *cap) return count;
    return std::max(cap ? *cap + 1 : count, estimate);
  }
};

struct Want {
  Paging paging = Paging::kKeyset;
  Keys keys = Keys::kOne;
  uint64_t fetch_size = 0;
  std::optional<uint64_t> row_limit, at_most;
  std::optional<int64_t> below;  // WHERE v < below OR v = 7919
  std::optional<uint64_t> expected;
  uint64_t row_bytes = 0;
};

inline Condition CompareV(Op op, int64_t value) {
  Condition leaf;
  leaf.kind = Condition::Kind::kCompare;
  leaf.column = "v";
  leaf.op = op;
  leaf.values = {std::to_string(value)};
  return leaf;
}

inline bool Wanted(const Want &want, const Row &row) {
  return !want.below || row.v < *want.below || row.v == 7919;
}

// Columns are selected as v, b, a, so that the positions of the key are neither its order nor the first ones.
inline PagerOptions Options(const Want &want) {
  PagerOptions options;
  options.query.relation = "t";
  options.query.select = {{"v"}, {"b"}, {"a"}};
  options.query.order = {{"a"}, {"b"}};
  if (want.keys == Keys::kOne) options.query.order.pop_back();
  if (want.below) {
    Condition either;
    either.kind = Condition::Kind::kOr;
    either.children = {CompareV(Op::kLt, *want.below), CompareV(Op::kEq, 7919)};
    options.query.where = {either};
  }
  options.paging = want.paging;
  if (want.paging == Paging::kKeyset)
    options.key = want.keys == Keys::kOne ? std::vector<size_t>{2} : std::vector<size_t>{2, 1};
  options.fetch_size = want.fetch_size;
  options.row_limit = want.row_limit;
  options.at_most = want.at_most;
  options.expected = want.expected;
  options.row_bytes = want.row_bytes;
  return options;
}

class Scan {
 public:
  Scan(const std::vector<Row> &table, const Want &want, RowCap *cap) : want_(want), pager_(Options(want), cap) {
    for (const Row &row : table) {
      if (Wanted(want, row)) expected_.push_back(row.v);
    }
    if (want.row_limit && *want.row_limit < expected_.size()) expected_.resize(*want.row_limit);
  }

  bool finished() const { return pager_.finished(); }
  uint64_t requests() const { return requests_; }
  uint64_t counted() const { return counted_; }
  bool was_cut() const { return pager_.was_cut(); }

  // One request in three steps, between which other things may happen.
  void Ask(int64_t now_ms) {
    const PageRequest request = pager_.Next(now_ms);
    query_ = pager_.query();
    want_count_ = request.want_count;
    EXPECT_EQ(request.target, BuildTarget(query_));
    requests_++;
    EXPECT_LE(requests_, expected_.size() + 3) << "the scan does not end";
    counted_ += want_count_ ? 1 : 0;
  }
  // Returns how many rows the page has.
  uint64_t Serve(const Remote &remote) {
    answer_ = remote.Read(query_, want_count_);
    least_cap_ = std::min(least_cap_, remote.cap.value_or(UINT64_MAX));
    return answer_->page.rows();
  }
  void Take(int64_t now_ms) {
    Give(&pager_, *answer_, now_ms);
    for (size_t i = pager_.overlap(); i < answer_->page.rows(); i++)
      got_.push_back(std::stoll(answer_->page.Row(i)[0].data));
    answer_.reset();
    taken_++;
  }

  bool asked() const { return requests_ > taken_; }
  bool served() const { return answer_.has_value(); }
  // The next of the three steps; returns the rows of the page when that was served.
  uint64_t Step(const Remote &remote, int64_t now_ms) {
    if (!asked()) {
      Ask(now_ms);
    } else if (!served()) {
      return Serve(remote);
    } else {
      Take(now_ms);
    }
    return 0;
  }
  void Run(const Remote &remote, int64_t now_ms) {
    while (!finished() && requests_ < expected_.size() + 4)
      Step(remote, now_ms);
  }

  // Each row once and in order, and at most two requests more than the rows need.
  void Check() const {
    EXPECT_EQ(got_, expected_);
    EXPECT_LE(requests_, PagesNeeded() + 2);
  }
  // Pages that bring the rows. By keyset the later ones begin with a row that is known already, unless a page has room
  // for no other.
  uint64_t PagesNeeded() const {
    uint64_t pages = 0, left = expected_.size();
    uint64_t size = want_.fetch_size == 0 ? Pager::kFirstPage : want_.fetch_size;
    for (; left > 0; pages++) {
      const bool overlaps = pages > 0 && want_.paging == Paging::kKeyset && least_cap_ > 1;
      left -= overlaps ? std::min({left, size, least_cap_ - 1}) : std::min({left, size, least_cap_});
      if (want_.fetch_size == 0) size = Pager::kNextPage;
    }
    return pages;
  }

 private:
  Want want_;
  Pager pager_;
  std::vector<int64_t> expected_, got_;
  ReadQuery query_;
  bool want_count_ = false;
  std::optional<Answer> answer_;
  uint64_t requests_ = 0, taken_ = 0, counted_ = 0;
  uint64_t least_cap_ = UINT64_MAX;
};

}  // namespace supabase::pager_test
