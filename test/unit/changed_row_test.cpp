#include "changed_row.hpp"

#include <gtest/gtest.h>

#include "management.hpp"

namespace supabase {
namespace {

using test::Column;
using test::Table;

constexpr int64_t kNow = 1'700'000'000;  // 2023-11-14 22:13:20

ApiRow Row(const ApiTable &table, const std::vector<std::pair<const char *, const char *>> &values) {
  ApiRow row(table.columns.size());
  for (const auto &[name, value] : values)
    row[Column(table, name)] = ApiValue{value == nullptr, value == nullptr ? "" : value};
  return row;
}

ChangedRow Changed(const ApiTable &table, const std::vector<const char *> &wanted) {
  std::vector<size_t> columns;
  for (const char *name : wanted)
    columns.push_back(Column(table, name));
  return {&table, columns};
}

ManagementAnswer Answer(const char *body) {
  return {test::Reply(200, body), "GET /x"};
}

// As a reader would read it, by the same columns; what is not named is null.
ManagementRow Read(const ChangedRow &changed, const ApiTable &table,
                   const std::vector<std::pair<const char *, const char *>> &values) {
  ManagementRow row;
  for (const size_t column : changed.columns()) {
    Cell cell;
    for (const auto &[name, value] : values) {
      if (table.columns[column].name == name) cell = TextCell(value, &row.texts);
    }
    row.cells.push_back(cell);
  }
  return row;
}

std::string Shown(const ChangedRow &row, size_t i) {
  const Cell &cell = row.cells()[i];
  return cell.data == nullptr ? "NULL" : std::string(cell.data, cell.size);
}

TEST(ChangedRow, WhatTheAnswerTellsNeedsNoReading) {
  const ApiTable &table = Table("api_keys");
  ChangedRow row = Changed(table, {"name", "type", "id"});
  ManagementAnswer answer = Answer(R"({"id":"i","name":"n","type":"secret"})");
  row.Take(Row(table, {{"project_ref", "p"}, {"name", "Given"}, {"type", "secret"}}), &answer);
  EXPECT_TRUE(row.complete());
  // The API spells names its own way.
  EXPECT_EQ(Shown(row, 0), "n");
  EXPECT_EQ(Shown(row, 2), "i");
  ReadTarget const target = row.Target();
  EXPECT_EQ(*target.Find(Column(table, "project_ref")), "p");
  EXPECT_EQ(*target.Find(Column(table, "id")), "i");
}

TEST(ChangedRow, WithoutAnAnswerItIsReadByItsKey) {
  const ApiTable &table = Table("secrets");
  ChangedRow row = Changed(table, {"digest", "value"});
  row.Take(Row(table, {{"project_ref", "p"}, {"name", "A"}, {"value", "v"}}), nullptr);
  EXPECT_FALSE(row.complete());
  row.Offer(Read(row, table, {{"project_ref", "p"}, {"name", "B"}, {"digest", "of B"}}));
  EXPECT_FALSE(row.complete());
  row.Offer(Read(row, table, {{"project_ref", "p"}, {"name", "A"}, {"digest", "of A"}}));
  EXPECT_TRUE(row.complete());
  EXPECT_EQ(Shown(row, 0), "of A");
  EXPECT_EQ(Shown(row, 1), "NULL");
  // The next row knows nothing of this one.
  row.Take(Row(table, {{"project_ref", "p"}, {"name", "C"}, {"value", "v"}}), nullptr);
  EXPECT_EQ(Shown(row, 0), "NULL");
}

TEST(ChangedRow, WithoutAKeyTheLastRowOfTheGivenValues) {
  const ApiTable &table = Table("migrations");
  ChangedRow row = Changed(table, {"version", "name"});
  row.Take(Row(table, {{"project_ref", "p"}, {"name", "n"}, {"query", "SELECT 1"}}), nullptr);
  row.Offer(Read(row, table, {{"project_ref", "p"}, {"version", "1"}, {"name", "n"}}));
  row.Offer(Read(row, table, {{"project_ref", "p"}, {"version", "2"}, {"name", "n"}}));
  row.Offer(Read(row, table, {{"project_ref", "p"}, {"version", "3"}, {"name", "other"}}));
  EXPECT_EQ(Shown(row, 0), "2");
}

TEST(ChangedRow, TheWholeRowIsRead) {
  const ApiTable &table = Table("projects");
  ChangedRow row = Changed(table, {"attrs"});
  ManagementAnswer answer = Answer(R"({"ref":"abc","name":"n"})");
  row.Take(Row(table, {{"name", "n"}, {"organization_slug", "o"}}), &answer);
  EXPECT_FALSE(row.complete());
  EXPECT_EQ(row.Key(), "abc");
}

TEST(ChangedRow, AdoptsOnlyWhatMayHaveBeenMadeNow) {
  const ApiTable &table = Table("projects");
  const ApiRow given = Row(table, {{"name", "n"}, {"organization_slug", "o"}});
  ChangedRow row = Changed(table, {"ref"});
  const auto made = [&](const char *name, const char *at) {
    return Read(row, table, {{"ref", "abc"}, {"name", name}, {"organization_slug", "o"}, {"created_at", at}});
  };
  EXPECT_FALSE(row.Adopt(given, kNow, made("other", "2023-11-14T22:13:21Z")));
  EXPECT_FALSE(row.Adopt(given, kNow, made("n", "2023-11-14T22:10:00Z")));
  EXPECT_FALSE(row.Adopt(given, kNow, made("n", "2023-11-14 22:10:00+00")));
  EXPECT_TRUE(row.Adopt(given, kNow, made("n", "2023-11-14T22:12:50Z")));  // by a clock that is behind
  EXPECT_TRUE(row.complete());
  EXPECT_EQ(row.Key(), "abc");
}

}  // namespace
}  // namespace supabase
