// Random scripts of everything that sets, hides, ends or restores the users of a session, each statement compared with
// the model of model.hpp.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runner.hpp"

namespace identity {
namespace {

// Scripts that share a connection: enough for one to cost little, few enough for the first use of the library in a
// session to be tried often.
constexpr uint64_t kScriptsPerSession = 50;
constexpr int kReported = 3;
constexpr uint64_t kProgress = 20000;

struct Options {
  uint64_t seed = 1;
  uint64_t count = 2000;
  uint64_t jobs = 2;
  std::optional<uint64_t> only;
};

class Run {
 public:
  Run(const Options &options, std::string connection) : options_(options), connection_(std::move(connection)) {}

  // The number of scripts that differed.
  uint64_t All() {
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < options_.jobs; i++)
      threads.emplace_back([this] { Work(); });
    for (std::thread &thread : threads)
      thread.join();
    return failed_;
  }

  void One(uint64_t number) {
    Session session(connection_);
    Try(&session, number);
  }

 private:
  void Work() {
    while (true) {
      const uint64_t first = next_.fetch_add(kScriptsPerSession);
      if (first >= options_.count) return;
      const uint64_t end = std::min(first + kScriptsPerSession, options_.count);
      std::optional<Session> session;
      for (uint64_t number = first; number < end; number++) {
        // a script that differs may leave anything behind
        if (!session) session.emplace(connection_);
        if (!Try(&*session, number)) session.reset();
      }
      const uint64_t done = done_.fetch_add(end - first) + (end - first);
      if (done % kProgress == 0) {
        const std::lock_guard<std::mutex> lock(output_);
        std::cout << done << " scripts, " << failed_ << " failed" << std::endl;
      }
    }
  }

  bool Try(Session *session, uint64_t number) {
    const Script script = MakeScript(options_.seed, number);
    std::optional<std::string> difference;
    try {
      difference = Compare(session, script);
    } catch (const std::exception &error) {
      difference = std::string("-- connection lost: ") + error.what();
    }
    if (!difference) return true;
    if (failed_.fetch_add(1) < kReported) Report(script, number, *difference);
    return false;
  }

  void Report(const Script &script, uint64_t number, const std::string &difference) {
    std::string text = difference;
    const char *how = "as it was run, after others in its session";
    try {
      const Script least = Reduce(connection_, script);
      Session session(connection_);
      if (const auto again = Compare(&session, least)) {
        text = *again;
        how = "reduced";
      }
    } catch (const std::exception &error) {
      text += std::string("-- not reduced: ") + error.what() + "\n";
    }
    const std::lock_guard<std::mutex> lock(output_);
    std::cout << "-- script " << number << " of seed " << options_.seed << ", " << how << "\n" << text << std::endl;
  }

  const Options options_;
  const std::string connection_;
  std::atomic<uint64_t> next_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> failed_{0};
  std::mutex output_;
};

bool Parse(int argc, char **argv, Options *options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seed") {
      options->seed = value;
    } else if (name == "--count") {
      options->count = value;
    } else if (name == "--jobs") {
      options->jobs = value;
    } else if (name == "--only") {
      options->only = value;
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

int Main(int argc, char **argv) {
  Options options;
  if (!Parse(argc, argv, &options)) {
    std::cerr << "usage: identity_model [--seed N] [--count N] [--jobs N] [--only N]\n";
    return 2;
  }
  const char *host = getenv("STACK_LOCAL_HOST"), *port = getenv("STACK_LOCAL_PORT");
  if (host == nullptr || port == nullptr) {
    std::cerr << "identity_model: no STACK_LOCAL_HOST, STACK_LOCAL_PORT: a test/stack must be running\n";
    return 2;
  }
  const Playground playground(std::string("user=postgres host=") + host + " port=" + port);
  Run run(options, playground.connection());
  if (options.only) {
    std::cout << "seed " << options.seed << ", script " << *options.only << std::endl;
    run.One(*options.only);
    return 0;
  }
  std::cout << "seed " << options.seed << std::endl;
  const auto start = std::chrono::steady_clock::now();
  const uint64_t failed = run.All();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("scripts: %llu passed, %llu failed, %.0f in a second\n",
              static_cast<unsigned long long>(options.count - failed), static_cast<unsigned long long>(failed),
              static_cast<double>(options.count) / seconds);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace identity

int main(int argc, char **argv) {
  try {
    return identity::Main(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << "identity_model: " << error.what() << "\n";
    return 2;
  }
}
