#include "fdw/relation.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/stratnum.h"
#include "utils/typcache.h"
}

namespace supabase::pg {
namespace {

// Sorting that many rows takes a server about as much longer with casts as a second request takes over a network.
constexpr double kManySorted = 50'000;

// The column that a pathkey sorts by, when the remote can sort by it too.
AttrNumber OrderColumn(RelOptInfo *rel, PathKey *pathkey) {
  ListCell *cell;
  foreach (cell, pathkey->pk_eclass->ec_members) {
    auto *member = static_cast<EquivalenceMember *>(lfirst(cell));
    if (member->em_is_const || !bms_equal(member->em_relids, rel->relids)) continue;
    AttrNumber const attno = PlainColumn(&InfoOf(rel)->deparse, member->em_expr);
    if (attno == 0 || !IsResult(InfoOf(rel), attno)) continue;
    if (!ShippableOrder(&InfoOf(rel)->deparse, attno, pathkey->pk_opfamily, pathkey->pk_eclass->ec_collation)) continue;
    return attno;
  }
  return 0;
}

bool Descending(const PathKey *pathkey) {
#if PG_VERSION_NUM >= 180000
  return pathkey->pk_cmptype == COMPARE_GT;
#else
  return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

List *OrderItem(const char *column, bool descending, bool nulls_first) {
  return list_make3(makeString(pstrdup(column)), makeInteger(descending), makeInteger(nulls_first));
}

bool OrderHas(List *order, const char *column) {
  ListCell *cell;
  foreach (cell, order) {
    if (strcmp(strVal(linitial(lfirst_node(List, cell))), column) == 0) return true;
  }
  return false;
}

bool Sortable(const RelInfo *info, AttrNumber attno) {
  const Column *column = &info->deparse.table->columns[attno - 1];
  return IsResult(info, attno) && column->remote_type == nullptr &&
         GetTypeRule(get_atttype(info->deparse.table->id, attno)).sortable;
}

bool AnyCast(const RelInfo *info, List *columns) {
  ListCell *cell;
  foreach (cell, columns) {
    int const attno = lfirst_int(cell);
    if (attno > 0 && info->deparse.table->columns[attno - 1].as_text) return true;
  }
  return false;
}

// Whether the order begins with the whole key, all one way: the index of the key has it.
bool IsKeyOrder(const RelInfo *info, List *order) {
  ListCell *cell, *item_cell;
  forboth(cell, info->key, item_cell, order) {
    auto *item = lfirst_node(List, item_cell);
    auto *first = linitial_node(List, order);
    bool const descending = intVal(lsecond(item)) != 0, nulls_first = intVal(lthird(item)) != 0;
    if (strcmp(strVal(linitial(item)), info->deparse.table->columns[lfirst_int(cell) - 1].name) != 0) return false;
    if (descending != (intVal(lsecond(first)) != 0) || nulls_first != descending) return false;
  }
  return true;
}

}  // namespace

PlanTop TopOf(const RelInfo *info, List *columns, List *order) {
  bool const possible = info->key != NIL && info->at_most < 0 && info->deparse.table->function == nullptr &&
                        AnyCast(info, columns) && !AnyCast(info, info->key) && !IsKeyOrder(info, order);
  if (!possible) return kTopAtOnce;
  return info->transferred >= kManySorted ? kTopByKeys : kTopAsLearnt;
}

bool OrderShippable(RelOptInfo *rel, List *pathkeys, bool *by_key) {
  RelInfo *info = InfoOf(rel);
  *by_key = list_length(pathkeys) <= list_length(info->key);
  ListCell *cell;
  foreach (cell, pathkeys) {
    auto *pathkey = lfirst_node(PathKey, cell);
    AttrNumber const attno = OrderColumn(rel, pathkey);
    if (attno == 0) return false;
    int const i = foreach_current_index(cell);
    *by_key = *by_key && list_nth_int(info->key, i) == attno && !Descending(pathkey) && !pathkey->pk_nulls_first;
  }
  return true;
}

List *AddOrder(List *order, const RelInfo *info, AttrNumber attno) {
  const char *column = info->deparse.table->columns[attno - 1].name;
  return OrderHas(order, column) ? order : lappend(order, OrderItem(column, false, false));
}

List *AddTieBreakers(List *order, const RelInfo *info, List *columns) {
  ListCell *cell;
  if (info->key != NIL) {
    foreach (cell, info->key)
      order = AddOrder(order, info, static_cast<AttrNumber>(lfirst_int(cell)));
    return order;
  }
  bool all = false;
  foreach (cell, columns)
    all = all || !Sortable(info, static_cast<AttrNumber>(lfirst_int(cell)));
  for (int i = 1; i <= info->deparse.table->natts; i++) {
    auto const attno = static_cast<AttrNumber>(i);
    if ((all || list_member_int(columns, i)) && Sortable(info, attno)) order = AddOrder(order, info, attno);
  }
  return order;
}

List *PathOrder(RelOptInfo *rel, List *pathkeys) {
  List *order = NIL;
  ListCell *cell;
  foreach (cell, pathkeys) {
    auto *pathkey = lfirst_node(PathKey, cell);
    const char *column = InfoOf(rel)->deparse.table->columns[OrderColumn(rel, pathkey) - 1].name;
    if (!OrderHas(order, column))
      order = lappend(order, OrderItem(column, Descending(pathkey), pathkey->pk_nulls_first));
  }
  return order;
}

}  // namespace supabase::pg
