#include "auth_api.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "problem.hpp"

namespace supabase {

namespace {

using Json = nlohmann::json;

constexpr char kJson[] = "application/json";
constexpr size_t kMaxAnswerBytes = 1 << 20;
constexpr size_t kMaxMessageBytes = 300;
constexpr int64_t kDefaultLifetime = 300;
constexpr int64_t kLongestLifetime = 30LL * 24 * 3600;

// Error codes of the Auth API (https://supabase.com/docs/guides/auth/debugging/error-codes) and of RFC 6749, 5.2, after
// which no refresh can work.
constexpr std::string_view kDeadCodes[] = {
    "invalid_grant",     "refresh_token_not_found", "refresh_token_already_used",
    "session_not_found", "session_expired",         "user_not_found",
    "user_banned",
};

std::string Text(const Json &object, const char *name) {
  auto const found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json ParseObject(const Response &response) {
  if (response.body.size() > kMaxAnswerBytes) return nullptr;
  // Without what lies deeper: nothing of it is needed, and what copies or prints a value recurses.
  auto const is_member = [](int depth, Json::parse_event_t, const Json &) { return depth < 2; };
  Json json = Json::parse(response.body, is_member, false);
  if (!json.is_object()) return nullptr;
  return json;
}

// "code" is a number beside "error_code", and has the name in newer versions of the API.
std::string ErrorCode(const Json &object) {
  for (const char *name : {"error_code", "error", "code"}) {
    std::string code = Text(object, name);
    if (!code.empty()) return code;
  }
  return {};
}

std::string ErrorMessage(const Json &object) {
  for (const char *name : {"msg", "error_description", "message", "error"}) {
    std::string message = Text(object, name);
    if (!message.empty()) return message;
  }
  return {};
}

bool IsDead(const Json &object) {
  std::string const code = ErrorCode(object);
  if (std::find(std::begin(kDeadCodes), std::end(kDeadCodes), code) != std::end(kDeadCodes)) return true;
  // What a text that cannot be a refresh token gets; and the Management API's errors have a message only.
  return (code == "validation_failed" || code.empty()) && ErrorMessage(object).find("efresh") != std::string::npos;
}

[[noreturn]] void Invalid(const char *detail) {
  throw Error(sqlstate::kProtocolViolation, "invalid answer to a request for tokens", detail);
}

bool IsBearer(std::string type) {
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return type == "bearer";
}

bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTokenBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

int64_t Lifetime(const Json &object) {
  auto const found = object.find("expires_in");
  if (found == object.end() || found->is_null()) return kDefaultLifetime;
  if (!found->is_number()) Invalid("Its \"expires_in\" is not a number.");
  double const seconds = found->get<double>();
  if (!(seconds >= 1)) Invalid("Its \"expires_in\" is not positive.");
  return seconds > static_cast<double>(kLongestLifetime) ? kLongestLifetime : static_cast<int64_t>(seconds);
}

void Wipe(std::string *text) {
  explicit_bzero(text->data(), text->size());
}

// Wipes an answer that has, or may have, tokens when it goes out of scope.
class AnswerWipe {
 public:
  AnswerWipe(Json *object, std::string *body) noexcept : object_(object), body_(body) {}
  ~AnswerWipe() {
    for (Json &member : *object_) {
      if (member.is_string()) Wipe(&member.get_ref<std::string &>());
    }
    Wipe(body_);
  }
  AnswerWipe(const AnswerWipe &) = delete;
  AnswerWipe &operator=(const AnswerWipe &) = delete;

 private:
  Json *object_;
  std::string *body_;
};

void ReadPair(const Json &object, TokenPair *pair) {
  std::string const type = Text(object, "token_type");
  if (!IsBearer(type)) Invalid("Its \"token_type\" is not \"bearer\".");
  pair->expires_in = Lifetime(object);
  auto const take = [&](const char *name) {
    auto const found = object.find(name);
    return found != object.end() && found->is_string() ? Secret(found->get_ref<const std::string &>()) : Secret();
  };
  pair->access = take("access_token");
  pair->refresh = take("refresh_token");
  if (!IsToken(pair->access.Reveal())) Invalid("Its \"access_token\" is missing or not a token.");
  if (!pair->refresh.empty() && !IsToken(pair->refresh.Reveal())) Invalid("Its \"refresh_token\" is not a token.");
}

}  // namespace

Secret MakeSecretObject(std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t size = 2;
  for (const auto &[name, value] : members)
    size += name.size() + 6 + 6 * value.size();
  Secret text;
  char *out = text.Allocate(size);
  const char *start = out;
  const auto put = [&out](std::string_view part) { out = std::copy(part.begin(), part.end(), out); };
  for (const auto &[name, value] : members) {
    put(out == start ? "{\"" : ",\"");
    put(name);
    put("\":\"");
    for (char const c : value) {
      auto const byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') *out++ = '\\';
      if (byte >= 0x20) {
        *out++ = c;
        continue;
      }
      put("\\u00");
      *out++ = kHex[byte >> 4];
      *out++ = kHex[byte & 15];
    }
    put("\"");
  }
  put("}");
  return Secret(text.Reveal().substr(0, static_cast<size_t>(out - start)));
}

void FillPost(std::string_view path, const char *content_type, Secret body, Request *request) {
  request->method = "POST";
  request->url += path;
  request->label = "POST " + request->label + std::string(path.substr(0, path.find('?')));
  request->idempotent = false;
  // Whether to ask again is for the holder of the refresh token to decide, who first writes down that it was asked.
  request->max_retries = 0;
  request->headers.emplace_back("Content-Type", content_type);
  request->secret_body = std::move(body);
}

void FillPasswordGrant(std::string_view email, std::string_view password, Request *request) {
  FillPost("/token?grant_type=password", kJson, MakeSecretObject({{"email", email}, {"password", password}}), request);
}

void FillRefreshGrant(const Secret &refresh_token, Request *request) {
  FillPost("/token?grant_type=refresh_token", kJson, MakeSecretObject({{"refresh_token", refresh_token.Reveal()}}),
           request);
}

void FillSignOut(const Secret &access_token, Request *request) {
  FillPost("/logout?scope=local", kJson, Secret(), request);
  request->secret_headers.emplace_back("Authorization", Secret::Join("Bearer ", access_token.Reveal()));
}

TokenAnswer ReadTokenAnswer(Response *answer, TokenPair *pair) {
  Response &response = *answer;
  Json object = ParseObject(response);
  // 201 is what the Management API's token endpoint gives.
  if (response.status >= 200 && response.status < 300 && object.is_object() && !IsDead(object)) {
    AnswerWipe const wipe(&object, &response.body);
    ReadPair(object, pair);
    return TokenAnswer::kTokens;
  }
  // A part of an answer with tokens, perhaps, and of no use in any case.
  if (!object.is_object()) Wipe(&response.body);
  // 409 is for too many requests at once for one session.
  bool const later = response.status == 409 || response.status == 429 || response.status >= 500;
  if (later || response.status < 400 || !object.is_object()) return TokenAnswer::kTransient;
  if (IsDead(object)) return TokenAnswer::kDead;
  return ErrorCode(object) == "temporarily_unavailable" ? TokenAnswer::kTransient : TokenAnswer::kRefused;
}

Error TokenProblem(const Request &request, const Response &response, TokenAnswer answer) {
  Json const object = ParseObject(response);
  std::string detail = object.is_object() ? CleanText(request, ErrorMessage(object), kMaxMessageBytes) : std::string();
  detail = "The Auth server answered with status " + std::to_string(response.status) +
           (detail.empty() ? "." : ": " + detail);
  if (detail.back() != '.') detail += '.';
  std::string const context = "remote request: " + request.label;
  switch (answer) {
    case TokenAnswer::kDead:
    case TokenAnswer::kRefused:
      return Error(sqlstate::kInvalidAuthorization, "the Auth server refused the request", detail, {}, context);
    case TokenAnswer::kTransient:
    case TokenAnswer::kTokens:
      break;
  }
  bool const limited = response.status == 429;
  return Error(limited ? sqlstate::kConfigurationLimit : sqlstate::kCannotNow,
               limited ? "too many requests to the Auth server" : "the Auth server is not available", detail,
               "Try again later.", context);
}

}  // namespace supabase
