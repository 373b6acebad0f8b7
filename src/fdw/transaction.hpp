#pragma once

#include <cstdint>

#include "fdw/option.hpp"

namespace supabase::pg {

// What a transaction has changed at remote servers, which no local rollback can undo. Each remote write is entered
// before it is sent, so that an abort, whatever its cause, can name it; the entry tells what became of it.

enum class WriteKind { kInserted, kUpdated, kDeleted, kCalled };

struct WriteEntry;

// The entry for one kind of write to one table at the transaction's present nest level; checks first whether the
// settings supabase_fdw.write_in_transaction and supabase_fdw.write_in_subtransaction allow it. Raises 25001.
WriteEntry *EnterWrite(const Server *server, const Table *table, WriteKind kind);

// The entry for calls of supabase_request and supabase_rpc that may write: `what` is method and path. Whoever writes a
// request by hand knows that it is one, so the settings do not forbid it; a rollback names it all the same.
WriteEntry *EnterCall(const Server *server, const char *what);

// A request for that many rows (0: for as many as meet its conditions) is about to be sent.
void WriteBegins(WriteEntry *entry, uint64_t rows);
// It has an answer, as which that many rows were changed.
void WriteEnded(WriteEntry *entry, uint64_t rows, uint64_t changed);

// Registers the callbacks and defines the settings. Called once by _PG_init.
void DefineWriteSettings();

}  // namespace supabase::pg
