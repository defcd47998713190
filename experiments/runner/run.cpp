#include "experiments/runner/run.hpp"

#include <fmt/core.h>

#include "autodiff/parallel.hpp"
#include "autodiff/safetensors.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/classifier.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"
#include "experiments/runner/pictures.hpp"
#include "experiments/runner/run_report.hpp"
#include "experiments/runner/summary.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

constexpr Index kJudgedSamples = 2000;  ///< a standard error of at most 1.1 %

void apply(const CommonOptions& common) {
  if (common.threads) ad::set_threads(*common.threads);
}

std::unique_ptr<Session> open_session(ExperimentConfig config, const CommonOptions& common) {
  Dataset data = load_dataset(config.dataset, data_directory(common.data_dir));
  return std::make_unique<Session>(std::move(config), std::move(data));
}

void say(const CommonOptions& common, const std::string& line) {
  if (!common.quiet) fmt::print(stderr, "{}\n", line);
}

void introduce(const Session& s, const CommonOptions& common) {
  say(common, fmt::format("{}: {} on {}, {} training / {} validation / {} test examples of {} x {} x {}", s.config.name,
                          s.config.model_name, s.data.name, s.data.train.size(), s.data.validation.size(), s.data.test.size(),
                          s.data.shape.height, s.data.shape.width, s.data.shape.channels));
  say(common, fmt::format("  minimises {}", s.model->describe()));
  say(common, fmt::format("  {} parameters, {} thread{}", s.store.count(), ad::threads(), ad::threads() == 1 ? "" : "s"));
}

int interrupted_code() { return signal_received() == 15 ? kTerminated : kInterrupted; }

bool holds_run(const fs::path& folder) {
  return fs::exists(RunFolder{folder}.config()) || fs::exists(RunFolder{folder}.checkpoints());
}

/// Loads the weights to be evaluated into the session; returns which they are.
std::string load_weights(Session& session, const RunFolder& folder, const std::string& wish) {
  const std::string which = !wish.empty() ? wish : fs::exists(folder.best()) ? "best" : "last";
  ad::load_parameters(session.store, which == "best" ? folder.best() : folder.last());
  return which;
}

std::optional<std::vector<SplitResult>> evaluate_splits(const Session& session, const Position& trained) {
  std::vector<SplitResult> results;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const auto& wanted = session.config.evaluate.splits;
    if (std::find(wanted.begin(), wanted.end(), to_text(split)) == wanted.end() || session.data.split(split).size() == 0)
      continue;
    const auto e = evaluate(*session.model, session.data, split, evaluation_options(session.config.evaluate, trained),
                            session.keys.evaluation(split), [] { return signal_received() != 0; });
    if (!e) return std::nullopt;
    results.push_back({split, *e});
    if (const std::int64_t epochs = session.config.evaluate.classifier_epochs; epochs > 0 && split == Split::test) {
      const auto judgement = judge_samples(session, epochs, kJudgedSamples, [] { return signal_received() != 0; });
      if (!judgement) return std::nullopt;
      std::vector<Metric>& terms = results.back().evaluation.terms;
      terms.push_back({"classifier_accuracy", judgement->classifier_accuracy});
      terms.push_back({"sample_accuracy", judgement->sample_accuracy});
    }
  }
  return results;
}

/// Everything after training: the numbers, the pictures, the report.
int conclude(Session& session, const RunFolder& folder, const TrainingState& state, const Position& trained, Outcome outcome,
             EventWriter* events, const CommonOptions& common) {
  const std::string which = load_weights(session, folder, "");
  const auto results = evaluate_splits(session, trained);
  if (!results) return interrupted_code();
  write_summary(folder, session, state, *results, which, outcome == Outcome::stopped_early);
  const std::vector<SavedPicture> pictures = draw_pictures(session, folder.path, state.step, events);
  if (session.config.output.report) write_run_report(folder, session, *results, pictures);
  if (!common.quiet) fmt::print("{}", results_table(session, *results));
  say(common, fmt::format("wrote {}", (session.config.output.report ? folder.path / "report.html" : folder.summary()).string()));
  return kDone;
}

int train(std::unique_ptr<Session> session, const RunFolder& folder, bool resume, const CommonOptions& common) {
  introduce(*session, common);
  Trainer trainer(*session, folder, {.quiet = common.quiet, .resume = resume});
  for (const std::string& remark : trainer.log().remarks()) say(common, remark);
  const Outcome outcome = trainer.run();
  if (outcome == Outcome::interrupted) {
    say(common, fmt::format("stopped at step {}; everything is saved: go on with\n  vaezoo resume {}", trainer.state().step,
                            folder.path.string()));
    return interrupted_code();
  }
  return conclude(*session, folder, trainer.state(), trainer.position(), outcome, trainer.events(), common);
}

/// The configuration of a run, with changes.
ExperimentConfig run_config(const fs::path& folder, const std::vector<std::string>& overrides) {
  if (!fs::exists(RunFolder{folder}.config()))
    throw UsageError(cat(folder.string(), ": holds no run (no config.json); a run's folder is what --out named"));
  return load_experiment(RunFolder{folder}.config(), overrides);
}

}  // namespace

int run_experiment(ExperimentConfig config, const fs::path& path, bool force, const CommonOptions& common) {
  apply(common);
  const RunFolder folder{path};
  if (holds_run(path)) {
    if (!force)
      throw UsageError(
          cat(path.string(),
              ": holds a run already; go on with it (vaezoo resume), choose another --out, or replace it with --force"));
    for (const fs::path& old :
         {folder.config(), folder.summary(), folder.checkpoints(), path / "metrics.jsonl", path / "metrics.csv",
          path / "tensorboard", path / "report.html", path / "evaluation.json", path / "samples.png", path / "samples.svg",
          path / "reconstructions.png", path / "styles.png", path / "levels.png", path / "codes.png", path / "latent_map.svg"})
      fs::remove_all(old);
  }
  const std::string text = experiment_text(config);
  std::unique_ptr<Session> session =
      open_session(std::move(config), common);  // what is wrong with data or model shows before a file is made
  make_folder(path);
  atomic_write(folder.config(), text);
  return train(std::move(session), folder, false, common);
}

int resume_run(const fs::path& path, const CommonOptions& common) {
  apply(common);
  const RunFolder folder{path};
  std::unique_ptr<Session> session = open_session(run_config(path, {}), common);
  const bool saved = fs::exists(folder.state());
  if (!saved) say(common, "no checkpoint was saved yet: starting from the beginning");
  return train(std::move(session), folder, saved, common);
}

LoadedRun load_run(const fs::path& path, const std::string& checkpoint, const std::vector<std::string>& overrides,
                   const CommonOptions& common) {
  apply(common);
  LoadedRun run{open_session(run_config(path, overrides), common), {path}, {}, ""};
  if (!fs::exists(run.folder.last()) && !fs::exists(run.folder.best()))
    throw UsageError(cat(path.string(), ": has no checkpoint yet; train it first: vaezoo resume ", path.string()));
  run.checkpoint = load_weights(*run.session, run.folder, checkpoint);
  const ad::Safetensors file(run.checkpoint == "best" ? run.folder.best() : run.folder.last());
  run.trained = position_of(file.metadata());
  return run;
}

int evaluate_run(const LoadedRun& run) {
  const auto results = evaluate_splits(*run.session, run.trained);
  if (!results) return interrupted_code();
  write_evaluation(run.folder.path / "evaluation.json", *run.session, *results, run.checkpoint);
  fmt::print("{}", results_table(*run.session, *results));
  return kDone;
}

}  // namespace vaezoo
