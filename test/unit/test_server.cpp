#include "test_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace test {

namespace {

void Require(bool condition, const char *what) {
  if (!condition) throw std::runtime_error(std::string("test server: ") + what);
}

// Content-Length of a request head, 0 without one.
size_t BodyLength(const std::string &head) {
  const size_t at = head.find("\r\nContent-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 18));
}

}  // namespace

Connection::~Connection() {
  if (tls_ != nullptr) SSL_free(tls_);
}

long Connection::Read(char *buffer, size_t size) {
  if (tls_ != nullptr) return SSL_read(tls_, buffer, static_cast<int>(size));
  return recv(fd_, buffer, size, 0);
}

std::string Connection::ReadRequest() {
  char buffer[4096];
  while (true) {
    const size_t end = unread_.find("\r\n\r\n");
    if (end != std::string::npos) {
      const size_t total = end + 4 + BodyLength(unread_.substr(0, end + 2));
      if (unread_.size() >= total) {
        std::string request = unread_.substr(0, total);
        unread_.erase(0, total);
        return request;
      }
    }
    const long count = Read(buffer, sizeof(buffer));
    if (count <= 0) return {};
    unread_.append(buffer, static_cast<size_t>(count));
  }
}

bool Connection::Write(std::string_view bytes) {
  if (tls_ != nullptr) return SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

void Connection::AwaitClose() {
  char buffer[4096];
  while (Read(buffer, sizeof(buffer)) > 0) {
  }
}

void Connection::Goodbye() {
  if (tls_ != nullptr) SSL_shutdown(tls_);
  shutdown(fd_, SHUT_WR);
}

void Connection::Reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

Certificate::Certificate() {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY *)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509 *)> x509(X509_new(), X509_free);
  Require(key && x509, "no key");
  X509_set_version(x509.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 86400);
  X509_set_pubkey(x509.get(), key.get());
  X509_NAME *name = X509_get_subject_name(x509.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>("test"), -1, -1, 0);
  X509_set_issuer_name(x509.get(), name);
  X509_EXTENSION *names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  X509_add_ext(x509.get(), names, -1);
  X509_EXTENSION_free(names);
  Require(X509_sign(x509.get(), key.get(), EVP_sha256()) > 0, "cannot sign");

  char path[] = "/tmp/http_test_XXXXXX";
  const int fd = mkstemp(path);
  Require(fd >= 0, "no temporary file");
  FILE *file = fdopen(fd, "w");
  PEM_write_X509(file, x509.get());
  fclose(file);
  file_ = path;

  context_ = SSL_CTX_new(TLS_server_method());
  Require(SSL_CTX_use_certificate(context_, x509.get()) == 1 && SSL_CTX_use_PrivateKey(context_, key.get()) == 1,
          "cannot use certificate");
}

Certificate::~Certificate() {
  SSL_CTX_free(context_);
  unlink(file_.c_str());
}

Server::Server(Handler handler, const Certificate *certificate)
    : handler_(std::move(handler)),
      certificate_(certificate),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  // OpenSSL's BIO writes without MSG_NOSIGNAL, and a client that leaves is part of the tests.
  std::signal(SIGPIPE, SIG_IGN);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto *generic = reinterpret_cast<sockaddr *>(&address);
  Require(listener_ >= 0 && bind(listener_, generic, size) == 0 && listen(listener_, 128) == 0 &&
              getsockname(listener_, generic, &size) == 0,
          "cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

Server::~Server() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const int fd : open_)
      shutdown(fd, SHUT_RDWR);
  }
  for (std::thread &worker : workers_)
    worker.join();
  close(listener_);
}

std::string Server::url() const {
  return std::string(certificate_ != nullptr ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_);
}

void Server::AcceptLoop() {
  while (!stopping_) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    open_.push_back(fd);
    workers_.emplace_back([this, fd, number = accepted_++] { Serve(fd, number); });
  }
}

void Server::Serve(int fd, int number) {
  SSL *tls = nullptr;
  bool ready = true;
  if (certificate_ != nullptr) {
    tls = SSL_new(certificate_->context());
    SSL_set_fd(tls, fd);
    ready = SSL_accept(tls) == 1;
    if (ready) ++tls_established_;
  }
  {
    Connection connection(fd, tls, number);
    if (ready) handler_(connection);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  open_.remove(fd);
  close(fd);
}

std::string Answer(const std::string &status, const std::string &body, const std::string &headers) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

Server::Handler Each(std::function<std::string(const std::string &request)> answer) {
  return [answer = std::move(answer)](Connection &connection) {
    while (true) {
      const std::string request = connection.ReadRequest();
      if (request.empty() || !connection.Write(answer(request))) return;
    }
  };
}

}  // namespace test
