// The tables: the same rows in the remote database, in local copies and behind foreign tables.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "database.hpp"
#include "types.hpp"

namespace differential {

struct Column {
  std::string name;
  const Type *type;
  std::string sql;               // the quoted name
  const Type *remote = nullptr;  // the remote column's type, where it is another
  bool declared = false;         // the foreign column has remote_type
  const Type *Stored() const { return remote == nullptr ? type : remote; }
};

struct Table {
  std::string name;
  std::vector<Column> columns;
  std::vector<std::string> key;  // quoted names; none: the table has no key
  int rows = 0;
  int fetch_size = 0;  // of the foreign table; 0: the default
  bool large = false;  // queries must be selective
  std::vector<const Type *> key_types = {};
};

const std::vector<Table> &Tables();
const Table &TableOf(const std::string &name);

// The schemas that have foreign tables, which differ in server and options.
struct Variant {
  std::string schema;
  std::string server;
  std::string options;  // of each foreign table
  int pages;            // what the tables' fetch_size is multiplied by; 0: the default
  int weight;           // how often it is chosen
};
const std::vector<Variant> &Variants();

// The schema that has the local copies.
constexpr const char *kLocalSchema = "loc";

using Environment = std::map<std::string, std::string>;

// Creates and fills everything, in a database of its own named `database`.
void Prepare(const Environment &stack, const std::string &database);

std::string RemoteConnection(const Environment &stack);
std::string LocalConnection(const Environment &stack, const std::string &database);

}  // namespace differential
