// Runs the queries of a seed in several connections, reduces what differs, and counts.
#pragma once

#include <cstdint>

#include "generator.hpp"

namespace differential {

constexpr const char *kDatabase = "differential";

struct Options {
  uint64_t seed = 1;
  uint64_t first = 0;
  uint64_t count = 1000;
  uint64_t most = 10;  // mismatches, after which the run ends
  int jobs = 4;
  int bug = 0;          // supabase_fdw.seeded_bug of the foreign side
  bool fill = true;     // create and fill the databases first
  bool quiet = false;   // no reports, only their number
  bool bugs = false;    // find seeded bugs instead
  bool writes = false;  // statements that write instead of queries
};

// Whether no query differed.
bool RunAll(const Environment &stack, const Options &options);
// Whether each bug of a build with seeded bugs (src/core/seeded.hpp) makes a query differ.
bool FindBugs(const Environment &stack, Options options);

}  // namespace differential
