#include "write.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "problem.hpp"

namespace supabase {

namespace {

struct VerbRow {
  const char *method;
  const char *sql;
  const char *preposition;
};

constexpr std::array<VerbRow, 3> kVerbs{
    {{"POST", "INSERT", "into"}, {"PATCH", "UPDATE", "of"}, {"DELETE", "DELETE", "from"}}};

const VerbRow &RowOf(WriteVerb verb) {
  return kVerbs.at(static_cast<size_t>(verb));
}

constexpr const char *kResolutions[] = {"", "resolution=ignore-duplicates", "resolution=merge-duplicates"};

const char *ResolutionOf(Conflict conflict) {
  return kResolutions[static_cast<int>(conflict)];
}

// Whether the same request again would leave the same rows and give the same answer. Ignoring duplicates would tell of
// none the second time, whatever the first one has inserted.
bool IsIdempotent(const WriteQuery &query) {
  if (query.conflict != Conflict::kMerge || query.on_conflict.empty()) return false;
  return std::all_of(query.on_conflict.begin(), query.on_conflict.end(), [&](const std::string &column) {
    return std::find(query.columns.begin(), query.columns.end(), column) != query.columns.end();
  });
}

// Errors after which PostgreSQL, or what stands before it, does not know itself: the connection to the database broke
// or said what nobody expected, or the server shuts down. Every other code comes from a transaction that was rolled
// back, or from before one.
bool LeavesOpen(std::string_view code) {
  return code == "PGRST001" || code.substr(0, 6) == "PGRSTX" || code == "40003" || code == "57P01" || code == "57P02" ||
         code.substr(0, 2) == "08";
}

bool IsRefusal(const Response &response) {
  const std::string code = RemoteCode(response);
  if (IsServerCode(code)) return !LeavesOpen(code);
  // 408 and 499: the gateway gave up waiting.
  return response.status < 500 && response.status != 408 && response.status != 499;
}

// `cause` is what came instead of an answer, or an answer that says nothing.
Error UnknownOutcome(const WriteNote &note, const Error &cause) {
  std::string detail = cause.detail();
  if (std::string_view(cause.sqlstate()) != sqlstate::kResolutionUnknown) {
    detail = std::string("The request was sent, but: ") + cause.what() + "." + (detail.empty() ? "" : " ") + detail;
  }
  return Error(sqlstate::kResolutionUnknown, "outcome of the remote " + DescribeWrite(note) + " is unknown", detail,
               "Look at the remote table before you repeat the statement.", cause.context());
}

// Puts the number of the statement's row into the error about a violated constraint.
Error WithRow(const Error &error, const WriteNote &note, const Request &request) {
  if (!note.first_row || std::string_view(error.sqlstate()).substr(0, 2) != "23") return error;
  const bool first = std::string_view(error.sqlstate()) == "23503";
  const std::optional<size_t> row =
      note.rows == 1 ? std::optional<size_t>(0) : FindRefusedRow(request.body, error.detail(), first);
  if (!row) return error;
  std::string detail = error.detail();
  AddSentence(&detail, "It is row " + std::to_string(*note.first_row + *row) + " of the statement.");
  return Error(error.sqlstate(), error.what(), detail, error.hint(), error.context(), error.constraint());
}

// The rows that a write changed: "*/2" or "0-1/2", because the count was asked for.
std::optional<uint64_t> ChangedRows(const Response &response) {
  const std::optional<ContentRange> range = ParseContentRange(response.Header("content-range"));
  return range ? range->total : std::nullopt;
}

// Whether the remote did what it was asked to about duplicates; it leaves the wish out where the table has no key.
bool ResolutionApplied(const WriteNote &note, const Response &response) {
  return note.conflict == Conflict::kFail ||
         response.Header("preference-applied").find(ResolutionOf(note.conflict)) != std::string_view::npos;
}

Error ButDone(const Error &error) {
  std::string detail = error.detail();
  AddSentence(&detail, "The write itself was done.");
  return Error(error.sqlstate(), error.what(), detail, error.hint(), error.context());
}

// The rows that came back.
void TakePage(const WriteNote &note, Transfer &transfer, WriteAnswer *answer) {
  const std::string &label = transfer.request().label;
  Response &response = transfer.Result();
  response.status = 200;  // 201 as well: the same rows
  try {
    answer->page = DecodePage(std::move(response), note.select, label);
    if (answer->page.rows() == answer->rows) return;
    throw Error(
        sqlstate::kProtocolViolation, "remote server returned other rows than it changed",
        "It changed " + std::to_string(answer->rows) + " and returned " + std::to_string(answer->page.rows()) + ".", {},
        "remote request: " + label.substr(0, 300));
  } catch (const Error &error) {
    answer->failure = ButDone(error);
  }
}

WriteAnswer Done(const WriteNote &note, Transfer &transfer) {
  const Response &response = transfer.Result();
  WriteAnswer answer;
  const std::string context = "remote request: " + transfer.request().label.substr(0, 300);
  const std::optional<uint64_t> changed = ChangedRows(response);
  if (!changed) {
    // Anything that stands before the server may say that it is content.
    answer.outcome = Outcome::kUnknown;
    answer.failure =
        UnknownOutcome(note, Error(sqlstate::kProtocolViolation, "the answer does not tell how many rows were changed",
                                   "It has status " + std::to_string(response.status) + ".", {}, context));
    return answer;
  }
  answer.outcome = Outcome::kDone;
  answer.rows = *changed;
  if (!ResolutionApplied(note, response)) {
    answer.failure = Error(sqlstate::kFdwError, "remote server did not look for duplicates in \"" + note.table + "\"",
                           "It has inserted the rows plainly, because the remote table has no primary key.",
                           "Set table option \"on_conflict\" to the columns of a unique constraint.", context);
  } else if (note.select > 0) {
    TakePage(note, transfer, &answer);
  }
  return answer;
}

}  // namespace

const char *WriteMethod(WriteVerb verb) {
  return RowOf(verb).method;
}

std::string BuildWriteTarget(const WriteQuery &query) {
  // Without a condition PostgREST changes every row of the table.
  if (query.verb != WriteVerb::kInsert && query.rows.where.empty()) {
    throw Error(sqlstate::kFdwError, "a remote " + std::string(RowOf(query.verb).sql) + " must have a condition");
  }
  return BuildWriteTarget(query.rows, query.columns, query.on_conflict);
}

static void AddLeafColumns(const Condition &condition, std::vector<std::string> *columns) {
  if (!condition.column.empty()) columns->push_back(condition.column);
  for (const Condition &child : condition.children)
    AddLeafColumns(child, columns);
}

// The columns of what becomes and(…) or or(…); an AND that stands alone becomes several parameters.
static void AddTreeColumns(const Condition &conjunct, std::vector<std::string> *columns) {
  if (conjunct.kind == Condition::Kind::kOr) AddLeafColumns(conjunct, columns);
  if (conjunct.kind != Condition::Kind::kAnd) return;
  for (const Condition &child : conjunct.children)
    AddTreeColumns(child, columns);
}

static void AddSelected(const std::string &column, std::vector<SelectColumn> *select) {
  const bool selected =
      std::any_of(select->begin(), select->end(), [&](const SelectColumn &c) { return c.name == column; });
  if (!selected) select->push_back({column, true, {}});
}

void SelectTreeColumns(WriteQuery *query) {
  std::vector<SelectColumn> &select = query->rows.select;
  if (select.empty() || query->verb == WriteVerb::kInsert) return;
  std::vector<std::string> columns;
  for (const Condition &conjunct : query->rows.where)
    AddTreeColumns(conjunct, &columns);
  for (const std::string &column : columns) {
    if (std::find(query->columns.begin(), query->columns.end(), column) != query->columns.end()) {
      throw Error("0A000", "cannot return rows that are found by what an UPDATE changes", {}, {}, {});
    }
    AddSelected(column, &select);
  }
}

size_t BytesBesideKeys(WriteQuery query, const std::vector<std::string> &key) {
  query.rows.where.clear();
  // Several keys of one column are a list, of more columns a tree.
  for (size_t i = 0; key.size() > 1 && !query.rows.select.empty() && i < key.size(); ++i)
    AddSelected(key[i], &query.rows.select);
  return BuildWriteTarget(query.rows, query.columns, query.on_conflict).size();
}

void SetWriteRequest(Request *request, const WriteQuery &query, const std::string &target, std::string body) {
  request->method = RowOf(query.verb).method;
  request->idempotent = IsIdempotent(query);
  request->url += target;
  request->label += target;
  request->body = std::move(body);
  std::string prefer = query.rows.select.empty() ? "return=minimal" : "return=representation";
  prefer += ",count=exact";
  if (query.conflict != Conflict::kFail) prefer.append(",").append(ResolutionOf(query.conflict));
  request->headers.emplace_back("Prefer", std::move(prefer));
  if (query.verb != WriteVerb::kDelete) request->headers.emplace_back("Content-Type", "application/json");
}

WriteAnswer TakeWrite(const WriteNote &note, Transfer &transfer) {
  WriteAnswer answer;
  try {
    Response &response = transfer.Result();
    if (response.status >= 200 && response.status < 300) return Done(note, transfer);
    const Error problem = RemoteProblem(transfer.request(), response);
    const bool refused = IsRefusal(response) && !transfer.may_have_run();
    answer.outcome = refused ? Outcome::kRefused : Outcome::kUnknown;
    answer.failure = refused ? WithRow(problem, note, transfer.request()) : UnknownOutcome(note, problem);
  } catch (const Error &error) {
    answer.outcome = transfer.may_have_run() ? Outcome::kUnknown : Outcome::kRefused;
    answer.failure = transfer.may_have_run() ? UnknownOutcome(note, error) : error;
  }
  return answer;
}

WriteAnswer NotSent(Error failure) {
  WriteAnswer answer;
  answer.failure = std::move(failure);
  return answer;
}

std::string DescribeWrite(const WriteNote &note) {
  const VerbRow &verb = RowOf(note.verb);
  std::string text = verb.sql;
  if (note.first_row && note.rows > 0) {
    const uint64_t last = *note.first_row + note.rows - 1;
    text += note.rows == 1 ? " of row " : " of rows ";
    text += std::to_string(*note.first_row);
    if (note.rows > 1) text += " to " + std::to_string(last);
  } else if (note.rows > 0) {
    text += " of " + std::to_string(note.rows) + (note.rows == 1 ? " row" : " rows");
  }
  const bool counted = note.rows > 0;
  return text + " " + (counted && note.verb == WriteVerb::kUpdate ? "in" : verb.preposition) + " \"" + note.table +
         "\"";
}

namespace {

// "a, b" of "Key (a, b)=(1, x) already exists.", without quotes; the values are as many, but may hold ", " themselves.
std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(", ", at), text.size());
    std::string name(text.substr(at, end - at));
    if (name.size() > 1 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    names.push_back(std::move(name));
    at = end + 2;
  }
  return names;
}

// The values of those columns as such a detail shows them, with the parenthesis that ends it; nothing when the row does
// not have all of them.
std::optional<std::string> KeyOf(const nlohmann::json &row, const std::vector<std::string> &names) {
  if (!row.is_object()) return std::nullopt;
  std::string key;
  for (const std::string &name : names) {
    const auto value = row.find(name);
    if (value == row.end() || !value->is_string()) return std::nullopt;
    key.append(&name == names.data() ? "" : ", ").append(value->get_ref<const std::string &>());
  }
  return key + ")";
}

}  // namespace

std::optional<size_t> FindRefusedRow(const std::string &body, std::string_view detail, bool first) {
  constexpr std::string_view kBegin = "Key (", kMiddle = ")=(";
  const size_t begin = detail.find(kBegin);
  const size_t middle = detail.find(kMiddle, begin);
  if (begin == std::string_view::npos || middle == std::string_view::npos) return std::nullopt;
  const size_t names_at = begin + kBegin.size();
  const std::string_view shown = detail.substr(middle + kMiddle.size());
  const std::vector<std::string> names = SplitNames(detail.substr(names_at, middle - names_at));
  const auto rows = nlohmann::json::parse(body, nullptr, false);
  if (!rows.is_array()) return std::nullopt;
  // A value may hold what ends the list: the longest key that is shown is the one.
  size_t longest = 0, found = 0, count = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::optional<std::string> key = KeyOf(rows[i], names);
    if (!key || key->size() < longest || shown.substr(0, key->size()) != *key) continue;
    if (key->size() > longest) {
      longest = key->size();
      found = i;
      count = 0;
    }
    ++count;
  }
  if (count == 0 || (count > 1 && !first)) return std::nullopt;
  return found;
}

}  // namespace supabase
