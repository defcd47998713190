#include "experiments/runner/training_state.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "config/printable.hpp"
#include "datasets/digest.hpp"
#include "experiments/output/json_numbers.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::json;

/// JSON has no infinity: a metric that has not been seen yet is null.
json number(double x) { return std::isfinite(x) ? json(x) : json(); }
double number(const json& j) { return j.is_null() ? std::numeric_limits<double>::infinity() : j.get<double>(); }

json to_json(const TrainingState& s) {
  json sums = json::array();
  for (const Metric& m : s.sums) sums.push_back({m.name, number(m.value)});
  return {
      {"step", s.step},
      {"epoch", s.epoch},
      {"batch", s.batch},
      {"seconds", s.seconds},
      {"best", number(s.best)},
      {"best_step", s.best_step},
      {"waited", s.waited},
      {"examples", s.examples},
      {"sums", sums},
      {"log_bytes", s.log_bytes},
      {"learning_rate", s.learning_rate},
      {"plateau",
       {{"rate", s.plateau.rate}, {"best", number(s.plateau.best)}, {"bad", s.plateau.bad}, {"cooldown", s.plateau.cooldown}}}};
}

/// Reads counters that hold together. Throws std::runtime_error, and exceptions of the JSON library.
TrainingState from_json(const json& j, Index batches) {
  AD_CHECK(batches > 0, "load_training", "an epoch has no batches");
  const auto require = [](bool ok, const char* key) {
    if (!ok) throw std::runtime_error(key);
  };
  const auto counter = [&](const json& object, const char* key, std::int64_t low, std::int64_t high = kLargestCounter) {
    const auto value = integer_in(object.at(key), low, high);
    require(value.has_value(), key);
    return *value;
  };
  const auto amount = [&](const json& object, const char* key) {
    const auto value = number_in(object.at(key), 0, std::numeric_limits<double>::max());
    require(value.has_value(), key);
    return *value;
  };
  TrainingState s;
  s.step = counter(j, "step", 0);
  s.epoch = counter(j, "epoch", 0, kLargestCounter / batches);
  s.batch = counter(j, "batch", 0, batches);
  require(s.epoch * batches + s.batch == s.step, "step");
  s.seconds = amount(j, "seconds");
  s.best = number(j.at("best"));
  s.best_step = counter(j, "best_step", -1, s.step);
  s.waited = counter(j, "waited", 0, s.epoch);
  s.examples = amount(j, "examples");
  for (const json& m : j.at("sums")) {
    const json& value = m.at(1);  // null: not a finite number
    s.sums.push_back({m.at(0), value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>()});
  }
  require(s.sums.empty() == (s.batch == 0) && (s.examples > 0) == (s.batch > 0), "sums");
  s.log_bytes = counter(j, "log_bytes", 0);
  s.learning_rate = amount(j, "learning_rate");
  require(s.learning_rate > 0, "learning_rate");
  const json& p = j.at("plateau");
  s.plateau = {.rate = amount(p, "rate"), .best = number(p.at("best")), .bad = counter(p, "bad", 0), .cooldown = counter(p, "cooldown", 0)};
  return s;
}

std::int64_t whole_number(const std::string& text, std::int64_t high) {
  std::int64_t value = -1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value < 0 || value > high) throw std::runtime_error("counter");
  return value;
}

/// Names and shapes of the parameters in the order of the flat arrays.
std::string layout(const Session& session) {
  Digest digest;
  for (const ad::Parameter& p : session.store.all()) {
    digest.add(std::string_view(p.path()));
    for (const Index n : p.shape()) digest.add(static_cast<std::uint64_t>(n));
  }
  return std::to_string(digest.value());
}

constexpr const char* kFormat = "vaezoo training state 2";
constexpr const char* kFirstFormat = "vaezoo training state 1";  // knew nothing of its data and settings

FileError damaged(const std::filesystem::path& path, const std::string& what) {
  return FileError(cat(path.string(), ": ", what, "; it does not belong to this run's config.json, or was changed by hand"));
}

const std::string& entry(const ad::Metadata& metadata, const std::string& key, const std::filesystem::path& path) {
  const auto it = metadata.find(key);
  if (it == metadata.end()) throw damaged(path, cat("has no \"", key, "\" in its metadata"));
  return it->second;
}

void check_format(const ad::Metadata& metadata, const std::filesystem::path& path) {
  const std::string& format = entry(metadata, "format", path);
  if (format == kFirstFormat)
    throw FileError(cat(path.string(), ": is of an earlier version, whose states do not tell which data and settings they are of, so that ",
                        "training cannot go on with it; the weights next to it still serve evaluate, sample and encode"));
  if (format != kFormat) throw damaged(path, "is not a training state of this version");
}

/// The flat arrays of a run by name.
std::vector<ad::NamedTensor> tensors(Session& session, Optimizers& optimizers, ad::WeightAverage* average) {
  std::vector<ad::NamedTensor> all;
  const auto add = [&](const std::string& name, std::span<Real> values) { all.push_back({name, {std::ssize(values)}, values}); };
  add("parameters", session.store.values());
  add("buffers", session.store.buffers());
  for (const auto& s : optimizers.state()) add("optimizer." + s.name, s.values);
  if (average != nullptr) add("average", average->values());
  return all;
}

}  // namespace

ad::Metadata checkpoint_metadata(Session& session, const Position& position) {
  return {{"experiment", session.config.name},
          {"model", session.config.model_name},
          {"step", ad::to_text(position.step)},
          {"epoch", ad::to_text(position.epoch)},
          {"config", json::parse(experiment_text(session.config)).dump()},
          {"data", to_json_text(session.record)}};
}

std::optional<Origin> origin_of(const ad::Metadata& metadata, const std::filesystem::path& name) {
  const auto config = metadata.find("config"), data = metadata.find("data");
  if (config == metadata.end() || data == metadata.end()) return std::nullopt;
  return Origin{config->second, read_data_record(data->second, name.string())};
}

void save_training(const std::filesystem::path& path, Session& session, const TrainingState& state, const Position& position,
                   Optimizers& optimizers, ad::WeightAverage* average) {
  ad::Metadata metadata = checkpoint_metadata(session, position);
  metadata["format"] = kFormat;
  metadata["state"] = to_json(state).dump();
  metadata["layout"] = layout(session);
  metadata["optimizer"] = session.config.train.optimizer.name;
  metadata["optimizer_steps"] = std::to_string(optimizers.steps());
  if (average != nullptr) metadata["average_updates"] = std::to_string(average->updates());
  ad::write_safetensors(path, tensors(session, optimizers, average), metadata);
}

Origin origin_of_training(const std::filesystem::path& path) {
  const ad::Safetensors file(path);
  check_format(file.metadata(), path);
  const std::optional<Origin> origin = origin_of(file.metadata(), path);
  if (!origin) throw damaged(path, "has no configuration or no record of its data in its metadata");
  return *origin;
}

TrainingState load_training(const std::filesystem::path& path, Session& session, Optimizers& optimizers,
                            ad::WeightAverage* average, Index batches) {
  const ad::Safetensors file(path);
  const auto text = [&](const std::string& key) { return entry(file.metadata(), key, path); };
  check_format(file.metadata(), path);
  if (text("model") != session.config.model_name)
    throw damaged(path, cat("is of a ", excerpt(text("model")), " and the run's model is ", session.config.model_name));
  if (text("optimizer") != session.config.train.optimizer.name)
    throw damaged(path, cat("is of the optimizer ", excerpt(text("optimizer"))));
  if (text("layout") != layout(session)) throw damaged(path, "holds parameters of other names or shapes than the model has");
  const std::vector<ad::NamedTensor> wanted = tensors(session, optimizers, average);
  for (const ad::NamedTensor& t : wanted) {
    const auto* found = file.find(t.name);
    if (found == nullptr || found->size != t.values.size())
      throw damaged(path, cat("holds ", found == nullptr ? 0 : found->size, " numbers of ", t.name, ", the experiment needs ",
                              t.values.size()));
  }
  TrainingState state;
  std::int64_t optimizer_steps = 0, updates = 0;
  try {
    state = from_json(json::parse(text("state")), batches);
    optimizer_steps = whole_number(text("optimizer_steps"), state.step);
    if (average != nullptr) updates = whole_number(text("average_updates"), state.step);
  } catch (const FileError&) {
    throw;
  } catch (const std::exception&) {
    throw damaged(path, "has counters that cannot be read, or contradict each other");
  }
  for (const ad::NamedTensor& t : wanted)
    file.read(*file.find(t.name), std::span<Real>(const_cast<Real*>(t.values.data()), t.values.size()));
  optimizers.set_steps(optimizer_steps);
  if (average != nullptr) average->set_updates(updates);
  return state;
}

}  // namespace vaezoo
