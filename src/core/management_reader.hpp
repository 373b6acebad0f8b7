#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catalogue.hpp"
#include "error.hpp"
#include "http.hpp"
#include "management_answer.hpp"
#include "management_call.hpp"
#include "message.hpp"
#include "rate_limit.hpp"
#include "rows.hpp"

namespace supabase {

// Where some rows of a table are: values of columns that are parameters of the request, or constants of a source.
// A column may come several times where its parameter may.
struct ReadTarget {
  std::vector<std::pair<size_t, std::string>> bound;
  const std::string *Find(size_t column) const;
};

// Requests as one caller.
struct ManagementCaller {
  Request prototype;  // address, limits and credential
  std::string name;   // the same for two callers only if the remote counts them as one; no secret
  Session *session = nullptr;
  RateLimits *limits = nullptr;

  // Sends a call's request, when the limit of its bucket allows it.
  std::unique_ptr<Transfer> Begin(const ApiOperation &operation, const CallArguments &arguments, Request request) const;
  // Takes an answer's rate limit.
  void Ended(const ApiOperation &operation, const CallArguments &arguments, const Response &response) const;
};

// A read of one table of the Management API: the requests for all targets, several under way at once, the answers in
// the targets' order. Nothing here waits.
class ManagementReader {
 public:
  struct Options {
    ManagementCaller caller;
    const ApiTable *table = nullptr;
    std::vector<size_t> columns;  // wanted
    std::vector<ReadTarget> targets;
    bool fan_out = false;  // the targets lack the column of the parent: they are for each of them
    size_t parallel = 4;
  };
  // A parent that the fan-out left out, and why.
  struct Skipped {
    std::string parent;
    Error problem;
  };
  struct Counters {
    uint64_t requests = 0, rows = 0, bytes = 0, retries = 0;
    void Add(const Counters &other);
  };

  // For EXPLAIN: the call for a target, and for what it is repeated.
  static std::string Describe(const ApiTable &table, const ReadTarget &target);

  explicit ManagementReader(Options options);
  ~ManagementReader();

  // Starts what may be started. The transfer to wait for before the next row can be there; null when a row is, or the
  // end.
  const Transfer *Waiting();
  // Takes the answer of that transfer. Throws Error.
  void Take();
  // The next row, by the wanted columns; there must be one (HasRow).
  ManagementRow Next();

  bool HasRow() const noexcept { return !ready_.empty(); }

  std::vector<Skipped> TakeSkipped() { return std::exchange(skipped_, {}); }
  const Counters &counters() const noexcept { return counters_; }
  const AnswerTrace &last() const noexcept { return last_; }

 private:
  struct Task {
    enum class Kind { kParents, kRows, kHydrate };
    Kind kind = Kind::kRows;
    const ApiTable *table = nullptr;
    const TableOperation *operation = nullptr;
    ReadTarget target;
    bool lenient = false;
    CallArguments arguments;
    std::unique_ptr<Transfer> transfer;
    int64_t offset = 0;  // of the page
    std::string cursor;
    ManagementRow row;  // to hydrate
  };
  using Tasks = std::vector<std::unique_ptr<Task>>;

  void Plan(const ReadTarget &target, bool lenient, Tasks *tasks) const;
  bool SourceWanted(const RowSource &source, const ReadTarget &target) const;
  std::unique_ptr<Task> MakeTask(const TableOperation *operation, const ReadTarget &target, bool lenient) const;
  void Start(Task *task);
  void Insert(Tasks tasks);
  bool Refused(Task *task, Response &response, Tasks *next);
  void TakeParents(const Task &task, ManagementAnswer *answer, Tasks *next);
  void TakeRows(Task *task, ManagementAnswer *answer, Tasks *next);
  void TakeSource(const Task &task, const ManagementAnswer &answer, const RowSource *source, Tasks *next);
  void TakePage(const Task &task, const ManagementAnswer &answer, size_t rows, Tasks *next) const;
  void TakeHydrate(Task *task, ManagementAnswer *answer);
  Cell ValueOf(const Task &task, const ManagementAnswer &answer, size_t row, size_t column, const RowSource *source,
               CellTexts *texts) const;

  Options options_;
  std::string hydrate_;  // the operation that some wanted column needs
  std::deque<std::unique_ptr<Task>> tasks_;
  std::deque<ManagementRow> ready_;
  std::vector<Skipped> skipped_;
  Counters counters_;
  AnswerTrace last_;
};

}  // namespace supabase
