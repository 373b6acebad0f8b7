#pragma once

#include "fdw/postgres.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace supabase::pg {

// Whose user mapping a node's requests are made with: the role that the table is accessed as, which in a view is its
// owner.

// The foreign table of a scan; a plan of groups has no relation of its own.
RangeTblEntry *ScannedTable(ForeignScanState *node);
Oid ActingUser(ForeignScanState *node);
// The same for a table that rows are written to; a partition's is that of the table that the statement names.
Oid WritingUser(EState *estate, ResultRelInfo *info);

}  // namespace supabase::pg
