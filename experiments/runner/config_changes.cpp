#include "experiments/runner/config_changes.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "autodiff/check.hpp"
#include "config/json.hpp"
#include "config/printable.hpp"
#include "experiments/output/files.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::json;

void compare(const std::string& path, const json* then, const json* now, std::vector<ConfigChange>& changes) {
  if (then != nullptr && now != nullptr && *then == *now) return;
  const bool objects = (then == nullptr || then->is_object()) && (now == nullptr || now->is_object());
  if (!objects) {
    const auto text = [](const json* value) {
      if (value == nullptr) return std::string("nothing");
      return value->is_string() ? cat("\"", excerpt(value->get<std::string>()), "\"") : shown(*value);
    };
    changes.push_back({path, text(then), text(now)});
    return;
  }
  const json none = json::object();
  const json &before = then == nullptr ? none : *then, &after = now == nullptr ? none : *now;
  const auto step = [&](const std::string& key) {
    const auto find = [&](const json& in) { return in.contains(key) ? &in.at(key) : nullptr; };
    compare(join_path(path, key), find(before), find(after), changes);
  };
  // Below the root another name says it all: the settings are of something else.
  if (!path.empty() && before.contains("name") && after.contains("name") && before.at("name") != after.at("name")) return step("name");
  for (const auto& [key, value] : before.items()) step(key);
  for (const auto& [key, value] : after.items())
    if (!before.contains(key)) step(key);
}

bool is_under(const std::string& key, std::string_view path) {
  return key.starts_with(path) && (key.size() == path.size() || key[path.size()] == '.');
}

/// Settings that name files: data may move, and are compared themselves.
bool names_data_file(const std::string& key) {
  constexpr std::array kEndings = {"_file", "_labels", "_conditions", ".path"};
  return key.starts_with("dataset.") && std::ranges::any_of(kEndings, [&](const char* end) { return key.ends_with(end); });
}

}  // namespace

std::vector<ConfigChange> config_changes(const std::string& then, ExperimentConfig& now, const std::string& source) {
  std::vector<ConfigChange> changes;
  try {
    ExperimentConfig before = read_experiment(Document::from_text(then, source));
    const json a = json::parse(experiment_text(before)), b = json::parse(experiment_text(now));
    compare("", &a, &b, changes);
  } catch (const ConfigError& e) {
    throw FileError(cat("the configuration kept in a checkpoint cannot be read: ", e.what(),
                        "; it is of another version, or was changed by hand"));
  }
  return changes;
}

std::string to_text(const ConfigChange& change) { return cat(change.key, " was ", change.then, " and is ", change.now); }

std::string objection_to_resume(const ConfigChange& change) {
  constexpr std::array kFree = {"name", "description", "train.epochs", "train.steps", "train.schedule", "train.optimizer.learning_rate",
                                "train.clip_norm", "train.clip_value", "train.early_stopping.patience",
                                "train.early_stopping.min_delta", "train.validate_every", "train.log_every",
                                "train.checkpoint_every", "train.checkpoint_every_steps", "evaluate", "tasks", "output"};
  if (std::ranges::any_of(kFree, [&](const char* path) { return is_under(change.key, path); }) || names_data_file(change.key)) return "";
  if (is_under(change.key, "train.optimizers") && change.key.ends_with(".learning_rate")) return "";
  constexpr std::array<std::pair<const char*, const char*>, 8> kReasons = {{
      {"seed", "the weights began with it, and the order of the data and the noise are drawn from it"},
      {"dataset", "training goes on with the data that it began with"},
      {"model", "the weights are of that model"},
      {"train.batch_size", "the place in the epoch is counted in batches"},
      {"train.drop_last", "the place in the epoch is counted in batches"},
      {"train.shuffle", "the place in the epoch depends on it"},
      {"train.optimizer", "its running means were gathered with it"},
      {"train.early_stopping.metric", "the best weights so far were chosen by it"},
  }};
  for (const auto& [path, reason] : kReasons)
    if (is_under(change.key, path)) return reason;
  return "the steps that are done depend on it";
}

void check_resumable(const std::vector<ConfigChange>& changes, const std::string& folder) {
  constexpr std::size_t kShown = 5;
  std::string text;
  std::size_t count = 0;
  for (const ConfigChange& change : changes) {
    const std::string objection = objection_to_resume(change);
    if (objection.empty() || ++count > kShown) continue;
    text += cat(count > 1 ? "; " : "", to_text(change), " (", objection, ")");
  }
  if (count > kShown) text += cat("; and ", count - kShown, " more");
  if (count > 0)
    throw ConfigError(cat(folder, ": cannot go on with other settings than it began with: ", text,
                          "; put them back, or train a run of its own with vaezoo run"));
}

}  // namespace vaezoo
