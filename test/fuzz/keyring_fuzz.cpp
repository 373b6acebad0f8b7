// Keyring::Parse and Keyring::Open over arbitrary bytes. As a key file: what is accepted has keys that open what they
// seal, and no message repeats the text. As a sealed value: only the errors that are documented, and what opens is what
// was sealed. A failed property is a std::logic_error.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

#include "crypto.hpp"
#include "error.hpp"
#include "keyring.hpp"

namespace {

using supabase::Error;
using supabase::Keyring;
using supabase::Secret;

// Two keys, of which the corpus has sealed values.
constexpr char kKeyFile[] =
    "instance 6f1c2f0e-0000-4000-8000-000000000001\n"
    "1 YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n"
    "258 YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=\n";
const supabase::SealedPlace kFuzzPlace{"6f1c2f0e-0000-4000-8000-000000000001", "0c9e9a52-1111-4222-8333-444455556666",
                                       "refresh_token", "https://abc.supabase.co", 7};
constexpr std::string_view kFuzzSecret = "v1.refresh-token";

void RequireThat(bool holds, const char *otherwise) {
  if (!holds) throw std::logic_error(otherwise);
}

// A message is one of these, but for the number of a line: nothing of what came in.
void RequireSilent(const Error &error) {
  static constexpr std::string_view kDetails[] = {
      "It is empty.",
      "Line  has one word.",
      "Line  names a second instance.",
      "Line  begins with no key number.",
      "Line  has no key of 32 bytes in base64.",
      "Line  repeats a key number.",
      "Line  is the last, and none names the instance.",
      "Line  is the last, and none has a key.",
  };
  std::string detail = error.detail();
  if (detail.compare(0, 5, "Line ") == 0) detail.erase(5, detail.find(' ', 5) - 5);
  RequireThat(std::string_view(error.what()) == "invalid key file" && *error.context() == '\0', "another message");
  RequireThat(std::find(std::begin(kDetails), std::end(kDetails), detail) != std::end(kDetails), "another detail");
}

void CheckKeyFile(std::string_view text) {
  try {
    const Keyring keyring = Keyring::Parse(text);
    RequireThat(!keyring.instance().empty() && keyring.active() > 0, "a keyring without instance or key");
    const std::string sealed = keyring.Seal(kFuzzPlace, Secret(kFuzzSecret));
    RequireThat(supabase::KeyOf(sealed) == keyring.active(), "sealed with another key");
    RequireThat(keyring.Open(kFuzzPlace, sealed).Reveal() == kFuzzSecret, "opens to another text");
  } catch (const Error &error) {
    RequireThat(std::string_view(error.sqlstate()) == "55000", "an unexpected SQLSTATE of a key file");
    RequireSilent(error);
  }
}

// What the fuzzer finds that opens was sealed by somebody who has the key, so it can only be of the corpus.
void CheckSealed(std::string_view sealed) {
  static const Keyring keyring = Keyring::Parse(kKeyFile);
  const uint32_t number = supabase::KeyOf(sealed);
  try {
    const Secret secret = keyring.Open(kFuzzPlace, sealed);
    RequireThat(number == 1 || number == 258, "opened with a key that there is not");
    RequireThat(secret.Reveal() == kFuzzSecret || secret.empty(), "opens to another text");
  } catch (const Error &error) {
    RequireThat(std::string_view(error.sqlstate()) == "28000", "an unexpected SQLSTATE of a sealed value");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  CheckKeyFile(text);
  CheckSealed(text);
  Secret decoded;
  RequireThat(!supabase::DecodeBase64(text, &decoded) || supabase::EncodeBase64(decoded.Reveal()).Reveal() == text,
              "base64 that is not strict");
  return 0;
}
