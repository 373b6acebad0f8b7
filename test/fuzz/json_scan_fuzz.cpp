// JsonScanner over arbitrary bytes, against nlohmann/json: what the scanner takes is JSON and means the same, and what
// nlohmann/json writes in the plain form is taken. A disagreement is a std::logic_error.

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "json_scan.hpp"

namespace {

using nlohmann::json;
using supabase::JsonScanner;
using supabase::JsonToken;

std::string Plain(const JsonToken &token) {
  std::string text(token.text);
  if (token.escaped) text.resize(supabase::UnescapeJson(token.text, text.data()));
  return text;
}

json Build(JsonScanner &scanner, const JsonToken &token) {
  switch (token.kind) {
    case JsonToken::Kind::kBeginObject: {
      json object = json::object();
      for (JsonToken next = scanner.Next(); next.kind == JsonToken::Kind::kKey; next = scanner.Next())
        object[Plain(next)] = Build(scanner, scanner.Next());
      return object;
    }
    case JsonToken::Kind::kBeginArray: {
      json array = json::array();
      for (JsonToken next = scanner.Next(); next.kind < JsonToken::Kind::kEnd; next = scanner.Next()) {
        if (next.kind == JsonToken::Kind::kEndArray) break;
        array.push_back(Build(scanner, next));
      }
      return array;
    }
    case JsonToken::Kind::kString:
      return Plain(token);
    case JsonToken::Kind::kNumber:
      return json::parse(token.text);
    case JsonToken::Kind::kTrue:
      return true;
    case JsonToken::Kind::kFalse:
      return false;
    default:
      return nullptr;
  }
}

bool Takes(const std::string &text) {
  JsonScanner scanner(text);
  JsonToken token = scanner.Next();
  while (token.kind != JsonToken::Kind::kEnd && token.kind != JsonToken::Kind::kOther)
    token = scanner.Next();
  return token.kind == JsonToken::Kind::kEnd;
}

// Whether the value's text is of the plain form.
bool IsPlain(const json &value, int levels) {
  if (value.is_string()) return value.get_ref<const std::string &>().find('\0') == std::string::npos;
  if (value.is_number_float()) return false;
  if (!value.is_structured()) return true;
  if (levels == 0) return false;
  for (const auto &[key, item] : value.items())
    if (!IsPlain(item, levels - 1) || (value.is_object() && key.find('\0') != std::string::npos)) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Exactly that long, so that a step too far is seen.
  const std::unique_ptr<char[]> bytes(new char[size]);
  std::copy(data, data + size, bytes.get());
  const std::string text(bytes.get(), size);
  JsonScanner scanner({bytes.get(), size});
  for (JsonToken token = scanner.Next(); token.kind < JsonToken::Kind::kEnd; token = scanner.Next())
    (void)Plain(token);

  const bool takes = Takes(text);
  json parsed;
  try {
    parsed = json::parse(text);
  } catch (const json::parse_error &error) {
    // Bytes above 0x7F were looked at by whoever received them.
    const bool utf8 = std::string(error.what()).find("UTF-8") != std::string::npos;
    if (takes && !utf8) throw std::logic_error(std::string("the scanner takes what is no JSON: ") + error.what());
    return 0;
  } catch (const json::out_of_range &) {
    return 0;  // a number above all doubles
  }
  if (takes) {
    JsonScanner again(text);
    if (Build(again, again.Next()) != parsed) throw std::logic_error("another value");
  }
  constexpr int kLevels = 64;
  if (IsPlain(parsed, kLevels) && !Takes(parsed.dump())) throw std::logic_error("plain text is not taken");
  return 0;
}
