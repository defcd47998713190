#include "tests/models/models_support.hpp"

#include <nlohmann/json.hpp>

#include "autodiff/optimizers.hpp"
#include "config/reader.hpp"
#include "config/writer.hpp"
#include "models/parts/variational_model.hpp"

namespace model_tests {
namespace {

using nlohmann::json;

Built build_json(const ModelEntry& entry, const json& settings, const DataSpec& data, std::uint64_t seed) {
  Built built;
  built.config = entry.make_config();
  read_config(settings, entry.name, [&](Fields& f) { built.config->fields(f); });
  built.store = std::make_unique<ParameterStore>(Key(seed));
  built.model = built.config->build(data, ad::Parameters(*built.store));
  return built;
}

}  // namespace

Built build(const std::string& name, const std::string& settings, const DataSpec& data, std::uint64_t seed) {
  return build_json(find_model(name), json::parse(settings), data, seed);
}

Built build_small(const ModelEntry& entry, const std::string& likelihood, const DataSpec& data, const std::string& extra,
                  std::uint64_t seed) {
  const json network = {{"name", "mlp"}, {"hidden", {5}}, {"activation", "tanh"}};
  const json small = {
      {"latent_dim", 3},        {"encoder", network},     {"decoder", network},         {"likelihood", json::parse(likelihood)},
      {"latent_dims", {3, 2}},  {"hidden", {5, 4}},       {"between", network},         {"prior_network", network},
      {"baseline", network},    {"classifier", network}, {"feature_weight", 100},  {"classes", 3},
      {"discrete", {2}},         {"batch_norm", false},    {"standardize", false},       {"positions", 2},
      {"top_positions", 1},     {"embedding_dim", 3},     {"codebook", {{"codes", 6}}}, {"quantizers", 2},
      {"top_encoder", network}, {"top_decoder", network}, {"levels", {4, 3}},           {"scales", {0, 1}},
      {"channels", {3}},        {"blocks", {1}},          {"latent_channels", {1, 2}},
      {"gamma", 0.1}, {"lambda", 2},          {"discriminator", {{"hidden", {4}}}}, {"label_hidden", {4}}};
  const auto defaults = entry.make_config();
  const json known = write_config([&](Fields& f) { defaults->fields(f); });
  // Networks that are empty unless asked for (the ladder's own layers stand behind) stay so.
  const auto has = [&](const std::string& key) {
    return known.contains(key) && !(known[key].is_object() && known[key].value("hidden", json{5}).empty());
  };
  json settings = json::object();
  for (const auto& [key, value] : small.items())
    if (has(key) && (key != "prior" || known[key].value("name", "") == "mlp"))
      settings[key] = value;  // a network, or p(z)'s name
  if (known.contains("prior") && known["prior"].value("name", "") == "pixelcnn")
    settings["prior"] = {{"layers", 2}, {"channels", 4}};
  json more = json::parse(extra);
  for (const char* name : {"encoder", "decoder"}) {  // of a model without these networks: its own settings of the same name
    if (has(name) || !more.contains(name) || (known.contains(name) && more[name].contains("hidden"))) continue;
    for (const auto& [key, value] : more[name].items())
      if (known.contains(key)) settings[key] = value;
    more.erase(name);
  }
  merge(settings, more);
  return build_json(entry, settings, data, seed);
}

void freeze(const Built& built, const std::string& below) {
  for (ad::Parameter& p : built.store->all())
    if (p.path().starts_with(below)) p.set_trainable(false);
}

void freeze_detached(const Built& built) {
  const auto* const variational = dynamic_cast<const VariationalModel*>(built.model.get());
  if (variational != nullptr && !variational->smooth_draws()) freeze(built, "encoder/");  // see test_sphere.cpp
  for (ad::Parameter& p : built.store->all())
    if (p.path().starts_with("baseline/")) p.set_trainable(false);  // completion_vae: its guess is told to the prior, detached
  if (built.store->find("data_variance") == nullptr) return;
  for (ad::Parameter& p :
       built.store->all())  // discrete codes: what chooses them has a straight-through gradient (see test_vq.cpp)
    if (!p.path().starts_with("decoder/") && !p.path().starts_with("prior/")) p.set_trainable(false);
}

Index trainable_count(const ad::ParameterStore& store) {
  Index count = 0;
  for (const ad::Parameter& p : store.all()) count += p.trainable() ? p.size() : 0;
  return count;
}

bool has_setting(const ModelEntry& entry, const char* key) {
  const auto defaults = entry.make_config();
  return write_config([&](Fields& f) { defaults->fields(f); }).contains(key);
}

std::span<const LikelihoodCase> likelihood_cases() {
  using Values = LikelihoodCase::Values;
  static const LikelihoodCase cases[] = {
      {R"({"name": "bernoulli"})", Values::binary},
      {R"({"name": "gaussian", "scale": "fixed", "sigma": 0.5})", Values::real},
      {R"({"name": "gaussian", "scale": "learned", "sigma": 0.8, "mean": "sigmoid"})", Values::unit},
      {R"({"name": "gaussian", "scale": "optimal"})", Values::real},
      {R"({"name": "laplace", "scale": "fixed", "sigma": 0.5})", Values::real},
      {R"({"name": "laplace", "scale": "learned", "sigma": 0.8, "mean": "tanh"})", Values::unit},
      {R"({"name": "laplace", "scale": "optimal"})", Values::real},
      {R"({"name": "discretized_logistic", "bins": 16})", Values::grid},
      {R"({"name": "student_t", "degrees": 3})", Values::real},
      {R"({"name": "log_cosh", "scale": "fixed", "sigma": 0.5})", Values::real},
      {R"("continuous_bernoulli")", Values::unit},
      {R"({"name": "discretized_logistic_mixture", "components": 2})", Values::grid},
      {R"("poisson")", Values::count},
      {R"("negative_binomial")", Values::count},
      {R"("zero_inflated_negative_binomial")", Values::count},
  };
  return cases;
}

DataSpec data_spec(LikelihoodCase::Values values, Index dimension) {
  return {.height = 2,
          .width = dimension / 2,
          .channels = 1,
          .classes = kClasses,
          .unit_interval = values != LikelihoodCase::Values::real && values != LikelihoodCase::Values::count,
          .counts = values == LikelihoodCase::Values::count,
          .levels = values == LikelihoodCase::Values::grid ? 16 : values == LikelihoodCase::Values::binary ? 2 : 0,
          .modalities = {{.name = "top", .begin = 0, .width = dimension / 2}, {.name = "bottom", .begin = dimension / 2, .width = dimension / 2}}};
}

std::vector<Real> synthetic(LikelihoodCase::Values values, Index count, Index dimension, std::uint64_t seed) {
  const Key key(seed);
  std::vector<Real> noise(static_cast<std::size_t>(count * dimension)), factors(static_cast<std::size_t>(2 * count));
  std::vector<Real> x(noise.size());
  ad::fill_normal(key.fold("noise"), noise);
  ad::fill_normal(key.fold("factors"), factors);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t row = i / static_cast<std::size_t>(dimension), column = i % static_cast<std::size_t>(dimension);
    const double angle = double(column) + 0.5;
    const double signal = std::cos(angle) * double(factors[2 * row]) + std::sin(angle) * double(factors[2 * row + 1]);
    const double v = 1.5 * signal + 0.2 * double(noise[i]);
    const double unit = 1 / (1 + std::exp(-2 * v));
    switch (values) {
      case LikelihoodCase::Values::binary: x[i] = unit > 0.5 ? Real(1) : Real(0); break;
      case LikelihoodCase::Values::grid: x[i] = static_cast<Real>(std::round(unit * 15) / 15); break;
      case LikelihoodCase::Values::unit: x[i] = static_cast<Real>(unit); break;
      case LikelihoodCase::Values::real: x[i] = static_cast<Real>(v); break;
      case LikelihoodCase::Values::count: x[i] = static_cast<Real>(std::floor(4 * unit)); break;
    }
  }
  return x;
}

Minibatch minibatch(Tape& tape, std::span<const Real> x, Index count) {
  static const std::vector<int> labels = [] {
    std::vector<int> l(1 << 15);
    for (std::size_t i = 0; i < l.size(); ++i) l[i] = static_cast<int>(i % std::size_t(kClasses));
    return l;
  }();
  return {.x = tape.constant({count, static_cast<Index>(x.size()) / count}, x),
          .labels = std::span(labels).first(static_cast<std::size_t>(count))};
}

std::vector<double> train(const Built& built, std::span<const Real> x, Index count, int steps) {
  ad::Adam adam(*built.store);
  std::vector<double> losses;
  Tape tape;
  for (int step = 0; step < steps; ++step) {
    tape.reset();
    const Context c{tape, true, Key(7).fold(static_cast<std::uint64_t>(step)), {step, double(step)}};
    const Objective objective = built.model->objective(c, minibatch(tape, x, count));
    built.store->zero_grad();
    for (const Loss& loss : objective.losses()) tape.backward(loss.value, loss.groups);
    adam.step(0.01);
    tape.commit();
    losses.push_back(double(objective.loss.item()));
  }
  return losses;
}

}  // namespace model_tests
