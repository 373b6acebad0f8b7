#pragma once

#include "fdw/convert.hpp"

namespace supabase::pg {

// Sets `direct`, and for an array `element`, where the type has a conversion without its input function; the type and
// typmod are set. `context` owns the element's converter.
void InitDirect(ColumnConverter *converter, MemoryContext context);

// ---- convert_json.cpp ----

bool DirectJson(const ColumnConverter *converter, const char *data, size_t size, Datum *value);
// The same value, byte for byte, as jsonb_in makes.
bool DirectJsonb(const ColumnConverter *converter, const char *data, size_t size, Datum *value);

}  // namespace supabase::pg
