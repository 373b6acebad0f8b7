#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "message.hpp"

namespace supabase {

// PostgREST's root document (Swagger 2.0) as tables, columns and functions. Names and types come from outside: a table
// is left out with a note when its name or a column's cannot be one here (empty, control characters, over 63 bytes, a
// system column's name, twice in the table), or when it has no columns or more than 1600; so is a function whose name
// or an argument's cannot be one, or that has more than 100 arguments. Invalid UTF-8 makes the whole document invalid.

struct RemoteColumn {
  std::string name;
  std::string format;  // as PostgREST says: "bigint", "character varying", "integer[]", "public.mood", "int32", …
  int max_length = 0;  // for character varying, character, bit, bit varying; 0 when absent
  bool not_null = false;
  bool is_key = false;     // "<pk/>" in the description
  bool is_enum = false;    // has "enum"
  std::string references;  // "table.column" from "<fk table='t' column='c'/>", or empty
  std::string comment;     // the description without the note about keys
};

struct RemoteTable {
  std::string name;
  std::string comment;
  std::vector<RemoteColumn> columns;
  bool writable = false;  // its path offers post, patch or delete
  bool is_view = false;   // no column is required: a table with a key always has one that is
};

struct RemoteArgument {
  RemoteColumn value;     // name, format and type only; no name: the one argument of a function that takes it as body
  bool required = false;  // has no default
  bool variadic = false;
};

// A function, as the document tells it: of overloaded ones only one, of the result nothing.
struct RemoteFunction {
  std::string name;
  std::string comment;
  std::vector<RemoteArgument> arguments;  // as declared, as far as the document tells the order
};

struct RemoteSchema {
  std::string version;                    // PostgREST's, "12.0.2"
  std::vector<RemoteTable> tables;        // by name
  std::vector<RemoteFunction> functions;  // by name
  // Why a table or a function was left out, one sentence each; the 101st counts the rest.
  std::vector<std::string> left_out;
  std::vector<std::string> functions_left_out;
};

// Throws Error 08P01 when the body is not such a document.
RemoteSchema ParseOpenApi(std::string_view body);

// The local type for a remote format. A built-in type is named as PostgreSQL's format_type would, with max_length
// applied; integer formats of PostgREST 14.8 and later (int32, int64) are integer and bigint. `known` false: a type
// that only the remote may have (enum, composite, extension), `name` then is the remote's own name (schema-qualified,
// typmod kept). A known name is one of a fixed list and may stand in SQL as it is; an unknown one is remote text, at
// most 256 bytes without control characters (else "text"), for the caller to look up. Types that name catalog objects
// (regclass) are text.
struct LocalType {
  std::string name;
  bool known = false;
};
LocalType MapType(const RemoteColumn &column);

}  // namespace supabase
