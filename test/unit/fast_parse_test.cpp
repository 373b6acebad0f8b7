#include "fast_parse.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <regex>
#include <string>
#include <vector>

namespace supabase {
namespace {

constexpr int64_t kSecond = 1'000'000, kHour = 3600 * kSecond, kDay = 24 * kHour;

std::string Format(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string Format(const char *format, ...) {
  char buffer[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

// A view without a NUL or anything else readable after it, so that a sanitizer sees a step too far.
class Exact {
 public:
  explicit Exact(const std::string &text) : bytes_(text.begin(), text.end()) { bytes_.shrink_to_fit(); }
  operator std::string_view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

// The text with one character changed, removed, doubled or inserted.
std::string Mutate(std::string text, std::mt19937_64 &random) {
  const std::string alphabet = "0123456789-+:. TZeE,{}\"\\nNaf\x7f";
  const size_t at = random() % (text.size() + 1);
  const char c = alphabet[random() % alphabet.size()];
  switch (random() % 4) {
    case 0:
      if (at < text.size()) text[at] = c;
      break;
    case 1:
      if (at < text.size()) text.erase(at, 1);
      break;
    case 2:
      if (at < text.size()) text.insert(at, 1, text[at]);
      break;
    default:
      text.insert(at, 1, c);
  }
  return text;
}

bool Leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// Every day of the years 1 to 9999, counted one by one.
TEST(FastParse, EveryDate) {
  constexpr int kMonths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int32_t expected = -730119;  // 0001-01-01, as PostgreSQL's date '0001-01-01' - date '2000-01-01'
  for (int year = 1; year <= 9999; ++year) {
    for (int month = 1; month <= 12; ++month) {
      const int last = kMonths[month - 1] + (month == 2 && Leap(year) ? 1 : 0);
      for (int day = 0; day <= 32; ++day) {
        char text[16];
        for (int i = 3, y = year; i >= 0; --i, y /= 10)
          text[i] = static_cast<char>('0' + y % 10);
        text[4] = text[7] = '-';
        text[5] = static_cast<char>('0' + month / 10), text[6] = static_cast<char>('0' + month % 10);
        text[8] = static_cast<char>('0' + day / 10), text[9] = static_cast<char>('0' + day % 10);
        int32_t days = 0;
        const bool taken = ParseDate({text, 10}, &days);
        ASSERT_EQ(taken, day >= 1 && day <= last) << std::string(text, 10);
        if (!taken) continue;
        ASSERT_EQ(days, expected++) << std::string(text, 10);
      }
    }
  }
  EXPECT_EQ(expected, 2921940);  // 10000-01-01
}

TEST(FastParse, LeavesOtherDates) {
  int32_t days;
  for (const char *text : {"", "0000-01-01", "2024-00-01", "2024-13-01", "10000-01-01", "2024-2-29", "2024-02-29 ",
                           " 2024-02-29", "0044-03-15 BC", "infinity", "-infinity", "2024/02/29", "20240229",
                           "29.02.2024", "2023-02-29", "1900-02-29", "2024-02-29T00:00:00", "2024-0a-01"}) {
    EXPECT_FALSE(ParseDate(Exact(text), &days)) << text;
  }
}

TEST(FastParse, EverySecondOfADay) {
  for (int hour = 0; hour < 24; ++hour) {
    for (int minute = 0; minute < 60; ++minute) {
      for (int second = 0; second < 60; ++second) {
        Microseconds time;
        ASSERT_TRUE(ParseTime(Format("%02d:%02d:%02d", hour, minute, second), &time));
        ASSERT_EQ(time.value, (hour * 3600 + minute * 60 + second) * kSecond);
        ASSERT_EQ(time.digits, 0);
      }
    }
  }
}

TEST(FastParse, FractionsOfASecond) {
  for (int digits = 1, range = 10; digits <= 6; ++digits, range *= 10) {
    const int step = digits == 6 ? 37 : 1;
    for (int fraction = 0; fraction < range; fraction += step) {
      Microseconds time;
      ASSERT_TRUE(ParseTime(Exact(Format("23:59:59.%0*d", digits, fraction)), &time));
      ASSERT_EQ(time.value, kDay - kSecond + static_cast<int64_t>(fraction) * (1'000'000 / range));
      ASSERT_EQ(time.digits, digits);
    }
  }
}

TEST(FastParse, LeavesOtherTimes) {
  Microseconds time;
  for (const char *text :
       {"", "24:00:00", "23:60:00", "23:59:60", "1:02:03", "01:02", "01:02:03.", "01:02:03.1234567", "01:02:03,5",
        "01:02:03+00", "allballs", "01:02:03 PM", " 01:02:03", "01:02:03 ", "0a:02:03", "01:02:03.12a"}) {
    EXPECT_FALSE(ParseTime(Exact(text), &time)) << text;
  }
}

TEST(FastParse, Timestamps) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 50'000; ++i) {
    const std::string date = Format("%04d-%02d-%02d", 1 + static_cast<int>(random() % 9999),
                                    1 + static_cast<int>(random() % 12), 1 + static_cast<int>(random() % 28));
    std::string clock = Format("%02d:%02d:%02d", static_cast<int>(random() % 24), static_cast<int>(random() % 60),
                               static_cast<int>(random() % 60));
    const int digits = static_cast<int>(random() % 7);
    if (digits > 0) clock += Format(".%06d", static_cast<int>(random() % 1'000'000)).substr(0, 1 + digits);
    int32_t days;
    Microseconds since_midnight, time;
    ASSERT_TRUE(ParseDate(date, &days));
    ASSERT_TRUE(ParseTime(clock, &since_midnight));
    const std::string text = date + (random() % 2 == 0 ? "T" : " ") + clock;
    ASSERT_TRUE(ParseTimestamp(Exact(text), &time)) << text;
    ASSERT_EQ(time.value, days * kDay + since_midnight.value);
    ASSERT_EQ(time.digits, digits);
    ASSERT_FALSE(ParseTimestampTz(Exact(text), &time)) << "without an offset the session's time zone counts";

    const int hour = static_cast<int>(random() % 16), minute = static_cast<int>(random() % 60),
              second = static_cast<int>(random() % 60), parts = static_cast<int>(random() % 3);
    const bool east = random() % 2 == 0;
    std::string offset = Format("%c%02d", east ? '+' : '-', hour);
    if (parts > 0) offset += Format(":%02d", minute);
    if (parts > 1) offset += Format(":%02d", second);
    const int64_t east_by =
        (east ? 1 : -1) * (hour * 3600 + (parts > 0 ? minute * 60 : 0) + (parts > 1 ? second : 0)) * kSecond;
    ASSERT_TRUE(ParseTimestampTz(Exact(text + offset), &time)) << text + offset;
    ASSERT_EQ(time.value, days * kDay + since_midnight.value - east_by) << text + offset;
    ASSERT_FALSE(ParseTimestamp(Exact(text + offset), &time));
  }
}

TEST(FastParse, LeavesOtherTimestamps) {
  Microseconds time;
  for (const char *text :
       {"2024-02-29", "2024-02-29T", "2024-02-29T13:14", "2024-02-30T13:14:15", "2024-02-29t13:14:15",
        "0044-03-15T12:00:00 BC", "infinity", "294276-12-31T23:59:59", "2024-02-29T24:00:00"}) {
    EXPECT_FALSE(ParseTimestamp(Exact(text), &time)) << text;
    EXPECT_FALSE(ParseTimestampTz(Exact(std::string(text) + "+00"), &time)) << text;
  }
  const std::string plain = "2024-02-29T13:14:15";
  for (const char *offset :
       {"Z",   "+",    "+0",   "+000",         "+0000", "+00:", "+00:0",  "+00:60",    "+00:00:60", "+16:00",
        "-16", " +00", "+00 ", "+00:00:00 BC", " UTC",  "+aa",  "+00-00", "+00:00-00", "*00",       "+00:00:00.5"}) {
    EXPECT_FALSE(ParseTimestampTz(Exact(plain + offset), &time)) << offset;
  }
}

// What is accepted is of the exact form, whatever one wrong character makes of it.
TEST(FastParse, AcceptsOnlyTheExactForm) {
  const std::regex date("\\d{4}-\\d\\d-\\d\\d"), time("\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,6})?"),
      timestamp("\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,6})?"),
      zoned("\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,6})?[+-]\\d\\d(:\\d\\d(:\\d\\d)?)?"),
      number("-?\\d+(\\.\\d+)?"), real("-?\\d+(\\.\\d*)?([eE][+-]?\\d+)?"), integer("-?\\d+"),
      uuid("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
  const std::string seeds[] = {"2024-02-28",
                               "01:02:03.456",
                               "2024-02-28T01:02:03.4",
                               "2024-02-28 01:02:03+05:30:15",
                               "-1234567.8900",
                               "-1.2345e-67",
                               "-1234",
                               "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"};
  std::mt19937_64 random(2);
  int accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string text = Mutate(seeds[random() % std::size(seeds)], random);
    if (random() % 2 == 0) text = Mutate(text, random);
    const Exact exact(text);
    int32_t days, small;
    int64_t big;
    Microseconds at;
    Decimal decimal;
    float single;
    double wide;
    unsigned char bytes[16];
    const auto check = [&](bool taken, const std::regex &form) {
      accepted += taken;
      EXPECT_TRUE(!taken || std::regex_match(text, form)) << text;
    };
    check(ParseDate(exact, &days), date);
    check(ParseTime(exact, &at), time);
    check(ParseTimestamp(exact, &at), timestamp);
    check(ParseTimestampTz(exact, &at), zoned);
    check(ParseDecimal(exact, &decimal), number);
    check(ParseFloat(exact, &single), real);
    check(ParseFloat(exact, &wide), real);
    check(ParseInteger(exact, &small), integer);
    check(ParseInteger(exact, &big), integer);
    check(ParseUuid(exact, bytes), uuid);
  }
  EXPECT_GT(accepted, 5'000);
}

TEST(FastParse, Integers) {
  int16_t two;
  int32_t four;
  int64_t eight;
  EXPECT_TRUE(ParseInteger("-32768", &two) && two == -32768);
  EXPECT_TRUE(ParseInteger("32767", &two) && two == 32767);
  EXPECT_TRUE(ParseInteger("-2147483648", &four) && four == INT32_MIN);
  EXPECT_TRUE(ParseInteger("9223372036854775807", &eight) && eight == INT64_MAX);
  EXPECT_TRUE(ParseInteger("-9223372036854775808", &eight) && eight == INT64_MIN);
  EXPECT_TRUE(ParseInteger("007", &four) && four == 7);
  EXPECT_FALSE(ParseInteger("32768", &two));
  EXPECT_FALSE(ParseInteger("-2147483649", &four));
  EXPECT_FALSE(ParseInteger("9223372036854775808", &eight));
  for (const char *text : {"", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "--1", "one"}) {
    EXPECT_FALSE(ParseInteger(Exact(text), &eight)) << text;
  }
}

TEST(FastParse, Decimals) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 50'000; ++i) {
    const int digits = 1 + static_cast<int>(random() % 18), scale = static_cast<int>(random() % (digits + 1));
    std::string all;
    for (int d = 0; d < digits; ++d)
      all += static_cast<char>('0' + random() % 10);
    const bool negative = random() % 2 == 0;
    std::string integer = all.substr(0, digits - scale);
    if (integer.empty()) integer = "0";
    std::string text = (negative ? "-" : "") + integer;
    if (scale > 0) text += "." + all.substr(digits - scale);
    Decimal value;
    ASSERT_TRUE(ParseDecimal(Exact(text), &value)) << text;
    ASSERT_EQ(value.unscaled, (negative ? -1 : 1) * std::strtoll(all.c_str(), nullptr, 10)) << text;
    ASSERT_EQ(value.scale, scale) << text;
    const size_t zeros = std::min(integer.find_first_not_of('0'), integer.size());
    ASSERT_EQ(value.integer_digits, static_cast<int>(integer.size() - zeros)) << text;
  }
}

TEST(FastParse, LeavesOtherDecimals) {
  Decimal value;
  for (const char *text : {"",
                           "-",
                           ".",
                           "-.",
                           ".5",
                           "5.",
                           "-.5",
                           "1..2",
                           "1.2.3",
                           "+1",
                           "1e5",
                           "NaN",
                           "Infinity",
                           " 1",
                           "1 ",
                           "1234567890123456789",
                           "1.234567890123456789",
                           "0.1234567890123456789",
                           "0.0000000000000000000",
                           "1_0",
                           "0x1"}) {
    EXPECT_FALSE(ParseDecimal(Exact(text), &value)) << text;
  }
  // 18 significant digits are the most, zeros before them do not count, and a scale of 18
  EXPECT_TRUE(ParseDecimal("999999999999999999", &value) && value.unscaled == 999999999999999999);
  EXPECT_TRUE(ParseDecimal("-0.999999999999999999", &value) && value.unscaled == -999999999999999999);
  EXPECT_TRUE(ParseDecimal("00000000000000000000000.10", &value) && value.unscaled == 10 && value.scale == 2);
  EXPECT_EQ(value.integer_digits, 0);
}

void ExpectFloats(const std::string &text) {
  float single;
  double wide;
  if (ParseFloat(Exact(text), &single)) {
    const float expected = std::strtof(text.c_str(), nullptr);
    ASSERT_EQ(std::memcmp(&single, &expected, sizeof single), 0) << text;
  } else {
    // Only what is at the edge of the range is left.
    const float expected = std::strtof(text.c_str(), nullptr);
    ASSERT_TRUE(expected == 0 || std::isinf(expected) || std::fpclassify(expected) == FP_SUBNORMAL) << text;
  }
  if (ParseFloat(Exact(text), &wide)) {
    const double expected = std::strtod(text.c_str(), nullptr);
    ASSERT_EQ(std::memcmp(&wide, &expected, sizeof wide), 0) << text;
  } else {
    const double expected = std::strtod(text.c_str(), nullptr);
    ASSERT_TRUE(expected == 0 || std::isinf(expected) || std::fpclassify(expected) == FP_SUBNORMAL) << text;
  }
}

TEST(FastParse, FloatsRoundLikeTheCLibrary) {
  std::mt19937_64 random(4);
  char buffer[64];
  for (int i = 0; i < 50'000; ++i) {
    // every bit pattern is as likely: denormals and the largest ones too
    uint64_t bits = random();
    double wide;
    float single;
    std::memcpy(&wide, &bits, sizeof wide);
    std::memcpy(&single, &bits, sizeof single);
    if (std::isfinite(wide)) {
      ExpectFloats(Format("%.17g", wide));
      ExpectFloats({buffer, std::to_chars(buffer, buffer + sizeof buffer, wide).ptr});
    }
    if (std::isfinite(single)) ExpectFloats({buffer, std::to_chars(buffer, buffer + sizeof buffer, single).ptr});
    // any digits, also more than a double holds
    std::string text = random() % 2 == 0 ? "-" : "";
    for (int d = 1 + static_cast<int>(random() % 25); d > 0; --d)
      text += static_cast<char>('0' + random() % 10);
    text += '.';
    for (int d = 1 + static_cast<int>(random() % 25); d > 0; --d)
      text += static_cast<char>('0' + random() % 10);
    ExpectFloats(text);
  }
  // halfway between two floats, and a bit beyond, which rounding to double first would lose
  ExpectFloats("1.00000017881393432617187499");
  ExpectFloats("1.000000178813934326171875");
  ExpectFloats("1.00000017881393432617187501");
  ExpectFloats("16777217.0000000001");
}

TEST(FastParse, LeavesOtherFloats) {
  double wide;
  float single;
  for (const char *text :
       {"",   "-",  "NaN", "nan",   "Infinity", "-Infinity", "inf",   "-inf",   "+1",     ".5", "-.5", " 1",
        "1 ", "1e", "1e+", "0x1p3", "1_0",      "1,5",       "1e999", "-1e999", "1e-999", "-0", "0.0", "1.5f"}) {
    EXPECT_FALSE(ParseFloat(Exact(text), &wide)) << text;
    EXPECT_FALSE(ParseFloat(Exact(text), &single)) << text;
  }
  EXPECT_TRUE(ParseFloat("0", &wide) && wide == 0 && !std::signbit(wide));
  EXPECT_FALSE(ParseFloat("1e39", &single));
  EXPECT_TRUE(ParseFloat("1e39", &wide));
}

TEST(FastParse, Uuids) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 50'000; ++i) {
    unsigned char expected[16], bytes[16];
    std::string text;
    for (int b = 0; b < 16; ++b) {
      expected[b] = static_cast<unsigned char>(random());
      if (b == 4 || b == 6 || b == 8 || b == 10) text += '-';
      text += Format(i % 2 == 0 ? "%02x" : "%02X", expected[b]);
    }
    ASSERT_TRUE(ParseUuid(Exact(text), bytes));
    ASSERT_EQ(std::memcmp(bytes, expected, 16), 0) << text;
  }
  unsigned char bytes[16];
  for (const char *text : {"", "f81d4fae7dec11d0a76500a0c91e6bf6", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}",
                           "f81d4fae-7dec-11d0-a765-00a0c91e6bf", "f81d4fae-7dec-11d0-a765-00a0c91e6bf66",
                           "f81d4fae-7dec-11d0-a765-00a0c91e6bfg", "-81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                           "f81d4fae-7dec-11d0-a765-00a0c91e6b-6", "f81d4fa-e7dec-11d0-a765-00a0c91e6bf6"}) {
    EXPECT_FALSE(ParseUuid(Exact(text), bytes)) << text;
  }
}

struct Element {
  bool null = false;
  std::string text;
};

// As PostgreSQL's array_out writes it.
std::string WriteArray(const std::vector<Element> &elements) {
  std::string text = "{";
  for (const Element &element : elements) {
    if (text.size() > 1) text += ',';
    bool quote = element.text.empty();
    std::string lower;
    for (const char c : element.text) {
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      quote = quote || std::strchr("\"\\{}, \t\n\r\v\f", c) != nullptr;
    }
    if (element.null) {
      text += "NULL";
    } else if (!quote && lower != "null") {
      text += element.text;
    } else {
      text += '"';
      for (const char c : element.text) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
      text += '"';
    }
  }
  return text + "}";
}

TEST(FastParse, Arrays) {
  const std::string words[] = {"a",    "\"",   "\\", "{", "}", ",",      " ", "\t",
                               "NULL", "null", "ü",  "😀", "1", "[1:2]=", "(", "'"};
  std::mt19937_64 random(6);
  for (int i = 0; i < 50'000; ++i) {
    std::vector<Element> elements(random() % 8);
    for (Element &element : elements) {
      element.null = random() % 6 == 0;
      for (size_t n = element.null ? 0 : random() % 5; n > 0; --n)
        element.text += words[random() % std::size(words)];
    }
    const std::string text = WriteArray(elements);
    ArrayElement parts[8];
    const Exact exact(text);
    ASSERT_EQ(SplitArray(exact, parts, 8), static_cast<int>(elements.size())) << text;
    for (size_t e = 0; e < elements.size(); ++e) {
      ASSERT_EQ(parts[e].kind == ArrayElement::Kind::kNull, elements[e].null) << text;
      if (elements[e].null) continue;
      std::string plain(parts[e].text);
      if (parts[e].kind == ArrayElement::Kind::kEscaped) plain.resize(Unescape(parts[e].text, plain.data()));
      ASSERT_EQ(plain, elements[e].text) << text;
    }
    // whatever one wrong character makes of it, nothing outside is read
    (void)SplitArray(Exact(Mutate(text, random)), parts, 8);
  }
}

TEST(FastParse, LeavesOtherArrays) {
  ArrayElement parts[4];
  for (const char *text :
       {"",       "{",        "}",           "a",     "{a",      "a}",       "{a,}",      "{,a}",
        "{,}",    "{a,,b}",   "{ a}",        "{a }",  "{a b}",   "{ }",      "{{1},{2}}", "[2:3]={1,2}",
        "{a}b",   "{a} ",     " {a}",        "{\"a}", "{\"a\\}", "{\"a\"b}", "{a\"b\"}",  "{a\\b}",
        "{a}{b}", "{\"\\\"}", "{1,2,3,4,5}", "{}}",   "{{}"}) {
    EXPECT_EQ(SplitArray(Exact(text), parts, 4), -1) << text;
  }
  EXPECT_EQ(SplitArray("{}", parts, 0), 0);
  EXPECT_EQ(SplitArray("{1,2,3,4}", parts, 4), 4);
}

}  // namespace
}  // namespace supabase
