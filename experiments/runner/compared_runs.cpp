#include "experiments/runner/compared_runs.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "autodiff/safetensors.hpp"
#include "config/json.hpp"
#include "experiments/output/text.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/setting_names.hpp"
#include "experiments/runner/training_state.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 60;  // leaves room for numbers in a terminal

void flatten(const json& value, const std::string& path, std::map<std::string, std::string>& into) {
  if (!value.is_object() || value.empty()) {
    into[path] = value.dump();
    return;
  }
  for (const auto& [key, below] : value.items()) flatten(below, path.empty() ? key : cat(path, ".", key), into);
}

bool says_nothing_of_results(const std::string& path) {
  return path == "name" || path == "description" || path.starts_with("output.");
}

/// The run's own seed; dataset.seed draws other data.
bool is_seed(const std::string& path) { return path == "seed"; }

bool of_data(const std::string& path) { return path.starts_with("dataset."); }
bool of_likelihood(const std::string& path) { return path.starts_with("model.likelihood"); }

std::map<std::string, std::string> digests_in(const fs::path& checkpoint) {
  std::map<std::string, std::string> digests;
  if (!fs::exists(checkpoint)) return digests;
  const std::optional<Origin> origin = origin_of(ad::Safetensors(checkpoint).metadata(), checkpoint);
  if (!origin) return digests;
  for (const Split split : {Split::train, Split::validation, Split::test})
    digests[std::string(to_text(split))] = std::to_string(origin->data.parts[static_cast<std::size_t>(split)].digest);
  return digests;
}

std::string value_in(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

/// How a run was measured, by name; what is measured on is same_data's.
std::map<std::string, std::string> measurement_of(const ComparedRun& run, const std::string& split) {
  return {{"examples", run.summary[split].value("examples", json()).dump()},
          {"importance_samples", run.summary.value("importance_samples", json()).dump()}};
}

/// As far as both tell.
bool same_data(const ComparedRun& a, const ComparedRun& b) {
  return a.digests.empty() || b.digests.empty() || a.digests == b.digests;
}
bool same_data(const ComparedRun& a, const ComparedRun& b, const std::string& split) {
  return a.digests.empty() || b.digests.empty() || value_in(a.digests, split) == value_in(b.digests, split);
}

std::vector<std::string> differing_between(const std::vector<const ComparedRun*>& runs) {
  std::set<std::string> paths;
  for (const ComparedRun* run : runs)
    for (const auto& [path, value] : run->settings)
      if (!says_nothing_of_results(path)) paths.insert(path);
  std::vector<std::string> list;
  for (const std::string& path : paths)
    if (std::ranges::any_of(runs, [&](const ComparedRun* r) { return r->setting(path) != runs.front()->setting(path); }))
      list.push_back(path);
  return list;
}

std::string without_quotes(std::string value) {
  if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
  return value;
}

/// "beta=4, latent_dim=2"; empty where only seeds differ.
std::string name_of(const RunGroup& group, const std::vector<std::string>& settings) {
  const std::vector<std::string> names = short_setting_names(settings);
  std::string name;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const std::string value = group.runs.front()->setting(settings[i]);
    if (!is_seed(settings[i]) && !value.empty()) name += cat(name.empty() ? "" : ", ", names[i], "=", without_quotes(value));
  }
  return name;
}

/// Groups of one name differ in how or on what they were measured, which is added.
void tell_apart(std::vector<RunGroup>& groups, const std::string& split) {
  std::map<std::string, std::vector<RunGroup*>> named;
  for (RunGroup& group : groups) named[group.name].push_back(&group);
  const auto add = [](RunGroup& group, const std::string& what) { group.name += (group.name.empty() ? "" : ", ") + what; };
  for (const auto& [name, same] : named) {
    const ComparedRun& first = *same.front()->runs.front();
    for (const auto& [what, value] : measurement_of(first, split))
      if (std::ranges::any_of(same, [&](RunGroup* g) { return measurement_of(*g->runs.front(), split)[what] != value; }))
        for (RunGroup* group : same) add(*group, cat(what, "=", measurement_of(*group->runs.front(), split)[what]));
    std::vector<const ComparedRun*> sources;  // a run of each data
    const auto source_of = [&](const RunGroup* group) {
      return std::ranges::find_if(sources, [&](const ComparedRun* r) { return same_data(*r, *group->runs.front()); });
    };
    for (const RunGroup* group : same)
      if (source_of(group) == sources.end()) sources.push_back(group->runs.front());
    for (RunGroup* group : same)
      if (sources.size() > 1) add(*group, cat("data ", source_of(group) - sources.begin() + 1));
  }
}

Mean mean_and_error(const std::vector<double>& values) {
  Mean mean;
  for (const double v : values) mean.value += v / double(values.size());
  if (values.size() < 2) return mean;
  double squares = 0;
  for (const double v : values) squares += (v - mean.value) * (v - mean.value);
  mean.standard_error = std::sqrt(squares / double(values.size() - 1) / double(values.size()));
  return mean;
}

/// The mean over the runs of the group with that seed.
std::optional<double> number_of_seed(const RunGroup& group, const std::string& seed, const std::string& split,
                                     const std::string& metric) {
  std::vector<double> values;
  for (const ComparedRun* run : group.runs)
    if (const auto v = run->number(split, metric); v && run->setting("seed") == seed) values.push_back(*v);
  return values.empty() ? std::nullopt : std::optional(mean_and_error(values).value);
}

/// Is it of the log-likelihood, whose value depends on how the data are prepared and modelled?
bool is_likelihood(const std::string& metric) {
  static const std::set<std::string> names = {"loss", "loss_mean_code", "elbo",         "bound",         "reconstruction",
                                              "nll",  "exact_nll",      "bits_per_dim", "nll_per_token", "perplexity"};
  return names.contains(metric) || metric.starts_with("reconstruction_");
}
bool depends_on_samples(const std::string& metric) {
  static const std::set<std::string> names = {"nll", "bits_per_dim", "nll_per_token", "perplexity"};
  return names.contains(metric);
}

}  // namespace

std::string ComparedRun::setting(const std::string& path) const { return value_in(settings, path); }

std::optional<double> ComparedRun::number(const std::string& split, const std::string& metric) const {
  if (!finished() || !summary[split].contains(metric) || !summary[split][metric].is_number()) return std::nullopt;
  return summary[split][metric].get<double>();
}

ComparedRun read_compared_run(const std::string& folder) {
  const fs::path path = fs::path(folder).lexically_normal();
  ComparedRun run{(path.has_filename() ? path : path.parent_path()).filename().string(), {folder}, {}, {}, {}};
  if (!fs::exists(run.folder.config()))
    throw UsageError(cat(folder, ": holds no run (no config.json); a run's folder is what --out named"));
  flatten(read_json(run.folder.config()), "", run.settings);
  if (!fs::exists(run.folder.summary())) return run;
  run.summary = read_json(run.folder.summary());
  if (!run.summary.is_object())
    throw ad::FileError(cat(run.folder.summary().string(), ": is no summary; remove it, and resume the run to write it again"));
  run.digests = digests_in(run.folder.last());
  return run;
}

std::vector<std::string> differing_settings(const std::vector<ComparedRun>& runs) {
  std::vector<const ComparedRun*> all;
  for (const ComparedRun& run : runs) all.push_back(&run);
  return differing_between(all);
}

std::string common_split(const std::vector<ComparedRun>& runs) {
  for (const std::string split : {"test", "validation", "train"}) {
    const auto has = [&](const ComparedRun& run) { return run.summary.contains(split) && run.summary[split].is_object(); };
    if (std::ranges::all_of(runs, [&](const ComparedRun& run) { return !run.finished() || has(run); })) return split;
  }
  return "";
}

std::vector<RunGroup> groups_of(const std::vector<ComparedRun>& runs, const std::vector<std::string>& settings,
                                const std::string& split) {
  std::vector<RunGroup> groups;
  const auto belongs = [&](const ComparedRun& run, const ComparedRun& other) {
    const auto same = [&](const std::string& path) { return is_seed(path) || run.setting(path) == other.setting(path); };
    return std::ranges::all_of(settings, same) && measurement_of(run, split) == measurement_of(other, split) &&
           same_data(run, other);
  };
  for (const ComparedRun& run : runs) {
    if (!run.finished()) continue;
    const auto same = std::ranges::find_if(groups, [&](const RunGroup& g) { return belongs(run, *g.runs.front()); });
    if (same == groups.end()) groups.push_back({"", false, {&run}});
    else same->runs.push_back(&run);
  }
  for (RunGroup& group : groups) group.name = name_of(group, settings);
  tell_apart(groups, split);
  for (RunGroup& group : groups) {
    const std::size_t more = group.runs.size() - 1;
    group.shortened = display_width(group.name) > kLongestName;
    if (group.name.empty() || group.shortened)
      group.name = cat(group.runs.front()->name, more > 0 ? cat(" and ", more, " more") : "");
  }
  return groups;
}

std::vector<std::string> metrics_of(const std::vector<RunGroup>& groups, const std::string& split) {
  std::vector<std::string> names;
  for (const RunGroup& group : groups)
    for (const ComparedRun* run : group.runs)
      for (const auto& [name, value] : run->summary[split].items()) {
        const bool measured = value.is_number() && name != "examples" && !name.ends_with("_stderr");
        if (measured && std::ranges::find(names, name) == names.end()) names.push_back(name);
      }
  const std::vector<std::string> first = {"nll", "elbo", "bits_per_dim", "reconstruction", "kl"};
  std::ranges::stable_sort(names, {}, [&](const std::string& n) { return std::ranges::find(first, n) - first.begin(); });
  return names;
}

std::optional<Mean> mean_of(const RunGroup& group, const std::string& split, const std::string& metric) {
  std::vector<double> values;
  std::optional<double> over_examples;
  for (const ComparedRun* run : group.runs)
    if (const auto v = run->number(split, metric)) {
      values.push_back(*v);
      over_examples = run->number(split, metric + "_stderr");
    }
  if (values.empty()) return std::nullopt;
  Mean mean = mean_and_error(values);
  if (values.size() == 1) mean.standard_error = over_examples;
  return mean;
}

Better better_of(const std::string& metric) {
  static const std::set<std::string> lower = {"nll", "bits_per_dim", "nll_per_token", "perplexity",
                                              "mse", "hidden_mse",   "normalized_mse"};
  static const std::set<std::string> higher = {"elbo",      "bound",      "reconstruction", "cluster_nmi",
                                               "coherence", "modularity", "irs",            "mig",
                                               "factor_vae_score"};
  if (lower.contains(metric)) return Better::lower;
  if (higher.contains(metric)) return Better::higher;
  for (const char* family : {"auroc_", "average_precision_", "mig_", "dci_", "coherence_", "reconstruction_"})
    if (metric.starts_with(family)) return Better::higher;
  const bool of_judge = metric.starts_with("classifier_accuracy");  // which says how far to trust the others
  return metric.ends_with("_accuracy") && !of_judge ? Better::higher : Better::unknown;
}

bool comparable(const RunGroup& a, const RunGroup& b, const std::string& split, const std::string& metric) {
  const ComparedRun &x = *a.runs.front(), &y = *b.runs.front();
  const auto of_x = measurement_of(x, split), of_y = measurement_of(y, split);
  const auto same = [&](const std::string& what) { return value_in(of_x, what) == value_in(of_y, what); };
  if (!same("examples") || !same_data(x, y, split)) return false;
  if (depends_on_samples(metric) && !same("importance_samples")) return false;
  return !is_likelihood(metric) || std::ranges::none_of(differing_between({&x, &y}), [](const std::string& path) {
           return of_data(path) || of_likelihood(path);
         });
}

std::vector<const RunGroup*> best_of(const std::vector<RunGroup>& groups, const std::string& split, const std::string& metric) {
  const Better better = better_of(metric);
  std::vector<const RunGroup*> best;
  double extreme = 0;
  int with = 0;
  for (const RunGroup& group : groups) {
    const auto mean = mean_of(group, split, metric);
    if (!mean) continue;
    if (better == Better::unknown || !comparable(groups.front(), group, split, metric)) return {};
    const double value = better == Better::lower ? -mean->value : mean->value;
    if (with++ == 0 || value > extreme) {
      best.clear();
      extreme = value;
    }
    if (value == extreme) best.push_back(&group);
  }
  return with > 1 ? best : std::vector<const RunGroup*>{};
}

bool one_setting_apart(const RunGroup& a, const RunGroup& b) {
  const ComparedRun &x = *a.runs.front(), &y = *b.runs.front();
  int of_both = 0, of_one = 0;
  for (const std::string& path : differing_between({&x, &y})) {
    if (is_seed(path)) continue;
    ++(x.settings.contains(path) && y.settings.contains(path) ? of_both : of_one);
  }
  return of_both == 1 || (of_both == 0 && of_one == 1);
}

std::vector<std::string> shared_seeds(const RunGroup& a, const RunGroup& b) {
  std::vector<std::string> seeds;
  for (const ComparedRun* run : a.runs) {
    const std::string seed = run->setting("seed");
    const bool shared = std::ranges::any_of(b.runs, [&](const ComparedRun* other) { return other->setting("seed") == seed; });
    if (shared && std::ranges::find(seeds, seed) == seeds.end()) seeds.push_back(seed);
  }
  return seeds;
}

std::optional<Mean> paired_difference(const RunGroup& group, const RunGroup& baseline, const std::string& split,
                                      const std::string& metric) {
  if (!comparable(group, baseline, split, metric)) return std::nullopt;
  std::vector<double> differences;
  for (const std::string& seed : shared_seeds(group, baseline)) {
    const auto value = number_of_seed(group, seed, split, metric), before = number_of_seed(baseline, seed, split, metric);
    if (value && before) differences.push_back(*value - *before);
  }
  return differences.size() < 2 ? std::nullopt : std::optional(mean_and_error(differences));
}

std::vector<std::string> caveats(const std::vector<ComparedRun>& runs, const std::string& split,
                                 const std::vector<std::string>& settings) {
  std::vector<std::string> sentences;
  std::set<std::string> samples, examples, data;
  for (const ComparedRun& run : runs) {
    if (!run.finished()) {
      sentences.push_back(run.name + " is not finished (no summary.json); it has no numbers here");
      continue;
    }
    if (run.number(split, "nll")) samples.insert(run.summary.value("importance_samples", json()).dump());
    examples.insert(run.summary[split].value("examples", json()).dump());
    if (!run.digests.empty()) data.insert(value_in(run.digests, split));
  }
  const auto joined_values = [](const std::set<std::string>& values) {
    std::string text;
    for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
    return text;
  };
  if (samples.size() > 1)
    sentences.push_back(cat("nll is by different numbers of importance samples (", joined_values(samples),
                            "), and falls as they grow; evaluate again with one number"));
  if (examples.size() > 1)
    sentences.push_back(cat("the runs were evaluated on different numbers of examples (", joined_values(examples), ")"));
  else if (data.size() > 1)
    sentences.push_back(cat("the runs were evaluated on different ", split, " examples"));
  if (std::ranges::any_of(settings, of_data))
    sentences.push_back("the runs differ in their data, so that likelihoods may be of different things");
  if (std::ranges::any_of(settings, of_likelihood))
    sentences.push_back("the runs differ in their likelihood, so that nats may be of different things");
  return sentences;
}

}  // namespace vaezoo
