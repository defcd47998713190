#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>

#include "autodiff/safetensors.hpp"

using namespace ad;

namespace {

/// A folder of this test's own that goes with it.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("vaezoo_safetensors_" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name = "a.safetensors") const { return (path / name).string(); }
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), std::ssize(bytes));
}

std::string with_length(const std::string& header, const std::string& data) {
  const std::uint64_t n = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes + header + data;
}

/// The message with which a file of this header and data is rejected; "" when it is not.
std::string complaint(const std::string& bytes) {
  const Folder folder;
  put(folder.file(), bytes);
  try {
    Safetensors(folder.file());
    return "";
  } catch (const FileError& e) {
    CHECK(std::string(e.what()).starts_with(folder.file() + ": "));
    return std::string(e.what()).substr(folder.file().size() + 2);
  }
}

/// The numbers of the only tensor "t" in a file.
std::vector<Real> numbers(const std::string& dtype, std::size_t count, const std::string& data) {
  const Folder folder;
  put(folder.file(), with_length(R"({"t":{"dtype":")" + dtype + R"(","shape":[)" + std::to_string(count) +
                                     R"(],"data_offsets":[0,)" + std::to_string(data.size()) + "]}}",
                                 data));
  const Safetensors file(folder.file());
  std::vector<Real> out(count);
  file.read(*file.find("t"), out);
  return out;
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

const std::string kTwo =
    R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})";

struct Model {
  explicit Model(std::uint64_t seed) : store(Key(seed)) {}
  ParameterStore store;
  Parameter& weight = store.add("encoder/0/weight", {3, 2}, init::normal(0, 1));
  Parameter& bias = store.add("encoder/0/bias", {3}, init::normal(0, 1));
  Parameter& mean = store.add_buffer("norm/running_mean", {3}, Real(0.25));
  Parameter& batches = store.add_buffer("norm/num_batches_tracked", {}, 7);
};

}  // namespace

TEST_CASE("parameters come back bit for bit, with their metadata") {
  const Folder folder;
  Model a(1), b(2);
  a.bias.value()[0] = std::numeric_limits<Real>::denorm_min();
  b.mean.value()[1] = 9;
  save_parameters(a.store, folder.file(), {{"model", "vae"}, {"note", "\xC3\xA9 \"quoted\" \n"}});
  CHECK(load_parameters(b.store, folder.file()) == Metadata{{"model", "vae"}, {"note", "\xC3\xA9 \"quoted\" \n"}});
  CHECK(std::ranges::equal(a.store.values(), b.store.values()));
  CHECK(std::ranges::equal(a.store.buffers(), b.store.buffers()));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);  // no temporary file is left
}

TEST_CASE("a written file has the bytes that Python's safetensors writes") {
  // safetensors.numpy.save_file({"encoder.0.weight": ones([2, 1]), "b": array(2)}, metadata={"k": "v"}), version 0.8.0, 2026-11-21
  const std::string dtype = sizeof(Real) == 4 ? "F32" : "F64", one = std::to_string(sizeof(Real)),
                    three = std::to_string(3 * sizeof(Real));
  const std::vector<Real> two{2}, ones{1, 1};
  const Folder folder;
  write_safetensors(folder.file(), {{"encoder.0.weight", {2, 1}, ones}, {"b", {}, two}}, {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},"b":{"dtype":")" + dtype + R"(","shape":[],"data_offsets":[0,)" + one +
                             R"(]},"encoder.0.weight":{"dtype":")" + dtype + R"(","shape":[2,1],"data_offsets":[)" + one + "," +
                             three + "]}}";
  CHECK(bytes_of(folder.file()) == with_length(header + std::string((8 - header.size() % 8) % 8, ' '), raw<Real>({2, 1, 1})));
}

TEST_CASE("an empty store and tensors without elements are files like others") {
  const Folder folder;
  ParameterStore none{Key(1)};
  save_parameters(none, folder.file());
  CHECK(load_parameters(none, folder.file()).empty());
  write_safetensors(folder.file(), {{"a", {0, 3}, {}}, {"b", {2, 0}, {}}});
  CHECK(Safetensors(folder.file()).tensors().size() == 2);
}

TEST_CASE("all floating and integer dtypes are converted") {
  const Real inf = std::numeric_limits<Real>::infinity();
  CHECK(numbers("F32", 2, raw<float>({1.5f, -2.25f})) == std::vector<Real>{1.5, -2.25});
  CHECK(numbers("F64", 2, raw<double>({1.5, -1e300 * 1e300})) == std::vector<Real>{1.5, -inf});
  // 1, -2, largest 65504, smallest normal 2^-14, smallest subnormal 2^-24, -0, infinity
  CHECK(numbers("F16", 7, raw<std::uint16_t>({0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00})) ==
        std::vector<Real>{1, -2, 65504, Real(0x1p-14), Real(0x1p-24), 0, inf});
  CHECK(std::isnan(numbers("F16", 1, raw<std::uint16_t>({0x7e00}))[0]));
  CHECK(numbers("BF16", 2, raw<std::uint16_t>({0x3f80, 0xc040})) == std::vector<Real>{1, -3});
  CHECK(numbers("I64", 2, raw<std::int64_t>({-5, 1000})) == std::vector<Real>{-5, 1000});
  CHECK(numbers("I32", 1, raw<std::int32_t>({-70000})) == std::vector<Real>{-70000});
  CHECK(numbers("I16", 1, raw<std::int16_t>({-300})) == std::vector<Real>{-300});
  CHECK(numbers("I8", 1, raw<std::int8_t>({-3})) == std::vector<Real>{-3});
  CHECK(numbers("U64", 1, raw<std::uint64_t>({1ull << 63})) == std::vector<Real>{Real(0x1p63)});
  CHECK(numbers("U32", 1, raw<std::uint32_t>({0x80000000u})) == std::vector<Real>{Real(0x1p31)});
  CHECK(numbers("U16", 1, raw<std::uint16_t>({65535})) == std::vector<Real>{65535});
  CHECK(numbers("U8", 1, raw<std::uint8_t>({200})) == std::vector<Real>{200});
  CHECK(numbers("BOOL", 2, raw<std::uint8_t>({0, 1})) == std::vector<Real>{0, 1});
  CHECK_THROWS_AS(numbers("F8_E4M3", 1, "x"), FileError);
  CHECK_THROWS_AS(numbers("C64", 1, "12345678"), FileError);
  CHECK_THROWS_AS(numbers("F4", 2, "x"), FileError);
}

TEST_CASE("a header without padding and data that is not aligned can be read") {
  CHECK(complaint(with_length(kTwo, "abcde")) == "");
  CHECK(complaint(with_length(kTwo + "   ", "abcde")) == "");
}

TEST_CASE("a file cut off at any byte is rejected with a sentence") {
  const Folder folder;
  Model model(1);
  save_parameters(model.store, folder.file(), {{"k", "v"}});
  const std::string whole = bytes_of(folder.file());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    put(folder.file("cut"), whole.substr(0, n));
    CHECK_THROWS_AS(Safetensors(folder.file("cut")), FileError);
  }
  CHECK(complaint(whole + "x").find("the file has") != std::string::npos);
}

TEST_CASE("a file with any one byte changed is read or rejected, never worse") {
  const Folder folder;
  Model model(1);
  save_parameters(model.store, folder.file(), {{"k", "v"}});
  const std::string whole = bytes_of(folder.file());
  int rejected = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const char c : {'\0', '9', '"'}) {
      std::string damaged = whole;
      damaged[i] = c;
      put(folder.file("damaged"), damaged);
      try {
        load_parameters(model.store, folder.file("damaged"));
      } catch (const FileError&) {
        ++rejected;
      }
    }
  CHECK(rejected > 500);
}

TEST_CASE("every rule of the format is checked") {
  const auto header = [](const std::string& text, const std::string& data = "") { return complaint(with_length(text, data)); };
  const auto says = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  says(complaint(""), "the header's length alone needs 8");
  says(complaint(std::string(8, '\xff') + "{}"), "100000000 is the most");
  says(complaint(raw<std::uint64_t>({1000}) + "{}"), "only 2 follow");
  says(header(""), "does not begin with {");
  says(header(" {}"), "does not begin with {");
  says(header("[1]"), "does not begin with {");
  says(header("{]"), "not JSON");
  says(header("{} x"), "not JSON");
  says(header("{\"\xff\":1}"), "not JSON");
  says(header(R"({"a":1e999})"), "not JSON");
  says(header(R"({"__metadata__":{"k":1}})"), "__metadata__ must be an object of strings");
  says(header(R"({"__metadata__":"k"})"), "__metadata__ must be an object of strings");
  says(header(R"({"a":5})"), "must have exactly dtype, shape and data_offsets");
  says(header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}})"), "must have exactly");
  says(header(R"({"a":{"dtype":8,"shape":[0],"data_offsets":[0,0]}})"), "has no dtype");
  says(header(R"({"a":{"dtype":"F31","shape":[0],"data_offsets":[0,0]}})"), "unknown dtype \"F31\"");
  says(header(R"({"a":{"dtype":"","shape":[0],"data_offsets":[0,0]}})"), "unknown dtype \"\"");
  says(header(R"({"a":{"dtype":"U8","shape":3,"data_offsets":[0,3]}})", "abc"), "has no shape");
  says(header(R"({"a":{"dtype":"U8","shape":[-3],"data_offsets":[0,3]}})", "abc"), "has no shape");
  says(header(R"({"a":{"dtype":"U8","shape":[3.0],"data_offsets":[0,3]}})", "abc"), "has no shape");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0]}})", "abc"), "has no data_offsets");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[3,0]}})", "abc"), "has no data_offsets");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"offsets":[0,3]}})", "abc"), "has no data_offsets");
  says(header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,3]}})", "abc"), "does not fill its 3 bytes");
  says(header(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,0]}})"), "does not fill");
  // sizes whose product, or whose product with the bits, wraps around 2^64
  says(header(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"), "more numbers than there can be");
  says(header(R"({"a":{"dtype":"F32","shape":[576460752303423488],"data_offsets":[0,0]}})"), "does not fill");
  says(header(R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}})"), "has no shape");
  says(header(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}})"), "does not fill");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})",
              "abc"),
       "comes twice");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"shape":[3],"data_offsets":[0,3]}})", "abc"), "comes twice");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
              "abcde"),
       "begins at byte 2, inside the one before");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}})",
              "abcde"),
       "after a hole from 3");
  says(header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", "abcd"), "after a hole from 0");
  says(header(kTwo, "abcd"), "the tensors have 5 bytes, the file has 4");
  says(header(kTwo, "abcdef"), "the tensors have 5 bytes, the file has 6");
  says(header(std::string(100'000, '[')), "does not begin with {");
  says(header("{\"a\":" + std::string(100'000, '[')), "not JSON");
}

TEST_CASE("a file that does not fit the model names every tensor and changes nothing") {
  const Folder folder;
  Model model(1);
  ParameterStore other{Key(2)};
  Parameter& kept = other.add("encoder/0/weight", {2, 3}, init::ones());
  other.add("encoder/0/bias", {3}, init::ones());
  other.add("decoder/weight", {1}, init::ones());
  save_parameters(model.store, folder.file());
  CHECK_THROWS_WITH_AS(
      load_parameters(other, folder.file()),
      (folder.file() + ": does not fit the model: encoder.0.weight is [3, 2] but must be [2, 3]; decoder.weight is missing; "
                       "norm.num_batches_tracked is not in the model; norm.running_mean is not in the model")
          .c_str(),
      FileError);
  CHECK(std::ranges::all_of(kept.value(), [](Real v) { return v == Real(1); }));
}

TEST_CASE("PyTorch's integer batch counter is read into its buffer, but integers are no weights") {
  const Folder folder;
  ParameterStore store{Key(1)};
  Parameter& count = store.add_buffer("num_batches_tracked", {}, 0);
  put(folder.file(),
      with_length(R"({"num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})", raw<std::int64_t>({123})));
  load_parameters(store, folder.file());
  CHECK(count.value()[0] == Real(123));
  ParameterStore weights{Key(1)};
  weights.add("num_batches_tracked", {}, init::zeros());
  CHECK_THROWS_WITH_AS(
      load_parameters(weights, folder.file()),
      (folder.file() + ": does not fit the model: num_batches_tracked has the dtype I64 but is a weight").c_str(), FileError);
}

TEST_CASE("files that are not there, folders and places that cannot be written are errors that name the path") {
  const Folder folder;
  Model model(1);
  CHECK_THROWS_WITH_AS(Safetensors(folder.file("none")), (folder.file("none") + ": there is no such file").c_str(), FileError);
  CHECK_THROWS_AS(Safetensors(folder.path), FileError);
  CHECK_THROWS_AS(save_parameters(model.store, folder.path / "no" / "such" / "folder"), FileError);
  CHECK_THROWS_AS(save_parameters(model.store, folder.path), FileError);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 0);
}

TEST_CASE("a failed write leaves the old file as it was") {
  const Folder folder;
  Model model(1);
  save_parameters(model.store, folder.file());
  const std::string before = bytes_of(folder.file());
  CHECK_THROWS_AS(save_parameters(model.store, folder.file(), {{"k", "\xff not UTF-8"}}), FileError);
  CHECK_THROWS_AS(write_safetensors(folder.file(), {{"a", {}, {}}}), FileError);
  CHECK_THROWS_AS(write_safetensors(folder.file(), {{"a", {0}, {}}, {"a", {0}, {}}}), FileError);
  CHECK_THROWS_AS(write_safetensors(folder.file(), {{"__metadata__", {0}, {}}}), FileError);
  CHECK(bytes_of(folder.file()) == before);
}

TEST_CASE("a file that another thread replaces meanwhile is read whole, the old one or the new one") {
  const Folder folder;
  Model model(1);
  const auto write = [&](int i) { save_parameters(model.store, folder.file(), {{"k", std::string(i % 2 == 0 ? 1 : 100, 'x')}}); };
  write(0);
  std::atomic<bool> done = false;
  std::jthread writer([&] {
    for (int i = 1; i <= 1000; ++i) write(i);
    done = true;
  });
  while (!done) {
    const std::size_t length = Safetensors(folder.file()).metadata().at("k").size();
    REQUIRE((length == 1 || length == 100));
  }
}
