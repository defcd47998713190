#include "datasets/shapes3d.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace vaezoo {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kTie = 1e-9;  // ties round up on every machine, though the last bits of doubles may differ

struct Vec {
  double x = 0, y = 0, z = 0;
  friend Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vec operator*(double s, Vec a) { return {s * a.x, s * a.y, s * a.z}; }
};
double dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
Vec unit(Vec a) { return 1 / std::sqrt(dot(a, a)) * a; }

// The room is the square |x|, |z| <= kRoom with endless walls; the floor is y = 0 and the object stands on it at x = z = 0.
constexpr double kRoom = 5.2;
constexpr double kCameraDistance = 4.8, kCameraHeight = 2.3, kTarget = 0.9;  // it looks at the point (0, kTarget, 0)
constexpr double kHalfView = 0.36;  // tangent of half the angle of view
constexpr double kAmbient = 0.35, kDiffuse = 0.65;
constexpr double kRoomReflects = 0.8;     // less than the object, which stands out so where hues are equal
constexpr Vec kLamp = {-0.4, 0.9, 0.65};  // its direction: left, above, behind the camera
constexpr int kFine = 4;                  // a pixel of several faces takes kFine^2 samples

// Half sides, radii and heights of the objects at scale 1.
constexpr double kCubeHalf = 0.7;
constexpr double kCylinderRadius = 0.72, kCylinderHeight = 1.5;
constexpr double kSphereRadius = 0.9;
constexpr double kCapsuleRadius = 0.6, kCapsuleHeight = 2.0;

/// Turns a vector by `angle` around the vertical axis.
Vec turned(Vec a, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  return {c * a.x + s * a.z, a.y, c * a.z - s * a.x};
}

/// The pure colour at `hue` of a turn: red, yellow, green, cyan, blue, magenta at 0/6 .. 5/6, linear between.
Vec colour_of(double hue) {
  const auto channel = [hue](double peak) {
    const double away = std::abs(hue - peak - std::round(hue - peak));  // distance on the circle
    return std::clamp(2 - 6 * away, 0.0, 1.0);
  };
  return {channel(0), channel(1.0 / 3), channel(2.0 / 3)};
}

struct Ray {
  Vec from, along;
  Vec at(double t) const { return from + t * along; }
};

/// Where a ray first meets something. Faces between which the brightness jumps have different numbers.
struct Hit {
  double t;
  Vec normal;
  int face;
};
enum Face { kFloor, kWallX, kWallZ, kObject };  // the object's further faces follow

void meet(Hit& nearest, double t, Vec normal, int face) {
  if (t > 0 && t < nearest.t) nearest = {t, normal, face};
}

/// Floor or wall: what every ray meets at last. A ray along a wall is infinitely far from it, in front or behind.
Hit room(const Ray& ray) {
  const auto wall = [](double from, double along) { return ((along > 0 ? kRoom : -kRoom) - from) / along; };
  Hit hit{std::numeric_limits<double>::infinity(), {}, kFloor};
  meet(hit, wall(ray.from.x, ray.along.x), {ray.along.x > 0 ? -1.0 : 1.0, 0, 0}, kWallX);
  meet(hit, wall(ray.from.z, ray.along.z), {0, 0, ray.along.z > 0 ? -1.0 : 1.0}, kWallZ);
  if (ray.along.y < 0) meet(hit, -ray.from.y / ray.along.y, {0, 1, 0}, kFloor);
  return hit;
}

/// The smaller root of a t^2 + 2 b t + c, where a ray enters; 0 when there is none.
double entry(double a, double b, double c) {
  const double discriminant = b * b - a * c;
  return discriminant > 0 ? (-b - std::sqrt(discriminant)) / a : 0;
}

void sphere(Hit& nearest, const Ray& ray, double height, double radius) {
  const Vec from = ray.from - Vec{0, height, 0};
  const double t = entry(dot(ray.along, ray.along), dot(ray.along, from), dot(from, from) - radius * radius);
  if (t > 0) meet(nearest, t, 1 / radius * (from + t * ray.along), kObject);
}

/// The side of an upright cylinder between two heights.
void tube(Hit& nearest, const Ray& ray, double low, double high, double radius) {
  const auto flat = [](Vec a, Vec b) { return a.x * b.x + a.z * b.z; };
  const double t = entry(flat(ray.along, ray.along), flat(ray.along, ray.from), flat(ray.from, ray.from) - radius * radius);
  const Vec point = ray.at(t);
  if (t > 0 && point.y >= low && point.y <= high) meet(nearest, t, {point.x / radius, 0, point.z / radius}, kObject);
}

void lid(Hit& nearest, const Ray& ray, double height, double radius) {
  const double t = (height - ray.from.y) / ray.along.y;
  const Vec point = ray.at(t);
  if (point.x * point.x + point.z * point.z <= radius * radius) meet(nearest, t, {0, 1, 0}, kObject + 1);
}

void cube(Hit& nearest, const Ray& ray, double half) {
  const Vec from = ray.from - Vec{0, half, 0};
  // Between which t the ray is between two opposite faces; of parallel ones always (-inf, inf) or never (two equal infinities).
  const auto between_faces = [half](double origin, double along) {
    const double a = (-half - origin) / along, b = (half - origin) / along;
    return std::pair(std::min(a, b), std::max(a, b));
  };
  const auto [x, x_end] = between_faces(from.x, ray.along.x);
  const auto [y, y_end] = between_faces(from.y, ray.along.y);
  const auto [z, z_end] = between_faces(from.z, ray.along.z);
  const double begin = std::max({x, y, z}), end = std::min({x_end, y_end, z_end});
  if (begin >= end) return;
  const auto against = [](double along) { return along > 0 ? -1.0 : 1.0; };
  if (begin == x) return meet(nearest, x, {against(ray.along.x), 0, 0}, kObject);
  if (begin == y) return meet(nearest, y, {0, against(ray.along.y), 0}, kObject + 1);
  meet(nearest, z, {0, 0, against(ray.along.z)}, kObject + 2);
}

struct Sample {
  Vec colour;
  int face = 0;
};

/// What the camera sees. The room stands still; camera and lamp turn the other way.
class Scene {
 public:
  explicit Scene(std::span<const int> tuple) {
    const std::vector<Factor>& factors = shapes3d_factors();
    const auto value = [&](std::size_t i) { return factors[i].values[static_cast<std::size_t>(tuple[i])]; };
    floor_ = kRoomReflects * colour_of(value(0));
    wall_ = kRoomReflects * colour_of(value(1));
    object_ = colour_of(value(2));
    scale_ = value(3);
    solid_ = static_cast<Solid>(tuple[4]);
    const double angle = -value(5) * kPi / 180;
    camera_ = turned({0, kCameraHeight, kCameraDistance}, angle);
    lamp_ = turned(unit(kLamp), angle);
    forward_ = unit(Vec{0, kTarget, 0} - camera_);
    right_ = turned({1, 0, 0}, angle);
    up_ = {right_.y * forward_.z - right_.z * forward_.y, right_.z * forward_.x - right_.x * forward_.z,
           right_.x * forward_.y - right_.y * forward_.x};
  }

  /// The colour at (x, y) in [0, 1] from the top left of the image.
  Sample look(double x, double y) const {
    const Ray ray{camera_, forward_ + (2 * x - 1) * kHalfView * right_ + (1 - 2 * y) * kHalfView * up_};
    Hit hit = room(ray);
    meet_object(hit, ray);
    const Vec colour = hit.face == kFloor ? floor_ : hit.face < kObject ? wall_ : object_;
    return {(kAmbient + kDiffuse * std::max(0.0, dot(hit.normal, lamp_))) * colour, hit.face};
  }

 private:
  void meet_object(Hit& hit, const Ray& ray) const {
    const double s = scale_;
    switch (solid_) {
      case Solid::cube:
        return cube(hit, ray, s * kCubeHalf);
      case Solid::cylinder:
        tube(hit, ray, 0, s * kCylinderHeight, s * kCylinderRadius);
        return lid(hit, ray, s * kCylinderHeight, s * kCylinderRadius);
      case Solid::sphere:
        return sphere(hit, ray, s * kSphereRadius, s * kSphereRadius);
      case Solid::capsule:
        const double r = s * kCapsuleRadius, top = s * (kCapsuleHeight - kCapsuleRadius);
        tube(hit, ray, r, top, r);
        sphere(hit, ray, r, r);
        return sphere(hit, ray, top, r);
    }
  }

  Vec floor_, wall_, object_, camera_, lamp_, forward_, right_, up_;
  double scale_;
  Solid solid_;
};

}  // namespace

const std::vector<Factor>& shapes3d_factors() {
  static const std::vector<Factor> kFactors = {{"floor_hue", around(1, 10), {}, true},
                                               {"wall_hue", around(1, 10), {}, true},
                                               {"object_hue", around(1, 10), {}, true},
                                               {"scale", evenly(0.75, 1.25, 8)},
                                               {"shape", {0, 1, 2, 3}, {"cube", "cylinder", "sphere", "capsule"}},
                                               {"orientation", evenly(-30, 30, 15)}};
  return kFactors;
}

void render_shapes3d(std::span<const int> tuple, Index side, std::span<std::uint8_t> pixels) {
  const Scene scene(tuple);
  const auto corners = static_cast<std::size_t>(side + 1);
  const double step = 1 / static_cast<double>(side);
  std::vector<Sample> above(corners), below(corners);
  const auto look_along = [&](Index row, std::vector<Sample>& line) {
    for (Index column = 0; column <= side; ++column) {
      line[static_cast<std::size_t>(column)] = scene.look(static_cast<double>(column) * step, static_cast<double>(row) * step);
    }
  };
  const auto look_closely = [&](Index row, Index column) {
    Vec sum;
    for (int i = 0; i < kFine * kFine; ++i) {
      const double x = static_cast<double>(column) + (i % kFine + 0.5) / kFine;
      const double y = static_cast<double>(row) + (i / kFine + 0.5) / kFine;
      sum = sum + scene.look(x * step, y * step).colour;
    }
    return 1.0 / (kFine * kFine) * sum;
  };

  auto out = pixels.begin();
  look_along(0, below);
  for (Index row = 0; row < side; ++row) {
    above.swap(below);
    look_along(row + 1, below);
    for (Index column = 0; column < side; ++column) {
      const auto c = static_cast<std::size_t>(column);
      const Sample &a = above[c], &b = above[c + 1], &d = below[c], &e = below[c + 1];
      const bool one_face = a.face == b.face && a.face == d.face && a.face == e.face;
      const Vec mean = one_face ? 0.25 * (a.colour + b.colour + d.colour + e.colour) : look_closely(row, column);
      for (double channel : {mean.x, mean.y, mean.z}) *out++ = static_cast<std::uint8_t>(255 * channel + 0.5 + kTie);
    }
  }
}

std::shared_ptr<const Factors> make_shapes3d(const Shapes3dConfig& config) {
  const Index side = config.size;
  return std::make_shared<const Factors>(
      shapes3d_factors(), ItemShape{side, side, 3}, 255,
      [=](std::span<const int> tuple, std::span<std::uint8_t> pixels) { render_shapes3d(tuple, side, pixels); },
      config.fixed(shapes3d_factors()));
}

Dataset load_shapes3d(const Shapes3dConfig& config, Key key) {
  Dataset data = load_factors(make_shapes3d(config), config.examples, key);
  data.provenance = "drawn by vaezoo, with the factors of 3dshapes (C. Burgess and H. Kim, 2018)";
  return data;
}

}  // namespace vaezoo
