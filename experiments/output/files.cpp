#include "experiments/output/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace vaezoo {
namespace {

const char* advice(int code) {
  switch (code) {
    case ENOSPC: return "; free some space, or choose another folder";
    case EDQUOT: return "; your disk quota is used up: free some space, or choose another folder";
    case EACCES:
    case EPERM: return "; check the permissions of the file and its folder";
    case EROFS: return "; choose a folder on a disk that can be written";
    case ENOENT: return "; check the path";
    case ENOTDIR: return "; a part of the path is a file, not a folder";
    case EISDIR: return "; a file is expected here, not a folder";
    default: return "";
  }
}

[[noreturn]] void fail(const char* action, const std::filesystem::path& path, int code) {
  throw FileError(std::string("cannot ") + action + " " + path.string() + ": " + std::strerror(code) + advice(code));
}

/// Calls a system function again while a signal (Ctrl-C asks the trainer to stop) interrupts it.
template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = retry([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

/// Some file systems cannot sync a folder and say EINVAL; the rename is then as durable as they can make it.
int sync_folder(const std::filesystem::path& folder) {
  const int descriptor = retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return errno == EACCES ? 0 : errno;  // a folder may be writable without being readable
  const int code = retry([&] { return ::fsync(descriptor); }) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
  ::close(descriptor);
  return code;
}

int write_and_sync(const std::filesystem::path& path, std::string_view bytes) {
  const int descriptor = retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (descriptor < 0) return errno;
  int code = write_all(descriptor, bytes);
  if (code == 0 && retry([&] { return ::fsync(descriptor); }) != 0 && errno != EINVAL) code = errno;
  if (::close(descriptor) != 0 && code == 0 && errno != EINTR) code = errno;  // network file systems report a full disk here
  return code;
}

}  // namespace

void atomic_write(const std::filesystem::path& path, std::string_view bytes) {
  std::error_code ignored;
  if (path.filename().empty() || std::filesystem::is_directory(path, ignored)) fail("write", path, EISDIR);
  const bool link = std::filesystem::is_symlink(path, ignored);
  const std::filesystem::path target = link ? std::filesystem::weakly_canonical(path, ignored) : path;
  const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
  // The process id keeps two programs that write the same file from mixing their bytes.
  const std::filesystem::path temporary = folder / fmt::format(".{}.{}.tmp", target.filename().string(), ::getpid());

  int code = write_and_sync(temporary, bytes);
  if (code == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) code = errno;
  if (code != 0) {
    ::unlink(temporary.c_str());
    fail("write", path, code);
  }
  if (const int sync_code = sync_folder(folder); sync_code != 0) fail("sync the folder of", path, sync_code);
}

void atomic_write(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  atomic_write(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string read_file(const std::filesystem::path& path) {
  const int descriptor = retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (descriptor < 0) fail("read", path, errno);
  // The size is a hint: pipes and /proc report 0, and a log may grow while it is read.
  struct stat status {};
  std::string bytes;
  std::size_t used = 0;
  if (::fstat(descriptor, &status) == 0 && status.st_size > 0) bytes.resize(static_cast<std::size_t>(status.st_size) + 1);
  while (true) {
    if (used == bytes.size()) bytes.resize(std::max<std::size_t>(4096, 2 * bytes.size()));
    const ssize_t got = retry([&] { return ::read(descriptor, bytes.data() + used, bytes.size() - used); });
    if (got <= 0) {
      const int code = got == 0 ? 0 : errno;
      ::close(descriptor);
      if (code != 0) fail("read", path, code);
      bytes.resize(used);
      return bytes;
    }
    used += static_cast<std::size_t>(got);
  }
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && !std::filesystem::is_directory(path)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) fail("create the folder", path, error.value());
}

AppendFile::AppendFile(std::filesystem::path path, Open how) : path_(std::move(path)) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (how == Open::create_new ? O_EXCL : 0);
  descriptor_ = retry([&] { return ::open(path_.c_str(), flags, 0666); });
  if (descriptor_ < 0) fail(how == Open::create_new ? "create" : "write", path_, errno);
}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void AppendFile::write(std::string_view bytes) {
  if (const int code = write_all(descriptor_, bytes); code != 0) fail("write", path_, code);
}

}  // namespace vaezoo
