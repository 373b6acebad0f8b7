// Which options there are, where, and what their values may be.

#include <cstring>
#include <string_view>

#include "core/jwt.hpp"
#include "core/url.hpp"

#include "fdw/bridge.hpp"
#include "fdw/option.hpp"

extern "C" {
#include "catalog/pg_attribute.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_fdw_validator(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_fdw_validator);
}

namespace {

// kVault: a text that names a secret in Supabase Vault.
enum class Kind { kText, kSecret, kVault, kBool, kInt, kCost, kSeconds, kBytes, kChoice, kUrl, kRef };

// Which servers have an option, or whose tables, columns and mappings.
enum Api : unsigned { kProject = 1, kManagement = 2, kBoth = 3 };

struct Option {
  const char *name;
  unsigned places;
  unsigned apis;
  Kind kind;
  double min, max;      // kInt, kCost, kSeconds, kBytes
  const char *choices;  // kChoice: separated by blanks
};

// A new option is a row. Ranges: a page above 1,000,000 rows exceeds what hosted projects can set as their cap;
// costs up to what the planner takes for a forbidden path; timeouts up to an hour; an answer up to PostgreSQL's own
// limit for one value (1 GB).
constexpr Option kOptions[] = {
    {"project_ref", kServer, kProject, Kind::kRef, 0, 0, nullptr},
    {"url", kServer, kBoth, Kind::kUrl, 0, 0, nullptr},
    {"rest_url", kServer, kProject, Kind::kUrl, 0, 0, nullptr},
    {"schema_name", kServer | kTable, kProject, Kind::kText, 0, 0, nullptr},
    {"table_name", kTable, kProject, Kind::kText, 0, 0, nullptr},
    {"rpc", kTable, kProject, Kind::kText, 0, 0, nullptr},
    {"rpc_read_only", kTable, kProject, Kind::kBool, 0, 0, nullptr},
    {"rpc_result", kTable, kProject, Kind::kChoice, 0, 0, "rows values value"},
    {"rpc_argument", kColumn, kProject, Kind::kBool, 0, 0, nullptr},
    {"column_name", kColumn, kBoth, Kind::kText, 0, 0, nullptr},
    {"key", kColumn, kProject, Kind::kBool, 0, 0, nullptr},
    {"references", kColumn, kProject, Kind::kText, 0, 0, nullptr},
    {"remote_type", kColumn, kProject, Kind::kText, 0, 0, nullptr},
    {"fetch_size", kServer | kTable, kProject, Kind::kInt, 1, 1'000'000, nullptr},
    {"max_parallel_requests", kServer | kTable, kBoth, Kind::kInt, 1, 16, nullptr},
    {"batch_size", kServer | kTable, kProject, Kind::kInt, 1, 100'000, nullptr},
    {"updatable", kServer | kTable, kBoth, Kind::kBool, 0, 0, nullptr},
    {"truncatable", kServer | kTable, kProject, Kind::kBool, 0, 0, nullptr},
    {"insert_mode", kTable, kProject, Kind::kChoice, 0, 0, "insert upsert ignore"},
    {"on_conflict", kTable, kProject, Kind::kText, 0, 0, nullptr},
    {"async_capable", kServer | kTable, kProject, Kind::kBool, 0, 0, nullptr},
    {"text_ordering", kServer | kTable | kColumn, kProject, Kind::kBool, 0, 0, nullptr},
    {"case_mapping", kServer | kTable, kProject, Kind::kBool, 0, 0, nullptr},
    {"require_user_jwt", kServer | kTable, kProject, Kind::kBool, 0, 0, nullptr},
    {"use_remote_estimate", kServer | kTable, kProject, Kind::kBool, 0, 0, nullptr},
    {"fdw_startup_cost", kServer | kTable, kProject, Kind::kCost, 0, 1e10, nullptr},
    {"fdw_tuple_cost", kServer | kTable, kProject, Kind::kCost, 0, 1e10, nullptr},
    {"session_auth", kServer | kMapping, kProject, Kind::kChoice, 0, 0, "always ignore setter"},
    {"aggregates", kServer, kProject, Kind::kChoice, 0, 0, "auto true false"},
    {"forward_request_jwt", kServer, kProject, Kind::kBool, 0, 0, nullptr},
    {"allow_insecure", kServer, kBoth, Kind::kBool, 0, 0, nullptr},
    {"connect_timeout", kServer, kBoth, Kind::kSeconds, 0.001, 3600, nullptr},
    {"request_timeout", kServer, kBoth, Kind::kSeconds, 0.001, 3600, nullptr},
    {"max_retries", kServer, kBoth, Kind::kInt, 0, 10, nullptr},
    {"max_response_size", kServer, kBoth, Kind::kBytes, 1024, 1073741823, nullptr},
    {"api_key", kMapping, kProject, Kind::kSecret, 0, 0, nullptr},
    {"jwt", kMapping, kProject, Kind::kSecret, 0, 0, nullptr},
    {"login", kMapping, kProject, Kind::kText, 0, 0, nullptr},
    {"api_key_id", kMapping, kProject, Kind::kVault, 0, 0, nullptr},
    {"api_key_name", kMapping, kProject, Kind::kVault, 0, 0, nullptr},
    {"origin", kMapping, kBoth, Kind::kUrl, 0, 0, nullptr},
    {"resource", kTable, kManagement, Kind::kText, 0, 0, nullptr},
    {"destructive", kServer, kManagement, Kind::kBool, 0, 0, nullptr},
    {"fanout", kServer | kTable, kManagement, Kind::kChoice, 0, 0, "implicit require_qual"},
    {"access_token", kMapping, kManagement, Kind::kSecret, 0, 0, nullptr},
    {"access_token_id", kMapping, kManagement, Kind::kVault, 0, 0, nullptr},
    {"access_token_name", kMapping, kManagement, Kind::kVault, 0, 0, nullptr},
    {"oauth_grant", kMapping, kManagement, Kind::kText, 0, 0, nullptr},
};

// Words that name a secret whatever the spelling; refused with their own message where every role can read options.
constexpr const char *kSecretWords[] = {"key", "token", "secret", "password", "jwt", "credential", "auth"};

unsigned PlaceOf(Oid catalog) {
  switch (catalog) {
    case ForeignServerRelationId:
      return kServer;
    case UserMappingRelationId:
      return kMapping;
    case ForeignTableRelationId:
      return kTable;
    case AttributeRelationId:
      return kColumn;
    default:
      return 0;
  }
}

const char *PlaceName(unsigned place) {
  switch (place) {
    case kServer:
      return "server";
    case kMapping:
      return "user mapping";
    case kTable:
      return "foreign table";
    case kColumn:
      return "column";
    default:
      return "foreign-data wrapper";
  }
}

const char *ValidNames(unsigned place, unsigned apis) {
  StringInfoData names;
  initStringInfo(&names);
  for (const Option &option : kOptions) {
    if ((option.places & place) != 0 && (option.apis & apis) != 0)
      appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", option.name);
  }
  return names.len > 0 ? names.data : "none";
}

[[noreturn]] void BadValue(const Option *option, const char *value, const char *hint) {
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                  errmsg("invalid value for option \"%s\": \"%s\"", option->name, value), errhint("%s", hint)));
  pg_unreachable();
}

void CheckNumber(const Option *option, const char *value, int unit_flags, const char *what) {
  double number = 0;
  const char *unit_hint = nullptr;
  bool const whole = option->kind == Kind::kInt;
  if (!parse_real(value, &number, unit_flags, &unit_hint) || number < option->min || number > option->max ||
      (whole && number != static_cast<int>(number))) {
    BadValue(option, value, psprintf("The value must be %s between %.10g and %.10g.", what, option->min, option->max));
  }
}

const char *CommaList(const char *words) {
  StringInfoData list;
  initStringInfo(&list);
  for (; *words != '\0'; words++) {
    if (*words == ' ') appendStringInfoChar(&list, ',');
    appendStringInfoChar(&list, *words);
  }
  return list.data;
}

void CheckChoice(const Option *option, const char *value) {
  size_t const size = strlen(value);
  for (const char *word = option->choices; word != nullptr; word = strchr(word, ' ')) {
    while (*word == ' ')
      word++;
    if (strchr(value, ' ') == nullptr && strncmp(word, value, size) == 0 && (word[size] == ' ' || word[size] == '\0') &&
        size > 0)
      return;
  }
  BadValue(option, value, psprintf("Valid values are: %s.", CommaList(option->choices)));
}

void CheckSecret(const Option *option, const char *value) {
  for (const char *c = value; *c != '\0'; c++) {
    // A header value may hold visible ASCII only (RFC 9110 5.5); the value itself stays out of the message.
    if (*c <= 0x20 || *c >= 0x7f) {
      ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                      errmsg("value of option \"%s\" contains a blank, a control character or a non-ASCII character",
                             option->name)));
    }
  }
  if (*value == '\0') {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("value of option \"%s\" must not be empty", option->name)));
  }
}

void CheckValue(const Option *option, const char *value) {
  bool flag;
  switch (option->kind) {
    case Kind::kText:
    case Kind::kVault:
      if (*value == '\0') BadValue(option, value, "The value must not be empty.");
      break;
    case Kind::kSecret:
      CheckSecret(option, value);
      break;
    case Kind::kBool:
      if (!parse_bool(value, &flag)) BadValue(option, value, "The value must be true or false.");
      break;
    case Kind::kInt:
      CheckNumber(option, value, 0, "a whole number");
      break;
    case Kind::kCost:
      CheckNumber(option, value, 0, "a number");
      break;
    case Kind::kSeconds:
      CheckNumber(option, value, GUC_UNIT_S, "a time, in seconds when it has no unit,");
      break;
    case Kind::kBytes:
      CheckNumber(option, value, GUC_UNIT_BYTE, "a size, in bytes when it has no unit,");
      break;
    case Kind::kChoice:
      CheckChoice(option, value);
      break;
    case Kind::kUrl:
      Guard([&] { ParseBaseUrl(option->name, value); });
      break;
    case Kind::kRef:
      if (!Guard([&] { return IsProjectRef(value); })) {
        BadValue(option, value,
                 "A project reference is 20 lower-case letters, as in https://<project_ref>.supabase.co.");
      }
      break;
  }
}

[[noreturn]] void RefuseSecret(const char *name, unsigned place) {
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                  errmsg("a secret cannot be an option of a %s: \"%s\"", PlaceName(place), name),
                  errdetail("Every role can read the options of servers, foreign tables and columns."),
                  errhint("Set it with CREATE USER MAPPING ... OPTIONS (%s '...').",
                          strncmp(name, "access_token", strlen("access_token")) == 0 ? "access_token" : "api_key")));
  pg_unreachable();
}

[[noreturn]] void UnknownOption(const char *name, unsigned place) {
  bool known = false;
  for (const Option &option : kOptions)
    known = known || (option.kind != Kind::kSecret && strcmp(option.name, name) == 0);
  if (place != kMapping && !known) {
    for (const char *word : kSecretWords) {
      if (strcasestr(name, word) != nullptr) RefuseSecret(name, place);
    }
  }
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
                  errhint("Valid options in this context are: %s.", ValidNames(place, kBoth))));
  pg_unreachable();
}

const Option *FindDefinition(const char *name, unsigned place) {
  for (const Option &option : kOptions) {
    if ((option.places & place) != 0 && strcmp(option.name, name) == 0) return &option;
  }
  return nullptr;
}

// An address without TLS sends keys and tokens in the clear: only to this machine, unless a superuser says otherwise.
void CheckScheme(List *options, const char *name) {
  const char *value = FindOption(options, name);
  if (value == nullptr) return;
  bool const insecure = BoolOption(options, "allow_insecure", false);
  bool const safe = Guard([&] {
    BaseUrl const url = ParseBaseUrl(name, value);
    return url.scheme == "https" || url.IsLoopback();
  });
  if (!safe && !insecure) {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("invalid value for option \"%s\": \"%s\"", name, value),
                    errdetail("Keys and tokens would be sent without encryption."),
                    errhint("Use https, or have a superuser set allow_insecure 'true'.")));
  }
}

void CheckServerOptions(List *options) {
  const char *addresses[] = {"project_ref", "url", "rest_url"};
  int given = 0;
  for (const char *name : addresses)
    given += FindOption(options, name) != nullptr ? 1 : 0;
  if (given > 1) {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("options \"project_ref\", \"url\" and \"rest_url\" exclude each other")));
  }
  if (BoolOption(options, "allow_insecure", false) && !superuser()) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to set option \"allow_insecure\"")));
  }
  CheckScheme(options, "url");
  CheckScheme(options, "rest_url");
}

// At most one of these.
void CheckExclusive(List *options, const char *first, const char *second) {
  if (FindOption(options, first) == nullptr || FindOption(options, second) == nullptr) return;
  ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                  errmsg("options \"%s\" and \"%s\" exclude each other", first, second)));
}

void CheckMappingOptions(List *options) {
  CheckExclusive(options, "jwt", "login");
  const char *keys[] = {"api_key", "api_key_id", "api_key_name"};
  const char *tokens[] = {"access_token", "access_token_id", "access_token_name", "oauth_grant"};
  for (size_t i = 0; i < lengthof(keys); i++) {
    for (size_t j = i + 1; j < lengthof(keys); j++)
      CheckExclusive(options, keys[i], keys[j]);
  }
  for (size_t i = 0; i < lengthof(tokens); i++) {
    for (size_t j = i + 1; j < lengthof(tokens); j++)
      CheckExclusive(options, tokens[i], tokens[j]);
  }
}

void CheckTableOptions(List *options) {
  const char *function = FindOption(options, "rpc");
  CheckExclusive(options, "rpc", "table_name");
  CheckExclusive(options, "resource", "table_name");
  CheckExclusive(options, "resource", "rpc");
  for (const char *name : {"rpc_read_only", "rpc_result"}) {
    if (function != nullptr || FindOption(options, name) == nullptr) continue;
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" needs the option \"rpc\"", name)));
  }
}

}  // namespace

void CheckOptionsFit(List *options, Place place, bool management, const char *name) {
  unsigned const api = management ? kManagement : kProject;
  ListCell *cell;
  foreach (cell, options) {
    auto *def = static_cast<DefElem *>(lfirst(cell));
    const Option *option = FindDefinition(def->defname, place);
    if (option == nullptr || (option->apis & api) != 0) continue;
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("option \"%s\" of %s \"%s\" is not one of a server of type \"%s\"", def->defname,
                           PlaceName(place), name, management ? "management" : "project"),
                    errhint("Valid options in this context are: %s.", ValidNames(place, api))));
  }
}

bool HoldsSecret(List *mapping_options) {
  ListCell *cell;
  foreach (cell, mapping_options) {
    const Option *option = FindDefinition(static_cast<DefElem *>(lfirst(cell))->defname, kMapping);
    if (option != nullptr && (option->kind == Kind::kSecret || option->kind == Kind::kVault)) return true;
  }
  return false;
}

// VALIDATOR of the wrapper: called for every CREATE and ALTER with the whole new list of options.
Datum supabase_fdw_validator(PG_FUNCTION_ARGS) {
  // Whatever is wrong with it: the statement may hold a secret, in the right place or in a wrong one.
  StatementHider hider;
  hider.Push();
  List *options = untransformRelOptions(PG_GETARG_DATUM(0));
  unsigned const place = PlaceOf(PG_GETARG_OID(1));
  ListCell *cell;
  foreach (cell, options) {
    auto *def = static_cast<DefElem *>(lfirst(cell));
    const Option *option = FindDefinition(def->defname, place);
    if (option == nullptr) UnknownOption(def->defname, place);
    const char *value = defGetString(def);
    if (option->kind != Kind::kSecret && Guard([&] { return LooksLikeSecret(value); })) {
      RefuseSecret(def->defname, place);
    }
    CheckValue(option, value);
  }
  if (place == kServer) CheckServerOptions(options);
  if (place == kTable) CheckTableOptions(options);
  if (place == kMapping) CheckMappingOptions(options);
  hider.Pop();
  PG_RETURN_VOID();
}

}  // namespace supabase::pg
