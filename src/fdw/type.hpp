#pragma once

#include "fdw/postgres.hpp"

namespace supabase::pg {

// What may be done with a column of a local type, provided that the remote type is the same: one row per type.
struct TypeRule {
  Oid type;
  bool as_text;   // select with ::text: the JSON form loses something (JSON null against SQL NULL, array bounds, …)
  bool equality;  // =, <>, IN, and the operators of arrays and ranges mean the same on both sides
  bool ordering;  // <, >, ORDER BY do too
  bool collated;  // ordering only with option text_ordering
  bool sortable;  // the remote can order by it at all (for paging without a key)
};

// The rule of a type; domains have their base type's, arrays what their elements allow, unknown types a rule that
// allows nothing and selects as text.
TypeRule GetTypeRule(Oid type);

}  // namespace supabase::pg
