#include "refresh.hpp"

#include <charconv>
#include <limits>
#include <utility>

namespace supabase {

namespace {

// Seconds of a Retry-After header; a date counts as not said, since the delays here are short. More than can be counted
// is very long all the same.
int64_t Seconds(std::string_view text) {
  int64_t seconds = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end != text.data() + text.size() || text.empty() || text.front() == '-') return 0;
  return error == std::errc() ? seconds : std::numeric_limits<int64_t>::max();
}

RefreshOutcome OutcomeOf(TokenAnswer answer, int status) {
  switch (answer) {
    case TokenAnswer::kTokens:
      return RefreshOutcome::kTokens;
    case TokenAnswer::kDead:
      return RefreshOutcome::kDead;
    case TokenAnswer::kRefused:
      return RefreshOutcome::kRefused;
    case TokenAnswer::kTransient:
      break;
  }
  // A server that fails may have failed after it had replaced the token.
  return status == 429 || status == 409 ? RefreshOutcome::kLimited : RefreshOutcome::kUnknown;
}

}  // namespace

void RefreshAttempt::Describe(const Error &error, RefreshOutcome outcome) noexcept {
  outcome_ = outcome;
  try {
    error_ = error.what();
    // It is shown as a detail, which is a sentence.
    if (!error_.empty() && error_[0] >= 'a' && error_[0] <= 'z') error_[0] = static_cast<char>(error_[0] - 'a' + 'A');
    if (*error.detail() != '\0') error_.append(". ").append(error.detail());
  } catch (const std::exception &) {  // out of memory: the outcome alone has to do
  }
}

void RefreshAttempt::Start(Session *session, Request request) noexcept {
  outcome_ = RefreshOutcome::kNotSent;
  pair_ = TokenPair();
  claims_ = Claims();
  error_.clear();
  retry_after_ = 0;
  try {
    transfer_ = session->Send(std::move(request));
  } catch (const Error &error) {
    Describe(error, RefreshOutcome::kNotSent);
  } catch (const std::exception &) {
    outcome_ = RefreshOutcome::kNotSent;
  }
}

void RefreshAttempt::Read() {
  Response &response = transfer_->Result();
  retry_after_ = Seconds(response.Header("retry-after"));
  int const status = response.status;
  TokenAnswer const answer = ReadTokenAnswer(&response, &pair_);
  outcome_ = OutcomeOf(answer, status);
  if (answer == TokenAnswer::kTokens) {
    try {
      claims_ = DecodeJwt(pair_.access.Reveal());
    } catch (const Error &) {  // not every API's access tokens are JWTs
      claims_ = Claims();
    }
    return;
  }
  Describe(TokenProblem(transfer_->request(), response, answer), outcome_);
}

void RefreshAttempt::Take() noexcept {
  bool const may_have_run = transfer_->answered() || transfer_->may_have_run();
  try {
    Read();
  } catch (const Error &error) {
    Describe(error, may_have_run ? RefreshOutcome::kUnknown : RefreshOutcome::kNotSent);
  } catch (const std::exception &) {
    outcome_ = RefreshOutcome::kUnknown;
  }
  transfer_.reset();
}

}  // namespace supabase
