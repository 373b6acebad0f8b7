// Queries of each shape, and the settings they run under.
#include <utility>

#include "generator.hpp"

namespace differential {
namespace {

using Words = std::vector<std::string>;

const Table &RandomTable(Random *random, bool small) {
  static const std::vector<std::pair<const char *, int>> weights = {
      {"diff_all", 42},     {"diff_pair_key", 10},      {"diff_text_key", 10}, {"diff_uuid_key", 7},
      {"diff_time_key", 7}, {"diff_none", 6},           {"diff_empty", 2},     {"diff_one", 2},
      {"diff_part", 7},     {"diff odd \"(t)\", *", 7}, {"diff_typed", 6},     {"diff_big", 3}};
  for (;;) {
    int n = random->Between(0, 108);
    for (const auto &[name, weight] : weights) {
      n -= weight;
      if (n >= 0) continue;
      const Table &table = TableOf(name);
      if (!small || table.rows <= 100) return table;
      break;
    }
  }
}

Node Where(Random *random, const Source &source, bool required) {
  std::vector<Node> conjuncts;
  // Most rows of the large table stay where they are.
  const bool large = source.table->large;
  if (large && random->Chance(85)) {
    conjuncts.push_back(RandomAtom(random, source));
    const int low = random->Between(0, 2900);
    conjuncts.push_back(Sequence({source.alias + ".id BETWEEN ", Value{"int8", std::to_string(low)}, " AND ",
                                  Value{"int8", std::to_string(low + random->Between(0, 900))}}));
  }
  const size_t n = random->Below(100);
  if (required || n >= 8)
    conjuncts.push_back(RandomCondition(random, source, n < 45 ? 0 : n < 70 ? 1 : n < 85 ? 2 : 4));
  Node where = List(" WHERE ", " AND ", std::move(conjuncts));
  where.relation = source.Sql();
  return where;
}

// Columns that make each row of the table different from the others; none where there is no key.
std::vector<Node> KeyColumns(const Source &source) {
  std::vector<Node> columns;
  for (const std::string &name : source.table->key)
    columns.emplace_back(source.alias + "." + name);
  return columns;
}

Node RandomOutput(Random *random, const Source &source) {
  const Column *column = PickColumn(random, *source.table, ~0U);
  const std::string sql = source.Column(*column);
  const size_t n = random->Below(20);
  if (n == 0) return sql + " IS NULL";
  if (n == 1) return sql + "::text";
  if (n == 2) return Node("length(" + sql + "::text)");
  if (n == 3 && (column->type->traits & kJson) != 0) return sql + " -> 'a'";
  if (n == 4) return RandomAtom(random, source);
  if (n == 5) return Node("'x'");
  return sql;
}

Node Outputs(Random *random, const Source &source) {
  std::vector<Node> outputs = KeyColumns(source);
  if (outputs.empty() || random->Chance(15)) outputs.clear();
  if (!source.table->large && random->Chance(4)) outputs.emplace_back(source.alias + ".*");
  if (random->Chance(3)) outputs.emplace_back(source.alias + "::text");
  for (size_t i = random->Below(4); i > 0; i--)
    outputs.push_back(RandomOutput(random, source));
  if (outputs.empty()) outputs.push_back(RandomOutput(random, source));
  return List("", ", ", std::move(outputs), "", 1);
}

Node OrderItem(Random *random, const std::string &sql) {
  static const Words directions = {
      "", "", " DESC", " ASC", " NULLS FIRST", " NULLS LAST", " DESC NULLS LAST", " DESC NULLS FIRST"};
  return sql + random->Pick(directions);
}

// ORDER BY of some columns and the key: a total order. The key's items are kept when the query is made smaller.
Node TotalOrder(Random *random, const Source &source, int extra) {
  std::vector<Node> items;
  for (int i = random->Between(0, extra); i > 0; i--) {
    const Column *column = PickColumn(random, *source.table, kOrdered);
    const std::string sql = source.Column(*column);
    items.push_back(OrderItem(random, random->Chance(8) ? "(" + sql + " IS NULL)" : sql));
  }
  const bool descending = random->Chance(20);
  for (const Node &column : KeyColumns(source))
    items.emplace_back(column.text + (descending ? " DESC" : ""));
  Node order = List(" ORDER BY ", ", ", std::move(items));
  order.fixed = source.table->key.size();
  return order;
}

int RandomLimit(Random *random) {
  static const std::vector<int> limits = {0, 1, 1, 2, 3, 5, 7, 8, 10, 14, 20, 40, 41, 100, 1000, 5000};
  return random->Pick(limits);
}

Value Number(Random *random, int number) {
  return {"int8", std::to_string(number), false, random->Chance(20) ? Mode::kParameter : Mode::kLiteral};
}

Node LimitClause(Random *random) {
  std::vector<Node> parts;
  if (random->Chance(85)) parts.push_back(Sequence({" LIMIT ", Number(random, RandomLimit(random))}));
  if (random->Chance(35)) parts.push_back(Sequence({" OFFSET ", Number(random, RandomLimit(random))}));
  if (random->Chance(4)) parts = {Node(" LIMIT NULL")};
  return List("", "", std::move(parts));
}

Query Plain(Random *random, const Source &source) {
  Query query;
  query.shape = "plain";
  Node select = Sequence({"SELECT ", Outputs(random, source), " FROM " + source.Sql(), Where(random, source, false)});
  const size_t n = random->Below(100);
  const bool keyed = !source.table->key.empty();
  if (n < 45 || (n < 85 && !keyed)) {
    query.body = std::move(select);
  } else if (n < 85) {
    query.comparison = Comparison::kOrdered;
    query.body = Sequence({select, TotalOrder(random, source, 2), n < 55 ? Node("") : LimitClause(random)});
    query.shape = n < 55 ? "order" : "order limit";
  } else {
    query.comparison = Comparison::kSubset;
    query.limits.limit = static_cast<size_t>(RandomLimit(random));
    query.limits.offset = random->Chance(30) ? random->Below(20) : 0;
    query.body = std::move(select);
    query.tail = " LIMIT " + std::to_string(query.limits.limit) + " OFFSET " + std::to_string(query.limits.offset);
    query.shape = "limit";
  }
  return query;
}

std::string RandomAggregate(Random *random, const Source &source) {
  const auto column = [&](uint32_t traits) { return PickColumn(random, *source.table, traits); };
  const size_t n = random->Below(12);
  if (n < 3) return "count(*)";
  if (n == 3) return "count(" + source.Column(*column(~0U)) + ")";
  if (n == 4) return "count(DISTINCT " + source.Column(*column(kGroup)) + ")";
  if (n <= 7) {
    const Column *of = column(kMinMax);
    return Canonical(*of->type, (n == 5 ? "min(" : "max(") + source.Column(*of) + ")");
  }
  if (n == 8 && column(kBoolean) != nullptr)
    return (random->Chance(50) ? "bool_and(" : "bool_or(") + source.Column(*column(kBoolean)) + ")";
  if (n == 9) {
    const std::string text = source.Column(*column(~0U)) + "::text";
    return "string_agg(" + text + ", ',' ORDER BY " + text + " COLLATE \"C\")";
  }
  const Column *of = column(kSum);
  const bool average = random->Chance(35) && of->type->name != "money";
  return Canonical(*of->type, (average ? "avg(" : "sum(") + source.Column(*of) + ")");
}

Node Aggregates(Random *random, const Source &source) {
  std::vector<Node> outputs;
  for (size_t i = 1 + random->Below(3); i > 0; i--) {
    const std::string aggregate = RandomAggregate(random, source);
    const bool filter = random->Chance(12) && aggregate.back() == ')' && aggregate[0] != '(' &&
                        aggregate.compare(0, 4, "trim") != 0 && aggregate.compare(0, 5, "lower") != 0;
    if (filter) {
      outputs.push_back(Sequence({aggregate + " FILTER (WHERE ", RandomAtom(random, source), ")"}));
    } else {
      outputs.emplace_back(aggregate);
    }
  }
  return List("", ", ", std::move(outputs), "", 1);
}

Query Aggregate(Random *random, const Source &source) {
  Query query;
  query.shape = "aggregate";
  query.body = Sequence({"SELECT ", Aggregates(random, source), " FROM " + source.Sql(), Where(random, source, false)});
  return query;
}

Query Group(Random *random, const Source &source) {
  Query query;
  query.shape = "group";
  std::vector<Node> keys, outputs;
  for (size_t i = 1 + random->Below(2); i > 0; i--) {
    const Column *column = PickColumn(random, *source.table, kGroup);
    keys.emplace_back(source.Column(*column));
    outputs.emplace_back(Canonical(*column->type, source.Column(*column)));
  }
  Node having;
  if (random->Chance(20)) having = Sequence({" HAVING count(*) > ", Number(random, 1)});
  query.body = Sequence({"SELECT ", List("", ", ", std::move(outputs), "", 1), ", ", Aggregates(random, source),
                         " FROM " + source.Sql(), Where(random, source, false),
                         List(" GROUP BY ", ", ", std::move(keys)), having});
  return query;
}

Query Distinct(Random *random, const Source &source) {
  Query query;
  query.shape = "distinct";
  std::vector<Node> outputs;
  for (size_t i = 1 + random->Below(2); i > 0; i--) {
    const Column *column = PickColumn(random, *source.table, kGroup);
    outputs.emplace_back(Canonical(*column->type, source.Column(*column)));
  }
  query.body = Sequence({"SELECT DISTINCT ", List("", ", ", std::move(outputs), "", 1), " FROM " + source.Sql(),
                         Where(random, source, false)});
  return query;
}

// FETCH FIRST … WITH TIES takes whole groups of equal rows: the result is defined without a total order.
Query Ties(Random *random, const Source &source) {
  Query query;
  query.shape = "with ties";
  const Column *column = PickColumn(random, *source.table, kOrdered);
  query.body = Sequence({"SELECT ", Outputs(random, source), " FROM " + source.Sql(), Where(random, source, false),
                         " ORDER BY ", OrderItem(random, source.Column(*column)),
                         " FETCH FIRST " + std::to_string(random->Below(12)) + " ROWS WITH TIES"});
  return query;
}

Query Window(Random *random, const Source &source) {
  Query query;
  query.shape = "window";
  const Column *by = PickColumn(random, *source.table, kGroup), *of = PickColumn(random, *source.table, kSum);
  query.body = Sequence(
      {"SELECT " + source.Column(*of) + ", rank() OVER (PARTITION BY " + source.Column(*by) + " ORDER BY " +
           source.Column(*of) + "), " +
           Canonical(*of->type, "sum(" + source.Column(*of) + ") OVER (PARTITION BY " + source.Column(*by) + ")") +
           " FROM " + source.Sql(),
       Where(random, source, false)});
  return query;
}

// A pair of columns of one type, one of each table.
bool PickPair(Random *random, const Source &left, const Source &right, std::string *condition) {
  for (int attempt = 0; attempt < 20; attempt++) {
    const Column *column = PickColumn(random, *left.table, kSame);
    std::vector<const Column *> partners;
    for (const Column &other : right.table->columns) {
      if (other.type->sql == column->type->sql) partners.push_back(&other);
    }
    if (partners.empty()) continue;
    const Column *partner = random->Pick(partners);
    *condition = left.Column(*column) + (random->Chance(92) || (column->type->traits & kOrdered) == 0 ? " = " : " < ") +
                 right.Column(*partner);
    return true;
  }
  return false;
}

Node JoinCondition(Random *random, const Source &left, const Source &right) {
  std::string condition = "true";
  (void)PickPair(random, left, right, &condition);
  std::vector<Node> conjuncts = {condition};
  if (random->Chance(30)) conjuncts.push_back(RandomAtom(random, random->Chance(50) ? left : right));
  return List("", " AND ", std::move(conjuncts), "", 1);
}

// The second table of a join: half of the time a local one.
std::string RightSql(Random *random, const Source &right) {
  return right.table->name == "diff_pair_key" && random->Chance(50) ? "diff_here " + right.alias : right.Sql();
}

Query Join(Random *random, const Source &left) {
  Query query;
  query.shape = "join";
  const Source right{&RandomTable(random, true), "b"};
  static const Words kinds = {" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "};
  const std::string &kind = random->Pick(kinds);
  std::vector<Node> outputs = {Node("count(*)")};
  if (random->Chance(60)) outputs = {RandomOutput(random, left), RandomOutput(random, right)};
  Node condition = JoinCondition(random, left, right);
  if (kind == " FULL JOIN ") condition.children.resize(1);
  if (kind == " FULL JOIN " && condition.children[0].text.find(" < ") != std::string::npos) condition = "false";
  query.body = Sequence({"SELECT ", List("", ", ", std::move(outputs), "", 1),
                         " FROM " + left.Sql() + kind + RightSql(random, right) + " ON ", condition,
                         Where(random, random->Chance(70) ? left : right, false)});
  return query;
}

Query SemiJoin(Random *random, const Source &left) {
  Query query;
  query.shape = "semi-join";
  const Source right{&RandomTable(random, true), "b"};
  const std::string from = "SELECT 1 FROM " + RightSql(random, right) + " WHERE ";
  Node condition =
      Sequence({random->Chance(45) ? "NOT EXISTS (" : "EXISTS (", from, JoinCondition(random, left, right), ")"});
  const Column *column = PickColumn(random, *right.table, kSum);
  const Column *same = PickColumn(random, *left.table, kInteger);
  if (same != nullptr && random->Chance(40)) {
    condition = Sequence({left.Column(*same) + (random->Chance(40) ? " NOT IN (SELECT " : " IN (SELECT ") +
                              right.Column(*column) + " FROM " + right.Sql(),
                          Where(random, right, false), ")"});
    if (column->type->name == "money") condition = "true";
  }
  query.body = Sequence({"SELECT ", Outputs(random, left), " FROM " + left.Sql() + " WHERE ",
                         List("", " AND ", {condition, RandomAtom(random, left)}, "", 1)});
  return query;
}

// A few rows on the left, so that the right side is not asked for hundreds of times.
Query Lateral(Random *random, const Source &right) {
  Query query;
  query.shape = "lateral";
  const Source left{&TableOf("diff_pair_key"), "l"};
  std::string condition = "true";
  (void)PickPair(random, left, right, &condition);
  std::vector<Node> columns = {RandomOutput(random, right)};
  for (Node &key : KeyColumns(right))
    columns.push_back(std::move(key));
  Node order = right.table->key.empty() ? Node("") : Sequence({TotalOrder(random, right, 1), LimitClause(random)});
  query.body = Sequence(
      {"SELECT l.id, l.id2, s.* FROM (SELECT * FROM diff_here ORDER BY id, id2 LIMIT 9) l CROSS JOIN LATERAL (SELECT ",
       List("", ", ", std::move(columns), "", 1), " FROM " + right.Sql() + " WHERE ",
       List("", " AND ", {condition, RandomAtom(random, right)}, "", 1), order, ") s"});
  return query;
}

Query Union(Random *random, const Source &source) {
  Query query;
  query.shape = "union";
  const Column *column = PickColumn(random, *source.table, kGroup);
  static const Words words = {" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT "};
  const std::string select = "SELECT " + Canonical(*column->type, source.Column(*column)) + " FROM " + source.Sql();
  query.body =
      Sequence({select, Where(random, source, true), random->Pick(words), select, Where(random, source, true)});
  return query;
}

// A subquery that is run for each row.
Query Correlated(Random *random, const Source &right) {
  Query query;
  query.shape = "correlated";
  const Source left{&TableOf(random->Chance(50) ? "diff_one" : "diff_uuid_key"), "l"};
  std::string condition = "true";
  (void)PickPair(random, left, right, &condition);
  query.body = Sequence({"SELECT l.id, (SELECT ", Aggregates(random, right), " FROM " + right.Sql() + " WHERE ",
                         List("", " AND ", {condition, RandomAtom(random, right)}, "", 1), ") FROM " + left.Sql(),
                         Where(random, left, true)});
  query.body.children[1].children.resize(1);
  return query;
}

// A cursor that is read in pieces and, some of them, backwards.
Query Cursor(Random *random, const Source &source) {
  Query query = Plain(random, source);
  if (query.comparison != Comparison::kOrdered) return query;
  query.shape = "cursor";
  static const Words steps = {"; FETCH 3 FROM c; FETCH ALL FROM c; CLOSE c", "; FETCH 10 FROM c; CLOSE c",
                              "; MOVE 5 FROM c; FETCH 7 FROM c; FETCH 1 FROM c; CLOSE c",
                              "; FETCH 9 FROM c; FETCH BACKWARD 4 FROM c; FETCH ALL FROM c; CLOSE c",
                              "; FETCH LAST FROM c; FETCH FIRST FROM c; FETCH ABSOLUTE 8 FROM c; CLOSE c"};
  query.body = Sequence({"DECLARE c SCROLL CURSOR FOR ", query.body, random->Pick(steps)});
  RemoveParameters(&query.body);
  return query;
}

// A value that another query of foreign tables gives.
Query Scalar(Random *random, const Source &source) {
  Query query;
  query.shape = "scalar";
  const Source other{&RandomTable(random, true), "b"};
  const Column *of = PickColumn(random, *other.table, kInteger);
  const Column *column = PickColumn(random, *source.table, kInteger);
  if (of == nullptr || column == nullptr) return Plain(random, source);
  static const Words functions = {"min", "max", "count"};
  static const Words operators = {" = ", " < ", " >= ", " <> "};
  query.body =
      Sequence({"SELECT ", Outputs(random, source), " FROM " + source.Sql() + " WHERE ",
                List("", " AND ",
                     {Sequence({source.Column(*column) + random->Pick(operators) + "(SELECT " +
                                    random->Pick(functions) + "(" + other.Column(*of) + ") FROM " + other.Sql(),
                                Where(random, other, false), ")"}),
                      RandomAtom(random, source)},
                     "", 1)});
  return query;
}

}  // namespace

namespace {

Query RandomShape(Random *random) {
  const Source source{&RandomTable(random, false), "a"};
  const size_t n = random->Below(100);
  if (n < 57) return Plain(random, source);
  if (n < 60) return Cursor(random, source);
  if (n < 70) return Aggregate(random, source);
  if (n < 77) return Group(random, source);
  if (n < 80) return Distinct(random, source);
  if (n < 82) return Ties(random, source);
  if (n < 84) return Window(random, source);
  if (n < 87) return Union(random, source);
  if (n < 90) return Scalar(random, source);
  const Source small{&RandomTable(random, random->Chance(70)), "a"};
  if (n < 95) return Join(random, small);
  if (n < 99) return SemiJoin(random, small);
  return random->Chance(50) ? Lateral(random, small) : Correlated(random, small);
}

}  // namespace

Query RandomQuery(Random *random) {
  Query query = RandomShape(random);
  query.twice = query.comparison != Comparison::kSubset && random->Chance(25);
  return query;
}

namespace {

const Variant &RandomVariant(Random *random) {
  int total = 0;
  for (const Variant &variant : Variants())
    total += variant.weight;
  int n = random->Between(0, total - 1);
  for (const Variant &variant : Variants()) {
    n -= variant.weight;
    if (n < 0) return variant;
  }
  return Variants().front();
}

}  // namespace

Session RandomSession(Random *random) {
  static const Words styles = {"ISO", "ISO, DMY", "German", "SQL, DMY", "Postgres, MDY", "SQL, MDY"};
  static const Words zones = {"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "+03:30"};
  static const Words intervals = {"postgres", "sql_standard", "iso_8601", "postgres_verbose"};
  static const Words digits = {"1", "1", "0", "3", "-15"};
  static const Words methods = {"enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_memoize",
                                "enable_hashagg",  "enable_sort",     "enable_material"};
  Session session;
  session.variant = &RandomVariant(random);
  session.both = "SET DateStyle = '" + random->Pick(styles) + "'; SET TimeZone = '" + random->Pick(zones) +
                 "'; SET IntervalStyle = '" + random->Pick(intervals) +
                 "'; SET extra_float_digits = " + random->Pick(digits) +
                 "; SET bytea_output = " + (random->Chance(50) ? "hex" : "escape") +
                 "; SET plan_cache_mode = " + (random->Chance(50) ? "force_generic_plan" : "auto") + ";";
  for (const std::string &method : methods) {
    if (random->Chance(12)) session.both += "SET " + method + " = off;";
  }
  if (random->Chance(8)) session.foreign = "SET supabase_fdw.enable_pushdown = off;";
  return session;
}

}  // namespace differential
