#pragma once

#include "fdw/postgres.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// What a plan carries for the executor: fdw_private is a List in this order. Lists, Strings and Integers only, no
// server address, no credential: who asks, and where, is decided when the request is sent.
enum PlanPrivate {
  kPlanConditions,  // trees (deparse.hpp), ANDed
  kPlanColumns,     // attribute numbers to fetch, in select order (IntList); 0 for count(*)
  kPlanKey,         // positions in that list of the key's columns (IntList); empty: paging by offset
  kPlanOrder,       // (String column, Integer descending, Integer nulls_first) each
  kPlanLimit,       // Integers: parameter numbers of LIMIT and OFFSET, kNoParameter for none
  kPlanAtMost,      // Integer: rows that the key conditions allow, -1 for any number
  kPlanReasons,     // Strings: why a condition is filtered locally
  kPlanRecheck,     // Integer: whether the columns for filtering the shipped conditions here are fetched too
  kPlanOrdered,     // Integer: whether the rows must come in that order
  kPlanFunctions,   // Strings, aggregate function by column ("": none), of a plan whose rows are groups; NIL otherwise
  kPlanCounts,      // by column its own conditions (Lists of trees): each is a count of rows, asked for without any row
  kPlanArguments,   // of a function: (Integer column, Integer parameter or kNullValue) each
  kPlanAll,         // Integer: a PlanAll
  kPlanTop,         // Integer: a PlanTop
};

// Whether all rows are wanted, as far as the planner knows.
enum PlanAll {
  kSomeRows,
  kAllRows,
  kManyRows,  // all, and so many that they will be read in ranges
};

// Whether the keys of the first rows may be asked for before the rows (core/top_keys.hpp).
enum PlanTop {
  kTopAtOnce,
  kTopAsLearnt,  // where that has shown to be quicker
  kTopByKeys,    // likewise, and as long as nothing is known: many rows are sorted
};

// The same as values, for making it.
struct ScanPlan {
  List *conditions, *columns, *key, *order, *limit;
  int at_most;
  List *reasons;
  bool recheck, ordered;
  List *functions, *counts, *arguments;
  PlanAll all = kSomeRows;
  PlanTop top = kTopAtOnce;
};
List *MakePlanPrivate(const ScanPlan *plan);
// Of a scan without order or limit: these conditions (trees) and columns only.
List *MakePlainScan(List *conditions, List *columns);

// FdwRoutine callbacks.
void GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table_id);
void GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid table_id);
ForeignScan *GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid table_id, ForeignPath *path, List *tlist,
                            List *clauses, Plan *outer_plan);

}  // namespace supabase::pg
