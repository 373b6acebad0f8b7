#include "crypto.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "error.hpp"

namespace supabase {

namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX *)>;

// Takes whatever OpenSSL has queued since off its queue again.
class ErrorMark {
 public:
  ErrorMark() noexcept { ERR_set_mark(); }
  ~ErrorMark() { ERR_pop_to_mark(); }
  ErrorMark(const ErrorMark &) = delete;
  ErrorMark &operator=(const ErrorMark &) = delete;
};

const unsigned char *Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}

unsigned char *Room(Secret *secret, size_t size) {
  return reinterpret_cast<unsigned char *>(secret->Allocate(size));
}

[[noreturn]] void Fail(const char *what) {
  throw Error("XX000", std::string("could not ") + what, "OpenSSL reported a failure.");
}

// A context for either direction, with key, nonce and associated data given.
Context Start(bool encrypt, const Secret &key, std::string_view nonce, std::string_view associated_data) {
  if (key.Reveal().size() != kKeyBytes || nonce.size() != kNonceBytes) {
    throw std::logic_error("key or nonce of the wrong length");
  }
  Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int written = 0;
  if (!context ||
      EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key.Reveal()), Bytes(nonce),
                        encrypt ? 1 : 0) != 1 ||
      // OpenSSL 1.1.1 takes a null pointer for the end of the text.
      (!associated_data.empty() && EVP_CipherUpdate(context.get(), nullptr, &written, Bytes(associated_data),
                                                    static_cast<int>(associated_data.size())) != 1)) {
    Fail("start AES-256-GCM");
  }
  return context;
}

}  // namespace

std::string EncryptGcm(const Secret &key, std::string_view nonce, std::string_view associated_data,
                       std::string_view plaintext) {
  ErrorMark const mark;
  Context const context = Start(true, key, nonce, associated_data);
  std::string sealed(plaintext.size() + kTagBytes, '\0');
  auto *out = reinterpret_cast<unsigned char *>(sealed.data());
  int written = 0;
  int rest = 0;
  if (EVP_CipherUpdate(context.get(), out, &written, Bytes(plaintext), static_cast<int>(plaintext.size())) != 1 ||
      EVP_CipherFinal_ex(context.get(), out + written, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes), out + plaintext.size()) !=
          1) {
    Fail("encrypt");
  }
  return sealed;
}

bool DecryptGcm(const Secret &key, std::string_view nonce, std::string_view associated_data, std::string_view sealed,
                Secret *plaintext) {
  *plaintext = Secret();
  if (sealed.size() < kTagBytes) return false;
  ErrorMark const mark;
  Context const context = Start(false, key, nonce, associated_data);
  std::string_view const body = sealed.substr(0, sealed.size() - kTagBytes);
  std::string tag(sealed.substr(body.size()));
  Secret text;
  unsigned char *out = Room(&text, body.size());
  int written = 0;
  int rest = 0;
  if (EVP_CipherUpdate(context.get(), out, &written, Bytes(body), static_cast<int>(body.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes), tag.data()) != 1 ||
      EVP_CipherFinal_ex(context.get(), out + written, &rest) != 1) {
    return false;
  }
  *plaintext = std::move(text);
  return true;
}

Secret RandomSecret(size_t size) {
  ErrorMark const mark;
  Secret bytes;
  unsigned char *out = Room(&bytes, size);
  if (RAND_priv_bytes(out, static_cast<int>(size)) != 1) Fail("generate random bytes");
  return bytes;
}

std::string RandomBytes(size_t size) {
  ErrorMark const mark;
  std::string bytes(size, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char *>(bytes.data()), static_cast<int>(size)) != 1) {
    Fail("generate random bytes");
  }
  return bytes;
}

std::string MakePassword() {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr size_t kLength = 32;
  for (;;) {
    std::string password;
    bool upper = false, lower = false, digit = false;
    while (password.size() < kLength) {
      const auto byte = static_cast<unsigned char>(RandomSecret(1).Reveal()[0]);
      // No letter more often than another.
      if (byte >= 256 / kLetters.size() * kLetters.size()) continue;
      const size_t index = byte % kLetters.size();
      upper = upper || index < 26;
      lower = lower || (index >= 26 && index < 52);
      digit = digit || index >= 52;
      password += kLetters[index];
    }
    if (upper && lower && digit) return password;
  }
}

std::string Sha256(std::string_view text) {
  ErrorMark const mark;
  std::string digest(32, '\0');
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char *>(digest.data()), &size, EVP_sha256(),
                 nullptr) != 1) {
    Fail("compute SHA-256");
  }
  return digest;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  ErrorMark const mark;
  std::string digest(32, '\0');
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
           reinterpret_cast<unsigned char *>(digest.data()), &size) == nullptr) {
    Fail("compute HMAC-SHA-256");
  }
  return digest;
}

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (char const c : bytes) {
    auto const byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Secret EncodeBase64(std::string_view bytes) {
  Secret text;
  unsigned char *out = Room(&text, (bytes.size() + 2) / 3 * 4 + 1);  // OpenSSL ends it with a NUL
  int const size = EVP_EncodeBlock(out, Bytes(bytes), static_cast<int>(bytes.size()));
  return Secret(text.Reveal().substr(0, static_cast<size_t>(size)));
}

bool DecodeBase64(std::string_view text, Secret *bytes) {
  *bytes = Secret();
  if (text.size() % 4 != 0) return false;
  ErrorMark const mark;
  Secret decoded;
  unsigned char *out = Room(&decoded, text.size() / 4 * 3);
  int const size = EVP_DecodeBlock(out, Bytes(text), static_cast<int>(text.size()));
  if (size < 0) return false;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
    ++padding;
  if (static_cast<size_t>(size) < padding) return false;
  Secret const result(decoded.Reveal().substr(0, static_cast<size_t>(size) - padding));
  // EVP_DecodeBlock also takes blanks around the text and bits that are not zero behind the end.
  if (EncodeBase64(result.Reveal()).Reveal() != text) return false;
  *bytes = result;
  return true;
}

std::string EncodeBase64Url(std::string_view bytes) {
  std::string text(EncodeBase64(bytes).Reveal());
  while (!text.empty() && text.back() == '=')
    text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

bool DecodeBase64Url(std::string_view text, std::string *bytes) {
  if (text.find_first_of("+/=") != std::string_view::npos) return false;
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  plain.append((4 - plain.size() % 4) % 4, '=');
  Secret decoded;
  if (!DecodeBase64(plain, &decoded)) return false;
  *bytes = decoded.Reveal();
  return true;
}

std::string Fingerprint(const Secret &secret) {
  return Hex(Sha256(secret.Reveal())).substr(0, 8);
}

}  // namespace supabase
