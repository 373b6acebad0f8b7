#include "retry.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

namespace supabase {

namespace {

constexpr int64_t kFirstBackoffMs = 100;
constexpr int64_t kMaxBackoffMs = 5'000;
constexpr int kMaxDoublings = 6;  // 100 ms * 2^6 is already above the cap
constexpr int64_t kMaxRetryAfterSeconds = 60;
// A server that says "at once" to everybody would be hit by everybody at once.
constexpr int64_t kZeroRetryAfterMs = 50;
constexpr int64_t kZeroRetryAfterSpreadMs = 150;
// Likewise one that names a time: not all come back in the same moment, and none before it.
constexpr int64_t kRetryAfterSpreadMs = 500;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<int> Number(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// IMF-fixdate (RFC 9110, 5.6.7), "Sun, 06 Nov 1994 08:49:37 GMT", as Unix time. The obsolete forms count as garbage.
std::optional<int64_t> ParseHttpDate(std::string_view text) {
  constexpr std::string_view kShape = "Aaa, 00 Aaa 0000 00:00:00 GMT";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != kShape.size()) return std::nullopt;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const char shape = kShape[i];
    if (shape == '0' ? !IsDigit(text[i]) : (shape != 'A' && shape != 'a' && text[i] != shape)) return std::nullopt;
  }
  const size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  std::tm parts{};
  parts.tm_mday = *Number(text.substr(5, 2));
  parts.tm_mon = static_cast<int>(month / 3);
  parts.tm_year = *Number(text.substr(12, 4)) - 1900;
  parts.tm_hour = *Number(text.substr(17, 2));
  parts.tm_min = *Number(text.substr(20, 2));
  parts.tm_sec = *Number(text.substr(23, 2));
  return static_cast<int64_t>(timegm(&parts));
}

// Seconds in [0, 60], or nothing when the header is absent or neither a number nor a date.
std::optional<int64_t> ParseRetryAfter(std::string_view text, int64_t now) {
  if (text.empty()) return std::nullopt;
  if (std::all_of(text.begin(), text.end(), IsDigit)) {
    const size_t significant = std::min(text.find_first_not_of('0'), text.size());
    text.remove_prefix(significant);
    // Three digits are past the cap already, and more of them could overflow.
    if (text.size() > 2) return kMaxRetryAfterSeconds;
    return std::min<int64_t>(*Number(text), kMaxRetryAfterSeconds);
  }
  const std::optional<int64_t> date = ParseHttpDate(text);
  if (!date) return std::nullopt;
  return std::clamp<int64_t>(*date - now, 0, kMaxRetryAfterSeconds);
}

bool IsOneOf(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool MayPassByItself(const Attempt &attempt) {
  if (!attempt.got_response) return true;
  switch (attempt.status) {
    case 502:
    case 503:
    case 504:
    case 520:
    case 521:
    case 522:
    case 523:
    case 524:
      return true;
    default:
      return attempt.status >= 400 && attempt.remote_code == "PGRST001";
  }
}

int64_t Scaled(double random, int64_t range) {
  return static_cast<int64_t>(random * static_cast<double>(range));
}

}  // namespace

bool SurelyNotExecuted(const Attempt &attempt) {
  if (!attempt.got_response) return !attempt.sent;
  if (attempt.status < 400) return false;
  return attempt.status == 429 || IsOneOf(attempt.remote_code, {"PGRST000", "PGRST002", "PGRST003", "40001", "40P01"});
}

int64_t RetryDelay(const Attempt &attempt, double random, int64_t now) {
  if (attempt.number >= attempt.max_retries) return -1;
  if (!attempt.got_response && attempt.permanent) return -1;
  if (!SurelyNotExecuted(attempt) && !(attempt.idempotent && MayPassByItself(attempt))) return -1;

  if (const std::optional<int64_t> seconds = ParseRetryAfter(attempt.retry_after, now)) {
    return *seconds > 0 ? *seconds * 1000 + Scaled(random, kRetryAfterSpreadMs)
                        : kZeroRetryAfterMs + Scaled(random, kZeroRetryAfterSpreadMs);
  }
  const int doublings = std::clamp(attempt.number, 0, kMaxDoublings);
  return Scaled(random, std::min(kMaxBackoffMs, kFirstBackoffMs << doublings));
}

}  // namespace supabase
