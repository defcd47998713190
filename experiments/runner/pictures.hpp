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
///   samples.png          E[x | z], z ~ p(z); for data of two dimensions samples.svg, a scatter beside the data
///   reconstructions.png  test examples above their reconstructions from the mean code
///   latent_map.svg       mean codes of test examples, coloured by label; the two principal components when Z > 2
std::vector<Picture> draw_pictures(const Session& session, const std::filesystem::path& folder, std::int64_t step, EventWriter* events);

/// E[x | z] of `count` draws z ~ p(z) (or draws x ~ p(x | z) are the model's means: pictures of pixels show means), [count, D].
std::vector<float> sample_means(const Session& session, Index count, Key key);
/// The first `count` test examples (validation, then training, where there are none) and their reconstructions, each [count, D].
struct Reconstructions {
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
