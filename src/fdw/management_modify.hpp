#pragma once

#include "fdw/postgres.hpp"

extern "C" {
#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// Changes of rows of the Management API's tables: row by row, as PostgreSQL's executor hands them over; several rows in
// one request where the operation takes a list. A request cannot be rolled back, so each is entered in the
// transaction's record before it is sent (transaction.hpp).

// FdwRoutine callbacks.
int ManagementUpdatable(Relation relation);
void AddManagementTargets(PlannerInfo *root, Index index, RangeTblEntry *entry, Relation relation);
List *PlanManagementModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan);
void BeginManagementModify(ModifyTableState *state, ResultRelInfo *info, List *fdw_private, int subplan, int flags);
void BeginManagementInsert(ModifyTableState *state, ResultRelInfo *info);
TupleTableSlot *ExecManagementInsert(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source);
TupleTableSlot **ExecManagementBatchInsert(EState *estate, ResultRelInfo *info, TupleTableSlot **slots,
                                           TupleTableSlot **sources, int *count);
int ManagementBatchSize(ResultRelInfo *info);
TupleTableSlot *ExecManagementUpdate(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source);
TupleTableSlot *ExecManagementDelete(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source);
void EndManagementModify(EState *estate, ResultRelInfo *info);
void ExplainManagementModify(ModifyTableState *state, ResultRelInfo *info, List *fdw_private, int subplan,
                             ExplainState *explain);

}  // namespace supabase::pg
