#pragma once

#include "fdw/postgres.hpp"

extern "C" {
#include "foreign/fdwapi.h"
}

namespace supabase::pg {

// The wrapper's callbacks: those for a project's tables, of which the first that PostgreSQL calls for a relation or a
// node puts those of the Management API in their place where the server is of that type.
FdwRoutine *MakeRoutine();

}  // namespace supabase::pg
