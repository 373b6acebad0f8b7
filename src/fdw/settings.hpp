#pragma once

namespace supabase::pg {

// Values of the extension's settings (defined in module.cpp; the two handles in auth.cpp).
extern char *setting_allowed_hosts;
extern char *setting_ca_file;
extern char *setting_proxy;
extern bool setting_require_local_auth;
extern bool setting_enable_pushdown;
extern bool setting_trace;
extern bool setting_redact_log;

// Has credentials taken out of log lines from now on (redact.cpp). Called once by _PG_init.
void InstallRedactor();

}  // namespace supabase::pg
