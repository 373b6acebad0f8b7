// INSERT and COPY.
#include <algorithm>
#include <utility>

#include "dml.hpp"

namespace differential {
namespace {

using Words = std::vector<std::string>;
using Places = std::vector<size_t>;

constexpr int kFreshKeys = 1000;

bool IsKey(const WrittenTable &table, size_t column) {
  return column < table.table.key.size();
}

// The columns that a statement names, in some order.
Places NamedColumns(const Occasion &at, bool key) {
  Random *random = at.random;
  const int share = random->Chance(30) ? 100 : random->Between(10, 90);
  Places places;
  for (size_t i = 0; i < at.target->table.columns.size(); i++) {
    const Rule rule = at.target->rules[i];
    if (rule == Rule::kAlways) continue;
    const bool always = rule == Rule::kRequired ? random->Chance(90) : IsKey(*at.target, i) && rule != Rule::kIdentity;
    const bool never = rule == Rule::kIdentity && !key;
    if (always || (!never && random->Chance(share))) places.push_back(i);
  }
  if (places.empty()) places.push_back(at.target->table.columns.size() - 1);
  for (size_t i = random->Chance(40) ? places.size() : 0; i > 1; i--)
    std::swap(places[i - 1], places[random->Below(i)]);
  return places;
}

std::string Names(const Occasion &at, const Places &places) {
  std::string sql;
  for (const size_t i : places)
    sql += (sql.empty() ? "" : ", ") + at.target->table.columns[i].sql;
  return sql;
}

// Numbers for KeyText: fresh ones, and sometimes those of rows that may be there. No two rows of a statement get the
// same, unless it must fail for them: which of the two came first would be a matter of the requests' order.
std::vector<int> KeyNumbers(const Occasion &at, size_t rows, bool collide) {
  std::vector<int> numbers;
  for (size_t i = 0; i < rows; i++) {
    int number = (at.number + 1) * kFreshKeys + static_cast<int>(i);
    if (collide && at.random->Chance(50)) number = at.random->Between(0, 40);
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end())
      number = (at.number + 1) * kFreshKeys + 500 + static_cast<int>(i);
    numbers.push_back(number);
  }
  return numbers;
}

Node Cell(const Occasion &at, size_t column, int number, bool single_row) {
  const Column &of = at.target->table.columns[column];
  if (IsKey(*at.target, column)) {
    // Here no partition is found for it, whatever is under way.
    const bool null = at.target->partitions == 0 && at.random->Chance(1);
    return Value{of.type->sql, KeyText(*at.target, column, number), null,
                 at.random->Chance(20) ? Mode::kParameter : Mode::kLiteral};
  }
  const Rule rule = at.target->rules[column];
  // The foreign table knows no other defaults; of a single row the column is as good as not named.
  if (at.random->Chance(10) && (rule == Rule::kSameDefault || (single_row && rule != Rule::kChecked))) return "DEFAULT";
  Value value = WritableValue(at.random, *of.type);
  if (rule == Rule::kChecked && at.random->Chance(80)) value.text = "5";
  if (rule == Rule::kRequired || at.target->clauses[column].compare(0, 8, "NOT NULL") == 0)
    value.null = value.null && at.random->Chance(10);
  return value;
}

size_t RowCount(const Occasion &at) {
  const size_t n = at.random->Below(100);
  return n < 40 ? 1 : n < 85 ? at.random->Between(2, 6) : n < 97 ? at.random->Between(7, 20) : 60;
}

// ON CONFLICT DO NOTHING of a table without a key is refused: PostgREST would insert.
bool Ignores(const Occasion &at) {
  return !at.target->table.key.empty() && at.random->Chance(22);
}

std::string Into(const Occasion &at, const Places &places) {
  return "INSERT INTO " + QuoteName(at.target->table.name) + " AS a (" + Names(at, places) + ") ";
}

Statement Values(const Occasion &at) {
  Statement statement;
  statement.shape = "insert values";
  const bool ignores = Ignores(at);
  const Places places = NamedColumns(at, at.random->Chance(50));
  // Which row gets which value of a sequence is a matter of the requests' order, as soon as there are several.
  const size_t most = at.target->GivesValues() ? at.batch_size : 60;
  const size_t count = std::min(RowCount(at), most);
  std::vector<Node> rows;
  for (const int number : KeyNumbers(at, count, ignores || at.random->Chance(15))) {
    std::vector<Node> cells;
    for (const size_t i : places)
      cells.push_back(Cell(at, i, number, count == 1));
    rows.push_back(List("(", ", ", std::move(cells), ")", places.size()));
  }
  statement.body = Sequence({Into(at, places), List("VALUES ", ", ", std::move(rows), "", 1),
                             ignores ? " ON CONFLICT DO NOTHING" : "", RandomReturning(at, nullptr)});
  statement.one_request = count <= at.batch_size && at.target->partitions == 0;
  return statement;
}

// An expression that makes keys out of the number n of a row.
std::string KeyOf(const Type &type, int base) {
  const std::string n = "(n + " + std::to_string(base) + ")";
  if (type.name == "t") return "'key (' || " + n + " || ')'";
  if (type.name == "uuid") return "md5(" + n + "::text)::uuid";
  if (type.name == "d") return "date '2200-01-01' + " + n + "::int4";
  if (type.name == "tz") return "timestamptz '2200-01-01 00:00+00' + " + n + " * interval '1 hour'";
  if (type.name == "num") return n + " + 0.125";
  if (type.name == "num2") return "(n % 7) + 0.75";
  return n;
}

// Rows of another table, each with a number.
Statement Select(const Occasion &at) {
  Statement statement;
  statement.shape = "insert select";
  Partner from = RandomPartner(at);
  // Rows of a remote table are all there before the first request; an expression that fails for one of a local table
  // leaves open what becomes of those under way.
  if (!from.own) from.sql = QuoteName(from.table->name) + " b";
  const bool ignores = Ignores(at) && from.own;
  const Places places = NamedColumns(at, true);
  const int base = (at.number + 1) * kFreshKeys;
  std::vector<Node> outputs;
  for (const size_t i : places) {
    const Column &column = at.target->table.columns[i];
    if (!IsKey(*at.target, i)) {
      outputs.push_back(RandomExpression(at, from.source(), column));
    } else if (ignores) {
      outputs.push_back(Node("b." + column.sql));  // all of them are there
    } else {
      outputs.push_back(KeyOf(*column.type, base));
    }
  }
  std::string order;
  for (const std::string &key : from.table->key)
    order += (order.empty() ? " ORDER BY " : ", ") + ("b." + key);
  // Only a key gives the rows numbers that are the same on both sides; and in the order of the result the server makes
  // its values.
  const std::string numbered = "(SELECT b.*, row_number() OVER (" + order + ") AS n FROM " + from.sql + ") b";
  Node where =
      at.random->Chance(70) ? List(" WHERE ", " AND ", {RandomCondition(at.random, from.source(), 1)}) : Node("");
  statement.body = Sequence({Into(at, places), List("SELECT ", ", ", std::move(outputs), "", places.size()),
                             " FROM " + numbered, where, order.empty() ? "" : " ORDER BY n",
                             ignores ? " ON CONFLICT DO NOTHING" : "", RandomReturning(at, nullptr)});
  return statement;
}

Statement DefaultValues(const Occasion &at) {
  Statement statement;
  statement.shape = "insert default";
  statement.one_request = at.target->partitions == 0;
  statement.body = Sequence(
      {"INSERT INTO " + QuoteName(at.target->table.name) + " AS a DEFAULT VALUES", RandomReturning(at, nullptr)});
  return statement;
}

std::string CopyCell(const std::string &text) {
  std::string cell;
  for (const char c : text) {
    switch (c) {
      case '\\':
        cell += "\\\\";
        break;
      case '\n':
        cell += "\\n";
        break;
      case '\r':
        cell += "\\r";
        break;
      case '\t':
        cell += "\\t";
        break;
      default:
        cell += c;
    }
  }
  return cell;
}

Statement Copy(const Occasion &at) {
  Statement statement;
  statement.shape = "copy";
  const Places places = NamedColumns(at, at.random->Chance(50));
  const size_t count = std::min(RowCount(at), at.target->GivesValues() ? at.batch_size : 60);
  for (const int number : KeyNumbers(at, count, at.random->Chance(10))) {
    const char *separator = "";
    for (const size_t i : places) {
      const Node cell = Cell(at, i, number, false);
      const bool value = cell.kind == Node::Kind::kValue && !cell.value.null;
      statement.copied += separator + (value ? CopyCell(cell.value.text) : std::string("\\N"));
      separator = "\t";
    }
    statement.copied += "\n";
  }
  statement.body = "COPY " + QuoteName(at.target->table.name) + " (" + Names(at, places) + ") FROM STDIN";
  statement.one_request = count <= at.batch_size && at.target->partitions == 0;
  return statement;
}

}  // namespace

Statement RandomInsert(const Occasion &at) {
  const size_t n = at.random->Below(100);
  if (n < 55) return Values(at);
  if (n < 80) return Select(at);
  if (n < 98 || at.target->table.name != "dml_default") return Copy(at);
  return DefaultValues(at);
}

}  // namespace differential
