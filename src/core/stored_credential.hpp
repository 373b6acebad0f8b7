#pragma once

#include <cstdint>
#include <string_view>

namespace supabase {

// When a stored credential is used, refreshed, waited for or given up. Pure arithmetic; times are Unix microseconds.

enum class CredentialStatus {
  kActive,
  kRefreshing,  // the intent to refresh was committed; found by another process, it means that the first one died
  kAmbiguous,   // the last refresh token may have been used up: the answer was lost
  kDead,        // needs_reauthorization
};
// As the catalog spells them: active, refreshing, ambiguous, needs_reauthorization. Unknown text counts as dead.
CredentialStatus ParseStatus(std::string_view text) noexcept;
const char *StatusName(CredentialStatus status) noexcept;

struct CredentialTimes {
  CredentialStatus status = CredentialStatus::kDead;
  int64_t expires_at = 0;       // of the access token; 0: there is none
  int64_t refreshed_at = 0;     // when it was received; 0: never
  int64_t next_attempt_at = 0;  // not before that; 0: at once
};

// Whether the access token can still be sent at all.
bool IsAlive(const CredentialTimes &times, int64_t now) noexcept;
// Whether it should be refreshed first: less than max(60 s, a tenth of its lifetime) is left, but never more than half
// of its lifetime. `jitter` in [-1, 1] moves that by up to a fifth, so that sessions do not all notice at once.
bool IsDue(const CredentialTimes &times, int64_t now, double jitter) noexcept;
// Whether a refused access token may be refreshed for that: not within 30 s of the last time, since a server that
// refuses a token so new would refuse the next one too.
bool MayForce(const CredentialTimes &times, int64_t now) noexcept;

// How an attempt to refresh ended.
enum class RefreshOutcome {
  kTokens,   // a new pair
  kDead,     // the refresh token is not valid any more
  kRefused,  // the request was not accepted, for another reason than the refresh token
  kNotSent,  // nothing reached the server
  kLimited,  // 429, or 409 for too many at once: not executed
  kUnknown,  // sent, and no answer that tells whether the refresh token was used up
};

// What to write down after an attempt that brought no tokens. `before` is the status before it: what is not known of an
// earlier attempt stays unknown until an answer tells. `attempts` counts this one; `retry_after` in seconds, 0: not
// said.
struct AfterFailure {
  CredentialStatus status;
  int64_t next_attempt_at;
};
AfterFailure Failed(RefreshOutcome outcome, CredentialStatus before, int attempts, int64_t now,
                    int64_t retry_after) noexcept;

// How long to wait after the n-th attempt in a row that failed (1 for the first): 1 s doubled each time, at most
// 300 s; `retry_after` (seconds, 0: not said) takes its place, with the same cap.
int64_t AttemptDelay(int attempts, int64_t retry_after) noexcept;
// A refresh token whose fate is unknown is tried again, but not before another second has passed since: the issuer may
// still be writing.
inline constexpr int64_t kAmbiguousDelay = 1'000'000;

}  // namespace supabase
