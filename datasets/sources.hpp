#pragma once
// Where data come from. A source is a struct with its configuration and a `load` that fills the splits which the source
// has; what it has not (test, validation) is cut afterwards, by config.cpp, where every source has one line.
#include <cstdint>
#include <filesystem>
#include <optional>
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

/// Whether the set comes in IDX files, which load_idx_file() reads.
bool is_idx_set(const std::string& name);
/// A file of images of the kind that an IDX set has ("mnist", "emnist" ...), all as training examples. Their labels are read from the file
/// beside it that has labels-idx1 for images-idx3 in its name, if there is one.
Dataset load_idx_file(const std::string& set, const EmnistConfig& emnist, const std::filesystem::path& images);

/// 60000 colour photographs of 32 x 32 pixels in ten classes (Krizhevsky 2009), from the binary version's data_batch_1 to 5 and
/// test_batch. Looks in DATA_DIR/cifar10 and in DATA_DIR/cifar-10-batches-bin.
Dataset load_cifar10(const std::filesystem::path& data_dir);

/// House numbers, 32 x 32 pixels in colour, 73257 + 26032 (Netzer et al. 2011, format 2), from train_32x32.mat and
/// test_32x32.mat. The files call the digit 0 class 10; here it is class 0.
Dataset load_svhn(const std::filesystem::path& data_dir);

/// Characters of 50 alphabets, 28 x 28 grey pixels, 24345 + 8070, from the chardata.mat of Burda, Grosse and Salakhutdinov (IWAE,
/// 2016), which the papers on VAEs use. The class is the alphabet. The training split comes in an order drawn with the key, so
/// that a validation split cut from its end is a fair one.
Dataset load_omniglot(const std::filesystem::path& data_dir, Key key);

/// PNG and JPEG files in a folder, read from disk when they are needed.
struct ImageFolderConfig {
  std::string path = {};
  std::optional<std::int64_t> crop = {}, size = {};
  bool grey = false;
  std::string alpha = "black";  ///< black, white or ignore
  bool skip_broken = false;
  void fields(Fields& f);
};
/// Sub-folders train, validation (or val) and test are the splits where there is a train; else all images are training examples.
/// In a split, each sub-folder is a class, with all images below it; without sub-folders there are no labels. Training examples
/// come in an order drawn with the key. Throws DataError when images lie both in sub-folders and next to them, or when there are none.
Dataset load_image_folder(const ImageFolderConfig& config, const std::filesystem::path& data_dir, Key key);

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
  bool standardize = false, missing = false;
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
  bool standardize = false, missing = false;
  void fields(Fields& f);
};
Dataset load_csv(const CsvConfig& config, const std::filesystem::path& data_dir);

/// The first of PLACES/FILE and PLACES/FILE.gz that exists. Throws DataError naming the places and how to get the data set.
std::filesystem::path find_set_file(const std::string& set, const std::string& file,
                                    const std::vector<std::filesystem::path>& places);

/// The file in data_dir, or in the current directory when it is only there. Throws DataError naming both places.
std::filesystem::path find_data_file(const std::string& file, const std::filesystem::path& data_dir);

/// {H, W, C} from [D], [H, W] or [H, W, C].
ItemShape item_shape(const std::vector<Index>& sizes);

}  // namespace vaezoo
