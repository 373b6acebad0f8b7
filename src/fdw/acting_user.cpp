#include "fdw/acting_user.hpp"

extern "C" {
#include "executor/executor.h"
#include "parser/parsetree.h"
}

namespace supabase::pg {

RangeTblEntry *ScannedTable(ForeignScanState *node) {
  auto *plan = reinterpret_cast<ForeignScan *>(node->ss.ps.plan);
  int const index =
      plan->scan.scanrelid > 0 ? static_cast<int>(plan->scan.scanrelid) : bms_next_member(plan->fs_relids, -1);
  return exec_rt_fetch(static_cast<Index>(index), node->ss.ps.state);
}

Oid ActingUser(ForeignScanState *node) {
#if PG_VERSION_NUM >= 160000
  Oid const user = reinterpret_cast<ForeignScan *>(node->ss.ps.plan)->checkAsUser;
#else
  Oid const user = ScannedTable(node)->checkAsUser;
#endif
  return OidIsValid(user) ? user : GetUserId();
}

Oid WritingUser(EState *estate, ResultRelInfo *info) {
#if PG_VERSION_NUM >= 160000
  Oid const user = ExecGetResultRelCheckAsUser(info, estate);
#else
  ResultRelInfo *named = info->ri_RootResultRelInfo != nullptr ? info->ri_RootResultRelInfo : info;
  Oid const user = exec_rt_fetch(named->ri_RangeTableIndex, estate)->checkAsUser;
#endif
  return OidIsValid(user) ? user : GetUserId();
}

}  // namespace supabase::pg
