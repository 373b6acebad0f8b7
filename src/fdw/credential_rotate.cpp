// Encrypting stored credentials again with another key.

#include <cstring>
#include <string>

#include "core/keyring.hpp"

#include "fdw/bridge.hpp"
#include "fdw/credential_write.hpp"

extern "C" {
#include "access/xact.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_rotate_keys(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_rotate_keys);
}

namespace {

bool IsOld(const struct varlena *sealed) {
  if (sealed == nullptr) return false;
  std::string_view const bytes(VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed));
  uint32 const key = Guard([&] { return KeyOf(bytes); });
  return key != ActiveKey();
}

bytea *Reseal(const StoredRow *row, int number) {
  auto *secret = Own<Secret>(CurrentMemoryContext);
  OpenSecret(row, row->kind->secrets[number], secret);
  return SealSecret(row->id, row->origin, row->kind->secrets[number], row->generation, secret);
}

// A refresh that goes on at the same time wins: it has written with the first key already.
bool Rotate(const StoredRow *row) {
  bool old = false;
  for (struct varlena *sealed : row->sealed)
    old = old || IsOld(sealed);
  if (!old) return false;
  CheckInstance(row);
  StringInfoData set;
  initStringInfo(&set);
  Parameter parameters[2 + kMaxSecrets] = {IdParameter(row->id), NumberParameter(row->generation)};
  int count = 2;
  for (int i = 0; i < kMaxSecrets; i++) {
    if (row->sealed[i] == nullptr) continue;
    parameters[count++] = BytesParameter(Reseal(row, i));
    appendStringInfo(&set, "%s%s = $%d", set.len > 0 ? ", " : "", row->kind->secrets[i], count);
  }
  if (!UpdateRow(row, set.data, parameters, count)) return false;
  Audit(*row->kind, row->name, "rotate", GetUserId(), "ok", nullptr);
  return true;
}

}  // namespace

// supabase_rotate_keys() RETURNS integer
Datum supabase_rotate_keys(PG_FUNCTION_ARGS) {
  if (!superuser()) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to rotate keys")));
  }
  PreventCommandIfReadOnly("supabase_rotate_keys()");
  int32 rotated = 0;
  ListCell *cell;
  for (const StoredKind *kind : kAllKinds) {
    foreach (cell, StoredRows(*kind)) {
      if (Rotate(static_cast<StoredRow *>(lfirst(cell)))) rotated++;
    }
  }
  PG_RETURN_INT32(rotated);
}

}  // namespace supabase::pg
