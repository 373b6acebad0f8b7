#include "fdw/management_returning.hpp"

#include <ctime>

#include "core/changed_row.hpp"
#include "core/crypto.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/project_password.hpp"

namespace supabase::pg {

namespace {

struct ReturningObjects {
  ChangedRow row;
  std::unique_ptr<ManagementReader> reader;
};

}  // namespace

struct Returning {
  const ApiRelation *relation;
  const ManagementObjects *management;
  List *columns;  // attribute numbers
  ColumnConverter *converters;
  ConvertPosition position;
  ReturningObjects *objects;
  int64 begun;  // Unix seconds
  bool found;   // by FindCreated: the row is known
};

namespace {

void StartReader(const Returning *returning, const ReadTarget &target) {
  ManagementReader::Options options;
  options.caller = returning->management->caller;
  options.table = returning->relation->api;
  options.columns = returning->objects->row.columns();
  options.targets = {target};
  returning->objects->reader = std::make_unique<ManagementReader>(std::move(options));
}

void TakeRow(const Returning *returning, const CallObjects *sent, const ApiRow *row) {
  if (returning->found) return;
  Guard([&] { returning->objects->row.Take(*row, sent == nullptr ? nullptr : sent->answer.get()); });
}

// One that is not there (yet) leaves NULLs.
void ReadAgain(const Returning *returning) {
  ReturningObjects *objects = returning->objects;
  Guard([&] { StartReader(returning, objects->row.Target()); });
  while (AwaitRow(returning->management->caller.session, objects->reader.get()))
    Guard([&] { objects->row.Offer(objects->reader->Next()); });
  Guard([&] { objects->reader.reset(); });
}

// The column whose value is made up when none is given; -1 when there is none.
int GeneratedColumn(const ApiTable *api) {
  for (size_t i = 0; i < api->columns.size(); ++i) {
    if (api->columns[i].generated) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

Returning *MakeReturning(const ApiRelation *relation, const ManagementObjects *management, TupleDesc desc,
                         List *columns, MemoryContext context) {
  auto *returning = static_cast<Returning *>(palloc0(sizeof(Returning)));
  returning->relation = relation;
  returning->management = management;
  returning->columns = columns;
  returning->begun = time(nullptr);
  returning->objects = Own<ReturningObjects>(context);
  returning->converters =
      static_cast<ColumnConverter *>(palloc0(sizeof(ColumnConverter) * static_cast<Size>(list_length(columns) + 1)));
  returning->position.table = relation->name;
  returning->position.converters = returning->converters;
  int const count = list_length(columns);
  auto *wanted = static_cast<size_t *>(palloc(sizeof(size_t) * static_cast<Size>(count + 1)));
  for (int i = 0; i < count; i++) {
    int const attno = list_nth_int(columns, i);
    InitConverter(&returning->converters[i], TupleDescAttr(desc, attno - 1), context);
    wanted[i] = static_cast<size_t>(relation->columns[attno - 1]);
  }
  Guard([&] { returning->objects->row = ChangedRow(relation->api, std::vector<size_t>(wanted, wanted + count)); });
  return returning;
}

void StoreReturning(Returning *returning, const CallObjects *sent, const ApiRow *row, TupleTableSlot *slot) {
  const ChangedRow *known = &returning->objects->row;
  TakeRow(returning, sent, row);
  if (!known->complete()) ReadAgain(returning);
  returning->found = false;
  ExecMaterializeSlot(slot);
  slot_getallattrs(slot);
  ErrorContextCallback callback = {error_context_stack, ConvertErrorContext, &returning->position};
  error_context_stack = &callback;
  returning->position.row = known->cells();
  ListCell *cell;
  foreach (cell, returning->columns) {
    int const i = foreach_current_index(cell), attno = lfirst_int(cell);
    ColumnConverter *converter = &returning->converters[i];
    returning->position.converter = converter;
    slot->tts_values[attno - 1] = ConvertCell(converter, &known->cells()[i], &slot->tts_isnull[attno - 1]);
  }
  error_context_stack = callback.previous;
  // The changed values make a row of their own, which outlives this one's memory.
  HeapTuple tuple = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
  ExecForceStoreHeapTuple(tuple, slot, false);
  ExecMaterializeSlot(slot);
}

bool FindCreated(Returning *returning, const ApiRow *row) {
  ReturningObjects *objects = returning->objects;
  const ApiTable *api = returning->relation->api;
  Guard([&] {
    ReadTarget target;
    const int parent = api->FindColumn(api->parent_column);
    if (parent >= 0) target.bound.emplace_back(parent, (*row)[static_cast<size_t>(parent)]->text);
    StartReader(returning, target);
  });
  returning->found = false;
  while (!returning->found && AwaitRow(returning->management->caller.session, objects->reader.get())) {
    returning->found = Guard([&] { return objects->row.Adopt(*row, returning->begun, objects->reader->Next()); });
  }
  Guard([&] { objects->reader.reset(); });
  return returning->found;
}

void KeepGenerated(Returning *returning, std::vector<ApiRow> *rows) {
  int const column = GeneratedColumn(returning->relation->api);
  if (column < 0) return;
  for (ApiRow &row : *rows) {
    std::optional<ApiValue> *value = &row[static_cast<size_t>(column)];
    if (value->has_value() && !(*value)->null) continue;
    CheckCanKeepPassword();
    Guard([&] { *value = ApiValue{false, MakePassword()}; });
  }
}

void StoreGenerated(Returning *returning, const CallObjects *sent, const ApiRow *row) {
  int const column = GeneratedColumn(returning->relation->api);
  if (column < 0) return;
  const std::optional<ApiValue> *value = &(*row)[static_cast<size_t>(column)];
  if (!value->has_value() || (*value)->null) return;
  TakeRow(returning, sent, row);
  auto *reference = Own<std::string>(CurrentMemoryContext);
  Guard([&] { *reference = returning->objects->row.Key(); });
  if (!reference->empty()) KeepProjectPassword(returning->relation->server, reference->c_str(), (*value)->text.c_str());
}

}  // namespace supabase::pg
