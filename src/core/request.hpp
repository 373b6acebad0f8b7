#pragma once

#include <string>

#include "message.hpp"

namespace supabase {

// A request that a user wrote: everything as plain text, encoded here.
struct FreeRequest {
  const char *method;     // any case
  const char *path;       // below the REST root, "/products"; not percent-encoded
  const char *query;      // JSON object: strings, numbers, booleans, or an array of those for a repeated parameter
  const char *body;       // JSON text, or null for none
  const char *schema;     // the profile; null for an API without any
  const char *rest_path;  // path of the REST root, for the label
};

// Makes `request`, which has address and limits of a read, that one. Throws Error (22023) for an unknown method, a path
// that does not begin with "/" or has an empty or dot segment, a query of another form, a body where none can be.
void SetFreeRequest(Request *request, const FreeRequest &wanted);

// JSON text of the answer, or "" for an empty one. Throws RemoteProblem for a status that is no success, Error (08P01)
// for a body that is not JSON.
std::string FreeResult(const Request &request, const Response &response);

}  // namespace supabase
