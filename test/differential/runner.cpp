#include "runner.hpp"

#include "seeded.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <cstdlib>

namespace differential {
namespace {

using supabase::kSeededBugs;

// Queries that share one session's settings.
constexpr uint64_t kBatch = 25;
// Of every so many queries one has its conditions explained.
constexpr uint64_t kExplainEvery = 8;
constexpr size_t kShownRows = 8;
constexpr int kMostReductions = 400;

struct Share {
  uint64_t all = 0, pushed = 0;
  bool expressible = false;
};

// What all connections add to.
struct Totals {
  std::mutex mutex;
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> done{0}, mismatches{0}, errors{0}, rows{0};
  std::map<std::string, Share> atoms;
  std::map<uint64_t, uint64_t> thousands;  // queries done of each thousand
  std::set<uint64_t> wrong;                // the thousands that had a mismatch
};

std::string Sql(const Query &query) {
  return Render(Sequence({query.body, query.tail}), query.twice);
}

class Worker {
 public:
  Worker(const Environment &stack, const Options &options, Totals *totals)
      : options_(options),
        totals_(totals),
        local_(LocalConnection(stack, kDatabase)),
        foreign_(LocalConnection(stack, kDatabase)) {}

  void Run();

 private:
  void StartBatch(uint64_t batch);
  void Compare(uint64_t number);
  std::string Differs(const Query &query, Result *local, Result *foreign);
  void Report(uint64_t number, Query query, const std::string &difference);
  void CountAtoms(const Query &query);
  std::string Settings(bool foreign) const;

  const Options options_;
  Totals *totals_;
  Database local_, foreign_;
  Session session_;
};

void Worker::Run() {
  for (;;) {
    const uint64_t batch = totals_->next++;
    const uint64_t from = options_.first + batch * kBatch, to = options_.first + options_.count;
    if (from >= to || totals_->mismatches >= options_.most) return;
    for (uint64_t n = from; n < std::min(to, from + kBatch) && totals_->mismatches < options_.most; n++) {
      if (n == from || n % kBatch == 0) StartBatch(n / kBatch);
      Compare(n);
    }
  }
}

std::string Worker::Settings(bool foreign) const {
  std::string sql = "SET search_path = " + std::string(foreign ? session_.variant->schema : kLocalSchema) +
                    ", public, extensions; " + session_.both;
  if (!foreign) return sql;
  sql += session_.foreign;
  if (options_.bug != 0) sql += "SET supabase_fdw.seeded_bug = " + std::to_string(options_.bug) + ";";
  return sql;
}

void Worker::StartBatch(uint64_t batch) {
  Random random(options_.seed ^ 0xba7c4, batch);
  session_ = RandomSession(&random);
  // Compiling a query takes longer than running it.
  const std::string reset = "RESET ALL; SET statement_timeout = '60s'; SET jit = off; DEALLOCATE ALL;";
  local_.Must(reset + Settings(false));
  foreign_.Must(reset + Settings(true));
}

std::string Worker::Differs(const Query &query, Result *local, Result *foreign) {
  const std::string prefix = "DEALLOCATE ALL; ";
  const std::string body = Render(query.body);
  const bool subset = query.comparison == Comparison::kSubset;
  foreign_.Send(prefix + Sql(query));
  local_.Send(prefix + (subset ? body : Sql(query)));
  *local = local_.Receive();
  *foreign = foreign_.Receive();
  if (!foreign_.Alive() || !local_.Alive())
    throw std::runtime_error("the server has ended the connection at: " + Settings(true) + " " + body);
  return Difference(*local, *foreign, query.comparison, query.limits);
}

void Worker::Compare(uint64_t number) {
  Random random(options_.seed, number);
  const Query query = RandomQuery(&random);
  Result local, foreign;
  const std::string difference = Differs(query, &local, &foreign);
  if (!local.sqlstate.empty()) {
    totals_->errors++;
    if (getenv("DIFFERENTIAL_ERRORS") != nullptr) {
      const std::lock_guard<std::mutex> lock(totals_->mutex);
      std::cout << local.message << Render(query.body) << "\n";
    }
  }
  totals_->rows += local.rows.size();
  if (!difference.empty()) Report(number, query, difference);
  if (number % kExplainEvery == 0 && session_.foreign.empty()) CountAtoms(query);
  {
    const std::lock_guard<std::mutex> lock(totals_->mutex);
    totals_->thousands[(number - options_.first) / 1000]++;
  }
  totals_->done++;
}

// An atom is pushed when the plan of a query that has no other condition filters nothing here.
void Worker::CountAtoms(const Query &query) {
  ForEachAtom(query.body, [&](const Node &atom) {
    const Node select = Sequence({"SELECT 1 FROM " + atom.relation + " WHERE ", atom});
    std::string sql = Render(select);
    const size_t execute = sql.find("; EXECUTE q");
    sql = execute == std::string::npos ? "EXPLAIN (VERBOSE, FORMAT JSON) " + sql
                                       : "DEALLOCATE ALL; " + sql.substr(0, execute) +
                                             "; EXPLAIN (VERBOSE, FORMAT JSON) " + sql.substr(execute + 2);
    const Result plan = foreign_.Run(sql);
    if (!plan.sqlstate.empty() || plan.rows.empty()) return;
    const std::string &text = *plan.rows[0][0];
    // The planner knew the answer: nothing was asked.
    if (text.find("\"Foreign Scan\"") == std::string::npos || text.find("One-Time Filter") != std::string::npos) return;
    const std::lock_guard<std::mutex> lock(totals_->mutex);
    Share &share = totals_->atoms[atom.atom];
    share.all++;
    share.expressible = atom.expressible;
    if (text.find("\"Filter\"") == std::string::npos) share.pushed++;
  });
}

std::string Explain(Database *foreign, const Query &query) {
  std::string sql = Render(Sequence({query.body, query.tail}));
  const size_t execute = sql.find("; EXECUTE q");
  sql = execute == std::string::npos
            ? "EXPLAIN (VERBOSE, COSTS OFF) " + sql
            : sql.substr(0, execute) + "; EXPLAIN (VERBOSE, COSTS OFF) " + sql.substr(execute + 2);
  std::string text;
  const Result plan = foreign->Run("DEALLOCATE ALL; " + sql);
  for (const Row &row : plan.rows) {
    if (row[0]->find("Output: ") == std::string::npos) text += "  " + *row[0] + "\n";
  }
  return text;
}

void Worker::Report(uint64_t number, Query query, const std::string &difference) {
  const uint64_t found = ++totals_->mismatches;
  {
    const std::lock_guard<std::mutex> lock(totals_->mutex);
    totals_->wrong.insert((number - options_.first) / 1000);
  }
  if (options_.quiet || found > options_.most) return;
  std::ostringstream out;
  out << "\n== MISMATCH: seed " << options_.seed << ", query " << number << " (" << query.shape << "): " << difference
      << "\n"
      << Sql(query) << ";\n";
  Result local, foreign;
  int steps = 0;
  const auto wrong = [&] { return ++steps < kMostReductions && !Differs(query, &local, &foreign).empty(); };
  if (query.twice) {
    query.twice = false;
    query.twice = !wrong();
  }
  Reduce(&query.body, wrong);
  const std::string left = Differs(query, &local, &foreign);
  out << "-- reduced: " << (left.empty() ? "does not differ when it is run again" : left) << "\n"
      << Settings(true) << "\n"
      << Sql(query) << ";\n"
      << "locally:\n"
      << Show(local, kShownRows) << "remotely:\n"
      << Show(foreign, kShownRows) << Explain(&foreign_, query);
  const std::lock_guard<std::mutex> lock(totals_->mutex);
  std::cout << out.str() << std::flush;
}

void Progress(const Options &options, Totals *totals, const std::atomic<bool> &finished) {
  const auto start = std::chrono::steady_clock::now();
  auto shown = start;
  while (!finished) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto now = std::chrono::steady_clock::now();
    if (options.quiet || now - shown < std::chrono::seconds(10)) continue;
    shown = now;
    const double seconds = std::chrono::duration<double>(now - start).count();
    const std::lock_guard<std::mutex> lock(totals->mutex);
    std::printf("%llu of %llu, %.0f per second, %llu mismatches\n",
                static_cast<unsigned long long>(totals->done.load()), static_cast<unsigned long long>(options.count),
                static_cast<double>(totals->done.load()) / seconds,
                static_cast<unsigned long long>(totals->mismatches.load()));
    std::fflush(stdout);
  }
}

void PrintShares(const Totals &totals) {
  Share all, expressible;
  std::printf("%-16s %8s %8s\n", "condition", "atoms", "pushed");
  for (const auto &[name, share] : totals.atoms) {
    std::printf("%-16s %8llu %7.0f%%%s\n", name.c_str(), static_cast<unsigned long long>(share.all),
                100.0 * static_cast<double>(share.pushed) / static_cast<double>(std::max<uint64_t>(share.all, 1)),
                share.expressible ? "" : "  (PostgREST has no such filter)");
    all.all += share.all;
    all.pushed += share.pushed;
    if (!share.expressible) continue;
    expressible.all += share.all;
    expressible.pushed += share.pushed;
  }
  const auto percent = [](const Share &share) {
    return 100.0 * static_cast<double>(share.pushed) / static_cast<double>(std::max<uint64_t>(share.all, 1));
  };
  std::printf("pushed: %.1f %% of all atoms, %.1f %% of those that PostgREST has a filter for\n", percent(all),
              percent(expressible));
}

// Runs the queries of options in as many connections as it says. False: it was broken off.
bool RunQueries(const Environment &stack, const Options &options, Totals *totals) {
  std::atomic<bool> finished{false}, broken{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < options.jobs; i++) {
    threads.emplace_back([&] {
      try {
        Worker(stack, options, totals).Run();
      } catch (const std::exception &error) {
        broken = true;
        const std::lock_guard<std::mutex> lock(totals->mutex);
        std::cout << "FAILED: " << error.what() << std::endl;
      }
    });
  }
  std::thread progress(Progress, std::cref(options), totals, std::cref(finished));
  for (std::thread &thread : threads)
    thread.join();
  finished = true;
  progress.join();
  return !broken;
}

// Thousands that were run to their end and had no mismatch.
uint64_t GoodThousands(const Options &options, const Totals &totals) {
  uint64_t good = 0;
  for (const auto &[thousand, done] : totals.thousands) {
    const uint64_t size = std::min<uint64_t>(1000, options.count - thousand * 1000);
    if (done == size && totals.wrong.count(thousand) == 0) good++;
  }
  return good;
}

using Number = unsigned long long;

}  // namespace

bool RunAll(const Environment &stack, const Options &options) {
  Totals totals;
  std::printf("seed %llu, %llu comparisons\n", Number{options.seed}, Number{options.count});
  std::fflush(stdout);
  const auto start = std::chrono::steady_clock::now();
  const bool complete = RunQueries(stack, options, &totals);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  PrintShares(totals);
  const uint64_t good = GoodThousands(options, totals), all = (options.count + 999) / 1000;
  std::printf("thousands: %llu passed, %llu failed\n", Number{good}, Number{all - good});
  std::printf("seed %llu: %llu comparisons in %.0f s, %llu rows, %llu errors on both sides, %llu mismatches\n",
              Number{options.seed}, Number{totals.done}, seconds, Number{totals.rows}, Number{totals.errors},
              Number{totals.mismatches});
  return complete && totals.mismatches == 0 && good == all;
}

bool FindBugs(const Environment &stack, Options options) {
  options.quiet = true;
  options.most = 1;
  int found = 0;
  for (const char *what : kSeededBugs) {
    options.bug++;
    Totals totals;
    const bool complete = RunQueries(stack, options, &totals);
    const bool seen = complete && totals.mismatches > 0;
    found += seen ? 1 : 0;
    std::printf("%2d %-10s %6llu queries  %s\n", options.bug, seen ? "found" : "NOT FOUND", Number{totals.done}, what);
    std::fflush(stdout);
  }
  const int all = static_cast<int>(std::size(kSeededBugs));
  std::printf("%d of %d found\n", found, all);
  return found == all;
}

}  // namespace differential
