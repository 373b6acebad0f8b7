#pragma once

#include "core/payload.hpp"
#include "fdw/option.hpp"

namespace supabase::pg {

// Local values on their way into the body or the filters of a write.

// One column. Plain data; lives as long as the statement.
struct ValueEncoder {
  AttrNumber attno;  // of the foreign table; the system columns ctid and xmin have their own
  const char *name;  // remote, UTF-8
  const char *local_name;
  Oid type;
  FmgrInfo output;
  bool json;      // the text is JSON and goes as it is
  bool settings;  // the text depends on the session's settings
};

// Prepares a column of `table`; `context` owns what the output function keeps.
void InitEncoder(ValueEncoder *encoder, const Table *table, TupleDesc desc, AttrNumber attno, MemoryContext context);

// A row, as a slot or an expression list has it.
struct RowValues {
  const Datum *values;
  const bool *isnull;
};

// What `count` encoders make of a row; `positions` are where their values stand in it, counted from 0. The texts are in
// the current memory context. Raises 0A000 for what cannot be written: a JSON null.
void EncodeRow(ValueEncoder *encoders, const int *positions, int count, RowValues row, PayloadValue *values);

// Makes output functions print what every server reads the same way, whatever its settings and the session's; until
// AtEOXact_GUC(true, level).
int PushOutputSettings();

}  // namespace supabase::pg
