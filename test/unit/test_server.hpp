#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace test {

// One accepted connection, as the test's handler sees it. Everything ends at once when the server stops.
class Connection {
 public:
  Connection(int fd, ssl_st *tls, int number) : fd_(fd), tls_(tls), number_(number) {}
  ~Connection();
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  // Head and body of the next request; empty when the client has closed.
  std::string ReadRequest();
  // False when the client has gone.
  bool Write(std::string_view bytes);
  // Returns when the client closes.
  void AwaitClose();
  // Ends the sending direction, over TLS with a close_notify as a gateway does.
  void Goodbye();
  // The client gets a reset in place of an end.
  void Reset();
  int number() const noexcept { return number_; }

 private:
  long Read(char *buffer, size_t size);

  int fd_;
  ssl_st *tls_;
  int number_;  // 0 for the first connection of the server
  std::string unread_;
};

// A self-signed certificate for 127.0.0.1 and localhost with its key, and the file that holds it.
class Certificate {
 public:
  Certificate();
  ~Certificate();
  Certificate(const Certificate &) = delete;
  Certificate &operator=(const Certificate &) = delete;
  const std::string &file() const noexcept { return file_; }
  ssl_ctx_st *context() const noexcept { return context_; }

 private:
  std::string file_;
  ssl_ctx_st *context_ = nullptr;
};

// Serves 127.0.0.1 on a free port, each connection in a thread of its own: the handler is called once for each and the
// connection is closed when it returns.
class Server {
 public:
  using Handler = std::function<void(Connection &)>;
  explicit Server(Handler handler, const Certificate *certificate = nullptr);
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  int port() const noexcept { return port_; }
  // "http://127.0.0.1:port" or with https.
  std::string url() const;
  int accepted() const noexcept { return accepted_; }
  int tls_established() const noexcept { return tls_established_; }

 private:
  void AcceptLoop();
  void Serve(int fd, int number);

  Handler handler_;
  const Certificate *certificate_;
  int listener_;
  int port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<int> tls_established_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<int> open_;  // guarded by mutex_
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

// Thread-safe record of what a handler saw.
class Log {
 public:
  void Add(std::string text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(std::move(text));
  }
  std::vector<std::string> entries() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return entries_;
  }
  size_t size() const { return entries().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> entries_;
};

// "HTTP/1.1 <status>" with Content-Length.
std::string Answer(const std::string &status, const std::string &body, const std::string &headers = {});

// Answers each request of a connection by a function of the request.
Server::Handler Each(std::function<std::string(const std::string &request)> answer);

}  // namespace test
