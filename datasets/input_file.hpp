#pragma once
// Bytes read from front to back out of a plain file, a .gz file or a member of a .zip archive, all alike. Every failure
// is a DataError that names the file and the position.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vaezoo {

class InputFile {
 public:
  virtual ~InputFile() = default;

  const std::string& name() const { return name_; }
  std::uint64_t position() const { return position_; }  ///< bytes read so far (after decompression)
  /// The most bytes that can follow: exact for a plain file and a bound for a compressed one (deflate shrinks at most
  /// 1032 to 1). A header that promises more lies, and is found out before memory is taken for it.
  std::uint64_t most_left() const { return most_ > position_ ? most_ - position_ : 0; }

  /// Fills `out`; throws when the file ends before. `what` names the part for the message: "the header".
  void read(std::span<std::uint8_t> out, const char* what);
  /// Reads up to out.size() bytes and returns how many; 0 only at the end.
  std::size_t read_up_to(std::span<std::uint8_t> out);
  /// Reads all that is left; throws when that is more than `limit` bytes.
  std::string read_all(std::uint64_t limit);
  /// Throws unless the file ends here; for .gz and .zip this verifies their checksum as well.
  void expect_end();
  [[noreturn]] void fail(const std::string& sentence) const;  ///< DataError("NAME: sentence")

 protected:
  InputFile(std::string name, std::uint64_t most) : name_(std::move(name)), most_(most) {}
  /// Up to `size` bytes; 0 only at the end. Throws through fail() when the file is damaged.
  virtual std::size_t read_some(std::uint8_t* out, std::size_t size) = 0;

 private:
  std::string name_;
  std::uint64_t most_;
  std::uint64_t position_ = 0;
};

/// Whether a file lies there that this process may look at.
bool is_file(const std::filesystem::path& path);
/// Opens a plain file or a .gz file (told apart by content).
std::unique_ptr<InputFile> open_file(const std::filesystem::path& path);
/// Opens one member of a .zip archive; a missing one is an error that lists those there are.
std::unique_ptr<InputFile> open_zip_member(const std::filesystem::path& archive, const std::string& member);
std::vector<std::string> zip_members(const std::filesystem::path& archive);

/// Product of sizes times item_size in bytes, or an error of `file` when that overflows or exceeds most_left().
std::uint64_t checked_bytes(const InputFile& file, std::span<const std::uint64_t> sizes, std::uint64_t item_size);

}  // namespace vaezoo
