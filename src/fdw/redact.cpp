// The log redactor: takes credentials out of what PostgreSQL itself writes into the server log about statements.

#include "core/redact.hpp"

#include <cstring>

#include "fdw/postgres.hpp"
#include "fdw/settings.hpp"

extern "C" {
#include "tcop/tcopprot.h"
}

namespace supabase::pg {
namespace {

emit_log_hook_type previous_hook = nullptr;

// Nothing here raises: an error is being reported. Without memory for a copy the text is left out.
char *Clean(char *text, bool literals) {
  if (text == nullptr) return nullptr;
  const char *redacted = Redact(text, literals);
  if (redacted == nullptr) return text;
  size_t const size = strlen(redacted) + 1;
  auto *copy = static_cast<char *>(palloc_extended(size, MCXT_ALLOC_NO_OOM));
  if (copy == nullptr) return nullptr;
  memcpy(copy, redacted, size);
  return copy;
}

bool Mentions(const char *text) {
  return text != nullptr && TakesSecrets(text);
}

void RedactLog(ErrorData *error) {
  if (setting_redact_log) {
    // A parameter's value stands in the detail, the function's name in the message or the statement.
    bool const literals = Mentions(error->message) || Mentions(debug_query_string) || Mentions(error->context) ||
                          Mentions(error->internalquery);
    for (char **text :
         {&error->message, &error->detail, &error->detail_log, &error->hint, &error->context, &error->internalquery})
      *text = Clean(*text, literals);
    // The statement cannot be replaced, only left out.
    if (debug_query_string != nullptr && (literals || Redact(debug_query_string, false) != nullptr)) {
      error->hide_stmt = true;
    }
  }
  if (previous_hook != nullptr) previous_hook(error);
}

}  // namespace

void InstallRedactor() {
  previous_hook = emit_log_hook;
  emit_log_hook = RedactLog;
}

}  // namespace supabase::pg
