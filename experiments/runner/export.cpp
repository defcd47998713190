// The commands that write what a trained model makes: samples, reconstructions, codes.
#include <fmt/core.h>

#include <algorithm>

#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/tables.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/encoding.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/pictures.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

/// The file to write: `out`, or `name` with the best ending for these data in the run's folder. Throws UsageError for an ending that is
/// not one of `endings`.
fs::path target(const LoadedRun& run, const std::string& out, const std::string& name, const std::vector<std::string>& endings) {
  const bool pixels = shows_pixels(run.session->data);
  const bool png = std::ranges::find(endings, ".png") != endings.end();
  if (out.empty()) return run.folder.path / (name + (png && pixels ? ".png" : ".csv"));
  const fs::path path(out);
  const std::string ending = path.extension().string();
  if (std::ranges::find(endings, ending) == endings.end()) {
    std::string choices;
    for (const std::string& e : endings) choices += cat(choices.empty() ? "" : ", ", e);
    throw UsageError(cat("--out ", out, ": the ending says the format; it may be ", choices));
  }
  if (ending == ".png" && !pixels)
    throw UsageError(
        cat("--out ", out, ": ", run.session->data.name, " has no pictures of 1 or 3 channels; choose .npy or .csv"));
  return path;
}

int wrote(const fs::path& path, const std::string& what) {
  tell(fmt::format("wrote {} to {}\n", what, path.string()));
  return kDone;
}

std::vector<std::string> numbered(const std::string& letter, Index count) {
  std::vector<std::string> names;
  for (Index i = 0; i < count; ++i) names.push_back(letter + std::to_string(i));
  return names;
}

/// [first..., H, W, C] for images, [first..., D] for vectors.
std::vector<Index> array_shape(std::vector<Index> first, const Dataset& data) {
  if (data.is_image)
    first.insert(first.end(), {data.shape.height, data.shape.width, data.shape.channels});
  else
    first.push_back(data.shape.size());
  return first;
}

bool writes_indices(const EncodeRequest& request, const Model& model) {
  return !request.vectors && !model.code_shapes().empty();
}

/// Throws UsageError when the request does not fit the model or the file.
void check(const EncodeRequest& request, const Model& model, const std::string& name, const fs::path& path) {
  const bool scores = request.elbo || request.nll > 0;
  const char* option = request.elbo ? "--elbo" : "--nll";
  if (scores && !model.has_density()) throw UsageError(cat(option, ": ", name, " has no density, so nothing is more or less likely"));
  if (scores && path.extension() == ".npy")
    throw UsageError(cat(option, ": an array holds codes alone; choose a .csv file for --out"));
  if (request.vectors && model.code_shapes().empty())
    throw UsageError(cat("--vectors: ", name, " has no discrete codes; its codes are vectors as it is"));
}

std::string class_text(const Dataset& data, int label) {
  const auto i = static_cast<std::size_t>(label);
  return i < data.class_names.size() ? data.class_names[i] : std::to_string(label);
}

void add_columns(std::string& header, const std::string& prefix, const std::vector<std::string>& names) {
  for (const std::string& name : names) header += "," + prefix + name;
}

/// Row `i` of values [N, width].
template <class T>
void add_cells(std::string& text, const std::vector<T>& values, Index i, std::size_t width) {
  for (std::size_t k = 0; k < width; ++k) text += fmt::format(",{}", values[static_cast<std::size_t>(i) * width + k]);
}

/// index,split[,class][,condition_0...],mean_0...[,std_0...][,elbo][,nll]; of discrete codes index_0_0... in place of means.
std::string encoding_text(const Session& s, const Encoding& e, bool indices) {
  const std::size_t count = e.rows.size();
  const auto width = [count](const auto& values) { return count == 0 ? 0 : values.size() / count; };
  std::string text = "index,split";
  if (!e.labels.empty()) text += ",class";
  add_columns(text, "condition_", numbered("", static_cast<Index>(width(e.conditions))));
  const std::vector<std::string> names = indices ? index_names(*s.model) : code_names(*s.model);
  add_columns(text, indices ? "index_" : "mean_", names);
  const bool deviations = !indices && !e.deviations.empty();
  if (deviations) add_columns(text, "std_", names);
  if (!e.elbo.empty()) text += ",elbo";
  if (!e.nll.empty()) text += ",nll";
  text += '\n';
  for (std::size_t k = 0; k < count; ++k) {
    const auto i = static_cast<Index>(k);
    text += fmt::format("{},{}", e.rows[k], e.splits[k]);
    if (!e.labels.empty()) text += "," + csv_cell(class_text(s.data, e.labels[k]));
    add_cells(text, e.conditions, i, width(e.conditions));
    if (indices)
      add_cells(text, e.indices, i, width(e.indices));
    else
      add_cells(text, e.means, i, width(e.means));
    if (deviations) add_cells(text, e.deviations, i, width(e.deviations));
    if (!e.elbo.empty()) text += fmt::format(",{}", e.elbo[k]);
    if (!e.nll.empty()) text += fmt::format(",{}", e.nll[k]);
    text += '\n';
  }
  return text;
}

}  // namespace

int sample_command(const LoadedRun& run, Index count, const std::string& out) {
  const Session& s = *run.session;
  const fs::path path = target(run, out, "samples", {".png", ".npy", ".csv"});
  std::vector<float> means = samples(s, count, s.keys.pictures().fold("samples"));
  if (path.extension() == ".png")
    write_png(path, pixel_grid(s.data, std::move(means)));
  else if (path.extension() == ".npy")
    atomic_write(path, npy_bytes(array_shape({count}, s.data), means));
  else
    atomic_write(path, csv_text(numbered("x", s.data.shape.size()), means));
  return wrote(path, fmt::format("{} samples", count));
}

int reconstruct_command(const LoadedRun& run, Index count, const std::string& out) {
  const Dataset& data = run.session->data;
  const fs::path path = target(run, out, "reconstructions", {".png", ".npy", ".csv"});
  Reconstructions r = reconstruct(*run.session, count);
  if (path.extension() == ".png") {
    write_png(path, pixel_pairs(data, std::move(r.originals), std::move(r.reconstructions)));
  } else if (path.extension() == ".npy") {  // [2, N, ...]: originals, then reconstructions
    std::vector<float> both = std::move(r.originals);
    both.insert(both.end(), r.reconstructions.begin(), r.reconstructions.end());
    atomic_write(path, npy_bytes(array_shape({2, r.count}, data), both));
  } else {  // x0, ..., r0, ...: one example and its reconstruction per line
    const Index D = data.shape.size();
    std::vector<std::string> columns = numbered("x", D);
    std::ranges::copy(numbered("r", D), std::back_inserter(columns));
    std::vector<float> lines;
    for (Index i = 0; i < r.count; ++i) {
      lines.insert(lines.end(), r.originals.begin() + i * D, r.originals.begin() + (i + 1) * D);
      lines.insert(lines.end(), r.reconstructions.begin() + i * D, r.reconstructions.begin() + (i + 1) * D);
    }
    atomic_write(path, csv_text(columns, lines));
  }
  return wrote(path, fmt::format("{} reconstructions ({} split)", r.count, to_text(r.split)));
}

int encode_command(const LoadedRun& run, const EncodeRequest& request) {
  const Session& s = *run.session;
  const fs::path path = target(run, request.out, "codes", {".npy", ".csv"});
  check(request, *s.model, s.config.model_name, path);
  Encoding encoding;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const std::string name(to_text(split));
    if (request.split != "all" && request.split != name) continue;
    if (request.split == name && s.data.split(split).size() == 0)
      throw UsageError(cat("--split ", name, ": this split of ", s.data.name, " is empty"));
    const EncodingOptions options{.elbo = request.elbo, .importance_samples = request.nll};
    encode_examples(s, s.data, split, name, options, encoding);
  }
  const bool indices = writes_indices(request, *s.model);
  if (path.extension() == ".csv")
    atomic_write(path, encoding_text(s, encoding, indices));
  else if (indices)
    atomic_write(path, npy_bytes({encoding.size(), std::ssize(encoding.indices) / encoding.size()}, encoding.indices));
  else
    atomic_write(path, npy_bytes({encoding.size(), s.model->latent_dim()}, encoding.means));
  return wrote(path, fmt::format("{} {} ({})", encoding.size(), indices ? "discrete codes" : "codes",
                                 request.split == "all" ? "all splits" : request.split + " split"));
}

}  // namespace vaezoo
