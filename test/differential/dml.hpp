// Random INSERT, UPDATE, DELETE and COPY on foreign tables and on local twins, which must have the same rows after
// each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "database.hpp"
#include "generator.hpp"
#include "runner.hpp"

namespace differential {

// Who may give a column its value.
enum class Rule {
  kPlain,
  kRequired,       // NOT NULL
  kChecked,        // under a CHECK constraint that some of the type's values violate
  kRemoteDefault,  // a default that the foreign table does not know
  kSameDefault,    // one that it declares as well
  kIdentity,       // BY DEFAULT
  kAlways,         // only the server
};

struct WrittenTable {
  Table table;
  std::vector<Rule> rules;           // of each column
  std::vector<std::string> clauses;  // of each column: what follows its type in the remote table and the twin
  int partitions = 0;                // by ranges of the key, the last of them local; 0: one table

  bool GivesValues() const;  // some values are the server's, in the order of the rows
};

const std::vector<WrittenTable> &WrittenTables();

// The foreign tables of one way to write.
struct Way {
  const char *name;
  const char *server;
  const char *options;
  size_t batch_size;
};
const std::vector<Way> &Ways();

// The names of a worker, which has tables of its own.
std::string TwinSchema(int worker);
std::string WaySchema(int worker, const Way &way);
// The remote tables that have the rows, and the local one of those that are partitioned.
std::vector<std::string> RemoteParts(int worker, const WrittenTable &table);
std::string LocalPart(int worker, const Way &way, const WrittenTable &table);

// Creates the tables of so many workers, empty.
void PrepareWriting(const Environment &stack, int workers);

// Columns that a statement may name, unquoted text of their names as SQL, for a list.
std::string WritableColumns(const WrittenTable &table, bool always);
// The text of the key column that makes row `number` of the table different from the others.
std::string KeyText(const WrittenTable &table, size_t column, int number);
// A constant for the column, none that is refused by design.
Value WritableValue(Random *random, const Type &type);

// The rows that a table has at first, of each partition: VALUES without the keyword; none: "".
std::vector<std::string> RandomRows(Random *random, const WrittenTable &table);

struct Statement {
  Node body;
  std::string copied;  // what COPY … FROM STDIN reads
  const char *shape = "";
  bool twice = false;        // a prepared statement is executed again, with other parameters
  bool one_request = false;  // when it fails nothing has happened
};

// What a statement is made for.
struct Occasion {
  Random *random;
  const WrittenTable *target;
  size_t batch_size;
  int number;  // no other statement since the rows were new has it
  Source source() const { return {&target->table, "a"}; }
};

Statement RandomStatement(const Occasion &at);
// Parts of it.
Statement RandomInsert(const Occasion &at);
Statement RandomChange(const Occasion &at);
Node RandomReturning(const Occasion &at, const Source *other);
// A new value for the column from the row that `source` is; `other` may be nullptr.
Node RandomExpression(const Occasion &at, const Source &source, const Column &column);
// The table that another one is joined with.
struct Partner {
  const Table *table;
  std::string sql;  // name and alias b
  bool own;         // the written table itself
  Source source() const { return {table, "b"}; }
};
Partner RandomPartner(const Occasion &at);

// Whether no statement made a difference.
bool RunWriting(const Environment &stack, const Options &options);

}  // namespace differential
