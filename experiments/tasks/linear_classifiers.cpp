#include "experiments/tasks/linear_classifiers.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <numeric>

namespace vaezoo {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

/// Minimises a smooth convex function from `x` on, to a gradient of at most `tolerance` in each number: limited-memory BFGS with the last ten
/// steps and backtracking (Nocedal & Wright 2006, algorithm 7.5). `f` writes the gradient.
Vector minimise(const std::function<double(const Vector&, Vector&)>& f, Vector x, double tolerance) {
  constexpr int kMostSteps = 1000;
  constexpr std::size_t kMemory = 10;
  struct Step {
    Vector s, y;
    double curvature;  // s . y
  };
  std::deque<Step> steps;
  Vector gradient(x.size()), next(x.size()), next_gradient(x.size());
  double value = f(x, gradient);
  for (int step = 0; step < kMostSteps; ++step) {
    if (std::ranges::all_of(gradient, [&](double g) { return std::abs(g) <= tolerance; })) break;
    Vector direction = gradient;
    std::vector<double> alpha(steps.size());
    for (std::size_t k = steps.size(); k-- > 0;) {
      alpha[k] = dot(steps[k].s, direction) / steps[k].curvature;
      for (std::size_t i = 0; i < x.size(); ++i) direction[i] -= alpha[k] * steps[k].y[i];
    }
    const double scale = steps.empty() ? 1 / std::sqrt(dot(gradient, gradient)) : steps.back().curvature / dot(steps.back().y, steps.back().y);
    for (double& d : direction) d *= scale;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const double beta = dot(steps[k].y, direction) / steps[k].curvature;
      for (std::size_t i = 0; i < x.size(); ++i) direction[i] += (alpha[k] - beta) * steps[k].s[i];
    }
    const double slope = -dot(gradient, direction);
    double length = 1, next_value = value;
    for (int halvings = 0; halvings < 40; ++halvings, length /= 2) {
      for (std::size_t i = 0; i < x.size(); ++i) next[i] = x[i] - length * direction[i];
      next_value = f(next, next_gradient);
      if (next_value <= value + 1e-4 * length * slope) break;
    }
    if (!(next_value < value)) break;  // the last digits
    Step taken{Vector(x.size()), Vector(x.size()), 0};
    for (std::size_t i = 0; i < x.size(); ++i) {
      taken.s[i] = next[i] - x[i];
      taken.y[i] = next_gradient[i] - gradient[i];
    }
    taken.curvature = dot(taken.s, taken.y);
    if (taken.curvature > 1e-12 * dot(taken.y, taken.y)) steps.push_back(std::move(taken));
    if (steps.size() > kMemory) steps.pop_front();
    std::swap(x, next);
    std::swap(gradient, next_gradient);
    value = next_value;
  }
  return x;
}

/// w . x_n + b for row n, for each of the classes with weights.
void scores_of(const Vector& weights, const Matrix& x, Index n, Vector& out) {
  const Index width = x.columns + 1;
  for (std::size_t c = 0; c < out.size(); ++c) {
    const double* w = weights.data() + Index(c) * width;
    double sum = w[x.columns];
    for (Index d = 0; d < x.columns; ++d) sum += w[d] * x(n, d);
    out[c] = sum;
  }
}

/// Scores become probabilities; returns log sum exp.
double soften(Vector& scores) {
  const double top = std::ranges::max(scores);
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - top);
  for (double& s : scores) s /= sum;
  return top + std::log(sum);
}

}  // namespace

double accuracy(const std::vector<int>& predicted, const std::vector<int>& truth) {
  double right = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) right += predicted[i] == truth[i] ? 1 : 0;
  return right / static_cast<double>(truth.size());
}

LogisticRegression::LogisticRegression(const Matrix& x, const std::vector<int>& labels, int classes, double C) : classes_(classes) {
  // Two classes: the scores are 0 and w . x + b, and the penalty is that of one vector.
  const bool two = classes == 2;
  const Index width = x.columns + 1, vectors = two ? 1 : classes;
  const auto count = static_cast<double>(x.rows);
  const auto loss = [&](const Vector& weights, Vector& gradient) {  // over N, so that the tolerance is of an example
    std::ranges::fill(gradient, 0.0);
    Vector own(at(vectors)), p(at(classes));
    double sum = 0;
    for (Index n = 0; n < x.rows; ++n) {
      scores_of(weights, x, n, own);
      p = own;
      if (two) p = {0, own[0]};
      const int y = labels[at(n)];
      const double score = p[at(y)];
      sum += soften(p) - score;
      p[at(y)] -= 1;
      for (Index c = 0; c < vectors; ++c) {
        const double slope = p[at(two ? 1 : c)] / count;
        double* g = gradient.data() + c * width;
        for (Index d = 0; d < x.columns; ++d) g[d] += slope * x(n, d);
        g[x.columns] += slope;
      }
    }
    double squares = 0;
    for (Index c = 0; c < vectors; ++c)
      for (Index d = 0; d < x.columns; ++d) {
        const double w = weights[at(c * width + d)];
        squares += w * w;
        gradient[at(c * width + d)] += w / (C * count);
      }
    return sum / count + squares / (2 * C * count);
  };
  weights_ = minimise(loss, Vector(at(vectors * width), 0), 1e-6);
}

Matrix LogisticRegression::probabilities(const Matrix& x) const {
  Matrix out(x.rows, classes_);
  Vector own(classes_ == 2 ? 1 : at(classes_));
  for (Index n = 0; n < x.rows; ++n) {
    scores_of(weights_, x, n, own);
    Vector p = classes_ == 2 ? Vector{0, own[0]} : own;
    soften(p);
    std::ranges::copy(p, out.values.begin() + n * classes_);
  }
  return out;
}

std::vector<int> LogisticRegression::predict(const Matrix& x) const {
  const Matrix p = probabilities(x);
  std::vector<int> out;
  for (Index n = 0; n < x.rows; ++n) {
    const auto row = p.values.begin() + n * classes_;
    out.push_back(static_cast<int>(std::max_element(row, row + classes_) - row));
  }
  return out;
}

namespace {

/// Newton's method on a function that is quadratic between hinges; of two unknowns.
std::pair<double, double> fit_svm(const std::vector<double>& x, const std::vector<bool>& own, double c_own, double c_rest) {
  double w = 0, b = 0;
  const auto value = [&](double u, double v) {
    double sum = (u * u + v * v) / 2;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double slack = 1 - (own[i] ? 1 : -1) * (u * x[i] + v);
      if (slack > 0) sum += (own[i] ? c_own : c_rest) * slack * slack;
    }
    return sum;
  };
  double now = value(w, b);
  for (int step = 0; step < 100; ++step) {
    double gw = w, gb = b, ww = 1, wb = 0, bb = 1;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double y = own[i] ? 1 : -1, slack = 1 - y * (w * x[i] + b), c = 2 * (own[i] ? c_own : c_rest);
      if (slack <= 0) continue;
      gw -= c * slack * y * x[i];
      gb -= c * slack * y;
      ww += c * x[i] * x[i];
      wb += c * x[i];
      bb += c;
    }
    const double determinant = ww * bb - wb * wb;
    const double dw = (bb * gw - wb * gb) / determinant, db = (ww * gb - wb * gw) / determinant;
    double length = 1, next = value(w - dw, b - db);
    while (!(next <= now) && length > 1e-10) {
      length /= 2;
      next = value(w - length * dw, b - length * db);
    }
    if (!(next < now)) break;
    w -= length * dw;
    b -= length * db;
    const bool settled = now - next <= 1e-12 * now;
    now = next;
    if (settled) break;
  }
  return {w, b};
}

}  // namespace

LinearSvm::LinearSvm(const std::vector<double>& x, const std::vector<int>& labels, int classes, double C) {
  std::vector<double> members(at(classes), 0);
  for (const int y : labels) ++members[at(y)];
  for (int k = 0; k < classes; ++k)
    if (members[at(k)] > 0) present_.push_back(k);
  const auto weight = [&](int k) { return double(labels.size()) / (double(present_.size()) * members[at(k)]); };
  const bool two = present_.size() == 2;
  for (std::size_t c = two ? 1 : 0; c < present_.size(); ++c) {
    std::vector<bool> own;
    for (const int y : labels) own.push_back(y == present_[c]);
    const auto [w, b] = fit_svm(x, own, C * weight(present_[c]), C * (two ? weight(present_[0]) : 1));
    w_.push_back(w);
    b_.push_back(b);
  }
}

std::vector<int> LinearSvm::predict(const std::vector<double>& x) const {
  std::vector<int> out;
  for (const double v : x) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < w_.size(); ++c)
      if (w_[c] * v + b_[c] > w_[best] * v + b_[best]) best = c;
    out.push_back(present_.size() == 2 ? present_[w_[0] * v + b_[0] > 0 ? 1 : 0] : present_[best]);
  }
  return out;
}

}  // namespace vaezoo
