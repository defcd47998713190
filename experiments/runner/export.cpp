// The commands that write what a trained model makes of the prior and of its data: samples, reconstructions.
#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "config/printable.hpp"
#include "datasets/classes.hpp"
#include "datasets/text.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/example_files.hpp"
#include "experiments/runner/pictures.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

/// The numbers of the classes that are asked for. Throws UsageError for a model that is not conditioned on
/// labels, and for a class that the data do not have.
std::vector<int> wanted_classes(const std::vector<std::string>& wanted, const Session& s) {
  if (!wanted.empty() && s.model->conditioning() != Conditioning::labels)
    throw UsageError(cat("--class: this ", s.config.model_name, " is not conditioned on labels, so it cannot draw a class"));
  std::vector<int> classes;
  for (const std::string& word : wanted) {
    const auto number = find_class(s.data, word);
    if (!number) throw UsageError(cat("--class ", excerpt(word), ": there is no such class; ", about_classes(s.data)));
    classes.push_back(*number);
  }
  return classes;
}

}  // namespace

int sample_command(const LoadedRun& run, const SampleRequest& request) {
  const Session& s = *run.session;
  const std::vector<int> classes = wanted_classes(request.classes, s);
  const bool into_folder = request.out.ends_with('/') || fs::is_directory(request.out);
  const fs::path path =
      into_folder ? fs::path(request.out) : output_file(run, request.out, "samples", {".png", ".npy", ".csv", ".txt"});
  const Samples made = samples(s, request.count, s.keys.pictures().fold("samples"), Drawn::mean, classes);
  if (into_folder) {
    write_picture_folder(path, s.data, made.x, made.labels);
  } else {
    write_examples(path, s.data, made.x, class_column(s.data, made.labels));
  }
  return wrote(path, fmt::format("{} samples", std::ssize(made.x) / s.data.shape.size()));
}

int reconstruct_command(const LoadedRun& run, Index count, const std::string& out) {
  const Dataset& data = run.session->data;
  const fs::path path = output_file(run, out, "reconstructions", {".png", ".npy", ".csv", ".txt"});
  Reconstructions r = reconstruct(*run.session, count);
  if (path.extension() == ".png") {
    write_png(path, pixel_pairs(data, std::move(r.originals), std::move(r.reconstructions)));
  } else if (path.extension() == ".npy") {  // [2, N, ...]: originals, then reconstructions
    std::vector<float> both = std::move(r.originals);
    both.insert(both.end(), r.reconstructions.begin(), r.reconstructions.end());
    atomic_write(path, example_array(data, {2, r.count}, both));
  } else if (path.extension() == ".txt") {  // a line of each, in turn
    const std::vector<std::string> originals = lines_of(data, r.originals), again = lines_of(data, r.reconstructions);
    std::string text;
    for (std::size_t i = 0; i < originals.size(); ++i) text += originals[i] + "\n" + again[i] + "\n";
    atomic_write(path, text);
  } else {  // one example and its reconstruction per line
    const Index D = data.shape.size();
    std::vector<std::string> columns = column_headers(data, "x");
    std::ranges::copy(column_headers(data, "r"), std::back_inserter(columns));
    std::vector<float> lines;
    for (Index i = 0; i < r.count; ++i) {
      lines.insert(lines.end(), r.originals.begin() + i * D, r.originals.begin() + (i + 1) * D);
      lines.insert(lines.end(), r.reconstructions.begin() + i * D, r.reconstructions.begin() + (i + 1) * D);
    }
    atomic_write(path, example_table(data, columns, lines));
  }
  return wrote(path, fmt::format("{} reconstructions ({} split)", r.count, to_text(r.split)));
}

}  // namespace vaezoo
