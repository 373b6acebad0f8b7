// What statements of several kinds have in common: partners of joins, expressions, RETURNING.
#include <utility>

#include "dml.hpp"

namespace differential {
namespace {

using Words = std::vector<std::string>;

struct Recipe {
  uint32_t traits;
  const char *sql;  // % is the column
};

// Each gives the column's type, or what an assignment casts to it. Some fail for some values: on both sides.
constexpr Recipe kRecipes[] = {{kInteger, "(% / 2)"},
                               {kInteger, "mod(%, 97)"},
                               {kInteger, "-(% / 3)"},
                               {kInteger, "coalesce(%, 0) + 1"},
                               {kSum | kMinMax, "nullif(%, %)"},
                               {kBoolean, "NOT %"},
                               {kJsonb, "jsonb_build_object('was', %, 'none', NULL)"},
                               {kString, "upper(%)"},
                               {kString, "left(% || 'x, \"y\" (*)', 6)"},
                               {kString, "replace(%, 'a', E'\\\\')"},
                               {kString, "reverse(%)"},
                               {kRange, "% * %"},
                               {kMultirange, "% + %"},
                               {kHstore, "% || 'k=>\"v w\"'"},
                               {kSearch, "strip(%)"}};

Node FromRecipe(const Occasion &at, const Column &column, const std::string &sql) {
  std::vector<const char *> found;
  for (const Recipe &recipe : kRecipes) {
    if ((recipe.traits & column.type->traits) != 0) found.push_back(recipe.sql);
  }
  if (column.type->name == "num" || column.type->name == "f8") found.push_back("% / 2");
  if (column.type->name == "d") found.push_back("% - 1");
  if (column.type->name == "tz") found.push_back("% - interval '1 hour 0.5 seconds'");
  if (found.empty()) return sql;
  std::string text;
  for (const char c : std::string(at.random->Pick(found)))
    text += c == '%' ? sql : std::string(1, c);
  return "(" + text + ")";
}

const Column *SameType(Random *random, const Table &table, const Column &as) {
  std::vector<const Column *> found;
  for (const Column &column : table.columns) {
    if (column.type->sql == as.type->sql && column.remote == nullptr) found.push_back(&column);
  }
  return found.empty() ? nullptr : random->Pick(found);
}

Node ReturnedItem(const Occasion &at, const Source &source) {
  const Column *column = PickColumn(at.random, *source.table, ~0U);
  const std::string sql = source.Column(*column);
  const size_t n = at.random->Below(12);
  if (n == 0) return sql + " IS NULL";
  if (n == 1) return sql + "::text";
  if (n == 2) return RandomAtom(at.random, source);
  if (n == 3) return source.alias + ".*";
  if (n == 4) return source.alias + "::text";
  return sql;
}

}  // namespace

Node RandomExpression(const Occasion &at, const Source &source, const Column &column) {
  Random *random = at.random;
  const Column *from = SameType(random, *source.table, column);
  // Other tables may have JSON nulls, which cannot be written.
  const bool json = (column.type->traits & kJson) != 0 && source.table != &at.target->table;
  if (from == nullptr || json) return WritableValue(random, *column.type);
  const std::string sql = source.Column(*from);
  const size_t n = random->Below(10);
  if (n < 3) return sql;
  if (n == 3) return Sequence({"coalesce(" + sql + ", ", WritableValue(random, *column.type), ")"});
  if (n == 4) {
    return Sequence({"CASE WHEN ", RandomAtom(random, source), " THEN " + sql + " ELSE ",
                     WritableValue(random, *column.type), " END"});
  }
  return FromRecipe(at, column, sql);
}

Partner RandomPartner(const Occasion &at) {
  static const Words others = {"diff_pair_key", "diff_text_key", "diff_uuid_key",
                               "diff_one",      "diff_empty",    "diff odd \"(t)\", *"};
  // What changes rows one by one reads what it has changed, where a subquery is run for each row.
  if (at.target->partitions == 0 && at.random->Chance(30))
    return {&at.target->table, QuoteName(at.target->table.name) + " b", true};
  const Table &table = TableOf(at.random->Pick(others));
  const bool here = table.name == "diff_pair_key" && at.random->Chance(60);
  return {&table, (here ? "diff_here" : QuoteName(table.name)) + " b", false};
}

Node RandomReturning(const Occasion &at, const Source *other) {
  Random *random = at.random;
  if (!random->Chance(50)) return "";
  if (random->Chance(20)) return " RETURNING a.*";
  std::vector<Node> items;
  for (size_t i = 1 + random->Below(4); i > 0; i--)
    items.push_back(ReturnedItem(at, other != nullptr && random->Chance(40) ? *other : at.source()));
  return List(" RETURNING ", ", ", std::move(items), "", 1);
}

Statement RandomStatement(const Occasion &at) {
  Statement statement = at.random->Chance(42) ? RandomInsert(at) : RandomChange(at);
  if (!statement.copied.empty()) RemoveParameters(&statement.body);
  return statement;
}

}  // namespace differential
