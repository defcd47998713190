#pragma once
// The linear algebra of evaluation. The one place that meets xtensor-blas.
#include <span>
#include <vector>

#include "autodiff/real.hpp"

namespace vaezoo {

/// Principal component analysis of rows [N, Z].
struct PrincipalComponents {
  std::vector<double> mean;       ///< [Z]
  std::vector<double> axes;       ///< [C, Z]: unit vectors, the one along which the rows vary most first
  std::vector<double> explained;  ///< [C]: the share of the variance along each axis, in [0, 1]
};

/// The first `count` components; the sign of each is such that its largest element is positive. Of fewer rows than dimensions, the
/// components beyond the rows' number are zeros. Throws std::invalid_argument unless
/// 1 <= count <= Z and rows is not empty.
PrincipalComponents principal_components(std::span<const float> rows, ad::Index dimensions, ad::Index count);

/// The coordinates of the rows along the axes, [N, C].
std::vector<float> project(std::span<const float> rows, const PrincipalComponents& components);

}  // namespace vaezoo
