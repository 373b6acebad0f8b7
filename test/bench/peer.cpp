#include "peer.hpp"

#include <cstdlib>
#include <stdexcept>

namespace bench {
namespace {

size_t Discard(char *, size_t size, size_t count, void *) {
  return size * count;
}

}  // namespace

std::string Env(const char *name) {
  const char *value = getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
  return value;
}

Session::Session(const std::string &schema) {
  // jit would set in by cost estimates, which differ between peers, and would be measured in their place.
  const std::string info = "host=" + Env("STACK_LOCAL_HOST") + " port=" + Env("STACK_LOCAL_PORT") +
                           " user=postgres dbname=bench options='-c jit=off -c search_path=" + schema + ",public'";
  connection_ = PQconnectdb(info.c_str());
  if (PQstatus(connection_) != CONNECTION_OK) {
    const std::string message = PQerrorMessage(connection_);
    PQfinish(connection_);
    throw std::runtime_error(message);
  }
}

Session::~Session() {
  PQfinish(connection_);
}

std::string Session::Take(PGresult *result) {
  std::string text;
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    text = PQerrorMessage(connection_);
    PQclear(result);
    throw std::runtime_error(text);
  }
  for (int row = 0; row < PQntuples(result); row++) {
    for (int column = 0; column < PQnfields(result); column++) {
      if (column > 0) text += '\t';
      text += PQgetisnull(result, row, column) != 0 ? "\\N" : PQgetvalue(result, row, column);
    }
    text += '\n';
  }
  PQclear(result);
  return text;
}

std::string Session::Run(const std::string &sql) {
  return Take(PQexec(connection_, sql.c_str()));
}

void Session::PrepareLookup(const std::string &sql) {
  Run("DEALLOCATE ALL");
  Take(PQprepare(connection_, "lookup", sql.c_str(), 0, nullptr));
}

std::string Session::Lookup(long key) {
  const std::string text = std::to_string(key);
  const char *values[] = {text.c_str()};
  return Take(PQexecPrepared(connection_, "lookup", 1, values, nullptr, nullptr, 0));
}

Download::Download() : multi_(curl_multi_init()) {
  headers_ = curl_slist_append(headers_, ("Authorization: Bearer " + Env("STACK_SERVICE_JWT")).c_str());
  headers_ = curl_slist_append(headers_, "Accept: application/json");
}

Download::~Download() {
  for (CURL *handle : handles_) {
    curl_multi_remove_handle(multi_, handle);
    curl_easy_cleanup(handle);
  }
  curl_multi_cleanup(multi_);
  curl_slist_free_all(headers_);
}

CURL *Download::NewHandle() {
  CURL *handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Discard);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 512L * 1024);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  return handle;
}

void Download::Start(CURL *handle, const std::string &url) {
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_multi_add_handle(multi_, handle);
}

void Download::Finish(CURL *handle, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl_multi_remove_handle(multi_, handle);
  if (code != CURLE_OK) throw std::runtime_error(std::string("curl: ") + curl_easy_strerror(code));
  if (status != 200) throw std::runtime_error("raw download: status " + std::to_string(status));
}

void Download::Get(const std::vector<std::string> &urls, size_t streams) {
  while (handles_.size() < streams)
    handles_.push_back(NewHandle());
  size_t next = 0, done = 0;
  for (; next < urls.size() && next < streams; next++)
    Start(handles_[next], urls[next]);
  while (done < urls.size()) {
    int running = 0, queued = 0;
    curl_multi_perform(multi_, &running);
    bool started = false;
    while (const CURLMsg *message = curl_multi_info_read(multi_, &queued)) {
      CURL *handle = message->easy_handle;
      Finish(handle, message->data.result);
      done++;
      if (next == urls.size()) continue;
      Start(handle, urls[next++]);
      started = true;
    }
    if (done < urls.size() && !started) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
  }
}

}  // namespace bench
