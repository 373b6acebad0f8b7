// Times, processor time and memory of a run, and what many runs say together.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace bench {

// What one run took and what it gave. `cpu` is that of the local backend.
struct Sample {
  double wall = 0;
  double cpu = 0;
  std::string answer;
};

struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};

// `values` must not be empty.
Spread SpreadOf(std::vector<double> values);

// Seconds on a clock that only goes forward.
double Now();

// User and system time of a process, in seconds; the kernel counts in hundredths.
double CpuSeconds(int pid);

// Memory of a process that is neither shared nor a file's.
long AnonymousKilobytes(int pid);

// Watches how much anonymous memory a process has at most, from construction to Stop.
class MemoryWatch {
 public:
  explicit MemoryWatch(int pid);
  ~MemoryWatch();
  // Kilobytes above the amount at the start.
  long Stop();

 private:
  int pid_;
  long before_;
  std::atomic<long> peak_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace bench
