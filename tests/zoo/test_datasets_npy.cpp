#include <doctest/doctest.h>

#include <cstdlib>

#include "datasets/npy.hpp"
#include "datasets/sources.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

// Written by NumPy 2.4.6: np.savez_compressed(file, data=np.arange(12, dtype="u1").reshape(2, 2, 1, 3), labels=np.array([1, 0])).
const char* const kNpz =
    "504b03042d000000080000002100cf2d52cfffffffffffffffff08001400646174612e6e7079010010008c0000000000000057000000000000009bec"
    "17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a0a4064"
    "a8a360aca9a350ab4006e06260646266616563e7e0e4e20600504b03042d00000008000000210071fb39abffffffffffffffff0a0014006c6162656c"
    "732e6e707901001000900000000000000048000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498"
    "179f5f94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e4606540000504b01022d032d000000080000002100cf2d52cf570000"
    "008c000000080000000000000000000000800100000000646174612e6e7079504b01022d032d00000008000000210071fb39ab48000000900000000a"
    "00000000000000000000008001910000006c6162656c732e6e7079504b050600000000020002006e000000150100000000";

/// 193 bytes whose directory promises 2 GB from 4 GB of compressed bytes.
const char* const kLyingNpz =
    "504b0304140000000800fcbe795d5ca10d914f000000c000000008000000646174612e6e70799bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e"
    "9369a8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a460606063a0a860660a0a9a350ab402ae062a0100000504b01"
    "021403140000000800fcbe795d5ca10d91ffffff7ff0ffffff080000000000000000000000800100000000646174612e6e7079504b05060000000001"
    "00010036000000750000000000";

std::string header(const std::string& type, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
}

NpyArray parse(const TempFolder& folder, const std::string& bytes) {
  write(folder / "a.npy", bytes);
  return read_npy(folder / "a.npy");
}

}  // namespace

TEST_CASE("read_npy: the number formats give the values that NumPy wrote") {
  const TempFolder folder;
  struct Case {
    std::string type, hex;
    std::vector<Real> values;
  };
  const Case cases[] = {
      // The values' bytes are NumPy's own for these arrays of shape (2, 3).
      {"<i2", "fdfffeffffff000001000200", {-3, -2, -1, 0, 1, 2}},
      {">i2", "fffdfffeffff000000010002", {-3, -2, -1, 0, 1, 2}},
      {"<f2", "003e00c00100ff7b000055b5", {1.5f, -2.0f, 5.960464477539063e-08f, 65504.0f, 0.0f, -0.333251953125f}},
      {"|i1", "ff00017f8002", {-1, 0, 1, 127, -128, 2}},
      {"<u2", "0000010000ff020003000400", {0, 1, 65280, 2, 3, 4}},
      {">f4", "3f80000000000000c0000000000000000000000000000000", {1, 0, -2, 0, 0, 0}},
      {"<f8", "000000000000f03f" "0000000000000000" "00000000000000c0" "0000000000000000" "0000000000000000" "000000000000e03f",
       {1, 0, -2, 0, 0, 0.5f}},
      {"<u8", "0000000000010000" "0700000000000000" "0000000000000000" "0000000000000000" "0000000000000000" "0000000000000000",
       {1099511627776.0f, 7, 0, 0, 0, 0}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.type);
    const NpyArray array = parse(folder, npy(header(c.type, "(2, 3)"), from_hex(c.hex)));
    CHECK(array.shape == std::vector<Index>{2, 3});
    CHECK(array.values() == std::vector<double>(c.values.begin(), c.values.end()));
  }
}

TEST_CASE("read_npy: bytes and booleans stay bytes, and format versions 2 and 3 are read") {
  const TempFolder folder;
  const NpyArray bytes = parse(folder, npy(header("|u1", "(4,)"), "abcd"));
  CHECK(bytes.bytes == std::vector<std::uint8_t>{'a', 'b', 'c', 'd'});
  CHECK_FALSE(bytes.boolean);
  const std::string text = header("|b1", "(2, 2)") + "\n";
  for (char version : {'\x02', '\x03'}) {
    std::string file = std::string("\x93NUMPY", 6) + version + '\0';
    file += static_cast<char>(text.size());
    file += std::string(3, '\0') + text + std::string("\x01\x00\x00\x01", 4);
    const NpyArray flags = parse(folder, file);
    CHECK(flags.boolean);
    CHECK(flags.bytes == std::vector<std::uint8_t>{1, 0, 0, 1});
  }
}

TEST_CASE("read_npy: column-major arrays arrive row-major") {
  const TempFolder folder;
  // NumPy's bytes of np.asfortranarray([[1, 2, 3], [4, 5, 6]], '<f4').
  const std::string by_columns = from_hex("0000803f00008040000000400000a040000040400000c040");
  const NpyArray flat = parse(folder, npy(header("<f4", "(2, 3)", true), by_columns));
  CHECK(flat.numbers == std::vector<Real>{1, 2, 3, 4, 5, 6});
  // Element (i, j, k) of [2, 3, 2] has the value 100 i + 10 j + k; in column-major order i runs fastest.
  std::string values;
  for (int k = 0; k < 2; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) values += static_cast<char>(100 * i + 10 * j + k);
    }
  }
  const NpyArray cube = parse(folder, npy(header("|u1", "(2, 3, 2)", true), values));
  CHECK(cube.bytes == std::vector<std::uint8_t>{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121});
}

TEST_CASE("read_npy: an archive's arrays are found by key, and a wrong key lists those there are") {
  const TempFolder folder;
  write(folder / "a.npz", from_hex(kNpz));
  const NpyArray data = read_npy(folder / "a.npz", "data");
  CHECK(data.shape == std::vector<Index>{2, 2, 1, 3});
  CHECK(data.bytes == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(read_npy(folder / "a.npz", "labels").exact == std::vector<double>{1, 0});
  CHECK(npz_has(folder / "a.npz", "labels"));
  CHECK_FALSE(npz_has(folder / "a.npz", "x"));
  CHECK(data_error([&] { read_npy(folder / "a.npz", "x"); }) ==
        (folder / "a.npz").string() + ": holds no 'x.npy'; it holds data.npy, labels.npy");
  CHECK(contains(data_error([&] { read_npy(folder / "a.npz"); }), "holds 2 arrays; say which with 'key'"));
}

TEST_CASE("read_npy: each kind of damage gives a sentence with the file") {
  const TempFolder folder;
  struct Case {
    std::string bytes;
    const char* sentence;
  };
  const Case cases[] = {
      {"", "is too short to hold an array"},
      {"hello, world", "is not an .npy file"},
      {std::string("\x93NUMPY\x09\x00", 8), "is of npy version 9; versions 1 to 3 are read"},
      {npy(header("|O", "(2,)"), "ab"), "holds Python objects; save it again with a numeric dtype"},
      {npy(header("<c8", "(2,)"), "ab"), "holds values of type '<c8'"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "ab"), "holds records instead of plain numbers"},
      {npy("{'descr': '<f4', 'shape': (2,)}", "12345678"), "its npy header lacks 'fortran_order'"},
      {npy(header("<f4", "(2, x)"), "12345678"), "its npy header has a 'shape' that makes no sense"},
      {npy(header("<f4", "(2, -3)"), "12345678"), "its npy header has a 'shape' that makes no sense"},
      {npy(header("<f4", "(3,)"), "12345678"), "announces 3 values of 4 bytes, but at most 8 bytes follow"},
      {npy(header("<f8", "(4611686018427387904, 8)"), "12345678"), "at most 8 bytes follow"},  // 2^62 * 8 * 8 overflows
      {npy(header("<f4", "(1,)"), "12345678"), "has bytes left after the"},
  };
  for (const Case& c : cases) {
    const std::string error = data_error([&] { parse(folder, c.bytes); });
    CAPTURE(error);
    CHECK(error.starts_with((folder / "a.npy").string() + ": "));
    CHECK(contains(error, c.sentence));
  }
}

TEST_CASE("read_npy: any byte of an .npy or .npz file may be damaged or missing without harm") {
  const TempFolder folder;
  const std::string file = npy(header("<f4", "(2, 3)", true), std::string(24, 'x'));
  CHECK(refused_damage(file, [&](const std::string& bytes) { parse(folder, bytes); }) > static_cast<int>(file.size()));
  const std::string archive = from_hex(kNpz);
  const auto parse_archive = [&](const std::string& bytes) {
    write(folder / "a.npz", bytes);
    read_npy(folder / "a.npz", "data");
  };
  CHECK(refused_damage(archive, parse_archive) > static_cast<int>(archive.size()));
}

TEST_CASE("npy: pythae's archives, channels first and 0 to 255, become pixels in NHWC") {
  const TempFolder folder;
  write(folder / "train_data.npz", from_hex(kNpz));
  const Dataset data = load_npy({.train_file = "train_data.npz", .layout = "channels_first"}, folder.path());
  CHECK(data.shape == ItemShape{1, 3, 2});  // stored as [2, C = 2, H = 1, W = 3]
  CHECK(data.is_image);
  CHECK(data.train.labels() == std::vector<int>{1, 0});
  CHECK(data.classes == 2);
  const std::vector<Real> x = row(data.train, 1);
  const int expected[] = {6, 9, 7, 10, 8, 11};
  for (std::size_t i = 0; i < 6; ++i) CHECK(x[i] == static_cast<Real>(expected[i]) / Real(255));
}

TEST_CASE("npy: whole numbers up to divide_by are kept as bytes, and give the same values as division") {
  const TempFolder folder;
  write(folder / "x.npy", npy(header("<i2", "(2, 2)"), from_hex("0000010002001000")));
  const Dataset data = load_npy({.train_file = "x.npy", .divide_by = 16}, folder.path());
  CHECK(data.train.is_bytes());
  CHECK(row(data.train, 1) == std::vector<Real>{0.125f, 1});
  const Dataset tenths = load_npy({.train_file = "x.npy", .divide_by = 10}, folder.path());  // 16 > 10: real numbers
  CHECK_FALSE(tenths.train.is_bytes());
  CHECK(row(tenths.train, 1) == std::vector<Real>{0.2f, 1.6f});
  CHECK(data.shape == ItemShape{1, 2, 1});
  CHECK_FALSE(data.is_image);
}

TEST_CASE("npy: conditions come from files of their own, and must fit the examples") {
  const TempFolder folder;
  write(folder / "x.npy", npy(header("|u1", "(3, 4)"), std::string(12, 'x')));
  write(folder / "c.npy", npy(header("|u1", "(3, 2)"), std::string("\0\1\2\3\4\5", 6)));
  write(folder / "flat.npy", npy(header("|u1", "(3,)"), "\7\10\11"));
  write(folder / "four.npy", npy(header("|u1", "(4,)"), "abcd"));
  write(folder / "nan.npy", npy(header("<f4", "(3,)"), from_hex("0000803f0000c07f0000803f")));
  const Dataset data = load_npy(
      {.train_file = "x.npy", .test_file = "x.npy", .train_conditions = "c.npy", .test_conditions = "c.npy"}, folder.path());
  REQUIRE(data.test.condition_size() == 2);
  CHECK(data.condition_names == std::vector<std::string>{"condition 0", "condition 1"});
  CHECK(data.test.conditions(1)[0] == 2);
  CHECK(data.test.conditions(2)[1] == 5);
  CHECK(load_npy({.train_file = "x.npy", .train_conditions = "flat.npy"}, folder.path()).train.conditions(1)[0] == 8);
  const auto error = [&](const NpyConfig& config) { return data_error([&] { load_npy(config, folder.path()); }); };
  CHECK(contains(error({.train_file = "x.npy", .train_conditions = "four.npy"}),
                 "four.npy: has 1 axes and 4 values; expected [3] or [3, C] conditions"));
  CHECK(contains(error({.train_file = "x.npy", .train_conditions = "nan.npy"}),
                 "nan.npy: example 1, condition 0 (both counted from 0) is NaN, a missing value"));
  CHECK(contains(error({.train_file = "x.npy", .test_file = "x.npy", .train_conditions = "c.npy"}),
                 "x.npy: its examples have 2 conditions, but those of the test split have 0"));
}

TEST_CASE("npy: labels with holes are as many classes as there are, and other splits have no others") {
  const TempFolder folder;
  write(folder / "x.npy", npy(header("|u1", "(3, 4)"), std::string(12, 'x')));
  write(folder / "y.npy", npy(header("|u1", "(3,)"), "\x07\x03\x07"));
  write(folder / "z.npy", npy(header("|u1", "(3,)"), "\x07\x04\x07"));
  const Dataset data = load_npy({.train_file = "x.npy", .train_labels = "y.npy"}, folder.path());
  CHECK(data.classes == 2);
  CHECK(data.train.labels() == std::vector<int>{1, 0, 1});
  CHECK(data.class_names == std::vector<std::string>{"3", "7"});
  const NpyConfig other{.train_file = "x.npy", .test_file = "x.npy", .train_labels = "y.npy", .test_labels = "z.npy"};
  CHECK(contains(data_error([&] { load_npy(other, folder.path()); }),
                 "z.npy: has a class '4' that the training examples do not have; theirs are 3, 7"));
  const NpyConfig unlabelled{.train_file = "x.npy", .test_file = "x.npy", .test_labels = "z.npy"};
  CHECK(contains(data_error([&] { load_npy(unlabelled, folder.path()); }), "has labels, but the training examples have none"));
}

TEST_CASE("npy: integers of 64 bits are standardised as they are") {
  const TempFolder folder;
  std::string values;
  for (std::int64_t n : {1700000000, 1700000001, 1700000002, 1700000003}) {
    for (int shift = 0; shift < 64; shift += 8) values += static_cast<char>(n >> shift);
  }
  write(folder / "t.npy", npy(header("<i8", "(4, 1)"), values));
  DatasetConfig config{.name = "npy", .validation = 0, .test = 0};
  config.npy = {.train_file = "t.npy", .standardize = true};
  const Dataset data = load_dataset(config, folder.path());
  for (Index i = 0; i < 4; ++i) {
    const double z = (static_cast<double>(data.train.source_row(i)) - 1.5) / 1.1180339887498949;
    CHECK(static_cast<double>(row(data.train, i)[0]) == doctest::Approx(z));
  }
  config.npy.standardize = false;
  CHECK(load_dataset(config, folder.path()).warnings.size() == 1);
}

TEST_CASE("read_npy: what a header promises takes no memory before it arrives") {
  const TempFolder folder;
  largest_allocation();
  // 480 MB are promised, and so many compressed bytes could hold them, but they hold half a megabyte.
  std::vector<std::uint32_t> bits(125000);
  ad::fill_bits(Key(1), bits);
  const std::string noise(reinterpret_cast<const char*>(bits.data()), bits.size() * 4);
  write_gz(folder / "lie.npy.gz", npy(header("<f8", "(60000000,)"), noise));
  CHECK(contains(data_error([&] { read_npy(folder / "lie.npy.gz"); }), "inside the values"));
  write_gz(folder / "lie.npy.gz", npy(header("|u1", "(480000000,)"), noise));
  CHECK(contains(data_error([&] { read_npy(folder / "lie.npy.gz"); }), "inside the values"));
  // 193 bytes whose zip directory and header promise an array of 2 GB.
  write(folder / "lie.npz", from_hex(kLyingNpz));
  CHECK(contains(data_error([&] { read_npy(folder / "lie.npz", "data"); }), "lie.npz"));
  CHECK(largest_allocation() < (16u << 20));
}

TEST_CASE("read_npy: a limit bounds what unpacks to more than the disk holds, and its name is in the message") {
  const TempFolder folder;
  const std::string start = npy(header("|u1", "(67108864,)"), "");
  gzFile file = gzopen((folder / "zeros.npy.gz").c_str(), "wb1");
  gzwrite(file, start.data(), static_cast<unsigned>(start.size()));
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 64; ++i) gzwrite(file, zeros.data(), static_cast<unsigned>(zeros.size()));
  gzclose(file);
  const auto error = [&] { return data_error([&] { read_npy(folder / "zeros.npy.gz"); }); };
  CHECK(read_npy(folder / "zeros.npy.gz").size() == 67108864);
  ::setenv("VAEZOO_READ_GB", "0.05", 1);
  CHECK(error() == (folder / "zeros.npy.gz").string() +
                       ": its header announces 67108864 values of 1 bytes: more than 0.05 GB, the most that is read; set "
                       "VAEZOO_READ_GB to read more");
  write(folder / "plain.npy", npy(header("|u1", "(60000000,)"), std::string(60000000, 'x')));
  CHECK(read_npy(folder / "plain.npy").size() == 60000000);  // the file itself says how much it is
  ::setenv("VAEZOO_READ_GB", "much", 1);
  CHECK(contains(error(), "VAEZOO_READ_GB: 'much' is not a number of gigabytes above 0"));
  ::unsetenv("VAEZOO_READ_GB");
}

TEST_CASE("npy: splits that disagree, wrong shapes, labels and NaN are refused with the file's name") {
  const TempFolder folder;
  write(folder / "x.npy", npy(header("|u1", "(3, 4)"), std::string(12, 'x')));
  write(folder / "y.npy", npy(header("|u1", "(3, 2)"), std::string(6, 'x')));
  write(folder / "flat.npy", npy(header("|u1", "(3,)"), "abc"));
  write(folder / "nan.npy", npy(header("<f4", "(2, 2)"), from_hex("0000803f0000803f0000803f0000c07f")));
  write(folder / "half.npy", npy(header("<f2", "(3,)"), from_hex("003e00000000")));
  const auto error = [&](const NpyConfig& config) { return data_error([&] { load_npy(config, folder.path()); }); };
  CHECK(contains(error({.train_file = "x.npy", .test_file = "y.npy"}),
                 "y.npy: its examples have 2 numbers where the training examples have 4"));
  CHECK(contains(error({.train_file = "x.npy", .shape = {2, 3}}),
                 "x.npy: its examples have 4 numbers, which is not 2 x 3 x 1 as 'shape' says"));
  CHECK(contains(error({.train_file = "flat.npy"}), "flat.npy: has 1 axes and 3 values; expected [N, D], [N, H, W]"));
  CHECK(contains(error({.train_file = "nan.npy"}), "nan.npy: example 1, value 1 (both counted from 0) is NaN, a missing value"));
  CHECK(contains(error({.train_file = "x.npy", .train_labels = "half.npy"}),
                 "half.npy: has label 1.5; expected whole numbers"));
  CHECK(contains(error({.train_file = "x.npy", .train_labels = "x.npy"}), "has 12 labels for 3 examples"));
  CHECK(contains(error({.train_file = "x.npy", .layout = "channels_first"}), "layout channels_first needs [N, C, H, W]"));
  CHECK(contains(error({.train_file = "none.npy"}), "none.npy: no such file in the data directory"));
  CHECK(contains(error({.train_file = "/dev/null"}), "/dev/null: is a device or a socket, not a file"));
}
