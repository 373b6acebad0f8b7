#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "message.hpp"

namespace supabase {

// HTTP over libcurl's multi interface, behind one file descriptor. Nothing here blocks: `Send` starts a request, `Pump`
// moves every request on, and the descriptor becomes readable whenever `Pump` has something to do (all of curl's
// sockets and one timer sit in one epoll set). The caller waits on the descriptor as it likes: the backend with
// WaitLatchOrSocket, a unit test with poll(2).
//
// Retries are part of a transfer: back-off and Retry-After run on the same timer. A request that timed out after it was
// sent is not repeated, unless nobody pumped when the time was over.

// Process-wide settings, read when a transfer starts. Environment proxies, netrc, CA variables and redirects are
// ignored always.
struct HttpSettings {
  std::string ca_file;     // PEM bundle in place of the system's; empty: the system's
  std::string proxy;       // "" none
  std::string user_agent;  // "supabase_fdw/1.0 …"
};

class Session;

// One request under way. Destroying it aborts the request.
class Transfer {
 public:
  ~Transfer();
  Transfer(const Transfer &) = delete;
  Transfer &operator=(const Transfer &) = delete;

  bool done() const noexcept;
  // Once done: whether a complete response came, so that Result does not throw.
  bool answered() const noexcept;
  // Once answered: its HTTP status.
  int status() const noexcept;
  // Once done: whether the server can have executed the request in an attempt whose answer does not tell: a byte of it
  // was sent, and no answer came, or one that the request was repeated for.
  bool may_have_run() const noexcept;
  // Once done: the response, whatever its status; or throws the transport failure as an Error (08001, 08006, 54000, …)
  // with the phase times in the detail and the request's label as context; 08007 in place of these when the request may
  // have been executed and is not idempotent. The response may be moved from.
  Response &Result();
  const Request &request() const noexcept;
  // The request, when its stored credential was refused and it waits for another one; else null. It waits until
  // Session::Renew or GiveUp, which is for whoever waits for the transfer: others have nothing to do with its
  // credential.
  const Request *Refused() const noexcept;

 private:
  friend class Session;
  struct Impl;
  explicit Transfer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Session {
 public:
  Session();   // throws Error when libcurl lacks TLS, an asynchronous resolver or HTTP/2
  ~Session();  // a transfer that is left fails
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  int fd() const noexcept;
  HttpSettings &settings() noexcept;
  // Throws Error for a request that must not be sent: bad bytes in a header value (CR, LF, NUL), a scheme that is not
  // allowed. On a connection that is open the request has left when this returns, unless it is to wait (delay_ms).
  std::unique_ptr<Transfer> Send(Request request);
  // Moves on what is ready; never blocks, never throws. All signals are blocked while libcurl may start a resolver
  // thread, so that it inherits a full mask and no PostgreSQL signal handler runs there.
  void Pump() noexcept;
  // How many transfers are not done.
  int active() const noexcept;
  // Sends every transfer that waits for this credential again with a newer Authorization, whatever its method: what was
  // refused was not executed. Later requests and retries of an older generation get it too. A transfer that was refused
  // with this generation keeps waiting; for one of a newer generation the refusal stands. Throws Error for bad bytes.
  void Renew(const std::string &renewal_id, int64_t generation, const Secret &authorization);
  // Lets the refusal stand for every transfer that waits for this credential.
  void GiveUp(const std::string &renewal_id) noexcept;
  // Wipes what Renew was given. Requests of an older generation are refused, and renewed, once more then.
  void ForgetRenewed() noexcept;
  // Closes idle connections, and wipes that as well.
  void CloseIdle() noexcept;
  // Whether there is any connection.
  bool connected() const noexcept;

 private:
  friend class Transfer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace supabase
