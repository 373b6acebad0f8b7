#include "node.hpp"

#include <utility>

namespace differential {
namespace {

struct Rendering {
  std::string sql;
  std::vector<const Value *> parameters;
};

void RenderValue(const Value &value, Rendering *out) {
  const std::string literal = (value.null ? "NULL" : QuoteLiteral(value.text)) + "::" + value.type;
  switch (value.mode) {
    case Mode::kLiteral:
      out->sql += literal;
      return;
    case Mode::kParameter:
      out->parameters.push_back(&value);
      out->sql += "$" + std::to_string(out->parameters.size());
      return;
    case Mode::kInitPlan:
      // The cast keeps "= ANY ((SELECT …)::x[])" from being read as a subquery's rows.
      out->sql += "((SELECT " + literal + ")::" + value.type + ")";
      return;
    case Mode::kStable:
      if (value.null) {
        out->sql += literal;
      } else {
        out->sql += "((" + QuoteLiteral(value.text) + " || left(now()::text, 0))::" + value.type + ")";
      }
      return;
  }
}

void RenderNode(const Node &node, Rendering *out) {
  if (node.kind == Node::Kind::kText) {
    out->sql += node.text;
  } else if (node.kind == Node::Kind::kValue) {
    RenderValue(node.value, out);
  } else {
    const bool list = node.kind == Node::Kind::kList;
    if (list && node.children.empty()) return;
    if (list) out->sql += node.prefix;
    for (size_t i = 0; i < node.children.size(); i++) {
      if (list && i > 0) out->sql += node.text;
      RenderNode(node.children[i], out);
    }
    if (list) out->sql += node.suffix;
  }
}

// Tries `change` on *place and keeps it when the query is still wrong.
bool Try(Node *place, Node changed, const std::function<bool()> &still_wrong) {
  std::swap(*place, changed);
  if (still_wrong()) return true;
  std::swap(*place, changed);
  return false;
}

bool ReduceList(Node *node, const std::function<bool()> &still_wrong) {
  bool reduced = false;
  // Halves first: an IN list may be long.
  for (size_t size = node->children.size() / 2; size >= 1; size /= 2) {
    for (size_t at = 0; at + size + node->fixed <= node->children.size();) {
      if (node->children.size() - size < node->minimum) break;
      Node changed = *node;
      const auto first = changed.children.begin() + static_cast<std::ptrdiff_t>(at);
      changed.children.erase(first, first + static_cast<std::ptrdiff_t>(size));
      if (Try(node, std::move(changed), still_wrong)) {
        reduced = true;
      } else {
        at += size;
      }
    }
  }
  return reduced;
}

bool ReduceValue(Node *node, const std::function<bool()> &still_wrong) {
  bool reduced = false;
  if (node->value.mode != Mode::kLiteral) {
    Node changed = *node;
    changed.value.mode = Mode::kLiteral;
    reduced = Try(node, std::move(changed), still_wrong);
  }
  if (node->value.null) return reduced;
  for (const char *simple : {"", "0", "1", "a"}) {
    if (node->value.text.size() <= 1) break;
    Node changed = *node;
    changed.value.text = simple;
    if (Try(node, std::move(changed), still_wrong)) return true;
  }
  for (size_t size = node->value.text.size() / 2; size >= 1; size /= 2) {
    for (size_t at = 0; at + size <= node->value.text.size();) {
      Node changed = *node;
      changed.value.text.erase(at, size);
      if (Try(node, std::move(changed), still_wrong)) {
        reduced = true;
      } else {
        at += size;
      }
    }
  }
  return reduced;
}

bool Hoist(Node *node, const std::function<bool()> &still_wrong) {
  for (const Node &child : node->children) {
    if (child.kind == Node::Kind::kText) continue;
    if (Try(node, Node(child), still_wrong)) return true;
  }
  return false;
}

bool ReduceOnce(Node *node, const std::function<bool()> &still_wrong) {
  bool reduced = false;
  while (node->hoist && Hoist(node, still_wrong))
    reduced = true;
  if (node->kind == Node::Kind::kList && ReduceList(node, still_wrong)) reduced = true;
  if (node->kind == Node::Kind::kValue && ReduceValue(node, still_wrong)) reduced = true;
  for (Node &child : node->children) {
    if (ReduceOnce(&child, still_wrong)) reduced = true;
  }
  return reduced;
}

}  // namespace

Node Sequence(std::vector<Node> parts) {
  Node node;
  node.kind = Node::Kind::kSequence;
  node.children = std::move(parts);
  return node;
}

Node Sequence(std::initializer_list<Node> parts) {
  return Sequence(std::vector<Node>(parts));
}

Node List(std::string prefix, std::string separator, std::vector<Node> children, std::string suffix, size_t minimum) {
  Node node;
  node.kind = Node::Kind::kList;
  node.text = std::move(separator);
  node.prefix = std::move(prefix);
  node.suffix = std::move(suffix);
  node.children = std::move(children);
  node.minimum = minimum;
  return node;
}

std::string QuoteLiteral(const std::string &text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

std::string QuoteName(const std::string &name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string Render(const Node &node, bool twice) {
  Rendering out;
  RenderNode(node, &out);
  if (out.parameters.empty()) return out.sql;
  std::string types, values, again;
  for (const Value *parameter : out.parameters) {
    const std::string comma = types.empty() ? "" : ", ";
    const std::string value = parameter->null ? "NULL" : QuoteLiteral(parameter->text);
    types += comma + parameter->type;
    values += comma + value;
    again += comma + (parameter->again_null      ? "NULL"
                      : parameter->again.empty() ? value
                                                 : QuoteLiteral(parameter->again));
  }
  const std::string prepare = "PREPARE q (" + types + ") AS " + out.sql + "; EXECUTE q (" + values + ")";
  return twice ? prepare + "; EXECUTE q (" + again + ")" : prepare;
}

void RemoveParameters(Node *node) {
  if (node->value.mode == Mode::kParameter) node->value.mode = Mode::kLiteral;
  for (Node &child : node->children)
    RemoveParameters(&child);
}

bool Reduce(Node *root, const std::function<bool()> &still_wrong) {
  bool reduced = false;
  while (ReduceOnce(root, still_wrong))
    reduced = true;
  return reduced;
}

void ForEachAtom(const Node &node, const std::function<void(const Node &)> &visit) {
  if (!node.atom.empty()) visit(node);
  for (const Node &child : node.children)
    ForEachAtom(child, visit);
}

}  // namespace differential
