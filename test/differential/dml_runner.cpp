// Runs statements that write, on a foreign table and on its twin at once, and compares what they say and what is there.
//
// What may differ by design, and is therefore not generated:
// - JSON nulls, which are refused (PostgREST would store SQL NULLs in their place); in a json column blanks around a
//   value and the escapes of a string that is the whole value, which are not kept;
// - ON CONFLICT DO NOTHING on a table without a key, refused; keys are the only unique columns, since PostgREST knows
//   no other ON CONFLICT than that of one key;
// - DEFAULT for a column whose default the foreign table does not know, in UPDATE and in VALUES of several rows;
// - a row that a join changes in one of several ways, and which of several rows with one key is the first;
// - values of sequences where several requests make them at once;
// - RETURNING that reads the table itself, and subqueries that are run for each row of a table with partitions, whose
//   rows are changed one by one: the remote has changed it already;
// - rows that move between partitions that are foreign tables;
// - local errors while requests are under way: nobody knows what becomes of these, as a warning says.
// A statement that takes several requests is not undone when one of them fails: both sides must fail, and then get new
// rows. Which row is the first to fail, and so for which reason, is a matter of order when there are several; a
// statement that is one request must fail for the same reason and change nothing.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "dml.hpp"

namespace differential {
namespace {

// Statements from one state of a table.
constexpr uint64_t kBatch = 25;
constexpr size_t kShownRows = 8;
constexpr int kMostReductions = 300;
constexpr size_t kFewRows = 3, kManyRows = 250;

constexpr const char *kLocalOutput =
    "SET LOCAL DateStyle = ISO; SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = postgres; SET LOCAL "
    "extra_float_digits = 3; SET LOCAL bytea_output = hex; SET LOCAL xmloption = content;";
constexpr const char *kOutput =
    "SET DateStyle = ISO; SET TimeZone = 'UTC'; SET IntervalStyle = postgres; SET extra_float_digits = 3; SET "
    "bytea_output = hex; SET client_min_messages = error; SET search_path = public, extensions;";

using Number = unsigned long long;
using Rows = std::vector<Row>;

struct Count {
  uint64_t all = 0, failed = 0, rows = 0;
};

struct Totals {
  std::mutex mutex;
  std::atomic<uint64_t> next{0}, done{0}, mismatches{0}, errors{0}, refused{0}, renewed{0}, broken{0};
  std::map<std::string, Count> shapes;
  std::map<uint64_t, uint64_t> thousands;  // statements done of each thousand
  std::set<uint64_t> wrong;                // the thousands that had a difference
};

// What became of one statement on both sides.
struct Outcome {
  Result twin, foreign;
  Rows twin_rows, foreign_rows;
  std::string difference;  // empty: none
  std::string detail;      // the nearest two rows that differ
  bool refused = false;    // a documented limit, and nothing was done
  bool apart = false;      // several requests, of which some failed
};

class Worker {
 public:
  Worker(const Environment &stack, const Options &options, int number, Totals *totals)
      : options_(options),
        number_(number),
        totals_(totals),
        twin_(LocalConnection(stack, kDatabase)),
        foreign_(LocalConnection(stack, kDatabase)),
        local_(LocalConnection(stack, kDatabase)),
        remote_(RemoteConnection(stack)) {
    local_.Must(kOutput);
    remote_.Must(kOutput);
  }

  void Run();

 private:
  void StartBatch(uint64_t batch);
  void Renew();
  void SetSequences(int to);
  void Restore();
  void Step(uint64_t number);
  Outcome Try(const Statement &statement);
  void Judge(const Statement &statement, Outcome *outcome);
  void Report(uint64_t number, Statement statement, const Outcome &first);
  void Account(uint64_t number, const Statement &statement, const Outcome &outcome);
  Rows TwinRows();
  Rows ForeignRows();
  std::string NearestRows();
  std::string Settings(bool foreign) const;
  std::string TwinName() const { return TwinSchema(number_) + "." + QuoteName(table_->table.name); }

  const Options options_;
  const int number_;
  Totals *totals_;
  Database twin_, foreign_, local_, remote_;
  Session session_;
  const WrittenTable *table_ = nullptr;
  const Way *way_ = nullptr;
  Random rows_random_{0, 0};
  Rows before_;  // hashes of the rows that both sides have
  int in_batch_ = 0;
};

void Worker::Run() {
  for (;;) {
    const uint64_t batch = totals_->next++;
    const uint64_t to = options_.first + options_.count;
    // One statement alone needs those before it.
    const uint64_t from = options_.first / kBatch * kBatch + batch * kBatch;
    if (from >= to || totals_->mismatches >= options_.most) return;
    StartBatch(from / kBatch);
    for (uint64_t n = from; n < std::min(to, from + kBatch) && totals_->mismatches < options_.most; n++)
      Step(n);
  }
}

std::string Worker::Settings(bool foreign) const {
  const std::string mine = foreign ? WaySchema(number_, *way_) : TwinSchema(number_);
  const std::string read = foreign ? session_.variant->schema : kLocalSchema;
  std::string sql = "SET search_path = " + mine + ", " + read + ", public, extensions; " + session_.both;
  if (foreign) sql += session_.foreign + "SET supabase_fdw.write_in_transaction = allow;";
  return sql;
}

void Worker::StartBatch(uint64_t batch) {
  Random random(options_.seed ^ 0xd31, batch);
  session_ = RandomSession(&random);
  table_ = &random.Pick(WrittenTables());
  if (random.Chance(15)) table_ = &WrittenTables().front();
  way_ = &random.Pick(Ways());
  // Which row gets which value of a sequence must not depend on which request is the first.
  if (table_->GivesValues() && way_->batch_size < 50) way_ = &Ways().front();
  rows_random_ = Random(options_.seed ^ 0x70575, batch);
  in_batch_ = 0;
  const std::string reset = "RESET ALL; SET statement_timeout = '60s'; SET jit = off; DEALLOCATE ALL;";
  twin_.Must(reset + Settings(false));
  foreign_.Must(reset + Settings(true));
  Renew();
}

// Gives both sides the same new rows.
void Worker::Renew() {
  const std::vector<std::string> parts = RandomRows(&rows_random_, *table_);
  const std::string columns = " (" + WritableColumns(*table_, false) + ") VALUES ";
  const auto fill = [&](Database *database, const std::string &name, const std::string &values) {
    if (!values.empty()) database->Must("INSERT INTO " + name + columns + values);
  };
  const std::vector<std::string> names = RemoteParts(number_, *table_);
  for (const std::string &name : names)
    remote_.Must("TRUNCATE " + name + " RESTART IDENTITY");
  local_.Must("TRUNCATE " + TwinName() + " RESTART IDENTITY");
  const std::string last = LocalPart(number_, *way_, *table_);
  if (!last.empty()) local_.Must("TRUNCATE " + last);
  for (size_t i = 0; i < parts.size(); i++) {
    fill(&local_, TwinName(), parts[i]);
    if (i < names.size()) {
      fill(&remote_, names[i], parts[i]);
    } else {
      fill(&local_, last, parts[i]);
    }
  }
  SetSequences(in_batch_);
  before_ = ForeignRows();
}

// Values that a failed statement took from a sequence are gone, on one side more than on the other.
void Worker::SetSequences(int to) {
  if (!table_->GivesValues()) return;
  for (const char *column : {"id", "fixed"}) {
    const auto set = [&](Database *database, const std::string &name) {
      database->Must("SELECT setval(pg_get_serial_sequence(" + QuoteLiteral(name) + ", '" + column + "'), " +
                     std::to_string(500 + to * 1000) + ")");
    };
    set(&local_, TwinName());
    set(&remote_, RemoteParts(number_, *table_)[0]);
  }
}

std::string Hashes(const std::string &table) {
  return "SELECT md5(whole_row_::text) FROM " + table + " whole_row_";
}

// In the transaction that the twin is in.
Rows Worker::TwinRows() {
  twin_.Must(kLocalOutput);
  Rows rows = twin_.Must(Hashes(TwinName())).rows;
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Read where they are, without our code.
Rows Worker::ForeignRows() {
  Rows rows;
  const auto add = [&](Database *database, const std::string &name) {
    for (Row &row : database->Must(Hashes(name)).rows)
      rows.push_back(std::move(row));
  };
  for (const std::string &name : RemoteParts(number_, *table_))
    add(&remote_, name);
  const std::string last = LocalPart(number_, *way_, *table_);
  if (!last.empty()) add(&local_, last);
  std::sort(rows.begin(), rows.end());
  return rows;
}

Rows OnlyIn(const Rows &rows, const Rows &others) {
  Rows only;
  std::set_difference(rows.begin(), rows.end(), others.begin(), others.end(), std::back_inserter(only));
  return only;
}

size_t Distance(const Row &left, const Row &right) {
  size_t distance = 0;
  for (size_t i = 0; i < left.size(); i++)
    distance += left[i] == right[i] ? 0 : 1;
  return distance;
}

// Of the rows that only one side has, the two that differ in the fewest columns, and those.
std::string Worker::NearestRows() {
  const std::string select = "SELECT " + WritableColumns(*table_, true) + " FROM ";
  Rows twin = twin_.Must(select + TwinName()).rows, foreign;
  for (const std::string &name : RemoteParts(number_, *table_)) {
    for (Row &row : remote_.Must(select + name).rows)
      foreign.push_back(std::move(row));
  }
  const std::string last = LocalPart(number_, *way_, *table_);
  if (!last.empty()) {
    for (Row &row : local_.Must(select + last).rows)
      foreign.push_back(std::move(row));
  }
  std::sort(twin.begin(), twin.end());
  std::sort(foreign.begin(), foreign.end());
  const Rows left = OnlyIn(twin, foreign), right = OnlyIn(foreign, twin);
  std::string text = std::to_string(left.size()) + " rows of the twin only, " + std::to_string(right.size()) +
                     " of the foreign table only\n";
  if (left.empty() || right.empty()) return text;
  const Row &row = left[0];
  const Row &nearest = *std::min_element(right.begin(), right.end(), [&](const Row &one, const Row &two) {
    return Distance(row, one) < Distance(row, two);
  });
  for (size_t i = 0; i < row.size(); i++) {
    if (row[i] == nearest[i]) continue;
    text += "  column " + std::to_string(i + 1) + ": " + row[i].value_or("NULL") + " | " + nearest[i].value_or("NULL") +
            "\n";
  }
  return text;
}

// Gives the foreign side the rows that the twin has, outside of a transaction.
void Worker::Restore() {
  const std::string columns = WritableColumns(*table_, true), always = WritableColumns(*table_, false);
  const std::vector<std::string> names = RemoteParts(number_, *table_);
  const std::string last = LocalPart(number_, *way_, *table_);
  const std::string schema = TwinSchema(number_) + ".";
  for (size_t part = 0; part <= names.size(); part++) {
    const bool here = part == names.size();
    if (here && last.empty()) return;
    Database &to = here ? local_ : remote_;
    const std::string &name = here ? last : names[part];
    const std::string from =
        table_->partitions == 0 ? TwinName() : schema + QuoteName(table_->table.name + "_" + std::to_string(part));
    std::string sql = "TRUNCATE " + name + ";";
    for (const Row &row : local_.Must("SELECT " + columns + " FROM " + from).rows) {
      std::string values;
      for (const auto &cell : row)
        values += (values.empty() ? "" : ", ") + (cell ? QuoteLiteral(*cell) : "NULL");
      sql += "INSERT INTO " + name + " (" + columns + ") OVERRIDING SYSTEM VALUE VALUES (" + values + ");";
    }
    to.Must(sql);
  }
}

// Leaves the twin in a transaction, and the foreign side as it has become.
Outcome Worker::Try(const Statement &statement) {
  Outcome outcome;
  const std::string sql = "DEALLOCATE ALL; " + Render(statement.body, statement.twice);
  twin_.Must("BEGIN");
  foreign_.Send(sql);
  twin_.Send(sql);
  outcome.twin = twin_.Receive(statement.copied);
  outcome.foreign = foreign_.Receive(statement.copied);
  if (!foreign_.Alive() || !twin_.Alive())
    throw std::runtime_error("the server has ended the connection at: " + Settings(true) + " " + sql);
  if (!outcome.twin.sqlstate.empty()) twin_.Must("ROLLBACK; BEGIN");
  outcome.foreign_rows = ForeignRows();
  outcome.twin_rows = TwinRows();
  Judge(statement, &outcome);
  return outcome;
}

// Reasons that a row's values give: which row is the first to fail is a matter of order.
bool ForValues(const std::string &sqlstate) {
  const std::string of = sqlstate.substr(0, 2);
  return of == "22" || of == "23";
}

std::string CompareErrors(const Statement &statement, const std::string &twin, const std::string &foreign) {
  if (twin == foreign) return "";
  // COPY reads all of a request's rows before the server looks at the first of them.
  const bool ordered = statement.one_request && statement.copied.empty();
  if (!ordered && ForValues(twin) && ForValues(foreign)) return "";
  return "errors: " + (twin.empty() ? "none" : twin) + " of the twin, " + (foreign.empty() ? "none" : foreign) +
         " of the foreign table";
}

void Worker::Judge(const Statement &statement, Outcome *outcome) {
  const Result &twin = outcome->twin, &foreign = outcome->foreign;
  std::string *difference = &outcome->difference;
  // Conditions that no request can have: documented, with a hint at what to set.
  if (foreign.sqlstate == "54000" && twin.sqlstate.empty()) {
    outcome->refused = true;
    if (outcome->foreign_rows != before_) *difference = "a refused statement has changed rows";
    return;
  }
  *difference = CompareErrors(statement, twin.sqlstate, foreign.sqlstate);
  if (!difference->empty()) return;
  if (!twin.sqlstate.empty()) {
    outcome->apart = outcome->foreign_rows != before_;
    if (outcome->apart && statement.one_request) *difference = "a failed statement has changed rows";
    return;
  }
  if (twin.tags != foreign.tags) {
    *difference = twin.tags.back() + " of the twin, " + foreign.tags.back() + " of the foreign table";
    return;
  }
  *difference = Difference(twin, foreign, Comparison::kSet, {});
  if (!difference->empty()) {
    *difference = "RETURNING: " + *difference;
  } else if (outcome->twin_rows != outcome->foreign_rows) {
    *difference = "the tables' rows differ afterwards";
    outcome->detail = NearestRows();
  }
}

void Worker::Step(uint64_t number) {
  Random random(options_.seed, number);
  const Statement statement = RandomStatement({&random, table_, way_->batch_size, in_batch_});
  const Outcome outcome = Try(statement);
  const bool failed = !outcome.twin.sqlstate.empty() || outcome.refused;
  in_batch_++;
  Account(number, statement, outcome);
  if (!outcome.difference.empty()) {
    twin_.Must("ROLLBACK");
    Report(number, statement, outcome);
    Renew();
    return;
  }
  twin_.Must(failed ? "ROLLBACK" : "COMMIT");
  if (!failed) before_ = outcome.twin_rows;
  if (outcome.apart) totals_->renewed++;
  const bool few = before_.size() < kFewRows && random.Chance(60);
  if (outcome.apart || few || before_.size() > kManyRows) {
    Renew();
  } else if (failed) {
    SetSequences(in_batch_);
  }
}

uint64_t RowsOf(const Result &result) {
  if (result.tags.empty()) return 0;
  const std::string &tag = result.tags.back();
  const size_t blank = tag.rfind(' ');
  return blank == std::string::npos ? 0 : std::strtoull(tag.c_str() + blank, nullptr, 10);
}

void Worker::Account(uint64_t number, const Statement &statement, const Outcome &outcome) {
  const std::lock_guard<std::mutex> lock(totals_->mutex);
  Count &count = totals_->shapes[statement.shape];
  count.all++;
  count.rows += RowsOf(outcome.twin);
  if (!outcome.twin.sqlstate.empty()) {
    if (std::getenv("DIFFERENTIAL_ERRORS") != nullptr) {
      std::cout << number << ": " << outcome.twin.message << outcome.foreign.message << Render(statement.body) << ";\n"
                << statement.copied;
    }
    count.failed++;
    totals_->errors++;
  }
  if (outcome.refused) totals_->refused++;
  if (!outcome.difference.empty()) {
    totals_->mismatches++;
    totals_->wrong.insert(number / 1000);
  }
  totals_->thousands[number / 1000]++;
  totals_->done++;
}

std::string Explain(Database *foreign, const Statement &statement) {
  Node body = statement.body;
  RemoveParameters(&body);
  std::string text;
  const Result plan = foreign->Run("EXPLAIN (VERBOSE, COSTS OFF) " + Render(body));
  for (const Row &row : plan.rows) {
    if (row[0]->find("Output: ") == std::string::npos) text += "  " + *row[0] + "\n";
  }
  return text;
}

void Worker::Report(uint64_t number, Statement statement, const Outcome &first) {
  std::ostringstream out;
  out << "\n== DIFFERENCE: seed " << options_.seed << ", statement " << number << " (" << statement.shape
      << "): " << first.difference << "\n"
      << Render(statement.body, statement.twice) << ";\n"
      << statement.copied << "twin:\n"
      << Show(first.twin, kShownRows) << "foreign table:\n"
      << Show(first.foreign, kShownRows);
  int steps = 0;
  Outcome outcome;
  const auto wrong = [&] {
    if (++steps >= kMostReductions) return false;
    Restore();
    SetSequences(in_batch_);
    outcome = Try(statement);
    twin_.Must("ROLLBACK");
    return !outcome.difference.empty();
  };
  if (statement.twice) {
    statement.twice = false;
    statement.twice = !wrong();
  }
  Reduce(&statement.body, wrong);
  steps = 0;
  const bool again = wrong();
  out << first.detail << "-- reduced: " << (again ? outcome.difference : "does not differ when it is run again") << "\n"
      << outcome.detail << Settings(true) << "\n"
      << Render(statement.body, statement.twice) << ";\n"
      << "twin:\n"
      << Show(outcome.twin, kShownRows) << "foreign table:\n"
      << Show(outcome.foreign, kShownRows) << Explain(&foreign_, statement);
  const std::lock_guard<std::mutex> lock(totals_->mutex);
  std::cout << out.str() << std::flush;
}

void PrintShapes(const Totals &totals) {
  std::printf("%-20s %10s %10s %10s\n", "statement", "number", "failed", "rows");
  for (const auto &[shape, count] : totals.shapes)
    std::printf("%-20s %10llu %10llu %10llu\n", shape.c_str(), Number{count.all}, Number{count.failed},
                Number{count.rows});
}

// Thousands that were run to their end without a difference.
uint64_t GoodThousands(const Options &options, const Totals &totals) {
  uint64_t good = 0;
  for (const auto &[thousand, done] : totals.thousands) {
    const uint64_t from = std::max(thousand * 1000, options.first / kBatch * kBatch);
    const uint64_t to = std::min((thousand + 1) * 1000, options.first + options.count);
    if (done == to - from && totals.wrong.count(thousand) == 0) good++;
  }
  return good;
}

void RunWorkers(const Environment &stack, const Options &options, Totals *totals) {
  std::vector<std::thread> threads;
  for (int i = 0; i < options.jobs; i++) {
    threads.emplace_back([&, i] {
      try {
        Worker(stack, options, i, totals).Run();
      } catch (const std::exception &error) {
        totals->broken++;
        const std::lock_guard<std::mutex> lock(totals->mutex);
        std::cout << "FAILED: " << error.what() << std::endl;
      }
    });
  }
  for (std::thread &thread : threads)
    thread.join();
}

}  // namespace

bool RunWriting(const Environment &stack, const Options &options) {
  Totals totals;
  std::printf("seed %llu, %llu statements\n", Number{options.seed}, Number{options.count});
  std::fflush(stdout);
  const auto start = std::chrono::steady_clock::now();
  RunWorkers(stack, options, &totals);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  PrintShapes(totals);
  const uint64_t good = GoodThousands(options, totals), all = (options.count + 999) / 1000;
  std::printf("thousands: %llu passed, %llu failed\n", Number{good}, Number{all - std::min(good, all)});
  std::printf(
      "seed %llu: %llu statements in %.0f s, %llu errors on both sides (%llu of them after a part was done), %llu "
      "refused, %llu differences\n",
      Number{options.seed}, Number{totals.done.load()}, seconds, Number{totals.errors.load()},
      Number{totals.renewed.load()}, Number{totals.refused.load()}, Number{totals.mismatches.load()});
  return totals.broken == 0 && totals.mismatches == 0 && good >= all;
}

}  // namespace differential
