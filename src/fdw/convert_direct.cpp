// Conversions that do without the type's input function: text in the form in which the server writes it becomes the
// value that the input function would make of it, at a fraction of the cost. Whatever else arrives is left to the input
// function, and with it every error.

#include "fdw/convert_direct.hpp"

#include <string_view>

#include "core/fast_parse.hpp"

#include "fdw/postgres.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
}

namespace supabase::pg {
namespace {

using Converter = const ColumnConverter *;

bool DirectInt2(Converter, const char *data, size_t size, Datum *value) {
  int16 number;
  if (!ParseInteger({data, size}, &number)) return false;
  *value = Int16GetDatum(number);
  return true;
}

bool DirectInt4(Converter, const char *data, size_t size, Datum *value) {
  int32 number;
  if (!ParseInteger({data, size}, &number)) return false;
  *value = Int32GetDatum(number);
  return true;
}

bool DirectInt8(Converter, const char *data, size_t size, Datum *value) {
  int64_t number;
  if (!ParseInteger({data, size}, &number)) return false;
  *value = Int64GetDatum(number);
  return true;
}

bool DirectFloat4(Converter, const char *data, size_t size, Datum *value) {
  float number;
  if (!ParseFloat({data, size}, &number)) return false;
  *value = Float4GetDatum(number);
  return true;
}

bool DirectFloat8(Converter, const char *data, size_t size, Datum *value) {
  double number;
  if (!ParseFloat({data, size}, &number)) return false;
  *value = Float8GetDatum(number);
  return true;
}

// A typmod changes nothing when the scale is already the declared one and the integer part fits.
bool DirectNumeric(Converter converter, const char *data, size_t size, Datum *value) {
  Decimal number;
  if (!ParseDecimal({data, size}, &number)) return false;
  if (converter->typmod >= VARHDRSZ) {
    // numeric.c's layout: precision in the upper half, an 11-bit signed scale below.
    int const typmod = converter->typmod - VARHDRSZ;
    int const precision = (typmod >> 16) & 0xffff, scale = ((typmod & 0x7ff) ^ 1024) - 1024;
    if (number.scale != scale || number.integer_digits > precision - scale) return false;
  }
  *value = NumericGetDatum(int64_div_fast_to_numeric(number.unscaled, number.scale));
  return true;
}

bool DirectBool(Converter, const char *data, size_t size, Datum *value) {
  if (size != 1 || (*data != 't' && *data != 'f')) return false;
  *value = BoolGetDatum(*data == 't');
  return true;
}

Datum TextDatum(const char *data, size_t size) {
  return PointerGetDatum(cstring_to_text_with_len(data, static_cast<int>(size)));
}

// The page was checked to be UTF-8, so in a UTF-8 database nothing is left to do.
bool DirectText(Converter, const char *data, size_t size, Datum *value) {
  if (GetDatabaseEncoding() != PG_UTF8) return false;
  *value = TextDatum(data, size);
  return true;
}

bool DirectVarchar(Converter converter, const char *data, size_t size, Datum *value) {
  if (GetDatabaseEncoding() != PG_UTF8) return false;
  if (converter->typmod >= VARHDRSZ) {
    auto const most = static_cast<size_t>(converter->typmod - VARHDRSZ);
    // A character is at least a byte.
    if (size > most && static_cast<size_t>(pg_mbstrlen_with_len(data, static_cast<int>(size))) > most) return false;
  }
  *value = TextDatum(data, size);
  return true;
}

// The server pads; what is as long as declared needs no more.
bool DirectBpchar(Converter converter, const char *data, size_t size, Datum *value) {
  if (GetDatabaseEncoding() != PG_UTF8) return false;
  if (converter->typmod >= VARHDRSZ &&
      pg_mbstrlen_with_len(data, static_cast<int>(size)) != converter->typmod - VARHDRSZ) {
    return false;
  }
  *value = TextDatum(data, size);
  return true;
}

bool DirectUuid(Converter, const char *data, size_t size, Datum *value) {
  pg_uuid_t uuid;
  if (!ParseUuid({data, size}, uuid.data)) return false;
  auto *copy = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
  *copy = uuid;
  *value = UUIDPGetDatum(copy);
  return true;
}

bool DirectDate(Converter, const char *data, size_t size, Datum *value) {
  int32_t days;
  if (!ParseDate({data, size}, &days)) return false;
  *value = DateADTGetDatum(days);
  return true;
}

// A typmod rounds to so many digits of the second: nothing to do when there are no more.
bool FitsTypmod(Converter converter, const Microseconds &time) {
  return converter->typmod < 0 || time.digits <= converter->typmod;
}

bool DirectTime(Converter converter, const char *data, size_t size, Datum *value) {
  Microseconds time;
  if (!ParseTime({data, size}, &time) || !FitsTypmod(converter, time)) return false;
  *value = TimeADTGetDatum(time.value);
  return true;
}

bool DirectTimestamp(Converter converter, const char *data, size_t size, Datum *value) {
  Microseconds time;
  if (!ParseTimestamp({data, size}, &time) || !FitsTypmod(converter, time)) return false;
  *value = TimestampGetDatum(time.value);
  return true;
}

bool DirectTimestampTz(Converter converter, const char *data, size_t size, Datum *value) {
  Microseconds time;
  if (!ParseTimestampTz({data, size}, &time) || !FitsTypmod(converter, time)) return false;
  *value = TimestampTzGetDatum(time.value);
  return true;
}

// A type with a direct conversion is a row.
constexpr struct {
  Oid type;
  ColumnConverter::Direct direct;
} kDirect[] = {
    {BOOLOID, DirectBool},       {INT2OID, DirectInt2},           {INT4OID, DirectInt4},
    {INT8OID, DirectInt8},       {FLOAT4OID, DirectFloat4},       {FLOAT8OID, DirectFloat8},
    {NUMERICOID, DirectNumeric}, {TEXTOID, DirectText},           {VARCHAROID, DirectVarchar},
    {BPCHAROID, DirectBpchar},   {UUIDOID, DirectUuid},           {DATEOID, DirectDate},
    {TIMEOID, DirectTime},       {TIMESTAMPOID, DirectTimestamp}, {TIMESTAMPTZOID, DirectTimestampTz},
    {JSONOID, DirectJson},       {JSONBOID, DirectJsonb},
};

ColumnConverter::Direct FindDirect(Oid type) {
  for (const auto &row : kDirect) {
    if (row.type == type) return row.direct;
  }
  return nullptr;
}

bool ConvertElement(Converter element, const ArrayElement *from, Datum *value, bool *isnull) {
  *isnull = from->kind == ArrayElement::Kind::kNull;
  *value = Datum(0);
  if (*isnull) return Array_nulls;  // off: NULL is a word like another
  if (from->kind == ArrayElement::Kind::kPlain)
    return element->direct(element, from->text.data(), from->text.size(), value);
  auto *text = static_cast<char *>(palloc(from->text.size() + 1));
  return element->direct(element, text, Unescape(from->text, text), value);
}

// Arrays of one dimension that begins at 1, as almost all do. Many elements are left to the input function: what it
// costs is then not in its beginning.
bool DirectArray(Converter converter, const char *data, size_t size, Datum *value) {
  constexpr int kMaxElements = 64;
  ArrayElement elements[kMaxElements];
  Datum values[kMaxElements];
  bool nulls[kMaxElements];
  int const count = SplitArray({data, size}, elements, kMaxElements);
  if (count < 0) return false;
  Converter element = converter->element;
  if (count == 0) {
    *value = PointerGetDatum(construct_empty_array(element->type));
    return true;
  }
  for (int i = 0; i < count; i++) {
    if (!ConvertElement(element, &elements[i], &values[i], &nulls[i])) return false;
  }
  int dimension = count, lower_bound = 1;
  *value = PointerGetDatum(construct_md_array(values, nulls, 1, &dimension, &lower_bound, element->type,
                                              converter->element_size, converter->element_by_value,
                                              converter->element_align));
  return true;
}

}  // namespace

void InitDirect(ColumnConverter *converter, MemoryContext context) {
  converter->direct = FindDirect(converter->type);
  if (converter->direct != nullptr) return;
  // Not the element type of oidvector, point and others, which are no arrays.
  Oid const element_type = get_element_type(converter->type);
  ColumnConverter::Direct const direct = FindDirect(element_type);
  if (direct == nullptr) return;
  auto *element = static_cast<ColumnConverter *>(MemoryContextAllocZero(context, sizeof(ColumnConverter)));
  element->type = element_type;
  element->typmod = converter->typmod;
  element->direct = direct;
  converter->element = element;
  converter->direct = DirectArray;
  get_typlenbyvalalign(element_type, &converter->element_size, &converter->element_by_value, &converter->element_align);
}

}  // namespace supabase::pg
