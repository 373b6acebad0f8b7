#include "crypto.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <cctype>

#include <set>
#include <stdexcept>
#include <string>

namespace supabase {
namespace {

std::string FromHex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return bytes;
}

// NIST's known answers for AES-256-GCM with nonces of 96 and tags of 128 bits (CAVP, gcmEncryptExtIV256.rsp).
const struct Vector {
  const char *key, *nonce, *associated_data, *plaintext, *ciphertext, *tag;
} kVectors[] = {
    {"b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4", "516c33929df5a3284ff463d7", "", "", "",
     "bdc1ac884d332457a1d2664f168c76f0"},
    {"886cff5f3e6b8d0e1ad0a38fcdb26de97e8acbe79f6bed66959a598fa5047d65", "3a8efa1cd74bbab5448f9945",
     "519fee519d25c7a304d6c6aa1897ee1eb8c59655", "", "", "f6d47505ec96c98a42dc3ae719877b87"},
    {"31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22", "0d18e06c7c725ac9e362e1ce", "",
     "2db5168e932556f8089a0622981d017d", "fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489"},
    {"92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b", "ac93a1a6145299bde902f21a",
     "1e0889016f67601c8ebea4943bc23ad6", "2d71bcfa914e4ac045b2aa60955fad24", "8995ae2e6df3dbf96fac7b7137bae67f",
     "eca5aa77d51d4a0a14d9c51e1da474ab"},
    {"97431e565e8370a4879de962746a2fd67eca868b1c8e51eece2c1f94f74af407", "17fb63066e2726d282ecc610",
     "78e7374da7c77be5938de8dd76cf0308618306a9", "e21629cc973fbe40176e621d9d", "80dbd469de480389ba6c2fca52",
     "4e284abb8b4f9f13c7497ae56df05fa5"},
    {"c277df045d0a1a3956958f271055c229d2634427b1d73e99d54920da69f72e01", "79e24f84bc77a21a6cb14ee2",
     "ca09282238d492029afbd30ea9b4aa9d448d77b4b41a791c35ebe3f8e5034ac71210117a843fae647cea020712c27e5c8f85acf933d5e284"
     "30c7770862d8dbb197cbbcfe49dd63f6aa05fbd13e32c459342698dfee5935c7c321",
     "5ca68d858cc30b1cb0514c4e9de98e1a1a835df401f69e9ec6f1bcb1158f09114dff551683b3827457f77e17a7097b1ea69eac",
     "5c5223c8eda59a8dc28b08e6c21482a46e5d84d32c7050bf144fc57f4e8094de133198da7b4b8398b167204aff837da15d9ab2",
     "378885950a4491bee3cd681d3c957b9a"},
};

// The parts of a decryption, to be spoilt one by one.
struct Parts {
  std::string key, nonce, associated_data, sealed;

  explicit Parts(const Vector &v)
      : key(FromHex(v.key)),
        nonce(FromHex(v.nonce)),
        associated_data(FromHex(v.associated_data)),
        sealed(FromHex(v.ciphertext) + FromHex(v.tag)) {}
  bool Decrypt(Secret *plaintext) const { return DecryptGcm(Secret(key), nonce, associated_data, sealed, plaintext); }
};

TEST(Crypto, GivesTheKnownAnswersOfNist) {
  for (const Vector &v : kVectors) {
    SCOPED_TRACE(v.key);
    const Parts parts(v);
    EXPECT_EQ(Hex(EncryptGcm(Secret(parts.key), parts.nonce, parts.associated_data, FromHex(v.plaintext))),
              std::string(v.ciphertext) + v.tag);
    Secret plaintext;
    EXPECT_TRUE(parts.Decrypt(&plaintext));
    EXPECT_EQ(Hex(plaintext.Reveal()), v.plaintext);
  }
}

TEST(Crypto, EveryFlippedBitFailsAndLeavesNoPlaintext) {
  for (const Vector &v : kVectors) {
    SCOPED_TRACE(v.key);
    Parts parts(v);
    for (std::string *part : {&parts.key, &parts.nonce, &parts.associated_data, &parts.sealed}) {
      for (size_t bit = 0; bit < 8 * part->size(); ++bit) {
        (*part)[bit / 8] = static_cast<char>((*part)[bit / 8] ^ (1 << bit % 8));
        Secret plaintext("of before");
        EXPECT_FALSE(parts.Decrypt(&plaintext)) << "bit " << bit;
        EXPECT_TRUE(plaintext.empty()) << "bit " << bit;
        (*part)[bit / 8] = static_cast<char>((*part)[bit / 8] ^ (1 << bit % 8));
      }
    }
    Secret plaintext;
    EXPECT_TRUE(parts.Decrypt(&plaintext)) << "the check itself";
  }
}

TEST(Crypto, EveryOtherLengthFails) {
  for (const Vector &v : kVectors) {
    Parts parts(v);
    Secret plaintext;
    const std::string whole = parts.sealed;
    for (size_t size = 0; size < whole.size(); ++size) {
      parts.sealed = whole.substr(0, size);
      EXPECT_FALSE(parts.Decrypt(&plaintext)) << size;
    }
    parts.sealed = whole + '\0';
    EXPECT_FALSE(parts.Decrypt(&plaintext));
    parts = Parts(v);
    parts.associated_data += '\0';
    EXPECT_FALSE(parts.Decrypt(&plaintext));
  }
}

TEST(Crypto, TakesNoKeyOrNonceOfAnotherLength) {
  const std::string key(kKeyBytes, 'k');
  const std::string nonce(kNonceBytes, 'n');
  EXPECT_THROW(EncryptGcm(Secret(key.substr(1)), nonce, "", "x"), std::logic_error);
  EXPECT_THROW(EncryptGcm(Secret(key + "k"), nonce, "", "x"), std::logic_error);
  EXPECT_THROW(EncryptGcm(Secret(key), nonce.substr(1), "", "x"), std::logic_error);
  EXPECT_THROW(EncryptGcm(Secret(key), nonce + "n", "", "x"), std::logic_error);
}

// What is on OpenSSL's error queue, oldest first; the queue is empty afterwards.
std::vector<unsigned long> TakeErrors() {
  std::vector<unsigned long> errors;
  while (const unsigned long error = ERR_get_error())
    errors.push_back(error);
  return errors;
}

TEST(Crypto, LeavesTheErrorQueueAsItFoundIt) {
  const Vector &v = kVectors[3];
  const auto fail = [&v] {
    Secret nothing;
    Parts parts(v);
    parts.sealed[0] ^= 1;
    EXPECT_FALSE(parts.Decrypt(&nothing));
    EXPECT_FALSE(DecodeBase64("!!!!", &nothing));
    EXPECT_FALSE(DecodeBase64("AAA\x80", &nothing));
    EXPECT_THROW(EncryptGcm(Secret("short"), "short", "", ""), std::logic_error);
  };
  TakeErrors();
  fail();
  EXPECT_EQ(TakeErrors(), std::vector<unsigned long>());

  // As the backend's own connection may have left one.
  ERR_put_error(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR, __FILE__, __LINE__);
  const unsigned long before = ERR_peek_error();
  ASSERT_NE(before, 0UL);
  fail();
  EXPECT_EQ(TakeErrors(), std::vector<unsigned long>{before});
}

TEST(Crypto, RandomBytesDiffer) {
  EXPECT_EQ(RandomSecret(32).Reveal().size(), 32U);
  EXPECT_EQ(RandomBytes(0), "");
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(RandomBytes(12));
    seen.insert(std::string(RandomSecret(12).Reveal()));
  }
  EXPECT_EQ(seen.size(), 2000U);
}

// FIPS 180-4's examples, and that of nothing.
TEST(Crypto, Sha256GivesTheKnownAnswers) {
  EXPECT_EQ(Hex(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Hex(Sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Crypto, FingerprintIsTheBeginningOfTheHash) {
  EXPECT_EQ(Fingerprint(Secret("abc")), "ba7816bf");
  EXPECT_NE(Fingerprint(Secret("abd")), "ba7816bf");
}

TEST(Crypto, HexHasTwoDigitsForEachByte) {
  EXPECT_EQ(Hex(std::string("\0\x0f\xf0\xff", 4)), "000ff0ff");
  EXPECT_EQ(Hex(""), "");
}

TEST(Crypto, Base64GivesTheExamplesOfTheRfc) {
  const char *const examples[][2] = {{"", ""},
                                     {"f", "Zg=="},
                                     {"fo", "Zm8="},
                                     {"foo", "Zm9v"},
                                     {"foob", "Zm9vYg=="},
                                     {"fooba", "Zm9vYmE="},
                                     {"foobar", "Zm9vYmFy"},
                                     {"\xff\xfe\xfd", "//79"}};
  for (const auto &[bytes, text] : examples) {
    EXPECT_EQ(EncodeBase64(bytes).Reveal(), text);
    Secret decoded("of before");
    EXPECT_TRUE(DecodeBase64(text, &decoded)) << text;
    EXPECT_EQ(decoded.Reveal(), bytes);
  }
}

TEST(Crypto, Base64OfEveryLengthComesBack) {
  for (size_t size = 0; size < 200; ++size) {
    const std::string bytes = RandomBytes(size);
    Secret decoded;
    EXPECT_TRUE(DecodeBase64(EncodeBase64(bytes).Reveal(), &decoded));
    EXPECT_EQ(decoded.Reveal(), bytes);
  }
}

TEST(Crypto, Base64IsStrict) {
  const std::string refused[] = {
      "Z",
      "Zg",
      "Zg=",
      "Zg===",
      "=",
      "==",
      "====",
      "Z===",
      "Zh==",      // bits behind the end that are not zero
      "Zm9=",      // the same
      "Zg==Zg==",  // two texts
      "Zg=g",
      " Zm9v",
      "Zm9v ",
      "Zm9v\n",
      "\tZm9v\n\n\n",
      "Zm 9",
      "Zm9v    ",
      "    Zm9v",
      "__79",  // of the URL alphabet
      "--79",
      "Zm9v-",
      "Zm9v!!!!",
      "Zm9\x80",
      std::string("Zm9\0", 4),
      std::string(4, '\0'),
  };
  for (const std::string &text : refused) {
    Secret decoded("of before");
    EXPECT_FALSE(DecodeBase64(text, &decoded)) << testing::PrintToString(text);
    EXPECT_TRUE(decoded.empty()) << testing::PrintToString(text);
  }
}

TEST(MakePassword, IsStrongAndNeedsNoEncoding) {
  std::set<std::string> made;
  for (int i = 0; i < 200; ++i) {
    const std::string password = MakePassword();
    EXPECT_EQ(password.size(), 32U);
    const auto any = [&](auto kind) {
      return std::any_of(password.begin(), password.end(), [&](unsigned char c) { return kind(c) != 0; });
    };
    EXPECT_TRUE(any(isupper) && any(islower) && any(isdigit)) << password;
    EXPECT_FALSE(any([](int c) { return isalnum(c) == 0; })) << password;
    EXPECT_TRUE(made.insert(password).second);
  }
}

}  // namespace
}  // namespace supabase
