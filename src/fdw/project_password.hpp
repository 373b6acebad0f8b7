#pragma once

#include "fdw/credential_write.hpp"

namespace supabase::pg {

// Database passwords of projects that were created here: kept encrypted in supabase_fdw.project_passwords, since the
// Management API never shows them again. They stay when the project is deleted.

// Raises, before a project is created with a password that nobody knows, what would keep it from being kept.
void CheckCanKeepPassword();

// Keeps a project's password, UTF-8, for the current role, in place of an older one. It is durable at once, even if the
// transaction rolls back: the project will be there all the same. What stands in the way is a warning.
void KeepProjectPassword(const Server *server, const char *project_ref, const char *password);

// Writes the row, in a worker or here.
void InsertPassword(const NewCredential *password);

}  // namespace supabase::pg
