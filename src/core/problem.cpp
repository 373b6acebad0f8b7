#include "problem.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "url.hpp"

namespace supabase {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxFieldBytes = 1024;
constexpr size_t kMaxPageTextBytes = 200;
constexpr size_t kMaxLabelBytes = 300;
// An error body is read as JSON up to this size, and each of its fields is looked at up to the next one: the largest
// text shown has 1 kB, the longest secret 8 kB (kMaxTokenBytes), and hiding eight of those still leaves 1 kB.
constexpr size_t kMaxBodyBytes = 4U << 20;
constexpr size_t kMaxReadBytes = 80U << 10;
// PostgREST's own bodies have two levels (details of PGRST201). Json::dump recurses.
constexpr int kMaxDepth = 16;
// Shorter than any real key, longer than what two texts share by chance.
constexpr size_t kPartBytes = 16;
constexpr std::string_view kHidden = "<hidden>";

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) { return a == Lower(b); });
}

bool ContainsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(),
                     [](char a, char b) { return Lower(a) == b; }) != text.end();
}

// --- Cleaning -------------------------------------------------------------------------------------------------------

// The bytes of the UTF-8 sequence that `text` starts with, or 0 (RFC 3629: no overlong form, surrogate or value above
// U+10FFFF).
size_t SequenceBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto is_tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const int first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
    return is_tail(1) && is_tail(2) ? 3 : 0;
  }
  if (first < 0xF0 || first > 0xF4) return 0;
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return is_tail(1) && is_tail(2) && is_tail(3) ? 4 : 0;
}

// C0, DEL and C1, and the marks that end a line or change the direction of what follows (U+2028 to U+202E, U+2066 to
// U+2069). `sequence` is valid.
bool IsControl(std::string_view sequence) {
  const auto first = static_cast<uint8_t>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  const auto second = static_cast<uint8_t>(sequence[1]);
  if (sequence.size() == 2) return first == 0xC2 && second < 0xA0;
  if (sequence.size() != 3 || first != 0xE2) return false;
  const auto third = static_cast<uint8_t>(sequence[2]);
  return (second == 0x80 && third >= 0xA8 && third <= 0xAE) || (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

// The text of an HTML page: tags become blanks, so that nothing that they kept apart comes together; scripts and styles
// go with their content; runs of blanks become one.
std::string StripTags(std::string_view html) {
  std::string text;
  const auto skip_past = [&](std::string_view mark) {
    const auto found =
        std::search(html.begin(), html.end(), mark.begin(), mark.end(), [](char a, char b) { return Lower(a) == b; });
    html.remove_prefix(static_cast<size_t>(found - html.begin()));
  };
  while (!html.empty()) {
    char c = html.front();
    if (c == '<') {
      if (StartsWithIgnoringCase(html, "<script")) skip_past("</script");
      if (StartsWithIgnoringCase(html, "<style")) skip_past("</style");
      skip_past(StartsWithIgnoringCase(html, "<!--") ? "-->" : ">");
      if (html.empty()) break;
      if (html.front() == '-') html.remove_prefix(2);
      c = ' ';
    }
    html.remove_prefix(1);
    if (c == '\t' || c == '\r' || c == '\n') c = ' ';
    if (c != ' ' || (!text.empty() && text.back() != ' ')) text += c;
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// Hides the secrets of one request in texts that came back: each as a whole, and each part of kPartBytes or more of
// one, because a remote may cut what it repeats.
class Redactor {
 public:
  explicit Redactor(const Request &request) {
    for (const auto &header : request.secret_headers) {
      const std::string_view value = header.second.Reveal();
      Add(value);
      // The credential without its scheme.
      if (const size_t blank = value.rfind(' '); blank != std::string_view::npos) Add(value.substr(blank + 1));
    }
    for (const Secret &secret : request.body_secrets)
      AddText(secret.Reveal());
    if (request.body_secrets.empty() && !request.secret_body.empty()) AddBody(request.secret_body.Reveal());
  }

  // As it is, but without secrets.
  std::string Hide(std::string_view text) const {
    std::vector<bool> is_secret(text.size());
    const auto mark = [&](size_t at, size_t size) {
      std::fill_n(is_secret.begin() + static_cast<std::ptrdiff_t>(at), size, true);
    };
    for (size_t i = 0; i + kPartBytes <= text.size(); ++i) {
      if (parts_.count(text.substr(i, kPartBytes)) > 0) mark(i, kPartBytes);
    }
    for (const std::string_view secret : short_secrets_) {
      for (size_t i = text.find(secret); i != std::string_view::npos; i = text.find(secret, i + 1)) {
        mark(i, secret.size());
      }
    }
    std::string shown;
    for (size_t i = 0; i < text.size(); ++i) {
      if (!is_secret[i]) {
        shown += text[i];
      } else if (i == 0 || !is_secret[i - 1]) {
        shown += kHidden;
      }
    }
    return shown;
  }

  std::string Clean(std::string_view text, size_t max_bytes) const {
    return CleanText(Hide(text.substr(0, kMaxReadBytes)), max_bytes);
  }

 private:
  // A body as a whole, and the texts in it.
  void AddBody(std::string_view body) {
    Add(body);
    Json json = Json::parse(body, nullptr, false);
    if (!json.is_object()) return;
    for (auto &[name, value] : json.items()) {
      if (!value.is_string()) continue;
      auto &text = value.get_ref<std::string &>();
      AddText(text);
      explicit_bzero(text.data(), text.size());
    }
  }
  // Both plain and as JSON has it.
  void AddText(std::string_view text) {
    Json json = std::string(text);
    std::string escaped = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    Add(own_.emplace_back(text).Reveal());
    Add(own_.emplace_back(std::string_view(escaped).substr(1, escaped.size() - 2)).Reveal());
    auto &copy = json.get_ref<std::string &>();
    explicit_bzero(copy.data(), copy.size());
    explicit_bzero(escaped.data(), escaped.size());
  }
  void Add(std::string_view secret) {
    if (!secret.empty() && secret.size() < kPartBytes) short_secrets_.push_back(secret);
    for (size_t i = 0; i + kPartBytes <= secret.size(); ++i)
      parts_.insert(secret.substr(i, kPartBytes));
  }

  std::list<Secret> own_;                       // of a body; views of them stay valid
  std::unordered_set<std::string_view> parts_;  // all of kPartBytes, views of the secrets
  std::vector<std::string_view> short_secrets_;
};

// --- Reading --------------------------------------------------------------------------------------------------------

// An error body, not cleaned. `is_json` false: it is none of the JSON forms below, all fields are empty.
struct Body {
  bool is_json = false;
  std::string code, message, details, hint;
};

std::string TextMember(const Json &object, const char *name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

// PostgREST and the gateway say "message", Auth says "msg", OAuth endpoints "error_description" and "error".
Body ReadBody(const Response &response) {
  Body body;
  if (response.body.size() > kMaxBodyBytes) return body;
  bool too_deep = false;
  const auto check_depth = [&](int depth, Json::parse_event_t, Json &) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const Json json = Json::parse(response.body.begin(), response.body.end(), check_depth, false);
  if (too_deep || !json.is_object()) return body;
  body.is_json = true;
  if (const auto code = json.find("code"); code != json.end() && code->is_string())
    body.code = code->get<std::string>();
  for (const char *name : {"message", "msg", "error_description", "error"}) {
    if (body.message.empty()) body.message = TextMember(json, name);
  }
  body.details = TextMember(json, "details");
  body.hint = TextMember(json, "hint");
  return body;
}

// Five of A-Z and 0-9, and not of a class that means success, warning or no data.
bool IsErrorState(std::string_view code) {
  if (code.size() != 5) return false;
  const std::string_view state_class = code.substr(0, 2);
  if (state_class == "00" || state_class == "01" || state_class == "02") return false;
  return std::all_of(code.begin(), code.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

bool IsPostgrestCode(std::string_view code) {
  return code.size() == 8 && code.substr(0, 5) == "PGRST";
}

// --- Mapping --------------------------------------------------------------------------------------------------------

constexpr char kImportAgain[] =
    "If the remote schema has changed, run IMPORT FOREIGN SCHEMA again or adapt the foreign table.";
constexpr char kNoSuchOperator[] =
    "The remote has no such operator or function. Set supabase_fdw.enable_pushdown to off to find out whether a "
    "condition that was sent is the cause.";
constexpr char kFreshToken[] = "Pass a fresh access token to supabase_set_auth.";
constexpr char kCheckApiKey[] = "Check the option \"api_key\" of the user mapping.";
constexpr char kNeedsSecretKey[] =
    "Use a secret API key (sb_secret_... or the service_role key) in the user mapping for IMPORT FOREIGN SCHEMA.";
constexpr char kExposeSchema[] =
    "Add the schema to the exposed schemas of the remote project, or set the option \"schema_name\".";
constexpr char kRemoteTimeout[] = "The statement timeout of the role in the remote database ended the statement.";
constexpr char kTryLater[] = "The remote service is not available. Try again later.";

// What an answer means here. `detail` and `hint` are ours, and come before the remote's; `message` too, where it is
// set.
struct Meaning {
  const char *sqlstate;
  const char *hint = "";
  const char *detail = "";
  const char *message = "";
};

struct CodeRow {
  std::string_view code;
  Meaning meaning;
};

constexpr std::array<CodeRow, 18> kCodes{{
    {"42703", {sqlstate::kFdwColumnNotFound, kImportAgain}},
    {"42P01", {sqlstate::kFdwTableNotFound, kImportAgain}},
    {"42883", {sqlstate::kFdwReplyHandle, kNoSuchOperator}},
    {"57014", {"57014", "", kRemoteTimeout}},
    {"PGRST000", {sqlstate::kCannotNow}},
    {"PGRST001", {sqlstate::kCannotNow}},
    {"PGRST002", {sqlstate::kCannotNow}},
    {"PGRST003", {sqlstate::kCannotNow}},
    {"PGRST106", {sqlstate::kFdwReplyHandle, kExposeSchema}},
    {"PGRST200", {sqlstate::kFdwColumnNotFound, kImportAgain}},
    {"PGRST201", {sqlstate::kFdwReplyHandle}},
    {"PGRST202", {sqlstate::kFdwColumnNotFound, kImportAgain}},
    {"PGRST204", {sqlstate::kFdwColumnNotFound, kImportAgain}},
    {"PGRST205", {sqlstate::kFdwTableNotFound, kImportAgain}},
    {"PGRST300", {sqlstate::kInvalidAuthorization}},
    {"PGRST301", {sqlstate::kInvalidAuthorization, kFreshToken}},
    {"PGRST302", {sqlstate::kInvalidAuthorization, kFreshToken}},
    {"PGRST303", {sqlstate::kInvalidAuthorization, kFreshToken}},
}};

// How gateways refuse without a code, by a part of their message.
struct RefusalRow {
  std::string_view part;  // in lower case
  Meaning meaning;
};

constexpr std::array<RefusalRow, 4> kRefusals{{
    {"access to schema is forbidden",
     {sqlstate::kInvalidAuthorization, kNeedsSecretKey, "", "remote refused access to the schema of the project"}},
    {"api key", {sqlstate::kInvalidAuthorization, kCheckApiKey}},
    {"apikey", {sqlstate::kInvalidAuthorization, kCheckApiKey}},
    {"jwt", {sqlstate::kInvalidAuthorization, kFreshToken}},
}};

struct StatusRow {
  int first, last;
  Meaning meaning;
};

// The first row that fits counts. 402, 540 and 544 are Supabase's own; 520 to 530 are Cloudflare's.
constexpr std::array<StatusRow, 12> kStatuses{{
    {401,
     401,
     {sqlstate::kInvalidAuthorization, "Check the credentials of the user mapping and of supabase_set_auth."}},
    {402, 402, {sqlstate::kFdwReplyHandle, "The remote project is restricted because a quota is used up."}},
    {403, 403, {sqlstate::kInsufficientPrivilege}},
    {404, 404, {sqlstate::kFdwTableNotFound, kImportAgain}},
    {429, 429, {sqlstate::kConfigurationLimit, "Try again later, or send fewer requests at a time."}},
    {300, 399, {sqlstate::kConnectionRejected, "Redirects are not followed. Check the address of the server."}},
    {400, 499, {sqlstate::kFdwReplyHandle}},
    {503, 503, {sqlstate::kCannotNow, kTryLater}},
    {540, 540, {sqlstate::kCannotNow, "The remote project is paused. It can be restored in its dashboard."}},
    {544, 544, {sqlstate::kConnectionFailure, "The remote gateway waited too long for the remote database."}},
    {500, 599, {sqlstate::kConnectionFailure}},
    {0, 999, {sqlstate::kProtocolViolation}},
}};

Meaning MeaningOfStatus(int status) {
  for (const StatusRow &row : kStatuses) {
    if (status >= row.first && status <= row.last) return row.meaning;
  }
  return {sqlstate::kProtocolViolation};
}

bool IsRedirect(int status) {
  return status >= 301 && status <= 399;
}

// `sqlstate` of the result may point into `body`.
Meaning MeaningOf(const Response &response, const Body &body) {
  if (IsRedirect(response.status)) return MeaningOfStatus(response.status);
  for (const CodeRow &row : kCodes) {
    if (row.code == body.code) return row.meaning;
  }
  if (IsErrorState(body.code)) return {body.code.c_str()};
  if (IsPostgrestCode(body.code)) {
    // A code not in the table: the status says whose fault it is, but 403 and 404 then say nothing of privileges or
    // tables.
    return MeaningOfStatus(response.status >= 500 || response.status == 401 ? response.status : 400);
  }
  if (response.status == 401 || response.status == 403) {
    for (const RefusalRow &row : kRefusals) {
      if (ContainsIgnoringCase(std::string_view(body.message).substr(0, kMaxReadBytes), row.part)) return row.meaning;
    }
    // RFC 6750 3.1; PostgREST 12 and later send it with every token that they refuse.
    if (ContainsIgnoringCase(response.Header("www-authenticate"), "invalid_token")) return kRefusals.back().meaning;
  }
  return MeaningOfStatus(response.status);
}

// --- Wording --------------------------------------------------------------------------------------------------------

// The host of an absolute Location, or nothing: its path and query may carry secrets of others, and with one of ours in
// the host it is no host.
std::string RedirectHost(const Response &response, const Redactor &redactor) {
  const std::string location = redactor.Hide(response.Header("location").substr(0, kMaxReadBytes));
  const size_t start = location.find("://");
  if (start == std::string::npos) return {};
  try {
    return ParseBaseUrl("location", std::string_view(location).substr(0, location.find_first_of("/?#", start + 3)))
        .host;
  } catch (const Error &) {
    return {};
  }
}

std::string OwnMessage(const Response &response, const Redactor &redactor) {
  const std::string status = "status " + std::to_string(response.status);
  if (IsRedirect(response.status)) {
    const std::string host = RedirectHost(response, redactor);
    return "remote answered with a redirect (" + status + ")" + (host.empty() ? "" : " to host \"" + host + "\"");
  }
  switch (response.status) {
    case 401:
      return "remote refused the credentials (status 401)";
    case 403:
      return "remote refused the request (status 403)";
    case 404:
      return "remote table or function does not exist (status 404)";
    case 429:
      return "remote refused the request because of too many requests (status 429)";
    default:
      return "remote request failed with " + status;
  }
}

std::string WaitSentence(const Response &response, const Redactor &redactor) {
  const std::string_view wait = response.Header("retry-after");
  if (response.status != 429 || wait.empty()) return {};
  const bool is_seconds =
      wait.size() < 10 && std::all_of(wait.begin(), wait.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_seconds) return "The remote asks to wait for " + std::string(wait) + " seconds.";
  return "The remote asks to wait until \"" + redactor.Clean(wait, 64) + "\".";
}

// What the body says when it is no JSON: a proxy's page or a plain word.
std::string PageSentence(const Response &response, const Redactor &redactor) {
  std::string page = StripTags(std::string_view(response.body).substr(0, kMaxReadBytes));
  page = redactor.Clean(page, kMaxPageTextBytes);
  return page.empty() ? std::string() : "The remote answered: " + page;
}

// The constraint that a message of class 23 names, always in quotes: PostgreSQL's own word is not translated in the
// name.
std::string ConstraintOf(std::string_view code, std::string_view message, const Redactor &redactor) {
  constexpr std::string_view kWord = "constraint \"";
  const size_t begin = code.substr(0, 2) == "23" ? message.find(kWord) : std::string_view::npos;
  if (begin == std::string_view::npos) return {};
  const size_t name = begin + kWord.size();
  const size_t end = message.find('"', name);
  return end == std::string_view::npos ? std::string() : redactor.Clean(message.substr(name, end - name), 63);
}

}  // namespace

Error RemoteProblem(const Request &request, const Response &response) {
  const Redactor redactor(request);
  const Body body = ReadBody(response);
  const Meaning meaning = MeaningOf(response, body);
  const bool is_redirect = IsRedirect(response.status);

  std::string message = meaning.message;
  if (message.empty() && !is_redirect) message = redactor.Clean(body.message, kMaxFieldBytes);
  // A message of blanks says nothing.
  if (message.find_first_not_of(' ') == std::string::npos) message = OwnMessage(response, redactor);

  std::string detail = meaning.detail;
  std::string hint = meaning.hint;
  AddSentence(&detail, WaitSentence(response, redactor));
  if (!is_redirect) {
    AddSentence(&detail, redactor.Clean(body.details, kMaxFieldBytes));
    const std::string remote_hint = redactor.Clean(body.hint, kMaxFieldBytes);
    if (hint.empty()) {
      hint = remote_hint;
    } else if (!remote_hint.empty()) {
      AddSentence(&detail, "Hint of the remote: " + remote_hint);
    }
    if (!body.is_json) AddSentence(&detail, PageSentence(response, redactor));
  }
  return Error(meaning.sqlstate, message, detail, hint,
               "remote request: " + redactor.Clean(request.label, kMaxLabelBytes),
               ConstraintOf(meaning.sqlstate, body.message, redactor));
}

bool RefusesAggregates(const Response &response) {
  if (response.status != 400) return false;
  const std::string code = RemoteCode(response);
  return code == "PGRST123" || code == "PGRST100";
}

void AddSentence(std::string *text, std::string_view sentence) {
  if (sentence.empty()) return;
  if (!text->empty()) text->append(text->back() == '.' ? " " : ". ");
  text->append(sentence);
}

bool IsServerCode(std::string_view code) {
  return IsErrorState(code) || IsPostgrestCode(code);
}

std::string RemoteCode(const Response &response) {
  return ReadBody(response).code;
}

Error CutProblem(std::string_view function, uint64_t rows, uint64_t total, const std::string &why) {
  return {
      sqlstate::kProgramLimit,
      "result of remote function \"" + CleanText(function, 63) + "\" is cut by the remote server's row limit",
      "It sent " + std::to_string(rows) + " of " + std::to_string(total) + " rows. " + why,
      "Have the function return fewer rows at a time and in a fixed order, or raise max-rows of the remote server."};
}

std::string CleanText(std::string_view text, size_t max_bytes) {
  static constexpr std::string_view kCutMark = "...";
  std::string clean;
  size_t fits = 0;  // how much of `clean` leaves place for the mark
  for (size_t i = 0; i < text.size();) {
    const size_t size = SequenceBytes(text.substr(i));
    std::string_view piece = size == 0 ? std::string_view("?") : text.substr(i, size);
    if (size > 0 && IsControl(piece)) piece = " ";
    if (clean.size() + piece.size() > max_bytes) {
      clean.resize(fits);
      return max_bytes < kCutMark.size() ? clean : clean.append(kCutMark);
    }
    clean += piece;
    if (clean.size() + kCutMark.size() <= max_bytes) fits = clean.size();
    i += std::max<size_t>(size, 1);
  }
  return clean;
}

std::string CleanText(const Request &request, std::string_view text, size_t max_bytes) {
  return Redactor(request).Clean(text, max_bytes);
}

}  // namespace supabase
