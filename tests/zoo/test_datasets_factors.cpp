#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "config/reader.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

constexpr double kPi = std::numbers::pi;
using Pixels = std::vector<std::uint8_t>;
using Tuple = std::vector<int>;

Pixels sprite(const Tuple& tuple, Index side = 64, bool antialias = true) {
  Pixels pixels(static_cast<std::size_t>(side * side), 77);  // what was there before must not matter
  render_sprite(tuple, side, antialias, pixels);
  return pixels;
}

Pixels room(const Tuple& tuple, Index side = 64) {
  Pixels pixels(static_cast<std::size_t>(3 * side * side), 77);
  render_shapes3d(tuple, side, pixels);
  return pixels;
}

/// Area of a sprite that touches the unit circle. The heart x = 16 sin^3 t = 12 sin t - 4 sin 3t, y = 13 cos t - 5 cos 2t -
/// 2 cos 3t - cos 4t has the area pi (12 * 13 + 3 * 4 * 2) = 180 pi; its tip (0, -17) is farthest from its centre of area.
double unit_area(int shape) {
  if (shape == 0) return 2;
  if (shape == 1) return kPi / 2;
  double moment = 0;  // the integral of y over the area, by the ring integral of -y^2 / 2 dx
  constexpr int kSteps = 10000;
  for (double t : around(2 * kPi, kSteps)) {
    const double y = 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t);
    const double dx = 12 * std::cos(t) - 12 * std::cos(3 * t);
    moment += 0.5 * y * y * dx * 2 * kPi / kSteps;
  }
  const double tip = 17 + moment / (180 * kPi);
  return 180 * kPi / (tip * tip);
}

/// What a picture of one channel weighs.
struct Mass {
  double area = 0, x = 0, y = 0;  // in pixels
  int grey = 0;                   // pixels on the edge
};

Mass mass(const Pixels& pixels, Index side) {
  Mass m;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double part = pixels[i] / 255.0;
    m.area += part;
    m.x += part * (static_cast<double>(static_cast<Index>(i) % side) + 0.5);
    m.y += part * (static_cast<double>(static_cast<Index>(i) / side) + 0.5);
    m.grey += pixels[i] > 0 && pixels[i] < 255;
  }
  m.x /= m.area;
  m.y /= m.area;
  return m;
}

/// The part of a pixel that a square or an ellipse covers, from 64 x 64 points.
double covered_by_points(const Tuple& tuple, Index side, Index row, Index column) {
  const double length = static_cast<double>(side), radius = length * 15 / 64 * (0.5 + 0.1 * tuple[1]);
  const double angle = 2 * kPi * tuple[2] / 40;
  int inside = 0;
  for (int i = 0; i < 64 * 64; ++i) {
    const double x = static_cast<double>(column) + (i % 64 + 0.5) / 64 - length * (0.25 + 0.5 * tuple[3] / 31);
    const double y = length * (0.25 + 0.5 * tuple[4] / 31) - static_cast<double>(row) - (i / 64 + 0.5) / 64;  // upwards
    const double u = (std::cos(angle) * x + std::sin(angle) * y) / radius;
    const double v = (std::cos(angle) * y - std::sin(angle) * x) / radius;
    inside += tuple[0] == 0 ? std::max(std::abs(u), std::abs(v)) <= std::sqrt(0.5) : u * u + 4 * v * v <= 1;
  }
  return inside / 4096.0;
}

/// The hue of a pixel, in tenths of a turn; -1 for grey.
double hue(const Pixels& pixels, Index row, Index column, Index side = 64) {
  const auto i = static_cast<std::size_t>(3 * (row * side + column));
  const double r = pixels[i], g = pixels[i + 1], b = pixels[i + 2];
  const double most = std::max({r, g, b}), range = most - std::min({r, g, b});
  if (range == 0) return -1;
  const double sixths = most == r ? (g - b) / range : most == g ? 2 + (b - r) / range : 4 + (r - g) / range;
  return 10.0 / 6 * (sixths < -0.5 ? sixths + 6 : sixths);
}

/// Which pixels show only the object, in a red room with an object of cyan.
std::vector<bool> object_mask(const Pixels& pixels) {
  std::vector<bool> mask;
  for (std::size_t i = 0; i < pixels.size(); i += 3) mask.push_back(pixels[i] == 0);
  return mask;
}

/// FNV-1a of `count` images of a grid, drawn from a key.
std::uint64_t checksum(const Factors& truth, std::uint64_t count) {
  Pixels pixels(static_cast<std::size_t>(truth.shape().size()));
  std::uint64_t hash = 14695981039346656037u;
  for (std::uint64_t i = 0; i < count; ++i) {
    truth.render(truth.sample(Key(3).fold(i)), pixels);
    for (std::uint8_t byte : pixels) hash = (hash ^ byte) * 1099511628211u;
  }
  return hash;
}

Dataset load(const std::string& json) {
  DatasetConfig config;
  read_config(Document::from_text("{\"dataset\": " + json + "}", "exp.json"),
              [&](Fields& f) { f.one_of("dataset", config.name, config.alternatives(), "the data"); });
  return load_dataset(config, "nowhere");
}

}  // namespace

TEST_CASE("factors: images are numbered as dSprites and 3dshapes number them, and numbers and tuples belong together") {
  const auto sprites = make_sprites({});
  CHECK(sprites->size() == 737280);
  CHECK(sprites->index(Tuple{2, 3, 17, 30, 5}) == (((2 * 6 + 3) * 40 + 17) * 32 + 30) * 32 + 5);
  const auto shapes = make_shapes3d({});
  CHECK(shapes->size() == 480000);
  CHECK(shapes->index(Tuple{9, 1, 2, 7, 3, 14}) == ((((9 * 10 + 1) * 10 + 2) * 8 + 7) * 4 + 3) * 15 + 14);
  for (const auto& truth : {sprites, shapes}) {
    bool same = true;
    for (Index i = 0; i < truth->size(); ++i) same = same && truth->index(truth->tuple(i)) == i;
    CHECK(same);
  }
}

TEST_CASE("factors: what is fixed or given stays, the rest is uniform, and what cannot be is refused") {
  SpritesConfig config;
  config.shape = "heart";
  config.fix[1] = 5;
  const auto truth = make_sprites(config);
  CHECK(truth->size() == 40 * 32 * 32);
  CHECK(truth->varying() == Tuple{2, 3, 4});
  CHECK(truth->condition_names() == std::vector<std::string>{"orientation", "x", "y"});
  for (Index i = 0; i < truth->size(); i += 37) {
    const Tuple tuple = truth->tuple(i);
    REQUIRE(truth->index(tuple) == i);
    REQUIRE(tuple[0] == 2);
    REQUIRE(tuple[1] == 5);
  }
  constexpr int kFree = Factors::kFree, kDraws = 4000;
  std::vector<int> counts(40);
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const Tuple tuple = truth->sample(Key(1).fold(i), Tuple{kFree, kFree, kFree, 7, kFree});
    REQUIRE((tuple[0] == 2 && tuple[1] == 5 && tuple[3] == 7));
    ++counts[static_cast<std::size_t>(tuple[2])];
  }
  double chi_squared = 0;
  for (int count : counts) chi_squared += (count - kDraws / 40) * (count - kDraws / 40) / (kDraws / 40.0);
  CHECK(std::abs(chi_squared - 39) < 4 * std::sqrt(2 * 39.0));  // mean 39, variance 78
  CHECK(truth->sample(Key(5)) == truth->sample(Key(5)));
  CHECK(truth->sample(Key(5)) != truth->sample(Key(6)));
  CHECK_THROWS_AS(truth->sample(Key(1), Tuple{1, kFree, kFree, kFree, kFree}), ad::Error);
  CHECK_THROWS_AS(truth->index(Tuple{2, 5, 40, 0, 0}), ad::Error);
  CHECK_THROWS_AS(truth->index(Tuple{2, 5, 0}), ad::Error);
  CHECK_THROWS_AS(truth->tuple(truth->size()), ad::Error);
}

TEST_CASE("factors: conditions go from 0 to 1, and around a circle one step short of it") {
  const auto truth = make_sprites({});
  std::vector<Real> first(5), last(5);
  truth->conditions(Tuple{0, 0, 0, 0, 0}, first);
  truth->conditions(Tuple{2, 5, 39, 31, 31}, last);
  CHECK(first == std::vector<Real>(5));
  CHECK(last == std::vector<Real>{1, 1, Real(39) / 40, 1, 1});
}

TEST_CASE("sprites: a pixel is as bright as the part of it that the shape covers") {
  // 64 x 64 points miss up to 1 / 64 of a pixel beside an upright edge, and a pixel at the corner of a square has two of them.
  // The ellipse's chords lie at most 1 - cos(pi / 128) = 3e-4 of the radius inside, 5e-3 of a pixel.
  const double tolerance = 255 * 2.0 / 64;
  for (const Tuple& tuple :
       {Tuple{0, 0, 0, 3, 8}, {0, 5, 7, 31, 0}, {0, 3, 15, 11, 20}, {1, 5, 0, 16, 16}, {1, 2, 13, 0, 31}, {1, 0, 31, 9, 4}}) {
    for (Index side : {Index{64}, Index{28}}) {
      const Pixels pixels = sprite(tuple, side);
      const Pixels binary = sprite(tuple, side, false);
      double worst = 0;
      for (Index i = 0; i < side * side; ++i) {
        const int byte = pixels[static_cast<std::size_t>(i)];
        worst = std::max(worst, std::abs(byte - 255 * covered_by_points(tuple, side, i / side, i % side)));
        REQUIRE(binary[static_cast<std::size_t>(i)] == (byte >= 128));
      }
      CHECK(worst < tolerance);
    }
  }
}

TEST_CASE("sprites: the area is scale^2 times the area at scale 1, wherever the shape is, so nothing leaves the frame") {
  for (Index side : {Index{64}, Index{32}, Index{28}}) {
    for (int shape = 0; shape < 3; ++shape) {
      // Of each curve 128 chords leave out (2 pi / 128)^2 / 6 = 4e-4 of an ellipse and less than 1e-3 of the heart.
      const double chords = shape == 0 ? 1e-9 : 1e-3;
      for (int scale = 0; scale < 6; ++scale) {
        for (int orientation = 0; orientation < 40; ++orientation) {
          const double radius = static_cast<double>(side) * 15 / 64 * (0.5 + 0.1 * scale);
          const double area = unit_area(shape) * radius * radius;
          for (const auto& [x, y] : {std::pair{0, 0}, {31, 0}, {0, 31}, {31, 31}, {13, 18}}) {
            const Mass m = mass(sprite({shape, scale, orientation, x, y}, side), side);
            REQUIRE(std::abs(m.area - area) <= m.grey * 0.5 / 255 + chords * area);  // each byte on the edge is rounded
          }
        }
      }
    }
  }
}

TEST_CASE("sprites: the frame of 64 x 64 pixels has a black border of a pixel, even around the largest shapes in the corners") {
  for (int shape = 0; shape < 3; ++shape) {
    for (int orientation = 0; orientation < 40; ++orientation) {
      for (const auto& [x, y] : {std::pair{0, 0}, {31, 0}, {0, 31}, {31, 31}}) {
        const Pixels pixels = sprite({shape, 5, orientation, x, y});
        int sum = 0;
        for (std::size_t i = 0; i < 64; ++i) sum += pixels[i] + pixels[63 * 64 + i] + pixels[64 * i] + pixels[64 * i + 63];
        REQUIRE(sum == 0);
      }
    }
  }
}

TEST_CASE("sprites: the centre of mass moves linearly with x and y") {
  for (int shape = 0; shape < 3; ++shape) {
    for (int orientation : {0, 3, 11}) {
      for (int k = 0; k < 32; ++k) {
        const Mass m = mass(sprite({shape, k % 6, orientation, k, 31 - k}), 64);
        // A pixel on the edge with the part p counts in its middle, p (1 - p) / 2 <= 1 / 8 beside where it is, and is rounded.
        const double radius = 15 * (0.5 + 0.1 * (k % 6)), tolerance = m.grey * (0.125 + radius * 0.5 / 255) / m.area;
        CHECK(std::abs(m.x - (16 + 32.0 * k / 31)) < tolerance);
        CHECK(std::abs(m.y - (16 + 32.0 * (31 - k) / 31)) < tolerance);
      }
    }
  }
}

TEST_CASE("sprites: a square turned by 90 degrees and an ellipse turned by 180 are the same image") {
  for (int k = 0; k < 10; ++k) {
    const Tuple square = {0, k % 6, k, 3 * k, 31 - k}, ellipse = {1, k % 6, k, 3 * k, 31 - k};
    const auto turned = [](Tuple tuple, int steps) {
      tuple[2] += steps;
      return tuple;
    };
    for (int steps : {10, 20, 30}) CHECK(sprite(turned(square, steps)) == sprite(square));
    CHECK(sprite(turned(ellipse, 20)) == sprite(ellipse));
    CHECK(sprite(turned(square, 5)) != sprite(square));
    CHECK(sprite(turned(ellipse, 10)) != sprite(ellipse));
  }
}

TEST_CASE("sprites: the heart stands on its tip and turns anticlockwise") {
  // Position 31 is the centre (48, 48), and the tip is 15 pixels from it; the notch on the other side is nearer than 12.
  const auto lit = [](int orientation, std::size_t row, std::size_t column) {
    return sprite({2, 5, orientation, 31, 31})[row * 64 + column] > 128;
  };
  for (const auto& [orientation, dx, dy] : {std::tuple{0, 0, 1}, {10, 1, 0}, {20, 0, -1}, {30, -1, 0}}) {
    const auto at = [](int centre, int step) { return static_cast<std::size_t>(centre + step); };
    CHECK(lit(orientation, at(48, 12 * dy), at(48, 12 * dx)));
    CHECK_FALSE(lit(orientation, at(48, -12 * dy), at(48, -12 * dx)));
  }
}

TEST_CASE("shapes3d: floor, wall and object have their hues") {
  for (int k = 0; k < 10; ++k) {
    const int floor = k, wall = (k + 3) % 10, object = (3 * k + 6) % 10;
    for (int shape = 0; shape < 4; ++shape) {
      const Pixels pixels = room({floor, wall, object, (k + shape) % 8, shape, (5 * k + shape) % 15});
      // Bytes of at least 40 are rounded: the hue errs by less than 1 / 40 of a sixth of a turn, 0.05 tenths.
      for (Index column : {0, 63}) {
        CHECK(std::abs(hue(pixels, 63, column) - floor) < 0.05);
        CHECK(std::abs(hue(pixels, 0, column) - wall) < 0.05);
      }
      CHECK(std::abs(hue(pixels, 36, 32) - object) < 0.05);
    }
  }
}

TEST_CASE("shapes3d: round objects look the same from all sides while the room turns; a cube turns with it") {
  for (int shape = 0; shape < 4; ++shape) {
    for (int scale : {0, 7}) {
      const Pixels straight = room({0, 0, 5, scale, shape, 7});
      const std::vector<bool> mask = object_mask(straight);
      for (int orientation = 0; orientation < 15; ++orientation) {
        if (orientation == 7) continue;
        const Pixels turned = room({0, 0, 5, scale, shape, orientation});
        bool same_object = object_mask(turned) == mask, same_room = true;
        for (std::size_t i = 0; i < straight.size(); ++i) (mask[i / 3] ? same_object : same_room) &= straight[i] == turned[i];
        CHECK(same_object == (static_cast<Solid>(shape) != Solid::cube));
        CHECK_FALSE(same_room);
      }
    }
  }
}

TEST_CASE("shapes3d: objects are symmetric, larger at larger scales, and stay inside the picture") {
  for (Index side : {Index{64}, Index{28}}) {
    for (int shape = 0; shape < 4; ++shape) {
      long before = 0;
      for (int scale = 0; scale < 8; ++scale) {
        const std::vector<bool> mask = object_mask(room({0, 0, 5, scale, shape, 7}, side));
        const auto at = [&](Index row, Index column) { return mask[static_cast<std::size_t>(row * side + column)]; };
        bool symmetric = true, border = false;
        for (Index row = 0; row < side; ++row) {
          border = border || at(0, row) || at(side - 1, row) || at(row, 0) || at(row, side - 1);
          for (Index column = 0; column < side; ++column) symmetric = symmetric && at(row, column) == at(row, side - 1 - column);
        }
        CHECK(symmetric);
        CHECK_FALSE(border);
        const long pixels = std::count(mask.begin(), mask.end(), true);
        CHECK(pixels > before);
        before = pixels;
      }
    }
  }
}

TEST_CASE("generated images have the same bytes on every machine: those that they had when this was written") {
  SpritesConfig binary;
  binary.antialias = false;
  CHECK(checksum(*make_sprites({}), 2000) == 6700938928824354974u);
  CHECK(checksum(*make_sprites(binary), 2000) == 5792697199496369687u);
  CHECK(checksum(*make_shapes3d({}), 500) == 6269381901829931506u);
}

TEST_CASE("generated data sets hold what their factors say, draw without replacement and have the same bits on any threads") {
  for (const char* json : {R"({"name": "sprites", "examples": 400, "fix": {"orientation": 3, "x": 5}, "size": 32})",
                           R"({"name": "shapes3d", "examples": 400, "fix": {"shape": "sphere", "floor_hue": 1}, "size": 16})"}) {
    const Dataset data = load(json);
    REQUIRE(data.factors != nullptr);
    CHECK(data.is_image);
    CHECK(data.levels == 256);
    CHECK(data.unit_range);
    CHECK(data.train.size() == 320);
    CHECK(data.train.is_lazy());
    CHECK(data.condition_names == data.factors->condition_names());
    std::set<Index> seen;
    for (Split split : {Split::train, Split::validation, Split::test}) {
      const Examples& part = data.split(split);
      for (Index i = 0; i < part.size(); ++i) {
        Tuple tuple = data.factors->fixed();  // found again from the conditions
        for (std::size_t c = 0; c < data.condition_names.size(); ++c) {
          const auto which = static_cast<std::size_t>(data.factors->varying()[c]);
          const Factor& factor = data.factors->factors()[which];
          const Real steps = static_cast<Real>(factor.circular ? factor.count() : factor.count() - 1);
          tuple[which] = static_cast<int>(std::lround(part.conditions(i)[c] * steps));
        }
        seen.insert(data.factors->index(tuple));
        const std::size_t shape = data.name == "sprites" ? 0 : 4;
        REQUIRE(part.labels()[static_cast<std::size_t>(i)] == tuple[shape]);
        std::vector<Real> x(static_cast<std::size_t>(part.item_size()));
        data.factors->render(tuple, x);
        REQUIRE(x == row(part, i));
      }
    }
    CHECK(seen.size() == 400);

    const int threads = ad::threads();
    std::vector<Index> rows(static_cast<std::size_t>(data.train.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(i);
    std::vector<Real> one(rows.size() * static_cast<std::size_t>(data.train.item_size())), many = one;
    ad::set_threads(1);
    data.train.gather(rows, one);
    ad::set_threads(4);
    data.train.gather(rows, many);
    ad::set_threads(threads);
    CHECK(one == many);
  }
}

TEST_CASE("generated data sets: 60000 images for training, or all that there are; binary ones have two levels") {
  const Dataset usual = load(R"("sprites")");
  CHECK(usual.train.size() == 60000);
  CHECK(usual.test.size() == 7500);
  CHECK(usual.shape == ItemShape{64, 64, 1});
  CHECK(usual.class_names == std::vector<std::string>{"square", "ellipse", "heart"});
  const Dataset few = load(
      R"({"name": "sprites", "fix": {"shape": "heart", "scale": 5}, "antialias": false, "test": 0, "validation": 0})");
  CHECK(few.train.size() == 40 * 32 * 32);
  CHECK(few.levels == 2);
  CHECK(few.condition_names.size() == 3);
  const Dataset all = load(R"({"name": "shapes3d", "examples": 0, "validation": 0, "test": 5000})");
  CHECK(all.train.size() == 475000);
  CHECK(all.classes == 4);
  CHECK(all.shape == ItemShape{64, 64, 3});
  CHECK(row(load(R"({"name": "sprites", "seed": 1})").train, 0) != row(usual.train, 0));
}

TEST_CASE("generated data sets refuse what cannot be in one sentence") {
  struct Case {
    const char *json, *sentence;
  };
  const Case cases[] = {
      {R"({"name": "sprites", "fix": {"shape": "circle"}})", "dataset.fix.shape"},
      {R"({"name": "sprites", "fix": {"scale": 6}})", "dataset.fix.scale"},
      {R"({"name": "sprites", "fix": {"colour": 0}})", "dataset.fix.colour: unknown key"},
      {R"({"name": "shapes3d", "antialias": false})", "dataset.antialias: unknown key"},
      {R"({"name": "shapes3d", "size": 8})", "dataset.size"},
      {R"({"name": "sprites", "fix": {"x": 0, "y": 0}, "examples": 721})",
       "dataset.examples: 721 images were asked for, but the factors that vary make 720; 0 takes all of them"},
  };
  for (const Case& c : cases) {
    std::string error;
    try {
      load(c.json);
    } catch (const ConfigError& e) {
      error = e.what();
    }
    CAPTURE(error);
    CHECK(contains(error, c.sentence));
  }
}
