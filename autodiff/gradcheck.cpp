#include "autodiff/gradcheck.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"

namespace ad {
namespace {

using Function = std::function<Var(Tape&)>;

/// The weights of the projection: of order one and away from zero, so that no output goes unnoticed; a single output
/// stays as it is.
std::vector<Real> projection(Index size, Key key) {
  std::vector<Real> w(static_cast<std::size_t>(size), Real(1));
  if (size == 1) return w;
  fill_uniform(key.fold("projection"), w, Real(0.5), Real(1.5));
  for (std::size_t i = 1; i < w.size(); i += 2) w[i] = -w[i];
  return w;
}

/// F at the present inputs, added up in double.
double evaluate(const Function& f, Tape& tape, Key key) {
  tape.reset();
  const Var y = f(tape);
  const std::vector<Real> w = projection(y.size(), key);
  double total = 0;
  for (Index i = 0; i < y.size(); ++i) total += double(y.data()[i]) * double(w[static_cast<std::size_t>(i)]);
  return total;
}

/// One tensor to check: its numbers, which are changed in place, and its gradient.
struct Target {
  std::string name;
  std::span<Real> values;
  std::vector<Real> gradient;
};

std::vector<Index> elements_to_check(Index size, const GradcheckOptions& o, std::string_view name) {
  std::vector<Index> elements = permutation(o.key.fold(name), size);
  if (o.most_elements > 0 && o.most_elements < size) elements.resize(static_cast<std::size_t>(o.most_elements));
  std::ranges::sort(elements);
  return elements;
}

/// The difference quotients at one element; of the two, the one closer to `gradient`.
template <class F>
double closer_difference(F value_at, Real& x, double gradient, const GradcheckOptions& o) {
  const Real center = x;
  const double size = std::max(1.0, std::abs(double(center)));
  const auto across = [&](double h) {  // (F(x + h) - F(x - h)) / 2h with the h that rounding leaves
    const Real up = center + static_cast<Real>(h), down = center - static_cast<Real>(h);
    x = up;
    const double above = value_at();
    x = down;
    const double below = value_at();
    x = center;
    return (above - below) / (double(up) - double(down));
  };
  const double narrow = across(o.narrow_step * size);
  const double h = o.wide_step * size, wide = (4 * across(h) - across(2 * h)) / 3;
  return std::abs(wide - gradient) < std::abs(narrow - gradient) ? wide : narrow;
}

GradcheckReport compare(std::vector<Target>& targets, const std::function<double()>& value_at, const GradcheckOptions& o) {
  GradcheckReport report;
  const double center = value_at();
  if (const double again = value_at(); again != center && !(std::isnan(again) && std::isnan(center)))
    throw Error(
        cat("[gradcheck] the function gave ", center, " and then ", again, " for the same inputs; give its noise a fixed key"));
  for (std::size_t k = 0; k < targets.size(); ++k) {
    Target& t = targets[k];
    for (const Index i : elements_to_check(std::ssize(t.values), o, t.name)) {
      const auto at = static_cast<std::size_t>(i);
      const double a = double(t.gradient[at]), n = closer_difference(value_at, t.values[at], a, o);
      const double error = std::abs(a - n) / std::max({std::abs(a), std::abs(n), o.floor * std::max(1.0, std::abs(center))});
      ++report.checked;
      if (error <= report.error) continue;  // false for NaN, which is the worst of all
      if (std::isnan(report.error)) continue;
      report.error = error;
      report.where = cat(t.name, ", element ", i);
      report.input = static_cast<Index>(k);
      report.element = i;
      report.gradient = a;
      report.difference = n;
    }
  }
  report.passed = report.error <= o.tolerance;
  return report;
}

/// Backward through the projected function.
void differentiate(Tape& tape, Var y, Key key) {
  if (!y.live()) return;  // no gradient flows: all zeros
  const std::vector<Real> w = projection(y.size(), key);
  tape.backward(sum(y * tape.constant(y.shape(), w)));
}

}  // namespace

std::string GradcheckReport::text() const {
  if (checked == 0) return "nothing to check";
  return cat(passed ? "gradients agree" : "gradients differ", ": the worst of ", checked, " elements is ",
             where.empty() ? "exact" : where, ", gradient ", gradient, ", difference ", difference, ", error ", error);
}

GradcheckReport gradcheck(const std::function<Var(Tape&, std::span<const Var>)>& f, std::vector<GradcheckInput> inputs,
                          const GradcheckOptions& options) {
  const auto call = [&](Tape& tape, std::vector<Var>& x) {
    for (const GradcheckInput& input : inputs) x.push_back(tape.variable(input.shape, input.values));
    return f(tape, x);
  };
  Tape tape, plain(Grad::off);
  std::vector<Var> x;
  differentiate(tape, call(tape, x), options.key);
  std::vector<Target> targets;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const auto g = x[k].gradient();
    targets.push_back({cat("input ", k), inputs[k].values, {g.begin(), g.end()}});
  }
  const auto value_at = [&] {
    return evaluate([&](Tape& t) {
      std::vector<Var> again;
      return call(t, again);
    }, plain, options.key);
  };
  return compare(targets, value_at, options);
}

GradcheckReport gradcheck_parameters(ParameterStore& store, const std::function<Var(Tape&)>& loss,
                                     const GradcheckOptions& options) {
  const std::vector<Real> buffers(store.buffers().begin(), store.buffers().end());
  const auto restore = [&] { std::ranges::copy(buffers, store.buffers().begin()); };
  Tape tape, plain(Grad::off);
  store.zero_grad();
  differentiate(tape, loss(tape), options.key);
  std::vector<Target> targets;
  for (Parameter& p : store.all()) {
    if (!p.trainable()) continue;
    const auto g = p.gradient();
    targets.push_back({p.path(), p.value(), {g.begin(), g.end()}});
  }
  store.zero_grad();
  const auto value_at = [&] {
    restore();
    return evaluate(loss, plain, options.key);
  };
  const GradcheckReport report = compare(targets, value_at, options);
  restore();
  return report;
}

}  // namespace ad
