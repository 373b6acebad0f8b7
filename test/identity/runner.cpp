#include "runner.hpp"

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <unistd.h>
#include <utility>

#include "model.hpp"

namespace identity {
namespace {

std::string Environment(const char *name) {
  const char *value = getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string("no ") + name + ": a test/stack must be running");
  return value;
}

// state() sees what supabase_auth() says; asked_as() what a request is answered: Alice has 6 orders, Bob 5, the
// mapping's secret key sees all 71.
constexpr char kFunctions[] = R"(
CREATE EXTENSION supabase_fdw;
CREATE FUNCTION state() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT string_agg(concat_ws(' ', scope, coalesce(server, '*'), split_part(email, '@', 1)), ', '
                            ORDER BY scope, server COLLATE "C" NULLS FIRST) FROM supabase_auth());
END $$;
CREATE FUNCTION run_one(action text, INOUT log text) LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  IF action ~ '^(SELECT|CALL)' THEN
    EXECUTE action INTO answer;
  ELSE
    EXECUTE action;
  END IF;
  log := log || coalesce(answer, '') || '[' || coalesce(state(), '') || ']';
END $$;
CREATE FUNCTION attempt(actions text[], handler text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  log text := '';
  action text;
BEGIN
  BEGIN
    FOREACH action IN ARRAY actions LOOP
      log := run_one(action, log);
    END LOOP;
  EXCEPTION WHEN OTHERS THEN
    log := log || 'caught';
    FOREACH action IN ARRAY handler LOOP
      log := run_one(action, log);
    END LOOP;
  END;
  RETURN log;
END $$;
CREATE PROCEDURE run_procedure(actions text[], INOUT log text DEFAULT '') LANGUAGE plpgsql AS $$
DECLARE
  action text;
BEGIN
  FOREACH action IN ARRAY actions LOOP
    IF action = 'COMMIT' THEN
      COMMIT;
      log := log || '[' || coalesce(state(), '') || ']';
    ELSIF action = 'ROLLBACK' THEN
      ROLLBACK;
      log := log || '[' || coalesce(state(), '') || ']';
    ELSE
      log := run_one(action, log);
    END IF;
  END LOOP;
END $$;
CREATE FUNCTION asked_as(server text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  orders int;
BEGIN
  IF server = 'shop' THEN
    SELECT count(*) INTO orders FROM shop.orders;
  ELSE
    SELECT count(*) INTO orders FROM other.orders;
  END IF;
  RETURN CASE orders WHEN 6 THEN 'alice' WHEN 5 THEN 'bob' WHEN 71 THEN 'nobody' ELSE orders::text END;
END $$;
)";

std::string ActAs() {
  return "CREATE FUNCTION act_as(who text, server name, is_local boolean) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
         "PERFORM supabase_set_auth(CASE who WHEN 'alice' THEN '" +
         Environment("STACK_ALICE_JWT") + "' WHEN 'bob' THEN '" + Environment("STACK_BOB_JWT") +
         "' END, server, is_local); END $$;\n";
}

std::string RunFunction(const std::string &name, const std::string &clauses) {
  return "CREATE FUNCTION " + name + "(actions text[]) RETURNS text LANGUAGE plpgsql " + clauses +
         " AS $$ DECLARE log text := ''; action text; BEGIN FOREACH action IN ARRAY actions LOOP "
         "log := run_one(action, log); END LOOP; RETURN log; END $$;\n";
}

// Whoever asks: the mapping is everybody's.
std::string ForeignServer(const std::string &name, const char *url) {
  return "CREATE SERVER " + name + " FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url '" + Environment(url) +
         "'); CREATE USER MAPPING FOR PUBLIC SERVER " + name + " OPTIONS (api_key '" + Environment("STACK_SECRET_KEY") +
         "'); CREATE SCHEMA " + name + "; CREATE FOREIGN TABLE " + name +
         ".orders (id bigint OPTIONS (key 'true')) SERVER " + name + "; GRANT USAGE ON FOREIGN SERVER " + name +
         " TO PUBLIC; GRANT USAGE ON SCHEMA " + name + " TO PUBLIC; GRANT SELECT ON " + name + ".orders TO PUBLIC;\n";
}

// There already when another test like this one runs.
std::string Role(const std::string &name) {
  return "DO $$ BEGIN CREATE ROLE " + name +
         "; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;\n";
}

std::string Schema() {
  const std::string session = "SET supabase_fdw.session_handle = '' ", local = "SET supabase_fdw.local_handle = '' ";
  return kFunctions + ActAs() + RunFunction("run", "") + RunFunction("run_session", session) +
         RunFunction("run_local", local) + RunFunction("run_session_local", session + local) +
         ForeignServer("shop", "STACK_URL") + ForeignServer("other", "STACK_URL_UNCAPPED") + Role("identity_a") +
         Role("identity_b") + "GRANT identity_b TO identity_a;\n";
}

}  // namespace

Playground::Playground(std::string connection)
    : connection_(std::move(connection)), name_("identity_" + std::to_string(getpid())) {
  {
    Session admin(connection_ + " dbname=postgres");
    admin.Must("CREATE DATABASE " + name_ + " TEMPLATE template0");
    admin.Must("ALTER DATABASE " + name_ + " SET client_min_messages = error");
  }
  Session(this->connection()).Must(Schema());
}

Playground::~Playground() {
  try {
    Session(connection_ + " dbname=postgres").Must("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception &) {
    // the server has gone
  }
}

std::optional<std::string> Compare(Session *session, const Script &script) {
  std::vector<std::string> statements;
  for (const Step &step : script) {
    statements.push_back(Sql(step));
    statements.emplace_back("SELECT state()");
  }
  for (const char *sql : {"ROLLBACK", "DISCARD ALL", "SELECT state()"})
    statements.emplace_back(sql);
  const std::vector<Answer> answers = session->Run(statements);

  Model model;
  std::string report;
  const auto same = [&](size_t i, const Expected &expected) {
    const Answer &answer = answers[i];
    report += statements[i] + ";\n";
    if (expected.ok == answer.ok && (!expected.ok || expected.text == answer.text)) return true;
    report += "-- expected: " + (expected.ok ? "\"" + expected.text + "\"" : "an error") +
              "\n-- received: " + (answer.ok ? "\"" + answer.text + "\"" : answer.text) + "\n";
    return false;
  };
  for (size_t i = 0; i < script.size(); i++) {
    if (!same(2 * i, model.Run(script[i])) || !same(2 * i + 1, model.State())) return report;
  }
  const size_t end = 2 * script.size();
  for (size_t i = end; i < answers.size(); i++) {
    if (!same(i, {})) return report;
  }
  return std::nullopt;
}

namespace {

bool Differs(const std::string &connection, const Script &script) {
  Session session(connection);
  return Compare(&session, script).has_value();
}

// Scripts with a little less in them: a step left out, one replaced by what it contains, or with less inside.
std::vector<std::vector<Step>> Smaller(const std::vector<Step> &steps) {
  std::vector<std::vector<Step>> all;
  for (size_t i = 0; i < steps.size(); i++) {
    const auto replaced = [&](const std::vector<Step> &by) {
      std::vector<Step> one = steps;
      one.erase(one.begin() + static_cast<std::ptrdiff_t>(i));
      one.insert(one.begin() + static_cast<std::ptrdiff_t>(i), by.begin(), by.end());
      all.push_back(std::move(one));
    };
    replaced({});
    if (!steps[i].steps.empty()) replaced(steps[i].steps);
    if (!steps[i].handler.empty()) replaced(steps[i].handler);
    for (std::vector<Step> Step::*inner : {&Step::steps, &Step::handler}) {
      for (std::vector<Step> &less : Smaller(steps[i].*inner)) {
        Step step = steps[i];
        step.*inner = std::move(less);
        replaced({step});
      }
    }
  }
  return all;
}

}  // namespace

Script Reduce(const std::string &connection, const Script &script) {
  Script least = script;
  if (!Differs(connection, least)) return least;
  for (bool again = true; again;) {
    again = false;
    for (Script &candidate : Smaller(least)) {
      if (!Differs(connection, candidate)) continue;
      least = std::move(candidate);
      again = true;
      break;
    }
  }
  return least;
}

}  // namespace identity
