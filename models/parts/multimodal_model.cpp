#include "models/parts/multimodal_model.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <new>

#include "autodiff/elementwise.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/importance_bounds.hpp"

namespace vaezoo {

using namespace ad;

namespace {

/// sum_s w_is N(mean_is, diag variance_is) of row i: components and log weights of their own for each row.
class RowMixture final : public Distribution {
 public:
  RowMixture(std::span<const DiagonalNormal> components, std::span<const Var> log_weights)
      : components_(components), log_weights_(log_weights) {}

  /// A component for each row first, then z from it; a constant.
  Draw rsample(Key key) const override {
    Tape& tape = log_weights_[0].tape();
    const Index rows = log_weights_[0].size();
    Real* const u = tape.scratch(rows);
    fill_uniform(key.fold("component"), {u, static_cast<std::size_t>(rows)});
    Index* const pick = tape.scratch<Index>(rows);
    for (Index i = 0; i < rows; ++i) {  // the inverse of the distribution function, over the components that the row has
      Real below = 0;
      for (std::size_t s = 0; s < log_weights_.size(); ++s) {
        const Real w = std::exp(log_weights_[s].data()[i]);
        if (w == 0) continue;
        pick[i] = static_cast<Index>(s) * rows + i;
        if ((below += w) > u[i]) break;
      }
    }
    const std::span<const Index> picks(pick, static_cast<std::size_t>(rows));
    Var* const parts = tape.scratch<Var>(2 * std::ssize(components_));
    const std::span<Var> means(parts, components_.size()), log_variances(parts + components_.size(), components_.size());
    std::ranges::transform(components_, means.begin(), &DiagonalNormal::mean);
    std::ranges::transform(components_, log_variances.begin(), &DiagonalNormal::log_variance);
    const DiagonalNormal q(embedding(stop_gradient(concat(means, 0)), picks),
                           embedding(stop_gradient(concat(log_variances, 0)), picks));
    return q.rsample(key.fold("z"));
  }
  Var log_prob(Var z) const override {
    Tape& tape = z.tape();
    const std::span<Var> terms(tape.scratch<Var>(std::ssize(components_)), components_.size());
    for (std::size_t s = 0; s < terms.size(); ++s) terms[s] = components_[s].log_prob(z) + log_weights_[s];
    return logsumexp(stack(terms, 1), 1);
  }
  Var center() const override { return moments().mean; }
  DiagonalNormal moments() const {
    Var mean, square_mean;
    for (std::size_t s = 0; s < components_.size(); ++s) {
      const DiagonalNormal& q = components_[s];
      const Var w = unsqueeze(exp(log_weights_[s]), 1), first = w * q.mean, second = w * (exp(q.log_variance) + square(q.mean));
      mean = s == 0 ? first : mean + first;
      square_mean = s == 0 ? second : square_mean + second;
    }
    return {mean, log(square_mean - square(mean))};
  }
  const Distribution& detached() const override { throw Error("[RowMixture] has no detached form"); }

 private:
  std::span<const DiagonalNormal> components_;
  std::span<const Var> log_weights_;  // [N] each
};

/// Was modality m of row i observed, in part at least? [M][B]
std::span<Real> seen_rows(Tape& tape, const Minibatch& batch, Index begin, Index end) {
  const Index rows = batch.x.shape()[0], width = batch.x.shape()[1];
  Real* const seen = tape.scratch(rows);
  for (Index i = 0; i < rows; ++i) {
    const auto cells = batch.mask ? batch.mask.value().subspan(static_cast<std::size_t>(i * width + begin),
                                                               static_cast<std::size_t>(end - begin))
                                  : std::span<const Real>();
    seen[i] = !batch.mask || std::ranges::any_of(cells, [](Real m) { return m != 0; }) ? Real(1) : Real(0);
  }
  return {seen, static_cast<std::size_t>(rows)};
}

/// The normalised product of normals, and of N(0, I) where `with_prior`.
DiagonalNormal product_of(std::span<const DiagonalNormal> experts, std::span<const std::span<Real>> seen, std::uint32_t members,
                          bool with_prior) {
  Var precision, weighted;
  for (std::size_t m = 0; m < experts.size(); ++m) {
    if ((members >> m & 1u) == 0) continue;
    Var t = exp(-experts[m].log_variance);
    if (with_prior) t = t * t.tape().constant({std::ssize(seen[m]), 1}, std::span<const Real>(seen[m]));  // nothing seen: no part
    const Var mean = t * experts[m].mean;
    precision = precision ? precision + t : t;
    weighted = weighted ? weighted + mean : mean;
  }
  if (with_prior) precision = precision + Real(1);
  return {weighted / precision, -log(precision)};
}

/// The mixture of components with their weights, each row `samples` times.
template <class Component>
RowMixture mixture_of(Tape& tape, std::span<const Component> parts, Index samples) {
  const auto count = std::ssize(parts);
  const std::span<DiagonalNormal> normals(tape.scratch<DiagonalNormal>(count), parts.size());
  const std::span<Var> log_weights(tape.scratch<Var>(count), parts.size());
  for (std::size_t s = 0; s < parts.size(); ++s) {
    const Index rows = std::ssize(parts[s].weight);
    new (&normals[s]) DiagonalNormal(repeat_rows(parts[s].q, samples));
    Real* const log_w = tape.scratch(rows * samples);
    for (Index i = 0; i < rows * samples; ++i) {
      const Real w = parts[s].weight[static_cast<std::size_t>(i / samples)];
      log_w[i] = w > 0 ? std::log(w) : Real(-1e30);  // of a component that the example does not have
    }
    log_weights[s] = tape.constant({rows * samples}, std::span<const Real>(log_w, static_cast<std::size_t>(rows * samples)));
  }
  return {normals, log_weights};
}

std::span<Real> numbers(Tape& tape, std::size_t count, Real value) {
  const std::span<Real> all(tape.scratch(static_cast<Index>(count)), count);
  std::ranges::fill(all, value);
  return all;
}

/// A mixture of nothing is no law: an example of which nothing was observed has all experts, which saw zeros.
void expect_something(std::span<const std::span<Real>> seen) {
  for (std::size_t i = 0; i < seen[0].size(); ++i)
    if (std::ranges::all_of(seen, [&](const auto& of) { return of[i] == 0; }))
      for (const std::span<Real> of : seen) of[i] = 1;
}

/// `times` copies, one after the other.
Var tile(Var x, Index times) {
  if (!x || times == 1) return x;
  const std::span<Var> copies(x.tape().scratch<Var>(times), static_cast<std::size_t>(times));
  std::ranges::fill(copies, x);
  return concat(copies, 0);
}

}  // namespace

void MultimodalConfig::fields(Fields& f) {
  AutoencoderConfig::fields(f);
  f.choice("experts", experts, {"product", "mixture", "mixture_of_products"},
           "how q(z | x) is made of what each modality says: the product of p(z) and all experts, the mixture of the experts, or the "
           "mixture of the products of every subset of them");
  fields_of_bound(f);
}

void MultimodalConfig::fields_of_bound(Fields& f) {
  f("importance_samples", importance_samples,
    "0: each component of a mixture has an ELBO, with its KL in closed form; K: each has K draws that are weighted by the density "
    "of the whole mixture, a tighter bound",
    between(0, 10'000));
  f.require("importance_samples", importance_samples == 0 || experts != "product",
            "weighs the components of a mixture; set it to 0");
  f("rescale", rescale,
    "weigh log p(x_m | z) by the size of the largest modality over that of x_m, so that small ones are not passed over");
  f("beta", beta, "weight of the KL", at_least(0));
  kl_weight.visit(f, "kl_weight", "how the weight of the KL rises to 1");
  log_variance.visit(f);
}

namespace {

/// The data of one modality.
DataSpec spec_of(const ModalitySpec& m, const DataSpec& data) {
  DataSpec part = data;
  part.height = m.height, part.width = m.width, part.channels = m.channels;
  part.modalities.clear();
  return part;
}

}  // namespace

MultimodalModel::ModalityParts::ModalityParts(const MultimodalConfig& config, const ModalitySpec& spec, const DataSpec& data,
                                              Real scale_, const Parameters& p_)
    : begin(spec.begin),
      end(spec.begin + spec.size()),
      scale(scale_),
      q(config.encoder, spec_of(spec, data), 2 * config.latent_dim, p_ / "encoder" / spec.name, {}, config.corruption),
      p(config.decoder, config.likelihood, config.latent_dim, spec_of(spec, data), p_ / "decoder" / spec.name),
      reconstruction(terms::part_of(terms::reconstruction({}), spec.name, "modality " + spec.name)) {}

MultimodalModel::MultimodalModel(const MultimodalConfig& config, const DataSpec& data, Parameters p) : config_(config) {
  if (data.modalities.empty())
    throw ConfigError(
        cat("model: has a code of several modalities, and ", data.name,
            " is one; choose another model, name its parts in dataset.modalities, or take the data set poly_digits"));
  if (data.modalities.size() > 8)
    throw ConfigError(cat("model: ", data.modalities.size(), " modalities have too many subsets; 8 is the most"));
  Index largest = 0;
  for (const ModalitySpec& m : data.modalities) largest = std::max(largest, m.size());
  modalities_.reserve(data.modalities.size());
  for (const ModalitySpec& m : data.modalities)
    modalities_.emplace_back(config, m, data, config.rescale ? static_cast<Real>(double(largest) / double(m.size())) : Real(1),
                             p);
  if (!mixture()) members_.push_back(everything());
  for (std::uint32_t s = 1; s <= everything(); ++s)
    if (std::has_single_bit(s) || config_.experts == "mixture_of_products") members_.push_back(s);
}

std::span<const MultimodalModel::Component> MultimodalModel::infer(const Context& c, const Minibatch& batch) const {
  Tape& tape = c.tape;
  const std::size_t count = modalities_.size();
  const auto rows = static_cast<std::size_t>(batch.x.shape()[0]);
  const std::span<std::span<Real>> seen(tape.scratch<std::span<Real>>(std::ssize(modalities_)), count);
  const std::span<DiagonalNormal> experts(tape.scratch<DiagonalNormal>(std::ssize(modalities_)), count);
  for (std::size_t m = 0; m < count; ++m) {
    const ModalityParts& part = modalities_[m];
    seen[m] = seen_rows(tape, batch, part.begin, part.end);
    new (&experts[m]) DiagonalNormal(config_.log_variance(normal_of(part.q(c, slice(batch.x, 1, part.begin, part.end)))));
  }

  if (mixture()) expect_something(seen);
  const std::span<Component> components(tape.scratch<Component>(std::ssize(members_)), members_.size());
  const std::span<Real> total = numbers(tape, rows, 0);
  const auto seen_of = [&](std::size_t i) { return std::ranges::count_if(seen, [i](const auto& of) { return of[i] != 0; }); };
  for (std::size_t k = 0; k < members_.size(); ++k) {
    const std::uint32_t s = members_[k];
    const std::span<Real> weight = numbers(tape, rows, 1);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t m = 0; m < count; ++m)
        if ((s >> m & 1u) != 0) weight[i] *= seen[m][i];
      // Of a product, q(z | all that was observed) counts always, and q(z | x_m) where it is another one.
      if (!mixture()) weight[i] = s == everything() ? Real(1) : seen_of(i) > 1 ? weight[i] : Real(0);
      total[i] += weight[i];
    }
    const bool expert_itself = mixture() && std::has_single_bit(s);
    const DiagonalNormal& q = expert_itself ? experts[static_cast<std::size_t>(std::countr_zero(s))] : product_of(experts, seen, s, !mixture());
    new (&components[k]) Component{q, weight, mixture() ? everything() : s};
  }
  if (mixture())
    for (const Component& component : components)
      for (std::size_t i = 0; i < rows; ++i) component.weight[i] /= total[i];
  return components;
}

DiagonalNormal MultimodalModel::posterior(const Context& c, const Minibatch& batch) const {
  const std::span<const Component> q = infer(c, batch);
  return mixture() ? mixture_of(c.tape, q, 1).moments() : q.front().q;
}

ElboTerms MultimodalModel::elbo(const Context& c, const Minibatch& batch, Code code) const {
  const std::span<const Component> components = infer(c, batch);
  const StandardNormal p(c.tape, batch.x.shape()[0], config_.latent_dim);
  if (!mixture()) {
    const DiagonalNormal& q = components.front().q;
    const Var z = code == Code::mean ? q.mean : q.rsample(c.key.fold("z")).value;
    return {log_p_x(c, z, batch), kl(q, p), kl_per_dimension(q, p)};
  }
  const RowMixture q = mixture_of(c.tape, components, 1);
  const Draw z = q.rsample(c.key.fold("z"));
  return {log_p_x(c, code == Code::mean ? q.center() : z.value, batch), q.log_prob(z.value) - p.log_prob(z.value), {}};
}

Var MultimodalModel::log_weights(const Context& c, const Minibatch& batch, Index samples) const {
  const std::span<const Component> components = infer(c, batch);
  const StandardNormal p(c.tape, batch.x.shape()[0] * samples, config_.latent_dim);
  const auto weigh = [&](const Distribution& q) {
    const Var z = q.rsample(c.key.fold("z")).value;
    return reshape(log_p_x(c, z, batch) + p.log_prob(z) - q.log_prob(z), {-1, samples});
  };
  return mixture() ? weigh(mixture_of(c.tape, components, samples)) : weigh(repeat_rows(components.front().q, samples));
}

Objective MultimodalModel::objective(const Context& c, const Minibatch& batch) const {
  const std::span<const Component> q = infer(c, batch);
  return config_.importance_samples > 0 ? importance_objective(c, batch, q) : elbo_objective(c, batch, q);
}

/// The sum over components of weight (E_q log p(x_decoded | z) - beta KL(q || p)), each with a draw of its own.
Objective MultimodalModel::elbo_objective(const Context& c, const Minibatch& batch, std::span<const Component> q) const {
  const Index rows = batch.x.shape()[0];
  const Real per_row = Real(1) / static_cast<Real>(rows), beta = kl_weight(c);
  const StandardNormal p(c.tape, rows, config_.latent_dim);
  const std::span<Var> z(c.tape.scratch<Var>(std::ssize(q)), q.size()), w(c.tape.scratch<Var>(std::ssize(q)), q.size());
  Var loss, rate;  // the rate that is reported: of a product that of q(z | all that was observed)
  for (std::size_t k = 0; k < q.size(); ++k) {
    z[k] = q[k].q.rsample(c.key.fold("z").fold(k)).value;
    w[k] = c.tape.constant({rows}, std::span<const Real>(q[k].weight));
    const Var weighted = sum(w[k] * kl(q[k].q, p)) * per_row;
    loss = k == 0 ? beta * weighted : loss + beta * weighted;
    if (k == 0 || mixture()) rate = k == 0 ? weighted : rate + weighted;
  }
  const std::span<Var> reconstructions(c.tape.scratch<Var>(std::ssize(modalities_)), modalities_.size());
  const std::span<Var> codes(c.tape.scratch<Var>(std::ssize(q)), q.size()), weights(c.tape.scratch<Var>(std::ssize(q)), q.size());
  for (std::size_t m = 0; m < modalities_.size(); ++m) {
    std::size_t used = 0;
    for (std::size_t k = 0; k < q.size(); ++k)
      if ((q[k].decoded >> m & 1u) != 0) codes[used] = z[k], weights[used++] = w[k];
    const ModalityParts& part = modalities_[m];
    const auto times = static_cast<Index>(used);
    const Var x = slice(batch.x, 1, part.begin, part.end), mask = batch.mask ? slice(batch.mask, 1, part.begin, part.end) : Var{};
    const Var log_p =
        part.p.log_prob(c, concat(codes.first(used), 0), tile(x, times), tile(mask, times)) * concat(weights.first(used), 0);
    loss = loss - sum(log_p) * (part.scale * per_row);
    reconstructions[m] = sum(mixture() ? log_p : slice(log_p, 0, 0, rows)) * per_row;
  }
  Var reconstruction = reconstructions[0];
  for (const Var r : reconstructions.subspan(1)) reconstruction = reconstruction + r;
  return with_terms({loss, {terms::reconstruction(reconstruction), terms::kl(rate)}}, c, reconstructions);
}

/// sum_s weight_s E log 1/K sum_k p(x, z_k) / q(z_k | x), z_k ~ q_s, with the density q of the whole mixture.   Shi et al. 2019,
/// eq. (5)
Objective MultimodalModel::importance_objective(const Context& c, const Minibatch& batch, std::span<const Component> q) const {
  const Index rows = batch.x.shape()[0], samples = config_.importance_samples;
  const auto count = static_cast<Index>(q.size());
  const Real per_row = Real(1) / static_cast<Real>(rows), beta = kl_weight(c);
  const StandardNormal p(c.tape, rows * samples, config_.latent_dim);
  const RowMixture whole = mixture_of(c.tape, q, samples);
  const std::span<Var> z(c.tape.scratch<Var>(count), q.size()), rate(c.tape.scratch<Var>(count), q.size()),
      w(c.tape.scratch<Var>(count), q.size());
  for (std::size_t k = 0; k < q.size(); ++k) {
    z[k] = repeat_rows(q[k].q, samples).rsample(c.key.fold("z").fold(k)).value;
    rate[k] = whole.log_prob(z[k]) - p.log_prob(z[k]);
    w[k] = c.tape.constant({rows}, std::span<const Real>(q[k].weight));
  }
  const Var codes = concat(z, 0), rates = concat(rate, 0), weight = concat(w, 0);  // [S B K, Z], [S B K], [S B]
  const auto mean_over_draws = [&](Var v) { return sum(weight * mean(reshape(v, {-1, samples}), Axes{1})) * per_row; };
  const std::span<Var> reconstructions(c.tape.scratch<Var>(std::ssize(modalities_)), modalities_.size());
  Var log_w = -beta * rates, reconstruction;
  for (std::size_t m = 0; m < modalities_.size(); ++m) {
    const ModalityParts& part = modalities_[m];
    const Var x = slice(batch.x, 1, part.begin, part.end), mask = batch.mask ? slice(batch.mask, 1, part.begin, part.end) : Var{};
    const Var log_p = part.p.log_prob(c, codes, tile(x, count), tile(mask, count));
    log_w = log_w + log_p * part.scale;
    reconstructions[m] = mean_over_draws(log_p);
    reconstruction = m == 0 ? reconstructions[m] : reconstruction + reconstructions[m];
  }
  const Var bound = sum(weight * log_mean_exp(reshape(log_w, {-1, samples}))) * per_row;
  return with_terms({-bound,
                     {terms::reconstruction(reconstruction),
                      terms::kl(mean_over_draws(rates)),
                      {"bound", bound, "nats", "log 1/K sum_k p(x, z_k) / q(z_k|x), the components' mean; higher is better"}}},
                    c, reconstructions);
}

Objective MultimodalModel::with_terms(Objective o, const Context& c, std::span<const Var> reconstructions) const {
  for (std::size_t m = 0; m < modalities_.size(); ++m) o.add(modalities_[m].reconstruction(reconstructions[m]));
  if (config_.beta != 1 || config_.kl_weight.name != "constant") o.add(terms::beta(c.tape.constant(Shape{}, kl_weight(c))));
  return o;
}

/// log p(x | z) of what was observed, for x of one row for some neighbouring rows of z.
Var MultimodalModel::log_p_x(const Context& c, Var z, const Minibatch& batch) const {
  Var total;
  for (const ModalityParts& part : modalities_) {
    const Var x = slice(batch.x, 1, part.begin, part.end), mask = batch.mask ? slice(batch.mask, 1, part.begin, part.end) : Var{};
    const Var log_p = part.p.log_prob(c, z, x, mask);
    total = total ? total + log_p : log_p;
  }
  return total;
}

Var MultimodalModel::decoded(const Context& c, Var z, Var (Decoder::*how)(const Context&, Var) const) const {
  const std::span<Var> parts(c.tape.scratch<Var>(std::ssize(modalities_)), modalities_.size());
  for (std::size_t m = 0; m < modalities_.size(); ++m) {
    Context own = c;
    own.key = c.key.fold(m);
    parts[m] = (modalities_[m].p.*how)(own, z);
  }
  return concat(parts, 1);
}

Var MultimodalModel::decode(const Context& c, Var z, const Minibatch&) const { return decoded(c, z, &Decoder::mean); }
Var MultimodalModel::sample_x(const Context& c, Var z, const Minibatch&) const { return decoded(c, z, &Decoder::sample); }
Var MultimodalModel::sample_prior(const Context& c, Index count, const Minibatch&) const {
  return StandardNormal(c.tape, count, config_.latent_dim).rsample(c.key.fold("z")).value;
}

std::string MultimodalModel::describe() const {
  const std::string q = config_.experts == "product"   ? "q(z|x) the product of p(z) and the experts"
                        : config_.experts == "mixture" ? "q(z|x) the mixture of the experts"
                                                       : "q(z|x) the mixture of the products of experts";
  const std::string bound = config_.experts == "product" ? "-ELBO(x) - sum_m ELBO(x_m)"
                            : config_.importance_samples == 0
                                ? "the components' mean of -ELBO"
                                : cat("the components' mean of -log 1/K sum w, K = ", config_.importance_samples);
  return cat(bound, ", KL weight ", config_.beta, "; ", modalities_.size(), " modalities, ", q, "; ",
             modalities_.front().p.likelihood().describe());
}

}  // namespace vaezoo
