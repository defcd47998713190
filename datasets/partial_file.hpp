#pragma once
// A file on its way: it has another name until it is complete, and is removed when the scope is left before.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "autodiff/check.hpp"
#include "autodiff/files.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

class PartialFile {
 public:
  /// Of programs that make the same file at the same time each has its own.
  explicit PartialFile(const std::filesystem::path& path)
      : path_(path), part_(path.string() + ".part" + std::to_string(getpid())) {}

  const std::filesystem::path& path() const { return part_.path(); }  ///< where to write
  /// Gives the file its name. Throws DataError.
  void finish() {
    if (const int code = part_.rename_to(path_); code != 0)
      throw DataError(ad::cat(path_.string(), ": cannot be written (", std::strerror(code), ")"));
  }

 private:
  std::filesystem::path path_;
  ad::TemporaryFile part_;
};

}  // namespace vaezoo
