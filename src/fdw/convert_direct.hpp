#pragma once

#include "fdw/convert.hpp"

namespace supabase::pg {

// Sets `direct`, and for an array `element`, where the type has a conversion without its input function; the type and
// typmod are set. `context` owns the element's converter.
void InitDirect(ColumnConverter *converter, MemoryContext context);

}  // namespace supabase::pg
