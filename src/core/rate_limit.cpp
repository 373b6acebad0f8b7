#include "rate_limit.hpp"

#include <algorithm>
#include <ctime>
#include <optional>
#include <string_view>

namespace supabase {

namespace {

// A header that asks for longer is not believed: the retries end then with what the remote says itself.
constexpr int64_t kMaxWaitMs = 120'000;
// Buckets are forgotten when there are many and their time is over.
constexpr size_t kMaxBuckets = 4096;

std::optional<int64_t> Number(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

int64_t RateLimits::NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

int64_t RateLimits::Begin(const std::string &name, int64_t now_ms) {
  const auto found = buckets_.find(name);
  if (found == buckets_.end()) return 0;
  Bucket &bucket = found->second;
  const int64_t left_ms = bucket.reset_ms - now_ms;
  if (left_ms <= 0) {
    buckets_.erase(found);
    return 0;
  }
  const int64_t remaining = bucket.remaining--;
  if (remaining > std::max<int64_t>(bucket.limit / 20, 1)) return 0;
  // One request for each share of the time that is left.
  const int64_t wait = remaining <= 0 ? left_ms : left_ms / (remaining + 1);
  return std::min(wait, kMaxWaitMs);
}

void RateLimits::End(const std::string &name, const Response &response, int64_t now_ms) {
  const auto limit = Number(response.Header("x-ratelimit-limit"));
  const auto remaining = Number(response.Header("x-ratelimit-remaining"));
  const auto reset = Number(response.Header("x-ratelimit-reset"));
  if (!limit || !remaining || !reset) return;
  if (buckets_.size() >= kMaxBuckets) (void)Current(now_ms);
  // Of several answers that come in another order than they were given the least counts.
  const auto [found, added] = buckets_.try_emplace(name);
  Bucket &bucket = found->second;
  const bool same_window = !added && bucket.reset_ms > now_ms && bucket.reset_ms >= now_ms + (*reset - 2) * 1000;
  bucket.name = name;
  bucket.remaining = same_window ? std::min(bucket.remaining, *remaining) : *remaining;
  bucket.limit = *limit;
  bucket.reset_ms = now_ms + *reset * 1000;
}

std::vector<RateLimits::Bucket> RateLimits::Current(int64_t now_ms) {
  std::vector<Bucket> current;
  for (auto at = buckets_.begin(); at != buckets_.end();) {
    if (at->second.reset_ms <= now_ms) {
      at = buckets_.erase(at);
    } else {
      current.push_back(at->second);
      ++at;
    }
  }
  return current;
}

}  // namespace supabase
