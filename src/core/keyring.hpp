#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "secret.hpp"

namespace supabase {

// The keys that stored credentials are encrypted with, and what is encrypted with them.
//
// The key file:
//   instance 6f1c2f0e-…        who may use what was encrypted here; another value is another installation
//   1 <base64 of 32 bytes>     a key and its number, 1 to 4294967295; the first is used for encrypting, all for reading
// Blank lines and lines that begin with '#' are passed over.

// Where an encrypted value belongs. It goes into the associated data: a value put into another row, another column, a
// row for another address, or an older generation of the same row does not decrypt.
struct SealedPlace {
  std::string_view instance;
  std::string_view row;     // its uuid
  std::string_view column;  // "refresh_token", …
  std::string_view origin;  // where the credential may be sent
  int64_t generation;
};

class Keyring {
 public:
  // Throws Error 55000 for a text that is no key file; no message repeats any of it.
  static Keyring Parse(std::string_view text);
  // The text of a new file, with a new instance and one key.
  static Secret Generate();

  const std::string &instance() const noexcept { return instance_; }
  uint32_t active() const noexcept { return keys_.front().first; }

  // version (1 byte, 1) | number of the key (4, big-endian) | nonce (12) | ciphertext | tag (16)
  std::string Seal(const SealedPlace &place, const Secret &secret) const;
  // Throws Error 28000 when the value was changed, does not belong to this place, or needs a key that the file has no
  // more.
  Secret Open(const SealedPlace &place, std::string_view sealed) const;

  // A signature over `text` that nobody without the key can make, by a key derived for this purpose; empty when the
  // file does not have that key.
  std::string Mac(uint32_t number, std::string_view purpose, std::string_view text) const;

 private:
  const Secret *Find(uint32_t number) const noexcept;

  std::string instance_;
  std::vector<std::pair<uint32_t, Secret>> keys_;
};

// Which key a value was encrypted with; 0 for what is no such value.
uint32_t KeyOf(std::string_view sealed) noexcept;

// Reads a key file. Throws Error 55000, with a hint, when it is missing, inside `data_directory`, not a regular file of
// this user or root, open to others (any permission for group or others; a file of root's may be readable for its
// group), or below a directory that others may write to. The file itself must be no symbolic link; links to directories
// are followed, and both where they are and where they lead is checked.
Keyring LoadKeyring(const std::string &path, const std::string &data_directory);
// The same; makes the file, and its directory, when there is none. Two that do so at once get the same file.
Keyring LoadOrCreateKeyring(const std::string &path, const std::string &data_directory);
// ".supabase_fdw/key" in the home directory of the operating system's user (not of the environment's HOME). Throws
// Error 55000 when there is none.
std::string DefaultKeyFile();

}  // namespace supabase
