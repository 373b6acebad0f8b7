#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "secret.hpp"

namespace supabase {

// The claims of a JWT (RFC 7519) that routing and messages need. The signature is not verified: the remote does that,
// and nothing local is ever authorised by a claim.
struct Claims {
  std::string sub, role, email, iss;     // empty when absent or not a string
  std::string ref;                       // Supabase's older keys and tokens name the project here
  std::optional<int64_t> exp, nbf, iat;  // Unix seconds, a fraction rounded down, cut to the years 0 to 9999
};

// Largest token taken. Gateways cut headers at 16 kB in all; real tokens have 0.5 to 2 kB.
inline constexpr size_t kMaxTokenBytes = 8192;

// Takes three non-empty base64url segments, header and payload JSON objects without duplicate top-level keys and at
// most 16 levels deep, "exp"/"nbf"/"iat" numbers, no control character in the other claims above (a NUL would end the
// text early for some reader). Throws Error 22023 otherwise, with a hint when the text is a Supabase key
// (sb_publishable_, sb_secret_, sbp_); no message repeats any part of the text.
Claims DecodeJwt(std::string_view token);

// When tokens expire, decoding each once while it stays the same: a statement by key costs little more than decoding
// one. Whether the time is over is for the caller to check every time.
class ExpiryMemo {
 public:
  // Unix seconds, 0 for never; throws what DecodeJwt throws, and remembers nothing then.
  int64_t ExpiresAt(std::string_view token);
  // Wipes the token.
  void Forget() noexcept { token_ = Secret(); }

 private:
  Secret token_;  // the last one; empty: none
  int64_t expires_at_ = 0;
};

// Without a leading "Bearer " (any case) and surrounding blanks.
std::string_view StripBearer(std::string_view text);

enum class KeyKind { kPublishable, kSecret, kJwt, kOther };
// What an api_key value is: "sb_publishable_…", "sb_secret_…", an older JWT key, or neither.
KeyKind ClassifyKey(std::string_view key);

// Whether a credential stands anywhere in a text (for refusing it in places everyone can read): eyJ….….…, sb_secret_…,
// or sbp_/sba_ and at least 20 more characters (real ones have 40), so that a table may be called "sbp_items".
bool LooksLikeSecret(std::string_view text);

// Clock skew that PostgREST allows between itself and the issuer of a token, in seconds.
inline constexpr int64_t kClockSkew = 30;
// Throw Error 28000 when a token that expires at `expires_at` (Unix seconds; 0: never) must not be used any more: the
// session's user's, or the one in a user mapping's option "jwt".
void CheckNotExpired(int64_t expires_at, int64_t now);
void CheckMappingNotExpired(int64_t expires_at, int64_t now);

}  // namespace supabase
