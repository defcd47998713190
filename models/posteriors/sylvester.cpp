// Sylvester flows, each step's numbers from the encoder.
//   van den Berg, Hasenclever, Tomczak & Welling, "Sylvester Normalizing Flows for Variational Inference", UAI 2018, eq. (8),
//   section 4
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/posteriors/flow_posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct SylvesterSettings {
  std::int64_t length = 4, columns = 8, reflections = 8;
  std::string kind = "orthogonal";

  void fields(Fields& f) {
    f("length", length, "number of flows", between(1, 1000));
    f.one_of("matrix", kind,
             {{"orthogonal", "Q has `columns` orthonormal columns, by Bjorck's iteration",
               [this](Fields& g) { g("columns", columns, "of Q; at most latent_dim", between(1, 65536)); }},
              {"householder", "Q is a product of reflections",
               [this](Fields& g) { g("reflections", reflections, "Householder reflections of each flow", between(1, 65536)); }},
              {"triangular", "Q reverses the dimensions in every second flow", [](Fields&) {}}},
             "the orthogonal matrix Q");
  }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const;
};

class SylvesterPosterior final : public FlowPosterior {
 public:
  enum class Kind { orthogonal, householder, triangular };

  SylvesterPosterior(const PosteriorArgs& args, const SylvesterSettings& settings, Kind kind, Index columns)
      : FlowPosterior(args, settings.length * numbers(args.latent_dim, settings, kind, columns)),
        length_(settings.length),
        kind_(kind),
        columns_(columns),
        reflections_(settings.reflections),
        of_q_(numbers_of_q(args.latent_dim, settings, kind, columns)) {
    for (Index i = 0; i < columns; ++i)
      for (Index j = 0; j < columns; ++j) {
        above_.push_back(Real(j > i));
        identity_.push_back(Real(j == i));
        flip_.push_back(Real(i + j == columns - 1));
      }
  }
  std::string describe() const override { return cat("posterior: ", length_, " Sylvester flows"); }

 private:
  static Index numbers_of_q(Index n, const SylvesterSettings& settings, Kind kind, Index columns) {
    return kind == Kind::orthogonal ? n * columns : kind == Kind::householder ? n * settings.reflections : 0;
  }
  static Index numbers(Index n, const SylvesterSettings& settings, Kind kind, Index columns) {
    return numbers_of_q(n, settings, kind, columns) + columns * columns + 3 * columns;
  }

  /// f(z) = z + Q R1 tanh(R2 Q^T z + b) and log |det| = sum_m log(1 + (1 - tanh^2) R1_mm R2_mm), where R1 and R2 are upper
  /// triangular with diagonals in (-1, 1), so that it has an inverse. What lies above their diagonals are the two halves of one
  /// matrix.
  Flowed operator()(const Context& c, Var z, Var h) const override {
    const Index rows = z.shape()[0], m = columns_, each = h.shape()[1] / length_;
    const Var above = c.tape.constant({1, m, m}, above_), identity = c.tape.constant({1, m, m}, identity_);
    Var log_det;
    for (Index k = 0; k < length_; ++k) {
      Index begin = k * each;
      const auto next = [&](Index count) { return slice(h, 1, begin, begin + count); };
      const Var q = kind_ == Kind::orthogonal ? orthonormal(c, next(of_q_)) : kind_ == Kind::householder ? next(of_q_) : Var();
      begin += of_q_;
      const Var full = reshape(next(m * m), {rows, m, m});
      begin += m * m;
      const Var d1 = tanh(next(m));
      begin += m;
      const Var d2 = tanh(next(m));
      begin += m;
      const Var b = next(m);
      const auto upper = [&](Var from, Var diagonal) { return from * above + unsqueeze(diagonal, 1) * identity; };
      const Var r1 = upper(full, d1), r2 = upper(transpose(full), d2);
      const Var t = tanh(squeeze(matmul(to_columns(c, z, q, k), r2, false, true), 1) + b);  // R2 Q^T z + b
      z = z + from_columns(c, matmul(unsqueeze(t, 1), r1, false, true), q, k);
      const Var step = sum(log1p((Real(1) - square(t)) * d1 * d2), 1);
      log_det = log_det ? log_det + step : step;
    }
    return {z, log_det};
  }

  /// Q^T z, [N, 1, M]; q is Q itself or the reflections that it is made of.
  Var to_columns(const Context& c, Var z, Var q, Index k) const {
    if (kind_ == Kind::orthogonal) return matmul(unsqueeze(z, 1), q);
    if (kind_ == Kind::householder) return unsqueeze(reflected(z, q, true), 1);
    return unsqueeze(reversed(c, z, k), 1);
  }
  /// Q y of y [N, 1, M], [N, Z].
  Var from_columns(const Context& c, Var y, Var q, Index k) const {
    if (kind_ == Kind::orthogonal) return squeeze(matmul(y, q, false, true), 1);
    if (kind_ == Kind::householder) return reflected(squeeze(y, 1), q, false);
    return reversed(c, squeeze(y, 1), k);
  }

  Var reversed(const Context& c, Var z, Index k) const {
    return k % 2 == 0 ? z : matmul(z, c.tape.constant({columns_, columns_}, flip_));
  }
  /// The reflections in order, or for Q^T in reverse.
  Var reflected(Var z, Var vectors, bool transposed) const {
    for (Index i = 0; i < reflections_; ++i) {
      const Var v = chunk(vectors, reflections_, transposed ? i : reflections_ - 1 - i);
      z = z - (Real(2) * sum(v * z, 1, true) / (sum(square(v), 1, true) + Real(1e-12))) * v;
    }
    return z;
  }
  /// Q [N, Z, M] by Bjorck's iteration Q (I + (I - Q^T Q) / 2), which converges to orthonormal columns from any Q with singular
  /// values in (0, sqrt 3).
  Var orthonormal(const Context& c, Var numbers) const {
    constexpr int kRounds = 30;
    const Index rows = numbers.shape()[0];
    const Var length = sqrt(sum(square(numbers), 1, true) + Real(1e-12));
    Var q = reshape(numbers / length, {rows, latent_dim(), columns_});
    const Var identity = c.tape.constant({1, columns_, columns_}, identity_);
    for (int i = 0; i < kRounds; ++i) {
      const Var gram = matmul(q, q, true, false);
      q = q + Real(0.5) * matmul(q, identity - gram);
      double off = 0;
      for (Index j = 0; j < gram.size(); ++j)
        off = std::max(off, std::abs(double(gram.data()[j]) - double(identity.data()[j % identity.size()])));
      if (off < 1e-6) break;
    }
    return q;
  }

  Index length_;
  Kind kind_;
  Index columns_, reflections_, of_q_;
  std::vector<Real> above_, identity_, flip_;
};

std::unique_ptr<Posterior> SylvesterSettings::build(const PosteriorArgs& args) const {
  using Kind = SylvesterPosterior::Kind;
  const Kind which = kind == "orthogonal" ? Kind::orthogonal : kind == "householder" ? Kind::householder : Kind::triangular;
  if (which == Kind::orthogonal && columns > args.latent_dim)
    throw ConfigError(cat("model.posterior.matrix.columns: ", columns,
                          " orthonormal columns do not fit in latent_dim = ", args.latent_dim, "; set at most that"));
  return std::make_unique<SylvesterPosterior>(args, *this, which, which == Kind::orthogonal ? columns : args.latent_dim);
}

}  // namespace

VAEZOO_PART(Posterior, sylvester, SylvesterSettings,
            "a normal sent through flows z + Q R1 tanh(R2 Q^T z + b) that the encoder gives (van den Berg et al., UAI 2018)")
