#include <doctest/doctest.h>

#include <numeric>

#include "datasets/idx.hpp"
#include "datasets/sources.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// `count` images of 28 x 28 whose pixel p of image n is (n + p) mod 256, with labels n mod 10 + first_label.
std::string images(std::uint32_t count, std::uint32_t height = 28, std::uint32_t width = 28) {
  std::string pixels;
  for (std::uint32_t n = 0; n < count; ++n) {
    for (std::uint32_t p = 0; p < height * width; ++p) pixels += static_cast<char>(n + p);
  }
  return idx({count, height, width}, pixels);
}

std::string labels(std::uint32_t count, int first_label = 0) {
  std::string values;
  for (std::uint32_t n = 0; n < count; ++n) values += static_cast<char>(n % 10 + static_cast<std::uint32_t>(first_label));
  return idx({count}, values);
}

void write_mnist(const std::filesystem::path& folder, std::uint32_t train, std::uint32_t test) {
  write_gz(folder / "train-images-idx3-ubyte.gz", images(train));
  write_gz(folder / "train-labels-idx1-ubyte.gz", labels(train));
  write(folder / "t10k-images-idx3-ubyte", images(test));
  write(folder / "t10k-labels-idx1-ubyte", labels(test));
}

}  // namespace

TEST_CASE("read_idx reads plain and gzipped files alike") {
  const TempFolder folder;
  const std::string bytes = idx({2, 2, 3}, "abcdefghijkl");
  write(folder / "plain", bytes);
  write_gz(folder / "packed", bytes);
  for (const char* name : {"plain", "packed"}) {
    const IdxArray array = read_idx(folder / name, 3);
    CHECK(array.shape == std::vector<Index>{2, 2, 3});
    CHECK(std::string(array.bytes.begin(), array.bytes.end()) == "abcdefghijkl");
  }
}

TEST_CASE("read_idx: each kind of damage gives a sentence with the file") {
  const TempFolder folder;
  struct Case {
    std::string bytes;
    const char* sentence;
  };
  const Case cases[] = {
      {"", "ends after 0 bytes, inside the IDX header (4 bytes more were expected)"},
      {"<html>", "is not an IDX file: it starts with bytes other than 0 0 (a web page saved in its place?)"},
      {std::string("\0\0\x0D\x03", 4), "holds values of IDX type 13; only unsigned bytes (type 8) are read"},
      {idx({2}, "ab"), "has 1 axes instead of 3; images were expected here"},
      {idx({2, 2, 2}, "abcdefg"),
       "its header announces 2 x 2 x 2 values of 1 bytes, but at most 7 bytes follow: it is cut off or damaged"},
      {idx({4000000000u, 4000000000u, 4000000000u}, "a"),
       "its header announces 4000000000 x 4000000000 x 4000000000 values of 1 bytes, but at most 1 bytes follow: "
       "it is cut off or damaged"},
      {idx({0, 28, 28}, ""), "has an axis of size 0 and holds no values"},
      {idx({1, 1, 2}, "abc"), "has bytes left after the 18 that its header announces"},
  };
  for (const Case& c : cases) {
    write(folder / "file", c.bytes);
    CHECK(data_error([&] { read_idx(folder / "file", 3); }) == (folder / "file").string() + ": " + c.sentence);
  }
  CHECK(contains(data_error([&] { read_idx(folder / "none", 3); }), "none: cannot be read (No such file"));
}

TEST_CASE("read_idx: a gzipped file that is cut off or damaged is refused, wherever the damage is") {
  const TempFolder folder;
  write_gz(folder / "good", idx({3, 4, 5}, std::string(60, 'x') + ""));
  const std::string good = read(folder / "good");
  const auto parse = [&](const std::string& bytes) {
    write(folder / "bad", bytes);
    read_idx(folder / "bad", 3);
  };
  parse(good);
  // Only the time stamp, flags and system byte of the gzip header do not matter: a handful of the 3 * size damages pass.
  CHECK(refused_damage(good, parse) > 3 * static_cast<int>(good.size()) - 24);

  // The header may announce 4 GB where a few compressed bytes follow: refused before memory is taken for it.
  write_gz(folder / "bomb", idx({65535, 256, 256}, "x"));
  CHECK(contains(data_error([&] { read_idx(folder / "bomb", 3); }), "its header announces 65535 x 256 x 256"));
}

TEST_CASE("mnist: both splits, labels and pixels k / 255 come from DATA_DIR/mnist, a torchvision folder or the folder itself") {
  const TempFolder folder;
  write_mnist(folder / "a/mnist", 12, 5);
  write_mnist(folder / "b/MNIST/raw", 12, 5);
  for (const char* place : {"a", "b", "a/mnist", "a/mnist/"}) {
    const Dataset data = load_mnist_like("mnist", folder / place);
    CHECK(data.shape == ItemShape{28, 28, 1});
    CHECK(data.is_image);
    CHECK(data.classes == 10);
    REQUIRE(data.train.size() == 12);
    CHECK(data.test.size() == 5);
    CHECK(data.train.memory() == 12 * (784 + sizeof(int)));
    CHECK(data.train.labels()[11] == 1);
    const std::vector<Real> x = row(data.train, 3);
    for (std::size_t p = 0; p < x.size(); ++p) CHECK(x[p] == static_cast<Real>((3 + p) % 256) / Real(255));
  }
}

TEST_CASE("mnist: a missing file is named with every place looked in, the command and the URL") {
  const TempFolder folder;
  const std::string error = data_error([&] { load_mnist_like("mnist", folder.path()); });
  CHECK(contains(error, "mnist: there is no train-images-idx3-ubyte (plain or .gz) in " + (folder / "mnist").string()));
  CHECK(contains(error, "run 'vaezoo download mnist'"));
  CHECK(contains(error, "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz"));
  CHECK(contains(error, "VAEZOO_DATA"));
}

TEST_CASE("mnist: files that do not belong together are refused") {
  const TempFolder folder;
  write_mnist(folder / "mnist", 12, 5);
  const auto error = [&] { return data_error([&] { load_mnist_like("mnist", folder.path()); }); };
  write(folder / "mnist/t10k-labels-idx1-ubyte", labels(6));
  CHECK(contains(error(), "t10k-labels-idx1-ubyte: has 6 labels for 5 images"));
  write(folder / "mnist/t10k-labels-idx1-ubyte", labels(5, 8));
  CHECK(contains(error(), "has label 10; expected 0 to 9"));
  write(folder / "mnist/t10k-images-idx3-ubyte", images(5, 20, 28));
  CHECK(contains(error(), "have 20 x 28 pixels where 28 x 28 were expected"));
}

TEST_CASE("emnist: images are turned upright and letters count from 0") {
  const TempFolder folder;
  for (const char* part : {"train", "test"}) {
    const std::string prefix = std::string("emnist/emnist-letters-") + part;
    write_gz(folder / (prefix + "-images-idx3-ubyte.gz"), images(12));
    write_gz(folder / (prefix + "-labels-idx1-ubyte.gz"), labels(12, 1));
  }
  const Dataset data = load_emnist({.subset = "letters"}, folder.path());
  CHECK(data.classes == 26);
  CHECK(data.train.labels()[0] == 0);
  const std::vector<Real> x = row(data.train, 0);
  for (std::size_t i = 0; i < 28; ++i) {
    for (std::size_t j = 0; j < 28; ++j) CHECK(x[28 * i + j] == static_cast<Real>((28 * j + i) % 256) / Real(255));
  }
  const std::string error = data_error([&] { load_emnist({.subset = "byclass"}, folder.path()); });
  CHECK(contains(error, "there is no emnist-byclass-train-images-idx3-ubyte"));
}

TEST_CASE("frey_faces: one file of 28 x 20 images without labels") {
  const TempFolder folder;
  write_gz(folder / "frey_faces/frey-images-idx3-ubyte.gz", images(3, 28, 20));
  const Dataset data = load_frey_faces(folder.path());
  CHECK(data.shape == ItemShape{28, 20, 1});
  CHECK(data.train.size() == 3);
  CHECK(data.train.labels().empty());
}
