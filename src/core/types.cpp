#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "openapi.hpp"

namespace supabase {

namespace {

constexpr size_t kMaxTypeNameBytes = 256;
constexpr std::string_view kArraySuffix = "[]";
// PostgreSQL's MaxAttrSize, the limit of varchar(n) and char(n), and eight times that for bits.
constexpr int kMaxCharacters = 10 * 1024 * 1024;
constexpr int kMaxBits = 8 * kMaxCharacters;

// `local` is what CREATE FOREIGN TABLE gets, and never a remote text.
struct TypeRow {
  std::string_view format;
  std::string_view local;
  int max_length = 0;  // the largest n in local(n); 0: the type has none
  std::string_view with_length = {};
};

// By format. "character" and "bit" alone would mean a length of 1. There are no reg* types: they would look the
// remote's names up in the local catalogs. smallint of PostgREST 14.8 and later comes as int32, which holds it.
constexpr std::array kTypes{
    TypeRow{"\"char\"", "\"char\""},
    TypeRow{"bigint", "bigint"},
    TypeRow{"bit", "\"bit\"", kMaxBits, "bit"},
    TypeRow{"bit varying", "bit varying", kMaxBits, "bit varying"},
    TypeRow{"boolean", "boolean"},
    TypeRow{"box", "box"},
    TypeRow{"bpchar", "bpchar", kMaxCharacters, "character"},
    TypeRow{"bytea", "bytea"},
    TypeRow{"character", "bpchar", kMaxCharacters, "character"},
    TypeRow{"character varying", "character varying", kMaxCharacters, "character varying"},
    TypeRow{"cid", "cid"},
    TypeRow{"cidr", "cidr"},
    TypeRow{"circle", "circle"},
    TypeRow{"date", "date"},
    TypeRow{"datemultirange", "datemultirange"},
    TypeRow{"daterange", "daterange"},
    TypeRow{"double precision", "double precision"},
    TypeRow{"inet", "inet"},
    TypeRow{"int2vector", "int2vector"},
    TypeRow{"int32", "integer"},
    TypeRow{"int4multirange", "int4multirange"},
    TypeRow{"int4range", "int4range"},
    TypeRow{"int64", "bigint"},
    TypeRow{"int8multirange", "int8multirange"},
    TypeRow{"int8range", "int8range"},
    TypeRow{"integer", "integer"},
    TypeRow{"interval", "interval"},
    TypeRow{"json", "json"},
    TypeRow{"jsonb", "jsonb"},
    TypeRow{"jsonpath", "jsonpath"},
    TypeRow{"line", "line"},
    TypeRow{"lseg", "lseg"},
    TypeRow{"macaddr", "macaddr"},
    TypeRow{"macaddr8", "macaddr8"},
    TypeRow{"money", "money"},
    TypeRow{"name", "name"},
    TypeRow{"numeric", "numeric"},
    TypeRow{"nummultirange", "nummultirange"},
    TypeRow{"numrange", "numrange"},
    TypeRow{"oid", "oid"},
    TypeRow{"oidvector", "oidvector"},
    TypeRow{"path", "path"},
    TypeRow{"pg_lsn", "pg_lsn"},
    TypeRow{"pg_snapshot", "pg_snapshot"},
    TypeRow{"point", "point"},
    TypeRow{"polygon", "polygon"},
    TypeRow{"real", "real"},
    TypeRow{"refcursor", "refcursor"},
    TypeRow{"smallint", "smallint"},
    TypeRow{"text", "text"},
    TypeRow{"tid", "tid"},
    TypeRow{"time with time zone", "time with time zone"},
    TypeRow{"time without time zone", "time without time zone"},
    TypeRow{"timestamp with time zone", "timestamp with time zone"},
    TypeRow{"timestamp without time zone", "timestamp without time zone"},
    TypeRow{"tsmultirange", "tsmultirange"},
    TypeRow{"tsquery", "tsquery"},
    TypeRow{"tsrange", "tsrange"},
    TypeRow{"tstzmultirange", "tstzmultirange"},
    TypeRow{"tstzrange", "tstzrange"},
    TypeRow{"tsvector", "tsvector"},
    TypeRow{"txid_snapshot", "txid_snapshot"},
    TypeRow{"uuid", "uuid"},
    TypeRow{"xid", "xid"},
    TypeRow{"xid8", "xid8"},
    TypeRow{"xml", "xml"},
};

template <size_t size>
constexpr bool IsSorted(const std::array<TypeRow, size> &rows) {
  for (size_t i = 1; i < size; ++i) {
    if (!(rows[i - 1].format < rows[i].format)) return false;
  }
  return true;
}
static_assert(IsSorted(kTypes), "FindType searches by bisection");

const TypeRow *FindType(std::string_view format) {
  const auto *const row = std::lower_bound(kTypes.begin(), kTypes.end(), format,
                                           [](const TypeRow &a, std::string_view b) { return a.format < b; });
  return row != kTypes.end() && row->format == format ? row : nullptr;
}

// "timestamp(3) with time zone" without "(3)".
std::string WithoutTypmod(std::string_view format) {
  std::string name(format);
  const size_t open = name.find('(');
  const size_t close = name.find(')', open);
  if (open == std::string::npos || close == std::string::npos) return name;
  const auto is_typmod = [](char c) { return (c >= '0' && c <= '9') || c == ',' || c == '-'; };
  const auto first = name.begin() + static_cast<std::ptrdiff_t>(open);
  const auto last = name.begin() + static_cast<std::ptrdiff_t>(close);
  if (std::all_of(first + 1, last, is_typmod)) name.erase(first, last + 1);
  return name;
}

// C0, DEL and C1 in UTF-8.
bool HasControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace

LocalType MapType(const RemoteColumn &column) {
  std::string_view element = column.format;
  const bool is_array =
      element.size() > kArraySuffix.size() && element.substr(element.size() - kArraySuffix.size()) == kArraySuffix;
  if (is_array) element.remove_suffix(kArraySuffix.size());

  const TypeRow *row = FindType(WithoutTypmod(element));
  if (row == nullptr) {
    const bool fits = !column.format.empty() && column.format.size() <= kMaxTypeNameBytes && !HasControl(column.format);
    return {fits ? column.format : "text", false};
  }
  std::string name(row->local);
  if (!is_array && column.max_length > 0 && column.max_length <= row->max_length) {
    name = std::string(row->with_length) + "(" + std::to_string(column.max_length) + ")";
  }
  return {is_array ? name.append(kArraySuffix) : name, true};
}

}  // namespace supabase
