#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "secret.hpp"

namespace supabase {

// What goes out. Builders fill it, `http` sends it. `url` is complete (scheme to query) and already percent-encoded.
struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, Secret>> secret_headers;  // apikey, Authorization ("Bearer …" included)
  std::string body;
  Secret secret_body;                // in place of body: a password, a refresh token
  std::vector<Secret> body_secrets;  // the secrets in secret_body, for messages; none: every text in it is one

  // Method and path with query, for EXPLAIN, messages and traces; never a header.
  std::string label;
  // May be sent again after a failure that leaves its outcome open: true for GET and HEAD only.
  bool idempotent = true;

  int64_t connect_timeout_ms = 10'000;
  int64_t total_timeout_ms = 60'000;           // of one attempt
  int64_t delay_ms = 0;                        // before the first one
  int max_retries = 3;                         // attempts after the first
  uint64_t max_response_bytes = 256ULL << 20;  // decoded
  // The stored credential that the Authorization comes from, and its generation: when the server refuses it (401), the
  // transfer waits for Session::Renew. Empty: the answer stands.
  std::string renewal_id;
  int64_t renewal_generation = 0;
  // Whether the address that DNS gives may be loopback, private or link-local (the server's host is listed in
  // supabase_fdw.allowed_hosts, or a superuser owns the server).
  bool allow_private_address = false;
  bool allow_http = false;  // else https only
};

// What came back, complete: the transport has seen the end of the body.
struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;         // decoded; its capacity leaves the padding that simdjson reads past the end
  uint64_t wire_bytes = 0;  // as transferred, body only
  int retries = 0;
  int64_t elapsed_us = 0;  // of the last attempt
  int64_t answer_us = 0;   // of that, from the request to the answer's first byte

  // The first header of that (lower-case) name, or an empty view.
  std::string_view Header(std::string_view name) const noexcept {
    for (const auto &[key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

// What may be logged of an answer: never a header or a body.
struct AnswerTrace {
  std::string label;  // of the request
  int status = 0;
  uint64_t bytes = 0;  // as transferred
  int64_t elapsed_us = 0;

  AnswerTrace() = default;
  AnswerTrace(const Request &request, const Response &response)
      : label(request.label), status(response.status), bytes(response.wire_bytes), elapsed_us(response.elapsed_us) {}
};

}  // namespace supabase
