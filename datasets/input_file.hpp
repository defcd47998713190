#pragma once
// Bytes read from front to back out of a plain file, a .gz file or a member of a .zip archive, all alike. Every failure
// is a DataError that names the file and the position.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

class InputFile {
 public:
  virtual ~InputFile() = default;

  const std::string& name() const { return name_; }
  std::uint64_t position() const { return position_; }  ///< bytes read so far (after decompression)
  /// The most bytes that can follow: exact for a plain file and a bound for a compressed one (deflate shrinks at most
  /// 1032 to 1). A header that promises more lies, and is found out before memory is taken for it.
  std::uint64_t most_left() const { return most_ > position_ ? most_ - position_ : 0; }

  /// Throws unless `bytes` can follow and memory may be taken for them. `what` begins the sentence: "its header announces 7
  /// values". Where the disk holds fewer, because they are compressed, read_limit() applies.
  void check_announced(std::uint64_t bytes, const std::string& what) const;
  /// How many of `bytes` announced ones memory may be taken for before they arrive: a few times what the disk holds.
  std::size_t credit(std::uint64_t bytes) const;
  /// Throws when more than read_limit() bytes have come.
  void check_limit() const;

  /// Fills `out`; throws when the file ends before. `what` names the part for the message: "the header".
  void read(std::span<std::uint8_t> out, const char* what);
  /// Reads up to out.size() bytes and returns how many; 0 only at the end.
  std::size_t read_up_to(std::span<std::uint8_t> out);
  /// Reads `size` bytes into memory that grows as they arrive, so that a header's lie costs no more than what there is.
  std::vector<std::uint8_t> read_bytes(std::uint64_t size, const char* what);
  /// Reads all that is left, up to read_limit().
  std::string read_all();
  /// Throws unless the file ends here; for .gz and .zip this verifies their checksum as well.
  void expect_end();
  [[noreturn]] void fail(const std::string& sentence) const;  ///< DataError("NAME: sentence")

 protected:
  /// `most` bytes can follow, which take `stored` bytes of the disk.
  InputFile(std::string name, std::uint64_t most, std::uint64_t stored) : name_(std::move(name)), most_(most), stored_(stored) {}
  std::uint64_t stored() const { return stored_; }
  /// Up to `size` bytes; 0 only at the end. Throws through fail() when the file is damaged.
  virtual std::size_t read_some(std::uint8_t* out, std::size_t size) = 0;

 private:
  std::string name_;
  std::uint64_t most_, stored_;
  std::uint64_t position_ = 0;
};

/// The most bytes that are read into memory where the file's own size does not tell how many there are: 8 GB (10^9 bytes each),
/// or as many as the environment's VAEZOO_READ_GB says. Throws DataError when that is not a number above 0.
std::uint64_t read_limit();

/// Runs `read`, and turns a lack of memory into a DataError that names the file.
template <class Read>
auto name_out_of_memory(const std::filesystem::path& path, Read read) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    throw DataError(path.string() + ": there is not enough memory to read it");
  } catch (const std::length_error&) {  // a size beyond all addresses
    throw DataError(path.string() + ": there is not enough memory to read it");
  }
}

/// Throws DataError when something lies there that is not a file: opening a pipe would wait for ever.
void require_file(const std::filesystem::path& path);
/// Whether a file lies there that this process may look at.
bool is_file(const std::filesystem::path& path);
/// Opens a plain file or a .gz file (told apart by content).
std::unique_ptr<InputFile> open_file(const std::filesystem::path& path);
/// Opens one member of a .zip archive; a missing one is an error that lists those there are.
std::unique_ptr<InputFile> open_zip_member(const std::filesystem::path& archive, const std::string& member);
std::vector<std::string> zip_members(const std::filesystem::path& archive);

/// Product of sizes times item_size in bytes, or an error of `file` when check_announced() refuses that.
std::uint64_t checked_bytes(const InputFile& file, std::span<const std::uint64_t> sizes, std::uint64_t item_size);

}  // namespace vaezoo
