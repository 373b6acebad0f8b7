#include "fdw/management_returning.hpp"

#include <ctime>

#include "core/crypto.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/project_password.hpp"

namespace supabase::pg {

namespace {

// How far the remote's clock may be behind, when a row is looked for that may have just been made.
constexpr time_t kClockSkewSeconds = 60;

struct FoundRow {
  std::vector<Cell> cells;
  CellTexts texts;
};

struct ReturningObjects {
  std::vector<size_t> columns;  // of the catalogue, that RETURNING needs; then the key's
  size_t wanted = 0;            // how many of them RETURNING needs
  std::vector<Cell> cells;      // of them, in that order
  std::vector<bool> known;
  CellTexts texts;
  std::unique_ptr<ManagementReader> reader;
  std::string password;  // made up for the row, or given
};

}  // namespace

struct Returning {
  const ApiRelation *relation;
  const ManagementObjects *management;
  List *columns;  // attribute numbers
  ColumnConverter *converters;
  ConvertPosition position;
  ReturningObjects *objects;
  time_t begun;
  bool found;  // by FindCreated: the cells are there
};

namespace {

bool Given(const ApiRow &row, size_t column) {
  return row[column].has_value() && !row[column]->null;
}

// Columns with a value that stays what was given; the others are the remote's to say.
bool IsGiven(const ApiTable &api, const ApiRow &row, size_t column) {
  return Given(row, column) && (api.IsKey(api.columns[column].name) || !api.columns[column].parameter.empty());
}

std::string Text(const Cell &cell) {
  return cell.data == nullptr ? std::string() : std::string(cell.data, cell.size);
}

Cell GivenCell(const ApiColumn &column, const ApiValue &value, CellTexts *texts) {
  Cell cell = TextCell(value.text, texts);
  if (column.type == "boolean")
    cell.kind = value.text == "t" || value.text == "true" ? Cell::Kind::kTrue : Cell::Kind::kFalse;
  return cell;
}

// Selects the row of an answer to a change: the answer, or the one item of its list.
bool SelectRow(ManagementAnswer *answer) {
  const std::string json = answer->JsonAt("");
  answer->Select(!json.empty() && json[0] == '[' ? "[]" : "");
  return answer->rows() == 1;
}

// What the answer and the given values say.
void TakeKnown(const ApiTable &api, const ApiRow &row, ManagementAnswer *answer, ReturningObjects *objects) {
  objects->texts.clear();
  objects->cells.assign(objects->columns.size(), Cell{});
  objects->known.assign(objects->columns.size(), false);
  const bool answered = answer != nullptr && SelectRow(answer);
  for (size_t i = 0; i < objects->columns.size(); ++i) {
    const size_t column = objects->columns[i];
    const ApiColumn &api_column = api.columns[column];
    if (api_column.write_only || api_column.constant) {
      objects->known[i] = api_column.write_only;
    } else if (IsGiven(api, row, column)) {
      objects->cells[i] = GivenCell(api_column, *row[column], &objects->texts);
      objects->known[i] = true;
    } else if (answered && answer->Has(0, api_column) &&
               (api_column.hydrate.empty() || api_column.hydrate == "insert")) {
      objects->cells[i] = answer->Value(0, api, api_column, &objects->texts);
      objects->known[i] = true;
    }
  }
}

bool AllKnown(const ReturningObjects *objects) {
  for (size_t i = 0; i < objects->wanted; ++i) {
    if (!objects->known[i]) return false;
  }
  return true;
}

// The target of a row whose key is in the cells.
ReadTarget TargetOf(const ApiTable &api, const ReturningObjects *objects) {
  ReadTarget target;
  for (size_t i = 0; i < objects->columns.size(); ++i) {
    const size_t column = objects->columns[i];
    const bool bound = target.Find(column) != nullptr;
    if (!bound && objects->known[i] && !api.columns[column].parameter.empty() && objects->cells[i].data != nullptr &&
        api.columns[column].defaults.size() < 2) {
      target.bound.emplace_back(column, Text(objects->cells[i]));
    }
  }
  return target;
}

// Whether a row that was read is the one that was changed: by its key, or, where the answer did not tell the key, by
// what it was given.
bool IsRow(const ApiTable &api, const ReturningObjects *objects, const ApiRow &given, const Cell *cells) {
  bool key_known = true;
  for (size_t i = 0; i < objects->columns.size(); ++i) {
    if (!api.IsKey(api.columns[objects->columns[i]].name)) continue;
    key_known = key_known && objects->known[i];
    if (objects->known[i] && Text(cells[i]) != Text(objects->cells[i])) return false;
  }
  for (size_t i = 0; i < objects->columns.size() && !key_known; ++i) {
    const size_t column = objects->columns[i];
    const ApiColumn &candidate = api.columns[column];
    // Lists and JSON come back in a spelling of their own.
    const bool compared = candidate.insert && !candidate.write_only && candidate.hydrate.empty() &&
                          candidate.type != "jsonb" && candidate.type != "text[]";
    if (!compared || !Given(given, column)) continue;
    if (Text(cells[i]) != given[column]->text) return false;
  }
  return true;
}

void Keep(const Cell *cells, size_t count, FoundRow *found) {
  found->cells.assign(cells, cells + count);
  found->texts.clear();
  for (Cell &cell : found->cells) {
    if (cell.data != nullptr) cell.data = found->texts.emplace_back(cell.data, cell.size).c_str();
  }
}

void TakeFound(FoundRow *found, ReturningObjects *objects) {
  objects->cells = std::move(found->cells);
  objects->texts = std::move(found->texts);
  objects->known.assign(objects->columns.size(), true);
}

void StartReader(const Returning *returning, const ReadTarget &target) {
  ManagementReader::Options options;
  options.caller = returning->management->caller;
  options.table = returning->relation->api;
  options.columns = returning->objects->columns;
  options.targets = {target};
  returning->objects->reader = std::make_unique<ManagementReader>(std::move(options));
}

// Reads the row again; the last one that fits. One that is not there (yet) leaves NULLs.
void ReadAgain(const Returning *returning, const ApiRow *row) {
  ReturningObjects *objects = returning->objects;
  const ApiTable *api = returning->relation->api;
  auto *found = Own<FoundRow>(CurrentMemoryContext);
  Guard([&] { StartReader(returning, TargetOf(*api, objects)); });
  while (AwaitRow(returning->management->caller.session, objects->reader.get())) {
    Guard([&] {
      const Cell *cells = objects->reader->Next();
      if (IsRow(*api, objects, *row, cells)) Keep(cells, objects->columns.size(), found);
    });
  }
  Guard([&] {
    if (!found->cells.empty()) TakeFound(found, objects);
    objects->reader.reset();
  });
}

// ---- Rows that may have been made ----

// "2026-11-24T17:30:00", which sorts like the time.
std::string TimeText(time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

bool IsCreated(const Returning *returning, const ApiRow &row, const Cell *cells) {
  const ApiTable &api = *returning->relation->api;
  const ReturningObjects *objects = returning->objects;
  bool compared = false;
  for (size_t i = 0; i < objects->columns.size(); ++i) {
    const ApiColumn &column = api.columns[objects->columns[i]];
    const auto &given = row[objects->columns[i]];
    if (column.name == "created_at" || column.name == "inserted_at") {
      std::string made = Text(cells[i]);
      if (made.size() > 10 && made[10] == ' ') made[10] = 'T';
      if (!made.empty() && made < TimeText(returning->begun - kClockSkewSeconds)) return false;
    }
    if (!column.insert_required || column.write_only || !given.has_value() || given->null) continue;
    if (Text(cells[i]) != given->text) return false;
    compared = true;
  }
  return compared;
}

// Columns that IsCreated looks at, beside those that are there.
void AddIdentifying(const ApiTable &api, ReturningObjects *objects) {
  for (size_t i = 0; i < api.columns.size(); ++i) {
    const ApiColumn &column = api.columns[i];
    const bool wanted = api.IsKey(column.name) || (column.insert && !column.write_only) ||
                        column.name == "created_at" || column.name == "inserted_at" || column.name == api.parent_column;
    if (wanted && column.hydrate.empty() && !column.constant) objects->columns.push_back(i);
  }
}

// ---- Passwords ----

int GeneratedColumn(const ApiTable &api) {
  for (size_t i = 0; i < api.columns.size(); ++i) {
    if (api.columns[i].generated) return static_cast<int>(i);
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
  ReturningObjects *objects = returning->objects;
  ListCell *cell;
  foreach (cell, columns) {
    int const attno = lfirst_int(cell);
    InitConverter(&returning->converters[foreach_current_index(cell)], TupleDescAttr(desc, attno - 1), context);
    auto const column = static_cast<size_t>(relation->columns[attno - 1]);
    Guard([&] { objects->columns.push_back(column); });
  }
  Guard([&] {
    objects->wanted = objects->columns.size();
    AddIdentifying(*relation->api, objects);
  });
  return returning;
}

void StoreReturning(Returning *returning, const CallObjects *sent, const ApiRow *row, TupleTableSlot *slot) {
  ReturningObjects *objects = returning->objects;
  const ApiTable *api = returning->relation->api;
  bool const all = Guard([&] {
    if (!returning->found) TakeKnown(*api, *row, sent == nullptr ? nullptr : sent->answer.get(), objects);
    return AllKnown(objects);
  });
  if (!all) ReadAgain(returning, row);
  returning->found = false;
  ExecMaterializeSlot(slot);
  slot_getallattrs(slot);
  ErrorContextCallback callback = {error_context_stack, ConvertErrorContext, &returning->position};
  error_context_stack = &callback;
  returning->position.row = objects->cells.data();
  ListCell *cell;
  foreach (cell, returning->columns) {
    int const i = foreach_current_index(cell), attno = lfirst_int(cell);
    ColumnConverter *converter = &returning->converters[i];
    returning->position.converter = converter;
    slot->tts_values[attno - 1] =
        ConvertCell(converter, &objects->cells[static_cast<size_t>(i)], &slot->tts_isnull[attno - 1]);
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
    returning->found = Guard([&] {
      const Cell *cells = objects->reader->Next();
      if (!IsCreated(returning, *row, cells)) return false;
      FoundRow found;
      Keep(cells, objects->columns.size(), &found);
      TakeFound(&found, objects);
      return true;
    });
  }
  Guard([&] { objects->reader.reset(); });
  return returning->found;
}

void KeepGenerated(Returning *returning, std::vector<ApiRow> *rows) {
  const ApiTable *api = returning->relation->api;
  int const column = Guard([&] { return GeneratedColumn(*api); });
  if (column < 0) return;
  for (ApiRow &row : *rows) {
    std::optional<ApiValue> *value = &row[static_cast<size_t>(column)];
    if (value->has_value() && !(*value)->null) continue;
    CheckCanKeepPassword();
    Guard([&] { *value = ApiValue{false, MakePassword()}; });
  }
}

void StoreGenerated(Returning *returning, const CallObjects *sent, const ApiRow *row) {
  const ApiTable *api = returning->relation->api;
  ReturningObjects *objects = returning->objects;
  int const column = Guard([&] { return GeneratedColumn(*api); });
  if (column < 0) return;
  const std::optional<ApiValue> *value = &(*row)[static_cast<size_t>(column)];
  if (!value->has_value() || (*value)->null) return;
  auto *reference = Own<std::string>(CurrentMemoryContext);
  Guard([&] {
    if (!returning->found) TakeKnown(*api, *row, sent == nullptr ? nullptr : sent->answer.get(), objects);
    for (size_t i = 0; i < objects->columns.size(); ++i) {
      if (api->columns[objects->columns[i]].name == api->key.front()) *reference = Text(objects->cells[i]);
    }
  });
  if (!reference->empty()) KeepProjectPassword(returning->relation->server, reference->c_str(), (*value)->text.c_str());
}

}  // namespace supabase::pg
