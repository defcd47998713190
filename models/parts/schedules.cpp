#include "models/parts/schedules.hpp"

#include <algorithm>
#include <cmath>

namespace vaezoo {

void KlSchedule::visit(Fields& f, const char* key, const char* doc) {
  const auto length_and_start = [this](Fields& g) {
    g("length", length, "how long the rise (linear) or one cycle (cyclical) takes", more_than(0));
    g.choice("unit", unit, {"steps", "epochs"}, "the unit of length");
    g("start", start, "the factor at the beginning of the rise", between(0, 1));
  };
  f.one_of(key, name,
           {{"constant", "1 always", [](Fields&) {}},
            {"linear", "from start to 1 over length (warm-up)", length_and_start},
            {"cyclical", "cycles of length, each rising from start to 1 over its first part",
             [this, length_and_start](Fields& g) {
               length_and_start(g);
               g("ratio", ratio, "the part of a cycle in which the factor rises", Range{.low = 0, .high = 1, .low_open = true});
             }}},
           doc);
}

double KlSchedule::at(const Position& progress) const {
  if (name == "constant") return 1;
  const double position = (unit == "steps" ? static_cast<double>(progress.step) : progress.epoch) / length;
  const double rise = name == "linear" ? position : (position - std::floor(position)) / ratio;
  return start + (1 - start) * std::min(rise, 1.0);
}

void TemperatureSchedule::fields(Fields& f) {
  f("start", start, "the temperature at the first step", more_than(0));
  f("rate", rate, "how fast it falls: by e^-rate a step", at_least(0));
  f("minimum", minimum, "where it stops falling", more_than(0));
}

double TemperatureSchedule::at(const Position& progress) const {
  return std::max(minimum, start * std::exp(-rate * static_cast<double>(progress.step)));
}

}  // namespace vaezoo
