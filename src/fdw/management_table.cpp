#include "fdw/management_table.hpp"

#include "core/crypto.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/management.hpp"

extern "C" {
#include "access/table.h"
#include "foreign/foreign.h"
#include "utils/acl.h"
}

namespace supabase::pg {

namespace {

constexpr char kMark[] = "management";

// Process-wide and never freed, like the session.
RateLimits *rate_limits = nullptr;

const ApiTable *FindApiTable(const char *name) {
  return Guard([&] { return Catalogue::Get().FindTable(name); });
}

}  // namespace

ApiRelation *UseApiRelation(Oid table_id) {
  auto *relation = static_cast<ApiRelation *>(palloc0(sizeof(ApiRelation)));
  relation->server = UseServer(GetForeignServerIdByRelId(table_id));
  relation->table = UseTable(table_id, relation->server);
  relation->name = get_rel_name(table_id);
  const char *resource = relation->table->resource != nullptr ? relation->table->resource : relation->name;
  relation->api = FindApiTable(resource);
  if (relation->api == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_FDW_TABLE_NOT_FOUND), errmsg("the Management API has no table \"%s\"", resource),
                    errhint("IMPORT FOREIGN SCHEMA management creates those that it has.")));
  }
  relation->natts = relation->table->natts;
  relation->columns = static_cast<int *>(palloc(sizeof(int) * static_cast<Size>(relation->natts + 1)));
  for (int i = 0; i < relation->natts; i++) {
    const char *name = relation->table->columns[i].name;
    relation->columns[i] = name == nullptr ? -1 : relation->api->FindColumn(name);
    if (name == nullptr || relation->columns[i] >= 0) continue;
    ereport(ERROR, (errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
                    errmsg("table \"%s\" of the Management API has no column \"%s\"", resource, name),
                    errhint("Import the table again, or set the option \"column_name\" of the column.")));
  }
  return relation;
}

const ApiColumn *ColumnOf(const ApiRelation *relation, AttrNumber attno) {
  int const index = relation->columns[attno - 1];
  return index < 0 ? nullptr : &relation->api->columns[static_cast<size_t>(index)];
}

void CheckSecretColumn(const ApiRelation *relation, AttrNumber attno, Oid role) {
  const ApiColumn *column = ColumnOf(relation, attno);
  if (column == nullptr || !column->secret || column->digest || column->write_only) return;
  Oid const table_id = relation->table->id;
#if PG_VERSION_NUM >= 160000
  bool const owner = object_ownercheck(RelationRelationId, table_id, role);
#else
  bool const owner = pg_class_ownercheck(table_id, role);
#endif
  if (owner || pg_attribute_aclcheck(table_id, attno, role, ACL_SELECT) == ACLCHECK_OK) return;
  const char *name = get_attname(table_id, attno, false);
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                  errmsg("permission denied for column \"%s\" of foreign table \"%s\"", name, relation->name),
                  errdetail("The column shows secrets. A privilege on the whole table does not include it."),
                  errhint("Leave it out, or have it granted: GRANT SELECT (%s) ON %s TO ...", quote_identifier(name),
                          quote_identifier(relation->name))));
}

void CheckDestructive(const Server *server, const ApiOperation *operation) {
  if (!operation->destructive || server->destructive) return;
  ereport(ERROR,
          (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
           errmsg("operation \"%s\" is destructive, which server \"%s\" does not permit", operation->id.c_str(),
                  server->name),
           errdetail("Nothing was sent."),
           errhint("To permit it: ALTER SERVER %s OPTIONS (ADD destructive 'true').", quote_identifier(server->name))));
}

bool IsManagementPlan(List *fdw_private) {
  return fdw_private != NIL && linitial(fdw_private) != nullptr && IsA(linitial(fdw_private), String) &&
         strcmp(strVal(linitial(fdw_private)), kMark) == 0;
}

RateLimits *GetRateLimits() {
  Guard([&] {
    if (rate_limits == nullptr) rate_limits = new RateLimits();
  });
  return rate_limits;
}

void OpenManagement(const Server *server, Oid role, ManagementObjects *objects) {
  CheckHostAllowed(server);
  ResolveManagementCredential(server, role, &objects->credential);
  bool const allow_private = AllowPrivate(server);
  Session *session = GetSession();
  RateLimits *limits = GetRateLimits();
  Guard([&] {
    ManagementCaller *caller = &objects->caller;
    FillManagementRequest(&caller->prototype, server, allow_private);
    AddCredential(objects->credential, &caller->prototype);
    caller->name = std::string(server->host) + " " + Fingerprint(objects->credential.authorization);
    caller->session = session;
    caller->limits = limits;
  });
}

static void Warn(const ManagementReader::Skipped *skipped) {
  const char *parent = ToServer(skipped->parent.c_str(), skipped->parent.size());
  const char *message = ToServerLossy(skipped->problem.what());
  ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("\"%s\" is left out: %s", parent, message)));
}

bool AwaitRow(Session *session, ManagementReader *reader) {
  for (;;) {
    const Transfer *transfer = Guard([&] { return reader->Waiting(); });
    if (transfer == nullptr) return Guard([&] { return reader->HasRow(); });
    Await(session, transfer);
    auto *skipped = Own<std::vector<ManagementReader::Skipped>>(CurrentMemoryContext);
    Guard([&] {
      reader->Take();
      *skipped = reader->TakeSkipped();
    });
    TraceAnswer(reader->last());
    for (const ManagementReader::Skipped &one : *skipped)
      Warn(&one);
  }
}

}  // namespace supabase::pg
