// q(z | x) of real codes: normal with a full covariance, Laplace, Student-t.
#include "models/distributions/real_laws.hpp"

#include "autodiff/shape_ops.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class FullCovariance final : public Posterior {
 public:
  explicit FullCovariance(Index latent_dim) : n_(latent_dim) {}
  Index inputs() const override { return 2 * n_ + n_ * (n_ - 1) / 2; }
  const Distribution& operator()(const Context& c, Var h) const override {
    return on_tape(c.tape,
                   FullNormal(slice(h, 1, 0, n_), slice(h, 1, n_, 2 * n_), n_ > 1 ? slice(h, 1, 2 * n_, inputs()) : Var()));
  }
  const std::type_info& distribution() const override { return typeid(FullNormal); }
  std::string describe() const override { return "posterior: normal with a full covariance"; }

 private:
  Index n_;
};

struct FullCovarianceSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const { return std::make_unique<FullCovariance>(args.latent_dim); }
};

class LaplacePosterior final : public Posterior {
 public:
  explicit LaplacePosterior(Index latent_dim) : n_(latent_dim) {}
  Index inputs() const override { return 2 * n_; }
  const Distribution& operator()(const Context& c, Var h) const override {
    return on_tape(c.tape, Laplace(chunk(h, 2, 0), chunk(h, 2, 1)));
  }
  const std::type_info& distribution() const override { return typeid(Laplace); }
  std::string describe() const override { return "posterior: Laplace"; }

 private:
  Index n_;
};

struct LaplaceSettings {
  void fields(Fields&) {}
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const {
    return std::make_unique<LaplacePosterior>(args.latent_dim);
  }
};

struct StudentTSettings {
  double freedom = 5;

  void fields(Fields& f) { f("freedom", freedom, "degrees of freedom of each dimension", more_than(0)); }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const;
};

class StudentTPosterior final : public Posterior {
 public:
  StudentTPosterior(Index latent_dim, double freedom) : n_(latent_dim), freedom_(freedom) {}
  Index inputs() const override { return 2 * n_; }
  const Distribution& operator()(const Context& c, Var h) const override {
    return on_tape(c.tape, StudentT(chunk(h, 2, 0), chunk(h, 2, 1), freedom_));
  }
  const std::type_info& distribution() const override { return typeid(StudentT); }
  std::string describe() const override { return cat("posterior: Student-t with ", freedom_, " degrees of freedom"); }

 private:
  Index n_;
  double freedom_;
};

std::unique_ptr<Posterior> StudentTSettings::build(const PosteriorArgs& args) const {
  return std::make_unique<StudentTPosterior>(args.latent_dim, freedom);
}

}  // namespace

VAEZOO_PART(Posterior, full_covariance, FullCovarianceSettings, "N(mean(x), L(x) L(x)^T), L lower triangular")
VAEZOO_PART(Posterior, laplace, LaplaceSettings, "independent Laplace laws")
VAEZOO_PART(Posterior, student_t, StudentTSettings, "independent Student-t laws of chosen degrees of freedom")
