// Numbers that are the same on every machine for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace differential {

class Random {
 public:
  // `stream` is mixed in, so that each query has numbers of its own whatever was drawn for those before it.
  Random(uint64_t seed, uint64_t stream) : state_(seed * 0x9e3779b97f4a7c15U + stream * 0xd1342543de82ef95U + 1) {
    Next();
    Next();
  }

  uint64_t Next() {  // splitmix64
    state_ += 0x9e3779b97f4a7c15U;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(Next() % n); }
  int Between(int low, int high) { return low + static_cast<int>(Below(static_cast<size_t>(high - low + 1))); }
  bool Chance(int percent) { return static_cast<int>(Below(100)) < percent; }
  template <typename T>
  const T &Pick(const std::vector<T> &from) {
    return from[Below(from.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace differential
