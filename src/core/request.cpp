#include "request.hpp"

#include <simdjson.h>

#include <algorithm>
#include <string_view>

#include "error.hpp"
#include "problem.hpp"
#include "query.hpp"
#include "rpc.hpp"
#include "url.hpp"

namespace supabase {
namespace {

// Which methods there are, and what goes with them.
struct Method {
  std::string_view name;
  bool reads;
  bool has_body;
};
constexpr Method kMethods[] = {{"GET", true, false}, {"HEAD", true, false},  {"POST", false, true},
                               {"PUT", false, true}, {"PATCH", false, true}, {"DELETE", false, true}};

[[noreturn]] void Refuse(const std::string &message, const std::string &hint = {}) {
  throw Error(sqlstate::kInvalidParameterValue, message, {}, hint);
}

const Method &FindMethod(std::string_view text) {
  std::string upper(text);
  for (char &c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  for (const Method &method : kMethods) {
    if (method.name == upper) return method;
  }
  Refuse("unknown method \"" + CleanText(text, 20) + "\"", "Valid methods are: GET, HEAD, POST, PUT, PATCH, DELETE.");
}

// Segments are encoded one by one, so that nothing in a name can end the path or leave the REST root.
std::string EncodePath(std::string_view path) {
  if (path.empty() || path.front() != '/') Refuse("path of a request must begin with \"/\"");
  if (path == "/") return "/";
  std::string encoded;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    if (segment.empty() || segment == "." || segment == "..") {
      Refuse("path of a request must not contain an empty segment or one of dots");
    }
    encoded.append("/").append(PercentEncode(segment));
    at = end;
  }
  return encoded;
}

// The text of a JSON string, number or boolean.
std::string ScalarText(const std::string &json) {
  if (json == "null" || json.front() == '{' || json.front() == '[') {
    Refuse("values of a query must be strings, numbers, booleans or arrays of them");
  }
  if (json.front() != '"') return json;
  simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(json);
  std::string_view text;
  simdjson::ondemand::document document;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_string().get(text) != simdjson::SUCCESS) {
    Refuse("values of a query must be valid JSON");
  }
  return std::string(text);
}

std::string EncodeQuery(const char *json) {
  std::string query;
  const auto append = [&](const std::string &name, const std::string &value) {
    query.append(1, query.empty() ? '?' : '&').append(QueryEncode(name)).append(1, '=').append(QueryEncode(value));
  };
  for (const Argument &parameter : SplitArguments(json)) {
    const auto values = SplitJsonArray(parameter.json, "");
    if (!values) {
      append(parameter.name, ScalarText(parameter.json));
      continue;
    }
    for (const std::string_view value : *values)
      append(parameter.name, ScalarText(std::string(value)));
  }
  return query;
}

}  // namespace

void SetFreeRequest(Request *request, const FreeRequest &wanted) {
  const Method &method = FindMethod(wanted.method);
  if (wanted.body != nullptr && !method.has_body) Refuse(std::string(method.name) + " takes no body");
  const std::string target = EncodePath(wanted.path) + EncodeQuery(wanted.query);
  if (target.size() > kMaxBareTargetBytes) {
    throw Error(sqlstate::kProgramLimit, "path and query of the request are too long",
                "They have " + std::to_string(target.size()) + " bytes, of which " +
                    std::to_string(kMaxBareTargetBytes) + " are allowed.");
  }
  request->method = method.name;
  request->idempotent = method.reads;
  request->url += target;
  request->label = request->method + " " + wanted.rest_path + target;
  // The OpenAPI document has a type of its own.
  request->headers = {{"Accept", target == "/" ? "application/openapi+json" : "application/json"}};
  if (wanted.schema != nullptr)
    request->headers.emplace_back(method.reads ? "Accept-Profile" : "Content-Profile", wanted.schema);
  if (method.reads) return;
  request->headers.emplace_back("Prefer", "return=representation");
  if (wanted.body == nullptr) return;
  request->headers.emplace_back("Content-Type", "application/json");
  request->body = wanted.body;
}

std::string FreeResult(const Request &request, const Response &response) {
  if (response.status < 200 || response.status >= 300) throw RemoteProblem(request, response);
  if (request.method == "HEAD" || response.body.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  const std::string_view type = response.Header("content-type");
  if (type.find("json") == std::string_view::npos) {
    throw Error(sqlstate::kProtocolViolation, "answer of the remote server is not JSON",
                "Its content type is \"" + CleanText(type, 100) + "\".", {},
                "remote request: " + request.label.substr(0, 300));
  }
  return response.body;
}

}  // namespace supabase
