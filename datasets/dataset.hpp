#pragma once
// A data set: three splits of examples, in memory or made on demand, what their numbers mean, and the truth about them
// where it is known.
// Where data come from is in sources.hpp, how a configuration picks them in config.hpp, how they are fed in batches.hpp.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autodiff/random.hpp"
#include "config/printable.hpp"

namespace vaezoo {

using ad::Index;
using ad::Key;
using ad::Real;

/// Data that are missing or damaged: one sentence with the file, what is wrong, and what helps. Exit code 4.
/// What it quotes out of files is made printable.
struct DataError : std::runtime_error {
  explicit DataError(std::string_view sentence) : std::runtime_error(printable(sentence)) {}
};

enum class Split { train, validation, test };
std::string_view to_text(Split split);

/// The shape of one example. Images are NHWC; a vector of D numbers is {1, D, 1}.
struct ItemShape {
  Index height = 1, width = 1, channels = 1;
  Index size() const { return height * width * channels; }
  friend bool operator==(const ItemShape&, const ItemShape&) = default;
};

/// A stretch of the numbers of an example that is a thing of its own: a picture, a sentence, the readings of one sensor.
struct Modality {
  std::string name;
  Index begin = 0;
  ItemShape shape;  ///< an image where the example is one and the stretch is whole rows of it
  Index end() const { return begin + shape.size(); }
  friend bool operator==(const Modality&, const Modality&) = default;
};

/// Images that are made on demand: decoded from a file, rendered from factors. A row's bytes depend only on the row, and any
/// number of threads may read at the same time.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  virtual Index size() const = 0;
  /// Writes the bytes of row 0 <= row < size(), each from 0 to the top that the Examples were given. Throws DataError.
  virtual void read(Index row, std::span<std::uint8_t> out) const = 0;
  /// Differs between sources that would be mistaken for each other, without reading what is slow to read: files by name and size.
  virtual std::uint64_t digest() const { return static_cast<std::uint64_t>(size()); }
};

/// Is a single number of an example known to models? `missing`: the source does not have it. `hidden`: it counts as missing, but its value is
/// kept to measure how well it is filled in.
enum class Cell : std::uint8_t { observed, missing, hidden };

/// The examples of one split, [N, D] row-major, with their labels and conditions. Sources of bytes stay bytes (MNIST costs 47 MB,
/// not 188) and become numbers as batches are gathered: value = byte / top. Lazy examples hold no values at all: they name rows
/// of a source, which is asked each time. Numbers of 64 bits are kept as they are until the data set is standardised or narrowed.
class Examples {
 public:
  Examples() = default;
  Examples(std::vector<std::uint8_t> bytes, Index item_size, int top, std::vector<int> labels = {});
  /// Throws DataError naming the row when a number is not finite.
  Examples(std::vector<Real> numbers, Index item_size, std::vector<int> labels = {});
  /// Numbers of 64 bits, as the file has them. Throws DataError as above.
  static Examples exact(std::vector<double> numbers, Index item_size, std::vector<int> labels = {});
  /// Lazy: example i is row i of the source until examples are left out or reordered.
  Examples(std::shared_ptr<const ExampleSource> source, Index item_size, int top, std::vector<int> labels = {});

  /// Gives every example `width` numbers as its condition, values [N, width]. Throws DataError when one is not finite.
  void set_conditions(std::vector<Real> values, Index width);

  Index size() const { return count_; }
  Index item_size() const { return item_size_; }
  bool is_bytes() const { return top_ > 0; }
  bool is_lazy() const { return source_ != nullptr; }
  bool is_exact() const { return !exact_.empty(); }
  int top() const { return top_; }                            ///< the byte that stands for 1; 0 for real numbers
  const std::vector<int>& labels() const { return labels_; }  ///< empty when the source has none; -1: not observed
  Index condition_size() const { return condition_size_; }    ///< 0 when there are none
  std::span<const Real> conditions(Index row) const;          ///< [condition_size()]
  bool observed(Index row) const { return hidden_.empty() || hidden_[static_cast<std::size_t>(row)] == 0; }  ///< its numbers, not its label
  Index hidden() const;                                       ///< examples whose numbers were not observed
  bool all_cells() const { return cells_.empty(); }           ///< was every single number observed?
  std::span<const Cell> cells(Index row) const;               ///< [D]; empty when all_cells()
  Index missing_cells() const;                                ///< numbers that models must do without: missing or hidden
  /// Where the source had example `row`, counted from 0, before examples were reordered or left out.
  Index source_row(Index row) const { return origin_.empty() ? row : origin_[static_cast<std::size_t>(row)]; }
  std::size_t memory() const;                                 ///< bytes held here, without what a lazy source holds

  /// Writes example `row` into out [D].
  void read(Index row, std::span<Real> out) const;
  void read_exact(Index row, std::span<double> out) const;  ///< without narrowing numbers of 64 bits
  /// Writes the named rows into out [rows, D]. Reading from memory allocates nothing. A lazy source is read by all threads; of
  /// several errors the one of the first row is thrown.
  void gather(std::span<const Index> rows, std::span<Real> out) const;

  Examples subset(std::span<const Index> rows) const;
  void renumber(std::span<const int> becomes);  ///< label k becomes becomes[k]
  void keep_labels(std::span<const Index> rows);  ///< all others become -1: not observed
  void hide_inputs(std::span<const Index> rows);  ///< their numbers count as not observed
  /// Which single numbers were not observed, [N, D]; what stands in their place is not looked at.
  void set_cells(std::vector<Cell> cells);
  /// Each observed number is hidden with probability 1 - keep; example i draws only from key.fold(i).
  void hide_cells(double keep, Key key);
  /// The same of whole modalities; one at least, which the key draws, stays of each example.
  void hide_modalities(std::span<const Modality> modalities, double keep, Key key);
  Examples cut_last(Index count);  ///< removes the last `count` examples and returns them
  void keep_first(Index count);

  /// Of size, numbers, labels and conditions in their order; of lazy examples the source's and the rows.
  std::uint64_t digest() const;

  /// Every number lies in [0, 1]; bytes of a lazy source do without being read.
  bool in_unit_range() const;
  bool are_counts() const;  ///< whole numbers from 0 on; bytes are shades
  /// Replaces every number p in [0, 1] by a draw from Bernoulli(p); example i draws only from key.fold(i). Lazy examples stay
  /// lazy: the same draws are made each time that they are read.
  void binarize(Key key);
  /// x -> (x - mean) / stddev for each of the D columns, computed in double, 0 for a missing one; all become Reals in memory. Throws DataError naming
  /// the example when one lies too far out for a Real.
  void standardize(std::span<const double> mean, std::span<const double> stddev);
  /// Numbers of 64 bits become Reals. Throws DataError naming the example when one is too large.
  void narrow();

 private:
  template <class Values>
  void take_rows(Values& to, const Values& from, std::span<const Index> rows) const;
  void touch(Index row) const;
  void gather_lazy(std::span<const Index> rows, std::span<Real> out) const;
  void check_rows(std::span<const Index> rows, std::span<const Real> out) const;

  std::vector<std::uint8_t> bytes_;
  std::vector<Real> numbers_;
  std::vector<double> exact_;
  std::shared_ptr<const ExampleSource> source_;
  std::vector<Index> source_rows_;  // which row of the source each example is
  std::vector<int> labels_;
  std::vector<std::uint8_t> hidden_;  // 1: the numbers were not observed; empty: all were
  std::vector<Cell> cells_;           // of each number; empty: all were observed
  std::vector<Real> conditions_;
  std::vector<Index> origin_;  // the source's row of each example; empty: as they are
  Index count_ = 0, item_size_ = 0, condition_size_ = 0;
  int top_ = 0;
};

/// How numbers in [0, 1] become binary. `fixed` draws every example once from the data set's seed ("static" in JSON);
/// `dynamic` draws the training split again each epoch, and validation and test once, as `fixed` does
/// (as Tomczak & Welling, "VAE with a VampPrior", 2018).
enum class Binarize { none, fixed, dynamic };

class Factors;  // datasets/factors.hpp

struct Dataset {
  std::string name;
  std::string provenance;  ///< source and licence, in one line
  ItemShape shape;
  bool is_image = false;
  int levels = 0;           ///< distinct values k / (levels - 1) that a pixel takes; 2 when binarised; 0 for real numbers
  bool unit_range = false;  ///< all numbers lie in [0, 1]
  bool counts = false;      ///< all are whole numbers from 0 on, of other things than shades
  int classes = 0;          ///< 0 when there are no labels
  std::vector<bool> normal;  ///< of each class: do training and validation have it? The others are anomalies. Empty: all are normal
  std::vector<std::string> class_names;  ///< may be empty: the classes are called 0, 1, ...
  std::vector<std::string> column_names;  ///< of each number of an example, where the file names them; else empty
  std::vector<Modality> modalities;  ///< one after the other, all numbers of an example; empty: they are one thing
  std::vector<std::string> vocabulary;  ///< of sequences: an example's numbers are those of its tokens, 0 ends it; else empty
  std::string token_separator;          ///< between two tokens when they are written
  std::vector<std::string> condition_names;  ///< one for each number of the condition
  Examples train, validation, test;
  Binarize binarize = Binarize::none;
  std::vector<double> mean, stddev;  ///< of each column, when the data were standardised; else empty
  std::vector<std::string> warnings;  ///< sentences for the user about what was read
  /// Exact log p(x) in nats of an example as batches deliver it; empty when unknown.
  std::function<double(std::span<const Real>)> log_density;
  /// The factors that generated the images, which render any of them; null when unknown.
  std::shared_ptr<const Factors> factors;

  /// Of training, validation and test examples as they were read: split, but not yet standardised or binarised, so that machines
  /// agree. Synthetic data, which machines compute with other last bits, have the digest of their sizes.
  std::array<std::uint64_t, 3> digests{};
  /// Training examples of a data set whose examples were left out.
  Index left_out = 0;
  /// What pictures show black and white, where there are no examples to tell; see pixel_range.
  std::optional<std::pair<float, float>> shown = {};

  const Examples& split(Split which) const;
};

/// Draws `fixed` and the held-out half of `dynamic`. Throws DataError when numbers lie outside [0, 1].
void binarize(Dataset& data, Binarize how, Key key);

/// Subtracts the mean and divides by the standard deviation of every column of the training split, both in double; a constant
/// column is only centred. Numbers that were not observed have no part in either.
void standardize(Dataset& data);
/// The same by means and deviations that were found before.
void standardize(Dataset& data, std::vector<double> mean, std::vector<double> stddev);

/// Undoes it: rows [N, D] as the examples have them, in the units of the source. In double, since a Real cannot tell times of 1.7e9 that are
/// seconds apart. Numbers that were not standardised come back as they are.
std::vector<double> in_source_units(const Dataset& data, std::span<const Real> rows);

/// Numbers of 64 bits become Reals, with a warning that names the columns where that loses much: where the rounding is more than
/// a thousandth of the standard deviation, as in times of 1.7e9 that are seconds apart.
void narrow(Dataset& data);

/// Which of `width` columns of values [N, width] lose so much; for values that do not go through narrow().
std::vector<Index> columns_lost_to_rounding(std::span<const double> values, Index width);
std::string rounding_warning(const std::vector<std::string>& columns);

/// "'age'" where columns have names, else "column 3 (from 0)".
std::string column_name(const Dataset& data, Index column);

}  // namespace vaezoo
