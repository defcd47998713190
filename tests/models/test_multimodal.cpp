// Models of several modalities, where p(z | x) and log p(x) are known: z ~ N(0, 1), x_m = W_m z + noise.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "autodiff/reduce.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr double kSigma = 0.8;
constexpr std::array kW = {0.9, -0.5, 0.7, 1.2, 0.4};  // x_1 has two numbers, x_2 three
constexpr Index kSize = 5;

DataSpec spec() {
  return {.height = 1,
          .width = kSize,
          .channels = 1,
          .unit_interval = false,
          .modalities = {{.name = "first", .begin = 0, .width = 2}, {.name = "second", .begin = 2, .width = 3}}};
}

std::vector<ad::Real> data(Index count) {
  std::vector<Real> z(static_cast<std::size_t>(count)), noise(static_cast<std::size_t>(count * kSize)), x(noise.size());
  ad::fill_normal(Key(1), z);
  ad::fill_normal(Key(2), noise);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<Real>(kW[i % kSize] * double(z[i / kSize]) + kSigma * double(noise[i]));
  return x;
}

/// log N(x; 0, w w^T + sigma^2 I) of the numbers from begin to end, by the matrix determinant lemma and the Sherman-Morrison
/// formula.
double log_density(const Real* x, Index begin, Index end) {
  double ww = 0, wx = 0, xx = 0;
  for (Index d = begin; d < end; ++d)
    ww += kW[static_cast<std::size_t>(d)] * kW[static_cast<std::size_t>(d)], wx += kW[static_cast<std::size_t>(d)] * double(x[d]),
        xx += double(x[d]) * double(x[d]);
  const double s2 = kSigma * kSigma, n = double(end - begin);
  return -0.5 * (n * std::log(2 * std::numbers::pi * s2) + std::log1p(ww / s2) + (xx - wx * wx / (s2 + ww)) / s2);
}

void set(const Built& built, const std::string& path, const std::vector<double>& values) {
  ad::Parameter* const p = built.store->find(path);
  REQUIRE_MESSAGE(p != nullptr, path);
  REQUIRE(p->size() == std::ssize(values));
  std::ranges::transform(values, p->value().begin(), [](double v) { return static_cast<Real>(v); });
}

/// Decoders that are the truth. The expert of modality m is what x_m says of z: in a product the likelihood of z as a normal, so
/// that with p(z) it makes the exact posterior; in a mixture the exact p(z | x_m).
Built exact(const std::string& model, const std::string& extra = "{}") {
  Built built = build(
      model,
      R"({"latent_dim": 1, "encoder": {"hidden": []}, "decoder": {"hidden": []}, "likelihood": {"name": "gaussian", "sigma": 0.8})" +
          (extra == "{}" ? "}" : ", " + extra.substr(1)),
      spec());
  const bool product = extra.find("\"product\"") != std::string::npos;
  Index begin = 0;
  for (const ModalitySpec& m : spec().modalities) {
    const std::vector<double> w(kW.begin() + begin, kW.begin() + begin + m.width);
    double precision = product ? 0 : 1;
    for (const double v : w) precision += v * v / (kSigma * kSigma);
    std::vector<double> head(2 * w.size(), 0);  // [2, x_m]: the mean, then the log variance, which does not depend on x
    std::ranges::transform(w, head.begin(), [&](double v) { return v / (kSigma * kSigma) / precision; });
    set(built, "encoder/" + m.name + "/head/weight", head);
    set(built, "encoder/" + m.name + "/head/bias", {0, -std::log(precision)});
    set(built, "decoder/" + m.name + "/output/weight", w);
    set(built, "decoder/" + m.name + "/output/bias", std::vector<double>(w.size(), 0));
    begin += m.width;
  }
  return built;
}

/// Examples of which example i has both modalities, only the first, or only the second, in turn; x is 0 where it was not
/// observed.
struct Partly {
  std::vector<Real> x, mask;
  Index count;

  Partly(std::vector<Real> all, Index count_) : x(std::move(all)), mask(x.size(), 1), count(count_) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t row = i / kSize, d = i % kSize;
      if ((row % 3 == 1 && d >= 2) || (row % 3 == 2 && d < 2)) mask[i] = 0, x[i] = 0;
    }
  }
  Minibatch batch(Tape& tape) const {
    Minibatch b = minibatch(tape, x, count);
    b.mask = tape.constant(b.x.shape(), mask);
    return b;
  }
};

double truth(const std::vector<Real>& x, Index i) {
  const Real* row = x.data() + i * kSize;
  return i % 3 == 1 ? log_density(row, 0, 2) : i % 3 == 2 ? log_density(row, 2, 5) : log_density(row, 0, 5);
}

}  // namespace

TEST_CASE(
    "multimodal: with the product of exact experts every weight is log p of what was observed, and so is the ELBO on average") {
  constexpr Index count = 30, samples = 7;
  const Built built = exact("multimodal_vae", R"({"experts": "product"})");
  const std::vector<Real> x = data(count);
  Tape tape(ad::Grad::off);
  const Partly some(x, count);
  const Minibatch batch = some.batch(tape);
  const Var log_w = built.model->log_weights({tape, false, Key(3)}, batch, samples);
  for (Index i = 0; i < count; ++i)
    for (Index k = 0; k < samples; ++k)
      CHECK(double(log_w.data()[i * samples + k]) == doctest::Approx(truth(x, i)).epsilon(1e-4));
  Sample gap;
  for (std::uint64_t draw = 0; draw < 500; ++draw) {
    Tape again(ad::Grad::off);
    const ElboTerms e = built.model->elbo({again, false, Key(draw)}, some.batch(again), Code::sample);
    for (Index i = 0; i < count; ++i) gap.add(double(e.reconstruction.data()[i]) - double(e.kl.data()[i]) - truth(x, i));
  }
  CHECK(std::abs(gap.z(0)) < 5);
  CHECK(gap.standard_error() < 0.02);
}

TEST_CASE("multimodal: the weights of mixtures average to p of what was observed") {  // |z| < 5
  constexpr Index count = 12, samples = 20'000;
  const std::vector<Real> x = data(count);
  const Partly some(x, count);
  for (const char* model : {"mmvae", "mopoe_vae"}) {
    CAPTURE(model);
    const Built built = exact(model);
    Tape tape(ad::Grad::off);
    const Var log_w = built.model->log_weights({tape, false, Key(3)}, some.batch(tape), samples);
    for (Index i = 0; i < count; ++i) {
      Sample weight;
      for (Index k = 0; k < samples; ++k) weight.add(std::exp(double(log_w.data()[i * samples + k]) - truth(x, i)));
      CHECK(weight.standard_error() < 0.05);
      if (i % 3 != 0) {  // only one component is left, and it is the posterior
        CHECK(weight.mean == doctest::Approx(1).epsilon(1e-4));
        continue;
      }
      CHECK(std::abs(weight.z(1)) < 5);
    }
  }
}

TEST_CASE("multimodal: the code of an example does not depend on numbers that were not observed") {
  constexpr Index count = 12;
  for (const std::string experts : {"product", "mixture", "mixture_of_products"}) {
    CAPTURE(experts);
    const Built built = exact("multimodal_vae", R"({"experts": ")" + experts + "\"}");
    const auto codes = [&](Real other) {
      Tape tape(ad::Grad::off);
      Partly some(data(count), count);
      for (std::size_t i = 0; i < some.x.size(); ++i)
        if (some.mask[i] == 0) some.x[i] = other;
      const DiagonalNormal q = built.model->posterior({tape, false, Key(3)}, some.batch(tape));
      return std::pair(std::vector<Real>(q.mean.value().begin(), q.mean.value().end()),
                       std::vector<Real>(q.log_variance.value().begin(), q.log_variance.value().end()));
    };
    const auto zeros = codes(0), sevens = codes(7);
    for (std::size_t i = 0; i < zeros.first.size(); ++i) {
      CHECK(double(zeros.first[i]) == doctest::Approx(double(sevens.first[i])).epsilon(1e-5));
      CHECK(double(zeros.second[i]) == doctest::Approx(double(sevens.second[i])).epsilon(1e-5));
    }
  }
}

TEST_CASE("multimodal: with K draws the loss of a mixture is a tighter bound than with closed-form KLs, and falls with K") {
  constexpr Index count = 600;
  const std::vector<Real> x = data(count);
  double truths = 0;
  for (Index i = 0; i < count; ++i) truths -= log_density(x.data() + i * kSize, 0, kSize) / double(count);
  const auto loss = [&](const std::string& samples) {
    const Built built = exact("mmvae", R"({"importance_samples": )" + samples + "}");
    Sample mean;
    for (std::uint64_t draw = 0; draw < 20; ++draw) {
      Tape tape(ad::Grad::off);
      mean.add(double(built.model->objective({tape, false, Key(draw)}, minibatch(tape, x, count)).loss.item()));
    }
    return mean;
  };
  const Sample closed = loss("0"), one = loss("1"), many = loss("50");
  CHECK(many.mean > truths - 5 * many.standard_error());
  CHECK(many.mean < one.mean - 5 * one.standard_error());
  CHECK(one.mean < closed.mean - 5 * closed.standard_error());
}

TEST_CASE("multimodal: data of one modality are refused, and experts that have no mixture have no weighted draws") {
  DataSpec one = spec();
  one.modalities.clear();
  CHECK(message_of([&] {
          build("mopoe_vae", R"({"likelihood": "gaussian"})", one);
        }).find("name its parts in dataset.modalities") != std::string::npos);
  CHECK(message_of([&] {
          build("multimodal_vae", R"({"experts": "product", "importance_samples": 5})", spec());
        }).find("set it to 0") != std::string::npos);
}

TEST_CASE("multimodal: a product has an example of one modality in its loss once, and one of both three times") {
  constexpr Index count = 3;
  const std::vector<Real> x = data(count);
  const Partly some(x, count);
  const Built built = exact("multimodal_vae", R"({"experts": "product"})");
  Sample loss;
  for (std::uint64_t draw = 0; draw < 4000; ++draw) {
    Tape tape(ad::Grad::off);
    loss.add(double(built.model->objective({tape, false, Key(draw)}, some.batch(tape)).loss.item()));
  }
  // With exact posteriors every ELBO is log p of what it decodes: all, x_1 and x_2 of the first example, and one each of the
  // others.
  const double expected =
      -(truth(x, 0) + log_density(x.data(), 0, 2) + log_density(x.data(), 2, 5) + truth(x, 1) + truth(x, 2)) / 3;
  CHECK(std::abs(loss.z(expected)) < 5);
  CHECK(loss.standard_error() < 0.03);
}
