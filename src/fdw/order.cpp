#include "fdw/relation.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "access/stratnum.h"
#include "utils/typcache.h"
}

namespace supabase::pg {
namespace {

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

}  // namespace

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
