// The pages, as HTML. All text that comes from elsewhere is escaped here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supabase.hpp"

namespace supabase_connect {

// What went wrong, in the words of whoever says it.
struct Problem {
  std::string heading, message, detail, hint, sqlstate;
};

Problem Describe(const std::string &heading, const DatabaseError &error);

struct HomePage {
  Overview overview;
  std::string app;       // the only one offered, unless empty
  std::string callback;  // where this helper takes answers
  std::string csrf;
};

// What the role reaches, or what is missing before it does.
struct Reach {
  Overview overview;
  std::string grant;                 // what the statements are for
  std::vector<std::string> missing;  // statements
  std::vector<std::string> use;      // statements
  std::optional<std::vector<Organization>> organizations;
  std::optional<Problem> problem;
};

extern const char *const kStyle;

std::string ShowHome(const HomePage &page);
// grant: the one that was stored just now, empty when the page was opened otherwise.
std::string ShowReach(const Reach &reach, const std::string &stored, const std::string &expires_at,
                      const std::string &csrf);
std::string ShowProblem(const Problem &problem);
// Goes on by itself. A redirect would not do: where a form leads to is limited to this site, redirects included.
std::string ShowContinue(const std::string &url);

}  // namespace supabase_connect
