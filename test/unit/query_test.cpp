#include "query.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "conditions.hpp"
#include "error.hpp"

namespace supabase {
namespace {

using namespace conditions;

// ---- SQL's three-valued logic, as the reference ----

enum class Tri { kFalse, kUnknown, kTrue };
using Row = std::map<std::string, std::optional<std::string>>;

Tri Of(bool value) {
  return value ? Tri::kTrue : Tri::kFalse;
}
Tri Negate(Tri value) {
  return static_cast<Tri>(2 - static_cast<int>(value));
}

Tri CompareValues(const std::optional<std::string> &a, Op op, const std::optional<std::string> &b) {
  if (!a || !b) return Tri::kUnknown;
  switch (op) {
    case Op::kEq:
      return Of(*a == *b);
    case Op::kNe:
      return Of(*a != *b);
    case Op::kLt:
      return Of(*a < *b);
    case Op::kLe:
      return Of(*a <= *b);
    case Op::kGt:
      return Of(*a > *b);
    default:
      return Of(*a >= *b);
  }
}

// AND is the minimum of false < unknown < true, OR the maximum, IN an OR of equalities. A boolean's text is "t" or "f".
Tri Evaluate(const Condition &condition, const Row &row);

Tri EvaluateLeaf(const Condition &leaf, const Row &row) {
  const std::optional<std::string> &value = row.at(leaf.column);
  switch (leaf.kind) {
    case Kind::kCompare:
      if (leaf.op == Op::kDistinct) return Of(value != leaf.values.at(0));
      return CompareValues(value, leaf.op, leaf.values.at(0));
    case Kind::kTrueIfKnown:
    case Kind::kFalseIfKnown:
      return value ? Of(leaf.kind == Kind::kTrueIfKnown) : Tri::kUnknown;
    case Kind::kIn: {
      Tri any = Tri::kFalse;
      for (const auto &element : leaf.values)
        any = std::max(any, CompareValues(value, Op::kEq, element));
      return any;
    }
    case Kind::kIsNull:
    case Kind::kIsUnknown:
      return Of(!value);
    case Kind::kIsTrue:
      return Of(value == "t");
    default:
      return Of(value == "f");
  }
}

Tri Evaluate(const Condition &condition, const Row &row) {
  if (condition.kind == Kind::kNot) return Negate(Evaluate(condition.children.at(0), row));
  if (condition.kind == Kind::kHoldsTrue) return Of(Evaluate(condition.children.at(0), row) == Tri::kTrue);
  if (condition.kind == Kind::kHoldsFalse) return Of(Evaluate(condition.children.at(0), row) == Tri::kFalse);
  if (condition.kind == Kind::kHoldsUnknown) return Of(Evaluate(condition.children.at(0), row) == Tri::kUnknown);
  if (condition.kind == Kind::kAnd || condition.kind == Kind::kOr) {
    const bool conjunction = condition.kind == Kind::kAnd;
    Tri result = Of(conjunction);
    for (const Condition &child : condition.children) {
      const Tri value = Evaluate(child, row);
      result = conjunction ? std::min(result, value) : std::max(result, value);
    }
    return result;
  }
  const Tri value = EvaluateLeaf(condition, row);
  return condition.negated ? Negate(value) : value;
}

// ---- random trees ----

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  int Below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  std::optional<std::string> Value() {
    static const char *const kDomain[] = {"f", "t", "x"};
    const int pick = Below(4);
    return pick == 3 ? std::nullopt : std::optional<std::string>(kDomain[pick]);
  }

  Condition Tree(int depth) {
    const int pick = Below(depth > 0 ? 13 : 6);
    const std::string column(1, static_cast<char>('a' + Below(3)));
    if (pick < 2) return Compare(column, static_cast<Op>(Below(7)), Value());
    if (pick < 4) {
      Values values(Below(4));
      for (auto &value : values)
        value = Value();
      return In(column, values);
    }
    if (pick < 6) return Is(column, static_cast<Kind>(static_cast<int>(Kind::kIsNull) + Below(6)));
    if (pick < 8) return Not(Tree(depth - 1));
    if (pick >= 10) return Group(static_cast<Kind>(static_cast<int>(Kind::kHoldsTrue) + pick - 10), {Tree(depth - 1)});
    std::vector<Condition> children(Below(4));
    for (Condition &child : children)
      child = Tree(depth - 1);
    return Group(pick == 8 ? Kind::kAnd : Kind::kOr, children);
  }

  // Any text without NUL, with the grammar's own characters more often than others.
  std::string Text() {
    static const char kSpecial[] = R"(",\().:*%+;&=# {}null-_ab01)";
    std::string text;
    for (int i = Below(6); i > 0; --i) {
      text += Below(4) > 0 ? kSpecial[Below(sizeof kSpecial - 1)] : static_cast<char>(1 + Below(255));
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

std::vector<Row> AllRows() {
  const std::optional<std::string> domain[] = {"f", "t", "x", std::nullopt};
  std::vector<Row> rows;
  for (const auto &a : domain) {
    for (const auto &b : domain) {
      for (const auto &c : domain)
        rows.push_back({{"a", a}, {"b", b}, {"c", c}});
    }
  }
  return rows;
}

void ExpectNormalForm(const Condition &condition) {
  ASSERT_NE(condition.kind, Kind::kNot);
  ASSERT_TRUE(condition.kind < Kind::kTrueIfKnown);
  if (condition.kind == Kind::kAnd || condition.kind == Kind::kOr) {
    EXPECT_GE(condition.children.size(), 2u);
    EXPECT_FALSE(condition.negated);
    for (const Condition &child : condition.children) {
      EXPECT_NE(child.kind, condition.kind) << "not flat";
      ExpectNormalForm(child);
    }
    return;
  }
  EXPECT_TRUE(condition.children.empty());
  for (const auto &value : condition.values)
    EXPECT_TRUE(value.has_value());
  EXPECT_EQ(condition.values.empty(), condition.kind != Kind::kIn && condition.kind != Kind::kCompare);
}

// ---- a reader of the target, by PostgREST's grammar ----

std::string PercentDecode(const std::string &text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_EQ(std::string("+;&#").find(text[i]), std::string::npos) << text;
    EXPECT_TRUE(text[i] > ' ' && text[i] < 0x7F) << text;
    if (text[i] == '%') {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

class Reader {
 public:
  explicit Reader(std::string text) : text_(std::move(text)) {}

  bool Take(const std::string &word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  // A quoted token, or everything up to one of `stops`.
  std::string Token(const char *stops) {
    std::string token;
    if (!Take("\"")) {
      while (at_ < text_.size() && std::string(stops).find(text_[at_]) == std::string::npos)
        token += text_[at_++];
      return token;
    }
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') ++at_;
      token += text_.at(at_++);
    }
    EXPECT_TRUE(Take("\"")) << text_;
    return token;
  }
  Condition Tree() {
    for (const Kind kind : {Kind::kAnd, Kind::kOr}) {
      if (Take(kind == Kind::kAnd ? "and(" : "or(")) {
        Condition group = Group(kind, {});
        do {
          group.children.push_back(Tree());
        } while (Take(","));
        EXPECT_TRUE(Take(")")) << text_;
        return group;
      }
    }
    return Leaf(".", true);
  }
  Condition Leaf(const char *separator, bool quoted) {
    Condition leaf;
    leaf.column = Token(separator);
    EXPECT_TRUE(Take(separator)) << text_;
    leaf.negated = Take("not.");
    const char *const ops[] = {"eq.", "neq.", "lt.", "lte.", "gt.", "gte."};
    for (int op = 0; op < 6; ++op) {
      if (!Take(ops[op])) continue;
      leaf.kind = Kind::kCompare;
      leaf.op = static_cast<Op>(op);
      leaf.values = {quoted ? Token(",)") : Rest()};
      return leaf;
    }
    if (Take("in.(")) {
      leaf.kind = Kind::kIn;
      do {
        leaf.values.emplace_back(Token(",)"));
      } while (Take(","));
      EXPECT_TRUE(Take(")")) << text_;
      return leaf;
    }
    EXPECT_TRUE(Take("is.")) << text_;
    const std::string test = Token(",)");
    leaf.kind = test == "null"    ? Kind::kIsNull
                : test == "true"  ? Kind::kIsTrue
                : test == "false" ? Kind::kIsFalse
                                  : Kind::kIsUnknown;
    return leaf;
  }
  bool AtEnd() const { return at_ == text_.size(); }

 private:
  std::string Rest() { return text_.substr(std::exchange(at_, text_.size())); }

  std::string text_;
  size_t at_ = 0;
};

Condition ReadFilters(const std::string &filters) {
  Condition all = And({});
  for (size_t start = 0; start <= filters.size();) {
    const size_t end = std::min(filters.find('&', start), filters.size());
    const std::string text = PercentDecode(filters.substr(start, end - start));
    if (text.compare(0, 4, "or=(") == 0) {
      Reader reader("or" + text.substr(3));
      all.children.push_back(reader.Tree());
      EXPECT_TRUE(reader.AtEnd()) << text;
    } else {
      Reader reader(text);
      all.children.push_back(reader.Leaf("=", false));
      EXPECT_TRUE(reader.AtEnd()) << text;
    }
    start = end + 1;
  }
  return all;
}

// ---- normalisation ----

TEST(Query, NormalizedKeepsTheRowsTheOriginalKeeps) {
  const std::vector<Row> rows = AllRows();
  Generator generator(1);
  int depends = 0;
  for (int i = 0; i < 20000; ++i) {
    const Condition original = generator.Tree(5);
    const Normalized normalized = Normalize(original);
    if (normalized.truth == Truth::kDepends) {
      ++depends;
      ExpectNormalForm(normalized.condition);
    }
    for (const Row &row : rows) {
      const bool keeps = Evaluate(original, row) == Tri::kTrue;
      const bool kept = normalized.truth == Truth::kDepends ? Evaluate(normalized.condition, row) == Tri::kTrue
                                                            : normalized.truth == Truth::kAlways;
      ASSERT_EQ(keeps, kept) << "tree " << i;
    }
  }
  EXPECT_GT(depends, 5000);
}

TEST(Query, NormalizingTwiceChangesNothing) {
  Generator generator(2);
  for (int i = 0; i < 2000; ++i) {
    const Normalized once = Normalize(generator.Tree(4));
    if (once.truth != Truth::kDepends) continue;
    const Normalized twice = Normalize(once.condition);
    ASSERT_EQ(twice.truth, Truth::kDepends);
    const auto target = [](const Condition &condition) {
      ReadQuery query;
      query.relation = "t";
      query.select = {{"id"}};
      query.where = {condition};
      return BuildTarget(query);
    };
    ASSERT_EQ(target(once.condition), target(twice.condition));
  }
}

TEST(Query, DecidesNullsAndEmptyLists) {
  const Values none, null = {std::nullopt};
  EXPECT_EQ(Filters(Compare("a", Op::kEq, std::nullopt)), "<never>");
  EXPECT_EQ(Filters(Not(Compare("a", Op::kEq, std::nullopt))), "<never>");
  EXPECT_EQ(Filters(In("a", none)), "<never>");
  EXPECT_EQ(Filters(Not(In("a", none))), "<always>");
  EXPECT_EQ(Filters(In("a", null)), "<never>");
  EXPECT_EQ(Filters(Not(In("a", null))), "<never>");
  EXPECT_EQ(Filters(In("a", {"1", std::nullopt, "2"})), "a=in.(1,2)");
  EXPECT_EQ(Filters(Not(In("a", {"1", std::nullopt, "2"}))), "<never>");
  EXPECT_EQ(Filters(And({})), "<always>");
  EXPECT_EQ(Filters(Or({})), "<never>");
}

// ---- text ----

TEST(Query, WritesFilters) {
  const Condition a = Compare("a", Op::kEq, "1"), b = Compare("b", Op::kGt, "2"), c = Compare("c", Op::kLe, "x y");
  const std::pair<Condition, const char *> cases[] = {
      {a, "a=eq.1"},
      {Compare("a", Op::kNe, "1"), "a=neq.1"},
      {Compare("a", Op::kLt, "1"), "a=lt.1"},
      {Compare("a", Op::kGe, "1"), "a=gte.1"},
      {Not(a), "a=not.eq.1"},
      {Not(Not(a)), "a=eq.1"},
      {Is("a", Kind::kIsNull), "a=is.null"},
      {Not(Is("a", Kind::kIsNull)), "a=not.is.null"},
      {Is("a", Kind::kIsTrue), "a=is.true"},
      {Not(Is("a", Kind::kIsFalse)), "a=not.is.false"},
      {Is("a", Kind::kIsUnknown), "a=is.unknown"},
      {And({a, b}), "a=eq.1&b=gt.2"},
      {And({a, And({b, c})}), "a=eq.1&b=gt.2&c=lte.x%20y"},
      {Or({a, b}), "or=(a.eq.1,b.gt.2)"},
      {Or({a, And({b, c})}), "or=(a.eq.1,and(b.gt.2,c.lte.%22x%20y%22))"},
      {Not(And({a, b})), "or=(a.not.eq.1,b.not.gt.2)"},
      {Not(Or({a, Not(b)})), "a=not.eq.1&b=gt.2"},
      {And({Or({a, b}), Or({b, c})}), "or=(a.eq.1,b.gt.2)&or=(b.gt.2,c.lte.%22x%20y%22)"},
      {Or({a, Not(In("b", {"1", "2"}))}), "or=(a.eq.1,b.not.in.(1,2))"},
  };
  for (const auto &[condition, text] : cases)
    EXPECT_EQ(Filters(condition), text);
}

TEST(Query, DoesNotQuoteAfterTheOperator) {
  EXPECT_EQ(Filters(Compare("a", Op::kEq, "x,\"y\"(z)")), "a=eq.x,%22y%22(z)");
  EXPECT_EQ(Filters(Compare("a", Op::kEq, "")), "a=eq.");
  EXPECT_EQ(Filters(Compare("a", Op::kEq, "null")), "a=eq.null");
  EXPECT_EQ(Filters(Compare("a", Op::kEq, "1+1;2&3=%")), "a=eq.1%2B1%3B2%263%3D%25");
}

TEST(Query, QuotesCommaInsideIn) {
  EXPECT_EQ(Filters(In("a", {"x,y", "z"})), "a=in.(%22x,y%22,z)");
  EXPECT_EQ(Filters(In("a", {"q\"", "b\\"})), "a=in.(%22q%5C%22%22,%22b%5C%5C%22)");
  EXPECT_EQ(Filters(In("a", {"", "z"})), "a=in.(%22%22,z)");
}

TEST(Query, WritesListOfOneAsEquality) {
  EXPECT_EQ(Filters(In("a", {""})), "a=eq.");
  EXPECT_EQ(Filters(Not(In("a", {""}))), "a=not.eq.");
  EXPECT_EQ(Filters(In("a", {"x,y"})), "a=eq.x,y");
  EXPECT_EQ(Filters(Or({In("a", {""}), In("b", {"x,y"})})), "or=(a.eq.%22%22,b.eq.%22x,y%22)");
}

TEST(Query, QuotesNamesThatAreNotPlain) {
  for (const char *name : {"a", "A_1", "_x", "null", "in", "selects"})
    EXPECT_EQ(QuoteName(name), name);
  const std::pair<const char *, const char *> quoted[] = {
      {"", R"("")"},
      {"1a", R"("1a")"},
      {"a b", R"("a b")"},
      {"a.b", R"("a.b")"},
      {"a\"b", R"("a\"b")"},
      {"a\\b", R"("a\\b")"},
      {"ä", R"("ä")"},
      {"a$", R"("a$")"},
      {"select", R"("select")"},
      {"order", R"("order")"},
      {"limit", R"("limit")"},
      {"offset", R"("offset")"},
      {"and", R"("and")"},
      {"or", R"("or")"},
      {"not", R"("not")"},
      {"columns", R"("columns")"},
      {"apikey", R"("apikey")"},
      {"on_conflict", R"("on_conflict")"},
  };
  for (const auto &[name, text] : quoted)
    EXPECT_EQ(QuoteName(name), text);
}

// PostgREST 12.0.2 answers `"*"=not.is.null` with every row.
TEST(Query, RefusesColumnNamedStar) {
  EXPECT_EQ(QuoteName("a*"), R"("a*")");
  try {
    ADD_FAILURE() << Filters(Not(Is("*", Kind::kIsNull)));
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "HV005");
  }
}

TEST(Query, ReadsBackWhatItWrote) {
  Generator generator(3);
  for (int i = 0; i < 20000; ++i) {
    std::vector<Condition> leaves;
    for (int n = 2 + generator.Below(3); n > 0; --n) {
      leaves.push_back(generator.Below(2) == 0 ? Compare("n" + generator.Text(), Op::kEq, generator.Text())
                                               : In(" " + generator.Text(), {generator.Text(), generator.Text()}));
      leaves.back().negated = generator.Below(2) == 0;
    }
    Condition written = And({leaves[0], leaves[1], Or({leaves[0], And(leaves)})});
    const std::string filters = Filters(written);
    const Condition read = ReadFilters(filters);
    ASSERT_EQ(read.children.size(), 3u) << filters;
    const auto same = [](const Condition &a, const Condition &b) {
      return a.kind == b.kind && a.column == b.column && a.op == b.op && a.values == b.values && a.negated == b.negated;
    };
    EXPECT_TRUE(same(read.children[0], leaves[0])) << filters;
    EXPECT_TRUE(same(read.children[1], leaves[1])) << filters;
    const Condition &tree = read.children[2];
    ASSERT_EQ(tree.children.size(), 2u) << filters;
    ASSERT_EQ(tree.children[1].children.size(), leaves.size()) << filters;
    for (size_t n = 0; n < leaves.size(); ++n)
      ASSERT_TRUE(same(tree.children[1].children[n], leaves[n])) << filters;
  }
}

TEST(Query, WritesAllParameters) {
  ReadQuery query;
  query.relation = "orders";
  query.select = {{"id"}, {"note", true}, {"na me", true}};
  query.where = {Compare("id", Op::kGt, "5")};
  query.order = {{"id"}};
  query.limit = 1000;
  query.offset = 20;
  EXPECT_EQ(BuildTarget(query),
            "/orders?select=c0:id,c1:note::text,c2:%22na%20me%22::text&id=gt.5&order=id&limit=1000&offset=20");
  query = {};
  query.relation = "a b/c?";
  query.select = {{"count"}};
  query.limit = 0;
  EXPECT_EQ(BuildTarget(query), "/a%20b%2Fc%3F?select=c0:count&limit=0");
}

TEST(Query, WritesAggregates) {
  ReadQuery query;
  query.relation = "t";
  query.select = {{"kind", false, ""}, {"", false, "count"}, {"a b", false, "sum"}, {"at", true, "max"}};
  query.order = {{"kind", false, false}};
  EXPECT_EQ(BuildTarget(query), "/t?select=c0:kind,c1:count(),c2:%22a%20b%22.sum(),c3:at.max()::text&order=kind");
}

TEST(Query, WritesNullsOnlyWhereNotTheDefault) {
  ReadQuery query;
  query.relation = "t";
  query.select = {{"a"}};
  query.order = {{"a", false, false}, {"b", false, true}, {"c", true, true}, {"d", true, false}, {"order"}};
  EXPECT_EQ(BuildTarget(query), "/t?select=c0:a&order=a,b.nullsfirst,c.desc,d.desc.nullslast,%22order%22");
}

TEST(Query, RefusesNul) {
  const std::string nul("a\0b", 3);
  const Condition conditions[] = {Compare("a", Op::kEq, nul), Compare(nul, Op::kEq, "a"), In("a", {"x", nul}),
                                  Or({Compare("a", Op::kEq, nul), Is("b", Kind::kIsNull)})};
  for (const Condition &condition : conditions) {
    try {
      ADD_FAILURE() << Filters(condition);
    } catch (const Error &error) {
      EXPECT_STREQ(error.sqlstate(), "22P05");
    }
  }
}

TEST(Query, KeysetIsTheRowsAfterInKeyOrder) {
  EXPECT_EQ(Filters(KeysetAfter({"a"}, {"1"})), "a=gt.1");
  EXPECT_EQ(Filters(KeysetAfter({"a", "b"}, {"1", "x y"})), "a=gte.1&or=(a.gt.1,and(a.eq.1,b.gt.%22x%20y%22))");
  EXPECT_EQ(Filters(KeysetAfter({"a", "b", "c"}, {"1", "2", "3"})),
            "a=gte.1&or=(a.gt.1,and(a.eq.1,or(b.gt.2,and(b.eq.2,c.gt.3))))");
  EXPECT_EQ(Filters(KeysetUpTo({"a"}, {"1"})), "a=lte.1");
  EXPECT_EQ(Filters(KeysetUpTo({"a", "b", "c"}, {"1", "2", "3"})),
            "a=lte.1&or=(a.lt.1,and(a.eq.1,or(b.lt.2,and(b.eq.2,c.lte.3))))");
  for (const Row &row : AllRows()) {
    if (!row.at("a") || !row.at("b") || !row.at("c")) continue;
    const auto key = std::tie(*row.at("a"), *row.at("b"), *row.at("c"));
    const std::string t = "t", x = "x";
    EXPECT_EQ(Evaluate(KeysetAfter({"a", "b", "c"}, {t, t, x}), row) == Tri::kTrue, key > std::tie(t, t, x));
    EXPECT_EQ(Evaluate(KeysetUpTo({"a", "b", "c"}, {t, t, x}), row) == Tri::kTrue, key <= std::tie(t, t, x));
  }
}

TEST(Query, DropsTheLongestConjunctsUntilItFits) {
  ReadQuery query;
  query.relation = "t";
  query.select = {{"id"}};
  query.where = {Compare("a", Op::kEq, std::string(3000, 'x')),
                 And({Compare("b", Op::kEq, std::string(6000, 'x')), Compare("c", Op::kEq, "1")}),
                 Compare("d", Op::kEq, std::string(4000, ' '))};
  query.limit = 5;
  EXPECT_EQ(FitTarget(query), 2);
  EXPECT_EQ(BuildTarget(query), "/t?select=c0:id&a=eq." + std::string(3000, 'x') + "&c=eq.1&limit=5");
  EXPECT_EQ(FitTarget(query), 0);
}

// ---- lists that are too long ----

TEST(Query, FitsExactlyTheLimit) {
  ReadQuery query;
  query.relation = "t";
  query.select = {{"id"}};
  query.order = {{"id"}};
  query.where = {Compare("a", Op::kEq, "")};
  const size_t room = kMaxTargetBytes - BuildTarget(query).size();
  query.where = {Compare("a", Op::kEq, std::string(room, 'x'))};
  EXPECT_EQ(FitTarget(query), 0);
  EXPECT_EQ(BuildTarget(query).size(), kMaxTargetBytes);
  query.where = {Compare("a", Op::kEq, std::string(room + 1, 'x'))};
  EXPECT_EQ(FitTarget(query), 1);
  EXPECT_TRUE(query.where.empty());
}

TEST(Query, RefusesTargetTooLongWithoutConjuncts) {
  ReadQuery query;
  query.relation = "t";
  for (int i = 0; i < 1000; ++i)
    query.select.push_back({"column" + std::to_string(i)});
  try {
    FitTarget(query);
    ADD_FAILURE();
  } catch (const Error &error) {
    EXPECT_STREQ(error.sqlstate(), "54000");
  }
}

}  // namespace
}  // namespace supabase
