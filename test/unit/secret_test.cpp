#include "secret.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

namespace supabase {
namespace {

template <typename T, typename = void>
struct IsPrintable : std::false_type {};
template <typename T>
struct IsPrintable<T, std::void_t<decltype(std::declval<std::ostream &>() << std::declval<const T &>())>>
    : std::true_type {};

TEST(Secret, CannotBePrintedOrTakenForText) {
  static_assert(IsPrintable<std::string>::value, "the check itself");
  static_assert(!IsPrintable<Secret>::value);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  static_assert(!std::is_convertible_v<std::string, Secret>);
  static_assert(std::is_nothrow_move_constructible_v<Secret> && std::is_nothrow_move_assignable_v<Secret>);
}

TEST(Secret, RevealsWhatItWasGiven) {
  EXPECT_TRUE(Secret().empty());
  for (const std::string &text : {std::string("short"), std::string(100, 'x'), std::string("a\0b", 3)}) {
    const Secret secret(text);
    EXPECT_EQ(secret.Reveal(), text);
    EXPECT_FALSE(secret.empty());
  }
}

TEST(Secret, CopiesAndMoves) {
  for (const std::string &text : {std::string("short"), std::string(100, 'x')}) {
    Secret first(text);
    Secret copy(first);
    EXPECT_EQ(copy.Reveal(), text);
    Secret moved(std::move(first));
    EXPECT_EQ(moved.Reveal(), text);
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what is left is part of the contract
    Secret assigned("something else that is longer than the buffer inside");
    assigned = copy;
    EXPECT_EQ(assigned.Reveal(), text);
    assigned = std::move(moved);
    EXPECT_EQ(assigned.Reveal(), text);
    EXPECT_TRUE(moved.empty());  // NOLINT(bugprone-use-after-move)
    const Secret &same = assigned;
    assigned = same;
    EXPECT_EQ(assigned.Reveal(), text);
  }
}

// A short text lies in the object itself, so that its bytes can be looked at after the destructor without reading freed
// memory.
template <typename Use>
bool LeavesBytes(Use use) {
  alignas(Secret) unsigned char memory[sizeof(Secret)] = {};
  Secret *secret = new (memory) Secret("MarkerText");
  use(*secret);
  secret->~Secret();
  const std::string bytes(reinterpret_cast<char *>(memory), sizeof memory);
  return bytes.find("Marker") != std::string::npos || bytes.find("erText") != std::string::npos;
}

TEST(Secret, ZeroesItsMemory) {
  EXPECT_FALSE(LeavesBytes([](Secret &) {}));
  EXPECT_FALSE(LeavesBytes([](Secret &secret) { const Secret other(std::move(secret)); }));
  EXPECT_FALSE(LeavesBytes([](Secret &secret) { secret = Secret("x"); }));
  EXPECT_FALSE(LeavesBytes([](Secret &secret) {
    const Secret shorter("y");
    secret = shorter;
  }));
}

TEST(Secret, ZeroesAMovedFromObjectAtOnce) {
  Secret secret("MarkerText");
  const Secret other(std::move(secret));
  const std::string bytes(reinterpret_cast<const char *>(&secret), sizeof secret);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(bytes.find("erText"), std::string::npos);
}

}  // namespace
}  // namespace supabase
