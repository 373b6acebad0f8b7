#include "keyed.hpp"

#include <utility>

namespace supabase {

namespace {

using Kind = Condition::Kind;

Condition Equals(const std::string &column, const std::string &value) {
  Condition leaf;
  leaf.kind = Kind::kCompare;
  leaf.column = column;
  leaf.values = {value};
  return leaf;
}

Condition WholeKey(const std::vector<std::string> &columns, const KeyedWrites::Key &key) {
  Condition all;
  all.kind = Kind::kAnd;
  for (size_t i = 0; i < columns.size(); ++i)
    all.children.push_back(Equals(columns[i], key[i]));
  return all;
}

// Bytes of a URL that one more key takes.
size_t KeyBytes(const std::vector<std::string> &columns, const KeyedWrites::Key &key) {
  const std::deque<KeyedWrites::Key> keys(3, key);
  return ConditionBytes(KeyedWrites::Match(columns, keys, 3)) - ConditionBytes(KeyedWrites::Match(columns, keys, 2));
}

}  // namespace

KeyedWrites::KeyedWrites(std::vector<std::string> columns, size_t most_rows, bool distinct)
    : columns_(std::move(columns)), most_rows_(most_rows), distinct_(distinct) {}

Condition KeyedWrites::Match(const std::vector<std::string> &columns, const std::deque<Key> &keys, size_t count) {
  if (columns.size() == 1) {
    Condition list;
    list.kind = Kind::kIn;
    list.column = columns[0];
    for (size_t i = 0; i < count; ++i)
      list.values.emplace_back(keys[i][0]);
    return list;
  }
  if (count == 1) return WholeKey(columns, keys[0]);
  Condition any;
  any.kind = Kind::kOr;
  for (size_t i = 0; i < count; ++i)
    any.children.push_back(WholeKey(columns, keys[i]));
  return any;
}

bool KeyedWrites::Add(const std::string &body, Key key) {
  if (distinct_ && !seen_.insert(KeyText(key)).second) return false;
  by_body_[body].push_back(std::move(key));
  ++rows_;
  return true;
}

KeyedWrites::Batch KeyedWrites::Next(size_t room) {
  const auto group = by_body_.begin();
  std::deque<Key> &keys = group->second;
  size_t count = 0, used = ConditionBytes(Match(columns_, keys, 1));
  while (count < keys.size() && count < most_rows_) {
    const size_t bytes = KeyBytes(columns_, keys[count]);
    if (count > 0 && used + bytes > room) break;
    used += bytes;
    ++count;
  }
  Batch batch{group->first, Match(columns_, keys, count), count};
  keys.erase(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count));
  if (keys.empty()) by_body_.erase(group);
  rows_ -= count;
  return batch;
}

std::string KeyText(const KeyedWrites::Key &key) {
  std::string text;
  for (const std::string &value : key)
    text.append(std::to_string(value.size())).append(":").append(value);
  return text;
}

}  // namespace supabase
