#include "rate_limit.hpp"

#include <string>

#include "management.hpp"

namespace supabase {
namespace {

using test::Reply;

Response Left(int limit, int remaining, int reset) {
  return Reply(200, "",
               {{"x-ratelimit-limit", std::to_string(limit)},
                {"x-ratelimit-remaining", std::to_string(remaining)},
                {"x-ratelimit-reset", std::to_string(reset)}});
}

TEST(RateLimits, NothingKnownNoWait) {
  RateLimits limits;
  EXPECT_EQ(limits.Begin("a", 0), 0);
  limits.End("a", Reply(200, ""), 0);
  limits.End("a", Reply(200, "", {{"x-ratelimit-limit", "1"}, {"x-ratelimit-remaining", "0"}}), 0);
  limits.End("a",
             Reply(200, "", {{"x-ratelimit-limit", "1"}, {"x-ratelimit-remaining", "-1"}, {"x-ratelimit-reset", "9"}}),
             0);
  limits.End(
      "a",
      Reply(200, "", {{"x-ratelimit-limit", "1"}, {"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1234567890"}}),
      0);
  EXPECT_EQ(limits.Begin("a", 0), 0);
  EXPECT_TRUE(limits.Current(0).empty());
}

TEST(RateLimits, SpreadsTheLastTwentieth) {
  RateLimits limits;
  limits.End("a", Left(120, 9, 60), 0);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(limits.Begin("a", 0), 0) << i;
  // 6 of 120 are left: one for each share of the minute.
  EXPECT_EQ(limits.Begin("a", 0), 60'000 / 7);
  EXPECT_EQ(limits.Begin("a", 30'000), 30'000 / 6);
  for (int i = 0; i < 4; ++i)
    limits.Begin("a", 30'000);
  EXPECT_EQ(limits.Begin("a", 40'000), 20'000) << "nothing is left: until the reset";
  EXPECT_EQ(limits.Begin("a", 59'999), 1);
  EXPECT_EQ(limits.Begin("a", 60'000), 0) << "a new window";
  EXPECT_EQ(limits.Begin("a", 60'000), 0);
}

TEST(RateLimits, BucketsAreApart) {
  RateLimits limits;
  limits.End("a", Left(10, 0, 30), 1000);
  EXPECT_EQ(limits.Begin("b", 1000), 0);
  EXPECT_EQ(limits.Begin("a", 1000), 30'000);
  const auto current = limits.Current(2000);
  ASSERT_EQ(current.size(), 1U);
  EXPECT_EQ(current[0].name, "a");
  EXPECT_EQ(current[0].limit, 10);
  EXPECT_EQ(current[0].reset_ms, 31'000);
  EXPECT_TRUE(limits.Current(31'000).empty());
  EXPECT_EQ(limits.Begin("a", 31'000), 0);
}

TEST(RateLimits, NoHeaderMakesItWaitForLong) {
  RateLimits limits;
  limits.End("a", Left(10, 0, 999'999'999), 0);
  EXPECT_EQ(limits.Begin("a", 0), 120'000);
}

TEST(RateLimits, AnswersInAnotherOrderDoNotGiveBackWhatIsUsed) {
  RateLimits limits;
  limits.End("a", Left(120, 5, 60), 0);
  limits.End("a", Left(120, 8, 60), 10);
  EXPECT_EQ(limits.Current(10)[0].remaining, 5);
  limits.End("a", Left(120, 4, 59), 500);
  EXPECT_EQ(limits.Current(500)[0].remaining, 4);
  // Requests under way count before their answers come.
  limits.Begin("a", 500);
  limits.Begin("a", 500);
  limits.End("a", Left(120, 3, 59), 600);
  EXPECT_EQ(limits.Current(600)[0].remaining, 2);
}

TEST(RateLimits, ANewWindowStartsAfresh) {
  RateLimits limits;
  limits.End("a", Left(120, 0, 2), 0);
  limits.End("a", Left(120, 119, 60), 2500);
  EXPECT_EQ(limits.Current(2500)[0].remaining, 119);
  EXPECT_EQ(limits.Begin("a", 2500), 0);
  // Also before the old one is over, as the remote's clock is not this one's.
  limits.End("b", Left(120, 0, 30), 0);
  limits.End("b", Left(120, 119, 60), 100);
  EXPECT_EQ(limits.Begin("b", 100), 0);
}

}  // namespace
}  // namespace supabase
