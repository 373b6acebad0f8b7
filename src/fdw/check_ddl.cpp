// The event trigger that keeps a server's owner from taking other roles' credentials to another address. PostgreSQL
// lets the owner change the server's options and everybody's mapping, but shows the options of a role's mapping only to
// that role: so where its secret goes is that role's to say.

#include <cstring>

#include "fdw/bridge.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_proc.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_check_ddl(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_check_ddl);
}

namespace {

// The server of that name, which keeps it until the end of the transaction: the command that follows looks the name up
// again. NULL for one that there is not.
ForeignServer *LockServer(const char *name, LOCKMODE mode) {
  Relation none = nullptr;
  ObjectAddress const address =
      get_object_address(OBJECT_FOREIGN_SERVER, reinterpret_cast<Node *>(makeString(pstrdup(name))), &none, mode, true);
  return OidIsValid(address.objectId) ? GetForeignServer(address.objectId) : nullptr;
}

// By the handler, since a wrapper can have any name.
bool IsOurs(const ForeignServer *server) {
  Oid const handler = GetForeignDataWrapper(server->fdwid)->fdwhandler;
  Oid const extension = get_extension_oid("supabase_fdw", true);
  return OidIsValid(handler) && OidIsValid(extension) &&
         getExtensionOfObject(ProcedureRelationId, handler) == extension;
}

bool OwnsServer(const ForeignServer *server) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(ForeignServerRelationId, server->serverid, GetUserId());
#else
  return pg_foreign_server_ownercheck(server->serverid, GetUserId());
#endif
}

// The server's options as the command will leave them; raises what the command would raise.
List *OptionsAfter(const ForeignServer *server, List *changes) {
  HeapTuple tuple = SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(server->serverid));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for foreign server %u", server->serverid);
  bool isnull;
  Datum const before = SysCacheGetAttr(FOREIGNSERVEROID, tuple, Anum_pg_foreign_server_srvoptions, &isnull);
  Datum const after = transformGenericOptions(ForeignServerRelationId, isnull ? Datum(0) : before, changes,
                                              GetForeignDataWrapper(server->fdwid)->fdwvalidator);
  ReleaseSysCache(tuple);
  return DatumGetPointer(after) == nullptr ? NIL : untransformRelOptions(after);
}

// Whether the mapping has a secret that the current user may not have, and that nothing binds to an address. The
// mapping of PUBLIC is the owner's to read.
bool IsAtStake(HeapTuple tuple, TupleDesc desc) {
  auto *form = reinterpret_cast<Form_pg_user_mapping>(GETSTRUCT(tuple));
  if (!OidIsValid(form->umuser) || has_privs_of_role(GetUserId(), form->umuser)) return false;
  bool isnull;
  Datum const datum = heap_getattr(tuple, Anum_pg_user_mapping_umoptions, desc, &isnull);
  List *options = isnull ? NIL : untransformRelOptions(datum);
  return HoldsSecret(options) && FindOption(options, "origin") == nullptr;
}

// A role whose secret would go to another address with the server, or InvalidOid.
Oid FindRoleAtStake(Oid server_id) {
  Relation relation = table_open(UserMappingRelationId, AccessShareLock);
  SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, nullptr, 0, nullptr);
  Oid role = InvalidOid;
  HeapTuple tuple;
  while (!OidIsValid(role) && HeapTupleIsValid(tuple = systable_getnext(scan))) {
    auto *form = reinterpret_cast<Form_pg_user_mapping>(GETSTRUCT(tuple));
    if (form->umserver == server_id && IsAtStake(tuple, RelationGetDescr(relation))) role = form->umuser;
  }
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return role;
}

// Conflicts with the lock below: a mapping that is being made is waited for.
void CheckAlterServer(const AlterForeignServerStmt *statement) {
  const ForeignServer *server = LockServer(statement->servername, ShareRowExclusiveLock);
  if (server == nullptr || superuser() || !IsOurs(server) || !OwnsServer(server)) return;
  List *options = OptionsAfter(server, statement->options);
  if (strcmp(ServerAddress(server->servertype, server->options), ServerAddress(server->servertype, options)) == 0) {
    return;
  }
  Oid const role = FindRoleAtStake(server->serverid);
  if (!OidIsValid(role)) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("permission denied to change the address of server \"%s\"", server->servername),
                  errdetail("The credential of role \"%s\" would go to the new address: its user mapping has no option "
                            "\"origin\".",
                            GetUserNameFromId(role, false)),
                  errhint("The role can drop its user mapping and make it again, or set origin to the address that may "
                          "have the credential. A superuser can change the server's address.")));
}

// A mapping that the owner gives a role with an origin is his; one that the role has is not, for that is where its
// secret may go.
void CheckAlterMapping(const AlterUserMappingStmt *statement) {
  const ForeignServer *server = LockServer(statement->servername, RowExclusiveLock);
  if (server == nullptr || superuser() || statement->user->roletype == ROLESPEC_PUBLIC) return;
  Oid const role = get_rolespec_oid(statement->user, true);
  if (!OidIsValid(role) || has_privs_of_role(GetUserId(), role) || !IsOurs(server) || !OwnsServer(server)) return;
  ListCell *cell;
  foreach (cell, statement->options) {
    if (strcmp(static_cast<DefElem *>(lfirst(cell))->defname, "origin") != 0) continue;
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied to change option \"origin\" of the user mapping for \"%s\" and server \"%s\"",
                    GetUserNameFromId(role, false), server->servername),
             errdetail("Where its credential goes is for that role to say."),
             errhint("The user mapping can be dropped and made again.")));
  }
}

}  // namespace

// supabase_fdw.check_ddl() RETURNS event_trigger
Datum supabase_check_ddl(PG_FUNCTION_ARGS) {
  if (!CALLED_AS_EVENT_TRIGGER(fcinfo)) {
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("function must be called by an event trigger")));
  }
  // The statement may hold a key.
  StatementHider hider;
  hider.Push();
  const Node *statement = reinterpret_cast<EventTriggerData *>(fcinfo->context)->parsetree;
  if (IsA(statement, AlterForeignServerStmt)) {
    CheckAlterServer(reinterpret_cast<const AlterForeignServerStmt *>(statement));
  } else if (IsA(statement, AlterUserMappingStmt)) {
    CheckAlterMapping(reinterpret_cast<const AlterUserMappingStmt *>(statement));
  } else if (IsA(statement, CreateUserMappingStmt)) {
    (void)LockServer(reinterpret_cast<const CreateUserMappingStmt *>(statement)->servername, RowExclusiveLock);
  }
  hider.Pop();
  PG_RETURN_VOID();
}

}  // namespace supabase::pg
