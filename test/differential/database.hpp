// Connections to PostgreSQL, and results that can be compared.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <libpq-fe.h>

namespace differential {

// One row: its cells, NULL as an empty optional.
using Row = std::vector<std::optional<std::string>>;

struct Result {
  std::vector<Row> rows;
  std::vector<std::string> tags;  // of the commands, with their numbers of rows
  std::string sqlstate;           // empty: success
  std::string message;
};

class Database {
 public:
  explicit Database(const std::string &connection);

  // A statement, or several separated by semicolons; the rows of all of them.
  void Send(const std::string &sql);
  // `copied` is what COPY … FROM STDIN reads.
  Result Receive(const std::string &copied = "");
  Result Run(const std::string &sql);
  // Throws std::runtime_error when it fails.
  Result Must(const std::string &sql);
  bool Alive() const { return PQstatus(connection_.get()) == CONNECTION_OK; }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn *)> connection_;
};

enum class Comparison {
  kSet,      // the same rows, in any order
  kOrdered,  // in the same order
  kSubset,   // as many as the limit allows of the rows that there are without it
};

// What is different, in words; empty: nothing. `full` is the local result without the limit, for kSubset.
struct Limits {
  size_t limit = 0;
  size_t offset = 0;
};
std::string Difference(const Result &local, const Result &foreign, Comparison comparison, const Limits &limits);

// The result as it is printed in a report.
std::string Show(const Result &result, size_t most);

}  // namespace differential
