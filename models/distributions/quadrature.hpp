#pragma once
// Integrals of smooth functions, in double.
#include <array>
#include <cstddef>

namespace vaezoo {

/// Adds to `total` the integral of f over [begin, end] by Gauss and Legendre's 16 points.
template <class F>
void add_integral(double& total, double begin, double end, F f) {
  constexpr std::array<double, 8> kNodes{0.0950125098376374, 0.2816035507792589, 0.4580167776572274, 0.6178762444026438,
                                         0.7554044083550030, 0.8656312023878318, 0.9445750230732326, 0.9894009349916499};
  constexpr std::array<double, 8> kWeights{0.1894506104550685, 0.1826034150449236, 0.1691565193950025, 0.1495959888165767,
                                           0.1246289712555339, 0.0951585116824928, 0.0622535239386479, 0.0271524594117541};
  const double half = (end - begin) / 2, middle = begin + half;
  for (std::size_t i = 0; i < kNodes.size(); ++i)
    total += kWeights[i] * half * (f(middle - kNodes[i] * half) + f(middle + kNodes[i] * half));
}

}  // namespace vaezoo
