#include "url.hpp"

#include "seeded.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "error.hpp"

namespace supabase {

namespace {

// The longest base address taken: with kMaxTargetBytes (7000) behind it a URL stays under 8000 bytes.
constexpr size_t kMaxBaseBytes = 512;
// RFC 1035 2.3.4.
constexpr size_t kMaxHostBytes = 253;
constexpr size_t kMaxLabelBytes = 63;

// Character classes of ASCII, whatever the locale says.
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsUnreserved(char c) {
  return IsDigit(c) || IsLower(c) || IsUpper(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char &c : lower) {
    if (IsUpper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// The value itself is never shown: it may hold a password or bytes that no terminal should see.
[[noreturn]] void Refuse(std::string_view option, const char *reason) {
  throw Error(sqlstate::kFdwInvalidStringFormat, "invalid value for option \"" + std::string(option) + "\": " + reason,
              {}, "The value must look like https://host, https://host:port or https://host/path.");
}

// The one spelling of an IPv6 address (RFC 5952), or nothing for text that is none. No zone is taken.
std::optional<std::string> CanonicalIpv6(std::string_view text) {
  in6_addr address;
  char canonical[INET6_ADDRSTRLEN];
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return std::nullopt;
  if (inet_ntop(AF_INET6, &address, canonical, sizeof canonical) == nullptr) return std::nullopt;
  return canonical;
}

// Four decimal numbers without leading zeros.
bool IsIpv4(std::string_view text) {
  in_addr address;
  return text.find('\0') == std::string_view::npos && inet_pton(AF_INET, std::string(text).c_str(), &address) == 1;
}

// Whether resolvers may read the name as a number: "2130706433", "0x7f.1" and "0177.0.0.1" all reach 127.0.0.1. As the
// URL standard has it (https://url.spec.whatwg.org/#ends-in-a-number-checker), the last label decides.
bool EndsInNumber(std::string_view host) {
  std::string_view label = host.substr(host.rfind('.') + 1);
  if (label.empty()) return false;
  if (std::all_of(label.begin(), label.end(), IsDigit)) return true;
  if (label.substr(0, 2) != "0x") return false;
  label.remove_prefix(2);
  return std::all_of(label.begin(), label.end(), [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabelBytes || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return IsDigit(c) || IsLower(c) || c == '-' || c == '_'; });
}

// `host` in lower case.
bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  if (EndsInNumber(host)) return IsIpv4(host);
  for (;;) {
    const size_t dot = host.find('.');
    if (!IsLabel(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

// 0 for anything but 1 to 65535 without leading zeros.
int ParsePort(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return 0;
  int port = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return 0;
    port = port * 10 + (c - '0');
  }
  return port <= 65535 ? port : 0;
}

// `text` is empty or starts with a slash. A dot segment could lead out of the path, an empty one is read in two ways.
bool IsPath(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view segment = text.substr(0, text.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (!std::all_of(segment.begin(), segment.end(), IsUnreserved)) return false;
    text.remove_prefix(segment.size());
  }
  return true;
}

// Takes the host name or the address in brackets off the front.
std::string TakeHost(std::string_view option, std::string_view &rest) {
  if (rest.substr(0, 1) == "[") {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) Refuse(option, "the IPv6 address is not valid");
    const auto address = CanonicalIpv6(rest.substr(1, end - 1));
    if (!address) Refuse(option, "the IPv6 address is not valid");
    rest.remove_prefix(end + 1);
    return *address;
  }
  std::string host = LowerCase(rest.substr(0, rest.find_first_of(":/")));
  if (!IsHostName(host)) Refuse(option, "the host name is not valid");
  rest.remove_prefix(host.size());
  return host;
}

// An entry of a list of hosts as `BaseUrl::host` would have it.
std::string NormalizeEntry(std::string_view entry) {
  if (entry.size() > 2 && entry.front() == '[' && entry.back() == ']') entry = entry.substr(1, entry.size() - 2);
  if (auto address = CanonicalIpv6(entry)) return *address;
  return LowerCase(entry);
}

// Calls `covers` with every entry until it says true.
template <typename Covers>
bool AnyEntry(std::string_view list, Covers covers) {
  while (!list.empty()) {
    const std::string_view entry = Trim(list.substr(0, list.find(',')));
    if (!entry.empty() && covers(NormalizeEntry(entry))) return true;
    list.remove_prefix(std::min(list.find(','), list.size() - 1) + 1);
  }
  return false;
}

std::string Encode(std::string_view text, std::string_view also_plain) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    if (IsUnreserved(c) || (c != '\0' && also_plain.find(c) != std::string_view::npos)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    encoded += '%';
    encoded += kHex[byte >> 4];
    encoded += kHex[byte & 0xF];
  }
  return encoded;
}

}  // namespace

std::string BaseUrl::Origin() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  std::string origin = scheme + "://" + (is_ipv6 ? "[" + host + "]" : host);
  if (port != (scheme == "https" ? 443 : 80)) origin += ":" + std::to_string(port);
  return origin;
}

std::string BaseUrl::Text() const {
  return Origin() + path;
}

bool BaseUrl::IsLoopback() const {
  if (host == "localhost" || EndsWith(host, ".localhost") || host == "::1") return true;
  return host.compare(0, 4, "127.") == 0 && IsIpv4(host);
}

BaseUrl ParseBaseUrl(std::string_view option, std::string_view text) {
  BaseUrl url;
  if (text.size() > kMaxBaseBytes) Refuse(option, "the address is longer than 512 bytes");
  const size_t colon = text.find("://");
  url.scheme = LowerCase(text.substr(0, colon));
  if (colon == std::string_view::npos || (url.scheme != "https" && url.scheme != "http")) {
    Refuse(option, "the address must start with \"https://\" or \"http://\"");
  }
  std::string_view rest = text.substr(colon + 3);
  if (rest.find('@') != std::string_view::npos) Refuse(option, "the address cannot contain a user name or password");
  if (rest.find_first_of("?#") != std::string_view::npos) Refuse(option, "the address cannot contain \"?\" or \"#\"");
  url.host = TakeHost(option, rest);

  url.port = url.scheme == "https" ? 443 : 80;
  if (rest.substr(0, 1) == ":") {
    const std::string_view digits = rest.substr(1, rest.find('/') - 1);
    url.port = ParsePort(digits);
    if (url.port == 0) Refuse(option, "the port must be a number from 1 to 65535");
    rest.remove_prefix(1 + digits.size());
  }
  if (!rest.empty() && rest.front() != '/') Refuse(option, "the host name is not valid");
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (!IsPath(rest)) Refuse(option, "the path may only hold names of letters, digits, \"-\", \".\", \"_\" and \"~\"");
  url.path = rest;
  return url;
}

std::string PercentEncode(std::string_view text) {
  return Encode(text, {});
}

std::string QueryEncode(std::string_view text) {
  return Encode(text, Seeded(Bug::kPlusBare) ? ",:()*'!@/$+" : ",:()*'!@/$");
}

bool HostMatches(std::string_view host, std::string_view list) {
  const std::string name = NormalizeEntry(host);
  if (name.empty()) return false;
  const bool is_address = name.find(':') != std::string::npos || EndsInNumber(name);
  return AnyEntry(list, [&](const std::string &entry) {
    if (entry == "*" || entry == name) return true;
    // The dot stays in the suffix, and something must stand before it. An address has no labels.
    if (is_address || entry.compare(0, 2, "*.") != 0 || entry.size() < 3) return false;
    const std::string_view suffix = std::string_view(entry).substr(1);
    return name.size() > suffix.size() && EndsWith(name, suffix);
  });
}

bool HostListedLiterally(std::string_view host, std::string_view list) {
  const std::string name = NormalizeEntry(host);
  if (name.empty() || name.find('*') != std::string::npos) return false;
  return AnyEntry(list, [&](const std::string &entry) { return entry == name; });
}

bool IsProjectRef(std::string_view text) {
  return text.size() == 20 && std::all_of(text.begin(), text.end(), [](char c) { return IsDigit(c) || IsLower(c); });
}

}  // namespace supabase
