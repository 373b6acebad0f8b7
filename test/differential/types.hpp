// The types that columns have, each with the values that data and constants are taken from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace differential {

// What can be done with a type.
enum Trait : uint32_t {
  kEqual = 1U << 0,
  kOrdered = 1U << 1,
  kPattern = 1U << 2,  // LIKE, regular expressions
  kNumber = 1U << 3,   // compared with numbers of other types
  kMoment = 1U << 4,   // date, timestamp, timestamptz: compared with each other
  kString = 1U << 5,   // text, varchar, char(n), name: compared with each other
  kArray = 1U << 6,
  kRange = 1U << 7,
  kMultirange = 1U << 8,
  kJson = 1U << 9,  // json and jsonb: paths
  kJsonb = 1U << 10,
  kSearch = 1U << 11,  // tsvector
  kNetwork = 1U << 12,
  kHstore = 1U << 13,
  kTree = 1U << 14,  // ltree
  kBoolean = 1U << 15,
  kSum = 1U << 16,     // sums do not depend on the order of rows
  kMinMax = 1U << 17,  // has min() and max()
  kGroup = 1U << 18,   // GROUP BY, DISTINCT; equal values look the same, or `canonical` makes them
  kSame = 1U << 19,    // has =, and may be joined by it
  kInteger = 1U << 20,
  kSingle = 1U << 21,  // float4: most constants are between two of its values
};

struct Type {
  std::string name;  // of the column, in the tables
  std::string sql;
  uint32_t traits;
  std::vector<std::string> pool;
  std::string canonical = {};  // an expression over % that is the same for equal values; empty: % itself
  std::string element = {};    // of arrays and ranges
};

const std::vector<Type> &Types();
const Type &TypeOf(const std::string &name);

// `sql` around a column or an aggregate, so that equal values look the same.
std::string Canonical(const Type &type, const std::string &sql);

}  // namespace differential
