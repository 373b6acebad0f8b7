// The site on the loopback address: who may use it, and what its addresses do.
//
// Whoever uses it acts as the database role, and every program of this machine can reach it, as can every page that the
// browser shows. So: a browser gets the site's cookie by a key that is good once and is printed on the terminal;
// nothing but the style sheet is answered without that cookie, or under another host name; whatever changes something
// is a POST with a token of the site's own pages. The cookie is SameSite=Lax, as the answer of an authorization comes
// from another site. One process has one cookie: it is one user's.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include <httplib.h>

#include "pages.hpp"

namespace supabase_connect {

struct Options {
  std::string conninfo, app, server, return_to;
  int port = 0;
  bool browser = true;
};

class Site {
 public:
  // announce: told each address with a new key that a browser can be opened with.
  Site(const Options &options, std::function<void(const std::string &)> announce);

  void Attach(httplib::Server *server);
  // host: 127.0.0.1 or localhost
  std::string NewAddress(const std::string &host);

 private:
  // How an authorization ended.
  struct Outcome {
    std::string grant, expires_at;
    std::optional<Problem> problem;
  };
  using Handler = void (Site::*)(const httplib::Request &, httplib::Response &);

  bool IsOwnHost(const std::string &host) const;
  bool HasCookie(const httplib::Request &request) const;
  bool IsOwnForm(const httplib::Request &request) const;
  bool Admit(const httplib::Request &request, httplib::Response &response) const;
  httplib::Server::Handler Guarded(Handler handler, bool changes);
  std::string Callback(const std::string &host) const;

  std::string NewKey(const std::string &destination);
  std::optional<std::string> TakeKey(const std::string &key);
  std::optional<std::string> TakeFlow(const std::string &state);
  std::string Keep(Outcome outcome);

  void Start(const httplib::Request &request, httplib::Response &response);
  void Home(const httplib::Request &request, httplib::Response &response);
  void Connect(const httplib::Request &request, httplib::Response &response);
  void TakeAnswer(const httplib::Request &request, httplib::Response &response);
  Outcome Exchange(const httplib::Request &request, const std::string &save_as, std::string *return_to);
  void Result(const httplib::Request &request, httplib::Response &response);
  void Projects(const httplib::Request &request, httplib::Response &response);
  void SetUp(const httplib::Request &request, httplib::Response &response);
  void Use(const httplib::Request &request, httplib::Response &response);
  Reach Look(const std::string &grant) const;

  Options const options_;
  std::function<void(const std::string &)> announce_;
  std::string const cookie_name_, cookie_, csrf_;

  std::mutex mutex_;                                       // for what follows
  std::map<std::string, std::string> keys_;                // good once; where they lead
  std::string announced_;                                  // the key that was printed last
  std::deque<std::pair<std::string, std::string>> flows_;  // states that were begun here, and save_as
  std::deque<std::pair<std::string, Outcome>> outcomes_;   // by what their page is asked for with
};

}  // namespace supabase_connect
