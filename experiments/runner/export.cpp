// The commands that write what a trained model makes: samples, reconstructions, codes.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "experiments/output/files.hpp"
#include "experiments/output/tables.hpp"
#include "experiments/runner/commands.hpp"
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
  fmt::print(stderr, "wrote {} to {}\n", what, path.string());
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

int encode_command(const LoadedRun& run, const std::string& split_name, const std::string& out) {
  const Session& s = *run.session;
  const fs::path path = target(run, out, "codes", {".npy", ".csv"});
  const Split split = split_name == "train" ? Split::train : split_name == "validation" ? Split::validation : Split::test;
  const Index size = s.data.split(split).size();
  if (size == 0) throw UsageError(cat("--split ", split_name, ": this split of ", s.data.name, " is empty"));
  const MeanCodes codes = encode_split(s, split, size);
  if (path.extension() == ".npy")
    atomic_write(path, npy_bytes({codes.count, codes.dimensions}, codes.codes));
  else
    atomic_write(path, csv_text(numbered("z", codes.dimensions), codes.codes, codes.labels));
  return wrote(path, fmt::format("{} mean codes ({} split)", codes.count, split_name));
}

}  // namespace vaezoo
