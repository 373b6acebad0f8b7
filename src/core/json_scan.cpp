#include "json_scan.hpp"

namespace supabase {
namespace {

using Kind = JsonToken::Kind;

bool IsDigit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// 16 for what is no hexadecimal digit.
unsigned HexDigit(char c) noexcept {
  if (IsDigit(c)) return static_cast<unsigned>(c - '0');
  auto const letter = static_cast<unsigned>((c | 0x20) - 'a');
  return letter < 6 ? letter + 10 : 16;
}

// The four digits at `at`; 0 when they are not that.
unsigned CodeUnit(const char *at) noexcept {
  unsigned unit = 0;
  for (int i = 0; i < 4; ++i) {
    unsigned const digit = HexDigit(at[i]);
    if (digit > 15) return 0;
    unit = unit << 4 | digit;
  }
  return unit;
}

// What a backslash and this letter stand for; 0 for none. Not for \u.
char Escaped(char letter) noexcept {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

// How long the escape at the backslash `at` is; 0 when the input function must see it.
size_t EscapeSize(const char *at, const char *end) noexcept {
  constexpr std::ptrdiff_t kUnicode = 6;
  if (end - at < 2) return 0;
  if (at[1] != 'u') return Escaped(at[1]) != '\0' ? 2 : 0;
  if (end - at < kUnicode) return 0;
  unsigned const unit = CodeUnit(at + 2);
  return unit == 0 || (unit >= 0xD800 && unit < 0xE000) ? 0 : kUnicode;
}

char *WriteUtf8(unsigned unit, char *out) noexcept {
  if (unit < 0x80) {
    *out++ = static_cast<char>(unit);
    return out;
  }
  if (unit < 0x800) {
    *out++ = static_cast<char>(0xC0 | unit >> 6);
  } else {
    *out++ = static_cast<char>(0xE0 | unit >> 12);
    *out++ = static_cast<char>(0x80 | (unit >> 6 & 0x3F));
  }
  *out++ = static_cast<char>(0x80 | (unit & 0x3F));
  return out;
}

}  // namespace

inline void JsonScanner::SkipBlanks() noexcept {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r'))
    ++at_;
}

JsonToken JsonScanner::Other() noexcept {
  at_ = end_;
  expect_ = Expect::kNothing;
  depth_ = -1;
  return {Kind::kOther, false, {}};
}

JsonToken JsonScanner::Next() noexcept {
  SkipBlanks();
  if (at_ == end_) {
    if (expect_ != Expect::kNothing || depth_ != 0) return Other();
    return {Kind::kEnd, false, {}};
  }
  switch (expect_) {
    case Expect::kSeparator:
      return Separated();
    case Expect::kKeyOrEnd:
      return *at_ == '}' ? Close() : Key();
    case Expect::kValueOrEnd:
      return *at_ == ']' ? Close() : Value();
    case Expect::kKey:
      return Key();
    case Expect::kValue:
      return Value();
    case Expect::kNothing:
      break;
  }
  return Other();
}

// What follows a value within an object or array.
JsonToken JsonScanner::Separated() noexcept {
  if (*at_ == (InObject() ? '}' : ']')) return Close();
  if (*at_++ != ',') return Other();
  SkipBlanks();
  if (at_ == end_) return Other();
  return InObject() ? Key() : Value();
}

JsonToken JsonScanner::Key() noexcept {
  if (*at_ != '"') return Other();
  JsonToken const key = String(Kind::kKey);
  if (key.kind != Kind::kKey) return key;
  SkipBlanks();
  if (at_ == end_ || *at_ != ':') return Other();
  ++at_;
  expect_ = Expect::kValue;
  return key;
}

JsonToken JsonScanner::Value() noexcept {
  char const c = *at_;
  if (c == '{' || c == '[') return Open(c == '{');
  expect_ = depth_ > 0 ? Expect::kSeparator : Expect::kNothing;
  switch (c) {
    case '"':
      return String(Kind::kString);
    case 't':
      return Word("true", Kind::kTrue);
    case 'f':
      return Word("false", Kind::kFalse);
    case 'n':
      return Word("null", Kind::kNull);
    default:
      return Number();
  }
}

JsonToken JsonScanner::Open(bool object) noexcept {
  if (depth_ == kMaxDepth) return Other();
  ++depth_;
  objects_ = objects_ << 1 | (object ? 1 : 0);
  expect_ = object ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
  ++at_;
  return {object ? Kind::kBeginObject : Kind::kBeginArray, false, {}};
}

JsonToken JsonScanner::Close() noexcept {
  Kind const kind = InObject() ? Kind::kEndObject : Kind::kEndArray;
  objects_ >>= 1;
  expect_ = --depth_ > 0 ? Expect::kSeparator : Expect::kNothing;
  ++at_;
  return {kind, false, {}};
}

JsonToken JsonScanner::String(Kind kind) noexcept {
  const char *const begin = ++at_;
  bool escaped = false;
  while (at_ < end_ && *at_ != '"') {
    if (static_cast<unsigned char>(*at_) < ' ') return Other();
    size_t size = 1;
    if (*at_ == '\\') {
      escaped = true;
      size = EscapeSize(at_, end_);
      if (size == 0) return Other();
    }
    at_ += size;
  }
  if (at_ == end_) return Other();
  std::string_view const text(begin, static_cast<size_t>(at_ - begin));
  ++at_;
  return {kind, escaped, text};
}

JsonToken JsonScanner::Number() noexcept {
  const char *const begin = at_;
  const auto digits = [this] {
    const char *const first = at_;
    while (at_ < end_ && IsDigit(*at_))
      ++at_;
    return at_ > first;
  };
  if (*at_ == '-') ++at_;
  bool const zero = at_ < end_ && *at_ == '0';
  if (zero) ++at_;
  if (!zero && !digits()) return Other();
  if (at_ < end_ && *at_ == '.') {
    ++at_;
    if (!digits()) return Other();
  }
  // What does not belong here, such as an exponent, is no separator and found next.
  return {Kind::kNumber, false, {begin, static_cast<size_t>(at_ - begin)}};
}

JsonToken JsonScanner::Word(std::string_view word, Kind kind) noexcept {
  if (std::string_view(at_, static_cast<size_t>(end_ - at_)).substr(0, word.size()) != word) return Other();
  at_ += word.size();
  return {kind, false, {}};
}

size_t UnescapeJson(std::string_view text, char *out) noexcept {
  char *const begin = out;
  const char *at = text.data(), *const end = at + text.size();
  while (at < end) {
    if (*at != '\\') {
      *out++ = *at++;
    } else if (at[1] != 'u') {
      *out++ = Escaped(at[1]);
      at += 2;
    } else {
      out = WriteUtf8(CodeUnit(at + 2), out);
      at += 6;
    }
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace supabase
