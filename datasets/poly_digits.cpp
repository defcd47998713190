#include "datasets/poly_digits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

/// The shade in [0, 1] of a background at (u, v) in [0, 1]^2; r are four uniform numbers of the picture.
struct Background {
  const char* name;
  double (*shade)(double u, double v, std::span<const Real> r);
};

constexpr double kTurn = 2 * std::numbers::pi;

constexpr std::array kBackgrounds = {
    Background{"black", [](double, double, std::span<const Real>) { return 0.0; }},
    Background{"white", [](double, double, std::span<const Real>) { return 1.0; }},
    Background{"waves",
               [](double u, double v, std::span<const Real> r) {
                 const double angle = kTurn * double(r[0]);
                 const double along = std::cos(angle) * u + std::sin(angle) * v;
                 return 0.3 + 0.3 * std::sin(kTurn * ((2 + 2 * double(r[1])) * along + double(r[2])));
               }},
    Background{"checks",
               [](double u, double v, std::span<const Real> r) {
                 const double size = 3 + 2 * double(r[0]);
                 return (std::lround(std::floor(size * u + double(r[1])) + std::floor(size * v + double(r[2]))) & 1) != 0 ? 0.7
                                                                                                                          : 0.3;
               }},
    Background{"ramp",
               [](double u, double v, std::span<const Real> r) {
                 const double angle = kTurn * double(r[0]);
                 return std::clamp(0.5 + 0.5 * (std::cos(angle) * (u - 0.5) + std::sin(angle) * (v - 0.5)), 0.0, 1.0);
               }},
};

/// The rows of `from` in an order that gives each row one of its own class.
std::vector<Index> others_of_class(const Examples& from, int classes, Key key) {
  std::vector<Index> partner(static_cast<std::size_t>(from.size()));
  for (int label = 0; label < classes; ++label) {
    std::vector<Index> rows;
    for (Index i = 0; i < from.size(); ++i)
      if (from.labels()[static_cast<std::size_t>(i)] == label) rows.push_back(i);
    const std::vector<Index> order = ad::permutation(key.fold(static_cast<std::uint64_t>(label)), std::ssize(rows));
    for (std::size_t i = 0; i < rows.size(); ++i)
      partner[static_cast<std::size_t>(rows[i])] = rows[static_cast<std::size_t>(order[i])];
  }
  return partner;
}

Examples render(const Examples& from, const ItemShape& shape, int classes, Index count, Key key) {
  const Index size = shape.size();
  const double top = from.top();
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(from.size() * count * size));
  std::vector<Real> digit(static_cast<std::size_t>(size));
  for (Index m = 0; m < count; ++m) {
    const Background& background = kBackgrounds[static_cast<std::size_t>(m)];
    const Key of_modality = key.fold(background.name);
    const std::vector<Index> partner = others_of_class(from, classes, of_modality.fold("digit"));
    for (Index i = 0; i < from.size(); ++i) {
      from.read(m == 0 ? i : partner[static_cast<std::size_t>(i)], digit);
      std::array<Real, 4> r{};
      ad::fill_uniform(of_modality.fold("background").fold(static_cast<std::uint64_t>(i)), r);
      std::uint8_t* const out = bytes.data() + (i * count + m) * size;
      for (Index p = 0; p < size; ++p) {
        const double u = double(p % shape.width) / double(shape.width), v = double(p / shape.width) / double(shape.height);
        const double ink = double(digit[static_cast<std::size_t>(p)]), paper = background.shade(u, v, r);
        out[p] = static_cast<std::uint8_t>(std::lround(top * (paper * (1 - ink) + ink * (1 - paper))));
      }
    }
  }
  return {std::move(bytes), count * size, from.top(), from.labels()};
}

}  // namespace

void PolyDigitsConfig::fields(Fields& f) {
  f.choice("base", base, {"digits", "mnist"},
           "the digits: digits, embedded in the program, 1437 + 180 + 180; mnist, 50000 + 10000 + 10000");
  f("count", count, "modalities, of the backgrounds black, white, waves, checks and ramp in this order",
    between(2, std::ssize(kBackgrounds)));
}

Dataset load_poly_digits(const PolyDigitsConfig& config, const std::filesystem::path& data_dir, Key key) {
  Dataset data = config.base == "mnist" ? load_mnist_like("mnist", data_dir) : load_digits();
  if (data.test.size() == 0) {
    const Index held_out = data.train.size() / 10 + 1;
    data.train = data.train.subset(ad::permutation(key.fold("split"), data.train.size()));
    data.test = data.train.cut_last(held_out);
    data.validation = data.train.cut_last(held_out);
  } else {
    data.validation = data.train.cut_last(data.test.size());
  }
  for (auto [split, name] : {std::pair{&data.train, "train"}, {&data.validation, "validation"}, {&data.test, "test"}})
    *split = render(*split, data.shape, data.classes, config.count, key.fold(name));
  for (Index m = 0; m < config.count; ++m)
    data.modalities.push_back({kBackgrounds[static_cast<std::size_t>(m)].name, m * data.shape.size(), data.shape});
  data.shape.height *= config.count;
  return data;
}

}  // namespace vaezoo
