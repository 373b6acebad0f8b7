#pragma once

#include "core/management_function.hpp"

#include "fdw/management_send.hpp"

namespace supabase::pg {

// What the SQL functions of the Management API share: single calls as the current role.

// A call and its answer; made by Own.
struct FunctionObjects {
  ManagementObjects management;
  CallObjects call;
  std::string result;  // JSON text, or empty
  int status = 0;
};

// The management server of an argument, or the only one; USAGE is checked.
const Server *ManagementServer(FunctionCallInfo fcinfo, int number);
// UTF-8 text of an argument; raises 22004 for NULL.
char *RequiredText(FunctionCallInfo fcinfo, int number, const char *name);
// Appends "name": "value" to a JSON object that is being written, and begins it when `json` is empty.
void AppendMember(StringInfo json, const char *name, const char *value);
// {"ref": "…"}
const char *RefParameters(const char *ref);

// Sends a call of an operation, its arguments checked, and takes the answer to objects->result. What is destructive
// needs the server's leave; what changes something is entered in the transaction's record. Raises what the answer says.
void CallOperation(const Server *server, const char *id, const char *parameters, const char *body,
                   FunctionObjects *objects);
// The same for a read whose refusal is an answer, too: objects->status tells; objects->result is "" for a refusal.
void AskOperation(const Server *server, const char *id, const char *parameters, FunctionObjects *objects);
// Raises what the answer to AskOperation says.
[[noreturn]] void RaiseRefusal(const FunctionObjects *objects);

}  // namespace supabase::pg
