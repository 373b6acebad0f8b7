// UPDATE and DELETE.
#include <utility>

#include "dml.hpp"

namespace differential {
namespace {

// A pair of equal columns of the written table and its partner.
struct Pair {
  const Column *own = nullptr, *other = nullptr;
  std::string Sql() const { return "a." + own->sql + " = b." + other->sql; }
};

// `unique`: at most one row of the partner fits, so that it does not matter which one is taken.
bool FindPair(const Occasion &at, const Partner &partner, bool unique, Pair *pair) {
  std::vector<Pair> found;
  const std::vector<std::string> &key = partner.table->key;
  if (unique && key.size() != 1) return false;
  for (const Column &own : at.target->table.columns) {
    for (const Column &other : partner.table->columns) {
      const bool fits = own.type->sql == other.type->sql && (own.type->traits & kSame) != 0;
      if (fits && (!unique || other.sql == key[0])) found.push_back({&own, &other});
    }
  }
  if (found.empty()) return false;
  *pair = at.random->Pick(found);
  return true;
}

// A condition with another table in it.
Node Subquery(const Occasion &at) {
  const Partner partner = RandomPartner(at);
  Pair pair;
  if (!FindPair(at, partner, false, &pair)) return RandomAtom(at.random, at.source());
  const Node atom = RandomAtom(at.random, partner.source());
  const std::string own = "a." + pair.own->sql, other = "b." + pair.other->sql;
  const size_t n = at.random->Below(10);
  if (n < 4) return Sequence({own + " IN (SELECT " + other + " FROM " + partner.sql + " WHERE ", atom, ")"});
  if (n < 6 || (pair.other->type->traits & kMinMax) == 0) {
    return Sequence({n % 2 == 0 ? "EXISTS" : "NOT EXISTS",
                     " (SELECT 1 FROM " + partner.sql + " WHERE " + pair.Sql() + " AND ", atom, ")"});
  }
  return Sequence(
      {own + (n < 8 ? " >= " : " = ") + "(SELECT max(" + other + ") FROM " + partner.sql + " WHERE ", atom, ")"});
}

Node Where(const Occasion &at, std::vector<Node> conjuncts) {
  const size_t n = at.random->Below(100);
  if (n < 20) conjuncts.push_back(Subquery(at));
  if (n >= 10 && n < 96) conjuncts.push_back(RandomCondition(at.random, at.source(), n < 60 ? 0 : n < 85 ? 1 : 3));
  Node where = List(" WHERE ", " AND ", std::move(conjuncts));
  return where;
}

enum class Values { kConstants, kExpressions, kPartner, kCorrelated };

// The least value that the rows of another table have which fit.
Node Correlated(const Occasion &at, const Column &column) {
  const Partner partner = RandomPartner(at);
  Pair pair;
  const bool exact = (column.type->traits & kMinMax) != 0 && column.type->canonical.empty();
  if (!exact || !FindPair(at, partner, false, &pair)) return WritableValue(at.random, *column.type);
  for (const Column &other : partner.table->columns) {
    if (other.type->sql != column.type->sql) continue;
    const std::string from = "(SELECT min(b." + other.sql + ") FROM " + partner.sql + " WHERE ";
    return Sequence({from, at.random->Chance(60) ? Node(pair.Sql()) : RandomAtom(at.random, partner.source()), ")"});
  }
  return WritableValue(at.random, *column.type);
}

Node NewValue(const Occasion &at, size_t place, Values values, const Source *partner) {
  const Column &column = at.target->table.columns[place];
  const Rule rule = at.target->rules[place];
  // A foreign table without the default takes NULL for it.
  if (at.random->Chance(6) && (rule == Rule::kPlain || rule == Rule::kSameDefault)) return "DEFAULT";
  if (values == Values::kCorrelated) return Correlated(at, column);
  if (values == Values::kPartner && at.random->Chance(60)) return RandomExpression(at, *partner, column);
  if (values != Values::kConstants && at.random->Chance(75)) return RandomExpression(at, at.source(), column);
  Value value = WritableValue(at.random, *column.type);
  if (rule == Rule::kChecked && at.random->Chance(70)) value.text = value.again = "7";
  return value;
}

std::vector<Node> Assignments(const Occasion &at, Values values, const Source *partner) {
  std::vector<size_t> places;
  for (size_t i = at.target->table.key.size(); i < at.target->rules.size(); i++) {
    if (at.target->rules[i] != Rule::kAlways) places.push_back(i);
  }
  std::vector<Node> assignments;
  for (size_t i = 1 + at.random->Below(4); i > 0 && !places.empty(); i--) {
    const size_t chosen = at.random->Below(places.size());
    assignments.push_back(Sequence(
        {at.target->table.columns[places[chosen]].sql + " = ", NewValue(at, places[chosen], values, partner)}));
    places.erase(places.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  return assignments;
}

// Moves keys to where none has been: a key that meets another one on its way would depend on the rows' order.
Node MovedKey(const Occasion &at) {
  const size_t column = at.target->table.key.size() - 1 == 0 ? 0 : at.random->Below(at.target->table.key.size());
  const Column &key = at.target->table.columns[column];
  const std::string sql = "a." + key.sql, n = std::to_string(at.number + 1);
  std::string moved = sql + " + " + n + "00000";
  if (key.type->name == "t") moved = sql + " || ' (" + n + ")'";
  if (key.type->name == "uuid") moved = "md5(" + sql + "::text || '" + n + "')::uuid";
  if (key.type->name == "d") moved = sql + " + " + n + "50000";
  if (key.type->name == "tz") moved = sql + " + " + n + " * interval '1000 years 1.001 seconds'";
  if (key.type->name == "num") moved = sql + " + " + n + "000000.001";
  if (key.type->name == "num2") moved = sql + " + " + n + "000.01";
  if (at.random->Chance(20))
    return Sequence({key.sql + " = ", Value{key.type->sql, KeyText(*at.target, column, at.random->Between(0, 40))}});
  return Sequence({key.sql + " = " + moved});
}

bool MayMoveKeys(const Occasion &at) {
  // Between partitions that are foreign tables rows cannot be moved; nor may a statement set them in two ways.
  return !at.target->table.key.empty() && at.target->partitions == 0;
}

Statement UpdateAlone(const Occasion &at, Values values, const char *shape) {
  Statement statement;
  statement.shape = shape;
  std::vector<Node> assignments = Assignments(at, values, nullptr);
  const bool moves = MayMoveKeys(at) && at.random->Chance(12);
  if (moves) assignments.push_back(MovedKey(at));
  statement.body = Sequence({"UPDATE " + at.source().Sql() + " SET ", List("", ", ", std::move(assignments), "", 1),
                             Where(at, {}), RandomReturning(at, nullptr)});
  const bool short_key = !at.target->table.key.empty() && at.target->table.key_types[0]->name != "t";
  statement.one_request = values == Values::kConstants && !moves && short_key && at.target->partitions == 0;
  return statement;
}

Statement UpdateFrom(const Occasion &at) {
  Statement statement;
  statement.shape = "update from";
  const Partner partner = RandomPartner(at);
  const Source source = partner.source();
  Pair pair;
  if (!FindPair(at, partner, true, &pair)) return UpdateAlone(at, Values::kExpressions, "update expressions");
  std::vector<Node> assignments = Assignments(at, Values::kPartner, &source);
  statement.body = Sequence({"UPDATE " + at.source().Sql() + " SET ", List("", ", ", std::move(assignments), "", 1),
                             " FROM " + partner.sql, Where(at, {Node(pair.Sql())}), RandomReturning(at, &source)});
  return statement;
}

// Rows that fit several of the partner's are changed once, with the same values whichever is taken.
Statement UpdateFromMany(const Occasion &at) {
  Statement statement;
  statement.shape = "update from many";
  const Partner partner = RandomPartner(at);
  Pair pair;
  if (!FindPair(at, partner, false, &pair)) return UpdateFrom(at);
  statement.body = Sequence({"UPDATE " + at.source().Sql() + " SET ",
                             List("", ", ", Assignments(at, Values::kConstants, nullptr), "", 1),
                             " FROM " + partner.sql, Where(at, {Node(pair.Sql())}), RandomReturning(at, nullptr)});
  return statement;
}

Statement DeleteAlone(const Occasion &at) {
  Statement statement;
  statement.shape = "delete";
  Node where = Where(at, {});
  // Not all rows, most of the time.
  if (where.children.empty() && at.random->Chance(60)) where.children.push_back(RandomAtom(at.random, at.source()));
  statement.body = Sequence({"DELETE FROM " + at.source().Sql(), where, RandomReturning(at, nullptr)});
  return statement;
}

Statement DeleteUsing(const Occasion &at) {
  Statement statement;
  statement.shape = "delete using";
  const Partner partner = RandomPartner(at);
  const Source source = partner.source();
  Pair pair;
  const bool unique = FindPair(at, partner, true, &pair);
  if (!unique && !FindPair(at, partner, false, &pair)) return DeleteAlone(at);
  statement.body = Sequence({"DELETE FROM " + at.source().Sql() + " USING " + partner.sql,
                             Where(at, {Node(pair.Sql()), RandomAtom(at.random, source)}),
                             RandomReturning(at, unique ? &source : nullptr)});
  return statement;
}

Statement RandomKind(const Occasion &at) {
  const size_t n = at.random->Below(100);
  if (n < 30) return UpdateAlone(at, Values::kConstants, "update constants");
  if (n < 52) return UpdateAlone(at, Values::kExpressions, "update expressions");
  if (n < 60) return UpdateAlone(at, Values::kCorrelated, "update subqueries");
  if (n < 69) return UpdateFrom(at);
  if (n < 74) return UpdateFromMany(at);
  return n < 90 ? DeleteAlone(at) : DeleteUsing(at);
}

}  // namespace

Statement RandomChange(const Occasion &at) {
  Statement statement = RandomKind(at);
  statement.twice = at.random->Chance(20);
  // Executed twice, it takes two requests at least.
  statement.one_request = statement.one_request && !statement.twice;
  if (at.random->Chance(4)) {
    statement.body = Sequence({"WITH w AS (", statement.body, ") SELECT 1"});
    statement.twice = false;
  }
  return statement;
}

}  // namespace differential
