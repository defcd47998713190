#pragma once
// Where data come from. A source is a struct with its configuration and a `load` that fills the splits which the source
// has; what it has not (test, validation) is cut afterwards, by config.cpp, where every source has one line.
#include <filesystem>
#include <string>
#include <vector>

#include "config/fields.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

/// 1797 handwritten digits of 8 x 8 pixels with 17 levels, embedded in the program (UCI, CC BY 4.0).
Dataset load_digits();

/// The sets in MNIST's own format: "mnist", "fashion_mnist" or "kmnist". Looks in DATA_DIR/NAME, DATA_DIR/MNIST/raw (where
/// torchvision puts them) and in DATA_DIR itself when that is called NAME.
Dataset load_mnist_like(const std::string& name, const std::filesystem::path& data_dir);

struct EmnistConfig {
  std::string subset = "balanced";
  void fields(Fields& f);
};
/// Letters and digits (Cohen et al. 2017), turned upright: the files store every image transposed.
Dataset load_emnist(const EmnistConfig& config, const std::filesystem::path& data_dir);

/// 1965 video frames of Brendan Frey's face, 28 x 20 pixels.
Dataset load_frey_faces(const std::filesystem::path& data_dir);

/// Arrays [N, D], [N, H, W] or [N, H, W, C] in .npy files, or in .npz archives as `np.savez(file, data=x, labels=y)` makes them.
/// Unsigned bytes stay bytes and mean k / 255.
struct NpyConfig {
  std::string train_file = {}, validation_file = {}, test_file = {};
  std::string key = "data", label_key = "labels", condition_key = "conditions";
  std::string train_labels = {}, validation_labels = {}, test_labels = {};
  std::string train_conditions = {}, validation_conditions = {}, test_conditions = {};
  std::string layout = "channels_last";
  std::vector<std::int64_t> shape = {};
  std::optional<double> divide_by = {};
  bool standardize = false;
  void fields(Fields& f);
};
Dataset load_npy(const NpyConfig& config, const std::filesystem::path& data_dir);

/// Tables of numbers as text.
struct CsvConfig {
  std::string train_file = {}, validation_file = {}, test_file = {};
  std::string delimiter = ",";
  bool header = false;
  std::vector<std::string> columns = {};
  std::string label = {};
  std::vector<std::string> condition_columns = {};
  std::vector<std::int64_t> shape = {};
  double divide_by = 1;
  bool standardize = false;
  void fields(Fields& f);
};
Dataset load_csv(const CsvConfig& config, const std::filesystem::path& data_dir);

/// The file in data_dir, or in the current directory when it is only there. Throws DataError naming both places.
std::filesystem::path find_data_file(const std::string& file, const std::filesystem::path& data_dir);

/// {H, W, C} from [D], [H, W] or [H, W, C].
ItemShape item_shape(const std::vector<Index>& sizes);

}  // namespace vaezoo
