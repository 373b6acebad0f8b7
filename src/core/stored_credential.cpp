#include "stored_credential.hpp"

#include <algorithm>

namespace supabase {

namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kLongestDelay = 300 * kSecond;

constexpr struct {
  CredentialStatus status;
  const char *name;
} kNames[] = {
    {CredentialStatus::kActive, "active"},
    {CredentialStatus::kRefreshing, "refreshing"},
    {CredentialStatus::kAmbiguous, "ambiguous"},
    {CredentialStatus::kDead, "needs_reauthorization"},
};

}  // namespace

CredentialStatus ParseStatus(std::string_view text) noexcept {
  for (const auto &entry : kNames) {
    if (text == entry.name) return entry.status;
  }
  return CredentialStatus::kDead;
}

const char *StatusName(CredentialStatus status) noexcept {
  for (const auto &entry : kNames) {
    if (entry.status == status) return entry.name;
  }
  return "needs_reauthorization";
}

bool IsAlive(const CredentialTimes &times, int64_t now) noexcept {
  return times.expires_at != 0 && now < times.expires_at;
}

bool IsDue(const CredentialTimes &times, int64_t now, double jitter) noexcept {
  if (!IsAlive(times, now)) return true;
  int64_t const lifetime = std::max<int64_t>(0, times.expires_at - times.refreshed_at);
  int64_t const half = lifetime / 2;
  int64_t const margin = std::min(std::max(60 * kSecond, lifetime / 10), half);
  auto const moved = static_cast<int64_t>(static_cast<double>(margin) * (1 + 0.2 * std::clamp(jitter, -1.0, 1.0)));
  return times.expires_at - now < std::min(moved, half);
}

bool MayForce(const CredentialTimes &times, int64_t now) noexcept {
  return now - times.refreshed_at >= 30 * kSecond || now < times.refreshed_at;
}

AfterFailure Failed(RefreshOutcome outcome, CredentialStatus before, int attempts, int64_t now,
                    int64_t retry_after) noexcept {
  switch (outcome) {
    case RefreshOutcome::kDead:
      return {CredentialStatus::kDead, 0};
    case RefreshOutcome::kUnknown:
      return {CredentialStatus::kAmbiguous, now + AttemptDelay(attempts, retry_after)};
    default:
      return {before == CredentialStatus::kActive ? CredentialStatus::kActive : CredentialStatus::kAmbiguous,
              now + AttemptDelay(attempts, retry_after)};
  }
}

int64_t AttemptDelay(int attempts, int64_t retry_after) noexcept {
  if (retry_after > 0) return std::min(retry_after, kLongestDelay / kSecond) * kSecond;
  return std::min(kSecond << std::clamp(attempts - 1, 0, 9), kLongestDelay);
}

}  // namespace supabase
