#include "experiments/runner/program.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <new>
#include <sstream>

#include "autodiff/process.hpp"
#include "autodiff/safetensors.hpp"
#include "config/printable.hpp"
#include "config/suggest.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/compare.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/interrupt.hpp"
#include "experiments/runner/run_tasks.hpp"
#include "experiments/runner/sweep.hpp"

namespace {

using namespace vaezoo;
namespace fs = std::filesystem;

struct Arguments {  // of all commands
  std::string target, out, checkpoint;
  std::vector<std::string> overrides;
  std::vector<std::string> files;
  std::int64_t count = 64;
  bool force = false, of_sweep = false;
  int jobs = 1;
  std::string csv;
  CommonOptions common;
  std::optional<std::int64_t> seed;
  EncodeRequest encode;
  ImputeRequest impute;
  std::vector<std::string> classes;
  std::string codes, task;
};

CLI::App* add_command(CLI::App& app, const char* name, const char* doc, Arguments& a) {
  CLI::App* c = app.add_subcommand(name, doc);
  c->add_option("--threads", a.common.threads, "threads that the engine uses (default: all cores)")->check(CLI::Range(1, 1024));
  c->add_option("--data-dir", a.common.data_dir, "where data files are (default: $VAEZOO_DATA, else ./data)");
  c->add_flag("-q,--quiet", a.common.quiet, "no progress, no table");
  return c;
}

CLI::App* add_run_command(CLI::App& app, const char* name, const char* doc, Arguments& a) {
  CLI::App* c = add_command(app, name, doc, a);
  c->add_option("run", a.target, "the run's folder, as --out named it")->required();
  c->add_option("--checkpoint", a.checkpoint, "best or last (default: best where there is one)")
      ->check(CLI::IsMember({"best", "last"}));
  c->add_option("--set", a.overrides, "change a setting, for example evaluate.importance_samples=5000")->allow_extra_args(false);
  c->add_option("--seed", a.seed, "draw other samples");
  c->add_flag("--accept-data", a.common.accept_data, "use data that are not those of training");
  return c;
}

/// What is wrong with a file that is to be written; "" when nothing is. A missing folder shows before anything is computed.
std::string no_place_for(const std::string& file) {
  const fs::path folder = fs::path(file).parent_path();
  if (folder.empty() || file.ends_with('/') || fs::is_directory(folder)) return "";
  return excerpt(folder.string()) + " is no folder; make it first";
}

/// What is wrong with a whole number; "" when nothing is. CLI11 takes 012 for 10, and what is too large for the largest number.
std::string not_whole(const std::string& text) {
  std::int64_t number = 0;
  const std::errc error = std::from_chars(text.data(), text.data() + text.size(), number).ec;
  return error == std::errc{} && std::to_string(number) == text ? "" : excerpt(text) + " is not a whole number of at most 64 bits";
}

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) tell("note: " + printable(note) + "\n");
}

int dispatch(int argc, char** argv) {
  Arguments a;
  CLI::App app("vaezoo: variational autoencoders from a JSON file.");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);

  CLI::App* run = add_command(app, "run", "train an experiment, evaluate it, write pictures and a report", a);
  run->add_option("file", a.target, "the experiment, a JSON file; - reads standard input")->required();
  run->add_option("--out", a.out, "the run's folder (default: runs/NAME)");
  run->add_option("--set", a.overrides, "change a setting, for example model.latent_dim=2")->allow_extra_args(false);
  run->add_option("--seed", a.seed, "the same as --set seed=N");
  run->add_flag("--force", a.force, "replace a run that is in the folder");
  run->add_flag("--of-sweep", a.of_sweep, "train one run of a file with a sweep")->group("");
  CLI::App* sweep = add_command(app, "sweep", "train every run that the block \"sweep\" of an experiment asks for, and compare them", a);
  sweep->add_option("file", a.target, "the experiment, a JSON file")->required();
  sweep->add_option("--out", a.out, "the folder of all runs (default: sweeps/NAME)");
  sweep->add_option("--set", a.overrides, "change a setting of all, for example train.epochs=2")->allow_extra_args(false);
  sweep->add_option("--jobs", a.jobs, "runs at a time (default: 1)")->check(CLI::Range(1, 1024));
  CLI::App* compare = app.add_subcommand("compare", "several runs side by side: settings, numbers, curves");
  compare->add_option("runs", a.files, "the runs' folders")->required()->expected(2, 10'000);
  compare->add_option("--out", a.out, "the page, an .html file (default: only the table)");
  compare->add_option("--csv", a.csv, "the numbers, a .csv file")->check(CLI::Validator(no_place_for, ""));
  CLI::App* resume = add_command(app, "resume", "go on with an interrupted run, bit for bit", a);
  resume->add_option("run", a.target, "the run's folder")->required();
  resume->add_option("--set", a.overrides, "change what may change, for example train.epochs=50")->allow_extra_args(false);
  CLI::App* evaluate = add_run_command(app, "evaluate", "evaluate a run again, with other settings or weights", a);
  CLI::App* task = add_run_command(app, "task", "run a task on a finished run, for its summary and report", a);
  task->add_option("task", a.task, "its name, as vaezoo list has it; --set changes its settings: --set draws=20")->required();
  CLI::App* sample = add_run_command(app, "sample", "draw from the prior and decode", a);
  sample->add_option("--count", a.count, "how many")->check(CLI::Range(1, 1'000'000));
  sample->add_option("--class", a.classes, "draw only this class, given by name or number; repeat it for several in turn (default: all in turn)")
      ->allow_extra_args(false);
  sample->add_option("--out", a.out,
                     "a .png, .npy or .csv file, or a folder (DIR/) for a PNG of each sample, in sub-folders by class (default: samples.png "
                     "in the run's folder; .csv for data that are no images)");
  CLI::App* reconstruct = add_run_command(app, "reconstruct", "encode and decode test examples", a);
  reconstruct->add_option("--count", a.count, "how many")->check(CLI::Range(1, 1'000'000));
  reconstruct->add_option("--out", a.out, "a .png, .npy or .csv file (default: reconstructions.png in the run's folder)");
  CLI::App* encode = add_run_command(app, "encode", "write the codes of a split, and what is known of each example", a);
  const CLI::Option* const split = encode->add_option("--split", a.encode.split, "train, validation, test or all (default: test)")
                                       ->check(CLI::IsMember({"train", "validation", "test", "all"}));
  encode->add_option("--file", a.encode.file,
                     "encode this file (or folder of pictures), which is no part of the run's data, in place of a split");
  encode->add_flag("--elbo", a.encode.elbo, "also the ELBO of each example, in nats");
  encode->add_option("--nll", a.encode.nll, "also -log p(x) of each example, in nats, by so many importance samples")
      ->check(CLI::Range(1, 1'000'000'000));
  encode->add_flag("--vectors", a.encode.vectors, "of discrete codes their vectors, not their indices");
  encode->add_option("--out", a.encode.out,
                     "a .csv file: index, split, class, means and standard deviations (or indices) of the codes; or a .npy file: means "
                     "(or indices) only (default: codes.csv in the run's folder)");
  CLI::App* decode = add_run_command(app, "decode", "decode codes from a file", a);
  decode->add_option("codes", a.codes, "a .csv file as encode writes it, or a .npy file [N, Z]")->required();
  decode->add_option("--out", a.out, "a .png, .npy or .csv file (default: decoded.png in the run's folder; .csv for data that are no images)");
  CLI::App* impute = add_run_command(app, "impute", "fill in the missing numbers of examples in a file", a);
  impute->add_option("file", a.impute.file, "a file as the run's data, with missing numbers (dataset.missing)")->required();
  impute->add_option("--iterations", a.impute.iterations, "of pseudo-Gibbs sampling (default: 100)")->check(CLI::Range(2, 1'000'000));
  impute->add_option("--out", a.impute.out, "a .csv, .npy or .png file (default: imputed.csv, or .png for images, in the run's folder)");
  CLI::App* list = app.add_subcommand("list", "the models and data sets");
  CLI::App* describe =
      app.add_subcommand("describe", "a model, a data set, or 'experiment': its settings with defaults and ranges");
  describe->add_option("name", a.target, "or an experiment file, or - for standard input: every setting as it resolves")->required();
  CLI::App* validate = app.add_subcommand("validate", "check experiment files without running them");
  validate->add_option("files", a.files, "JSON files; - reads standard input")->required();
  validate->add_option("--data-dir", a.common.data_dir, "where data files are (default: $VAEZOO_DATA, else ./data)");
  validate->add_option("--set", a.overrides, "change a setting of each, for example model.latent_dim=2")->allow_extra_args(false);
  CLI::App* schema = app.add_subcommand("schema", "print the JSON Schema of experiment files, for editors");
  CLI::App* download = app.add_subcommand("download", "fetch a data set and verify its checksums");
  download->add_option("dataset", a.target)->required();
  download->add_option("--data-dir", a.common.data_dir, "where to put it (default: $VAEZOO_DATA, else ./data)");
  CLI::App* doctor = app.add_subcommand("doctor", "what this machine and this build can do");
  doctor->add_option("--threads", a.common.threads, "threads to measure with (default: all cores)")->check(CLI::Range(1, 1024));
  doctor->add_option("--data-dir", a.common.data_dir, "where data files are (default: $VAEZOO_DATA, else ./data)");

  const CLI::Validator named([](const std::string& name) { return std::string(name.empty() ? "an empty name was given" : ""); }, "");
  const CLI::Validator placed(no_place_for, ""), whole(not_whole, "");
  std::vector<std::string> commands;
  for (CLI::App* command : app.get_subcommands({})) {
    commands.push_back(command->get_name());
    if (CLI::Option* option = command->get_option_no_throw("--out")) option->check(command == run || command == sweep ? named : named & placed);
    for (const char* name : {"--seed", "--count", "--nll", "--threads", "--jobs", "--iterations"})
      if (CLI::Option* option = command->get_option_no_throw(name)) option->check(whole);
  }
  if (argc > 1 && argv[1][0] != '-' && std::ranges::find(commands, argv[1]) == commands.end())
    throw UsageError("there is no command \"" + excerpt(argv[1]) + "\"" + did_you_mean(argv[1], commands));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::ostringstream out, error;
    const bool done = app.exit(e, out, error) == 0;
    std::fputs(out.str().c_str(), stdout);
    tell(printable_lines(error.str()));
    return done ? kDone : kUsage;
  }
  if (*list) return list_command();
  if (*describe) return describe_command(a.target);
  if (*validate) return validate_command(a.files, a.overrides, a.common);
  if (*schema) return schema_command();
  if (*download) return download_command(a.target, a.common);
  if (*doctor) return doctor_command(a.common);
  if (*sweep) return sweep_command({.file = a.target, .out = a.out, .overrides = a.overrides, .jobs = a.jobs}, a.common);
  if (*compare) return compare_command({.runs = a.files, .html = a.out, .csv = a.csv}, a.common);
  std::vector<std::string> of_task;
  if (*task) of_task = std::exchange(a.overrides, {});
  if (a.seed) a.overrides.push_back("seed=" + std::to_string(*a.seed));
  if (*run) {
    ExperimentConfig config = load_experiment(a.target, a.overrides);
    print_notes(config.notes);
    if (!config.sweep.empty() && !a.of_sweep)
      throw UsageError(ad::cat(a.target, ": asks for many runs (\"sweep\"); train them with vaezoo sweep ", a.target, ", or take the block out"));
    const fs::path folder = a.out.empty() ? fs::path("runs") / config.name : fs::path(a.out);
    return run_experiment(std::move(config), folder, a.force, a.common);
  }
  if (!a.encode.file.empty() && split->count() > 0)
    throw UsageError("--file and --split: the examples of a file are in no split; give one of the two");
  if (*resume) return resume_run(a.target, a.overrides, a.common);
  for (const auto* command : {evaluate, sample, reconstruct, encode, decode, impute})
    if (*command) refuse_overrides_without_effect(a.overrides, command->get_name());
  const Need need = *sample ? Need::draws : *decode || *impute || !a.encode.file.empty() ? Need::model : Need::examples;
  const LoadedRun loaded = load_run(a.target, a.checkpoint, a.overrides, a.common, need);
  print_notes(loaded.session->config.notes);
  if (*evaluate) return evaluate_run(loaded, a.common.quiet);
  if (*task) return task_command(loaded, a.task, of_task, a.common);
  if (*sample) return sample_command(loaded, {.count = a.count, .classes = a.classes, .out = a.out});
  if (*reconstruct) return reconstruct_command(loaded, a.count, a.out);
  if (*encode) return encode_command(loaded, a.encode);
  if (*impute) return impute_command(loaded, a.impute);
  if (*decode) return decode_command(loaded, a.codes, a.out);
  return kUsage;
}

int fail(int code, const std::string& what) {
  tell("vaezoo: " + printable_lines(what) + "\n");
  return code;
}

int guarded(int argc, char** argv) {
  try {
    watch_signals();
    return dispatch(argc, argv);
  } catch (const UsageError& e) {
    return fail(kUsage, e.what());
  } catch (const ConfigError& e) {
    return fail(kConfig, e.what());
  } catch (const DataError& e) {
    return fail(kData, e.what());
  } catch (const DivergedError& e) {
    return fail(kDiverged, e.what());
  } catch (const std::bad_alloc&) {
    return fail(kFailure, "out of memory; a smaller model, train.batch_size, model.samples, evaluate.batch_size or evaluate.chunk needs less");
  } catch (const std::exception& e) {
    return std::ferror(stdout) != 0 ? kFailure : fail(kFailure, e.what());  // main speaks of standard output
  }
}

}  // namespace

int vaezoo::main(int argc, char** argv) {
  open_missing_streams();
  ad::set_up_process(argv);
  const int code = guarded(argc, argv);
  if (const char* reason = flush_results())
    return fail(code == kDone ? int{kFailure} : code, std::string("cannot write to standard output: ") + reason);
  return code;
}
