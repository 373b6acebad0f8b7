#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "message.hpp"

namespace supabase {

// What the X-RateLimit-* headers of earlier answers say of each bucket (X-RateLimit-Reset in seconds to go), so that
// requests slow down before the remote refuses them. One for each backend; other callers of the same bucket show in the
// next answer only.
class RateLimits {
 public:
  struct Bucket {
    std::string name;
    int64_t limit = 0, remaining = 0;
    int64_t reset_ms = 0;  // on the clock that the caller passes
  };

  // The clock of those who call it.
  static int64_t NowMs();

  // Milliseconds to wait before the next request of a bucket, which is counted from now on. While more than a twentieth
  // of the limit is left: 0. Then the rest is spread over the time until the reset; with nothing left: until then.
  int64_t Begin(const std::string &bucket, int64_t now_ms);
  // Takes what an answer says.
  void End(const std::string &bucket, const Response &response, int64_t now_ms);
  // Those that are not over.
  std::vector<Bucket> Current(int64_t now_ms);

 private:
  std::map<std::string, Bucket> buckets_;
};

}  // namespace supabase
