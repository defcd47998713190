#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/code_prior.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr double kTolerance = sizeof(Real) == 4 ? 1e-5 : 1e-12;  // rounding of sums of some hundred probabilities

/// A prior with its weights, which are made large so that distant dependences show.
struct Subject {
  ParameterStore store{Key(1)};
  CodePrior prior;

  Subject(const CodePriorConfig& config, const std::vector<CodeGrid>& grids, Real deviation = Real(0.5), Index classes = 0)
      : prior(config, grids, ad::Parameters(store) / "prior", classes) {
    if (deviation == 0) return;
    for (ad::Parameter& p : store.all()) ad::fill_normal(Key(2).fold(p.path()), p.value(), 0, deviation);
  }
};

CodePriorConfig pixelcnn(std::int64_t layers, std::int64_t channels, std::int64_t kernel = 3) {
  return {.name = "pixelcnn", .layers = layers, .channels = channels, .kernel = kernel};
}

CodePriorConfig by_class(std::int64_t layers, std::int64_t channels) {
  CodePriorConfig config = pixelcnn(layers, channels);
  config.by_class = true;
  return config;
}

/// All maps of `size` codes below `codes`, one after the other.
std::vector<Index> all_maps(Index size, Index codes) {
  Index count = 1;
  for (Index i = 0; i < size; ++i) count *= codes;
  std::vector<Index> maps;
  for (Index m = 0; m < count; ++m)
    for (Index i = 0, rest = m; i < size; ++i, rest /= codes) maps.push_back(rest % codes);
  return maps;
}

/// A Markov chain over three symbols; row s is p(next | s).
constexpr double kChain[3][3] = {{0.8, 0.1, 0.1}, {0.1, 0.2, 0.7}, {0.3, 0.6, 0.1}};

Index pick(const double* p, double u) { return u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2; }

/// [count, length] codes of the chain, whose first symbol is uniform, and the exact log p of each row.
struct Chains {
  std::vector<Index> codes;
  std::vector<double> log_p;
};
Chains chains(Index count, Index length, Key key) {
  Chains c;
  std::vector<Real> u(static_cast<std::size_t>(count * length));
  ad::fill_uniform(key, u);
  const double first[3] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
  for (Index b = 0; b < count; ++b) {
    double total = 0;
    for (Index i = 0; i < length; ++i) {
      const double* p = i == 0 ? first : kChain[c.codes.back()];
      c.codes.push_back(pick(p, double(u[static_cast<std::size_t>(b * length + i)])));
      total += std::log(p[c.codes.back()]);
    }
    c.log_p.push_back(total);
  }
  return c;
}

}  // namespace

TEST_CASE("PixelCNN: the logits of a position depend on every earlier code and on no other") {
  for (const auto& size : {std::pair<Index, Index>{4, 5}, {1, 6}}) {
    const Index height = size.first, width = size.second;
    CAPTURE(height);
    const CodeGrid grid{height, width, 3};
    ParameterStore store{Key(1)};
    const PixelCnn net(pixelcnn(6, 8), grid, {}, ad::Parameters(store));
    for (ad::Parameter& p : store.all()) ad::fill_normal(Key(2).fold(p.path()), p.value(), 0, Real(0.4));
    const auto logits_of = [&](const std::vector<Index>& codes) {
      Tape tape(ad::Grad::off);
      const Var l = net.logits({tape}, codes, {}, grid.height);
      return std::vector<Real>(l.value().begin(), l.value().end());
    };
    std::vector<Index> codes(static_cast<std::size_t>(grid.size()));
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<Index>((i * 7 + 1) % 3);
    const std::vector<Real> before = logits_of(codes);
    for (std::size_t changed = 0; changed < codes.size(); ++changed) {
      std::vector<Index> other = codes;
      other[changed] = (codes[changed] + 1) % 3;
      const std::vector<Real> after = logits_of(other);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        CAPTURE(changed);
        CAPTURE(i);
        const bool same = std::equal(before.begin() + std::ptrdiff_t(3 * i), before.begin() + std::ptrdiff_t(3 * i + 3),
                                     after.begin() + std::ptrdiff_t(3 * i));
        CHECK(same == (i <= changed));
      }
    }
  }
}

TEST_CASE("PixelCNN: the first rows alone give the logits that they have in the whole map") {  // what sampling relies on
  const CodeGrid grids[] = {{2, 2, 3}, {4, 4, 3}};
  ParameterStore store{Key(1)};
  const PixelCnn net(pixelcnn(3, 6), grids[1], std::span(grids).first(1), ad::Parameters(store));
  const std::vector<Index> top{0, 2, 1, 1}, codes{0, 1, 2, 0, 1, 1, 0, 2, 2, 0, 1, 0, 2, 2, 1, 0};
  const std::span<const Index> given[] = {top};
  Tape tape(ad::Grad::off);
  const Var whole = net.logits({tape}, codes, given, 4);
  for (Index rows = 1; rows < 4; ++rows) {
    const Var part = net.logits({tape}, std::span(codes).first(static_cast<std::size_t>(4 * rows)), given, rows);
    for (Index i = 0; i < part.size(); ++i)
      CHECK(double(part.data()[i]) == doctest::Approx(double(whole.data()[i])).epsilon(kTolerance));
  }
}

TEST_CASE("the probabilities of all maps of codes sum to 1, of one map and of two, the second given the first") {
  const std::vector<Index> squares = all_maps(4, 3);
  for (const char* name : {"pixelcnn", "uniform"}) {
    CAPTURE(std::string(name));
    CodePriorConfig config = pixelcnn(2, 4);
    config.name = name;
    const Subject one(config, {{2, 2, 3}});
    Tape tape(ad::Grad::off);
    double total = 0;
    for (const Real l : one.prior.log_prob({tape}, {{squares}}).value()) total += std::exp(double(l));
    CHECK(total == doctest::Approx(1).epsilon(kTolerance));

    const Subject two(config, {{1, 1, 2}, {2, 2, 3}});
    total = 0;
    for (const Index top : {0, 1}) {
      const std::vector<Index> tops(squares.size() / 4, top);
      const Var log_p = two.prior.log_prob({tape}, {{tops, squares}});
      for (const Real l : log_p.value()) total += std::exp(double(l));
    }
    CHECK(total == doctest::Approx(1).epsilon(kTolerance));
  }
}

TEST_CASE("each map is given those before it, position by position") {
  const Subject s(pixelcnn(3, 6), {{2, 2, 2}, {4, 4, 3}});
  const std::vector<Index> bottom(16, 1), top{0, 1, 1, 0};
  Tape tape(ad::Grad::off);
  const double before = double(s.prior.log_prob({tape}, {{top, bottom}}, 1).item());
  for (std::size_t i = 0; i < top.size(); ++i) {
    std::vector<Index> other = top;
    other[i] = 1 - other[i];
    CHECK(double(s.prior.log_prob({tape}, {{other, bottom}}, 1).item()) != before);
    CHECK(double(s.prior.log_prob({tape}, {{other, bottom}}, 0).item()) !=
          double(s.prior.log_prob({tape}, {{top, bottom}}, 0).item()));
  }
}

TEST_CASE("draws follow the probabilities of the prior") {  // each of 8 maps within 5 standard deviations
  const Subject s(pixelcnn(2, 4), {{1, 1, 2}, {1, 2, 2}});
  constexpr Index count = 20000;
  Tape tape(ad::Grad::off);
  const Codes drawn = s.prior.sample({tape, false, Key(3)}, count);
  std::vector<double> seen(8);
  for (std::size_t b = 0; b < std::size_t(count); ++b)
    seen[static_cast<std::size_t>(4 * drawn.maps[0][b] + 2 * drawn.maps[1][2 * b] + drawn.maps[1][2 * b + 1])] += 1;
  for (std::size_t map = 0; map < 8; ++map) {
    const std::vector<Index> top{Index(map / 4)}, bottom{Index(map / 2 % 2), Index(map % 2)};
    const double p = std::exp(double(s.prior.log_prob({tape}, {{top, bottom}}).item()));
    CHECK(std::abs(seen[map] - p * count) < 5 * std::sqrt(p * (1 - p) * count));
  }
}

TEST_CASE("the same key draws the same codes, another key others, and given maps are kept") {
  const Subject s(pixelcnn(2, 4), {{2, 2, 8}, {4, 4, 8}});
  const auto draw = [&](Key key) {
    Tape tape(ad::Grad::off);
    const Codes c = s.prior.sample({tape, false, key}, 3);
    std::vector<Index> all(c.maps[0].begin(), c.maps[0].end());
    all.insert(all.end(), c.maps[1].begin(), c.maps[1].end());
    return all;
  };
  CHECK(draw(Key(1)) == draw(Key(1)));
  CHECK(draw(Key(1)) != draw(Key(2)));
  Tape tape(ad::Grad::off);
  const std::vector<Index> top{1, 2, 3, 4};
  const Codes below = s.prior.sample({tape, false, Key(1)}, 1, {}, 1, {{top}});
  CHECK(std::ranges::equal(below.maps[0], top));
  CHECK(below.maps[1].size() == 16);
}

TEST_CASE("the PixelCNN learns a Markov chain to its entropy") {
  constexpr Index length = 8, batch = 48;
  Subject s(pixelcnn(2, 12), {{1, length, 3}}, 0);
  ad::Adam adam(s.store);
  Tape tape;
  for (std::uint64_t step = 0; step < 150; ++step) {
    tape.reset();
    const Chains c = chains(batch, length, Key(4).fold(step));
    const Var loss = -ad::mean(s.prior.log_prob({tape, true}, {{c.codes}}));
    s.store.zero_grad();
    tape.backward(loss);
    adam.step(step < 100 ? 0.02 : 0.004);
  }
  // KL(chain || model) of each fresh draw, whose mean is known to a few hundredths of its entropy of 7.3 nats.
  const Chains fresh = chains(2000, length, Key(5));
  tape.reset();
  const Var log_p = s.prior.log_prob({tape}, {{fresh.codes}});
  Sample excess;
  for (std::size_t b = 0; b < fresh.log_p.size(); ++b) excess.add(fresh.log_p[b] - double(log_p.data()[b]));
  CHECK(excess.mean > -5 * excess.standard_error());
  CHECK(excess.mean < 0.1);
}

TEST_CASE("given the class, the probabilities of all maps of codes sum to 1 for each class, and differ between classes") {
  const std::vector<Index> squares = all_maps(4, 3);
  const Index count = std::ssize(squares) / 4;
  const Subject one(by_class(2, 4), {{2, 2, 3}}, Real(0.5), 2), two(by_class(2, 4), {{1, 1, 2}, {2, 2, 3}}, Real(0.5), 2);
  Tape tape(ad::Grad::off);
  std::vector<double> of_first_map;
  for (const int label : {0, 1}) {
    CAPTURE(label);
    const std::vector<int> labels(static_cast<std::size_t>(count), label);
    double total = 0;
    for (const Real l : one.prior.log_prob({tape}, {{squares}}, labels).value()) total += std::exp(double(l));
    CHECK(total == doctest::Approx(1).epsilon(kTolerance));
    total = 0;
    for (const Index top : {0, 1}) {
      const std::vector<Index> tops(static_cast<std::size_t>(count), top);
      for (const Real l : two.prior.log_prob({tape}, {{tops, squares}}, labels).value()) total += std::exp(double(l));
    }
    CHECK(total == doctest::Approx(1).epsilon(kTolerance));
    of_first_map.push_back(double(one.prior.log_prob({tape}, {{squares}}, labels).data()[0]));
  }
  CHECK(of_first_map[0] != of_first_map[1]);
}

TEST_CASE("a prior by class learns the codes of each class, and draws those of the class asked for") {
  // Class 0 is a row of one code, the same throughout; class 1 counts up. Both share all codes and their frequencies.
  constexpr Index length = 3, batch = 48;
  const auto code_of = [](int label, Index start, Index i) { return label == 0 ? start : (start + i) % 3; };
  Subject s(by_class(2, 12), {{1, length, 3}}, 0, 2);
  ad::Adam adam(s.store);
  Tape tape;
  std::vector<Index> codes;
  std::vector<int> labels;
  for (Index b = 0; b < batch; ++b) {
    labels.push_back(static_cast<int>(b % 2));
    for (Index i = 0; i < length; ++i) codes.push_back(code_of(labels.back(), b / 2 % 3, i));
  }
  for (int step = 0; step < 150; ++step) {
    tape.reset();
    const Var loss = -ad::mean(s.prior.log_prob({tape, true}, {{codes}}, labels));
    s.store.zero_grad();
    tape.backward(loss);
    adam.step(0.02);
  }
  tape.reset();
  const std::span<const Index> drawn = s.prior.sample({tape, false, Key(3)}, batch, labels).maps[0];
  for (std::size_t b = 0; b < labels.size(); ++b)
    for (std::size_t i = 0; i < length; ++i) {
      CAPTURE(b);
      CHECK(drawn[b * length + i] == code_of(labels[b], drawn[b * length], static_cast<Index>(i)));
    }
  // What is left of -log p is the free choice of the first code.
  CHECK(-double(ad::mean(s.prior.log_prob({tape}, {{codes}}, labels)).item()) == doctest::Approx(std::log(3.0)).epsilon(0.02));
}

TEST_CASE("a prior by class refuses data without labels, and batches with other labels than it knows") {
  CHECK(message_of([] { Subject(by_class(1, 4), {{1, 2, 2}}); }).find("model.prior.by_class: these data have no labels") == 0);
  const Subject s(by_class(1, 4), {{1, 2, 2}}, 0, 2);
  const std::vector<Index> codes{0, 1, 1, 0};
  Tape tape(ad::Grad::off);
  for (const std::vector<int>& labels : {std::vector<int>{}, {0}, {0, 2}, {-1, 0}})
    CHECK_THROWS_AS(s.prior.log_prob({tape}, {{codes}}, labels), ad::Error);
}

TEST_CASE("of models of discrete codes the class conditions only the prior, and only when asked for") {
  const DataSpec data = data_spec(LikelihoodCase::Values::binary);
  for (const char* name : {"vq_vae", "fsq", "residual_vq", "vq_vae_2"}) {
    CAPTURE(std::string(name));
    const ModelEntry& entry = find_model(name);
    const auto with_prior = [&](const char* settings, const DataSpec& spec) {
      return build_small(entry, R"("bernoulli")", spec,
                         ad::cat(R"({"prior": {"name": "pixelcnn", "layers": 1, "channels": 4)", settings, "}}"));
    };
    const Built plain = with_prior("", data), by_label = with_prior(R"(, "by_class": true)", data);
    CHECK(plain.model->conditioning() == Conditioning::none);
    CHECK(by_label.model->conditioning() == Conditioning::labels);
    CHECK(by_label.model->decoder_conditioning() == Conditioning::none);
    CHECK(message_of([&] {
            DataSpec unlabelled = data;
            unlabelled.classes = 0;
            with_prior(R"(, "by_class": true)", unlabelled);
          }).find("model.prior.by_class") != std::string::npos);
    CHECK(message_of([&] {
            DataSpec partly = data;
            partly.unlabelled = 7;
            with_prior(R"(, "by_class": true)", partly);
          }).starts_with("model.prior.by_class: 7 training examples have no label"));
    // Every weight that is not of the prior is the same, and only the prior reads labels.
    for (ad::Parameter& p : plain.store->all()) {
      ad::Parameter* other = by_label.store->find(p.path());
      REQUIRE(other != nullptr);
      if (!p.path().starts_with("prior")) CHECK(std::ranges::equal(p.value(), other->value()));
    }
    Tape tape(ad::Grad::off);
    const std::vector<Real> x = synthetic(LikelihoodCase::Values::binary, 6);
    Minibatch batch = minibatch(tape, x, 6);
    const ElboTerms before = by_label.model->elbo({tape}, batch, Code::mean);
    const std::vector<int> others{1, 2, 0, 1, 2, 0};
    batch.labels = others;
    const ElboTerms after = by_label.model->elbo({tape}, batch, Code::mean);
    CHECK(std::ranges::equal(before.reconstruction.value(), after.reconstruction.value()));
    CHECK_FALSE(std::ranges::equal(before.kl.value(), after.kl.value()));
  }
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of the PixelCNN by class matches differences to 1e-6") {
  Subject s(by_class(2, 3), {{1, 2, 2}, {3, 3, 3}}, Real(0.5), 3);
  const std::vector<Index> top{0, 1, 1, 1}, bottom{0, 2, 1, 1, 0, 0, 2, 1, 2, 2, 1, 0, 0, 2, 2, 1, 1, 0};
  const std::vector<int> labels{2, 0};
  const ad::GradcheckReport report = gradcheck_parameters(
      s.store, [&](Tape& tape) { return -ad::mean(s.prior.log_prob({tape, true}, {{top, bottom}}, labels)); });
  CHECK_MESSAGE(report.passed, report.text());
}

TEST_CASE("the gradient of the PixelCNN matches differences to 1e-6") {
  Subject s(pixelcnn(2, 3), {{1, 2, 2}, {3, 3, 3}});
  const std::vector<Index> top{0, 1, 1, 1}, bottom{0, 2, 1, 1, 0, 0, 2, 1, 2, 2, 1, 0, 0, 2, 2, 1, 1, 0};
  const ad::GradcheckReport report =
      gradcheck_parameters(s.store, [&](Tape& tape) { return -ad::mean(s.prior.log_prob({tape, true}, {{top, bottom}})); });
  CHECK_MESSAGE(report.passed, report.text());
}
#endif
