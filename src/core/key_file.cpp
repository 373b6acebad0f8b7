// The file of a Keyring: who may have written it, who may read it, and making it.

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "crypto.hpp"
#include "error.hpp"
#include "keyring.hpp"

namespace supabase {

namespace {

constexpr char kNotInState[] = "55000";
constexpr size_t kMaxFileBytes = 64 << 10;
constexpr mode_t kPrivate = 0600;

struct File {
  int fd;
  explicit File(int number) noexcept : fd(number) {}
  ~File() {
    if (fd >= 0) (void)close(fd);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
};

[[noreturn]] void Refuse(const std::string &path, const std::string &detail, const char *hint) {
  throw Error(kNotInState, "key file \"" + path + "\" cannot be used", detail, hint);
}

[[noreturn]] void RefuseErrno(const std::string &path, const char *what) {
  Refuse(path, std::string(what) + ": " + strerror(errno) + ".",
         "The setting supabase_fdw.key_file says where the file is.");
}

std::string DirectoryOf(const std::string &path) {
  size_t const slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A path without symbolic links; empty when there is no such file.
std::string RealPath(const std::string &path) {
  std::unique_ptr<char, void (*)(void *)> const real(realpath(path.c_str(), nullptr), std::free);
  return real ? std::string(real.get()) : std::string();
}

bool IsBelow(const std::string &path, const std::string &directory) {
  return path.compare(0, directory.size(), directory) == 0 &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// That nobody else can replace what is in this directory of `path`, nor any of those above it.
void CheckOwners(const std::string &path, std::string directory) {
  for (;; directory = DirectoryOf(directory)) {
    struct stat info {};
    if (stat(directory.c_str(), &info) != 0) RefuseErrno(path, "could not look at its directory");
    // The sticky bit lets nobody replace what another has put there.
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0) {
      Refuse(path, "Directory \"" + directory + "\" can be written to by others.", "Take that permission away.");
    }
    if (info.st_uid != 0 && info.st_uid != geteuid()) {
      Refuse(path, "Directory \"" + directory + "\" belongs to another user.",
             "Use a directory of the server's operating-system user or of root.");
    }
    if (directory == "/") return;
  }
}

// A directory of `path`, which it is named in messages for, without symbolic links, after every check of it and of
// those above.
std::string CheckDirectory(const std::string &path, const std::string &directory, const std::string &data_directory) {
  std::string real = RealPath(directory);
  if (real.empty()) RefuseErrno(path, "could not open its directory");
  if (IsBelow(real, RealPath(data_directory))) {
    Refuse(path, "It is inside the data directory, whose copies must not have the key.",
           "Set supabase_fdw.key_file to a file outside the data directory.");
  }
  CheckOwners(path, directory);  // of the symbolic links
  CheckOwners(path, real);
  return real;
}

void CheckFile(const std::string &path, const struct stat &info) {
  if (!S_ISREG(info.st_mode)) Refuse(path, "It is not a regular file.", "Set supabase_fdw.key_file to another file.");
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    Refuse(path, "It belongs to another user.", "It must belong to the server's operating-system user or to root.");
  }
  mode_t const allowed = info.st_uid == 0 ? S_IRGRP : 0;
  if ((info.st_mode & (S_IRWXG | S_IRWXO) & ~allowed) != 0) {
    Refuse(path, "It has group or world access.", "Use chmod 0600, or 0640 when it belongs to root.");
  }
}

Secret ReadAll(const std::string &path, int fd) {
  Secret buffer;
  char *bytes = buffer.Allocate(kMaxFileBytes + 1);
  size_t size = 0;
  for (;;) {
    ssize_t const got = read(fd, bytes + size, kMaxFileBytes + 1 - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) RefuseErrno(path, "could not read it");
    if (got == 0) break;
    size += static_cast<size_t>(got);
    if (size > kMaxFileBytes) Refuse(path, "It is larger than 64 kB.", "Set supabase_fdw.key_file to another file.");
  }
  return Secret(buffer.Reveal().substr(0, size));
}

void WriteAll(const std::string &path, int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t const done = write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) RefuseErrno(path, "could not write it");
    text.remove_prefix(static_cast<size_t>(done));
  }
  if (fsync(fd) != 0) RefuseErrno(path, "could not write it");
}

// Makes the entries of a directory durable.
void Sync(const std::string &path, const std::string &directory) {
  File const file(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.fd < 0 || fsync(file.fd) != 0) RefuseErrno(path, "could not make it durable");
}

// Only the last directory is made, as ssh does: a path that is wrong further up is more likely a mistake.
void MakeDirectory(const std::string &path, const std::string &data_directory) {
  std::string const directory = DirectoryOf(path);
  struct stat info {};
  if (stat(directory.c_str(), &info) == 0 || errno != ENOENT) return;
  std::string const parent = CheckDirectory(path, DirectoryOf(directory), data_directory);
  std::string const real = parent + directory.substr(directory.rfind('/'));
  if (mkdir(real.c_str(), 0700) == 0) return Sync(path, parent);
  if (errno != EEXIST) RefuseErrno(path, "could not create its directory");
}

// A whole file under another name that then gets this one: nobody ever reads half a file, and of two that do this at
// once the second finds the name taken.
void CreateKeyFile(const std::string &path, const std::string &directory) {
  std::string const temporary = directory + "/." + Hex(RandomBytes(8));
  File const file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivate));
  if (file.fd < 0) RefuseErrno(path, "could not create it");
  try {
    WriteAll(path, file.fd, Secret::Join(Keyring::Generate().Reveal(), "\n").Reveal());
    if (link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) RefuseErrno(path, "could not create it");
  } catch (const Error &) {
    (void)unlink(temporary.c_str());
    throw;
  }
  (void)unlink(temporary.c_str());
  Sync(path, directory);
}

Keyring Load(const std::string &path, const std::string &data_directory, bool create) {
  if (path.empty() || path.front() != '/') {
    Refuse(path, "It is not an absolute path.", "Set supabase_fdw.key_file to an absolute path.");
  }
  if (create) MakeDirectory(path, data_directory);
  std::string const directory = CheckDirectory(path, DirectoryOf(path), data_directory);
  std::string const real = directory + path.substr(path.rfind('/'));
  for (int attempt = 0;; ++attempt) {
    File const file(open(real.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.fd < 0) {
      if (errno != ENOENT || !create || attempt > 0) RefuseErrno(path, "could not open it");
      CreateKeyFile(real, directory);
      continue;
    }
    struct stat info {};
    if (fstat(file.fd, &info) != 0) RefuseErrno(path, "could not look at it");
    CheckFile(path, info);
    return Keyring::Parse(ReadAll(path, file.fd).Reveal());
  }
}

}  // namespace

Keyring LoadKeyring(const std::string &path, const std::string &data_directory) {
  return Load(path, data_directory, false);
}

Keyring LoadOrCreateKeyring(const std::string &path, const std::string &data_directory) {
  return Load(path, data_directory, true);
}

std::string DefaultKeyFile() {
  passwd entry{};
  passwd *found = nullptr;
  std::vector<char> buffer(16 << 10);
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr ||
      entry.pw_dir == nullptr || entry.pw_dir[0] != '/') {
    throw Error(kNotInState, "the server's operating-system user has no home directory", {},
                "Set supabase_fdw.key_file to a file that only this user can read.");
  }
  return std::string(entry.pw_dir) + "/.supabase_fdw/key";
}

}  // namespace supabase
