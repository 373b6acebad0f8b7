#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalogue.hpp"
#include "error.hpp"
#include "message.hpp"

namespace supabase {

// One call of the Management API (OpenAPI "Supabase API (v1)").

// Values of parameters by name, as plain text; a repeated one has several entries.
using CallArguments = std::vector<std::pair<std::string, std::string>>;

// Makes `request`, which has the server's address, limits and Accept, the call of that operation: method, URL, headers,
// label. A parameter that the operation does not have is left out. Throws Error (22023) for a path parameter that is
// missing or cannot stand in a path.
void FillCall(Request *request, const ApiOperation &operation, const CallArguments &arguments);
// Adds a JSON body; one with secrets goes as Request::secret_body. `all_secret`: any text in it may be one.
void SetCallBody(Request *request, std::string body, std::vector<Secret> secrets, bool all_secret);

// A supabase_management call's arguments, checked against the catalogue: unknown, missing, of another type, not among
// the allowed values. `parameters` and `body` are JSON texts; `body` empty: none. Throws Error 22023.
CallArguments CheckCall(const ApiOperation &operation, std::string_view parameters, std::string_view body);

// What the rate limit is counted by: operation and project or organization (management.md: caller x project or
// organization x endpoint); the caller is the server's matter.
std::string RateBucket(const ApiOperation &operation, const CallArguments &arguments);

// An answer that is no success as an Error: 401 28000; 403 42501, which names the OAuth scope or says that a personal
// token is needed; 402 0A000; 404, 406 and what the catalogue knows as absence 02000; 409 23505; other 4xx 22023; 429
// 53400; 5xx as RemoteProblem has it.
Error ManagementProblem(const ApiOperation &operation, const Request &request, const Response &response);
// Whether an answer to a read means that there is nothing.
bool IsAbsent(const std::vector<Absence> &absences, const Response &response, std::string_view operation);
bool IsSuccess(const Response &response);

}  // namespace supabase
