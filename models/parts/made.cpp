#include "models/parts/made.hpp"

#include <algorithm>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"

namespace vaezoo {

using namespace ad;

MaskedLinear::MaskedLinear(const Parameters& p, const std::vector<Index>& in, const std::vector<Index>& out, bool strict,
                           Index context)
    : layer_(p, std::ssize(in), std::ssize(out)) {
  if (context > 0) of_context_.emplace(p / "context", context, std::ssize(out), LinearOptions{.bias = false});
  for (const Index i : out)
    for (const Index j : in) mask_.push_back(strict ? i > j : i >= j);
}

Var MaskedLinear::operator()(const Context& c, Var x, Var context) const {
  const Var weight = c.tape.parameter(layer_.weight());
  const Var seen = weight * c.tape.constant(weight.shape(), mask_);
  const Var y = linear(x, seen, c.tape.parameter(*layer_.bias()));
  return of_context_ ? y + (*of_context_)(c, context) : y;
}

Made::Made(const Parameters& p, Index dimensions, const std::vector<std::int64_t>& hidden, Index context, bool reversed) {
  std::vector<Index> order, degrees;
  for (Index i = 0; i < dimensions; ++i) order.push_back(reversed ? dimensions - i : i + 1);
  degrees = order;
  for (std::size_t l = 0; l < hidden.size(); ++l) {
    std::vector<Index> next;  // 1, ..., Z - 1, 1, ...; with one dimension nothing is seen but the context
    for (Index k = 0; k < hidden[l]; ++k) next.push_back(dimensions == 1 ? 0 : 1 + k % (dimensions - 1));
    layers_.emplace_back(p / cat(l), degrees, next, false, context);
    degrees = next;
  }
  std::vector<Index> twice = order;
  twice.insert(twice.end(), order.begin(), order.end());
  layers_.emplace_back(p / cat(hidden.size()), degrees, twice, true, context);
}

Var Made::operator()(const Context& c, Var z, Var context) const {
  Var h = z;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    h = layers_[l](c, h, context);
    if (l + 1 < layers_.size()) h = elu(h);
  }
  return h;
}

void Made::start_at_zero() {
  std::ranges::fill(layers_.back().layer().weight().value(), Real(0));
  std::ranges::fill(layers_.back().layer().bias()->value(), Real(0));
}

}  // namespace vaezoo
