// Models of sequences of tokens.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <vector>

#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "models/parts/tokens.hpp"
#include "tests/models/models_support.hpp"

using namespace model_tests;

namespace {

constexpr Index kLength = 4, kVocabulary = 3;
const DataSpec kText{
    .height = 1, .width = kLength, .channels = 1, .unit_interval = false, .examples = 20, .vocabulary = kVocabulary};

Built text_model(const std::string& kind, double word_dropout = 0, const std::string& more = "") {
  return build("vae",
               R"({"latent_dim": 2, "likelihood": "tokens", "encoder": {"name": ")" + kind +
                   R"(", "embedding": 3, "hidden": 4}, "decoder": {"name": ")" + kind +
                   R"(", "embedding": 3, "hidden": 4, "word_dropout": )" + std::to_string(word_dropout) + "}" + more + "}",
               kText, 7);
}

/// Every sequence of at most kLength tokens: those that end before have an end.
std::vector<Real> all_sequences() {
  std::vector<Real> rows;
  const auto extend = [&](auto self, std::vector<Real> row) -> void {
    if (std::ssize(row) == kLength || (!row.empty() && row.back() == 0)) {
      row.resize(kLength, 0);
      rows.insert(rows.end(), row.begin(), row.end());
      return;
    }
    for (Index token = 0; token < kVocabulary; ++token) {
      std::vector<Real> longer = row;
      longer.push_back(static_cast<Real>(token));
      self(self, longer);
    }
  };
  extend(extend, {});
  return rows;
}

/// log p(x | z) of each row, by log w = log p(x | z) + log p(z) - log q(z | x), all of the code z that the key draws for that
/// row.
std::vector<double> log_p_given(const Built& m, const std::vector<Real>& rows, bool training) {
  Tape tape;
  const Index count = std::ssize(rows) / kLength;
  const ElboTerms e = m.model->elbo({tape, training, Key(3)}, {.x = tape.constant({count, kLength}, rows)}, Code::mean);
  return {e.reconstruction.value().begin(), e.reconstruction.value().end()};
}

}  // namespace

TEST_CASE("the length of a sequence counts its end") {
  const std::vector<Real> rows{1, 2, 0, 0, 0, 1, 2, 1, 1, 1, 1, 1};
  const std::span<const Real> all(rows);
  CHECK(sequence_length(all.subspan(0, 4)) == 3);
  CHECK(sequence_length(all.subspan(4, 4)) == 1);
  CHECK(sequence_length(all.subspan(8, 4)) == 4);
  Tape tape;
  CHECK(longest_sequence(tape.constant({2, 4}, all.first(8))) == 3);
}

TEST_CASE("given a code, the probabilities of all sequences add up to one, and draws have them") {
  for (const std::string kind : {"lstm", "gru"}) {
    CAPTURE(kind);
    // An encoder whose head has no weights gives every sequence the same code.
    const Built m = text_model(kind);
    for (Real& w : m.values("encoder/head/weight")) w = 0;
    for (const char* path : {"decoder/output/weight", "decoder/embedding", "decoder/cell/input/weight"})
      for (Real& w : m.values(path)) w *= 4;  // probabilities that differ
    const std::vector<Real> rows = all_sequences();
    REQUIRE(std::ssize(rows) == kLength * (1 + 2 + 4 + 8 * 3));
    const std::vector<double> log_p = log_p_given(m, rows, false);
    double total = 0;
    for (const double l : log_p) total += std::exp(l);
    CHECK(total == doctest::Approx(1).epsilon(1e-5));

    constexpr Index draws = 20'000;
    Tape tape(ad::Grad::off);
    const Minibatch one{.x = tape.constant({1, kLength}, std::span(rows).first(kLength))};
    const Context c{tape, false, Key(5)};
    const Var code = m.model->encode(c, one), z = tape.node("z", {draws, 2}, {});
    for (Index i = 0; i < z.size(); ++i) z.data()[i] = code.data()[i % 2];
    const Var x = m.model->sample_x(c, z, {});
    std::map<std::vector<Real>, double> count;
    for (Index i = 0; i < draws; ++i) count[{x.data() + i * kLength, x.data() + (i + 1) * kLength}] += 1;
    double chi_squared = 0;  // 30 degrees of freedom: below 75 but once in 100,000 times
    for (std::size_t i = 0; i < log_p.size(); ++i) {
      const auto row = std::span(rows).subspan(i * kLength, kLength);
      const double expected = draws * std::exp(log_p[i]), seen = count[{row.begin(), row.end()}];
      chi_squared += (seen - expected) * (seen - expected) / expected;
    }
    CHECK(chi_squared < 75);

    // The likeliest token after those before it, each time.
    const Var greedy = m.model->decode(c, code, {});
    std::vector<Real> best(greedy.value().begin(), greedy.value().end());
    for (std::size_t t = 0; t < static_cast<std::size_t>(sequence_length(best)); ++t) {
      std::vector<double> mass(kVocabulary, 0);  // of the sequences that begin with what stands before
      for (std::size_t i = 0; i < log_p.size(); ++i)
        if (std::equal(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(t),
                       rows.begin() + static_cast<std::ptrdiff_t>(i * kLength)))
          mass[static_cast<std::size_t>(rows[i * kLength + t])] += std::exp(log_p[i]);
      CHECK(std::max_element(mass.begin(), mass.end()) - mass.begin() == static_cast<std::ptrdiff_t>(best[t]));
    }
  }
}

TEST_CASE("what stands after the end of a sequence changes nothing, nor do longer sequences in the batch") {
  const Built m = text_model("lstm");
  const std::vector<Real> padded{1, 0, 0, 0}, garbage{1, 0, 2, 1};
  CHECK(log_p_given(m, padded, false)[0] == doctest::Approx(log_p_given(m, garbage, false)[0]).epsilon(1e-6));
  std::vector<Real> both = padded;
  both.insert(both.end(), {2, 1, 2, 1});
  CHECK(log_p_given(m, both, false)[0] == doctest::Approx(log_p_given(m, padded, false)[0]).epsilon(1e-5));
}

TEST_CASE("word dropout hides tokens before in training only; a decoder that hides all never sees one") {
  const std::vector<Real> x{1, 2, 1, 0}, other{2, 2, 1, 0};
  const Built some = text_model("gru", .5), all = text_model("gru", 1);
  CHECK(log_p_given(some, x, true)[0] != log_p_given(some, x, false)[0]);
  CHECK(log_p_given(all, x, true)[0] == log_p_given(all, x, false)[0]);
  // With equal codes, changing the first token changes the probability of no later one: the ratio is that of the first places.
  for (Real& w : all.values("encoder/head/weight")) w = 0;
  const std::vector<Real> third{1, 1, 2, 0}, fourth{2, 1, 2, 0};
  CHECK(log_p_given(all, x, false)[0] - log_p_given(all, other, false)[0] ==
        doctest::Approx(log_p_given(all, third, false)[0] - log_p_given(all, fourth, false)[0]).epsilon(1e-4));
}

TEST_CASE("a sequence model takes the parts of every model of one code; what has no place for tokens is refused") {
  const std::vector<Real> rows = all_sequences();
  const Index count = std::ssize(rows) / kLength;
  for (const char* more : {R"(, "objective": {"name": "iwae", "samples": 3})",
                           R"(, "posterior": {"name": "iaf", "length": 1, "hidden": [4], "context": 2})",
                           R"(, "prior": {"name": "mixture", "components": 2})", R"(, "free_bits": 0.1)"}) {
    CAPTURE(more);
    const Built m = text_model("lstm", .2, more);
    Tape tape;
    const Minibatch batch{.x = tape.constant({count, kLength}, rows)};
    CHECK(std::isfinite(m.model->objective({tape, true, Key(1)}, batch).loss.item()));
    CHECK(m.model->log_weights({tape, false, Key(1)}, batch, 3).shape() == Shape{count, 3});
  }
  const auto refused = [](const char* model, const std::string& settings, const DataSpec& data) {
    return message_of([&] { build(model, settings, data); });
  };
  const std::string networks = R"("encoder": "lstm", "decoder": "lstm")";
  CHECK(refused("vae", "{" + networks + "}", kText).find("choose tokens") != std::string::npos);
  CHECK(refused("vae", R"({"likelihood": "tokens"})", kText).starts_with("model.encoder: mlp is for numbers"));
  CHECK(refused("vae", R"({"encoder": "lstm"})", data_spec(LikelihoodCase::Values::binary))
            .starts_with("model.encoder: lstm is for sequences"));
  CHECK(refused("vae", R"({"likelihood": "tokens"})", data_spec(LikelihoodCase::Values::binary))
            .starts_with("model.likelihood: tokens is for sequences"));
  CHECK(refused("vae", "{" + networks + R"(, "likelihood": "tokens", "prior": "vampprior"})", kText)
            .find("vampprior learns pseudo-inputs of numbers") != std::string::npos);
  CHECK(refused("hvae", R"({"likelihood": "tokens"})", kText).find("no decoder for the sequences of tokens") !=
        std::string::npos);
  CHECK(refused("vq_vae", R"({"likelihood": "tokens"})", kText).find("no decoder for the sequences of tokens") !=
        std::string::npos);
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of a sequence model is its finite difference") {
  const std::vector<Real> rows{1, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0};
  for (const std::string kind : {"lstm", "gru"}) {
    CAPTURE(kind);
    const Built m = text_model(kind, .3);
    const ad::GradcheckReport report = gradcheck_parameters(*m.store, [&](Tape& tape) {
      return m.model->objective({tape, true, Key(6)}, {.x = tape.constant({3, kLength}, rows)}).loss;
    });
    CHECK_MESSAGE(report.passed, report.text());
  }
}
#endif
