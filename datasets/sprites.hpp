#pragma once
// White shapes on black with the factors of dSprites (Matthey, Higgins, Hassabis, Lerchner 2017), drawn by our own renderer.
#include "datasets/factors.hpp"

namespace vaezoo {

/// shape (square, ellipse, heart), scale (6 values, 0.5 to 1), orientation (40 angles of a full turn, in radians, anticlockwise),
/// x (32 values) and y (32, downwards), each from 0 to 1: 737280 images in dSprites' order, the shape slowest and y fastest.
/// dSprites' own 40 angles count both 0 and 2 pi; here 2 pi is left out, so that no two angles are the same.
const std::vector<Factor>& sprite_factors();
enum class Sprite { square, ellipse, heart };

/// In pixels of an image with `side` pixels along each side: the centre of area moves from side / 4 to 3 side / 4 with x and y,
/// and at scale 1 every shape touches a circle of radius 15/64 side around it, which stays inside the frame.
struct SpriteGeometry {
  double centre_x, centre_y, radius;
};
SpriteGeometry sprite_geometry(std::span<const int> tuple, Index side);

/// Fills pixels [side, side] with how much of each pixel the shape covers: exactly, rounded to bytes 0 .. 255, or, when not
/// antialiased, 1 where it is at least half and 0 elsewhere.
void render_sprite(std::span<const int> tuple, Index side, bool antialias, std::span<std::uint8_t> pixels);

struct SpritesConfig : FactorConfig {
  bool antialias = true;
  void fields(Fields& f);
};
std::shared_ptr<const Factors> make_sprites(const SpritesConfig& config);
Dataset load_sprites(const SpritesConfig& config, Key key);

}  // namespace vaezoo
