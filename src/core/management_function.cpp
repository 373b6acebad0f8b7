#include "management_function.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto.hpp"
#include "problem.hpp"
#include "url.hpp"

namespace supabase {

namespace {

using Json = nlohmann::json;

constexpr size_t kNearest = 3;
constexpr size_t kIdentifierBytes = 63;

Error Invalid(const std::string &message, const std::string &detail = {}, const std::string &hint = {}) {
  return {sqlstate::kInvalidParameterValue, message, detail, hint};
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// How many characters have to change (Levenshtein), whatever their case.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row[b.size()];
}

std::string Nearest(std::string_view id) {
  std::vector<std::pair<size_t, std::string>> near;
  for (const ApiOperation &operation : Catalogue::Get().operations) {
    const size_t distance = Distance(id, operation.id);
    if (distance * 3 <= operation.id.size()) near.emplace_back(distance, operation.id);
  }
  std::sort(near.begin(), near.end());
  std::string list;
  for (size_t i = 0; i < std::min(near.size(), kNearest); ++i)
    list.append(list.empty() ? "\"" : ", \"").append(near[i].second).append("\"");
  return list;
}

void CheckNotOAuth(const ApiOperation &operation) {
  if (operation.path.compare(0, 10, "/v1/oauth/") != 0) return;
  const char *hint = operation.id == "v1-exchange-oauth-token"
                         ? "Use supabase_oauth_exchange and supabase_oauth_refresh."
                     : operation.id == "v1-revoke-token" ? "Use supabase_oauth_revoke."
                                                         : "Use supabase_oauth_authorize_url.";
  throw Error("0A000", "operation \"" + operation.id + "\" cannot be called",
              "Its secrets and tokens are for stored grants.", hint);
}

// ---- Bodies ----

Error BadFiles(const ApiOperation &operation, const std::string &detail) {
  return Invalid("invalid value for body member \"files\" of operation \"" + operation.id + "\"", detail);
}

// "metadata" and "files" as a form. What is left to check of the body is returned.
std::string TakeForm(const ApiOperation &operation, std::string_view text, WriteCall *call) {
  Json given = Json::parse(text, nullptr, false);
  if (!given.is_object()) return std::string(text);
  const Json files = given.contains("files") ? given["files"] : Json::object();
  given.erase("files");
  if (!files.is_object()) throw BadFiles(operation, "It must be a JSON object of paths and contents.");
  std::vector<FormFile> list;
  for (const auto &[path, content] : files.items()) {
    if (!content.is_string()) {
      throw BadFiles(operation, "The content of file \"" + CleanText(path, kIdentifierBytes) + "\" must be a string.");
    }
    list.push_back({path, content.get<std::string>()});
  }
  SetForm(given.value("metadata", Json::object()).dump(), list, call);
  return given.dump();
}

}  // namespace

const ApiOperation &FindCallable(std::string_view id) {
  const ApiOperation *operation = Catalogue::Get().FindOperation(id);
  if (operation != nullptr) {
    CheckNotOAuth(*operation);
    return *operation;
  }
  const std::string nearest = id.size() <= 2 * kIdentifierBytes ? Nearest(id) : std::string();
  throw Invalid("the Management API has no operation \"" + CleanText(std::string(id), kIdentifierBytes) + "\"", {},
                (nearest.empty() ? "" : "Near it are: " + nearest + ". ") +
                    "SELECT * FROM supabase_management_operations() lists all.");
}

WriteCall BuildCall(const ApiOperation &operation, std::string_view parameters, std::string_view body) {
  WriteCall call;
  call.operation = &operation;
  call.secret = true;  // nobody says which member of a body is one
  if (operation.body.form == "multipart" && !body.empty()) {
    call.arguments = CheckCall(operation, parameters, TakeForm(operation, body, &call));
    return call;
  }
  call.arguments = CheckCall(operation, parameters, body);
  if (!body.empty()) call.body = std::string(body);
  return call;
}

std::string CallLabel(const WriteCall &call) {
  Request request;
  FillCall(&request, *call.operation, call.arguments);
  return request.label;
}

std::string CallResult(const ApiOperation &operation, const std::string &label, const Response &response, bool is_json,
                       const std::string &text) {
  if (operation.answer == "head") {
    const std::string_view count = response.Header("x-total-count");
    const bool number = !count.empty() && count.size() < 19 && count.find_first_not_of("0123456789") == count.npos;
    return "{\"count\": " + (number ? std::to_string(std::stoll(std::string(count))) : "null") + "}";
  }
  if (is_json) return response.body;
  if (text.empty()) return {};
  if (operation.answer == "binary") return "\"" + std::string(EncodeBase64(text).Reveal()) + "\"";
  if (operation.answer.empty()) {
    throw Error("08P01", "the Management API did not answer with JSON",
                "The answer is of type \"" + CleanText(std::string(response.Header("content-type")), 63) + "\".", {},
                label);
  }
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void RaiseProblem(const ApiOperation &operation, const Request &request, const Response &response) {
  throw ManagementProblem(operation, request, response);
}

// ---- Projects ----

ProjectState StateOf(std::string_view status) {
  const auto among = [&](const std::vector<std::string> &list) {
    return std::find(list.begin(), list.end(), status) != list.end();
  };
  const Catalogue &catalogue = Catalogue::Get();
  return among(catalogue.ready)    ? ProjectState::kReady
         : among(catalogue.failed) ? ProjectState::kFailed
                                   : ProjectState::kPending;
}

std::string MemberText(std::string_view json, const char *member) {
  const Json answer = Json::parse(json, nullptr, false);
  if (!answer.is_object() || !answer.contains(member)) return {};
  return answer[member].is_string() ? answer[member].get<std::string>() : answer[member].dump();
}

std::string UnhealthyServices(std::string_view json) {
  const Json answer = Json::parse(json, nullptr, false);
  if (!answer.is_array()) return "all";
  std::string list;
  for (const Json &service : answer) {
    if (!service.is_object()) continue;
    const auto text = [&](const char *member) {
      const auto found = service.find(member);
      return found != service.end() && found->is_string() ? CleanText(found->get<std::string>(), 63) : std::string();
    };
    const std::string status = text("status");
    const bool flag = service.value("healthy", Json()) == Json(true);
    if (status == "ACTIVE_HEALTHY" || status == "DISABLED" || (status.empty() && flag)) continue;
    list.append(list.empty() ? "" : ", ").append(text("name"));
  }
  return list;
}

ProjectKeys ReadProjectKeys(std::string_view json) {
  const Json answer = Json::parse(json, nullptr, false);
  ProjectKeys keys, legacy;
  if (!answer.is_array()) return keys;
  for (const Json &item : answer) {
    const auto text = [&](const char *member) -> std::string_view {
      const auto found = item.find(member);
      if (found == item.end() || !found->is_string()) return {};
      return found->get_ref<const std::string &>();
    };
    if (!item.is_object()) continue;
    const std::string_view key = text("api_key"), type = text("type"), name = text("name");
    // Without "reveal" a secret key is cut off and has dots in its place.
    const bool usable =
        key.size() > 20 && key.find("...") == key.npos && key.find("\xC2\xB7") == key.npos && key.find('*') == key.npos;
    if (!usable) continue;
    Secret *place = type == "publishable"    ? &keys.publishable
                    : type == "secret"       ? &keys.secret
                    : name == "anon"         ? &legacy.publishable
                    : name == "service_role" ? &legacy.secret
                                             : nullptr;
    if (place != nullptr && place->empty()) *place = Secret(key);
  }
  if (keys.publishable.empty()) keys.publishable = std::move(legacy.publishable);
  if (keys.secret.empty()) keys.secret = std::move(legacy.secret);
  return keys;
}

std::string IdentifierOf(std::string_view name) {
  std::string identifier;
  for (const char c : name) {
    const char lower = Lower(c);
    const bool letter = lower >= 'a' && lower <= 'z', digit = lower >= '0' && lower <= '9';
    if (letter || (digit && !identifier.empty())) {
      identifier += lower;
    } else if (!identifier.empty() && identifier.back() != '_') {
      identifier += '_';
    }
    if (identifier.size() == kIdentifierBytes) break;
  }
  while (!identifier.empty() && identifier.back() == '_')
    identifier.pop_back();
  return identifier;
}

Secret ConnectionUri(std::string_view ref, const Secret &password) {
  std::string encoded = PercentEncode(std::string(password.Reveal()));
  Secret uri = Secret::Join("postgresql://postgres:", encoded);
  explicit_bzero(encoded.data(), encoded.size());
  return Secret::Join(uri.Reveal(), "@db." + std::string(ref) + ".supabase.co:5432/postgres");
}

// ---- Rate limits ----

std::vector<KnownLimit> KnownLimits(RateLimits *limits) {
  const int64_t now = RateLimits::NowMs();
  std::vector<KnownLimit> known;
  for (const RateLimits::Bucket &bucket : limits->Current(now)) {
    // Host and fingerprint of the caller come first.
    const size_t caller = bucket.name.find(' ', bucket.name.find(' ') + 1);
    known.push_back(
        {bucket.name.substr(caller + 1), bucket.limit, std::max<int64_t>(bucket.remaining, 0), bucket.reset_ms - now});
  }
  return known;
}

}  // namespace supabase
