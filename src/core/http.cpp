#include "http.hpp"

#include <curl/curl.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "error.hpp"
#include "http_exchange.hpp"
#include "retry.hpp"

namespace supabase {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kNanosecondsPerMs = 1'000'000;
// A timer noticed this long after it fired: nobody pumped, for instance because a cursor was left alone.
constexpr int64_t kLate = 250 * kNanosecondsPerMs;
// Idle connections kept: what one scan uses at most, times a few servers.
constexpr long kMaxIdleConnections = 16;
constexpr int kEventsPerRound = 64;

// Nanoseconds of the clock that the timer descriptor runs on.
int64_t Now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

class Descriptor {
 public:
  Descriptor(int fd, const char *what) : fd_(fd) {
    if (fd < 0) throw Error("53000", std::string("could not create ") + what, std::strerror(errno) + std::string("."));
  }
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// libcurl's buffers hold tokens, and it frees them as they are. (Without effect when something else in the process has
// initialized libcurl before.)
void FreeWiped(void *memory) noexcept {
  if (memory != nullptr) explicit_bzero(memory, malloc_usable_size(memory));
  std::free(memory);
}

void *ReallocWiped(void *memory, size_t size) noexcept {
  if (memory == nullptr) return std::malloc(size);
  void *moved = std::malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, std::min(size, malloc_usable_size(memory)));
  FreeWiped(memory);
  return moved;
}

// libcurl opens the file named by SSLKEYLOGFILE here and writes the keys of every connection to it.
CURLcode InitLibrary() {
  const char *const variable = "SSLKEYLOGFILE";
  const char *value = std::getenv(variable);
  const std::string saved = value != nullptr ? value : "";
  if (value != nullptr) unsetenv(variable);
  const CURLcode code =
      curl_global_init_mem(CURL_GLOBAL_DEFAULT, std::malloc, FreeWiped, ReallocWiped, strdup, std::calloc);
  if (value != nullptr) setenv(variable, saved.c_str(), 1);
  return code;
}

// Not when the library is loaded: under shared_preload_libraries that would be the postmaster, whose children would
// share the state.
void RequireLibrary() {
  static const CURLcode code = InitLibrary();
  if (code != CURLE_OK) {
    throw Error(sqlstate::kFdwError, "could not initialize libcurl", curl_easy_strerror(code) + std::string("."));
  }
  constexpr struct {
    int bit;
    const char *name;
  } kNeeded[] = {{CURL_VERSION_SSL, "TLS"},
                 {CURL_VERSION_ASYNCHDNS, "an asynchronous resolver"},
                 {CURL_VERSION_HTTP2, "HTTP/2"},
                 {CURL_VERSION_LIBZ, "gzip"}};
  const int features = curl_version_info(CURLVERSION_NOW)->features;
  for (const auto &need : kNeeded) {
    if ((features & need.bit) == 0) {
      throw Error(sqlstate::kFdwError, std::string("libcurl was built without ") + need.name);
    }
  }
}

template <typename Value>
void SetMulti(CURLM *multi, CURLMoption option, Value value, const char *name) {
  const CURLMcode code = curl_multi_setopt(multi, option, value);
  if (code == CURLM_OK) return;
  throw Error(sqlstate::kFdwError, std::string("could not set libcurl option ") + name,
              curl_multi_strerror(code) + std::string("."));
}

}  // namespace

struct Transfer::Impl {
  enum class State { kRunning, kWaiting, kRefused, kDone };

  Impl(Session::Impl *owner, Request &&sent) : session(owner), request(std::move(sent)) {}

  Session::Impl *session;  // null once the session has gone
  Request request;
  std::unique_ptr<Exchange> exchange;
  State state = State::kWaiting;
  int64_t retry_at = kNever;  // in kWaiting
  int attempt = 0;
  bool renewed = false;
  bool may_have_run = false;  // in an attempt that did not end with an answer that stands
};

struct Session::Impl {
  using State = Transfer::Impl::State;

  Impl();
  ~Impl();

  void MakeMulti();
  void Start(Transfer::Impl *transfer);
  void Forget(Transfer::Impl *transfer) noexcept;
  void StartNow(Transfer::Impl *transfer);
  void Pump() noexcept;
  void ServeSockets() noexcept;
  void ServeTimer() noexcept;
  void Act(curl_socket_t socket, int events) noexcept;
  void NoteLate() noexcept;
  void Collect() noexcept;
  void Finish(Transfer::Impl *transfer, CURLcode code) noexcept;
  void Restart(Transfer::Impl *transfer) noexcept;
  void StartDue() noexcept;
  void TakeNewest(Request *request);
  void FailAll() noexcept;
  void RenewIfIdle() noexcept;
  void Arm() noexcept;
  int Count(State state) const noexcept;

  static int OnSocket(CURL *easy, curl_socket_t socket, int what, void *self, void *) noexcept;
  static int OnTimer(CURLM *multi, long timeout_ms, void *self) noexcept;

  HttpSettings settings;
  Descriptor epoll;
  Descriptor timer;
  SocketTable sockets{epoll.get()};
  SignalBlock signals;
  CURLM *multi = nullptr;
  int64_t curl_deadline = kNever;
  int64_t due = kNever;    // when somebody should look again
  int64_t armed = kNever;  // what the timer descriptor is set to: `due` or earlier
  bool late = false;       // somebody should have looked long before
  int running = 0;         // transfers in the multi handle, as of libcurl's last look
  std::vector<Transfer::Impl *> transfers;
  struct Renewed {
    std::string id;
    int64_t generation;
    Secret authorization;
  };
  std::vector<Renewed> renewed;  // one for each stored credential that was refused once
  bool renew = false;            // the multi handle is to be replaced as soon as nothing runs in it
  std::mt19937 random{std::random_device{}()};
};

Session::Impl::Impl()
    : epoll(epoll_create1(EPOLL_CLOEXEC), "epoll descriptor"),
      timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timer descriptor") {
  RequireLibrary();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = timer.get();
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) {
    throw Error("53000", "could not watch timer descriptor", std::strerror(errno) + std::string("."));
  }
  MakeMulti();
}

Session::Impl::~Impl() {
  for (Transfer::Impl *transfer : transfers) {
    if (transfer->state == State::kRunning) curl_multi_remove_handle(multi, transfer->exchange->handle());
    if (transfer->state != State::kDone) transfer->exchange->End(CURLE_ABORTED_BY_CALLBACK, false);
    transfer->state = State::kDone;
    transfer->session = nullptr;
  }
  if (multi != nullptr) curl_multi_cleanup(multi);
}

void Session::Impl::MakeMulti() {
  std::unique_ptr<CURLM, CURLMcode (*)(CURLM *)> made(curl_multi_init(), curl_multi_cleanup);
  if (made == nullptr) throw Error(sqlstate::kFdwError, "could not create a libcurl handle");
  SetMulti(made.get(), CURLMOPT_SOCKETFUNCTION, &OnSocket, "CURLMOPT_SOCKETFUNCTION");
  SetMulti(made.get(), CURLMOPT_SOCKETDATA, this, "CURLMOPT_SOCKETDATA");
  SetMulti(made.get(), CURLMOPT_TIMERFUNCTION, &OnTimer, "CURLMOPT_TIMERFUNCTION");
  SetMulti(made.get(), CURLMOPT_TIMERDATA, this, "CURLMOPT_TIMERDATA");
  SetMulti(made.get(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX), "CURLMOPT_PIPELINING");
  SetMulti(made.get(), CURLMOPT_MAXCONNECTS, kMaxIdleConnections, "CURLMOPT_MAXCONNECTS");
  multi = made.release();
}

int Session::Impl::OnSocket(CURL *, curl_socket_t socket, int what, void *self, void *) noexcept {
  // CURL_POLL_REMOVE has neither bit.
  const uint32_t events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
  return static_cast<Impl *>(self)->sockets.Watch(socket, events) ? 0 : -1;
}

int Session::Impl::OnTimer(CURLM *, long timeout_ms, void *self) noexcept {
  static_cast<Impl *>(self)->curl_deadline = timeout_ms < 0 ? kNever : Now() + timeout_ms * kNanosecondsPerMs;
  return 0;
}

// Sets the timer descriptor to the earliest of libcurl's timer and the back-offs. One that is set for an earlier time
// stays: requests that are answered in time put the deadline off again and again, and an idle look now and then costs
// less than a system call for each of them.
void Session::Impl::Arm() noexcept {
  int64_t next = curl_deadline;
  for (const Transfer::Impl *transfer : transfers) {
    if (transfer->state == State::kWaiting) next = std::min(next, transfer->retry_at);
  }
  due = next;
  if (armed <= next) return;
  itimerspec spec{};
  spec.it_value.tv_sec = next / 1'000'000'000;
  spec.it_value.tv_nsec = next % 1'000'000'000;
  timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  armed = next;
}

void Session::Impl::Start(Transfer::Impl *transfer) {
  RenewIfIdle();
  if (multi == nullptr) MakeMulti();
  transfer->exchange->Begin(transfer);
  const CURLMcode code = curl_multi_add_handle(multi, transfer->exchange->handle());
  if (code != CURLM_OK) {
    throw Error(sqlstate::kFdwError, "could not start a remote request", curl_multi_strerror(code) + std::string("."));
  }
  transfer->state = State::kRunning;
}

// Goes on to the first wait for the network, so that nobody need look once more only to have the request sent. What
// ended meanwhile is left to Pump, for which the descriptor becomes readable.
void Session::Impl::StartNow(Transfer::Impl *transfer) {
  NoteLate();
  Start(transfer);
  ServeTimer();
  if (running < Count(State::kRunning) || transfer->state == State::kDone) curl_deadline = Now();
  Arm();
}

void Session::Impl::Forget(Transfer::Impl *transfer) noexcept {
  if (transfer->state == State::kRunning) curl_multi_remove_handle(multi, transfer->exchange->handle());
  transfer->exchange.reset();
  transfers.erase(std::remove(transfers.begin(), transfers.end(), transfer), transfers.end());
  RenewIfIdle();
  Arm();
}

void Session::Impl::Pump() noexcept {
  // Without a transfer nothing is watched but the timer.
  if (Count(State::kDone) == static_cast<int>(transfers.size())) return;
  NoteLate();
  ServeSockets();
  ServeTimer();
  Collect();
  StartDue();
  RenewIfIdle();
  Arm();
}

void Session::Impl::ServeSockets() noexcept {
  epoll_event events[kEventsPerRound];
  const int count = epoll_wait(epoll.get(), events, kEventsPerRound, 0);
  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd == timer.get()) {
      uint64_t expirations = 0;
      if (read(fd, &expirations, sizeof(expirations)) > 0) armed = kNever;
      continue;
    }
    if (!sockets.Wanted(fd)) continue;
    int what = 0;
    if ((events[i].events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((events[i].events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
    Act(fd, what);
  }
}

void Session::Impl::ServeTimer() noexcept {
  if (curl_deadline > Now()) return;
  curl_deadline = kNever;
  Act(CURL_SOCKET_TIMEOUT, 0);
}

void Session::Impl::NoteLate() noexcept {
  late = late || (due != kNever && Now() - due > kLate);
}

void Session::Impl::Act(curl_socket_t socket, int events) noexcept {
  if (multi != nullptr && curl_multi_socket_action(multi, socket, events, &running) != CURLM_OK) FailAll();
  signals.End();
}

void Session::Impl::Collect() noexcept {
  int left = 0;
  while (multi != nullptr) {
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    if (message == nullptr) break;
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    void *owner = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    Finish(static_cast<Transfer::Impl *>(owner), code);
  }
  late = false;
}

// Ends an attempt, and the transfer unless there is to be another one.
void Session::Impl::Finish(Transfer::Impl *transfer, CURLcode code) noexcept {
  Exchange &exchange = *transfer->exchange;
  curl_multi_remove_handle(multi, exchange.handle());
  exchange.End(code, late);
  if (exchange.stale()) return Restart(transfer);

  Attempt attempt;
  attempt.number = transfer->attempt;
  attempt.max_retries = transfer->request.max_retries;
  attempt.idempotent = transfer->request.idempotent;
  attempt.got_response = exchange.ok();
  attempt.status = exchange.response().status;
  attempt.sent = exchange.sent();
  attempt.permanent = exchange.permanent();
  attempt.retry_after = exchange.response().Header("retry-after");
  // The Management API's name for it.
  if (attempt.retry_after.empty() && attempt.status == 429) {
    attempt.retry_after = exchange.response().Header("x-ratelimit-reset");
  }
  attempt.remote_code = exchange.RemoteCode();
  const double uniform = static_cast<double>(random()) / (static_cast<double>(std::mt19937::max()) + 1);
  const int64_t delay = RetryDelay(attempt, uniform, static_cast<int64_t>(time(nullptr)));
  const bool stands = delay < 0 && attempt.got_response;
  transfer->may_have_run = transfer->may_have_run || (!stands && !SurelyNotExecuted(attempt));
  if (delay < 0) {
    exchange.response().retries = transfer->attempt;
    bool const refused = attempt.got_response && attempt.status == 401 && !transfer->request.renewal_id.empty();
    transfer->state = refused && !transfer->renewed ? State::kRefused : State::kDone;
    return;
  }
  transfer->state = State::kWaiting;
  transfer->retry_at = Now() + delay * kNanosecondsPerMs;
}

void Session::Impl::StartDue() noexcept {
  const int64_t now = Now();
  for (Transfer::Impl *transfer : transfers) {
    if (transfer->state == State::kWaiting && transfer->retry_at <= now) {
      ++transfer->attempt;
      Restart(transfer);
    }
  }
}

// Puts the newest Authorization of the request's stored credential in.
void Session::Impl::TakeNewest(Request *request) {
  for (const Renewed &newest : renewed) {
    if (newest.id != request->renewal_id || newest.generation <= request->renewal_generation) continue;
    request->renewal_generation = newest.generation;
    for (auto &[name, value] : request->secret_headers) {
      if (name == "Authorization") value = newest.authorization;
    }
  }
}

void Session::Impl::Restart(Transfer::Impl *transfer) noexcept {
  try {
    TakeNewest(&transfer->request);
    Start(transfer);
  } catch (const std::exception &) {  // the options were accepted before: only memory can be short
    transfer->exchange->End(CURLE_OUT_OF_MEMORY, false);
    transfer->state = State::kDone;
  }
}

// The multi handle cannot be used any more.
void Session::Impl::FailAll() noexcept {
  renew = true;
  for (Transfer::Impl *transfer : transfers) {
    if (transfer->state != State::kRunning) continue;
    curl_multi_remove_handle(multi, transfer->exchange->handle());
    transfer->exchange->End(CURLE_FAILED_INIT, false);
    transfer->state = State::kDone;
  }
}

// The one way to close idle connections is to give up the multi handle that holds them.
void Session::Impl::RenewIfIdle() noexcept {
  if (!renew || Count(State::kRunning) > 0) return;
  renew = false;
  if (multi != nullptr) curl_multi_cleanup(multi);
  multi = nullptr;  // Start makes the next one
  curl_deadline = kNever;
}

int Session::Impl::Count(State state) const noexcept {
  return static_cast<int>(std::count_if(transfers.begin(), transfers.end(),
                                        [state](const Transfer::Impl *transfer) { return transfer->state == state; }));
}

Transfer::Transfer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Transfer::~Transfer() {
  if (impl_->session != nullptr) impl_->session->Forget(impl_.get());
}

bool Transfer::done() const noexcept {
  return impl_->state == Impl::State::kDone;
}

bool Transfer::answered() const noexcept {
  return done() && impl_->exchange->ok();
}

int Transfer::status() const noexcept {
  return impl_->exchange->response().status;
}

bool Transfer::may_have_run() const noexcept {
  return impl_->may_have_run;
}

Response &Transfer::Result() {
  if (!done()) throw Error(sqlstate::kFdwError, "remote request is still under way");
  if (impl_->exchange->ok()) return impl_->exchange->response();
  const Error failure = impl_->exchange->Failure(impl_->attempt + 1);
  if (impl_->request.idempotent || !impl_->may_have_run) throw failure;
  std::string detail = std::string("The request was sent, but: ") + failure.what() + ".";
  if (*failure.detail() != '\0') detail.append(" ").append(failure.detail());
  throw Error(sqlstate::kResolutionUnknown, "outcome of a remote request is unknown", detail,
              "Look at what it was to change before you repeat it.", failure.context());
}

const Request &Transfer::request() const noexcept {
  return impl_->request;
}

const Request *Transfer::Refused() const noexcept {
  return impl_->state == Impl::State::kRefused ? &impl_->request : nullptr;
}

Session::Session() : impl_(std::make_unique<Impl>()) {}

Session::~Session() = default;

int Session::fd() const noexcept {
  return impl_->epoll.get();
}

HttpSettings &Session::settings() noexcept {
  return impl_->settings;
}

std::unique_ptr<Transfer> Session::Send(Request request) {
  auto owned = std::make_unique<Transfer::Impl>(impl_.get(), std::move(request));
  Transfer::Impl *transfer = owned.get();
  impl_->TakeNewest(&transfer->request);
  transfer->exchange = std::make_unique<Exchange>(transfer->request, impl_->settings, impl_->sockets, impl_->signals);
  impl_->transfers.reserve(impl_->transfers.size() + 1);
  std::unique_ptr<Transfer> result(new Transfer(std::move(owned)));  // its destructor cleans up when Start throws
  impl_->transfers.push_back(transfer);
  if (transfer->request.delay_ms > 0) {
    transfer->attempt = -1;  // StartDue counts
    transfer->retry_at = Now() + transfer->request.delay_ms * kNanosecondsPerMs;
    impl_->Arm();
  } else {
    impl_->StartNow(transfer);
  }
  return result;
}

void Session::Pump() noexcept {
  impl_->Pump();
}

int Session::active() const noexcept {
  return static_cast<int>(impl_->transfers.size()) - impl_->Count(Transfer::Impl::State::kDone);
}

void Session::Renew(const std::string &renewal_id, int64_t generation, const Secret &authorization) {
  Exchange::CheckHeader("Authorization", authorization.Reveal());
  auto &known = impl_->renewed;
  auto entry = std::find_if(known.begin(), known.end(), [&](const auto &other) { return other.id == renewal_id; });
  if (entry == known.end()) {
    entry = known.insert(entry, {renewal_id, generation, authorization});
  } else if (entry->generation < generation) {
    *entry = {renewal_id, generation, authorization};
  }
  for (Transfer::Impl *transfer : impl_->transfers) {
    if (transfer->state != Transfer::Impl::State::kRefused || transfer->request.renewal_id != renewal_id) continue;
    const int64_t own = transfer->request.renewal_generation;
    if (own < entry->generation) {
      transfer->renewed = true;
      impl_->Restart(transfer);
    } else if (own > generation) {
      transfer->state = Transfer::Impl::State::kDone;
    }
  }
  impl_->Arm();
}

void Session::GiveUp(const std::string &renewal_id) noexcept {
  for (Transfer::Impl *transfer : impl_->transfers) {
    if (transfer->state == Transfer::Impl::State::kRefused && transfer->request.renewal_id == renewal_id) {
      transfer->state = Transfer::Impl::State::kDone;
    }
  }
}

void Session::ForgetRenewed() noexcept {
  impl_->renewed.clear();
}

void Session::CloseIdle() noexcept {
  ForgetRenewed();
  impl_->renew = true;
  impl_->RenewIfIdle();
  impl_->Arm();
}

bool Session::connected() const noexcept {
  return impl_->sockets.count() > 0;
}

}  // namespace supabase
