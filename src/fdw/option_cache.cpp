// The effective options of servers and tables, kept between statements: reading them from the catalogs takes longer
// than all else that a lookup of one row does here.

#include "fdw/option.hpp"

extern "C" {
#include "utils/hsearch.h"
#include "utils/inval.h"
}

namespace supabase::pg {
namespace {

// One server's or table's options, in a memory context of their own. Whoever uses them keeps them, however much the
// catalogs change meanwhile.
struct Options {
  MemoryContext context;
  uint64 generation;  // as of which they are valid
  bool kept;          // in the cache
  int users;
  const Server *server;  // or
  const Table *table;
};

// Tables that were dropped stay until there are so many: about 2 MB.
constexpr long kMaxEntries = 1000;

struct Entry {
  Oid id;
  Options *options;  // NULL: none
};

HTAB *servers = nullptr;
HTAB *tables = nullptr;
// Counts what has changed in the catalogs. What is read while it changes is of the generation before.
uint64 generation = 1;

// A server's defaults are its tables' too, and who owns it decides what it may reach.
void ServerChanged(Datum, int, uint32) {
  generation++;
}

// Of any table of the database. Those here have an entry as soon as they are read.
void TableChanged(Datum, Oid table_id) {
  if (!OidIsValid(table_id) || hash_search(tables, &table_id, HASH_FIND, nullptr) != nullptr) generation++;
}

HTAB *MakeTable(const char *name) {
  HASHCTL control = {};
  control.keysize = sizeof(Oid);
  control.entrysize = sizeof(Entry);
  control.hcxt = CacheMemoryContext;
  return hash_create(name, 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void Prepare() {
  if (tables != nullptr) return;
  if (servers == nullptr) servers = MakeTable("supabase_fdw servers");
  tables = MakeTable("supabase_fdw tables");
  CacheRegisterSyscacheCallback(FOREIGNSERVEROID, ServerChanged, Datum(0));
  CacheRegisterSyscacheCallback(FOREIGNTABLEREL, ServerChanged, Datum(0));
  CacheRegisterSyscacheCallback(AUTHOID, ServerChanged, Datum(0));
  CacheRegisterRelcacheCallback(TableChanged, Datum(0));
}

void FreeUnused(Options *options) {
  if (!options->kept && options->users == 0) MemoryContextDelete(options->context);
}

// Keeps them alive as long as the current memory context.
void Use(Options *options) {
  struct Pin {
    MemoryContextCallback callback;
    Options *options;
  };
  auto *pin = static_cast<Pin *>(palloc0(sizeof(Pin)));
  pin->options = options;
  pin->callback.arg = pin;
  pin->callback.func = [](void *arg) {
    Options *released = static_cast<Pin *>(arg)->options;
    released->users--;
    FreeUnused(released);
  };
  options->users++;
  MemoryContextRegisterResetCallback(CurrentMemoryContext, &pin->callback);
}

void Release(Options *options) {
  if (options == nullptr) return;
  options->kept = false;
  FreeUnused(options);
}

void Clear(HTAB *cache) {
  HASH_SEQ_STATUS entries;
  hash_seq_init(&entries, cache);
  while (auto *entry = static_cast<Entry *>(hash_seq_search(&entries))) {
    Release(entry->options);
    (void)hash_search(cache, &entry->id, HASH_REMOVE, nullptr);
  }
}

// The options that `cache` has under `id`, or new ones, which `read` fills.
template <typename Read>
Options *Find(HTAB *cache, Oid id, Read read) {
  if (hash_get_num_entries(cache) >= kMaxEntries) Clear(cache);
  bool found;
  auto *entry = static_cast<Entry *>(hash_search(cache, &id, HASH_ENTER, &found));
  if (!found) entry->options = nullptr;
  if (entry->options != nullptr && entry->options->generation == generation) return entry->options;
  // An error frees it, until it is the cache's.
  MemoryContext const context =
      AllocSetContextCreate(CurrentMemoryContext, "supabase_fdw options", ALLOCSET_SMALL_SIZES);
  MemoryContext const old = MemoryContextSwitchTo(context);
  auto *options = static_cast<Options *>(palloc0(sizeof(Options)));
  options->context = context;
  options->generation = generation;
  read(options);
  MemoryContextSwitchTo(old);
  MemoryContextSetParent(context, CacheMemoryContext);
  options->kept = true;
  Release(entry->options);
  entry->options = options;
  return options;
}

// As of when a server's options are; they may have changed since.
uint64 GenerationOf(const Server *server) {
  auto *entry = static_cast<Entry *>(hash_search(servers, &server->id, HASH_FIND, nullptr));
  Options *options = entry != nullptr ? entry->options : nullptr;
  return options != nullptr && options->server == server ? options->generation : 0;
}

}  // namespace

const Server *UseServer(Oid server_id) {
  Prepare();
  Options *options = Find(servers, server_id, [&](Options *made) { made->server = GetServerOptions(server_id); });
  Use(options);
  return options->server;
}

const Table *UseTable(Oid table_id, const Server *server) {
  Prepare();
  Options *options = Find(tables, table_id, [&](Options *made) {
    made->table = GetTableOptions(table_id, server);
    made->generation = Min(made->generation, GenerationOf(server));
  });
  Use(options);
  return options->table;
}

}  // namespace supabase::pg
