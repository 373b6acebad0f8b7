// Jobs of the worker that have a result: handing over what they are about and what came of it, and saving a login.

#include <cstring>

#include "fdw/bridge.hpp"
#include "fdw/credential_worker.hpp"
#include "fdw/oauth.hpp"
#include "fdw/project_password.hpp"

namespace supabase::pg {
namespace {

void Save(const char *fields, const Task *task) {
  NewCredential made = {};
  made.kind = &KindOf(task->kind);
  made.name = NameStr(task->name);
  memcpy(made.id, task->id, sizeof made.id);
  made.role = task->role;
  auto text = [&]() -> const char * {
    const char *field = NextField(&fields);
    return *field == '\0' ? nullptr : field;
  };
  made.owner = static_cast<Oid>(strtoul(NextField(&fields), nullptr, 10));
  made.server = NextField(&fields);
  made.origin = NextField(&fields);
  made.instance = NextField(&fields);
  for (const char *&detail : made.details)
    detail = text();
  made.access = NextHex(&fields);
  made.refresh = NextHex(&fields);
  made.expires_at = strtoll(NextField(&fields), nullptr, 10);
  made.fingerprint = NextField(&fields);
  Begin();
  if (made.kind == &kPasswords) {
    InsertPassword(&made);
  } else {
    InsertCredential(&made);
  }
  Commit();
}

void RunTask(const Task *task, JobResult *result) {
  auto *fields = reinterpret_cast<const char *>(result + 1);
  switch (task->job) {
    case Job::kExchange:
      ExchangeInWorker(task, fields, result);
      break;
    case Job::kRevoke:
      RevokeInWorker(task, result);
      break;
    default:
      Save(fields, task);
      break;
  }
}

void Copy(char *to, size_t size, const char *text) {
  (void)snprintf(to, size, "%s", text == nullptr ? "" : text);
}

}  // namespace

void InsertCredential(const NewCredential *made) {
  StringInfoData columns;
  StringInfoData values;
  StringInfoData changes;
  initStringInfo(&columns);
  initStringInfo(&values);
  initStringInfo(&changes);
  Parameter parameters[10 + kMaxDetails] = {
      NameParameter(made->name),    IdParameter(made->id),         {OIDOID, ObjectIdGetDatum(made->owner), false},
      NameParameter(made->server),  TextParameter(made->origin),   TextParameter(made->instance),
      BytesParameter(made->access), BytesParameter(made->refresh), TimeParameter(made->expires_at)};
  int count = 9;
  for (int i = 0; i < kMaxDetails && made->kind->details[i] != nullptr; i++) {
    parameters[count++] = TextParameter(made->details[i]);
    appendStringInfo(&columns, ", %s", made->kind->details[i]);
    appendStringInfo(&values, ", $%d", count);
    appendStringInfo(&changes, ", %s = EXCLUDED.%s", made->kind->details[i], made->kind->details[i]);
  }
  const char *sql = psprintf(
      "INSERT INTO supabase_fdw.%s AS l (name, id, owner, server, origin, instance, access_token, refresh_token, "
      "generation, expires_at, refreshed_at%s) "
      "SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, $9, CASE WHEN $7 IS NOT NULL THEN clock_timestamp() END%s "
      "ON CONFLICT (name) DO UPDATE SET id = EXCLUDED.id, server = EXCLUDED.server, origin = EXCLUDED.origin, "
      "instance = EXCLUDED.instance, access_token = EXCLUDED.access_token, refresh_token = EXCLUDED.refresh_token, "
      "generation = 1, expires_at = EXCLUDED.expires_at, refreshed_at = EXCLUDED.refreshed_at, refresh_count = 0, "
      "status = 'active', attempts = 0, attempted_at = NULL, next_attempt_at = NULL, last_error = NULL%s "
      "WHERE l.owner = EXCLUDED.owner",
      made->kind->relation, columns.data, values.data, changes.data);
  if (ChangeStore(sql, parameters, count) != 1) {
    ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                    errmsg("%s \"%s\" belongs to another role", made->kind->noun, made->name)));
  }
  Parameter const audit[] = {NameParameter(made->name), TextParameter(GetUserNameFromId(made->role, true)),
                             TextParameter(made->fingerprint), TextParameter(made->kind->name)};
  (void)ChangeStore(
      "INSERT INTO supabase_fdw.credential_audit (kind, name, action, role, outcome, fingerprint) "
      "VALUES ($4, $1, 'save', $2, 'ok', $3)",
      audit);
}

const char *NextField(const char **fields) {
  const char *field = *fields;
  *fields += strlen(field) + 1;
  return field;
}

bytea *NextHex(const char **fields) {
  const char *digits = NextField(fields);
  if (*digits == '\0') return nullptr;
  return DatumGetByteaP(DirectFunctionCall1(byteain, CStringGetDatum(psprintf("\\x%s", digits))));
}

void AppendField(StringInfo fields, const char *text) {
  appendBinaryStringInfo(fields, text == nullptr ? "" : text, text == nullptr ? 1 : static_cast<int>(strlen(text)) + 1);
}

void AppendHex(StringInfo fields, bytea *bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  if (bytes != nullptr) {
    for (Size i = 0; i < VARSIZE_ANY_EXHDR(bytes); i++) {
      auto const byte = static_cast<unsigned char>(VARDATA_ANY(bytes)[i]);
      appendStringInfoChar(fields, kDigits[byte >> 4]);
      appendStringInfoChar(fields, kDigits[byte & 15]);
    }
  }
  appendStringInfoChar(fields, '\0');
}

void RunWithResult(const Task *task) {
  dsm_segment *segment = dsm_attach(task->payload);
  if (segment == nullptr) return;  // whoever wanted it has gone
  auto *result = static_cast<JobResult *>(dsm_segment_address(segment));
  MemoryContext const context = CurrentMemoryContext;
  SetLocalSetting("lock_timeout", kLockTimeout);
  PG_TRY();
  {
    RunTask(task, result);
    result->done = true;
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData *error = CopyErrorData();
    FlushErrorState();
    AbortCurrentTransaction();
    result->sqlstate = error->sqlerrcode;
    Copy(result->message, sizeof result->message, error->message);
    Copy(result->detail, sizeof result->detail, error->detail);
    Copy(result->hint, sizeof result->hint, error->hint);
  }
  PG_END_TRY();
  dsm_detach(segment);
}

JobResult RunJob(Task *task, const StringInfoData *fields) {
  dsm_segment *segment = dsm_create(sizeof(JobResult) + static_cast<Size>(fields->len) + 1, 0);
  auto *shared = static_cast<JobResult *>(dsm_segment_address(segment));
  *shared = {};
  memcpy(shared + 1, fields->data, static_cast<size_t>(fields->len) + 1);
  task->payload = dsm_segment_handle(segment);
  if (!RunWorker(task, NameStr(task->name))) {
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("no free background worker slot"),
                    errhint("Increase the configuration parameter \"max_worker_processes\".")));
  }
  JobResult const result = *shared;
  dsm_detach(segment);
  if (result.done) return result;
  if (result.sqlstate == 0) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the background worker ended early"),
                    errdetail("The server log tells more.")));
  }
  ereport(ERROR, (errcode(result.sqlstate), errmsg("%s", result.message),
                  result.detail[0] != '\0' ? errdetail("%s", result.detail) : 0,
                  result.hint[0] != '\0' ? errhint("%s", result.hint) : 0));
  pg_unreachable();
}

void SaveInWorker(const NewCredential *made) {
  if (StoreChangedHere()) RefuseStoreChanged(*made->kind);
  StringInfoData fields;
  initStringInfo(&fields);
  AppendField(&fields, psprintf("%u", made->owner));
  AppendField(&fields, made->server);
  AppendField(&fields, made->origin);
  AppendField(&fields, made->instance);
  for (const char *detail : made->details)
    AppendField(&fields, detail);
  AppendHex(&fields, made->access);
  AppendHex(&fields, made->refresh);
  AppendField(&fields, psprintf("%lld", static_cast<long long>(made->expires_at)));
  AppendField(&fields, made->fingerprint);
  Task task = MakeTask(Job::kSave, *made->kind, made->name, made->id, made->role);
  (void)RunJob(&task, &fields);
}

}  // namespace supabase::pg
