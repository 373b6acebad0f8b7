#include "fdw/convert.hpp"

#include "fdw/bridge.hpp"
#include "fdw/convert_direct.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace supabase::pg {
namespace {

// A cell's text as the input functions and text columns expect it: in the database's encoding, booleans spelled out.
char *CellText(const Cell *cell) {
  if (cell->kind == Cell::Kind::kTrue) return pstrdup("true");
  if (cell->kind == Cell::Kind::kFalse) return pstrdup("false");
  // The page was checked to be UTF-8, so in a UTF-8 database nothing is left to do.
  if (GetDatabaseEncoding() == PG_UTF8) return const_cast<char *>(cell->data);
  return ToServer(cell->data, cell->size);
}

}  // namespace

void InitConverter(ColumnConverter *converter, Form_pg_attribute attribute, MemoryContext context) {
  Oid input;
  converter->attno = attribute->attnum;
  converter->name = MemoryContextStrdup(context, NameStr(attribute->attname));
  converter->type = attribute->atttypid;
  converter->typmod = attribute->atttypmod;
  getTypeInputInfo(attribute->atttypid, &input, &converter->input_param);
  fmgr_info_cxt(input, &converter->input, context);
  InitDirect(converter, context);
}

// The same for an error's context: short, and nothing here may raise. What is not ASCII becomes '?' where it would need
// a conversion.
static char *CellExcerpt(const Cell *cell) {
  constexpr int kMaxBytes = 64;
  if (cell->kind == Cell::Kind::kNull) return pstrdup("null");
  auto const size = static_cast<int>(Min(cell->size, kMaxBytes));
  if (GetDatabaseEncoding() == PG_UTF8) {
    return pnstrdup(cell->data, static_cast<Size>(pg_mbcliplen(cell->data, static_cast<int>(cell->size), size)));
  }
  char *text = pnstrdup(cell->data, static_cast<Size>(size));
  for (char *c = text; *c != '\0'; c++) {
    if (static_cast<unsigned char>(*c) >= 0x80) *c = '?';
  }
  return text;
}

void ConvertErrorContext(void *arg) {
  auto *position = static_cast<const ConvertPosition *>(arg);
  if (position->converter == nullptr) return;
  StringInfoData key;
  initStringInfo(&key);
  for (int i = 0; i < position->key_count; i++) {
    const Cell *cell = &position->row[position->key[i]];
    const char *name = position->converters[position->key[i]].name;
    appendStringInfo(&key, "%s\"%s\" = %s", i > 0 ? ", " : " of the row where ", name, CellExcerpt(cell));
  }
  errcontext("column \"%s\" of foreign table \"%s\"%s", position->converter->name, position->table, key.data);
}

Datum ConvertCell(ColumnConverter *converter, const Cell *cell, bool *isnull) {
  *isnull = cell->kind == Cell::Kind::kNull;
  if (*isnull) {
    // A domain's constraints may refuse NULL: its input function decides.
    return converter->input.fn_strict
               ? Datum(0)
               : InputFunctionCall(&converter->input, nullptr, converter->input_param, converter->typmod);
  }
  // A JSON boolean is spelled out for every other type.
  bool const boolean = cell->kind == Cell::Kind::kTrue || cell->kind == Cell::Kind::kFalse;
  if (converter->direct != nullptr && (!boolean || converter->type == BOOLOID)) {
    Datum value;
    if (converter->direct(converter, cell->data, cell->size, &value)) return value;
  }
  return InputFunctionCall(&converter->input, CellText(cell), converter->input_param, converter->typmod);
}

}  // namespace supabase::pg
