#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <memory>
#include <string>

#include "error.hpp"
#include "http.hpp"

namespace test {

// Moves the session on as a backend does, only when its descriptor says so. False when that takes more than 10 s, which
// means that the descriptor forgot something.
template <typename Condition>
bool DriveUntil(supabase::Session &session, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waited{session.fd(), POLLIN, 0};
    if (left.count() <= 0 || poll(&waited, 1, static_cast<int>(left.count())) == 0) return false;
    session.Pump();
  }
  return true;
}

// A request that may go to this machine and is not tried again.
inline supabase::Request Get(const std::string &url) {
  supabase::Request request;
  request.url = url;
  request.label = "GET /test";
  request.max_retries = 0;
  request.allow_private_address = true;
  request.allow_http = true;
  request.connect_timeout_ms = 5000;
  request.total_timeout_ms = 8000;
  return request;
}

// What readers make their requests of: the Data API's root, to which they append what they ask for.
inline supabase::Request Prototype(const std::string &url, const std::string &path = "") {
  supabase::Request request = Get(url + path);
  request.label = "GET " + path;
  return request;
}

inline supabase::Request Post(const std::string &url, const std::string &body) {
  supabase::Request request = Get(url);
  request.method = "POST";
  request.body = body;
  request.idempotent = false;
  return request;
}

inline supabase::Response Fetch(supabase::Session &session, supabase::Request request) {
  const std::unique_ptr<supabase::Transfer> transfer = session.Send(std::move(request));
  if (!DriveUntil(session, [&] { return transfer->done(); })) {
    ADD_FAILURE() << "the transfer hangs";
    return {};
  }
  return std::move(transfer->Result());
}

// The failure of a request, which must fail.
inline supabase::Error FetchError(supabase::Session &session, supabase::Request request) {
  try {
    const supabase::Response response = Fetch(session, std::move(request));
    ADD_FAILURE() << "no error but status " << response.status << " and " << response.body.size() << " bytes";
  } catch (const supabase::Error &error) {
    return error;
  }
  return supabase::Error("XXXXX", "no error");
}

}  // namespace test
