// What is measured: groups of runs over the same rows, and the ratios that are read from them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "measure.hpp"
#include "peer.hpp"

namespace bench {

// One of the things a round runs. Members that have an answer must all have the same.
struct Member {
  std::string name;
  std::function<Sample()> run;
  // Requests of one more run, by EXPLAIN (ANALYZE); empty where none are counted.
  std::function<long()> requests;
};

// One line of the table: a member against another of the same round.
struct Line {
  std::string work;
  std::string ours;
  std::string peer;
  double Sample::*measure = &Sample::wall;
  // The largest ratio that is good enough; 0: none is set.
  double target = 0;
};

struct Group {
  std::string name;
  std::vector<Member> members;
  std::vector<Line> lines;
};

// How far a scan raises the memory of its backend, ours and the peer's.
struct MemoryCase {
  std::string work;
  std::string ours;
  std::string peer;
  std::string sql;
  double target_megabytes = 0;
};

// Builds groups over one set of warm sessions.
class Scenarios {
 public:
  std::vector<Group> Groups();
  static std::vector<MemoryCase> MemoryCases();

 private:
  Session &In(const std::string &schema);
  Member Query(const std::string &schema, const std::string &sql);
  // The table is emptied before each run, outside the measured time.
  Member Insert(const std::string &schema, const std::string &sql);
  // Writes the remote table wide_in, which is empty before each run or has the rows of `outgoing`.
  Member Write(const std::string &schema, const std::string &sql, bool filled);
  Member Lookups(const std::string &schema, const std::string &table, int count);
  Member RawLookups(const std::string &base, const std::string &table, int count);
  // The requests of `Lookups`, over one connection.
  // The pages of a table, as key paging asks for them.
  Member Raw(const std::string &name, const std::string &base, const std::string &table, long page, size_t streams);
  // Gets `urls` over connections of its own.
  Member Fetch(const std::string &name, const std::vector<std::string> &urls, size_t streams);
  long RowsOf(const std::string &table);
  // The path of the request that our scan in `sql` sends first.
  std::string Request(const std::string &sql);

  Group Wide();
  Group Narrow();
  Group IntoLocal();
  Group Insertion();
  Group Update();
  Group Deletion();
  Group Filtered();
  Group TopTen();
  Group Count();
  Group GroupedSum();
  Group Keys();
  Group KeyList();
  Group Join();
  Group FarScan();
  Group FarKeys();

  std::vector<std::pair<std::string, std::unique_ptr<Session>>> sessions_;
  std::vector<std::unique_ptr<Download>> downloads_;
};

// The requests that the counters of an EXPLAIN (ANALYZE) add up to.
long RequestsIn(const std::string &explain);

}  // namespace bench
