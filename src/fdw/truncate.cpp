// TRUNCATE: PostgREST has none, so that it is a DELETE of all rows.

#include "fdw/bridge.hpp"
#include "fdw/modify.hpp"
#include "fdw/write.hpp"

namespace supabase::pg {
namespace {

void CheckTruncatable(Relation relation, const Table *table) {
  if (table->truncatable && table->updatable && table->function == nullptr) return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("foreign table \"%s\" does not allow truncates", RelationGetRelationName(relation))));
}

}  // namespace

void ExecForeignTruncate(List *relations, DropBehavior behavior, bool restart_sequences) {
  if (restart_sequences) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("TRUNCATE ... RESTART IDENTITY is not supported for remote tables"),
                    errdetail("A remote server can only be asked to delete the rows.")));
  }
  if (behavior == DROP_CASCADE) {
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("TRUNCATE ... CASCADE is not supported for remote tables"),
             errdetail("A remote server can only be asked to delete the rows.")));
  }
  List *states = NIL;
  ListCell *cell;
  foreach (cell, relations) {
    auto *relation = static_cast<Relation>(lfirst(cell));
    WriteState *state = MakeWriteState(relation, WriteVerb::kDelete, NIL, NIL, NIL);
    CheckTruncatable(relation, state->rows->table);
    StartWriting(state, GetUserId());
    states = lappend(states, state);
  }
  foreach (cell, states) {
    auto *state = static_cast<WriteState *>(lfirst(cell));
    NameEverything(state);
    SendWrite(state, 0, false);
    FinishWriting(state);
  }
}

}  // namespace supabase::pg
