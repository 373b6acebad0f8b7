#pragma once

#include "core/condition.hpp"
#include "core/message.hpp"
#include "core/pager.hpp"
#include "core/reader.hpp"
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
  bool started, exhausted, never;  // never: no row can satisfy the conditions, nothing is sent
  bool recheck;                    // conditions could not be sent: filter here
  size_t row;                      // next in the page
  int column_count;
  ColumnConverter *converters;  // in select order
  int *key;                     // positions of the key's columns
  int key_count;
  ConvertPosition position;
};

// Sets objects->options from the plan. `values` as in BuildCondition; NULL values for EXPLAIN. Sets state->never.
void BuildQuery(ScanState *state, const Datum *values, const bool *isnull);

// FdwRoutine callbacks.
void BeginForeignScan(ForeignScanState *node, int flags);
TupleTableSlot *IterateForeignScan(ForeignScanState *node);
void ReScanForeignScan(ForeignScanState *node);
void EndForeignScan(ForeignScanState *node);
void ExplainForeignScan(ForeignScanState *node, ExplainState *explain);

}  // namespace supabase::pg
