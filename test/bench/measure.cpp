#include "measure.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace bench {

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median = values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error("could not read the times of process " + std::to_string(pid));
  // The second field is the name in parentheses, which may hold anything; utime and stime are fields 14 and 15.
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; i++)
    fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

long AnonymousKilobytes(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line))
    if (line.rfind("RssAnon:", 0) == 0) return std::stol(line.substr(8));
  throw std::runtime_error("could not read the memory of process " + std::to_string(pid));
}

MemoryWatch::MemoryWatch(int pid) : pid_(pid), before_(AnonymousKilobytes(pid)), peak_(before_) {
  thread_ = std::thread([this] {
    while (!stop_) {
      peak_ = std::max<long>(peak_, AnonymousKilobytes(pid_));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
}

MemoryWatch::~MemoryWatch() {
  Stop();
}

long MemoryWatch::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return peak_ - before_;
}

}  // namespace bench
