#pragma once

#include <exception>
#include <string>
#include <utility>

namespace supabase {

// The SQLSTATEs that core raises, by what they mean here. A remote error keeps its own code.
namespace sqlstate {
inline constexpr char kInvalidParameterValue[] = "22023";
inline constexpr char kInvalidText[] = "22P05";            // text that this database cannot hold
inline constexpr char kInvalidAuthorization[] = "28000";   // credential missing, expired or refused
inline constexpr char kInsufficientPrivilege[] = "42501";  // host not allowed, privilege refused by the remote
inline constexpr char kConfigurationLimit[] = "53400";     // rate limit, after the retries
inline constexpr char kProgramLimit[] = "54000";           // answer larger than allowed
inline constexpr char kCannotConnect[] = "08001";          // nothing was sent: DNS, refused, TLS, connect timeout
inline constexpr char kConnectionRejected[] = "08004";     // redirect, host refused
inline constexpr char kConnectionFailure[] = "08006";      // broken or timed out after something was sent
inline constexpr char kResolutionUnknown[] = "08007";      // a write whose outcome is unknown
inline constexpr char kProtocolViolation[] = "08P01";      // an answer that is not what the protocol says
inline constexpr char kFdwError[] = "HV000";
inline constexpr char kFdwInvalidOptionName[] = "HV00D";
inline constexpr char kFdwInvalidStringFormat[] = "HV024";  // bad option value
inline constexpr char kFdwColumnNotFound[] = "HV005";
inline constexpr char kFdwTableNotFound[] = "HV00R";
inline constexpr char kFdwReplyHandle[] = "HV00C";  // ambiguous or bad request, as PostgREST calls it
inline constexpr char kCannotNow[] = "57P03";       // service unavailable
}  // namespace sqlstate

// A failure on its way to the user. The fields are those of ereport(): a primary message without a full stop, whole
// sentences in detail and hint, and one context line (the request that failed). The only exception core throws.
class Error : public std::exception {
 public:
  // `sqlstate` has five characters.
  Error(std::string sqlstate, std::string message, std::string detail = {}, std::string hint = {},
        std::string context = {}, std::string constraint = {})
      : sqlstate_(std::move(sqlstate)),
        message_(std::move(message)),
        detail_(std::move(detail)),
        hint_(std::move(hint)),
        context_(std::move(context)),
        constraint_(std::move(constraint)) {}

  const char *what() const noexcept override { return message_.c_str(); }
  const char *sqlstate() const noexcept { return sqlstate_.c_str(); }
  const char *detail() const noexcept { return detail_.c_str(); }
  const char *hint() const noexcept { return hint_.c_str(); }
  const char *context() const noexcept { return context_.c_str(); }
  // The name of the remote constraint that was violated, or empty.
  const char *constraint() const noexcept { return constraint_.c_str(); }

 private:
  std::string sqlstate_, message_, detail_, hint_, context_, constraint_;
};

}  // namespace supabase
