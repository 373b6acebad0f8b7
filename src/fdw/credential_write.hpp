#pragma once

#include "fdw/credential_store.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "storage/lock.h"
}

namespace supabase::pg {

// Changing the tables with stored credentials, by SQL under the rights of the tables' owner.

// One parameter of a statement.
struct Parameter {
  Oid type;
  Datum value;
  bool isnull;
};

Parameter TextParameter(const char *text);  // NULL: null
Parameter NameParameter(const char *name);
Parameter IdParameter(const char *uuid);
Parameter BytesParameter(bytea *bytes);
Parameter TimeParameter(int64_t microseconds);  // 0: null
Parameter NumberParameter(int64_t number);

// Runs one statement, which names everything outside pg_catalog by its schema. Returns how many rows it changed.
uint64 ChangeStore(const char *sql, const Parameter *parameters, int count);
template <size_t N>
uint64 ChangeStore(const char *sql, const Parameter (&parameters)[N]) {
  return ChangeStore(sql, parameters, static_cast<int>(N));
}

// "UPDATE supabase_fdw.<its table> SET <set> WHERE id = $1 AND generation = $2", where these two come first among
// `parameters`. False when the row has gone or has another generation.
bool UpdateRow(const StoredRow *row, const char *set, const Parameter *parameters, int count);
template <size_t N>
bool UpdateRow(const StoredRow *row, const char *set, const Parameter (&parameters)[N]) {
  return UpdateRow(row, set, parameters, static_cast<int>(N));
}
// Deletes it; false when that has been done.
bool DeleteRow(const StoredRow *row);

// The owner that one of this name has or gets; raises 42710 for somebody else's.
Oid OwnerOf(const StoredKind &kind, const char *name);
// A new id: kUuidText bytes.
void MakeUuid(char *text);

// Writes a row of supabase_fdw.credential_audit. `secret` is named by its fingerprint; NULL: none.
void Audit(const StoredKind &kind, const char *name, const char *action, Oid role, const char *outcome,
           const Secret *secret);

// Whether this transaction has changed the store: a worker would wait for its rows.
bool StoreChangedHere();
// Raises 55000, with the hint to commit.
[[noreturn]] void RefuseStoreChanged(const StoredKind &kind);

// Heavyweight locks on a login that no SQL can take (pg_advisory_lock has other tags).
enum class CredentialLockKind : uint16 {
  kRefresh = 3,  // held by the worker that refreshes it, as long as it runs
  kLaunch = 4,   // held by the session that starts the worker and waits for it
};
LOCKTAG CredentialLock(const char *id, CredentialLockKind kind);

// --- By a worker, which commits on its own --------------------------------------------------------------------------

// The credential's server; raises 55000 when this database is a copy, 42501 when the server has another address by now
// or its host is not allowed.
Server *CheckRefreshable(const StoredRow *stored);
// The address of the API that credentials of this kind are for; NULL when the server has none.
const char *AddressFor(const StoredKind &kind, const Server *server);
// Refreshes a credential unless its generation is not `stored->generation` any more; `role` is who asks. Waits until it
// is done, whatever came of it: the row tells. False when there is no free worker. A cancelled wait leaves the worker
// at work.
bool RefreshInWorker(const StoredCredential *stored, Oid role);

// A new credential, or new tokens for one of that name and owner.
struct NewCredential {
  const StoredKind *kind;
  const char *name;
  char id[kUuidText];
  Oid owner;
  Oid role;  // who saves it
  const char *server;
  const char *origin;
  const char *instance;
  const char *details[kMaxDetails];  // in the order of the kind's; or NULL
  bytea *access;                     // or NULL
  bytea *refresh;
  int64_t expires_at;  // Unix microseconds, 0: no access token
  const char *fingerprint;
};
// Raises what the worker raised, and 53400 when there is none.
void SaveInWorker(const NewCredential *credential);
// Writes the row, in a worker. Raises 42710 when another role has one of that name.
void InsertCredential(const NewCredential *credential);

}  // namespace supabase::pg
