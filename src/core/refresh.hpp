#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "auth_api.hpp"
#include "http.hpp"
#include "stored_credential.hpp"

namespace supabase {

// One attempt to exchange a refresh token. Nothing is thrown: whatever happens is an outcome that the catalog has to be
// told.
class RefreshAttempt {
 public:
  // `request` as FillRefreshGrant left it.
  void Start(Session *session, Request request) noexcept;
  // What to wait for, or null when there is nothing (more).
  const Transfer *waiting() const noexcept { return transfer_.get(); }
  // Takes what the transfer brought; it must be done.
  void Take() noexcept;

  RefreshOutcome outcome() const noexcept { return outcome_; }
  TokenPair &pair() noexcept { return pair_; }                  // of kTokens
  const std::string &error() const noexcept { return error_; }  // of the others: for the catalog, without secrets
  int64_t retry_after() const noexcept { return retry_after_; }
  // Of the new access token, when it is a JWT.
  const Claims &claims() const noexcept { return claims_; }

 private:
  void Read();
  void Describe(const Error &error, RefreshOutcome outcome) noexcept;

  std::unique_ptr<Transfer> transfer_;
  RefreshOutcome outcome_ = RefreshOutcome::kNotSent;
  TokenPair pair_;
  Claims claims_;
  std::string error_;
  int64_t retry_after_ = 0;
};

}  // namespace supabase
