// libpq, with errors as exceptions.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <libpq-fe.h>

namespace supabase_connect {

// What the database says. Never the statement, nor the context that repeats it: parameters are secrets.
struct DatabaseError : std::runtime_error {
  using std::runtime_error::runtime_error;
  std::string sqlstate, detail, hint;
};

class Rows {
 public:
  explicit Rows(PGresult *result) : result_(result, PQclear) {}
  int size() const { return PQntuples(result_.get()); }
  bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  bool IsTrue(int row, int column) const { return Text(row, column) == "t"; }
  // Empty for NULL.
  std::string Text(int row, int column) const { return PQgetvalue(result_.get(), row, column); }

 private:
  std::unique_ptr<PGresult, void (*)(PGresult *)> result_;
};

class Connection {
 public:
  // Throws DatabaseError when there is no connection.
  explicit Connection(const std::string &conninfo);

  Rows Query(const std::string &sql, const std::vector<std::optional<std::string>> &parameters = {});

 private:
  std::unique_ptr<PGconn, void (*)(PGconn *)> connection_;
};

}  // namespace supabase_connect
