// Data sets in MATLAB files: SVHN and OMNIGLOT.
#include <algorithm>
#include <cmath>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"
#include "datasets/mat.hpp"
#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

std::string sizes_of(const MatArray& array) {
  std::string text;
  for (Index size : array.shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

// ---- SVHN

constexpr ItemShape kSvhnShape = {32, 32, 3};
constexpr int kSvhnClasses = 10;

/// X of [32, 32, 3, N] in MATLAB's order, whose planes are stored column by column, to NHWC.
std::vector<std::uint8_t> svhn_images(const MatArray& X) {
  const Index side = 32, channels = 3, item = kSvhnShape.size();
  std::vector<Index> shape = X.shape;
  if (shape.size() == 3) shape.push_back(1);  // MATLAB drops a last axis of one
  if (shape.size() != 4 || shape[0] != side || shape[1] != side || shape[2] != channels || X.bytes.empty()) {
    throw DataError(ad::cat(X.source, ": is ", sizes_of(X), X.bytes.empty() ? " numbers" : " bytes",
                            "; expected 32 x 32 x 3 x N bytes with N above 0"));
  }
  std::vector<std::uint8_t> images(X.bytes.size());
  for (Index n = 0; n < shape[3]; ++n) {
    const std::uint8_t* from = X.bytes.data() + n * item;
    std::uint8_t* to = images.data() + n * item;
    for (Index c = 0; c < channels; ++c) {
      for (Index column = 0; column < side; ++column) {
        for (Index row = 0; row < side; ++row) to[(row * side + column) * channels + c] = *from++;
      }
    }
  }
  return images;
}

std::vector<int> svhn_labels(const MatArray& y, Index count) {
  if (y.size() != count) throw DataError(ad::cat(y.source, ": has ", y.size(), " labels for ", count, " images"));
  std::vector<Real> numbers(y.bytes.begin(), y.bytes.end());
  numbers.insert(numbers.end(), y.numbers.begin(), y.numbers.end());
  std::vector<int> labels;
  for (Real label : numbers) {
    if (!(label >= 1 && label <= kSvhnClasses && label == std::floor(label))) {
      throw DataError(ad::cat(y.source, ": has label ", static_cast<double>(label), "; expected 1 to 10"));
    }
    labels.push_back(static_cast<int>(label) % kSvhnClasses);
  }
  return labels;
}

// ---- OMNIGLOT

constexpr ItemShape kOmniglotShape = {28, 28, 1};
constexpr const char* kOmniglotFile = "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat";

/// Images [784, N], each stored column by column, turned upright.
std::vector<Real> omniglot_images(const MatArray& array) {
  const Index item = kOmniglotShape.size(), side = kOmniglotShape.height;
  if (array.shape.size() != 2 || array.shape[0] != item || array.size() == 0) {
    throw DataError(ad::cat(array.source, ": is ", sizes_of(array), "; expected 784 x N with N above 0"));
  }
  std::vector<Real> stored(array.bytes.begin(), array.bytes.end());
  if (stored.empty()) stored = array.numbers;
  const auto outside = std::ranges::find_if_not(stored, [](Real x) { return x >= 0 && x <= 1; });
  if (outside != stored.end()) {
    throw DataError(
        ad::cat(array.source, ": has the value ", static_cast<double>(*outside), "; expected grey values from 0 to 1"));
  }
  std::vector<Real> images(stored.size());
  for (Index n = 0; n < array.shape[1]; ++n) {
    for (Index row = 0; row < side; ++row) {
      for (Index column = 0; column < side; ++column) {
        images[at(n * item + row * side + column)] = stored[at(n * item + column * side + row)];
      }
    }
  }
  return images;
}

/// Classes from [classes, N], in which the row of the class is 1 and all others 0.
std::vector<int> one_hot_labels(const MatArray& array, Index count) {
  if (array.shape.size() != 2 || array.shape[1] != count || array.size() == 0) {
    throw DataError(ad::cat(array.source, ": is ", sizes_of(array), "; expected classes x ", count));
  }
  std::vector<Real> numbers(array.bytes.begin(), array.bytes.end());
  if (numbers.empty()) numbers = array.numbers;
  const Index classes = array.shape[0];
  std::vector<int> labels;
  for (Index n = 0; n < count; ++n) {
    const std::span<const Real> column = std::span(numbers).subspan(at(n * classes), at(classes));
    const auto one = std::ranges::find(column, Real(1));
    const bool others = std::ranges::count(column, Real(0)) == classes - 1;
    if (one == column.end() || !others)
      throw DataError(ad::cat(array.source, ": column ", n, " (from 0) is not one 1 among zeros"));
    labels.push_back(static_cast<int>(one - column.begin()));
  }
  return labels;
}

}  // namespace

Dataset load_svhn(const fs::path& data_dir) {
  Dataset data;
  data.provenance = "SVHN, Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu and A. Y. Ng (2011), for non-commercial use";
  data.shape = kSvhnShape;
  data.is_image = true;
  data.classes = kSvhnClasses;
  const auto load = [&](const char* name) {
    auto arrays = read_mat(find_set_file("svhn", name, {data_dir / "svhn", data_dir / "SVHN", data_dir}), {"X", "y"});
    std::vector<std::uint8_t> images = svhn_images(arrays["X"]);
    arrays["X"] = {};
    const Index count = std::ssize(images) / kSvhnShape.size();
    return Examples(std::move(images), kSvhnShape.size(), 255, svhn_labels(arrays["y"], count));
  };
  data.train = load("train_32x32.mat");
  data.test = load("test_32x32.mat");
  return data;
}

Dataset load_omniglot(const fs::path& data_dir, Key key) {
  const std::vector<fs::path> places = {data_dir / "omniglot", data_dir / "OMNIGLOT", data_dir};
  const auto place = std::ranges::find_if(places, [](const fs::path& p) { return is_file(p / "chardata.mat"); });
  if (place == places.end()) {
    throw DataError(ad::cat("omniglot: there is no chardata.mat in ", places[0].string(), ", ", places[1].string(), " or ",
                            places[2].string(), "; fetch ", kOmniglotFile, " and put it into ", places[0].string(),
                            ", or name another directory with --data-dir or VAEZOO_DATA"));
  }
  auto arrays = read_mat(*place / "chardata.mat", {"data", "target", "testdata", "testtarget"});
  const auto load = [&](const char* images, const char* labels) {
    std::vector<Real> numbers = omniglot_images(arrays[images]);
    const Index count = std::ssize(numbers) / kOmniglotShape.size();
    return Examples(std::move(numbers), kOmniglotShape.size(), one_hot_labels(arrays[labels], count));
  };
  Dataset data;
  data.provenance =
      "OMNIGLOT, B. Lake, R. Salakhutdinov and J. Tenenbaum (2015), MIT licence; 28 x 28 by Y. Burda, R. Grosse and "
      "R. Salakhutdinov (2016)";
  data.shape = kOmniglotShape;
  data.is_image = true;
  data.classes = static_cast<int>(arrays["target"].shape[0]);
  if (arrays["testtarget"].shape[0] != data.classes) {
    throw DataError(
        ad::cat(arrays["testtarget"].source, ": has ", arrays["testtarget"].shape[0], " classes; 'target' has ", data.classes));
  }
  data.train = load("data", "target");
  data.train = data.train.subset(ad::permutation(key.fold("order"), data.train.size()));
  data.test = load("testdata", "testtarget");
  return data;
}

}  // namespace vaezoo
