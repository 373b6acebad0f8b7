#include "fdw/fold.hpp"

#include <cmath>

#include "core/seeded.hpp"

#include "fdw/bridge.hpp"
#include "fdw/encode.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "common/int.h"
#include "tsearch/ts_utils.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
}

namespace supabase::pg {
namespace {

Folded Send(Op op, const char *text) {
  return {Folded::kSend, op, text};
}

Folded Unfit() {
  return {Folded::kUnfit, Op::kEq, nullptr};
}

// The comparison when the answer is the same for every value of the column but NULL.
Folded Known(Op op, bool answer) {
  if (op == Op::kDistinct) return {Folded::kAlways, op, nullptr};
  return {answer ? Folded::kTrueIfKnown : Folded::kFalseIfKnown, op, nullptr};
}

bool IsLess(Op op) {
  return op == Op::kLt || op == Op::kLe;
}
bool IsGreater(Op op) {
  return op == Op::kGt || op == Op::kGe;
}

// Against a value that no column equals: `side` > 0 when it is above all of them, < 0 when below.
Folded Beyond(Op op, int side) {
  if (Seeded(Bug::kBeyondAlwaysAbove)) side = 1;
  return Known(op, op == Op::kNe || (side > 0 ? IsLess(op) : IsGreater(op)));
}

// Against a value between two neighbours that the column can have, `below` being the smaller one.
Folded Between(Op op, const char *below) {
  if (IsLess(op)) return Send(Seeded(Bug::kFoldOffByOne) ? Op::kLt : Op::kLe, below);
  if (IsGreater(op)) return Send(Op::kGt, below);
  return Known(op, op == Op::kNe);
}

// ---- integers ----

int64 MinOf(Oid type) {
  return type == INT2OID ? PG_INT16_MIN : type == INT4OID ? PG_INT32_MIN : PG_INT64_MIN;
}
int64 MaxOf(Oid type) {
  return type == INT2OID ? PG_INT16_MAX : type == INT4OID ? PG_INT32_MAX : PG_INT64_MAX;
}

Folded FoldInteger(Oid column_type, Op op, int64 floor, bool exact) {
  if (floor > MaxOf(column_type)) return Beyond(op, 1);
  if (floor < MinOf(column_type)) return Beyond(op, -1);
  const char *text = psprintf(INT64_FORMAT, floor);
  return exact ? Send(op, text) : Between(op, text);
}

Folded FoldDouble(Oid column_type, Op op, double value) {
  // NaN is above everything.
  if (std::isnan(value) || value >= 9223372036854775808.0) return Beyond(op, 1);
  if (value < -9223372036854775808.0) return Beyond(op, -1);
  double const floor = std::floor(value);
  return FoldInteger(column_type, op, static_cast<int64>(floor), floor == value);
}

Folded FoldNumeric(Oid column_type, Op op, Datum value) {
  Numeric const numeric = DatumGetNumeric(value);
  Numeric const low = int64_to_numeric(PG_INT64_MIN), high = int64_to_numeric(PG_INT64_MAX);
  Datum const floor = DirectFunctionCall1(numeric_floor, value);
  auto compare = [](Numeric a, Numeric b) {
    return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
  };
  if (numeric_is_nan(numeric) || compare(DatumGetNumeric(floor), high) > 0) return Beyond(op, 1);
  if (compare(DatumGetNumeric(floor), low) < 0) return Beyond(op, -1);
  return FoldInteger(column_type, op, DatumGetInt64(DirectFunctionCall1(numeric_int8, floor)),
                     compare(DatumGetNumeric(floor), numeric) == 0);
}

int64 IntegerValue(Oid type, Datum value) {
  return type == INT2OID ? DatumGetInt16(value) : type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

Folded FoldToInteger(Oid column_type, Op op, Oid type, Datum value) {
  if (IsInteger(type)) return FoldInteger(column_type, op, IntegerValue(type, value), true);
  if (type == FLOAT4OID) return FoldDouble(column_type, op, static_cast<double>(DatumGetFloat4(value)));
  if (type == FLOAT8OID) return FoldDouble(column_type, op, DatumGetFloat8(value));
  return FoldNumeric(column_type, op, value);
}

// ---- floating point ----

Folded FoldToFloat4(Op op, double value) {
  auto nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(nearest) == value || Seeded(Bug::kFloat4Nearest)) {
    return Send(op, DatumToText(FLOAT4OID, Float4GetDatum(nearest)));
  }
  if (static_cast<double>(nearest) > value) nearest = std::nextafter(nearest, -HUGE_VALF);
  return Between(op, DatumToText(FLOAT4OID, Float4GetDatum(nearest)));
}

// ---- dates ----

Folded FoldToDate(Op op, Timestamp value) {
  DateADT date;
  bool exact = true;
  if (TIMESTAMP_IS_NOBEGIN(value)) {
    DATE_NOBEGIN(date);
  } else if (TIMESTAMP_IS_NOEND(value)) {
    DATE_NOEND(date);
  } else {
    int64 days = value / USECS_PER_DAY;
    if (days * USECS_PER_DAY > value) days--;
    exact = days * USECS_PER_DAY == value;
    date = static_cast<DateADT>(days);
  }
  const char *text = DatumToText(DATEOID, DateADTGetDatum(date));
  return exact ? Send(op, text) : Between(op, text);
}

// A time that the column cannot have, but which infinity is still beyond.
Folded BeyondFinite(Op op, int side) {
  if (op == Op::kEq || op == Op::kNe || op == Op::kDistinct) return Known(op, op == Op::kNe);
  if (side > 0) return Send(IsLess(op) ? Op::kLt : Op::kGe, "infinity");
  return Send(IsLess(op) ? Op::kLe : Op::kGt, "-infinity");
}

Folded FoldToTimestamp(Oid column_type, Op op, Oid type, Datum value) {
  int overflow = 0;
  Timestamp result;
  if (column_type == TIMESTAMPOID) {
    result = date2timestamp_opt_overflow(DatumGetDateADT(value), &overflow);
  } else if (type == DATEOID) {
    result = date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
  } else {
    result = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);
  }
  if (overflow != 0) return BeyondFinite(op, overflow);
  return Send(op, DatumToText(column_type, TimestampGetDatum(result)));
}

// ---- text ----

Folded FoldText(Oid column_type, Op op, Oid type, Datum value) {
  const char *text = DatumToText(type, value);
  size_t const length = strlen(text);
  // name is cut to its length when it is read, and char(n) compares without trailing blanks.
  bool const same =
      column_type == NAMEOID ? strlen(ToUtf8(text)) < NAMEDATALEN : length == 0 || text[length - 1] != ' ';
  if (same) return Send(op, text);
  return IsLess(op) || IsGreater(op) ? Unfit() : Known(op, op == Op::kNe);
}

Folded FoldChar(Op op, Datum value) {
  // Half a character in UTF-8.
  if (IS_HIGHBIT_SET(DatumGetChar(value))) return Unfit();
  return Send(op, DatumToText(CHAROID, value));
}

Folded FoldComparison(Oid column_type, Op op, Oid type, Datum value) {
  if (column_type == CHAROID) return FoldChar(op, value);
  if (IsPlain(Form::kComparison, column_type, type)) return Send(op, DatumToText(type, value));
  if (IsInteger(column_type)) return FoldToInteger(column_type, op, type, value);
  switch (column_type) {
    case FLOAT4OID:
      return FoldToFloat4(op, DatumGetFloat8(value));
    case FLOAT8OID:
      return Send(op, DatumToText(FLOAT8OID, Float8GetDatum(static_cast<double>(DatumGetFloat4(value)))));
    case DATEOID:
      return FoldToDate(op, DatumGetTimestamp(value));
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return FoldToTimestamp(column_type, op, type, value);
    default:
      return FoldText(column_type, op, type, value);
  }
}

// ---- ranges ----

// What contains the largest value of a discrete type has no upper bound, or infinity: there is no next value to be its
// upper bound.
const char *UpperBound(Oid type, Datum value, const char *text) {
  if (type == INT4OID && DatumGetInt32(value) == PG_INT32_MAX) return ")";
  if (type == INT8OID && DatumGetInt64(value) == PG_INT64_MAX) return ")";
  if (type == DATEOID && DatumGetDateADT(value) == DATE_END_JULIAN - POSTGRES_EPOCH_JDATE - 1) return "infinity)";
  return psprintf("\"%s\"]", text);
}

const char *RangeOfOne(Oid type, Datum value) {
  const char *text = DatumToText(type, value);
  return psprintf("[\"%s\",%s", text, UpperBound(type, value, text));
}

const char *Multirange(const char *range) {
  return strcmp(range, "empty") == 0 ? "{}" : psprintf("{%s}", range);
}

// ---- text search ----

// Whether nothing but lower-case ASCII letters and digits stands in the quotes of a tsquery's text.
bool HasPlainWords(const char *query) {
  bool quoted = false;
  for (const char *c = query; *c != '\0'; c++) {
    if (*c == '\'') {
      quoted = !quoted;
    } else if (quoted && !(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9')) {
      return false;
    }
  }
  return true;
}

// A query whose words the parser and the configuration "simple" leave as they are says the same on every server.
Folded FoldSearch(Datum query) {
  if (DatumGetTSQuery(query)->size == 0) return Known(Op::kSearch, false);
  char *text = DatumToText(TSQUERYOID, query);
  if (!HasPlainWords(text)) return Unfit();
  Oid const simple =
      get_ts_config_oid(list_make2(makeString(pstrdup("pg_catalog")), makeString(pstrdup("simple"))), false);
  Datum const again = DirectFunctionCall2(to_tsquery_byid, ObjectIdGetDatum(simple), CStringGetTextDatum(text));
  return DatumGetBool(DirectFunctionCall2(tsquery_eq, query, again)) ? Send(Op::kSearch, text) : Unfit();
}

}  // namespace

bool IsInteger(Oid type) {
  return type == INT2OID || type == INT4OID || type == INT8OID;
}

bool IsText(Oid type) {
  return type == TEXTOID || type == VARCHAROID;
}

static int IntegerWidth(Oid type) {
  return type == INT2OID ? 2 : type == INT4OID ? 4 : 8;
}

bool IsPlain(Form form, Oid column_type, Oid type) {
  if (form != Form::kComparison) return form == Form::kText;
  if (column_type == CHAROID) return false;
  if (column_type == type || (IsText(column_type) && IsText(type))) return true;
  if (IsInteger(column_type) && IsInteger(type)) return IntegerWidth(type) <= IntegerWidth(column_type);
  return (IsText(column_type) && type == NAMEOID) || (column_type == CIDROID && type == INETOID) ||
         (column_type == VARCHARARRAYOID && type == TEXTARRAYOID);
}

bool CanFold(Form form, Oid column_type, Oid type) {
  if (form != Form::kComparison || column_type == type || IsPlain(form, column_type, type)) return true;
  switch (column_type) {
    case INT2OID:
    case INT4OID:
      return IsInteger(type) || type == NUMERICOID || type == FLOAT4OID || type == FLOAT8OID;
    case INT8OID:
      return IsInteger(type) || type == NUMERICOID;
    case FLOAT4OID:
      return type == FLOAT8OID;
    case FLOAT8OID:
      return type == FLOAT4OID;
    case DATEOID:
      return type == TIMESTAMPOID;
    case TIMESTAMPOID:
      return type == DATEOID;
    case TIMESTAMPTZOID:
      return type == DATEOID || type == TIMESTAMPOID;
    case NAMEOID:
    case BPCHAROID:
      return IsText(type);
    default:
      return false;
  }
}

bool DependsOnSettings(Form form, Oid column_type, Oid type) {
  return form == Form::kComparison && column_type == TIMESTAMPTZOID && type != TIMESTAMPTZOID;
}

Folded FoldValue(Form form, Oid column_type, Op op, Oid type, Datum value) {
  switch (form) {
    case Form::kComparison:
      return FoldComparison(column_type, op, type, value);
    case Form::kText:
      return Send(op, DatumToText(type, value));
    case Form::kRangeElement:
      return Send(op, RangeOfOne(type, value));
    case Form::kMultirangeElement:
      return Send(op, Multirange(RangeOfOne(type, value)));
    case Form::kMultirange:
      return Send(op, Multirange(DatumToText(type, value)));
    case Form::kSearch:
      return FoldSearch(value);
  }
  pg_unreachable();
}

// Whether a setting may change how a type prints; lists of numbers and texts are long.
static bool DependsOnOutputSettings(Oid type) {
  constexpr Oid kPlain[] = {INT2OID, INT4OID, INT8OID, NUMERICOID, TEXTOID, VARCHAROID, BPCHAROID, UUIDOID};
  for (Oid const plain : kPlain) {
    if (plain == type) return false;
  }
  return true;
}

char *DatumToText(Oid type, Datum value) {
  if (type == BOOLOID) return pstrdup(DatumGetBool(value) ? "true" : "false");
  Oid output;
  bool varlena;
  getTypeOutputInfo(type, &output, &varlena);
  if (!DependsOnOutputSettings(type)) return OidOutputFunctionCall(output, value);
  // What is left open (TimeZone) is written into the text itself as an offset.
  int const level = PushOutputSettings();
  char *text = OidOutputFunctionCall(output, value);
  AtEOXact_GUC(true, level);
  if (Seeded(Bug::kZoneLost) && type == TIMESTAMPTZOID && strlen(text) > 19) text[19] = '\0';
  return text;
}

}  // namespace supabase::pg
