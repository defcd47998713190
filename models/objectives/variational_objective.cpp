#include "models/objectives/variational_objective.hpp"

#include "autodiff/elementwise.hpp"
#include "autodiff/reduce.hpp"

namespace vaezoo {

using namespace ad;

void RateWeight::visit(Fields& f) {
  f("beta", beta, "weight of the KL", at_least(0));
  kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to beta");
  f("free_bits", free_bits, "nats of KL per latent dimension (of a map: per channel) that cost nothing", at_least(0));
}

std::string RateWeight::describe() const {
  return cat("KL weight ", beta, kl_weight.name == "constant" ? "" : cat(" (", kl_weight.name, ")"),
             free_bits > 0 ? cat(", free bits ", free_bits) : "");
}

void require_normal_code(const ObjectiveArgs& args, const char* name) {
  if (!args.model.has_normal_code())
    throw ConfigError(cat("model.objective: ", name,
                          " needs one code z with a diagonal normal q(z | x); choose posterior normal in a model of one level, or another objective"));
}

void require_plain_weight(const ObjectiveArgs& args, const char* name, const char* own) {
  if (!args.weight.always_one() || args.weight.free_bits > 0)
    throw ConfigError(cat("model.objective: ", name, " has a weight of the KL of its own, ", own,
                          "; set beta to 1, kl_weight to constant and free_bits to 0, or choose elbo"));
}

void require_no_free_bits(const ObjectiveArgs& args, const char* name) {
  if (args.weight.free_bits > 0) throw ConfigError(cat("model.free_bits: they belong to objective elbo, and the objective is ", name, "; set 0"));
}

void VariationalObjective::report(Objective& objective, const Context& c, std::span<const Var> rates, Real beta) const {
  if (rates.size() > 1)
    for (std::size_t i = 0; i < rates.size(); ++i) objective.add(model_.level_terms()[i](rates[i]));
  if (!weight_.always_one()) objective.add(terms::beta(c.tape.constant(Shape{}, beta)));
}

ImportanceObjective::ImportanceObjective(const ObjectiveArgs& args, const char* name) : VariationalObjective(args) {
  if (args.model.relaxed())
    throw ConfigError(cat("model.objective: ", name,
                          " weighs draws by their densities, and the draws of posterior categorical, relaxed in training, have none under the "
                          "prior; choose objective elbo or capacity"));
  if (args.weight.free_bits > 0)
    throw ConfigError(cat("model.free_bits: they belong to the ELBO, and the bound of objective ", name,
                          " has no KL to free; set 0, or objective elbo"));
}

Objective ImportanceObjective::objective(const Context& c, Var bound, const ImportanceSamples& draws, Real beta) const {
  Objective o{-bound,
              {{"bound", bound, "nats", "the bound of log p(x) that training maximises"},
               terms::reconstruction(mean(draws.log_p_x)),
               terms::kl(mean(draws.log_ratio))}};
  Var* const rates = c.tape.scratch<Var>(std::ssize(draws.levels));
  for (std::size_t i = 0; i < draws.levels.size(); ++i) rates[i] = draws.levels.size() > 1 ? mean(draws.levels[i]) : Var();
  report(o, c, {rates, draws.levels.size()}, beta);
  return o;
}

}  // namespace vaezoo
