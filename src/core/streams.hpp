#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pager.hpp"
#include "splitter.hpp"

namespace supabase {

struct StreamOptions {
  size_t parallel = 1;   // requests under way at a time
  bool ordered = false;  // whether the rows must come in the order of the query
  // Whether all rows are wanted, and so many are likely that they will be read in ranges of the key, which is a whole
  // number: the largest is then asked for along with the first page, not after it.
  bool large = false;
};

// A request that a scan wants sent.
struct Ask {
  size_t id;
  PageRequest request;
  ReadQuery query;    // what its target says
  uint64_t bytes;     // that the answer is likely to have
  bool keys = false;  // it is for the keys of a page
};

// One scan as several readings of its relation at a time: which requests can be sent now, and what an answer changes. A
// scan begins with one small page. When more is wanted, a list of values too long for one request is read in parts, and
// a relation with a key in ranges of it; who is done takes over half of the largest range left. Knows no network: the
// answers may come in any order and at any time.
class Streams {
 public:
  // `cap` must outlive it.
  Streams(PagerOptions options, StreamOptions how, RowCap *cap);

  // Conditions that could not be sent: the caller filters the rows itself. No row limit is applied then.
  int dropped() const noexcept { return dropped_; }
  // Whether its rows are groups.
  bool aggregates() const noexcept { return aggregates_; }
  // The function whose rows they are, if one.
  const std::optional<FunctionSource> &function() const noexcept { return function_; }
  // How many requests a list takes at the least.
  size_t parts() const noexcept { return parts_; }
  // Whether every page has been received.
  bool finished() const noexcept { return streams_.empty() && pending_.empty(); }
  // The first page is not enough.
  void WantMore() noexcept { more_ = true; }
  bool wants_more() const noexcept { return more_; }
  // Whether the server is known to cut pages.
  bool capped(int64_t now_ms) const noexcept { return was_cut_ || cap_->Exact(now_ms).has_value(); }
  // How many pages may wait to be read before no more are asked for.
  size_t pages_ahead() const noexcept { return (how_.parallel + 1) / 2; }

  // Whether there is a request to send now, before the next answer.
  bool HasNext();
  // That request.
  Ask Next(int64_t now_ms);
  // The answer to a request for whole rows was of no use: the same is asked for again, by the names of the columns.
  void AskByName(size_t id);
  // There will be no answer to it. Whether the rows can be read all the same.
  bool DoWithout(size_t id);
  // The answer to it. Returns the first row of the page that no page had before; nullopt when it is no page of the
  // relation. Throws as Pager does.
  std::optional<size_t> Received(size_t id, const Page &page, const std::optional<ContentRange> &range, uint64_t bytes,
                                 int64_t now_ms);

 private:
  // Rows of the page that is asked for while a range is being split: it decides how soon that is done.
  static constexpr uint64_t kSplitPage = 2'000;
  // Bytes of the pages under way together, as far as the rows before tell.
  static constexpr uint64_t kBytesUnderWay = 24'000'000;
  // Values in one part of a list: no more than a page is certain to have room for.
  static constexpr size_t kListValues = Pager::kFirstPage;

  struct Stream {
    Pager pager;
    uint64_t expected;               // rows of its range, as far as is known
    std::optional<int64_t> largest;  // its last key, where that is a whole number
    bool under_way = false;
  };
  struct Split {
    Stream *stream;
    uint64_t received;  // when it began
    Splitter splitter;
  };
  struct UnderWay {
    size_t id;
    Stream *stream;       // null for a probe
    size_t probe, split;  // split 0: the probe for the largest key before any split
  };

  void MakeParts(PagerOptions options);
  bool OpenPart();
  bool LargestPays() const;
  bool AsksLargest() const noexcept;
  void Open(PagerOptions options, uint64_t expected, std::optional<int64_t> largest);
  void Close(Stream *stream);
  void BeginSplit();
  void FinishSplit();
  bool Splittable(const Stream &stream) const;
  static uint64_t Rest(const Stream &stream);
  uint64_t Skip(const Stream &stream) const;
  std::vector<UnderWay>::iterator FindUnderWay(size_t id);
  UnderWay TakeUnderWay(size_t id);
  Stream *Idle() const noexcept;
  Ask AskPage(Stream *stream, int64_t now_ms);
  Ask AskProbe(const ReadQuery &probe);

  StreamOptions how_;
  RowCap *cap_;
  std::deque<PagerOptions> pending_;  // parts of the list
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<Split> split_;
  std::vector<UnderWay> under_way_;
  std::optional<uint64_t> row_limit_;
  size_t parts_ = 1;
  size_t next_id_ = 0, pages_ = 0, splits_ = 0, probes_sent_ = 0;
  uint64_t received_ = 0;
  int dropped_ = 0;
  bool more_ = false, aggregates_ = false, was_cut_ = false;
  bool want_largest_ = false, largest_under_way_ = false;  // before any split
  std::optional<FunctionSource> function_;
};

}  // namespace supabase
