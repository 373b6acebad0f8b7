#include "fdw/mapping.hpp"

#include <cstring>

#include "core/url.hpp"

#include "fdw/bridge.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "executor/spi.h"
#include "utils/uuid.h"
}

namespace supabase::pg {
namespace {

// api_key_id, access_token_id; the others name the secret by its name.
bool NamesById(const char *option) {
  return strcmp(option + strlen(option) - strlen("_id"), "_id") == 0;
}

// The option that holds the secret itself.
const char *PlainOption(const char *option) {
  return strncmp(option, "api_key", strlen("api_key")) == 0 ? "api_key" : "access_token";
}

[[noreturn]] void RefuseVault(const char *option, const char *value, Oid reader) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
                  errmsg("no secret with %s \"%s\" in Supabase Vault", NamesById(option) ? "id" : "name", value),
                  errdetail("It was looked for as role \"%s\".", GetUserNameFromId(reader, true)),
                  errhint("Look into vault.decrypted_secrets, or use the option %s.", PlainOption(option))));
  pg_unreachable();
}

bool HasSchemaUsage(Oid schema, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK;
#else
  return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

// Whoever may create schemas could make one of that name, whose view runs his functions with the reader's rights.
void CheckVaultOwner(Oid secrets) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(secrets));
  bool const trusted =
      HeapTupleIsValid(tuple) && superuser_arg(reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner);
  if (HeapTupleIsValid(tuple)) ReleaseSysCache(tuple);
  if (trusted) return;
  ereport(ERROR,
          (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("vault.decrypted_secrets does not belong to a superuser"),
           errdetail("It is not Supabase Vault's.")));
}

void CheckVault(const char *option, Oid reader) {
  Oid const schema = get_namespace_oid("vault", true);
  Oid const secrets = OidIsValid(schema) ? get_relname_relid("decrypted_secrets", schema) : InvalidOid;
  if (OidIsValid(secrets)) {
    CheckVaultOwner(secrets);
    if (HasSchemaUsage(schema, reader) && pg_class_aclcheck(secrets, reader, ACL_SELECT) == ACLCHECK_OK) return;
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("role \"%s\" may not read Supabase Vault", GetUserNameFromId(reader, true)),
             errhint("Grant it USAGE on schema vault and SELECT on vault.decrypted_secrets. The mapping of PUBLIC "
                     "is read with the rights of the server's owner alone.")));
  }
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("Supabase Vault is not installed in this database"),
                  errdetail("There is no view vault.decrypted_secrets."),
                  errhint("Use CREATE EXTENSION supabase_vault, or the option %s in place of %s_id and %s_name.",
                          PlainOption(option), PlainOption(option), PlainOption(option))));
}

// Reads with the rights of `reader`; the end of the (sub)transaction takes them back when an error leaves.
void ReadVault(const char *option, const char *value, Oid reader, Oid server_owner, Secret *key) {
  CheckVault(option, reader);
  if (server_owner != reader) CheckVault(option, server_owner);
  bool const by_id = NamesById(option);
  Oid type = by_id ? UUIDOID : TEXTOID;
  Datum parameter = by_id ? DirectFunctionCall1(uuid_in, CStringGetDatum(value)) : CStringGetTextDatum(value);
  Oid user;
  int context;
  GetUserIdAndSecContext(&user, &context);
  SetUserIdAndSecContext(reader, context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
  if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
  int const result = SPI_execute_with_args(
      by_id ? "SELECT decrypted_secret::pg_catalog.text FROM vault.decrypted_secrets WHERE id OPERATOR(pg_catalog.=) $1"
            : "SELECT decrypted_secret::pg_catalog.text FROM vault.decrypted_secrets WHERE name OPERATOR(pg_catalog.=) "
              "$1",
      1, &type, &parameter, nullptr, true, 2);
  char *text = result == SPI_OK_SELECT && SPI_processed == 1
                   ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)
                   : nullptr;
  if (text == nullptr || *text == '\0') RefuseVault(option, value, reader);
  Guard([&] { *key = Secret(text); });
  explicit_bzero(text, strlen(text));
  SPI_finish();
  SetUserIdAndSecContext(user, context);
}

}  // namespace

Mapping FindMapping(const Server *server, Oid role) {
  HeapTuple tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(role), ObjectIdGetDatum(server->id));
  Oid user = role;
  if (!HeapTupleIsValid(tuple)) {
    user = InvalidOid;
    tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server->id));
  }
  if (!HeapTupleIsValid(tuple)) return {};
  bool isnull;
  Datum const datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
  List *options = isnull ? NIL : untransformRelOptions(datum);
  ReleaseSysCache(tuple);
  return {true, user, options};
}

Mapping GetMapping(const Server *server, Oid role) {
  Mapping const mapping = FindMapping(server, role);
  if (!mapping.found) {
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
         errmsg("no user mapping for role \"%s\" and server \"%s\"", GetUserNameFromId(role, false), server->name),
         errhint("Use CREATE USER MAPPING ... OPTIONS (%s '...').", server->management ? "access_token" : "api_key")));
  }
  CheckOptionsFit(mapping.options, kMapping, server->management,
                  OidIsValid(mapping.user) ? GetUserNameFromId(mapping.user, false) : "public");
  const char *origin = FindOption(mapping.options, "origin");
  if (origin != nullptr && !Guard([&] {
        std::string const url = ParseBaseUrl("origin", origin).Text();
        if (server->management) return url == server->management_url;
        return url == server->rest_url || url + "/rest/v1" == server->rest_url;
      })) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("the user mapping for server \"%s\" is for another address", server->name),
                    errdetail("Its option \"origin\" is \"%s\". Nothing was sent.", origin),
                    errhint("Change the option with ALTER USER MAPPING if the server's new address may have the "
                            "credential.")));
  }
  return mapping;
}

static bool ReadSecret(const Server *server, const Mapping &mapping, const char *const (&names)[3], Secret *secret) {
  const char *plain = FindOption(mapping.options, names[0]);
  if (plain != nullptr) {
    Guard([&] { *secret = Secret(plain); });
    return true;
  }
  for (const char *option : {names[1], names[2]}) {
    const char *value = FindOption(mapping.options, option);
    if (value == nullptr) continue;
    Oid const owner = GetForeignServer(server->id)->owner;
    ReadVault(option, value, OidIsValid(mapping.user) ? mapping.user : owner, owner, secret);
    return true;
  }
  return false;
}

bool ReadApiKey(const Server *server, const Mapping &mapping, Secret *key) {
  constexpr const char *kNames[] = {"api_key", "api_key_id", "api_key_name"};
  return ReadSecret(server, mapping, kNames, key);
}

bool ReadAccessToken(const Server *server, const Mapping &mapping, Secret *token) {
  constexpr const char *kNames[] = {"access_token", "access_token_id", "access_token_name"};
  return ReadSecret(server, mapping, kNames, token);
}

bool FindApiKey(const Server *server, Oid role, Secret *key) {
  Mapping const mapping = FindMapping(server, role);
  if (!mapping.found) return false;
  return ReadApiKey(server, GetMapping(server, role), key);
}

}  // namespace supabase::pg
