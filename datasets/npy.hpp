#pragma once
// NumPy's .npy format (versions 1 to 3; numpy.lib.format) and .npz, a zip archive of them.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

/// An array in row-major order, whatever the file's order, byte order and number format were.
struct NpyArray {
  std::string source;               ///< file (and member), for messages
  std::vector<Index> shape;
  bool boolean = false;
  std::vector<std::uint8_t> bytes;  ///< the values when the file holds unsigned bytes or booleans
  std::vector<Real> numbers;        ///< the values when every one of the file's type is a Real
  std::vector<double> exact;        ///< the values otherwise: integers of 4 and 8 bytes and floats of 8

  Index size() const { return static_cast<Index>(bytes.size() + numbers.size() + exact.size()); }
  /// All values, whatever their type.
  std::vector<double> values() const;
};

/// Reads array `key` of an .npz archive (an empty key: its only array), or an .npy file, for which the key is ignored;
/// told apart by content. Reads booleans, integers of 1 to 8 bytes and floats of 2, 4 and 8 bytes. Throws DataError.
NpyArray read_npy(const std::filesystem::path& path, const std::string& key = "");

/// Whether the archive has that array; false for a plain .npy file.
bool npz_has(const std::filesystem::path& path, const std::string& key);

}  // namespace vaezoo
