// Priors of real codes with heavier tails than the normal's.
#include "models/distributions/real_laws.hpp"

#include "models/priors/prior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

class LaplacePrior final : public Prior {
 public:
  explicit LaplacePrior(Index latent_dim) : n_(latent_dim) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    const Var zero = c.tape.constant({rows, n_}, Real(0));
    return on_tape(c.tape, Laplace(zero, zero));
  }
  const std::type_info& distribution() const override { return typeid(Laplace); }
  std::string describe() const override { return "prior: Laplace(0, 1)"; }

 private:
  Index n_;
};

struct LaplaceSettings {
  void fields(Fields&) {}
  std::unique_ptr<Prior> build(const PriorArgs& args) const { return std::make_unique<LaplacePrior>(args.latent_dim); }
};

class StudentTPrior final : public Prior {
 public:
  StudentTPrior(Index latent_dim, double freedom) : n_(latent_dim), freedom_(freedom) {}
  const Distribution& operator()(const Context& c, Index rows) const override {
    const Var zero = c.tape.constant({rows, n_}, Real(0));
    return on_tape(c.tape, StudentT(zero, zero, freedom_));
  }
  const std::type_info& distribution() const override { return typeid(StudentT); }
  std::string describe() const override { return cat("prior: Student-t with ", freedom_, " degrees of freedom"); }

 private:
  Index n_;
  double freedom_;
};

struct StudentTSettings {
  double freedom = 5;

  void fields(Fields& f) { f("freedom", freedom, "degrees of freedom of each dimension", more_than(0)); }
  std::unique_ptr<Prior> build(const PriorArgs& args) const { return std::make_unique<StudentTPrior>(args.latent_dim, freedom); }
};

}  // namespace

VAEZOO_PART(Prior, laplace, LaplaceSettings, "Laplace(0, 1) in each dimension; with posterior laplace the KL in closed form")
VAEZOO_PART(Prior, student_t, StudentTSettings, "Student-t in each dimension")
