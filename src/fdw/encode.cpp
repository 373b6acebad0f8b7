#include "fdw/encode.hpp"

#include "core/seeded.hpp"

#include "fdw/bridge.hpp"

extern "C" {
#include "access/sysattr.h"
#include "catalog/heap.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
}

namespace supabase::pg {
namespace {

// Types that print the same under all settings; for every other it is decided by the settings at hand.
constexpr Oid kPlain[] = {BOOLOID, INT2OID, INT4OID,   INT8OID, NUMERICOID, TEXTOID, VARCHAROID,
                          UUIDOID, OIDOID,  BPCHAROID, JSONOID, JSONBOID,   TIDOID,  XIDOID};

bool IsPlain(Oid type) {
  for (Oid const plain : kPlain) {
    if (plain == type) return true;
  }
  return false;
}

// Whether the session prints as PushOutputSettings would have it.
bool SettingsAreRight() {
  return DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES && extra_float_digits >= 1;
}

PayloadValue InUtf8(const char *data, size_t size, PayloadValue::Kind kind) {
  if (GetDatabaseEncoding() == PG_UTF8) return {data, size, kind};
  char *utf8 = pg_server_to_any(data, static_cast<int>(size), PG_UTF8);
  return {utf8, utf8 == data ? size : strlen(utf8), kind};
}

[[noreturn]] void RefuseJsonNull(const ValueEncoder *encoder) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("cannot write a JSON null to column \"%s\" of a remote table", encoder->local_name),
                  errdetail("The remote server would store an SQL NULL in its place."),
                  errhint("Write an SQL NULL, or a JSON object that has the null in it.")));
  pg_unreachable();
}

PayloadValue EncodeJson(const ValueEncoder *encoder, const char *text) {
  const char *word = text + strspn(text, " \t\r\n");
  if (strncmp(word, "null", 4) == 0) RefuseJsonNull(encoder);
  return InUtf8(text, strlen(text), PayloadValue::Kind::kJson);
}

PayloadValue EncodeValue(ValueEncoder *encoder, Datum value) {
  constexpr auto kText = PayloadValue::Kind::kText;
  char *text;
  switch (encoder->type) {
    case TEXTOID:
    case VARCHAROID: {
      struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
      const char *data = VARDATA_ANY(packed);
      auto const size = static_cast<size_t>(VARSIZE_ANY_EXHDR(packed));
      if (!encoder->json) return InUtf8(data, size, kText);
      return EncodeJson(encoder, pnstrdup(data, size));
    }
    case INT4OID:
      text = static_cast<char *>(palloc(12));
      return {text, static_cast<size_t>(pg_ltoa(DatumGetInt32(value), text)), kText};
    case INT8OID:
      text = static_cast<char *>(palloc(MAXINT8LEN + 1));
      return {text, static_cast<size_t>(pg_lltoa(DatumGetInt64(value), text)), kText};
    case BOOLOID:
      return {DatumGetBool(value) ? "t" : "f", 1, kText};
    default:
      text = OutputFunctionCall(&encoder->output, value);
      if (encoder->json) return EncodeJson(encoder, text);
      return InUtf8(text, strlen(text), kText);
  }
}

}  // namespace

int PushOutputSettings() {
  int const level = NewGUCNestLevel();
  constexpr struct {
    const char *name, *value;
    Bug bug;  // that leaves it open
  } kSettings[] = {{"datestyle", "ISO, MDY", Bug::kDateStyleOpen},
                   {"intervalstyle", "postgres", Bug::kNone},
                   {"extra_float_digits", "3", Bug::kFloatDigitsOpen},
                   {"bytea_output", "hex", Bug::kNone}};
  for (const auto &setting : kSettings) {
    if (setting.bug != Bug::kNone && Seeded(setting.bug)) continue;
    (void)set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  }
  return level;
}

void InitEncoder(ValueEncoder *encoder, const Table *table, TupleDesc desc, AttrNumber attno, MemoryContext context) {
  bool const system = attno < 0;
  const FormData_pg_attribute *attribute = system ? SystemAttributeDefinition(attno) : TupleDescAttr(desc, attno - 1);
  Oid output;
  bool varlena;
  encoder->attno = attno;
  encoder->type = getBaseType(attribute->atttypid);
  encoder->local_name = pstrdup(NameStr(attribute->attname));
  encoder->name = system ? encoder->local_name : ToUtf8(table->columns[attno - 1].name);
  getTypeOutputInfo(attribute->atttypid, &output, &varlena);
  fmgr_info_cxt(output, &encoder->output, context);
  const char *remote_type = system ? nullptr : table->columns[attno - 1].remote_type;
  bool const remote_json =
      remote_type != nullptr && (strcmp(remote_type, "json") == 0 || strcmp(remote_type, "jsonb") == 0);
  encoder->json = encoder->type == JSONOID || encoder->type == JSONBOID || remote_json;
  encoder->settings = !IsPlain(encoder->type);
}

void EncodeRow(ValueEncoder *encoders, const int *positions, int count, RowValues row, PayloadValue *values) {
  bool any = false;
  for (int i = 0; i < count; i++)
    any = any || encoders[i].settings;
  int const level = any && !SettingsAreRight() ? PushOutputSettings() : 0;
  for (int i = 0; i < count; i++) {
    int const at = positions[i];
    values[i] = row.isnull[at] ? PayloadValue() : EncodeValue(&encoders[i], row.values[at]);
  }
  if (level > 0) AtEOXact_GUC(true, level);
}

}  // namespace supabase::pg
