// Random scripts of everything that a session's users depend on, as statements and as SQL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace identity {

enum class Who { kNobody, kAlice, kBob };

enum class Kind {
  kBegin,
  kCommit,
  kRollback,
  kCommitAndChain,
  kRollbackAndChain,
  kSavepoint,   // name
  kRelease,     // name
  kRollbackTo,  // name
  kSetAuth,     // who, server, local
  kBadToken,    // local
  kClear,       // server
  kSetting,     // of scope `transaction`: RESET, SET or SET LOCAL to nothing or DEFAULT
  kResetAll,
  kDiscardAll,
  kRole,       // name is the statement: must change nothing
  kFail,       // an error
  kAsk,        // server: as whom a request is made
  kFunction,   // steps in a function with SET clauses (clears_session, clears_transaction)
  kAttempt,    // steps in a plpgsql block with EXCEPTION, then `handler` when one of them has failed
  kProcedure,  // steps in a procedure, which may be ends of transactions
};

struct Step {
  Kind kind = Kind::kBegin;
  std::string name;
  Who who = Who::kNobody;
  std::string server;
  bool local = false;
  bool transaction = false;
  bool to_default = false;
  bool clears_session = false;
  bool clears_transaction = false;
  std::vector<Step> steps;
  std::vector<Step> handler;
};
using Script = std::vector<Step>;

// The same for the same numbers, on every machine.
Script MakeScript(uint64_t seed, uint64_t number);

std::string Sql(const Step &step);

}  // namespace identity
