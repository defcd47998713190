#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/zoo/config_examples.hpp"

using namespace vaezoo;
using namespace vaezoo::test;

TEST_CASE("read_config: what the document leaves out keeps its default") {
  const Experiment read = test::read("{}");
  CHECK(read.name == "test");
  CHECK(read.model.latent_dim == 20);
  CHECK_FALSE(read.model.sigma.has_value());
  CHECK(read.optimizer == "adam");
  CHECK(read.adam.learning_rate == 1e-3);
}

TEST_CASE("read_config fills every kind of field") {
  const Experiment read = test::read(R"({
    "name": "run", "seed": -9223372036854775808, "verbose": true, "splits": ["train", "test"],  // of all kinds
    "model": {"latent_dim": 1e2, "beta": 4, "hidden": [400, 2.0], "weights": [0, 0.5, 1], "likelihood": "gaussian",
              "sigma": 0.1, "components": 9223372036854775807},
    "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": true}})");
  CHECK(read.name == "run");
  CHECK(read.seed == INT64_MIN);
  CHECK(read.verbose);
  CHECK(read.splits == std::vector<std::string>{"train", "test"});
  CHECK(read.model.latent_dim == 100);  // an integer may be written as 1e2
  CHECK(read.model.beta == 4);
  CHECK(read.model.hidden == std::vector<std::int64_t>{400, 2});
  CHECK(read.model.weights == std::vector<double>{0, 0.5, 1});
  CHECK(read.model.likelihood == "gaussian");
  CHECK(read.model.sigma == 0.1);
  CHECK(read.model.components == INT64_MAX);
  CHECK(read.optimizer == "sgd");
  CHECK(read.sgd.momentum == 0.9);
  CHECK(read.sgd.learning_rate == 1e-2);
  CHECK(read.sgd.nesterov);
}

TEST_CASE("read_config: a bare name stands for its object, null unsets an optional, an empty list is a list") {
  Experiment read;
  read.model.sigma = 3;
  read_config(Document::from_text(R"({"optimizer": "none", "model": {"sigma": null, "hidden": []}})", "f"),
              [&](Fields& f) { read.fields(f); });
  CHECK(read.optimizer == "none");
  CHECK_FALSE(read.model.sigma.has_value());
  CHECK(read.model.hidden.empty());
}

TEST_CASE("read_config: each mistake gives one exact sentence") {
  struct Mistake {
    const char *text, *sentence;
  };
  const Mistake mistakes[] = {
      {R"({"sede": 1})", R"(exp.json: sede: unknown key; did you mean "seed"?)"},
      {R"({"Seed": 1})", R"(exp.json: Seed: unknown key; did you mean "seed"?)"},
      {R"({"gpu": 1})", "exp.json: gpu: unknown key; valid keys: name, seed, verbose, splits, model, optimizer"},
      {R"({"model": {"latent_dims": 2}})", R"(exp.json: model.latent_dims: unknown key; did you mean "latent_dim"?)"},
      {R"({"model": {"extends": "a.json"}})",
       "exp.json: model.extends: unknown key; valid keys: latent_dim, beta, hidden, weights, likelihood, sigma, components"},
      {R"({"optimizer": {"name": "sgd", "momentun": 0.5}})",
       R"(exp.json: optimizer.momentun: unknown key for "sgd"; did you mean "momentum"?)"},
      {R"({"optimizer": {"name": "sgd", "beta1": 0.5}})",
       R"(exp.json: optimizer.beta1: unknown key for "sgd"; valid keys: name, learning_rate, momentum, nesterov)"},
      {R"({"optimizer": {"name": "none", "beta1": 0.5}})",
       R"(exp.json: optimizer.beta1: unknown key for "none"; valid keys: name)"},
      {R"({"optimizer": {"momentum": 0.5}})",
       R"(exp.json: optimizer.momentum: unknown key for "adam"; valid keys: name, learning_rate, beta1)"},
      {R"({"optimizer": "adamm"})", R"(exp.json: optimizer: unknown "adamm"; did you mean "adam"? choices: adam, sgd, none)"},
      {R"({"optimizer": {"name": "adamm"}})",
       R"(exp.json: optimizer.name: unknown "adamm"; did you mean "adam"? choices: adam, sgd, none)"},
      {R"({"optimizer": {"name": "lion"}})", R"(exp.json: optimizer.name: unknown "lion"; choices: adam, sgd, none)"},
      {R"({"optimizer": {"name": 3}})", "exp.json: optimizer.name: expected a string, got 3"},
      {R"({"optimizer": 3})",
       R"(exp.json: optimizer: expected a name or an object with a "name", got 3; choices: adam, sgd, none)"},
      {R"({"optimizer": null})",
       R"(exp.json: optimizer: expected a name or an object with a "name", got null; choices: adam, sgd, none)"},
      {R"({"name": 3})", "exp.json: name: expected a string, got 3"},
      {R"({"name": null})", "exp.json: name: expected a string, got null"},
      {R"({"seed": "1"})", R"(exp.json: seed: expected an integer, got the string "1")"},
      {R"({"seed": 2.5})", "exp.json: seed: expected an integer, got 2.5"},
      {R"({"seed": true})", "exp.json: seed: expected an integer, got true"},
      {R"({"seed": 1e30})", "exp.json: seed: expected an integer of at most 64 bits, got 1e+30"},
      {R"({"seed": 9223372036854775808})", "exp.json: seed: expected an integer of at most 64 bits, got 9223372036854775808"},
      {R"({"verbose": 1})", "exp.json: verbose: expected true or false, got 1"},
      {R"({"splits": "test"})", R"(exp.json: splits: expected a list of strings, got the string "test")"},
      {R"({"splits": ["test", 1]})", "exp.json: splits[1]: expected a string, got 1"},
      {R"({"model": []})", "exp.json: model: expected an object { ... }, got a list"},
      {R"({"model": {"hidden": "big"}})", R"(exp.json: model.hidden: expected a list of integers, got the string "big")"},
      {R"({"model": {"hidden": 400}})", "exp.json: model.hidden: expected a list of integers, got 400"},
      {R"({"model": {"hidden": [400, 0]}})", "exp.json: model.hidden[1]: must be between 1 and 65536, got 0"},
      {R"({"model": {"hidden": [400.5]}})", "exp.json: model.hidden[0]: expected an integer, got 400.5"},
      {R"({"model": {"weights": {}}})", "exp.json: model.weights: expected a list of numbers, got an object"},
      {R"({"model": {"weights": [0.5, null]}})", "exp.json: model.weights[1]: expected a number, got null"},
      {R"({"model": {"beta": -1}})", "exp.json: model.beta: must be at least 0, got -1"},
      {R"({"model": {"beta": "4"}})", R"(exp.json: model.beta: expected a number, got the string "4")"},
      {R"({"model": {"sigma": 0}})", "exp.json: model.sigma: must be more than 0, got 0"},
      {R"({"model": {"components": 1}})", "exp.json: model.components: must be at least 2, got 1"},
      {R"({"model": {"likelihood": "bernouli"}})",
       R"(exp.json: model.likelihood: unknown "bernouli"; did you mean "bernoulli"? choices: bernoulli, gaussian, laplace)"},
      {R"({"optimizer": {"beta1": 1}})", "exp.json: optimizer.beta1: must be at least 0 and less than 1, got 1"},
      {R"({"model": {"sigma": 1}})", "exp.json: model.sigma: only a gaussian likelihood has one"},
      {R"({"optimizer": {"name": "sgd", "nesterov": true}})", "exp.json: optimizer.nesterov: needs a momentum above 0"},
      {"[]", "exp.json: expected an object { ... }, got a list"},
      {"3", "exp.json: expected an object { ... }, got 3"},
  };
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.text);
    CHECK(error_of(mistake.text) == mistake.sentence);
  }
}

TEST_CASE("read_config: a misspelt key is reported before what its absence leads to") {
  CHECK(error_of(R"({"optimizer": {"name": "sgd", "nesterov": true}, "sede": 1})") ==
        R"(exp.json: sede: unknown key; did you mean "seed"?)");
  CHECK(error_of(R"({"model": {"sigma": 1, "likelyhood": "gaussian"}})") ==
        R"(exp.json: model.likelyhood: unknown key; did you mean "likelihood"?)");
}

TEST_CASE("read_config: a long string is cut in the message, and bytes that are no UTF-8 do no harm") {
  const std::string error = error_of("{\"seed\": \"" + std::string(1000, 'x') + "\"}");
  CHECK(error == "exp.json: seed: expected an integer, got the string \"" + std::string(60, 'x') + "...\"");
  nlohmann::json bad = {{"seed", "\xFF"}};
  Experiment experiment;
  CHECK(error_of([&] { read_config(bad, "f", [&](Fields& f) { experiment.fields(f); }); }) ==
        "f: seed: expected an integer, got the string \"\\xFF\"");
}

TEST_CASE("read_config: what a terminal would obey is escaped, in keys, values and assignments") {
  CHECK(error_of("{\"se\\u001b[31md\": 1}").starts_with("exp.json: se\\x1B[31md: unknown key"));
  CHECK(error_of("{\"" + std::string(1000, 'k') + "\": 1}").starts_with("exp.json: " + std::string(60, 'k') + "...: unknown key"));
  CHECK(error_of("{\"optimizer\": \"\\u009b1m\"}").starts_with("exp.json: optimizer: unknown \"\\u009B1m\""));
  CHECK(error_of("{\"a\\u007f\": 1, \"a\\u007f\": 2}") == "exp.json: a\\x7F: given twice");
  Document document = Document::from_text("{}", "f");
  CHECK(error_of([&] { document.set("\x1b[2J"); }).starts_with("--set \\x1B[2J: expected KEY=VALUE"));
  CHECK(error_of([&] { document.set("." + std::string(5000, 'x') + "=1"); }).size() < 400);
}

TEST_CASE("read_config: a choice without a default must be made") {
  std::string model, likelihood;
  const auto error = [&](const std::string& text) {
    return error_of([&] {
      read_config(Document::from_text(text, "f"), [&](Fields& f) {
        f.one_of("model", model, {{"vae", "", {}}, {"beta_vae", "", {}}}, "");
        f.choice("likelihood", likelihood, {"bernoulli", "gaussian"}, "");
      });
    });
  };
  CHECK(error("{}") == "f: model: needs a \"name\"; choices: vae, beta_vae");
  CHECK(error("{\"modle\": \"vae\"}") == "f: modle: unknown key; did you mean \"model\"?");
  CHECK(error("{\"model\": \"vae\"}") == "f: likelihood: missing; choices: bernoulli, gaussian");
  CHECK(error("{\"model\": \"vae\", \"likelihood\": \"gaussian\"}").empty());
}

TEST_CASE("read_config: requirements about an object name its path") {
  const auto error = [](const char* text) {
    return error_of([&] {
      read_config(Document::from_text(text, "f"), [](Fields& f) {
        f.object("data", "", [](Fields& inner) { inner.require("", false, "needs a file or a generator"); });
      });
    });
  };
  CHECK(error("{\"data\": {}}") == "f: data: needs a file or a generator");
  CHECK(error("{}") == "f: data: needs a file or a generator");
  CHECK(error("{\"data\": {\"x\": 1}}") == "f: data.x: unknown key; there are none here");
}

TEST_CASE("read_config: field lists that make no sense are mistakes of the program") {
  const Document document = Document::from_text("{}", "f");
  std::int64_t a = 0;
  std::string name = "lion";
  CHECK_THROWS_AS(read_config(document, [&](Fields& f) { f("a", a, ""), f("a", a, ""); }), std::logic_error);
  CHECK_THROWS_AS(read_config(document, [&](Fields& f) { f.one_of("o", name, {{"adam", "", {}}}, ""); }), std::logic_error);
}
