#pragma once

#include "fdw/deparse.hpp"
#include "fdw/scan.hpp"

namespace supabase::pg {

// Foreign tables that show the rows of a remote function (option rpc). Its arguments are columns; a condition
// "argument = value" gives one, and the column shows that value. "argument IS NULL" passes null. An argument that no
// condition gives is left out of the call, so that its remote default holds, and its column is NULL; it must not be
// used in other conditions or joins then, because nobody knows here what the value is.

// ---- Planner ----

// Takes a condition as an argument: appends (Integer column, Integer parameter or kNullValue) to `arguments`. False
// when it is none, or the argument is given already.
bool TakeArgument(DeparseContext *context, Expr *clause, List **arguments);

// The tree for a condition on the function's result (DeparseClause), or NIL with the reason set.
List *DeparseResultClause(DeparseContext *context, Expr *clause);

// Raises an error for an argument that a condition or a join needs, but that `arguments` does not have. `local`:
// conditions that are checked here.
void CheckArguments(const DeparseContext *context, List *arguments, List *local);

// Adds paths in which joined relations give arguments. False when no path without them makes sense.
bool AddCallPaths(DeparseContext *context);

// ---- Executor ----

// Sets the call of objects->options.query and objects->call from the plan's arguments. `values` as in BuildCondition.
// False when an argument is compared with NULL, so that no row can satisfy the condition.
bool BindArguments(ScanState *state, const Datum *values, const bool *isnull);

// Fills the slot's columns of arguments.
void StoreArguments(const ScanState *state, TupleTableSlot *slot);

// Makes a read's request that of the call. No PostgreSQL call.
void SetCallRequest(const ScanObjects *objects, const Server *server, const char *schema, Request *request);

}  // namespace supabase::pg
