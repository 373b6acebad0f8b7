// DecodeJwt over arbitrary bytes, once as a token and once as the payload of one, against nlohmann/json's documents:
// what is accepted is of the strict grammar and has these claims. A failed property is a std::logic_error.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "error.hpp"
#include "jwt.hpp"

namespace {

using nlohmann::json;

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void Require(bool holds, const char *otherwise) {
  if (!holds) throw std::logic_error(otherwise);
}

std::string Encode(const std::string &bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6)
      text += kDigits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += kDigits[(bits << (6 - count)) & 63];
  return text;
}

void RequireText(const json &payload, const char *name, const std::string &claim) {
  const auto found = payload.find(name);
  const bool is_text = found != payload.end() && found->is_string();
  Require(claim == (is_text ? found->get<std::string>() : std::string()), "another text");
  Require(std::none_of(claim.begin(), claim.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20; }),
          "a control character");
}

void RequireTime(const json &payload, const char *name, const std::optional<int64_t> &claim) {
  const auto found = payload.find(name);
  Require((found != payload.end()) == claim.has_value(), "a time too much or missing");
  if (!claim) return;
  Require(found->is_number(), "a time that is no number");
  const auto value = found->get<double>();
  if (value > -6e10 && value < 2e11) Require(*claim <= value && *claim + 1 > value, "another time");
}

// The SQLSTATE, "" when accepted.
std::string Decode(const std::string &token, supabase::Claims &claims) {
  try {
    claims = supabase::DecodeJwt(token);
    return {};
  } catch (const supabase::Error &error) {
    return error.sqlstate();
  }
}

void CheckPayload(const std::string &payload) {
  supabase::Claims claims;
  const std::string sqlstate = Decode("eyJhbGciOiJub25lIn0." + Encode(payload) + ".c2ln", claims);
  Require(sqlstate.empty() || sqlstate == "22023", "an unexpected SQLSTATE");
  if (!sqlstate.empty()) return;
  Require(payload.find('\0') == std::string::npos, "accepted a NUL byte");
  const json document = json::parse(payload, nullptr, false);
  Require(document.is_object(), "accepted what is no JSON object");
  RequireText(document, "sub", claims.sub);
  RequireText(document, "role", claims.role);
  RequireText(document, "email", claims.email);
  RequireText(document, "iss", claims.iss);
  RequireText(document, "ref", claims.ref);
  RequireTime(document, "exp", claims.exp);
  RequireTime(document, "nbf", claims.nbf);
  RequireTime(document, "iat", claims.iat);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  supabase::Claims claims;
  const std::string sqlstate = Decode(text, claims);
  Require(sqlstate.empty() || sqlstate == "22023", "an unexpected SQLSTATE");
  if (sqlstate.empty()) {
    Require(std::count(text.begin(), text.end(), '.') == 2, "accepted other than three parts");
    Require(std::all_of(text.begin(), text.end(),
                        [](char c) {
                          return c != '\0' && std::strchr(".-_", c) != nullptr
                                     ? true
                                     : std::isalnum(static_cast<unsigned char>(c)) != 0;
                        }),
            "accepted a foreign character");
    Require(text.substr(0, 3) != "eyJ" || supabase::LooksLikeSecret("x " + text + "\n"),
            "a token in a text is not seen");
  }
  CheckPayload(text);
  const std::string_view stripped = supabase::StripBearer(text);
  Require(stripped.size() <= text.size(), "stripping makes it longer");
  supabase::ClassifyKey(text);
  supabase::LooksLikeSecret(text);
  return 0;
}
