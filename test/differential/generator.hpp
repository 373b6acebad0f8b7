// Random queries. The n-th query of a seed depends on nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "database.hpp"
#include "node.hpp"
#include "random.hpp"
#include "schema.hpp"

namespace differential {

// A table in FROM.
struct Source {
  const Table *table;
  std::string alias;
  // Name and alias, as FROM has them.
  std::string Sql() const { return QuoteName(table->name) + " " + alias; }
  std::string Column(const differential::Column &column) const { return alias + "." + column.sql; }
};

struct Query {
  Node body;
  Node tail;  // kSubset: LIMIT and OFFSET, which the local copy is asked without
  Comparison comparison = Comparison::kSet;
  Limits limits;
  std::string shape;
  bool twice = false;  // a prepared query is executed again, with other parameters
};

// What a session has set while it runs some queries.
struct Session {
  const Variant *variant;
  std::string both;     // settings of both sides
  std::string foreign;  // settings of the foreign side
};

// A constant of the type: of its pool, changed, or NULL.
Value RandomValue(Random *random, const Type &type);
// A column that has one of the traits; nullptr when the table has none.
const Column *PickColumn(Random *random, const Table &table, uint32_t traits);
// A condition on the table's columns.
Node RandomAtom(Random *random, const Source &source);
Node RandomCondition(Random *random, const Source &source, int depth);
Query RandomQuery(Random *random);
Session RandomSession(Random *random);

// Names of all kinds of atoms, for statistics.
std::vector<std::string> AtomKinds();

}  // namespace differential
