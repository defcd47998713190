#pragma once
// Files that survive a crash: a reader sees the old content or the new one, never half of it.
// Errors are FileError: one sentence with the path, the reason and what to do.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "autodiff/check.hpp"

namespace ad {

/// Replaces the file at once: writes a temporary file next to it, syncs it to the disk, renames it and syncs the folder.
/// Follows a symbolic link. Throws FileError; the old content then still stands and the temporary file is gone.
void atomic_write(const std::filesystem::path& path, std::string_view bytes);
void atomic_write(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);
/// The same with a content in pieces, one after the other.
void atomic_write(const std::filesystem::path& path, std::span<const std::string_view> pieces);

/// Removes the temporary files that killed processes left in the folder, and says how many. Those of a process that lives stay.
/// A folder that is not there has none.
int remove_stale_temporaries(const std::filesystem::path& folder);

/// A file on its way: it has another name, `temporary`, until it is complete, and is removed when the scope is left before.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path temporary);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }  ///< where to write
  int rename_to(const std::filesystem::path& target);          ///< gives it its name; returns 0 or errno

 private:
  std::filesystem::path path_;
};

/// For a thread that is about to end the program at once: removes the temporary files that other threads are at. These wait for the end
/// when they come to the next one, or to the renaming of theirs.
void abandon_temporary_files();

/// The whole file, byte for byte. Throws FileError when it is missing, a folder, or not readable.
std::string read_file(const std::filesystem::path& path);

/// Creates the folder and its parents, durably; one that exists is fine. Throws FileError.
void make_folder(const std::filesystem::path& path);

/// A log that grows: every write has reached the kernel when it returns, so a killed process loses nothing. What must outlive the
/// machine is synced.
class AppendFile {
 public:
  enum class Open { append, create_new };

  /// append creates the file if need be; create_new throws FileError when the path exists already.
  explicit AppendFile(std::filesystem::path path, Open how = Open::append);
  ~AppendFile();
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;

  void write(std::string_view bytes);  ///< throws FileError, for example when the disk is full
  void sync();                         ///< what was written is on the disk when it returns; throws FileError
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace ad
