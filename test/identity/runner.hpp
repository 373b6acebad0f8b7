// Runs scripts against a server and the model, and reduces the ones that differ.
#pragma once

#include <optional>
#include <string>

#include "script.hpp"
#include "session.hpp"

namespace identity {

// A database of its own for the test; dropped with the object. `connection` lacks only the database's name.
class Playground {
 public:
  explicit Playground(std::string connection);
  ~Playground();
  Playground(const Playground &) = delete;
  Playground &operator=(const Playground &) = delete;

  std::string connection() const { return connection_ + " dbname=" + name_; }

 private:
  std::string connection_;
  std::string name_;
};

// What is wrong, in words, with every statement up to the first that differs; nothing when all is as it must be. The
// session is left as it was found: nobody, no transaction.
std::optional<std::string> Compare(Session *session, const Script &script);

// The shortest script found that still differs when it is all that a new session does; the script itself when that does
// not differ.
Script Reduce(const std::string &connection, const Script &script);

}  // namespace identity
