#pragma once
// A data set in memory: three splits of examples, what their numbers mean, and the truth about them where it is known.
// Where data come from is in sources.hpp, how a configuration picks them in config.hpp, how they are fed in batches.hpp.
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/random.hpp"

namespace vaezoo {

using ad::Index;
using ad::Key;
using ad::Real;

/// Data that are missing or damaged: one sentence with the file, what is wrong, and what helps. Exit code 4.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Split { train, validation, test };
std::string_view to_text(Split split);

/// The shape of one example. Images are NHWC; a vector of D numbers is {1, D, 1}.
struct ItemShape {
  Index height = 1, width = 1, channels = 1;
  Index size() const { return height * width * channels; }
  friend bool operator==(const ItemShape&, const ItemShape&) = default;
};

/// The examples of one split, [N, D] row-major, with their labels. Sources of bytes stay bytes (MNIST costs 47 MB, not
/// 188) and become numbers as batches are gathered: value = byte / top.
class Examples {
 public:
  Examples() = default;
  Examples(std::vector<std::uint8_t> bytes, Index item_size, int top, std::vector<int> labels = {});
  /// Throws DataError naming the row when a number is not finite.
  Examples(std::vector<Real> numbers, Index item_size, std::vector<int> labels = {});

  Index size() const { return count_; }
  Index item_size() const { return item_size_; }
  bool is_bytes() const { return top_ > 0; }
  int top() const { return top_; }                            ///< the byte that stands for 1; 0 for real numbers
  const std::vector<int>& labels() const { return labels_; }  ///< empty when the source has none
  std::size_t memory() const { return bytes_.size() + numbers_.size() * sizeof(Real) + labels_.size() * sizeof(int); }

  /// Writes example `row` into out [D].
  void read(Index row, std::span<Real> out) const;
  /// Writes the named rows into out [rows, D]. Allocates nothing.
  void gather(std::span<const Index> rows, std::span<Real> out) const;

  Examples subset(std::span<const Index> rows) const;
  Examples cut_last(Index count);  ///< removes the last `count` examples and returns them
  void keep_first(Index count);

  bool in_unit_range() const;  ///< every number lies in [0, 1]
  /// Replaces every number p in [0, 1] by a draw from Bernoulli(p); example i draws from key.fold(i) alone.
  void binarize(Key key);
  /// x -> (x - mean) / stddev for each of the D columns; bytes become numbers.
  void standardize(std::span<const Real> mean, std::span<const Real> stddev);

 private:
  template <class Values>
  void take_rows(Values& to, const Values& from, std::span<const Index> rows) const;
  void prefetch(Index row) const;
  void check_rows(std::span<const Index> rows, std::span<const Real> out) const;

  std::vector<std::uint8_t> bytes_;
  std::vector<Real> numbers_;
  std::vector<int> labels_;
  Index count_ = 0, item_size_ = 0;
  int top_ = 0;
};

/// How numbers in [0, 1] become binary. `fixed` draws every example once from the data set's seed ("static" in JSON);
/// `dynamic` draws the training split anew each epoch, and validation and test once, as `fixed` does
/// (as Tomczak & Welling, "VAE with a VampPrior", 2018).
enum class Binarize { none, fixed, dynamic };

struct Dataset {
  std::string name;
  std::string provenance;  ///< source and licence, in one line
  ItemShape shape;
  bool is_image = false;
  int levels = 0;           ///< distinct values k / (levels - 1) that a pixel takes; 2 when binarised; 0 for real numbers
  bool unit_range = false;  ///< all numbers lie in [0, 1]
  int classes = 0;          ///< 0 when there are no labels
  std::vector<std::string> class_names;  ///< may be empty
  Examples train, validation, test;
  Binarize binarize = Binarize::none;
  std::vector<Real> mean, stddev;  ///< of each column, when the data were standardised; else empty
  /// Exact log p(x) in nats of an example as batches deliver it; empty when unknown.
  std::function<double(std::span<const Real>)> log_density;

  const Examples& split(Split which) const;
};

/// Draws `fixed` and the held-out half of `dynamic`. Throws DataError when numbers lie outside [0, 1].
void binarize(Dataset& data, Binarize how, Key key);

/// Subtracts the mean and divides by the standard deviation of every column of the training split; a constant column is
/// only centred.
void standardize(Dataset& data);

}  // namespace vaezoo
