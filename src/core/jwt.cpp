#include "jwt.hpp"

#include <ctime>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "error.hpp"

namespace supabase {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 16;
// 9999-12-31 23:59:59 and 0000-01-01 00:00:00: what a date can print, and far from the ends of int64_t, so that a
// caller may add a skew.
constexpr int64_t kLatestTime = 253402300799;
constexpr int64_t kEarliestTime = -62167219200;

[[noreturn]] void Refuse(const char *detail, const char *hint = "") {
  throw Error(sqlstate::kInvalidParameterValue, "invalid JSON Web Token", detail, hint);
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool IsControl(char c) {
  return static_cast<uint8_t>(c) < 0x20 || c == 0x7F;
}

// The value of a base64url digit (RFC 4648 section 5), or -1.
int DigitValue(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

bool IsBase64Url(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return DigitValue(c) >= 0; });
}

// Without padding, and with the one spelling that a text of bytes has (RFC 4648 3.5): unused bits are zero.
std::optional<std::string> DecodeBase64Url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = DigitValue(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count);
    bits &= (1U << count) - 1;
  }
  if (bits != 0) return std::nullopt;
  return bytes;
}

struct Segments {
  std::string_view header, payload, signature;
};

std::optional<Segments> Split(std::string_view token) {
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  const Segments parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
  if (parts.header.empty() || parts.payload.empty() || parts.signature.empty()) return std::nullopt;
  return parts;
}

// Reads one JSON object. Events instead of a document: a document keeps the last of two equal keys and so hides that
// two readers may see different claims, and its depth is the sender's choice. `complaint` says why reading stopped.
class ClaimReader : public nlohmann::json_sax<Json> {
 public:
  explicit ClaimReader(Claims *claims) : claims_(claims) {}
  const char *complaint() const { return complaint_; }

  bool null() override { return Other(); }
  bool boolean(bool) override { return Other(); }
  bool number_integer(number_integer_t value) override { return Time(static_cast<long double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Time(static_cast<long double>(value)); }
  bool number_float(number_float_t value, const string_t &) override { return Time(value); }
  bool binary(binary_t &) override { return Other(); }
  bool string(string_t &value) override;
  bool start_object(std::size_t) override { return Enter(); }
  bool start_array(std::size_t) override { return depth_ == 0 ? Stop("A part is not a JSON object.") : Enter(); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  bool key(string_t &name) override;
  bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override {
    return Stop("A part is not a valid JSON object.");
  }

 private:
  bool Stop(const char *why) {
    complaint_ = why;
    return false;
  }
  bool Leave() {
    --depth_;
    return true;
  }
  bool Enter();
  bool Other();
  bool Time(long double value);

  // The members of Claims for the claim whose value comes next, or null.
  std::optional<int64_t> *TimeClaim() const;
  std::string *TextClaim() const;

  Claims *claims_;
  size_t depth_ = 0;
  std::string key_;
  std::unordered_set<std::string> keys_;
  const char *complaint_ = "A part is not a valid JSON object.";
};

bool ClaimReader::key(string_t &name) {
  if (depth_ != 1) return true;
  if (!keys_.insert(name).second) return Stop("A claim occurs twice.");
  key_ = name;
  return true;
}

bool ClaimReader::Enter() {
  if (depth_ == 1 && TimeClaim() != nullptr) return Other();
  if (depth_ == kMaxDepth) return Stop("A part is nested more than 16 levels deep.");
  ++depth_;
  return true;
}

// A value that no claim above can have. Strings are optional information; a time decides what happens.
bool ClaimReader::Other() {
  if (depth_ == 0) return Stop("A part is not a JSON object.");
  if (depth_ == 1 && TimeClaim() != nullptr) return Stop("The claims \"exp\", \"nbf\" and \"iat\" must be numbers.");
  return true;
}

bool ClaimReader::Time(long double value) {
  if (depth_ == 0) return Other();
  std::optional<int64_t> *claim = depth_ == 1 ? TimeClaim() : nullptr;
  if (claim == nullptr) return true;
  *claim = static_cast<int64_t>(
      std::clamp(std::floor(value), static_cast<long double>(kEarliestTime), static_cast<long double>(kLatestTime)));
  return true;
}

bool ClaimReader::string(string_t &value) {
  std::string *claim = depth_ == 1 ? TextClaim() : nullptr;
  if (claim == nullptr) return Other();
  if (std::any_of(value.begin(), value.end(), IsControl)) return Stop("A claim contains a control character.");
  *claim = value;
  return true;
}

std::optional<int64_t> *ClaimReader::TimeClaim() const {
  if (key_ == "exp") return &claims_->exp;
  if (key_ == "nbf") return &claims_->nbf;
  return key_ == "iat" ? &claims_->iat : nullptr;
}

std::string *ClaimReader::TextClaim() const {
  if (key_ == "sub") return &claims_->sub;
  if (key_ == "role") return &claims_->role;
  if (key_ == "email") return &claims_->email;
  if (key_ == "iss") return &claims_->iss;
  return key_ == "ref" ? &claims_->ref : nullptr;
}

Claims ReadObject(const std::string &json) {
  Claims claims;
  ClaimReader reader(&claims);
  // The parser takes a NUL byte for the end of the text, and another reader might not.
  if (json.find('\0') != std::string::npos) Refuse("A part is not a valid JSON object.");
  if (!Json::sax_parse(json.begin(), json.end(), &reader)) Refuse(reader.complaint());
  return claims;
}

// What to do with a key that was given where a token belongs.
const char *HintFor(std::string_view text) {
  if (StartsWith(text, "sb_publishable_") || StartsWith(text, "sb_secret_")) {
    return "This is an API key. It belongs into the user mapping option \"api_key\"; here goes the access token of a "
           "signed-in user.";
  }
  if (StartsWith(text, "sbp_")) {
    return "This is a personal access token. It belongs into the user mapping option \"access_token\" of a management "
           "server; here goes the access token of a signed-in user.";
  }
  return "";
}

bool IsKeyChar(char c) {
  return DigitValue(c) >= 0;
}

// How many bytes of a key's alphabet `text` starts with.
size_t KeyRun(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsKeyChar) - text.begin());
}

struct KeyPrefix {
  std::string_view text;
  size_t min_rest;
};
constexpr std::array<KeyPrefix, 3> kSecretPrefixes{{{"sb_secret_", 1}, {"sbp_", 20}, {"sba_", 20}}};

}  // namespace

Claims DecodeJwt(std::string_view token) {
  const char *hint = HintFor(token);
  if (*hint != '\0') Refuse("The text is not a token.", hint);
  if (token.size() > kMaxTokenBytes) Refuse("The token is longer than 8192 bytes.");
  const auto parts = Split(token);
  if (!parts) Refuse("A token has three parts separated by dots: header, payload and signature.");
  const auto header = DecodeBase64Url(parts->header);
  const auto payload = DecodeBase64Url(parts->payload);
  if (!header || !payload || !DecodeBase64Url(parts->signature)) Refuse("A part is not valid base64url.");
  ReadObject(*header);
  return ReadObject(*payload);
}

int64_t ExpiryMemo::ExpiresAt(std::string_view token) {
  if (!token_.empty() && token_.Reveal() == token) return expires_at_;
  Forget();
  expires_at_ = DecodeJwt(token).exp.value_or(0);
  token_ = Secret(token);
  return expires_at_;
}

std::string_view StripBearer(std::string_view text) {
  const auto trim = [](std::string_view blank) {
    while (!blank.empty() && IsBlank(blank.front()))
      blank.remove_prefix(1);
    while (!blank.empty() && IsBlank(blank.back()))
      blank.remove_suffix(1);
    return blank;
  };
  text = trim(text);
  static constexpr std::string_view kScheme = "bearer";
  if (text.size() <= kScheme.size() || !IsBlank(text[kScheme.size()])) return text;
  const bool is_scheme = std::equal(kScheme.begin(), kScheme.end(), text.begin(), [](char small, char c) {
    return small == c || (c >= 'A' && c <= 'Z' && small == static_cast<char>(c - 'A' + 'a'));
  });
  return is_scheme ? trim(text.substr(kScheme.size())) : text;
}

KeyKind ClassifyKey(std::string_view key) {
  if (StartsWith(key, "sb_publishable_")) return KeyKind::kPublishable;
  if (StartsWith(key, "sb_secret_")) return KeyKind::kSecret;
  const auto parts = Split(key);
  const bool is_jwt = parts && StartsWith(key, "eyJ") && IsBase64Url(parts->header) && IsBase64Url(parts->payload) &&
                      IsBase64Url(parts->signature);
  return is_jwt ? KeyKind::kJwt : KeyKind::kOther;
}

bool LooksLikeSecret(std::string_view text) {
  // Run by run of a key's alphabet, so that the work stays linear.
  while (!text.empty()) {
    const std::string_view run = text.substr(0, KeyRun(text));
    for (const KeyPrefix &prefix : kSecretPrefixes) {
      const size_t at = run.find(prefix.text);
      if (at != std::string_view::npos && run.size() - at - prefix.text.size() >= prefix.min_rest) return true;
    }
    text.remove_prefix(run.size());
    if (text.empty()) return false;
    const bool is_dot = text.front() == '.';
    text.remove_prefix(1);
    // "eyJ" is how every JSON object begins in base64. The signature may be cut.
    if (!is_dot || run.find("eyJ") == std::string_view::npos) continue;
    const size_t payload = KeyRun(text);
    if (payload > 0 && text.substr(payload, 1) == ".") return true;
  }
  return false;
}

static std::string ExpiredSince(int64_t expires_at) {
  std::tm parts{};
  std::time_t const when = expires_at;
  char text[32] = "";
  if (gmtime_r(&when, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return std::string("It expired at ") + text + ".";
}

static bool Expired(int64_t expires_at, int64_t now) {
  return expires_at != 0 && now > expires_at + kClockSkew;
}

void CheckNotExpired(int64_t expires_at, int64_t now) {
  if (!Expired(expires_at, now)) return;
  throw Error(sqlstate::kInvalidAuthorization, "the user's token has expired", ExpiredSince(expires_at),
              "Get a new token and call supabase_set_auth with it.");
}

void CheckMappingNotExpired(int64_t expires_at, int64_t now) {
  if (!Expired(expires_at, now)) return;
  throw Error(sqlstate::kInvalidAuthorization, "the token in the user mapping has expired", ExpiredSince(expires_at),
              "Set a new one with ALTER USER MAPPING ... OPTIONS (SET jwt '...').");
}

}  // namespace supabase
