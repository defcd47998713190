// Codes of new examples, and examples of given codes: encode --file and decode.
#include <doctest/doctest.h>

#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/encoding.hpp"
#include "experiments/runner/pictures.hpp"
#include "tests/zoo/datasets_support.hpp"
#include "tests/zoo/export_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Two columns of numbers far from 0 and a class by name.
std::string row(int i) { return std::to_string(500 + i * 37 % 100) + "," + std::to_string(i * 53 % 100) + (i % 2 == 0 ? ",cat" : ",dog"); }

json animals(const fs::path& file, const json& model) {
  std::string text = "size,age,kind\n";
  for (int i = 0; i < 100; ++i) text += row(i) + "\n";
  atomic_write(file, text);
  json value = quick(model);
  value["dataset"] = {{"name", "csv"}, {"train_file", file.string()}, {"header", true}, {"label", "kind"}, {"standardize", true}};
  return value;
}

json small(const char* name) {
  return {{"name", name}, {"latent_dim", 2}, {"encoder", {{"hidden", {8}}}}, {"decoder", {{"hidden", {8}}}}, {"likelihood", "gaussian"}};
}

LoadedRun model_of(const fs::path& folder) { return load_run(folder, "", {}, {.data_dir = std::nullopt, .threads = 1, .quiet = true}, Need::model); }

void check_equal(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-4));  // batches of other sizes round otherwise
}

}  // namespace

TEST_CASE("encode --file: rows of the training file get the codes that they had, whatever file they stand in") {
  const TempFolder temp;
  REQUIRE(run(animals(temp / "animals.csv", small("vae")), temp / "run") == kDone);
  CHECK(encode_command(loaded(temp / "run"), {.split = "train", .elbo = true, .out = (temp / "own.csv").string()}) == kDone);
  const Table own(temp / "own.csv");
  fs::remove(temp / "animals.csv");  // it is not needed
  // Other columns, another order, one more column, no label, and only some rows: neither their mean nor their deviation is that of training.
  std::string text = "age,extra,size\n";
  for (std::size_t i = 0; i < 5; ++i) {
    const int n = std::stoi(own.columns.at("index")[i]);
    text += std::to_string(n * 53 % 100) + ",7," + std::to_string(500 + n * 37 % 100) + "\n";
  }
  atomic_write(temp / "new.csv", text);
  CHECK(encode_command(model_of(temp / "run"), {.file = (temp / "new.csv").string(), .elbo = true, .out = (temp / "codes.csv").string()}) == kDone);
  const Table codes(temp / "codes.csv");
  REQUIRE(codes.rows == 5);
  CHECK(codes.columns.at("split") == std::vector<std::string>(5, "new"));
  CHECK(codes.columns.at("index") == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(codes.columns.count("class") == 0);
  for (const char* name : {"mean_0", "mean_1", "std_0"}) {
    std::vector<double> then = own.numbers(name);
    then.resize(5);
    check_equal(codes.numbers(name), then);
  }
}

TEST_CASE("encode --file: classes are the run's, and what the model cannot take is said") {
  const TempFolder temp;
  REQUIRE(run(animals(temp / "animals.csv", small("conditional_vae")), temp / "run") == kDone);
  const LoadedRun tiny = model_of(temp / "run");
  const auto encode = [&](const std::string& text) {
    atomic_write(temp / "new.csv", text);
    return message_of<std::exception>([&] { encode_command(tiny, {.file = (temp / "new.csv").string(), .out = (temp / "codes.csv").string()}); });
  };
  CHECK(encode("size,age,kind\n510,3,dog\n520,4,dog\n") == "");  // one class, which alone would be number 0
  CHECK(Table(temp / "codes.csv").columns.at("class") == std::vector<std::string>{"dog", "dog"});
  CHECK(encode("size,age,kind\n510,3,bird\n").find("has the class 'bird'") != std::string::npos);
  CHECK(encode("size,age\n510,3\n").find("has no labels, and this conditional_vae is conditioned on the class") != std::string::npos);
  CHECK(encode("size,kind\n510,cat\n").find("no column 'age'") != std::string::npos);
  CHECK(message_of<std::exception>([&] { encode_command(tiny, {.file = (temp / "none.csv").string()}); }).find("there is no such file") != std::string::npos);
  REQUIRE(run(quick(small("vae")), temp / "digits") == kDone);
  CHECK(message_of<std::exception>([&] { encode_command(model_of(temp / "digits"), {.file = (temp / "new.csv").string()}); }).find("the data set digits") !=
        std::string::npos);
}

TEST_CASE("encode --file: a file and a split are not asked for together") {
  const TempFolder temp;
  const ProgramResult result = run_program(temp, {"encode", temp.path().string(), "--file", "x.csv", "--split", "test"});
  CHECK(result.code == kUsage);
  CHECK(result.output == "vaezoo: --file and --split: the examples of a file are in no split; give one of the two\n");
}

TEST_CASE("encode --file: pictures in IDX files, whose labels lie beside them by name") {
  const TempFolder temp;
  const auto write_set = [&](const fs::path& folder, const std::string& prefix, std::uint32_t count, std::uint32_t first) {
    std::string pixels, labels;
    for (std::uint32_t n = first; n < first + count; ++n) {
      for (std::uint32_t p = 0; p < 28 * 28; ++p) pixels += static_cast<char>(n * 7 + p);
      labels += static_cast<char>(n % 3);
    }
    fs::create_directories(folder);
    atomic_write(folder / (prefix + "-images-idx3-ubyte"), idx({count, 28, 28}, pixels));
    atomic_write(folder / (prefix + "-labels-idx1-ubyte"), idx({count}, labels));
  };
  write_set(temp / "fashion_mnist", "train", 60, 0);
  write_set(temp / "fashion_mnist", "t10k", 12, 60);
  write_set(temp / "elsewhere", "new", 12, 60);
  json value = quick({{"name", "conditional_vae"}, {"latent_dim", 2}, {"encoder", {{"hidden", {8}}}}, {"decoder", {{"hidden", {8}}}}});
  const CommonOptions quiet{.data_dir = temp.path().string(), .threads = 1, .quiet = true};
  // The run's numbers of the classes are not those of the files.
  value["dataset"] = {{"name", "fashion_mnist"}, {"classes", {"pullover", "T-shirt", "trouser"}}};
  REQUIRE(run_experiment(experiment(value), temp / "run", false, quiet) == kDone);
  CHECK(encode_command(load_run(temp / "run", "", {}, quiet), {.out = (temp / "own.csv").string()}) == kDone);
  const std::string images = (temp / "elsewhere" / "new-images-idx3-ubyte").string();
  fs::remove_all(temp / "fashion_mnist");
  CHECK(encode_command(model_of(temp / "run"), {.file = images, .out = (temp / "codes.csv").string()}) == kDone);
  const Table own(temp / "own.csv"), codes(temp / "codes.csv");
  CHECK(codes.columns.at("class") == own.columns.at("class"));
  CHECK(codes.columns.at("class")[1] == "trouser");
  check_equal(codes.numbers("mean_1"), own.numbers("mean_1"));
  fs::remove(temp / "elsewhere" / "new-labels-idx1-ubyte");
  CHECK(message_of<std::exception>([&] { encode_command(model_of(temp / "run"), {.file = images}); }).find("has no labels") != std::string::npos);
}

TEST_CASE("decode: codes that encode wrote give the reconstructions") {
  const TempFolder temp;
  for (const json& model : {small("vae"), small("conditional_vae"),
                            json{{"name", "hvae"}, {"latent_dims", {2, 1}}, {"encoder", {{"hidden", {8}}}}, {"likelihood", "gaussian"}}}) {
    CAPTURE(model["name"].get<std::string>());
    REQUIRE(run(animals(temp / "animals.csv", model), temp / "run") == kDone);
    const LoadedRun tiny = loaded(temp / "run");
    CHECK(encode_command(tiny, {.split = "test", .out = (temp / "codes.csv").string()}) == kDone);
    CHECK(reconstruct_command(tiny, 10, (temp / "r.csv").string()) == kDone);
    CHECK(decode_command(model_of(temp / "run"), (temp / "codes.csv").string(), (temp / "d.csv").string()) == kDone);
    const Table decoded(temp / "d.csv"), reconstructed(temp / "r.csv");
    for (const char* column : {"size", "age"})
      check_equal(decoded.numbers(ad::cat("x_", column)), reconstructed.numbers(ad::cat("r_", column)));
    if (model["name"] == "conditional_vae")
      CHECK(decoded.columns.at("class") == Table(temp / "codes.csv").columns.at("class"));
    fs::remove_all(temp / "run");
  }
}

TEST_CASE("decode: indices and vectors of discrete codes are the same codes, from tables and from arrays") {
  const TempFolder temp;
  REQUIRE(run(quick(small_vq()), temp / "run") == kDone);
  const LoadedRun vq = loaded(temp / "run");
  CHECK(reconstruct_command(vq, 6, (temp / "r.csv").string()) == kDone);
  const std::vector<double> expected = Table(temp / "r.csv").numbers("r20");
  for (const bool vectors : {false, true})
    for (const char* ending : {".csv", ".npy"}) {
      const std::string codes = (temp / "codes").string() + ending;
      CHECK(encode_command(vq, {.vectors = vectors, .out = codes}) == kDone);
      CHECK(decode_command(vq, codes, (temp / "d.csv").string()) == kDone);
      std::vector<double> decoded = Table(temp / "d.csv").numbers("x20");
      decoded.resize(6);
      check_equal(decoded, expected);
    }
}

TEST_CASE("decode: what is no code of the model is said") {
  const TempFolder temp;
  REQUIRE(run(quick(small_vq()), temp / "vq") == kDone);
  REQUIRE(run(quick({{"name", "conditional_vae"}, {"latent_dim", 2}}), temp / "cvae") == kDone);
  REQUIRE(run(quick({{"name", "completion_vae"}, {"latent_dim", 2}}), temp / "completion") == kDone);
  const auto decode = [&](const char* run, const std::string& text) {
    atomic_write(temp / "codes.csv", text);
    return message_of<std::exception>([&] { decode_command(model_of(temp / run), (temp / "codes.csv").string(), (temp / "d.csv").string()); });
  };
  CHECK(decode("vq", "index_0_0,index_0_1,index_0_2,index_0_3\n0,1,2,8\n").find("has the index 8 where whole numbers from 0 to 7") !=
        std::string::npos);
  CHECK(decode("vq", "index_0_0,index_0_1,index_0_2\n0,1,2\n").find("no column 'index_0_3'") != std::string::npos);
  CHECK(decode("vq", "a,b\n0,1\n").find("neither mean_ nor index_ columns") != std::string::npos);
  CHECK(decode("cvae", "mean_0,mean_1\n0,1\n").find("no column 'class'") != std::string::npos);
  CHECK(decode("cvae", "class,mean_0,mean_1\n12,0,1\n").find("there is no class '12'") != std::string::npos);
  CHECK(decode("completion", "mean_0,mean_1\n0,1\n").find("completes examples") != std::string::npos);
}
