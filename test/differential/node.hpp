// A query as a tree that can be rendered as SQL and made smaller without knowing what it says.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace differential {

// How a constant gets into a query.
enum class Mode {
  kLiteral,
  kParameter,  // of a prepared statement
  kInitPlan,   // (SELECT '…')
  kStable,     // through a stable function: known only when the query runs
};

struct Value {
  std::string type;
  std::string text;
  bool null = false;
  Mode mode = Mode::kLiteral;
  std::string again = {};   // of a parameter: its value in the second execution; empty: the same
  bool again_null = false;  // NULL in the second execution
};

struct Node {
  enum class Kind { kText, kSequence, kList, kValue };

  Node() = default;
  Node(const char *sql) : text(sql) {}             // NOLINT: a tree is written down as its parts
  Node(std::string sql) : text(std::move(sql)) {}  // NOLINT
  Node(Value constant) : kind(Kind::kValue), value(std::move(constant)) {}  // NOLINT

  Kind kind = Kind::kText;
  std::string text;          // kText: the SQL; kList: the separator
  std::string prefix;        // kList: before the children, unless there are none
  std::string suffix;        // kList
  size_t minimum = 0;        // kList: children that there must be
  size_t fixed = 0;          // kList: children at the end that must stay
  bool hoist = false;        // may be replaced by any of its children that is no kText
  std::string atom;          // the kind of condition, for those that are one
  std::string relation;      // table and alias: of an atom, or of a kList that is a WHERE clause with its conjuncts
  bool expressible = false;  // PostgREST has a filter for this atom
  Value value;
  std::vector<Node> children;
};

Node Sequence(std::initializer_list<Node> parts);
Node Sequence(std::vector<Node> parts);
Node List(std::string prefix, std::string separator, std::vector<Node> children, std::string suffix = "",
          size_t minimum = 0);

std::string QuoteLiteral(const std::string &text);
std::string QuoteName(const std::string &name);

// The SQL of a tree; with parameters, of PREPARE and EXECUTE, `twice` with other values the second time.
std::string Render(const Node &node, bool twice = false);
// Has the constants of a tree written into it, where it cannot be prepared.
void RemoveParameters(Node *node);

// Makes a tree smaller for as long as `still_wrong` finds it so. Whether it has become smaller.
bool Reduce(Node *root, const std::function<bool()> &still_wrong);

void ForEachAtom(const Node &node, const std::function<void(const Node &)> &visit);

}  // namespace differential
