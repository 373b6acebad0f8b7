#include "identity.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.hpp"
#include "url.hpp"

namespace supabase {

const Identity *IdentityState::Find(unsigned server_id) const noexcept {
  for (const Identity &identity : identities_) {
    if (identity.server_id == server_id) return &identity;
  }
  return nullptr;
}

const char *IdentityStore::Add(const unsigned char *random, IdentityState state) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string handle;
  for (size_t i = 0; i < kHandleBytes; i++) {
    handle += kHex[random[i] >> 4];
    handle += kHex[random[i] & 15];
  }
  return states_.insert_or_assign(std::move(handle), std::move(state)).first->first.c_str();
}

const char *IdentityStore::With(std::string_view handle, const unsigned char *random, Identity identity) {
  IdentityState state;
  if (const IdentityState *old = Find(handle)) state = *old;
  auto &all = state.identities_;
  all.erase(
      std::remove_if(all.begin(), all.end(), [&](const Identity &i) { return i.server_id == identity.server_id; }),
      all.end());
  all.push_back(std::move(identity));
  return Add(random, std::move(state));
}

const char *IdentityStore::Without(std::string_view handle, const unsigned char *random, unsigned server_id) {
  IdentityState state;
  if (const IdentityState *old = Find(handle)) state = *old;
  auto &all = state.identities_;
  all.erase(std::remove_if(all.begin(), all.end(), [&](const Identity &i) { return i.server_id == server_id; }),
            all.end());
  if (all.empty()) return "";
  return Add(random, std::move(state));
}

void IdentityStore::Replace(const Secret &token, const Secret &access, const Secret &refresh, const Claims &claims) {
  Secret const old = token;  // which may be one of those that are replaced
  for (auto &[handle, state] : states_) {
    for (Identity &identity : state.identities_) {
      if (identity.token.Reveal() != old.Reveal()) continue;
      identity.token = access;
      if (!refresh.empty()) identity.refresh = refresh;
      identity.claims = claims;
      identity.refresh_after = 0;
    }
  }
}

void IdentityStore::Defer(const Secret &token, int64_t refresh_after) {
  for (auto &[handle, state] : states_) {
    for (Identity &identity : state.identities_) {
      if (identity.token.Reveal() == token.Reveal()) identity.refresh_after = refresh_after;
    }
  }
}

const IdentityState *IdentityStore::Find(std::string_view handle) const noexcept {
  auto const found = states_.find(handle);
  return found == states_.end() ? nullptr : &found->second;
}

void IdentityStore::Keep(std::string_view first, std::string_view second) noexcept {
  for (auto it = states_.begin(); it != states_.end();) {
    it = it->first == first || it->first == second ? std::next(it) : states_.erase(it);
  }
}

Belongs TokenBelongs(const Claims &claims, std::string_view host, std::string_view ref) {
  if (!claims.ref.empty()) return !ref.empty() && claims.ref == ref ? Belongs::kYes : Belongs::kNo;
  // "iss" is a URL for Auth's tokens (https://<ref>.supabase.co/auth/v1); keys signed by hand have words such as
  // "supabase".
  if (claims.iss.find("://") == std::string::npos) return Belongs::kUnnamed;
  try {
    return ParseBaseUrl("iss", claims.iss).host == host ? Belongs::kYes : Belongs::kNo;
  } catch (const Error &) {
    return Belongs::kNo;
  }
}

std::optional<Secret> RequestHeader(std::string_view json, std::string_view name) {
  if (json.empty()) return std::nullopt;
  using Json = nlohmann::json;
  Json const headers = Json::parse(json, nullptr, false);
  if (!headers.is_object()) {
    throw Error(sqlstate::kInvalidParameterValue, "setting \"request.headers\" is not a JSON object");
  }
  auto const found = headers.find(name);
  if (found == headers.end() || found->is_null()) return std::nullopt;
  if (!found->is_string()) {
    throw Error(sqlstate::kInvalidParameterValue, "request header \"" + std::string(name) + "\" is not a string");
  }
  auto const &text = found->get_ref<const std::string &>();
  if (text.empty()) return std::nullopt;
  return Secret(text);
}

}  // namespace supabase
