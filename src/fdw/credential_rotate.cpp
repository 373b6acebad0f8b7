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

bytea *Reseal(const StoredLogin *login, const char *column, bool present) {
  if (!present) return nullptr;
  auto *token = Own<Secret>(CurrentMemoryContext);
  OpenToken(login, column, token);
  return SealToken(login->id, login->origin, column, login->generation, token);
}

// A refresh that goes on at the same time wins: it has written with the first key already.
bool Rotate(const StoredLogin *login) {
  if (!IsOld(login->access) && !IsOld(login->refresh)) return false;
  CheckInstance(login);
  Parameter const parameters[] = {IdParameter(login->id), NumberParameter(login->generation),
                                  BytesParameter(Reseal(login, kAccessToken, login->access != nullptr)),
                                  BytesParameter(Reseal(login, kRefreshToken, true))};
  if (ChangeStore(
          "UPDATE supabase_fdw.logins SET access_token = $3, refresh_token = $4 WHERE id = $1 AND generation = $2",
          parameters) != 1) {
    return false;
  }
  Audit(login->name, "rotate", GetUserId(), "ok", nullptr);
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
  foreach (cell, AllLogins()) {
    if (Rotate(static_cast<StoredLogin *>(lfirst(cell)))) rotated++;
  }
  PG_RETURN_INT32(rotated);
}

}  // namespace supabase::pg
