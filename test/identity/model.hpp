// What a session's users must be, said independently of the extension: two scopes that behave as PostgreSQL's settings
// do under SET, SET LOCAL, RESET, savepoints, exception blocks, SET clauses of functions, and the end of a transaction.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "script.hpp"

namespace identity {

// Users by server; "" is every server.
using Users = std::map<std::string, Who>;

// One scope, as a setting: what lasts beyond the transaction, and what SET LOCAL or a function's SET clause has put
// over it.
struct Setting {
  Users session;
  std::optional<Users> over;
  bool ends_with_function = false;  // `over` comes from a SET clause, and no plain SET has come since
  bool is_default = true;           // RESET ALL passes over a value that RESET, or SET ... TO DEFAULT, has given

  const Users &Value() const { return over ? *over : session; }
  void Set(Users users, bool to_default = false);
  void SetLocal(Users users, bool to_default = false);
};

// What a statement must answer.
struct Expected {
  bool ok = true;
  std::string text;
};

class Model {
 public:
  // Runs a statement of the top level.
  Expected Run(const Step &step);
  // What state() returns; failed in a transaction that is aborted.
  Expected State() const;

 private:
  struct Scopes {
    Setting session, transaction;
  };
  struct Level {
    std::string savepoint;  // "": the transaction itself
    Scopes before;
  };

  bool RunInBlock(const Step &step, std::string *text);
  bool RunSavepoint(const Step &step);
  void EndTransaction(bool commit);
  // Statements that a function may run, too; false: an error. `text` is what they return.
  bool Apply(const Step &step, bool top, std::string *text);
  bool ApplyAll(const std::vector<Step> &steps, bool top, std::string *text);
  bool ApplyFunction(const Step &step, std::string *text);
  bool ApplyAttempt(const Step &step, std::string *text);
  bool ApplyProcedure(const Step &step, bool top, std::string *text);
  void SetAuth(const Step &step);
  void Clear(const std::string &server);
  void ApplySetting(const Step &step);
  void ResetAll();
  std::string Describe() const;
  std::string AskedAs(const std::string &server) const;

  Scopes scopes_;
  std::vector<Level> levels_;
  bool in_block_ = false;
  bool failed_ = false;
};

}  // namespace identity
