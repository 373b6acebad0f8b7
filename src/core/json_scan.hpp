#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace supabase {

struct JsonToken {
  enum class Kind : uint8_t {
    kBeginObject,
    kEndObject,
    kBeginArray,
    kEndArray,
    kKey,
    kString,
    kNumber,
    kTrue,
    kFalse,
    kNull,
    kEnd,    // of the text
    kOther,  // not what the scanner reads: the text may be invalid or only unusual. Final, like kEnd.
  };
  Kind kind;
  bool escaped;           // kKey, kString: has escapes, see UnescapeJson
  std::string_view text;  // kKey, kString: without quotes; kNumber
};

// Takes JSON text apart in the plain form in which a server writes it: RFC 8259, but for more than 64 levels, numbers
// with an exponent, \u0000 and surrogates, which it leaves to the type's input function as it does all errors. Does not
// look at bytes above 0x7F; plain data, never allocates or throws.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}
  JsonToken Next() noexcept;

 private:
  static constexpr int kMaxDepth = 64;
  enum class Expect : uint8_t { kValue, kValueOrEnd, kKey, kKeyOrEnd, kSeparator, kNothing };

  void SkipBlanks() noexcept;
  bool InObject() const noexcept { return (objects_ & 1) != 0; }
  JsonToken Separated() noexcept;
  JsonToken Key() noexcept;
  JsonToken Value() noexcept;
  JsonToken Open(bool object) noexcept;
  JsonToken Close() noexcept;
  JsonToken String(JsonToken::Kind kind) noexcept;
  JsonToken Number() noexcept;
  JsonToken Word(std::string_view word, JsonToken::Kind kind) noexcept;
  JsonToken Other() noexcept;

  const char *at_, *end_;
  uint64_t objects_ = 0;  // a bit for each level, the innermost lowest: whether it is an object
  int depth_ = 0;
  Expect expect_ = Expect::kValue;
};

// Writes what the text of an escaped token stands for as UTF-8, at most text.size() bytes; returns its length.
size_t UnescapeJson(std::string_view text, char *out) noexcept;

}  // namespace supabase
