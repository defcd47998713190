#pragma once
// MATLAB's level 5 MAT-files (save -v6 and -v7; MathWorks, "MAT-File Format"), read by a few lines of our own: libmatio 1.5 fills
// what a cut-off file lacks with zeros and does not verify the checksum of compressed variables.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

/// A real numeric array as MATLAB stores it, column-major: the first index runs fastest.
struct MatArray {
  std::string source;               ///< file and variable, for messages
  std::vector<Index> shape;
  std::vector<std::uint8_t> bytes;  ///< the values when the file holds them as unsigned bytes
  std::vector<Real> numbers;        ///< the values otherwise

  Index size() const { return static_cast<Index>(bytes.size() + numbers.size()); }
};

/// Reads the named variables in one pass. Throws DataError when the file is damaged, when it is of version 7.3 (HDF5), and when
/// it lacks a variable, naming those that it has.
std::map<std::string, MatArray> read_mat(const std::filesystem::path& path, const std::vector<std::string>& names);

}  // namespace vaezoo
