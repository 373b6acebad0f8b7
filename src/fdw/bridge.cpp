#include "fdw/bridge.hpp"

#include <cstring>

#include "core/http.hpp"

#include "fdw/credential.hpp"
#include "fdw/postgres.hpp"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace supabase::pg {

// Messages are UTF-8; in a database of another encoding what is not ASCII becomes '?', since a conversion could itself
// raise and hide the error that is being reported.
const char *ToServerLossy(const char *text) noexcept {
  size_t const size = strlen(text) + 1;
  auto *copy = static_cast<char *>(palloc_extended(size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE));
  if (copy == nullptr) return "out of memory while reporting an error";
  memcpy(copy, text, size);
  if (GetDatabaseEncoding() != PG_UTF8) {
    for (char *c = copy; *c != '\0'; c++) {
      if (static_cast<unsigned char>(*c) >= 0x80) *c = '?';
    }
  }
  return copy;
}

Failure DescribeCurrent() noexcept {
  try {
    throw;
  } catch (const Error &e) {
    const char *s = e.sqlstate();
    int const code = strlen(s) == 5 ? MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4]) : ERRCODE_FDW_ERROR;
    return {code,
            ToServerLossy(e.what()),
            ToServerLossy(e.detail()),
            ToServerLossy(e.hint()),
            ToServerLossy(e.context()),
            ToServerLossy(e.constraint())};
  } catch (const std::bad_alloc &) {
    return {ERRCODE_OUT_OF_MEMORY, "out of memory", "", "", "", ""};
  } catch (const std::exception &e) {
    return {ERRCODE_INTERNAL_ERROR, ToServerLossy(e.what()), "", "", "", ""};
  } catch (...) {
    return {ERRCODE_INTERNAL_ERROR, "unrecognized C++ exception", "", "", "", ""};
  }
}

void Report(const Failure &failure) {
  ereport(ERROR, (errcode(failure.sqlstate), errmsg_internal("%s", failure.message),
                  failure.detail[0] != '\0' ? errdetail_internal("%s", failure.detail) : 0,
                  failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0,
                  failure.context[0] != '\0' ? errcontext_msg("%s", failure.context) : 0,
                  failure.constraint[0] != '\0' ? err_generic_string(PG_DIAG_CONSTRAINT_NAME, failure.constraint) : 0));
  pg_unreachable();
}

static uint32 WaitEventId() {
#if PG_VERSION_NUM >= 170000
  static uint32 event = 0;
  if (event == 0) event = WaitEventExtensionNew("SupabaseFdwRequest");
  return event;
#else
  return PG_WAIT_EXTENSION;
#endif
}

// The latch, the postmaster's death and the session's descriptor, in one set for the life of the process: what
// WaitLatchOrSocket makes and closes again would be six system calls for every wait.
static WaitEventSet *WaitSet(const Session *session) {
  constexpr int kLatchPosition = 0;
  static WaitEventSet *set = nullptr;
  static const Session *watched = nullptr;  // by `set`; null while it is not complete
  static Latch *latch = nullptr;
  if (watched != session) {
    watched = nullptr;
    if (set != nullptr) FreeWaitEventSet(set);
    set = nullptr;
#if PG_VERSION_NUM >= 170000
    set = CreateWaitEventSet(nullptr, 3);
#else
    set = CreateWaitEventSet(TopMemoryContext, 3);
#endif
    latch = MyLatch;
    (void)AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, latch, nullptr);
    (void)AddWaitEventToSet(set, WL_SOCKET_READABLE, session->fd(), nullptr, nullptr);
    // A server of one process alone (postgres --single) has no postmaster.
    if (IsUnderPostmaster) (void)AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    watched = session;
  }
  if (latch != MyLatch) {
    ModifyWaitEvent(set, kLatchPosition, WL_LATCH_SET, MyLatch);
    latch = MyLatch;
  }
  return set;
}

void AwaitAny(Session *session) {
  WaitEvent event;
  (void)WaitEventSetWait(WaitSet(session), -1, &event, 1, WaitEventId());
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

void Await(Session *session, const Transfer *transfer) {
  for (;;) {
    PumpAndRenew(session, transfer);
    if (transfer->done()) return;
    AwaitAny(session);
  }
}

void StatementHider::Push() {
  callback_.previous = error_context_stack;
  callback_.arg = nullptr;
  callback_.callback = [](void *) {
    errhidestmt(true);
    errhidecontext(true);
  };
  error_context_stack = &callback_;
}

void StatementHider::Pop() {
  error_context_stack = callback_.previous;
}

char *ToServer(const char *text, size_t size) {
  char *converted = pg_any_to_server(text, static_cast<int>(size), PG_UTF8);
  return converted == text ? pnstrdup(text, size) : converted;
}

char *ToUtf8(const char *text) {
  return reinterpret_cast<char *>(pg_do_encoding_conversion(reinterpret_cast<unsigned char *>(const_cast<char *>(text)),
                                                            static_cast<int>(strlen(text)), GetDatabaseEncoding(),
                                                            PG_UTF8));
}

}  // namespace supabase::pg
