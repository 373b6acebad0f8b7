#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "crypto.hpp"
#include "error.hpp"
#include "keyring.hpp"

namespace supabase {
namespace {

namespace fs = std::filesystem;

std::string Content(const std::string &instance, char letter = 'a') {
  return "instance " + instance + "\n1 " + std::string(EncodeBase64(std::string(kKeyBytes, letter)).Reveal()) + "\n";
}

// A directory of its own for each test, with a data directory and a private one for keys.
class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    // What others may write to must not be above it: the sticky bit of /tmp is enough.
    char name[] = "/tmp/key_file_test.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    MakeDirectory("data");
    MakeDirectory("keys");
  }
  void TearDown() override {
    if (!root_.empty()) fs::remove_all(root_);
  }

  std::string Path(const std::string &name) const { return root_ + "/" + name; }
  void MakeDirectory(const std::string &name, mode_t mode = 0700) const {
    ASSERT_EQ(mkdir(Path(name).c_str(), mode), 0) << name;
    ASSERT_EQ(chmod(Path(name).c_str(), mode), 0) << name;
  }
  void Write(const std::string &name, const std::string &text, mode_t mode = 0600) const {
    std::ofstream(Path(name)) << text;
    ASSERT_EQ(chmod(Path(name).c_str(), mode), 0);
  }
  Keyring Load(const std::string &path) const { return LoadKeyring(path, Path("data")); }

  // That neither way of loading takes the file, for this reason.
  void ExpectRefused(const std::string &path, const std::string &reason) const {
    SCOPED_TRACE(path);
    for (const auto load : {LoadKeyring, LoadOrCreateKeyring}) {
      try {
        load(path, Path("data"));
        ADD_FAILURE() << "loaded";
      } catch (const Error &error) {
        EXPECT_STREQ(error.sqlstate(), "55000");
        EXPECT_EQ(error.what(), "key file \"" + path + "\" cannot be used");
        EXPECT_NE(std::string(error.detail()).find(reason), std::string::npos) << error.detail();
        EXPECT_STRNE(error.hint(), "");
      }
    }
  }
  mode_t ModeOf(const std::string &name) const {
    struct stat info {};
    EXPECT_EQ(stat(Path(name).c_str(), &info), 0);
    return info.st_mode & 07777;
  }
  size_t Entries(const std::string &name) const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(Path(name)), fs::directory_iterator()));
  }

 private:
  std::string root_;
};

TEST_F(KeyFile, LoadsAPrivateFile) {
  Write("keys/key", Content("here"));
  EXPECT_EQ(Load(Path("keys/key")).instance(), "here");
  EXPECT_EQ(LoadOrCreateKeyring(Path("keys/key"), Path("data")).instance(), "here");
  Write("keys/key", Content("here"), 0400);
  EXPECT_EQ(Load(Path("keys/key")).instance(), "here");
}

TEST_F(KeyFile, RefusesAMissingFile) {
  EXPECT_THROW(Load(Path("keys/key")), Error);
  EXPECT_THROW(Load(Path("nowhere/key")), Error);
  EXPECT_FALSE(fs::exists(Path("nowhere")));
  EXPECT_EQ(Entries("keys"), 0U);
}

TEST_F(KeyFile, RefusesARelativePath) {
  for (const char *path : {"", "key", "./key", "../key", "~/key"})
    ExpectRefused(path, "not an absolute path");
}

TEST_F(KeyFile, RefusesASymbolicLink) {
  Write("keys/real", Content("here"));
  ASSERT_EQ(symlink(Path("keys/real").c_str(), Path("keys/key").c_str()), 0);
  ExpectRefused(Path("keys/key"), "could not open it");
  // One that leads nowhere is not followed to make the file there.
  ASSERT_EQ(symlink(Path("keys/other").c_str(), Path("keys/dangling").c_str()), 0);
  ExpectRefused(Path("keys/dangling"), "could not open it");
  EXPECT_FALSE(fs::exists(Path("keys/other")));
}

TEST_F(KeyFile, FollowsALinkToADirectoryAndChecksWhereItLeads) {
  Write("keys/key", Content("here"));
  ASSERT_EQ(symlink(Path("keys").c_str(), Path("link").c_str()), 0);
  EXPECT_EQ(Load(Path("link/key")).instance(), "here");
  MakeDirectory("open", 0777);
  Write("open/key", Content("here"));
  ASSERT_EQ(symlink(Path("open").c_str(), Path("link_to_open").c_str()), 0);
  ExpectRefused(Path("link_to_open/key"), "can be written to by others");
}

// Whoever can replace the link decides which file is read.
TEST_F(KeyFile, RefusesALinkThatOthersMayReplace) {
  Write("keys/key", Content("here"));
  MakeDirectory("open", 0777);
  ASSERT_EQ(symlink(Path("keys").c_str(), Path("open/link").c_str()), 0);
  ExpectRefused(Path("open/link/key"), "can be written to by others");
}

TEST_F(KeyFile, RefusesTheDataDirectory) {
  MakeDirectory("data/sub");
  Write("data/key", Content("here"));
  Write("data/sub/key", Content("here"));
  ExpectRefused(Path("data/key"), "inside the data directory");
  ExpectRefused(Path("data/sub/key"), "inside the data directory");
  ExpectRefused(Path("keys/../data/sub/key"), "inside the data directory");
  ASSERT_EQ(symlink(Path("data").c_str(), Path("link").c_str()), 0);
  ExpectRefused(Path("link/key"), "inside the data directory");
  ExpectRefused(Path("link/sub/key"), "inside the data directory");
  // The data directory itself named by a link.
  EXPECT_THROW(LoadKeyring(Path("data/key"), Path("link")), Error);
  EXPECT_THROW(LoadKeyring(Path("data/key"), Path("keys/../data/")), Error);
  // A name that only begins like it.
  MakeDirectory("data2");
  Write("data2/key", Content("here"));
  EXPECT_EQ(Load(Path("data2/key")).instance(), "here");
}

TEST_F(KeyFile, MakesNothingWhereTheFileMustNotBe) {
  ExpectRefused(Path("data/new/key"), "");
  EXPECT_FALSE(fs::exists(Path("data/new")));
  EXPECT_EQ(Entries("data"), 0U);
  MakeDirectory("open", 0777);
  ExpectRefused(Path("open/new/key"), "");
  EXPECT_FALSE(fs::exists(Path("open/new")));
}

TEST_F(KeyFile, RefusesGroupAndWorldAccess) {
  for (const mode_t mode : {0660, 0620, 0610, 0604, 0602, 0601, 0644, 0666, 0777}) {
    Write("keys/key", Content("here"), mode);
    ExpectRefused(Path("keys/key"), "group or world access");
  }
  // A group that may read is all right for root's file only, as with TLS keys.
  Write("keys/key", Content("here"), 0640);
  if (geteuid() == 0) {
    EXPECT_EQ(Load(Path("keys/key")).instance(), "here");
  } else {
    ExpectRefused(Path("keys/key"), "group or world access");
  }
}

TEST_F(KeyFile, RefusesADirectoryThatOthersMayWriteTo) {
  for (const mode_t mode : {0777, 0770, 0707, 0720, 0702}) {
    SCOPED_TRACE(mode);
    const std::string name = "open" + std::to_string(mode);
    MakeDirectory(name, mode);
    MakeDirectory(name + "/sub");
    Write(name + "/key", Content("here"));
    Write(name + "/sub/key", Content("here"));
    ExpectRefused(Path(name + "/key"), "can be written to by others");
    ExpectRefused(Path(name + "/sub/key"), "can be written to by others");
    // The sticky bit is enough.
    ASSERT_EQ(chmod(Path(name).c_str(), mode | S_ISVTX), 0);
    EXPECT_EQ(Load(Path(name + "/key")).instance(), "here");
    EXPECT_EQ(Load(Path(name + "/sub/key")).instance(), "here");
  }
}

TEST_F(KeyFile, RefusesWhatBelongsToAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kNobody = 65534;
  Write("keys/key", Content("here"));
  ASSERT_EQ(chown(Path("keys/key").c_str(), kNobody, kNobody), 0);
  ExpectRefused(Path("keys/key"), "belongs to another user");
  ASSERT_EQ(chown(Path("keys/key").c_str(), 0, 0), 0);
  ASSERT_EQ(chown(Path("keys").c_str(), kNobody, kNobody), 0);
  ExpectRefused(Path("keys/key"), "belongs to another user");
}

TEST_F(KeyFile, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(mkfifo(Path("keys/fifo").c_str(), 0600), 0);
  ExpectRefused(Path("keys/fifo"), "not a regular file");  // and does not wait for a writer
  MakeDirectory("keys/directory");
  ExpectRefused(Path("keys/directory"), "not a regular file");
  ExpectRefused(Path("keys/directory/"), "not a regular file");
  ExpectRefused(Path("keys/directory/.."), "not a regular file");
}

TEST_F(KeyFile, RefusesALargeFile) {
  const std::string text = Content("here");
  Write("keys/key", text + std::string((64 << 10) - text.size() - 1, '\n'));
  EXPECT_EQ(Load(Path("keys/key")).instance(), "here");
  Write("keys/key", text + std::string((64 << 10) - text.size(), '\n'));
  EXPECT_EQ(Load(Path("keys/key")).instance(), "here");
  Write("keys/key", text + std::string((64 << 10) - text.size() + 1, '\n'));
  ExpectRefused(Path("keys/key"), "larger than 64 kB");
}

TEST_F(KeyFile, RefusesAMalformedFileAndKeepsIt) {
  Write("keys/key", "nothing of use\n");
  EXPECT_THROW(LoadOrCreateKeyring(Path("keys/key"), Path("data")), Error);
  Write("keys/key", "");
  EXPECT_THROW(LoadOrCreateKeyring(Path("keys/key"), Path("data")), Error);
  EXPECT_EQ(fs::file_size(Path("keys/key")), 0U);
}

TEST_F(KeyFile, IsMadeForItsUserOnly) {
  const mode_t mask = umask(0);  // of a server that is careless
  const Keyring made = LoadOrCreateKeyring(Path("keys/new/key"), Path("data"));
  umask(mask);
  EXPECT_EQ(ModeOf("keys/new"), 0700U);
  EXPECT_EQ(ModeOf("keys/new/key"), 0600U);
  EXPECT_EQ(Entries("keys/new"), 1U);  // nothing temporary is left
  EXPECT_EQ(Load(Path("keys/new/key")).instance(), made.instance());
  EXPECT_EQ(LoadOrCreateKeyring(Path("keys/new/key"), Path("data")).instance(), made.instance());
}

TEST_F(KeyFile, OneDirectoryIsMadeNotTwo) {
  EXPECT_THROW(LoadOrCreateKeyring(Path("keys/a/b/key"), Path("data")), Error);
  EXPECT_FALSE(fs::exists(Path("keys/a")));
}

// What one of several processes that make the file at the same moment seals, the others must open.
TEST_F(KeyFile, ProcessesThatMakeItAtOnceGetTheSameKeys) {
  constexpr int kProcesses = 4;
  const SealedPlace place{"i", "r", "c", "o", 1};
  for (int round = 0; round < 10; ++round) {
    const std::string path = Path("keys/" + std::to_string(round) + "/key");
    std::array<int, 2> start{};
    ASSERT_EQ(pipe(start.data()), 0);
    std::array<pid_t, kProcesses> children{};
    for (int i = 0; i < kProcesses; ++i) {
      children[static_cast<size_t>(i)] = fork();
      if (children[static_cast<size_t>(i)] != 0) continue;
      close(start[1]);
      char byte = 0;
      if (read(start[0], &byte, 1) != 0) _exit(2);  // until all are there: the end of the pipe
      try {
        const Keyring keyring = LoadOrCreateKeyring(path, Path("data"));
        std::ofstream(Path("keys/" + std::to_string(round) + "." + std::to_string(i)))
            << keyring.instance() << keyring.Seal(place, Secret("token"));
      } catch (const Error &) {
        _exit(1);
      }
      _exit(0);
    }
    close(start[0]);
    close(start[1]);
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0);
    }
    const Keyring keyring = Load(path);
    for (int i = 0; i < kProcesses; ++i) {
      std::ifstream file(Path("keys/" + std::to_string(round) + "." + std::to_string(i)), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      ASSERT_GT(text.size(), 36U);
      EXPECT_EQ(text.substr(0, 36), keyring.instance());
      EXPECT_EQ(keyring.Open(place, text.substr(36)).Reveal(), "token");
    }
    EXPECT_EQ(Entries("keys/" + std::to_string(round)), 1U);
  }
}

TEST(DefaultKeyFile, IsInTheHomeOfTheUserNotOfTheEnvironment) {
  const passwd *user = getpwuid(geteuid());
  if (user == nullptr || user->pw_dir[0] != '/') GTEST_SKIP() << "this user has no home directory";
  const std::string expected = std::string(user->pw_dir) + "/.supabase_fdw/key";
  const char *const home = std::getenv("HOME");
  const std::string saved = home != nullptr ? home : "";
  setenv("HOME", "/elsewhere", 1);
  EXPECT_EQ(DefaultKeyFile(), expected);
  if (home != nullptr) {
    setenv("HOME", saved.c_str(), 1);
  } else {
    unsetenv("HOME");
  }
}

}  // namespace
}  // namespace supabase
