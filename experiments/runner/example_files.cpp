#include "experiments/runner/example_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/printable.hpp"
#include "datasets/classes.hpp"
#include "datasets/text.hpp"
#include "experiments/output/console.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/pictures.hpp"

namespace vaezoo {

namespace fs = std::filesystem;
using ad::cat;

namespace {

void require_pictures(const std::string& out, const Dataset& data) {
  if (!shows_pixels(data))
    throw UsageError(cat("--out ", out, ": ", data.name, " has no pictures of 1 or 3 channels; choose .npy or .csv"));
}

/// The folder of each class that is drawn.
std::map<int, fs::path> class_folders(const fs::path& folder, const Dataset& data, const std::vector<int>& labels) {
  std::map<int, fs::path> folders;
  for (const int label : labels) {
    const std::string name = class_name(data, label);
    if (name.find('/') != std::string::npos || name.starts_with('.') || name.empty())
      throw UsageError(cat("--out ", folder.string(), ": the class '", excerpt(name), "' cannot name a folder that image_folder reads; ",
                           "choose a .npy or .csv file"));
    folders.emplace(label, folder / name);
  }
  return folders;
}

}  // namespace

fs::path output_file(const LoadedRun& run, const std::string& out, const std::string& name, const std::vector<std::string>& endings) {
  const bool pixels = shows_pixels(run.session->data);
  const bool png = std::ranges::find(endings, ".png") != endings.end();
  const bool words = !run.session->data.vocabulary.empty() && std::ranges::find(endings, ".txt") != endings.end();
  if (out.empty()) return run.folder.path / (name + (png && pixels ? ".png" : words ? ".txt" : ".csv"));
  const fs::path path(out);
  const std::string ending = path.extension().string();
  if (std::ranges::find(endings, ending) == endings.end()) {
    std::string choices;
    for (const std::string& e : endings) choices += cat(choices.empty() ? "" : ", ", e);
    throw UsageError(cat("--out ", out, ": the ending says the format; it may be ", choices));
  }
  if (ending == ".png") require_pictures(out, run.session->data);
  if (ending == ".txt" && !words) throw UsageError(cat("--out ", out, ": ", run.session->data.name, " is no text; choose .npy or .csv"));
  return path;
}

int wrote(const fs::path& path, const std::string& what) {
  tell(fmt::format("wrote {} to {}\n", what, path.string()));
  return kDone;
}

std::vector<std::string> numbered(const std::string& prefix, Index count) {
  std::vector<std::string> names;
  for (Index i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

std::vector<std::string> column_headers(const Dataset& data, const std::string& letter) {
  if (data.column_names.empty()) return numbered(letter, data.shape.size());
  std::vector<std::string> names;
  for (const std::string& name : data.column_names) names.push_back(cat(letter, "_", name));
  return names;
}

TextColumn class_column(const Dataset& data, const std::vector<int>& labels) {
  TextColumn column;
  if (!labels.empty()) column.name = "class";
  for (const int label : labels) column.cells.push_back(class_name(data, label));
  return column;
}

std::string example_table(const Dataset& data, const std::vector<std::string>& columns, const std::vector<float>& rows,
                          const TextColumn& first) {
  return data.mean.empty() ? csv_text(columns, rows, first) : csv_text(columns, in_source_units(data, rows), first);
}

std::string example_array(const Dataset& data, std::vector<Index> first, const std::vector<float>& rows) {
  if (data.is_image)
    first.insert(first.end(), {data.shape.height, data.shape.width, data.shape.channels});
  else
    first.push_back(data.shape.size());
  return data.mean.empty() ? npy_bytes(first, rows) : npy_bytes(first, in_source_units(data, rows));
}

void write_examples(const fs::path& path, const Dataset& data, const std::vector<float>& rows, const TextColumn& first) {
  if (path.extension() == ".png")
    write_png(path, pixel_grid(data, rows));
  else if (path.extension() == ".txt")
    atomic_write(path, fmt::format("{}\n", fmt::join(lines_of(data, rows), "\n")));
  else if (path.extension() == ".npy")
    atomic_write(path, example_array(data, {std::ssize(rows) / data.shape.size()}, rows));
  else
    atomic_write(path, example_table(data, column_headers(data, "x"), rows, first));
}

void write_picture_folder(const fs::path& folder, const Dataset& data, const std::vector<float>& rows, const std::vector<int>& labels) {
  require_pictures(folder.string(), data);
  std::map<int, fs::path> folders = class_folders(folder, data, labels);
  if (labels.empty()) folders.emplace(0, folder);
  for (const auto& [label, path] : folders) {
    if (fs::exists(path) && !fs::is_empty(path))
      throw UsageError(cat("--out ", folder.string(), ": ", path.string(), " holds files already; choose a new or an empty folder"));
    make_folder(path);
  }
  std::map<int, Index> written;
  const Index size = data.shape.size();
  for (Index i = 0; i < std::ssize(rows) / size; ++i) {
    const int label = labels.empty() ? 0 : labels[static_cast<std::size_t>(i)];
    const std::vector<float> row(rows.begin() + i * size, rows.begin() + (i + 1) * size);
    write_png(folders.at(label) / fmt::format("{:06}.png", ++written[label]), pixel_image(data, row));
  }
}

}  // namespace vaezoo
