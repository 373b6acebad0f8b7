#pragma once

#include <string_view>

namespace supabase {

// Keeps secrets out of log lines, for a hook that sees each one before it is written.

// Whether a text calls something that takes a secret as an argument or option, so that every literal in it may be one:
// supabase_sign_in, supabase_set_auth, option api_key, jwt or access_token.
bool TakesSecrets(std::string_view text) noexcept;

// The text with "<hidden>" in place of what looks like a credential (eyJ….….…, sb_secret_…, sb_publishable_…, sbp_…,
// sba_…) and, with `literals`, of all that follows the beginning of the first quoted or dollar-quoted literal. Null
// when there is nothing to hide. The result is valid until the next call. When memory is short the whole text is
// hidden.
const char *Redact(std::string_view text, bool literals) noexcept;

}  // namespace supabase
