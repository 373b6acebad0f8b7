#include "fdw/project_password.hpp"

namespace supabase::pg {

void KeepProjectPassword(const Server *, const char *, const char *) {}

}  // namespace supabase::pg
