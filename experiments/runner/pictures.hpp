#pragma once
// The pictures of a run: samples, reconstructions, the latent map.
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiments/output/tensorboard.hpp"
#include "experiments/runner/session.hpp"

namespace vaezoo {

/// A picture that was written: a PNG for pixels, an SVG for charts.
struct SavedPicture {
  std::string caption;         ///< one sentence
  std::filesystem::path file;
};

/// Writes into `folder` what data and model allow and the configuration asks for, and sends PNGs to TensorBoard too:
///   samples.png          E[x | z], z ~ p(z), a column per class when the model is conditioned on the class; for data of two dimensions
///                        samples.svg, a scatter of x ~ p(x | z) over the data
///   reconstructions.png  test examples above their reconstructions from the mean code
///   latent_map.svg       mean codes of test examples, coloured by label; the two principal components when Z > 2
/// and of some families
///   styles.png           examples' codes decoded with every label
///   levels.png           reconstructions with the lower stochastic layers drawn again from the prior
///   codes.png            the discrete codes of test examples as coloured maps
std::vector<SavedPicture> draw_pictures(const Session& session, const std::filesystem::path& folder, std::int64_t step,
                                   EventWriter* events);

/// Can examples be shown as pixels: images of one or three channels?
bool shows_pixels(const Dataset& data);
/// What is black and what is white: 0 and 1, or the least and the greatest number of the first training examples when some leave [0, 1].
std::pair<float, float> pixel_range(const Dataset& data);

// Rows [count, D] are numbers as the model sees them, standardised where the data are; in_source_units() gives the data's own.

/// Grids of rows. Images whose numbers leave [0, 1] are shown from the training data's least number, black, to their greatest, white.
Image pixel_grid(const Dataset& data, std::vector<float> rows, Index columns = 0);
Image pixel_pairs(const Dataset& data, std::vector<float> originals, std::vector<float> reconstructions);
/// One row, at its own size.
Image pixel_image(const Dataset& data, std::vector<float> row);

/// E[x | z], or draws x ~ p(x | z), for `count` draws z ~ p(z). A model that is conditioned on labels gets `classes` in turn, all of the
/// data's when that is empty; one that is conditioned on more gets what belongs to the first examples of the test split, of which there
/// may be fewer.
enum class Drawn { mean, sample };
struct Samples {
  std::vector<float> x;     ///< [N, D]
  std::vector<int> labels;  ///< [N], of a model that is conditioned on them; else empty
};
Samples samples(const Session& session, Index count, Key key, Drawn drawn = Drawn::mean, std::span<const int> classes = {});
/// The first `count` examples of the test split (validation, then training, where there are none) and their reconstructions from the mean
/// code, each [count, D].
struct Reconstructions {
  Split split = Split::test;
  Index count = 0;
  std::vector<float> originals, reconstructions;  ///< originals that were not observed are NaN
};
Reconstructions reconstruct(const Session& session, Index count);
/// Mean codes of at most `limit` examples of a split, [N, Z], and their labels (empty when there are none).
struct MeanCodes {
  Index count = 0, dimensions = 0;
  std::vector<float> codes;
  std::vector<int> labels;
};
MeanCodes encode_split(const Session& session, Split split, Index limit);

}  // namespace vaezoo
