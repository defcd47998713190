#pragma once
// Sequences of tokens: a row x [T] holds the numbers of its tokens, whole numbers below the vocabulary's size; 0 ends it, and
// what stands after that is nothing.
#include <algorithm>
#include <span>

#include "autodiff/tape.hpp"

namespace vaezoo {

/// Tokens of a row with its end: 1 to T.
inline ad::Index sequence_length(std::span<const ad::Real> row) {
  for (std::size_t t = 0; t < row.size(); ++t)
    if (row[t] == 0) return static_cast<ad::Index>(t) + 1;
  return std::ssize(row);
}

/// Row b of x [B, T].
inline std::span<const ad::Real> sequence(ad::Var x, ad::Index b) {
  const auto width = static_cast<std::size_t>(x.shape()[1]);
  return std::span<const ad::Real>(x.value()).subspan(static_cast<std::size_t>(b) * width, width);
}

/// Of the longest of some rows x [B, T].
inline ad::Index longest_sequence(ad::Var x) {
  ad::Index longest = 0;
  for (ad::Index b = 0; b < x.shape()[0]; ++b) longest = std::max(longest, sequence_length(sequence(x, b)));
  return longest;
}

}  // namespace vaezoo
