#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "autodiff/random.hpp"
#include "config/printable.hpp"
#include "config/suggest.hpp"
#include "experiments/runner/setting_names.hpp"
#include "experiments/runner/sweep.hpp"

namespace vaezoo {
namespace {

using ad::cat;
using nlohmann::ordered_json;

constexpr std::size_t kMostRuns = 10'000, kLongestName = 150;

using Setting = std::pair<std::string, ordered_json>;  // path and value

/// "beta=2,seed=1", with whole paths where two settings end alike; it names a folder.
std::string name_of(const std::vector<Setting>& settings) {
  std::vector<std::string> paths;
  for (const auto& [path, value] : settings) paths.push_back(path);
  const std::vector<std::string> names = short_setting_names(paths);
  std::string name;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const ordered_json& value = settings[i].second;
    const bool named = value.is_object() && value.contains("name") && value["name"].is_string();
    name += cat(name.empty() ? "" : ",", names[i], "=",
                named               ? value["name"].get<std::string>()
                : value.is_string() ? value.get<std::string>()
                                    : value.dump());
  }
  std::erase(name, '"');
  for (char& c : name)
    if (c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  return name;
}

SweepRun run_of(const std::vector<Setting>& settings) {
  SweepRun run{name_of(settings), {}};
  for (const auto& [path, value] : settings) run.overrides.push_back(cat(path, "=", value.dump()));
  return run;
}

/// "unknown key; did you mean "count"?", as the settings of an experiment are answered.
std::string unknown(const std::string& what, const std::string& word, const std::vector<std::string>& choices) {
  const auto near = nearest(word, choices);
  return cat("unknown ", what, near ? cat("; did you mean \"", *near, "\"?") : cat("; choices: ", joined(choices)));
}

/// Rounded, as it stands in names and tables: to four digits, or more in a narrow range, which four would leave or hardly divide.
double rounded_within(double value, double low, double high) {
  const double widest = std::max(std::abs(low), std::abs(high));
  int digits = 4 + static_cast<int>(std::floor(std::log10(widest)) - std::floor(std::log10(high - low)));
  for (digits = std::clamp(digits, 4, 17); digits <= 17; ++digits) {
    const double candidate = std::strtod(fmt::format("{:.{}g}", value, digits).c_str(), nullptr);
    if (low <= candidate && candidate <= high) return candidate;
  }
  return std::clamp(value, low, high);  // beyond it by the rounding of pow
}

/// Reads the block, and knows how to complain.
class Planner {
 public:
  Planner(const ordered_json& sweep, const std::string& source) : sweep_(sweep), source_(source) {}

  std::vector<SweepRun> runs() const {
    std::vector<SweepRun> runs = sweep_.is_array()                                 ? listed_runs()
                                 : sweep_.is_object() && sweep_.contains("random") ? drawn_runs()
                                                                                   : grid();
    std::set<std::string> names;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (runs[i].name.size() > kLongestName) runs[i].name = fmt::format("run_{:04}", i);
      if (!names.insert(runs[i].name).second) runs[i].name += fmt::format(",{}", i), names.insert(runs[i].name);
    }
    return runs;
  }

 private:
  [[noreturn]] void fail(const std::string& where, const std::string& what) const {
    throw ConfigError(cat(source_, ": sweep", where.empty() ? "" : ".", where, ": ", what));
  }

  const ordered_json& settings_of(const ordered_json& object) const {
    if (!object.is_object() || object.empty())
      fail("", "expected settings, for example {\"model.beta\": [1, 2, 4], \"seed\": [1, 2, 3]}");
    for (const auto& [path, value] : object.items())
      if (path == "name" || path.find('=') != std::string::npos || path.empty())
        fail(path, "is no setting that runs can differ in");
    return object;
  }

  std::vector<SweepRun> grid() const {
    std::vector<std::vector<Setting>> all(1);
    for (const auto& [path, values] : settings_of(sweep_).items()) {
      if (values.is_object())
        fail(path, nearest(path, {"random"})
                       ? "unknown setting; did you mean \"random\"?"
                       : "expected a list of values; draws from a range need \"random\": {\"count\": 20} with them");
      if (!values.is_array() || values.empty()) fail(path, "expected a list of values, for example [1, 2, 4]");
      if (all.size() * values.size() > kMostRuns) fail("", cat("has more than ", kMostRuns, " combinations"));
      std::vector<std::vector<Setting>> longer;
      for (const std::vector<Setting>& begun : all)
        for (const ordered_json& value : values) {
          longer.push_back(begun);
          longer.back().emplace_back(path, value);
        }
      all = std::move(longer);
    }
    std::vector<SweepRun> runs;
    for (const std::vector<Setting>& settings : all) runs.push_back(run_of(settings));
    return runs;
  }

  std::vector<SweepRun> listed_runs() const {
    if (sweep_.empty() || sweep_.size() > kMostRuns) fail("", cat("expected a list of 1 to ", kMostRuns, " runs"));
    std::vector<SweepRun> runs;
    for (const ordered_json& one : sweep_) {
      std::vector<Setting> settings;
      for (const auto& [path, value] : settings_of(one).items()) settings.emplace_back(path, value);
      runs.push_back(run_of(settings));
    }
    return runs;
  }

  std::vector<SweepRun> drawn_runs() const {
    const ordered_json& random = sweep_["random"];
    if (!random.is_object()) fail("random", "expected {\"count\": 20, \"seed\": 0}");
    for (const auto& [key, value] : random.items()) {
      if (key != "count" && key != "seed") fail(cat("random.", excerpt(key)), unknown("key", key, {"count", "seed"}));
      if (!value.is_number_integer() || value.get<std::int64_t>() < 0)
        fail(cat("random.", key), "expected a whole number from 0 on");
    }
    const std::int64_t count = random.value("count", std::int64_t{0});
    if (count < 1 || count > std::int64_t{kMostRuns}) fail("random.count", cat("expected 1 to ", kMostRuns));
    const ad::Key key(static_cast<std::uint64_t>(random.value("seed", std::int64_t{0})));
    std::vector<SweepRun> runs;
    for (std::int64_t i = 0; i < count; ++i) {
      std::vector<Setting> settings;
      for (const auto& [path, values] : settings_of(sweep_).items()) {
        if (path == "random") continue;
        std::array<ad::Real, 1> u{};
        ad::fill_uniform(key.fold(path).fold(static_cast<std::uint64_t>(i)), u);
        settings.emplace_back(path, draw(path, values, double(u[0])));
      }
      if (settings.empty()) fail("", "names no setting to draw");
      runs.push_back(run_of(settings));
    }
    return runs;
  }

  /// The value at the share u of a range or a list.
  ordered_json draw(const std::string& path, const ordered_json& values, double u) const {
    if (values.is_array() && !values.empty()) return values[static_cast<std::size_t>(u * double(values.size()))];
    if (!values.is_object() || values.size() != 1)
      fail(path, "expected a list of values, or one of {\"uniform\": [a, b]}, {\"log_uniform\": [a, b]}, {\"integer\": [a, b]}");
    const std::string law = values.begin().key();
    const ordered_json& range = values.begin().value();
    const std::vector<std::string> laws = {"uniform", "log_uniform", "integer"};
    if (std::ranges::find(laws, law) == laws.end()) fail(path, unknown(cat("law \"", excerpt(law), "\""), law, laws));
    if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number() ||
        !(range[0].get<double>() < range[1].get<double>()))
      fail(path, "expected a range of two numbers, the lower first");
    const double low = range[0], high = range[1];
    if (law == "integer") {
      if (!range[0].is_number_integer() || !range[1].is_number_integer()) fail(path, "expected a range of two whole numbers");
      return range[0].get<std::int64_t>() + static_cast<std::int64_t>(u * (high - low + 1));
    }
    if (law == "log_uniform" && low <= 0) fail(path, "expected a range of positive numbers");
    if (!std::isfinite(law == "uniform" ? high - low : high / low)) fail(path, "is too wide a range to draw from");
    const double value = law == "uniform" ? low + u * (high - low) : low * std::pow(high / low, u);
    return rounded_within(value, low, high);
  }

  const ordered_json& sweep_;
  const std::string& source_;
};

}  // namespace

std::vector<SweepRun> plan_sweep(const std::string& sweep, const std::string& source) {
  const ordered_json block = ordered_json::parse(sweep);
  return Planner(block, source).runs();
}

}  // namespace vaezoo
