#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "experiments/output/files.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;
using test_support::contains;
using test_support::TempFolder;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) found.push_back(entry.path().filename().string());
  return found;
}

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const FileError& error) {
    return error.what();
  }
  return "no FileError";
}

/// Files may not grow beyond this many bytes while it lives: the way to a write that fails half way, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("files: what was written is read back, with zeros, line ends and UTF-8 in content and name") {
  const TempFolder folder;
  const fs::path path = folder / "räksmörgås 数.bin";
  const std::string bytes("a\0b\r\n\xff" "é", 8);
  atomic_write(path, bytes);
  CHECK(read_file(path) == bytes);
  atomic_write(path, "");
  CHECK(read_file(path).empty());
  std::string large(3'000'000, 'x');
  large[1'234'567] = 'y';
  atomic_write(path, large);
  CHECK(read_file(path) == large);
}

TEST_CASE("files: a new content replaces the old and leaves no temporary file") {
  const TempFolder folder;
  atomic_write(folder / "a.txt", "one");
  atomic_write(folder / "a.txt", "two");
  CHECK(read_file(folder / "a.txt") == "two");
  CHECK(names(folder.path()) == std::vector<std::string>{"a.txt"});
}

TEST_CASE("files: a write that fails half way keeps the old content, removes the temporary file and names the path") {
  const TempFolder folder;
  const fs::path path = folder / "weights.bin";
  atomic_write(path, "old");
  std::string message;
  {
    const FileSizeLimit limit(1000);
    message = message_of([&] { atomic_write(path, std::string(100'000, 'n')); });
  }
  CHECK(contains(message, "cannot write " + path.string()));
  CHECK(read_file(path) == "old");
  CHECK(names(folder.path()).size() == 1);
}

TEST_CASE("files: what a killed process left behind is removed, what others have is not") {
  const TempFolder folder;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const std::string stale = ".weights.bin." + std::to_string(dead) + ".tmp";
  const std::vector<std::string> others = {".weights.bin." + std::to_string(::getppid()) + ".tmp", ".weights.bin.tmp", ".12.tmp",
                                           "weights." + std::to_string(dead) + ".tmp", ".weights.x.tmp"};
  for (const std::string& name : others) atomic_write(folder / name, "kept");
  atomic_write(folder / stale, "half");
  CHECK(remove_stale_temporaries(folder.path()) == 1);
  CHECK_FALSE(fs::exists(folder / stale));
  for (const std::string& name : others) CHECK(fs::exists(folder / name));
  CHECK(remove_stale_temporaries(folder / "nowhere") == 0);
}

TEST_CASE("files: a content may come in pieces") {
  const TempFolder folder;
  const std::vector<std::string_view> pieces = {"one", "", "two"};
  atomic_write(folder / "a", pieces);
  CHECK(read_file(folder / "a") == "onetwo");
}

TEST_CASE("files: a program that ends at once leaves no temporary file, and finishes none") {
  const TempFolder folder;
  atomic_write(folder / "a.txt", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ad::TemporaryFile temporary(folder / ".a.txt.tmp");
    std::ofstream(temporary.path()) << "half";
    std::thread([&] {
      ad::abandon_temporary_files();
      std::thread([&] { temporary.rename_to(folder / "a.txt"); }).detach();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ::_exit(0);
    }).join();
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(read_file(folder / "a.txt") == "old");
  CHECK(names(folder.path()) == std::vector<std::string>{"a.txt"});
}

TEST_CASE("files: a symbolic link is followed, not replaced") {
  const TempFolder folder;
  atomic_write(folder / "real.txt", "one");
  fs::create_symlink("real.txt", folder / "link.txt");
  atomic_write(folder / "link.txt", "two");
  CHECK(fs::is_symlink(folder / "link.txt"));
  CHECK(read_file(folder / "real.txt") == "two");
}

TEST_CASE("files: errors say what, where and what to do") {
  const TempFolder folder;
  const std::string missing = message_of([&] { (void)read_file(folder / "none.json"); });
  CHECK(contains(missing, "cannot read " + (folder / "none.json").string() + ": No such file or directory; check the path"));
  CHECK(contains(message_of([&] { (void)read_file(folder.path()); }), "a file is expected here, not a folder"));
  CHECK(contains(message_of([&] { atomic_write(folder.path(), "x"); }), "a file is expected here, not a folder"));
  CHECK(contains(message_of([&] { atomic_write(folder / "no" / "where.txt", "x"); }), "check the path"));
  atomic_write(folder / "file", "");
  CHECK(contains(message_of([&] { atomic_write(folder / "file" / "x", "x"); }), "is a file, not a folder"));
  CHECK(contains(message_of([&] { make_folder(folder / "file"); }), "cannot create the folder"));
  CHECK(contains(message_of([&] { make_folder(folder / "file" / "deep"); }), "cannot create the folder"));
  CHECK(contains(message_of([&] { AppendFile(folder / "file", AppendFile::Open::create_new); }), "File exists"));
  if (::geteuid() != 0) {  // root may write everywhere
    fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(contains(message_of([&] { atomic_write(folder / "b", "x"); }), "check the permissions"));
    fs::permissions(folder.path(), fs::perms::owner_all);
  }
}

TEST_CASE("files: /dev/full gives the disk-full sentence") {
  if (!fs::exists("/dev/full")) return;
  AppendFile full("/dev/full");
  CHECK(contains(message_of([&] { full.write("x"); }), "cannot write /dev/full: No space left on device; free some space"));
}

TEST_CASE("files: appended text is on file at once, and survives a move of the writer") {
  const TempFolder folder;
  make_folder(folder / "a" / "b");
  AppendFile first(folder / "a" / "b" / "log");
  first.write("one\n");
  CHECK(read_file(first.path()) == "one\n");
  AppendFile second = std::move(first);
  second.write("two\n");
  second.sync();
  CHECK(read_file(second.path()) == "one\ntwo\n");
}

TEST_CASE("files: /proc, whose files have no size, is read whole") {
  if (fs::exists("/proc/self/status")) CHECK(contains(read_file("/proc/self/status"), "VmPeak"));
}
