#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalogue.hpp"
#include "management_write.hpp"
#include "message.hpp"
#include "rate_limit.hpp"

namespace supabase {

// What the SQL functions of the Management API make of their arguments and of answers; JSON goes in and out as text.

// The operation of that id. Throws Error: 22023 for an unknown one, with the ids that come nearest, 0A000 for those of
// OAuth, which stored grants have functions for.
const ApiOperation &FindCallable(std::string_view id);

// The call, its arguments checked (CheckCall). `body` empty: none. The body of an operation that takes a form with
// files is {"metadata": {...}, "files": {"path": "content"}}.
WriteCall BuildCall(const ApiOperation &operation, std::string_view parameters, std::string_view body);
// Method and path as errors and traces show them.
std::string CallLabel(const WriteCall &call);

// An answer as JSON; "" when it has no body. Text is a JSON string, bytes are one in base64, and the answer to HEAD is
// {"count": n}. Throws Error 08P01 for something else than JSON where that is promised.
std::string CallResult(const ApiOperation &operation, const std::string &label, const Response &response, bool is_json,
                       const std::string &text);

// Throws what an answer that is no success says.
[[noreturn]] void RaiseProblem(const ApiOperation &operation, const Request &request, const Response &response);

// A project's state as the Management API tells it, for waiting.
enum class ProjectState { kReady, kPending, kFailed };
// By the catalogue's lists; unknown ones are pending, since the service adds some.
ProjectState StateOf(std::string_view status);
// A member of an answer that is an object, as text; "" when there is none.
std::string MemberText(std::string_view json, const char *member);
// The services that an answer of v1-get-services-health does not call healthy, as a list; "" when all are.
std::string UnhealthyServices(std::string_view json);

// The keys in an answer of v1-get-project-api-keys. Empty: it shows none.
struct ProjectKeys {
  Secret publishable;  // or the legacy key of role anon
  Secret secret;       // or that of service_role
};
ProjectKeys ReadProjectKeys(std::string_view json);
// A project's name as an identifier that needs no quotes, of at most 63 bytes; "" when nothing is left of it.
std::string IdentifierOf(std::string_view name);
// "postgresql://postgres:<password>@db.<ref>.supabase.co:5432/postgres"
Secret ConnectionUri(std::string_view ref, const Secret &password);

// What is known of rate limits, without the callers, whose fingerprints are nobody's business.
struct KnownLimit {
  std::string bucket;
  int64_t limit, remaining, left_ms;
};
std::vector<KnownLimit> KnownLimits(RateLimits *limits);

}  // namespace supabase
