#pragma once

#include "core/management_reader.hpp"

#include "fdw/auth.hpp"
#include "fdw/convert.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
}

namespace supabase::pg {

// Foreign tables of a server of type 'management'. What they are is in core/catalogue.json; a condition on a column
// that is a parameter of the request binds it, by a constant, a parameter, a list or the row of another table; without
// one for the parent (the project, the organization) every parent is asked.

// A foreign table and its table of the catalogue. Lives as long as the current memory context.
struct ApiRelation {
  const Server *server;
  const Table *table;
  const ApiTable *api;
  const char *name;  // local
  int natts;
  int *columns;  // by attribute number - 1: index in the catalogue; -1 for a dropped column
};

// Raises HV00R for a table that the catalogue does not have, HV005 for such a column.
ApiRelation *UseApiRelation(Oid table_id);
// The catalogue's column of an attribute; NULL for a dropped one.
const ApiColumn *ColumnOf(const ApiRelation *relation, AttrNumber attno);
// Raises 42501 unless the role owns the table or was granted the privilege on the column by its name: a grant on the
// table is none for a column that shows a secret.
void CheckSecretColumn(const ApiRelation *relation, AttrNumber attno, Oid role);
// Raises 55000 unless the server's option "destructive" is on.
void CheckDestructive(const Server *server, const ApiOperation *operation);

// Whether fdw_private is that of a plan for such a table.
bool IsManagementPlan(List *fdw_private);

// The C++ side of whatever asks the Management API; made by Own.
struct ManagementObjects {
  Credential credential;
  ManagementCaller caller;
};
// Credential, address and session of a role's requests to a server. Raises what ResolveManagementCredential raises.
void OpenManagement(const Server *server, Oid role, ManagementObjects *objects);
// What is known of the limits of requests.
RateLimits *GetRateLimits();
// Waits until the reader has a row or is at its end; false at the end. Warns of the projects that are left out.
bool AwaitRow(Session *session, ManagementReader *reader);

// ---- management_plan.cpp ----

// How a condition gives the value of a column.
enum class BindKind { kValue, kList, kTrue, kFalse };
// fdw_private of a scan.
enum ManagementPrivate {
  kManagementMark,     // String
  kManagementColumns,  // attribute numbers to fetch (IntList)
  kManagementKeys,     // (Integer column, Integer BindKind, Integer parameter) each
};

void ManagementRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table_id);
void ManagementPaths(PlannerInfo *root, RelOptInfo *rel);
ForeignScan *ManagementPlan(PlannerInfo *root, RelOptInfo *rel, ForeignPath *path, List *tlist, List *clauses,
                            Plan *outer_plan);

// ---- management_scan.cpp ----

void BeginManagementScan(ForeignScanState *node, int flags);
TupleTableSlot *IterateManagementScan(ForeignScanState *node);
void ReScanManagementScan(ForeignScanState *node);
void EndManagementScan(ForeignScanState *node);
void ExplainManagementScan(ForeignScanState *node, ExplainState *explain);

}  // namespace supabase::pg
