#pragma once

#include "fdw/credential_store.hpp"
#include "fdw/option.hpp"

namespace supabase {
class Reader;
class Session;
class Transfer;
class Writer;
}  // namespace supabase

namespace supabase::pg {

struct Credential;

// Stored credentials in use: which token a request gets, and keeping it fresh.

// Makes the stored login the user of the request. Raises 28000 for one that does not exist or needs to be signed in
// again, 42501 for one of another address, 55000 for one of another database, 57P03 for one that cannot be refreshed
// now. `user_id`: whose login it must be, else 28000; NULL: anybody's.
void UseLogin(const Server *server, Oid role, const char *name, const char *user_id, Credential *credential);

// Makes the OAuth grant the credential of a request to the Management API. Raises the same.
void UseGrant(const Server *server, Oid role, const char *name, Credential *credential);

// An access token of the login for a request to this server that is not a transfer to be renewed.
void LoginToken(const Server *server, StoredCredential *login, Secret *token);

// The login with an access token that can be used: refreshed when it is due, by whichever session comes first.
// `refused` is the generation of an access token that the server refused, which counts as due; 0: none. NULL when such
// a token was only just received, so that another refresh would not help.
StoredCredential *EnsureFresh(StoredCredential *login, Oid role, int64_t refused);
// Refreshes it now, due or not. Raises what EnsureFresh raises.
StoredCredential *RefreshNow(StoredCredential *login, Oid role);

// Does something in a subtransaction. What it raises is a WARNING here, and the result false; but not a cancel.
bool TryOr(void (*action)(void *), void *argument);

// Wipes the decrypted access tokens that this backend keeps; the next request decrypts again.
void ForgetAccessTokens();

// Moves the session's transfers on. In place of Session::Pump wherever PostgreSQL waits for an answer. `awaited` is
// what the statement waits for: a stored credential that was refused is renewed for this alone, because what that
// raises is the statement's error. A refused transfer of another statement waits until that is executed.
void PumpAndRenew(Session *session, const Transfer *awaited);
void PumpAndRenew(Session *session, const Reader *awaited);
void PumpAndRenew(Session *session, const Writer *awaited);

}  // namespace supabase::pg
