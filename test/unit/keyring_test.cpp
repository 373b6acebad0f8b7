#include "keyring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "corpus.hpp"
#include "crypto.hpp"
#include "error.hpp"

// The fuzz target under a name of its own, to run its corpus here.
#define LLVMFuzzerTestOneInput KeyringFuzzOneInput
#include "../fuzz/keyring_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace supabase {
namespace {

constexpr char kInstance[] = "instance 6f1c2f0e-0000-4000-8000-000000000001\n";

// A line of a key file, for a key that is one letter 32 times.
std::string KeyLine(const std::string &number, char letter) {
  return number + " " + std::string(EncodeBase64(std::string(kKeyBytes, letter)).Reveal()) + "\n";
}

Keyring OneKey() {
  return Keyring::Parse(kInstance + KeyLine("1", 'a'));
}

const SealedPlace kPlace{"6f1c2f0e-0000-4000-8000-000000000001", "0c9e9a52-1111-4222-8333-444455556666",
                         "refresh_token", "https://abc.supabase.co", 7};

// The error that opening gives, which must be one.
Error OpenError(const Keyring &keyring, const SealedPlace &place, std::string_view sealed) {
  try {
    const Secret secret = keyring.Open(place, sealed);
    ADD_FAILURE() << "opened, " << secret.Reveal().size() << " bytes";
  } catch (const Error &error) {
    return error;
  }
  return Error("XXXXX", "no error");
}

void ExpectRefused(const SealedPlace &place, std::string_view sealed) {
  EXPECT_STREQ(OpenError(OneKey(), place, sealed).sqlstate(), "28000");
}

std::string Shown(const Error &error) {
  return std::string(error.what()) + "\n" + error.detail() + "\n" + error.hint() + "\n" + error.context();
}

TEST(Keyring, OpensWhatItSealed) {
  const Keyring keyring = OneKey();
  for (const std::string &text : {std::string(), std::string("x"), std::string("a\0b", 3), std::string(8192, 't')}) {
    const std::string sealed = keyring.Seal(kPlace, Secret(text));
    EXPECT_EQ(sealed.size(), 1 + 4 + kNonceBytes + text.size() + kTagBytes);
    EXPECT_EQ(keyring.Open(kPlace, sealed).Reveal(), text);
    EXPECT_EQ(KeyOf(sealed), 1U);
  }
}

// The format is on disk: an older version's values must open.
TEST(Keyring, OpensAValueOfThisFormat) {
  const std::string nonce(kNonceBytes, 'n');
  const std::string associated_data =
      "supabase_fdw/1|36:6f1c2f0e-0000-4000-8000-000000000001|36:0c9e9a52-1111-4222-8333-444455556666|"
      "13:refresh_token|23:https://abc.supabase.co|7";
  const std::string sealed = std::string("\1\0\0\0\1", 5) + nonce +
                             EncryptGcm(Secret(std::string(kKeyBytes, 'a')), nonce, associated_data, "token");
  EXPECT_EQ(OneKey().Open(kPlace, sealed).Reveal(), "token");
}

TEST(Keyring, EveryFlippedBitFails) {
  const std::string sealed = OneKey().Seal(kPlace, Secret("v1.refresh-token"));
  for (size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    SCOPED_TRACE(bit);
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    ExpectRefused(kPlace, changed);
  }
}

TEST(Keyring, EveryOtherLengthFails) {
  const std::string sealed = OneKey().Seal(kPlace, Secret("v1.refresh-token"));
  for (size_t size = 0; size < sealed.size(); ++size)
    ExpectRefused(kPlace, std::string_view(sealed).substr(0, size));
  ExpectRefused(kPlace, sealed + '\0');
  EXPECT_EQ(KeyOf(std::string_view(sealed).substr(0, 32)), 0U);
  EXPECT_EQ(KeyOf(""), 0U);
}

TEST(Keyring, EveryOtherPlaceFails) {
  const std::string sealed = OneKey().Seal(kPlace, Secret("v1.refresh-token"));
  SealedPlace other = kPlace;
  other.instance = "6f1c2f0e-0000-4000-8000-000000000002";
  ExpectRefused(other, sealed);
  other = kPlace;
  other.row = "0c9e9a52-1111-4222-8333-444455556667";
  ExpectRefused(other, sealed);
  other = kPlace;
  other.column = "access_token";
  ExpectRefused(other, sealed);
  other = kPlace;
  other.origin = "https://abd.supabase.co";
  ExpectRefused(other, sealed);
  other = kPlace;
  other.origin = "http://abc.supabase.co";
  ExpectRefused(other, sealed);
  for (const int64_t generation : {int64_t{6}, int64_t{8}, int64_t{0}, int64_t{-7}, int64_t{77}}) {
    other = kPlace;
    other.generation = generation;
    ExpectRefused(other, sealed);
  }
}

// The same characters, divided otherwise between neighbours.
TEST(Keyring, ShiftedCharactersFail) {
  const SealedPlace place{"aabb", "ccdd", "eeff", "gghh", 12};
  const std::string sealed = OneKey().Seal(place, Secret("token"));
  EXPECT_EQ(OneKey().Open(place, sealed).Reveal(), "token");
  const SealedPlace shifted[] = {{"aab", "bccdd", "eeff", "gghh", 12}, {"aabbc", "cdd", "eeff", "gghh", 12},
                                 {"aabb", "ccd", "deeff", "gghh", 12}, {"aabb", "ccdde", "eff", "gghh", 12},
                                 {"aabb", "ccdd", "eef", "fgghh", 12}, {"aabb", "ccdd", "eeffg", "ghh", 12},
                                 {"aabb", "ccdd", "eeff", "gghh1", 2}, {"aabb", "ccdd", "eeff", "gghh|1", 2},
                                 {"", "aabbccdd", "eeff", "gghh", 12}, {"aabb|4:ccdd", "", "eeff", "gghh", 12}};
  for (const SealedPlace &other : shifted)
    ExpectRefused(other, sealed);
  // A member that looks like the next one with its length.
  const SealedPlace first{"a|1:b", "c", "", "", 1};
  const SealedPlace second{"a", "b|1:c", "", "", 1};
  ExpectRefused(second, OneKey().Seal(first, Secret("token")));
}

TEST(Keyring, FirstKeySealsAndAllOpen) {
  const Keyring old = OneKey();
  const Keyring both = Keyring::Parse(kInstance + KeyLine("2", 'b') + KeyLine("1", 'a'));
  const Keyring rotated = Keyring::Parse(kInstance + KeyLine("2", 'b'));
  const std::string before = old.Seal(kPlace, Secret("token"));
  const std::string after = both.Seal(kPlace, Secret("token"));
  EXPECT_EQ(both.active(), 2U);
  EXPECT_EQ(KeyOf(before), 1U);
  EXPECT_EQ(KeyOf(after), 2U);
  EXPECT_EQ(both.Open(kPlace, before).Reveal(), "token");
  EXPECT_EQ(both.Open(kPlace, after).Reveal(), "token");
  EXPECT_EQ(rotated.Open(kPlace, after).Reveal(), "token");
  const Error error = OpenError(rotated, kPlace, before);
  EXPECT_STREQ(error.sqlstate(), "28000");
  EXPECT_STREQ(error.what(), "stored credential needs key 1");
  EXPECT_STREQ(error.hint(), "Put the key back into the key file.");
}

TEST(Keyring, KeyOfTheSameNumberFromAnotherInstallationFails) {
  const Keyring other = Keyring::Parse(kInstance + KeyLine("1", 'z'));
  const std::string sealed = other.Seal(kPlace, Secret("token"));
  EXPECT_STREQ(OpenError(OneKey(), kPlace, sealed).what(), "stored credential cannot be decrypted");
}

TEST(Keyring, LargestKeyNumber) {
  const Keyring keyring = Keyring::Parse(kInstance + KeyLine("4294967295", 'a'));
  const std::string sealed = keyring.Seal(kPlace, Secret("token"));
  EXPECT_EQ(KeyOf(sealed), 4294967295U);
  EXPECT_EQ(keyring.Open(kPlace, sealed).Reveal(), "token");
}

// A key may be used 2^32 times with random nonces (NIST SP 800-38D, 8.3). Under a sanitizer fewer times are enough:
// what is looked for is a generator that repeats itself at once.
TEST(Keyring, NoNonceTwice) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr size_t kTimes = 100'000;
#else
  constexpr size_t kTimes = 1'000'000;
#endif
  const Keyring keyring = OneKey();
  const Secret token("token");
  std::unordered_set<std::string> nonces;
  nonces.reserve(kTimes);
  for (size_t i = 0; i < kTimes; ++i)
    nonces.insert(keyring.Seal(kPlace, token).substr(5, kNonceBytes));
  EXPECT_EQ(nonces.size(), kTimes);
}

TEST(Keyring, ParsesWhatItGenerates) {
  const std::string text(Keyring::Generate().Reveal());
  const Keyring keyring = Keyring::Parse(text);
  EXPECT_EQ(keyring.active(), 1U);
  // A random UUID (RFC 9562, 5.4).
  const std::string &instance = keyring.instance();
  ASSERT_EQ(instance.size(), 36U);
  for (size_t i = 0; i < instance.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    EXPECT_EQ(dash, instance[i] == '-');
    EXPECT_TRUE(dash || std::string("0123456789abcdef").find(instance[i]) != std::string::npos);
  }
  EXPECT_EQ(instance[14], '4');
  EXPECT_NE(std::string("89ab").find(instance[19]), std::string::npos);
  EXPECT_EQ(keyring.Open(kPlace, keyring.Seal(kPlace, Secret("token"))).Reveal(), "token");

  const Keyring other = Keyring::Parse(Keyring::Generate().Reveal());
  EXPECT_NE(other.instance(), instance);
  EXPECT_STREQ(OpenError(other, kPlace, keyring.Seal(kPlace, Secret("token"))).sqlstate(), "28000");
}

TEST(Keyring, PassesOverBlanksAndComments) {
  const std::string line = KeyLine("3", 'c');
  const Keyring keyring =
      Keyring::Parse("# made by hand\r\n\n  \t\ninstance   here \r\n#1 no key\n 3 \t" + line.substr(2));
  EXPECT_EQ(keyring.instance(), "here");
  EXPECT_EQ(keyring.active(), 3U);
  EXPECT_EQ(Keyring::Parse("instance here\n" + line.substr(0, line.size() - 1)).active(),
            3U);  // no line break at the end
}

TEST(Keyring, RefusesMalformedFilesWithoutRepeatingThem) {
  // Whatever is wrong, this key stands in the text and none of it may be shown.
  const std::string key(EncodeBase64(std::string("\x9a\x1b\xf0\x42", 4) + std::string(28, 'q')).Reveal());
  const struct {
    std::string text;
    const char *detail;
  } cases[] = {
      {"", "It is empty."},
      {"# 1 " + key + "\n", "Line 1 is the last, and none names the instance."},
      {"1 " + key + "\n", "Line 1 is the last, and none names the instance."},
      {kInstance, "Line 1 is the last, and none has a key."},
      {"instance\n1 " + key + "\n", "Line 1 has one word."},
      {kInstance + key + "\n", "Line 2 has one word."},
      {kInstance + ("1" + key) + "\n", "Line 2 has one word."},
      {kInstance + key + " 1\n", "Line 2 begins with no key number."},
      {kInstance + ("0 " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("-1 " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("+1 " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("1: " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("0x1 " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("4294967296 " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("99999999999999999999 " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("Instance " + key) + "\n", "Line 2 begins with no key number."},
      {kInstance + ("1 " + key.substr(4)) + "\n", "Line 2 has no key of 32 bytes in base64."},
      {kInstance + ("1 " + key.substr(0, 43)) + "\n", "Line 2 has no key of 32 bytes in base64."},
      {kInstance + ("1 AAAA" + key) + "\n", "Line 2 has no key of 32 bytes in base64."},
      {kInstance + ("1 " + key) + " # mine\n", "Line 2 has no key of 32 bytes in base64."},
      {kInstance + ("1 \"" + key) + "\"\n", "Line 2 has no key of 32 bytes in base64."},
      {kInstance + ("1 " + key) + std::string("\0\n", 2), "Line 2 has no key of 32 bytes in base64."},
      {kInstance + ("1 " + key) + "\n1 " + key + "\n", "Line 3 repeats a key number."},
      {kInstance + ("1 " + key) + "\n01 " + key + "\n", "Line 3 repeats a key number."},
      {kInstance + ("1 " + key) + "\ninstance " + key + "\n", "Line 3 names a second instance."},
  };
  for (const auto &c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.text));
    try {
      Keyring::Parse(c.text);
      ADD_FAILURE() << "parsed";
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "55000");
      EXPECT_STREQ(error.what(), "invalid key file");
      EXPECT_STREQ(error.detail(), c.detail);
      EXPECT_STRNE(error.hint(), "");
      for (size_t at = 0; at + 8 <= key.size(); ++at)
        EXPECT_EQ(Shown(error).find(key.substr(at, 8)), std::string::npos);
    }
  }
}

TEST(Keyring, MessagesOfOpenShowNoSecret) {
  const std::string key(EncodeBase64(std::string(kKeyBytes, 'a')).Reveal());
  std::string sealed = OneKey().Seal(kPlace, Secret("v1.refresh-token"));
  sealed.back() ^= 1;
  const std::string shown = Shown(OpenError(OneKey(), kPlace, sealed));
  for (const std::string &secret : {key.substr(0, 8), std::string("aaaaaaaa"), std::string("refresh-token"), sealed}) {
    EXPECT_EQ(shown.find(secret), std::string::npos);
  }
}

TEST(Keyring, FuzzCorpus) {
  EXPECT_GE(RunCorpus("keyring", KeyringFuzzOneInput), 10);
}

}  // namespace
}  // namespace supabase
