// The command that writes the codes of examples.
#include <fmt/core.h>

#include "datasets/classes.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/encoding.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/example_files.hpp"
#include "experiments/runner/new_examples.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

bool writes_indices(const EncodeRequest& request, const Model& model) {
  return !request.vectors && !model.code_shapes().empty();
}

/// Throws UsageError when the request does not fit the model or the file.
void check(const EncodeRequest& request, const Model& model, const std::string& name, const fs::path& path) {
  const bool scores = request.elbo || request.nll > 0;
  const char* option = request.elbo ? "--elbo" : "--nll";
  if (scores && !model.has_density()) throw UsageError(cat(option, ": ", name, " has no density, so nothing is more or less likely"));
  if (scores && path.extension() == ".npy")
    throw UsageError(cat(option, ": an array holds only codes; choose a .csv file for --out"));
  if (request.vectors && model.code_shapes().empty())
    throw UsageError(cat("--vectors: ", name, " has no discrete codes; its codes are vectors as it is"));
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
    if (!e.labels.empty()) text += "," + csv_cell(class_name(s.data, e.labels[k]));
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

int encode_command(const LoadedRun& run, const EncodeRequest& request) {
  const Session& s = *run.session;
  const fs::path path = output_file(run, request.out, "codes", {".npy", ".csv"});
  check(request, *s.model, s.config.model_name, path);
  const EncodingOptions options{.elbo = request.elbo, .importance_samples = request.nll};
  Encoding encoding;
  if (!request.file.empty()) {
    encode_examples(s, load_new_examples(s, request.file), Split::train, "new", options, encoding);
  } else {
    for (const Split split : {Split::train, Split::validation, Split::test}) {
      const std::string name(to_text(split));
      if (request.split != "all" && request.split != name) continue;
      if (request.split == name && s.data.split(split).size() == 0)
        throw UsageError(cat("--split ", name, ": this split of ", s.data.name, " is empty"));
      encode_examples(s, s.data, split, name, options, encoding);
    }
  }
  const bool indices = writes_indices(request, *s.model);
  if (path.extension() == ".csv")
    atomic_write(path, encoding_text(s, encoding, indices));
  else if (indices)
    atomic_write(path, npy_bytes({encoding.size(), std::ssize(encoding.indices) / encoding.size()}, encoding.indices));
  else
    atomic_write(path, npy_bytes({encoding.size(), s.model->latent_dim()}, encoding.means));
  return wrote(path, fmt::format("{} {} ({})", encoding.size(), indices ? "discrete codes" : "codes",
                                 !request.file.empty()     ? request.file
                                 : request.split == "all" ? "all splits"
                                                          : request.split + " split"));
}

}  // namespace vaezoo
