#include "session.hpp"

#include <stdexcept>

namespace identity {
namespace {

void Ignore(void *, const PGresult *) {}

void Check(PGconn *connection, int done) {
  if (done == 0) throw std::runtime_error(PQerrorMessage(connection));
}

}  // namespace

Session::Session(const std::string &connection) : connection_(PQconnectdb(connection.c_str()), PQfinish) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  PQsetNoticeReceiver(connection_.get(), Ignore, nullptr);
}

void Session::Must(const std::string &sql) {
  PGresult *result = PQexec(connection_.get(), sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  PQclear(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection_.get()));
  }
}

std::vector<Answer> Session::Run(const std::vector<std::string> &statements) {
  PGconn *connection = connection_.get();
  Check(connection, PQenterPipelineMode(connection));
  // A Sync after each: an error, or the end of a transaction, concerns the one statement only.
  for (const std::string &sql : statements) {
    Check(connection, PQsendQueryParams(connection, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0));
    Check(connection, PQpipelineSync(connection));
  }
  std::vector<Answer> answers;
  for (size_t i = 0; i < statements.size(); i++)
    answers.push_back(Receive());
  Check(connection, PQexitPipelineMode(connection));
  return answers;
}

// What comes up to the next Sync.
Answer Session::Receive() {
  Answer answer;
  while (true) {
    PGresult *result = PQgetResult(connection_.get());
    if (result == nullptr) {
      if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
      continue;  // ends a statement
    }
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED) {
      // without the context, which repeats statements with tokens in them
      const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
      answer = {false, std::string("ERROR: ") + (message == nullptr ? "" : message)};
    } else if (status == PGRES_TUPLES_OK && PQntuples(result) > 0 && PQnfields(result) > 0) {
      answer.text = PQgetvalue(result, 0, 0);
    }
    PQclear(result);
    if (status == PGRES_PIPELINE_SYNC) return answer;
  }
}

}  // namespace identity
