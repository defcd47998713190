#pragma once
// How the weight of the KL term moves over training.
#include <cstdint>
#include <string>

#include "autodiff/layers.hpp"
#include "config/fields.hpp"

namespace vaezoo {

using ad::Position;

/// "kl_weight": "constant" or {"name": "linear", "length": 100, "unit": "epochs", "start": 0}. The weight is a factor in [0, 1] on
/// the model's own weight of the KL.
///   constant: 1 always
///   linear:   from `start` to 1 over `length`                         (Bowman et al. 2016; Sonderby et al. 2016, "warm-up")
///   cyclical: cycles of `length`, each rising over its first `ratio` part and then 1       (Fu et al. 2019)
struct KlSchedule {
  std::string name = "constant";
  double length = 10;
  std::string unit = "epochs";
  double start = 0;
  double ratio = 0.5;

  void visit(Fields& f, const char* key, const char* doc);
  double at(const Position& progress) const;
};

/// A temperature that falls exponentially to its minimum: max(minimum, start e^(-rate step)).   Jang, Gu & Poole 2017, section 4.2
struct TemperatureSchedule {
  double start = 1;
  double rate = 3e-5;
  double minimum = 0.5;

  void fields(Fields& f);
  double at(const Position& progress) const;
};

}  // namespace vaezoo
