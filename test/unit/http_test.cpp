#include "http.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "http_address.hpp"
#include "http_driver.hpp"
#include "test_server.hpp"

namespace {

// The resolver of this process, so that nothing is asked of the network: stuck.test hangs until released, here.test is
// this machine, and every other name is unknown.
class Resolver {
 public:
  int Lookup(const char *node, const char *service, const addrinfo *hints, addrinfo **result) {
    using Function = int (*)(const char *, const char *, const addrinfo *, addrinfo **);
    static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
    const std::string name = node != nullptr ? node : "";
    if (name == "stuck.test") Hang();
    if (name == "here.test") return real("127.0.0.1", service, hints, result);
    return name.find_first_not_of("0123456789.") == std::string::npos ? real(node, service, hints, result) : EAI_NONAME;
  }
  void Hang() {
    std::unique_lock<std::mutex> lock(mutex_);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
    ++hanging_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
    --hanging_;
    changed_.notify_all();
  }
  void AwaitHanging() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return hanging_ > 0; });
  }
  void Release() {
    std::unique_lock<std::mutex> lock(mutex_);
    released_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return hanging_ == 0; });
    released_ = false;
  }
  // Signals blocked in the thread that hung last.
  sigset_t mask() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return mask_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  int hanging_ = 0;
  sigset_t mask_{};
};

Resolver &TheResolver() {
  static auto *const resolver = new Resolver;  // outlives libcurl's threads
  return *resolver;
}

}  // namespace

// Takes the place of libc's for libcurl too.
extern "C" int getaddrinfo(const char *node, const char *service, const addrinfo *hints, addrinfo **result) {
  return TheResolver().Lookup(node, service, hints, result);
}

namespace supabase {
namespace {

using test::Answer;
using test::Certificate;
using test::Connection;
using test::DriveUntil;
using test::Each;
using test::Fetch;
using test::FetchError;
using test::Get;
using test::Log;
using test::Post;
using test::Server;

std::string Ok(const std::string &) {
  return Answer("200 OK", "ok");
}

TEST(Http, ReturnsStatusHeadersAndBody) {
  const Server server(Each([](const std::string &) {
    return Answer("206 Partial Content", "[1,2]", "Content-Range: 0-1/*\r\nX-Two: a\r\nx-two:  b \r\n");
  }));
  Session session;
  const Response response = Fetch(session, Get(server.url()));
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.body, "[1,2]");
  EXPECT_EQ(response.wire_bytes, 5U);
  EXPECT_EQ(response.retries, 0);
  EXPECT_EQ(response.Header("content-range"), "0-1/*");
  EXPECT_EQ(response.Header("x-two"), "a");
  ASSERT_EQ(response.headers.size(), 4U);
  EXPECT_EQ(response.headers[3], std::make_pair(std::string("x-two"), std::string("b")));
}

TEST(Http, LeavesPaddingBehindBody) {
  Session session;
  for (const size_t size : {0, 1, 15, 16, 1000, 65536, 1 << 20, (1 << 20) + 1, 3'000'000}) {
    const Server server(Each([size](const std::string &) { return Answer("200 OK", std::string(size, 'x')); }));
    const Response response = Fetch(session, Get(server.url()));
    EXPECT_EQ(response.body, std::string(size, 'x'));
    EXPECT_GE(response.body.capacity(), size + 64);
  }
}

TEST(Http, AnyStatusIsAResult) {
  Session session;
  for (const char *status :
       {"200 OK", "400 Bad Request", "401 Unauthorized", "404 Not Found", "500 Oops", "599 What"}) {
    const Server server(Each([status](const std::string &) { return Answer(status, "{}"); }));
    Request request = Get(server.url());
    request.max_retries = 3;
    const Response response = Fetch(session, request);
    EXPECT_EQ(response.status, std::stoi(status));
    EXPECT_EQ(response.retries, 0);
  }
}

TEST(Http, ReadsChunks) {
  const Server server([](Connection &connection) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; ++i)
      connection.Write("a\r\n0123456789\r\n");
    connection.Write("0\r\n\r\n");
  });
  Session session;
  EXPECT_EQ(Fetch(session, Get(server.url())).body.size(), 10'000U);
}

TEST(Http, SendsExactlyWhatItIsGiven) {
  Log log;
  const Server server(Each([&log](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", "ok");
  }));
  Session session;
  session.settings().user_agent = "supabase_fdw/1.0";
  Request request = Post(server.url() + "/rest/../v1/t?a=eq.b%20c&x=../y", "[{\"a\":1}]");
  request.method = "PATCH";
  request.headers = {
      {"Accept", "application/json"}, {"Content-Type", "application/json"}, {"X-Empty", ""}, {"X-Tab", "a\tb"}};
  request.secret_headers.emplace_back("apikey", Secret("k1"));
  request.secret_headers.emplace_back("Authorization", Secret("Bearer t1"));
  Fetch(session, request);
  const std::string host = server.url().substr(strlen("http://"));
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(
      log.entries()[0],
      "PATCH /rest/../v1/t?a=eq.b%20c&x=../y HTTP/1.1\r\nHost: " + host +
          "\r\nUser-Agent: supabase_fdw/1.0\r\nAccept-Encoding: gzip\r\nAccept: application/json\r\n"
          "Content-Type: application/json\r\nX-Empty:\r\nX-Tab: a\tb\r\napikey: k1\r\nAuthorization: Bearer t1\r\n"
          "Content-Length: 9\r\n\r\n[{\"a\":1}]");
}

TEST(Http, SendsLargeBodyWithoutExpectAndWithoutFormType) {
  Log log;
  const Server server(Each([&log](const std::string &request) {
    log.Add(request);
    return Answer("201 Created", "");
  }));
  Session session;
  const std::string body(3'000'000, 'x');
  EXPECT_EQ(Fetch(session, Post(server.url(), body)).status, 201);
  const std::string seen = log.entries()[0];
  const std::string head = seen.substr(0, seen.find("\r\n\r\n"));
  EXPECT_EQ(head.find("Expect"), std::string::npos);
  EXPECT_EQ(head.find("Content-Type"), std::string::npos);
  EXPECT_EQ(seen.substr(head.size() + 4), body);
}

TEST(Http, MethodsCarryBodyOrNone) {
  Log log;
  const Server server(Each([&log](const std::string &request) {
    log.Add(request.substr(0, request.find(' ')) +
            (request.find("Content-Length") == std::string::npos ? "" : " length"));
    return request[0] == 'H' ? "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: br\r\n\r\n"
                             : Answer("200 OK", "ok");
  }));
  Session session;
  for (const char *method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
    Request request = Get(server.url());
    request.method = method;
    EXPECT_EQ(Fetch(session, request).body, std::string(method) == "HEAD" ? "" : "ok") << method;
  }
  EXPECT_EQ(log.entries(),
            (std::vector<std::string>{"GET", "HEAD", "POST length", "PUT length", "PATCH length", "DELETE"}));
  EXPECT_EQ(server.accepted(), 1);
}

TEST(Http, ReusesConnectionUntilIdleOnesAreClosed) {
  const Server server(Each(Ok));
  Session session;
  for (int i = 0; i < 5; ++i)
    Fetch(session, Get(server.url()));
  EXPECT_EQ(server.accepted(), 1);
  session.CloseIdle();
  Fetch(session, Get(server.url()));
  EXPECT_EQ(server.accepted(), 2);
}

TEST(Http, SendsAtOnceOnAnOpenConnection) {
  std::promise<void> second;
  std::atomic<int> requests{0};
  const Server server(Each([&](const std::string &request) {
    if (++requests == 2) second.set_value();
    return Ok(request);
  }));
  Session session;
  Fetch(session, Get(server.url()));
  const auto transfer = session.Send(Get(server.url()));
  // Nobody pumps meanwhile.
  EXPECT_EQ(second.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(DriveUntil(session, [&] { return transfer->done(); }));
  EXPECT_EQ(transfer->Result().body, "ok");
}

// Whoever waits for another transfer must not be woken by it again and again.
TEST(Http, EndOfAnIdleConnectionIsNoticedOnce) {
  std::promise<void> end;
  const Server ending([&](test::Connection &connection) {
    connection.ReadRequest();
    connection.Write(Answer("200 OK", "x"));
    end.get_future().wait_for(std::chrono::seconds(20));
  });
  const Server silent([](test::Connection &connection) {
    connection.ReadRequest();
    connection.AwaitClose();
  });
  Session session;
  EXPECT_EQ(Fetch(session, Get(ending.url())).body, "x");
  const auto waits = session.Send(Get(silent.url()));
  end.set_value();
  const auto readable = [&](int milliseconds) {
    pollfd waited{session.fd(), POLLIN, 0};
    return poll(&waited, 1, milliseconds) > 0;
  };
  ASSERT_TRUE(readable(10'000));
  bool quiet = false;
  for (int i = 0; i < 100 && !quiet; i++) {
    session.Pump();
    quiet = !readable(20);
  }
  EXPECT_TRUE(quiet);
  EXPECT_FALSE(waits->done());
}

TEST(Http, RunsManyTransfersAtOnce) {
  const Server server(Each([](const std::string &request) {
    const std::string path = request.substr(4, request.find(' ', 4) - 4);
    return Answer("200 OK", path + std::string(100'000, 'x'));
  }));
  Session session;
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (int i = 0; i < 50; ++i)
    transfers.push_back(session.Send(Get(server.url() + "/" + std::to_string(i))));
  EXPECT_EQ(session.active(), 50);
  ASSERT_TRUE(DriveUntil(session, [&] { return session.active() == 0; }));
  for (int i = 0; i < 50; ++i) {
    const std::string path = "/" + std::to_string(i);
    EXPECT_EQ(transfers[i]->Result().body, path + std::string(100'000, 'x'));
  }
}

TEST(Http, ReturnsRedirectAsItIs) {
  Log log;
  const Server other(Each([&log](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", "stolen");
  }));
  Session session;
  for (const char *status :
       {"301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"}) {
    const Server server(
        Each([&](const std::string &) { return Answer(status, "", "Location: " + other.url() + "/x\r\n"); }));
    Request request = Post(server.url(), "{}");
    request.secret_headers.emplace_back("apikey", Secret("k1"));
    const Response response = Fetch(session, request);
    EXPECT_EQ(response.status, std::stoi(status));
    EXPECT_EQ(response.Header("location"), other.url() + "/x");
  }
  EXPECT_EQ(other.accepted(), 0);
}

// --- what must not be sent ---

TEST(HttpRequest, RefusesBytesThatWouldMakeAnotherHeader) {
  const Server server(Each(Ok));
  Session session;
  const std::string bad[] = {"a\r\nX-Evil: 1", "a\nb", "a\rb", std::string("a\0b", 3), "a\x1b[0m", "a\x7f"};
  for (const std::string &value : bad) {
    for (const bool secret : {false, true}) {
      Request request = Get(server.url());
      if (secret) {
        request.secret_headers.emplace_back("Authorization", Secret("Bearer hush" + value));
      } else {
        request.headers.emplace_back("Prefer", "hush" + value);
      }
      const Error error = FetchError(session, request);
      EXPECT_STREQ(error.sqlstate(), "22023");
      const std::string text = std::string(error.what()) + error.detail() + error.hint() + error.context();
      EXPECT_EQ(text.find("hush"), std::string::npos) << text;
    }
  }
  EXPECT_EQ(server.accepted(), 0);
}

TEST(HttpRequest, RefusesBadHeaderNamesMethodsAndUrls) {
  Session session;
  for (const char *name : {"", "a b", "a:b", "a\r\nb", "Host", "content-length", "Transfer-Encoding", "Expect"}) {
    Request request = Get("http://127.0.0.1:1/");
    request.headers.emplace_back(name, "x");
    EXPECT_STREQ(FetchError(session, request).sqlstate(), "22023") << name;
  }
  for (const char *method : {"", "GET /x", "GET\r\n"}) {
    Request request = Get("http://127.0.0.1:1/");
    request.method = method;
    EXPECT_STREQ(FetchError(session, request).sqlstate(), "22023") << method;
  }
  for (const char *url : {"", "/x", "127.0.0.1", "http://", "http://u:p@127.0.0.1/", "http://127.0.0.1/a b",
                          "http://127.0.0.1/\n", "http://127.0.0.1/\xc3\xa9", "http://127.0.0.1:99999/"}) {
    EXPECT_STREQ(FetchError(session, Get(url)).sqlstate(), "22023") << url;
  }
  EXPECT_STREQ(FetchError(session, Get("http://127.0.0.1:1/" + std::string(16 << 10, 'x'))).sqlstate(), "54000");
}

TEST(HttpRequest, RefusesOtherSchemes) {
  const Server server(Each(Ok));
  Session session;
  for (const std::string &url : {std::string("file:///etc/passwd"), std::string("ftp://127.0.0.1/"), server.url()}) {
    Request request = Get(url);
    request.allow_http = false;
    EXPECT_STREQ(FetchError(session, request).sqlstate(), "42501") << url;
  }
  EXPECT_EQ(server.accepted(), 0);
}

TEST(HttpRequest, RefusesPrivateAddressesAfterNameResolution) {
  const Server server(Each(Ok));
  Session session;
  const std::string port = ":" + std::to_string(server.port());
  for (const char *host :
       {"127.0.0.1", "2130706433", "0x7f.1", "017700000001", "here.test", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
    Request request = Get("http://" + std::string(host) + port);
    request.allow_private_address = false;
    request.max_retries = 3;
    const Error error = FetchError(session, request);
    EXPECT_STREQ(error.sqlstate(), "42501") << host << ": " << error.what();
    EXPECT_NE(std::string(error.what()).find("connection to host \""), std::string::npos);
  }
  EXPECT_EQ(server.accepted(), 0);
  EXPECT_EQ(Fetch(session, Get("http://here.test" + port)).body, "ok");
}

TEST(HttpRequest, RefusesPrivateAddressOfAKeptConnection) {
  Log log;
  const Server server(Each([&log](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", "ok");
  }));
  Session session;
  Fetch(session, Get(server.url()));
  Request request = Get(server.url());
  request.allow_private_address = false;
  EXPECT_STREQ(FetchError(session, request).sqlstate(), "42501");
  EXPECT_EQ(log.size(), 1U);
}

TEST(HttpRequest, KnowsPublicAddresses) {
  for (const char *address :
       {"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.0.1", "100.128.0.1", "223.255.255.255",
        "2606:4700::1111", "2a00:1450::1", "2001:4860::8888", "64:ff9b::8.8.8.8"}) {
    EXPECT_TRUE(IsPublicAddress(address)) << address;
  }
  for (const char *address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.255.0.1",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.8",
                              "192.168.1.1",
                              "198.18.0.1",
                              "198.19.255.255",
                              "203.0.113.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:8.8.8.8",
                              "::127.0.0.1",
                              "64:ff9b::10.0.0.1",
                              "64:ff9b:1::1",
                              "fc00::1",
                              "fd00::1",
                              "fe80::1",
                              "fec0::1",
                              "ff02::1",
                              "2001::1",
                              "2001:db8::1",
                              "2002:7f00:1::",
                              "3fff::1",
                              "",
                              "localhost",
                              "1.1.1"}) {
    EXPECT_FALSE(IsPublicAddress(address)) << address;
  }
}

// --- connecting ---

TEST(HttpConnect, UnknownHostIsNotTriedAgain) {
  Session session;
  Request request = Get("http://missing.test/");
  request.max_retries = 1000;  // would take far longer than the test waits
  const Error error = FetchError(session, request);
  EXPECT_STREQ(error.sqlstate(), "08001");
  EXPECT_STREQ(error.what(), "could not connect to \"missing.test:80\"");
  EXPECT_STREQ(error.context(), "remote request: GET /test");
}

TEST(HttpConnect, RefusedConnectionIsTriedAgainEvenForPost) {
  int port = 0;
  { port = Server(Each(Ok)).port(); }
  Session session;
  Request request = Post("http://127.0.0.1:" + std::to_string(port), "{}");
  request.max_retries = 2;
  const Error error = FetchError(session, request);
  EXPECT_STREQ(error.sqlstate(), "08001");
  EXPECT_NE(std::string(error.detail()).find("This was attempt 3."), std::string::npos) << error.detail();
}

TEST(HttpConnect, StuckNameLookupCanBeCancelled) {
  const Server server(Each(Ok));
  Session session;
  for (int i = 0; i < 3; ++i) {
    auto stuck = session.Send(Get("http://stuck.test/"));
    std::thread other([] { TheResolver().AwaitHanging(); });
    EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
    other.join();
    stuck.reset();  // hangs when libcurl waits for its thread
  }
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  const sigset_t mask = TheResolver().mask();
  for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGHUP, SIGQUIT}) {
    EXPECT_EQ(sigismember(&mask, signal), 1) << "a signal handler could run in the resolver thread";
  }
  TheResolver().Release();
}

TEST(HttpConnect, StuckNameLookupEndsWithTheConnectTimeout) {
  Session session;
  Request request = Get("http://stuck.test/");
  request.connect_timeout_ms = 100;
  const Error error = FetchError(session, request);
  EXPECT_STREQ(error.sqlstate(), "08001");
  TheResolver().Release();
}

TEST(HttpConnect, IgnoresEnvironment) {
  Log log;
  const Server proxy(Each([&log](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", "proxied");
  }));
  const Server server(Each([&log](const std::string &request) {
    log.Add(request);
    return Answer("200 OK", "direct");
  }));
  char home[] = "/tmp/http_test_home_XXXXXX";
  ASSERT_NE(mkdtemp(home), nullptr);
  const std::string netrc = std::string(home) + "/.netrc";
  std::ofstream(netrc) << "machine 127.0.0.1 login thief password hush\n";
  for (const char *name : {"http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"}) {
    setenv(name, proxy.url().c_str(), 1);
  }
  setenv("HOME", home, 1);
  Session session;
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "direct");
  EXPECT_EQ(proxy.accepted(), 0);
  EXPECT_EQ(log.entries()[0].find("Authorization"), std::string::npos);

  setenv("no_proxy", "*", 1);
  session.settings().proxy = proxy.url();
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "proxied");
  // A proxy resolves names out of our sight, but not addresses.
  Request request = Get("http://169.254.169.254/latest/meta-data");
  request.allow_private_address = false;
  EXPECT_STREQ(FetchError(session, request).sqlstate(), "42501");
  for (const char *name : {"http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY", "no_proxy"})
    unsetenv(name);
  unlink(netrc.c_str());
  rmdir(home);
}

bool WritesTlsKeys() {
  char path[] = "/tmp/http_test_keys_XXXXXX";
  close(mkstemp(path));
  setenv("SSLKEYLOGFILE", path, 1);
  const Certificate certificate;
  const Server server(Each(Ok), &certificate);
  Session session;
  session.settings().ca_file = certificate.file();
  const bool fetched = Fetch(session, Get(server.url())).body == "ok";
  struct stat status {};
  const bool empty = stat(path, &status) == 0 && status.st_size == 0;
  unlink(path);
  return !fetched || !empty || getenv("SSLKEYLOGFILE") == nullptr;
}

// Own process: the library reads the variable once, when it is initialized.
TEST(HttpConnectDeathTest, WritesNoTlsKeysForSslkeylogfile) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(_exit(WritesTlsKeys() ? 1 : 0), testing::ExitedWithCode(0), "");
}

TEST(HttpTls, TrustsGivenCertificateOnly) {
  const Certificate certificate;
  const Certificate other;
  Log log;
  const Server server(Each([&log](const std::string &request) {
                        log.Add(request);
                        return Answer("200 OK", "ok");
                      }),
                      &certificate);
  setenv("CURL_CA_BUNDLE", certificate.file().c_str(), 1);
  setenv("SSL_CERT_FILE", certificate.file().c_str(), 1);
  Session session;
  for (const std::string &ca_file : {std::string(), other.file(), std::string("/nonexistent/ca.pem")}) {
    session.settings().ca_file = ca_file;
    Request request = Get(server.url());
    request.max_retries = 3;
    const Error error = FetchError(session, request);
    EXPECT_STREQ(error.sqlstate(), "08001") << error.detail();
    EXPECT_EQ(log.size(), 0U);
  }
  EXPECT_LE(server.accepted(), 3) << "tried again";
  session.settings().ca_file = certificate.file();
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  EXPECT_EQ(Fetch(session, Get(server.url())).body, "ok");
  EXPECT_EQ(log.size(), 2U);
  EXPECT_EQ(server.tls_established(), 1) << "no keep-alive";

  // The right certificate for another name, and a connection that another setting of ca_file must not share.
  const Error name = FetchError(session, Get("https://here.test:" + std::to_string(server.port())));
  EXPECT_STREQ(name.sqlstate(), "08001");
  session.settings().ca_file = other.file();
  EXPECT_STREQ(FetchError(session, Get(server.url())).sqlstate(), "08001");
  EXPECT_EQ(log.size(), 2U);
  unsetenv("CURL_CA_BUNDLE");
  unsetenv("SSL_CERT_FILE");
}

TEST(HttpTls, PlainServerOnTlsPortIsAnError) {
  const Server server([](Connection &connection) { connection.Write("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  Session session;
  const Error error = FetchError(session, Get("https://127.0.0.1:" + std::to_string(server.port())));
  EXPECT_STREQ(error.sqlstate(), "08001");
}

}  // namespace
}  // namespace supabase
