#include "keyring.hpp"

#include <charconv>

#include "crypto.hpp"
#include "error.hpp"

namespace supabase {

namespace {

constexpr char kVersion = 1;
constexpr size_t kHeaderBytes = 5;
constexpr char kNotInState[] = "55000";

[[noreturn]] void Malformed(int line, const char *detail) {
  throw Error(kNotInState, "invalid key file",
              line == 0 ? "It is empty." : "Line " + std::to_string(line) + " " + detail,
              "Restore the file from a copy. With another one the stored credentials cannot be read.");
}

// Each part with its length, so that no two places give the same text.
std::string AssociatedData(const SealedPlace &place) {
  std::string text = "supabase_fdw/1";
  for (std::string_view const part : {place.instance, place.row, place.column, place.origin}) {
    text.append("|").append(std::to_string(part.size())).append(":").append(part);
  }
  return text + "|" + std::to_string(place.generation);
}

bool ParseKeyNumber(std::string_view text, uint32_t *number) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number > 0;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  return text;
}

// The random kind of RFC 9562.
std::string MakeUuid() {
  std::string bytes = RandomBytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = Hex(bytes);
  for (size_t const at : {20, 16, 12, 8})
    text.insert(at, "-");
  return text;
}

}  // namespace

Keyring Keyring::Parse(std::string_view text) {
  Keyring keyring;
  int number = 0;
  while (!text.empty()) {
    ++number;
    size_t const end = text.find('\n');
    std::string_view const line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    size_t const blank = line.find(' ');
    if (blank == std::string_view::npos) Malformed(number, "has one word.");
    std::string_view const value = Trim(line.substr(blank));
    if (line.substr(0, blank) == "instance") {
      if (!keyring.instance_.empty()) Malformed(number, "names a second instance.");
      keyring.instance_ = value;
      continue;
    }
    uint32_t key = 0;
    Secret bytes;
    if (!ParseKeyNumber(line.substr(0, blank), &key)) Malformed(number, "begins with no key number.");
    if (!DecodeBase64(value, &bytes) || bytes.Reveal().size() != kKeyBytes) {
      Malformed(number, "has no key of 32 bytes in base64.");
    }
    if (keyring.Find(key) != nullptr) Malformed(number, "repeats a key number.");
    keyring.keys_.emplace_back(key, std::move(bytes));
  }
  if (keyring.instance_.empty()) Malformed(number, "is the last, and none names the instance.");
  if (keyring.keys_.empty()) Malformed(number, "is the last, and none has a key.");
  return keyring;
}

Secret Keyring::Generate() {
  Secret const key = EncodeBase64(RandomSecret(kKeyBytes).Reveal());
  return Secret::Join(
      "# Keys of supabase_fdw's stored credentials. Keep a copy apart from the database's backups.\n"
      "instance " +
          MakeUuid() + "\n1 ",
      key.Reveal());
}

const Secret *Keyring::Find(uint32_t number) const noexcept {
  for (const auto &[id, key] : keys_) {
    if (id == number) return &key;
  }
  return nullptr;
}

std::string Keyring::Seal(const SealedPlace &place, const Secret &secret) const {
  const auto &[number, key] = keys_.front();
  std::string const nonce = RandomBytes(kNonceBytes);
  std::string sealed(1, kVersion);
  for (int shift = 24; shift >= 0; shift -= 8)
    sealed += static_cast<char>(number >> shift);
  return sealed + nonce + EncryptGcm(key, nonce, AssociatedData(place), secret.Reveal());
}

Secret Keyring::Open(const SealedPlace &place, std::string_view sealed) const {
  uint32_t const number = KeyOf(sealed);
  const Secret *key = Find(number);
  if (number != 0 && key == nullptr) {
    throw Error(sqlstate::kInvalidAuthorization, "stored credential needs key " + std::to_string(number),
                "The key file does not have it.", "Put the key back into the key file.");
  }
  Secret secret;
  if (number == 0 || !DecryptGcm(*key, sealed.substr(kHeaderBytes, kNonceBytes), AssociatedData(place),
                                 sealed.substr(kHeaderBytes + kNonceBytes), &secret)) {
    throw Error(sqlstate::kInvalidAuthorization, "stored credential cannot be decrypted",
                "It was changed, moved to another row, or encrypted by another installation.",
                "Sign in or authorize again to replace it.");
  }
  return secret;
}

std::string Keyring::Mac(uint32_t number, std::string_view purpose, std::string_view text) const {
  const Secret *key = Find(number);
  if (key == nullptr) return {};
  Secret const derived(HmacSha256(key->Reveal(), purpose));
  return HmacSha256(derived.Reveal(), text);
}

uint32_t KeyOf(std::string_view sealed) noexcept {
  if (sealed.size() < kHeaderBytes + kNonceBytes + kTagBytes || sealed.front() != kVersion) return 0;
  uint32_t number = 0;
  for (size_t i = 1; i < kHeaderBytes; ++i)
    number = number << 8 | static_cast<unsigned char>(sealed[i]);
  return number;
}

}  // namespace supabase
