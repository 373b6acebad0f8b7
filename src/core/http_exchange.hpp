#pragma once

// Internal to http*.cpp. One request on libcurl's easy interface: its options, its callbacks, and what they found.
// Which multi handle it runs in, and when it runs again, is http.cpp's business.

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"
#include "http.hpp"
#include "message.hpp"

// Sets an option on the handle in `easy_`; a failure names the option.
#define HTTP_SET_OPTION(option, value) Exchange::CheckOption(curl_easy_setopt(easy_, option, value), #option)

namespace supabase {

// What the callbacks refused, and so why libcurl was stopped.
enum class Flaw {
  kNone,
  kOutOfMemory,
  kAddress,  // the host has no address that may be connected to
  kStale,    // the kept connection has ended or holds an answer that nobody asked for; nothing was sent on it
  kUnasked,  // the answer was there before the request
  kRepeat,   // libcurl was about to repeat a request that must not be repeated
  kBodySize,
  kHeaderSize,
  kContentEncoding,
  kFraming,   // contradicting or malformed framing, or a status that no server sends
  kUnframed,  // the body would end where the connection ends, so that a cut cannot be seen
};

// The open sockets of a session, and what an epoll set watches of them. libcurl names a connection to its callbacks by
// its ports only. It loses interest in a connection after every request; such a socket stays in the set until
// something happens on it, since the next request comes soon and would put it back, at two system calls for each.
class SocketTable {
 public:
  explicit SocketTable(int epoll_fd) noexcept : epoll_fd_(epoll_fd) {}
  void Add(int fd);
  void Remove(int fd) noexcept;
  // -1 when there is none.
  int Find(int local_port, int peer_port) noexcept;
  size_t count() const noexcept { return sockets_.size(); }
  // Watches a socket, which need not be in the table, for these events of epoll; for none: no longer. False when that
  // is not possible.
  bool Watch(int fd, uint32_t events) noexcept;
  // Whether libcurl wants to know what happened on a socket; one that it does not is watched no longer.
  bool Wanted(int fd) noexcept;

 private:
  struct Socket {
    int fd;
    int local_port, peer_port;  // -1: not asked for yet, or not connected then
    uint32_t watched;           // in the set for these events; 0: not in it
    bool wanted;
  };
  Socket *Find(int fd) noexcept;

  int epoll_fd_;
  std::vector<Socket> sockets_;
};

// All signals blocked, from the first look at a name until the end of its scope. A resolver thread inherits the mask of
// the thread that starts it, and a signal handler of PostgreSQL must not run there.
class SignalBlock {
 public:
  void Begin() noexcept;
  void End() noexcept;

 private:
  bool begun_ = false;
  sigset_t previous_{};
};

class Exchange {
 public:
  // Throws Error for a request that must not be sent. Keeps references to all four; `sockets` must outlive the
  // connections too.
  Exchange(const Request &request, const HttpSettings &settings, SocketTable &sockets, SignalBlock &signals);
  ~Exchange();
  // Throws Error for a header that must not be sent.
  static void CheckHeader(std::string_view name, std::string_view value);
  Exchange(const Exchange &) = delete;
  Exchange &operator=(const Exchange &) = delete;

  // Makes the handle for an attempt and forgets the last one; throws Error. After a stale connection it takes a new
  // one.
  void Begin(void *owner);
  // CURL *, with `owner` as CURLOPT_PRIVATE; null before Begin and after End.
  void *handle() const noexcept { return easy_; }
  // Takes what the attempt found and frees the handle, which must not be in a multi handle. `code` is a CURLcode.
  // `late` tells that nobody moved the transfer on for a while, so that a timeout says nothing about the server.
  void End(int code, bool late) noexcept;

  // Valid after End.
  bool ok() const noexcept;
  bool sent() const noexcept { return begun_ > 0; }
  bool permanent() const noexcept { return permanent_; }
  // Whether nothing was sent because the kept connection was of no use: to be begun again at once, at most once.
  bool stale() const noexcept { return flaw_ == Flaw::kStale; }
  Response &response() noexcept { return response_; }
  // "code" of PostgREST's error body, or empty; a view into the response.
  std::string_view RemoteCode() const noexcept;
  Error Failure(int attempts) const;

 private:
  friend struct Callbacks;
  class HeaderList;
  // Microseconds since the attempt began; 0 for a phase that was not reached.
  struct PhaseTimes {
    int64_t name_lookup, connect, tls, first_byte, total;
  };

  static void CheckOption(int code, const char *option);
  void CheckRequest();
  void CheckUrl();
  void MakeHeaders();
  void SetTransport();
  void SetTls();
  void SetRequest();
  void SetCallbacks();
  bool TakeHeaderLine(std::string_view line);
  bool TakeStatusLine(std::string_view line);
  bool CheckHead();
  bool CheckFraming();
  bool CheckEncoding();
  bool TakeBody(std::string_view bytes);
  bool Refuse(Flaw flaw) noexcept;
  bool MayConnect() const noexcept;
  bool IsStale(int local_port, int peer_port) noexcept;
  bool IsPermanent(bool late) const noexcept;
  Error AddressError() const;
  Error FlawError(int attempts) const;
  std::string Detail(int attempts) const;
  void FreeHandle() noexcept;

  const Request &request_;
  const HttpSettings &settings_;
  SocketTable &sockets_;
  SignalBlock &signals_;
  std::string host_;       // as in the URL
  std::string authority_;  // host:port
  bool https_ = false;
  bool proxied_ = false;
  void *easy_ = nullptr;
  std::unique_ptr<HeaderList> headers_;

  Response response_;
  Flaw flaw_ = Flaw::kNone;
  bool unasked_input_ = false;  // the reused connection had something to read before the request was sent
  int begun_ = 0;               // how often libcurl started to send the request
  uint64_t header_bytes_ = 0;   // of all header blocks of the attempt
  int http_major_ = 0;
  bool head_complete_ = false;  // of the final response
  bool encoded_ = false;
  int code_ = 0;
  bool permanent_ = false;
  PhaseTimes times_{};
  char error_text_[256] = {};  // CURL_ERROR_SIZE
};

}  // namespace supabase
