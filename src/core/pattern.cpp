#include "pattern.hpp"

namespace supabase {

namespace {

// A backslash makes any of these stand for itself; before a letter or digit it would begin an escape of its own.
void AppendLiteral(std::string &regex, char c) {
  constexpr std::string_view kMeta = "\\.^$*+?()[]{}|";
  if (kMeta.find(c) != std::string_view::npos) regex += '\\';
  regex += c;
}

}  // namespace

bool EndsInEscape(std::string_view pattern) {
  size_t backslashes = 0;
  while (backslashes < pattern.size() && pattern[pattern.size() - 1 - backslashes] == '\\')
    ++backslashes;
  return backslashes % 2 == 1;
}

std::string PrefixPattern(std::string_view prefix) {
  std::string pattern;
  for (const char c : prefix) {
    if (c == '\\' || c == '%' || c == '_') pattern += '\\';
    pattern += c;
  }
  return pattern += '%';
}

std::string PatternToRegex(std::string_view pattern) {
  std::string regex = "^";
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      AppendLiteral(regex, pattern[++i]);
    } else if (pattern[i] == '%') {
      regex += ".*";
    } else if (pattern[i] == '_') {
      regex += '.';
    } else {
      AppendLiteral(regex, pattern[i]);
    }
  }
  return regex += '$';
}

}  // namespace supabase
