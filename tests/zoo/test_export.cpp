// What encode writes of a trained run.
#include <doctest/doctest.h>

#include <set>

#include "datasets/npy.hpp"
#include "datasets/sources.hpp"
#include "experiments/output/tables.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/pictures.hpp"
#include "tests/zoo/export_support.hpp"

using namespace vaezoo;
using namespace test_support;
using nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE("encode: a line for each example, whose ELBO and NLL have the means that evaluate reports") {
  const TempFolder temp;
  json value = tiny_experiment();
  value["evaluate"] = {{"importance_samples", 7}, {"chunk", 3}, {"batch_size", 15}, {"splits", {"validation", "test"}}};
  REQUIRE(run(value, temp / "run") == kDone);
  const LoadedRun tiny = loaded(temp / "run");
  REQUIRE(evaluate_run(tiny) == kDone);
  const json evaluation = read_json_file(temp / "run" / "evaluation.json");
  for (const std::string split : {"validation", "test"}) {
    CAPTURE(split);
    const std::string out = (temp / (split + ".csv")).string();
    CHECK(encode_command(tiny, {.split = split, .elbo = true, .nll = 7, .out = out}) == kDone);
    const Table table(out);
    CHECK(table.header() == "index,split,class,mean_0,mean_1,mean_2,std_0,std_1,std_2,elbo,nll");
    CHECK(table.rows == 40);
    CHECK(table.mean("elbo") == doctest::Approx(evaluation.at(split).at("elbo").get<double>()).epsilon(1e-9));
    CHECK(table.mean("nll") == doctest::Approx(evaluation.at(split).at("nll").get<double>()).epsilon(1e-9));
    CHECK(table.columns.at("split").front() == split);
    for (const double deviation : table.numbers("std_1")) CHECK((deviation > 0 && deviation < 10));
  }
  // The means are those that reconstructions and the latent map are made of.
  const MeanCodes codes = encode_split(*tiny.session, Split::test, 40);
  const std::vector<double> mean = Table(temp / "test.csv").numbers("mean_2");
  for (std::size_t i = 0; i < mean.size(); ++i) CHECK(mean[i] == doctest::Approx(double(codes.codes[3 * i + 2])).epsilon(1e-6));
}

TEST_CASE("encode: --split all has every example once, and index says which of the source it is") {
  const TempFolder temp;
  REQUIRE(run(tiny_experiment(), temp / "run") == kDone);
  CHECK(encode_command(loaded(temp / "run"), {.split = "all", .out = (temp / "all.csv").string()}) == kDone);
  const Table table(temp / "all.csv");
  CHECK(table.rows == 280);  // 200 + 40 + 40
  const auto count_of = [&](const std::string& split) {
    return std::count(table.columns.at("split").begin(), table.columns.at("split").end(), split);
  };
  CHECK(count_of("train") == 200);
  CHECK(count_of("validation") == 40);
  CHECK(count_of("test") == 40);
  const std::vector<std::string>& index = table.columns.at("index");
  CHECK(std::set<std::string>(index.begin(), index.end()).size() == 280);
  const Dataset digits = load_digits();
  for (std::size_t i = 0; i < index.size(); ++i)
    CHECK(table.columns.at("class")[i] == std::to_string(digits.train.labels()[std::stoul(index[i])]));
}

TEST_CASE("encode: discrete codes are indices, or vectors where these are asked for") {
  const TempFolder temp;
  REQUIRE(run(quick(small_vq()), temp / "run") == kDone);
  const LoadedRun vq = loaded(temp / "run");
  CHECK(encode_command(vq, {.elbo = true, .out = (temp / "codes.csv").string()}) == kDone);
  const Table table(temp / "codes.csv");
  CHECK(table.header() == "index,split,class,index_0_0,index_0_1,index_0_2,index_0_3,elbo");
  CHECK(encode_command(vq, {.out = (temp / "codes.npy").string()}) == kDone);
  const NpyArray array = read_npy(temp / "codes.npy");
  CHECK(array.shape == std::vector<Index>{40, 4});
  for (std::size_t i = 0; i < 40; ++i) {
    const double index = array.values().at(4 * i + 2);
    CHECK(index == table.numbers("index_0_2")[i]);
    CHECK((index >= 0 && index < 8));
  }
  CHECK(encode_command(vq, {.vectors = true, .out = (temp / "vectors.csv").string()}) == kDone);
  CHECK(Table(temp / "vectors.csv").header() == "index,split,class,mean_0,mean_1,mean_2,mean_3,mean_4,mean_5,mean_6,mean_7");
}

TEST_CASE("encode: codes of several layers are named by their layer") {
  const TempFolder temp;
  REQUIRE(run(quick({{"name", "hvae"}, {"latent_dims", {2, 1}}, {"encoder", {{"hidden", {8}}}}}), temp / "run") == kDone);
  CHECK(encode_command(loaded(temp / "run"), {.out = (temp / "codes.csv").string()}) == kDone);
  CHECK(Table(temp / "codes.csv").header() ==
        "index,split,class,mean_z1_0,mean_z1_1,mean_z2_0,std_z1_0,std_z1_1,std_z2_0");
}

TEST_CASE("encode: what does not fit the model or the file is said") {
  const TempFolder temp;
  REQUIRE(run(quick({{"name", "autoencoder"}, {"latent_dim", 2}}), temp / "run") == kDone);
  const LoadedRun plain = loaded(temp / "run");
  CHECK_THROWS_AS(encode_command(plain, {.elbo = true}), UsageError);
  CHECK_THROWS_AS(encode_command(plain, {.nll = 5}), UsageError);
  CHECK_THROWS_AS(encode_command(plain, {.vectors = true}), UsageError);
  CHECK(encode_command(plain, {.out = (temp / "codes.csv").string()}) == kDone);
  CHECK(Table(temp / "codes.csv").header() == "index,split,class,mean_0,mean_1");  // f(x) is one point: no deviation
  REQUIRE(run(quick({{"name", "vae"}, {"latent_dim", 2}}), temp / "vae") == kDone);
  CHECK_THROWS_AS(encode_command(loaded(temp / "vae"), {.elbo = true, .out = (temp / "x.npy").string()}), UsageError);
  CHECK_FALSE(fs::exists(temp / "x.npy"));
}

TEST_CASE("csv_cell: text with commas, quotes or line ends is quoted") {
  CHECK(csv_cell("plain") == "plain");
  CHECK(csv_cell("a,b") == "\"a,b\"");
  CHECK(csv_cell("the \"big\" one") == "\"the \"\"big\"\" one\"");
  CHECK(csv_cell("a\nb") == "\"a\nb\"");
}
