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
// A Vault secret is read with the rights of the mapping's role when that role could have written the mapping itself (it
// has USAGE on the server), else with those of the server's owner, who must have: so a role that may not read the Vault
// can be given a mapping, but cannot give itself one that names somebody else's secret.
bool ReadApiKey(const Server *server, const Mapping &mapping, Secret *key);
// Both in one, for a role that may have no mapping.
bool FindApiKey(const Server *server, Oid role, Secret *key);

}  // namespace supabase::pg
