#pragma once

#include "fdw/deparse.hpp"
#include "fdw/plan.hpp"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// The planner's notes on one foreign table of a query, in rel->fdw_private; shared by the files that plan.
struct RelInfo {
  DeparseContext deparse;
  List *remote;        // RestrictInfos that are shipped
  List *trees;         // their trees, same order
  List *local;         // RestrictInfos that are not
  List *reasons;       // Strings, same order as local
  List *key;           // attribute numbers of the key's columns
  int at_most;         // rows that the shipped conditions allow by the key; -1: any number
  double transferred;  // rows that come over the network, before local conditions
  QualCost local_cost;
  List *arguments;         // of a function (rpc.hpp)
  List *argument_clauses;  // RestrictInfos that give them
};

RelInfo *InfoOf(RelOptInfo *rel);

// Whether the column comes from the remote: neither dropped nor an argument of the function.
bool IsResult(const RelInfo *info, int attno);

// Whether conditions may turn out too long to be sent beside the table's columns. They are then filtered here, so that
// their columns must be fetched as well.
bool MayNeedRecheck(const RelInfo *info, List *trees, List *parameters);
// A column to name in a request that needs none: one that the remote is sure to show, so the key's first. Raises HV000
// for a table without columns.
AttrNumber AnyColumn(const Table *table);

// ---- order.cpp: what the remote sorts ----

// Whether every pathkey can be sent; `by_key` when they are the beginning of the key's own ascending order, in which
// pages come anyway.
bool OrderShippable(RelOptInfo *rel, List *pathkeys, bool *by_key);
// Items of kPlanOrder (plan.hpp).
List *PathOrder(RelOptInfo *rel, List *pathkeys);
List *AddOrder(List *order, const RelInfo *info, AttrNumber attno);
// What makes an order total enough for paging by offset: the key; without one every fetched column, since rows that
// are equal in all of them are interchangeable. Where a fetched column cannot be sorted by, every column that can.
List *AddTieBreakers(List *order, const RelInfo *info, List *columns);
// Whether the first rows of that order are worth two requests. `columns` are those to be fetched.
PlanTop TopOf(const RelInfo *info, List *columns, List *order);

}  // namespace supabase::pg
