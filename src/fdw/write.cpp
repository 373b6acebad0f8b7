#include "fdw/write.hpp"

#include "core/http.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/credential.hpp"
#include "fdw/plan.hpp"
#include "fdw/relation.hpp"

extern "C" {
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "portability/instr_time.h"
#include "utils/varlena.h"
}

namespace supabase::pg {
namespace {

// Rows between two looks at the network while a request is made, so that those under way go on.
constexpr size_t kPumpRows = 64;
// A request is sent when it has that many bytes, whatever batch_size says: gateways refuse bodies of a hundred.
constexpr size_t kFullBody = 8'000'000;

constexpr WriteKind kKinds[] = {WriteKind::kInserted, WriteKind::kUpdated, WriteKind::kDeleted};

ScanState *MakeRows(Relation relation, List *returning, List *plan) {
  auto *rows = static_cast<ScanState *>(palloc0(sizeof(ScanState)));
  rows->server = UseServer(GetForeignServerIdByRelId(RelationGetRelid(relation)));
  RequireProject(rows->server);
  rows->table = UseTable(RelationGetRelid(relation), rows->server);
  rows->plan = plan != NIL ? plan : MakePlainScan(NIL, returning);
  rows->objects = Own<ScanObjects>(CurrentMemoryContext);
  rows->row_context = AllocSetContextCreate(CurrentMemoryContext, "supabase_fdw row", ALLOCSET_DEFAULT_SIZES);
  InitColumns(rows, RelationGetDescr(relation));
  return rows;
}

// The names of a comma-separated list of local columns, as the remote has them.
void SetConflictColumns(WriteState *state, const char *list) {
  const Table *table = state->rows->table;
  List *names;
  if (!SplitIdentifierString(pstrdup(list), ',', &names)) {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                    errmsg("invalid value for option \"on_conflict\": \"%s\"", list),
                    errhint("The value must be a list of column names separated by commas.")));
  }
  ListCell *cell;
  foreach (cell, names) {
    AttrNumber const attno = get_attnum(table->id, static_cast<char *>(lfirst(cell)));
    if (attno <= 0) {
      ereport(ERROR, (errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
                      errmsg("column \"%s\" of option \"on_conflict\" does not exist in foreign table \"%s\"",
                             static_cast<char *>(lfirst(cell)), get_rel_name(table->id))));
    }
    const char *name = ToUtf8(table->columns[attno - 1].name);
    Guard([&] { state->objects->query.on_conflict.emplace_back(name); });
  }
}

// Rows that were to be changed by their keys: fewer are told of, more mean that the key is none.
void CompareWithMeant(WriteState *state, uint64_t meant, uint64_t changed) {
  if (!state->counts_missing) return;
  if (changed < meant) state->missing += meant - changed;
  if (changed <= meant) return;
  ereport(ERROR, (errcode(ERRCODE_CARDINALITY_VIOLATION),
                  errmsg("remote server changed %llu rows of \"%s\" where %llu were meant",
                         static_cast<unsigned long long>(changed), state->rows->table->table_name,
                         static_cast<unsigned long long>(meant)),
                  errdetail("The columns with option \"key\" do not identify a row.")));
}

// What the answer that was taken says.
void Account(WriteState *state) {
  Writer *writer = state->objects->writer.get();
  if (writer->trace() != nullptr) TraceAnswer(*writer->trace());
  const WriteAnswer &answer = writer->answer();
  uint64_t const meant = writer->note().rows;
  bool const done = answer.outcome == Outcome::kDone;
  // What has no known outcome stays open in the transaction's record.
  if (answer.outcome != Outcome::kUnknown) WriteEnded(state->entry, meant, done ? answer.rows : 0);
  if (!done) return;
  state->changed += answer.rows;
  CompareWithMeant(state, meant, answer.rows);
}

Writer::Step WaitForAnswer(WriteState *state, bool wait) {
  Writer *writer = state->objects->writer.get();
  for (;;) {
    PumpAndRenew(state->session, writer);
    Writer::Step const step = Guard([&] { return writer->Next(); });
    if (step != Writer::Step::kWait || !wait) return step;
    instr_time start, end;
    INSTR_TIME_SET_CURRENT(start);
    AwaitAny(state->session);
    INSTR_TIME_SET_CURRENT(end);
    INSTR_TIME_SUBTRACT(end, start);
    writer->counters().wait_us += static_cast<int64_t>(INSTR_TIME_GET_MICROSEC(end));
  }
}

// Waits for what is under way, so that the error can say what was done.
[[noreturn]] void RaiseFailure(WriteState *state) {
  while (WaitForAnswer(state, true) == Writer::Step::kAnswer)
    Account(state);
  Guard([&] { state->objects->writer->ThrowFailure(); });
  pg_unreachable();
}

void SetQuery(WriteState *state, Outgoing *columns) {
  WriteQuery *query = &state->objects->query;
  WriteVerb const verb = state->verb;
  ReadQuery *rows = &state->rows->objects->options.query;
  Guard([&] {
    query->verb = verb;
    query->rows.relation = rows->relation;
    query->rows.select = rows->select;
    for (int i = 0; i < columns->count; i++)
      query->columns.emplace_back(columns->encoders[i].name);
    if (verb != WriteVerb::kDelete) state->objects->payload = std::make_unique<Payload>(query->columns);
  });
}

}  // namespace

Outgoing MakeOutgoing(const Table *table, TupleDesc desc, List *columns, List *positions) {
  Outgoing out;
  out.count = list_length(columns);
  Size const count = static_cast<Size>(out.count) + 1;
  out.encoders = static_cast<ValueEncoder *>(palloc0(sizeof(ValueEncoder) * count));
  out.positions = static_cast<int *>(palloc0(sizeof(int) * count));
  out.values = static_cast<PayloadValue *>(palloc0(sizeof(PayloadValue) * count));
  for (int i = 0; i < out.count; i++) {
    auto const attno = static_cast<AttrNumber>(list_nth_int(columns, i));
    InitEncoder(&out.encoders[i], table, desc, attno, CurrentMemoryContext);
    out.positions[i] = positions != NIL ? list_nth_int(positions, i) : attno - 1;
  }
  return out;
}

WriteVerb VerbOf(CmdType operation) {
  return operation == CMD_INSERT   ? WriteVerb::kInsert
         : operation == CMD_UPDATE ? WriteVerb::kUpdate
                                   : WriteVerb::kDelete;
}

WriteState *MakeWriteState(Relation relation, WriteVerb verb, List *columns, List *returning, List *plan) {
  auto *state = static_cast<WriteState *>(palloc0(sizeof(WriteState)));
  state->verb = verb;
  state->rows = MakeRows(relation, returning, plan);
  state->objects = Own<WriteObjects>(CurrentMemoryContext);
  state->columns = MakeOutgoing(state->rows->table, RelationGetDescr(relation), columns, NIL);
  SetSelectAndOrder(state->rows);
  SetQuery(state, &state->columns);
  return state;
}

void SetConflict(WriteState *state, bool do_nothing) {
  const Table *table = state->rows->table;
  Conflict const wanted = do_nothing                                  ? Conflict::kIgnore
                          : table->insert_mode == InsertMode::kInsert ? Conflict::kFail
                          : table->insert_mode == InsertMode::kIgnore ? Conflict::kIgnore
                                                                      : Conflict::kMerge;
  if (wanted == Conflict::kFail) return;
  state->objects->query.conflict = wanted;
  if (table->on_conflict != nullptr) {
    SetConflictColumns(state, table->on_conflict);
    return;
  }
  for (int i = 0; i < table->natts; i++) {
    if (table->columns[i].name == nullptr || !table->columns[i].key) continue;
    const char *name = ToUtf8(table->columns[i].name);
    Guard([&] { state->objects->query.on_conflict.emplace_back(name); });
  }
  if (state->objects->query.on_conflict.empty()) {
    ereport(ERROR,
            (errcode(ERRCODE_FDW_ERROR),
             errmsg("foreign table \"%s\" has no key to find duplicates by", get_rel_name(table->id)),
             errhint("Set table option \"on_conflict\", or option \"key\" of the columns that identify a row.")));
  }
}

void StartWriting(WriteState *state, Oid user) {
  const Server *server = state->rows->server;
  const Table *table = state->rows->table;
  CheckHostAllowed(server);
  Credential *credential = &state->rows->objects->credential;
  ResolveCredential(server, user, table->require_user_jwt ? Actor::kRequiredUser : Actor::kUser, credential);
  const char *schema = ToUtf8(table->schema_name);
  const char *method = WriteMethod(state->verb);
  bool const allow_private = AllowPrivate(server);
  Session *session = GetSession();
  WriteObjects *objects = state->objects;
  auto const most = static_cast<size_t>(table->max_parallel_requests);
  Guard([&] {
    FillRequest(&objects->prototype, server, schema, allow_private);
    objects->prototype.headers[1].first = "Content-Profile";
    objects->prototype.label = std::string(method) + " " + server->rest_path;
    AddCredential(*credential, &objects->prototype);
    objects->writer = std::make_unique<Writer>(session, most, credential->expires_at);
  });
  state->session = session;
  state->name = ToUtf8(table->table_name);
}

// Some gateways refuse a change of all rows (pg-safeupdate), and no condition must never mean that one was lost: a
// statement without any says so by one that is always true.
AllRows NameAllRows(const Table *table) {
  AllRows all = {nullptr, false, 0};
  for (int i = 0; i < table->natts && !all.never_null; i++) {
    const Column *column = &table->columns[i];
    if (column->name == nullptr || (all.column != nullptr && !column->key)) continue;
    all = {ToUtf8(column->name), column->key, i + 1};
  }
  return all;
}

Condition Everything(AllRows all) {
  Condition test;
  test.kind = Condition::Kind::kIsNull;
  test.column = all.column;
  test.negated = true;
  if (all.never_null) return test;
  Condition any;
  any.kind = Condition::Kind::kOr;
  any.children = {test, test};
  any.children[0].negated = false;
  return any;
}

void NameEverything(WriteState *state) {
  AllRows const all = NameAllRows(state->rows->table);
  Guard([&] { state->objects->query.rows.where = {Everything(all)}; });
}

void ShowKey(WriteState *state) {
  const Outgoing *columns = &state->key;
  Guard([&] {
    std::vector<std::string> names;
    KeyedWrites::Key key;
    for (int i = 0; i < columns->count; i++) {
      names.emplace_back(columns->encoders[i].name);
      key.push_back("$" + std::to_string(i + 1));
    }
    state->objects->query.rows.where = {KeyedWrites::Match(names, {key}, 1)};
  });
}

bool WalkPlanStates(PlanState *node, bool (*walker)(PlanState *, void *)) {
#if PG_VERSION_NUM >= 160000
  return planstate_tree_walker(node, walker, nullptr);
#else
  return planstate_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)), nullptr);
#endif
}

bool MaySend(const WriteState *state) {
  return state->objects->writer->HasRoom();
}

void SendWrite(WriteState *state, uint64_t rows, bool numbered) {
  if (state->entry == nullptr) {
    state->entry = EnterWrite(state->rows->server, state->rows->table, kKinds[static_cast<int>(state->verb)]);
  }
  WriteObjects *objects = state->objects;
  Guard([&] {
    WriteQuery query = objects->query;
    SelectTreeColumns(&query);
    objects->request = objects->prototype;
    SetWriteRequest(&objects->request, query, BuildWriteTarget(query), std::move(objects->body));
    objects->note = {state->verb, query.conflict, state->name, query.rows.select.size(), rows};
    if (numbered) objects->note.first_row = state->given + 1;
  });
  WriteBegins(state->entry, rows);
  state->given += rows;
  Guard([&] { objects->writer->Send(std::move(objects->request), std::move(objects->note)); });
}

void AddRow(WriteState *state, RowValues row) {
  WriteObjects *objects = state->objects;
  Outgoing *columns = &state->columns;
  MemoryContextReset(state->rows->row_context);
  MemoryContext const old = MemoryContextSwitchTo(state->rows->row_context);
  EncodeRow(columns->encoders, columns->positions, columns->count, row, columns->values);
  MemoryContextSwitchTo(old);
  Guard([&] { objects->payload->AddRow(columns->values); });
  if (objects->payload->rows() % kPumpRows == 0) state->session->Pump();
}

bool BatchIsFull(const WriteState *state) {
  const Payload *payload = state->objects->payload.get();
  return payload->rows() >= static_cast<size_t>(state->rows->table->batch_size) || payload->bytes() >= kFullBody;
}

void SendRows(WriteState *state) {
  const Payload *payload = state->objects->payload.get();
  auto const rows = payload != nullptr ? static_cast<uint64_t>(payload->rows()) : 0;
  if (rows == 0) return;
  Guard([&] { state->objects->body = state->objects->payload->Take(); });
  SendWrite(state, rows, true);
}

bool TakeAnswer(WriteState *state, bool wait) {
  if (WaitForAnswer(state, wait) != Writer::Step::kAnswer) return false;
  Account(state);
  Writer *writer = state->objects->writer.get();
  if (writer->failed()) RaiseFailure(state);
  Guard([&] { state->objects->page = std::move(writer->answer().page); });
  return true;
}

void FinishWriting(WriteState *state) {
  while (TakeAnswer(state, true)) {
  }
  if (state->missing == 0) return;
  ereport(WARNING,
          (errcode(ERRCODE_WARNING),
           errmsg("remote server changed %llu of %llu rows of \"%s\"",
                  static_cast<unsigned long long>(state->given - state->missing),
                  static_cast<unsigned long long>(state->given), state->rows->table->table_name),
           errdetail("The others are gone meanwhile, or row level security does not let the user change them.")));
  state->missing = 0;
}

void StoreReturned(WriteState *state, size_t row, TupleTableSlot *slot) {
  ExecClearTuple(slot);
  StoreRow(state->rows, state->objects->page.Row(row), slot);
}

const char *WriteRequestText(WriteState *state) {
  auto *text = Own<std::string>(CurrentMemoryContext);
  const char *method = WriteMethod(state->verb);
  Guard([&] {
    *text = std::string(method) + " " + state->rows->server->rest_path + BuildWriteTarget(state->objects->query);
  });
  return ToServer(text->c_str(), text->size());
}

}  // namespace supabase::pg
