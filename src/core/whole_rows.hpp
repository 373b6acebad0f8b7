#pragma once

#include <optional>
#include <string>
#include <vector>

#include "query.hpp"

namespace supabase {

// Rows that were asked for whole (ReadQuery::whole). PostgREST 12 takes about 45 us to read one name of a select list:
// the twelve of a table with that many columns double its time for a row by key, "*" costs the same as one name.

// The JSON text of whole rows as that of an aliased read, for DecodePage. Their columns have names of their own and
// come in any order, with others among them; the columns that are fetched as text follow under their aliases. nullopt
// when a row lacks a column of `select`. Text of another form stays as it is: DecodePage says what is wrong with it.
std::optional<std::string> AliasWholeRows(const std::string &body, const std::vector<SelectColumn> &select);

}  // namespace supabase
