#pragma once
// The pictures of a run: samples, reconstructions, the latent map.
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/output/tensorboard.hpp"
#include "experiments/runner/session.hpp"

namespace vaezoo {

/// A picture that was written: a PNG for pixels, an SVG for charts.
struct Picture {
  std::string caption;         ///< one sentence
  std::filesystem::path file;
};

/// Writes into `folder` what the data allow and the configuration asks for, and sends PNGs to TensorBoard too:
///   samples.png          E[x | z], z ~ p(z); for data of two dimensions samples.svg, a scatter over the data
///   reconstructions.png  test examples above their reconstructions from the mean code
///   latent_map.svg       mean codes of test examples, coloured by label; the two principal components when Z > 2
std::vector<Picture> draw_pictures(const Session& session, const std::filesystem::path& folder, std::int64_t step, EventWriter* events);

/// Can examples be shown as pixels: images of one or three channels?
bool shows_pixels(const Dataset& data);
/// Grids of rows [count, D] in the data's units. Images whose numbers leave [0, 1] are shown from the training data's least number, black, to
/// their greatest, white.
Image pixel_grid(const Dataset& data, std::vector<float> rows);
Image pixel_pairs(const Dataset& data, std::vector<float> originals, std::vector<float> reconstructions);

// What follows is in the units of the data: a standardisation is undone.

/// E[x | z] of `count` draws z ~ p(z), [count, D].
std::vector<float> sample_means(const Session& session, Index count, Key key);
/// The first `count` examples of the test split (validation, then training, where there are none) and their reconstructions from the mean
/// code, each [count, D].
struct Reconstructions {
  Split split = Split::test;
  Index count = 0;
  std::vector<float> originals, reconstructions;
};
Reconstructions reconstruct(const Session& session, Index count);
/// Mean codes of at most `limit` examples of a split, [N, Z], and their labels (empty when there are none).
struct Codes {
  Index count = 0, dimensions = 0;
  std::vector<float> codes;
  std::vector<int> labels;
};
Codes encode_split(const Session& session, Split split, Index limit);

}  // namespace vaezoo
