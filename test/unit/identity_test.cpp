#include "identity.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"

namespace supabase {
namespace {

Identity User(unsigned server_id, const std::string &token) {
  Identity identity;
  identity.server_id = server_id;
  identity.token = Secret(token);
  identity.claims.sub = "sub of " + token;
  return identity;
}

// What a real random source gives: every handle is another one.
class Store : public IdentityStore {
 public:
  std::string Set(const std::string &handle, Identity identity) { return With(handle, Random(), std::move(identity)); }
  std::string Unset(const std::string &handle, unsigned server_id) { return Without(handle, Random(), server_id); }
  // "server:token …" of a state, in the order of the servers; "gone" for a handle that names none.
  std::string Show(const std::string &handle) const {
    const IdentityState *state = Find(handle);
    if (state == nullptr) return "gone";
    std::map<unsigned, std::string> tokens;
    for (const Identity &identity : state->all()) {
      EXPECT_TRUE(tokens.emplace(identity.server_id, identity.token.Reveal()).second) << "two for one server";
      EXPECT_EQ(state->Find(identity.server_id), &identity);
    }
    std::string text;
    for (const auto &[server, token] : tokens)
      text += (text.empty() ? "" : " ") + std::to_string(server) + ":" + token;
    return text;
  }

 private:
  const unsigned char *Random() {
    next_++;
    std::memcpy(random_.data(), &next_, sizeof next_);
    return random_.data();
  }
  unsigned next_ = 0;
  std::array<unsigned char, kHandleBytes> random_{};
};

// ---- states ----

TEST(Identity, HandleIsTheRandomBytesInHex) {
  IdentityStore store;
  const unsigned char random[IdentityStore::kHandleBytes] = {0x00, 0x01, 0x0f, 0x10, 0x7f, 0x80, 0xff, 0xab,
                                                             0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};
  const char *handle = store.With("", random, User(0, "a"));
  EXPECT_STREQ(handle, "00010f107f80ffabcdef123456789abc");
  EXPECT_NE(store.Find("00010f107f80ffabcdef123456789abc"), nullptr);
}

TEST(Identity, SameHandleAgainNamesTheNewState) {
  IdentityStore store;
  const unsigned char random[IdentityStore::kHandleBytes] = {};
  const std::string handle = store.With("", random, User(0, "a"));
  EXPECT_EQ(store.With("", random, User(1, "b")), handle);
  EXPECT_EQ(store.Find(handle)->Find(0), nullptr);
  EXPECT_NE(store.Find(handle)->Find(1), nullptr);
}

TEST(Identity, HandleLivesUntilItsStateIsForgotten) {
  Store store;
  std::array<unsigned char, IdentityStore::kHandleBytes> random{};
  random.fill(0xAA);
  const char *handle = store.With("", random.data(), User(0, "a"));
  const std::string copy = handle;
  for (int i = 0; i < 100; i++)
    store.Set(copy, User(0, std::to_string(i)));
  store.Keep(copy, "");
  EXPECT_EQ(handle, copy);
}

TEST(Identity, OnlyAHandleFindsAState) {
  Store store;
  const std::string handle = store.Set("", User(0, "a"));
  for (const std::string &other : {std::string(), std::string("0"), handle + "0", handle.substr(1),
                                   handle.substr(0, handle.size() - 1), std::string(handle.size(), '0')}) {
    EXPECT_EQ(store.Find(other), nullptr) << other;
  }
  EXPECT_EQ(store.Show(handle), "0:a");
}

TEST(Identity, WithAddsOrReplacesOneServer) {
  Store store;
  const std::string general = store.Set("", User(0, "a"));
  const std::string own = store.Set(general, User(7, "b"));
  const std::string replaced = store.Set(own, User(0, "c"));
  const std::string nobody = store.Set(replaced, User(7, ""));
  EXPECT_EQ(store.Show(own), "0:a 7:b");
  EXPECT_EQ(store.Show(replaced), "0:c 7:b");
  EXPECT_EQ(store.Show(nobody), "0:c 7:");
  EXPECT_TRUE(store.Find(nobody)->Find(7)->token.empty());
  EXPECT_EQ(store.Find(nobody)->Find(8), nullptr);
}

TEST(Identity, KeepsEveryField) {
  Store store;
  Identity identity = User(7, "t");
  identity.claims.email = "e";
  identity.claims.exp = 5;
  identity.bound_url = "h";
  identity.setter = 42;
  const IdentityState *state = store.Find(store.Set(store.Set("", std::move(identity)), User(8, "u")));
  const Identity *found = state->Find(7);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->claims.sub, "sub of t");
  EXPECT_EQ(found->claims.email, "e");
  EXPECT_EQ(found->claims.exp, 5);
  EXPECT_EQ(found->bound_url, "h");
  EXPECT_EQ(found->setter, 42U);
}

// One user's failing refresh is no reason for another's to wait, and a rollback is none to try again.
TEST(Identity, OnlyTheOneWhoseRefreshFailedWaits) {
  Store store;
  const std::string first = store.Set("", User(7, "a"));
  const std::string both = store.Set(first, User(8, "b"));
  store.Defer(Secret("a"), 5);
  EXPECT_EQ(store.Find(first)->Find(7)->refresh_after, 5);
  EXPECT_EQ(store.Find(both)->Find(7)->refresh_after, 5);
  EXPECT_EQ(store.Find(both)->Find(8)->refresh_after, 0);
  store.Replace(Secret("a"), Secret("c"), Secret("r"), {});
  EXPECT_EQ(store.Find(both)->Find(7)->refresh_after, 0);
}

// A rollback brings an older handle back, so its state must be what it was.
TEST(Identity, StatesAreIsolated) {
  Store store;
  const std::string first = store.Set("", User(0, "a"));
  const std::string second = store.Set(first, User(0, "b"));
  const std::string branch = store.Set(first, User(1, "c"));
  const std::string fewer = store.Unset(branch, 0);
  const std::string fresh = store.Set("", User(2, "d"));
  EXPECT_EQ(store.Show(first), "0:a");
  EXPECT_EQ(store.Show(second), "0:b");
  EXPECT_EQ(store.Show(branch), "0:a 1:c");
  EXPECT_EQ(store.Show(fewer), "1:c");
  EXPECT_EQ(store.Show(fresh), "2:d");
  EXPECT_EQ(store.size(), 5U);
}

TEST(Identity, WithoutTheLastOneIsNoState) {
  Store store;
  const std::string one = store.Set("", User(3, "a"));
  EXPECT_EQ(store.Unset(one, 3), "");
  EXPECT_EQ(store.Unset("", 0), "");
  EXPECT_EQ(store.size(), 1U);
  const std::string same = store.Unset(one, 4);
  EXPECT_EQ(store.Show(same), "3:a");
  EXPECT_EQ(store.Show(one), "3:a");
}

// Nothing of what a forgotten handle named comes back.
TEST(Identity, ForgottenHandleNamesNothing) {
  Store store;
  const std::string old = store.Set("", User(0, "a"));
  store.Keep("", "");
  EXPECT_EQ(store.size(), 0U);
  EXPECT_EQ(store.Show(old), "gone");
  EXPECT_EQ(store.Show(store.Set(old, User(1, "b"))), "1:b");
  EXPECT_EQ(store.Unset(old, 1), "");
}

TEST(Identity, KeepForgetsAllButTwo) {
  Store store;
  std::vector<std::string> handles;
  for (int i = 0; i < 5; i++)
    handles.push_back(store.Set("", User(0, std::to_string(i))));
  store.Keep(handles[3], handles[1]);
  EXPECT_EQ(store.size(), 2U);
  EXPECT_EQ(store.Show(handles[1]), "0:1");
  EXPECT_EQ(store.Show(handles[3]), "0:3");
  store.Keep("", handles[3]);
  store.Keep(handles[3], handles[3]);
  EXPECT_EQ(store.size(), 1U);
  EXPECT_EQ(store.Show(handles[3]), "0:3");
  store.Keep("unknown", "");
  EXPECT_EQ(store.size(), 0U);
}

// Against a model: states are values that their handles name.
TEST(IdentityProperty, BehavesAsAMapOfValues) {
  using State = std::map<unsigned, std::string>;
  std::mt19937 random(1);
  const auto pick = [&](size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random); };
  for (int round = 0; round < 200; round++) {
    Store store;
    std::vector<std::string> handles = {""};  // ever given out
    std::map<std::string, State> model;
    for (int step = 0; step < 40; step++) {
      const std::string from = handles[pick(handles.size())];
      State state = model.count(from) != 0 ? model[from] : State();
      const auto server = static_cast<unsigned>(pick(3));
      std::string handle;
      if (const size_t choice = pick(8); choice == 0) {
        const std::string other = handles[pick(handles.size())];
        store.Keep(from, other);
        for (auto it = model.begin(); it != model.end();) {
          it = it->first == from || it->first == other ? std::next(it) : model.erase(it);
        }
      } else if (choice < 3) {
        handle = store.Unset(from, server);
        state.erase(server);
        EXPECT_EQ(handle.empty(), state.empty());
      } else {
        state[server] = std::to_string(step);
        handle = store.Set(from, User(server, state[server]));
      }
      if (!handle.empty()) {
        handles.push_back(handle);
        model[handle] = state;
      }
      EXPECT_EQ(store.size(), model.size());
      for (const std::string &known : handles) {
        std::string expected = model.count(known) != 0 ? "" : "gone";
        if (model.count(known) != 0) {
          for (const auto &[id, token] : model[known]) {
            expected += (expected.empty() ? "" : " ") + std::to_string(id) + ":" + token;
          }
        }
        ASSERT_EQ(store.Show(known), expected);
      }
    }
  }
}

// ---- which project a token belongs to ----

TEST(TokenBelongs, Table) {
  const std::string ref = "abcdefghijklmnopqrst", other = "tsrqponmlkjihgfedcba";
  const std::string host = ref + ".supabase.co";
  const struct {
    const char *what;
    std::string iss, ref, host, project;
    Belongs belongs;
  } cases[] = {
      {"Auth's token", "https://" + host + "/auth/v1", "", host, ref, Belongs::kYes},
      {"of a server without a reference", "https://" + host + "/auth/v1", "", host, "", Belongs::kYes},
      {"of another project", "https://" + other + ".supabase.co/auth/v1", "", host, ref, Belongs::kNo},
      {"host in capitals", "https://ABCDEFGHIJKLMNOPQRST.Supabase.CO/auth/v1", "", host, ref, Belongs::kYes},
      {"a port does not matter", "http://127.0.0.1:54321/auth/v1", "", "127.0.0.1", "", Belongs::kYes},
      {"another address", "http://127.0.0.2/auth/v1", "", "127.0.0.1", "", Belongs::kNo},
      {"no path", "https://" + host, "", host, ref, Belongs::kYes},
      {"host is a prefix", "https://" + host + ".evil.test/auth/v1", "", host, ref, Belongs::kNo},
      {"host is a suffix", "https://evil" + host + "/auth/v1", "", host, ref, Belongs::kNo},
      {"host is the user", "https://" + host + "@evil.test/auth/v1", "", host, ref, Belongs::kNo},
      {"user before the host", "https://x@" + host + "/auth/v1", "", host, ref, Belongs::kNo},
      {"host in the path", "https://evil.test/" + host, "", host, ref, Belongs::kNo},
      {"host in the fragment", "https://evil.test#" + host, "", host, ref, Belongs::kNo},
      {"another scheme", "ftp://" + host + "/auth/v1", "", host, ref, Belongs::kNo},
      {"an empty host", "https://", "", "", "", Belongs::kNo},
      {"older keys name the reference", "supabase", ref, host, ref, Belongs::kYes},
      {"and another one", "supabase", other, host, ref, Belongs::kNo},
      {"the reference is compared exactly", "supabase", "ABCDEFGHIJKLMNOPQRST", host, ref, Belongs::kNo},
      {"a part of it is not it", "supabase", ref.substr(1), host, ref, Belongs::kNo},
      {"a server without a reference has no such keys", "supabase", ref, host, "", Belongs::kNo},
      {"the reference decides, not the issuer", "https://" + host + "/auth/v1", other, host, ref, Belongs::kNo},
      {"nor the other way", "https://evil.test/auth/v1", ref, host, ref, Belongs::kYes},
      {"a word", "supabase", "", host, ref, Belongs::kUnnamed},
      {"of local development", "supabase-demo", "", "127.0.0.1", "", Belongs::kUnnamed},
      {"a host without a scheme", host, "", host, ref, Belongs::kUnnamed},
      {"one slash makes no URL", "https:/" + host, "", host, ref, Belongs::kUnnamed},
      {"nothing", "", "", host, ref, Belongs::kUnnamed},
      {"nothing, to nobody", "", "", "", "", Belongs::kUnnamed},
  };
  for (const auto &c : cases) {
    Claims claims;
    claims.iss = c.iss;
    claims.ref = c.ref;
    EXPECT_EQ(static_cast<int>(TokenBelongs(claims, c.host, c.project)), static_cast<int>(c.belongs)) << c.what;
  }
}

// ---- headers of the request that the local session serves ----

TEST(RequestHeader, Table) {
  const std::string long_value(100'000, 'x');
  const struct {
    std::string json;
    std::optional<std::string> value;
  } cases[] = {
      {"", std::nullopt},  // after the transaction the setting is ''
      {"{}", std::nullopt},
      {R"({"x-other":"a"})", std::nullopt},
      {R"({"x-supabase-auth":"a"})", "a"},
      {R"( {"accept" : "*/*", "x-supabase-auth" : "Bearer a.b.c" , "z":"1"} )", "Bearer a.b.c"},
      {R"({"x-supabase-auth":""})", std::nullopt},
      {R"({"x-supabase-auth":null})", std::nullopt},
      {R"({"x-supabase-auth":" "})", " "},
      {R"({"X-Supabase-Auth":"a"})", std::nullopt},  // PostgREST sends the names in lower case
      {R"({"x-supabase-auth ":"a"})", std::nullopt},
      {R"({"headers":{"x-supabase-auth":"a"}})", std::nullopt},
      {R"({"x-supabase-auth":"a\"\\\u00e9\n\u0000b"})", std::string("a\"\\\xC3\xA9\n\0b", 8)},
      {R"({"n":1,"list":[1,{}],"x-supabase-auth":"a"})", "a"},
      {"{\"x-supabase-auth\":\"" + long_value + "\"}", long_value},
  };
  for (const auto &c : cases) {
    const std::optional<Secret> found = RequestHeader(c.json, "x-supabase-auth");
    const std::string what = c.json.substr(0, 100);
    ASSERT_EQ(found.has_value(), c.value.has_value()) << what;
    EXPECT_EQ(found ? found->Reveal() : "", c.value.value_or("")) << what;
  }
  EXPECT_EQ(RequestHeader(R"({"authorization":"b","x-supabase-auth":"a"})", "authorization")->Reveal(), "b");
}

TEST(RequestHeader, RefusesWhatIsNoObjectOfTexts) {
  for (const char *json :
       {" ", "null", "[]", "\"x-supabase-auth\"", "1", "{", "{\"x-supabase-auth\":\"secret-text\"",
        "{\"x-supabase-auth\":\"secret-text\"} x", "{'x-supabase-auth':'secret-text'}",
        "{\"x-supabase-auth\":\"secret-text\xFF\"}", "{\"x-supabase-auth\":[\"secret-text\"]}",
        "{\"x-supabase-auth\":{\"secret-text\":1}}", "{\"x-supabase-auth\":1}", "{\"x-supabase-auth\":true}"}) {
    try {
      RequestHeader(json, "x-supabase-auth");
      ADD_FAILURE() << json;
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), sqlstate::kInvalidParameterValue) << json;
      const std::string all = std::string(error.what()) + error.detail() + error.hint() + error.context();
      EXPECT_EQ(all.find("secret-text"), std::string::npos) << "the message tells the token";
    }
  }
}

}  // namespace
}  // namespace supabase
