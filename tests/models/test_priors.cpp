#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/linalg.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/random_ops.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "config/reader.hpp"
#include "models/priors/prior.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;
using Values = LikelihoodCase::Values;

namespace {

constexpr double kTolerance = sizeof(Real) == 4 ? 2e-5 : 1e-12;
constexpr Index kLatent = 3, kData = 4;

std::vector<Real> numbers(Index count, std::uint64_t seed, Real mean = 0, Real deviation = 1) {
  std::vector<Real> v(static_cast<std::size_t>(count));
  ad::fill_normal(Key(seed), v, mean, deviation);
  return v;
}

/// log N(z; mean, diag exp(log_variance)) with a plain loop, in double.
double log_normal(const Real* z, const Real* mean, const Real* log_variance, Index n) {
  double total = 0;
  for (Index j = 0; j < n; ++j) {
    const double sigma = std::exp(0.5 * double(log_variance[j])), e = (double(z[j]) - double(mean[j])) / sigma;
    total -= 0.5 * e * e + std::log(sigma) + 0.5 * std::log(2 * std::numbers::pi);
  }
  return total;
}

double log_sum_exp(const std::vector<double>& x) {
  const double largest = std::ranges::max(x);
  double total = 0;
  for (const double v : x) total += std::exp(v - largest);
  return largest + std::log(total);
}

/// A prior with its own store; the vampprior's q(z | x) is linear in x.
struct Subject {
  ParameterStore store{Key(3)};
  ad::Linear q{ad::Parameters(store) / "q", kData, 2 * kLatent};
  std::unique_ptr<Prior> prior;

  explicit Subject(const PriorConfig& config, bool unit_interval = true)
      : prior(config.build({kLatent, {.height = 1, .width = kData, .channels = 1, .unit_interval = unit_interval},
                            [this](const Context& c, Var x) { return q_z(c, x); }, ad::Parameters(store) / "prior"})) {}
  DiagonalNormal q_z(const Context& c, Var x) const {
    const Var h = q(c, x);
    return {ad::chunk(h, 2, 0), ad::chunk(h, 2, 1)};
  }
  std::span<Real> values(const char* path) { return store.find(path)->value(); }
};

PriorConfig named(const char* name, std::int64_t components) {
  PriorConfig config;
  const nlohmann::json settings{{"name", name}, {"components", components}};
  read_config({{"prior", settings}}, "test", [&](Fields& f) { config.visit(f); });
  return config;
}

/// A mixture of unlike components and unlike weights.
void spread(Subject& s) {
  std::ranges::copy(numbers(std::ssize(s.values("prior/mean")), 21, 0, 2), s.values("prior/mean").begin());
  std::ranges::copy(numbers(std::ssize(s.values("prior/mean")), 22, -1), s.values("prior/log_variance").begin());
  std::ranges::copy(numbers(std::ssize(s.values("prior/logits")), 23), s.values("prior/logits").begin());
}

/// What the components and weights of a prior are, read from its parameters.
struct Components {
  std::vector<std::vector<Real>> mean, log_variance;
  std::vector<double> weight;
};
Components components_of(Subject& s, const std::string& name) {
  Components out;
  if (name == "mixture") {
    const auto mean = s.values("prior/mean"), log_variance = s.values("prior/log_variance"), logits = s.values("prior/logits");
    std::vector<double> l(logits.begin(), logits.end());
    for (std::size_t k = 0; k < l.size(); ++k) {
      out.mean.emplace_back(mean.begin() + static_cast<std::ptrdiff_t>(k) * kLatent,
                            mean.begin() + static_cast<std::ptrdiff_t>(k + 1) * kLatent);
      out.log_variance.emplace_back(log_variance.begin() + static_cast<std::ptrdiff_t>(k) * kLatent,
                                    log_variance.begin() + static_cast<std::ptrdiff_t>(k + 1) * kLatent);
      out.weight.push_back(std::exp(l[k] - log_sum_exp(l)));
    }
    return out;
  }
  const auto u = s.values("prior/pseudo_inputs"), w = s.values("q/weight"), b = s.values("q/bias");
  const std::size_t count = u.size() / kData;
  for (std::size_t k = 0; k < count; ++k) {
    std::vector<Real> h;
    for (std::size_t o = 0; o < 2 * kLatent; ++o) {
      double v = double(b[o]);
      for (std::size_t i = 0; i < kData; ++i) v += double(w[o * kData + i]) * std::clamp(double(u[k * kData + i]), 0.0, 1.0);
      h.push_back(static_cast<Real>(v));
    }
    out.mean.emplace_back(h.begin(), h.begin() + kLatent);
    out.log_variance.emplace_back(h.begin() + kLatent, h.end());
    out.weight.push_back(1 / double(count));
  }
  return out;
}

bool has_prior(const ModelEntry& entry) {
  return message_of([&] {
           build_small(entry, likelihood_cases()[0].settings, data_spec(Values::binary), R"({"prior": {"name": "vampprior"}})");
         })
      .empty();
}

const std::string kMixture = R"({"prior": {"name": "mixture", "components": 4}})",
                  kVamp = R"({"prior": {"name": "vampprior", "components": 5}})",
                  kRealNvp = R"({"prior": {"name": "realnvp", "length": 2, "hidden": [4]}})",
                  kMaf = R"({"prior": {"name": "maf", "length": 2, "hidden": [4]}})";

}  // namespace

TEST_CASE("log_prob_table is a double loop over codes and components, for sizes beside a register's and a task's") {
  for (const Index n : {0, 1, 3, 5, 33})
    for (const Index k : {1, 2, 7, 16, 40})
      for (const Index d : {1, 3, 16, 21}) {
        CAPTURE(n);
        CAPTURE(k);
        CAPTURE(d);
        Tape tape;
        const auto z = numbers(n * d, 1, 0, 2), m = numbers(k * d, 2), l = numbers(k * d, 3), w = numbers(k, 4);
        const Var y =
            log_prob_table(tape.constant({n, d}, z), {tape.constant({k, d}, m), tape.constant({k, d}, l)}, tape.constant({k}, w));
        REQUIRE(y.shape() == Shape{n, k});
        double worst = 0;
        for (Index i = 0; i < n; ++i)
          for (Index c = 0; c < k; ++c) {
            const double truth =
                double(w[static_cast<std::size_t>(c)]) + log_normal(z.data() + i * d, m.data() + c * d, l.data() + c * d, d);
            worst = std::max(worst, std::abs(double(y.data()[i * k + c]) - truth) / (20 + std::abs(truth)));
          }
        CHECK(worst < kTolerance);
      }
}

TEST_CASE("log_prob_table keeps its digits for a narrow component far from zero") {
  // z - mean is a thousandth at a distance of 8 from zero, sigma too: expanded into z^2 - 2 z m + m^2 the squares of size 64 million
  // would leave errors of some units.
  Tape tape;
  const Real mean = 8, z = mean + Real(1) / 1024, l = static_cast<Real>(-20 * std::log(2.0));
  const Var y = log_prob_table(tape.constant({1, 1}, z), {tape.constant({1, 1}, mean), tape.constant({1, 1}, l)},
                               tape.constant({1}, Real(0)));
  CHECK(double(y.item()) == doctest::Approx(-0.5 + 10 * std::log(2.0) - 0.5 * std::log(2 * std::numbers::pi)).epsilon(1e-6));
}

TEST_CASE("log_prob_table: gradients match differences, and have the same bits at any number of threads") {
  const Index n = 21, k = 19, d = 5;
  const std::vector<ad::GradcheckInput> inputs{
      {{n, d}, numbers(n * d, 1)}, {{k, d}, numbers(k * d, 2)}, {{k, d}, numbers(k * d, 3, 0, Real(0.5))}, {{k}, numbers(k, 4)}};
  const auto report = ad::gradcheck(
      [](Tape&, std::span<const Var> x) {
        return ad::logsumexp(log_prob_table(x[0], {x[1], x[2]}, x[3]), 1);
      },
      inputs);
  CHECK_MESSAGE(report.passed, report.text());

  const auto run = [&] {
    Tape tape;
    std::vector<Var> x;
    for (const auto& i : inputs) x.push_back(tape.variable(i.shape, i.values));
    const Var y = ad::logsumexp(log_prob_table(x[0], {x[1], x[2]}, x[3]), 1);
    tape.backward(ad::sum(y));
    std::vector<Real> out(y.value().begin(), y.value().end());
    for (const Var& v : x) out.insert(out.end(), v.gradient().begin(), v.gradient().end());
    return out;
  };
  const int before = ad::threads();
  ad::set_threads(1);
  const auto one = run();
  ad::set_threads(3);
  CHECK(run() == one);
  ad::set_threads(before);
}

TEST_CASE("log_prob_table refuses shapes that do not fit") {
  Tape tape;
  const auto at = [&](const Shape& s) { return tape.constant(s, Real(0)); };
  CHECK_THROWS_WITH_AS(log_prob_table(at({2, 3}), {at({4, 2}), at({4, 2})}, at({4})),
                       "[log_prob_table] needs codes [N, Z], normals [K, Z] and log weights [K], got [2, 3], [4, 2] and [4]",
                       ad::ShapeError);
  CHECK_THROWS_AS(log_prob_table(at({2, 3}), {at({4, 3}), at({4, 2})}, at({4})), ad::ShapeError);
  CHECK_THROWS_AS(log_prob_table(at({2, 3}), {at({4, 3}), at({4, 3})}, at({3})), ad::ShapeError);
}

TEST_CASE("the densities of mixture and vampprior are sums over their components") {
  for (const std::string name : {"mixture", "vampprior"}) {
    CAPTURE(name);
    Subject s(named(name.c_str(), 6));
    if (name == "mixture") spread(s);
    // Some pseudo-inputs lie outside of [0, 1] and count as its ends.
    if (name == "vampprior") std::ranges::copy(numbers(6 * kData, 5, Real(0.5), 1), s.values("prior/pseudo_inputs").begin());
    const Components all = components_of(s, name);
    const std::vector<Real> z = numbers(40 * kLatent, 6, 0, 3);
    Tape tape;
    const Var got = (*s.prior)({tape, false, Key(1)}, 40).log_prob(tape.constant({40, kLatent}, z));
    for (Index i = 0; i < 40; ++i) {
      std::vector<double> terms;
      for (std::size_t k = 0; k < all.mean.size(); ++k)
        terms.push_back(std::log(all.weight[k]) +
                        log_normal(z.data() + i * kLatent, all.mean[k].data(), all.log_variance[k].data(), kLatent));
      CHECK(double(got.data()[i]) == doctest::Approx(log_sum_exp(terms)).epsilon(kTolerance));
    }
    CHECK_FALSE(has_closed_form_kl(typeid(DiagonalNormal), s.prior->distribution()));
  }
}

TEST_CASE("draws have the mixture's own mean and variance, and each component its share") {  // |z| < 5
  constexpr Index draws = 40'000;
  for (const std::string name : {"mixture", "vampprior"}) {
    CAPTURE(name);
    Subject s(named(name.c_str(), 5));
    if (name == "mixture") spread(s);
    if (name == "vampprior") {
      std::ranges::copy(numbers(5 * kData, 5, Real(0.5), 1), s.values("prior/pseudo_inputs").begin());
      for (Real& w : s.values("q/weight")) w *= 5;  // components apart
    }
    const Components all = components_of(s, name);
    Tape tape(ad::Grad::off);
    const Var z = (*s.prior)({tape, false, Key(8)}, draws).rsample(Key(8)).value;
    REQUIRE(z.shape() == Shape{draws, kLatent});
    for (std::size_t j = 0; j < kLatent; ++j) {
      double mean = 0, second = 0;
      for (std::size_t k = 0; k < all.mean.size(); ++k) {
        mean += all.weight[k] * double(all.mean[k][j]);
        second += all.weight[k] * (std::pow(double(all.mean[k][j]), 2) + std::exp(double(all.log_variance[k][j])));
      }
      Sample first_moment, second_moment;
      for (Index i = 0; i < draws; ++i) {
        const double v = double(z.data()[i * kLatent + static_cast<Index>(j)]);
        first_moment.add(v);
        second_moment.add(v * v);
      }
      CHECK(std::abs(first_moment.z(mean)) < 5);
      CHECK(std::abs(second_moment.z(second)) < 5);
    }
    // E[p(component k | z)] over z ~ p is its weight.
    std::vector<Sample> share(all.mean.size());
    for (Index i = 0; i < draws; i += 8) {
      std::vector<double> terms;
      for (std::size_t k = 0; k < all.mean.size(); ++k)
        terms.push_back(std::log(all.weight[k]) +
                        log_normal(z.data() + i * kLatent, all.mean[k].data(), all.log_variance[k].data(), kLatent));
      for (std::size_t k = 0; k < terms.size(); ++k) share[k].add(std::exp(terms[k] - log_sum_exp(terms)));
    }
    for (std::size_t k = 0; k < share.size(); ++k) CHECK(std::abs(share[k].z(all.weight[k])) < 5);
  }
}

TEST_CASE(
    "one component N(0, I) is the standard normal prior, and its estimated KL has the closed form as its mean") {  // |z| < 5
  constexpr Index rows = 20'000;
  Subject one(named("mixture", 1)), standard(PriorConfig{});
  std::ranges::fill(one.values("prior/mean"), Real(0));
  Tape tape(ad::Grad::off);
  const Context c{tape, false, Key(1)};
  const DiagonalNormal q{tape.constant({rows, kLatent}, Real(0.7)), tape.constant({rows, kLatent}, Real(-1))};
  const Distribution &mixture = (*one.prior)(c, rows), &normal = (*standard.prior)(c, rows);
  const Draw z = q.rsample(Key(2));
  const Var log_p = mixture.log_prob(z.value), log_n = normal.log_prob(z.value);
  const Distribution& law = q;
  const Var estimated = kl(law, mixture, z), exact = kl(law, normal, z);
  Sample kl;
  for (Index i = 0; i < rows; ++i) {
    CHECK(double(log_p.data()[i]) == doctest::Approx(double(log_n.data()[i])).epsilon(kTolerance));
    kl.add(double(estimated.data()[i]));
  }
  CHECK(std::abs(kl.z(double(exact.data()[0]))) < 5);
  CHECK_FALSE(kl_per_dimension(law, mixture));
  CHECK(kl_per_dimension(law, normal).shape() == Shape{rows, kLatent});
}

TEST_CASE("the vampprior starts from the first training examples; with too few the rest keep their random start") {
  for (const Index examples : {3, 4, 9}) {
    Subject s(named("vampprior", 4));
    CHECK(s.prior->initial_examples() == 4);
    const auto u = s.values("prior/pseudo_inputs");
    const std::vector<Real> before(u.begin(), u.end()), x = numbers(examples * kData, 9, Real(0.5), Real(0.1));
    Tape tape;
    s.prior->initialize({tape, false, Key(1)}, tape.constant({examples, kData}, x));
    for (std::size_t i = 0; i < u.size(); ++i) CHECK(u[i] == (i < x.size() ? x[i] : before[i]));
    for (const Real v : before) CHECK((v > 0 && v < Real(0.1)));
  }
}

TEST_CASE("realnvp and maf: N(0, I) at first; with any weights its density integrates to one, and its draws have it") {  // |z| < 5
  for (const std::string name : {"realnvp", "maf"}) {
    CAPTURE(name);
    PriorConfig config;
    read_config(nlohmann::json::parse("{\"prior\": {\"name\": \"" + name + "\", \"length\": 4, \"hidden\": [8]}}"), "test", [&](Fields& f) { config.visit(f); });
    ParameterStore store{Key(3)};
    const auto prior = config.build({2, data_spec(Values::binary), nullptr, ad::Parameters(store) / "prior"});
    constexpr Index side = 240, points = side * side;
    std::vector<Real> grid;
    for (Index i = 0; i < points; ++i)
      for (const Index k : {i / side, i % side}) grid.push_back(static_cast<Real>(-12 + 24 * (double(k) + 0.5) / side));
    const auto densities = [&] {
      Tape tape(ad::Grad::off);
      const Var log_p = (*prior)({tape, false, Key(1)}, points).log_prob(tape.constant({points, 2}, grid));
      return std::vector<Real>(log_p.value().begin(), log_p.value().end());
    };
    Tape tape;
    const Var standard = StandardNormal(tape, points, 2).log_prob(tape.constant({points, 2}, grid));
    CHECK(std::ranges::equal(densities(), standard.value()));
    for (ad::Parameter& p : store.all()) ad::fill_normal(Key(17).fold(p.path()), p.value(), 0, Real(0.25));
    double total = 0, mean = 0, square = 0;
    const std::vector<Real> log_p = densities();
    for (std::size_t i = 0; i < log_p.size(); ++i) {
      const double mass = std::exp(double(log_p[i])) * std::pow(24.0 / side, 2);
      total += mass;
      mean += mass * double(grid[2 * i]);
      square += mass * double(grid[2 * i]) * double(grid[2 * i + 1]);
    }
    CHECK(std::abs(total - 1) < 2e-3);
    constexpr Index draws = 40'000;
    const Distribution& p = (*prior)({tape, false, Key(1)}, draws);
    const Var z = p.rsample(Key(9)).value;
    Sample first, product;
    for (Index i = 0; i < draws; ++i) {
      first.add(double(z.data()[2 * i]));
      product.add(double(z.data()[2 * i]) * double(z.data()[2 * i + 1]));
    }
    CHECK(std::abs(first.z(mean)) < 5);
    CHECK(std::abs(product.z(square)) < 5);
    // detached(): the same density, and no gradient to the weights.
    store.zero_grad();
    const Var at = tape.constant({2, 2}, Real(0.3));
    const Distribution& two = (*prior)({tape, false, Key(1)}, 2);
    CHECK(two.detached().log_prob(at).data()[0] == two.log_prob(at).data()[0]);
    CHECK_FALSE(two.detached().log_prob(at).live());
  }
}

TEST_CASE("a prior that a model cannot have is refused") {
  ParameterStore store(Key(1));
  const std::string message =
      message_of([&] { named("vampprior", 3).build({2, data_spec(Values::binary), nullptr, ad::Parameters(store)}); });
  CHECK(message.find("vampprior needs a q(z | x) that is a diagonal normal") != std::string::npos);
  CHECK_NOTHROW(named("mixture", 3).build({2, data_spec(Values::binary), nullptr, ad::Parameters(store)}));
  const DataSpec data = data_spec(Values::binary);
  for (const char* more : {R"("prior": "mixture")", R"("estimator": "stl")"}) {
    const std::string refused = message_of([&] { build("vae", std::string("{\"free_bits\": 0.1, ") + more + "}", data); });
    CHECK(refused.starts_with("model.free_bits: they need the KL of each dimension"));
    CHECK_THROWS_AS(build("beta_vae", std::string("{\"objective\": {\"free_bits\": 0.1}, ") + more + "}", data), ConfigError);
    CHECK_NOTHROW(build("beta_vae", std::string("{\"objective\": \"capacity\", ") + more + "}", data));
  }
}

TEST_CASE("every model that has a choice of priors trains with each, and its weights estimate the ELBO") {  // |z| < 5
  int models = 0;
  for (const ModelEntry& entry : model_registry()) {
    if (!has_prior(entry)) continue;
    ++models;
    for (const auto& one : {std::pair(kMixture, Values::binary), {kVamp, Values::binary}, {kVamp, Values::real}}) {
      const auto& prior = one.first;
      const Values values = one.second;
      CAPTURE(std::string(entry.name));
      CAPTURE(prior);
      constexpr Index count = 600, samples = 8;
      const Built built =
          build_small(entry, likelihood_cases()[values == Values::binary ? 0 : 1].settings, data_spec(values), prior);
      const std::vector<Real> x = synthetic(values, count);
      const auto first = std::span(x).first(32 * kDimension);
      Tape tape;
      built.model->initialize({tape, false, Key(1)}, minibatch(tape, first, 32));
      const std::vector<double> loss = train(built, first, 32, 100);
      double start = 0, end = 0;
      for (std::size_t i = 0; i < 8; ++i) start += loss[i] / 8, end += loss[loss.size() - 1 - i] / 8;
      if (built.model->loss_measures_progress()) CHECK(end < start - 0.1);
      CHECK(built.model->describe().find(prior == kVamp ? "VampPrior of 5 pseudo-inputs" : "mixture of 4 normals") !=
            std::string::npos);

      tape.reset();
      const Minibatch batch = minibatch(tape, x, count);
      const ElboTerms e = built.model->elbo({tape, false, Key(5)}, batch, Code::sample);
      const Level top = built.model->levels().back();  // its prior does not fall into dimensions; those of the levels below do
      CHECK(bool(e.kl_per_dimension) == (top.begin > 0));
      if (e.kl_per_dimension) CHECK(e.kl_per_dimension.shape() == Shape{count, top.begin});
      const Var log_w = built.model->log_weights({tape, false, Key(6)}, batch, samples);
      Sample difference;
      for (Index i = 0; i < count; ++i) {
        double mean = 0;
        for (Index k = 0; k < samples; ++k) mean += double(log_w.data()[i * samples + k]) / samples;
        difference.add(mean - (double(e.reconstruction.data()[i]) - double(e.kl.data()[i])));
      }
      CHECK(std::abs(difference.z(0)) < 5);
      // With the mean code the reconstruction is z's mean's and the KL still an estimate from a draw.
      const ElboTerms at_mean = built.model->elbo({tape, false, Key(5)}, batch, Code::mean);
      if (built.model->levels().size() == 1) CHECK(std::ranges::equal(at_mean.kl.value(), e.kl.value()));
      CHECK(built.model->sample_prior({tape, false, Key(1)}, count, batch).shape() == Shape{count, built.model->latent_dim()});
    }
  }
  CHECK(models >= 6);
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of every model with a mixture, a vampprior, a realnvp or a maf matches differences to 1e-6") {
  for (const ModelEntry& entry : model_registry()) {
    if (!has_prior(entry)) continue;
    for (const std::string& prior : {kMixture, kVamp, kRealNvp, kMaf}) {
      CAPTURE(std::string(entry.name));
      CAPTURE(prior);
      const LikelihoodCase& likelihood = likelihood_cases()[0];
      const Built built = build_small(entry, likelihood.settings, data_spec(likelihood.values), prior);
      const std::vector<Real> x = synthetic(likelihood.values, 6);
      Tape first(ad::Grad::off);  // an MMD's draws of the prior are constants, whatever they were made of
      const Objective objective = built.model->objective({first, true, Key(6)}, minibatch(first, x, 6));
      if (std::ranges::any_of(objective.report(), [](const Term& t) { return std::string_view(t.name) == "mmd"; })) continue;
      if (std::string(entry.name) == "piwae")
        freeze(built, "encoder/");  // has an objective of its own; see test_importance_bounds.cpp
      ad::GradcheckOptions options;
      options.narrow_step = 1e-6;  // weights that start at 0 stand where the curvature of an elu jumps
      const auto report = ad::gradcheck_parameters(
          *built.store,
          [&](Tape& tape) {
            return built.model->objective({tape, true, Key(6)}, minibatch(tape, x, 6)).loss;
          },
          options);
      CHECK_MESSAGE(report.passed, report.text());
    }
  }
}
#endif

TEST_CASE("a mixture prior fits clustered codes: its density comes to that of the clusters") {
  // Two clusters at +-3 with sigma 0.5, of weights 1/4 and 3/4 in the first dimension; N(0, 1) in the others.
  constexpr Index count = 2000;
  std::vector<Real> z = numbers(count * kLatent, 31);
  double truth = 0;
  for (Index i = 0; i < count; ++i) {
    Real& first = z[static_cast<std::size_t>(i * kLatent)];
    first = (i % 4 == 0 ? Real(-3) : Real(3)) + Real(0.5) * first;
    const Real low_mean = -3, high_mean = 3, l = static_cast<Real>(2 * std::log(0.5)), zero = 0;
    truth += log_sum_exp(
        {std::log(0.25) + log_normal(&first, &low_mean, &l, 1), std::log(0.75) + log_normal(&first, &high_mean, &l, 1)});
    for (Index j = 1; j < kLatent; ++j) truth += log_normal(&z[static_cast<std::size_t>(i * kLatent + j)], &zero, &zero, 1);
  }
  truth /= count;
  Subject s(named("mixture", 4));
  ad::Adam adam(s.store);
  double log_p = 0;
  Tape tape;
  for (int step = 0; step < 400; ++step) {
    tape.reset();
    const Var mean = ad::mean((*s.prior)({tape, true, Key(1)}, count).log_prob(tape.constant({count, kLatent}, z)));
    s.store.zero_grad();
    tape.backward(Real(-1) * mean);
    adam.step(0.03);
    log_p = double(mean.item());
  }
  // More parameters than the truth: a little above it on the data they are fitted to (27 numbers: about 27 / 2 / 2000).
  CHECK(log_p > truth - 0.02);
  CHECK(log_p < truth + 0.05);
}

TEST_CASE("a VAE on clustered data has a higher ELBO with a mixture prior than with N(0, I), and a VampPrior too") {
  constexpr Index count = 240, size = 6;
  std::vector<Real> x = numbers(count * size, 32, 0, Real(0.3));
  for (Index i = 0; i < count; ++i)  // six clusters: +-5 along each of three pairs of dimensions
    for (Index j = 0; j < 2; ++j) x[static_cast<std::size_t>(i * size + (i % 3) * 2 + j)] += i % 2 == 0 ? Real(5) : Real(-5);
  const auto elbo_with = [&](const std::string& prior) {
    const Built built = build(
        "vae",
        R"({"latent_dim": 3, "encoder": {"hidden": [16], "activation": "tanh"}, "decoder": {"hidden": [16], "activation": "tanh"},
                                         "likelihood": {"name": "gaussian", "sigma": 0.3}, "prior": )" +
            prior + "}",
        {.height = 1, .width = size, .channels = 1, .unit_interval = false});
    Tape tape;
    built.model->initialize({tape, false, Key(1)}, minibatch(tape, std::span(x).first(12 * size), 12));
    const std::vector<double> loss = train(built, x, count, 1000);
    Sample last;
    for (std::size_t i = 800; i < 1000; ++i) last.add(-loss[i]);
    return last.mean;
  };
  const double standard = elbo_with(R"("standard_normal")"), mixture = elbo_with(R"({"name": "mixture", "components": 12})"),
               vamp = elbo_with(R"({"name": "vampprior", "components": 12})");
  MESSAGE("ELBO: standard normal " << standard << ", mixture " << mixture << ", vampprior " << vamp);
  CHECK(mixture > standard + 0.3);
  CHECK(vamp > standard + 0.3);
}
