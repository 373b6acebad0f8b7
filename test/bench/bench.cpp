// Measures the extension against postgres_fdw and raw downloads on the rows of remote.sql. Each round runs every member
// of a group once, in random order; a ratio is taken within a round, so that what slows a whole round cancels out.
// Started by `run`, which has the variables described there.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <stdexcept>

#include "scenario.hpp"

namespace bench {
namespace {

struct Row {
  std::string work, peer, ours_value, peer_value, ratio, range, target, verdict, requests;
};

using Samples = std::map<std::string, std::vector<Sample>>;

const std::map<std::string, std::string> kPeerTexts = {
    {"pg10000", "postgres_fdw, fetch_size 10000"},
    {"pg100", "postgres_fdw, fetch_size 100"},
    {"pg10000_far", "postgres_fdw, fetch_size 10000"},
    {"batch100", "postgres_fdw, batch_size 100"},
    {"batch1000", "postgres_fdw, batch_size 1000"},
    {"raw", "curl, 10,000-row pages, sequential"},
    {"raw4", "curl, 10,000-row pages, 4 in parallel"},
    {"raw4_1000", "curl, 1,000-row pages, 4 in parallel"},
    {"raw_keys", "curl, connection kept"},
};

std::string Format(const char *format, double value) {
  char text[64];
  snprintf(text, sizeof text, format, value);
  return text;
}

std::string Milliseconds(double seconds) {
  return Format(seconds < 0.01 ? "%.1f ms" : "%.0f ms", seconds * 1000);
}

std::string Verdict(double value, double target) {
  if (target == 0) return "";
  return value <= target ? "ok" : "MISSED";
}

void CheckAnswers(const Group &group, const Samples &samples) {
  const Sample *first = nullptr;
  for (const Member &member : group.members)
    for (const Sample &sample : samples.at(member.name)) {
      if (sample.answer.empty()) continue;
      if (first == nullptr) first = &sample;
      if (sample.answer != first->answer) throw std::runtime_error("different answers from " + member.name);
    }
}

Samples RunRounds(const Group &group, int rounds, std::mt19937 &random) {
  Samples samples;
  std::vector<const Member *> order;
  for (const Member &member : group.members)
    order.push_back(&member);
  for (int round = 0; round <= rounds; round++) {
    std::shuffle(order.begin(), order.end(), random);
    for (const Member *member : order) {
      const Sample sample = member->run();
      // The first round is for connections, caches and what is learnt of a server.
      if (round > 0) samples[member->name].push_back(sample);
    }
  }
  return samples;
}

Row Compare(const Line &line, const Samples &samples) {
  const std::vector<Sample> &ours = samples.at(line.ours), &peer = samples.at(line.peer);
  std::vector<double> ratios, our_values, peer_values;
  for (size_t i = 0; i < ours.size(); i++) {
    our_values.push_back(ours[i].*line.measure);
    peer_values.push_back(peer[i].*line.measure);
    ratios.push_back(our_values.back() / peer_values.back());
  }
  const Spread ratio = SpreadOf(ratios);
  Row row;
  row.work = line.work;
  row.peer = kPeerTexts.at(line.peer);
  row.ours_value = Milliseconds(SpreadOf(our_values).median);
  row.peer_value = Milliseconds(SpreadOf(peer_values).median);
  row.ratio = Format("%.2f", ratio.median);
  row.range = Format("%.2f", ratio.low) + " to " + Format("%.2f", ratio.high);
  row.target = line.target == 0 ? "" : Format("%.2f", line.target);
  row.verdict = Verdict(ratio.median, line.target);
  return row;
}

std::vector<Row> RunGroup(const Group &group, int rounds, std::mt19937 &random) {
  const Samples samples = RunRounds(group, rounds, random);
  CheckAnswers(group, samples);
  std::map<std::string, std::string> requests;
  for (const Member &member : group.members)
    if (member.requests && member.name.rfind("ours", 0) == 0) requests[member.name] = std::to_string(member.requests());
  std::vector<Row> rows;
  for (const Line &line : group.lines) {
    rows.push_back(Compare(line, samples));
    rows.back().requests = requests[line.ours];
  }
  return rows;
}

double MemoryGrowth(const std::string &schema, const std::string &sql) {
  Session session(schema);
  session.Run("SELECT 1");
  MemoryWatch watch(session.pid());
  session.Run(sql);
  return static_cast<double>(watch.Stop()) / 1024;
}

Row RunMemory(const MemoryCase &memory) {
  const double ours = MemoryGrowth(memory.ours, memory.sql);
  Row row;
  row.work = memory.work;
  row.peer = kPeerTexts.at(memory.peer);
  row.ours_value = Format("%.0f MB", ours);
  row.peer_value = Format("%.0f MB", MemoryGrowth(memory.peer, memory.sql));
  row.target = Format("%.0f MB", memory.target_megabytes);
  row.verdict = Verdict(ours, memory.target_megabytes);
  return row;
}

void Print(const std::vector<Row> &rows) {
  printf(
      "| work | against | ours | peer | ratio | range | target | | requests "
      "|\n|---|---|---|---|---|---|---|---|---|\n");
  for (const Row &row : rows)
    printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row.work.c_str(), row.peer.c_str(),
           row.ours_value.c_str(), row.peer_value.c_str(), row.ratio.c_str(), row.range.c_str(), row.target.c_str(),
           row.verdict.c_str(), row.requests.c_str());
}

void Progress(const std::string &name, double seconds, const std::vector<Row> &rows) {
  fprintf(stderr, "%s (%.0f s):", name.c_str(), seconds);
  for (const Row &row : rows)
    fprintf(stderr, " %s %s", row.ratio.empty() ? row.ours_value.c_str() : row.ratio.c_str(), row.verdict.c_str());
  fprintf(stderr, "\n");
}

// One part that fails does not take the others with it, but the whole run has failed then.
template <typename Work>
bool Part(const std::string &name, std::vector<Row> &rows, Work work) {
  try {
    const double start = Now();
    const std::vector<Row> more = work();
    Progress(name, Now() - start, more);
    rows.insert(rows.end(), more.begin(), more.end());
    return true;
  } catch (const std::exception &error) {
    fprintf(stderr, "%s FAILED: %s\n", name.c_str(), error.what());
    return false;
  }
}

bool Wanted(const std::string &name) {
  const char *only = getenv("BENCH_ONLY");
  return only == nullptr || *only == '\0' ||
         (" " + std::string(only) + " ").find(" " + name + " ") != std::string::npos;
}

int Run() {
  const int rounds = std::max(1, std::stoi(Env("BENCH_ROUNDS")));
  std::mt19937 random(std::random_device{}());
  std::vector<Row> rows;
  bool good = true;
  Scenarios scenarios;
  for (const Group &group : scenarios.Groups())
    if (Wanted(group.name)) good &= Part(group.name, rows, [&] { return RunGroup(group, rounds, random); });
  for (const MemoryCase &memory : Scenarios::MemoryCases())
    if (Wanted("memory")) good &= Part(memory.work, rows, [&] { return std::vector<Row>{RunMemory(memory)}; });
  Print(rows);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace bench

int main() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  try {
    return bench::Run();
  } catch (const std::exception &error) {
    fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
