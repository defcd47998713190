#pragma once
// What the tests share of the commands that write what a trained model makes: small runs, and tables read back.
#include <map>
#include <sstream>

#include "tests/zoo/runner_support.hpp"

namespace test_support {

/// A table by column. No cell of ours has a comma.
struct Table {
  explicit Table(const std::filesystem::path& path) {
    std::istringstream lines(vaezoo::read_file(path));
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> cells;
      std::istringstream stream(line);
      for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
      if (names.empty()) {
        names = cells;
        continue;
      }
      ++rows;
      for (std::size_t i = 0; i < names.size(); ++i) columns[names[i]].push_back(cells.at(i));
    }
  }
  std::vector<double> numbers(const std::string& name) const {
    std::vector<double> values;
    for (const std::string& cell : columns.at(name)) values.push_back(std::stod(cell));
    return values;
  }
  double mean(const std::string& name) const {
    double sum = 0;
    for (const double v : numbers(name)) sum += v;
    return sum / static_cast<double>(rows);
  }
  std::string header() const {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
    return text;
  }
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::string>> columns;
  std::size_t rows = 0;
};

inline vaezoo::LoadedRun loaded(const std::filesystem::path& folder, const std::vector<std::string>& overrides = {}) {
  return vaezoo::load_run(folder, "", overrides, {.data_dir = std::nullopt, .threads = 1, .quiet = true});
}

/// One epoch, no pictures.
inline nlohmann::json quick(const nlohmann::json& model) {
  nlohmann::json value = tiny_experiment();
  value["model"] = model;
  value["train"]["epochs"] = 1;
  value["output"] = {{"samples", 0}, {"reconstructions", 0}, {"latent_map", false}, {"report", false}, {"tensorboard", false}};
  return value;
}

inline nlohmann::json small_vq() {
  return {{"name", "vq_vae"},
          {"encoder", {{"hidden", {16}}}},
          {"decoder", {{"hidden", {16}}}},
          {"positions", 4},
          {"embedding_dim", 2},
          {"codebook", {{"codes", 8}}},
          {"prior", {{"name", "pixelcnn"}, {"layers", 1}, {"channels", 4}}}};
}

}  // namespace test_support
