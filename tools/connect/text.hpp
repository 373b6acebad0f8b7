// Text that goes into pages and addresses, and random tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace supabase_connect {

// For HTML: text and quoted attribute values.
std::string Escape(std::string_view text);

// For a query parameter.
std::string Encode(std::string_view text);

// 256 bits in hexadecimal. Throws std::runtime_error when the system has none.
std::string RandomToken();

// Takes as long wherever the two differ.
bool SameToken(std::string_view given, std::string_view expected);

struct Address {
  std::string scheme, host, path;  // host with its port, as in a Host header
  int port = 0;                    // the scheme's own when none is given
};

// An http or https address without a user; nothing for any other text.
std::optional<Address> ParseAddress(const std::string &url);

// The decoded value of a query parameter, empty when it is not there.
std::string Parameter(const std::string &url, const std::string &name);

}  // namespace supabase_connect
