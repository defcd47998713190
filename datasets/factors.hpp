#pragma once
// Images that are a known function of independent factors, as measures of disentanglement need them: the grid of all factor
// values, an image for each point of it, and the data set drawn from it. Nothing is stored; images are rendered as batches ask.
//
// An image depends only on its tuple and size. Renderers compute in double and round to bytes with ties put aside, so that what
// machines do differently (fused multiply-add, the last bit of a sine) does not show: builds for SSE2, AVX2 and AVX-512, by g++
// and clang, gave equal bytes for all 737280 sprites and for 120000 rooms. A test pins checksums.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/fields.hpp"
#include "datasets/dataset.hpp"

namespace vaezoo {

/// One factor: index k stands for values[k].
struct Factor {
  std::string name;
  std::vector<double> values;
  std::vector<std::string> words = {};  ///< names of the values of a category; else empty
  bool circular = false;                ///< an angle or a hue: the first value follows the last

  int count() const { return static_cast<int>(values.size()); }
  /// Value k in [0, 1]: k / (count - 1), and k / count (the fraction of a full turn) for a circular factor.
  Real scaled(int k) const;
};

/// `count` values from `first` to `last`, both included.
std::vector<double> evenly(double first, double last, int count);
/// 0, 1/count, ... (count - 1)/count of `turn`.
std::vector<double> around(double turn, int count);

constexpr int kMaxFactors = 8;

/// The grid of factor values and its images. A tuple holds one index per factor. Some factors may be fixed: the grid is then
/// the part in which they have their values. Immutable, so any number of threads may ask.
class Factors {
 public:
  /// Fills pixels [H, W, C] with bytes 0 .. top. Must be a pure function of the tuple and safe to call from many threads.
  using Render = std::function<void(std::span<const int> tuple, std::span<std::uint8_t> pixels)>;
  static constexpr int kFree = -1;

  /// `fixed` holds an index or kFree per factor; empty: none is fixed. Throws ad::Error when it does not fit the factors.
  Factors(std::vector<Factor> factors, ItemShape shape, int top, Render render, std::vector<int> fixed = {});

  const std::vector<Factor>& factors() const { return factors_; }
  const ItemShape& shape() const { return shape_; }
  int top() const { return top_; }                             ///< the byte that stands for 1
  const std::vector<int>& fixed() const { return fixed_; }     ///< the index, or kFree, per factor
  const std::vector<int>& varying() const { return varying_; } ///< which factors are not fixed, in order
  Index size() const { return size_; }                         ///< images in the grid

  /// The image number of a tuple counts through the grid, the first factor slowest and the last fastest; fixed factors do not
  /// count. Throws ad::Error for a tuple that is not in the grid.
  Index index(std::span<const int> tuple) const;
  void tuple(Index index, std::span<int> out) const;  ///< the inverse; out holds one int per factor
  std::vector<int> tuple(Index index) const;

  /// Draws a tuple: factors given by an index stay, those that are kFree (all, when `given` is empty) and not fixed are drawn
  /// uniformly from the key. Throws ad::Error when an index is out of range or contradicts a fixed factor.
  std::vector<int> sample(Key key, std::span<const int> given = {}) const;

  void render(std::span<const int> tuple, std::span<std::uint8_t> pixels) const;
  void render(std::span<const int> tuple, std::span<Real> x) const;  ///< pixels in [0, 1]
  /// The varying factors, scaled to [0, 1] by Factor::scaled; out holds one number for each.
  void conditions(std::span<const int> tuple, std::span<Real> out) const;
  std::vector<std::string> condition_names() const;

 private:
  void check(std::span<const int> tuple) const;

  std::vector<Factor> factors_;
  ItemShape shape_;
  int top_;
  Render render_;
  std::vector<int> fixed_, varying_;
  Index size_ = 1;
};

/// What the sets of generated images have in common in a configuration.
struct FactorConfig {
  std::int64_t size = 64;                        ///< pixels along each side
  std::optional<std::int64_t> examples = {};     ///< 0: all images of the grid
  std::string shape = "any";                     ///< the word of the shape that all images have, or "any"
  std::array<std::optional<std::int64_t>, kMaxFactors> fix = {};  ///< the index at which a factor other than the shape is held

  /// `factors` are those of the set; one of them is called "shape" and has words.
  void fields(Fields& f, const std::vector<Factor>& factors);
  std::vector<int> fixed(const std::vector<Factor>& factors) const;  ///< as the constructor of Factors takes it
};

/// A data set of `examples` images of the grid, drawn without replacement from the key; null: 75000, or all when there are fewer.
/// The label is the shape; the conditions are all varying factors, scaled to [0, 1].
Dataset load_factors(std::shared_ptr<const Factors> truth, const std::optional<std::int64_t>& examples, Key key);

}  // namespace vaezoo
