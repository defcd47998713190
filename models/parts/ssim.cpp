#include "models/parts/ssim.hpp"

#include <array>
#include <cmath>
#include <vector>

#include "autodiff/conv.hpp"
#include "autodiff/elementwise.hpp"
#include "autodiff/pooling.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

namespace {

constexpr Index kWindow = 11;
constexpr std::array kWeights{0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

/// The window for each of C channels on its own, [C, 1, 11, 11].
Var gaussian_window(Tape& tape, Index channels) {
  constexpr double kSigma = 1.5;
  std::array<double, kWindow> g{};
  double total = 0;
  for (Index i = 0; i < kWindow; ++i)
    total += g[static_cast<std::size_t>(i)] = std::exp(-std::pow(double(i - kWindow / 2), 2) / (2 * kSigma * kSigma));
  const Var window = tape.node("window", {channels, 1, kWindow, kWindow}, {});
  for (Index i = 0; i < window.size(); ++i) {
    const auto row = static_cast<std::size_t>(i / kWindow % kWindow), column = static_cast<std::size_t>(i % kWindow);
    window.data()[i] = static_cast<Real>(g[row] * g[column] / (total * total));
  }
  return window;
}

}  // namespace

Index most_ssim_scales(const ImageShape& shape) {
  Index scales = 0;
  for (Index side = std::min(shape.height, shape.width); side >= kWindow && scales < std::ssize(kWeights); side /= 2) ++scales;
  return scales;
}

Var multi_scale_ssim(Var x, Var y, const ImageShape& shape, Index scales) {
  constexpr Real c1 = Real(0.01 * 0.01), c2 = Real(0.03 * 0.03), tiny = Real(1e-6);
  const Shape image{x.shape()[0], shape.height, shape.width, shape.channels};
  Var a = reshape(x, image), b = reshape(y, image);
  const Var window = gaussian_window(x.tape(), shape.channels);
  const auto blur = [&](Var v) { return conv2d(v, window, {}, {.groups = shape.channels}); };
  double weights = 0;
  for (Index s = 0; s < scales; ++s) weights += kWeights[static_cast<std::size_t>(s)];
  Var product;
  for (Index s = 0; s < scales; ++s) {
    const Var ma = blur(a), mb = blur(b), saa = blur(square(a)) - square(ma), sbb = blur(square(b)) - square(mb),
              sab = blur(a * b) - ma * mb;
    Var alike = (Real(2) * sab + c2) / (saa + sbb + c2);  // contrast and structure
    if (s + 1 == scales)
      alike = alike * (Real(2) * ma * mb + c1) / (square(ma) + square(mb) + c1);  // luminance, at the last scale
    const Var of_scale = mean(flatten(alike, 1), 1);
    const Var factor = pow(maximum(of_scale, of_scale.tape().constant(of_scale.shape(), tiny)),
                           static_cast<Real>(kWeights[static_cast<std::size_t>(s)] / weights));
    product = product ? product * factor : factor;
    if (s + 1 < scales) a = avg_pool2d(a), b = avg_pool2d(b);
  }
  return product;
}

}  // namespace vaezoo
