#include "models/parts/finite_scalar.hpp"

#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {

using namespace ad;

FiniteScalar::FiniteScalar(const std::vector<std::int64_t>& levels) {
  for (const std::int64_t level : levels) {
    AD_CHECK(level >= 2, "FiniteScalar", cat("each number needs at least two levels, got ", level));
    const double half = double(level - 1) * (1 - 1e-3) / 2, offset = level % 2 == 1 ? 0 : 0.5;
    levels_.push_back(level);
    codes_ *= level;
    half_.push_back(static_cast<Real>(half));
    offset_.push_back(static_cast<Real>(offset));
    shift_.push_back(static_cast<Real>(std::tan(offset / half)));
    inverse_half_width_.push_back(static_cast<Real>(1.0 / double(level / 2)));
  }
}

Var FiniteScalar::bound(Var z) const {
  const auto rows = [&](const std::vector<Real>& numbers) {
    return broadcast_to(z.tape().constant({width()}, numbers), z.shape());
  };
  return map(
      "fsq_bound", [](auto v, auto shift, auto half, auto offset) { return tanh(v + shift) * half - offset; }, z, rows(shift_),
      rows(half_), rows(offset_));
}

Var FiniteScalar::operator()(Var z) const {
  const Var bounded = bound(z), rounded = z.tape().node("round", z.shape(), {});
  for (Index i = 0; i < z.size(); ++i) rounded.data()[i] = std::nearbyint(bounded.data()[i]);
  return straight_through(rounded, bounded) * z.tape().constant({width()}, inverse_half_width_);
}

std::span<const Index> FiniteScalar::codes(Var on_grid) const {
  const Index rows = on_grid.size() / width();
  Index* out = on_grid.tape().scratch<Index>(rows);
  for (Index r = 0; r < rows; ++r) {
    Index code = 0;
    for (Index i = width() - 1; i >= 0; --i) {
      const Index level = levels_[static_cast<std::size_t>(i)];
      code = code * level + std::lround(double(on_grid.data()[r * width() + i]) * double(level / 2)) + level / 2;
    }
    out[r] = code;
  }
  return {out, static_cast<std::size_t>(rows)};
}

Var FiniteScalar::embed(Tape& tape, std::span<const Index> codes) const {
  const Var y = tape.node("fsq_codes", {std::ssize(codes), width()}, {});
  Real* out = y.data();
  for (Index code : codes)
    for (const Index level : levels_) {
      *out++ = static_cast<Real>(double(code % level - level / 2) / double(level / 2));
      code /= level;
    }
  return y;
}

}  // namespace vaezoo
