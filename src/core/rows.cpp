#include "rows.hpp"

#include <endian.h>
#include <simdjson.h>

#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "error.hpp"
#include "problem.hpp"

namespace supabase {

namespace {

// How far Decoder's loads may reach past the end of the text. The bytes there are NUL, which no JSON token contains, so
// nothing needs to look for the end while it scans.
constexpr size_t kPadding = 16;

constexpr size_t kMaxLabelBytes = 300;

std::string Context(std::string_view label) {
  return "remote request: " + std::string(label.substr(0, kMaxLabelBytes));
}

[[noreturn]] void Fail(std::string_view label, std::string detail) {
  throw Error(sqlstate::kProtocolViolation, "invalid response from the remote server", std::move(detail), {},
              Context(label));
}

// One pass over the body, in place. PostgREST writes each row with the aliases of the select list in their order, so a
// key costs one comparison, and most values are already their own text: a NUL over the closing quote or over the
// separator that follows a number ends them, and a string with escapes only gets shorter.
class Decoder {
 public:
  Decoder(char *text, size_t size, size_t columns, std::string_view label);
  // Appends the cells of every row and returns the number of rows.
  size_t Decode(std::vector<Cell> &cells);

 private:
  // `"c<n>":` as eight bytes and the mask of those that count. Longer ones (from c10000) do not fit and have mask 0.
  struct Key {
    uint64_t bytes = 0, mask = 0;
    uint32_t size = 0;
  };

  void Row(Cell *cells);
  void ReadKey(size_t column);
  // Both return where the cell's NUL belongs. It may be where the next separator stands, so that has to be read first.
  char *Value(Cell &cell);
  char *String(Cell &cell);
  char *Unescape(char *out);
  uint32_t CodePoint();
  uint32_t HexDigits();
  void Number();
  void Literal(std::string_view word);
  void Nested();
  void NestedScalar();
  void NestedKey();
  void SkipString();

  void SkipBlanks() {
    while (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')
      ++at_;
  }
  void SkipDigits(const char *what) {
    if (!IsDigit(*at_)) Bad(what);
    while (IsDigit(*at_))
      ++at_;
  }
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  [[noreturn]] void Bad(const std::string &what) const;
  [[noreturn]] void BadSeparator() const;

  char *const begin_, *const end_;
  char *at_;
  const std::string_view label_;
  std::vector<Key> keys_;
  std::vector<bool> open_;  // of the nested value being read: for each open container, whether it is an object
  size_t row_ = 0, column_ = 0;
  char unused_ = '\0';  // takes the NUL of cells whose text is not in the body
};

// Eight bytes as a number, the first one lowest.
uint64_t LoadEight(const char *from) {
  uint64_t bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return le64toh(bytes);
}

// The first byte at or after `from` that does not stand for itself in a string: quote, backslash, control character.
// Eight bytes at once; in each of the three terms the lowest set high bit is exact, borrows only reach bytes above it.
char *FindSpecial(char *from) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  for (;; from += 8) {
    const uint64_t bytes = LoadEight(from);
    const uint64_t quote = bytes ^ (kOnes * '"'), backslash = bytes ^ (kOnes * '\\');
    const uint64_t hits =
        (((bytes - kOnes * 0x20) & ~bytes) | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash)) & kHighs;
    if (hits != 0) return from + (__builtin_ctzll(hits) >> 3);
  }
}

char *AppendUtf8(char *out, uint32_t code) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | (code >> 6));
    *out++ = tail(0);
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | (code >> 12));
    *out++ = tail(6);
    *out++ = tail(0);
  } else {
    *out++ = static_cast<char>(0xF0 | (code >> 18));
    *out++ = tail(12);
    *out++ = tail(6);
    *out++ = tail(0);
  }
  return out;
}

// What `\` and this letter mean, or NUL.
char SimpleEscape(char letter) {
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

Decoder::Decoder(char *text, size_t size, size_t columns, std::string_view label)
    : begin_(text), end_(text + size), at_(text), label_(label), keys_(columns) {
  for (size_t i = 0; i < columns; ++i) {
    const std::string key = "\"c" + std::to_string(i) + "\":";
    if (key.size() > sizeof(uint64_t)) continue;
    for (size_t at = key.size(); at-- > 0;) {
      keys_[i].bytes = keys_[i].bytes << 8 | static_cast<unsigned char>(key[at]);
      keys_[i].mask = keys_[i].mask << 8 | 0xFF;
    }
    keys_[i].size = static_cast<uint32_t>(key.size());
  }
}

void Decoder::Bad(const std::string &what) const {
  std::string place = "byte " + std::to_string(at_ - begin_);
  if (row_ > 0) place += " (row " + std::to_string(row_) + ", column " + std::to_string(column_ + 1) + ")";
  Fail(label_, "The JSON text is not as expected at " + place + ": " + what + ".");
}

void Decoder::BadSeparator() const {
  if (*at_ == ',' && column_ + 1 == keys_.size()) Bad("the row has too many columns");
  if (*at_ == '}' && column_ + 1 < keys_.size()) Bad("the row has too few columns");
  Bad("invalid value, or a comma or brace is missing");
}

size_t Decoder::Decode(std::vector<Cell> &cells) {
  if (end_ - at_ >= 3 && std::memcmp(at_, "\xEF\xBB\xBF", 3) == 0) at_ += 3;
  SkipBlanks();
  if (*at_ != '[') Bad("not an array");
  ++at_;
  SkipBlanks();
  if (*at_ == ']') {
    ++at_;
  } else {
    for (bool more = true; more; ++at_) {
      SkipBlanks();
      const char *start = at_;
      const size_t first = cells.size();
      cells.resize(first + keys_.size());
      ++row_;
      Row(cells.data() + first);
      // Rows of one table are of similar length.
      if (row_ == 1) cells.reserve(keys_.size() * (1 + (end_ - at_) / (at_ - start)));
      SkipBlanks();
      more = *at_ == ',';
      if (!more && *at_ != ']') Bad("a comma or bracket is missing after a row");
    }
  }
  SkipBlanks();
  if (at_ != end_) Bad("text after the end");
  return row_;
}

void Decoder::Row(Cell *cells) {
  column_ = 0;
  if (*at_ != '{') Bad("a row is not an object");
  ++at_;
  for (; column_ < keys_.size(); ++column_) {
    ReadKey(column_);
    char *terminator = Value(cells[column_]);
    SkipBlanks();
    if (*at_ != (column_ + 1 < keys_.size() ? ',' : '}')) BadSeparator();
    ++at_;
    *terminator = '\0';
  }
}

void Decoder::ReadKey(size_t column) {
  const Key &key = keys_[column];
  if (key.mask != 0 && (LoadEight(at_) & key.mask) == key.bytes) {
    at_ += key.size;
  } else {
    // The same key with blanks or escapes, which JSON allows and PostgREST does not use.
    SkipBlanks();
    if (*at_ != '"') Bad("a key is missing");
    Cell name;
    String(name);
    const std::string wanted = "c" + std::to_string(column);
    if (wanted != std::string_view(name.data, name.size)) Bad("the key is not \"" + wanted + "\"");
    SkipBlanks();
    if (*at_ != ':') Bad("a colon is missing");
    ++at_;
  }
  SkipBlanks();
}

char *Decoder::Value(Cell &cell) {
  char *const start = at_;
  switch (*at_) {
    case '"':
      cell.kind = Cell::Kind::kText;
      return String(cell);
    case 'n':
      Literal("null");
      return &unused_;
    case 't':
      Literal("true");
      cell = {"t", 1, Cell::Kind::kTrue};
      return &unused_;
    case 'f':
      Literal("false");
      cell = {"f", 1, Cell::Kind::kFalse};
      return &unused_;
    case '{':
    case '[':
      Nested();
      cell.kind = Cell::Kind::kJson;
      break;
    default:
      Number();
      cell.kind = Cell::Kind::kNumber;
  }
  cell.data = start;
  cell.size = static_cast<uint32_t>(at_ - start);
  return at_;
}

char *Decoder::String(Cell &cell) {
  char *const start = ++at_;
  at_ = FindSpecial(at_);
  char *const last = *at_ == '"' ? at_ : Unescape(at_);
  ++at_;
  cell.data = start;
  cell.size = static_cast<uint32_t>(last - start);
  return last;
}

// From the first escape of a string, whose text goes to `out`, to its closing quote. Returns the end of the text.
char *Decoder::Unescape(char *out) {
  while (*at_ != '"') {
    if (*at_ != '\\') Bad("a string is not closed or contains a control character");
    ++at_;
    if (*at_ == 'u') {
      const uint32_t code = CodePoint();
      if (code == 0) {
        throw Error(sqlstate::kInvalidText, "unsupported Unicode escape sequence",
                    "The remote server sent \\u0000, which cannot be converted to text.", {}, Context(label_));
      }
      out = AppendUtf8(out, code);
    } else {
      const char c = SimpleEscape(*at_);
      if (c == '\0') Bad("invalid escape in a string");
      *out++ = c;
      ++at_;
    }
    char *const run = at_;
    at_ = FindSpecial(at_);
    std::memmove(out, run, at_ - run);
    out += at_ - run;
  }
  return out;
}

// The code point of a `\u` escape or of a surrogate pair of them (RFC 8259 7), from the "u" on.
uint32_t Decoder::CodePoint() {
  const uint32_t code = HexDigits();
  if (code < 0xD800 || code > 0xDFFF) return code;
  if (code <= 0xDBFF && at_[0] == '\\' && at_[1] == 'u') {
    ++at_;
    const uint32_t low = HexDigits();
    if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  Bad("unpaired surrogate in a string");
}

// The four digits after the "u" at which it stands.
uint32_t Decoder::HexDigits() {
  uint32_t value = 0;
  for (int i = 1; i <= 4; ++i) {
    const char c = at_[i];
    if (IsDigit(c)) {
      value = value * 16 + (c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      value = value * 16 + ((c | 0x20) - 'a' + 10);
    } else {
      Bad("invalid \\u escape in a string");
    }
  }
  at_ += 5;
  return value;
}

// RFC 8259 6. What may follow is up to the caller.
void Decoder::Number() {
  constexpr char kInvalid[] = "invalid value";
  if (*at_ == '-') ++at_;
  if (*at_ == '0') {
    ++at_;
  } else {
    SkipDigits(kInvalid);
  }
  if (*at_ == '.') {
    ++at_;
    SkipDigits(kInvalid);
  }
  if (*at_ == 'e' || *at_ == 'E') {
    ++at_;
    if (*at_ == '+' || *at_ == '-') ++at_;
    SkipDigits(kInvalid);
  }
}

void Decoder::Literal(std::string_view word) {
  if (std::memcmp(at_, word.data(), word.size()) != 0) Bad("invalid value");
  at_ += word.size();
}

// Checks an object or array and leaves it as it is. The nesting is in open_, one bit a level, not on the stack.
void Decoder::Nested() {
  open_.clear();
  do {
    if (*at_ == '{' || *at_ == '[') {
      open_.push_back(*at_ == '{');
      ++at_;
      SkipBlanks();
      if (*at_ != (open_.back() ? '}' : ']')) {
        if (open_.back()) NestedKey();
        continue;
      }
    } else {
      NestedScalar();
      SkipBlanks();
    }
    // A value has ended, or the innermost container is empty.
    while (!open_.empty() && *at_ == (open_.back() ? '}' : ']')) {
      open_.pop_back();
      ++at_;
      if (!open_.empty()) SkipBlanks();
    }
    if (open_.empty()) return;
    if (*at_ != ',') Bad("invalid value, or a comma or brace is missing");
    ++at_;
    SkipBlanks();
    if (open_.back()) NestedKey();
  } while (true);
}

void Decoder::NestedScalar() {
  switch (*at_) {
    case '"':
      return SkipString();
    case 'n':
      return Literal("null");
    case 't':
      return Literal("true");
    case 'f':
      return Literal("false");
    default:
      return Number();
  }
}

void Decoder::NestedKey() {
  if (*at_ != '"') Bad("a key is missing");
  SkipString();
  SkipBlanks();
  if (*at_ != ':') Bad("a colon is missing");
  ++at_;
  SkipBlanks();
}

void Decoder::SkipString() {
  ++at_;
  while (*(at_ = FindSpecial(at_)) != '"') {
    if (*at_ != '\\') Bad("a string is not closed or contains a control character");
    ++at_;
    if (*at_ == 'u') {
      HexDigits();
    } else {
      if (SimpleEscape(*at_) == '\0') Bad("invalid escape in a string");
      ++at_;
    }
  }
  ++at_;
}

// "application/json" or one of PostgREST's own "application/vnd.pgrst.…+json", with any parameters.
bool IsJson(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t'))
    type.pop_back();
  for (char &c : type) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  constexpr std::string_view kVendor = "application/vnd.pgrst", kSuffix = "+json";
  if (type == "application/json") return true;
  return type.size() > kVendor.size() + kSuffix.size() && type.compare(0, kVendor.size(), kVendor) == 0 &&
         type.compare(type.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
}

void CheckEnvelope(const Response &response, std::string_view label) {
  if (response.status != 200 && response.status != 206) {
    Fail(label, "The status of a page of rows is " + std::to_string(response.status) + ", not 200 or 206.");
  }
  const std::string_view type = response.Header("content-type");
  if (!IsJson(type)) Fail(label, "The content type is \"" + CleanText(type, 100) + "\", not JSON.");
  if (response.body.size() > std::numeric_limits<uint32_t>::max() - kPadding) {
    throw Error(sqlstate::kProgramLimit, "response of the remote server is too large", {}, {}, Context(label));
  }
  if (!simdjson::validate_utf8(response.body.data(), response.body.size())) {
    Fail(label, "The text is not valid UTF-8.");
  }
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Page DecodePage(Response response, size_t columns, std::string_view label) {
  CheckEnvelope(response, label);
  Page page;
  const size_t size = response.body.size();
  page.text_ = std::move(response.body);
  // 16 bytes do not fit the buffer inside a std::string (15), so the text is on the heap and moves with its Page.
  page.text_.resize(size + kPadding, '\0');
  page.rows_ = Decoder(page.text_.data(), size, columns, label).Decode(page.cells_);
  page.columns_ = columns;
  return page;
}

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view range = text.substr(0, slash), total = text.substr(slash + 1);
  ContentRange result;
  if (range != "*") {
    const size_t dash = range.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    result.first = ParseNumber(range.substr(0, dash));
    result.last = ParseNumber(range.substr(dash + 1));
    if (!result.first || !result.last || *result.first > *result.last) return std::nullopt;
  }
  if (total != "*") {
    result.total = ParseNumber(total);
    if (!result.total) return std::nullopt;
  }
  return result;
}

}  // namespace supabase
