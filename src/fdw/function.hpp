#pragma once

#include "fdw/auth.hpp"

namespace supabase::pg {

// What the SQL-callable functions about users share.

// A supabase_identity as the function's result.
Datum MakeIdentity(FunctionCallInfo fcinfo, const IdentityRow *row);
// The statement may hold a secret as a literal: other sessions must not go on reading it in pg_stat_activity. `shown`
// takes its place.
void HideActivity(const char *shown);

}  // namespace supabase::pg
