#include "models/parts/mmd.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/map.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

void KernelConfig::fields(Fields& f) {
  f.choice("kernel", name, {"imq", "rbf"}, "inverse multiquadratic or Gaussian");
  f("kernel_width", bandwidth, "width of the kernel: the standard deviation of the prior as a rule", more_than(0));
  f("kernel_scales", scales, "factors on the squared width, over which kernels are added", more_than(0));
}

namespace {

/// The sum of k(x_i, y_j) over all i and j; of one set over i != j.
Var kernel_sum(Var x, Var y, const KernelConfig& kernel, bool same) {
  const Var squares = sum(square(unsqueeze(x, 1) - unsqueeze(y, 0)), 2);  // d^2, [N, M]
  const Index dimensions = x.shape()[1];
  Var total;
  for (const double scale : kernel.scales) {
    const Real c = static_cast<Real>(2 * double(dimensions) * kernel.bandwidth * kernel.bandwidth * scale);
    const Var k = kernel.name == "imq" ? map("imq_kernel", [c](auto d) { return c / (c + d); }, squares)
                                       : map("rbf_kernel", [c](auto d) { return exp(d * (Real(-1) / c)); }, squares);
    const Var of_scale = same ? sum(k) - static_cast<Real>(x.shape()[0]) : sum(k);  // k(x, x) is 1
    total = total ? total + of_scale : of_scale;
  }
  return total;
}

}  // namespace

Var mmd(Var x, Var y, const KernelConfig& kernel) {
  const double n = double(x.shape()[0]), m = double(y.shape()[0]);
  const auto pairs = [](double count) { return static_cast<Real>(1 / std::max(1.0, count * (count - 1))); };
  return kernel_sum(x, x, kernel, true) * pairs(n) + kernel_sum(y, y, kernel, true) * pairs(m) -
         kernel_sum(x, y, kernel, false) * static_cast<Real>(2 / (n * m));
}

Var sliced_wasserstein(Var x, Var y, Index projections, Key key) {
  Tape& tape = x.tape();
  const Index rows = x.shape()[0], dimensions = x.shape()[1];
  const Var directions = tape.node("directions", {projections, dimensions}, {});
  fill_normal(key, directions.value());
  for (Index p = 0; p < projections; ++p) {
    const std::span<Real> d = directions.value().subspan(static_cast<std::size_t>(p * dimensions), static_cast<std::size_t>(dimensions));
    const Real length = std::sqrt(std::inner_product(d.begin(), d.end(), d.begin(), Real(0)));
    for (Real& v : d) v /= length;
  }
  const Var along_x = matmul(directions, x, false, true), along_y = matmul(directions, y, false, true);  // [P, N]
  // In one dimension the k-th smallest of x goes to the k-th smallest of y.
  const Var target = tape.node("sorted_match", along_x.shape(), {});
  Index* const order = tape.scratch<Index>(rows);
  for (Index p = 0; p < projections; ++p) {
    const Real* const of_x = along_x.data() + p * rows;
    std::span<Real> of_y = along_y.value().subspan(static_cast<std::size_t>(p * rows), static_cast<std::size_t>(rows));
    std::iota(order, order + rows, Index{0});
    std::sort(order, order + rows, [of_x](Index a, Index b) { return of_x[a] < of_x[b]; });
    std::ranges::sort(of_y);
    for (Index k = 0; k < rows; ++k) target.data()[p * rows + order[k]] = of_y[static_cast<std::size_t>(k)];
  }
  return mean(square(along_x - stop_gradient(target)));
}

}  // namespace vaezoo
