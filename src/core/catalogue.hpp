#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace supabase {

// The Management API as data: what catalogue.json says, in which an endpoint is a line and a table a paragraph. Import,
// planning, reading, writing and supabase_management all go by it; the format is explained in docs/catalogue.md.

// A parameter of the path, the query or a header.
struct ApiParameter {
  enum class Place { kPath, kQuery, kHeader };
  std::string name;
  Place place = Place::kPath;
  std::string type;  // "string", "integer", "number", "boolean"
  bool required = false;
  bool repeat = false;              // several values, as a repeated parameter
  std::vector<std::string> values;  // the allowed ones; empty: any
};

// A top-level member of a request body.
struct ApiProperty {
  std::string name, type;  // also "array", "object", "any"
  bool required = false;
  std::vector<std::string> values;
};

struct ApiBody {
  bool exists = false, required = false;
  std::string type;  // "object", "array"
  std::string form;  // "": JSON, "multipart", "urlencoded"
  bool additional = false;
  std::vector<ApiProperty> properties;
};

struct ApiOperation {
  std::string id;                        // operationId
  std::string method, path;              // "/v1/projects/{ref}"
  std::string scope;                     // of OAuth; empty: none, so that only a personal token may call it
  std::vector<ApiParameter> parameters;  // those of the path first, in its order
  ApiBody body;
  std::string answer;  // "": JSON, "text", "binary", "none", "head"
  std::string rows;    // where in the answer the result of a function is
  bool destructive = false;
  bool reads = false;  // a POST that changes nothing
  bool once = false;   // never repeated when its outcome is unknown
  std::string function;

  const ApiParameter *FindParameter(std::string_view name) const;
  // Whether it changes nothing.
  bool ReadsOnly() const { return reads || method == "GET" || method == "HEAD"; }
};

struct ApiColumn {
  std::string name, type;
  std::string json;                                                 // path of its value in the row
  std::string parameter;                                            // of the request, whose value it shows
  std::string header;                                               // of the INSERT
  std::string body;                                                 // path of its value in request bodies
  std::vector<std::pair<std::string, std::string>> body_constants;  // members that go with it
  std::string hydrate;  // the operation that alone gives it; empty: the row has it
  std::string decode, encode;
  std::string update;  // the operation that changes it; empty: none
  bool insert = false, insert_required = false;
  bool write_only = false;
  bool secret = false;                // needs a privilege on the column itself
  bool digest = false;                // shows a digest
  bool generated = false;             // a password is made when none is given
  bool constant = false;              // its value comes from the source of the rows
  bool whole = false;                 // shows the whole row
  std::vector<std::string> defaults;  // of the parameter
  std::vector<std::string> values;    // that may be written; empty: any
  std::optional<double> least, most;
};

// How a table uses an operation.
struct TableOperation {
  std::string name;  // "list", "get", "insert", …
  const ApiOperation *operation = nullptr;
  std::string rows;  // where in the answer the rows are: "[]", "keys[]", "projects[].databases[]", "" for the answer
  std::string body;  // form of the body: "" object, "array", "names", "list", "families", "query", "multipart", "none"
  std::string column;              // of "names" and "list"
  std::string path;                // of "list" and "families"
  std::string file_name;           // of "multipart": the column with the name of the file that `column` is
  std::string scalar;              // the column that the rows of the answer are, where they are no objects
  std::string fallback;            // the operation to use when this one is refused
  std::vector<std::string> query;  // columns that go as query parameters of their name
  std::vector<std::string> with;   // columns whose present values go along, or "all", or "group"
  bool drop_null = false;
  std::vector<std::pair<std::string, std::string>> constants;  // members of the body
  std::vector<std::pair<std::string, std::string>> paths;      // in the body, where they differ from the column's own
};

struct RowSource {
  std::string operation;  // "list" or another of the table's
  std::string rows;
  std::vector<std::pair<std::string, std::string>> constants;  // of columns
};

// An answer that means that there is nothing.
struct Absence {
  int status = 0;
  std::string message;    // begins so; empty: any
  std::string operation;  // of the table; empty: any
};

struct ApiPaging {
  std::string style;  // "": one answer, "offset", "cursor"
  std::string limit, offset, cursor, total;
  int size = 0;
};

struct ApiTable {
  enum class Kind { kCollection, kSingleton, kZeroOrOne };
  std::string name, doc;
  Kind kind = Kind::kCollection;
  std::vector<std::string> key;
  std::string parent_column, parent_table, parent_key;  // empty: no parent
  bool require_qual = false;
  bool service = false;  // only a running project has it
  bool internal = false;
  std::vector<TableOperation> operations;
  std::vector<RowSource> sources;
  std::vector<Absence> absences;
  ApiPaging paging;
  std::vector<ApiColumn> columns;

  const TableOperation *Find(std::string_view operation) const;
  // -1 when there is none.
  int FindColumn(std::string_view column) const;
  // The column whose value a parameter of the request is; -1 when there is none.
  int ColumnOfParameter(std::string_view parameter) const;
  bool IsKey(std::string_view column) const;
};

struct Catalogue {
  std::vector<ApiOperation> operations;
  std::vector<Absence> absences;                                 // of every table
  std::vector<std::string> ready, pending, failed, unavailable;  // states of a project
  std::vector<ApiTable> tables;

  // The one that is built in; read on first use.
  static const Catalogue &Get();
  // Throws Error for what does not hold together.
  static Catalogue Parse(std::string_view json);

  const ApiOperation *FindOperation(std::string_view id) const;
  const ApiTable *FindTable(std::string_view name) const;
};

}  // namespace supabase
