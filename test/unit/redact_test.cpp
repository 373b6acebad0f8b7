#include "redact.hpp"

#include <gtest/gtest.h>

#include <string>

namespace supabase {
namespace {

std::string Text(std::string_view text, bool literals) {
  const char *redacted = Redact(text, literals);
  return redacted == nullptr ? std::string(text) : redacted;
}

TEST(Redact, CredentialsByTheirLooks) {
  EXPECT_EQ(Text("SELECT supabase_set_auth('eyJhbGciOiJI.eyJzdWIi.sig-na_ture')", false),
            "SELECT supabase_set_auth('<hidden>')");
  EXPECT_EQ(Text("key sb_secret_0123456789abcdef, sb_publishable_0123456789ab; sbp_0123456789abcdef01", false),
            "key <hidden>, <hidden>; <hidden>");
  EXPECT_EQ(Text("cut off: eyJhbGciOiJIUzI1NiJ9.eyJz", false), "cut off: <hidden>");
}

TEST(Redact, OrdinaryTextStays) {
  for (const char *text : {"", "SELECT 1", "SELECT * FROM sbp_items WHERE a = 'eyJ'", "sb_secret_ is a prefix",
                           "it's $1 and $2", "monkeyJhbGciOiJI"}) {
    EXPECT_EQ(Redact(text, false), nullptr) << text;
  }
  EXPECT_EQ(Redact("execute x: SELECT f($1, $2)", true), nullptr);
}

TEST(Redact, FromTheFirstLiteralOnInAStatementThatTakesSecrets) {
  EXPECT_EQ(Text("SELECT supabase_sign_in('shop', 'a@b.c', 'it''s secret', is_local => true)", true),
            "SELECT supabase_sign_in(<hidden>");
  EXPECT_EQ(Text("parameters: $1 = 'shop', $2 = 'pw', $3 = NULL", true), "parameters: $1 = <hidden>");
  EXPECT_EQ(Text("DO $x$ BEGIN PERFORM f('a'); END $x$ LANGUAGE plpgsql", true), "DO <hidden>");
  EXPECT_EQ(Text("SELECT $$a$$, ''", true), "SELECT <hidden>");
  EXPECT_EQ(Text("-- don't forget\nSELECT supabase_sign_in('shop', 'a@b.c', 'pw')", true), "-- don<hidden>");
  EXPECT_EQ(Text("SELECT supabase_sign_in(E'it\\'s', 'pw')", true), "SELECT supabase_sign_in(E<hidden>");
  EXPECT_EQ(Text("SELECT f(sb_secret_0123456789abcdef, 'x')", true), "SELECT f(<hidden>, <hidden>");
}

TEST(Redact, WhatTakesSecrets) {
  for (const char *text : {"select SUPABASE_SIGN_IN('x')", "call public.supabase_set_auth($1)",
                           "select supabase_oauth_create_app('a', 'b', 'c', 'd')", "supabase_oauth_exchange('c', 's')",
                           "select supabase_management('v1-x', '{}', $1)", "UPDATE projects SET db_pass = 'x'",
                           "CREATE USER MAPPING FOR x SERVER y OPTIONS (api_key 'z')", "OPTIONS (SET jwt 'x')"}) {
    EXPECT_TRUE(TakesSecrets(text)) << text;
  }
  for (const char *text : {"", "SELECT 1", "supabase_sign_out", "api", "supabase_sign_i"}) {
    EXPECT_FALSE(TakesSecrets(text)) << text;
  }
}

}  // namespace
}  // namespace supabase
