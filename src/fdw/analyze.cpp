#include "fdw/analyze.hpp"

#include <memory>

#include "core/sampler.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/convert.hpp"
#include "fdw/estimate.hpp"
#include "fdw/type.hpp"

extern "C" {
#include "common/pg_prng.h"
}

namespace supabase::pg {
namespace {

struct AnalyzeObjects {
  Credential credential;
  SampleOptions options;
  std::unique_ptr<Sampler> sampler;
};

// One sample on its way into the caller's array.
struct SampleState {
  Relation relation;
  const Server *server;
  const Table *table;
  AnalyzeObjects *objects;
  int column_count;
  ColumnConverter *converters;  // in select order
  int key_count;
  int *key;                   // positions of the key's columns
  MemoryContext row_context;  // one row's values
  Datum *values;
  bool *nulls;
  HeapTuple *rows;
  int count, room;
};

bool HasOwnMapping(Oid user_id, Oid server_id) {
  return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user_id), ObjectIdGetDatum(server_id));
}

// Columns, key and credential of a sample.
SampleState *MakeState(Relation relation) {
  auto *state = static_cast<SampleState *>(palloc0(sizeof(SampleState)));
  state->relation = relation;
  state->server = GetServerOptions(GetForeignTable(RelationGetRelid(relation))->serverid);
  RequireProject(state->server);
  state->table = GetTableOptions(RelationGetRelid(relation), state->server);
  state->objects = Own<AnalyzeObjects>(CurrentMemoryContext);
  TupleDesc desc = RelationGetDescr(relation);
  auto const natts = static_cast<Size>(desc->natts);
  state->converters = static_cast<ColumnConverter *>(palloc0(sizeof(ColumnConverter) * natts));
  state->key = static_cast<int *>(palloc0(sizeof(int) * natts));
  state->values = static_cast<Datum *>(palloc0(sizeof(Datum) * natts));
  state->nulls = static_cast<bool *>(palloc0(sizeof(bool) * natts));
  SampleOptions *options = &state->objects->options;
  const char *name = ToUtf8(state->table->table_name);
  Guard([&] { options->query.relation = name; });
  for (int i = 0; i < desc->natts; i++) {
    const Column *column = &state->table->columns[i];
    if (column->name == nullptr) continue;
    bool const as_text = column->remote_type != nullptr || GetTypeRule(TupleDescAttr(desc, i)->atttypid).as_text;
    const char *column_name = ToUtf8(column->name);
    size_t const position = static_cast<size_t>(state->column_count);
    Guard([&] {
      options->query.select.push_back({column_name, as_text});
      if (column->key) options->key.push_back(position);
    });
    if (column->key) state->key[state->key_count++] = state->column_count;
    InitConverter(&state->converters[state->column_count++], TupleDescAttr(desc, i), CurrentMemoryContext);
  }
  return state;
}

void Connect(SampleState *state) {
  CheckHostAllowed(state->server);
  ResolveCredential(state->server, state->relation->rd_rel->relowner, Actor::kMapping, &state->objects->credential);
}

void AddRow(SampleState *state, const Cell *row, ConvertPosition *position) {
  MemoryContextReset(state->row_context);
  MemoryContext const old = MemoryContextSwitchTo(state->row_context);
  memset(state->nulls, true, sizeof(bool) * static_cast<Size>(RelationGetDescr(state->relation)->natts));
  position->row = row;
  for (int i = 0; i < state->column_count; i++) {
    ColumnConverter *converter = &state->converters[i];
    int const attribute = converter->attno - 1;
    position->converter = converter;
    state->values[attribute] = ConvertCell(converter, &row[i], &state->nulls[attribute]);
  }
  position->converter = nullptr;
  MemoryContextSwitchTo(old);
  state->rows[state->count++] = heap_form_tuple(RelationGetDescr(state->relation), state->values, state->nulls);
}

void AddPage(SampleState *state) {
  const Page *page = &state->objects->sampler->page();
  ConvertPosition position = {
      RelationGetRelationName(state->relation), nullptr, nullptr, state->key_count, state->key, state->converters};
  ErrorContextCallback callback = {error_context_stack, ConvertErrorContext, &position};
  error_context_stack = &callback;
  for (size_t i = 0; i < page->rows() && state->count < state->room; i++)
    AddRow(state, page->Row(i), &position);
  error_context_stack = callback.previous;
}

void StartSampler(SampleState *state, Session *session) {
  AnalyzeObjects *objects = state->objects;
  const char *schema = ToUtf8(state->table->schema_name);
  bool const allow_private = AllowPrivate(state->server);
  uint64 const seed = pg_prng_uint64(&pg_global_prng_state);
  Guard([&] {
    Request prototype;
    FillRequest(&prototype, state->server, schema, allow_private);
    AddCredential(objects->credential, &prototype);
    objects->options.rows = static_cast<uint64_t>(state->room);
    objects->options.seed = seed;
    objects->sampler = std::make_unique<Sampler>(session, std::move(prototype), std::move(objects->options),
                                                 objects->credential.expires_at);
  });
}

int AcquireSampleRows(Relation relation, int elevel, HeapTuple *rows, int room, double *total, double *dead) {
  SampleState *state = MakeState(relation);
  Connect(state);
  state->rows = rows;
  state->room = room;
  state->row_context = AllocSetContextCreate(CurrentMemoryContext, "supabase_fdw row", ALLOCSET_DEFAULT_SIZES);
  Session *session = GetSession();
  StartSampler(state, session);
  Sampler *sampler = state->objects->sampler.get();
  const Transfer *transfer;
  while ((transfer = Guard([&] { return sampler->Waiting(); })) != nullptr) {
    Await(session, transfer);
    Guard([&] { sampler->Take(); });
    TraceAnswer(sampler->last());
    AddPage(state);
  }
  *total = static_cast<double>(sampler->total());
  *dead = 0;
  Guard([&] { state->objects->sampler.reset(); });
  MemoryContextDelete(state->row_context);
  ereport(elevel, (errmsg("\"%s\": remote table contains %.0f rows; %d rows in sample",
                          RelationGetRelationName(relation), *total, state->count)));
  return state->count;
}

// What the rows would take in a local table.
BlockNumber PagesFor(Relation relation, double rows) {
  TupleDesc desc = RelationGetDescr(relation);
  double width = MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData);
  for (int i = 0; i < desc->natts; i++) {
    Form_pg_attribute attribute = TupleDescAttr(desc, i);
    if (!attribute->attisdropped) width += get_typavgwidth(attribute->atttypid, attribute->atttypmod);
  }
  double const pages = ceil(rows * width / BLCKSZ);
  return static_cast<BlockNumber>(Min(Max(pages, 1.0), static_cast<double>(MaxBlockNumber)));
}

}  // namespace

bool AnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *sampler, BlockNumber *pages) {
  ForeignTable *foreign = GetForeignTable(RelationGetRelid(relation));
  const char *name = RelationGetRelationName(relation);
  if (!HasOwnMapping(relation->rd_rel->relowner, foreign->serverid)) {
    ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("owner of foreign table \"%s\" has no user mapping", name),
                      errdetail("Statistics are gathered with the owner's own user mapping only.")));
    return false;
  }
  SampleState *state = MakeState(relation);
  if (state->table->require_user_jwt) {
    ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg("foreign table \"%s\" requires a user's token", name),
                      errdetail("Statistics are never gathered as an end user.")));
    return false;
  }
  if (state->table->function != nullptr) {
    ereport(WARNING,
            (errcode(ERRCODE_WARNING), errmsg("foreign table \"%s\" shows a function, which has no statistics", name)));
    return false;
  }
  if (state->column_count == 0) return false;
  Connect(state);
  *pages = PagesFor(relation, FetchPlannedCount(state->server, state->table, &state->objects->credential,
                                                &state->objects->options.query));
  *sampler = AcquireSampleRows;
  return true;
}

}  // namespace supabase::pg
