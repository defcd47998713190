#pragma once
// A coloured object in a coloured room with the factors of 3dshapes (Burgess & Kim 2018), drawn by our own ray caster.
#include "datasets/factors.hpp"

namespace vaezoo {

/// floor_hue, wall_hue, object_hue (10 each, fractions of a turn of the colour circle), scale (8 values, 0.75 to 1.25), shape
/// (cube, cylinder, sphere, capsule), orientation (15 angles, -30 to 30 degrees, of the room and the object around the vertical
/// axis through the object): 480000 images in 3dshapes' order, the floor's hue slowest and the orientation fastest.
const std::vector<Factor>& shapes3d_factors();
enum class Solid { cube, cylinder, sphere, capsule };

/// Fills pixels [side, side, 3] with sRGB bytes. Camera and lamp stand still; surfaces are matt (Lambert) with ambient light and
/// pure hues, without shadows. Pixels that show one surface are the mean of their four corners, others that of 16 samples.
void render_shapes3d(std::span<const int> tuple, Index side, std::span<std::uint8_t> pixels);

struct Shapes3dConfig : FactorConfig {
  void fields(Fields& f) { FactorConfig::fields(f, shapes3d_factors()); }
};
std::shared_ptr<const Factors> make_shapes3d(const Shapes3dConfig& config);
Dataset load_shapes3d(const Shapes3dConfig& config, Key key);

}  // namespace vaezoo
