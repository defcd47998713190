#include <doctest/doctest.h>

#include <algorithm>

#include "datasets/mat.hpp"
#include "datasets/sources.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// 4 bytes, little-endian.
std::string word(std::uint32_t x) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(x >> shift);
  return bytes;
}

std::string element(std::uint32_t type, const std::string& values) {
  return word(type) + word(static_cast<std::uint32_t>(values.size())) + values + std::string((8 - values.size() % 8) % 8, '\0');
}

std::string doubles(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
}

constexpr std::uint32_t kUInt8 = 2, kDouble = 9;         // types of elements
constexpr std::uint32_t kDoubleClass = 6, kUInt8Class = 9;  // classes of arrays

/// A variable: an array of the given class, whose values are stored in the given type.
std::string variable(const std::string& name, std::uint32_t kind, const std::vector<std::uint32_t>& sizes, std::uint32_t type,
                     const std::string& values) {
  std::string shape;
  for (std::uint32_t size : sizes) shape += word(size);
  return element(14, element(6, word(kind) + word(0)) + element(5, shape) + element(1, name) + element(type, values));
}

std::string header(const std::string& text = "MATLAB 5.0 MAT-file") {
  std::string bytes = text;
  bytes.resize(124, ' ');
  return bytes + std::string("\x00\x01IM", 4);
}

std::string compressed(const std::string& content) {
  std::string bytes(compressBound(content.size()), '\0');
  uLongf size = bytes.size();
  compress(reinterpret_cast<Bytef*>(bytes.data()), &size, reinterpret_cast<const Bytef*>(content.data()), content.size());
  return word(15) + word(static_cast<std::uint32_t>(size)) + bytes.substr(0, size);
}

std::map<std::string, MatArray> parse(const TempFolder& folder, const std::string& bytes, const std::vector<std::string>& names) {
  write(folder / "a.mat", bytes);
  return read_mat(folder / "a.mat", names);
}

// What SciPy's savemat writes after the header for X = np.arange(12, dtype=np.uint8).reshape(3, 2, 2) and y = [[1.5], [-2]],
// plain and with do_compression, where a text and a complex number follow.
const char* const kPlain =
    "0e0000004800000006000000080000000900000000000000050000000c00000003000000020000000200000000000000010001005800000002000000"
    "0c00000000040802060a01050903070b000000000e000000400000000600000008000000060000000000000005000000080000000200000001000000"
    "01000100790000000900000010000000000000000000f83f00000000000000c0";
const char* const kCompressed =
    "0f00000037000000789ce3636060f000623620e600624e06086005621e206606622628060146208c80f241f20c2c1c4c6c5c8cac9cccecdc202e0032"
    "4f01300f0000002c000000789ce36360607000623620e680d220c00ae5330131231833325402694e20166080811ff650c6010038e502fe0f00000028"
    "000000789ce36360603000623620e600621606086085f219a1628c40580ca40580bc92d48a12001c8d02b10f0000002b000000789ce3636060f00062"
    "3620e600d120020858a17c463866644806d29c507108f8608fca677000004ae50278";

/// 32 x 32 x 3 x N bytes in MATLAB's order: pixel (row, column) of plane c of image n is a number of all four.
std::uint8_t pixel(int row, int column, int c, int n) {
  return static_cast<std::uint8_t>(7 * row + 3 * column + 50 * c + 11 * n);
}

std::string svhn(int count, const std::vector<double>& labels) {
  std::string images;
  for (int n = 0; n < count; ++n) {
    for (int c = 0; c < 3; ++c) {
      for (int column = 0; column < 32; ++column) {
        for (int row = 0; row < 32; ++row) images += static_cast<char>(pixel(row, column, c, n));
      }
    }
  }
  std::vector<std::uint32_t> sizes = {32, 32, 3};
  if (count > 1) sizes.push_back(static_cast<std::uint32_t>(count));
  return header() + compressed(variable("X", kUInt8Class, sizes, kUInt8, images)) +
         compressed(variable("y", kDoubleClass, {static_cast<std::uint32_t>(labels.size()), 1}, kDouble, doubles(labels)));
}

}  // namespace

TEST_CASE("read_mat: plain and compressed files of SciPy give the arrays, first index fastest") {
  const TempFolder folder;
  for (const char* hex : {kPlain, kCompressed}) {
    const std::map<std::string, MatArray> arrays = parse(folder, header() + from_hex(hex), {"X", "y"});
    CHECK(arrays.at("X").shape == std::vector<Index>{3, 2, 2});
    CHECK(arrays.at("X").bytes == std::vector<std::uint8_t>{0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11});
    CHECK(arrays.at("y").shape == std::vector<Index>{2, 1});
    CHECK(arrays.at("y").numbers == std::vector<Real>{1.5F, -2});
  }
}

TEST_CASE("read_mat: every numeric type is read, also where MATLAB stores doubles as smaller numbers") {
  const TempFolder folder;
  const auto numbers = [&](std::uint32_t type, const std::string& hex) {
    const std::string values = from_hex(hex);
    const std::size_t width = values.size() / 2;
    const auto arrays = parse(folder, header() + variable("v", kDoubleClass, {2, 1}, type, values), {"v"});
    CHECK(width > 0);
    return arrays.at("v").bytes.empty() ? arrays.at("v").numbers
                                        : std::vector<Real>(arrays.at("v").bytes.begin(), arrays.at("v").bytes.end());
  };
  CHECK(numbers(1, "01ff") == std::vector<Real>{1, -1});
  CHECK(numbers(2, "01ff") == std::vector<Real>{1, 255});
  CHECK(numbers(3, "0100feff") == std::vector<Real>{1, -2});
  CHECK(numbers(4, "0100feff") == std::vector<Real>{1, 65534});
  CHECK(numbers(5, "01000000feffffff") == std::vector<Real>{1, -2});
  CHECK(numbers(6, "0100000000000080") == std::vector<Real>{1, 2147483648});
  CHECK(numbers(7, "0000803f000000c0") == std::vector<Real>{1, -2});
  CHECK(numbers(9, "000000000000f83f00000000000000c0") == std::vector<Real>{1.5F, -2});
  CHECK(numbers(12, "0100000000000000feffffffffffffff") == std::vector<Real>{1, -2});
  CHECK(numbers(13, "01000000000000000000000001000000") == std::vector<Real>{1, 4294967296});
}

TEST_CASE("read_mat: each kind of damage gives a sentence with the file") {
  const TempFolder folder;
  const std::string good = variable("X", kUInt8Class, {2, 2}, kUInt8, "abcd");
  std::string longer = good;
  longer[4] = static_cast<char>(longer[4] + 8);
  struct Case {
    std::string bytes;
    const char* sentence;
  };
  const Case cases[] = {
      {"", "ends after 0 bytes, inside the MATLAB header"},
      {std::string(128, '<'), "is not a little-endian MATLAB file of level 5 (a web page saved in its place?)"},
      {header("MATLAB 7.3 MAT-file"), "is a MATLAB file of version 7.3, which is HDF5; save it again with -v7"},
      {header(), "holds no variable 'X'; it holds none"},
      {header() + variable("Z", kUInt8Class, {2, 2}, kUInt8, "abcd"), "holds no variable 'X'; it holds Z"},
      {header() + variable("X", kUInt8Class, {2, 3}, kUInt8, "abcd"),
       "its variable 'X' holds 4 bytes where its sizes ask for 6 values of 1; it is damaged"},
      {header() + variable("X", 4, {2, 2}, kUInt8, "abcd"), "its variable 'X' is not an array of real numbers"},
      {header() + variable("X", kUInt8Class | 0x0800, {2, 2}, kUInt8, "abcd"),
       "its variable 'X' is not an array of real numbers"},
      {header() + variable("X", kUInt8Class, {0x80000000U, 2}, kUInt8, "abcd"), "its variable 'X' has sizes that cannot be"},
      {header() + variable("X", kUInt8Class, {65536, 65536, 2}, kUInt8, "abcd"), "its variable 'X' has sizes that cannot be"},
      {header() + variable("X", kUInt8Class, {2, 2}, 16, "abcd"), "holds the values of 'X' in type 16, which is none of numbers"},
      {header() + good.substr(0, good.size() - 8), "is cut off inside a variable"},
      {header() + longer, "is cut off inside a variable"},
      {header() + compressed(good).substr(0, 20), "inside a compressed variable"},
      {header() + compressed(good.substr(0, 60)), "ends after 60 bytes, inside the head of an element"},
  };
  for (const Case& c : cases) {
    const std::string error = data_error([&] { parse(folder, c.bytes, {"X"}); });
    CAPTURE(error);
    CHECK(error.starts_with((folder / "a.mat").string() + ": "));
    CHECK(contains(error, c.sentence));
  }
}

TEST_CASE("read_mat: any byte may be damaged or missing without harm, and a compressed file's damage never goes unnoticed") {
  const TempFolder folder;
  const std::string plain = header() + from_hex(kPlain), small = header() + compressed(from_hex(kPlain).substr(0, 80));
  const auto both = [&](const std::string& bytes) { parse(folder, bytes, {"X", "y"}); };
  CHECK(refused_damage(plain, both) > static_cast<int>(plain.size()));
  // Every prefix, and both changes of every byte after the header. Changes within the header's text or version are harmless;
  // zlib's own two header bytes are covered by its check, but a change of its window size or level still gives the same contents.
  const MatArray truth = parse(folder, small, {"X"}).at("X");
  int wrong = 0;
  refused_damage(small, [&](const std::string& bytes) { wrong += parse(folder, bytes, {"X"}).at("X").bytes != truth.bytes; });
  CHECK(wrong == 0);
}

TEST_CASE("svhn: images become NHWC, the digit 0 is class 0, and one image has no fourth axis") {
  const TempFolder folder;
  write(folder / "svhn/train_32x32.mat", svhn(3, {10, 1, 9}));
  write(folder / "svhn/test_32x32.mat", svhn(1, {10}));
  const Dataset data = load_svhn(folder.path());
  CHECK(data.shape == ItemShape{32, 32, 3});
  CHECK(data.classes == 10);
  CHECK(data.train.labels() == std::vector<int>{0, 1, 9});
  CHECK(data.test.labels() == std::vector<int>{0});
  const std::vector<Real> x = row(data.train, 2);
  for (int i = 0; i < 32; ++i) {
    for (int j = 0; j < 32; ++j) {
      for (int c = 0; c < 3; ++c)
        CHECK(x[static_cast<std::size_t>((i * 32 + j) * 3 + c)] == static_cast<Real>(pixel(i, j, c, 2)) / 255);
    }
  }
}

TEST_CASE("svhn: missing files, wrong shapes and wrong labels are refused with what to do") {
  const TempFolder folder;
  const auto error = [&] { return data_error([&] { load_svhn(folder.path()); }); };
  CHECK(contains(error(), "svhn: there is no train_32x32.mat (plain or .gz) in "));
  CHECK(contains(error(), "run 'vaezoo download svhn'"));
  write(folder / "svhn/train_32x32.mat", svhn(2, {10, 11}));
  CHECK(contains(error(), "train_32x32.mat:y: has label 11; expected 1 to 10"));
  write(folder / "svhn/train_32x32.mat", svhn(2, {10}));
  CHECK(contains(error(), "train_32x32.mat:y: has 1 labels for 2 images"));
  write(folder / "svhn/train_32x32.mat", header() + from_hex(kPlain));
  CHECK(contains(error(), "train_32x32.mat:X: is 3 x 2 x 2 bytes; expected 32 x 32 x 3 x N bytes with N above 0"));
}

TEST_CASE("omniglot: images are upright, classes come from the one-hot rows, and the training order is drawn") {
  const TempFolder folder;
  const int train = 40, test = 2;
  // Image n has 1 at row 3, column 20, n / 40 at row 0, column 1, and 0 elsewhere; it is of class n % 5.
  const auto images = [](int count) {
    std::vector<double> values;
    for (int n = 0; n < count; ++n) {
      for (int column = 0; column < 28; ++column) {
        for (int row = 0; row < 28; ++row)
          values.push_back(row == 3 && column == 20 ? 1 : row == 0 && column == 1 ? n / 40.0 : 0);
      }
    }
    return doubles(values);
  };
  const auto one_hot = [](int count) {
    std::string values;
    for (int n = 0; n < count; ++n) {
      for (int k = 0; k < 5; ++k) values += static_cast<char>(n % 5 == k);
    }
    return values;
  };
  const auto file = [&](double scale) {
    std::string brighter = images(1);
    const double top = scale;
    std::copy_n(reinterpret_cast<const char*>(&top), sizeof top, brighter.begin());
    return header() + compressed(variable("data", kDoubleClass, {784, train}, kDouble, images(train))) +
           compressed(variable("target", kDoubleClass, {5, train}, kUInt8, one_hot(train))) +
           compressed(variable("testdata", kDoubleClass, {784, test}, kDouble, scale > 1 ? brighter + images(1) : images(test))) +
           compressed(variable("testtarget", kDoubleClass, {5, test}, kUInt8, one_hot(test)));
  };
  write(folder / "omniglot/chardata.mat", file(0));
  const Dataset data = load_omniglot(folder.path(), Key(1));
  CHECK(data.shape == ItemShape{28, 28, 1});
  CHECK(data.classes == 5);
  REQUIRE(data.train.size() == train);
  std::vector<int> order;
  for (Index i = 0; i < train; ++i) {
    const std::vector<Real> x = row(data.train, i);
    CHECK(x[3 * 28 + 20] == 1);
    const int n = static_cast<int>(x[1] * 40 + Real(0.5));
    CHECK(data.train.labels()[static_cast<std::size_t>(i)] == n % 5);
    order.push_back(n);
  }
  CHECK_FALSE(std::ranges::is_sorted(order));
  std::ranges::sort(order);
  for (int n = 0; n < train; ++n) CHECK(order[static_cast<std::size_t>(n)] == n);
  CHECK(data.test.labels() == std::vector<int>{0, 1});
  CHECK(row(load_omniglot(folder.path(), Key(1)).train, 0) == row(data.train, 0));
  write(folder / "omniglot/chardata.mat", file(1.5));
  CHECK(contains(data_error([&] { load_omniglot(folder.path(), Key(1)); }),
                 "chardata.mat:testdata: has the value 1.5; expected grey values from 0 to 1"));
}

TEST_CASE("omniglot: without the file the sentence says where to get it and where to put it") {
  const TempFolder folder;
  const std::string error = data_error([&] { load_omniglot(folder.path(), Key(1)); });
  CHECK(error.starts_with("omniglot: there is no chardata.mat in " + (folder / "omniglot").string()));
  CHECK(contains(error, "fetch https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat and put it into " +
                            (folder / "omniglot").string()));
}

TEST_CASE("read_mat: what a variable promises takes no memory before it arrives") {
  const TempFolder folder;
  // A compressed variable of a few bytes, in a file that zeros make long enough to be believed.
  const std::string promise = element(6, word(kDoubleClass) + word(0)) + element(5, word(1u << 14) + word(1u << 14)) +
                              element(1, "X") + word(kDouble) + word(1u << 31);
  const std::string matrix = word(14) + word((1u << 31) + 56) + promise + std::string(1000, '\0');
  std::string part = compressed(matrix);
  const std::string padding(3u << 20, '\0');
  part = word(15) + word(static_cast<std::uint32_t>(part.size() - 8 + padding.size())) + part.substr(8) + padding;
  largest_allocation();
  CHECK(contains(data_error([&] { parse(folder, header() + part, {"X"}); }), "a.mat: "));
  CHECK(largest_allocation() < (32u << 20));
}
