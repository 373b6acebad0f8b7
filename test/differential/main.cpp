// Runs random queries on foreign tables and on local copies, and reports every difference.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "dml.hpp"
#include "runner.hpp"

extern char **environ;

namespace differential {
namespace {

Environment ReadEnvironment() {
  Environment variables;
  for (char **entry = environ; *entry != nullptr; entry++) {
    const std::string text = *entry;
    const size_t equal = text.find('=');
    if (equal != std::string::npos) variables[text.substr(0, equal)] = text.substr(equal + 1);
  }
  return variables;
}

constexpr const char *kUsage =
    "usage: differential [--seed N] [--count N] [--only N] [--jobs N] [--mismatches N] [--no-fill] [--bug N] "
    "[--bugs] [--dml]\n";

bool ParseOptions(int argc, char **argv, Options *options) {
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--no-fill") {
      options->fill = false;
      continue;
    }
    if (name == "--bugs") {
      options->bugs = true;
      continue;
    }
    if (name == "--dml") {
      options->writes = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const uint64_t number = std::strtoull(argv[++i], nullptr, 10);
    if (name == "--seed")
      options->seed = number;
    else if (name == "--count")
      options->count = number;
    else if (name == "--only")
      options->first = number, options->count = 1;
    else if (name == "--jobs")
      options->jobs = static_cast<int>(number);
    else if (name == "--mismatches")
      options->most = number;
    else if (name == "--bug")
      options->bug = static_cast<int>(number);
    else
      return false;
  }
  return true;
}

}  // namespace
}  // namespace differential

int main(int argc, char **argv) {
  differential::Options options;
  if (!differential::ParseOptions(argc, argv, &options)) {
    std::cerr << differential::kUsage;
    return 2;
  }
  try {
    const differential::Environment stack = differential::ReadEnvironment();
    if (options.fill) differential::Prepare(stack, differential::kDatabase);
    if (options.fill && options.writes) differential::PrepareWriting(stack, options.jobs);
    const bool good = options.bugs     ? differential::FindBugs(stack, options)
                      : options.writes ? differential::RunWriting(stack, options)
                                       : differential::RunAll(stack, options);
    return good ? 0 : 1;
  } catch (const std::exception &error) {
    std::cerr << "differential: " << error.what() << '\n';
    return 2;
  }
}
