#include "fdw/project_password.hpp"

#include <string>

#include "core/crypto.hpp"
#include "core/management_function.hpp"
#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/credential.hpp"
#include "fdw/function.hpp"
#include "fdw/management_function.hpp"

extern "C" {
#include "access/xlog.h"
#include "miscadmin.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_db_password(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_connection_uri(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_db_password);
PG_FUNCTION_INFO_V1(supabase_connection_uri);
}

namespace {

constexpr int kMaxRefInName = 50;

struct Keeping {
  const Server *server;
  const char *project_ref;
  const char *password;
  void (*save)(const NewCredential *password);
};

// The row's name: one for each project, API and owner.
const char *RowName(const Server *server, const char *project_ref, Oid owner) {
  char digest[9] = "";
  const char *origin = server->management_url;
  Guard([&] {
    Hex(Sha256(std::string(origin) + " " + project_ref + " " + std::to_string(owner))).copy(digest, sizeof digest - 1);
  });
  return psprintf("%.*s.%s", kMaxRefInName, project_ref, digest);
}

void Keep(void *argument) {
  auto *keeping = static_cast<const Keeping *>(argument);
  NewCredential made = {};
  made.kind = &kPasswords;
  made.owner = made.role = GetUserId();
  made.name = RowName(keeping->server, keeping->project_ref, made.owner);
  MakeUuid(made.id);
  made.server = keeping->server->name;
  made.origin = keeping->server->management_url;
  made.instance = ThisInstance(true);
  made.details[0] = keeping->project_ref;
  // A digest would be of use for guessing a password that somebody chose.
  made.fingerprint = "";
  auto *secret = Own<Secret>(CurrentMemoryContext);
  Guard([&] { *secret = Secret(keeping->password); });
  made.refresh = SealSecret(made.id, made.origin, kPassword, 1, secret);
  keeping->save(&made);
}

// The newest of a project that the role may see; raises 28000 when there is none.
ProjectPassword *FindPassword(const Server *server, const char *project_ref) {
  ProjectPassword *found = nullptr;
  ListCell *cell;
  foreach (cell, AllPasswords()) {
    auto *password = static_cast<ProjectPassword *>(lfirst(cell));
    bool const matches = strcmp(password->project_ref, project_ref) == 0 &&
                         strcmp(password->origin, server->management_url) == 0 &&
                         has_privs_of_role(GetUserId(), password->owner);
    if (matches && (found == nullptr || password->kept_at > found->kept_at)) found = password;
  }
  if (found == nullptr) RefuseMissing(kPasswords, project_ref);
  return found;
}

// A project's reference: it goes into a name and a URI.
char *RefArgument(FunctionCallInfo fcinfo) {
  char *ref = RequiredText(fcinfo, 0, "ref");
  if (!Guard([&] { return IsProjectRef(ref); })) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value for argument \"ref\""),
                    errdetail("A project's reference has 20 lower-case letters and digits.")));
  }
  return ref;
}

void ReadPassword(FunctionCallInfo fcinfo, const char *ref, int server, Secret *secret) {
  OpenSecret(FindPassword(ManagementServer(fcinfo, server), ref), kPassword, secret);
}

Datum SecretText(const Secret *secret) {
  std::string_view const text = secret->Reveal();
  char *copy = ToServer(text.data(), text.size());
  Datum const datum = CStringGetTextDatum(copy);
  explicit_bzero(copy, strlen(copy));
  return datum;
}

}  // namespace

void CheckCanKeepPassword() {
  PreventCommandDuringRecovery("INSERT");
  (void)ThisInstance(true);
}

void InsertPassword(const NewCredential *made) {
  Parameter const parameters[] = {
      NameParameter(made->name),     IdParameter(made->id),          {OIDOID, ObjectIdGetDatum(made->owner), false},
      NameParameter(made->server),   TextParameter(made->origin),    TextParameter(made->instance),
      BytesParameter(made->refresh), TextParameter(made->details[0])};
  (void)ChangeStore(
      "INSERT INTO supabase_fdw.project_passwords (name, id, owner, server, origin, instance, generation, password, "
      "project_ref, kept_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, clock_timestamp()) "
      "ON CONFLICT (name) DO UPDATE SET id = EXCLUDED.id, owner = EXCLUDED.owner, server = EXCLUDED.server, "
      "origin = EXCLUDED.origin, instance = EXCLUDED.instance, generation = 1, password = EXCLUDED.password, "
      "project_ref = EXCLUDED.project_ref, kept_at = EXCLUDED.kept_at",
      parameters);
  Audit(kPasswords, made->name, "save", made->role, "ok", nullptr);
}

void KeepProjectPassword(const Server *server, const char *project_ref, const char *password) {
  Keeping keeping = {server, project_ref, password, SaveInWorker};
  if (!StoreChangedHere() && TryOr(Keep, &keeping)) return;
  // Better than not at all: it is lost only if this transaction rolls back.
  keeping.save = InsertPassword;
  if (TryOr(Keep, &keeping)) {
    ereport(WARNING, (errcode(ERRCODE_WARNING),
                      errmsg("the database password of project \"%s\" is kept by this transaction", project_ref),
                      errdetail("A rollback would lose it, but not the project."),
                      errhint("After a rollback set another one: UPDATE the project's db_pass.")));
    return;
  }
  ereport(WARNING,
          (errcode(ERRCODE_WARNING), errmsg("the database password of project \"%s\" could not be kept", project_ref),
           errhint("Set another one: UPDATE the project's db_pass.")));
}

// supabase_db_password(ref text, server name) RETURNS text
Datum supabase_db_password(PG_FUNCTION_ARGS) {
  auto *secret = Own<Secret>(CurrentMemoryContext);
  ReadPassword(fcinfo, RefArgument(fcinfo), 1, secret);
  PG_RETURN_DATUM(SecretText(secret));
}

// supabase_connection_uri(ref text, password text, server name) RETURNS text
Datum supabase_connection_uri(PG_FUNCTION_ARGS) {
  StatementHider hider;
  bool const given = !PG_ARGISNULL(1);
  if (given) {
    HideActivity("SELECT supabase_connection_uri(<hidden>)");
    hider.Push();
  }
  auto *secret = Own<Secret>(CurrentMemoryContext);
  const char *ref = RefArgument(fcinfo);
  if (given) {
    char *password = RequiredText(fcinfo, 1, "password");
    Guard([&] { *secret = Secret(password); });
    explicit_bzero(password, strlen(password));
    hider.Pop();
  } else {
    ReadPassword(fcinfo, ref, 2, secret);
  }
  Guard([&] { *secret = ConnectionUri(ref, *secret); });
  PG_RETURN_DATUM(SecretText(secret));
}

}  // namespace supabase::pg
