#pragma once

#include <deque>
#include <unordered_map>

#include "fdw/modify.hpp"
#include "fdw/write.hpp"

extern "C" {
#include "utils/tuplestore.h"
}

namespace supabase::pg {

// Where the rows below came from that changed rows belong to, for a RETURNING that reads both.
struct Sources {
  std::unordered_map<std::string, MinimalTuple> by_key;
  std::deque<MinimalTuple> in_order;  // of requests for one row each, where the key itself changes
};

// Execution of a direct modification (modify.hpp).
struct DirectState {
  WriteState *write;
  List *plan;  // fdw_private
  int flags;
  List *expression_states;
  bool started, no_more_rows;
  TupleTableSlot *result;    // the changed row, shaped as the table
  size_t row;                // next in the answer's page
  uint64_t processed;        // rows that were counted for the statement
  Tuplestorestate *store;    // all rows below, where writing while they are read would change them
  TupleTableSlot *stored;    // one of them
  MemoryContext parameters;  // values of a pushed statement
  SplitQuery *pushed;        // its requests; NULL: no row can meet its conditions
  size_t part;               // the next of them
  Sources *sources;          // NULL unless kDirectNeedsSource
  MemoryContext source_context;
  bool one_row_each;  // a request for each row
};

// ---- keyed_modify.cpp: UPDATE and DELETE of the rows that the plan below names ----

void StartKeyed(ForeignScanState *node, DirectState *state);
// Sends the next request, if there is another row.
void SendKeyed(ForeignScanState *node, DirectState *state);
// Finds the row below that the row in state->result comes from.
MinimalTuple FindSource(DirectState *state);

// The next row of the plan below, or NULL.
TupleTableSlot *NextRowBelow(ForeignScanState *node, DirectState *state);

}  // namespace supabase::pg
