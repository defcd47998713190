#include "experiments/runner/new_examples.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <set>

#include "config/printable.hpp"
#include "datasets/classes.hpp"
#include "datasets/csv.hpp"
#include "experiments/output/console.hpp"
#include "experiments/runner/errors.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

/// Without its label column where the file has none.
void choose_csv(CsvConfig& csv, const fs::path& file, const Dataset& of_run) {
  csv.train_file = file.string();
  csv.validation_file = csv.test_file = "";
  const std::vector<std::string> first = first_csv_line(file, csv.delimiter);
  if (csv.header) {
    if (!of_run.column_names.empty()) csv.columns = of_run.column_names;
    // A label given by number counts where that column is not one of those that make the examples.
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(csv.label.data(), csv.label.data() + csv.label.size(), number);
    const bool numbered = error == std::errc() && stop == csv.label.data() + csv.label.size() && number < first.size() &&
                          std::ranges::find(csv.columns, first[number]) == csv.columns.end();
    if (!numbered && std::ranges::find(first, csv.label) == first.end()) csv.label = "";
  } else if (std::ssize(first) == of_run.shape.size() + of_run.train.condition_size()) {
    csv.label = "";
  }
}

void choose_npy(NpyConfig& npy, const fs::path& file) {
  npy.train_file = file.string();
  npy.validation_file = npy.test_file = "";
  for (std::string* other : {&npy.train_labels, &npy.validation_labels, &npy.test_labels, &npy.train_conditions,
                             &npy.validation_conditions, &npy.test_conditions})
    other->clear();
}

/// The run's data set, with the file in the place of all of its files.
DatasetConfig config_of(const Session& s, const fs::path& file) {
  DatasetConfig config = s.config.dataset;
  config.validation = config.test = 0;
  config.limit.reset();
  config.classes.clear();
  config.normal.clear();
  config.labels = {};  // what a file lacks it lacks; nothing else is hidden
  config.inputs = {};
  config.cells = {};
  config.modalities.keep = 1;
  if (config.binarize == "dynamic") config.binarize = "static";
  if (config.name == "csv")
    choose_csv(config.csv, file, s.data);
  else if (config.name == "npy")
    choose_npy(config.npy, file);
  else if (config.name == "text") {
    config.text.train_file = file.string();
    config.text.validation_file = config.text.test_file = "";
    config.text.known = s.data.vocabulary;
  } else if (config.name == "image_folder")
    config.image_folder.path = file.string();
  else if (is_idx_set(config.name))
    config.idx_file = file;
  else
    throw UsageError(cat("--file: this run was trained on the data set ", config.name, ", of which no other files are read; that is ",
                         "done for csv, npy, text, image_folder, mnist, fashion_mnist, kmnist, emnist and frey_faces"));
  return config;
}

/// The run's number of each class of the new data.
std::vector<int> numbers_of_run(const Dataset& data, const Dataset& of_run) {
  std::vector<int> numbers;
  const std::set<int> there(data.train.labels().begin(), data.train.labels().end());
  for (int k = 0; k < data.classes; ++k) {
    if (!there.contains(k)) {
      numbers.push_back(-1);
      continue;
    }
    const std::string name = class_name(data, k);
    int number = -1;
    if (of_run.class_names.empty()) {
      std::from_chars(name.data(), name.data() + name.size(), number);
    } else if (const auto found = std::ranges::find(of_run.class_names, name); found != of_run.class_names.end()) {
      number = static_cast<int>(found - of_run.class_names.begin());
    }
    if (number < 0 || number >= of_run.classes)
      throw DataError(cat(data.provenance, ": has the class '", excerpt(name), "', which the run's training data did not have; ",
                          about_classes(of_run)));
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

Dataset load_new_examples(const Session& s, const fs::path& file) {
  if (!fs::exists(file)) throw UsageError(cat("--file ", excerpt(file.string()), ": there is no such file or folder"));
  std::optional<Scale> scale;
  if (!s.data.mean.empty()) scale = {s.data.mean, s.data.stddev};
  const fs::path place = fs::absolute(file);
  Dataset data = load_dataset(config_of(s, place), place.parent_path(), scale ? &*scale : nullptr);
  for (const std::string& warning : data.warnings) tell("warning: " + printable(warning) + "\n");
  if (data.validation.size() + data.test.size() > 0)
    throw UsageError(cat("--file ", file.string(), ": has folders for training and test; name one of them"));
  if (!data.train.labels().empty() && s.data.classes > 0) data.train.renumber(numbers_of_run(data, s.data));
  data.classes = s.data.classes;  // also where these examples have no labels
  data.class_names = s.data.class_names;
  if (const auto sentence = misfit(s.record, record_of(data))) throw DataError(*sentence);
  if (s.data.unit_range && !data.unit_range)
    throw DataError(cat(data.provenance, ": holds numbers outside [0, 1], which the run's training data did not"));
  if (s.model->conditioning() == Conditioning::labels && data.train.labels().empty())
    throw DataError(cat(data.provenance, ": has no labels, and this ", s.config.model_name, " is conditioned on the class"));
  std::vector<Index> order(static_cast<std::size_t>(data.train.size()));
  std::iota(order.begin(), order.end(), Index(0));
  std::ranges::sort(order, {}, [&](Index row) { return data.train.source_row(row); });
  data.train = data.train.subset(order);
  return data;
}

}  // namespace vaezoo
