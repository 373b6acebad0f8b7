#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "fdw/postgres.hpp"

namespace supabase {
class Session;
class Transfer;
}  // namespace supabase

namespace supabase::pg {

// The only door between PostgreSQL (errors by longjmp, no destructors) and core (exceptions, RAII). The rule it serves:
// no PostgreSQL call is ever made below a C++ frame that owns anything.

// What a caught exception leaves behind: plain pointers into the current memory context, safe to hold across ereport().
struct Failure {
  int sqlstate;
  const char *message;
  const char *detail;
  const char *hint;
  const char *context;
  const char *constraint;
};

Failure DescribeCurrent() noexcept;
[[noreturn]] void Report(const Failure &failure);

template <typename F, typename R>
bool RunNoexcept(F &core, R *result, Failure *failure) noexcept {
  try {
    *result = core();
    return true;
  } catch (...) {
    *failure = DescribeCurrent();
    return false;
  }
}

template <typename F>
bool RunVoidNoexcept(F &core, Failure *failure) noexcept {
  try {
    core();
    return true;
  } catch (...) {
    *failure = DescribeCurrent();
    return false;
  }
}

// Runs core code. An exception becomes a PostgreSQL error, raised only after every catch block has ended and every C++
// object below is gone. The lambda captures references and plain values and makes no PostgreSQL call.
template <typename F>
auto Guard(F core) -> std::invoke_result_t<F &> {
  using R = std::invoke_result_t<F &>;
  static_assert(std::is_trivially_destructible_v<F>, "capture references and plain values only");
  Failure failure;
  if constexpr (std::is_void_v<R>) {
    if (!RunVoidNoexcept(core, &failure)) Report(failure);
  } else {
    static_assert(std::is_trivially_destructible_v<R>, "return plain values only");
    R result{};
    if (!RunNoexcept(core, &result, &failure)) Report(failure);
    return result;
  }
}

// Creates a T that is destroyed when the memory context is reset or deleted. T's destructor must not throw, ereport,
// palloc or wait.
template <typename T, typename... Args>
T *Own(MemoryContext context, Args &&...args) {
  static_assert(std::is_nothrow_destructible_v<T>);
  struct Slot {
    MemoryContextCallback callback;
    T *object;
  };
  // The callback first: with the object first, running out of memory in between would leak it.
  auto *slot = static_cast<Slot *>(MemoryContextAllocZero(context, sizeof(Slot)));
  slot->callback.arg = slot;
  slot->callback.func = [](void *arg) noexcept { delete static_cast<Slot *>(arg)->object; };
  MemoryContextRegisterResetCallback(context, &slot->callback);
  Guard([&] { slot->object = new T(std::forward<Args>(args)...); });
  return slot->object;
}

// Waits until the transfer is done; interrupts are served while it waits (cancel, statement_timeout, termination), and
// an ERROR they raise leaves the transfer to its memory context. Must be called from a frame that owns nothing.
void Await(Session *session, const Transfer *transfer);
// Waits once, until some transfer of the session may have moved on; likewise.
void AwaitAny(Session *session);

// Keeps the text of the running statement, which may hold a token or key as a literal, out of the log of every error
// that is raised while it is pushed. PostgreSQL pops it itself when an error leaves.
class StatementHider {
 public:
  void Push();
  void Pop();

 private:
  ErrorContextCallback callback_;
};

// A copy of UTF-8 text in the database's encoding; raises 22P05 or 22021 for text it cannot hold.
char *ToServer(const char *text, size_t size);
// The same without an error: what the encoding may not have becomes '?'.
const char *ToServerLossy(const char *text) noexcept;
// The other way, for what goes into a request.
char *ToUtf8(const char *text);

}  // namespace supabase::pg
