#pragma once
// The only file that includes xtensor. xtensor is the array type at the edges: data sets, evaluation, files, tests.
//
// xtensor before 0.26 mistakes a dynamic shape for a fixed one under g++ in C++20 (its partial specialisation is
// enabled only for C++17), which crashes reductions of xarray; the two full specialisations below put it right.
// Two rules for users: never use an unevaluated reducer as an operand (pass xt::evaluation_strategy::immediate),
// and write in place only through xt::noalias.
#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xstorage.hpp>
#include <xtensor/xexpression_traits.hpp>
#include <xtensor/xtensor_forward.hpp>
#if XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR < 26
namespace xt::detail {
template <>
struct xtype_for_shape<xt::dynamic_shape<std::size_t>> {
  template <class T, layout_type L>
  using type = xarray<T, L>;
};
template <>
struct xtype_for_shape<xt::dynamic_shape<std::ptrdiff_t>> {
  template <class T, layout_type L>
  using type = xarray<T, L>;
};
}  // namespace xt::detail
#endif
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xview.hpp>
#endif

#include "autodiff/real.hpp"

namespace ad {
using Array = xt::xarray<Real>;  ///< an owning, row-major host array
}
