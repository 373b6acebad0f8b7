#pragma once

#include "core/condition.hpp"
#include "core/count.hpp"
#include "core/message.hpp"
#include "core/pager.hpp"
#include "core/reader.hpp"
#include "core/rpc.hpp"
#include "fdw/auth.hpp"
#include "fdw/convert.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace supabase::pg {

// The C++ side of a scan; made by Own, so freed with the scan's memory context, whatever happens.
struct ScanObjects {
  ConditionBuilder conditions;
  PagerOptions options;
  StreamOptions how;
  Credential credential;
  std::unique_ptr<Reader> reader;
  std::unique_ptr<CountReader> counts;
  std::vector<Argument> arguments;  // of the function that the table shows
  bool by_get = true, read_only = true;
  ReadCounters before;  // of readers that a rescan has replaced
};

// The PostgreSQL side.
struct ScanState {
  const Server *server;
  const Table *table;
  List *plan;         // fdw_private
  List *expressions;  // fdw_exprs
  List *expression_states;
  ScanObjects *objects;
  MemoryContext row_context;  // one row's values
  Session *session;
  RowCap *row_cap;
  const char *identity;            // who the rows are read as, for RememberCount
  bool started, exhausted, never;  // never: no row can satisfy the conditions, nothing is sent
  bool recheck;                    // conditions could not be sent: filter here
  bool system_columns;             // ctid or xmin are among the columns
  bool groups;                     // rows are groups of the table's rows, or counts of them
  bool local;                      // and are made here, by the outer plan
  bool keeps_rows;                 // all are read before the first is given out: the statement changes what it reads
  List *kept;                      // HeapTuples
  int kept_row;                    // next of them
  MemoryContext kept_context;      // theirs; NULL before they are read
  bool waiting;                    // an asynchronous scan whose next page is not there yet
  int descriptor;                  // of the session, under a number of the scan's own; -1 before it is needed
  int always_readable;             // likewise
  size_t row;                      // next in the page
  int column_count;
  ColumnConverter *converters;  // in select order
  AttrNumber *attnos;           // of the table's columns; 0 for count(*)
  int *slots;                   // where in the tuple each goes
  int *key;                     // positions of the key's columns
  int key_count;
  ConvertPosition position;
  MemoryContext argument_context;  // what the columns of arguments show, by attribute number - 1
  Datum *argument_values;
  bool *argument_isnull;
};

// Sets objects->options from the plan. `values` as in BuildCondition; NULL values for EXPLAIN. `more` are conditions
// (trees) beside the plan's. Sets state->never.
void BuildQuery(ScanState *state, const Datum *values, const bool *isnull, List *more);

// Prepares the conversion of the plan's columns into a tuple of that shape.
void InitColumns(ScanState *state, TupleDesc desc);
// The parts of BuildQuery that do not depend on values: relation, columns and order.
void SetSelectAndOrder(ScanState *state);
// Values of the plan's expressions, in the per-tuple context.
void EvaluateParameters(ForeignScanState *node, ScanState *state, Datum **values, bool **isnull);
// Stores a row that the remote sent.
void StoreRow(ScanState *state, const Cell *row, TupleTableSlot *slot);

// After BuildQuery, for a scan: has all columns asked for as "*" where that is quicker.
void ChooseSelect(ScanState *state);

// One of the lists in the plan, and the request without its target.
List *PlanList(const ScanState *state, int which);
void FillPrototype(const ScanState *state, Request *prototype, const char *schema, bool allow_private);

// Rows of a plan whose rows are groups, made here by its outer plan.
TupleTableSlot *LocalGroup(ForeignScanState *node);

// ---- count_scan.cpp: plans that count rows without fetching any ----

// Sends every count's request, with the parameters' values; false when the conditions of one are too long.
bool StartCounts(ScanState *state, const Datum *values, const bool *isnull);
// Waits for the answers and stores them as the plan's one row.
void StoreCounts(ScanState *state, TupleTableSlot *slot);
// Whether the plan is one of aggregates without groups, which have a row even where there is nothing to aggregate.
bool HasOneGroup(const ScanState *state);
// That row: counts of zero, and nulls.
void StoreEmptyGroup(ScanState *state, TupleTableSlot *slot);

// ---- top_scan.cpp: the first rows of an order ----

// After the rest of BuildQuery: has their keys asked for first where that is quicker.
void ChooseTop(ScanState *state);
// At the end of a scan: keeps what was seen of that, where it changes what is done the next time.
void LearnTop(ScanState *state);

// ---- async.cpp ----

bool IsForeignPathAsyncCapable(ForeignPath *path);
void ForeignAsyncRequest(AsyncRequest *request);
void ForeignAsyncConfigureWait(AsyncRequest *request);
void ForeignAsyncNotify(AsyncRequest *request);

// FdwRoutine callbacks.
void BeginForeignScan(ForeignScanState *node, int flags);
TupleTableSlot *IterateForeignScan(ForeignScanState *node);
void ReScanForeignScan(ForeignScanState *node);
void EndForeignScan(ForeignScanState *node);
void ExplainForeignScan(ForeignScanState *node, ExplainState *explain);

}  // namespace supabase::pg
