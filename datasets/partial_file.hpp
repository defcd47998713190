#pragma once
// A file on its way: it has another name until it is complete, and is removed when the scope is left before.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "autodiff/check.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

class PartialFile {
 public:
  /// Of programs that make the same file at the same time each has its own.
  explicit PartialFile(const std::filesystem::path& path)
      : path_(path), part_(path.string() + ".part" + std::to_string(getpid())) {}
  ~PartialFile() {
    std::error_code ignored;
    std::filesystem::remove(part_, ignored);
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::filesystem::path& path() const { return part_; }  ///< where to write
  /// Gives the file its name. Throws DataError.
  void finish() const {
    std::error_code error;
    std::filesystem::rename(part_, path_, error);
    if (error) throw DataError(ad::cat(path_.string(), ": cannot be written (", error.message(), ")"));
  }

 private:
  std::filesystem::path path_, part_;
};

}  // namespace vaezoo
