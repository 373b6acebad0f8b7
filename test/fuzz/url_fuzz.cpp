// ParseBaseUrl, the encoders and the host list over arbitrary bytes. What is accepted, libcurl must read as the same
// host, port and path: that is the point of the narrow grammar. A failed property is a std::logic_error.

#include <curl/curl.h>

#include <cctype>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "error.hpp"
#include "url.hpp"

namespace {

void Require(bool holds, const char *otherwise) {
  if (!holds) throw std::logic_error(otherwise);
}

std::string CurlPart(CURLU *curl, CURLUPart part) {
  char *text = nullptr;
  if (curl_url_get(curl, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

void RequireCurlAgrees(const std::string &text, const supabase::BaseUrl &url) {
  const std::unique_ptr<CURLU, void (*)(CURLU *)> curl(curl_url(), curl_url_cleanup);
  Require(curl_url_set(curl.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS) == CURLUE_OK, "libcurl refuses it");
  std::string host = CurlPart(curl.get(), CURLUPART_HOST);
  for (char &c : host)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  Require(host == (url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]"), "another host");
  Require(CurlPart(curl.get(), CURLUPART_SCHEME) == url.scheme, "another scheme");
  Require(CurlPart(curl.get(), CURLUPART_PORT) == std::to_string(url.port), "another port");
  Require(CurlPart(curl.get(), CURLUPART_PATH) == (url.path.empty() ? "/" : url.path), "another path");
  Require(CurlPart(curl.get(), CURLUPART_USER).empty() && CurlPart(curl.get(), CURLUPART_QUERY).empty() &&
              CurlPart(curl.get(), CURLUPART_FRAGMENT).empty(),
          "more parts than host, port and path");
}

void CheckAddress(const std::string &text) {
  supabase::BaseUrl url;
  try {
    url = supabase::ParseBaseUrl("url", text);
  } catch (const supabase::Error &error) {
    Require(std::string(error.sqlstate()) == "HV024", "an unexpected SQLSTATE");
    return;
  }
  const std::string written = url.Text();
  Require(supabase::ParseBaseUrl("url", written).Text() == written, "the text of an address is another address");
  Require(supabase::HostListedLiterally(url.host, "x, " + url.host), "a host is not in a list that names it");
  RequireCurlAgrees(written, url);
}

void CheckEncoding(const std::string &text, const std::string &encoded) {
  std::string decoded;
  for (size_t i = 0; i < encoded.size(); ++i) {
    const char c = encoded[i];
    Require(c > 0x20 && c < 0x7F && std::string("+;&=#\"\\<>?").find(c) == std::string::npos, "a byte to encode");
    if (c != '%') {
      decoded += c;
      continue;
    }
    decoded += static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  Require(decoded == text, "decoding gives another text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  CheckAddress(text);
  // Most random texts fail at the scheme.
  CheckAddress("https://" + text);
  CheckEncoding(text, supabase::PercentEncode(text));
  CheckEncoding(text, supabase::QueryEncode(text));

  const size_t cut = text.find(' ');
  const std::string host = text.substr(0, cut);
  const std::string list = cut == std::string::npos ? std::string() : text.substr(cut + 1);
  Require(!supabase::HostListedLiterally(host, list) || supabase::HostMatches(host, list), "listed but not matched");
  Require(!supabase::HostMatches(host, ""), "an empty list covers something");
  return 0;
}
