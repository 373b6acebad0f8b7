#pragma once

#include "fdw/option.hpp"

namespace supabase::pg {

// Database passwords of projects that were created here: kept encrypted in supabase_fdw.project_passwords, since the
// Management API never shows them again.

// Keeps a project's password for the current role, in place of an older one. It is durable at once, even if the
// transaction rolls back: the project will be there all the same.
void KeepProjectPassword(const Server *server, const char *project_ref, const char *password);

}  // namespace supabase::pg
