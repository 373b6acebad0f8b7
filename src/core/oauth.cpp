#include "oauth.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "auth_api.hpp"
#include "crypto.hpp"
#include "error.hpp"
#include "url.hpp"

namespace supabase {

namespace {

// version (1 byte) | number of the key (4, big-endian) | random (16) | digest of the instance (8) | expiry (8) |
// return_to | HMAC-SHA-256 of what is before it (32); all in base64url.
constexpr char kStateVersion = 1;
constexpr char kStatePurpose[] = "supabase_fdw OAuth state";
constexpr size_t kRandomBytes = 16;
constexpr size_t kInstanceBytes = 8;
constexpr size_t kMacBytes = 32;
constexpr size_t kFixedBytes = 1 + 4 + kRandomBytes + kInstanceBytes + 8;
// What the API takes of redirect_uri and state together.
constexpr size_t kMaxUriAndState = 4096;
constexpr size_t kVerifierBytes = 32;  // RFC 7636, 4.1

std::string BigEndian(uint64_t number, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    text += static_cast<char>(number >> shift);
  return text;
}

uint64_t FromBigEndian(std::string_view text) {
  uint64_t number = 0;
  for (char const c : text)
    number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string InstanceDigest(std::string_view instance) {
  return Sha256(instance).substr(0, kInstanceBytes);
}

[[noreturn]] void RefuseState(const char *detail) {
  throw Error(sqlstate::kInvalidAuthorization, "state is not valid", detail,
              "Begin again: supabase_oauth_authorize_url.");
}

[[noreturn]] void RefuseAddress(const char *name, const char *detail) {
  throw Error(sqlstate::kInvalidParameterValue, std::string("invalid ") + name, detail);
}

// A comparison whose time tells nothing of where two texts differ.
bool SameText(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

bool IsVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// An absolute http or https address. Browsers read a backslash as a slash.
void CheckAddress(const char *name, std::string_view text) {
  if (!IsVisible(text) || text.find_first_of("\\\"<>") != std::string_view::npos) {
    RefuseAddress(name, "It has a character that an address may have only percent-encoded.");
  }
  size_t const slashes = text.find("://");
  size_t const end = slashes == std::string_view::npos ? slashes : text.find_first_of("/?#", slashes + 3);
  if (slashes == std::string_view::npos) RefuseAddress(name, "It is not an absolute http or https address.");
  BaseUrl const base = ParseBaseUrl(name, text.substr(0, end));
  if (base.scheme != "https" && !base.IsLoopback()) RefuseAddress(name, "http is for addresses of this machine only.");
}

// Percent-encoded, in memory that is wiped.
void AppendEncoded(std::string_view text, char **out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      *(*out)++ = c;
      continue;
    }
    *(*out)++ = '%';
    *(*out)++ = kHex[byte >> 4];
    *(*out)++ = kHex[byte & 15];
  }
}

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// application/x-www-form-urlencoded. Names are plain.
Secret MakeForm(Fields fields) {
  size_t size = 0;
  for (const auto &[name, value] : fields)
    size += name.size() + 2 + 3 * value.size();
  Secret text;
  char *out = text.Allocate(size);
  const char *start = out;
  for (const auto &[name, value] : fields) {
    if (out != start) *out++ = '&';
    out = std::copy(name.begin(), name.end(), out);
    *out++ = '=';
    AppendEncoded(value, &out);
  }
  return Secret(text.Reveal().substr(0, static_cast<size_t>(out - start)));
}

Secret BasicAuthorization(const OAuthClient &client) {
  Secret text;
  char *out = text.Allocate(3 * (client.id.size() + client.secret.Reveal().size()) + 1);
  const char *start = out;
  AppendEncoded(client.id, &out);
  *out++ = ':';
  AppendEncoded(client.secret.Reveal(), &out);
  Secret const encoded = EncodeBase64(text.Reveal().substr(0, static_cast<size_t>(out - start)));
  return Secret::Join("Basic ", encoded.Reveal());
}

void FillToken(const OAuthClient &client, Fields fields, Request *request) {
  FillPost("/v1/oauth/token", "application/x-www-form-urlencoded", MakeForm(fields), request);
  request->secret_headers.emplace_back("Authorization", BasicAuthorization(client));
}

}  // namespace

std::string MakeState(const Keyring &keyring, std::string_view instance, const OAuthState &content) {
  std::string text(1, kStateVersion);
  text += BigEndian(keyring.active(), 4);
  text += RandomBytes(kRandomBytes);
  text += InstanceDigest(instance);
  text += BigEndian(static_cast<uint64_t>(content.expires_at), 8);
  text += content.return_to;
  return EncodeBase64Url(text + keyring.Mac(keyring.active(), kStatePurpose, text));
}

OAuthState ReadState(const Keyring &keyring, std::string_view instance, std::string_view state, int64_t now) {
  std::string bytes;
  if (!DecodeBase64Url(state, &bytes) || bytes.size() < kFixedBytes + kMacBytes || bytes[0] != kStateVersion) {
    RefuseState("It was not made by supabase_oauth_authorize_url.");
  }
  std::string_view const text = std::string_view(bytes).substr(0, bytes.size() - kMacBytes);
  std::string const mac = keyring.Mac(static_cast<uint32_t>(FromBigEndian(text.substr(1, 4))), kStatePurpose, text);
  if (mac.empty() || !SameText(mac, std::string_view(bytes).substr(text.size()))) {
    RefuseState("It was changed, or made by another installation.");
  }
  if (text.substr(5 + kRandomBytes, kInstanceBytes) != InstanceDigest(instance)) {
    RefuseState("The authorization was begun in another database.");
  }
  OAuthState content;
  content.expires_at = static_cast<int64_t>(FromBigEndian(text.substr(kFixedBytes - 8, 8)));
  content.return_to = text.substr(kFixedBytes);
  if (now >= content.expires_at) RefuseState("Its time is over.");
  return content;
}

std::string StateName(std::string_view state) {
  return Hex(Sha256(state)).substr(0, 32);
}

Secret MakeVerifier() {
  return Secret(EncodeBase64Url(RandomSecret(kVerifierBytes).Reveal()));
}

std::string ChallengeOf(const Secret &verifier) {
  return EncodeBase64Url(Sha256(verifier.Reveal()));
}

std::string MakeAuthorizeUrl(const AuthorizeUrl &url) {
  if (url.redirect_uri.size() + url.state.size() > kMaxUriAndState) {
    throw Error(sqlstate::kInvalidParameterValue, "return_to is too long",
                "redirect_uri and state have " + std::to_string(url.redirect_uri.size() + url.state.size()) +
                    " bytes, of which " + std::to_string(kMaxUriAndState) + " are allowed.");
  }
  std::string text = std::string(url.base) + "/v1/oauth/authorize?response_type=code";
  const auto append = [&text](const char *name, std::string_view value) {
    text.append("&").append(name).append("=").append(PercentEncode(value));
  };
  append("client_id", url.client_id);
  append("redirect_uri", url.redirect_uri);
  append("state", url.state);
  append("code_challenge", url.challenge);
  append("code_challenge_method", "S256");
  if (!url.organization_slug.empty()) append("organization_slug", url.organization_slug);
  return text;
}

void CheckRedirectUri(std::string_view text) {
  CheckAddress("redirect_uri", text);
  if (text.find('#') != std::string_view::npos) RefuseAddress("redirect_uri", "It must not have a fragment.");
}

void CheckReturnTo(std::string_view text) {
  if (text.empty() || text.front() != '/') return CheckAddress("return_to", text);
  // "//host" is an address, too.
  bool const other_host = text.size() > 1 && (text[1] == '/' || text[1] == '\\');
  if (other_host || !IsVisible(text) || text.find_first_of("\\\"<>") != std::string_view::npos) {
    RefuseAddress("return_to", "It is neither a plain path nor an absolute http or https address.");
  }
}

void CheckClientId(std::string_view text) {
  if (text.empty() || !IsVisible(text) || text.find(':') != std::string_view::npos) {
    RefuseAddress("client_id", "It is empty, or has a blank, a colon or a character that is no visible ASCII.");
  }
}

void FillCodeGrant(const OAuthClient &client, const Secret &code, std::string_view redirect_uri, const Secret &verifier,
                   Request *request) {
  FillToken(client,
            {{"grant_type", "authorization_code"},
             {"code", code.Reveal()},
             {"redirect_uri", redirect_uri},
             {"code_verifier", verifier.Reveal()}},
            request);
}

void FillOAuthRefresh(const OAuthClient &client, const Secret &refresh_token, Request *request) {
  FillToken(client, {{"grant_type", "refresh_token"}, {"refresh_token", refresh_token.Reveal()}}, request);
}

void FillOAuthRevoke(const OAuthClient &client, const Secret &refresh_token, Request *request) {
  FillPost("/v1/oauth/revoke", "application/json",
           MakeSecretObject({{"client_id", client.id},
                             {"client_secret", client.secret.Reveal()},
                             {"refresh_token", refresh_token.Reveal()}}),
           request);
}

}  // namespace supabase
