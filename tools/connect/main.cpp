// supabase-connect: lets a person connect a database to Supabase with a browser on the same machine.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <iostream>
#include <optional>
#include <regex>

#include <spawn.h>
#include <sys/socket.h>

#include "site.hpp"
#include "text.hpp"

extern char **environ;

namespace supabase_connect {
namespace {

// What the README registers apps with.
constexpr int kDefaultPort = 8675;
constexpr int kMaxPort = 65535;
// For requests that are under way at the end.
constexpr int kGraceSeconds = 3;

constexpr const char *kUsage =
    "usage: supabase-connect [OPTION…] CONNINFO\n"
    "Connects a database that has supabase_fdw to Supabase: a page for your browser, on this machine only.\n"
    "CONNINFO is a connection string, or the name of a database.\n"
    "  --app NAME        the OAuth app, as supabase_oauth_create_app knows it\n"
    "  --port N          where to listen at 127.0.0.1: the port of the app's redirect address\n"
    "  --server NAME     the server of TYPE 'management', when there are several\n"
    "  --return-to URL   where the browser goes when it is connected\n"
    "  --no-browser      only print the address\n";

[[noreturn]] void Fail(int status, const std::string &message) {
  std::cerr << message << std::endl;
  std::exit(status);
}

int ReadPort(const std::string &text) {
  int const port = std::regex_match(text, std::regex("[0-9]{1,5}")) ? std::stoi(text) : 0;
  if (port < 1 || port > kMaxPort) Fail(2, "supabase-connect: --port must be between 1 and 65535");
  return port;
}

Options ReadOptions(int argc, char **argv) {
  Options options;
  int i = 1;
  auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : (Fail(2, kUsage), std::string()); };
  for (; i < argc; i++) {
    std::string const word = argv[i];
    if (word == "--help") {
      std::cout << kUsage;
      std::exit(0);
    }
    if (word == "--app") {
      options.app = value();
    } else if (word == "--port") {
      options.port = ReadPort(value());
    } else if (word == "--server") {
      options.server = value();
    } else if (word == "--return-to") {
      options.return_to = value();
    } else if (word == "--no-browser") {
      options.browser = false;
    } else if (word.rfind("--", 0) == 0 || !options.conninfo.empty()) {
      Fail(2, kUsage);
    } else {
      options.conninfo = word;
    }
  }
  if (options.conninfo.empty()) Fail(2, kUsage);
  return options;
}

// Where the app's answers go, as far as the role may know.
std::optional<Address> RedirectAddress(const Overview &overview, const std::string &name) {
  if (!overview.apps) return std::nullopt;
  for (const App &app : *overview.apps) {
    if (name.empty() || app.name == name) return ParseAddress(app.redirect_uri);
  }
  return std::nullopt;
}

Overview LookFirst(const Options &options) {
  try {
    return Supabase(options.conninfo).Look(options.server);
  } catch (const DatabaseError &error) {
    std::string const hint = error.hint.empty() ? "" : "\nHINT:  " + error.hint;
    Fail(1, std::string("supabase-connect: ") + error.what() + hint);
  }
}

void Listen(httplib::Server *server, int port) {
  server->set_address_family(AF_INET);
  // without SO_REUSEPORT, which the library sets, and with which a second helper would take half of the requests
  server->set_socket_options([](socket_t socket) {
    int const yes = 1;
    (void)setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  // browsers open connections that they do not use, and the end would wait for those
  server->set_keep_alive_max_count(1);
  server->set_keep_alive_timeout(2);
  errno = 0;
  if (server->bind_to_port("127.0.0.1", port)) return;
  std::string const reason = errno == 0 ? "the port cannot be used" : std::strerror(errno);
  Fail(1, "supabase-connect: could not listen at 127.0.0.1:" + std::to_string(port) + ": " + reason +
              "\nHINT:  End the program that uses the port, or use --port with another redirect address of the app.");
}

// Without a shell. When there is no browser, the address is on the terminal.
void OpenBrowser(const std::string &address) {
  std::string program = "xdg-open";
  std::string argument = address;
  char *arguments[] = {program.data(), argument.data(), nullptr};
  // as it would be without this program
  sigset_t none;
  sigemptyset(&none);
  sigset_t ignored_here;
  sigemptyset(&ignored_here);
  sigaddset(&ignored_here, SIGCHLD);
  sigaddset(&ignored_here, SIGPIPE);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &ignored_here);
  pid_t child = 0;
  (void)posix_spawnp(&child, program.c_str(), nullptr, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
}

int Run(int argc, char **argv) {
  Options options = ReadOptions(argc, argv);
  // before any thread is there, so that all have it; one waits for these signals
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  Overview const overview = LookFirst(options);
  (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  (void)signal(SIGCHLD, SIG_IGN);

  std::optional<Address> const redirect = RedirectAddress(overview, options.app);
  if (options.port == 0) options.port = redirect && redirect->scheme == "http" ? redirect->port : kDefaultPort;
  httplib::Server server;
  Listen(&server, options.port);
  Site site(options, [](const std::string &address) { std::cout << "For another browser: " << address << std::endl; });
  site.Attach(&server);
  std::string const address =
      site.NewAddress(redirect && redirect->host.rfind("localhost", 0) == 0 ? "localhost" : "127.0.0.1");
  std::cout << "Connecting database \"" << overview.database << "\" as role \"" << overview.role << "\"; Ctrl-C ends.\n"
            << "Open " << address << std::endl;
  std::future<bool> ended = std::async(std::launch::async, [&] { return server.listen_after_bind(); });
  if (options.browser) OpenBrowser(address);
  int received = 0;
  (void)sigwait(&signals, &received);
  server.stop();
  // a statement may take longer than anybody wants to wait
  if (ended.wait_for(std::chrono::seconds(kGraceSeconds)) == std::future_status::timeout) std::_Exit(0);
  return 0;
}

}  // namespace
}  // namespace supabase_connect

int main(int argc, char **argv) {
  try {
    return supabase_connect::Run(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << "supabase-connect: " << error.what() << std::endl;
    return 1;
  }
}
