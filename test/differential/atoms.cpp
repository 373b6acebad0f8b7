// Conditions of each kind.
#include <algorithm>
#include <utility>

#include "generator.hpp"

namespace differential {
namespace {

using Words = std::vector<std::string>;

struct Place {
  Random *random;
  const Source *source;
  const Column *column;
  const Type &type() const { return *column->type; }
  Node Left() const { return source->Column(*column); }
};

Mode RandomMode(Random *random) {
  const size_t n = random->Below(100);
  return n < 68 ? Mode::kLiteral : n < 86 ? Mode::kParameter : n < 93 ? Mode::kInitPlan : Mode::kStable;
}

Value MakeValue(Random *random, const std::string &type, const std::string &text) {
  return {type, text, false, RandomMode(random)};
}

bool IsAscii(const std::string &text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string Mutate(Random *random, std::string text) {
  if (!IsAscii(text)) return text;
  static const std::string characters = "ab ,.:()\"\\*%_&+=#;?/{}'<>A1";
  const char c = characters[random->Below(characters.size())];
  const size_t at = random->Below(text.size() + 1);
  if (at < text.size() && random->Chance(50)) {
    text[at] = c;
  } else {
    text.insert(at, 1, c);
  }
  return text;
}

const std::string &Operator(Random *random, uint32_t traits) {
  static const Words ordered = {"=", "=", "<>", "<", "<=", ">", ">="};
  static const Words equal = {"=", "<>"};
  return random->Pick((traits & kOrdered) != 0 ? ordered : equal);
}

// More values than one request has room for, most of the time; the type is one that IsUnlimited() knows.
std::vector<Value> ManyValues(Random *random, const Type &type) {
  std::vector<Value> values;
  for (size_t i = 300 + random->Below(3000); i > 0; i--) {
    Value value = RandomValue(random, type);
    value.mode = Mode::kLiteral;
    if ((type.traits & kInteger) != 0 && random->Chance(80)) value.text = std::to_string(random->Between(-2000, 8000));
    if ((type.traits & kString) != 0 && random->Chance(80)) value.text += std::to_string(i);
    values.push_back(std::move(value));
  }
  return values;
}

// Values of any length and number can be made up.
bool IsUnlimited(const Type &type) {
  return type.sql == "text" || type.sql == "int4" || type.sql == "int8";
}

std::vector<Value> FewValues(Random *random, const Type &type, size_t count) {
  std::vector<Value> values;
  for (size_t i = 0; i < count; i++)
    values.push_back(RandomValue(random, type));
  return values;
}

// The text of an array with these elements.
std::string ArrayText(const std::vector<Value> &values) {
  std::string text;
  for (const Value &value : values) {
    text += text.empty() ? "{" : ",";
    if (value.null) {
      text += "NULL";
      continue;
    }
    text += '"';
    for (const char c : value.text) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return (text.empty() ? "{" : text) + "}";
}

Node Compare(const Place &at) {
  const std::string op = " " + Operator(at.random, at.type().traits) + " ";
  Node value = RandomValue(at.random, at.type());
  if (at.random->Chance(20)) return Sequence({value, op, at.Left()});
  return Sequence({at.Left(), op, value});
}

Node In(const Place &at) {
  const bool many = IsUnlimited(at.type()) && at.random->Chance(4);
  const size_t count = at.random->Chance(5) ? 40 : 1 + at.random->Below(6);
  const auto values = many ? ManyValues(at.random, at.type()) : FewValues(at.random, at.type(), count);
  std::vector<Node> list(values.begin(), values.end());
  return Sequence({at.Left(), List(at.random->Chance(35) ? " NOT IN (" : " IN (", ", ", std::move(list), ")", 1)});
}

Node AnyAll(const Place &at) {
  // There is no array of arrays.
  if ((at.type().traits & kArray) != 0) return Compare(at);
  const bool usual = at.random->Chance(70), any = at.random->Chance(55);
  const std::string op = usual ? (any ? "=" : "<>") : Operator(at.random, at.type().traits);
  const std::string array = at.type().sql + "[]";
  const bool many = usual && IsUnlimited(at.type()) && at.random->Chance(4);
  Value value = MakeValue(
      at.random, array,
      ArrayText(many ? ManyValues(at.random, at.type()) : FewValues(at.random, at.type(), at.random->Below(5))));
  // PostgREST reads a list of one empty text as an empty list.
  if ((at.type().traits & kString) != 0 && at.random->Chance(10)) value.text = "{\"\"}";
  value.null = at.random->Chance(5);
  return Sequence({at.Left(), " " + op + (any ? " ANY (" : " ALL ("), value, ")"});
}

Node Distinct(const Place &at) {
  const char *op = at.random->Chance(50) ? " IS DISTINCT FROM " : " IS NOT DISTINCT FROM ";
  return Sequence({at.Left(), op, RandomValue(at.random, at.type())});
}

Node IsNull(const Place &at) {
  return Sequence({at.Left(), at.random->Chance(50) ? " IS NULL" : " IS NOT NULL"});
}

Node Boolean(const Place &at) {
  static const Words tests = {
      "", "", " IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE", " IS UNKNOWN", " IS NOT UNKNOWN"};
  return Sequence({at.random->Chance(25) ? "(NOT " : "(", at.Left(), ")", at.random->Pick(tests)});
}

Node Between(const Place &at) {
  static const Words words = {" BETWEEN ", " BETWEEN ", " NOT BETWEEN ", " BETWEEN SYMMETRIC "};
  return Sequence({"(", at.Left(), at.random->Pick(words), RandomValue(at.random, at.type()), " AND ",
                   RandomValue(at.random, at.type()), ")"});
}

// The number of escape characters at the end must be even.
std::string EndEscapes(std::string pattern, char escape) {
  size_t count = 0;
  while (count < pattern.size() && pattern[pattern.size() - 1 - count] == escape)
    count++;
  if (count % 2 == 1) pattern += escape;
  return pattern;
}

std::string Pattern(const Place &at) {
  std::string pattern = at.random->Pick(at.type().pool);
  for (char &c : pattern) {
    if (IsAscii(pattern) && at.random->Chance(15)) c = at.random->Chance(50) ? '%' : '_';
  }
  if (at.random->Chance(30)) pattern.insert(0, "%");
  if (at.random->Chance(45)) pattern += "%";
  if (at.random->Chance(10)) pattern.insert(0, "\\");
  return pattern;
}

Node LikeWith(const Place &at, const char *op) {
  const std::string words = std::string(at.random->Chance(30) ? " NOT " : " ") + op + " ";
  if (at.random->Chance(10)) {
    Value value = MakeValue(at.random, "text", EndEscapes(Pattern(at), '!'));
    return Sequence({at.Left(), words, value, " ESCAPE '!'"});
  }
  return Sequence({at.Left(), words, MakeValue(at.random, "text", EndEscapes(Pattern(at), '\\'))});
}

Node Like(const Place &at) {
  return LikeWith(at, "LIKE");
}
Node ILike(const Place &at) {
  return LikeWith(at, "ILIKE");
}

Node LikeAny(const Place &at) {
  std::string array = "{";
  for (size_t i = at.random->Below(3); i <= 2; i++) {
    std::string quoted;
    for (const char c : EndEscapes(Pattern(at), '\\'))
      quoted += std::string(c == '"' || c == '\\' ? "\\" : "") + c;
    array += (array.size() > 1 ? ",\"" : "\"") + quoted + "\"";
  }
  static const Words words = {" LIKE ANY (", " NOT LIKE ALL (", " LIKE ALL (", " NOT LIKE ANY (", " ILIKE ANY ("};
  return Sequence({at.Left(), at.random->Pick(words), MakeValue(at.random, "text[]", array + "}"), ")"});
}

Node Regex(const Place &at) {
  static const Words patterns = {"a",      "^a",   "b$",     "^$",  "a.b",    "[a-c]",       "\\*",      "\\.",
                                 "^(a|b)", "a+",   "(?i)A",  "\\s", "^\\s*$", "[[:upper:]]", "\\d",      "é",
                                 "^.$",    "^..$", ",",      "\\(", "\\\\",   "x{2}",        "a|b|null", "\"",
                                 "%",      "\\Aa", "(?n)^b", "'",   "&",      "\\+",         ""};
  static const Words operators = {" ~ ", " ~* ", " !~ ", " !~* "};
  return Sequence({at.Left(), at.random->Pick(operators), MakeValue(at.random, "text", at.random->Pick(patterns))});
}

Node StartsWith(const Place &at) {
  const Value prefix = RandomValue(at.random, TypeOf("t"));
  if (at.random->Chance(30)) return Sequence({"starts_with(", at.Left(), ", ", prefix, ")"});
  return Sequence({at.Left(), " ^@ ", prefix});
}

Node ArrayOperator(const Place &at) {
  static const Words operators = {" @> ", " <@ ", " && "};
  return Sequence({at.Left(), at.random->Pick(operators), RandomValue(at.random, at.type())});
}

Value ElementValue(const Place &at) {
  const std::string &element = at.type().element;
  for (const Type &type : Types()) {
    if (type.sql == element) return RandomValue(at.random, type);
  }
  return {element, "", true, Mode::kLiteral};
}

Node ArrayElement(const Place &at) {
  if (at.random->Chance(40)) return Sequence({ElementValue(at), " = ANY (", at.Left(), ")"});
  if (at.random->Chance(20)) return Sequence({ElementValue(at), " <> ALL (", at.Left(), ")"});
  if (at.random->Chance(50)) return Sequence({"cardinality(", at.Left(), ") > ", MakeValue(at.random, "int4", "1")});
  return Sequence({"(", at.Left(), ")[1] = ", ElementValue(at)});
}

Node RangeOperator(const Place &at) {
  static const Words operators = {" @> ", " <@ ", " && ", " << ", " >> ", " &< ", " &> ", " -|- "};
  return Sequence({at.Left(), at.random->Pick(operators), RandomValue(at.random, at.type())});
}

Node RangeElement(const Place &at) {
  Value value = ElementValue(at);
  if (at.random->Chance(30)) return Sequence({value, " <@ ", at.Left()});
  return Sequence({at.Left(), " @> ", value});
}

Node JsonContains(const Place &at) {
  static const Words keys = {"a", "b", "n", "x", "é", "a b", "c.d", ""};
  if (at.random->Chance(30)) return Sequence({at.Left(), " ? ", MakeValue(at.random, "text", at.random->Pick(keys))});
  return Sequence({at.Left(), at.random->Chance(60) ? " @> " : " <@ ", RandomValue(at.random, at.type())});
}

std::string JsonStep(const Place &at) {
  static const Words steps = {"'a'", "'b'", "'n'", "'é'", "'a b'", "'c.d'", "0", "1", "-1"};
  return at.random->Pick(steps);
}

Node JsonPath(const Place &at) {
  std::string path = at.source->Column(*at.column);
  if (at.random->Chance(30)) path += " -> " + JsonStep(at);
  static const Words values = {"1", "c",   "x,y",     "*",    "null",          "", "5", "a",
                               "A", " x ", "(q)\"\\", "true", "{\"b\": \"c\"}"};
  if (at.random->Chance(15))
    return Sequence({"(" + path + " -> " + JsonStep(at) + ")", at.random->Chance(50) ? " IS NULL" : " IS NOT NULL"});
  static const Words deep = {"'{a,b}'", "'{a}'", "'{b,1}'", "'{2,a}'", "'{}'", "'{c.d}'"};
  path = at.random->Chance(15) ? "(" + path + " #>> " + at.random->Pick(deep) + ")"
                               : "(" + path + " ->> " + JsonStep(at) + ")";
  const size_t n = at.random->Below(10);
  if (n == 0) return Sequence({path, at.random->Chance(50) ? " IS NULL" : " IS NOT NULL"});
  if (n == 1)
    return Sequence({path, " LIKE ", MakeValue(at.random, "text", EndEscapes(at.random->Pick(values) + "%", '\\'))});
  if (n <= 3) {
    std::vector<Node> list = {MakeValue(at.random, "text", at.random->Pick(values)),
                              MakeValue(at.random, "text", at.random->Pick(values))};
    return Sequence({path, List(" IN (", ", ", std::move(list), ")", 1)});
  }
  return Sequence(
      {path, " " + Operator(at.random, kOrdered) + " ", MakeValue(at.random, "text", at.random->Pick(values))});
}

Node JsonNumber(const Place &at) {
  return Sequence(
      {"(", at.Left(), " ->> 'n')::int ", Operator(at.random, kOrdered), " ", RandomValue(at.random, TypeOf("i4"))});
}

Node Search(const Place &at) {
  static const Words functions = {"to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"};
  static const Words plain = {"quick brown",     "fox", "a", "it's",        "sad cat", "-fox",
                              "\"quick brown\"", "a,b", "é", "quick or cat"};
  static const Words queries = {"quick & brown", "fox | a", "!fox", "quick <-> brown",
                                "fo:*",          "'a,b'",   "é",    "(a & b) | cat"};
  static const Words languages = {"'simple', ", "'english', ", ""};
  const std::string &function = at.random->Pick(functions);
  const std::string &text = at.random->Pick(function == "to_tsquery" ? queries : plain);
  if (at.random->Chance(20)) return Sequence({at.Left(), " @@ ", RandomValue(at.random, TypeOf("tsq"))});
  return Sequence(
      {at.Left(), " @@ " + function + "(" + at.random->Pick(languages), MakeValue(at.random, "text", text), ")"});
}

Node Network(const Place &at) {
  static const Words operators = {" << ", " <<= ", " >> ", " >>= ", " && "};
  return Sequence({at.Left(), at.random->Pick(operators), RandomValue(at.random, TypeOf("inet"))});
}

Node Hstore(const Place &at) {
  static const Words operators = {" @> ", " <@ "};
  if (at.random->Chance(30)) return Sequence({at.Left(), " ? ", MakeValue(at.random, "text", "a")});
  return Sequence({at.Left(), at.random->Pick(operators), RandomValue(at.random, at.type())});
}

Node Tree(const Place &at) {
  static const Words operators = {" @> ", " <@ "};
  return Sequence({at.Left(), at.random->Pick(operators), RandomValue(at.random, at.type())});
}

// A constant of another type than the column's.
Node CrossType(const Place &at) {
  static const std::vector<std::pair<const char *, const char *>> numbers = {{"numeric", "1"},
                                                                             {"numeric", "1.0"},
                                                                             {"numeric", "1.5"},
                                                                             {"numeric", "3000000000"},
                                                                             {"numeric", "NaN"},
                                                                             {"int8", "42"},
                                                                             {"int8", "9223372036854775807"},
                                                                             {"int8", "32768"},
                                                                             {"int8", "-9223372036854775808"},
                                                                             {"int4", "7"},
                                                                             {"int4", "40000"},
                                                                             {"int2", "3"},
                                                                             {"float8", "0.1"},
                                                                             {"float8", "1"},
                                                                             {"float8", "1.5"},
                                                                             {"float8", "Infinity"},
                                                                             {"float4", "0.1"},
                                                                             {"float4", "42"},
                                                                             {"float8", "3e9"}};
  static const std::vector<const char *> moments = {"d", "ts", "tz"}, strings = {"t", "vc", "ch"};
  const std::string op = " " + Operator(at.random, kOrdered) + " ";
  const uint32_t traits = at.type().traits;
  if ((traits & kNumber) != 0) {
    auto [type, text] = at.random->Pick(numbers);
    // What the column may have, in a type that has it exactly or nearly.
    if (at.random->Chance(40)) {
      type = at.random->Chance(60) ? "float8" : "numeric";
      text = at.random->Pick(at.type().pool).c_str();
    }
    Value value = MakeValue(at.random, type, text);
    if (at.random->Chance(20)) return Sequence({value, op, at.Left()});
    if (at.random->Chance(20)) return Sequence({at.Left(), " IN (", value, ", ", MakeValue(at.random, type, "7"), ")"});
    return Sequence({at.Left(), op, value});
  }
  const Type &other = TypeOf(at.random->Pick((traits & kMoment) != 0 ? moments : strings));
  return Sequence({at.Left(), op, RandomValue(at.random, other)});
}

const Column *Partner(const Place &at) {
  std::vector<const Column *> found;
  for (const Column &other : at.source->table->columns) {
    const uint32_t shared = other.type->traits & at.type().traits;
    if (&other != at.column && (other.type == at.column->type || (shared & (kNumber | kMoment | kString)) != 0))
      found.push_back(&other);
  }
  return found.empty() ? nullptr : at.random->Pick(found);
}

Node Columns(const Place &at) {
  const Column *other = Partner(at);
  const std::string op = " " + Operator(at.random, at.type().traits) + " ";
  return Sequence({at.Left(), op, at.source->Column(other == nullptr ? *at.column : *other)});
}

Node Expression(const Place &at) {
  const std::string left = at.source->Column(*at.column), op = " " + Operator(at.random, kOrdered) + " ";
  Value value = RandomValue(at.random, at.type());
  const uint32_t traits = at.type().traits;
  const size_t n = at.random->Below(6);
  if (n == 0 && (traits & kPattern) != 0)
    return Sequence({"length(" + left + ") > ", MakeValue(at.random, "int4", "2")});
  if (n == 1 && (traits & kPattern) != 0) return Sequence({"upper(" + left + ")" + op + "upper(", value, ")"});
  if (n == 2 && (traits & kInteger) != 0)
    return Sequence({left + "::numeric * 2" + op, RandomValue(at.random, TypeOf("num2"))});
  if (n == 3) return Sequence({"coalesce(" + left + ", ", RandomValue(at.random, at.type()), ")" + op, value});
  if (n == 4) return Sequence({"CASE WHEN " + left + op, value, " THEN random() >= 0 ELSE " + left + " IS NULL END"});
  if (n == 5) return Sequence({"(" + left + op, value, " AND random() >= 0)"});
  return Sequence({left + "::text" + op, MakeValue(at.random, "text", at.random->Pick(at.type().pool))});
}

Node Rows(const Place &at) {
  const Column *other = PickColumn(at.random, *at.source->table, kGroup);
  const std::string left = "(" + at.source->Column(*at.column) + ", " + at.source->Column(*other) + ")";
  Node first = Sequence({"(", RandomValue(at.random, at.type()), ", ", RandomValue(at.random, *other->type), ")"});
  if (at.random->Chance(40)) {
    Node second = Sequence({"(", RandomValue(at.random, at.type()), ", ", RandomValue(at.random, *other->type), ")"});
    return Sequence({left, List(" IN (", ", ", {first, second}, ")", 1)});
  }
  return Sequence({left, " " + Operator(at.random, kOrdered) + " ", first});
}

Node Moment(const Place &at) {
  static const Words values = {"now()", "current_timestamp - interval '1 year'", "date_trunc('day', now())",
                               "now() + interval '100 years'"};
  return Sequence({at.Left(), " " + Operator(at.random, kOrdered) + " ", at.random->Pick(values)});
}

struct AtomKind {
  const char *name;
  int weight;
  uint32_t traits;   // of the column, one of them
  bool expressible;  // PostgREST has a filter for it
  Node (*make)(const Place &at);
};

constexpr AtomKind kKinds[] = {
    {"compare", 26, kEqual, true, Compare},
    {"in", 11, kSame, true, In},
    {"any/all", 8, kSame, true, AnyAll},
    {"distinct", 5, kEqual, true, Distinct},
    {"null", 6, ~0U, true, IsNull},
    {"boolean", 5, kBoolean, true, Boolean},
    {"between", 6, kOrdered, true, Between},
    {"like", 7, kPattern, true, Like},
    {"ilike", 3, kPattern, true, ILike},
    {"like any", 1, kPattern, true, LikeAny},
    {"regex", 3, kPattern, true, Regex},
    {"starts with", 2, kPattern, true, StartsWith},
    {"array", 4, kArray, true, ArrayOperator},
    {"array element", 2, kArray, true, ArrayElement},
    {"range", 4, kRange | kMultirange, true, RangeOperator},
    {"range element", 2, kRange | kMultirange, true, RangeElement},
    {"json contains", 2, kJsonb, true, JsonContains},
    {"json path", 4, kJson, true, JsonPath},
    {"json number", 1, kJson, false, JsonNumber},
    {"search", 2, kSearch, true, Search},
    {"network", 1, kNetwork, false, Network},
    {"hstore", 1, kHstore, true, Hstore},
    {"ltree", 1, kTree, true, Tree},
    {"cross type", 6, kNumber | kMoment | kString, true, CrossType},
    {"columns", 3, kSame, false, Columns},
    {"expression", 3, kGroup, false, Expression},
    {"row", 3, kGroup, false, Rows},
    {"now", 2, kMoment, true, Moment},
    {"single", 2, kSingle, true, CrossType},
};

const AtomKind &PickKind(Random *random) {
  int total = 0;
  for (const AtomKind &kind : kKinds)
    total += kind.weight;
  int n = static_cast<int>(random->Below(static_cast<size_t>(total)));
  for (const AtomKind &kind : kKinds) {
    n -= kind.weight;
    if (n < 0) return kind;
  }
  return kKinds[0];
}

}  // namespace

Value RandomValue(Random *random, const Type &type) {
  Value value = MakeValue(random, type.sql, random->Pick(type.pool));
  // A NULL that is written down is gone before a plan is made.
  value.null = random->Chance(value.mode == Mode::kLiteral || value.mode == Mode::kStable ? 4 : 14);
  value.again = random->Pick(type.pool);
  value.again_null = random->Chance(14);
  if ((type.traits & kString) != 0 && random->Chance(15)) value.text = Mutate(random, value.text);
  if ((type.traits & kInteger) != 0 && random->Chance(25)) value.text = std::to_string(random->Between(0, 310));
  return value;
}

const Column *PickColumn(Random *random, const Table &table, uint32_t traits) {
  std::vector<const Column *> found;
  for (const Column &column : table.columns) {
    if (traits == ~0U || (column.type->traits & traits) != 0) found.push_back(&column);
  }
  return found.empty() ? nullptr : random->Pick(found);
}

Node RandomAtom(Random *random, const Source &source) {
  for (;;) {
    const AtomKind &kind = PickKind(random);
    const Column *column = PickColumn(random, *source.table, kind.traits);
    if (column == nullptr) continue;
    Node atom = kind.make(Place{random, &source, column});
    atom.children.insert(atom.children.begin(), Node("("));
    atom.children.emplace_back(")");
    atom.atom = kind.name;
    atom.relation = source.Sql();
    atom.expressible = kind.expressible;
    return atom;
  }
}

Node RandomCondition(Random *random, const Source &source, int depth) {
  if (depth <= 0 || random->Chance(35)) return RandomAtom(random, source);
  if (random->Chance(18)) {
    Node negation = Sequence({"(NOT ", RandomCondition(random, source, depth - 1), ")"});
    negation.hoist = true;
    return negation;
  }
  if (random->Chance(8)) {
    static const Words tests = {" IS TRUE)",      " IS NOT TRUE)", " IS FALSE)",
                                " IS NOT FALSE)", " IS UNKNOWN)",  " IS NOT UNKNOWN)"};
    Node test = Sequence({"(", RandomCondition(random, source, depth - 1), random->Pick(tests)});
    test.hoist = true;
    return test;
  }
  std::vector<Node> children;
  for (size_t i = 2 + random->Below(2); i > 0; i--)
    children.push_back(RandomCondition(random, source, depth - 1));
  Node tree = List("(", random->Chance(55) ? " AND " : " OR ", std::move(children), ")", 1);
  tree.hoist = true;
  return tree;
}

std::vector<std::string> AtomKinds() {
  std::vector<std::string> names;
  for (const AtomKind &kind : kKinds)
    names.emplace_back(kind.name);
  return names;
}

}  // namespace differential
