#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace supabase {

// Text that must not be seen: an API key, a JWT, a password. It has no operator<< and no implicit conversion, and its
// memory is zeroed before it is freed. `Reveal` is the one way to the text, so that grep finds every use.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : text_(text) {}
  Secret(const Secret &other) = default;
  Secret(Secret &&other) noexcept : text_(std::move(other.text_)) { other.Wipe(); }
  Secret &operator=(const Secret &other) {
    if (this != &other) {
      Wipe();
      text_ = other.text_;
    }
    return *this;
  }
  Secret &operator=(Secret &&other) noexcept {
    if (this != &other) {
      Wipe();
      text_ = std::move(other.text_);
      other.Wipe();
    }
    return *this;
  }
  ~Secret() { Wipe(); }

  // Both parts in one, without a copy of the secret in between.
  static Secret Join(std::string_view first, std::string_view second) {
    Secret joined;
    joined.text_.reserve(first.size() + second.size());
    joined.text_.append(first).append(second);
    return joined;
  }

  // Room for `size` bytes that the caller writes; what was there is gone.
  char *Allocate(size_t size) {
    Wipe();
    text_.resize(size);
    return text_.data();
  }

  // Valid until the object is changed or destroyed.
  std::string_view Reveal() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

 private:
  void Wipe() noexcept {
    // The capacity, not the size: a short text moved out of the inline buffer leaves its bytes behind.
    text_.resize(text_.capacity());
    explicit_bzero(text_.data(), text_.size());
    text_.clear();
  }

  std::string text_;
};

}  // namespace supabase
