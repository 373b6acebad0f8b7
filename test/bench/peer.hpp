// The two kinds of client that are measured: a session of the local server, and plain HTTP.
#pragma once

#include <curl/curl.h>
#include <libpq-fe.h>

#include <string>
#include <vector>

namespace bench {

// The value of an environment variable, which must be set.
std::string Env(const char *name);

// A session whose search path is one peer's schema. Errors are std::runtime_error with the server's message.
class Session {
 public:
  explicit Session(const std::string &schema);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  // All values of the answer, in lines.
  std::string Run(const std::string &sql);
  // The statement by key; `Lookup` runs it for one. Prepared once.
  void PrepareLookup(const std::string &sql);
  std::string Lookup(long key);
  int pid() const { return PQbackendPID(connection_); }

 private:
  std::string Take(PGresult *result);

  PGconn *connection_;
};

// Downloads over connections that are kept, as a service_role; bodies are thrown away.
class Download {
 public:
  Download();
  ~Download();
  Download(const Download &) = delete;
  Download &operator=(const Download &) = delete;

  // Gets every address, `streams` at a time. Anything but 200 is an error.
  void Get(const std::vector<std::string> &urls, size_t streams);

 private:
  CURL *NewHandle();
  void Start(CURL *handle, const std::string &url);
  void Finish(CURL *handle, CURLcode code);

  CURLM *multi_;
  curl_slist *headers_ = nullptr;
  std::vector<CURL *> handles_;
};

}  // namespace bench
