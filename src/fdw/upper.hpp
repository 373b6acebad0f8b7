#pragma once

#include "fdw/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// Plans whose rows are groups: aggregates, GROUP BY and DISTINCT over one foreign table with nothing to filter here.
// Counts alone need no aggregate of the server: PostgREST counts rows for the header Content-Range.

// FdwRoutine callback.
void GetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output,
                          void *extra);
// The plan of such a path. `outer_plan`, where there is one, gives the same rows by reading the table; it is for a
// server that turns out not to allow aggregates, and for conditions that turn out too long.
ForeignScan *GetUpperPlan(RelOptInfo *rel, List *tlist, Plan *outer_plan);

}  // namespace supabase::pg
