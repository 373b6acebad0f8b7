#include "fdw/credential_write.hpp"

#include <cstring>
#include <string>

#include "core/crypto.hpp"

#include "fdw/bridge.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/uuid.h"
}

namespace supabase::pg {
namespace {

// In the transaction at hand.
bool store_changed = false;

void ForgetChange(XactEvent event, void *) {
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) store_changed = false;
}

void NoteChange() {
  static bool registered = false;
  if (!registered) RegisterXactCallback(ForgetChange, nullptr);
  registered = true;
  store_changed = true;
}

// The owner of the tables: the role that made the extension.
Oid StoreOwner() {
  Oid const relation = get_relname_relid("logins", get_namespace_oid("supabase_fdw", false));
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"supabase_fdw.%s\" does not exist", "logins")));
  }
  Oid const owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

}  // namespace

Parameter TextParameter(const char *text) {
  return {TEXTOID, text == nullptr ? Datum(0) : CStringGetTextDatum(text), text == nullptr};
}

Parameter NameParameter(const char *name) {
  return {NAMEOID, DirectFunctionCall1(namein, CStringGetDatum(name)), false};
}

Parameter IdParameter(const char *uuid) {
  return {UUIDOID, DirectFunctionCall1(uuid_in, CStringGetDatum(uuid)), false};
}

Parameter BytesParameter(bytea *bytes) {
  return {BYTEAOID, PointerGetDatum(bytes), bytes == nullptr};
}

Parameter TimeParameter(int64_t microseconds) {
  return {TIMESTAMPTZOID, TimestampTzGetDatum(FromMicroseconds(microseconds)), microseconds == 0};
}

Parameter NumberParameter(int64_t number) {
  return {INT8OID, Int64GetDatum(number), false};
}

// The end of the transaction, or of the subtransaction, takes role and search path back when an error leaves.
uint64 ChangeStore(const char *sql, const Parameter *parameters, int count) {
  NoteChange();
  Oid user;
  int context;
  GetUserIdAndSecContext(&user, &context);
  SetUserIdAndSecContext(StoreOwner(), context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
  int const level = NewGUCNestLevel();
  (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
  auto *types = static_cast<Oid *>(palloc(sizeof(Oid) * static_cast<Size>(count)));
  auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(count)));
  auto *nulls = static_cast<char *>(palloc(static_cast<Size>(count)));
  for (int i = 0; i < count; i++) {
    types[i] = parameters[i].type;
    values[i] = parameters[i].value;
    nulls[i] = parameters[i].isnull ? 'n' : ' ';
  }
  if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
  int const result = SPI_execute_with_args(sql, count, types, values, nulls, false, 0);
  if (result < 0) elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
  uint64 const changed = SPI_processed;
  SPI_finish();
  AtEOXact_GUC(false, level);
  SetUserIdAndSecContext(user, context);
  return changed;
}

bool StoreChangedHere() {
  return store_changed;
}

void RefuseStoreChanged(const StoredKind &kind) {
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("%ss were changed in this transaction", kind.noun),
           errdetail("A background worker would wait for its end."), errhint("Commit first.")));
  pg_unreachable();
}

bool UpdateRow(const StoredRow *row, const char *set, const Parameter *parameters, int count) {
  const char *sql =
      psprintf("UPDATE supabase_fdw.%s SET %s WHERE id = $1 AND generation = $2", row->kind->relation, set);
  return ChangeStore(sql, parameters, count) == 1;
}

bool DeleteRow(const StoredRow *row) {
  Parameter const parameters[] = {IdParameter(row->id)};
  return ChangeStore(psprintf("DELETE FROM supabase_fdw.%s WHERE id = $1", row->kind->relation), parameters) == 1;
}

LOCKTAG CredentialLock(const char *id, CredentialLockKind kind) {
  constexpr uint32 kClass = 0x53465744;
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, kClass, static_cast<uint32>(strtoul(pnstrdup(id, 8), nullptr, 16)),
                       static_cast<uint16>(kind));
  return tag;
}

void Audit(const StoredKind &kind, const char *name, const char *action, Oid role, const char *outcome,
           const Secret *secret) {
  char fingerprint[16] = "";
  if (secret != nullptr) {
    Guard([&] { Fingerprint(*secret).copy(fingerprint, sizeof fingerprint - 1); });
  }
  Parameter const parameters[] = {NameParameter(name),
                                  TextParameter(action),
                                  TextParameter(GetUserNameFromId(role, true)),
                                  TextParameter(outcome),
                                  TextParameter(secret == nullptr ? nullptr : fingerprint),
                                  TextParameter(kind.name)};
  (void)ChangeStore(
      "INSERT INTO supabase_fdw.credential_audit (kind, name, action, role, outcome, fingerprint) "
      "VALUES ($6, $1, $2, $3, $4, $5)",
      parameters);
}

}  // namespace supabase::pg
