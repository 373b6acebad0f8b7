// A connection that sends many statements at once, each a message sequence of its own as an interactive client's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>

namespace identity {

struct Answer {
  bool ok = true;
  std::string text;  // the first cell, or the message of an error
};

class Session {
 public:
  // Throws std::runtime_error when it cannot connect.
  explicit Session(const std::string &connection);

  // One answer for each statement. A lost connection is an exception.
  std::vector<Answer> Run(const std::vector<std::string> &statements);
  // One statement, or several, that must not fail.
  void Must(const std::string &sql);

 private:
  Answer Receive();
  std::unique_ptr<PGconn, void (*)(PGconn *)> connection_;
};

}  // namespace identity
