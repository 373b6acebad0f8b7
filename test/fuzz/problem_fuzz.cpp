// RemoteProblem and CleanText over arbitrary answers. The first two bytes give the status; in the rest \x01 stands for
// the request's key and \x02 for its token, so that answers that repeat them are frequent. A failed property is a
// std::logic_error.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "problem.hpp"

namespace {

constexpr char kKey[] = "sb_secret_0123456789abcdefghij";
constexpr char kToken[] = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYXJrZXItc3ViamVjdCJ9.bWFya2VyLXNpZ25hdHVyZS1ieXRlcw";

void Require(bool holds, const char *otherwise) {
  if (!holds) throw std::logic_error(otherwise);
}

std::string WithSecrets(const uint8_t *data, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == 1) {
      text += kKey;
    } else if (data[i] == 2) {
      text += kToken;
    } else {
      text += static_cast<char>(data[i]);
    }
  }
  return text;
}

void RequireClean(const std::string &text, size_t max_bytes) {
  Require(text.size() <= max_bytes, "longer than allowed");
  for (const char c : text)
    Require(static_cast<uint8_t>(c) >= 0x20 && c != 0x7F, "a control character");
  // dump() throws for invalid UTF-8.
  nlohmann::json(text).dump();
}

void RequireHarmless(const std::string &text) {
  RequireClean(text, 4096);
  Require(text.find(kKey) == std::string::npos, "the key is shown");
  Require(text.find(kToken) == std::string::npos, "the token is shown");
  Require(text.find("bWFya2VyLXNpZ25hdHVyZS1ieXRlcw") == std::string::npos, "the signature is shown");
}

bool IsErrorState(const std::string &sqlstate) {
  const std::string first = sqlstate.substr(0, 2);
  return sqlstate.size() == 5 && first != "00" && first != "01" && first != "02" &&
         sqlstate.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  supabase::Request request;
  request.secret_headers.emplace_back("apikey", supabase::Secret(kKey));
  request.secret_headers.emplace_back("authorization", supabase::Secret(std::string("Bearer ") + kToken));
  supabase::Response response;
  response.status = 200 + ((data[0] << 8) | data[1]) % 400;
  response.body = WithSecrets(data + 2, size - 2);
  response.headers = {{"retry-after", response.body}, {"location", response.body}, {"www-authenticate", response.body}};
  request.label = "GET /" + response.body;

  const supabase::Error error = supabase::RemoteProblem(request, response);
  Require(IsErrorState(error.sqlstate()), "not an error's SQLSTATE");
  Require(*error.what() != '\0', "no message");
  for (const char *text : {error.what(), error.detail(), error.hint(), error.context()})
    RequireHarmless(text);
  supabase::RemoteCode(response);
  for (const size_t max_bytes : {size_t{0}, size_t{2}, size_t{7}, size_t{1000}}) {
    RequireClean(supabase::CleanText(response.body, max_bytes), max_bytes);
  }
  return 0;
}
