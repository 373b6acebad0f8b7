// What libcurl calls while a response arrives. Nothing here may throw across libcurl: a callback that fails notes why
// and returns what makes libcurl stop.

#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>

#include "http_address.hpp"
#include "http_exchange.hpp"

namespace supabase {

namespace {

// All header blocks of a response with its 1xx and its trailers. nginx sends at most 32 kB of headers that it took from
// an upstream (8 buffers of 4 kB), PostgREST below 1 kB.
constexpr uint64_t kMaxHeaderBytes = 64 << 10;
// simdjson reads up to 32 bytes past the end (SIMDJSON_PADDING); twice that for a version that reads more.
constexpr size_t kBodyPadding = 64;
// Room made at once for a body of known length. More is made as it arrives, so that a length alone costs nothing.
constexpr size_t kMaxFirstReserve = 1 << 20;
// A body slower than 10 bytes/s over 30 s is a dead server. Before the body there is no such limit, because the
// server may be working on a slow query.
constexpr long kStallBytesPerSecond = 10;
constexpr long kStallSeconds = 30;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// RFC 9110, 8.6: digits only. Nothing for anything else, including a number that no body can have.
std::optional<uint64_t> ParseLength(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

// The port of one end of a socket, -1 when it has none.
int PortOf(int (*name_of)(int, sockaddr *, socklen_t *), int fd) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (name_of(fd, reinterpret_cast<sockaddr *>(&address), &size) != 0) return -1;
  // sin_port and sin6_port are at the same place.
  return ntohs(reinterpret_cast<const sockaddr_in *>(&address)->sin_port);
}

}  // namespace

bool Exchange::Refuse(Flaw flaw) noexcept {
  flaw_ = flaw;
  return false;
}

bool Exchange::MayConnect() const noexcept {
  return request_.allow_private_address || proxied_;
}

void SocketTable::Add(int fd) {
  Remove(fd);
  sockets_.push_back({fd, -1, -1, 0, false});
}

void SocketTable::Remove(int fd) noexcept {
  const Socket *const socket = Find(fd);
  if (socket == nullptr) return;
  if (socket->watched != 0) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  sockets_.erase(sockets_.begin() + (socket - sockets_.data()));
}

SocketTable::Socket *SocketTable::Find(int fd) noexcept {
  const auto found =
      std::find_if(sockets_.begin(), sockets_.end(), [fd](const Socket &socket) { return socket.fd == fd; });
  return found != sockets_.end() ? &*found : nullptr;
}

int SocketTable::Find(int local_port, int peer_port) noexcept {
  for (Socket &socket : sockets_) {
    // Both ports of a connected socket are there, and stay the same.
    if (socket.peer_port <= 0) {
      socket.local_port = PortOf(getsockname, socket.fd);
      socket.peer_port = PortOf(getpeername, socket.fd);
    }
    if (socket.local_port == local_port && socket.peer_port == peer_port) return socket.fd;
  }
  return -1;
}

bool SocketTable::Watch(int fd, uint32_t events) noexcept {
  Socket *const socket = Find(fd);
  if (socket != nullptr) socket->wanted = events != 0;
  // What is left of a connection that is not used is that the peer ends it. It could always be written to.
  if (socket != nullptr && events == 0 && socket->watched == EPOLLIN) return true;
  if (socket != nullptr && events != 0 && socket->watched == events) return true;
  if (socket != nullptr) socket->watched = events;
  if (events == 0) {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);  // closed already, perhaps
    return true;
  }
  epoll_event event{};
  event.data.fd = fd;
  event.events = events;
  // Only what libcurl opens for itself, such as its resolver's pipe, is not in the table.
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0 ||
         (errno == EEXIST && epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

bool SocketTable::Wanted(int fd) noexcept {
  Socket *const socket = Find(fd);
  if (socket == nullptr || socket->wanted) return true;
  if (socket->watched != 0) epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  socket->watched = 0;
  return false;
}

void SignalBlock::Begin() noexcept {
  if (begun_) return;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &previous_);
  begun_ = true;
}

void SignalBlock::End() noexcept {
  if (begun_) pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  begun_ = false;
}

// Looks at a connection that served another request. Over plain HTTP/1.1 nothing may be waiting there: it would be
// taken for the answer. Over TLS it can be a frame of HTTP/2, so TakeStatusLine judges. An end that the peer has sent
// is found here too; behind the last record of TLS libcurl does not see it, and would send the request in vain.
bool Exchange::IsStale(int local_port, int peer_port) noexcept {
  long connects = 1;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &connects);
  if (connects > 0) return false;
  pollfd state{sockets_.Find(local_port, peer_port), POLLIN | POLLRDHUP, 0};
  if (state.fd < 0 || poll(&state, 1, 0) <= 0) return false;
  unasked_input_ = true;
  return !https_ || (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Exchange::TakeHeaderLine(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) return Refuse(Flaw::kHeaderSize);
  if (head_complete_) return true;  // a trailer
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
    line.remove_suffix(1);

  if (line.empty()) {
    // Status 1xx: the final response is still to come (RFC 9110, 15.2). 101 would be another protocol.
    if (response_.status == 101) return Refuse(Flaw::kFraming);
    if (response_.status < 200) return true;
    head_complete_ = true;
    return CheckHead();
  }
  if (line.substr(0, 5) == "HTTP/") return TakeStatusLine(line);
  auto &headers = response_.headers;
  if (line.front() == ' ' || line.front() == '\t') {  // folded, RFC 9112, 5.2
    if (headers.empty()) return Refuse(Flaw::kFraming);
    headers.back().second.append(" ").append(Trim(line));
    return true;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return Refuse(Flaw::kFraming);
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), Lower);
  headers.emplace_back(std::move(name), Trim(line.substr(colon + 1)));
  return true;
}

// "HTTP/1.1 200 OK" or "HTTP/2 200".
bool Exchange::TakeStatusLine(std::string_view line) {
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return Refuse(Flaw::kFraming);
  const std::string_view code = line.substr(blank + 1, 3);
  const std::optional<uint64_t> status = ParseLength(code);
  if (code.size() != 3 || !status || *status < 100 || *status > 599) return Refuse(Flaw::kFraming);
  response_.status = static_cast<int>(*status);
  response_.headers.clear();
  http_major_ = line[5] - '0';
  if (http_major_ < 2 && unasked_input_) return Refuse(Flaw::kUnasked);
  return true;
}

bool Exchange::CheckHead() {
  if (request_.method == "HEAD" || response_.status == 204 || response_.status == 304) return true;
  if (!CheckEncoding() || !CheckFraming()) return false;
  if (const std::optional<uint64_t> length = ParseLength(response_.Header("content-length"))) {
    if (!encoded_ && *length > request_.max_response_bytes) return Refuse(Flaw::kBodySize);
    response_.body.reserve(static_cast<size_t>(std::min<uint64_t>(*length, kMaxFirstReserve)) + kBodyPadding);
  }
  // Options may be changed while the transfer runs; should a version of libcurl not heed it, the total timeout remains.
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  return true;
}

// Only gzip was asked for, and only once: "gzip, gzip" multiplies what a small body can become.
bool Exchange::CheckEncoding() {
  int codings = 0;
  for (const auto &[name, value] : response_.headers) {
    if (name != "content-encoding" || EqualsIgnoringCase(value, "identity")) continue;
    if (!EqualsIgnoringCase(value, "gzip") || ++codings > 1) return Refuse(Flaw::kContentEncoding);
  }
  encoded_ = codings > 0;
  return true;
}

// RFC 9112, 6.3, without its leniency: either "chunked" alone or one Content-Length (the same number repeated passes).
// HTTP/2 frames every body by itself.
bool Exchange::CheckFraming() {
  if (http_major_ >= 2) return true;
  bool chunked = false;
  std::optional<uint64_t> length;
  for (const auto &[name, value] : response_.headers) {
    if (name == "transfer-encoding") {
      if (chunked || !EqualsIgnoringCase(value, "chunked")) return Refuse(Flaw::kFraming);
      chunked = true;
    } else if (name == "content-length") {
      const std::optional<uint64_t> parsed = ParseLength(value);
      if (!parsed || (length && *length != *parsed)) return Refuse(Flaw::kFraming);
      length = parsed;
    }
  }
  if (chunked && length) return Refuse(Flaw::kFraming);
  if (!chunked && !length) return Refuse(Flaw::kUnframed);
  return true;
}

bool Exchange::TakeBody(std::string_view bytes) {
  std::string &body = response_.body;
  // size <= max always holds, so the subtraction cannot wrap.
  if (bytes.size() > request_.max_response_bytes - body.size()) return Refuse(Flaw::kBodySize);
  const size_t needed = body.size() + bytes.size() + kBodyPadding;
  if (body.capacity() < needed) body.reserve(std::max(needed, 2 * body.capacity()));
  body.append(bytes);
  return true;
}

// The last or the first parameter is the Exchange.
struct Callbacks {
  static size_t OnHeader(char *data, size_t size, size_t count, void *self) noexcept {
    auto *exchange = static_cast<Exchange *>(self);
    try {
      return exchange->TakeHeaderLine({data, size * count}) ? size * count : 0;
    } catch (const std::exception &) {
      exchange->Refuse(Flaw::kOutOfMemory);
      return 0;
    }
  }

  static size_t OnBody(char *data, size_t size, size_t count, void *self) noexcept {
    auto *exchange = static_cast<Exchange *>(self);
    try {
      return exchange->TakeBody({data, size * count}) ? size * count : 0;
    } catch (const std::exception &) {
      exchange->Refuse(Flaw::kOutOfMemory);
      return 0;
    }
  }

  // Called before a name is looked up, which may start a thread.
  static int OnResolve(void *, void *, void *self) noexcept {
    static_cast<Exchange *>(self)->signals_.Begin();
    return 0;
  }

  // Called for each address that the name has, so that what is checked is what is connected to: a name that resolves to
  // something else the second time gains nothing. CLOEXEC, because COPY … PROGRAM starts children.
  static curl_socket_t OnOpenSocket(void *self, curlsocktype, curl_sockaddr *address) noexcept {
    auto *exchange = static_cast<Exchange *>(self);
    if (!exchange->MayConnect() && !IsPublicAddress(&address->addr)) {
      exchange->Refuse(Flaw::kAddress);
      return CURL_SOCKET_BAD;
    }
    const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    try {
      exchange->sockets_.Add(fd);
    } catch (const std::exception &) {  // an unknown socket is one that is not looked at before it is used again
    }
    return fd;
  }

  static int OnCloseSocket(void *sockets, curl_socket_t socket) noexcept {
    static_cast<SocketTable *>(sockets)->Remove(socket);
    return close(socket);
  }

  // Called whenever the request is about to be written, also on a connection opened for another request, which may have
  // been allowed an address that this one is not. libcurl repeats a request by itself when a reused connection ends
  // without a byte of answer; the server may have executed it nevertheless.
  static int OnBeforeSend(void *self, char *primary_ip, char *, int primary_port, int local_port) noexcept {
    auto *exchange = static_cast<Exchange *>(self);
    if (!exchange->MayConnect() && !IsPublicAddress(primary_ip)) {
      exchange->Refuse(Flaw::kAddress);
      return CURL_PREREQFUNC_ABORT;
    }
    if (exchange->begun_ > 0 && !exchange->request_.idempotent) {
      exchange->Refuse(Flaw::kRepeat);
      return CURL_PREREQFUNC_ABORT;
    }
    if (exchange->IsStale(local_port, primary_port)) {
      exchange->Refuse(Flaw::kStale);
      return CURL_PREREQFUNC_ABORT;
    }
    exchange->flaw_ = Flaw::kNone;  // another address of the host was fine
    ++exchange->begun_;
    return CURL_PREREQFUNC_OK;
  }
};

void Exchange::SetCallbacks() {
  HTTP_SET_OPTION(CURLOPT_HEADERFUNCTION, Callbacks::OnHeader);
  HTTP_SET_OPTION(CURLOPT_HEADERDATA, this);
  HTTP_SET_OPTION(CURLOPT_WRITEFUNCTION, Callbacks::OnBody);
  HTTP_SET_OPTION(CURLOPT_WRITEDATA, this);
  HTTP_SET_OPTION(CURLOPT_RESOLVER_START_FUNCTION, Callbacks::OnResolve);
  HTTP_SET_OPTION(CURLOPT_RESOLVER_START_DATA, this);
  HTTP_SET_OPTION(CURLOPT_OPENSOCKETFUNCTION, Callbacks::OnOpenSocket);
  HTTP_SET_OPTION(CURLOPT_OPENSOCKETDATA, this);
  HTTP_SET_OPTION(CURLOPT_CLOSESOCKETFUNCTION, Callbacks::OnCloseSocket);
  HTTP_SET_OPTION(CURLOPT_CLOSESOCKETDATA, &sockets_);
  HTTP_SET_OPTION(CURLOPT_PREREQFUNCTION, Callbacks::OnBeforeSend);
  HTTP_SET_OPTION(CURLOPT_PREREQDATA, this);
  HTTP_SET_OPTION(CURLOPT_ERRORBUFFER, error_text_);
  HTTP_SET_OPTION(CURLOPT_VERBOSE, 0L);
  HTTP_SET_OPTION(CURLOPT_NOPROGRESS, 1L);
}

}  // namespace supabase
