#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "secret.hpp"

namespace supabase {

// Cryptography over OpenSSL, as far as stored credentials need it. Every function leaves OpenSSL's error queue as it
// found it: the backend's own TLS connection shares it.

inline constexpr size_t kKeyBytes = 32;    // AES-256
inline constexpr size_t kNonceBytes = 12;  // NIST SP 800-38D, 8.2: 96 bits
inline constexpr size_t kTagBytes = 16;

// AES-256-GCM (NIST SP 800-38D). `key` has kKeyBytes, `nonce` kNonceBytes and must never be used twice with one key.
// Returns ciphertext and tag in one.
std::string EncryptGcm(const Secret &key, std::string_view nonce, std::string_view associated_data,
                       std::string_view plaintext);
// False when any bit of key, nonce, associated data, ciphertext or tag differs; `plaintext` is empty then.
bool DecryptGcm(const Secret &key, std::string_view nonce, std::string_view associated_data, std::string_view sealed,
                Secret *plaintext);

// `size` bytes of OpenSSL's generator for secrets. Throws Error when it fails.
Secret RandomSecret(size_t size);
// The same for what may be seen: nonces and names.
std::string RandomBytes(size_t size);

// A strong password of 32 letters and digits, with one of each kind, that needs no encoding in a URL.
std::string MakePassword();

std::string Sha256(std::string_view text);
std::string Hex(std::string_view bytes);
// RFC 2104 with SHA-256.
std::string HmacSha256(std::string_view key, std::string_view text);

// RFC 4648, section 4, with padding.
Secret EncodeBase64(std::string_view bytes);
// False for anything that EncodeBase64 does not give.
bool DecodeBase64(std::string_view text, Secret *bytes);

// RFC 4648, section 5, without padding.
std::string EncodeBase64Url(std::string_view bytes);
bool DecodeBase64Url(std::string_view text, std::string *bytes);

// A name of a secret for logs and audit rows: the first 8 hexadecimal digits of its SHA-256. Enough to tell two tokens
// apart, of no use for guessing one that is random.
std::string Fingerprint(const Secret &secret);

}  // namespace supabase
