#include "stored_credential.hpp"

#include <gtest/gtest.h>

#include <random>

namespace supabase {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kHour = 3600 * kSecond;
// 2026-01-01
constexpr int64_t kNow = 1'767'225'600 * kSecond;

// An access token received at kNow that lives for `lifetime`.
CredentialTimes Received(int64_t lifetime) {
  CredentialTimes times;
  times.status = CredentialStatus::kActive;
  times.refreshed_at = kNow;
  times.expires_at = kNow + lifetime;
  return times;
}

// With how much left, at most, it becomes due.
int64_t Margin(int64_t lifetime, double jitter) {
  const CredentialTimes times = Received(lifetime);
  int64_t due = 0;
  int64_t not_due = lifetime + 1;
  while (not_due - due > 1) {
    const int64_t middle = due + (not_due - due) / 2;
    (IsDue(times, times.expires_at - middle, jitter) ? due : not_due) = middle;
  }
  return due + 1;  // the first that is not due
}

TEST(StoredCredential, StatusNamesGoBothWays) {
  const CredentialStatus all[] = {CredentialStatus::kActive, CredentialStatus::kRefreshing,
                                  CredentialStatus::kAmbiguous, CredentialStatus::kDead};
  const char *const names[] = {"active", "refreshing", "ambiguous", "needs_reauthorization"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_STREQ(StatusName(all[i]), names[i]);
    EXPECT_EQ(ParseStatus(names[i]), all[i]);
  }
  for (const char *text : {"", "Active", "active ", "dead", "revoked"})
    EXPECT_EQ(ParseStatus(text), CredentialStatus::kDead) << text;
}

TEST(StoredCredential, AliveUntilItExpires) {
  const CredentialTimes times = Received(kHour);
  EXPECT_TRUE(IsAlive(times, kNow));
  EXPECT_TRUE(IsAlive(times, times.expires_at - 1));
  EXPECT_FALSE(IsAlive(times, times.expires_at));
  EXPECT_FALSE(IsAlive(times, times.expires_at + kHour));
  EXPECT_FALSE(IsAlive(CredentialTimes(), kNow));
  EXPECT_FALSE(IsAlive(CredentialTimes(), -1));
}

TEST(StoredCredential, DueWhenATenthIsLeftOrAMinute) {
  EXPECT_EQ(Margin(10 * kHour, 0), kHour);
  EXPECT_EQ(Margin(kHour, 0), 360 * kSecond);
  EXPECT_EQ(Margin(600 * kSecond, 0), 60 * kSecond);
  EXPECT_EQ(Margin(300 * kSecond, 0), 60 * kSecond);
  EXPECT_EQ(Margin(120 * kSecond, 0), 60 * kSecond);
  EXPECT_EQ(Margin(60 * kSecond, 0), 30 * kSecond);  // half of it
  EXPECT_EQ(Margin(2 * kSecond, 0), kSecond);
}

TEST(StoredCredential, DueWithoutAnAccessToken) {
  CredentialTimes times;
  EXPECT_TRUE(IsDue(times, kNow, 0));
  times = Received(kHour);
  EXPECT_TRUE(IsDue(times, times.expires_at, -1));
  EXPECT_TRUE(IsDue(times, times.expires_at + kHour, -1));
}

TEST(StoredCredential, JitterMovesByAFifthAtMost) {
  EXPECT_EQ(Margin(kHour, -1), 288 * kSecond);
  EXPECT_EQ(Margin(kHour, 1), 432 * kSecond);
  EXPECT_EQ(Margin(kHour, 0.5), 396 * kSecond);
  // Not more, whatever it is.
  EXPECT_EQ(Margin(kHour, -5), 288 * kSecond);
  EXPECT_EQ(Margin(kHour, 5), 432 * kSecond);
}

// A token that were due with more than half of its life left would be refreshed more often than it need be, and one
// that lives for seconds before it could be used.
TEST(StoredCredential, NeverDueWithMoreThanHalfLeft) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> jitter(-1, 1);
  for (int i = 0; i < 100'000; ++i) {
    // All sizes from a microsecond to 18 days.
    const int64_t lifetime = 1 + static_cast<int64_t>((random() >> 1) % (uint64_t{1} << (1 + random() % 40)));
    const double by = i % 3 == 0 ? 1 : i % 3 == 1 ? -1 : jitter(random);
    const CredentialTimes times = Received(lifetime);
    const int64_t left = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(lifetime));
    const int64_t now = times.expires_at - left;
    if (2 * left > lifetime) {
      EXPECT_FALSE(IsDue(times, now, by)) << left << " of " << lifetime << ", jitter " << by;
    }
    // And the other way round: in the last 48 s, or a twelfth, it always is.
    if (lifetime > kSecond && 2 * left < lifetime * 4 / 5 && (left < 48 * kSecond || left < lifetime / 13)) {
      EXPECT_TRUE(IsDue(times, now, by)) << left << " of " << lifetime << ", jitter " << by;
    }
  }
}

// The clock is not to be trusted: whatever it says, a token is not refreshed again and again.
TEST(StoredCredential, NewTokenIsNotDueWhenTheClockGoesBack) {
  const CredentialTimes times = Received(kHour);
  for (const int64_t back : {kSecond, 60 * kSecond, 24 * kHour, kNow}) {
    EXPECT_TRUE(IsAlive(times, kNow - back));
    EXPECT_FALSE(IsDue(times, kNow - back, 1));
  }
  // Received after it expired, as the clock has it: no lifetime, so no margin.
  CredentialTimes odd = times;
  odd.refreshed_at = odd.expires_at + kHour;
  EXPECT_FALSE(IsDue(odd, kNow, 1));
  EXPECT_TRUE(IsDue(odd, odd.expires_at, 1));
}

TEST(StoredCredential, ForcedNotWithinHalfAMinute) {
  const CredentialTimes times = Received(kHour);
  EXPECT_FALSE(MayForce(times, kNow));
  EXPECT_FALSE(MayForce(times, kNow + 30 * kSecond - 1));
  EXPECT_TRUE(MayForce(times, kNow + 30 * kSecond));
  EXPECT_TRUE(MayForce(times, kNow - 1));  // the clock went back: nothing is known of the last time
  EXPECT_TRUE(MayForce(CredentialTimes(), kNow));
}

TEST(StoredCredential, DelayDoublesUpToFiveMinutes) {
  const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
  for (int attempts = 1; attempts <= 11; ++attempts)
    EXPECT_EQ(AttemptDelay(attempts, 0), seconds[attempts - 1] * kSecond) << attempts;
  EXPECT_EQ(AttemptDelay(0, 0), kSecond);
  EXPECT_EQ(AttemptDelay(-5, 0), kSecond);
  EXPECT_EQ(AttemptDelay(1'000'000, 0), 300 * kSecond);
  EXPECT_EQ(AttemptDelay(INT32_MAX, 0), 300 * kSecond);
}

TEST(StoredCredential, DelayIsWhatTheServerSays) {
  EXPECT_EQ(AttemptDelay(1, 7), 7 * kSecond);
  EXPECT_EQ(AttemptDelay(9, 7), 7 * kSecond);
  EXPECT_EQ(AttemptDelay(1, 300), 300 * kSecond);
  EXPECT_EQ(AttemptDelay(1, 301), 300 * kSecond);
  EXPECT_EQ(AttemptDelay(1, INT64_MAX), 300 * kSecond);
  EXPECT_EQ(AttemptDelay(3, -1), 4 * kSecond);
}

TEST(StoredCredential, WhatIsWrittenDownAfterAFailure) {
  const struct {
    RefreshOutcome outcome;
    CredentialStatus status;
    bool tried_again;
  } cases[] = {
      {RefreshOutcome::kDead, CredentialStatus::kDead, false},
      {RefreshOutcome::kRefused, CredentialStatus::kActive, true},
      {RefreshOutcome::kNotSent, CredentialStatus::kActive, true},
      {RefreshOutcome::kLimited, CredentialStatus::kActive, true},
      {RefreshOutcome::kUnknown, CredentialStatus::kAmbiguous, true},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(static_cast<int>(c.outcome));
    EXPECT_EQ(Failed(c.outcome, CredentialStatus::kActive, 3, kNow, 0).status, c.status);
    EXPECT_EQ(Failed(c.outcome, CredentialStatus::kActive, 3, kNow, 0).next_attempt_at,
              c.tried_again ? kNow + 4 * kSecond : 0);
    EXPECT_EQ(Failed(c.outcome, CredentialStatus::kActive, 3, kNow, 100).next_attempt_at,
              c.tried_again ? kNow + 100 * kSecond : 0);
    EXPECT_EQ(Failed(c.outcome, CredentialStatus::kActive, 3, kNow, 9999).next_attempt_at,
              c.tried_again ? kNow + 300 * kSecond : 0);
    // an unknown outcome of the attempt before is not forgotten because this one did not get through
    CredentialStatus const later = Failed(c.outcome, CredentialStatus::kAmbiguous, 3, kNow, 0).status;
    EXPECT_EQ(later, c.status == CredentialStatus::kActive ? CredentialStatus::kAmbiguous : c.status);
    EXPECT_EQ(Failed(c.outcome, CredentialStatus::kRefreshing, 3, kNow, 0).status, later);
  }
}

}  // namespace
}  // namespace supabase
