#pragma once

#include <string>
#include <string_view>

namespace supabase {

// LIKE patterns, whose escape character is the backslash. PostgREST turns each * of one into %, so a pattern in which *
// stands for itself must be said as a regular expression.

// Whether the pattern ends within an escape, which PostgreSQL refuses once a value has matched all before it.
bool EndsInEscape(std::string_view pattern);

// The pattern that matches what starts with `prefix`.
std::string PrefixPattern(std::string_view prefix);

// An anchored regular expression (PostgreSQL's ARE) for the same texts. The pattern must not end within an escape.
std::string PatternToRegex(std::string_view pattern);

}  // namespace supabase
