#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supabase {

// The address of a server: scheme, host, port and a path prefix. Parsed by a grammar narrower than RFC 3986 (no user
// info, query, fragment, percent sign or backslash), so that our checks and libcurl cannot read one text as two hosts.
struct BaseUrl {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address without brackets
  int port = 0;        // always set: 443 or 80 by default
  std::string path;    // "" or "/a/b" without a final slash

  // "https://host[:port]", the port only when it is not the scheme's own.
  std::string Origin() const;
  // Origin and path.
  std::string Text() const;
  // Whether the host names this machine: localhost, *.localhost, 127.0.0.0/8, ::1.
  bool IsLoopback() const;
};

// Throws Error (HV024) whose message names `option` and never repeats the text. Beyond the grammar: at most 512 bytes,
// no port 0, no empty or dot segment in the path, a host that ends in a number must be a plain IPv4 address.
BaseUrl ParseBaseUrl(std::string_view option, std::string_view text);

// Percent-encodes every byte except RFC 3986 unreserved characters.
std::string PercentEncode(std::string_view text);
// As above, but leaves alone what PostgREST's grammar uses and what is safe in a query component: ,.:()*'!~@/$-
// Encodes '+', ';', '&', '=', '#', '%', '"', blanks, control characters and all bytes above 0x7F (PostgREST splits
// parameters at '&' and ';' and takes '+' for a blank).
std::string QueryEncode(std::string_view text);

// Whether `host` is covered by a comma-separated list of names in which a leading "*." stands for one or more labels
// (of a name, not of an address), a single "*" for every host. Case-insensitive. An empty list covers nothing.
bool HostMatches(std::string_view host, std::string_view list);
// Whether `host` is in the list by its own name, not through a wildcard.
bool HostListedLiterally(std::string_view host, std::string_view list);

// A project reference is 20 lower-case letters or digits, as the Management API's schema says.
bool IsProjectRef(std::string_view text);

}  // namespace supabase
