#include "model.hpp"

#include <algorithm>
#include <utility>

namespace identity {
namespace {

const char *Name(Who who) {
  return who == Who::kAlice ? "alice" : who == Who::kBob ? "bob" : "nobody";
}

void Append(const std::string &scope, const Users &users, std::string *text) {
  for (const auto &[server, who] : users) {
    if (who == Who::kNobody) continue;
    if (!text->empty()) *text += ", ";
    *text += scope + " " + (server.empty() ? "*" : server) + " " + Name(who);
  }
}

}  // namespace

void Setting::Set(Users users, bool to_default) {
  session = std::move(users);
  over.reset();
  ends_with_function = false;
  is_default = to_default;
}

void Setting::SetLocal(Users users, bool to_default) {
  over = std::move(users);
  is_default = to_default;
}

Expected Model::State() const {
  if (failed_) return {false, ""};
  return {true, Describe()};
}

std::string Model::Describe() const {
  std::string text;
  Append("session", scopes_.session.Value(), &text);
  Append("transaction", scopes_.transaction.Value(), &text);
  return text;
}

std::string Model::AskedAs(const std::string &server) const {
  for (const Setting *scope : {&scopes_.transaction, &scopes_.session}) {
    for (const std::string &key : {server, std::string()}) {
      const auto found = scope->Value().find(key);
      if (found != scope->Value().end()) return Name(found->second);
    }
  }
  return Name(Who::kNobody);
}

Expected Model::Run(const Step &step) {
  Expected expected;
  if (in_block_) {
    expected.ok = RunInBlock(step, &expected.text);
    if (!expected.ok) failed_ = true;
    return expected;
  }
  levels_ = {{"", scopes_}};
  switch (step.kind) {
    case Kind::kBegin:
      in_block_ = true;
      return expected;
    case Kind::kCommit:
    case Kind::kRollback:
      return expected;  // a warning
    case Kind::kCommitAndChain:
    case Kind::kRollbackAndChain:
    case Kind::kSavepoint:
    case Kind::kRelease:
    case Kind::kRollbackTo:
      expected.ok = false;
      return expected;
    case Kind::kDiscardAll:
      scopes_ = {};
      return expected;
    default:
      // a transaction of its own
      expected.ok = Apply(step, true, &expected.text);
      EndTransaction(expected.ok);
      return expected;
  }
}

bool Model::RunInBlock(const Step &step, std::string *text) {
  switch (step.kind) {
    case Kind::kBegin:
      return !failed_;  // a warning
    case Kind::kCommit:
    case Kind::kCommitAndChain:
    case Kind::kRollback:
    case Kind::kRollbackAndChain:
      EndTransaction(!failed_ && (step.kind == Kind::kCommit || step.kind == Kind::kCommitAndChain));
      failed_ = false;
      in_block_ = step.kind == Kind::kCommitAndChain || step.kind == Kind::kRollbackAndChain;
      return true;
    case Kind::kSavepoint:
    case Kind::kRelease:
    case Kind::kRollbackTo:
      return RunSavepoint(step);
    default:
      return !failed_ && Apply(step, true, text);
  }
}

bool Model::RunSavepoint(const Step &step) {
  if (step.kind != Kind::kRollbackTo && failed_) return false;
  if (step.kind == Kind::kSavepoint) {
    levels_.push_back({step.name, scopes_});
    return true;
  }
  const auto found =
      std::find_if(levels_.rbegin(), levels_.rend(), [&](const Level &level) { return level.savepoint == step.name; });
  if (found == levels_.rend()) return false;
  if (step.kind == Kind::kRelease) {
    levels_.erase(std::prev(found.base()), levels_.end());
    return true;
  }
  levels_.erase(found.base(), levels_.end());
  scopes_ = levels_.back().before;
  failed_ = false;
  return true;
}

void Model::EndTransaction(bool commit) {
  if (!commit) scopes_ = levels_.front().before;
  for (Setting *scope : {&scopes_.session, &scopes_.transaction}) {
    if (scope->over) scope->is_default = false;
    scope->over.reset();
    scope->ends_with_function = false;
  }
  levels_ = {{"", scopes_}};
}

bool Model::Apply(const Step &step, bool top, std::string *text) {
  switch (step.kind) {
    case Kind::kSetAuth:
      SetAuth(step);
      return true;
    case Kind::kClear:
      Clear(step.server);
      return true;
    case Kind::kSetting:
      ApplySetting(step);
      return true;
    case Kind::kResetAll:
      ResetAll();
      return true;
    case Kind::kRole:
      return true;
    case Kind::kAsk:
      *text += AskedAs(step.server);
      return true;
    case Kind::kFunction:
      return ApplyFunction(step, text);
    case Kind::kAttempt:
      return ApplyAttempt(step, text);
    case Kind::kProcedure:
      return ApplyProcedure(step, top, text);
    default:  // kFail, kBadToken, and what cannot be where it is
      return false;
  }
}

bool Model::ApplyAll(const std::vector<Step> &steps, bool top, std::string *text) {
  for (const Step &step : steps) {
    if (top && (step.kind == Kind::kCommit || step.kind == Kind::kRollback)) {
      EndTransaction(step.kind == Kind::kCommit);
    } else {
      std::string answer;
      if (!Apply(step, false, &answer)) return false;
      *text += answer;
    }
    *text += "[" + Describe() + "]";
  }
  return true;
}

bool Model::ApplyFunction(const Step &step, std::string *text) {
  const Scopes before = scopes_;
  const auto enter = [](Setting *scope) {
    scope->SetLocal({});
    scope->ends_with_function = true;
  };
  if (step.clears_session) enter(&scopes_.session);
  if (step.clears_transaction) enter(&scopes_.transaction);
  if (!ApplyAll(step.steps, false, text)) return false;
  // a plain SET inside counts for more than the clause
  if (step.clears_session && scopes_.session.ends_with_function) scopes_.session = before.session;
  if (step.clears_transaction && scopes_.transaction.ends_with_function) scopes_.transaction = before.transaction;
  return true;
}

bool Model::ApplyAttempt(const Step &step, std::string *text) {
  const Scopes before = scopes_;
  if (ApplyAll(step.steps, false, text)) return true;
  scopes_ = before;
  *text += "caught";
  return ApplyAll(step.handler, false, text);
}

// Only a procedure that is called outside of a transaction block may end transactions.
bool Model::ApplyProcedure(const Step &step, bool top, std::string *text) {
  return ApplyAll(step.steps, top && !in_block_, text);
}

void Model::SetAuth(const Step &step) {
  Setting &session = scopes_.session, &transaction = scopes_.transaction;
  if (step.local) {
    Users users = transaction.Value();
    // nobody at every server is nobody at each of them
    if (step.who == Who::kNobody && step.server.empty()) users.clear();
    users[step.server] = step.who;
    transaction.SetLocal(std::move(users));
    return;
  }
  if (step.who == Who::kNobody) {
    Clear(step.server);
    return;
  }
  // the newer one counts
  Users others = transaction.Value();
  if (others.erase(step.server) != 0) transaction.SetLocal(std::move(others));
  Users users = session.Value();
  users[step.server] = step.who;
  session.Set(std::move(users));
}

void Model::Clear(const std::string &server) {
  Setting &session = scopes_.session, &transaction = scopes_.transaction;
  if (server.empty()) {
    if (!transaction.Value().empty()) transaction.SetLocal({});
    if (!session.Value().empty()) session.Set({});
    return;
  }
  Users users = transaction.Value();
  if (users.erase(server) != 0) transaction.SetLocal(std::move(users));
  users = session.Value();
  if (users.erase(server) != 0) session.Set(std::move(users));
}

void Model::ApplySetting(const Step &step) {
  Setting &scope = step.transaction ? scopes_.transaction : scopes_.session;
  if (step.local) {
    scope.SetLocal({}, step.to_default);
  } else {
    scope.Set({}, step.to_default);
  }
}

void Model::ResetAll() {
  for (Setting *scope : {&scopes_.session, &scopes_.transaction}) {
    if (!scope->is_default) scope->Set({}, true);
  }
}

}  // namespace identity
