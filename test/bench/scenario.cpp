#include "scenario.hpp"

#include <algorithm>
#include <stdexcept>

namespace bench {
namespace {

// OFFSET 0 keeps the counting apart from the scan: otherwise it could be asked of the remote, and no row would move.
const char kWideColumns[] =
    "SELECT count(id), count(bucket), count(amount), count(score), count(active), count(created_at), count(day), "
    "count(ref), count(note), count(code), count(meta), count(tags) FROM (SELECT * FROM ";
const char kWideScan[] = "wide OFFSET 0) s";
const char kNarrowScan[] = "SELECT count(id), count(n), count(label) FROM (SELECT * FROM narrow OFFSET 0) s";
const char kFactScan[] =
    "SELECT count(id), count(dim_id), count(amount), count(status), count(happened) FROM (SELECT * FROM fact OFFSET 0) "
    "s";

std::string WideRows(const std::string &from) {
  return kWideColumns + from;
}

// The part of a text between two others; empty when they are not there.
std::string Between(const std::string &text, const std::string &before, const std::string &after) {
  const size_t start = text.find(before);
  if (start == std::string::npos) return "";
  const size_t from = start + before.size();
  return text.substr(from, text.find_first_of(after, from) - from);
}

// Keys in no order that a cache or a read-ahead could use, the same ones for every peer.
std::vector<long> SomeKeys(int count, long rows) {
  std::vector<long> keys;
  for (int i = 0; i < count; i++)
    keys.push_back(1 + (i * 7919L) % rows);
  return keys;
}

template <typename Work>
Sample Measure(Session &session, Work work) {
  Sample sample;
  const double cpu = CpuSeconds(session.pid());
  const double start = Now();
  sample.answer = work();
  sample.wall = Now() - start;
  sample.cpu = CpuSeconds(session.pid()) - cpu;
  return sample;
}

}  // namespace

long RequestsIn(const std::string &explain) {
  long total = 0;
  const std::string label = "Requests: ";
  for (size_t at = explain.find(label); at != std::string::npos; at = explain.find(label, at + 1))
    total += std::stol(explain.substr(at + label.size()));
  return total;
}

Session &Scenarios::In(const std::string &schema) {
  for (auto &[name, session] : sessions_)
    if (name == schema) return *session;
  sessions_.emplace_back(schema, std::make_unique<Session>(schema));
  return *sessions_.back().second;
}

Member Scenarios::Query(const std::string &schema, const std::string &sql) {
  Session &session = In(schema);
  return {schema, [&session, sql] { return Measure(session, [&] { return session.Run(sql); }); },
          [&session, sql] { return RequestsIn(session.Run("EXPLAIN (ANALYZE, TIMING OFF) " + sql)); }};
}

Member Scenarios::Insert(const std::string &schema, const std::string &sql) {
  Session &session = In(schema);
  return {schema,
          [&session, sql] {
            session.Run("TRUNCATE wide_copy");
            Sample sample = Measure(session, [&] { return session.Run(sql); });
            sample.answer = session.Run("SELECT count(*), sum(hash_record_extended(w, 0)) FROM wide_copy w");
            return sample;
          },
          [&session, sql] {
            session.Run("TRUNCATE wide_copy");
            return RequestsIn(session.Run("EXPLAIN (ANALYZE, TIMING OFF) " + sql));
          }};
}

Member Scenarios::Write(const std::string &schema, const std::string &sql, bool filled) {
  Session &session = In(schema), &preparing = In("batch1000");
  const auto prepare = [&preparing, filled] {
    preparing.Run("TRUNCATE wide_in");
    if (filled) preparing.Run("INSERT INTO wide_in SELECT * FROM outgoing");
  };
  return {schema,
          [&session, &preparing, sql, prepare] {
            prepare();
            Sample sample = Measure(session, [&] { return session.Run(sql); });
            sample.answer = preparing.Run("SELECT count(*), sum(hash_record_extended(w, 0)) FROM wide_in w");
            return sample;
          },
          [&session, sql, prepare] {
            prepare();
            return RequestsIn(session.Run("EXPLAIN (ANALYZE, TIMING OFF) " + sql));
          }};
}

Member Scenarios::Lookups(const std::string &schema, const std::string &table, int count) {
  Session &session = In(schema);
  const std::string sql = "SELECT * FROM " + table + " WHERE id = ";
  const std::vector<long> keys = SomeKeys(count, RowsOf(table));
  return {schema,
          [&session, sql, keys] {
            session.PrepareLookup(sql + "$1");
            return Measure(session, [&] {
              std::string all;
              for (const long key : keys)
                all += session.Lookup(key);
              return all;
            });
          },
          [&session, sql] { return RequestsIn(session.Run("EXPLAIN (ANALYZE, TIMING OFF) " + sql + "4711")); }};
}

std::string Scenarios::Request(const std::string &sql) {
  const std::string plan = In("ours").Run("EXPLAIN (VERBOSE, COSTS OFF) " + sql);
  const std::string request = Between(plan, "Remote Request: GET ", "\n");
  if (request.empty()) throw std::runtime_error("no request in the plan:\n" + plan);
  return request;
}

long Scenarios::RowsOf(const std::string &table) {
  return std::stol(In("ours").Run("SELECT rows FROM rows_of WHERE name = '" + table + "'"));
}

Member Scenarios::Fetch(const std::string &name, const std::vector<std::string> &urls, size_t streams) {
  downloads_.push_back(std::make_unique<Download>());
  Download &download = *downloads_.back();
  return {name,
          [&download, urls, streams] {
            Sample sample;
            const double start = Now();
            download.Get(urls, streams);
            sample.wall = Now() - start;
            return sample;
          },
          nullptr};
}

Member Scenarios::RawLookups(const std::string &base, const std::string &table, int count) {
  const std::string request = Request("SELECT * FROM " + table + " WHERE id = 1");
  const std::string condition = "id=eq.";
  const size_t at = request.find(condition + "1");
  if (at == std::string::npos) throw std::runtime_error("no condition in the request " + request);
  std::vector<std::string> urls;
  for (const long key : SomeKeys(count, RowsOf(table)))
    urls.push_back(base + std::string(request).replace(at, condition.size() + 1, condition + std::to_string(key)));
  return Fetch("raw_keys", urls, 1);
}

Member Scenarios::Raw(const std::string &name, const std::string &base, const std::string &table, long page,
                      size_t streams) {
  // What is sent differs in page sizes and ranges; the path and the select list are what makes a page cheap or dear.
  const std::string request = Request("SELECT * FROM " + table);
  const std::string head = base + request.substr(0, request.find('&'));
  const long rows = RowsOf(table);
  std::vector<std::string> urls;
  for (long after = 0; after < rows; after += page)
    urls.push_back(head + "&id=gt." + std::to_string(after) + "&order=id&limit=" + std::to_string(page));
  return Fetch(name, urls, streams);
}

Group Scenarios::Wide() {
  const std::string sql = WideRows(kWideScan);
  const std::string base = Env("STACK_REST_URL_UNCAPPED");
  return {"wide",
          {Query("ours", sql), Query("ours_capped", sql), Query("pg10000", sql), Query("pg100", sql),
           Raw("raw", base, "wide", 10000, 1), Raw("raw4", base, "wide", 10000, 4),
           Raw("raw4_1000", Env("STACK_REST_URL"), "wide", 1000, 4)},
          {{"full scan, wide", "ours", "pg10000", &Sample::wall, 0.75},
           {"full scan, wide", "ours", "pg100", &Sample::wall, 0},
           {"full scan, wide", "ours", "raw4", &Sample::wall, 1.35},
           {"full scan, wide", "ours", "raw", &Sample::wall, 0},
           {"full scan, wide, CPU of the local backend", "ours", "pg10000", &Sample::cpu, 0.60},
           {"full scan, wide, row cap 1,000", "ours_capped", "pg10000", &Sample::wall, 0.90},
           {"full scan, wide, row cap 1,000", "ours_capped", "raw4_1000", &Sample::wall, 0}}};
}

Group Scenarios::Narrow() {
  const std::string sql = kNarrowScan;
  return {"narrow",
          {Query("ours", sql), Query("ours_capped", sql), Query("pg10000", sql), Query("pg100", sql),
           Raw("raw4", Env("STACK_REST_URL_UNCAPPED"), "narrow", 10000, 4)},
          {{"full scan, narrow", "ours", "pg10000", &Sample::wall, 1.3},
           {"full scan, narrow", "ours", "pg100", &Sample::wall, 0.5},
           {"full scan, narrow", "ours", "raw4", &Sample::wall, 0},
           {"full scan, narrow, row cap 1,000", "ours_capped", "pg10000", &Sample::wall, 0}}};
}

Group Scenarios::IntoLocal() {
  const std::string sql = "INSERT INTO wide_copy SELECT * FROM wide";
  return {"into_local",
          {Insert("ours", sql), Insert("pg10000", sql)},
          {{"INSERT INTO local SELECT, wide", "ours", "pg10000", &Sample::wall, 0.80}}};
}

Group Scenarios::Insertion() {
  const std::string sql = "INSERT INTO wide_in SELECT * FROM outgoing";
  return {"insert",
          {Write("ours", sql, false), Write("batch100", sql, false), Write("batch1000", sql, false)},
          {{"INSERT of 100,000 rows", "ours", "batch100", &Sample::wall, 0.85},
           {"INSERT of 100,000 rows", "ours", "batch1000", &Sample::wall, 0}}};
}

Group Scenarios::Update() {
  const std::string sql = "UPDATE wide_in SET note = 'changed' WHERE bucket < 10";
  return {"update",
          {Write("ours", sql, true), Write("batch100", sql, true)},
          {{"UPDATE of 10,000 rows by a condition", "ours", "batch100", &Sample::wall, 0}}};
}

Group Scenarios::Deletion() {
  const std::string sql = "DELETE FROM wide_in USING unwanted WHERE wide_in.id = unwanted.id";
  return {"delete",
          {Write("ours", sql, true), Write("batch100", sql, true)},
          {{"DELETE of 10,000 rows by a local join", "ours", "batch100", &Sample::wall, 0}}};
}

Group Scenarios::Filtered() {
  const std::string sql = WideRows("wide WHERE bucket = 7 OFFSET 0) s");
  return {"filter",
          {Query("ours", sql), Query("pg10000", sql)},
          {{"1 % of wide by a condition", "ours", "pg10000", &Sample::wall, 1.15}}};
}

Group Scenarios::TopTen() {
  const std::string sql = "SELECT id, amount, meta, tags FROM wide ORDER BY amount DESC LIMIT 10";
  return {"top10",
          {Query("ours", sql), Query("pg10000", sql)},
          {{"ORDER BY unindexed LIMIT 10, wide", "ours", "pg10000", &Sample::wall, 0}}};
}

Group Scenarios::Count() {
  const std::string sql = "SELECT count(*) FROM fact";
  return {"count",
          {Query("ours", sql), Query("ours_capped", sql), Query("pg10000", sql)},
          {{"count(*) of fact", "ours", "pg10000", &Sample::wall, 1.1},
           {"count(*) of fact, no remote aggregates", "ours_capped", "pg10000", &Sample::wall, 1.1}}};
}

Group Scenarios::GroupedSum() {
  const std::string sql = "SELECT status, sum(amount), count(*) FROM fact GROUP BY status ORDER BY sum(amount)";
  return {"sum",
          {Query("ours", sql), Query("pg10000", sql)},
          {{"sum(amount) of fact by status", "ours", "pg10000", &Sample::wall, 0}}};
}

Group Scenarios::Keys() {
  constexpr int kLookups = 1000;
  return {"keys",
          {Lookups("ours", "wide", kLookups), Lookups("pg10000", "wide", kLookups),
           RawLookups(Env("STACK_REST_URL_UNCAPPED"), "wide", kLookups)},
          {{"row by key, warm, 1,000 times", "ours", "pg10000", &Sample::wall, 2.3},
           {"row by key, warm, 1,000 times", "ours", "raw_keys", &Sample::wall, 1.25}}};
}

Group Scenarios::KeyList() {
  std::string list;
  for (const long key : SomeKeys(1000, RowsOf("wide")))
    list += (list.empty() ? "" : ",") + std::to_string(key);
  const std::string sql = WideRows("wide WHERE id = ANY ('{" + list + "}') OFFSET 0) s");
  return {"any",
          {Query("ours", sql), Query("pg10000", sql)},
          {{"1,000 rows by = ANY (array)", "ours", "pg10000", &Sample::wall, 0}}};
}

Group Scenarios::Join() {
  const std::string sql =
      "SELECT d.name, count(*), sum(f.amount) FROM dim d JOIN fact f ON f.dim_id = d.id WHERE d.region = 7 "
      "GROUP BY d.name ORDER BY d.name";
  return {"join",
          {Query("ours", sql), Query("pg10000", sql)},
          {{"100 of 1,000 local rows joined with fact", "ours", "pg10000", &Sample::wall, 0}}};
}

Group Scenarios::FarScan() {
  const std::string sql = WideRows("wide_part OFFSET 0) s");
  return {"far_scan",
          {Query("ours_far", sql), Query("pg10000_far", sql)},
          {{"full scan, 100,000 wide rows, 20 ms away", "ours_far", "pg10000_far", &Sample::wall, 0.50}}};
}

Group Scenarios::FarKeys() {
  constexpr int kLookups = 20;
  return {"far_keys",
          {Lookups("ours_far", "wide_part", kLookups), Lookups("pg10000_far", "wide_part", kLookups)},
          {{"row by key, 20 ms away", "ours_far", "pg10000_far", &Sample::wall, 0.30}}};
}

std::vector<Group> Scenarios::Groups() {
  return {Wide(),    Narrow(), IntoLocal(), Filtered(), TopTen(),    Count(),  GroupedSum(), Keys(),
          KeyList(), Join(),   FarScan(),   FarKeys(),  Insertion(), Update(), Deletion()};
}

std::vector<MemoryCase> Scenarios::MemoryCases() {
  const std::string wide = WideRows(kWideScan);
  return {{"memory growth, wide", "ours", "pg10000", wide, 64},
          {"memory growth, wide, row cap 1,000", "ours_capped", "pg10000", wide, 64},
          {"memory growth, fact", "ours", "pg10000", kFactScan, 64}};
}

}  // namespace bench
