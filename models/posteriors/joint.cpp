// Codes with a part of real numbers and some categorical variables: a diagonal normal, and one-hot vectors that are relaxed in
// training.
//   Dupont, "Learning Disentangled Joint Continuous and Discrete Representations", NeurIPS 2018
#include <numeric>

#include "autodiff/shape_ops.hpp"
#include "models/distributions/categorical.hpp"
#include "models/distributions/joined.hpp"
#include "models/distributions/normal.hpp"
#include "models/posteriors/posterior.hpp"

namespace {

using namespace vaezoo;
using namespace ad;

struct JointSettings {
  std::vector<std::int64_t> discrete{10};
  double temperature = 0.67;

  void fields(Fields& f) {
    f("discrete", discrete, "classes of each categorical variable; what is left of latent_dim are real numbers",
      between(2, 65536));
    f("temperature", temperature, "of the relaxed draws that training sends to the decoder", more_than(0));
    f.require("discrete", !discrete.empty(), "needs at least one variable; without any use posterior normal");
  }
  std::unique_ptr<Posterior> build(const PosteriorArgs& args) const;
};

class JointPosterior final : public Posterior {
 public:
  JointPosterior(Index real, const JointSettings& settings)
      : real_(real),
        classes_(settings.discrete.begin(), settings.discrete.end()),
        temperature_(static_cast<Real>(settings.temperature)) {}
  Index inputs() const override { return std::accumulate(classes_.begin(), classes_.end(), 2 * real_); }
  const Distribution& operator()(const Context& c, Var h) const override {
    auto* const parts = c.tape.scratch<Joined::Part>(1 + std::ssize(classes_));
    parts[0] = {&on_tape(c.tape, normal_of(slice(h, 1, 0, 2 * real_))), real_};
    Index begin = 2 * real_;
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      const OneHotCategorical q = OneHotCategorical::of_logits(slice(h, 1, begin, begin + classes_[i]), classes_[i]);
      begin += classes_[i];
      const Distribution* law = nullptr;
      if (c.training) law = &on_tape(c.tape, RelaxedOneHot(q, temperature_, false));
      else law = &on_tape(c.tape, q);
      parts[1 + i] = {law, classes_[i]};
    }
    return on_tape(c.tape, Joined(c.tape, {parts, 1 + classes_.size()}));
  }
  const std::type_info& distribution() const override { return typeid(Joined); }
  std::vector<Index> classes() const override { return classes_; }
  Support support() const override { return Support::real_and_one_hot; }
  bool density_everywhere() const override { return false; }  // relaxed draws have none
  std::string describe() const override {
    return cat("posterior: ", real_, " normal and ", classes_.size(), " categorical variables, Gumbel-softmax in training");
  }

 private:
  Index real_;
  std::vector<Index> classes_;
  Real temperature_;
};

std::unique_ptr<Posterior> JointSettings::build(const PosteriorArgs& args) const {
  const Index real = args.latent_dim - std::accumulate(discrete.begin(), discrete.end(), Index(0));
  if (real < 1)
    throw ConfigError(cat("model.latent_dim: ", args.latent_dim, " leaves no real number next to the ", args.latent_dim - real,
                          " classes of posterior joint; set it higher, or choose posterior categorical"));
  return std::make_unique<JointPosterior>(real, *this);
}

}  // namespace

VAEZOO_PART(Posterior, joint, JointSettings,
            "a diagonal normal and categorical variables (Dupont, NeurIPS 2018); its prior is joint")
