// What a write asks for. What becomes of its answer is in write_answer_test.cpp.

#include "write.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace supabase {
namespace {

using Kind = Condition::Kind;

Condition Compare(const std::string &column, const std::string &value) {
  Condition leaf;
  leaf.kind = Kind::kCompare;
  leaf.column = column;
  leaf.values = {value};
  return leaf;
}

Condition Tree(Kind kind, std::vector<Condition> children) {
  Condition node;
  node.kind = kind;
  node.children = std::move(children);
  return node;
}

WriteQuery Query(WriteVerb verb) {
  WriteQuery query;
  query.verb = verb;
  query.rows.relation = "orders";
  if (verb != WriteVerb::kInsert) query.rows.where = {Compare("id", "5")};
  if (verb != WriteVerb::kDelete) query.columns = {"id", "note"};
  return query;
}

TEST(Write, Targets) {
  WriteQuery insert = Query(WriteVerb::kInsert);
  EXPECT_EQ(BuildWriteTarget(insert), "/orders?columns=id,note");
  insert.on_conflict = {"id", "a b"};
  insert.rows.select = {{"id", false, {}}, {"note", true, {}}};
  EXPECT_EQ(BuildWriteTarget(insert), "/orders?columns=id,note&on_conflict=id,%22a%20b%22&select=c0:id,c1:note::text");
  insert = Query(WriteVerb::kInsert);
  insert.columns.clear();
  EXPECT_EQ(BuildWriteTarget(insert), "/orders");

  WriteQuery update = Query(WriteVerb::kUpdate);
  update.rows.where.push_back(Tree(Kind::kOr, {Compare("a", "1"), Compare("b", "x,y")}));
  EXPECT_EQ(BuildWriteTarget(update), "/orders?columns=id,note&id=eq.5&or=(a.eq.1,b.eq.%22x,y%22)");
  EXPECT_EQ(BuildWriteTarget(Query(WriteVerb::kDelete)), "/orders?id=eq.5");

  WriteQuery odd = Query(WriteVerb::kInsert);
  odd.rows.relation = "odd (name), here";
  odd.columns = {"c,\"d\"", "select", "\xc3\xa4"};
  EXPECT_EQ(BuildWriteTarget(odd),
            "/odd%20%28name%29%2C%20here?columns=%22c,%5C%22d%5C%22%22,%22select%22,%22%C3%A4%22");
}

TEST(Write, NeverWithoutACondition) {
  for (const WriteVerb verb : {WriteVerb::kUpdate, WriteVerb::kDelete}) {
    WriteQuery query = Query(verb);
    query.rows.where.clear();
    try {
      BuildWriteTarget(query);
      ADD_FAILURE() << "a target without a condition";
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "HV000");
    }
  }
}

TEST(Write, NamesThatCannotBeSent) {
  WriteQuery query = Query(WriteVerb::kInsert);
  query.columns = {std::string("a\0b", 3)};
  EXPECT_THROW(BuildWriteTarget(query), Error);
  query.columns = {"*"};
  EXPECT_THROW(BuildWriteTarget(query), Error);
}

std::string HeaderOf(const Request &request, const std::string &name) {
  std::string value;
  for (const auto &[key, text] : request.headers) {
    if (key == name) value += text + ";";
  }
  return value;
}

Request RequestOf(const WriteQuery &query, std::string body = "[]") {
  Request request;
  request.url = "https://host/rest/v1";
  request.label = std::string(WriteMethod(query.verb)) + " /rest/v1";
  SetWriteRequest(&request, query, BuildWriteTarget(query), std::move(body));
  return request;
}

TEST(Write, Requests) {
  const Request insert = RequestOf(Query(WriteVerb::kInsert), "[{}]");
  EXPECT_EQ(insert.method, "POST");
  EXPECT_EQ(insert.url, "https://host/rest/v1/orders?columns=id,note");
  EXPECT_EQ(insert.label, "POST /rest/v1/orders?columns=id,note");
  EXPECT_EQ(insert.body, "[{}]");
  EXPECT_EQ(HeaderOf(insert, "Prefer"), "return=minimal,count=exact;");
  EXPECT_EQ(HeaderOf(insert, "Content-Type"), "application/json;");

  WriteQuery returning = Query(WriteVerb::kUpdate);
  returning.rows.select = {{"id", false, {}}};
  const Request update = RequestOf(returning, "{}");
  EXPECT_EQ(update.method, "PATCH");
  EXPECT_EQ(HeaderOf(update, "Prefer"), "return=representation,count=exact;");
  EXPECT_EQ(HeaderOf(update, "Content-Type"), "application/json;");

  const Request remove = RequestOf(Query(WriteVerb::kDelete), "");
  EXPECT_EQ(remove.method, "DELETE");
  EXPECT_EQ(HeaderOf(remove, "Prefer"), "return=minimal,count=exact;");
  EXPECT_EQ(HeaderOf(remove, "Content-Type"), "");
  EXPECT_EQ(remove.body, "");
}

TEST(Write, PreferSaysWhatAboutDuplicates) {
  WriteQuery query = Query(WriteVerb::kInsert);
  query.conflict = Conflict::kIgnore;
  EXPECT_EQ(HeaderOf(RequestOf(query), "Prefer"), "return=minimal,count=exact,resolution=ignore-duplicates;");
  query.conflict = Conflict::kMerge;
  EXPECT_EQ(HeaderOf(RequestOf(query), "Prefer"), "return=minimal,count=exact,resolution=merge-duplicates;");
}

TEST(Write, OnlyAnUpsertWithItsKeyMayBeRepeated) {
  const struct {
    WriteVerb verb;
    Conflict conflict;
    std::vector<std::string> on_conflict;
    bool idempotent;
  } cases[] = {
      {WriteVerb::kInsert, Conflict::kFail, {}, false},
      {WriteVerb::kInsert, Conflict::kFail, {"id"}, false},
      {WriteVerb::kInsert, Conflict::kMerge, {"id"}, true},
      {WriteVerb::kInsert, Conflict::kMerge, {"note", "id"}, true},
      {WriteVerb::kInsert, Conflict::kMerge, {}, false},
      {WriteVerb::kInsert, Conflict::kMerge, {"id", "x"}, false},
      {WriteVerb::kInsert, Conflict::kMerge, {"x"}, false},
      {WriteVerb::kInsert, Conflict::kIgnore, {"id"}, false},
      {WriteVerb::kUpdate, Conflict::kFail, {}, false},
      {WriteVerb::kDelete, Conflict::kFail, {}, false},
  };
  for (const auto &c : cases) {
    WriteQuery query = Query(c.verb);
    query.conflict = c.conflict;
    query.on_conflict = c.on_conflict;
    EXPECT_EQ(RequestOf(query).idempotent, c.idempotent)
        << WriteMethod(c.verb) << " " << static_cast<int>(c.conflict) << " " << c.on_conflict.size();
  }
}

std::string SelectOf(const WriteQuery &query) {
  std::string names;
  for (const SelectColumn &column : query.rows.select)
    names.append(names.empty() ? "" : ",").append(column.name).append(column.as_text ? "::text" : "");
  return names;
}

TEST(Write, ColumnsOfTreesComeBackToo) {
  const struct {
    std::vector<Condition> where;
    const char *select;
  } cases[] = {
      {{Compare("a", "1")}, "id"},
      {{Tree(Kind::kOr, {Compare("a", "1"), Compare("id", "2")})}, "id,a::text"},
      {{Tree(Kind::kOr, {Compare("a", "1"), Compare("a", "2")})}, "id,a::text"},
      // what stands alone becomes several parameters
      {{Tree(Kind::kAnd, {Compare("a", "1"), Compare("b", "2")})}, "id"},
      {{Tree(Kind::kAnd, {Compare("a", "1"), Tree(Kind::kOr, {Compare("b", "2"), Compare("d", "3")})})},
       "id,b::text,d::text"},
      {{Tree(Kind::kOr, {Tree(Kind::kAnd, {Compare("a", "1"), Compare("b", "2")}), Compare("a", "3")})},
       "id,a::text,b::text"},
      {{Compare("x", "1"), Tree(Kind::kOr, {Compare("a", "1"), Compare("b", "2")})}, "id,a::text,b::text"},
  };
  for (const auto &c : cases) {
    for (const WriteVerb verb : {WriteVerb::kUpdate, WriteVerb::kDelete}) {
      WriteQuery query = Query(verb);
      query.columns = {"note"};
      query.rows.select = {{"id", false, {}}};
      query.rows.where = c.where;
      SelectTreeColumns(&query);
      EXPECT_EQ(SelectOf(query), c.select);
    }
  }
}

TEST(Write, WhatKeysHaveBesideThemHasTheColumnsOfTheirTree) {
  const std::string a(40, 'a'), b(40, 'b');
  const Condition one = Tree(Kind::kAnd, {Compare(a, "1"), Compare(b, "1")});
  for (const bool returning : {false, true}) {
    for (const bool composite : {false, true}) {
      WriteQuery query = Query(WriteVerb::kUpdate);
      query.columns = {"note"};
      if (returning) query.rows.select = {{"id", false, {}}, {a, false, {}}};
      Condition list = Compare(a, "1");
      list.kind = Kind::kIn;
      query.rows.where = {composite ? Tree(Kind::kOr, {one, one}) : list};
      const size_t beside = BytesBesideKeys(query, composite ? std::vector{a, b} : std::vector{a});
      const size_t keys = ConditionBytes(query.rows.where[0]);
      SelectTreeColumns(&query);
      const size_t whole = BuildWriteTarget(query).size();
      EXPECT_LE(whole, beside + keys + 1);
      EXPECT_GE(whole + 1, beside + keys);
    }
  }
}

TEST(Write, NothingIsAddedWhereNothingComesBack) {
  WriteQuery query = Query(WriteVerb::kUpdate);
  query.rows.where = {Tree(Kind::kOr, {Compare("note", "1"), Compare("b", "2")})};
  SelectTreeColumns(&query);
  EXPECT_EQ(SelectOf(query), "");
}

TEST(Write, RowsThatTheChangeItselfWouldHide) {
  WriteQuery query = Query(WriteVerb::kUpdate);
  query.rows.select = {{"id", false, {}}};
  query.rows.where = {Tree(Kind::kOr, {Compare("note", "1"), Compare("b", "2")})};
  try {
    SelectTreeColumns(&query);
    ADD_FAILURE() << "no error";
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "0A000");
  }
  query.rows.where = {Compare("note", "1")};
  EXPECT_NO_THROW(SelectTreeColumns(&query));
}

TEST(Write, Descriptions) {
  const struct {
    WriteVerb verb;
    uint64_t rows;
    std::optional<uint64_t> first;
    const char *text;
  } cases[] = {
      {WriteVerb::kInsert, 1000, 1, "INSERT of rows 1 to 1000 into \"t\""},
      {WriteVerb::kInsert, 1000, 2001, "INSERT of rows 2001 to 3000 into \"t\""},
      {WriteVerb::kInsert, 1, 7, "INSERT of row 7 into \"t\""},
      {WriteVerb::kInsert, 3, std::nullopt, "INSERT of 3 rows into \"t\""},
      {WriteVerb::kUpdate, 1, std::nullopt, "UPDATE of 1 row in \"t\""},
      {WriteVerb::kUpdate, 12, std::nullopt, "UPDATE of 12 rows in \"t\""},
      {WriteVerb::kUpdate, 0, std::nullopt, "UPDATE of \"t\""},
      {WriteVerb::kDelete, 5, std::nullopt, "DELETE of 5 rows from \"t\""},
      {WriteVerb::kDelete, 0, std::nullopt, "DELETE from \"t\""},
  };
  for (const auto &c : cases) {
    WriteNote note;
    note.verb = c.verb;
    note.table = "t";
    note.rows = c.rows;
    note.first_row = c.first;
    EXPECT_EQ(DescribeWrite(note), c.text);
  }
}

constexpr char kRows[] = R"([{"a":"1","b":"x"},{"a":"2","b":"x, y"},{"a":"2","b":"x"},{"a":"3","b":null}])";

std::string Refused(const std::string &body, const std::string &detail, bool first = false) {
  const std::optional<size_t> row = FindRefusedRow(body, detail, first);
  return row ? std::to_string(*row) : "none";
}

TEST(Write, FindsTheRefusedRow) {
  const struct {
    const char *detail, *row;
  } cases[] = {
      {"Key (a)=(1) already exists.", "0"},
      {"Key (a)=(3) already exists.", "3"},
      {"Key (a, b)=(2, x) already exists.", "2"},
      {"Key (a, b)=(2, x, y) already exists.", "1"},
      {"Key (b)=(x, y) already exists.", "1"},
      {"Key (\"a\", \"b\")=(2, x) already exists.", "2"},
      {"Schl\xc3\xbcssel: Key (a)=(1) existiert bereits.", "0"},
      {"Key (a)=(4) already exists.", "none"},
      {"Key (a)=(12) already exists.", "none"},
      {"Key (c)=(1) already exists.", "none"},
      {"Key (a, b)=(3, ) already exists.", "none"},
      {"Key (a)=(2) already exists.", "none"},  // two rows have it
      {"Key (lower(a))=(1) already exists.", "none"},
      {"Failing row contains (1, x).", "none"},
      {"Key (a)", "none"},
      {"Key (a)=(", "none"},
      {"Key (a)=(1", "none"},
      {"Key ()=() already exists.", "none"},
      {"", "none"},
  };
  for (const auto &c : cases)
    EXPECT_EQ(Refused(kRows, c.detail), c.row) << c.detail;
}

TEST(Write, RefusedRowOfSeveralWithItsValue) {
  const std::string detail = "Key (b)=(x) is not present in table \"t\".";
  EXPECT_EQ(Refused(kRows, detail), "none");
  EXPECT_EQ(Refused(kRows, detail, true), "0");
}

TEST(Write, RefusedRowWithOddValues) {
  EXPECT_EQ(Refused(R"([{"a":"1"},{"a":"1) x"}])", "Key (a)=(1) x) already exists."), "1");
  EXPECT_EQ(Refused(R"([{"a":"1) x"},{"a":"1"}])", "Key (a)=(1) already exists."), "1");
  EXPECT_EQ(Refused(R"([{"a":"1"},{"a":""}])", "Key (a)=() already exists."), "1");
  EXPECT_EQ(Refused(R"([{"a":"","b":"x"},{"a":"x","b":""}])", "Key (a, b)=(, x) already exists."), "0");
  EXPECT_EQ(Refused(R"([{"a":"1, x","b":null}])", "Key (a, b)=(1, x) already exists."), "none");
}

TEST(Write, RefusedRowOfABodyThatIsNone) {
  const std::string detail = "Key (a)=(1) already exists.";
  for (const char *body : {"", "{", R"({"a":"1"})", "[1,2]", "[[]]", R"([{"a":1}])", R"([{"a":"1"}] x)", "null"})
    EXPECT_EQ(Refused(body, detail), "none") << body;
}

}  // namespace
}  // namespace supabase
