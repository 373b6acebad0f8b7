#include "http_exchange.hpp"

#include <curl/curl.h>
#include <strings.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

#include "http_address.hpp"

namespace supabase {

namespace {

// PostgREST's gateways take request lines of 8 to 16 kB; a longer one is our own mistake.
constexpr size_t kMaxUrlBytes = 16 << 10;
// One read of a fast connection; libcurl's default of 16 kB costs four times as many calls.
constexpr long kReceiveBuffer = 64 << 10;
constexpr long kMaxIdleSeconds = 60;         // nginx's keepalive_timeout is 60 to 75 s: the server should not be first
constexpr long kMaxConnectionSeconds = 600;  // so that a change of DNS or of certificate is noticed
constexpr long kDnsCacheSeconds = 60;
constexpr long kCaCacheSeconds = 600;  // parsing the system's bundle takes about 20 ms
// PostgREST's error bodies are below 1 kB plus what the function's author put in; the code comes first.
constexpr size_t kMaxCodeScan = 64 << 10;
constexpr size_t kMaxCode = 16;

// RFC 9110, 5.6.2.
bool IsToken(std::string_view text) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

// RFC 9110, 5.5: a CR or LF would begin another header, and libcurl would send it as such.
bool IsHeaderValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

// What decides how the message is framed and routed belongs to libcurl.
bool IsTransportHeader(std::string_view name) {
  constexpr std::string_view kNames[] = {"host",    "content-length", "transfer-encoding", "connection",     "te",
                                         "upgrade", "expect",         "trailer",           "accept-encoding"};
  return std::any_of(std::begin(kNames), std::end(kNames), [name](std::string_view own) {
    return own.size() == name.size() && strncasecmp(own.data(), name.data(), own.size()) == 0;
  });
}

std::string Milliseconds(int64_t microseconds) {
  return std::to_string((microseconds + 500) / 1000) + " ms";
}

// libcurl's messages may quote what the server sent.
std::string Printable(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return result;
}

}  // namespace

// Header lines in the form that libcurl takes, which keeps only a pointer. Zeroed before they are freed.
class Exchange::HeaderList {
 public:
  // Room for `count` lines: a line that moves would leave a copy of itself behind.
  explicit HeaderList(size_t count) { lines_.reserve(count); }
  ~HeaderList() {
    for (std::string &line : lines_)
      explicit_bzero(line.data(), line.size());
  }
  HeaderList(const HeaderList &) = delete;
  HeaderList &operator=(const HeaderList &) = delete;

  void Add(std::string_view name, std::string_view value) {
    // "Name:" would take the header out and "Name;" sends it empty, in the language of CURLOPT_HTTPHEADER.
    if (value.find_first_not_of(" \t") == std::string_view::npos) return AddLine(name, ";", {});
    AddLine(name, ": ", value);
  }
  void Remove(std::string_view name) { AddLine(name, ":", {}); }
  // To be called when all lines are there.
  curl_slist *Link() {
    nodes_.resize(lines_.size());
    for (size_t i = 0; i < lines_.size(); ++i) {
      nodes_[i] = {lines_[i].data(), i + 1 < lines_.size() ? &nodes_[i + 1] : nullptr};
    }
    return nodes_.empty() ? nullptr : nodes_.data();
  }

 private:
  void AddLine(std::string_view name, std::string_view separator, std::string_view value) {
    std::string &line = lines_.emplace_back();
    line.reserve(name.size() + separator.size() + value.size());
    line.append(name).append(separator).append(value);
  }

  std::vector<std::string> lines_;
  std::vector<curl_slist> nodes_;
};

void Exchange::CheckHeader(std::string_view name, std::string_view value) {
  if (!IsToken(name)) throw Error(sqlstate::kInvalidParameterValue, "invalid name of an HTTP header");
  const std::string quoted = "\"" + std::string(name) + "\"";
  if (IsTransportHeader(name))
    throw Error(sqlstate::kInvalidParameterValue, "HTTP header " + quoted + " cannot be set");
  if (!IsHeaderValue(value)) {
    throw Error(sqlstate::kInvalidParameterValue, "invalid value for HTTP header " + quoted,
                "The value has a line break or another control character.");
  }
}

Exchange::Exchange(const Request &request, const HttpSettings &settings, SocketTable &sockets, SignalBlock &signals)
    : request_(request), settings_(settings), sockets_(sockets), signals_(signals) {
  proxied_ = !settings.proxy.empty();
  CheckRequest();
  CheckUrl();
}

Exchange::~Exchange() {
  FreeHandle();
}

void Exchange::FreeHandle() noexcept {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  easy_ = nullptr;
  headers_.reset();
}

void Exchange::CheckRequest() {
  if (!IsToken(request_.method)) throw Error(sqlstate::kInvalidParameterValue, "invalid HTTP method");
  for (const auto &[name, value] : request_.headers)
    CheckHeader(name, value);
  for (const auto &[name, value] : request_.secret_headers)
    CheckHeader(name, value.Reveal());
  CheckHeader("User-Agent", settings_.user_agent);
}

// libcurl's own parser, so that what is checked here is what is connected to.
void Exchange::CheckUrl() {
  const std::string &url = request_.url;
  if (url.size() > kMaxUrlBytes) {
    throw Error(sqlstate::kProgramLimit,
                "URL of a remote request is longer than " + std::to_string(kMaxUrlBytes) + " bytes",
                "It has " + std::to_string(url.size()) + " bytes.", {}, "remote request: " + request_.label);
  }
  const std::unique_ptr<CURLU, void (*)(CURLU *)> parsed(curl_url(), curl_url_cleanup);
  const auto part = [&parsed](CURLUPart which) -> std::string {
    char *text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    const std::unique_ptr<char, void (*)(void *)> owner(text, curl_free);
    return text;
  };
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  const unsigned flags = CURLU_PATH_AS_IS | CURLU_DISALLOW_USER;
  if (!plain || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), flags) != CURLUE_OK) {
    throw Error(sqlstate::kInvalidParameterValue, "invalid URL of a remote request");
  }
  const std::string scheme = part(CURLUPART_SCHEME);
  host_ = part(CURLUPART_HOST);
  authority_ = host_ + ":" + part(CURLUPART_PORT);
  https_ = scheme == "https";
  if (!https_ && !(scheme == "http" && request_.allow_http)) {
    throw Error(sqlstate::kInsufficientPrivilege, "scheme \"" + scheme + "\" is not allowed for host \"" + host_ + "\"",
                {}, {}, "remote request: " + request_.label);
  }
  // A proxy resolves the name, so only a host given as an address can be judged then.
  std::string literal = host_;
  if (literal.front() == '[') literal = literal.substr(1, literal.size() - 2);
  const bool is_address =
      literal.find(':') != std::string::npos || literal.find_first_not_of("0123456789.") == std::string::npos;
  if (proxied_ && !request_.allow_private_address && is_address && !IsPublicAddress(literal.c_str()))
    throw AddressError();
}

void Exchange::CheckOption(int code, const char *option) {
  if (code == CURLE_OK) return;
  throw Error(sqlstate::kFdwError, std::string("could not set libcurl option ") + option,
              std::string("libcurl said: ") + curl_easy_strerror(static_cast<CURLcode>(code)) + ".");
}

void Exchange::Begin(void *owner) {
  FreeHandle();
  const bool fresh = stale();
  response_ = Response();
  response_.body.reserve(64);
  flaw_ = Flaw::kNone;
  unasked_input_ = false;
  begun_ = 0;
  header_bytes_ = 0;
  http_major_ = 0;
  head_complete_ = encoded_ = false;
  error_text_[0] = '\0';
  easy_ = curl_easy_init();
  if (easy_ == nullptr) throw Error(sqlstate::kFdwError, "could not create a libcurl handle");
  HTTP_SET_OPTION(CURLOPT_PRIVATE, owner);
  HTTP_SET_OPTION(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  MakeHeaders();
  SetTransport();
  SetTls();
  SetRequest();
  SetCallbacks();
}

void Exchange::MakeHeaders() {
  headers_ = std::make_unique<HeaderList>(request_.headers.size() + request_.secret_headers.size() + 2);
  bool has_type = false;
  for (const auto &[name, value] : request_.headers) {
    headers_->Add(name, value);
    has_type = has_type || strcasecmp(name.c_str(), "Content-Type") == 0;
  }
  for (const auto &[name, value] : request_.secret_headers)
    headers_->Add(name, value.Reveal());
  // libcurl would wait a second for "100 Continue" before a large body, and call any body a form.
  headers_->Remove("Expect");
  if (!has_type) headers_->Remove("Content-Type");
}

void Exchange::SetTransport() {
  HTTP_SET_OPTION(CURLOPT_PROTOCOLS_STR, request_.allow_http ? "http,https" : "https");
  HTTP_SET_OPTION(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  // A redirect would carry apikey, which libcurl does not know for a credential, to another host.
  HTTP_SET_OPTION(CURLOPT_FOLLOWLOCATION, 0L);
  HTTP_SET_OPTION(CURLOPT_MAXREDIRS, 0L);
  // An empty proxy is none, where an absent one is that of the environment; the same goes for the exceptions from it.
  HTTP_SET_OPTION(CURLOPT_PROXY, settings_.proxy.c_str());
  HTTP_SET_OPTION(CURLOPT_NOPROXY, proxied_ ? "" : "*");
  HTTP_SET_OPTION(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  HTTP_SET_OPTION(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  HTTP_SET_OPTION(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  HTTP_SET_OPTION(CURLOPT_UNRESTRICTED_AUTH, 0L);
  HTTP_SET_OPTION(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_NONE));
  HTTP_SET_OPTION(CURLOPT_NOSIGNAL, 1L);    // SIGALRM is PostgreSQL's
  HTTP_SET_OPTION(CURLOPT_QUICK_EXIT, 1L);  // a cancelled name lookup is not waited for
  HTTP_SET_OPTION(CURLOPT_PATH_AS_IS, 1L);
  HTTP_SET_OPTION(CURLOPT_HTTP09_ALLOWED, 0L);
  HTTP_SET_OPTION(CURLOPT_ACCEPT_ENCODING, "gzip");
  HTTP_SET_OPTION(CURLOPT_HTTP_VERSION, static_cast<long>(https_ ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  // Requests sent together share one HTTP/2 connection instead of opening one each.
  HTTP_SET_OPTION(CURLOPT_PIPEWAIT, https_ ? 1L : 0L);
  HTTP_SET_OPTION(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout_ms));
  HTTP_SET_OPTION(CURLOPT_TIMEOUT_MS, static_cast<long>(request_.total_timeout_ms));
  HTTP_SET_OPTION(CURLOPT_MAXAGE_CONN, kMaxIdleSeconds);
  HTTP_SET_OPTION(CURLOPT_MAXLIFETIME_CONN, kMaxConnectionSeconds);
  HTTP_SET_OPTION(CURLOPT_DNS_CACHE_TIMEOUT, kDnsCacheSeconds);
  HTTP_SET_OPTION(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  HTTP_SET_OPTION(CURLOPT_TCP_KEEPALIVE, 1L);
}

// The library itself reads neither CURL_CA_BUNDLE nor SSL_CERT_FILE, only the command line tool does.
void Exchange::SetTls() {
  HTTP_SET_OPTION(CURLOPT_SSL_VERIFYPEER, 1L);
  HTTP_SET_OPTION(CURLOPT_SSL_VERIFYHOST, 2L);
  HTTP_SET_OPTION(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  HTTP_SET_OPTION(CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  HTTP_SET_OPTION(CURLOPT_SSL_OPTIONS, 0L);
  HTTP_SET_OPTION(CURLOPT_CA_CACHE_TIMEOUT, kCaCacheSeconds);
  if (settings_.ca_file.empty()) return;
  // In place of the system's: its directory of certificates is searched beside a file otherwise.
  HTTP_SET_OPTION(CURLOPT_CAINFO, settings_.ca_file.c_str());
  HTTP_SET_OPTION(CURLOPT_CAPATH, static_cast<char *>(nullptr));
  HTTP_SET_OPTION(CURLOPT_PROXY_CAINFO, settings_.ca_file.c_str());
  HTTP_SET_OPTION(CURLOPT_PROXY_CAPATH, static_cast<char *>(nullptr));
}

void Exchange::SetRequest() {
  HTTP_SET_OPTION(CURLOPT_URL, request_.url.c_str());
  HTTP_SET_OPTION(CURLOPT_HTTPHEADER, headers_->Link());
  if (!settings_.user_agent.empty()) HTTP_SET_OPTION(CURLOPT_USERAGENT, settings_.user_agent.c_str());
  const std::string &method = request_.method;
  if (method == "HEAD") {
    HTTP_SET_OPTION(CURLOPT_NOBODY, 1L);
    return;
  }
  const std::string_view body = request_.secret_body.empty() ? request_.body : request_.secret_body.Reveal();
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    HTTP_SET_OPTION(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    HTTP_SET_OPTION(CURLOPT_POSTFIELDS, body.data());  // not copied
  } else {
    HTTP_SET_OPTION(CURLOPT_HTTPGET, 1L);
  }
  HTTP_SET_OPTION(CURLOPT_CUSTOMREQUEST, method.c_str());
}

void Exchange::End(int code, bool late) noexcept {
  code_ = code;
  const auto time_of = [this](CURLINFO phase) {
    curl_off_t value = 0;
    curl_easy_getinfo(easy_, phase, &value);
    return static_cast<int64_t>(value);
  };
  times_ = {time_of(CURLINFO_NAMELOOKUP_TIME_T), time_of(CURLINFO_CONNECT_TIME_T), time_of(CURLINFO_APPCONNECT_TIME_T),
            time_of(CURLINFO_STARTTRANSFER_TIME_T), time_of(CURLINFO_TOTAL_TIME_T)};
  response_.elapsed_us = time_of(CURLINFO_TOTAL_TIME_T);
  response_.answer_us = time_of(CURLINFO_STARTTRANSFER_TIME_T) - time_of(CURLINFO_PRETRANSFER_TIME_T);
  response_.wire_bytes = static_cast<uint64_t>(std::max<int64_t>(0, time_of(CURLINFO_SIZE_DOWNLOAD_T)));
  // libcurl calls it a success when the connection ends inside the head.
  if (code == CURLE_OK && !head_complete_) code_ = CURLE_PARTIAL_FILE;
  // What libcurl says when one header line outgrows its own buffer (100 kB), before our callback sees any of it.
  if (code == CURLE_OUT_OF_MEMORY && flaw_ == Flaw::kNone && !head_complete_ && sent()) flaw_ = Flaw::kHeaderSize;
  // Not our callbacks' doing, so that of libcurl's decoder: something follows the end of the gzip stream.
  if (code == CURLE_WRITE_ERROR && flaw_ == Flaw::kNone) flaw_ = Flaw::kContentEncoding;
  permanent_ = !ok() && IsPermanent(late);
  FreeHandle();
}

bool Exchange::ok() const noexcept {
  return code_ == CURLE_OK && flaw_ == Flaw::kNone;
}

bool Exchange::IsPermanent(bool late) const noexcept {
  if (flaw_ == Flaw::kUnasked) return false;
  if (flaw_ != Flaw::kNone) return true;
  switch (code_) {
    case CURLE_COULDNT_RESOLVE_HOST:  // the resolver has already asked each name server more than once
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OUT_OF_MEMORY:
      return true;
    case CURLE_SSL_CONNECT_ERROR:
      // A handshake that was cut may work the next time, one that was refused will not.
      return strstr(error_text_, "SYSCALL") == nullptr && strstr(error_text_, "reset by peer") == nullptr;
    case CURLE_OPERATION_TIMEDOUT:
      // The server is most likely still at work on it; the same again would double that work.
      return sent() && !late;
    default:
      return false;
  }
}

// Looks for "code":"…" as PostgREST writes it. In a string of the document the quotes would be escaped.
std::string_view Exchange::RemoteCode() const noexcept {
  if (response_.status < 400) return {};
  const std::string_view body = std::string_view(response_.body).substr(0, kMaxCodeScan);
  constexpr std::string_view kKey = "\"code\"";
  constexpr std::string_view kBlanks = " \t\r\n";
  size_t at = body.find(kKey);
  if (at == std::string_view::npos) return {};
  at = body.find_first_not_of(kBlanks, at + kKey.size());
  if (at == std::string_view::npos || body[at] != ':') return {};
  at = body.find_first_not_of(kBlanks, at + 1);
  if (at == std::string_view::npos || body[at] != '"') return {};
  const std::string_view rest = body.substr(at + 1);
  const size_t end = rest.find('"');
  return end <= kMaxCode ? rest.substr(0, end) : std::string_view();
}

std::string Exchange::Detail(int attempts) const {
  std::string text = Printable(error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(static_cast<CURLcode>(code_)));
  while (!text.empty() && (text.back() == '?' || text.back() == '.'))
    text.pop_back();
  text += ". Name lookup " + Milliseconds(times_.name_lookup);
  const auto add = [&text](const char *phase, int64_t from, int64_t to) {
    if (to > 0) text += std::string(", ") + phase + " " + Milliseconds(std::max<int64_t>(0, to - from));
  };
  add("connect", times_.name_lookup, times_.connect);
  add("TLS", times_.connect, times_.tls);
  add("first byte after", 0, times_.first_byte);
  add("end after", 0, times_.total);
  text += "; " + std::to_string(response_.wire_bytes) + " bytes received.";
  if (attempts > 1) text += " This was attempt " + std::to_string(attempts) + ".";
  return text;
}

Error Exchange::AddressError() const {
  return Error(sqlstate::kInsufficientPrivilege, "connection to host \"" + host_ + "\" is not allowed",
               "Its address is loopback, private, link-local or otherwise not of the public internet.",
               "A superuser can list the host in \"supabase_fdw.allowed_hosts\".", "remote request: " + request_.label);
}

Error Exchange::FlawError(int attempts) const {
  const std::string context = "remote request: " + request_.label;
  const std::string answer = "answer from \"" + host_ + "\"";
  const auto invalid = [&](const char *detail) {
    return Error(sqlstate::kProtocolViolation, "invalid " + answer, detail, {}, context);
  };
  switch (flaw_) {
    case Flaw::kAddress:
      return AddressError();
    case Flaw::kRepeat:
      return Error(sqlstate::kConnectionFailure, "could not get a complete " + answer,
                   "The server closed the connection without answering. " + Detail(attempts), {}, context);
    case Flaw::kStale:
    case Flaw::kUnasked:
      return Error(sqlstate::kConnectionFailure, "could not get a complete " + answer,
                   "The connection held an answer before the request was sent.", {}, context);
    case Flaw::kBodySize:
      return Error(sqlstate::kProgramLimit,
                   answer + " is larger than " + std::to_string(request_.max_response_bytes) + " bytes", {},
                   "Ask for fewer rows at a time, or raise server option \"max_response_size\".", context);
    case Flaw::kHeaderSize:
      return Error(sqlstate::kProgramLimit, "headers of " + answer + " are too large", {}, {}, context);
    case Flaw::kContentEncoding:
      return invalid("Its content is neither plain nor one gzip stream, which is what was asked for.");
    case Flaw::kUnframed:
      return invalid("It gives neither a length nor chunks, so that a part that is missing would not be noticed.");
    case Flaw::kFraming:
      return invalid("Its status line, its headers or its length break the rules of HTTP.");
    case Flaw::kOutOfMemory:
    case Flaw::kNone:
      break;
  }
  return Error("53200", "out of memory", "An answer was being received.", {}, context);
}

Error Exchange::Failure(int attempts) const {
  if (flaw_ != Flaw::kNone || code_ == CURLE_OUT_OF_MEMORY) return FlawError(attempts);
  const std::string context = "remote request: " + request_.label;
  if (!sent()) {
    return Error(sqlstate::kCannotConnect, "could not connect to \"" + authority_ + "\"", Detail(attempts), {},
                 context);
  }
  const bool malformed =
      code_ == CURLE_WEIRD_SERVER_REPLY || code_ == CURLE_UNSUPPORTED_PROTOCOL || code_ == CURLE_BAD_CONTENT_ENCODING;
  return Error(malformed ? sqlstate::kProtocolViolation : sqlstate::kConnectionFailure,
               "could not get a complete answer from \"" + host_ + "\"", Detail(attempts), {}, context);
}

}  // namespace supabase
