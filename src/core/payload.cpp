#include "payload.hpp"

#include <utility>

namespace supabase {

namespace {

bool NeedsEscape(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

}  // namespace

void AppendJsonString(std::string &out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t plain = 0;  // where the part that has not been copied begins
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!NeedsEscape(c)) continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

Payload::Payload(const std::vector<std::string> &columns) {
  for (const std::string &column : columns) {
    std::string key = keys_.empty() ? "" : ",";
    AppendJsonString(key, column);
    keys_.push_back(std::move(key += ':'));
  }
}

void Payload::Append(std::string &out, const PayloadValue *values) const {
  out += '{';
  for (size_t i = 0; i < keys_.size(); ++i) {
    out += keys_[i];
    switch (values[i].kind) {
      case PayloadValue::Kind::kNull:
        out += "null";
        break;
      case PayloadValue::Kind::kText:
        AppendJsonString(out, {values[i].data, values[i].size});
        break;
      case PayloadValue::Kind::kJson:
        out.append(values[i].data, values[i].size);
        break;
    }
  }
  out += '}';
}

void Payload::AddRow(const PayloadValue *values) {
  body_ += rows_ == 0 ? '[' : ',';
  Append(body_, values);
  ++rows_;
}

std::string Payload::Take() {
  if (rows_ == 0) body_ += '[';
  body_ += ']';
  rows_ = 0;
  return std::exchange(body_, {});
}

std::string Payload::Object(const PayloadValue *values) const {
  std::string object;
  Append(object, values);
  return object;
}

}  // namespace supabase
