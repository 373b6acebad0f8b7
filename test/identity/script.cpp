#include "script.hpp"

#include <map>

#include "../differential/random.hpp"

namespace identity {
namespace {

using differential::Random;

constexpr size_t kMostSteps = 22;
constexpr int kDeepest = 3;

class Generator {
 public:
  Generator(uint64_t seed, uint64_t number) : random_(seed, number) {}

  Script Make() {
    Script script;
    const size_t steps = 3 + random_.Below(kMostSteps - 2);
    for (size_t i = 0; i < steps; i++)
      script.push_back(Top());
    return script;
  }

 private:
  Step Top() {
    if (!random_.Chance(45)) return Any(0);
    static const std::vector<Kind> kOutside = {Kind::kBegin,          Kind::kBegin,      Kind::kBegin,
                                               Kind::kBegin,          Kind::kDiscardAll, Kind::kCommit,
                                               Kind::kCommitAndChain, Kind::kSavepoint};
    static const std::vector<Kind> kInside = {
        Kind::kSavepoint,      Kind::kSavepoint,        Kind::kSavepoint,  Kind::kRelease,   Kind::kRelease,
        Kind::kRollbackTo,     Kind::kRollbackTo,       Kind::kRollbackTo, Kind::kCommit,    Kind::kRollback,
        Kind::kCommitAndChain, Kind::kRollbackAndChain, Kind::kBegin,      Kind::kDiscardAll};
    Step step;
    step.kind = random_.Pick(in_block_ ? kInside : kOutside);
    if (step.kind == Kind::kDiscardAll && in_block_ && !random_.Chance(20)) step.kind = Kind::kRollbackTo;
    if (step.kind == Kind::kBegin) in_block_ = true;
    if (step.kind == Kind::kCommit || step.kind == Kind::kRollback) in_block_ = false;
    step.name = Savepoint(step.kind);
    return step;
  }

  // mostly one that is there
  std::string Savepoint(Kind kind) {
    static const std::vector<std::string> kNames = {"a", "b", "c"};
    if (kind == Kind::kSavepoint) {
      last_ = random_.Pick(kNames);
      return last_;
    }
    return random_.Chance(70) ? last_ : random_.Pick(kNames);
  }

  Step Any(int depth) {
    // who is nobody on purpose is seen by a request only
    if (nobody_ && random_.Chance(8)) return Ask();
    const int draw = random_.Between(1, 100);
    if (draw <= 44) return SetAuth();
    if (draw <= 52) return Clear();
    if (draw <= 60) return Setting();
    if (draw <= 63) return Of(Kind::kResetAll);
    if (draw <= 68) return Role();
    if (draw <= 70) return Of(Kind::kFail);
    if (draw <= 72) return BadToken();
    if (depth < kDeepest && draw <= 92) return Nested(depth);
    return random_.Chance(6) ? Ask() : SetAuth();
  }

  static Step Of(Kind kind) {
    Step step;
    step.kind = kind;
    return step;
  }

  std::string Server() {
    static const std::vector<std::string> kServers = {"", "", "shop", "other"};
    return random_.Pick(kServers);
  }

  Step SetAuth() {
    Step step = Of(Kind::kSetAuth);
    step.who = random_.Chance(12) ? Who::kNobody : random_.Chance(50) ? Who::kAlice : Who::kBob;
    step.server = Server();
    step.local = random_.Chance(50);
    if (step.local && step.who == Who::kNobody) nobody_ = true;
    return step;
  }

  Step BadToken() {
    Step step = Of(Kind::kBadToken);
    step.local = random_.Chance(50);
    return step;
  }

  Step Clear() {
    Step step = Of(Kind::kClear);
    step.server = Server();
    return step;
  }

  Step Ask() {
    Step step = Of(Kind::kAsk);
    step.server = random_.Chance(50) ? "shop" : "other";
    return step;
  }

  Step Setting() {
    Step step = Of(Kind::kSetting);
    step.transaction = random_.Chance(50);
    step.local = random_.Chance(40);
    step.to_default = random_.Chance(50);
    return step;
  }

  Step Role() {
    static const std::vector<std::string> kStatements = {
        "SET ROLE identity_a",
        "SET ROLE identity_b",
        "SET LOCAL ROLE identity_a",
        "RESET ROLE",
        "SET ROLE NONE",
        "SET SESSION AUTHORIZATION identity_a",
        "SET LOCAL SESSION AUTHORIZATION identity_a",
        "RESET SESSION AUTHORIZATION",
    };
    Step step = Of(Kind::kRole);
    step.name = random_.Pick(kStatements);
    return step;
  }

  std::vector<Step> Some(int depth, bool in_procedure) {
    std::vector<Step> steps;
    const size_t count = 1 + random_.Below(4);
    for (size_t i = 0; i < count; i++) {
      if (in_procedure && random_.Chance(35)) {
        steps.push_back(Of(random_.Chance(60) ? Kind::kCommit : Kind::kRollback));
      } else {
        steps.push_back(Any(depth + 1));
      }
    }
    return steps;
  }

  Step Nested(int depth) {
    const int draw = random_.Between(1, 100);
    // inside a function a procedure may not end a transaction
    Step step = Of(draw <= 45 ? Kind::kFunction : draw <= 80 ? Kind::kAttempt : Kind::kProcedure);
    step.clears_session = random_.Chance(55);
    step.clears_transaction = random_.Chance(55);
    step.steps = Some(depth, step.kind == Kind::kProcedure && (depth == 0 || random_.Chance(10)));
    if (step.kind == Kind::kAttempt) {
      if (random_.Chance(60)) step.steps.push_back(Of(Kind::kFail));
      if (random_.Chance(50)) step.handler = Some(depth, false);
    }
    return step;
  }

  Random random_;
  bool in_block_ = false;
  bool nobody_ = false;
  std::string last_ = "a";
};

std::string Quoted(const std::string &text) {
  return text.empty() ? "NULL" : "'" + text + "'";
}

// An array of statements; $…$ of another name on each level.
std::string Array(const std::vector<Step> &steps, int depth);

// What names no users.
std::string PlainSql(const Step &step) {
  static const std::map<Kind, std::string> kWords = {{Kind::kBegin, "BEGIN"},
                                                     {Kind::kCommit, "COMMIT"},
                                                     {Kind::kRollback, "ROLLBACK"},
                                                     {Kind::kCommitAndChain, "COMMIT AND CHAIN"},
                                                     {Kind::kRollbackAndChain, "ROLLBACK AND CHAIN"},
                                                     {Kind::kSavepoint, "SAVEPOINT "},
                                                     {Kind::kRelease, "RELEASE "},
                                                     {Kind::kRollbackTo, "ROLLBACK TO "},
                                                     {Kind::kResetAll, "RESET ALL"},
                                                     {Kind::kDiscardAll, "DISCARD ALL"},
                                                     {Kind::kRole, ""},
                                                     {Kind::kFail, "SELECT 1 / 0"}};
  const bool named = step.kind == Kind::kSavepoint || step.kind == Kind::kRelease || step.kind == Kind::kRollbackTo ||
                     step.kind == Kind::kRole;
  return kWords.at(step.kind) + (named ? step.name : "");
}

std::string SettingSql(const Step &step) {
  const std::string name = step.transaction ? "supabase_fdw.local_handle" : "supabase_fdw.session_handle";
  if (!step.local && step.to_default) return "RESET " + name;
  return std::string("SET ") + (step.local ? "LOCAL " : "") + name + (step.to_default ? " TO DEFAULT" : " = ''");
}

std::string SqlAt(const Step &step, int depth) {
  const std::string local = step.local ? "true" : "false";
  switch (step.kind) {
    case Kind::kSetAuth: {
      const char *who = step.who == Who::kAlice ? "'alice'" : step.who == Who::kBob ? "'bob'" : "NULL";
      return std::string("SELECT act_as(") + who + ", " + Quoted(step.server) + ", " + local + ")";
    }
    case Kind::kBadToken:
      return "SELECT supabase_set_auth('no token', is_local => " + local + ")";
    case Kind::kClear:
      return "SELECT supabase_clear_auth(" + (step.server.empty() ? "" : Quoted(step.server)) + ")";
    case Kind::kSetting:
      return SettingSql(step);
    case Kind::kAsk:
      return "SELECT asked_as(" + Quoted(step.server) + ")";
    case Kind::kFunction:
      return std::string("SELECT run") + (step.clears_session ? "_session" : "") +
             (step.clears_transaction ? "_local" : "") + "(" + Array(step.steps, depth) + ")";
    case Kind::kAttempt:
      return "SELECT attempt(" + Array(step.steps, depth) + ", " + Array(step.handler, depth) + ")";
    case Kind::kProcedure:
      return "CALL run_procedure(" + Array(step.steps, depth) + ")";
    default:
      return PlainSql(step);
  }
}

std::string Array(const std::vector<Step> &steps, int depth) {
  const std::string quote = "$" + std::string(static_cast<size_t>(depth) + 1, 'q') + "$";
  std::string text;
  for (const Step &step : steps) {
    text += (text.empty() ? "" : ", ") + quote + SqlAt(step, depth + 1) + quote;
  }
  return "ARRAY[" + text + "]::text[]";
}

}  // namespace

Script MakeScript(uint64_t seed, uint64_t number) {
  return Generator(seed, number).Make();
}

std::string Sql(const Step &step) {
  return SqlAt(step, 0);
}

}  // namespace identity
