#include "database.hpp"

#include <algorithm>
#include <stdexcept>

namespace differential {
namespace {

// Of a row, in a report.
constexpr size_t kShownBytes = 400;

void Ignore(void *, const PGresult *) {}

void AddRows(const PGresult *from, Result *to) {
  const int rows = PQntuples(from), columns = PQnfields(from);
  to->rows.reserve(to->rows.size() + static_cast<size_t>(rows));
  for (int i = 0; i < rows; i++) {
    Row row(static_cast<size_t>(columns));
    for (int j = 0; j < columns; j++) {
      if (!PQgetisnull(from, i, j)) {
        row[static_cast<size_t>(j)].emplace(PQgetvalue(from, i, j), static_cast<size_t>(PQgetlength(from, i, j)));
      }
    }
    to->rows.push_back(std::move(row));
  }
}

std::string Field(const PGresult *result, int field) {
  const char *text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

std::string ShowRow(const Row &row) {
  std::string text;
  for (const auto &cell : row) {
    if (!text.empty()) text += " | ";
    text += cell ? (*cell) : "NULL";
  }
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "…";
  return "  (" + text + ")";
}

std::string CompareRows(const std::vector<Row> &local, const std::vector<Row> &foreign) {
  if (local == foreign) return "";
  if (local.size() != foreign.size()) {
    return std::to_string(local.size()) + " rows locally, " + std::to_string(foreign.size()) + " rows remotely";
  }
  return "the rows differ";
}

}  // namespace

Database::Database(const std::string &connection) : connection_(PQconnectdb(connection.c_str()), PQfinish) {
  if (!Alive()) throw std::runtime_error(PQerrorMessage(connection_.get()));
  PQsetNoticeReceiver(connection_.get(), Ignore, nullptr);
}

void Database::Send(const std::string &sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) throw std::runtime_error(PQerrorMessage(connection_.get()));
}

Result Database::Receive(const std::string &copied) {
  Result result;
  while (PGresult *one = PQgetResult(connection_.get())) {
    const ExecStatusType status = PQresultStatus(one);
    result.tags.emplace_back(PQcmdStatus(one));
    if (status == PGRES_COPY_IN) {
      PQputCopyData(connection_.get(), copied.data(), static_cast<int>(copied.size()));
      PQputCopyEnd(connection_.get(), nullptr);
    } else if (status == PGRES_TUPLES_OK) {
      AddRows(one, &result);
    } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY && result.sqlstate.empty()) {
      result.sqlstate = Field(one, PG_DIAG_SQLSTATE);
      if (result.sqlstate.empty()) result.sqlstate = "08006";
      result.message = PQresultErrorMessage(one);
    }
    PQclear(one);
  }
  return result;
}

Result Database::Run(const std::string &sql) {
  Send(sql);
  return Receive();
}

Result Database::Must(const std::string &sql) {
  Result result = Run(sql);
  if (!result.sqlstate.empty()) throw std::runtime_error(result.message + " in: " + sql.substr(0, 2000));
  return result;
}

std::string Difference(const Result &local, const Result &foreign, Comparison comparison, const Limits &limits) {
  if (!local.sqlstate.empty() || !foreign.sqlstate.empty()) {
    if (local.sqlstate.substr(0, 2) == foreign.sqlstate.substr(0, 2)) return "";
    if (local.sqlstate.empty()) return "remotely an error: " + foreign.sqlstate;
    if (foreign.sqlstate.empty()) return "locally an error: " + local.sqlstate;
    return "errors: " + local.sqlstate + " locally, " + foreign.sqlstate + " remotely";
  }
  if (comparison == Comparison::kOrdered) return CompareRows(local.rows, foreign.rows);
  std::vector<Row> left = local.rows, right = foreign.rows;
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  if (comparison == Comparison::kSet) return CompareRows(left, right);
  const size_t rest = left.size() - std::min(left.size(), limits.offset);
  const size_t expected = std::min(rest, limits.limit);
  if (right.size() != expected) {
    return std::to_string(expected) + " rows expected, " + std::to_string(right.size()) + " rows remotely";
  }
  return std::includes(left.begin(), left.end(), right.begin(), right.end()) ? "" : "rows that are not there locally";
}

std::string Show(const Result &result, size_t most) {
  if (!result.sqlstate.empty()) return "  " + result.sqlstate + ": " + result.message;
  std::string text;
  for (size_t i = 0; i < result.rows.size() && i < most; i++)
    text += ShowRow(result.rows[i]) + "\n";
  return text + "  " + std::to_string(result.rows.size()) + " rows\n";
}

}  // namespace differential
