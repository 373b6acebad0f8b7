#include "retry.hpp"

#include <gtest/gtest.h>

#include <string>

namespace supabase {
namespace {

constexpr int64_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

Attempt Answered(int status, std::string_view code = {}, bool idempotent = true) {
  Attempt attempt;
  attempt.max_retries = 3;
  attempt.idempotent = idempotent;
  attempt.got_response = true;
  attempt.sent = true;
  attempt.status = status;
  attempt.remote_code = code;
  return attempt;
}

Attempt Failed(bool sent, bool permanent, bool idempotent) {
  Attempt attempt;
  attempt.max_retries = 3;
  attempt.idempotent = idempotent;
  attempt.sent = sent;
  attempt.permanent = permanent;
  return attempt;
}

bool Retries(const Attempt &attempt) {
  return RetryDelay(attempt, 0.5, kNow) >= 0;
}

TEST(Retry, DecidesByStatusAndCode) {
  const struct {
    int status;
    const char *code;
    bool read, write;  // whether a GET and an insert are tried again
  } cases[] = {
      {200, "", false, false},       {200, "40001", false, false},    {301, "", false, false},
      {400, "", false, false},       {401, "PGRST301", false, false}, {404, "PGRST205", false, false},
      {409, "23505", false, false},  {409, "40001", true, true},      {500, "40P01", true, true},
      {500, "", false, false},       {500, "XX000", false, false},    {429, "", true, true},
      {501, "", false, false},       {502, "", true, false},          {503, "", true, false},
      {503, "PGRST000", true, true}, {503, "PGRST001", true, false},  {503, "PGRST002", true, true},
      {504, "PGRST003", true, true}, {504, "", true, false},          {520, "", true, false},
      {524, "", true, false},        {525, "", false, false},         {503, "PGRST00", true, false},
  };
  for (const auto &c : cases) {
    EXPECT_EQ(Retries(Answered(c.status, c.code, true)), c.read) << c.status << " " << c.code;
    EXPECT_EQ(Retries(Answered(c.status, c.code, false)), c.write) << c.status << " " << c.code;
  }
}

TEST(Retry, DecidesByWhatWasSentWithoutAnAnswer) {
  EXPECT_TRUE(Retries(Failed(false, false, true)));
  EXPECT_TRUE(Retries(Failed(false, false, false)));
  EXPECT_TRUE(Retries(Failed(true, false, true)));
  EXPECT_FALSE(Retries(Failed(true, false, false)));
  EXPECT_FALSE(Retries(Failed(false, true, true)));
  EXPECT_FALSE(Retries(Failed(true, true, true)));
}

TEST(Retry, StopsAfterMaxRetries) {
  Attempt attempt = Answered(503);
  attempt.number = 2;
  EXPECT_TRUE(Retries(attempt));
  attempt.number = 3;
  EXPECT_FALSE(Retries(attempt));
  attempt.number = 0;
  attempt.max_retries = 0;
  EXPECT_FALSE(Retries(attempt));
}

TEST(Retry, BacksOffWithFullJitterUpToFiveSeconds) {
  Attempt attempt = Answered(503);
  attempt.max_retries = 1000;
  const int64_t longest[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
  for (int number = 0; number < 9; ++number) {
    attempt.number = number;
    EXPECT_EQ(RetryDelay(attempt, 0.0, kNow), 0);
    EXPECT_EQ(RetryDelay(attempt, 0.5, kNow), longest[number] / 2);
    EXPECT_LT(RetryDelay(attempt, 0.999999, kNow), longest[number]);
  }
  attempt.number = 999;
  EXPECT_EQ(RetryDelay(attempt, 0.5, kNow), 2500);
}

TEST(Retry, ReadsRetryAfter) {
  const struct {
    const char *text;
    int64_t delay;  // with random 0.5
  } cases[] = {
      {"1", 1250},
      {"59", 59250},
      {"60", 60250},
      {"61", 60250},
      {"0007", 7250},
      {"1000000000", 60250},
      {"99999999999999999999999999999", 60250},
      {"0", 125},  // 50 + 0.5 * 150
      {"000", 125},
      {"Sun, 06 Nov 1994 08:49:39 GMT", 2250},
      {"Sun, 06 Nov 1994 08:49:30 GMT", 125},  // past
      {"Sun, 06 Nov 2094 08:49:37 GMT", 60250},
      // Garbage counts as none: back-off.
      {"-1", 50},
      {"1.5", 50},
      {"soon", 50},
      {" 1", 50},
      {"Sun, 06 Nov 1994 08:49:39 CET", 50},
      {"Sun, 06 anF 1994 08:49:39 GMT", 50},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 50},
      {"", 50},
  };
  for (const auto &c : cases) {
    Attempt attempt = Answered(429);
    attempt.retry_after = c.text;
    EXPECT_EQ(RetryDelay(attempt, 0.5, kNow), c.delay) << c.text;
  }
}

TEST(Retry, RetryAfterAloneIsNoReason) {
  Attempt attempt = Answered(503, {}, false);
  attempt.retry_after = "1";
  EXPECT_FALSE(Retries(attempt));
}

}  // namespace
}  // namespace supabase
