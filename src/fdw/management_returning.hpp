#pragma once

#include "core/management_write.hpp"

#include "fdw/management_send.hpp"

namespace supabase::pg {

// What is known of a row after it was changed: what the answer says, what was given, and, where RETURNING needs more,
// the row as it is read again.
struct Returning;

Returning *MakeReturning(const ApiRelation *relation, const ManagementObjects *management, TupleDesc desc,
                         List *columns, MemoryContext context);
// Fills the slot. `sent` NULL: the row was found by FindCreated.
void StoreReturning(Returning *returning, const CallObjects *sent, const ApiRow *row, TupleTableSlot *slot);

// After an INSERT whose outcome is unknown: whether the row is there, by the columns that an INSERT must have and the
// time it was made.
bool FindCreated(Returning *returning, const ApiRow *row);

// Makes up what the catalogue says is made when it is not given: the password of a project.
void KeepGenerated(Returning *returning, std::vector<ApiRow> *rows);
// Keeps it, encrypted, under the key of the row.
void StoreGenerated(Returning *returning, const CallObjects *sent, const ApiRow *row);

}  // namespace supabase::pg
