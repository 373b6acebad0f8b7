#include "redact.hpp"

#include <cstring>
#include <exception>
#include <string>

namespace supabase {

namespace {

constexpr std::string_view kHidden = "<hidden>";
constexpr std::string_view kTakers[] = {"supabase_sign_in",
                                        "supabase_set_auth",
                                        "supabase_oauth_create_app",
                                        "supabase_oauth_exchange",
                                        "supabase_management",
                                        "supabase_connection_uri",
                                        "db_pass",
                                        "api_key",
                                        "jwt",
                                        "access_token"};
constexpr std::string_view kPrefixes[] = {"sb_secret_", "sb_publishable_", "sbp_", "sba_"};
// Shorter ones are words of a sentence: "sbp_items" may be a table.
constexpr size_t kShortestKey = 12;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsTokenChar(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

size_t TokenEnd(std::string_view text, size_t at) {
  while (at < text.size() && IsTokenChar(text[at]))
    ++at;
  return at;
}

bool StartsAt(std::string_view text, size_t at, std::string_view prefix) {
  return text.compare(at, prefix.size(), prefix) == 0;
}

// The end of a credential that begins at `at`, or `at`.
size_t CredentialEnd(std::string_view text, size_t at) {
  if (StartsAt(text, at, "eyJ")) {
    size_t end = TokenEnd(text, at);
    // Also one that was cut: its claims are nobody's business either.
    for (int part = 0; part < 2 && end < text.size() && text[end] == '.'; ++part)
      end = TokenEnd(text, end + 1);
    return end - at >= kShortestKey ? end : at;
  }
  for (std::string_view const prefix : kPrefixes) {
    if (!StartsAt(text, at, prefix)) continue;
    size_t const end = TokenEnd(text, at + prefix.size());
    return end - at - prefix.size() >= kShortestKey ? end : at;
  }
  return at;
}

// The delimiter of a dollar-quoted literal at `at`, or empty. $1 is a parameter.
std::string_view DollarTag(std::string_view text, size_t at) {
  if (text[at] != '$') return {};
  size_t end = at + 1;
  while (end < text.size() && (text[end] == '_' || (Lower(text[end]) >= 'a' && Lower(text[end]) <= 'z') ||
                               (end > at + 1 && text[end] >= '0' && text[end] <= '9')))
    ++end;
  return end < text.size() && text[end] == '$' ? text.substr(at, end + 1 - at) : std::string_view();
}

struct Range {
  size_t begin, end;
};

// What is to be hidden next, from `at` on; an empty range at the text's end when nothing is.
Range NextSecret(std::string_view text, size_t at, bool literals) {
  for (size_t i = at; i < text.size(); ++i) {
    char const c = text[i];
    bool const starts_word = i == 0 || !IsTokenChar(text[i - 1]);
    if ((c == 'e' || c == 's') && starts_word) {
      size_t const end = CredentialEnd(text, i);
      if (end > i) return {i, end};
    }
    // Where a literal ends is not for a log line to find out: an apostrophe in a comment, an escape, a cut text would
    // show what lies between two of them.
    if (literals && (c == '\'' || !DollarTag(text, i).empty())) return {i, text.size()};
  }
  return {text.size(), text.size()};
}

}  // namespace

bool TakesSecrets(std::string_view text) noexcept {
  for (size_t i = 0; i < text.size(); ++i) {
    char const c = Lower(text[i]);
    if (c != 's' && c != 'a' && c != 'd' && c != 'j') continue;
    for (std::string_view const word : kTakers) {
      size_t n = 0;
      while (n < word.size() && i + n < text.size() && Lower(text[i + n]) == word[n])
        ++n;
      if (n == word.size()) return true;
    }
  }
  return false;
}

const char *Redact(std::string_view text, bool literals) noexcept {
  static std::string result;
  try {
    Range range = NextSecret(text, 0, literals);
    if (range.begin == text.size()) return nullptr;
    result.clear();
    size_t at = 0;
    while (range.begin < text.size()) {
      result.append(text.substr(at, range.begin - at)).append(kHidden);
      at = range.end;
      range = NextSecret(text, at, literals);
    }
    result.append(text.substr(at));
    return result.c_str();
  } catch (const std::exception &) {
    return kHidden.data();
  }
}

}  // namespace supabase
