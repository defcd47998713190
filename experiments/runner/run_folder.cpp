#include "experiments/runner/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "experiments/output/files.hpp"
#include "experiments/runner/errors.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

bool is_picture_of_run(const fs::path& file) {
  constexpr std::array kNames = {"samples", "reconstructions", "styles", "levels", "codes", "latent_map"};
  return std::ranges::find(kNames, file.stem().string()) != kNames.end() &&
         (file.extension() == ".png" || file.extension() == ".svg");
}

/// The process that wrote its number into the lock's file.
std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
  const std::string number(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return number.empty() || number.find_first_not_of("0123456789") != std::string::npos ? "another process" : "process " + number;
}

fs::path lock_file(const RunFolder& folder) { return folder.path / ".lock"; }

UsageError at_work(const RunFolder& folder, int descriptor) {
  return UsageError(cat(folder.path.string(), ": ", holder(descriptor),
                        " is at work on this run; wait for its end, or choose another folder with --out"));
}

/// False when another process has it.
bool take(int descriptor, int how) {
  int taken = 0;
  do taken = ::flock(descriptor, how | LOCK_NB);
  while (taken != 0 && errno == EINTR);
  return taken == 0 || errno != EWOULDBLOCK;
}

}  // namespace

bool RunFolder::holds_run() const { return fs::exists(config()) || fs::exists(checkpoints()); }

void RunFolder::clear() const {
  std::vector<fs::path> old = {best(), last(), state(), tensorboard(), tasks(), summary()};
  for (const char* name : {"metrics.jsonl", "metrics.jsonl.damaged", "metrics.csv", "report.html", "evaluation.json"})
    old.push_back(path / name);
  for (const auto& entry : fs::directory_iterator(path))
    if (is_picture_of_run(entry.path())) old.push_back(entry.path());
  for (const fs::path& file : old) {
    std::error_code error;
    fs::remove_all(file, error);
    if (error) throw FileError(cat("cannot remove ", file.string(), ": ", error.message(), "; choose another folder with --out"));
  }
  std::error_code ignored;
  fs::remove(checkpoints(), ignored);  // stays where it holds files of others
}

void require_no_other(const RunFolder& folder) {
  const int descriptor = ::open(lock_file(folder).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  const std::optional<UsageError> error = take(descriptor, LOCK_SH) ? std::nullopt : std::optional(at_work(folder, descriptor));
  ::close(descriptor);
  if (error) throw UsageError(*error);
}

RunLock::RunLock(const RunFolder& folder) {
  const fs::path file = lock_file(folder);
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw FileError(cat("cannot write ", file.string(), ": ", std::strerror(errno), "; a run needs a folder that can be written"));
  if (!take(descriptor_, LOCK_EX)) {
    const UsageError error = at_work(folder, descriptor_);
    ::close(descriptor_);
    throw error;
  }
  const std::string number = std::to_string(::getpid());
  if (::ftruncate(descriptor_, 0) == 0) static_cast<void>(!::pwrite(descriptor_, number.data(), number.size(), 0));
  remove_stale_temporaries(folder.path);
  remove_stale_temporaries(folder.checkpoints());
}

RunLock::~RunLock() { ::close(descriptor_); }

}  // namespace vaezoo
