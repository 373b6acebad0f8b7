#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "error.hpp"
#include "message.hpp"

namespace supabase {

// Turns an answer that is not a success into an Error, by one table of PostgREST codes and HTTP statuses:
//   a body {"code","message","details","hint"} whose code is a SQLSTATE keeps it (not classes 00, 01, 02);
//   PGRST codes and the gateway's bodies map as below; anything else (HTML, empty, cut) maps by status.
//   PGRST200, 202, 204, 42703 → HV005; PGRST205, 42P01, 404 without code → HV00R with the hint to import again;
//   42883 → HV00C with a hint that the remote has no such operator or function (set supabase_fdw.enable_pushdown off to
//   find out); PGRST300 to 303, 401 → 28000; 403 without code → 42501; 42501 → 42501; PGRST100, 108, 201, 203, other
//   4xx → HV00C; 429 → 53400 with Retry-After in the detail; 3xx → 08004 naming status and target host only; 5xx →
//   08006, 503, 540 (project paused) and PGRST000 to 003 → 57P03; 57014 (the remote's statement timeout) stays 57014
//   with a detail that it was the remote's.
// Remote text is untrusted: each field is cut at 1 kB, control characters become blanks, invalid UTF-8 '?', and every
// secret of the request that the remote echoes, or 16 bytes of one, becomes "<hidden>". HTML is stripped of tags and
// cut at 200 characters. A 401 or 403 without code in which the gateway speaks of the schema, the API key or the JWT is
// 28000 with a hint what to set. Where the table has a hint of its own, the remote's goes to the end of the detail.
// Context: "remote request: GET /rest/v1/…" (the label, cut at 300 characters).
Error RemoteProblem(const Request &request, const Response &response);

// For the result of a function that the server's row cap cut to `rows` of `total` rows, when the rest cannot be had for
// the reason `why`, a sentence.
Error CutProblem(std::string_view function, uint64_t rows, uint64_t total, const std::string &why);

// Adds a sentence to a detail, whose own last one a remote may have left without its full stop.
void AddSentence(std::string *text, std::string_view sentence);

// Whether a code is PostgreSQL's or PostgREST's: a gateway has others.
bool IsServerCode(std::string_view code);

// The "code" of a PostgREST error body, or an empty string.
std::string RemoteCode(const Response &response);

// Whether the server refuses aggregate functions altogether: PGRST123, or PGRST100 (a parse error) before version 12,
// which had none.
bool RefusesAggregates(const Response &response);

// Removes what a message must not carry, as above, except secrets; for any text that came from outside. The result is
// valid UTF-8 without control characters; a text cut at `max_bytes` ends with "..." within them.
std::string CleanText(std::string_view text, size_t max_bytes);
// The same for a text of the answer to this request, whose secrets become "<hidden>".
std::string CleanText(const Request &request, std::string_view text, size_t max_bytes);

}  // namespace supabase
