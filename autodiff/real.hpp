#pragma once
// The one scalar type of a build. The product computes in float; the same sources compile as
// double (VAEZOO_DOUBLE) so that gradients can be checked against finite differences to 1e-6.
#include <cstddef>

namespace ad {

#ifdef VAEZOO_DOUBLE
using Real = double;
#else
using Real = float;
#endif

using Index = std::ptrdiff_t;  ///< sizes and positions; signed, as differences of sizes are common

}  // namespace ad
