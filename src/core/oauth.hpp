#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "keyring.hpp"
#include "message.hpp"
#include "secret.hpp"

namespace supabase {

// OAuth 2 with the Management API as authorization server: RFC 6749 with PKCE (RFC 7636), and what the `state` holds
// that goes to the user's browser and back.

// What a state says. It is signed with a key of the key file: nobody else can make one, or change where it leads to.
struct OAuthState {
  int64_t expires_at = 0;  // Unix seconds
  std::string return_to;   // where the user is to go in the end; or empty
};
// A new one. `instance` is the database that begins the authorization; the state names it by a digest.
std::string MakeState(const Keyring &keyring, std::string_view instance, const OAuthState &content);
// Throws Error 28000 for one that was not made here, or whose time is over at `now`.
OAuthState ReadState(const Keyring &keyring, std::string_view instance, std::string_view state, int64_t now);
// Where a state is kept without keeping the state: 32 hexadecimal digits.
std::string StateName(std::string_view state);

// RFC 7636, 4.1 and 4.2.
Secret MakeVerifier();
std::string ChallengeOf(const Secret &verifier);

struct AuthorizeUrl {
  std::string_view base;  // "https://api.supabase.com"
  std::string_view client_id, redirect_uri, state, challenge;
  std::string_view organization_slug;  // or empty
};
// Throws Error 22023 when redirect_uri and state are longer together than the 4 kB that the API takes.
std::string MakeAuthorizeUrl(const AuthorizeUrl &url);

// Throw Error 22023 for an address that a browser must not be sent to. A redirect_uri is an https address, or an http
// one of this machine, without a fragment (RFC 6749, 3.1.2); return_to may also be a path ("/projects").
void CheckRedirectUri(std::string_view text);
void CheckReturnTo(std::string_view text);
// The same for what stands in a user name of Basic authentication: visible ASCII without a colon.
void CheckClientId(std::string_view text);

struct OAuthClient {
  std::string id;
  Secret secret;
};

// These complete a request whose limits are set, whose url is the API's base and whose label is empty. The client
// authenticates by HTTP Basic (RFC 6749, 2.3.1), but for the revocation, which the API takes as JSON.
void FillCodeGrant(const OAuthClient &client, const Secret &code, std::string_view redirect_uri, const Secret &verifier,
                   Request *request);
void FillOAuthRefresh(const OAuthClient &client, const Secret &refresh_token, Request *request);
void FillOAuthRevoke(const OAuthClient &client, const Secret &refresh_token, Request *request);

}  // namespace supabase
