#include "fdw/type.hpp"

#include "core/seeded.hpp"

extern "C" {
#include "access/transam.h"
}

namespace supabase::pg {
namespace {

constexpr TypeRule kRules[] = {
    // type, as_text, equality, ordering, collated, sortable
    {BOOLOID, false, true, true, false, true},      {INT2OID, false, true, true, false, true},
    {INT4OID, false, true, true, false, true},      {INT8OID, false, true, true, false, true},
    {OIDOID, false, true, true, false, true},       {NUMERICOID, false, true, true, false, true},
    {FLOAT4OID, false, true, true, false, true},    {FLOAT8OID, false, true, true, false, true},
    {TEXTOID, false, true, true, true, true},       {VARCHAROID, false, true, true, true, true},
    {BPCHAROID, false, true, true, true, true},     {NAMEOID, false, true, true, true, true},
    {CHAROID, false, true, true, false, true},      {BYTEAOID, false, true, true, false, true},
    {UUIDOID, false, true, true, false, true},      {DATEOID, false, true, true, false, true},
    {TIMEOID, false, true, true, false, true},      {TIMETZOID, false, true, true, false, true},
    {TIMESTAMPOID, false, true, true, false, true}, {TIMESTAMPTZOID, false, true, true, false, true},
    {INTERVALOID, true, true, true, false, true},   {INETOID, false, true, true, false, true},
    {CIDROID, false, true, true, false, true},      {MACADDROID, false, true, true, false, true},
    {MACADDR8OID, false, true, true, false, true},  {BITOID, false, true, true, false, true},
    {VARBITOID, false, true, true, false, true},    {PG_LSNOID, false, true, true, false, true},
    {MONEYOID, true, false, false, false, true},    {TSVECTOROID, false, true, false, false, true},
    {TSQUERYOID, false, true, false, false, true},  {JSONBOID, true, true, false, false, true},
    {JSONOID, true, false, false, false, false},    {XMLOID, false, false, false, false, false},
};

// Ranges that PostgreSQL comes with order by their subtype's own comparison; others may bring one of their own.
bool IsBuiltinRange(Oid type) {
  return (type_is_range(type) || type_is_multirange(type)) && type < FirstNormalObjectId;
}

}  // namespace

TypeRule GetTypeRule(Oid type) {
  Oid const base = getBaseType(type);
  for (const TypeRule &rule : kRules) {
    if (rule.type != base) continue;
    TypeRule found = rule;
    if (Seeded(Bug::kJsonNullIsNull) && base == JSONBOID) found.as_text = false;
    return found;
  }
  // An enum's labels compare equal on both sides; their order need not.
  if (type_is_enum(base)) return {base, false, true, false, false, true};
  Oid const element = get_element_type(base);
  if (OidIsValid(element)) {
    TypeRule const rule = GetTypeRule(element);
    // Half a character cannot be sent in an array either.
    bool const sendable = getBaseType(element) != CHAROID;
    return {base, !Seeded(Bug::kArrayBoundsLost), rule.equality && sendable, rule.ordering && sendable, rule.collated,
            false};
  }
  bool const range = type_is_range(base) || type_is_multirange(base), builtin = IsBuiltinRange(base);
  return {base, true, builtin, builtin, false, range};
}

}  // namespace supabase::pg
