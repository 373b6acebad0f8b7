#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace supabase {

// Values in the plain form in which a server writes them, many times faster than a type's input function. Each of these
// functions takes the whole text or returns false, which says nothing about the text: the input function decides then
// (other notations, values at the edge of a type's range, errors). What they accept, it reads as the same value.

// Decimal digits with an optional minus.
template <typename T>
bool ParseInteger(std::string_view text, T *value) noexcept {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// `unscaled` / 10^`scale`, at most 18 digits; "1.10" is 110 and 2.
struct Decimal {
  int64_t unscaled;
  int scale;
  int integer_digits;  // without leading zeros
};
bool ParseDecimal(std::string_view text, Decimal *value) noexcept;

// Rounded once, to nearest, ties to even, as strtof and strtod do. Only what is finite.
bool ParseFloat(std::string_view text, float *value) noexcept;
bool ParseFloat(std::string_view text, double *value) noexcept;

// 36 characters, hyphens after 8, 12, 16 and 20 digits.
bool ParseUuid(std::string_view text, unsigned char (&bytes)[16]) noexcept;

// "2024-02-29" as days since 2000-01-01. Years 0001 to 9999.
bool ParseDate(std::string_view text, int32_t *days) noexcept;

// `digits`: how many the fraction of a second has, 0 to 6.
struct Microseconds {
  int64_t value;
  int digits;
};
// "23:59:59.999999" since midnight.
bool ParseTime(std::string_view text, Microseconds *time) noexcept;
// "2024-02-29T13:14:15.5" (or a blank instead of the T) since 2000-01-01 00:00.
bool ParseTimestamp(std::string_view text, Microseconds *time) noexcept;
// The same with an offset such as +00, -03:30 or +05:53:28, less than 16 hours; since 2000-01-01 00:00 UTC.
bool ParseTimestampTz(std::string_view text, Microseconds *time) noexcept;

// An element of an array in PostgreSQL's text form, not yet unescaped.
struct ArrayElement {
  std::string_view text;                                       // without quotes
  enum class Kind : uint8_t { kPlain, kEscaped, kNull } kind;  // kEscaped: a backslash precedes a literal character
};
// Takes apart "{a,"b \"c\"",NULL}": one dimension, bounds not written. Returns how many elements there are, at most
// `room` (enough: the number of commas plus one), or -1.
int SplitArray(std::string_view text, ArrayElement *elements, int room) noexcept;
// Writes the element's text, at most text.size() bytes; returns its length.
size_t Unescape(std::string_view text, char *out) noexcept;

}  // namespace supabase
