#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "config/range.hpp"
#include "config/schema.hpp"
#include "config/shared_schema.hpp"
#include "config/writer.hpp"
#include "experiments/runner/experiment.hpp"
#include "experiments/runner/train_config.hpp"
#include "tests/zoo/config_examples.hpp"

using namespace vaezoo;
using namespace vaezoo::test;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

template <class Struct>
std::function<void(Fields&)> fields_of(Struct& value) {
  return [&value](Fields& f) { value.fields(f); };
}

template <class Struct>
std::string text_of(Struct value) {
  return config_text(fields_of(value));
}

/// As much of draft-07 as config_schema uses: says whether `value` conforms.
bool conforms(const ordered_json& value, const ordered_json& schema);

bool has_type(const ordered_json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number() && std::floor(value.get<double>()) == value.get<double>();
  return type == "number" && value.is_number();
}

bool object_conforms(const ordered_json& value, const ordered_json& schema) {
  for (const auto& required : schema.value("required", ordered_json::array()))
    if (!value.contains(required.get<std::string>())) return false;
  for (const auto& [key, element] : value.items()) {
    const auto property = schema.at("properties").find(key);
    if (property == schema.at("properties").end() || !conforms(element, *property)) return false;
  }
  return true;
}

bool conforms(const ordered_json& value, const ordered_json& schema) {
  if (const auto types = schema.find("type"); types != schema.end()) {
    bool any = false;
    for (const auto& type : types->is_array() ? *types : ordered_json::array({*types})) any = any || has_type(value, type);
    if (!any) return false;
  }
  if (schema.contains("const") && value != schema.at("const")) return false;
  if (const auto options = schema.find("enum"); options != schema.end())
    if (std::find(options->begin(), options->end(), value) == options->end()) return false;
  if (value.is_number()) {
    const double number = value.get<double>();
    if (schema.contains("minimum") && number < schema.at("minimum")) return false;
    if (schema.contains("maximum") && number > schema.at("maximum")) return false;
    if (schema.contains("exclusiveMinimum") && number <= schema.at("exclusiveMinimum")) return false;
    if (schema.contains("exclusiveMaximum") && number >= schema.at("exclusiveMaximum")) return false;
  }
  if (value.is_array() && schema.contains("items"))
    for (const auto& element : value)
      if (!conforms(element, schema.at("items"))) return false;
  if (value.is_object() && schema.contains("properties") && !object_conforms(value, schema)) return false;
  if (const auto choices = schema.find("oneOf"); choices != schema.end())
    return std::count_if(choices->begin(), choices->end(), [&](const auto& choice) { return conforms(value, choice); }) == 1;
  return true;
}

/// Every object in a schema must refuse keys it does not list, and every property must say what it is.
void check_structure(const ordered_json& schema) {
  if (schema.contains("properties")) {
    CHECK(schema.at("additionalProperties") == false);
    for (const auto& property : schema.at("properties")) {
      CAPTURE(property.dump());
      CHECK_FALSE(property.at("description").get<std::string>().empty());
      check_structure(property);
    }
  }
  for (const auto& choice : schema.value("oneOf", ordered_json::array())) check_structure(choice);
}

double random_double(std::mt19937_64& bits) {
  double value = NAN;
  while (!std::isfinite(value)) value = std::bit_cast<double>(bits());
  return value;
}

}  // namespace

TEST_CASE("config_text writes every default, in the order of the fields, with the shortest numbers") {
  Experiment experiment;
  experiment.optimizer = "sgd";
  CHECK(
      write_config(fields_of(experiment)).dump() ==
      R"({"name":"test","seed":0,"verbose":false,"splits":["test"],"model":{"latent_dim":20,"beta":1.0,"hidden":[400],)"
      R"("weights":[],"likelihood":"bernoulli","sigma":null,"components":null},)"
      R"("optimizer":{"name":"sgd","learning_rate":0.01,"momentum":0.0,"nesterov":false}})");
  Adam adam;
  adam.beta1 = 0.1 + 0.2;
  CHECK(text_of(adam) == "{\n  \"learning_rate\": 0.001,\n  \"beta1\": 0.30000000000000004\n}\n");
}

TEST_CASE("config_text, read again, gives the same values bit for bit") {
  struct Values {
    double number = 0;
    std::int64_t integer = 0;
    std::vector<double> numbers;
    std::optional<double> maybe;
    std::string text;
    void fields(Fields& f) {
      f("number", number, "");
      f("integer", integer, "");
      f("numbers", numbers, "");
      f("maybe", maybe, "");
      f("text", text, "");
    }
  };
  std::mt19937_64 bits(1);
  for (int trial = 0; trial < 500; ++trial) {
    Values values;
    values.number = random_double(bits);
    values.integer = static_cast<std::int64_t>(bits());
    values.numbers = {random_double(bits), -0.0, 5e-324};
    if (trial % 2) values.maybe = random_double(bits);
    for (std::uint64_t i = bits() % 8; i > 0; --i) values.text += static_cast<char>(bits() % 128);
    const Values again = read_config<Values>(Document::from_text(text_of(values), "f"));
    const auto same = [](double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); };
    CHECK(same(again.number, values.number));
    CHECK(again.integer == values.integer);
    CHECK(std::equal(again.numbers.begin(), again.numbers.end(), values.numbers.begin(), values.numbers.end(), same));
    CHECK(again.maybe == values.maybe);
    CHECK(again.text == values.text);
  }
}

TEST_CASE("config_text is a fixed point: reading and writing a resolved configuration changes nothing") {
  for (const char* text :
       {"{}", R"({"optimizer": "none"})", R"({"optimizer": {"name": "sgd", "momentum": 0.3}, "model": {"hidden": []}})",
        R"({"model": {"likelihood": "gaussian", "sigma": 1e-7, "components": 9007199254740993}})"}) {
    const std::string resolved = text_of(test::read(text));
    CHECK(text_of(test::read(resolved)) == resolved);
  }
}

TEST_CASE("write_config refuses defaults that no file could say") {
  double value = INFINITY;
  std::string name = "lion";
  CHECK_THROWS_AS(write_config([&](Fields& f) { f("value", value, ""); }), std::logic_error);
  CHECK_THROWS_AS(write_config([&](Fields& f) { f.one_of("o", name, {{"adam", "", {}}}, ""); }), std::logic_error);
}

TEST_CASE("config_schema has description, default, range and choices of every field, and closed objects") {
  Experiment experiment;
  const ordered_json schema = config_schema("An experiment", fields_of(experiment));
  CHECK(schema.at("$schema") == "http://json-schema.org/draft-07/schema#");
  check_structure(schema);
  const ordered_json& model = schema.at("properties").at("model").at("properties");
  CHECK(model.at("latent_dim").dump() == R"({"description":"dimension of z","type":"integer","minimum":1,"default":20})");
  CHECK(model.at("sigma").dump() ==
        R"({"description":"fixed deviation","type":["number","null"],"exclusiveMinimum":0,"default":null})");
  CHECK(
      model.at("hidden").dump() ==
      R"({"description":"widths of the hidden layers","type":"array","items":{"type":"integer","minimum":1,"maximum":65536},)"
        R"("default":[400]})");
  CHECK(model.at("likelihood").dump() ==
        R"({"description":"of a pixel","enum":["bernoulli","gaussian","laplace"],"default":"bernoulli"})");
  const ordered_json& optimizer = schema.at("properties").at("optimizer");
  CHECK(optimizer.at("default").dump() == R"({"name":"adam"})");
  CHECK(optimizer.at("oneOf").size() == 4);                       // a bare name, and three objects
  CHECK_FALSE(optimizer.at("oneOf").at(1).contains("required"));  // the default's name may be left out
  CHECK(optimizer.at("oneOf").at(2).at("required").dump() == R"(["name"])");
}

TEST_CASE("config_schema and the reader agree on what is valid") {
  Experiment experiment;
  const ordered_json schema = config_schema("An experiment", fields_of(experiment));
  const char* texts[] = {
      "{}",
      R"({"optimizer": "sgd"})",
      R"({"optimizer": {"beta1": 0.5}})",
      R"({"optimizer": {"name": "sgd", "momentum": 0.5}})",
      R"({"optimizer": {"name": "none"}})",
      R"({"model": {"sigma": null, "hidden": [], "weights": [1]}})",
      R"({"seed": 1e3})",
      R"({"sede": 1})",
      R"({"optimizer": "lion"})",
      R"({"optimizer": {"momentum": 0.5}})",
      R"({"optimizer": {"name": "sgd", "beta1": 0.5}})",
      R"({"optimizer": {"beta1": 1}})",
      R"({"model": {"latent_dim": 0}})",
      R"({"model": {"latent_dim": null}})",
      R"({"model": {"hidden": [0]}})",
      R"({"model": {"likelihood": "poisson"}})",
      R"({"seed": 2.5})",
      R"({"verbose": 1})",
      R"({"splits": [1]})",
  };
  for (const char* text : texts) {
    CAPTURE(text);
    CHECK(conforms(ordered_json::parse(text), schema) == error_of(text).empty());
  }
  CHECK(conforms(write_config(fields_of(experiment)), schema));
  CHECK(conforms(ordered_json::parse(R"({"$schema": "s.json", "extends": "base.json"})"), schema));
}

TEST_CASE("describe_config shows one line per field, nested ones indented") {
  struct Small {
    std::int64_t size = 3;
    std::optional<double> clip;
    std::string optimizer = "sgd";
    Sgd sgd;
    std::string kind = "a";
    std::vector<std::string> words = {"x"};
    void fields(Fields& f) {
      f("size", size, "how large", at_least(1));
      f("clip", clip, "largest norm");
      f.one_of("optimizer", optimizer, {alternative("sgd", "SGD", sgd)}, "what steps");
      f.choice("kind", kind, {"a", "b"}, "which");
      f("words", words, "to say");
    }
  } small;
  CHECK(describe_config(fields_of(small)) ==
        "size               integer  3      >= 1       how large\n"
        "clip               number   null   or null    largest norm\n"
        "optimizer          one of   sgd               what steps\n"
        "  \"sgd\"                                       SGD\n"
        "    learning_rate  number   0.01   > 0        step size\n"
        "    momentum       number   0      >= 0, < 1  decay of the sum\n"
        "    nesterov       boolean  false             Nesterov momentum\n"
        "kind               choice   a      a | b      which\n"
        "words              strings  [\"x\"]             to say\n");
}

TEST_CASE("ranges in words and in symbols") {
  CHECK(in_words(at_least(0)) == "at least 0");
  CHECK(in_words(more_than(0.5)) == "more than 0.5");
  CHECK(in_words(between(0, 1)) == "between 0 and 1");
  CHECK(in_words(below_one()) == "at least 0 and less than 1");
  CHECK(in_words({.high = 3}) == "at most 3");
  CHECK(in_symbols(below_one()) == ">= 0, < 1");
  CHECK(in_symbols(between(-1, 1)) == "-1 to 1");
  CHECK(in_symbols({}).empty());
}

TEST_CASE("train, evaluate and output configurations: defaults are valid, and every optimiser and schedule can be chosen") {
  const auto round_trip = []<class Struct>(Struct) {
    const std::string resolved = text_of(Struct{});
    CHECK(text_of(read_config<Struct>(Document::from_text(resolved, "f"))) == resolved);
  };
  round_trip(TrainConfig{});
  round_trip(EvaluateConfig{});
  round_trip(OutputConfig{});
  TrainConfig config;
  check_structure(config_schema("Training", fields_of(config)));
  for (const Alternative& optimizer : config.optimizer.alternatives()) {
    for (const Alternative& schedule : config.schedule.alternatives()) {
      const json text = {{"optimizer", {{"name", optimizer.name}, {"learning_rate", 0.5}}},
                         {"schedule", {{"name", schedule.name}, {"warmup_steps", 7}}}};
      const auto read = read_config<TrainConfig>(Document::from_json(text, "f"));
      CHECK(read.optimizer.name == optimizer.name);
      CHECK(read.optimizer.learning_rate() == 0.5);
      CHECK(read.schedule.name == schedule.name);
      CHECK(read.schedule.warmup_steps == 7);
    }
  }
}

TEST_CASE("train and evaluate configurations: fields are checked together") {
  const auto train = [](const char* text) {
    return error_of([&] { (void)read_config<TrainConfig>(Document::from_text(text, "f")); });
  };
  const auto evaluate = [](const char* text) {
    return error_of([&] { (void)read_config<EvaluateConfig>(Document::from_text(text, "f")); });
  };
  CHECK(train(R"({"optimizer": {"name": "sgd", "nesterov": true}})") ==
        "f: optimizer.nesterov: needs a momentum above 0 and no dampening");
  CHECK(train(R"({"schedule": {"name": "multi_step", "milestones": [3, 3]}})") ==
        "f: schedule.milestones: each milestone must be later than the one before");
  CHECK(train(R"({"learning_rate": 0.1})").starts_with("f: learning_rate: unknown key; valid keys: epochs, steps, batch_size"));
  CHECK(evaluate(R"({"splits": ["tset"]})") == "f: splits: no split \"tset\"; choices: train, validation, test");
  CHECK(evaluate(R"({"splits": ["test", "test"]})") == "f: splits: names test twice");
}

TEST_CASE("schema: what is written once is the same schema, and much shorter") {
  ExperimentConfig config;
  const auto fields = [&](Fields& f) { config.fields(f); };
  const ordered_json whole = config_schema("A vaezoo experiment", fields), shared = ordered_json::parse(config_schema_text("A vaezoo experiment", fields));
  CHECK(without_references(shared) == whole);
  CHECK(shared.dump().size() * 4 < whole.dump().size());
  // Every definition is used.
  const std::string text = shared.dump();
  for (const auto& definition : shared.at("$defs").items()) {
    CAPTURE(definition.key());
    CHECK(text.find("\"#/$defs/" + definition.key() + "\"") != std::string::npos);
  }
}

TEST_CASE("schema: a default of a place's own stays there") {
  ordered_json part = {{"description", "one"}, {"type", "object"}, {"additionalProperties", false}, {"default", 1}};
  for (int i = 0; i < 9; ++i) part["properties"][std::to_string(i)] = {{"description", "a field"}, {"type", "integer"}};
  ordered_json other = part;
  other["default"] = 2;
  const ordered_json schema = {{"type", "object"}, {"properties", {{"a", part}, {"b", other}}}, {"additionalProperties", false}};
  const ordered_json shared = with_shared_parts(schema);
  CHECK(shared["properties"]["b"] ==
        ordered_json({{"description", "one"}, {"allOf", {{{"$ref", "#/$defs/a"}}}}, {"default", 2}}));
  CHECK_FALSE(shared["$defs"]["a"].contains("default"));
  CHECK(without_references(shared)["properties"]["b"]["default"] == 2);
}
