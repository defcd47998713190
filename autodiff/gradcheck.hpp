#pragma once
// Is a gradient right? Compares what backward() gives with differences of values. Meant for the double build; in float,
// differences lose most digits and the check is a smoke test.
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autodiff/parameters.hpp"
#include "autodiff/tape.hpp"

namespace ad {

struct GradcheckOptions {
#ifdef VAEZOO_DOUBLE
  double tolerance = 1e-6;    ///< on the error below
  double narrow_step = 1e-5;  ///< h of the central difference
  double wide_step = 1e-3;    ///< h of the five-point formula
  double floor = 1e-3;
#else
  double tolerance = 1e-2;
  double narrow_step = 5e-3;
  double wide_step = 3e-2;
  double floor = 1e-2;
#endif
  Index most_elements = 0;    ///< checks this many of each tensor, drawn at random; 0: all
  Key key{0};                 ///< of the projection and of that draw
};

struct GradcheckReport {
  bool passed = true;
  double error = 0;           ///< the worst error, and where and between what it was
  std::string where;          ///< "input 1, element 7" or "encoder/0/weight, element 7"
  Index input = 0, element = 0;
  double gradient = 0, difference = 0;
  Index checked = 0;          ///< elements compared
  std::string text() const;   ///< one sentence with all of this
};

struct GradcheckInput {
  Shape shape;
  std::vector<Real> values;
};

/// Checks d f / d input for every input. An f of several elements is made a number by a fixed random projection,
/// F = sum_i w_i f_i. For each element x_j the gradient a is compared with
///   (F(x_j + h) - F(x_j - h)) / 2h                                              h = narrow_step max(1, |x_j|)
///   (8 (F(x_j + h) - F(x_j - h)) - (F(x_j + 2h) - F(x_j - 2h))) / 12h           h = wide_step max(1, |x_j|)
/// of which the closer one, n, counts: the wide formula has less noise, the narrow one stays clear of kinks near by.
/// It passes when
///   error = |a - n| / max(|a|, |n|, floor max(1, |F|))  <=  tolerance.
/// Throws Error when f is not a function of its inputs (noise without a fixed key).
GradcheckReport gradcheck(const std::function<Var(Tape&, std::span<const Var>)>& f, std::vector<GradcheckInput> inputs,
                          const GradcheckOptions& options = {});

/// The same for every trainable parameter of a store, F being a loss (of one element, or projected). Values and buffers are as
/// before afterwards; gradients are cleared.
GradcheckReport gradcheck_parameters(ParameterStore& store, const std::function<Var(Tape&)>& loss,
                                     const GradcheckOptions& options = {});

}  // namespace ad
