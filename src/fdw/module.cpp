// Entry points of the shared library: loading, settings, the wrapper's handler.

#include "core/seeded.hpp"

#include "fdw/auth.hpp"
#include "fdw/credential_store.hpp"
#include "fdw/routine.hpp"
#include "fdw/settings.hpp"
#include "fdw/transaction.hpp"

namespace supabase::pg {

char *setting_allowed_hosts = nullptr;
char *setting_ca_file = nullptr;
char *setting_proxy = nullptr;
bool setting_require_local_auth = false;
bool setting_enable_pushdown = true;
bool setting_trace = false;
bool setting_redact_log = true;

extern "C" {
#include "utils/plancache.h"

PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
PGDLLEXPORT Datum supabase_fdw_handler(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_fdw_handler);
}

// Plans that were made under the other value must not be used again.
static void AssignPushdown(bool value, void *) {
  if (value != setting_enable_pushdown) ResetPlanCache();
}

// Runs in the postmaster too when the library is preloaded: settings only, no thread, no socket, no libcurl.
void _PG_init(void) {
  DefineCustomStringVariable(
      "supabase_fdw.allowed_hosts", "Hosts that servers may have.",
      "A comma-separated list; a leading \"*.\" stands for any subdomain. Loopback addresses are also "
      "allowed for servers that a superuser owns.",
      &setting_allowed_hosts, "*.supabase.co, *.supabase.in, *.supabase.red, api.supabase.com", PGC_SUSET,
      GUC_LIST_INPUT, nullptr, nullptr, nullptr);
  DefineCustomStringVariable(
      "supabase_fdw.ca_file", "File with the certificates of trusted authorities, in PEM format.",
      "Empty: the operating system's.", &setting_ca_file, "", PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable(
      "supabase_fdw.enable_pushdown", "Sends conditions, order and limit to the remote server.",
      "Off: only column lists are sent; for finding out whether a wrong result comes from a condition.",
      &setting_enable_pushdown, true, PGC_USERSET, 0, nullptr, AssignPushdown, nullptr);
  DefineCustomStringVariable("supabase_fdw.proxy", "Proxy for remote requests.",
                             "Empty: none; the environment's proxy variables are ignored.", &setting_proxy, "",
                             PGC_SUSET, GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("supabase_fdw.require_local_auth", "Refuses tokens for the whole session.",
                           "For connections behind a transaction pooler.", &setting_require_local_auth, false,
                           PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("supabase_fdw.redact_log", "Takes credentials out of the server log.",
                           "Literals of statements that set a credential, and whatever looks like a token or key. From "
                           "the first statement on when the library is preloaded.",
                           &setting_redact_log, true, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("supabase_fdw.trace", "Logs method, path, status and size of each remote request.", nullptr,
                           &setting_trace, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
#ifdef SUPABASE_FDW_SEEDED_BUGS
  DefineCustomIntVariable("supabase_fdw.seeded_bug", "A bug to have, for testing.", nullptr, &seeded_bug, 0, 0,
                          static_cast<int>(std::size(kSeededBugs)), PGC_USERSET, 0, nullptr, nullptr, nullptr);
#endif
  DefineAuthSettings();
  DefineCredentialSettings();
  DefineWriteSettings();
  MarkGUCPrefixReserved("supabase_fdw");
  InstallRedactor();
}

Datum supabase_fdw_handler(PG_FUNCTION_ARGS) {
  PG_RETURN_POINTER(MakeRoutine());
}

}  // namespace supabase::pg
