#pragma once

#include <memory>
#include <string>

#include "core/keyed.hpp"
#include "core/payload.hpp"
#include "core/writer.hpp"
#include "fdw/encode.hpp"
#include "fdw/scan.hpp"
#include "fdw/transaction.hpp"

extern "C" {
#include "nodes/execnodes.h"
}

namespace supabase::pg {

// The requests of one statement that changes one table: what every way of writing (modify.hpp) shares.

// The C++ side; made by Own.
struct WriteObjects {
  Request prototype;
  WriteQuery query;  // but for the condition, the same for all requests of the statement
  std::unique_ptr<Writer> writer;
  std::unique_ptr<Payload> payload;
  std::unique_ptr<KeyedWrites> keyed;
  Page page;         // rows of the answer that was taken last
  std::string body;  // of the request that is made next
  Request request;
  WriteNote note;
};

// The columns of a row that goes out.
struct Outgoing {
  int count;
  ValueEncoder *encoders;
  int *positions;  // in the row, from 0
  PayloadValue *values;
};

struct WriteState {
  WriteVerb verb;
  ScanState *rows;  // server, table, credential; columns and conversion of what comes back, conditions
  WriteObjects *objects;
  Outgoing columns, key;
  Session *session;     // NULL until StartWriting
  const char *name;     // of the remote table, UTF-8
  WriteEntry *entry;    // in the transaction's record; NULL before the first request
  uint64_t given;       // rows of the requests that were sent
  uint64_t changed;     // rows, by the answers
  uint64_t missing;     // rows that were to be changed by their keys and were not
  bool counts_missing;  // rows are named by their keys
};

WriteVerb VerbOf(CmdType operation);
// For one table and kind of write. `columns` get values and `returning` come back (IntLists of attribute numbers);
// `plan` is the fdw_private of a scan of just those, or NIL for one without conditions. Sends nothing.
WriteState *MakeWriteState(Relation relation, WriteVerb verb, List *columns, List *returning, List *plan);
// Gives a list of columns the form in which rows go out; `positions` NIL: by attribute number.
Outgoing MakeOutgoing(const Table *table, TupleDesc desc, List *columns, List *positions);
// What the table's options and the statement say about duplicates. Raises HV000 where there is no key to find them by.
void SetConflict(WriteState *state, bool do_nothing);

// Finds the credential of `user`, checks the host. After that requests can be sent.
void StartWriting(WriteState *state, Oid user);

// The condition of a statement that has none: one that is true for every row.
struct AllRows {
  const char *column;  // UTF-8
  bool never_null;
  int attno;
};
AllRows NameAllRows(const Table *table);
Condition Everything(AllRows all);
// Makes it the condition of the next request.
void NameEverything(WriteState *state);
// Makes placeholders for the key ($1, …) the condition, for EXPLAIN.
void ShowKey(WriteState *state);

// planstate_tree_walker without context.
bool WalkPlanStates(PlanState *node, bool (*walker)(PlanState *, void *));

// Whether there is a request that can be sent without waiting.
bool MaySend(const WriteState *state);
// Sends a request of objects->query with objects->body, for `rows` rows (0: for as many as meet the condition).
// `numbered`: they are the next ones of the statement.
void SendWrite(WriteState *state, uint64_t rows, bool numbered);
// Adds a row to the request that is being made; SendRows sends that.
void AddRow(WriteState *state, RowValues row);
bool BatchIsFull(const WriteState *state);
void SendRows(WriteState *state);

// Takes the next answer, in the order of the requests; false when there is none (yet, unless it may wait). Raises the
// failure of any request once all are answered.
bool TakeAnswer(WriteState *state, bool wait);
// Waits for all answers; warns of rows that were to be changed and were not.
void FinishWriting(WriteState *state);

// Stores a row of objects->page.
void StoreReturned(WriteState *state, size_t row, TupleTableSlot *slot);

// "POST /rest/v1/orders?columns=id,note", for EXPLAIN.
const char *WriteRequestText(WriteState *state);

}  // namespace supabase::pg
