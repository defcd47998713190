#pragma once
// Arrays of numbers for other programs: NumPy files and CSV.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/real.hpp"

namespace vaezoo {

/// The bytes of a .npy file, version 1.0: little-endian float32 in C order. Throws std::invalid_argument when the shape holds another count.
std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const float> values);
/// The same as float64, and of whole numbers as int64.
std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const double> values);
std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const ad::Index> values);

/// A cell of a CSV file that holds this text: in quotes where it has a comma, a quote or the end of a line.
std::string csv_cell(std::string_view text);

/// A column of text before the numbers of a table; without a name there is none.
struct TextColumn {
  std::string name;
  std::vector<std::string> cells;
};

/// A header and one line per row of `values`, [N, columns]; numbers read back exactly. Throws std::invalid_argument when the sizes do
/// not fit.
std::string csv_text(const std::vector<std::string>& columns, std::span<const float> values, const TextColumn& first = {});
std::string csv_text(const std::vector<std::string>& columns, std::span<const double> values, const TextColumn& first = {});

}  // namespace vaezoo
