// UPDATE and DELETE of rows that the plan below names by their keys.

#include "fdw/bridge.hpp"
#include "fdw/direct_modify.hpp"

extern "C" {
#include "executor/executor.h"
}

namespace supabase::pg {
namespace {

// Rows that are put together into requests at a time: enough for those with the same new values to meet.
constexpr size_t kWindowRows = 10'000;
constexpr size_t kWindowBytes = 16'000'000;

// Whether the statement changes what the rows are named by.
bool ChangesIdentity(const WriteState *write) {
  if (write->verb != WriteVerb::kUpdate) return false;
  for (int i = 0; i < write->key.count; i++) {
    if (write->key.encoders[i].attno < 0) return true;  // every change gives a row a new ctid
    for (int j = 0; j < write->columns.count; j++) {
      if (write->columns.encoders[j].attno == write->key.encoders[i].attno) return true;
    }
  }
  return false;
}

void CheckKey(const WriteState *write) {
  for (int i = 0; i < write->key.count; i++) {
    if (write->key.values[i].kind != PayloadValue::Kind::kNull) continue;
    ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                    errmsg("key column \"%s\" of a row of foreign table \"%s\" is null",
                           write->key.encoders[i].local_name, get_rel_name(write->rows->table->id)),
                    errhint("Option \"key\" belongs to columns that identify every row.")));
  }
}

void TakeKey(const Outgoing *key, KeyedWrites::Key *values) {
  values->clear();
  for (int i = 0; i < key->count; i++)
    values->emplace_back(key->values[i].data, key->values[i].size);
}

// Within Guard.
std::vector<std::string> KeyNames(const Outgoing *key) {
  std::vector<std::string> names;
  for (int i = 0; i < key->count; i++)
    names.emplace_back(key->encoders[i].name);
  return names;
}

// Keeps the row below, for RETURNING.
void KeepSource(DirectState *state, TupleTableSlot *row) {
  MemoryContext const old = MemoryContextSwitchTo(state->source_context);
  MinimalTuple tuple = ExecCopySlotMinimalTuple(row);
  MemoryContextSwitchTo(old);
  WriteState *write = state->write;
  Guard([&] {
    KeyedWrites::Key key;
    TakeKey(&write->key, &key);
    if (state->one_row_each) {
      state->sources->in_order.push_back(tuple);
    } else {
      state->sources->by_key.emplace(KeyText(key), tuple);
    }
  });
}

// One row below to one change; the size of what is kept for it.
size_t AddChange(DirectState *state, TupleTableSlot *row) {
  WriteState *write = state->write;
  slot_getallattrs(row);
  RowValues const values = {row->tts_values, row->tts_isnull};
  MemoryContextReset(write->rows->row_context);
  MemoryContext const old = MemoryContextSwitchTo(write->rows->row_context);
  EncodeRow(write->key.encoders, write->key.positions, write->key.count, values, write->key.values);
  EncodeRow(write->columns.encoders, write->columns.positions, write->columns.count, values, write->columns.values);
  CheckKey(write);
  WriteObjects *objects = write->objects;
  size_t size = 0;
  bool const added = Guard([&] {
    KeyedWrites::Key key;
    TakeKey(&write->key, &key);
    const std::string body =
        write->verb == WriteVerb::kUpdate ? objects->payload->Object(write->columns.values) : std::string();
    size = body.size() + key.size() * sizeof(std::string);
    return objects->keyed->Add(body, std::move(key));
  });
  if (added && state->sources != nullptr) KeepSource(state, row);
  MemoryContextSwitchTo(old);
  return size;
}

void FillWindow(ForeignScanState *node, DirectState *state) {
  KeyedWrites *keyed = state->write->objects->keyed.get();
  size_t const most = state->one_row_each ? 1 : kWindowRows;
  size_t bytes = 0;
  while (keyed->rows() < most && bytes < kWindowBytes) {
    TupleTableSlot *row = NextRowBelow(node, state);
    if (row == nullptr) return;
    bytes += AddChange(state, row);
  }
}

}  // namespace

void StartKeyed(ForeignScanState *node, DirectState *state) {
  WriteState *write = state->write;
  WriteObjects *objects = write->objects;
  bool const distinct = (state->flags & kDirectDistinctKeys) != 0;
  bool const needs_source = (state->flags & kDirectNeedsSource) != 0;
  if (needs_source) {
    state->sources = Own<Sources>(CurrentMemoryContext);
    state->source_context =
        AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "supabase_fdw sources", ALLOCSET_DEFAULT_SIZES);
  }
  // What comes back then tells by nothing else which row it was.
  bool const nameless = write->key.encoders[0].attno < 0;
  state->one_row_each = write->rows->column_count > 0 && (ChangesIdentity(write) || (needs_source && nameless));
  size_t const most = state->one_row_each ? 1 : kWindowRows;
  Guard([&] { objects->keyed = std::make_unique<KeyedWrites>(KeyNames(&write->key), most, distinct); });
}

void SendKeyed(ForeignScanState *node, DirectState *state) {
  WriteState *write = state->write;
  WriteObjects *objects = write->objects;
  if (objects->keyed->rows() == 0) FillWindow(node, state);
  if (objects->keyed->rows() == 0) return;
  size_t const rows = Guard([&] {
    const size_t fixed = BytesBesideKeys(objects->query, KeyNames(&write->key));
    KeyedWrites::Batch batch = objects->keyed->Next(fixed < kMaxTargetBytes ? kMaxTargetBytes - fixed : 0);
    objects->query.rows.where = {std::move(batch.keys)};
    objects->body = std::move(batch.body);
    return batch.rows;
  });
  SendWrite(write, rows, false);
}

MinimalTuple FindSource(DirectState *state) {
  Sources *sources = state->sources;
  WriteState *write = state->write;
  if (state->one_row_each) {
    return Guard([&] {
      MinimalTuple tuple = sources->in_order.front();
      sources->in_order.pop_front();
      return tuple;
    });
  }
  TupleTableSlot *row = state->result;
  int positions[INDEX_MAX_KEYS];
  for (int i = 0; i < write->key.count; i++)
    positions[i] = write->key.encoders[i].attno - 1;
  slot_getallattrs(row);
  EncodeRow(write->key.encoders, positions, write->key.count, {row->tts_values, row->tts_isnull}, write->key.values);
  MinimalTuple tuple = Guard([&] {
    KeyedWrites::Key key;
    TakeKey(&write->key, &key);
    const auto found = sources->by_key.find(KeyText(key));
    return found == sources->by_key.end() ? nullptr : found->second;
  });
  if (tuple == nullptr) {
    ereport(ERROR,
            (errcode(ERRCODE_FDW_ERROR), errmsg("remote server returned a row of \"%s\" that was not to be changed",
                                                write->rows->table->table_name)));
  }
  return tuple;
}

}  // namespace supabase::pg
