// Discrete codes: nearest code, how codes are learned, finite scalars, and the models that are made of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"
#include "models/parts/codebook.hpp"
#include "models/parts/finite_scalar.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr bool kFloat = sizeof(Real) == 4;
constexpr double kTolerance = kFloat ? 2e-5 : 1e-11;

std::vector<Real> normal_numbers(Index count, std::uint64_t seed, Real deviation = 1) {
  std::vector<Real> v(static_cast<std::size_t>(count));
  ad::fill_normal(Key(seed), v, 0, deviation);
  return v;
}

double squared_distance(const Real* a, const Real* b, Index width) {
  double total = 0;
  for (Index j = 0; j < width; ++j) total += (double(a[j]) - double(b[j])) * (double(a[j]) - double(b[j]));
  return total;
}

/// Mean squared distance of points to the nearest of `centres`.
double distortion(const std::vector<Real>& points, std::span<const Real> centres, Index width) {
  double total = 0;
  const Index rows = std::ssize(points) / width, codes = std::ssize(centres) / width;
  for (Index r = 0; r < rows; ++r) {
    double best = squared_distance(points.data() + r * width, centres.data(), width);
    for (Index k = 1; k < codes; ++k)
      best = std::min(best, squared_distance(points.data() + r * width, centres.data() + k * width, width));
    total += best;
  }
  return total / double(rows);
}

/// [count, width]: points around `clusters` centres far apart, in turn.
std::vector<Real> clustered(Index count, Index clusters, Index width, std::uint64_t seed) {
  const std::vector<Real> centres = normal_numbers(clusters * width, 77, 5);
  std::vector<Real> points = normal_numbers(count * width, seed, Real(0.05));
  for (Index i = 0; i < count * width; ++i)
    points[std::size_t(i)] += centres[std::size_t(i / width % clusters * width + i % width)];
  return points;
}

struct Subject {
  ParameterStore store{Key(1)};
  Codebook codebook;
  Subject(const CodebookConfig& config, Index width) : codebook(config, width, ad::Parameters(store) / "codebook") {}
  std::span<Real> weight() { return store.find("codebook/weight")->value(); }
  void update(Tape& tape, const std::vector<Real>& z, std::uint64_t step = 0) {
    const Quantized q = codebook({tape, true, Key(9).fold(step)}, tape.constant({1, std::ssize(z)}, z));
    codebook.update({tape, true, Key(9).fold(step)}, q.input, q.codes);
    tape.commit();
  }
};

std::vector<Real> copy(std::span<const Real> v) { return {v.begin(), v.end()}; }

std::vector<Real> gradient(Var v) { return copy(v.gradient()); }

void check_close(std::span<const Real> a, std::span<const Real> b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK(std::abs(double(a[i]) - double(b[i])) <= kTolerance * std::max(1.0, std::abs(double(b[i]))));
}

double term(const Objective& o, const std::string& name) {
  for (const Term& t : o.report())
    if (name == t.name) return double(t.value.item());
  FAIL("no term " << name);
  return 0;
}

constexpr Index kCount = 12;
const LikelihoodCase& gaussian() { return likelihood_cases()[1]; }  // sigma 0.5
Built small(const char* name, const std::string& extra = "{}") {
  return build_small(find_model(name), gaussian().settings, data_spec(gaussian().values), extra);
}
constexpr const char* kModels[] = {"vq_vae", "vq_vae_2", "residual_vq", "fsq"};

}  // namespace

TEST_CASE("the nearest code is that of a loop over all codes, for sizes within and beyond one tile") {
  for (const auto& [rows, codes, width] :
       {std::array<Index, 3>{3, 5, 2}, {64, 128, 8}, {200, 300, 7}, {65, 129, 64}, {10, 1, 3}}) {
    const std::vector<Real> x = normal_numbers(rows * width, 1), table = normal_numbers(codes * width, 2);
    Tape tape;
    const auto found = nearest_rows(tape.constant({rows, width}, x), tape.constant({codes, width}, table));
    REQUIRE(std::ssize(found) == rows);
    for (Index r = 0; r < rows; ++r) {
      const double chosen =
          squared_distance(&x[std::size_t(r * width)], &table[std::size_t(found[std::size_t(r)] * width)], width);
      for (Index k = 0; k < codes; ++k)
        CHECK(chosen <= squared_distance(&x[std::size_t(r * width)], &table[std::size_t(k * width)], width) * (1 + kTolerance));
    }
  }
}

TEST_CASE("of equally near codes the first is chosen") {
  const std::vector<Real> x{1, 2, -3, 0}, table{5, 5, 0, 0, 0, 0, 0, 0};
  Tape tape;
  for (const Index k : nearest_rows(tape.constant({2, 2}, x), tape.constant({4, 2}, table))) CHECK(k == 1);
}

TEST_CASE("perplexity: the number of codes when all are as frequent, 1 for one code, e^entropy between") {
  Tape tape;
  CHECK(perplexity(std::vector<Index>{0, 1, 2, 3}, 9, tape) == doctest::Approx(4));
  CHECK(perplexity(std::vector<Index>{5, 5, 5}, 9, tape) == doctest::Approx(1));
  CHECK(perplexity(std::vector<Index>{0, 0, 0, 1}, 2, tape) ==
        doctest::Approx(std::exp(-0.75 * std::log(0.75) - 0.25 * std::log(0.25))));
}

TEST_CASE("k-means: rounds lower the distortion, and clusters far apart are all found") {
  constexpr Index width = 3;
  const std::vector<Real> cloud = normal_numbers(400 * width, 3);
  double last = distortion(cloud, kmeans(Key(1), cloud, width, 10, 0).centres, width);
  for (const int rounds : {1, 3, 20}) {
    const double now = distortion(cloud, kmeans(Key(1), cloud, width, 10, rounds).centres, width);
    CHECK(now < last);
    last = now;
  }
  const std::vector<Real> points = clustered(300, 10, width, 4);
  const Clusters found = kmeans(Key(1), points, width, 10, 10);
  CHECK(distortion(points, found.centres, width) < 2 * width * 0.05 * 0.05);
  for (const double size : found.sizes) CHECK(size == 30);
}

TEST_CASE("k-means with fewer points than clusters has every point as a centre") {
  const std::vector<Real> points{1, 2, 3, 4, 5, 6};
  CHECK(distortion(points, kmeans(Key(1), points, 2, 5, 3).centres, 2) == 0);
}

TEST_CASE("moving averages: codes after several steps are those of the debiased averages written out, with Laplace smoothing") {
  constexpr Index codes = 5, width = 3, rows = 20;
  constexpr double decay = 0.9, epsilon = 1e-3;
  Subject s({.codes = codes, .decay = decay, .epsilon = epsilon, .restart_after = 0}, width);
  std::vector<std::vector<double>> counts, sums;  // of each step
  Tape tape;
  for (int step = 1; step <= 6; ++step) {
    const std::vector<Real> z = normal_numbers(rows * width, std::uint64_t(step)), table = copy(s.weight());
    counts.emplace_back(codes);
    sums.emplace_back(codes * width);
    for (Index r = 0; r < rows; ++r) {
      Index nearest = 0;
      for (Index k = 1; k < codes; ++k)
        if (squared_distance(&z[std::size_t(r * width)], &table[std::size_t(k * width)], width) <
            squared_distance(&z[std::size_t(r * width)], &table[std::size_t(nearest * width)], width))
          nearest = k;
      counts.back()[std::size_t(nearest)] += 1;
      for (Index j = 0; j < width; ++j) sums.back()[std::size_t(nearest * width + j)] += double(z[std::size_t(r * width + j)]);
    }
    tape.reset();
    s.update(tape, z);

    // average_t = (1 - decay) sum_s decay^(t - s) value_s / (1 - decay^t)
    const auto average = [&](const std::vector<std::vector<double>>& values, std::size_t i) {
      double total = 0;
      for (int past = 1; past <= step; ++past)
        total += (1 - decay) * std::pow(decay, step - past) * values[std::size_t(past - 1)][i];
      return total / (1 - std::pow(decay, step));
    };
    double n = 0;
    for (std::size_t k = 0; k < codes; ++k) n += average(counts, k);
    CHECK(n == doctest::Approx(rows));
    for (std::size_t k = 0; k < codes; ++k)
      for (std::size_t j = 0; j < width; ++j) {
        const double size = (average(counts, k) + epsilon) / (n + codes * epsilon) * n;
        CHECK(double(s.weight()[k * width + j]) == doctest::Approx(average(sums, k * width + j) / size).epsilon(kTolerance));
      }
  }
}

TEST_CASE("straight-through: the gradients are those of the stated surrogate with the assignment held fixed") {
  constexpr Index batch = 3, n = 4, width = 2, codes = 6;
  for (const char* learning : {"ema", "loss"}) {
    CAPTURE(std::string(learning));
    Subject s({.codes = codes, .learning = learning, .codebook_weight = 0.7, .commitment = 0.3}, width);
    const std::vector<Real> z0 = normal_numbers(batch * n * width, 5), table0 = copy(s.weight());
    const auto f = [](Var z) { return ad::sum(ad::sin(z) * z); };  // the decoder's place

    Tape tape;
    const Var z = tape.variable({batch, n * width}, z0);
    const Quantized q = s.codebook({tape, true}, z);
    tape.backward(f(q.z) + s.codebook.penalty(q));
    const std::vector<Index> chosen(q.codes.begin(), q.codes.end());
    const std::vector<Real> e0 = copy(q.e.value());
    check_close(q.z.value(), e0);

    // F(z + (e - z)_0) + 0.3 |z - e_0|^2 / B   and, for the table,   0.7 |z_0 - e|^2 / B
    const auto surrogate = [&](Tape& t, Var v) {
      const Var e = t.constant(v.shape(), e0), offset = e - t.constant(v.shape(), z0);
      return f(v + ad::stop_gradient(offset)) + Real(0.3) / batch * ad::sum(ad::square(v - e));
    };
    const auto of_table = [&](Tape& t, Var table) {
      return Real(0.7) / batch * ad::sum(ad::square(t.constant({batch * n, width}, z0) - ad::embedding(table, chosen)));
    };
    const auto check = [&](const Shape& shape, const std::vector<Real>& at, const auto& function, const std::vector<Real>& got) {
      Tape t;
      const Var v = t.variable(shape, at);
      t.backward(function(t, v));
      check_close(got, gradient(v));
      const ad::GradcheckReport report =
          ad::gradcheck([&](Tape& g, std::span<const Var> in) { return function(g, in[0]); }, {{shape, at}});
      CHECK_MESSAGE(report.passed, report.text());
    };
    check({batch, n * width}, z0, surrogate, gradient(z));
    CHECK(bool(q.codebook) == (std::string(learning) == "loss"));
    if (q.codebook) check({codes, width}, table0, of_table, copy(s.store.find("codebook/weight")->gradient()));
  }
}

TEST_CASE("restart of idle codes brings usage to 100 % on data with more clusters than live codes") {
  constexpr Index codes = 32, clusters = 40, width = 4, rows = 400;
  const auto trained = [&](std::int64_t restart_after) {
    auto s = std::make_unique<Subject>(CodebookConfig{.codes = codes, .start = "uniform", .restart_after = restart_after}, width);
    Tape tape;
    for (std::uint64_t step = 0; step < 400; ++step) {
      tape.reset();
      s->update(tape, clustered(rows, clusters, width, 100 + step), step);
    }
    return std::pair(double(s->codebook.usage(tape).item()), distortion(clustered(rows, clusters, width, 5), s->weight(), width));
  };
  const auto without = trained(0), with = trained(20);
  CHECK(without.first < 0.9);
  CHECK(with.first == 1);
  CHECK(with.second < without.second);
}

TEST_CASE("usage is the share of codes that were chosen in the last 100 steps, or in all when there were fewer") {
  ParameterStore store{Key(1)};
  const CodeUsage usage(8, ad::Parameters(store) / "usage");
  Tape tape;
  const auto share_after = [&](int steps, const std::vector<Index>& chosen) {
    for (int i = 0; i < steps; ++i) usage.count(chosen);
    return double(usage.share(tape).item());
  };
  CHECK(double(usage.share(tape).item()) == 0);
  CHECK(share_after(1, {0, 1, 1}) == 0.25);
  CHECK(share_after(99, {0}) == 0.25);
  CHECK(share_after(1, {0}) == 0.125);
  CHECK(share_after(1, {5, 6, 7}) == 0.5);
}

TEST_CASE("a normalised codebook chooses by angle") {
  Subject s({.codes = 20, .normalize = true}, 4);
  const std::vector<Real> z = normal_numbers(40, 6);
  std::vector<Real> longer = z;
  for (Real& v : longer) v *= 3;
  Tape tape;
  const Quantized a = s.codebook({tape}, tape.constant({2, 20}, z)), b = s.codebook({tape}, tape.constant({2, 20}, longer));
  CHECK(std::ranges::equal(a.codes, b.codes));
  for (Index r = 0; r < 10; ++r) {
    double length = 0;
    for (Index j = 0; j < 4; ++j) length += double(a.z.data()[4 * r + j]) * double(a.z.data()[4 * r + j]);
    CHECK(length == doctest::Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("k-means starts a codebook nearer to the encoder's vectors than a uniform one") {
  constexpr Index width = 4;
  const std::vector<Real> z = clustered(600, 16, width, 8);
  const auto started = [&](const char* start) {
    Subject s({.codes = 16, .start = start}, width);
    Tape tape;
    s.codebook.initialize(Key(1), tape.constant({100, 6 * width}, z));
    const double at_start = distortion(z, s.weight(), width);
    s.update(tape, clustered(60, 8, width, 9));  // a batch with half of the clusters does not undo the others
    CHECK((at_start < 1) == (std::string(start) == "kmeans"));
    return distortion(z, s.weight(), width);
  };
  CHECK(started("kmeans") < 1);
  CHECK(started("uniform") > 10);
}

TEST_CASE("finite scalars: the values of 8, 5, 4 and 3 levels") {
  const FiniteScalar fsq({8, 5, 4, 3});
  CHECK(fsq.codes() == 480);
  std::vector<std::set<double>> seen(4);
  Tape tape;
  for (double v = -12; v <= 12; v += 0.01) {
    const std::vector<Real> z(4, static_cast<Real>(v));
    const Var y = fsq(tape.constant({1, 4}, z));
    for (std::size_t i = 0; i < 4; ++i) seen[i].insert(double(y.data()[i]) + 0.0);  // -0 is 0
  }
  CHECK(seen[0] == std::set<double>{-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75});
  CHECK(seen[1] == std::set<double>{-1, -0.5, 0, 0.5, 1});
  CHECK(seen[2] == std::set<double>{-1, -0.5, 0, 0.5});
  CHECK(seen[3] == std::set<double>{-1, 0, 1});
}

TEST_CASE("finite scalars: codes and vectors correspond one to one") {
  const FiniteScalar fsq({8, 5, 4, 3});
  std::vector<Index> all(480);
  std::iota(all.begin(), all.end(), Index(0));
  Tape tape;
  const Var vectors = fsq.embed(tape, all);
  CHECK(std::ranges::equal(fsq.codes(vectors), all));
  std::set<std::vector<Real>> distinct;
  for (Index k = 0; k < 480; ++k) distinct.insert({vectors.data() + 4 * k, vectors.data() + 4 * k + 4});
  CHECK(distinct.size() == 480);
  const std::vector<Real> z = normal_numbers(200, 7, 2);
  const Var quantised = fsq(tape.constant({50, 4}, z));
  check_close(fsq.embed(tape, fsq.codes(quantised)).value(), quantised.value());
}

TEST_CASE("finite scalars: the bound is the paper's formula, and its slope the gradient") {
  const std::vector<std::int64_t> levels{8, 5, 4, 3, 2};
  const FiniteScalar fsq(levels);
  const std::vector<Real> z0 = normal_numbers(30, 8);
  Tape tape;
  const Var z = tape.variable({6, 5}, z0), bound = fsq.bound(z);
  tape.backward(ad::sum(fsq(z)));
  const auto formula = [&](double v, std::size_t i) {
    const double level = double(levels[i]), half = (level - 1) * 0.999 / 2, offset = levels[i] % 2 == 0 ? 0.5 : 0;
    return std::tanh(v + std::tan(offset / half)) * half - offset;
  };
  for (std::size_t i = 0; i < z0.size(); ++i) {
    const double v = double(z0[i]), h = 1e-5, slope = (formula(v + h, i % 5) - formula(v - h, i % 5)) / (2 * h);
    CHECK(double(bound.data()[i]) == doctest::Approx(formula(v, i % 5)).epsilon(kTolerance));
    CHECK(double(z.gradient()[i]) == doctest::Approx(slope / double(levels[i % 5] / 2)).epsilon(1e-4));
  }
}

TEST_CASE("fsq: standardised numbers do not saturate while the decoder learns a mean far from zero") {
  std::vector<Real> x = synthetic(gaussian().values, 64);
  for (Real& v : x) v += 3;
  const auto trained = [&](const char* standardize) {
    const Built built = small("fsq", std::string(R"({"prior": "uniform", "encoder": {"hidden": [64], "activation": "relu"},
                                                   "levels": [8, 5, 5], "standardize": )") +
                                           standardize + "}");
    train(built, x, 64, 150);
    Tape tape;
    return term(built.model->objective({tape, false, Key(5)}, minibatch(tape, x, 64)), "perplexity");
  };
  const double with = trained("true"), without = trained("false");
  CHECK(with > 4 * without);  // about 17 codes against 2
}

TEST_CASE("the prior's loss reaches nothing but the prior") {
  const std::vector<Real> x = synthetic(gaussian().values, kCount);
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const auto gradients = [&](const std::string& prior) {
      const Built built = small(name, R"({"prior": )" + prior + "}");
      Tape tape;
      tape.backward(built.model->objective({tape, true, Key(5)}, minibatch(tape, x, kCount)).loss);
      std::vector<std::vector<Real>> all;
      double of_prior = 0;
      for (ad::Parameter& p : built.store->all()) {
        if (p.is_buffer()) continue;
        if (!p.path().starts_with("prior/")) all.push_back(copy(p.gradient()));
        else
          for (const Real g : p.gradient()) of_prior += std::abs(double(g));
      }
      return std::pair(all, of_prior);
    };
    const auto with = gradients(R"({"name": "pixelcnn", "layers": 2, "channels": 4})"), without = gradients(R"("uniform")");
    CHECK(with.first == without.first);
    CHECK(with.second > 0);
  }
}

TEST_CASE("the loss is the bound's two parts and the penalty; evaluation changes no codebook, training does") {
  const std::vector<Real> x = synthetic(gaussian().values, kCount);
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const Built built = small(name);
    const auto buffers = [&] { return copy(built.store->buffers()); };
    const std::vector<Real> before = buffers();
    Tape tape;
    const Minibatch batch = minibatch(tape, x, kCount);
    const Objective o = built.model->objective({tape, false, Key(5)}, batch);
    const ElboTerms e = built.model->elbo({tape, false, Key(5)}, batch, Code::sample);
    CHECK(buffers() == before);
    CHECK(term(o, "reconstruction") == doctest::Approx(double(ad::mean(e.reconstruction).item())).epsilon(kTolerance));
    CHECK(term(o, "kl") == doctest::Approx(double(ad::mean(e.kl).item())).epsilon(kTolerance));
    const double penalty = double(o.loss.item()) - term(o, "kl") + term(o, "reconstruction"), expected = [&] {
      if (std::string(name) == "fsq") return 0.0;
      return std::string(name) == "residual_vq" ? term(o, "penalty") : 0.25 * term(o, "commitment");
    }();
    CHECK(penalty == doctest::Approx(expected).epsilon(1e-4));
    built.model->objective({tape, true, Key(5)}, batch);
    CHECK(buffers() == before);
    tape.commit();
    CHECK(buffers() != before);
  }
}

TEST_CASE("Sonnet's loss is the Gaussian of half the data's variance and a commitment of 0.25 D / Z, times D, up to a constant") {
  const DataSpec data{.height = 8, .width = 8, .channels = 3};
  constexpr double variance = 0.07;
  const Built built = build("vq_vae",
                            R"({"encoder": {"name": "residual_stack", "hidden": 6, "residual_hidden": 4},
                                "decoder": {"name": "residual_stack", "hidden": 6, "residual_hidden": 4},
                                "likelihood": {"name": "gaussian", "sigma": 0.18708286933869708}, "embedding_dim": 5, "data_variance": 0.07,
                                "codebook": {"codes": 9, "commitment": 2.4}, "prior": "uniform"})",
                            data);
  const double d = 192, z_size = 2 * 2 * 5;  // 2.4 = 0.25 d / z_size
  std::vector<Real> x(4 * 192);
  ad::fill_uniform(Key(3), x);
  Tape tape;
  const Minibatch batch = minibatch(tape, x, 4);
  const Objective o = built.model->objective({tape, false, Key(5)}, batch);
  const Var reconstruction = built.model->decode({tape}, built.model->encode({tape}, batch), batch);
  double error = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    error += std::pow(double(x[i]) - double(reconstruction.data()[i]), 2) / double(x.size());
  CHECK(term(o, "normalized_mse") == doctest::Approx(error / variance).epsilon(1e-4));
  const double sonnet = error / variance + 0.25 * term(o, "commitment") / z_size;
  const double constant =
      d / 2 * std::log(3.14159265358979 * variance) + 4 * std::log(9.0);  // of the density, and of the uniform prior
  CHECK(double(o.loss.item()) == doctest::Approx(d * sonnet + constant).epsilon(1e-4));
}

TEST_CASE("residual_vq: a code is the sum of its quantisers' vectors, each nearest to what is left") {
  const std::vector<Real> x = synthetic(gaussian().values, kCount);
  for (const char* shared : {"false", "true"}) {
    const Built built = small("residual_vq", std::string(R"({"quantizers": 3, "shared": )") + shared + "}");
    Tape tape;
    const Context c{tape, false, Key(5)};
    built.model->initialize(c, minibatch(tape, x, kCount));
    const Var z = built.model->encode(c, minibatch(tape, x, kCount));
    const std::vector<CodeMap> maps = built.model->code_maps(c, minibatch(tape, x, kCount));
    REQUIRE(maps.size() == 3);
    constexpr Index width = 3;
    for (Index row = 0; row < kCount * 2; ++row)
      for (Index j = 0; j < width; ++j) {
        double total = 0;
        for (std::size_t depth = 0; depth < 3; ++depth) {
          const std::string path =
              std::string("codebook/") + (std::string(shared) == "true" ? "0" : std::to_string(depth)) + "/weight";
          total += double(built.values(path.c_str())[std::size_t(maps[depth].indices[std::size_t(row)] * width + j)]);
        }
        CHECK(double(z.data()[row * width + j]) == doctest::Approx(total).epsilon(kTolerance));
      }
  }
}

TEST_CASE("residual_vq: more quantisers describe the same vectors better") {
  const std::vector<Real> x = synthetic(gaussian().values, 200);
  double last = 1e9;
  for (const char* quantizers : {"1", "2", "4"}) {  // the same encoder, drawn from the same key
    const Built built =
        small("residual_vq", std::string(R"({"quantizers": )") + quantizers + R"(, "codebook": {"commitment": 1}})");
    Tape tape;
    const Context c{tape, false, Key(5)};
    const Minibatch batch = minibatch(tape, x, 200);
    built.model->initialize(c, batch);
    const Var h = built.model->encode(c, batch);
    const Built fine = small("residual_vq", R"({"quantizers": 8, "codebook": {"codes": 60}})");
    fine.model->initialize(c, batch);
    const Var exact = fine.model->encode(c, batch);  // as good as the encoder's own vectors
    const double error = double(ad::mean(ad::square(h - exact)).item());
    CHECK(error < last);
    last = error;
  }
}

TEST_CASE("vq_vae_2: new details keep the top codes") {
  const std::vector<Real> x = synthetic(gaussian().values, kCount);
  const Built built = small("vq_vae_2", R"({"positions": 4, "top_positions": 2})");
  Tape tape;
  const Context c{tape, false, Key(5)};
  const Minibatch batch = minibatch(tape, x, kCount);
  const std::vector<Level> levels = built.model->levels();
  REQUIRE(levels.size() == 2);
  CHECK(levels[0].end == 12);
  const Var z = built.model->encode(c, batch), again = built.model->resample_below(c, z, 1, batch);
  bool details_differ = false;
  for (Index b = 0; b < kCount; ++b) {
    const Real *before = z.data() + b * 18, *after = again.data() + b * 18;
    CHECK(std::equal(before + 12, before + 18, after + 12));
    details_differ = details_differ || !std::equal(before, before + 12, after);
  }
  CHECK(details_differ);
}

TEST_CASE("maps of codes take the size of the encoder's features, on any image size and for any mix of networks") {
  const DataSpec image{.height = 13, .width = 10, .channels = 2};
  const std::string stack = R"({"name": "residual_stack", "hidden": 6, "residual_hidden": 3, "layers": 1})",
                    conv = R"({"name": "conv", "channels": [4, 4], "dense": []})", mlp = R"({"name": "mlp", "hidden": [9]})";
  std::vector<Real> x(3 * 260);
  ad::fill_uniform(Key(3), x);
  for (const char* name : kModels)
    for (const std::string& encoder : {stack, conv, mlp})
      for (const std::string& decoder : {stack, conv, mlp}) {
        CAPTURE(std::string(name));
        CAPTURE(encoder);
        CAPTURE(decoder);
        const Built built = build(
            name, R"({"encoder": )" + encoder + R"(, "decoder": )" + decoder + R"(, "prior": {"layers": 1, "channels": 2}})",
            image);
        Tape tape;
        const Context c{tape, false, Key(5)};
        const Minibatch batch = minibatch(tape, x, 3);
        const CodeMap map = built.model->code_maps(c, batch).back();
        CHECK(map.height == (encoder == mlp ? 1 : 3));
        CHECK(std::ssize(map.indices) == 3 * map.height * map.width);
        CHECK(std::isfinite(double(built.model->objective(c, batch).loss.item())));
        CHECK(built.model->decode(c, built.model->sample_prior(c, 2, batch), batch).shape() == Shape{2, 260});
      }
}

TEST_CASE("settings of discrete codes that do not fit are answered with what does") {
  const DataSpec image{.height = 8, .width = 8};
  const auto answer = [&](const char* name, const std::string& settings) -> std::string {
    try {
      build(name, settings, image);
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  const std::string conv = R"("encoder": {"name": "conv", "dense": []})";
  CHECK(answer("vq_vae", "{" + conv + R"(, "positions": 4})").find("leave positions out") != std::string::npos);
  CHECK(answer("fsq", R"({"levels": [1]})").find("levels") != std::string::npos);
  CHECK(answer("fsq", R"({"levels": [1000, 1000, 1000]})").find("at most") != std::string::npos);
  CHECK(answer("vq_vae", R"({"prior": {"name": "pixelcnn", "kernel": 4}})").find("odd") != std::string::npos);
  CHECK(answer("residual_vq", R"({"codebook": {"normalize": true}})").find("normalize") != std::string::npos);
  CHECK(answer("vq_vae", R"({"encoder": {"name": "residual_stack", "halvings": 4}})").find("can be halved 3 times") !=
        std::string::npos);
  CHECK(answer("vq_vae", R"({"encoder": "residual_stack", "decoder": {"name": "residual_stack", "halvings": 1}})")
            .find("halvings") != std::string::npos);
}
