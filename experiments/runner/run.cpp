#include "experiments/runner/run.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "autodiff/gemm.hpp"
#include "autodiff/parallel.hpp"
#include "autodiff/safetensors.hpp"
#include "config/printable.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/checks.hpp"
#include "experiments/runner/classifier.hpp"
#include "experiments/runner/config_changes.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"
#include "experiments/runner/pictures.hpp"
#include "experiments/runner/run_report.hpp"
#include "experiments/runner/run_tasks.hpp"
#include "experiments/runner/summary.hpp"
#include "experiments/runner/training_state.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

constexpr Index kJudgedSamples = 2000;  ///< a standard error of at most 1.1 %

void apply(const CommonOptions& common) {
  if (common.threads) ad::set_threads(*common.threads);
  ad::prepare_gemm(ad::threads());
}

void say(const CommonOptions& common, const std::string& line) {
  if (!common.quiet) tell(line + "\n");
}

/// The data of an experiment, treated as a run of before treated them.
Dataset load_data(const ExperimentConfig& config, const CommonOptions& common, const DataRecord* before = nullptr) {
  const auto folder = data_directory(common.data_dir);
  std::optional<Scale> scale;
  if (before != nullptr && !before->mean.empty()) scale = {before->mean, before->stddev};
  Dataset data = load_dataset(config.dataset, folder, scale ? &*scale : nullptr);
  for (const std::string& warning : data.warnings) say(common, "warning: " + warning);
  return data;
}

void introduce(const Session& s, const CommonOptions& common) {
  say(common, fmt::format("{}: {} on {}, {} training / {} validation / {} test examples of {} x {} x {}", s.config.name,
                          s.config.model_name, s.data.name, s.data.train.size(), s.data.validation.size(), s.data.test.size(),
                          s.data.shape.height, s.data.shape.width, s.data.shape.channels));
  say(common, fmt::format("  minimises {}", s.model->describe()));
  say(common, fmt::format("  {} parameters, {} thread{}", s.store.count(), ad::threads(), ad::threads() == 1 ? "" : "s"));
}

/// Which weights are to be evaluated: the best, or the last where no other are wished or there.
std::string chosen_weights(const RunFolder& folder, const std::string& wish) {
  return !wish.empty() ? wish : fs::exists(folder.best()) ? "best" : "last";
}

fs::path weights_file(const RunFolder& folder, const std::string& which) { return which == "best" ? folder.best() : folder.last(); }

/// Loads the weights to be evaluated into the session.
LoadedWeights load_weights(Session& session, const RunFolder& folder, const std::string& wish) {
  const std::string which = chosen_weights(folder, wish);
  const fs::path file = weights_file(folder, which);
  const ad::Metadata metadata = ad::load_parameters(session.store, file);
  const auto model = metadata.find("model");
  if (model != metadata.end() && model->second != session.config.model_name)
    throw FileError(cat(file.string(), ": is of a ", excerpt(model->second), " and the run's model is ", session.config.model_name,
                        "; it does not belong to this run's config.json"));
  return {which, position_of(metadata)};
}

/// The evaluation that summary.json and evaluation.json tell of, at the place in training where the weights come from: the
/// objective's weights depend on it.
std::vector<SplitResult> evaluate_splits(const Session& session, const LoadedWeights& weights) {
  std::vector<SplitResult> results;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const auto& wanted = session.config.evaluate.splits;
    if (std::find(wanted.begin(), wanted.end(), to_text(split)) == wanted.end() || session.data.split(split).size() == 0)
      continue;
    results.push_back({split, evaluate(*session.model, session.data, split,
                                       evaluation_options(session.config.evaluate, weights.trained), session.keys.evaluation(split))});
    if (const std::int64_t epochs = session.config.evaluate.classifier_epochs; epochs > 0 && split == Split::test) {
      const bool conditional = session.model->conditioning() == Conditioning::labels;
      for (Metric& m : conditional ? judge_samples(session, epochs, kJudgedSamples).metrics() : judge_modalities(session, epochs, kJudgedSamples))
        results.back().evaluation.terms.push_back(std::move(m));
    }
  }
  return results;
}

/// Everything after training: the numbers, the pictures, the report.
int conclude(Session& session, const RunFolder& folder, const TrainingState& state, Outcome outcome, EventWriter* events,
             const CommonOptions& common) {
  const LoadedWeights weights = load_weights(session, folder, "");
  const std::vector<SplitResult> results = evaluate_splits(session, weights);
  write_summary(folder, session, state, results, weights.checkpoint, outcome == Outcome::stopped_early);
  const std::vector<SavedPicture> pictures = draw_pictures(session, folder.path, state.step, events);
  if (session.config.output.report) write_run_report(folder, session, results, pictures);
  if (!common.quiet) fmt::print("{}", results_table(session, results));
  run_tasks(session, folder, weights.checkpoint, common);
  say(common, fmt::format("wrote {}", (session.config.output.report ? folder.path / "report.html" : folder.summary()).string()));
  return kDone;
}

int train(Session& session, Trainer& trainer, const RunFolder& folder, const CommonOptions& common) {
  introduce(session, common);
  for (const std::string& remark : trainer.open_logs()) say(common, remark);
  const Outcome outcome = trainer.run();
  if (outcome == Outcome::interrupted) {
    tell(fmt::format("stopped at step {}; everything is saved: go on with\n  {}\n", trainer.state().step,
                     command_line("resume", folder.path, common)));
    return signal_code(signal_received());
  }
  end_on_signals(cat("stopped during the evaluation; training is saved: go on with\n  ", command_line("resume", folder.path, common)));
  try {
    return conclude(session, folder, trainer.state(), outcome, trainer.events(), common);
  } catch (const std::exception&) {  // the training was not in vain
    tell(fmt::format(
        "the training is done and its weights are saved, but what follows failed; once the cause is gone, go on with\n  {}\n",
        command_line("resume", folder.path, common)));
    throw;
  }
}

/// The configuration of a run, with changes.
ExperimentConfig run_config(const fs::path& folder, const std::vector<std::string>& overrides) {
  if (!fs::exists(RunFolder{folder}.config()))
    throw UsageError(cat(folder.string(), ": holds no run (no config.json); a run's folder is what --out named"));
  return load_experiment(RunFolder{folder}.config(), overrides);
}

/// Notes what is set otherwise than when the weights were trained, and says whether that concerns the data. Throws ConfigError for
/// another model.
bool note_changes(ExperimentConfig& config, const Origin& origin, const fs::path& weights, const fs::path& run) {
  bool other_data = false;
  for (const ConfigChange& change : config_changes(origin.config, config, weights.string())) {
    if (change.key == "model.name") throw ConfigError(cat(run.string(), ": ", to_text(change), "; the weights are of that model"));
    const bool of_data = change.key.starts_with("dataset.");
    if (of_data || change.key.starts_with("model.")) config.notes.push_back(cat(to_text(change), ", since the weights were trained"));
    other_data = other_data || of_data;
  }
  return other_data;
}

/// What note_changes() noted of the model, in one line; "" when nothing was changed.
std::string model_changes(const ExperimentConfig& config) {
  std::string text;
  for (const std::string& note : config.notes)
    if (note.starts_with("model.")) text += (text.empty() ? "" : "; ") + note;
  return text;
}

/// Notes how the data differ from those of training. Throws DataError when the model cannot take them, and when they may not differ.
void compare_data(ExperimentConfig& config, const DataRecord& then, const DataRecord& now, bool may_differ, const fs::path& run) {
  if (const auto sentence = misfit(then, now)) throw DataError(cat(run.string(), ": ", *sentence));
  const auto sentence = difference(then, now);
  if (!sentence) return;
  if (!may_differ)
    throw DataError(cat(run.string(), ": ", *sentence, "; put the data of then back, or use these with --accept-data"));
  config.notes.push_back(*sentence);
  if (now.parts[0] != then.parts[0])
    config.notes.push_back("the training split is another one, so that the other splits may hold what the model was trained on");
  if (then.unit_range && !now.unit_range)
    config.notes.push_back("the data hold numbers outside [0, 1], which those of training did not");
}

}  // namespace

std::string command_line(const std::string& command, const fs::path& folder, const CommonOptions& common) {
  const auto quoted = [](const std::string& word) {
    const auto plain = [](unsigned char c) {
      return std::isalnum(c) != 0 || c >= 0x80 || std::string_view("_./:@%+=,-").find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (!word.empty() && std::ranges::all_of(word, plain)) return word;
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
  };
  std::string line = cat("vaezoo ", command, " ", quoted(folder.string()));
  if (common.data_dir) line += cat(" --data-dir ", quoted(*common.data_dir));
  return line;
}

int run_experiment(ExperimentConfig config, const fs::path& path, bool force, const CommonOptions& common) {
  apply(common);
  const RunFolder folder{path};
  const auto refuse_to_replace = [&] {
    if (!force && folder.holds_run())
      throw UsageError(cat(path.string(), ": holds a run already; go on with it (", command_line("resume", path, common),
                           "), choose another --out, or replace it with --force"));
  };
  if (folder.holds_run()) require_no_other(folder);
  refuse_to_replace();
  const std::string text = experiment_text(config);
  // What is wrong with data, model or plan shows before a file is made, and before an old run is removed.
  Dataset data = load_data(config, common);
  const auto session = std::make_unique<Session>(std::move(config), std::move(data));
  Trainer trainer(*session, folder, {.quiet = common.quiet, .resume = false});
  note_signals();
  make_folder(path);
  const RunLock lock(folder);
  refuse_to_replace();  // another process may have been faster
  if (folder.holds_run()) folder.clear();
  atomic_write(folder.config(), text);
  return train(*session, trainer, folder, common);
}

int resume_run(const fs::path& path, const std::vector<std::string>& overrides, const CommonOptions& common) {
  apply(common);
  const RunFolder folder{path};
  ExperimentConfig config = run_config(path, overrides);
  for (const std::string& note : config.notes) say(common, cat("note: ", note));
  const RunLock lock(folder);
  const bool saved = fs::exists(folder.state());
  if (!saved && (fs::exists(folder.last()) || fs::exists(folder.best()) || fs::exists(folder.summary())))
    throw UsageError(cat(path.string(), ": was trained, but the state of its training (checkpoints/state.safetensors) is gone, so that it ",
                         "cannot go on; what is there still serves, and vaezoo run --force starts over"));
  std::optional<DataRecord> before;
  if (saved) {
    const Origin origin = origin_of_training(folder.state());
    check_resumable(config_changes(origin.config, config, folder.state().string()), path.string());
    before = origin.data;
  }
  Dataset data = load_data(config, common, before ? &*before : nullptr);
  if (const auto sentence = before ? difference(*before, record_of(data)) : std::nullopt)
    throw DataError(cat(path.string(), ": ", *sentence, "; training goes on only with the same data: put them back, or train a run of its "
                        "own with vaezoo run"));
  const std::string text = experiment_text(config);
  const auto session = std::make_unique<Session>(std::move(config), std::move(data));
  Trainer trainer(*session, folder, {.quiet = common.quiet, .resume = saved});
  note_signals();
  if (!saved) {
    say(common, "no checkpoint was saved yet: starting from the beginning");
    folder.clear();
  }
  if (!fs::exists(folder.config()) || read_file(folder.config()) != text) atomic_write(folder.config(), text);
  return train(*session, trainer, folder, common);
}

LoadedRun load_run(const fs::path& path, const std::string& checkpoint, const std::vector<std::string>& overrides,
                   const CommonOptions& common, Need need) {
  apply(common);
  LoadedRun run{nullptr, {path}, {}};
  ExperimentConfig config = run_config(path, overrides);
  if (!fs::exists(run.folder.last()) && !fs::exists(run.folder.best()))
    throw UsageError(cat(path.string(), ": has no checkpoint yet; train it first: ", command_line("resume", path, common)));
  const fs::path file = weights_file(run.folder, chosen_weights(run.folder, checkpoint));
  const std::optional<Origin> origin = origin_of(ad::Safetensors(file).metadata(), file);
  const bool other_data = origin && note_changes(config, *origin, file, path);
  if (origin && need != Need::examples && !other_data) {
    run.session = std::make_unique<Session>(std::move(config), without_examples(origin->data));
    const Conditioning given_kind = run.session->model->conditioning();
    if (need == Need::draws && (given_kind == Conditioning::conditions || given_kind == Conditioning::x)) {
      config = std::move(run.session->config);
      run.session = nullptr;
    }
  }
  if (run.session == nullptr && origin) {
    Dataset data = load_data(config, common, &origin->data);
    compare_data(config, origin->data, record_of(data), other_data || common.accept_data, path);
    const Dataset built_for = without_examples(origin->data);
    run.session = std::make_unique<Session>(std::move(config), std::move(data), &built_for);
  } else if (run.session == nullptr) {
    config.notes.push_back("the weights are of an earlier version, which kept no record of its data: whether these are the same cannot be told");
    Dataset data = load_data(config, common);
    run.session = std::make_unique<Session>(std::move(config), std::move(data));
  }
  try {
    run.weights = load_weights(*run.session, run.folder, checkpoint);
  } catch (const FileError& error) {
    if (const std::string changed = model_changes(run.session->config); !changed.empty())
      throw ConfigError(cat(changed, ": ", error.what()));
    throw;
  }
  return run;
}

int evaluate_run(const LoadedRun& run, bool quiet) {
  check_evaluation(*run.session);
  end_on_signals("evaluation stopped; nothing was written");
  const std::vector<SplitResult> results = evaluate_splits(*run.session, run.weights);
  write_evaluation(run.folder.path / "evaluation.json", *run.session, results, run.weights.checkpoint);
  if (!quiet) fmt::print("{}", results_table(*run.session, results));
  return kDone;
}

}  // namespace vaezoo
