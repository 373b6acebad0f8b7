#pragma once

#include "core/rows.hpp"
#include "fdw/option.hpp"

namespace supabase::pg {

// Conversion of one column's cells, or of the elements of its arrays. Plain data; lives as long as the scan.
struct ColumnConverter {
  // Converts text in its plain form without the input function; false when that must decide. Raises nothing but
  // out-of-memory.
  using Direct = bool (*)(const ColumnConverter *converter, const char *data, size_t size, Datum *value);

  AttrNumber attno;
  const char *name;  // local name, for messages
  Oid type;          // of the local column
  int32 typmod;
  Oid input_param;
  FmgrInfo input;
  Direct direct;             // NULL: always the input function
  ColumnConverter *element;  // of an array whose elements have a direct conversion
  int16 element_size;        // the element type's storage
  bool element_by_value;
  char element_align;
};

// Prepares the conversion of a local column; `context` owns what the input function keeps.
void InitConverter(ColumnConverter *converter, Form_pg_attribute attribute, MemoryContext context);

// Where a conversion is, for the error context: column, foreign table and the row's key.
struct ConvertPosition {
  const char *table;
  const ColumnConverter *converter;  // NULL while no conversion runs
  const Cell *row;
  int key_count;
  const int *key;                     // positions of the key's columns in the row
  const ColumnConverter *converters;  // of all the row's columns
};
void ConvertErrorContext(void *position);

// The Datum of a cell in the current memory context. Raises the type's own error for text that it does not take.
Datum ConvertCell(ColumnConverter *converter, const Cell *cell, bool *isnull);

}  // namespace supabase::pg
