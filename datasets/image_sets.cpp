// Data sets in IDX files: MNIST and its relatives, Frey faces.
#include <algorithm>
#include <array>

#include "autodiff/check.hpp"
#include "datasets/download.hpp"
#include "datasets/idx.hpp"
#include "datasets/input_file.hpp"
#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

constexpr int kTop = 255;

struct Family {
  const char* name;
  const char* torchvision_name;
  const char* provenance;
  std::vector<std::string> class_names;
};

const Family& family(const std::string& name) {
  static const std::array<Family, 3> kFamilies = {{
      {"mnist", "MNIST", "MNIST, Y. LeCun, C. Cortes and C. J. C. Burges (1998), CC BY-SA 3.0", {}},
      {"fashion_mnist",
       "FashionMNIST",
       "Fashion-MNIST, H. Xiao, K. Rasul and R. Vollgraf, Zalando (2017), MIT licence",
       {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"}},
      {"kmnist",
       "KMNIST",
       "KMNIST, ROIS-DS Center for Open Data in the Humanities (2018), adapted from the Kuzushiji dataset, CC BY-SA 4.0",
       {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}},
  }};
  const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& f) { return f.name == name; });
  AD_CHECK(found != kFamilies.end(), "load_mnist_like", ad::cat("'", name, "' is not one of mnist, fashion_mnist, kmnist"));
  return *found;
}

/// What the files of a set hold.
struct Layout {
  ItemShape shape;
  int classes = 0;
  int first_label = 0;      ///< that stands for class 0
  bool transposed = false;  ///< images are stored column by column
};

std::vector<int> read_labels(const fs::path& path, Index count, const Layout& layout) {
  const IdxArray read = read_idx(path, 1);
  if (read.shape[0] != count) throw DataError(ad::cat(path.string(), ": has ", read.shape[0], " labels for ", count, " images"));
  std::vector<int> labels;
  labels.reserve(read.bytes.size());
  for (std::uint8_t byte : read.bytes) {
    labels.push_back(byte - layout.first_label);
    if (labels.back() < 0 || labels.back() >= layout.classes) {
      throw DataError(ad::cat(path.string(), ": has label ", int{byte}, "; expected ", layout.first_label, " to ",
                              layout.first_label + layout.classes - 1));
    }
  }
  return labels;
}

void transpose_squares(std::vector<std::uint8_t>& images, Index side) {
  for (auto image = images.begin(); image != images.end(); image += side * side) {
    for (Index i = 0; i < side; ++i) {
      for (Index j = 0; j < i; ++j) std::swap(image[i * side + j], image[j * side + i]);
    }
  }
}

/// Images [N, H, W], with labels unless labels_file is empty.
Examples read_split(const fs::path& images_file, const fs::path& labels_file, const Layout& layout) {
  IdxArray images = read_idx(images_file, 3);
  const ItemShape& shape = layout.shape;
  if (images.shape[1] != shape.height || images.shape[2] != shape.width) {
    throw DataError(ad::cat(images_file.string(), ": its images have ", images.shape[1], " x ", images.shape[2], " pixels where ",
                            shape.height, " x ", shape.width, " were expected; is it a file of another data set?"));
  }
  if (layout.transposed) transpose_squares(images.bytes, shape.height);
  std::vector<int> labels;
  if (!labels_file.empty()) labels = read_labels(labels_file, images.shape[0], layout);
  return Examples(std::move(images.bytes), shape.size(), kTop, std::move(labels));
}

constexpr Layout kMnist{.shape = {28, 28, 1}, .classes = 10}, kFreyFaces{.shape = {28, 20, 1}};

Layout emnist_layout(const std::string& subset) {
  const bool letters = subset == "letters";
  const int classes = subset == "byclass" ? 62 : letters ? 26 : subset == "digits" || subset == "mnist" ? 10 : 47;
  return {.shape = {28, 28, 1}, .classes = classes, .first_label = letters ? 1 : 0, .transposed = true};
}

/// The labels of a file of images, if they lie there under the name that goes with it; else "".
fs::path labels_of(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t at = name.find("images-idx3");
  if (at == std::string::npos) return {};
  name.replace(at, std::string_view("images-idx3").size(), "labels-idx1");
  const fs::path labels = images.parent_path() / name;
  return is_file(labels) ? labels : fs::path();
}

Dataset image_set(const char* provenance, const Layout& layout) {
  Dataset data;
  data.provenance = provenance;
  data.shape = layout.shape;
  data.is_image = true;
  data.classes = layout.classes;
  return data;
}

}  // namespace

fs::path find_set_file(const std::string& set, const std::string& file, const std::vector<fs::path>& places) {
  std::string looked;
  for (const fs::path& place : places) {
    for (const char* ending : {"", ".gz"}) {
      fs::path path = place / (file + ending);
      if (is_file(path)) return path;
    }
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  throw DataError(ad::cat(set, ": there is no ", file, " (plain or .gz) in ", looked, "; ", download_hint(set, places.front())));
}

Dataset load_mnist_like(const std::string& name, const fs::path& data_dir) {
  const Family& set = family(name);
  std::vector<fs::path> places = {data_dir / name, data_dir / set.torchvision_name / "raw"};
  if (data_dir.filename() == name || data_dir.parent_path().filename() == name) places.push_back(data_dir);
  const auto load = [&](const std::string& prefix) {
    const fs::path images = find_set_file(name, prefix + "-images-idx3-ubyte", places);
    return read_split(images, find_set_file(name, prefix + "-labels-idx1-ubyte", places), kMnist);
  };
  Dataset data = image_set(set.provenance, kMnist);
  data.class_names = set.class_names;
  data.train = load("train");
  data.test = load("t10k");
  return data;
}

void EmnistConfig::fields(Fields& f) {
  f.choice("subset", subset, {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"},
           "balanced: 47 classes, 112800 + 18800; byclass: 62, 697932 + 116323; bymerge: 47, the same images; "
           "digits: 10, 240000 + 40000; letters: 26, 124800 + 20800; mnist: 10, 60000 + 10000 (training + test)");
}

Dataset load_emnist(const EmnistConfig& config, const fs::path& data_dir) {
  const std::string& subset = config.subset;
  const Layout layout = emnist_layout(subset);
  const std::vector<fs::path> places = {data_dir / "emnist", data_dir / "emnist" / "gzip", data_dir / "EMNIST" / "raw", data_dir};
  const auto load = [&](const std::string& part) {
    const std::string prefix = "emnist-" + subset + "-" + part;
    const fs::path images = find_set_file("emnist", prefix + "-images-idx3-ubyte", places);
    return read_split(images, find_set_file("emnist", prefix + "-labels-idx1-ubyte", places), layout);
  };
  Dataset data = image_set(
      "EMNIST, G. Cohen, S. Afshar, J. Tapson and A. van Schaik (2017), from NIST Special Database 19, published by NIST",
      layout);
  data.train = load("train");
  data.test = load("test");
  return data;
}

Dataset load_frey_faces(const fs::path& data_dir) {
  const Layout& layout = kFreyFaces;
  Dataset data = image_set("Frey faces, Brendan Frey, from Sam Roweis' collection of data for MATLAB; no licence stated", layout);
  data.train = read_split(find_set_file("frey_faces", "frey-images-idx3-ubyte", {data_dir / "frey_faces", data_dir}), {}, layout);
  return data;
}

bool is_idx_set(const std::string& name) {
  constexpr std::array kNames = {"mnist", "fashion_mnist", "kmnist", "emnist", "frey_faces"};
  return std::ranges::find(kNames, name) != kNames.end();
}

Dataset load_idx_file(const std::string& set, const EmnistConfig& emnist, const fs::path& images) {
  AD_CHECK(is_idx_set(set), "load_idx_file", ad::cat("'", set, "' has no IDX files"));
  const Layout layout = set == "emnist" ? emnist_layout(emnist.subset) : set == "frey_faces" ? kFreyFaces : kMnist;
  Dataset data = image_set(images.string().c_str(), layout);
  if (set != "emnist" && set != "frey_faces") data.class_names = family(set).class_names;
  data.train = read_split(images, layout.classes > 0 ? labels_of(images) : fs::path(), layout);
  return data;
}

}  // namespace vaezoo
