#include "datasets/config.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>

#include "autodiff/check.hpp"
#include "datasets/classes.hpp"
#include "datasets/download.hpp"

namespace vaezoo {
namespace {

/// One data set: what people and the configuration call it, and how it is loaded.
struct Entry {
  const char* name;
  const char* doc;
  bool can_binarize;
  Index held_out;  ///< examples in the validation and in the test split, where the source has no test split; 0: a tenth
  void (*fields)(DatasetConfig&, Fields&);
  Dataset (*load)(const DatasetConfig&, const std::filesystem::path&, Key);
};

using Path = std::filesystem::path;

void no_fields(DatasetConfig&, Fields&) {}

constexpr std::array kEntries = {
    Entry{"digits", "1797 handwritten digits, 8 x 8 pixels, embedded in the program", true, 180, no_fields,
          [](const DatasetConfig&, const Path&, Key) { return load_digits(); }},
    Entry{"mnist", "handwritten digits, 28 x 28 pixels, 60000 + 10000", true, 0, no_fields,
          [](const DatasetConfig&, const Path& dir, Key) { return load_mnist_like("mnist", dir); }},
    Entry{"fashion_mnist", "pictures of clothes, 28 x 28 pixels, 60000 + 10000", true, 0, no_fields,
          [](const DatasetConfig&, const Path& dir, Key) { return load_mnist_like("fashion_mnist", dir); }},
    Entry{"kmnist", "cursive Japanese characters, 28 x 28 pixels, 60000 + 10000", true, 0, no_fields,
          [](const DatasetConfig&, const Path& dir, Key) { return load_mnist_like("kmnist", dir); }},
    Entry{"emnist", "handwritten letters and digits, 28 x 28 pixels, six subsets", true, 0,
          [](DatasetConfig& c, Fields& f) { c.emnist.fields(f); },
          [](const DatasetConfig& c, const Path& dir, Key) { return load_emnist(c.emnist, dir); }},
    Entry{"frey_faces", "1965 frames of one face, 28 x 20 pixels", true, 200, no_fields,
          [](const DatasetConfig&, const Path& dir, Key) { return load_frey_faces(dir); }},
    Entry{"cifar10", "photographs of ten kinds of things, 32 x 32 pixels in colour, 50000 + 10000", true, 0, no_fields,
          [](const DatasetConfig&, const Path& dir, Key) { return load_cifar10(dir); }},
    Entry{"svhn", "house numbers, 32 x 32 pixels in colour, 73257 + 26032", true, 0, no_fields,
          [](const DatasetConfig&, const Path& dir, Key) { return load_svhn(dir); }},
    Entry{"omniglot", "characters of 50 alphabets, 28 x 28 pixels, 24345 + 8070", true, 0, no_fields,
          [](const DatasetConfig&, const Path& dir, Key key) { return load_omniglot(dir, key); }},
    Entry{"image_folder", "PNG and JPEG files, a class per sub-folder or none, read from disk as needed", true, 0,
          [](DatasetConfig& c, Fields& f) { c.image_folder.fields(f); },
          [](const DatasetConfig& c, const Path& dir, Key key) { return load_image_folder(c.image_folder, dir, key); }},
    Entry{"npy", "arrays in .npy or .npz files", true, 0, [](DatasetConfig& c, Fields& f) { c.npy.fields(f); },
          [](const DatasetConfig& c, const Path& dir, Key) { return load_npy(c.npy, dir); }},
    Entry{"csv", "tables of numbers in text files", true, 0, [](DatasetConfig& c, Fields& f) { c.csv.fields(f); },
          [](const DatasetConfig& c, const Path& dir, Key) { return load_csv(c.csv, dir); }},
    Entry{"text", "lines of a text file, as sequences of words or characters", false, 0, [](DatasetConfig& c, Fields& f) { c.text.fields(f); },
          [](const DatasetConfig& c, const Path& dir, Key) { return load_text(c.text, dir); }},
    Entry{"grammar", "synthetic: sentences of 8 tokens, with exact log p(x)", false, 0, [](DatasetConfig& c, Fields& f) { c.grammar.fields(f); },
          [](const DatasetConfig& c, const Path&, Key key) { return load_grammar(c.grammar, key); }},
    Entry{"linear_gaussian", "synthetic: x = W z + b + noise, with exact log p(x)", false, 0,
          [](DatasetConfig& c, Fields& f) { c.linear_gaussian.fields(f); },
          [](const DatasetConfig& c, const Path&, Key key) { return load_linear_gaussian(c.linear_gaussian, key); }},
    Entry{"gaussian_mixture", "synthetic: Gaussians in the plane, with exact log p(x)", false, 0,
          [](DatasetConfig& c, Fields& f) { c.gaussian_mixture.fields(f); },
          [](const DatasetConfig& c, const Path&, Key key) { return load_gaussian_mixture(c.gaussian_mixture, key); }},
    Entry{"two_moons", "synthetic: two interleaving half circles", false, 0,
          [](DatasetConfig& c, Fields& f) { c.two_moons.fields(f); },
          [](const DatasetConfig& c, const Path&, Key key) { return load_two_moons(c.two_moons, key); }},
    Entry{"sprites", "generated: white squares, ellipses and hearts with the factors of dSprites, 737280 images", true, 0,
          [](DatasetConfig& c, Fields& f) { c.sprites.fields(f); },
          [](const DatasetConfig& c, const Path&, Key key) { return load_sprites(c.sprites, key); }},
    Entry{"shapes3d", "generated: an object in a coloured room with the factors of 3dshapes, 480000 images", true, 0,
          [](DatasetConfig& c, Fields& f) { c.shapes3d.fields(f); },
          [](const DatasetConfig& c, const Path&, Key key) { return load_shapes3d(c.shapes3d, key); }},
    Entry{"poly_digits", "generated: renderings of a digit on two to five backgrounds, each a modality", true, 0,
          [](DatasetConfig& c, Fields& f) { c.poly_digits.fields(f); },
          [](const DatasetConfig& c, const Path& dir, Key key) { return load_poly_digits(c.poly_digits, dir, key); }},
};

void common_fields(DatasetConfig& config, const Entry& entry, Fields& f) {
  if (entry.can_binarize) {
    f.choice("binarize", config.binarize, {"none", "static", "dynamic"},
             "numbers in [0, 1] become draws of 0 or 1: static draws each example once, dynamic draws the training split again "
             "each epoch, and validation and test once");
  }
  f.names("classes", config.classes,
          "keep only the examples of these classes, by name or by number from 0, and number them in this order; empty: all");
  f.names("normal", config.normal,
          "for the detection of anomalies: training and validation keep only the examples of these classes, by name or number, the test split keeps all, "
          "and evaluation measures how well a model tells them apart; empty: all are normal");
  f("validation", config.validation,
    "number of examples cut from the end of the training split for validation; null: none where the source has a test split, "
    "else a tenth (digits 180, frey_faces 200)",
    at_least(0));
  f("test", config.test,
    "number of examples drawn for the test split, where the source has none; null: a tenth (digits 180, frey_faces 200)",
    at_least(0));
  f("limit", config.limit, "keep only the first so many training examples", at_least(1));
  f("labels", config.labels, "which training examples keep their label, for semi-supervised learning");
  f("inputs", config.inputs, "which training examples keep their numbers; the others have only their label, which the model mvae can learn from");
  f("cells", config.cells, "which single numbers of the examples models get to see");
  f("modalities", config.modalities, "stretches of the numbers of an example that are things of their own, for models of several modalities");
  f("seed", config.seed, "draws splits, binarisation and synthetic data; not the seed of the run", at_least(0));
}

Binarize binarize_from(const std::string& word) {
  return word == "static" ? Binarize::fixed : word == "dynamic" ? Binarize::dynamic : Binarize::none;
}

void refuse(bool bad, const char* key, const std::string& sentence) {
  if (bad) throw ConfigError(ad::cat("dataset.", key, ": ", sentence));
}

/// Draws `count` examples of the training split for the test split; the rest stays for training, in drawn order.
void draw_test_split(Dataset& data, Index count, Key key) {
  const std::vector<Index> order = ad::permutation(key, data.train.size());
  const std::span<const Index> rows(order);
  data.test = data.train.subset(rows.first(static_cast<std::size_t>(count)));
  data.train = data.train.subset(rows.subspan(static_cast<std::size_t>(count)));
}

void cut_splits(Dataset& data, const DatasetConfig& config, const Entry& entry, Key key) {
  const Index total = data.train.size();
  const Index held_out = entry.held_out > 0 ? entry.held_out : total / 10;
  const bool has_test = data.test.size() > 0, has_validation = data.validation.size() > 0;
  refuse(has_test && config.test.has_value(), "test", "this data set brings its own test split; leave the key out, or set it to null");
  refuse(has_validation && config.validation.has_value(), "validation",
         "this data set brings its own validation split; leave the key out, or set it to null");
  const Index test = has_test ? 0 : config.test.value_or(held_out);
  const Index validation = has_validation ? 0 : config.validation.value_or(has_test ? 0 : held_out);
  refuse(test >= total, "test", ad::cat(test, " of ", total, " examples leave none for training"));
  refuse(validation >= total - test, "validation",
         ad::cat(validation, " of ", total - test, " examples leave none for training"));
  if (!has_test) draw_test_split(data, test, key);
  if (!has_validation) data.validation = data.train.cut_last(validation);
  refuse(config.limit && *config.limit > data.train.size(), "limit",
         ad::cat(config.limit.value_or(0), ", but there are ", data.train.size(), " training examples; leave it out to keep all"));
  if (config.limit) data.train.keep_first(*config.limit);
}

/// As many of each class, the first classes one more where the number does not divide; which ones, the key draws.
std::vector<Index> labelled_rows(const Dataset& data, Index keep, Key key) {
  std::vector<Index> quota(static_cast<std::size_t>(data.classes), keep / data.classes), rows;
  for (Index k = 0; k < keep % data.classes; ++k) ++quota[static_cast<std::size_t>(k)];
  for (const Index row : ad::permutation(key, data.train.size())) {
    const int label = data.train.labels()[static_cast<std::size_t>(row)];
    if (label >= 0 && quota[static_cast<std::size_t>(label)]-- > 0) rows.push_back(row);
  }
  for (int k = 0; k < data.classes; ++k)
    refuse(quota[static_cast<std::size_t>(k)] > 0, "labels.keep",
           ad::cat(keep, " labels need ", quota[static_cast<std::size_t>(k)], " more training examples of class ", class_name(data, k)));
  std::ranges::sort(rows);
  return rows;
}

void choose_labels(Dataset& data, const LabelsConfig& labels, Key key) {
  if (!labels.keep) return;
  refuse(data.train.labels().empty(), "labels.keep", "the examples have no labels");
  const std::vector<Index> labelled = labelled_rows(data, *labels.keep, key);
  data.train.keep_labels(labelled);
  std::vector<Index> rows;
  if (labels.others == "unlabelled")
    for (Index row = 0; row < data.train.size(); ++row) rows.push_back(row);
  for (std::int64_t again = rows.empty() ? 0 : 1; again < labels.repeat; ++again) rows.insert(rows.end(), labelled.begin(), labelled.end());
  data.train = data.train.subset(rows);
}

void choose_inputs(Dataset& data, const InputsConfig& inputs, Key key) {
  if (!inputs.keep || *inputs.keep >= data.train.size()) return;
  Index wanted = data.train.size() - *inputs.keep;
  std::vector<Index> rows;
  for (const Index row : ad::permutation(key, data.train.size()))
    if (wanted > 0 && !data.train.labels().empty() && data.train.labels()[static_cast<std::size_t>(row)] >= 0) {
      rows.push_back(row);
      --wanted;
    }
  refuse(wanted > 0, "inputs.keep",
         ad::cat(wanted, " of the other examples have no label, so that nothing would be left of them; keep ", *inputs.keep + wanted, " or more"));
  data.train.hide_inputs(rows);
}

void choose_cells(Dataset& data, const CellsConfig& cells, Key key) {
  if (cells.keep == 1) return;
  data.train.hide_cells(cells.keep, key.fold("train"));
  data.validation.hide_cells(cells.keep, key.fold("validation"));
  data.test.hide_cells(cells.keep, key.fold("test"));
}

/// A stretch of whole rows of an image is an image.
ItemShape stretch_of(const Dataset& data, Index size) {
  const Index row = data.shape.width * data.shape.channels;
  if (data.is_image && size % row == 0) return {size / row, data.shape.width, data.shape.channels};
  return {1, size, 1};
}

void choose_modalities(Dataset& data, const ModalitiesConfig& config, Key key) {
  if (!config.names.empty()) {
    refuse(!data.modalities.empty(), "modalities.names", data.name + " has modalities of its own; leave names and sizes out");
    refuse(!data.vocabulary.empty(), "modalities.names", "the examples are sequences of tokens, which cannot be cut; leave names and sizes out");
    Index begin = 0;
    for (std::size_t m = 0; m < config.names.size(); ++m) {
      data.modalities.push_back({config.names[m], begin, stretch_of(data, config.sizes[m])});
      begin += config.sizes[m];
    }
    refuse(begin != data.shape.size(), "modalities.sizes", ad::cat("are ", begin, " numbers together, but an example has ", data.shape.size()));
  }
  if (config.keep == 1) return;
  refuse(data.modalities.empty(), "modalities.keep", "the data have no modalities; give their names and sizes, or set it to 1");
  data.train.hide_modalities(data.modalities, config.keep, key);
}

void set_digests(Dataset& data) {
  const bool computed = data.name == "linear_gaussian" || data.name == "gaussian_mixture" || data.name == "two_moons";
  for (const Split which : {Split::train, Split::validation, Split::test}) {
    const Examples& part = data.split(which);
    data.digests[static_cast<std::size_t>(which)] = computed ? static_cast<std::uint64_t>(part.size()) : part.digest();
  }
}

/// Sets what the numbers are known to be.
void describe(Dataset& data) {
  if (!data.vocabulary.empty()) return;  // numbers of tokens, with which nothing is computed
  data.unit_range = data.counts = true;
  data.levels = data.train.is_bytes() ? data.train.top() + 1 : 0;
  for (const Examples* split : {&data.train, &data.validation, &data.test}) {
    if (split->size() == 0) continue;
    data.unit_range = data.unit_range && split->in_unit_range();
    data.counts = data.counts && split->are_counts();
    if (split->top() + 1 != data.levels) data.levels = 0;
  }
}

/// Makes the splits of what was read, as the configuration asks for.
void prepare(Dataset& data, const DatasetConfig& config, const Entry& entry, const Scale* scale, Key key) {
  keep_classes(data, config.classes);
  cut_splits(data, config, entry, key.fold("split"));
  keep_normal(data, config.normal);
  choose_labels(data, config.labels, key.fold("labels"));
  choose_inputs(data, config.inputs, key.fold("inputs"));
  refuse(!data.vocabulary.empty() && config.cells.keep < 1, "cells.keep", "the examples are sequences of tokens, of which none can be hidden; set it to 1");
  choose_cells(data, config.cells, key.fold("cells"));
  choose_modalities(data, config.modalities, key.fold("modalities"));
  const bool standardized = (config.name == "npy" && config.npy.standardize) || (config.name == "csv" && config.csv.standardize);
  set_digests(data);
  if (standardized && scale != nullptr) {
    if (std::ssize(scale->mean) != data.shape.size())
      throw DataError(ad::cat(data.provenance, ": has ", data.shape.size(), " numbers an example, and the model was trained on ",
                              std::ssize(scale->mean)));
    standardize(data, scale->mean, scale->stddev);
  } else if (standardized) {
    standardize(data);
  } else {
    narrow(data);
  }
  describe(data);
  const Binarize how = binarize_from(config.binarize);
  refuse(how != Binarize::none && !data.unit_range, "binarize",
         "only numbers in [0, 1] can be binarised, and '" + config.name + "' has others here");
  binarize(data, how, key.fold("binarize"));
}

/// What a data set of a program's own has in the place of an entry here.
Entry entry_of(const DatasetEntry& added) { return {added.name, added.summary, true, 0, nullptr, nullptr}; }

}  // namespace

void LabelsConfig::fields(Fields& f) {
  f("keep", keep, "so many training examples keep their label, as many of each class, drawn with the seed; null: all that have one", at_least(1));
  f.choice("others", others, {"unlabelled", "dropped"}, "whether the other training examples stay, without a label");
  f("repeat", repeat, "how often each labelled example stands in the training split, so that batches have some", between(1, 1'000'000));
  f.require("repeat", keep.has_value() || repeat == 1, "repeats the examples that keep their label; set keep as well");
}

void InputsConfig::fields(Fields& f) {
  f("keep", keep, "so many training examples keep their numbers; the others are drawn with the seed from those with a label; null: all keep them", at_least(1));
}

void CellsConfig::fields(Fields& f) {
  f("keep", keep,
    "this share of the numbers of every split is kept; the others, drawn with the seed, count as missing, and evaluation measures how well they "
    "are filled in",
    Range{.low = 0, .high = 1, .low_open = true});
}

void ModalitiesConfig::fields(Fields& f) {
  f.names("names", names, "of the modalities, in their order; empty: those that the data set brings, if any");
  f("sizes", sizes, "numbers of each", at_least(1));
  f("keep", keep, "probability that a training example keeps a modality; the others, drawn with the seed, count as missing, but one always stays",
    between(0, 1));
  f.require("sizes", names.size() == sizes.size(), "must be one for each of names");
  f.require("names", names.size() != 1, "must be two or more; one modality is a data set without this key");
}

Registry<DatasetEntry>& dataset_registry() {
  static Registry<DatasetEntry> registry{};
  return registry;
}

AddedDatasets::AddedDatasets() {
  for (const DatasetEntry& entry : dataset_registry()) sets.push_back({entry, entry.make_settings()});
}

std::vector<Alternative> DatasetConfig::alternatives() {
  std::vector<Alternative> all;
  for (const Entry& entry : kEntries) {
    all.push_back({entry.name, entry.doc, [this, &entry](Fields& f) {
                     entry.fields(*this, f);
                     common_fields(*this, entry, f);
                   }});
  }
  for (const AddedDatasets::Set& set : added.sets) {
    all.push_back({set.entry.name, set.entry.summary, [this, set](Fields& f) {
                     set.settings->fields(f);
                     common_fields(*this, entry_of(set.entry), f);
                   }});
  }
  return all;
}

std::vector<DatasetInfo> dataset_list() {
  std::vector<DatasetInfo> all;
  for (const Entry& entry : kEntries) all.push_back({entry.name, entry.doc, !remote_files(entry.name).empty()});
  for (const DatasetEntry& entry : dataset_registry()) all.push_back({entry.name, entry.summary, false});
  return all;
}

Dataset load_dataset(const DatasetConfig& config, const std::filesystem::path& data_dir, const Scale* scale) {
  const Key key = Key(static_cast<std::uint64_t>(config.seed)).fold("dataset").fold(config.name);
  const auto of_name = [&](const auto& entry) { return config.name == entry.name; };
  const auto known = std::ranges::find_if(kEntries, of_name);
  const auto added = std::ranges::find_if(config.added.sets, of_name, &AddedDatasets::Set::entry);
  refuse(known == kEntries.end() && added == config.added.sets.end(), "name", "there is no data set '" + config.name + "'");
  const Entry entry = known != kEntries.end() ? *known : entry_of(added->entry);
  Dataset data = !config.idx_file.empty()  ? load_idx_file(config.name, config.emnist, config.idx_file)
                 : known != kEntries.end() ? entry.load(config, data_dir, key.fold("source"))
                                         : std::move(*added->settings->build({data_dir, key.fold("source")}));
  data.name = config.name;
  try {
    prepare(data, config, entry, scale, key);
  } catch (const std::bad_alloc&) {
    throw DataError(ad::cat(data.provenance, ": there is not enough memory to hold its examples; use fewer, or free some"));
  }
  return data;
}

std::filesystem::path data_directory(const std::optional<std::string>& flag) {
  if (flag) return *flag;
  const char* environment = std::getenv("VAEZOO_DATA");
  return environment != nullptr && *environment != '\0' ? environment : "data";
}

}  // namespace vaezoo
