#pragma once
// The IDX format of MNIST (Y. LeCun): two zero bytes, a type, the number of axes, their sizes as big-endian 32-bit
// numbers, then the values. Data sets of images use unsigned bytes throughout, and only those are read.
#include <cstdint>
#include <filesystem>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

struct IdxArray {
  std::vector<Index> shape;
  std::vector<std::uint8_t> bytes;
};

/// Reads a plain or gzipped file that must have `axes` axes (3 for images, 1 for labels). Throws DataError.
IdxArray read_idx(const std::filesystem::path& path, int axes);

}  // namespace vaezoo
