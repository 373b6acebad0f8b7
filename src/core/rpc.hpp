#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"
#include "http.hpp"
#include "message.hpp"
#include "rows.hpp"

namespace supabase {

// Calls of remote functions (PostgREST's /rpc/<function>). POST takes any arguments, as a JSON object. GET runs in a
// read-only transaction, so it proves that a function changes nothing; its arguments are parameters of the URL.

// One argument: its name, and its value as JSON text.
struct Argument {
  std::string name;
  std::string json;
};

// The members of a JSON object, values exactly as written; of a name that occurs twice both. Throws Error (22023) for
// any other text.
std::vector<Argument> SplitArguments(std::string_view object);

// A text as a JSON string.
std::string JsonString(std::string_view text);

// The arguments as a JSON object.
std::string ArgumentBody(const std::vector<Argument> &arguments);

// The arguments as parameters of a URL, "a=1&b=x", or nullopt when POST would pass others: PostgREST takes a reserved
// name ("select", "order", …) or a value like "eq.1" for its own grammar there, null for text, and objects and arrays
// for the strings that hold them (12.0).
std::optional<std::string> ArgumentQuery(const std::vector<Argument> &arguments);

// A name of a function in a path.
std::string FunctionPath(std::string_view function);

// What went wrong with a call, from an answer that is not a success: RemoteProblem, except that a function that the
// remote does not have (PGRST202) is 42883 and that one which several would fit (PGRST203) is 42725. `hint` is what the
// caller can tell about the first.
Error CallProblem(const Request &request, const Response &response, const std::string &hint);

// The answer to a call as rows of an aliased read (DecodePage): `[…]` stays, `{…}` is one row, null one of NULLs;
// neither is a row when the answer is `empty` by its Content-Range.
std::string RowsOfCall(std::string body, size_t columns, bool empty);
// The same for a function that returns plain values: each becomes {"c0":value}, with `as_text` {"c0":"its JSON text"}.
// `set`: the body is an array of them.
std::string RowsOfValues(std::string_view body, bool set, bool as_text);

// What the rows of an answer are. PostgREST answers with an array both for a set of rows and for one value that is an
// array; only their number tells them apart, and that not when the array has one element: kAuto then says a set.
enum class ResultShape { kAuto, kSet, kValue };

// One call of a function, with every row of its result. It is called once by POST. When the row cap cuts the result,
// the rest is asked for by GET, which no function can use to write; when that is refused, or the rows turn out to come
// in another order or number, the whole call fails: nothing is cut silently. Never blocks (see Reader).
class FunctionCall {
 public:
  // `prototype`: headers, timeouts, limits; url and label end where "/rpc/…" is appended. `schema` names the profile.
  struct Options {
    Request prototype;
    std::string schema;
    std::string function;
    std::string arguments;  // JSON object
    ResultShape shape = ResultShape::kAuto;
    int64_t expires_at = 0;  // of the credential, Unix seconds; 0: never
  };
  FunctionCall(Session *session, Options options);

  // The transfer whose answer is next, started if need be; null when the result is complete.
  const Transfer *Waiting();
  // Takes the answer of that transfer, which is done. The rows before are gone.
  void Take();
  // JSON texts of that answer's rows that no answer before had.
  const std::vector<std::string_view> &rows() const noexcept { return rows_; }
  const AnswerTrace &last() const noexcept { return last_; }

 private:
  void Start();
  void Split(const std::optional<ContentRange> &range);
  void CheckContinuation(const std::optional<ContentRange> &range);

  Session *session_;
  Options options_;
  std::vector<Argument> arguments_;
  std::unique_ptr<Transfer> transfer_;
  std::string body_;
  std::vector<std::string_view> rows_;
  std::string last_row_;
  AnswerTrace last_;
  uint64_t received_ = 0, total_ = 0;
  bool first_ = true, finished_ = false;
};

// Splits a JSON array into its elements' texts, which point into `body`. nullopt when it is no array; throws Error
// (08P01) for text that is not JSON.
std::optional<std::vector<std::string_view>> SplitJsonArray(const std::string &body, std::string_view label);

}  // namespace supabase
