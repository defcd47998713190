// What sample and reconstruct write of a trained run: classes, units, folders of pictures.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "datasets/npy.hpp"
#include "datasets/sources.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/pictures.hpp"
#include "tests/zoo/export_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json conditional() {
  return {{"name", "conditional_vae"}, {"latent_dim", 2}, {"encoder", {{"hidden", {8}}}}, {"decoder", {{"hidden", {8}}}}};
}

/// Seconds around 1.7e9 and a number that tells the rows apart, under names of which one needs quotes.
json times(const fs::path& file) {
  std::string text = "time,\"a \"\"b\"\"\"\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(1'700'000'000 + i * 37 % 100) + "," + std::to_string(i * 37 % 100 / 8.0) + "\n";
  atomic_write(file, text);
  json value = quick({{"name", "vae"}, {"latent_dim", 1}, {"encoder", {{"hidden", {8}}}}, {"decoder", {{"hidden", {8}}}},
                      {"likelihood", "gaussian"}});
  value["dataset"] = {{"name", "csv"}, {"train_file", file.string()}, {"header", true}, {"standardize", true}};
  return value;
}

}  // namespace

TEST_CASE("reconstruct: tables carry the data's names and units, so that times of 1.7e9 stay apart") {
  const TempFolder temp;
  REQUIRE(run(times(temp / "times.csv"), temp / "run") == kDone);
  const LoadedRun tiny = loaded(temp / "run");
  CHECK(reconstruct_command(tiny, 10, (temp / "r.csv").string()) == kDone);
  const Table table(temp / "r.csv");
  CHECK(table.header() == "x_time,\"x_a \"\"b\"\"\",r_time,\"r_a \"\"b\"\"\"");
  REQUIRE(table.rows == 10);
  const std::vector<double> time = table.numbers("x_time"), number = table.numbers(table.names[1]), guess = table.numbers("r_time");
  for (std::size_t i = 0; i < table.rows; ++i) {
    CHECK(time[i] - 1.7e9 == doctest::Approx(8 * number[i]).epsilon(1e-5).scale(10));  // the two columns of one row of the file
    CHECK((guess[i] > 1.7e9 - 200 && guess[i] < 1.7e9 + 300));
  }
  CHECK(std::set<double>(time.begin(), time.end()).size() == 10);
  CHECK(std::set<double>(guess.begin(), guess.end()).size() == 10);
  CHECK(reconstruct_command(tiny, 10, (temp / "r.npy").string()) == kDone);
  const NpyArray array = read_npy(temp / "r.npy");
  CHECK(array.shape == std::vector<Index>{2, 10, 2});
  for (std::size_t i = 0; i < 10; ++i) CHECK(array.values()[20 + 2 * i] == guess[i]);
  CHECK(sample_command(tiny, {.count = 5, .out = (temp / "s.csv").string()}) == kDone);
  CHECK(Table(temp / "s.csv").header() == "x_time,\"x_a \"\"b\"\"\"");
}

TEST_CASE("sample: a class-conditional model draws all classes in turn, or those asked for, and says which") {
  const TempFolder temp;
  REQUIRE(run(quick(conditional()), temp / "run") == kDone);
  const LoadedRun tiny = loaded(temp / "run");
  CHECK(sample_command(tiny, {.count = 25, .out = (temp / "all.csv").string()}) == kDone);
  const Table all(temp / "all.csv");
  CHECK(all.names[0] == "class");
  CHECK(all.names[1] == "x0");
  for (std::size_t i = 0; i < all.rows; ++i) CHECK(all.columns.at("class")[i] == std::to_string(i % 10));
  CHECK(sample_command(tiny, {.count = 6, .classes = {"3", "0"}, .out = (temp / "some.csv").string()}) == kDone);
  const Table some(temp / "some.csv");
  CHECK(some.columns.at("class") == std::vector<std::string>{"3", "0", "3", "0", "3", "0"});
  // What is drawn is E[x | z, class]: the model's own answer to these labels.
  const Samples made = samples(*tiny.session, 6, tiny.session->keys.pictures().fold("samples"), Drawn::mean, std::vector<int>{3, 0});
  const std::vector<double> pixel = some.numbers("x20");
  for (std::size_t i = 0; i < 6; ++i) CHECK(pixel[i] == doctest::Approx(double(made.x[64 * i + 20])).epsilon(1e-6));
  CHECK(message_of<UsageError>([&] { sample_command(tiny, {.classes = {"ten"}}); }) == "--class ten: there is no such class; there are 0 to 9");
  REQUIRE(run(quick({{"name", "vae"}, {"latent_dim", 2}}), temp / "vae") == kDone);
  CHECK(message_of<UsageError>([&] { sample_command(loaded(temp / "vae"), {.classes = {"3"}}); }).find("--class: this vae is not conditioned") == 0);
}

TEST_CASE("sample: a prior by class draws the class asked for") {
  const TempFolder temp;
  json vq = small_vq();
  vq["prior"]["by_class"] = true;
  REQUIRE(run(quick(vq), temp / "run") == kDone);
  CHECK(sample_command(loaded(temp / "run"), {.count = 3, .classes = {"7"}, .out = (temp / "s.csv").string()}) == kDone);
  CHECK(Table(temp / "s.csv").columns.at("class") == std::vector<std::string>{"7", "7", "7"});
}

TEST_CASE("sample: a folder of pictures by class is a data set again") {
  const TempFolder temp;
  REQUIRE(run(quick(conditional()), temp / "run") == kDone);
  const LoadedRun tiny = loaded(temp / "run");
  const std::string folder = (temp / "drawn").string() + "/";
  CHECK(sample_command(tiny, {.count = 8, .classes = {"3", "5"}, .out = folder}) == kDone);
  CHECK(fs::exists(temp / "drawn" / "3" / "000004.png"));
  CHECK_FALSE(fs::exists(temp / "drawn" / "3" / "000005.png"));
  const Dataset read = load_image_folder({.path = folder, .grey = true}, temp.path(), Key(1));
  CHECK(read.train.size() == 8);
  CHECK(read.class_names == std::vector<std::string>{"3", "5"});
  const Samples made = samples(*tiny.session, 8, tiny.session->keys.pictures().fold("samples"), Drawn::mean, std::vector<int>{3, 5});
  std::vector<Real> pixels(64);
  for (Index row = 0; row < 8; ++row) {
    const Index file = read.train.source_row(row);  // 3/000001 to 3/000004, then 5/000001 to 5/000004; classes were drawn in turn
    const auto sample = static_cast<std::size_t>(file % 4 * 2 + file / 4);
    read.train.read(row, pixels);
    for (std::size_t i = 0; i < 64; ++i) CHECK(std::abs(pixels[i] - std::clamp(made.x[64 * sample + i], 0.f, 1.f)) <= 0.5f / 255 + 1e-6f);
  }
  CHECK(message_of<UsageError>([&] { sample_command(tiny, {.count = 2, .classes = {"3"}, .out = folder}); }).find("holds files already") != std::string::npos);
  CHECK(sample_command(tiny, {.count = 2, .classes = {"4"}, .out = (temp / "drawn").string()}) == kDone);  // beside the others
  REQUIRE(run(quick({{"name", "vae"}, {"latent_dim", 2}}), temp / "vae") == kDone);
  CHECK(sample_command(loaded(temp / "vae"), {.count = 2, .out = (temp / "plain").string() + "/"}) == kDone);
  CHECK(fs::exists(temp / "plain" / "000002.png"));
}
