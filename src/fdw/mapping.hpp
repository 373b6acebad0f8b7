#pragma once

#include "core/secret.hpp"

#include "fdw/option.hpp"

namespace supabase::pg {

// User mappings: whose options apply to a role, and the project's key in them.

struct Mapping {
  bool found;
  Oid user;  // whose it is: the role's own or PUBLIC's (InvalidOid)
  List *options;
};

// The role's mapping, or PUBLIC's; not `found` when there is neither.
Mapping FindMapping(const Server *server, Oid role);
// The same; raises 28000 when there is none, 42501 when its option "origin" is not the server's address.
Mapping GetMapping(const Server *server, Oid role);

// The project's key: option api_key, or the Supabase Vault secret that api_key_id or api_key_name names. False when the
// mapping has none of these. Raises 55000 when there is no Vault, 28000 when the secret cannot be read.
//
// A mapping does not tell who wrote it: the role itself, or the server's owner, who says where the key is sent. So the
// secret of a role's mapping is read with the rights of that role, and only if the server's owner may read the Vault
// too. The mapping of PUBLIC can only be the owner's work, and is read with the owner's rights: so roles that may not
// read the Vault, such as API roles, can use a key out of it.
bool ReadApiKey(const Server *server, const Mapping &mapping, Secret *key);
// The same of a mapping for the Management API: options access_token, access_token_id, access_token_name.
bool ReadAccessToken(const Server *server, const Mapping &mapping, Secret *token);
// Both in one, for a role that may have no mapping.
bool FindApiKey(const Server *server, Oid role, Secret *key);

}  // namespace supabase::pg
