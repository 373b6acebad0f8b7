#include "rows.hpp"

#include <simdjson.h>

#include <charconv>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "error.hpp"
#include "problem.hpp"

namespace supabase {

namespace {

namespace ondemand = simdjson::ondemand;

// A parser keeps 4 bytes (index) and 5/3 bytes (strings) for every byte of the largest text it has seen. The one that
// is kept for the life of the process does not see larger texts than this, so it stays below 8 MB * 17/3 = 46 MB.
constexpr size_t kMaxSharedParserBytes = size_t{8} << 20;

// Levels of objects and arrays within a value. Each is a call of CheckNested with 400 bytes of stack, 200 kB in all.
constexpr int kMaxNesting = 500;

constexpr size_t kMaxLabelBytes = 300;
constexpr char kInvalid[] = "invalid value";

std::string Context(std::string_view label) {
  return "remote request: " + std::string(label.substr(0, kMaxLabelBytes));
}

[[noreturn]] void Fail(std::string_view label, std::string detail) {
  throw Error(sqlstate::kProtocolViolation, "invalid response from the remote server", std::move(detail), {},
              Context(label));
}

// simdjson finds the tokens and checks UTF-8, strings and the structure; what a token other than a string says is
// checked here. Most values are already their own text: a NUL over the closing quote or over the separator that follows
// a number ends them, which simdjson does not see because it never goes back.
class Decoder {
 public:
  // The text is readable and writable up to SIMDJSON_PADDING bytes past its end, where it is NUL.
  Decoder(ondemand::parser &parser, char *text, size_t size, size_t columns, std::string_view label);
  // Appends the cells of every row and returns the number of rows.
  size_t Decode(std::vector<Cell> &cells);

 private:
  // `c<n>"`, as eight bytes and the mask of those that count. That is enough for 10^6 columns.
  struct Key {
    uint64_t bytes = 0, mask = 0;
    bool Is(ondemand::raw_json_string key) const {
      uint64_t found;
      std::memcpy(&found, key.raw(), sizeof found);
      return (found & mask) == bytes;
    }
  };

  void Rows(std::vector<Cell> &cells);
  void Row(ondemand::object &&object, std::vector<Cell> &cells);
  // Both return where the cell's NUL belongs. It may be where the next separator stands, so that has to be read first.
  char *Value(ondemand::value &value, Cell &cell);
  char *String(ondemand::value &value, std::string_view token, Cell &cell);
  void CheckKey(ondemand::field &field);
  void CheckNested(ondemand::value &value);

  const char *Location();
  [[noreturn]] void Bad(const char *what) { BadAt(Location(), what); }
  [[noreturn]] void BadAt(const char *at, const std::string &what) const;

  ondemand::parser &parser_;
  char *const begin_, *const end_;
  const std::string_view label_;
  std::vector<Key> keys_;
  ondemand::document document_;
  std::string unescaped_;
  size_t row_ = 0, column_ = 0;
  char unused_ = '\0';  // takes the NUL of cells whose text is not in the body
};

// A token without the blanks up to the next one, of which PostgREST writes few.
inline std::string_view Trim(std::string_view token) {
  if (static_cast<unsigned char>(token.back()) > ' ') return token;
  return token.substr(0, token.find_last_not_of(" \t\n\r") + 1);
}

const char *SkipDigits(const char *at) {
  while (*at >= '0' && *at <= '9')
    ++at;
  return at;
}

// RFC 8259 6. A byte that is no part of a number follows the token.
bool IsNumber(std::string_view token) {
  const char *at = token.data();
  if (*at == '-') ++at;
  const char *digits = at;
  at = *at == '0' ? at + 1 : SkipDigits(at);
  if (at == digits) return false;
  if (*at == '.') {
    digits = ++at;
    at = SkipDigits(at);
    if (at == digits) return false;
  }
  if (*at == 'e' || *at == 'E') {
    ++at;
    if (*at == '+' || *at == '-') ++at;
    digits = at;
    at = SkipDigits(at);
    if (at == digits) return false;
  }
  return at == token.data() + token.size();
}

Decoder::Decoder(ondemand::parser &parser, char *text, size_t size, size_t columns, std::string_view label)
    : parser_(parser), begin_(text), end_(text + size), label_(label), keys_(columns) {
  for (size_t i = 0; i < columns; ++i) {
    const std::string key = "c" + std::to_string(i) + '"';
    std::memcpy(&keys_[i].bytes, key.data(), key.size());
    std::memset(&keys_[i].mask, 0xFF, key.size());
  }
}

// The token that is next, or the last one read when simdjson has given up there.
const char *Decoder::Location() {
  const char *at = end_;
  return document_.current_location().get(at) == simdjson::SUCCESS ? at : end_;
}

void Decoder::BadAt(const char *at, const std::string &what) const {
  std::string place = "byte " + std::to_string(at - begin_);
  if (row_ > 0) place += " (row " + std::to_string(row_) + ", column " + std::to_string(column_ + 1) + ")";
  Fail(label_, "The JSON text is not as expected at " + place + ": " + what + ".");
}

size_t Decoder::Decode(std::vector<Cell> &cells) {
  const bool mark = std::string_view(begin_, end_ - begin_).substr(0, 3) == "\xEF\xBB\xBF";
  const simdjson::padded_string_view text(mark ? begin_ + 3 : begin_, end_ - begin_ - (mark ? 3 : 0),
                                          end_ - begin_ + simdjson::SIMDJSON_PADDING);
  const simdjson::error_code error = parser_.iterate(text).get(document_);
  if (error == simdjson::MEMALLOC) throw std::bad_alloc();
  if (error == simdjson::UTF8_ERROR) Fail(label_, "The text is not valid UTF-8.");
  if (error != simdjson::SUCCESS) {
    Fail(label_, "The JSON text is empty, or a string is not closed or contains a control character.");
  }
  try {
    Rows(cells);
  } catch (const simdjson::simdjson_error &) {
    Bad("invalid value, or a comma, colon or bracket is missing");
  }
  return row_;
}

// Here and in Row, take_value() gives a reference: a copy would be read back right after it was written in smaller
// parts, for which the processor has to wait.
void Decoder::Rows(std::vector<Cell> &cells) {
  for (auto item : document_.get_array()) {
    // Rows of one table are of similar length.
    if (row_ == 1) cells.reserve(keys_.size() * (2 + (end_ - begin_) / (Location() - begin_)));
    ++row_;
    Row(item.get_object().take_value(), cells);
  }
  if (Location() != end_) Bad("text after the end");
}

void Decoder::Row(ondemand::object &&object, std::vector<Cell> &cells) {
  char *terminator = &unused_;
  column_ = 0;
  for (auto result : object) {
    ondemand::field &&field = std::move(result).take_value();
    *terminator = '\0';
    if (column_ == keys_.size()) Bad("the row has too many columns");
    if (!keys_[column_].Is(field.key())) CheckKey(field);
    terminator = Value(field.value(), cells.emplace_back());
    ++column_;
  }
  *terminator = '\0';
  if (column_ < keys_.size()) Bad("the row has too few columns");
}

// JSON allows escapes in a key, PostgREST does not use them.
void Decoder::CheckKey(ondemand::field &field) {
  const std::string key = "c" + std::to_string(column_);
  if (field.unescaped_key().value() != key) Bad("the key is not that of the column");
}

char *Decoder::Value(ondemand::value &value, Cell &cell) {
  std::string_view token = Trim(value.raw_json_token());
  switch (token.front()) {
    case '"':
      cell.kind = Cell::Kind::kText;
      return String(value, token, cell);
    case '{':
    case '[':
      CheckNested(value);
      token = Trim(std::string_view(token.data(), Location() - token.data()));
      cell.kind = Cell::Kind::kJson;
      break;
    case 'n':
      if (token != "null") BadAt(token.data(), kInvalid);
      return &unused_;
    case 't':
      if (token != "true") BadAt(token.data(), kInvalid);
      cell = {"t", 1, Cell::Kind::kTrue};
      return &unused_;
    case 'f':
      if (token != "false") BadAt(token.data(), kInvalid);
      cell = {"f", 1, Cell::Kind::kFalse};
      return &unused_;
    default:
      if (!IsNumber(token)) BadAt(token.data(), kInvalid);
      cell.kind = Cell::Kind::kNumber;
  }
  cell.data = token.data();
  cell.size = static_cast<uint32_t>(token.size());
  return begin_ + (token.data() + token.size() - begin_);
}

char *Decoder::String(ondemand::value &value, std::string_view token, Cell &cell) {
  const ondemand::raw_json_string raw = value.get_raw_json_string();
  char *const text = begin_ + (raw.raw() - begin_);
  size_t size = token.size() - 2;
  if (std::memchr(text, '\\', size) != nullptr) {
    // Not in place: simdjson writes up to SIMDJSON_PADDING bytes past the end.
    if (unescaped_.size() < size + simdjson::SIMDJSON_PADDING) unescaped_.resize(size + simdjson::SIMDJSON_PADDING);
    auto *end = reinterpret_cast<uint8_t *>(unescaped_.data());
    std::string_view unescaped;
    if (parser_.unescape(raw, end).get(unescaped) != simdjson::SUCCESS) {
      BadAt(token.data(), "invalid escape or unpaired surrogate in a string");
    }
    if (unescaped.find('\0') != std::string_view::npos) {
      throw Error(sqlstate::kInvalidText, "unsupported Unicode escape sequence",
                  "The remote server sent \\u0000, which cannot be converted to text.", {}, Context(label_));
    }
    size = unescaped.copy(text, size);
  }
  cell.data = text;
  cell.size = static_cast<uint32_t>(size);
  return text + size;
}

// Reads an object or array to its end. Escapes in its strings are left to the type that reads its text.
void Decoder::CheckNested(ondemand::value &value) {
  const auto check = [this](ondemand::value &item) {
    const std::string_view token = Trim(item.raw_json_token());
    if (token.front() == '{' || token.front() == '[') {
      CheckNested(item);
    } else if (token.front() == '"') {
      (void)item.get_raw_json_string().value();
    } else if (token != "null" && token != "true" && token != "false" && !IsNumber(token)) {
      BadAt(token.data(), kInvalid);
    }
  };
  constexpr int kRowDepth = 2;
  if (document_.current_depth() > kRowDepth + kMaxNesting) {
    throw Error(sqlstate::kProgramLimit, "value from the remote server is nested too deeply",
                "Objects and arrays may have " + std::to_string(kMaxNesting) + " levels.", {}, Context(label_));
  }
  if (value.type() == ondemand::json_type::array) {
    for (ondemand::value item : value.get_array())
      check(item);
  } else {
    for (ondemand::field field : value.get_object())
      check(field.value());
  }
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
  if (response.body.size() > std::numeric_limits<uint32_t>::max() - simdjson::SIMDJSON_PADDING) {
    throw Error(sqlstate::kProgramLimit, "response of the remote server is too large", {}, {}, Context(label));
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
  // The padding does not fit the buffer inside a std::string (15), so the text is on the heap and moves with its Page.
  page.text_.resize(size + simdjson::SIMDJSON_PADDING, '\0');
  static auto *const shared_parser = new ondemand::parser;  // never freed: it lives as long as the process
  ondemand::parser own_parser;
  ondemand::parser &parser = size <= kMaxSharedParserBytes ? *shared_parser : own_parser;
  page.rows_ = Decoder(parser, page.text_.data(), size, columns, label).Decode(page.cells_);
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
