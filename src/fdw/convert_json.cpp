// json and jsonb from text in the form in which the server writes it; the rest is left to the input functions.

#include "core/fast_parse.hpp"
#include "core/json_scan.hpp"

#include "fdw/convert_direct.hpp"
#include "fdw/postgres.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

namespace supabase::pg {
namespace {

// Nothing within jsonb can then be larger than it allows.
constexpr size_t kMaxJsonBytes = size_t{16} << 20;
// Any number of so many digits is a numeric.
constexpr size_t kMaxDigits = 1000;

bool ReadNumber(const JsonToken &token, JsonbValue *value) {
  value->type = jbvNumeric;
  int64_t whole;
  Decimal decimal;
  if (ParseInteger(token.text, &whole)) {
    value->val.numeric = int64_to_numeric(whole);
  } else if (ParseDecimal(token.text, &decimal)) {
    value->val.numeric = int64_div_fast_to_numeric(decimal.unscaled, decimal.scale);
  } else {
    if (token.text.size() > kMaxDigits) return false;
    char *text = pnstrdup(token.text.data(), token.text.size());
    value->val.numeric = DatumGetNumeric(
        DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
  }
  return true;
}

void ReadString(const JsonToken &token, JsonbValue *value) {
  value->type = jbvString;
  // It is only read.
  value->val.string.val = const_cast<char *>(token.text.data());
  size_t size = token.text.size();
  if (token.escaped) {
    value->val.string.val = static_cast<char *>(palloc(size));
    size = UnescapeJson(token.text, value->val.string.val);
  }
  value->val.string.len = static_cast<int>(size);
}

bool ReadScalar(const JsonToken &token, JsonbValue *value) {
  switch (token.kind) {
    case JsonToken::Kind::kKey:
    case JsonToken::Kind::kString:
      ReadString(token, value);
      return true;
    case JsonToken::Kind::kNumber:
      return ReadNumber(token, value);
    case JsonToken::Kind::kTrue:
    case JsonToken::Kind::kFalse:
      value->type = jbvBool;
      value->val.boolean = token.kind == JsonToken::Kind::kTrue;
      return true;
    case JsonToken::Kind::kNull:
      value->type = jbvNull;
      return true;
    default:
      return false;
  }
}

// What pushJsonbValue is told about a token within `state`.
JsonbIteratorToken StepOf(const JsonToken &token, const JsonbParseState *state) {
  switch (token.kind) {
    case JsonToken::Kind::kBeginObject:
      return WJB_BEGIN_OBJECT;
    case JsonToken::Kind::kEndObject:
      return WJB_END_OBJECT;
    case JsonToken::Kind::kBeginArray:
      return WJB_BEGIN_ARRAY;
    case JsonToken::Kind::kEndArray:
      return WJB_END_ARRAY;
    case JsonToken::Kind::kKey:
      return WJB_KEY;
    default:
      return state->contVal.type == jbvObject ? WJB_VALUE : WJB_ELEM;
  }
}

bool IsScalar(JsonbIteratorToken step) {
  return step == WJB_KEY || step == WJB_VALUE || step == WJB_ELEM;
}

}  // namespace

bool DirectJsonb(const ColumnConverter *, const char *data, size_t size, Datum *value) {
  if (size > kMaxJsonBytes || GetDatabaseEncoding() != PG_UTF8) return false;
  JsonScanner scanner({data, size});
  JsonbParseState *state = nullptr;
  JsonbValue scalar;
  JsonbValue *whole = &scalar;
  for (;;) {
    JsonToken const token = scanner.Next();
    if (token.kind == JsonToken::Kind::kOther) return false;
    if (token.kind == JsonToken::Kind::kEnd) break;
    bool const alone = state == nullptr && token.kind > JsonToken::Kind::kEndArray;
    JsonbIteratorToken const step = alone ? WJB_ELEM : StepOf(token, state);
    if (IsScalar(step) && !ReadScalar(token, &scalar)) return false;
    if (!alone) whole = pushJsonbValue(&state, step, IsScalar(step) ? &scalar : nullptr);
  }
  *value = JsonbPGetDatum(JsonbValueToJsonb(whole));
  return true;
}

bool DirectJson(const ColumnConverter *, const char *data, size_t size, Datum *value) {
  if (GetDatabaseEncoding() != PG_UTF8) return false;
  JsonScanner scanner({data, size});
  JsonToken::Kind kind;
  do {
    kind = scanner.Next().kind;
  } while (kind != JsonToken::Kind::kEnd && kind != JsonToken::Kind::kOther);
  if (kind == JsonToken::Kind::kOther) return false;
  *value = PointerGetDatum(cstring_to_text_with_len(data, static_cast<int>(size)));
  return true;
}

}  // namespace supabase::pg
