#include "fdw/transaction.hpp"

extern "C" {
#include "access/xact.h"
#include "utils/guc.h"
}

namespace supabase::pg {

struct WriteEntry {
  WriteEntry *next;
  char *server, *table;
  WriteKind kind;
  int level;         // of the subtransaction it belongs to
  bool rolled_back;  // and a warning has said so
  uint64_t changed;
  uint64_t open_rows, open_requests;  // without an answer
};

namespace {

enum Permission { kAllow, kWarn, kError };

constexpr config_enum_entry kPermissions[] = {
    {"allow", kAllow, false}, {"warn", kWarn, false}, {"error", kError, false}, {nullptr, 0, false}};

int write_in_transaction = kWarn;
int write_in_subtransaction = kError;

// Of the transaction at hand; the memory is the process's, because an abort reads it when the transaction's is gone.
WriteEntry *entries = nullptr;
bool warned_block = false, warned_subtransaction = false;

const char *const kWords[] = {"inserted into", "updated in", "deleted from", nullptr};

void CheckSubtransaction(const Table *table) {
  if (GetCurrentTransactionNestLevel() <= 1 || write_in_subtransaction == kAllow) return;
  if (write_in_subtransaction == kError) {
    ereport(ERROR,
            (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
             errmsg("cannot write to remote table \"%s\" within a savepoint or exception block", table->table_name),
             errdetail("Rolling back to the savepoint would not undo the remote write."),
             errhint("Set supabase_fdw.write_in_subtransaction to \"warn\" or \"allow\" to do it nevertheless.")));
  }
  if (warned_subtransaction) return;
  warned_subtransaction = true;
  ereport(WARNING, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                    errmsg("remote write within a savepoint or exception block cannot be rolled back")));
}

void CheckTransactionBlock(const Table *table) {
  if (!IsTransactionBlock() || write_in_transaction == kAllow) return;
  if (write_in_transaction == kError) {
    ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                    errmsg("cannot write to remote table \"%s\" within a transaction block", table->table_name),
                    errdetail("A rollback would not undo the remote write."),
                    errhint("Set supabase_fdw.write_in_transaction to \"warn\" or \"allow\" to do it nevertheless.")));
  }
  // Within a subtransaction that one's setting has spoken.
  if (warned_block || GetCurrentTransactionNestLevel() > 1) return;
  warned_block = true;
  ereport(WARNING, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                    errmsg("remote writes of this transaction block cannot be rolled back"),
                    errhint("Set supabase_fdw.write_in_transaction to \"allow\" to write without this warning.")));
}

void Forget() {
  while (entries != nullptr) {
    WriteEntry *next = entries->next;
    pfree(entries->server);
    pfree(entries->table);
    pfree(entries);
    entries = next;
  }
  warned_block = warned_subtransaction = false;
}

bool Matters(const WriteEntry *entry, int level) {
  return entry->level >= level && !entry->rolled_back && (entry->changed > 0 || entry->open_requests > 0);
}

void AppendEntry(StringInfo text, const WriteEntry *entry) {
  if (text->len > 0) appendStringInfoString(text, "\n");
  if (entry->kind == WriteKind::kCalled) {
    appendStringInfo(text, "Server \"%s\": %s was sent%s.", entry->server, entry->table,
                     entry->open_requests > 0 ? ", its outcome is unknown" : "");
    return;
  }
  appendStringInfo(text, "Server \"%s\": %llu %s %s \"%s\"", entry->server,
                   static_cast<unsigned long long>(entry->changed), entry->changed == 1 ? "row" : "rows",
                   kWords[static_cast<int>(entry->kind)], entry->table);
  if (entry->open_rows > 0) {
    appendStringInfo(text, ", the outcome for %llu more unknown", static_cast<unsigned long long>(entry->open_rows));
  } else if (entry->open_requests > 0) {
    appendStringInfoString(text, ", the outcome of a request unknown");
  }
  appendStringInfoString(text, ".");
}

// Names what was written at `level` or deeper and is not undone.
void WarnOfRemains(int level, const char *what) {
  StringInfoData text;
  initStringInfo(&text);
  bool only_calls = true;  // which may have read only
  for (WriteEntry *entry = entries; entry != nullptr; entry = entry->next) {
    if (!Matters(entry, level)) continue;
    AppendEntry(&text, entry);
    only_calls = only_calls && entry->kind == WriteKind::kCalled;
    entry->rolled_back = true;
  }
  if (text.len == 0) return;
  ereport(WARNING, (errcode(ERRCODE_WARNING),
                    only_calls ? errmsg("remote calls of the rolled back %s are not undone", what)
                               : errmsg("remote writes of the rolled back %s remain", what),
                    errdetail_internal("%s", text.data)));
}

void AtTransaction(XactEvent event, void *) {
  switch (event) {
    case XACT_EVENT_PRE_PREPARE:
      for (const WriteEntry *entry = entries; entry != nullptr; entry = entry->next) {
        if (entry->changed == 0 && entry->open_requests == 0) continue;
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot PREPARE a transaction that has written to remote tables")));
      }
      break;
    case XACT_EVENT_ABORT:
      WarnOfRemains(1, "transaction");
      Forget();
      break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
      Forget();
      break;
    default:
      break;
  }
}

void AtSubtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
  if (entries == nullptr) return;
  int const level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_ABORT_SUB) WarnOfRemains(level, "subtransaction");
  if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB) return;
  for (WriteEntry *entry = entries; entry != nullptr; entry = entry->next)
    entry->level = Min(entry->level, level - 1);
}

WriteEntry *Enter(const Server *server, const char *name, WriteKind kind) {
  int const level = GetCurrentTransactionNestLevel();
  for (WriteEntry *entry = entries; entry != nullptr; entry = entry->next) {
    bool const same = entry->kind == kind && entry->level == level && !entry->rolled_back &&
                      strcmp(entry->server, server->name) == 0 && strcmp(entry->table, name) == 0;
    if (same) return entry;
  }
  auto *entry = static_cast<WriteEntry *>(MemoryContextAllocZero(TopMemoryContext, sizeof(WriteEntry)));
  entry->server = MemoryContextStrdup(TopMemoryContext, server->name);
  entry->table = MemoryContextStrdup(TopMemoryContext, name);
  entry->kind = kind;
  entry->level = level;
  WriteEntry **last = &entries;
  while (*last != nullptr)
    last = &(*last)->next;
  *last = entry;
  return entry;
}

}  // namespace

WriteEntry *EnterWrite(const Server *server, const Table *table, WriteKind kind) {
  CheckSubtransaction(table);
  CheckTransactionBlock(table);
  return Enter(server, table->table_name, kind);
}

WriteEntry *EnterCall(const Server *server, const char *what) {
  return Enter(server, what, WriteKind::kCalled);
}

void WriteBegins(WriteEntry *entry, uint64_t rows) {
  entry->open_requests++;
  entry->open_rows += rows;
}

void WriteEnded(WriteEntry *entry, uint64_t rows, uint64_t changed) {
  entry->open_requests--;
  entry->open_rows -= rows;
  entry->changed += changed;
}

void DefineWriteSettings() {
  DefineCustomEnumVariable("supabase_fdw.write_in_transaction",
                           "Whether remote tables may be written in a transaction block.",
                           "A rollback does not undo a remote write.", &write_in_transaction, kWarn, kPermissions,
                           PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("supabase_fdw.write_in_subtransaction",
                           "Whether remote tables may be written within a savepoint or exception block.",
                           "Rolling back to the savepoint does not undo a remote write.", &write_in_subtransaction,
                           kError, kPermissions, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  RegisterXactCallback(AtTransaction, nullptr);
  RegisterSubXactCallback(AtSubtransaction, nullptr);
}

}  // namespace supabase::pg
