#pragma once

struct sockaddr;

namespace supabase {

// Whether an address is one of the public internet. Not public: loopback, private, link-local, carrier-grade NAT,
// multicast, documentation, every range that IANA's special-purpose registries (RFC 6890) do not call globally
// reachable, and IPv4 in disguise (mapped, 6to4, Teredo), except NAT64, which is judged by the IPv4 address inside.
// Any other family is not public.
bool IsPublicAddress(const sockaddr *address) noexcept;
// The same for its text, as libcurl reports a peer; false for anything that is not an address.
bool IsPublicAddress(const char *text) noexcept;

}  // namespace supabase
