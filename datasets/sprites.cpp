#include "datasets/sprites.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vaezoo {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr int kOutlinePoints = 128;  // a curve of so many chords loses 4e-4 of its area: less than rounding to bytes
constexpr double kLargestRadius = 15.0 / 64, kMargin = 0.25;
// Coverage is computed in double, whose last bits may differ between machines (fused multiply-add, sine). So that a value that is
// exactly a tie, as symmetric shapes have them, rounds up on all of them, ties begin a little early.
constexpr double kTie = 1e-9;

struct Point {
  double x, y;
};
using Outline = std::vector<Point>;  // y points up

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Moves the centre of area to 0 and scales the farthest point to distance 1.
Outline normalized(Outline outline) {
  double area = 0, x = 0, y = 0;  // twice the area, and six times its moments
  for (std::size_t i = 0; i < outline.size(); ++i) {
    const Point a = outline[i], b = outline[(i + 1) % outline.size()];
    const double cross = a.x * b.y - b.x * a.y;
    area += cross;
    x += (a.x + b.x) * cross;
    y += (a.y + b.y) * cross;
  }
  double farthest = 0;
  for (Point& p : outline) {
    p = {p.x - x / (3 * area), p.y - y / (3 * area)};
    farthest = std::max(farthest, std::hypot(p.x, p.y));
  }
  for (Point& p : outline) p = {p.x / farthest, p.y / farthest};
  return outline;
}

template <class Curve>
Outline sampled(Curve curve) {
  Outline outline;
  for (double t : around(2 * kPi, kOutlinePoints)) outline.push_back(curve(t));
  return normalized(std::move(outline));
}

/// The shape at orientation 0, inside the unit circle.
const Outline& unit_outline(Sprite shape) {
  static const Outline kSquare = normalized({{1, 1}, {-1, 1}, {-1, -1}, {1, -1}});
  static const Outline kEllipse = sampled([](double t) { return Point{2 * std::cos(t), std::sin(t)}; });
  static const Outline kHeart = sampled([](double t) {
    const double s = std::sin(t);
    return Point{16 * s * s * s, 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t)};
  });
  return shape == Sprite::square ? kSquare : shape == Sprite::ellipse ? kEllipse : kHeart;
}

/// Exact coverage of a window of pixels by polygons, by the signed areas of what lies to the right of each edge: edges on the
/// left of the inside count positive, those on its right negative (or the other way round), so that only the inside remains.
class Coverage {
 public:
  /// `rows` x `columns` pixels from (left, top); all edges must lie inside.
  Coverage(Index left, Index top, Index columns, Index rows)
      : left_(left), top_(top), stride_(columns + 1), sums_(at(rows * stride_)) {}

  void add_edge(Point from, Point to) {
    if (from.y == to.y) return;
    const double sign = from.y < to.y ? 1 : -1;
    if (sign < 0) std::swap(from, to);
    const double slope = (to.x - from.x) / (to.y - from.y);
    Point a = from;
    for (auto row = static_cast<Index>(std::floor(from.y)); a.y < to.y; ++row) {
      const double y = std::min(static_cast<double>(row + 1), to.y);
      const Point b = {y == to.y ? to.x : from.x + slope * (y - from.y), y};
      add_in_row(sums_.data() + (row - top_) * stride_ - left_, a.x, b.x, sign * (b.y - a.y));
      a = b;
    }
  }

  /// The covered part of the pixels of a row, from left to right.
  template <class Write>
  void each_in_row(Index row, Write write) const {
    double covered = 0;
    for (Index c = 0; c + 1 < stride_; ++c) {
      covered += sums_[at(row * stride_ + c)];
      write(c, std::abs(covered));
    }
  }

 private:
  /// The integral of clamp(v, 0, 1) over v from 0 to u.
  static double ramp(double u) { return u <= 0 ? 0 : u >= 1 ? u - 0.5 : 0.5 * u * u; }

  /// A piece of an edge from xa to xb that is `height` high: sums of the row hold the change from each pixel to the next.
  static void add_in_row(double* sums, double xa, double xb, double height) {
    const double low = std::min(xa, xb), width = std::max(xa, xb) - low, middle = 0.5 * (xa + xb);
    double before = 0;
    for (auto column = static_cast<Index>(std::floor(low)); before < 1; ++column) {
      const double end = static_cast<double>(column + 1);
      // The mean over the piece of how much of the pixel lies to its right. For a steep piece the quotient would cancel.
      const double right = end >= low + width + 1 ? 1
                           : width < 1e-6        ? std::clamp(end - middle, 0.0, 1.0)
                                                 : (ramp(end - low) - ramp(end - low - width)) / width;
      sums[column] += height * (right - before);
      before = right;
    }
  }

  Index left_, top_, stride_;
  std::vector<double> sums_;
};

}  // namespace

const std::vector<Factor>& sprite_factors() {
  static const std::vector<Factor> kFactors = {{"shape", {0, 1, 2}, {"square", "ellipse", "heart"}},
                                               {"scale", evenly(0.5, 1, 6)},
                                               {"orientation", around(2 * kPi, 40), {}, true},
                                               {"x", evenly(0, 1, 32)},
                                               {"y", evenly(0, 1, 32)}};
  return kFactors;
}

SpriteGeometry sprite_geometry(std::span<const int> tuple, Index side) {
  const std::vector<Factor>& factors = sprite_factors();
  const auto value = [&](std::size_t i) { return factors[i].values[at(tuple[i])]; };
  const double length = static_cast<double>(side);
  const auto place = [&](double along) { return length * (kMargin + (1 - 2 * kMargin) * along); };
  return {place(value(3)), place(value(4)), length * kLargestRadius * value(1)};
}

void render_sprite(std::span<const int> tuple, Index side, bool antialias, std::span<std::uint8_t> pixels) {
  const auto [centre_x, centre_y, radius] = sprite_geometry(tuple, side);
  const double angle = sprite_factors()[2].values[at(tuple[2])];
  const double c = radius * std::cos(angle), s = radius * std::sin(angle);
  const Outline& unit = unit_outline(static_cast<Sprite>(tuple[0]));
  const auto place = [&, cx = centre_x, cy = centre_y](Point p) { return Point{cx + c * p.x - s * p.y, cy - s * p.x - c * p.y}; };

  const auto first = [r = radius](double centre) { return static_cast<Index>(std::floor(centre - r - kTie)); };
  const auto end = [r = radius](double centre) { return static_cast<Index>(std::ceil(centre + r + kTie)); };
  const Index left = first(centre_x), top = first(centre_y), bottom = end(centre_y);
  Coverage coverage(left, top, end(centre_x) - left, bottom - top);
  Point from = place(unit.back());
  for (const Point& corner : unit) {
    const Point to = place(corner);
    coverage.add_edge(from, to);
    from = to;
  }

  std::fill(pixels.begin(), pixels.end(), std::uint8_t{0});
  for (Index row = top; row < bottom; ++row) {
    std::uint8_t* out = pixels.data() + row * side + left;
    coverage.each_in_row(row - top, [&](Index column, double covered) {
      out[column] = antialias ? static_cast<std::uint8_t>(255 * covered + 0.5 + kTie) : covered >= 0.5 - kTie;
    });
  }
}

void SpritesConfig::fields(Fields& f) {
  f("antialias", antialias, "true: edges are grey, by how much of a pixel is covered; false: pixels are 0 or 1");
  FactorConfig::fields(f, sprite_factors());
}

std::shared_ptr<const Factors> make_sprites(const SpritesConfig& config) {
  const Index side = config.size;
  const bool antialias = config.antialias;
  return std::make_shared<const Factors>(
      sprite_factors(), ItemShape{side, side, 1}, antialias ? 255 : 1,
      [=](std::span<const int> tuple, std::span<std::uint8_t> pixels) { render_sprite(tuple, side, antialias, pixels); },
      config.fixed(sprite_factors()));
}

Dataset load_sprites(const SpritesConfig& config, Key key) {
  Dataset data = load_factors(make_sprites(config), config.examples, key);
  data.provenance = "drawn by vaezoo, with the factors of dSprites (L. Matthey, I. Higgins, D. Hassabis and A. Lerchner, 2017)";
  return data;
}

}  // namespace vaezoo
