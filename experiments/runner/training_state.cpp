#include "experiments/runner/training_state.hpp"

#include <nlohmann/json.hpp>

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::json;

/// JSON has no infinity: a metric that has not been seen yet is null.
json number(double x) { return std::isfinite(x) ? json(x) : json(); }
double number(const json& j) { return j.is_null() ? std::numeric_limits<double>::infinity() : j.get<double>(); }

json to_json(const TrainingState& s) {
  json sums = json::array();
  for (const Metric& m : s.sums) sums.push_back({m.name, m.value});
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
      {"plateau",
       {{"rate", s.plateau.rate}, {"best", number(s.plateau.best)}, {"bad", s.plateau.bad}, {"cooldown", s.plateau.cooldown}}}};
}

TrainingState from_json(const json& j) {
  TrainingState s;
  s.step = j.at("step");
  s.epoch = j.at("epoch");
  s.batch = j.at("batch");
  s.seconds = j.at("seconds");
  s.best = number(j.at("best"));
  s.best_step = j.at("best_step");
  s.waited = j.at("waited");
  s.examples = j.at("examples");
  for (const json& m : j.at("sums")) s.sums.push_back({m.at(0), m.at(1)});
  s.log_bytes = j.at("log_bytes");
  const json& p = j.at("plateau");
  s.plateau = {.rate = p.at("rate"), .best = number(p.at("best")), .bad = p.at("bad"), .cooldown = p.at("cooldown")};
  return s;
}

/// The flat arrays of a run by name.
std::vector<ad::NamedTensor> tensors(Session& session, ad::Optimizer& optimizer, ad::WeightAverage* average) {
  std::vector<ad::NamedTensor> all;
  const auto add = [&](const std::string& name, std::span<Real> values) { all.push_back({name, {std::ssize(values)}, values}); };
  add("parameters", session.store.values());
  add("buffers", session.store.buffers());
  for (const auto& s : optimizer.state()) add("optimizer." + s.name, s.values);
  if (average != nullptr) add("average", average->values());
  return all;
}

}  // namespace

ad::Metadata checkpoint_metadata(const ExperimentConfig& config, const Position& position) {
  return {{"experiment", config.name},
          {"model", config.model_name},
          {"step", ad::to_text(position.step)},
          {"epoch", ad::to_text(position.epoch)}};
}

void save_training(const std::filesystem::path& path, Session& session, const TrainingState& state, const Position& position,
                   ad::Optimizer& optimizer, ad::WeightAverage* average) {
  ad::Metadata metadata = checkpoint_metadata(session.config, position);
  metadata["format"] = "vaezoo training state 1";
  metadata["state"] = to_json(state).dump();
  metadata["optimizer"] = session.config.train.optimizer.name;
  metadata["optimizer_steps"] = std::to_string(optimizer.steps());
  if (average != nullptr) metadata["average_updates"] = std::to_string(average->updates());
  ad::write_safetensors(path, tensors(session, optimizer, average), metadata);
}

TrainingState load_training(const std::filesystem::path& path, Session& session, ad::Optimizer& optimizer,
                            ad::WeightAverage* average) {
  const ad::Safetensors file(path);
  const auto damaged = [&](const std::string& what) -> FileError {
    return FileError(cat(path.string(), ": ", what, "; it does not belong to this run's config.json, or was changed by hand"));
  };
  const auto text = [&](const std::string& key) {
    const auto it = file.metadata().find(key);
    if (it == file.metadata().end()) throw damaged(cat("has no \"", key, "\" in its metadata"));
    return it->second;
  };
  if (text("format") != "vaezoo training state 1") throw damaged("is not a training state of this version");
  if (text("optimizer") != session.config.train.optimizer.name) throw damaged(cat("is of the optimizer ", text("optimizer")));
  const std::vector<ad::NamedTensor> wanted = tensors(session, optimizer, average);
  for (const ad::NamedTensor& t : wanted) {
    const auto* found = file.find(t.name);
    if (found == nullptr || found->size != t.values.size())
      throw damaged(
          cat("holds ", found == nullptr ? 0 : found->size, " numbers of ", t.name, ", the experiment needs ", t.values.size()));
  }
  TrainingState state;
  std::int64_t optimizer_steps = 0, updates = 0;
  try {
    state = from_json(json::parse(text("state")));
    optimizer_steps = std::stoll(text("optimizer_steps"));
    if (average != nullptr) updates = std::stoll(text("average_updates"));
  } catch (const FileError&) {
    throw;
  } catch (const std::exception&) {  // of the JSON library, of stoll
    throw damaged("has counters that cannot be read");
  }
  for (const ad::NamedTensor& t : wanted)
    file.read(*file.find(t.name), std::span<Real>(const_cast<Real*>(t.values.data()), t.values.size()));
  optimizer.set_steps(optimizer_steps);
  if (average != nullptr) average->set_updates(updates);
  return state;
}

}  // namespace vaezoo
