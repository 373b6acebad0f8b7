#pragma once

#include "core/management_write.hpp"

#include "fdw/management_table.hpp"
#include "fdw/transaction.hpp"

namespace supabase::pg {

// One call that changes something, with its answer. Made by Own.
struct CallObjects {
  CallObjects() = default;
  CallObjects(const CallObjects &) = delete;
  ~CallObjects() {
    if (call.body.has_value()) explicit_bzero(call.body->data(), call.body->size());
  }
  WriteCall call;
  std::unique_ptr<Transfer> transfer;
  std::unique_ptr<ManagementAnswer> answer;  // null: there was no body
  std::string text;                          // the body as it came, when the operation does not answer with JSON
  AnswerTrace trace;
};

// What becomes of a call whose outcome is unknown.
enum class Outcome { kAnswered, kUnknown };

// Sends `objects->call`, waits, and takes the answer. Raises what the answer says; 08007 for an unknown outcome, unless
// `may_be_unknown`, where kUnknown is returned. A DELETE that was repeated has worked if the object is gone.
Outcome SendCall(const ManagementObjects *management, CallObjects *objects, WriteEntry *entry, int rows,
                 bool may_be_unknown);

}  // namespace supabase::pg
