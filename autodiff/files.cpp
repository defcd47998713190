#include "autodiff/files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace ad {
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

/// Calls a system function again while a signal interrupts it.
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

/// Some file systems cannot sync a folder, and pipes cannot be synced at all: they say EINVAL, and are then as durable as can be.
int sync(int descriptor) {
  return retry([&] { return ::fsync(descriptor); }) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

int sync_folder(const std::filesystem::path& folder) {
  const int descriptor = retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return errno == EACCES ? 0 : errno;  // a folder may be writable without being readable
  const int code = sync(descriptor);
  ::close(descriptor);
  return code;
}

std::filesystem::path folder_of(const std::filesystem::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

// A temporary file is called .NAME.PID.tmp: the process id keeps two programs that write the same file from mixing their bytes.

std::filesystem::path temporary_of(const std::filesystem::path& target) {
  return folder_of(target) / cat(".", target.filename().string(), ".", ::getpid(), ".tmp");
}

/// The process in the name of a temporary file; 0 when the name is not of one.
pid_t writer_of(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(".tmp")) return 0;
  name.remove_suffix(4);
  const std::string_view digits = name.substr(name.rfind('.') + 1);
  pid_t writer = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), writer);
  return error == std::errc() && stop == digits.data() + digits.size() && digits.size() + 1 < name.size() ? writer : 0;
}

bool lives(pid_t process) { return process != ::getpid() && (::kill(process, 0) == 0 || errno == EPERM); }

/// The temporary files of this process. It is never destroyed, as threads may be at it when the program ends.
struct UnderWay {
  std::timed_mutex guard;
  std::vector<std::filesystem::path> paths;
};
UnderWay& under_way() {
  static UnderWay& all = *new UnderWay;
  return all;
}

int write_and_sync(const std::filesystem::path& path, std::span<const std::string_view> pieces) {
  const int descriptor = retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (descriptor < 0) return errno;
  int code = 0;
  for (const std::string_view bytes : pieces)
    if (code == 0) code = write_all(descriptor, bytes);
  if (code == 0) code = sync(descriptor);
  if (::close(descriptor) != 0 && code == 0 && errno != EINTR) code = errno;  // network file systems report a full disk here
  return code;
}

}  // namespace

void atomic_write(const std::filesystem::path& path, std::span<const std::string_view> pieces) {
  std::error_code ignored;
  if (path.filename().empty() || std::filesystem::is_directory(path, ignored)) fail("write", path, EISDIR);
  const bool link = std::filesystem::is_symlink(path, ignored);
  const std::filesystem::path target = link ? std::filesystem::weakly_canonical(path, ignored) : path;
  {
    TemporaryFile temporary(temporary_of(target));
    int code = write_and_sync(temporary.path(), pieces);
    if (code == 0) code = temporary.rename_to(target);
    if (code != 0) fail("write", path, code);
  }
  if (const int sync_code = sync_folder(folder_of(target)); sync_code != 0) fail("sync the folder of", path, sync_code);
}

void atomic_write(const std::filesystem::path& path, std::string_view bytes) { atomic_write(path, std::array{bytes}); }

void atomic_write(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  atomic_write(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

TemporaryFile::TemporaryFile(std::filesystem::path temporary) : path_(std::move(temporary)) {
  const std::scoped_lock lock(under_way().guard);
  under_way().paths.push_back(path_);
}

TemporaryFile::~TemporaryFile() {
  const std::scoped_lock lock(under_way().guard);
  if (std::erase(under_way().paths, path_) > 0) ::unlink(path_.c_str());
}

int TemporaryFile::rename_to(const std::filesystem::path& target) {
  const std::scoped_lock lock(under_way().guard);
  if (::rename(path_.c_str(), target.c_str()) != 0) return errno;
  std::erase(under_way().paths, path_);
  return 0;
}

void abandon_temporary_files() {
  constexpr std::chrono::seconds kPatience{1};  // a disk that hangs must not keep the program from its end
  UnderWay& all = under_way();
  if (!all.guard.try_lock_for(kPatience)) return;
  for (const std::filesystem::path& file : all.paths) ::unlink(file.c_str());  // the lock stays
}

int remove_stale_temporaries(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const pid_t writer = writer_of(entry.path().filename().string());
    if (writer > 0 && !lives(writer)) stale.push_back(entry.path());
  }
  int removed = 0;
  for (const std::filesystem::path& file : stale) removed += std::filesystem::remove(file, ignored) ? 1 : 0;
  return removed;
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
  if (std::filesystem::is_directory(path, error)) return;
  if (path.has_parent_path() && path.parent_path() != path) make_folder(path.parent_path());
  std::filesystem::create_directory(path, error);
  if (!error && !std::filesystem::is_directory(path)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) fail("create the folder", path, error.value());
  if (const int code = sync_folder(folder_of(path)); code != 0) fail("sync the folder of", path, code);
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

void AppendFile::sync() {
  if (const int code = ad::sync(descriptor_); code != 0) fail("write", path_, code);
}

}  // namespace ad
