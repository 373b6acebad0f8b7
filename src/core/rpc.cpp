#include "rpc.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "error.hpp"
#include "jwt.hpp"
#include "payload.hpp"
#include "problem.hpp"
#include "url.hpp"

namespace supabase {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kMaxLabelBytes = 300;
// With the rest of a URL below what gateways take.
constexpr size_t kMaxArgumentQueryBytes = 4000;

std::string Context(std::string_view label) {
  return "remote request: " + std::string(label.substr(0, kMaxLabelBytes));
}

[[noreturn]] void Malformed(std::string_view label, const std::string &detail) {
  throw Error(sqlstate::kProtocolViolation, "invalid response from the remote server", detail, {}, Context(label));
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// A value's text in the document; reads past it.
std::string_view RawText(ondemand::value value) {
  return Trim(std::string_view(simdjson::to_json_string(value)));
}

// Parameters that PostgREST reads itself, and a name with a dot, which is one of an embedded relation's.
bool IsReservedParameter(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kReserved{"select", "order", "limit", "offset",     "columns",
                                                             "and",    "or",    "not",   "on_conflict"};
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

bool IsPlainParameter(std::string_view name) {
  if (name.empty() || IsDigit(name.front()) || IsReservedParameter(name)) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return IsLetter(c) || IsDigit(c); });
}

// Whether PostgREST may read the value as "operator.operand". Every operator is letters, perhaps followed by a modifier
// in parentheses; a value that cannot be one goes through whatever else it holds.
bool ResemblesFilter(std::string_view value) {
  for (const char c : value) {
    if (c == '.') return true;
    if (!IsLetter(c) && c != '(' && c != ')') return false;
  }
  return false;
}

// The text of a value as a parameter, or nullopt where GET cannot pass it.
std::optional<std::string> ParameterText(const std::string &json) {
  const std::string_view text = Trim(json);
  if (text.empty() || text == "null" || text.front() == '{' || text.front() == '[') return std::nullopt;
  if (text.front() != '"') return std::string(text);
  ondemand::parser parser;
  const simdjson::padded_string padded(text);
  std::string_view value;
  ondemand::document document;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_string().get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  if (ResemblesFilter(value) || value.find('\0') != std::string_view::npos) return std::nullopt;
  return std::string(value);
}

}  // namespace

std::vector<Argument> SplitArguments(std::string_view object) {
  std::vector<Argument> arguments;
  const simdjson::padded_string padded(object);
  ondemand::parser parser;
  try {
    ondemand::document document = parser.iterate(padded);
    for (ondemand::field field : document.get_object()) {
      // The order matters: the key's text is in the parser's buffer, the value's in the document.
      std::string name(std::string_view(field.unescaped_key()));
      arguments.push_back({std::move(name), std::string(RawText(field.value()))});
    }
  } catch (const simdjson::simdjson_error &) {
    throw Error(sqlstate::kInvalidParameterValue, "arguments of a remote function must be a JSON object");
  }
  return arguments;
}

std::string JsonString(std::string_view text) {
  std::string json;
  AppendJsonString(json, text);
  return json;
}

std::string ArgumentBody(const std::vector<Argument> &arguments) {
  std::string body = "{";
  for (const Argument &argument : arguments) {
    if (body.size() > 1) body += ',';
    AppendJsonString(body, argument.name);
    body.append(1, ':').append(argument.json);
  }
  return body += '}';
}

std::optional<std::string> ArgumentQuery(const std::vector<Argument> &arguments) {
  std::string query;
  for (const Argument &argument : arguments) {
    if (!IsPlainParameter(argument.name)) return std::nullopt;
    const std::optional<std::string> text = ParameterText(argument.json);
    if (!text) return std::nullopt;
    if (!query.empty()) query += '&';
    query.append(argument.name).append(1, '=').append(PercentEncode(*text));
  }
  if (query.size() > kMaxArgumentQueryBytes) return std::nullopt;
  return query;
}

std::string FunctionPath(std::string_view function) {
  if (function.find('\0') != std::string_view::npos) {
    throw Error(sqlstate::kInvalidText, "name of a remote function contains a NUL byte");
  }
  return "/rpc/" + PercentEncode(function);
}

Error CallProblem(const Request &request, const Response &response, const std::string &hint) {
  Error problem = RemoteProblem(request, response);
  const std::string code = RemoteCode(response);
  if (code == "PGRST202") return {"42883", problem.what(), problem.detail(), hint, problem.context()};
  if (code == "PGRST203") return {"42725", problem.what(), problem.detail(), problem.hint(), problem.context()};
  return problem;
}

std::string RowsOfCall(std::string body, size_t columns, bool empty) {
  const std::string_view text = Trim(body);
  if (!text.empty() && text.front() == '[') return body;
  if (empty) return "[]";
  if (text != "null") return "[" + body + "]";
  std::string row = "[{";
  for (size_t i = 0; i < columns; ++i)
    row.append(i > 0 ? ",\"c" : "\"c").append(std::to_string(i)).append("\":null");
  return row += "}]";
}

std::string RowsOfValues(std::string_view body, bool set, bool as_text) {
  const std::string text(Trim(body));
  std::optional<std::vector<std::string_view>> values;
  if (set) values = SplitJsonArray(text, "");
  if (!values) values = {std::string_view(text)};
  std::string rows = "[";
  for (const std::string_view value : *values) {
    rows.append(rows.size() > 1 ? ",{\"c0\":" : "{\"c0\":");
    if (as_text && value != "null") {
      AppendJsonString(rows, value);
    } else {
      rows += value;
    }
    rows += '}';
  }
  return rows += ']';
}

std::optional<std::vector<std::string_view>> SplitJsonArray(const std::string &body, std::string_view label) {
  if (const std::string_view text = Trim(body); text.empty() || text.front() != '[') return std::nullopt;
  const simdjson::padded_string padded(body);
  std::vector<std::string_view> elements;
  ondemand::parser parser;
  try {
    ondemand::document document = parser.iterate(padded);
    for (ondemand::value const element : document.get_array()) {
      const std::string_view raw = RawText(element);
      elements.emplace_back(body.data() + (raw.data() - padded.data()), raw.size());
    }
    const char *rest;
    if (document.current_location().get(rest) == simdjson::SUCCESS) Malformed(label, "Text follows the JSON array.");
  } catch (const simdjson::simdjson_error &error) {
    Malformed(label, std::string("The answer is not valid JSON: ") + error.what());
  }
  return elements;
}

// ---- FunctionCall ----

FunctionCall::FunctionCall(Session *session, Options options)
    : session_(session), options_(std::move(options)), arguments_(SplitArguments(options_.arguments)) {}

void FunctionCall::Start() {
  CheckNotExpired(options_.expires_at, std::time(nullptr));
  Request request = options_.prototype;
  std::string target = FunctionPath(options_.function);
  if (first_) {
    request.method = "POST";
    request.idempotent = false;
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Content-Profile", options_.schema);
    request.body = options_.arguments;
  } else {
    const std::optional<std::string> query = ArgumentQuery(arguments_);
    if (!query) {
      throw CutProblem(options_.function, received_, total_,
                       "The rest cannot be asked for because the arguments do not fit a read-only request.");
    }
    request.method = "GET";
    request.headers.emplace_back("Accept-Profile", options_.schema);
    // From the last row that is known, to see whether the rows still come in the same order.
    target.append(1, '?').append(*query).append(query->empty() ? "" : "&");
    target += "offset=" + std::to_string(received_ - 1);
  }
  request.headers.emplace_back("Prefer", "count=exact");
  request.url += target;
  request.label = request.method + " " + request.label + target;
  transfer_ = session_->Send(std::move(request));
}

const Transfer *FunctionCall::Waiting() {
  if (transfer_ == nullptr && !finished_) Start();
  return transfer_.get();
}

void FunctionCall::Take() {
  const std::unique_ptr<Transfer> transfer = std::move(transfer_);
  Response &response = transfer->Result();
  last_ = AnswerTrace(transfer->request(), response);
  rows_.clear();
  if (response.status == 204) {
    finished_ = true;
    return;
  }
  if (response.status != 200 && response.status != 206) {
    if (!first_ && RemoteCode(response) == "25006") {
      throw CutProblem(options_.function, received_, total_,
                       "The function writes, so it is not called again for the rest; what it has written stays.");
    }
    throw CallProblem(transfer->request(), response,
                      "The names of the arguments must be those of the remote function; those without a default must "
                      "be given.");
  }
  body_ = std::move(response.body);
  const std::optional<ContentRange> range = ParseContentRange(response.Header("content-range"));
  Split(range);
  CheckContinuation(range);
}

void FunctionCall::Split(const std::optional<ContentRange> &range) {
  std::optional<std::vector<std::string_view>> elements;
  if (options_.shape != ResultShape::kValue) elements = SplitJsonArray(body_, last_.label);
  const uint64_t counted = range && range->first && range->last ? *range->last - *range->first + 1 : 0;
  // An array of another size than the number of rows is itself the one row.
  if (elements && options_.shape == ResultShape::kAuto && range && counted == 1 && elements->size() != 1) {
    elements.reset();
  }
  rows_ = elements ? std::move(*elements) : std::vector<std::string_view>{Trim(body_)};
  if (rows_.size() == 1 && rows_[0].empty()) Malformed(last_.label, "The answer is empty.");
  if (range && counted != rows_.size()) {
    Malformed(last_.label, "The Content-Range header says " + std::to_string(counted) + " rows, the answer has " +
                               std::to_string(rows_.size()) + ".");
  }
}

// Holds an answer after the first against the one before, and decides whether there is more.
void FunctionCall::CheckContinuation(const std::optional<ContentRange> &range) {
  const uint64_t total = range ? range->total.value_or(0) : 0;
  if (!first_) {
    const bool same =
        total == total_ && range && range->first == received_ - 1 && !rows_.empty() && rows_.front() == last_row_;
    if (!same) {
      throw CutProblem(options_.function, received_, total_,
                       "Called again for the rest, the function returned other rows.");
    }
    rows_.erase(rows_.begin());
    if (rows_.empty() && received_ < total_) Malformed(last_.label, "The remote server sends one row at a time.");
  }
  received_ += rows_.size();
  total_ = total;
  first_ = false;
  finished_ = received_ >= total_;
  if (!finished_) last_row_ = rows_.empty() ? std::string() : std::string(rows_.back());
}

}  // namespace supabase
