// Asynchronous execution below an Append: the requests of all its foreign tables are under way at once, and it goes on
// with whichever answers first. Nothing here waits.

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/http.hpp"

#include "fdw/bridge.hpp"
#include "fdw/relation.hpp"
#include "fdw/scan.hpp"

extern "C" {
#include "executor/execAsync.h"
#include "executor/instrument.h"
#include "storage/fd.h"
#include "storage/latch.h"
}

namespace supabase::pg {
namespace {

// One of the backend's external descriptors, for as long as a memory context lives.
struct Descriptor {
  int fd = -1;
  bool acquired = false;
  ~Descriptor() {
    if (fd >= 0) (void)close(fd);
    if (acquired) ReleaseExternalFD();
  }
};

Descriptor *AcquireDescriptor(MemoryContext context) {
  auto *descriptor = Own<Descriptor>(context);
  descriptor->acquired = AcquireExternalFD();
  return descriptor;
}

int Opened(const Descriptor *descriptor) {
  if (descriptor->fd < 0) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("could not wait for a remote request: %m")));
  }
  return descriptor->fd;
}

// The same under another number: a set of events holds each number once.
int Duplicate(ForeignScanState *node, int fd) {
  Descriptor *descriptor = AcquireDescriptor(node->ss.ps.state->es_query_cxt);
  if (descriptor->acquired) descriptor->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return Opened(descriptor);
}

// A descriptor that is always readable, so that a wait ends at once.
int AlwaysReadable() {
  static int readable = -1;
  if (readable < 0) {
    Descriptor *descriptor = AcquireDescriptor(TopMemoryContext);
    if (descriptor->acquired) descriptor->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    readable = Opened(descriptor);
  }
  return readable;
}

// Makes the wait that is being prepared end when the network moves, or at once.
void AddToWait(AsyncRequest *request, bool at_once) {
  auto *node = castNode(ForeignScanState, request->requestee);
  auto *state = static_cast<ScanState *>(node->fdw_state);
  int *fd = at_once ? &state->always_readable : &state->descriptor;
  if (*fd < 0) *fd = Duplicate(node, at_once ? AlwaysReadable() : state->session->fd());
  (void)AddWaitEventToSet(castNode(AppendState, request->requestor)->as_eventset, WL_SOCKET_READABLE, *fd, nullptr,
                          request);
}

// Answers a request with a row or the end, or leaves it pending when there is nothing yet.
void Produce(AsyncRequest *request) {
  auto *node = castNode(ForeignScanState, request->requestee);
  TupleTableSlot *row = request->requestee->ExecProcNodeReal(request->requestee);
  if (!TupIsNull(row)) {
    ExecAsyncRequestDone(request, row);
  } else if (static_cast<ScanState *>(node->fdw_state)->waiting) {
    ExecAsyncRequestPending(request);
  } else {
    ExecAsyncRequestDone(request, nullptr);
  }
}

// What the executor does itself everywhere else.
void Respond(AsyncRequest *request) {
  ExecAsyncResponse(request);
  if (request->requestee->instrument != nullptr) {
    InstrUpdateTupleCount(request->requestee->instrument, TupIsNull(request->result) ? 0.0 : 1.0);
  }
}

}  // namespace

bool IsForeignPathAsyncCapable(ForeignPath *path) {
  RelOptInfo *rel = path->path.parent;
  return IS_SIMPLE_REL(rel) && InfoOf(rel)->deparse.table->async_capable;
}

void ForeignAsyncRequest(AsyncRequest *request) {
  Produce(request);
}

void ForeignAsyncConfigureWait(AsyncRequest *request) {
  // All scans share the network: looking at another one may have completed what this one waits for, and the descriptor
  // would not tell again.
  request->callback_pending = false;
  Produce(request);
  bool const done = !request->callback_pending;
  if (done) Respond(request);
  AddToWait(request, done);
}

void ForeignAsyncNotify(AsyncRequest *request) {
  Produce(request);
}

}  // namespace supabase::pg
