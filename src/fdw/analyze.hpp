#pragma once

#include "fdw/postgres.hpp"

namespace supabase::pg {

// FdwRoutine callback. Statistics show values to everyone who may read the local table, so they are gathered under the
// owner's own user mapping and nobody else's: no end user's token, not PUBLIC's mapping, and not at all where the
// option require_user_jwt asks for a token. Such tables are skipped with a warning.
bool AnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *sampler, BlockNumber *pages);

}  // namespace supabase::pg
