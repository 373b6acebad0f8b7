#include "query.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "error.hpp"
#include "seeded.hpp"
#include "url.hpp"

namespace supabase {

namespace {

using Kind = Condition::Kind;

// By Op. A query of plain words means under the configuration "simple" what it says.
constexpr const char *kOpNames[] = {"eq",   "neq",   "lt",    "lte",    "gt",  "gte",        "isdistinct",
                                    "like", "ilike", "match", "imatch", "cs",  "cd",         "ov",
                                    "adj",  "sl",    "sr",    "nxr",    "nxl", "fts(simple)"};

// PostgREST's own parameter names and the words of its logic trees; `apikey` is Supabase's gateway's.
constexpr std::array<std::string_view, 10> kReservedNames = {"select", "order", "limit",   "offset",      "and",
                                                             "or",     "not",   "columns", "on_conflict", "apikey"};

bool IsLetter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsPlainName(std::string_view name) {
  if (name.empty() || !IsLetter(name[0])) return false;
  if (!std::all_of(name.begin(), name.end(), [](char c) { return IsLetter(c) || IsDigit(c); })) return false;
  return std::find(kReservedNames.begin(), kReservedNames.end(), name) == kReservedNames.end();
}

bool IsPlainValue(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '.' || c == ':' || c == '$';
  });
}

void RefuseNul(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    throw Error(sqlstate::kInvalidText, "cannot send a NUL byte to the remote server",
                "A name or value of the query contains a character with code zero.");
  }
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const bool bare = Seeded(c == '"' ? Bug::kQuoteBare : Bug::kBackslashBare);
    if ((c == '"' || c == '\\') && !bare) quoted += '\\';
    quoted += c;
  }
  return quoted += '"';
}

// ---- text ----

// Where a condition stands decides how its names, operators and values are separated and quoted.
enum class Place { kParameter, kTree };

void AppendElement(std::string &out, std::string_view value) {
  RefuseNul(value);
  if (Seeded(Bug::kTreeValuesBare)) {
    out += QueryEncode(value);
    return;
  }
  out += IsPlainValue(value) ? std::string(value) : QueryEncode(Quote(value));
}

void AppendValue(std::string &out, std::string_view value, Place place) {
  if (place == Place::kTree) return AppendElement(out, value);
  RefuseNul(value);
  out += QueryEncode(Seeded(Bug::kTopLevelQuoted) && !IsPlainValue(value) ? Quote(value) : std::string(value));
}

void AppendList(std::string &out, const std::vector<std::optional<std::string>> &values) {
  out += "in.(";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    AppendElement(out, *values[i]);
  }
  out += ')';
}

// A key of digits alone would be an array index without its quotes.
void AppendPath(std::string &out, const Condition &leaf) {
  for (size_t i = 0; i < leaf.path.size(); ++i) {
    const JsonStep &step = leaf.path[i];
    RefuseNul(step.text);
    const bool text = leaf.path_text && i + 1 == leaf.path.size();
    out += QueryEncode(text ? "->>" : "->");
    out += QueryEncode(step.index || IsPlainName(step.text) ? step.text : Quote(step.text));
  }
}

Op NamedOp(Op op) {
  return Seeded(Bug::kGreaterForGreaterEqual) && op == Op::kGe ? Op::kGt : op;
}

void AppendLeaf(std::string &out, const Condition &leaf, Place place) {
  out += QueryEncode(QuoteName(leaf.column));
  AppendPath(out, leaf);
  out += place == Place::kParameter ? '=' : '.';
  if (leaf.negated && !(Seeded(Bug::kTreeNegationLost) && place == Place::kTree)) out += "not.";
  switch (leaf.kind) {
    case Kind::kCompare:
      out.append(kOpNames[static_cast<int>(NamedOp(leaf.op))]) += '.';
      return AppendValue(out, *leaf.values.at(0), place);
    case Kind::kIn:
      if (leaf.values.size() > 1 || Seeded(Bug::kSingleListed)) return AppendList(out, leaf.values);
      out += "eq.";
      return AppendValue(out, *leaf.values.at(0), place);
    case Kind::kIsNull:
      out += "is.null";
      return;
    case Kind::kIsTrue:
      out += "is.true";
      return;
    case Kind::kIsFalse:
      out += "is.false";
      return;
    case Kind::kIsUnknown:
      out += "is.unknown";
      return;
    default:
      throw Error(sqlstate::kFdwError, "condition on remote column \"" + leaf.column + "\" cannot be sent");
  }
}

bool IsGroup(const Condition &condition) {
  return condition.kind == Kind::kAnd || condition.kind == Kind::kOr;
}

void AppendTree(std::string &out, const Condition &condition) {
  if (!IsGroup(condition)) return AppendLeaf(out, condition, Place::kTree);
  out += condition.kind == Kind::kAnd ? "and(" : "or(";
  for (size_t i = 0; i < condition.children.size(); ++i) {
    if (i > 0) out += ',';
    AppendTree(out, condition.children[i]);
  }
  out += ')';
}

// One parameter, without its leading '&'; several for a conjunction.
void AppendConjunct(std::string &out, const Condition &condition) {
  if (condition.kind == Kind::kOr) {
    std::string tree;
    AppendTree(tree, condition);
    out.append("or=").append(tree, 2);  // without the "or" in front of the parenthesis
  } else if (condition.kind == Kind::kAnd) {
    for (size_t i = 0; i < condition.children.size(); ++i) {
      if (i > 0) out += '&';
      AppendConjunct(out, condition.children[i]);
    }
  } else {
    AppendLeaf(out, condition, Place::kParameter);
  }
}

void AppendSelect(std::string &out, const std::vector<SelectColumn> &select, bool whole) {
  out += whole ? "select=*" : "select=";
  for (size_t i = 0; i < select.size(); ++i) {
    if (whole && !select[i].as_text) continue;
    if (i > 0 || whole) out += ',';
    out.append("c").append(std::to_string(i)).append(":");
    if (!select[i].name.empty()) out += QueryEncode(QuoteName(select[i].name));
    if (!select[i].function.empty()) {
      out.append(select[i].name.empty() ? "" : ".").append(select[i].function).append("()");
    }
    if (select[i].as_text) out += "::text";
  }
}

void AppendOrder(std::string &out, const std::vector<OrderItem> &order) {
  if (order.empty()) return;
  out += "&order=";
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0) out += ',';
    out += QueryEncode(QuoteName(order[i].column));
    if (order[i].descending) out += ".desc";
    // PostgreSQL sorts NULL as larger than everything: first when descending, last otherwise.
    if (order[i].nulls_first != order[i].descending && !Seeded(Bug::kNullsOrderLost))
      out += order[i].nulls_first ? ".nullsfirst" : ".nullslast";
  }
}

std::string Head(const ReadQuery &query) {
  RefuseNul(query.relation);
  std::string head = (query.function ? "/rpc/" : "/") + PercentEncode(query.relation) + "?";
  // Plain values have no column to select.
  if (!query.function || query.function->result == FunctionSource::Result::kRows)
    AppendSelect(head, query.select, query.whole);
  if (query.function && !query.function->arguments.empty()) {
    head.append(head.back() == '?' ? "" : "&").append(query.function->arguments);
  }
  return head;
}

std::string Tail(const ReadQuery &query) {
  std::string tail;
  AppendOrder(tail, query.order);
  if (query.limit) tail += "&limit=" + std::to_string(*query.limit);
  if (query.offset) tail += "&offset=" + std::to_string(*query.offset);
  return tail;
}

// Lexicographic comparison of a key: `strict` decides at every column but the last, where `last` does.
Condition Keyset(const std::vector<std::string> &columns, const std::vector<std::string> &values, Op strict, Op last) {
  const auto compare = [&](size_t i, Op op) {
    Condition leaf;
    leaf.kind = Condition::Kind::kCompare;
    leaf.column = columns[i];
    leaf.op = op;
    leaf.values = {values[i]};
    return leaf;
  };
  const auto group = [](Kind kind, Condition first, Condition second) {
    Condition result;
    result.kind = kind;
    result.children.push_back(std::move(first));
    result.children.push_back(std::move(second));
    return result;
  };
  Condition keyset = compare(columns.size() - 1, last);
  if (Seeded(Bug::kKeysetFirstColumn)) return compare(0, strict);
  for (size_t i = columns.size() - 1; i-- > 0;) {
    keyset = group(Kind::kOr, compare(i, strict), group(Kind::kAnd, compare(i, Op::kEq), std::move(keyset)));
  }
  // No index serves an OR: the first column alone tells where to begin.
  if (columns.size() == 1) return keyset;
  return group(Kind::kAnd, compare(0, strict == Op::kGt ? Op::kGe : Op::kLe), std::move(keyset));
}

bool HasLocal(const Condition &condition) {
  return condition.kind == Kind::kLocal || std::any_of(condition.children.begin(), condition.children.end(), HasLocal);
}

}  // namespace

size_t ConditionBytes(const Condition &condition) {
  std::string text = "&";
  AppendConjunct(text, condition);
  return text.size();
}

Condition KeysetAfter(const std::vector<std::string> &columns, const std::vector<std::string> &values, Op last) {
  return Keyset(columns, values, Op::kGt, last);
}

Condition KeysetUpTo(const std::vector<std::string> &columns, const std::vector<std::string> &values) {
  return Keyset(columns, values, Op::kLt, Op::kLe);
}

std::string QuoteName(std::string_view name) {
  RefuseNul(name);
  if (name == "*") {
    // Quoted or not, PostgREST makes the whole row of it: IS NOT NULL would keep every row.
    throw Error(sqlstate::kFdwColumnNotFound, "cannot name remote column \"*\" in a request",
                "PostgREST reads this name as all columns.", "Rename the column on the remote server.");
  }
  return IsPlainName(name) ? std::string(name) : Quote(name);
}

std::string BuildTarget(const ReadQuery &query) {
  std::string target = Head(query);
  for (const Condition &condition : query.where) {
    if (Seeded(Bug::kConjunctLost) && query.where.size() > 1 && &condition == &query.where.front()) continue;
    target += '&';
    AppendConjunct(target, condition);
  }
  target += Tail(query);
  // Without a select list or arguments the first parameter follows the question mark.
  if (query.function) {
    const size_t mark = target.find('?');
    if (target.compare(mark, 2, "?&") == 0) target.erase(mark + 1, 1);
    if (target.back() == '?') target.pop_back();
  }
  return target;
}

std::string BuildWriteTarget(const ReadQuery &rows, const std::vector<std::string> &columns,
                             const std::vector<std::string> &on_conflict) {
  RefuseNul(rows.relation);
  std::string parameters;
  const auto list = [&parameters](const char *name, const std::vector<std::string> &names) {
    if (!names.empty()) parameters.append(1, '&').append(name).append(1, '=');
    for (size_t i = 0; i < names.size(); ++i)
      parameters.append(i > 0 ? "," : "").append(QueryEncode(QuoteName(names[i])));
  };
  list("columns", columns);
  list("on_conflict", on_conflict);
  if (!rows.select.empty()) AppendSelect(parameters += '&', rows.select, false);
  for (const Condition &condition : rows.where)
    AppendConjunct(parameters += '&', condition);
  if (!parameters.empty()) parameters.front() = '?';
  return "/" + PercentEncode(rows.relation) + parameters;
}

// Takes out what can be done here only; returns how many conjuncts.
static int DropLocal(std::vector<Condition> &conjuncts) {
  const auto local = std::remove_if(conjuncts.begin(), conjuncts.end(), HasLocal);
  const auto dropped = static_cast<int>(conjuncts.end() - local);
  conjuncts.erase(local, conjuncts.end());
  return dropped;
}

int FitTarget(ReadQuery &query, size_t limit) {
  // What an AND says can be dropped part by part.
  std::vector<Condition> conjuncts;
  for (Condition &condition : query.where) {
    if (condition.kind == Kind::kAnd) {
      std::move(condition.children.begin(), condition.children.end(), std::back_inserter(conjuncts));
    } else {
      conjuncts.push_back(std::move(condition));
    }
  }
  int dropped = DropLocal(conjuncts);
  query.where = std::move(conjuncts);

  size_t total = Head(query).size() + Tail(query).size();
  std::vector<size_t> sizes;
  for (const Condition &condition : query.where) {
    sizes.push_back(ConditionBytes(condition));
    total += sizes.back();
  }
  while (total > limit && !sizes.empty()) {
    const auto longest = std::max_element(sizes.begin(), sizes.end());
    total -= *longest;
    query.where.erase(query.where.begin() + (longest - sizes.begin()));
    sizes.erase(longest);
    ++dropped;
  }
  if (total > kMaxBareTargetBytes) {
    throw Error(sqlstate::kProgramLimit, "request for remote table \"" + query.relation + "\" is too long",
                "Its path and query take " + std::to_string(total) + " bytes, of which " +
                    std::to_string(kMaxBareTargetBytes) + " are allowed.",
                "Select fewer columns.");
  }
  return dropped;
}

// The longest IN among the conjuncts that can be split; where.end() when there is none.
static std::vector<Condition>::iterator LongestList(std::vector<Condition> &where) {
  auto longest = where.end();
  size_t size = 0;
  for (auto condition = where.begin(); condition != where.end(); ++condition) {
    if (condition->kind != Kind::kIn || condition->negated || !condition->path.empty()) continue;
    if (condition->values.size() < 2) continue;
    const size_t bytes = ConditionBytes(*condition);
    if (bytes > size) longest = condition;
    size = std::max(size, bytes);
  }
  return longest;
}

// Values in lists of at most `room` bytes; none when a value is longer than that.
static std::vector<std::vector<std::optional<std::string>>> CutValues(
    const std::vector<std::optional<std::string>> &values, size_t room, size_t most_values) {
  std::vector<std::vector<std::optional<std::string>>> lists;
  size_t used = 0;
  for (const std::optional<std::string> &value : values) {
    std::string element = ",";
    AppendElement(element, *value);
    if (element.size() > room) return {};
    if (lists.empty() || used + element.size() > room || lists.back().size() >= most_values) {
      lists.emplace_back();
      used = 0;
    }
    lists.back().push_back(value);
    used += element.size();
  }
  return lists;
}

SplitQuery SplitList(ReadQuery query, size_t most_values) {
  const int local = DropLocal(query.where);
  const auto longest = LongestList(query.where);
  if (longest == query.where.end() || BuildTarget(query).size() <= kMaxTargetBytes)
    return {{std::move(query)}, 0, local};
  ReadQuery others = query;
  others.where.erase(others.where.begin() + (longest - query.where.begin()));
  const int dropped = local + FitTarget(others, kMaxTargetBytes / 2);
  Condition list = std::move(*longest);
  const size_t fixed = BuildTarget(others).size() + QueryEncode(QuoteName(list.column)).size() + sizeof("&=in.()") - 1;
  const size_t room = fixed < kMaxTargetBytes ? kMaxTargetBytes - fixed : 0;
  const auto lists = CutValues(list.values, room, most_values);
  if (lists.empty()) {
    *longest = std::move(list);
    return {{std::move(query)}, 0, local};
  }
  SplitQuery split{{}, others.where.size(), dropped};
  for (const auto &values : lists) {
    split.parts.push_back(others);
    list.values = values;
    split.parts.back().where.push_back(list);
  }
  return split;
}

}  // namespace supabase
