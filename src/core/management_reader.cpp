#include "management_reader.hpp"

#include <algorithm>
#include <set>

namespace supabase {

namespace {

// Answers for one project of many that say that it has nothing to show; the rest fails the query.
constexpr int kSkippedStatuses[] = {400, 402, 403, 404, 406, 422, 540, 544};
constexpr char kNull[] = "null";

bool IsSkipped(int status) {
  return std::find(std::begin(kSkippedStatuses), std::end(kSkippedStatuses), status) != std::end(kSkippedStatuses);
}

// The text of a constant of the catalogue, which is JSON.
std::string ConstantText(const std::string &json) {
  return json.size() >= 2 && json.front() == '"' ? json.substr(1, json.size() - 2) : json;
}

std::string CellText(const Cell &cell) {
  return cell.kind == Cell::Kind::kNull ? std::string() : std::string(cell.data, cell.size);
}

const std::string *ConstantOf(const RowSource *source, const std::string &column) {
  if (source == nullptr) return nullptr;
  for (const auto &[name, value] : source->constants) {
    if (name == column) return &value;
  }
  return nullptr;
}

}  // namespace

const std::string *ReadTarget::Find(size_t column) const {
  for (const auto &[index, value] : bound) {
    if (index == column) return &value;
  }
  return nullptr;
}

std::unique_ptr<Transfer> ManagementCaller::Begin(const ApiOperation &operation, const CallArguments &arguments,
                                                  Request request) const {
  request.delay_ms = limits->Begin(name + " " + RateBucket(operation, arguments), RateLimits::NowMs());
  return session->Send(std::move(request));
}

void ManagementCaller::Ended(const ApiOperation &operation, const CallArguments &arguments,
                             const Response &response) const {
  limits->End(name + " " + RateBucket(operation, arguments), response, RateLimits::NowMs());
}

ManagementReader::ManagementReader(Options options) : options_(std::move(options)) {
  for (const size_t column : options_.columns) {
    const std::string &hydrate = options_.table->columns[column].hydrate;
    // What only the answer to an INSERT shows cannot be read.
    if (!hydrate.empty() && hydrate != "insert") hydrate_ = hydrate;
  }
  Tasks tasks;
  if (options_.fan_out) {
    const ApiTable *parent = Catalogue::Get().FindTable(options_.table->parent_table);
    auto task = std::make_unique<Task>();
    task->kind = Task::Kind::kParents;
    task->table = parent;
    task->operation = parent->Find("list");
    tasks.push_back(std::move(task));
  } else {
    for (const ReadTarget &target : options_.targets)
      Plan(target, false, &tasks);
  }
  Insert(std::move(tasks));
}

ManagementReader::~ManagementReader() = default;

// ---- Which requests ----

// By key where every parameter of its path is known.
static const TableOperation *Choose(const ApiTable &table, const ReadTarget &target) {
  const TableOperation *get = table.Find("get"), *list = table.Find("list");
  if (get == nullptr || list == nullptr) return get == nullptr ? list : get;
  for (const ApiParameter &parameter : get->operation->parameters) {
    if (parameter.place != ApiParameter::Place::kPath) continue;
    if (target.Find(static_cast<size_t>(table.ColumnOfParameter(parameter.name))) == nullptr) return list;
  }
  return get;
}

void ManagementReader::Counters::Add(const Counters &other) {
  requests += other.requests;
  rows += other.rows;
  bytes += other.bytes;
  retries += other.retries;
}

std::string ManagementReader::Describe(const ApiTable &table, const ReadTarget &target) {
  const ApiOperation &operation = *Choose(table, target)->operation;
  std::string text = operation.method + " " + operation.path, query;
  for (const auto &[column, value] : target.bound) {
    const std::string &name = table.columns[column].parameter;
    const ApiParameter *parameter = operation.FindParameter(name);
    if (parameter == nullptr) continue;
    if (parameter->place == ApiParameter::Place::kPath) {
      const std::string mark = "{" + name + "}";
      if (const size_t at = text.find(mark); at != std::string::npos) text.replace(at, mark.size(), value);
    } else {
      query += (query.empty() ? "?" : "&") + name + "=" + value;
    }
  }
  text += query;
  const bool bound =
      table.parent_column.empty() || target.Find(static_cast<size_t>(table.FindColumn(table.parent_column))) != nullptr;
  return bound ? text : text + " for each of " + table.parent_table;
}

bool ManagementReader::SourceWanted(const RowSource &source, const ReadTarget &target) const {
  for (const auto &[column, value] : source.constants) {
    const std::string *bound = target.Find(static_cast<size_t>(options_.table->FindColumn(column)));
    if (bound != nullptr && *bound != ConstantText(value)) return false;
  }
  return true;
}

void ManagementReader::Plan(const ReadTarget &target, bool lenient, Tasks *tasks) const {
  const TableOperation *chosen = Choose(*options_.table, target);
  std::set<std::string> names;
  if (chosen->name == "list") {
    for (const RowSource &source : options_.table->sources) {
      if (SourceWanted(source, target)) names.insert(source.operation);
    }
    if (!options_.table->sources.empty() && names.empty()) return;
  }
  if (names.empty()) names.insert(chosen->name);
  for (const std::string &name : names)
    tasks->push_back(MakeTask(options_.table->Find(name), target, lenient));
}

std::unique_ptr<ManagementReader::Task> ManagementReader::MakeTask(const TableOperation *operation,
                                                                   const ReadTarget &target, bool lenient) const {
  auto task = std::make_unique<Task>();
  task->table = options_.table;
  task->operation = operation;
  task->target = target;
  task->lenient = lenient;
  return task;
}

// Before everything else that is to be read: in the order of the rows.
void ManagementReader::Insert(Tasks tasks) {
  for (auto at = tasks.rbegin(); at != tasks.rend(); ++at)
    tasks_.push_front(std::move(*at));
}

// ---- Sending ----

void ManagementReader::Start(Task *task) {
  const ApiOperation &operation = *task->operation->operation;
  task->arguments.clear();
  for (const ApiParameter &parameter : operation.parameters) {
    const int column = task->table->ColumnOfParameter(parameter.name);
    if (column < 0) continue;
    bool given = false;
    for (const auto &[index, value] : task->target.bound) {
      if (index != static_cast<size_t>(column)) continue;
      task->arguments.emplace_back(parameter.name, value);
      given = true;
    }
    if (given) continue;
    for (const std::string &value : task->table->columns[static_cast<size_t>(column)].defaults)
      task->arguments.emplace_back(parameter.name, value);
  }
  const ApiPaging &paging = task->table->paging;
  if (!paging.style.empty() && task->operation->name == "list") {
    task->arguments.emplace_back(paging.limit, std::to_string(paging.size));
    if (paging.style == "offset") task->arguments.emplace_back(paging.offset, std::to_string(task->offset));
    if (!task->cursor.empty()) task->arguments.emplace_back(paging.cursor, task->cursor);
  }
  Request request = options_.caller.prototype;
  FillCall(&request, operation, task->arguments);
  task->transfer = options_.caller.Begin(operation, task->arguments, std::move(request));
  ++counters_.requests;
}

const Transfer *ManagementReader::Waiting() {
  if (!ready_.empty() || tasks_.empty()) return nullptr;
  const size_t parallel = std::min(tasks_.size(), std::max<size_t>(options_.parallel, 1));
  for (size_t i = 0; i < parallel; ++i) {
    if (tasks_[i]->transfer == nullptr) Start(tasks_[i].get());
  }
  return tasks_.front()->transfer.get();
}

ManagementRow ManagementReader::Next() {
  ManagementRow row = std::move(ready_.front());
  ready_.pop_front();
  ++counters_.rows;
  return row;
}

// ---- Taking answers ----

void ManagementReader::Take() {
  const std::unique_ptr<Task> task = std::move(tasks_.front());
  tasks_.pop_front();
  Response &response = task->transfer->Result();
  last_ = AnswerTrace(task->transfer->request(), response);
  counters_.bytes += response.wire_bytes;
  counters_.retries += static_cast<uint64_t>(response.retries);
  options_.caller.Ended(*task->operation->operation, task->arguments, response);
  Tasks next;
  if (!Refused(task.get(), response, &next)) {
    ManagementAnswer answer(response, task->transfer->request().label);
    switch (task->kind) {
      case Task::Kind::kParents:
        TakeParents(*task, &answer, &next);
        break;
      case Task::Kind::kRows:
        TakeRows(task.get(), &answer, &next);
        break;
      case Task::Kind::kHydrate:
        TakeHydrate(task.get(), &answer);
        break;
    }
  }
  Insert(std::move(next));
}

// Whether there is no answer to read rows from; throws when that fails the query.
bool ManagementReader::Refused(Task *task, Response &response, Tasks *next) {
  if (IsSuccess(response)) return false;
  const std::string &name = task->operation->name;
  const bool absent =
      IsAbsent(Catalogue::Get().absences, response, name) || IsAbsent(task->table->absences, response, name);
  if (task->kind == Task::Kind::kHydrate && absent) {
    ready_.push_back(std::move(task->row));
    return true;
  }
  if (task->kind == Task::Kind::kRows) {
    if (!task->operation->fallback.empty()) {
      next->push_back(MakeTask(task->table->Find(task->operation->fallback), task->target, task->lenient));
      return true;
    }
    if (absent) return true;
  }
  Error problem = ManagementProblem(*task->operation->operation, task->transfer->request(), response);
  if (!task->lenient || !IsSkipped(response.status)) throw problem;
  if (task->kind == Task::Kind::kHydrate) ready_.push_back(std::move(task->row));
  const int parent = options_.table->FindColumn(options_.table->parent_column);
  const std::string *value = task->target.Find(static_cast<size_t>(parent));
  skipped_.push_back({value == nullptr ? std::string() : *value, std::move(problem)});
  return true;
}

// The targets of every parent that can answer.
void ManagementReader::TakeParents(const Task &task, ManagementAnswer *answer, Tasks *next) {
  const ApiTable &parent = *task.table, &table = *options_.table;
  answer->Select(task.operation->rows);
  const int key = parent.FindColumn(table.parent_key), status = parent.FindColumn("status");
  const auto column = static_cast<size_t>(table.FindColumn(table.parent_column));
  const auto &unavailable = Catalogue::Get().unavailable;
  for (size_t row = 0; row < answer->rows(); ++row) {
    CellTexts texts;
    const auto text = [&](int index) {
      return CellText(answer->Value(row, parent, parent.columns[static_cast<size_t>(index)], &texts));
    };
    if (table.service && status >= 0 &&
        std::find(unavailable.begin(), unavailable.end(), text(status)) != unavailable.end()) {
      continue;
    }
    for (const ReadTarget &target : options_.targets) {
      ReadTarget own = target;
      own.bound.emplace_back(column, text(key));
      Plan(own, true, next);
    }
  }
}

void ManagementReader::TakeRows(Task *task, ManagementAnswer *answer, Tasks *next) {
  size_t rows = 0;
  bool sourced = false;
  for (const RowSource &source : options_.table->sources) {
    if (source.operation != task->operation->name || !SourceWanted(source, task->target)) continue;
    sourced = true;
    answer->Select(source.rows);
    TakeSource(*task, *answer, &source, next);
  }
  if (!sourced) {
    answer->Select(task->operation->rows);
    rows = answer->rows();
    TakeSource(*task, *answer, nullptr, next);
  }
  TakePage(*task, *answer, rows, next);
}

void ManagementReader::TakeSource(const Task &task, const ManagementAnswer &answer, const RowSource *source,
                                  Tasks *next) {
  const ApiTable &table = *options_.table;
  const bool hydrated = task.operation->name == hydrate_;
  for (size_t row = 0; row < answer.rows(); ++row) {
    ManagementRow made;
    for (const size_t column : options_.columns) {
      const bool later = !table.columns[column].hydrate.empty() && !hydrated;
      made.cells.push_back(later ? Cell{} : ValueOf(task, answer, row, column, source, &made.texts));
    }
    if (hydrate_.empty() || hydrated) {
      ready_.push_back(std::move(made));
      continue;
    }
    auto more = MakeTask(table.Find(hydrate_), task.target, task.lenient);
    more->kind = Task::Kind::kHydrate;
    for (const ApiParameter &parameter : more->operation->operation->parameters) {
      const auto column = static_cast<size_t>(table.ColumnOfParameter(parameter.name));
      if (parameter.place != ApiParameter::Place::kPath || more->target.Find(column) != nullptr) continue;
      more->target.bound.emplace_back(column, CellText(answer.Value(row, table, table.columns[column], &made.texts)));
    }
    more->row = std::move(made);
    next->push_back(std::move(more));
  }
}

// A value that the request was given is what the row has; else the row's own.
Cell ManagementReader::ValueOf(const Task &task, const ManagementAnswer &answer, size_t row, size_t column,
                               const RowSource *source, CellTexts *texts) const {
  const ApiColumn &shown = options_.table->columns[column];
  if (shown.write_only) return {};
  if (shown.constant) {
    const std::string *value = ConstantOf(source, shown.name);
    return value == nullptr || *value == kNull ? Cell{} : TextCell(ConstantText(*value), texts);
  }
  if (!shown.parameter.empty()) {
    const auto &bound = task.target.bound;
    const auto is_this = [&](const auto &entry) { return entry.first == column; };
    if (std::count_if(bound.begin(), bound.end(), is_this) == 1 && shown.defaults.size() < 2) {
      return TextCell(*task.target.Find(column), texts);
    }
    if (!answer.Has(row, shown) && shown.defaults.size() == 1) return TextCell(shown.defaults[0], texts);
  }
  if (!task.operation->scalar.empty()) {
    if (shown.name != task.operation->scalar) return {};
    ApiColumn scalar = shown;
    scalar.json = ".";
    return answer.Value(row, *options_.table, scalar, texts);
  }
  return answer.Value(row, *options_.table, shown, texts);
}

void ManagementReader::TakePage(const Task &task, const ManagementAnswer &answer, size_t rows, Tasks *next) const {
  const ApiPaging &paging = options_.table->paging;
  if (paging.style.empty() || task.operation->name != "list") return;
  auto more = MakeTask(task.operation, task.target, task.lenient);
  if (paging.style == "cursor") {
    more->cursor = answer.TextAt(paging.cursor);
    if (more->cursor.empty() || more->cursor == task.cursor) return;
  } else {
    // A page of two-level rows may have more of them than its limit, or fewer: only the total tells.
    const std::string total = paging.total.empty() ? std::string() : answer.TextAt(paging.total);
    more->offset = task.offset + paging.size;
    if (total.empty() ? rows < static_cast<size_t>(paging.size)
                      : std::strtoll(total.c_str(), nullptr, 10) <= more->offset) {
      return;
    }
  }
  next->push_back(std::move(more));
}

void ManagementReader::TakeHydrate(Task *task, ManagementAnswer *answer) {
  answer->Select(task->operation->rows);
  const ApiTable &table = *options_.table;
  for (size_t i = 0; i < options_.columns.size() && answer->rows() > 0; ++i) {
    const ApiColumn &column = table.columns[options_.columns[i]];
    if (!column.hydrate.empty()) task->row.cells[i] = answer->Value(0, table, column, &task->row.texts);
  }
  ready_.push_back(std::move(task->row));
}

}  // namespace supabase
