#include "text.hpp"

#include <array>
#include <regex>
#include <stdexcept>

#include <sys/random.h>

namespace supabase_connect {
namespace {

constexpr const char *kHex = "0123456789ABCDEF";
constexpr const char *kLowerHex = "0123456789abcdef";
constexpr int kHttpPort = 80;
constexpr int kHttpsPort = 443;

bool IsUnreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

bool IsHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string Decode(const std::string &text) {
  std::string result;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%' && i + 2 < text.size() && IsHex(text[i + 1]) && IsHex(text[i + 2])) {
      result += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string result;
  for (char const c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string Encode(std::string_view text) {
  std::string result;
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (IsUnreserved(byte)) {
      result += c;
    } else {
      result += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return result;
}

std::string RandomToken() {
  std::array<unsigned char, 32> bytes{};
  // up to 256 bytes come whole once the generator is ready
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("could not get random bytes");
  }
  std::string result;
  for (unsigned char const byte : bytes) {
    result += {kLowerHex[byte >> 4], kLowerHex[byte & 15]};
  }
  return result;
}

bool SameToken(std::string_view given, std::string_view expected) {
  if (given.size() != expected.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < given.size(); i++)
    difference |= static_cast<unsigned char>(given[i] ^ expected[i]);
  return difference == 0;
}

std::optional<Address> ParseAddress(const std::string &url) {
  static const std::regex form(R"((https?)://([^/?#@:\s]+)(:(\d{1,5}))?(/[^?#\s]*)?([?#]\S*)?)");
  std::smatch part;
  if (!std::regex_match(url, part, form)) return std::nullopt;
  Address address{part[1], part[2].str() + part[3].str(), part[5], 0};
  int const own = address.scheme == "http" ? kHttpPort : kHttpsPort;
  address.port = part[4].matched ? std::stoi(part[4]) : own;
  return address;
}

std::string Parameter(const std::string &url, const std::string &name) {
  size_t from = url.find('?');
  size_t const last = std::min(url.find('#'), url.size());
  while (from != std::string::npos && from < last) {
    from++;
    size_t const end = std::min(url.find('&', from), last);
    size_t const equals = std::min(url.find('=', from), end);
    if (Decode(url.substr(from, equals - from)) == name) {
      return equals == end ? "" : Decode(url.substr(equals + 1, end - equals - 1));
    }
    from = end;
  }
  return "";
}

}  // namespace supabase_connect
