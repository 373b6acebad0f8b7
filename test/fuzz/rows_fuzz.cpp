// DecodePage over arbitrary bytes, against nlohmann/json: the same texts are accepted and they mean the same. The two
// differ by intention in this only:
//   a \u0000 in a column's own string is refused here, because no PostgreSQL text can hold it;
//   escapes inside an object or array are left to the type that reads the text, simdjson has only found the end of the
//   string;
//   an object or array with more than 500 levels is refused here;
//   a number too large for a double is accepted here, numbers are text;
//   a NUL byte is refused here, nlohmann/json takes it for the end.
// A disagreement is a std::logic_error, which ends the fuzzer and fails a unit test.

#include <nlohmann/json.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "error.hpp"
#include "rows.hpp"

namespace {

using nlohmann::json;
using supabase::Cell;

constexpr size_t kColumns = 3;
constexpr int kMaxDepth = 2 + 500;  // the array of rows, the row, and the levels of a value

// Whether a text is an array of objects with the keys c0, c1, c2 in this order, which a DOM could not tell.
class Shape : public json::json_sax_t {
 public:
  bool exact = true;       // the shape is right, so far
  bool has_nul = false;    // a column's own string contains U+0000
  bool deep = false;       // too many levels
  bool tolerated = false;  // refused for one of the reasons above

  bool null() override { return Scalar(); }
  bool boolean(bool) override { return Scalar(); }
  bool number_integer(number_integer_t) override { return Scalar(); }
  bool number_unsigned(number_unsigned_t) override { return Scalar(); }
  bool number_float(number_float_t, const string_t &) override { return Scalar(); }
  bool binary(binary_t &) override { return Scalar(); }
  bool string(string_t &text) override {
    if (depth_ == 2 && text.find('\0') != string_t::npos) has_nul = true;
    return Scalar();
  }
  bool start_object(std::size_t) override {
    if (depth_ == 0) exact = false;
    if (++depth_ == 2) keys_ = 0;
    deep = deep || depth_ > kMaxDepth;
    return true;
  }
  bool key(string_t &name) override {
    if (depth_ == 2 && name != "c" + std::to_string(keys_++)) exact = false;
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2 && keys_ != kColumns) exact = false;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 1) exact = false;
    deep = deep || ++depth_ > kMaxDepth;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string &, const json::exception &error) override {
    const std::string what = error.what();
    const bool escape = what.find("surrogate") != std::string::npos || what.find("backslash") != std::string::npos ||
                        what.find("hex digits") != std::string::npos;
    tolerated = error.id == 406 || (escape && depth_ > 2);
    return false;
  }

 private:
  bool Scalar() {
    if (depth_ < 2) exact = false;
    return true;
  }

  int depth_ = 0;
  size_t keys_ = 0;
};

void Require(bool condition, const char *what) {
  if (!condition) throw std::logic_error(what);
}

bool Same(const Cell &cell, const json &value) {
  if (cell.kind == Cell::Kind::kNull) return value.is_null() && cell.data == nullptr;
  const std::string text(cell.data, cell.size);
  Require(cell.data[cell.size] == '\0', "a cell is not terminated");
  switch (cell.kind) {
    case Cell::Kind::kText:
      return value.is_string() && value.get_ref<const std::string &>() == text;
    case Cell::Kind::kNumber:
      return value.is_number() && json::parse(text) == value;
    case Cell::Kind::kTrue:
      return value == json(true) && text == "t";
    case Cell::Kind::kFalse:
      return value == json(false) && text == "f";
    default:
      return value.is_structured() && json::parse(text) == value && (text.back() == '}' || text.back() == ']');
  }
}

void RequireSameValues(const supabase::Page &page, const json &rows) {
  Require(page.columns() == kColumns && page.rows() == rows.size(), "another number of rows");
  for (size_t row = 0; row < page.rows(); ++row) {
    for (size_t column = 0; column < kColumns; ++column) {
      Require(Same(page.Row(row)[column], rows[row]["c" + std::to_string(column)]), "another value");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  supabase::Response response;
  response.status = 200;
  response.headers = {{"content-type", "application/json"}};
  response.body = text;

  supabase::Page page;
  std::string sqlstate;
  try {
    page = supabase::DecodePage(std::move(response), kColumns, "GET /t");
  } catch (const supabase::Error &error) {
    sqlstate = error.sqlstate();
    Require(sqlstate == "08P01" || sqlstate == "22P05" || sqlstate == "54000", "an unexpected SQLSTATE");
  }
  const bool accepted = sqlstate.empty();
  if (text.find('\0') != std::string::npos) {
    Require(!accepted, "accepted a NUL byte");
    return 0;
  }
  Shape shape;
  if (!json::sax_parse(text, &shape)) {
    Require(!accepted || shape.tolerated, "accepted what is not JSON");
  } else if (!shape.exact) {
    Require(!accepted, "accepted another shape");
  } else if (shape.deep) {
    Require(sqlstate == "54000" || (shape.has_nul && sqlstate == "22P05"), "did not refuse too many levels");
  } else if (shape.has_nul) {
    Require(sqlstate == "22P05", "did not refuse U+0000");
  } else {
    Require(accepted, "refused a good page");
    RequireSameValues(page, json::parse(text));
  }
  return 0;
}
