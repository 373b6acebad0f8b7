#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "error.hpp"
#include "jwt.hpp"
#include "message.hpp"
#include "secret.hpp"

namespace supabase {

// Requests to a project's Auth API (https://supabase.com/docs/reference/self-hosting-auth) and to OAuth 2 token
// endpoints (RFC 6749), and what their answers say. The fill functions complete a request whose limits and headers are
// set, whose url is the API's base ("https://…/auth/v1") and whose label is the path of that.

// POST /token?grant_type=password.
void FillPasswordGrant(std::string_view email, std::string_view password, Request *request);
// POST /token?grant_type=refresh_token (RFC 6749, section 6).
void FillRefreshGrant(const Secret &refresh_token, Request *request);
// POST /logout?scope=local: ends the session that the access token belongs to, no other one of that user.
void FillSignOut(const Secret &access_token, Request *request);

// What these and OAuth requests are made of: a POST that is never repeated by itself; a JSON object of strings, in
// memory that is wiped (RFC 8259, section 7).
void FillPost(std::string_view path, const char *content_type, Secret body, Request *request);
Secret MakeSecretObject(std::initializer_list<std::pair<std::string_view, std::string_view>> members);

struct TokenPair {
  Secret access;
  Secret refresh;          // empty: the answer has none, so the old one stays valid
  int64_t expires_in = 0;  // seconds, 1 to 30 days; 300 when the answer does not say
};

// What an answer to one of the token requests is.
enum class TokenAnswer {
  kTokens,     // a new pair
  kDead,       // the refresh token is not valid any more and never will be
  kRefused,    // the request was not accepted, for a reason that lies in the client: its key, its password
  kTransient,  // later perhaps: 409, 429, 5xx, and whatever is not the API's own answer, such as a gateway's page
};

// Reads an answer, whose body is wiped when it has tokens, usable or not, or is no JSON object; `pair` is filled for
// kTokens. Throws Error 08P01 for an answer that claims to be a success but has no usable token: a type other than
// bearer (RFC 6750), an expiry that is not positive, characters that no header may have.
TokenAnswer ReadTokenAnswer(Response *response, TokenPair *pair);
// The error for an answer that is no kTokens: 28000 for kDead and kRefused, 53400 for a rate limit, 57P03 otherwise,
// with the API's own message in the detail. No secret of the request is repeated.
Error TokenProblem(const Request &request, const Response &response, TokenAnswer answer);

}  // namespace supabase
