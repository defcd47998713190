#include "models/distributions/joined.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {
namespace {

/// f(part, its number) of each part, side by side.
template <class F>
Var joined(Tape& tape, std::span<const Joined::Part> parts, F f) {
  Var* const values = tape.scratch<Var>(std::ssize(parts));
  for (std::size_t i = 0; i < parts.size(); ++i) values[i] = f(*parts[i].law, i);
  return ad::concat(std::span<const Var>(values, parts.size()), 1);
}

}  // namespace

Draw Joined::rsample(Key key) const {
  return {joined(*tape_, parts_, [key](const Distribution& law, std::size_t i) { return law.rsample(key.fold(i)).value; }), {}};
}

Var Joined::log_prob(Var value) const {
  Var total;
  Index begin = 0;
  for (const Part& part : parts_) {
    const Var log_p = part.law->log_prob(ad::slice(value, 1, begin, begin + part.width));
    total = total ? total + log_p : log_p;
    begin += part.width;
  }
  return total;
}

Var Joined::center() const {
  return joined(*tape_, parts_, [](const Distribution& law, std::size_t) { return law.center(); });
}

const Distribution& Joined::detached() const {
  Part* const parts = tape_->scratch<Part>(std::ssize(parts_));
  for (std::size_t i = 0; i < parts_.size(); ++i) parts[i] = {&parts_[i].law->detached(), parts_[i].width};
  return on_tape(*tape_, Joined(*tape_, {parts, parts_.size()}));
}

Var kl(const Joined& q, const Joined& p) {
  Var total;
  for (std::size_t i = 0; i < q.parts().size(); ++i) {
    const Var part = kl(*q.parts()[i].law, *p.parts()[i].law, {});
    total = total ? total + part : part;
  }
  return total;
}

}  // namespace vaezoo
