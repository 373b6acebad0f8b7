#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"
#include "http.hpp"
#include "message.hpp"
#include "query.hpp"
#include "rows.hpp"

namespace supabase {

// Requests that change rows (https://docs.postgrest.org, "Tables and Views", Insert, Update, Upsert, Delete). Each one
// is a statement and a transaction of its own at the remote; what matters is to know of each whether it was executed.

enum class WriteVerb { kInsert, kUpdate, kDelete };
// What an INSERT does about a row whose key is there already.
enum class Conflict { kFail, kIgnore, kMerge };

struct WriteQuery {
  WriteVerb verb = WriteVerb::kInsert;
  // relation; select: what comes back of each row, empty for nothing; where: of an update or delete, never empty
  ReadQuery rows;
  std::vector<std::string> columns;  // that the body has, of an insert or update
  Conflict conflict = Conflict::kFail;
  std::vector<std::string> on_conflict;  // columns; empty: the primary key
};

// "POST", "PATCH", "DELETE".
const char *WriteMethod(WriteVerb verb);

// Path and query, as BuildTarget. Throws Error (HV000) for an update or delete without a condition.
std::string BuildWriteTarget(const WriteQuery &query);

// PostgREST (12.0) applies and(…) and or(…) to the rows that come back as well, as they are after the change. So their
// columns must come back too: this adds those that `select` lacks, after its own. Throws Error (0A000) where the change
// itself decides which rows would be left out; such rows are to be named by their keys.
void SelectTreeColumns(WriteQuery *query);

// What the target of a change of rows that are named by keys (KeyedWrites) takes without these, in bytes, with the
// columns that SelectTreeColumns adds.
size_t BytesBesideKeys(WriteQuery query, const std::vector<std::string> &key);

// Makes `request`, whose url and label end where the target is appended, the request for that write. It may be sent
// again only when it is an upsert (kMerge) whose key the body has: the same rows give the same table and answer then.
void SetWriteRequest(Request *request, const WriteQuery &query, const std::string &target, std::string body);

// What is known of a write that was begun.
enum class Outcome { kDone, kRefused, kUnknown };

struct WriteAnswer {
  Outcome outcome = Outcome::kRefused;
  uint64_t rows = 0;             // that it changed, by the remote's count
  Page page;                     // those rows, when `select` was not empty
  std::optional<Error> failure;  // of any outcome: a write can be done and its answer unreadable
};

// What a request was meant to do, for the messages about it.
struct WriteNote {
  WriteVerb verb = WriteVerb::kInsert;
  Conflict conflict = Conflict::kFail;
  std::string table;
  size_t select = 0;                    // columns that come back
  uint64_t rows = 0;                    // that it was to change; 0: as many as meet its conditions
  std::optional<uint64_t> first_row{};  // the number of its first row in the statement, from 1
};

// Takes the answer of a transfer that is done. Never throws an Error: the failure is in the answer.
// Without an answer, and with one that does not say that PostgREST or PostgreSQL refused (a gateway's 500, 502, 504, …,
// PGRST001, a remote that shuts down; a success without the number of rows), the outcome is unknown, unless nothing was
// sent: SQLSTATE 08007.
// What a constraint refused names the row of the statement, where the remote names its key.
WriteAnswer TakeWrite(const WriteNote &note, Transfer &transfer);

// For a write that could not be begun.
WriteAnswer NotSent(Error failure);

// "INSERT of rows 1 to 1000 into \"orders\"".
std::string DescribeWrite(const WriteNote &note);

// The number (from 0) of the object in a body of Payload::Take that has the key which a detail like "Key (a, b)=(1, x)
// already exists." names; nothing when no object or more than one has it. `first`: of several the first.
std::optional<size_t> FindRefusedRow(const std::string &body, std::string_view detail, bool first = false);

}  // namespace supabase
