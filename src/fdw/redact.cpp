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

// What quotes the statement or its parameters loses all literals when the statement takes secrets: log lines about
// statements, which nobody else sees, and contexts. The message of an error, which the client reads too, only loses
// what looks like a credential.
void RedactFields(ErrorData *error) {
  bool const takes = Mentions(error->message) || Mentions(error->detail) || Mentions(debug_query_string) ||
                     Mentions(error->context) || Mentions(error->internalquery);
  bool const about_statement = takes && (error->elevel == LOG || error->elevel == COMMERROR || error->elevel <= DEBUG1);
  for (char **text : {&error->message, &error->detail, &error->hint})
    *text = Clean(*text, about_statement);
  for (char **text : {&error->detail_log, &error->context, &error->internalquery})
    *text = Clean(*text, takes);
  // The statement cannot be replaced, only left out.
  if (takes || (debug_query_string != nullptr && Redact(debug_query_string, false) != nullptr)) error->hide_stmt = true;
}

void RedactLog(ErrorData *error) {
  if (setting_redact_log) RedactFields(error);
  if (previous_hook != nullptr) previous_hook(error);
}

}  // namespace

void InstallRedactor() {
  previous_hook = emit_log_hook;
  emit_log_hook = RedactLog;
}

}  // namespace supabase::pg
