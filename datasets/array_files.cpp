// Data sets of a user's own: NumPy arrays and tables of text.
#include <algorithm>
#include <cmath>
#include <optional>

#include "autodiff/check.hpp"
#include "datasets/classes.hpp"
#include "datasets/csv.hpp"
#include "datasets/input_file.hpp"
#include "datasets/npy.hpp"
#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

void shape_field(Fields& f, std::vector<std::int64_t>& shape) {
  f("shape", shape, "[height, width] or [height, width, channels] makes each row an image; empty: as the file has it",
    at_least(1));
  f.require("shape", shape.size() != 1 && shape.size() <= 3, "expected [height, width] or [height, width, channels]");
}

void file_fields(Fields& f, std::string& train, std::string& validation, std::string& test) {
  f("train_file", train, "the training examples; looked for in the data directory, then in the current one");
  f("validation_file", validation, "the validation examples; empty: cut from the training examples");
  f("test_file", test, "the test examples; empty: drawn from the training examples");
  f.require("train_file", !train.empty(), "names no file; give the file with the training examples");
}

Examples examples_of(std::vector<Real> numbers, Index width, std::vector<int> labels) {
  return Examples(std::move(numbers), width, std::move(labels));
}
Examples examples_of(std::vector<double> numbers, Index width, std::vector<int> labels) {
  return Examples::exact(std::move(numbers), width, std::move(labels));
}

/// Bytes when the values are whole numbers 0 .. top and divide_by is that top; real numbers else.
template <class T>
Examples make_complete_examples(std::vector<T> numbers, Index width, double divide_by, std::vector<int> labels) {
  const bool whole_top = divide_by >= 1 && divide_by <= 255 && divide_by == std::floor(divide_by);
  const T top = static_cast<T>(divide_by);
  const auto is_level = [=](T x) { return x >= 0 && x <= top && x == std::floor(x); };
  if (whole_top && std::all_of(numbers.begin(), numbers.end(), is_level)) {
    std::vector<std::uint8_t> bytes(numbers.size());
    std::transform(numbers.begin(), numbers.end(), bytes.begin(), [](T x) { return static_cast<std::uint8_t>(x); });
    return Examples(std::move(bytes), width, static_cast<int>(divide_by), std::move(labels));
  }
  if (divide_by != 1) {
    for (T& x : numbers) x = static_cast<T>(static_cast<double>(x) / divide_by);
  }
  return examples_of(std::move(numbers), width, std::move(labels));
}

/// The same, of numbers of which some may be NaN where that is `missing`.
template <class T>
Examples make_examples(std::vector<T> numbers, Index width, double divide_by, std::vector<int> labels, bool missing) {
  if (!missing) return make_complete_examples(std::move(numbers), width, divide_by, std::move(labels));
  std::vector<Cell> cells(numbers.size(), Cell::observed);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (std::isnan(numbers[i])) cells[i] = Cell::missing, numbers[i] = 0;
  Examples examples = make_complete_examples(std::move(numbers), width, divide_by, std::move(labels));
  examples.set_cells(std::move(cells));
  return examples;
}

void missing_field(Fields& f, bool& missing) {
  f("missing", missing,
    "true: NaN (and in a table an empty cell) is a number that was not observed, and models leave it out of the likelihood; false: an error");
}

/// Runs `make`, whose DataError says where in the data, and puts the file's name before it.
template <class Make>
Examples from_file(const std::string& source, Make make) {
  try {
    return make();
  } catch (const DataError& error) {
    throw DataError(source + ": " + error.what());
  }
}

/// Checks that the splits agree, and that an image shape given by the user fits.
void settle_shape(Dataset& data, const std::string& source, const std::vector<std::int64_t>& wanted, ItemShape found) {
  if (data.shape.size() > 1 && data.train.size() > 0 && data.train.item_size() != found.size()) {
    throw DataError(ad::cat(source, ": its examples have ", found.size(), " numbers where the training examples have ",
                            data.train.item_size()));
  }
  if (!wanted.empty()) {
    const ItemShape shape = item_shape(std::vector<Index>(wanted.begin(), wanted.end()));
    if (shape.size() != found.size()) {
      throw DataError(ad::cat(source, ": its examples have ", found.size(), " numbers, which is not ", shape.height, " x ",
                              shape.width, " x ", shape.channels, " as 'shape' says"));
    }
    found = shape;
  }
  data.shape = found;
  data.is_image = found.height > 1 || found.channels > 1;
}

/// Splits with examples must agree in whether they have labels and conditions.
void settle_conditions(Dataset& data, std::vector<std::string> names) {
  for (Split which : {Split::validation, Split::test}) {
    const Examples& split = data.split(which);
    if (split.size() == 0 || split.condition_size() == data.train.condition_size()) continue;
    throw DataError(ad::cat(data.provenance, ": its examples have ", data.train.condition_size(),
                            " conditions, but those of the ", to_text(which), " split have ", split.condition_size()));
  }
  data.condition_names = std::move(names);
}

/// Conditions [N, C] in the file's own precision, for examples that have room for Reals.
std::vector<Real> narrowed_conditions(Dataset& data, const std::vector<double>& values, const std::vector<std::string>& names) {
  std::vector<std::string> lost;
  for (Index c : columns_lost_to_rounding(values, std::ssize(names))) {
    lost.push_back("condition '" + names[static_cast<std::size_t>(c)] + "'");
  }
  if (!lost.empty()) data.warnings.push_back(rounding_warning(lost) + "; subtract a constant");
  std::vector<Real> narrow(values.size());
  std::transform(values.begin(), values.end(), narrow.begin(), [](double x) { return static_cast<Real>(x); });
  return narrow;
}

// ---- .npy and .npz

template <class T>
void move_channels_last(std::vector<T>& values, Index count, Index channels, Index pixels) {
  if (values.empty()) return;
  std::vector<T> moved(values.size());
  for (Index n = 0; n < count; ++n) {
    const Index base = n * channels * pixels;
    for (Index c = 0; c < channels; ++c) {
      for (Index p = 0; p < pixels; ++p) {
        moved[static_cast<std::size_t>(base + p * channels + c)] = values[static_cast<std::size_t>(base + c * pixels + p)];
      }
    }
  }
  values = std::move(moved);
}

/// [N, C, H, W] -> [N, H, W, C].
void channels_last(NpyArray& array) {
  if (array.shape.size() != 4) {
    throw DataError(ad::cat(array.source, ": has ", array.shape.size(), " axes; layout channels_first needs [N, C, H, W]"));
  }
  const Index pixels = array.shape[2] * array.shape[3];
  move_channels_last(array.bytes, array.shape[0], array.shape[1], pixels);
  move_channels_last(array.numbers, array.shape[0], array.shape[1], pixels);
  move_channels_last(array.exact, array.shape[0], array.shape[1], pixels);
  std::rotate(array.shape.begin() + 1, array.shape.begin() + 2, array.shape.end());
}

/// As text, for Classes.
std::vector<std::string> npy_labels(const NpyArray& array, Index count) {
  if (array.size() != count) throw DataError(ad::cat(array.source, ": has ", array.size(), " labels for ", count, " examples"));
  constexpr double kMost = 1e15;  // doubles are whole numbers up to 2^53
  std::vector<std::string> labels;
  for (double x : array.values()) {
    if (std::isnan(x)) {
      throw DataError(array.source + ": has a label that is NaN, a missing value; fill it in, or leave the example out");
    }
    if (!(std::abs(x) <= kMost && x == std::floor(x))) {
      throw DataError(ad::cat(array.source, ": has label ", x, "; expected whole numbers"));
    }
    labels.push_back(std::to_string(static_cast<std::int64_t>(x)));
  }
  return labels;
}

std::vector<std::string> npy_condition_names(Index width) {
  std::vector<std::string> names;
  for (Index c = 0; c < width; ++c) names.push_back(ad::cat("condition ", c));
  return names;
}

/// [N] or [N, C], as numbers.
void set_conditions(Dataset& data, Examples& examples, const NpyArray& array) {
  if (array.shape.empty() || array.shape.size() > 2 || array.shape[0] != examples.size() || array.size() == 0) {
    throw DataError(ad::cat(array.source, ": has ", array.shape.size(), " axes and ", array.size(), " values; expected [",
                            examples.size(), "] or [", examples.size(), ", C] conditions"));
  }
  const Index width = array.size() / examples.size();
  try {
    examples.set_conditions(narrowed_conditions(data, array.values(), npy_condition_names(width)), width);
  } catch (const DataError& error) {
    throw DataError(array.source + ": " + error.what());
  }
}

struct NpySplitFiles {
  std::string examples, labels, conditions;
};

/// The training split comes first: its labels are the classes.
Examples load_npy_split(Dataset& data, Classes& classes, const NpyConfig& config, const fs::path& data_dir,
                        const NpySplitFiles& files) {
  const fs::path path = find_data_file(files.examples, data_dir);
  NpyArray array = read_npy(path, config.key);
  if (array.shape.size() < 2 || array.shape.size() > 4 || array.size() == 0) {
    throw DataError(ad::cat(array.source, ": has ", array.shape.size(), " axes and ", array.size(),
                            " values; expected [N, D], [N, H, W] or [N, H, W, C] with N above 0"));
  }
  if (config.layout == "channels_first") channels_last(array);
  const Index count = array.shape[0];
  const ItemShape shape = item_shape({array.shape.begin() + 1, array.shape.end()});
  settle_shape(data, array.source, config.shape, shape);
  // A file of their own, or an array of the same archive.
  const auto beside = [&](const std::string& file, const std::string& key) -> std::optional<NpyArray> {
    if (!file.empty()) return read_npy(find_data_file(file, data_dir));
    return npz_has(path, key) ? std::optional(read_npy(path, key)) : std::nullopt;
  };
  std::vector<int> labels;
  if (const auto found = beside(files.labels, config.label_key)) {
    const std::vector<std::string> written = npy_labels(*found, count);
    if (data.train.size() == 0) classes = Classes(written, found->source);
    labels = classes.numbers(written, found->source);
  }

  const double divide_by = config.divide_by.value_or(array.bytes.empty() || array.boolean ? 1 : 255);
  Examples examples = from_file(array.source, [&] {
    if (!array.bytes.empty() && divide_by == 255) return Examples(std::move(array.bytes), shape.size(), 255, std::move(labels));
    if (!array.bytes.empty()) array.numbers.assign(array.bytes.begin(), array.bytes.end());
    if (!array.exact.empty()) return make_examples(std::move(array.exact), shape.size(), divide_by, std::move(labels), config.missing);
    return make_examples(std::move(array.numbers), shape.size(), divide_by, std::move(labels), config.missing);
  });
  if (const auto found = beside(files.conditions, config.condition_key)) set_conditions(data, examples, *found);
  return examples;
}

}  // namespace

fs::path find_data_file(const std::string& file, const fs::path& data_dir) {
  const fs::path path = file;
  if (is_file(data_dir / path)) return data_dir / path;  // an absolute path replaces data_dir
  if (is_file(path)) return path;
  require_file(data_dir / path);
  require_file(path);
  if (path.is_absolute()) throw DataError(ad::cat(file, ": no such file"));
  throw DataError(ad::cat(file, ": no such file in the data directory ", data_dir.string(), " nor in the current directory; ",
                          "put it there, or name the directory with --data-dir or VAEZOO_DATA"));
}

ItemShape item_shape(const std::vector<Index>& sizes) {
  AD_CHECK(sizes.size() >= 1 && sizes.size() <= 3, "item_shape", ad::cat(sizes.size(), " axes; expected 1 to 3"));
  if (sizes.size() == 1) return {1, sizes[0], 1};
  return {sizes[0], sizes[1], sizes.size() == 3 ? sizes[2] : 1};
}

void NpyConfig::fields(Fields& f) {
  file_fields(f, train_file, validation_file, test_file);
  f("key", key, "the array with the examples, in .npz files; empty: the only one");
  f("label_key", label_key, "the array with the labels, in .npz files that have it");
  f("train_labels", train_labels, "a file with the labels of the training examples");
  f("validation_labels", validation_labels, "a file with the labels of the validation examples");
  f("test_labels", test_labels, "a file with the labels of the test examples");
  f("condition_key", condition_key, "the array with the conditions, [N] or [N, C], in .npz files that have it");
  f("train_conditions", train_conditions, "a file with the conditions of the training examples, [N] or [N, C]");
  f("validation_conditions", validation_conditions, "a file with the conditions of the validation examples");
  f("test_conditions", test_conditions, "a file with the conditions of the test examples");
  f.choice("layout", layout, {"channels_last", "channels_first"}, "[N, H, W, C], or [N, C, H, W] as PyTorch has it");
  shape_field(f, shape);
  f("divide_by", divide_by, "values are divided by this; null: 255 for unsigned bytes, 1 for all others", more_than(0));
  f("standardize", standardize, "give every column of the training examples mean 0 and standard deviation 1");
  missing_field(f, missing);
  const auto belongs = [&](const char* name, const std::string& file, const std::string& examples, const char* sentence) {
    f.require(name, file.empty() || !examples.empty(), sentence);
  };
  belongs("validation_labels", validation_labels, validation_file, "there is no validation_file that these labels belong to");
  belongs("test_labels", test_labels, test_file, "there is no test_file that these labels belong to");
  belongs("validation_conditions", validation_conditions, validation_file,
          "there is no validation_file that these conditions belong to");
  belongs("test_conditions", test_conditions, test_file, "there is no test_file that these conditions belong to");
}

Dataset load_npy(const NpyConfig& config, const fs::path& data_dir) {
  Dataset data;
  data.provenance = config.train_file;
  const NpySplitFiles train{config.train_file, config.train_labels, config.train_conditions};
  const NpySplitFiles validation{config.validation_file, config.validation_labels, config.validation_conditions};
  const NpySplitFiles test{config.test_file, config.test_labels, config.test_conditions};
  Classes classes;
  data.train = load_npy_split(data, classes, config, data_dir, train);
  if (!validation.examples.empty()) data.validation = load_npy_split(data, classes, config, data_dir, validation);
  if (!test.examples.empty()) data.test = load_npy_split(data, classes, config, data_dir, test);
  settle_conditions(data, npy_condition_names(data.train.condition_size()));
  data.classes = classes.count();
  data.class_names = classes.names();
  return data;
}

void CsvConfig::fields(Fields& f) {
  file_fields(f, train_file, validation_file, test_file);
  f("delimiter", delimiter, "one character between cells; a blank stands for any run of blanks and tabs");
  f("header", header, "the first line names the columns");
  f.names("columns", columns, "names or numbers (from 0) of the columns to use; empty: all but the label and the conditions");
  f("label", label, "name or number of the column with the class; empty: none");
  f.names("condition_columns", condition_columns,
          "names or numbers of the columns with numbers that the examples are conditioned on");
  shape_field(f, shape);
  f("divide_by", divide_by, "values are divided by this", more_than(0));
  f("standardize", standardize, "give every column of the training examples mean 0 and standard deviation 1");
  missing_field(f, missing);
  f.require("delimiter", delimiter.size() == 1 && delimiter != "\"", "expected one character, not a quote");
}

Dataset load_csv(const CsvConfig& config, const fs::path& data_dir) {
  const CsvFormat format{config.delimiter, config.header, config.columns, config.label, config.condition_columns, config.missing};
  const auto read = [&](const std::string& name, const CsvTable* first) {
    if (name.empty()) return CsvTable();
    const fs::path path = find_data_file(name, data_dir);
    return first == nullptr ? read_csv(path, format) : read_csv_beside(path, *first, format);
  };
  CsvTable train = read(config.train_file, nullptr);
  CsvTable validation = read(config.validation_file, &train), test = read(config.test_file, &train);
  const Classes classes(train.labels, train.source);
  Dataset data;
  data.provenance = config.train_file;
  data.column_names = train.column_names;
  const std::vector<std::string> conditions = train.same_columns.conditions;
  for (const auto& pair :
       {std::pair(&train, &data.train), std::pair(&validation, &data.validation), std::pair(&test, &data.test)}) {
    CsvTable* const table = pair.first;
    if (table->numbers.empty()) continue;
    settle_shape(data, table->source, config.shape, item_shape({table->columns}));
    std::vector<int> labels = classes.numbers(table->labels, table->source);
    *pair.second = from_file(table->source, [&] {
      Examples examples = make_examples(std::move(table->numbers), data.shape.size(), config.divide_by, std::move(labels), config.missing);
      if (!conditions.empty()) {
        examples.set_conditions(narrowed_conditions(data, table->conditions, conditions), std::ssize(conditions));
      }
      return examples;
    });
  }
  settle_conditions(data, conditions);
  data.class_names = classes.names();
  data.classes = classes.count();
  return data;
}

}  // namespace vaezoo
