#pragma once

#include "fdw/postgres.hpp"

extern "C" {
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

struct Table;

// How rows are changed. One statement on one table is a direct modification where the server lets it be: a ForeignScan
// node that executes it whole, in one of two ways (direct_modify.cpp):
//   pushed   every condition and new value can be said to the remote, which finds the rows itself: one request
//   fed      the node below gives the rows (INSERT), or their keys and new values (UPDATE, DELETE), which go out in
//            batches, several requests at a time
// UPDATE and DELETE of a partitioned table, or one with children, have such a node for each remote one of these, below
// the Append; unless the Append as a whole is joined with other tables, or columns of the partition key are set.
// Else (that, row triggers, COPY, INSERT into partitions) the executor hands over row by row: modify_exec.cpp.

// fdw_private of a direct modification: a List in this order.
enum DirectPrivate {
  kDirectColumns,    // attribute numbers that get values (IntList)
  kDirectPositions,  // fed: where in the row below they stand (IntList, from 0)
  kDirectReturning,  // attribute numbers that RETURNING needs (IntList)
  kDirectKey,        // fed UPDATE, DELETE: attribute numbers of the row's identity (IntList)
  kDirectKeyAt,      // where in the row below they stand (IntList, from 0)
  kDirectFlags,      // Integer: see below
  kDirectScan,       // pushed: fdw_private of the scan that finds the rows (plan.hpp)
};
enum DirectFlag {
  kDirectSetsProcessed = 1,  // the statement's row count is this node's
  kDirectPushed = 2,
  kDirectIgnore = 4,         // ON CONFLICT DO NOTHING
  kDirectNeedsSource = 8,    // RETURNING reads the row below
  kDirectDistinctKeys = 16,  // the rows below may have a key more than once
  kDirectReadsMore = 32      // the plan below reads other tables too, or subqueries
};

// fdw_private for the executor's row by row.
enum ModifyPrivate {
  kModifyColumns,    // attribute numbers that are sent (IntList)
  kModifyReturning,  // that RETURNING needs (IntList)
  kModifyIgnore,     // Integer: ON CONFLICT DO NOTHING
};

// ---- modify_plan.cpp ----

int IsForeignRelUpdatable(Relation relation);
void AddForeignUpdateTargets(PlannerInfo *root, Index index, RangeTblEntry *entry, Relation relation);
bool PlanDirectModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan);
List *PlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index index, int subplan);
// The options of a foreign table.
const Table *TableOf(Oid table_id);
// Attribute numbers of a row's identity: the key's, else those of ctid and xmin.

List *IdentityColumns(const Table *table);
// Where a target list has them, from 0; false when it lacks one.
bool IdentityPositions(const Table *table, List *tlist, List **positions);

// ---- direct_modify.cpp ----

void BeginDirectModify(ForeignScanState *node, int flags);
TupleTableSlot *IterateDirectModify(ForeignScanState *node);
void EndDirectModify(ForeignScanState *node);
void ExplainDirectModify(ForeignScanState *node, ExplainState *explain);
// Has the parts of a statement on several tables read what a change of this one of them would show up in. Called before
// the first change.
void ReadBeforeChanging(EState *estate, const ResultRelInfo *info);

// ---- modify_exec.cpp ----

void BeginForeignModify(ModifyTableState *state, ResultRelInfo *info, List *fdw_private, int subplan, int flags);
TupleTableSlot *ExecForeignInsert(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source);
TupleTableSlot **ExecForeignBatchInsert(EState *estate, ResultRelInfo *info, TupleTableSlot **slots,
                                        TupleTableSlot **sources, int *count);
int GetForeignModifyBatchSize(ResultRelInfo *info);
TupleTableSlot *ExecForeignUpdate(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source);
TupleTableSlot *ExecForeignDelete(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *source);
void EndForeignModify(EState *estate, ResultRelInfo *info);
void BeginForeignInsert(ModifyTableState *state, ResultRelInfo *info);
void EndForeignInsert(EState *estate, ResultRelInfo *info);
void ExplainForeignModify(ModifyTableState *state, ResultRelInfo *info, List *fdw_private, int subplan,
                          ExplainState *explain);

// ---- truncate.cpp ----

void ExecForeignTruncate(List *relations, DropBehavior behavior, bool restart_sequences);

}  // namespace supabase::pg
