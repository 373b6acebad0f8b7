#include "http_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace supabase {

namespace {

struct Ipv4Range {
  uint32_t first;
  int bits;
};

constexpr uint32_t Ipv4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

constexpr Ipv4Range kNotPublic4[] = {
    {Ipv4(0, 0, 0, 0), 8},        // "this network"; Linux connects it to itself
    {Ipv4(10, 0, 0, 0), 8},       // private
    {Ipv4(100, 64, 0, 0), 10},    // carrier-grade NAT
    {Ipv4(127, 0, 0, 0), 8},      // loopback
    {Ipv4(169, 254, 0, 0), 16},   // link-local, cloud metadata
    {Ipv4(172, 16, 0, 0), 12},    // private
    {Ipv4(192, 0, 0, 0), 24},     // IETF protocol assignments
    {Ipv4(192, 0, 2, 0), 24},     // documentation
    {Ipv4(192, 88, 99, 0), 24},   // 6to4 relay
    {Ipv4(192, 168, 0, 0), 16},   // private
    {Ipv4(198, 18, 0, 0), 15},    // benchmarking
    {Ipv4(198, 51, 100, 0), 24},  // documentation
    {Ipv4(203, 0, 113, 0), 24},   // documentation
    {Ipv4(224, 0, 0, 0), 4},      // multicast
    {Ipv4(240, 0, 0, 0), 4},      // reserved, broadcast
};

bool IsPublic4(uint32_t address) noexcept {
  return std::none_of(std::begin(kNotPublic4), std::end(kNotPublic4), [address](const Ipv4Range &range) {
    return (address >> (32 - range.bits)) == (range.first >> (32 - range.bits));
  });
}

bool IsPublic6(const uint8_t (&a)[16]) noexcept {
  constexpr uint8_t kNat64[12] = {0x00, 0x64, 0xff, 0x9b};
  if (std::memcmp(a, kNat64, sizeof(kNat64)) == 0) return IsPublic4(Ipv4(a[12], a[13], a[14], a[15]));
  if ((a[0] & 0xe0) != 0x20) return false;  // outside of 2000::/3, global unicast
  const uint32_t high = Ipv4(a[0], a[1], a[2], a[3]);
  const bool special = high >> 16 == 0x2002             // 6to4
                       || high >> 9 == 0x20010000 >> 9  // 2001::/23: Teredo, ORCHID, benchmarking
                       || high == 0x20010db8            // documentation
                       || high >> 12 == 0x3fff0;        // documentation
  return !special;
}

}  // namespace

bool IsPublicAddress(const sockaddr *address) noexcept {
  // Copied, because a sockaddr need not be aligned for the wider types.
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof(in));
    return IsPublic4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof(in));
    return IsPublic6(in.sin6_addr.s6_addr);
  }
  return false;
}

bool IsPublicAddress(const char *text) noexcept {
  in_addr in4{};
  if (inet_pton(AF_INET, text, &in4) == 1) return IsPublic4(ntohl(in4.s_addr));
  in6_addr in6{};
  if (inet_pton(AF_INET6, text, &in6) == 1) return IsPublic6(in6.s6_addr);
  return false;
}

}  // namespace supabase
