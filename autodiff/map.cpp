#include "autodiff/map.hpp"

namespace ad::detail {

void check_equal_shapes(const char* op, std::initializer_list<Var> x) {
  const Shape& first = x.begin()->shape();
  for (const Var& v : x)
    AD_CHECK(v.shape() == first, op,
             cat("needs equal shapes, got ", first, " and ", v.shape(), "; broadcast_to makes them equal"));
}

}  // namespace ad::detail
