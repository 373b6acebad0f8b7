#include "management_call.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "problem.hpp"
#include "url.hpp"

namespace supabase {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxPathBytes = 512;
constexpr size_t kMaxMessageBytes = 200;
constexpr size_t kMaxBodyBytes = 65536;  // of an error

const std::string *Find(const CallArguments &arguments, std::string_view name) {
  for (const auto &[argument, value] : arguments) {
    if (argument == name) return &value;
  }
  return nullptr;
}

// A segment of dots would be taken as a step in the path, whatever its encoding.
void CheckSegment(const ApiParameter &parameter, const std::string &value) {
  if (!value.empty() && value != "." && value != ".." && value.size() <= kMaxPathBytes) return;
  throw Error(sqlstate::kInvalidParameterValue, "invalid value for parameter \"" + parameter.name + "\"",
              "It must have 1 to 512 bytes and must not be a step in a path.");
}

// The path with the values in place of the parameters' names; `shown` without a claim token, which is a secret.
void FillPath(const ApiOperation &operation, const CallArguments &arguments, std::string *path, std::string *shown) {
  size_t at = 0;
  for (const ApiParameter &parameter : operation.parameters) {
    if (parameter.place != ApiParameter::Place::kPath) continue;
    const std::string *value = Find(arguments, parameter.name);
    if (value == nullptr) {
      throw Error(sqlstate::kInvalidParameterValue,
                  "parameter \"" + parameter.name + "\" of operation \"" + operation.id + "\" is missing");
    }
    CheckSegment(parameter, *value);
    const std::string mark = "{" + parameter.name + "}";
    const size_t found = operation.path.find(mark, at);
    const std::string literal = operation.path.substr(at, found - at);
    path->append(literal).append(PercentEncode(*value));
    shown->append(literal).append(parameter.name == "token" ? "<hidden>" : PercentEncode(*value));
    at = found + mark.size();
  }
  path->append(operation.path, at);
  shown->append(operation.path, at);
}

std::string FillQuery(const ApiOperation &operation, const CallArguments &arguments) {
  std::string query;
  for (const auto &[name, value] : arguments) {
    const ApiParameter *parameter = operation.FindParameter(name);
    if (parameter == nullptr || parameter->place != ApiParameter::Place::kQuery) continue;
    query.append(query.empty() ? "?" : "&").append(PercentEncode(name)).append("=").append(PercentEncode(value));
  }
  return query;
}

// ---- supabase_management ----

Error BadArgument(const ApiOperation &operation, const std::string &what, const std::string &detail = {},
                  const std::string &hint = {}) {
  return {sqlstate::kInvalidParameterValue, what + " of operation \"" + operation.id + "\"", detail, hint};
}

std::string Names(const std::vector<std::string> &names) {
  std::string list;
  for (const std::string &name : names)
    list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

bool HasType(const Json &value, const std::string &type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return true;
}

void CheckAllowed(const ApiOperation &operation, const std::string &what, const std::vector<std::string> &values,
                  const Json &value) {
  if (values.empty() || !value.is_string()) return;
  if (std::find(values.begin(), values.end(), value.get_ref<const std::string &>()) != values.end()) return;
  throw BadArgument(operation, "invalid value for " + what, {}, "Valid values are: " + Names(values) + ".");
}

// As the text that goes into a path or query. A number or boolean may be written as a string and the other way round.
std::string ParameterText(const ApiOperation &operation, const ApiParameter &parameter, const Json &value) {
  const std::string what = "parameter \"" + parameter.name + "\"";
  if (value.is_object() || value.is_array() || value.is_null()) {
    throw BadArgument(operation, "invalid value for " + what, "It must be of type " + parameter.type + ".");
  }
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  const bool fits = parameter.type == "string" || HasType(Json::parse(text, nullptr, false), parameter.type);
  if (!fits) throw BadArgument(operation, "invalid value for " + what, "It must be of type " + parameter.type + ".");
  CheckAllowed(operation, what, parameter.values, Json(text));
  return text;
}

CallArguments CheckParameters(const ApiOperation &operation, const Json &given) {
  CallArguments arguments;
  std::vector<std::string> known;
  for (const ApiParameter &parameter : operation.parameters)
    known.push_back(parameter.name);
  for (const auto &[name, value] : given.items()) {
    const ApiParameter *parameter = operation.FindParameter(name);
    if (parameter == nullptr) {
      throw BadArgument(operation, "unknown parameter \"" + CleanText(name, 63) + "\"", {},
                        known.empty() ? "It takes no parameters." : "Its parameters are: " + Names(known) + ".");
    }
    if (value.is_array() && parameter->repeat) {
      for (const Json &item : value)
        arguments.emplace_back(name, ParameterText(operation, *parameter, item));
    } else if (!value.is_null()) {
      arguments.emplace_back(name, ParameterText(operation, *parameter, value));
    }
  }
  for (const ApiParameter &parameter : operation.parameters) {
    if (!parameter.required || Find(arguments, parameter.name) != nullptr) continue;
    throw BadArgument(operation, "missing parameter \"" + parameter.name + "\"");
  }
  return arguments;
}

void CheckMembers(const ApiOperation &operation, const Json &given) {
  const auto &properties = operation.body.properties;
  std::vector<std::string> known;
  for (const ApiProperty &property : properties)
    known.push_back(property.name);
  for (const auto &[name, value] : given.items()) {
    const auto found =
        std::find_if(properties.begin(), properties.end(),
                     [&, &wanted = name](const ApiProperty &property) { return property.name == wanted; });
    const std::string what = "body member \"" + CleanText(name, 63) + "\"";
    if (found == properties.end()) {
      if (operation.body.additional || properties.empty()) continue;
      throw BadArgument(operation, "unknown " + what, {}, "Members of its body are: " + Names(known) + ".");
    }
    if (!value.is_null() && !HasType(value, found->type)) {
      throw BadArgument(operation, "invalid value for " + what, "It must be of type " + found->type + ".");
    }
    CheckAllowed(operation, what, found->values, value);
  }
  for (const ApiProperty &property : properties) {
    if (property.required && !given.contains(property.name)) {
      throw BadArgument(operation, "missing body member \"" + property.name + "\"");
    }
  }
}

void CheckBody(const ApiOperation &operation, std::string_view text) {
  if (text.empty()) {
    if (operation.body.required) throw BadArgument(operation, "missing body");
    return;
  }
  if (!operation.body.exists) throw BadArgument(operation, "there is no body in a call");
  const Json body = Json::parse(text, nullptr, false);
  const bool array = operation.body.type == "array";
  if (array ? !body.is_array() : !body.is_object()) {
    throw BadArgument(operation, "invalid body", array ? "It must be a JSON array." : "It must be a JSON object.");
  }
  if (!array) return CheckMembers(operation, body);
  for (const Json &item : body) {
    if (item.is_object()) CheckMembers(operation, item);
  }
}

// ---- Errors ----

struct StatusRow {
  int status;
  const char *sqlstate;
  const char *hint;
};

constexpr StatusRow kStatuses[] = {
    {401, sqlstate::kInvalidAuthorization,
     "The access token is not valid any more. Set another one in the user mapping's option \"access_token\", or "
     "authorize the grant again with supabase_oauth_authorize_url."},
    {402, "0A000", "The organization's plan does not include this, or its quota is used up."},
    {403, sqlstate::kInsufficientPrivilege, ""},
    {404, "02000", ""},
    {406, "02000", ""},
    {409, "23505", ""},
    {429, sqlstate::kConfigurationLimit,
     "Wait as long as the remote asks for. The limit is counted for each caller, project or organization, and "
     "endpoint."},
};

const StatusRow *RowOf(int status) {
  for (const StatusRow &row : kStatuses) {
    if (row.status == status) return &row;
  }
  return nullptr;
}

std::string RefusalHint(const ApiOperation &operation) {
  if (operation.scope.empty()) {
    return "Operation \"" + operation.id +
           "\" has no OAuth scope: it needs a personal access token (option \"access_token\" of the user mapping).";
  }
  return "Operation \"" + operation.id + "\" needs the OAuth scope " + operation.scope +
         ", or a personal access token whose owner has the privilege.";
}

Json BodyOf(const Response &response) {
  return response.body.size() < kMaxBodyBytes ? Json::parse(response.body, nullptr, false) : Json();
}

// "missing_permissions" of a scoped personal token's refusal.
std::string MissingPermissions(const Response &response) {
  const Json body = BodyOf(response);
  if (!body.is_object() || !body.contains("missing_permissions") || !body["missing_permissions"].is_array()) return {};
  std::vector<std::string> names;
  for (const Json &name : body["missing_permissions"]) {
    if (name.is_string()) names.push_back(CleanText(name.get<std::string>(), 63));
  }
  return names.empty() ? std::string() : "Missing permissions: " + CleanText(Names(names), kMaxMessageBytes) + ".";
}

std::string ResetSentence(const Response &response) {
  const std::string_view reset = response.Header("x-ratelimit-reset");
  const bool number = !reset.empty() && reset.size() < 10 &&
                      std::all_of(reset.begin(), reset.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (response.status != 429 || !number || !response.Header("retry-after").empty()) return {};
  return "The limit is reset in " + std::string(reset) + " seconds.";
}

// The message of a body, which may be an array of them.
std::string Message(const Json &body) {
  const auto found = body.is_object() ? body.find("message") : body.end();
  if (found == body.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  std::string all;
  for (const Json &item : found->is_array() ? *found : Json::array()) {
    if (item.is_string()) all.append(all.empty() ? "" : "; ").append(item.get_ref<const std::string &>());
  }
  return all;
}

// An answer with one message in place of an array of them, and with what else is said in texts.
Response WithOneMessage(const Response &response) {
  const Json body = BodyOf(response);
  const std::string message = Message(body);
  Response one = response;
  if (message.empty() || body["message"].is_string()) return one;
  Json said = {{"message", message}};
  for (const auto &[name, value] : body.items()) {
    if (value.is_string()) said[name] = value;
  }
  one.body = said.dump(-1, ' ', false, Json::error_handler_t::replace);
  return one;
}

}  // namespace

void FillCall(Request *request, const ApiOperation &operation, const CallArguments &arguments) {
  std::string path, shown;
  FillPath(operation, arguments, &path, &shown);
  const std::string query = FillQuery(operation, arguments);
  request->method = operation.method;
  request->url += path + query;
  request->label = operation.method + " " + shown + query;
  // A PUT or DELETE that ran twice has done what it did once.
  request->idempotent = operation.ReadsOnly() || operation.method == "PUT" || operation.method == "DELETE";
  if (operation.answer == "text" || operation.answer == "binary") {
    for (auto &[name, value] : request->headers) {
      if (name == "Accept")
        value = operation.answer == "text" ? "application/json, text/plain;q=0.9, */*;q=0.1" : "*/*";
    }
  }
  for (const auto &[name, value] : arguments) {
    const ApiParameter *parameter = operation.FindParameter(name);
    if (parameter != nullptr && parameter->place == ApiParameter::Place::kHeader)
      request->headers.emplace_back(name, value);
  }
}

void SetCallBody(Request *request, std::string body, std::vector<Secret> secrets, bool all_secret) {
  request->headers.emplace_back("Content-Type", "application/json");
  if (!secrets.empty() || all_secret) {
    request->body_secrets = std::move(secrets);
    request->secret_body = Secret(body);
    explicit_bzero(body.data(), body.size());
  } else {
    request->body = std::move(body);
  }
}

CallArguments CheckCall(const ApiOperation &operation, std::string_view parameters, std::string_view body) {
  const Json given = Json::parse(parameters, nullptr, false);
  if (!given.is_object()) {
    throw Error(sqlstate::kInvalidParameterValue, "argument \"params\" must be a JSON object");
  }
  CheckBody(operation, body);
  return CheckParameters(operation, given);
}

std::string RateBucket(const ApiOperation &operation, const CallArguments &arguments) {
  std::string bucket = operation.method + " " + operation.path;
  for (const char *scope : {"ref", "slug", "branch_id_or_ref"}) {
    if (const std::string *value = Find(arguments, scope); value != nullptr) bucket += " " + *value;
  }
  return bucket;
}

bool IsSuccess(const Response &response) {
  return response.status >= 200 && response.status <= 299;
}

bool IsAbsent(const std::vector<Absence> &absences, const Response &response, std::string_view operation) {
  return std::any_of(absences.begin(), absences.end(), [&](const Absence &absence) {
    if (absence.status != response.status) return false;
    if (!absence.operation.empty() && absence.operation != operation) return false;
    return absence.message.empty() ||
           Message(BodyOf(response)).compare(0, absence.message.size(), absence.message) == 0;
  });
}

Error ManagementProblem(const ApiOperation &operation, const Request &request, const Response &response) {
  const Error plain = RemoteProblem(request, WithOneMessage(response));
  const int status = response.status;
  const StatusRow *row = RowOf(status);
  if (row == nullptr && (status < 400 || status > 499)) return plain;
  std::string code = row != nullptr ? row->sqlstate : sqlstate::kInvalidParameterValue;
  std::string message = plain.what(), detail, hint = row != nullptr ? row->hint : "";
  if (IsAbsent(Catalogue::Get().absences, response, {})) code = "02000";
  // What RemoteProblem says of a table that is missing means PostgREST's.
  if (status == 404 && Message(BodyOf(response)).empty())
    message = "the Management API has no such object (status 404)";
  if (status == 403) {
    detail = MissingPermissions(response);
    hint = RefusalHint(operation);
  } else if (status == 429) {
    detail = plain.detail();
    AddSentence(&detail, ResetSentence(response));
  } else if (row == nullptr) {
    detail = plain.detail();
  }
  return {code, message, detail, hint, plain.context()};
}

}  // namespace supabase
