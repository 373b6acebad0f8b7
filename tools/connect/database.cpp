#include "database.hpp"

namespace supabase_connect {
namespace {

void Ignore(void *, const PGresult *) {}

std::string Field(const PGresult *result, int field) {
  const char *text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

DatabaseError ConnectionError(const PGconn *connection) {
  std::string message = PQerrorMessage(connection);
  while (!message.empty() && message.back() == '\n')
    message.pop_back();
  return DatabaseError(message);
}

DatabaseError StatementError(const PGconn *connection, const PGresult *result) {
  std::string const message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) return ConnectionError(connection);
  DatabaseError error(message);
  error.sqlstate = Field(result, PG_DIAG_SQLSTATE);
  error.detail = Field(result, PG_DIAG_MESSAGE_DETAIL);
  error.hint = Field(result, PG_DIAG_MESSAGE_HINT);
  return error;
}

PGconn *Connect(const std::string &conninfo) {
  // what stands before dbname is overridden by the connection string in it
  const char *const keywords[] = {"connect_timeout", "fallback_application_name", "dbname", "client_encoding", nullptr};
  const char *const values[] = {"10", "supabase-connect", conninfo.c_str(), "UTF8", nullptr};
  return PQconnectdbParams(keywords, values, 1);
}

}  // namespace

Connection::Connection(const std::string &conninfo) : connection_(Connect(conninfo), PQfinish) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw ConnectionError(connection_.get());
  PQsetNoticeReceiver(connection_.get(), Ignore, nullptr);
  // a browser waits for each answer
  (void)Query("SET statement_timeout = '60s'");
}

Rows Connection::Query(const std::string &sql, const std::vector<std::optional<std::string>> &parameters) {
  std::vector<const char *> values;
  for (const auto &parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  PGresult *result = PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                  values.data(), nullptr, nullptr, 0);
  Rows rows(result);
  ExecStatusType const status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return rows;
  throw StatementError(connection_.get(), result);
}

}  // namespace supabase_connect
