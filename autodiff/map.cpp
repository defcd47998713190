#include "autodiff/map.hpp"

namespace ad::detail {

void check_equal_shapes(const char* op, std::initializer_list<Var> x) {
  const Shape& first = x.begin()->shape();
  for (const Var& v : x)
    AD_CHECK(v.shape() == first, op,
             cat("needs equal shapes, got ", first, " and ", v.shape(), "; broadcast_to makes them equal"));
}

Index check_shared_rows(const char* op, std::initializer_list<Var> x) {
  const Var* const last = x.end() - 1;
  Shape all = x.begin()->shape();
  for (const Var* v = x.begin(); v != last; ++v)
    AD_CHECK(v->shape() == all, op, cat("needs equal shapes, got ", all, " and ", v->shape()));
  const Shape shared = last->shape();
  const Index rows = all.rank() > 0 ? all[0] : 0, times = shared.rank() > 0 && shared[0] > 0 ? rows / shared[0] : 1;
  if (all.rank() > 0 && shared.rank() > 0) all[0] = shared[0];
  AD_CHECK(all == shared && times > 0 && times * shared[0] == rows, op,
           cat("the rows of ", shared, " cannot be shared out among ", rows, " rows of ", x.begin()->shape()));
  return times;
}

}  // namespace ad::detail
