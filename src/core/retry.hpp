#pragma once

#include <cstdint>
#include <string_view>

namespace supabase {

// What is known of one attempt, as far as trying again depends on it.
struct Attempt {
  int number = 0;  // 0 for the first
  int max_retries = 0;
  bool idempotent = true;
  bool got_response = false;  // a complete response with `status`
  int status = 0;
  bool sent = false;       // without a response: whether any byte of the request can have reached the server
  bool permanent = false;  // without a response: trying again cannot help (TLS verification, unknown host, limits)
  std::string_view retry_after;  // header of that name, or empty
  std::string_view remote_code;  // "code" of PostgREST's error body, or empty
};

// Whether the server did not execute the request, by what is known of the attempt.
bool SurelyNotExecuted(const Attempt &attempt);

// Milliseconds to wait before the next attempt, or -1 for none.
//
// Tried again whatever the method, because the request was surely not executed: nothing was sent, 429, PGRST000 (no
// database), PGRST002 (no schema cache), PGRST003 (no free connection), and 40001 and 40P01 (rolled back).
// Tried again for GET and HEAD only: any other network failure, 502, 503, 504, Cloudflare's 520 to 524, and PGRST001,
// which PostgREST also gives when the database connection broke while the statement ran.
//
// Back-off with full jitter: random(0, min(5 s, 100 ms * 2^n)). Retry-After takes its place, is capped at 60 s and
// gets up to half a second more; a Retry-After of 0 still waits 50 to 200 ms. `random` is uniform in [0, 1). `now` is
// Unix time in seconds, for a Retry-After given as an HTTP date.
int64_t RetryDelay(const Attempt &attempt, double random, int64_t now);

}  // namespace supabase
