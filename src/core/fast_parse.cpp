#include "fast_parse.hpp"

#include "seeded.hpp"

#include <cmath>

namespace supabase {
namespace {

constexpr int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// Two digits at `at`; above 99 when they are none.
unsigned Two(const char *at) noexcept {
  auto const tens = static_cast<unsigned>(at[0] - '0'), ones = static_cast<unsigned>(at[1] - '0');
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

// Days from 2000-01-01 in the proleptic Gregorian calendar; years from 1. Years are counted from March, so that the
// leap day is a year's last; 730,425 of those days lie before 2000-01-01.
int32_t Days(unsigned year, unsigned month, unsigned day) noexcept {
  unsigned const y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
  unsigned const before = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
  return static_cast<int32_t>(before) - 730'425;
}

unsigned DaysInMonth(unsigned year, unsigned month) noexcept {
  bool const leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (month == 2) return leap ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

constexpr size_t kDateSize = 10, kTimeSize = 8;

bool ReadDate(const char *at, int32_t *days) noexcept {
  unsigned const century = Two(at), years = Two(at + 2), month = Two(at + 5), day = Two(at + 8);
  if (century > 99 || years > 99 || at[4] != '-' || at[7] != '-') return false;
  unsigned const year = century * 100 + years;
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) return false;
  *days = Days(year, month, day);
  return true;
}

// Reads "hh:mm:ss" and a fraction at the beginning of the text; returns how long they are, 0 when there is no time.
size_t ReadTime(std::string_view text, Microseconds *time) noexcept {
  if (text.size() < kTimeSize || text[2] != ':' || text[5] != ':') return 0;
  unsigned const hour = Two(text.data()), minute = Two(text.data() + 3), second = Two(text.data() + 6);
  if (hour > 23 || minute > 59 || second > 59) return 0;
  time->value = hour * kHour + minute * kMinute + second * kSecond;
  time->digits = 0;
  if (text.size() == kTimeSize || text[kTimeSize] != '.') return kTimeSize;
  int64_t unit = kSecond;
  size_t at = kTimeSize + 1;
  for (; at < text.size() && IsDigit(text[at]); ++at) {
    if (unit == 1) return 0;
    unit /= 10;
    if (!Seeded(Bug::kFractionLost)) time->value += (text[at] - '0') * unit;
    ++time->digits;
  }
  return time->digits > 0 ? at : 0;
}

// Reads date and time; returns how long they are, 0 when there are none.
size_t ReadTimestamp(std::string_view text, Microseconds *time) noexcept {
  int32_t days;
  if (text.size() < kDateSize + 1 + kTimeSize || (text[kDateSize] != 'T' && text[kDateSize] != ' ')) return 0;
  if (!ReadDate(text.data(), &days)) return 0;
  size_t const size = ReadTime(text.substr(kDateSize + 1), time);
  time->value += days * kDay;
  return size == 0 ? 0 : kDateSize + 1 + size;
}

// "+hh", "+hh:mm" or "+hh:mm:ss", east of Greenwich positive.
bool ReadOffset(std::string_view text, int64_t *offset) noexcept {
  if (text.size() != 3 && text.size() != 6 && text.size() != 9) return false;
  if (text[0] != '+' && text[0] != '-') return false;
  unsigned const hour = Two(text.data() + 1);
  unsigned minute = 0, second = 0;
  if (text.size() > 3) minute = text[3] == ':' ? Two(text.data() + 4) : 100;
  if (text.size() > 6) second = text[6] == ':' ? Two(text.data() + 7) : 100;
  if (hour > 15 || minute > 59 || second > 59) return false;
  *offset = hour * kHour + minute * kMinute + second * kSecond;
  if (text[0] == '-') *offset = -*offset;
  return true;
}

template <typename T>
bool ReadFloat(std::string_view text, T *value) noexcept {
  // from_chars also takes "inf" and "nan".
  if (text.empty() || !(IsDigit(text[0]) || (text.size() > 1 && text[0] == '-' && IsDigit(text[1])))) return false;
  if (text == "0") {
    *value = 0;
    return true;
  }
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  // Zero and infinity may be what a number out of range was rounded to, which is an error.
  return error == std::errc() && end == text.data() + text.size() && *value != 0 && std::isfinite(*value);
}

// The value of a hexadecimal digit by its character, -1 for what is none.
struct HexTable {
  int8_t value[256];
  constexpr HexTable() : value() {
    for (int c = 0; c < 256; ++c)
      value[c] = static_cast<int8_t>(c >= '0' && c <= '9'   ? c - '0'
                                     : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                     : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                            : -1);
  }
  int operator[](char c) const noexcept { return value[static_cast<unsigned char>(c)]; }
};
constexpr HexTable kHex;

bool IsNullWord(std::string_view text) noexcept {
  return text.size() == 4 && (text[0] | 0x20) == 'n' && (text[1] | 0x20) == 'u' && (text[2] | 0x20) == 'l' &&
         (text[3] | 0x20) == 'l';
}

// Reads one element from `at`; returns where it ends, null when it is not plain.
const char *ReadElement(const char *at, const char *end, ArrayElement *element) noexcept {
  bool const quoted = at < end && *at == '"';
  const char *const begin = quoted ? ++at : at;
  element->kind = ArrayElement::Kind::kPlain;
  if (quoted) {
    for (; at < end && *at != '"'; ++at) {
      if (*at != '\\') continue;
      element->kind = ArrayElement::Kind::kEscaped;
      if (++at == end) return nullptr;
    }
    if (at == end) return nullptr;
    element->text = {begin, static_cast<size_t>(at - begin)};
    return at + 1;
  }
  for (; at < end && *at != ',' && *at != '}'; ++at) {
    // Blanks around an element do not count, and the other characters have a meaning.
    if (static_cast<unsigned char>(*at) <= ' ' || *at == '"' || *at == '\\' || *at == '{') return nullptr;
  }
  element->text = {begin, static_cast<size_t>(at - begin)};
  if (element->text.empty()) return nullptr;
  if (IsNullWord(element->text)) element->kind = ArrayElement::Kind::kNull;
  return at;
}

}  // namespace

bool ParseDecimal(std::string_view text, Decimal *value) noexcept {
  constexpr int kMaxDigits = 18;
  const char *at = text.data(), *const end = at + text.size();
  bool const negative = at < end && *at == '-';
  if (negative) ++at;
  const char *const first = at;
  const char *point = nullptr;
  int64_t number = 0;
  int significant = 0;
  for (; at < end; ++at) {
    if (*at == '.' && point == nullptr && at > first) {
      point = at;
      value->integer_digits = significant;
      continue;
    }
    if (!IsDigit(*at)) return false;
    number = number * 10 + (*at - '0');
    if (number != 0 && ++significant > kMaxDigits) return false;
  }
  if (at == first || at - 1 == point) return false;
  if (point == nullptr) value->integer_digits = significant;
  value->scale = point == nullptr ? 0 : static_cast<int>(end - point - 1);
  value->unscaled = negative ? -number : number;
  return value->scale <= kMaxDigits;
}

bool ParseFloat(std::string_view text, float *value) noexcept {
  return ReadFloat(text, value);
}
bool ParseFloat(std::string_view text, double *value) noexcept {
  return ReadFloat(text, value);
}

bool ParseUuid(std::string_view text, unsigned char (&bytes)[16]) noexcept {
  constexpr unsigned char kPositions[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return false;
  int bad = 0;
  for (int i = 0; i < 16; ++i) {
    int const high = kHex[text[kPositions[i]]], low = kHex[text[kPositions[i] + 1]];
    bad |= high | low;
    bytes[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return bad >= 0;
}

bool ParseDate(std::string_view text, int32_t *days) noexcept {
  return text.size() == kDateSize && ReadDate(text.data(), days);
}

bool ParseTime(std::string_view text, Microseconds *time) noexcept {
  return ReadTime(text, time) == text.size() && !text.empty();
}

bool ParseTimestamp(std::string_view text, Microseconds *time) noexcept {
  return ReadTimestamp(text, time) == text.size() && !text.empty();
}

bool ParseTimestampTz(std::string_view text, Microseconds *time) noexcept {
  size_t const size = ReadTimestamp(text, time);
  int64_t offset;
  if (size == 0 || !ReadOffset(text.substr(size), &offset)) return false;
  time->value -= offset;
  return true;
}

int SplitArray(std::string_view text, ArrayElement *elements, int room) noexcept {
  const char *at = text.data(), *const end = at + text.size();
  if (text == "{}") return 0;
  if (text.size() < 3 || *at != '{') return -1;
  for (int count = 0; count < room;) {
    at = ReadElement(at + 1, end, &elements[count++]);
    if (at == nullptr || at == end) return -1;
    if (*at == '}') return at + 1 == end ? count : -1;
    if (*at != ',') return -1;
  }
  return -1;
}

size_t Unescape(std::string_view text, char *out) noexcept {
  char *const begin = out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    *out++ = text[i];
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace supabase
