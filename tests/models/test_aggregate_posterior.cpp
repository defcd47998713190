// What objectives and penalties say of q(z) = E_x q(z | x) as a whole.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "models/objectives/variational_objective.hpp"
#include "models/parts/kl_split.hpp"
#include "models/parts/mmd.hpp"
#include "models/penalties/penalty.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

std::vector<Real> normals(Index count, std::uint64_t seed, double mean = 0, double deviation = 1) {
  std::vector<Real> v(static_cast<std::size_t>(count));
  ad::fill_normal(Key(seed), v, static_cast<Real>(mean), static_cast<Real>(deviation));
  return v;
}

/// Numbers that may go away.
Var constant(Tape& tape, const Shape& shape, const std::vector<Real>& values) {
  const Var x = tape.node("x", shape, {});
  std::ranges::copy(values, x.data());
  return x;
}

/// x ~ N(0, (1 - s2) R) in two dimensions with correlation rho, and q(z | x) = N(x, s2 I), so q(z) is a normal of known total correlation.
struct Correlated {
  static constexpr double kRho = 0.5, kS2 = 0.1;
  static std::vector<Real> x(Index count, std::uint64_t seed) {
    std::vector<Real> v = normals(2 * count, seed);
    const double scale = std::sqrt(1 - kS2);
    for (std::size_t i = 0; i < v.size(); i += 2) {
      const double a = double(v[i]), b = kRho * a + std::sqrt(1 - kRho * kRho) * double(v[i + 1]);
      v[i] = static_cast<Real>(scale * a);
      v[i + 1] = static_cast<Real>(scale * b);
    }
    return v;
  }
};

struct Parts {
  Sample information, correlation, whole;
};
/// Over `batches` batches of B, as parts of N examples.
Parts parts(Index batch, Index examples, int batches, bool stratified) {
  Parts p;
  for (int k = 0; k < batches; ++k) {
    Tape tape(ad::Grad::off);
    const Var x = constant(tape, {batch, 2}, Correlated::x(batch, static_cast<std::uint64_t>(k) + 1));
    const DiagonalNormal q{x, tape.constant({batch, 2}, static_cast<Real>(std::log(Correlated::kS2)))};
    const Var z = q.rsample(Key(static_cast<std::uint64_t>(k) + 1000)).value;
    const StandardNormal prior(tape, batch, 2);
    const KlSplit split = split_kl(z, q.log_prob(z), prior.log_prob(z), q,
                                   stratified ? stratified_log_weights(tape, batch, examples) : weighted_log_weights(tape, batch, examples));
    p.information.add(double(mean(split.mutual_information).item()));
    p.correlation.add(double(mean(split.total_correlation).item()));
    const Var all = split.mutual_information + split.total_correlation + split.dimension_wise, kl = q.log_prob(z) - prior.log_prob(z);
    for (Index i = 0; i < batch; ++i) CHECK(std::abs(double(all.data()[i] - kl.data()[i])) < 1e-4);  // the parts add up
  }
  return p;
}

}  // namespace

// Values: 40 batches each, computed independently in double. True total correlation 0.1131, mutual information 2.1894.
TEST_CASE("the parts of the KL, estimated from a batch, match values computed elsewhere") {
  struct Case {
    Index batch, examples;
    bool stratified;
    double correlation, information, tolerance;
  };
  for (const Case& c : {Case{64, 10'000, true, 0.007, 2.359, 0.05}, Case{256, 10'000, true, 0.084, 2.222, 0.03},
                        Case{1000, 1000, true, 0.117, 2.171, 0.02}, Case{64, 10'000, false, 9.394, 11.235, 0.05}}) {
    const Parts p = parts(c.batch, c.examples, 40, c.stratified);
    CHECK(std::abs(p.correlation.mean - c.correlation) < c.tolerance + 5 * p.correlation.standard_error());
    CHECK(std::abs(p.information.mean - c.information) < c.tolerance + 5 * p.information.standard_error());
    CHECK(p.correlation.standard_error() < 0.05);
  }
}

TEST_CASE("minibatch stratified sampling is unbiased: in the mean over batches the weights give (1 / N) sum_n f(x_n)") {  // |z| < 5
  constexpr Index kN = 12, kB = 4;
  std::vector<double> f(kN);
  for (Index n = 0; n < kN; ++n) f[static_cast<std::size_t>(n)] = std::exp(0.3 * double(n));
  const double truth = std::accumulate(f.begin(), f.end(), 0.0) / kN;
  Tape tape(ad::Grad::off);
  const Var w = stratified_log_weights(tape, kB, kN);
  for (Index i = 0; i < kB; ++i) {
    double total = 0;
    for (Index j = 0; j < kB; ++j) total += std::exp(double(w.data()[i * kB + j]));
    CHECK(total == doctest::Approx(1));
  }
  constexpr Index own = 5;  // the example that the draw came from is in each batch, at row 1
  Sample mean;
  for (std::uint64_t k = 0; k < 20'000; ++k) {
    std::vector<Index> others;
    for (const Index n : ad::permutation(Key(k), kN))
      if (n != own) others.push_back(n);
    const std::array<Index, kB> batch{others[0], own, others[1], others[2]};
    double estimate = 0;
    for (Index j = 0; j < kB; ++j) estimate += std::exp(double(w.data()[kB + j])) * f[static_cast<std::size_t>(batch[static_cast<std::size_t>(j)])];
    mean.add(estimate);
  }
  CHECK(std::abs(mean.z(truth)) < 5);
}

TEST_CASE("the MMD of two normals has its closed form as its mean") {  // |z| < 5
  struct Case {
    Index dimensions;
    double g, s2, square, truth;
  };
  for (const Case& c : {Case{2, 1, 1, 1, .102345517}, Case{2, 1, .5, 0, .033333333}, Case{8, 8, .25, 0, .075283161}}) {
    KernelConfig kernel;
    kernel.name = "rbf";
    kernel.scales = {c.g / double(c.dimensions)};  // exp(-d^2 / (2 g))
    Sample distance, itself;
    for (std::uint64_t k = 0; k < 400; ++k) {
      Tape tape(ad::Grad::off);
      constexpr Index kRows = 64;
      const Shape shape{kRows, c.dimensions};
      const Var x = constant(tape, shape, normals(kRows * c.dimensions, 3 * k + 1)),
                same = constant(tape, shape, normals(kRows * c.dimensions, 3 * k + 2)),
                other = constant(tape, shape, normals(kRows * c.dimensions, 3 * k + 3, std::sqrt(c.square / double(c.dimensions)), std::sqrt(c.s2)));
      distance.add(double(mmd(x, other, kernel).item()));
      itself.add(double(mmd(x, same, kernel).item()));
    }
    CHECK(std::abs(distance.z(c.truth)) < 5);
    CHECK(std::abs(itself.z(0)) < 5);  // the cross-term keeps its diagonal, the others do not
    CHECK(distance.standard_error() < 0.1 * c.truth);
  }
}

TEST_CASE("the sliced Wasserstein distance: 0 between orders of one set, |m|^2 / D + (s - 1)^2 between N(0, I) and N(m, s^2 I)") {
  constexpr Index kRows = 4000, kD = 4;
  Tape tape(ad::Grad::off);
  const std::vector<Real> x = normals(kRows * kD, 1), y = normals(kRows * kD, 2, 0.5, 2);  // |m| = 1, s = 2
  std::vector<Real> turned(x.size());
  for (Index i = 0; i < kRows; ++i) std::copy_n(x.begin() + i * kD, kD, turned.begin() + (kRows - 1 - i) * kD);
  const Shape shape{kRows, kD};
  CHECK(std::abs(double(sliced_wasserstein(tape.constant(shape, x), tape.constant(shape, turned), 50, Key(3)).item())) < 1e-10);
  Sample distance;
  for (std::uint64_t k = 0; k < 20; ++k)
    distance.add(double(sliced_wasserstein(constant(tape, shape, normals(kRows * kD, 10 + k)), constant(tape, shape, normals(kRows * kD, 50 + k, 0.5, 2)), 100, Key(k)).item()));
  CHECK(std::abs(distance.mean - 1.25) < 0.01 + 5 * distance.standard_error());  // a sorted sample's distance is biased by order 1 / N
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradients of the penalties match differences") {
  for (const CodePenaltyEntry& entry : penalty_registry()) {
    CAPTURE(std::string(entry.name));
    const auto penalty = entry.make_settings()->build({});
    ParameterStore store{Key(1)};
    ad::Parameter& z = ad::Parameters(store).add("z", Shape{6, 3}, ad::init::normal(0, 1));
    const ad::GradcheckReport report = ad::gradcheck_parameters(store, [&](Tape& tape) {
      const Var value = (*penalty)({tape, true, Key(4)}, tape.parameter(z));
      return value ? value : sum(tape.parameter(z));
    });
    INFO(report.text());
    CHECK(report.passed);
  }
}
#endif

namespace {

constexpr const char* kLinear =
    R"({"latent_dim": 3, "encoder": {"hidden": []}, "decoder": {"hidden": []}, "likelihood": "gaussian"})";

double term(const Objective& o, std::string_view name) {
  for (const Term& t : o.report())
    if (t.name == name) return double(t.value.item());
  return std::nan("");
}

}  // namespace

TEST_CASE("dip: where q(z | x) is N(0, I) for every x, form I costs the diagonal weight of each dimension and form II nothing") {
  const std::vector<Real> x = normals(32 * 4, 1);
  for (const std::string form : {"i", "ii"}) {
    nlohmann::json settings = nlohmann::json::parse(kLinear);
    settings["form"] = form;
    const Built built = build("dip_vae", settings.dump(), DataSpec{.width = 4, .unit_interval = false});
    for (const char* path : {"encoder/head/weight", "encoder/head/bias"}) std::ranges::fill(built.values(path), Real(0));
    Tape tape;
    const Objective o = built.model->objective({tape, true, Key(1)}, minibatch(tape, x, 32));
    CHECK(term(o, "dip") == doctest::Approx(form == "i" ? 300 : 0).epsilon(1e-6));
  }
}

TEST_CASE("info with alpha 0 and lambda 1, and dip without weights, are the VAE") {
  const std::vector<Real> x = normals(32 * 4, 1);
  const auto loss = [&](const char* model, const char* more) {
    nlohmann::json settings = nlohmann::json::parse(kLinear);
    settings.update(nlohmann::json::parse(more));
    const Built built = build(model, settings.dump(), DataSpec{.width = 4, .unit_interval = false});
    Tape tape;
    return double(built.model->objective({tape, true, Key(1)}, minibatch(tape, x, 32)).loss.item());
  };
  const double vae = loss("vae", "{}");
  CHECK(loss("info_vae", R"({"alpha": 0, "lambda": 1})") == doctest::Approx(vae).epsilon(1e-6));
  CHECK(loss("dip_vae", R"({"off_diagonal": 0, "diagonal": 0})") == doctest::Approx(vae).epsilon(1e-6));
  CHECK(loss("info_vae", R"({"alpha": 0, "lambda": 50})") > vae);
  CHECK(loss("autoencoder", "{}") == doctest::Approx(loss("rae_l2", R"({"weight": 0, "decoder_l2": 0})")));
}

TEST_CASE("rae_l2: the loss is the autoencoder's and half the weighted squares of codes and decoder weights") {
  const std::vector<Real> x = normals(32 * 4, 1);
  const Built built = build("rae_l2", R"({"latent_dim": 3, "encoder": {"hidden": []}, "decoder": {"hidden": [5]}, "likelihood": "gaussian", "weight": 0.3,
                                          "decoder_l2": 0.2})", DataSpec{.width = 4, .unit_interval = false});
  Tape tape;
  const Context c{tape, true, Key(1)};
  const Minibatch batch = minibatch(tape, x, 32);
  const Objective o = built.model->objective(c, batch);
  double squares = 0;
  for (const char* path : {"decoder/0/weight", "decoder/output/weight"})
    for (const Real w : built.values(path)) squares += double(w) * double(w);
  const double codes = double(mean(sum(square(built.model->encode(c, batch)), 1)).item());
  CHECK(double(o.loss.item()) == doctest::Approx(-term(o, "reconstruction") + 0.15 * codes + 0.1 * squares).epsilon(1e-5));
}

TEST_CASE("geco: the multiplier grows while the constraint is broken and shrinks while it holds, and training settles where it holds") {
  const std::vector<Real> x = normals(64 * 4, 1);
  const auto built_with = [&](double tolerance) {
    nlohmann::json settings = nlohmann::json::parse(kLinear);
    settings["objective"] = {{"name", "geco"}, {"tolerance", tolerance}, {"rate", 0.01}};
    return build("vae", settings.dump(), DataSpec{.width = 4, .unit_interval = false});
  };
  for (const double tolerance : {0.0, 100.0}) {  // log p of a unit Gaussian is below -0.9 for each number
    const Built built = built_with(tolerance);
    Tape tape;
    const Objective o = built.model->objective({tape, true, Key(1)}, minibatch(tape, x, 64));
    CHECK(built.values("objective/lambda")[0] == 1);
    const double constraint = term(o, "constraint");
    tape.commit();
    CHECK(double(built.values("objective/lambda")[0]) == doctest::Approx(std::exp(0.01 * std::clamp(10 * constraint, -1.0, 1.0))).epsilon(1e-5));
    CHECK((constraint > 0) == (tolerance == 0));
  }
  const Built built = built_with(1.2);
  train(built, x, 64, 3000);
  CHECK(std::abs(double(built.values("objective/constraint")[0])) < 0.02);  // the moving average
  CHECK(message_of([&] {
          nlohmann::json settings = nlohmann::json::parse(kLinear);
          settings["objective"] = "geco";
          settings["beta"] = 2;
          build("vae", settings.dump(), DataSpec{.width = 4, .unit_interval = false});
        }).find("geco has a weight of the KL of its own") != std::string::npos);
}

TEST_CASE("objectives on the aggregate posterior refuse codes without a normal q(z | x)") {
  for (const char* name : {"beta_tc", "dip", "info"}) {
    const std::string settings = nlohmann::json{{"posterior", "planar"}, {"objective", name}}.dump();
    CHECK(message_of([&] { build("vae", settings, DataSpec{.width = 4}); }).find("needs one code z with a diagonal normal") != std::string::npos);
  }
}
