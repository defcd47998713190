#include "models/parts/codebook.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "autodiff/elementwise.hpp"
#include "autodiff/gemm.hpp"
#include "autodiff/indexing.hpp"
#include "autodiff/reduce.hpp"
#include "autodiff/shape_ops.hpp"

namespace vaezoo {
namespace {

using namespace ad;

constexpr Index kUsageWindow = 100;
constexpr int kKmeansRounds = 10;

/// |x - e|^2 = |x|^2 + 2 (|e|^2 / 2 - x e): the bracket decides. Tiles of products stay in cache, so no [N, K] distances are
/// written.
void nearest(const Real* x, Index rows, const Real* table, Index codes, Index width, Real* half_squares, Index* out) {
  constexpr Index kRows = 64, kCodes = 128;
  for (Index k = 0; k < codes; ++k)
    half_squares[k] = std::inner_product(table + k * width, table + (k + 1) * width, table + k * width, Real(0)) / 2;
  parallel_blocks(rows, kRows, [&](Index begin, Index end) {
    Real products[kRows * kCodes], best[kRows];
    std::fill_n(best, kRows, std::numeric_limits<Real>::infinity());
    std::fill(out + begin, out + end, Index(0));
    for (Index first = 0; first < codes; first += kCodes) {
      const Index count = std::min(kCodes, codes - first);
      gemm_serial(end - begin, count, width, {x + begin * width, width}, {table + first * width, width, true}, 0, products,
                  kCodes);
      for (Index r = 0; r < end - begin; ++r)
        for (Index k = 0; k < count; ++k) {
          const Real score = half_squares[first + k] - products[r * kCodes + k];
          if (score < best[r]) {
            best[r] = score;
            out[begin + r] = first + k;
          }
        }
    }
  });
}

double squared_distance(const Real* a, const Real* b, Index width) {
  double total = 0;
  for (Index j = 0; j < width; ++j) total += (double(a[j]) - double(b[j])) * (double(a[j]) - double(b[j]));
  return total;
}

/// Each further centre is a point drawn with probability proportional to its squared distance to the nearest centre so far.
std::vector<Real> kmeans_start(Key key, const Real* points, Index rows, Index width, Index clusters) {
  std::vector<Real> centres(static_cast<std::size_t>(clusters * width)), uniforms(static_cast<std::size_t>(clusters));
  std::vector<double> distance(static_cast<std::size_t>(rows), std::numeric_limits<double>::infinity());
  fill_uniform(key.fold("start"), uniforms);
  for (Index k = 0; k < clusters; ++k) {
    const double total = k == 0 ? 0 : std::accumulate(distance.begin(), distance.end(), 0.0);
    Index chosen = static_cast<Index>(
        uniform_integer(key.fold("any").fold(static_cast<std::uint64_t>(k)), static_cast<std::uint64_t>(rows)));
    if (total > 0) {
      double left = double(uniforms[static_cast<std::size_t>(k)]) * total;
      for (chosen = 0; chosen + 1 < rows && left >= distance[static_cast<std::size_t>(chosen)]; ++chosen)
        left -= distance[static_cast<std::size_t>(chosen)];
    }
    const Real* centre = points + chosen * width;
    std::copy_n(centre, width, centres.begin() + k * width);
    parallel_blocks(rows, 1024, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        double& d = distance[static_cast<std::size_t>(r)];
        d = std::min(d, squared_distance(points + r * width, centre, width));
      }
    });
  }
  return centres;
}

}  // namespace

std::span<const Index> nearest_rows(Var x, Var table) {
  AD_CHECK(x.shape().rank() == 2 && table.shape().rank() == 2 && x.shape()[1] == table.shape()[1] && table.shape()[0] > 0,
           "nearest_rows", cat("x [N, D] and table [K, D] are needed, K >= 1, they are ", x.shape(), " and ", table.shape()));
  Tape& tape = x.tape();
  const Index rows = x.shape()[0], codes = table.shape()[0];
  Index* out = tape.scratch<Index>(rows);
  nearest(x.data(), rows, table.data(), codes, x.shape()[1], tape.scratch(codes), out);
  return {out, static_cast<std::size_t>(rows)};
}

double perplexity(std::span<const Index> indices, Index codes, Tape& tape) {
  Index* counts = tape.scratch<Index>(codes);
  std::fill_n(counts, codes, Index(0));
  for (const Index k : indices) ++counts[k];
  double entropy = 0;
  for (Index k = 0; k < codes; ++k) {
    const double share = double(counts[k]) / double(indices.size());
    if (share > 0) entropy -= share * std::log(share);
  }
  return std::exp(entropy);
}

Clusters kmeans(Key key, std::span<const Real> points, Index width, Index clusters, int rounds) {
  const Index rows = std::ssize(points) / width;
  AD_CHECK(rows > 0 && clusters > 0, "kmeans", "needs at least one point and one cluster");
  Clusters result{kmeans_start(key, points.data(), rows, width, clusters),
                  std::vector<double>(static_cast<std::size_t>(clusters))};
  std::vector<Index> assigned(static_cast<std::size_t>(rows));
  std::vector<Real> half_squares(static_cast<std::size_t>(clusters));
  std::vector<double> sums(result.centres.size());
  for (int round = 0; round < rounds; ++round) {
    nearest(points.data(), rows, result.centres.data(), clusters, width, half_squares.data(), assigned.data());
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(result.sizes.begin(), result.sizes.end(), 0.0);
    for (Index r = 0; r < rows; ++r) {
      const Index k = assigned[static_cast<std::size_t>(r)];
      result.sizes[static_cast<std::size_t>(k)] += 1;
      for (Index j = 0; j < width; ++j)
        sums[static_cast<std::size_t>(k * width + j)] += double(points[static_cast<std::size_t>(r * width + j)]);
    }
    for (std::size_t i = 0; i < sums.size(); ++i)
      if (const double size = result.sizes[i / static_cast<std::size_t>(width)]; size > 0)
        result.centres[i] = static_cast<Real>(sums[i] / size);
  }
  return result;
}

CodeUsage::CodeUsage(Index codes, const Parameters& p)
    : idle_(&p.add_buffer("idle", {codes}, 0)), steps_(&p.add_buffer("steps", Shape{}, 0)) {}

void CodeUsage::update(Tape& tape, std::span<const Index> chosen) const {
  tape.after_step([this, chosen] { count(chosen); });
}

void CodeUsage::count(std::span<const Index> chosen) const {
  const std::span<Real> idle = idle_->value();
  for (Real& steps : idle) steps += 1;
  for (const Index k : chosen) idle[static_cast<std::size_t>(k)] = 0;
  steps_->value()[0] += 1;
}

Var CodeUsage::share(Tape& tape) const {
  const Real window =
      std::min(static_cast<Real>(kUsageWindow), steps_->value()[0]);  // a code never chosen is idle since the first step
  const std::span<const Real> idle = idle_->value();
  const auto used = std::count_if(idle.begin(), idle.end(), [&](Real steps) { return steps < window; });
  return tape.constant(Shape{}, static_cast<Real>(double(used) / double(idle.size())));
}

void CodebookConfig::fields(Fields& f) {
  f("codes", codes, "number of codes", between(1, 1 << 20));
  f.choice("learning", learning, {"ema", "loss"},
           "how codes follow the encoder: ema: as moving averages of what chooses them; loss: by gradient");
  f("decay", decay, "ema: of the averages, per step", below_one());
  f("epsilon", epsilon, "ema: Laplace smoothing of the counts", at_least(0));
  f("codebook_weight", codebook_weight, "loss: weight of |sg(z) - e|^2", at_least(0));
  f("commitment", commitment, "weight of |z - sg(e)|^2, summed over an example's code as log p(x | z) is over its pixels",
    at_least(0));
  f.choice("start", start, {"kmeans", "uniform"},
           "where the codes start: k-means of the first examples, or U(-sqrt(3 / D), sqrt(3 / D))");
  f("restart_after", restart_after, "steps after which a code that nothing chooses is put to a vector of the batch; 0: never",
    at_least(0));
  f("normalize", normalize, "codes and vectors of length 1: nearest by angle");
}

Codebook::Codebook(const CodebookConfig& config, Index width, const Parameters& p)
    : config_(config), codes_(config.codes), width_(width), path_(p.prefix()), usage_(codes_, p) {
  const Real edge = std::sqrt(Real(3) / static_cast<Real>(width));
  age_ = &p.add_buffer("age", {codes_}, 0);
  if (config.learning == "loss") {
    table_ = &p.add("weight", {codes_, width}, init::uniform(-edge, edge));
    return;
  }
  table_ = &p.add_buffer("weight", {codes_, width}, 0);
  fill_uniform(Key().fold(path_), table_->value(), -edge, edge);  // initialize() draws with the run's own key
  counts_ = &p.add_buffer("counts", {codes_}, 0);
  sums_ = &p.add_buffer("sums", {codes_, width}, 0);
  weight_ = &p.add_buffer("weight_of_averages", Shape{}, 0);
}

/// Rows at length 1; a row of zeros stays one.
Var Codebook::normalized(Var rows) const {
  if (!config_.normalize) return rows;
  const Var squares = map_sum("squared_length", [](auto v) { return square(v); }, rows);
  return rows * reshape(map("inverse_length", [](auto s) { return Real(1) / sqrt(s + Real(1e-12)); }, squares), {-1, 1});
}

Var Codebook::table(const Context& c) const {
  return normalized(table_->is_buffer() ? c.tape.constant(table_->shape(), table_->value()) : c.tape.parameter(*table_));
}

Var Codebook::embed(const Context& c, std::span<const Index> codes) const { return embedding(table(c), codes); }

Quantized Codebook::operator()(const Context& c, Var z) const {
  const auto squared_distance = [](auto a, auto b) { return square(a - b); };
  const Var rows = normalized(reshape(z, {-1, width_})), codebook = table(c);
  Quantized q;
  q.codes = nearest_rows(rows, codebook);
  q.input = reshape(rows, z.shape());
  q.e = reshape(embedding(codebook, q.codes), z.shape());
  q.z = straight_through(q.e, q.input);
  q.commitment = mean(map_sum("commitment", squared_distance, q.input, stop_gradient(q.e)));
  if (q.e.live()) q.codebook = mean(map_sum("codebook", squared_distance, stop_gradient(q.input), q.e));
  q.perplexity = c.tape.constant(Shape{}, static_cast<Real>(perplexity(q.codes, codes_, c.tape)));
  return q;
}

Var Codebook::penalty(const Quantized& q) const {
  const Var commitment = static_cast<Real>(config_.commitment) * q.commitment;
  return q.codebook ? commitment + static_cast<Real>(config_.codebook_weight) * q.codebook : commitment;
}

void Codebook::update(const Context& c, Var input, std::span<const Index> codes) const {
  c.tape.after_step([this, c, input, codes] { learn(c, input, codes); });
}

void Codebook::learn(const Context& c, Var input, std::span<const Index> codes) const {
  usage_.count(codes);
  for (Real& steps : age_->value()) steps += 1;
  if (table_->is_buffer()) move_averages(c.tape, input.data(), codes);
  if (config_.restart_after > 0) restart_idle(c, input);
}

void Codebook::move_averages(Tape& tape, const Real* input, std::span<const Index> codes) const {
  Real *counts = tape.scratch(codes_), *sums = tape.scratch(codes_ * width_);
  std::fill_n(counts, codes_, Real(0));
  std::fill_n(sums, codes_ * width_, Real(0));
  for (const Index k : codes) {
    counts[k] += 1;
    for (Index j = 0; j < width_; ++j) sums[k * width_ + j] += input[j];
    input += width_;
  }
  const Real step = static_cast<Real>(1 - config_.decay);
  const std::span<Real> average_counts = counts_->value(), average_sums = sums_->value();
  Real& weight = weight_->value()[0];
  weight += step * (1 - weight);
  for (std::size_t i = 0; i < average_counts.size(); ++i) average_counts[i] += step * (counts[i] - average_counts[i]);
  for (std::size_t i = 0; i < average_sums.size(); ++i) average_sums[i] += step * (sums[i] - average_sums[i]);

  const double epsilon = config_.epsilon,
               total = std::accumulate(average_counts.begin(), average_counts.end(), 0.0) / double(weight);
  for (Index k = 0; k < codes_; ++k) {
    const double size = (double(average_counts[static_cast<std::size_t>(k)]) / double(weight) + epsilon) /
                        (total + double(codes_) * epsilon) * total;
    if (size <= 0) continue;  // without smoothing, a code that nothing ever chose stays
    for (Index i = k * width_; i < (k + 1) * width_; ++i)
      table_->value()[static_cast<std::size_t>(i)] =
          static_cast<Real>(double(average_sums[static_cast<std::size_t>(i)]) / double(weight) / size);
  }
}

/// Puts a code at a vector, as if it were the average of `count` of them.
void Codebook::set_code(Index code, const Real* vector, Real count) const {
  std::copy_n(vector, width_, table_->value().begin() + code * width_);
  age_->value()[static_cast<std::size_t>(code)] = 0;
  if (counts_ == nullptr) return;
  const Real scale = count * weight_->value()[0];
  counts_->value()[static_cast<std::size_t>(code)] = scale;
  for (Index j = 0; j < width_; ++j) sums_->value()[static_cast<std::size_t>(code * width_ + j)] = scale * vector[j];
}

void Codebook::restart_idle(const Context& c, Var input) const {
  const Real limit = static_cast<Real>(config_.restart_after);
  const auto rows = static_cast<std::uint64_t>(input.size() / width_);
  for (Index k = 0; k < codes_; ++k) {
    if (usage_.idle(k) < limit || age_->value()[static_cast<std::size_t>(k)] < limit) continue;
    const auto row =
        static_cast<Index>(uniform_integer(c.key.fold("restart").fold(path_).fold(static_cast<std::uint64_t>(k)), rows));
    set_code(k, input.data() + row * width_, 1);
  }
}

void Codebook::initialize(Key key, Var z, Index first, Index count) const {
  const Real edge = std::sqrt(Real(3) / static_cast<Real>(width_));
  if (config_.start == "uniform") {
    fill_uniform(key.fold(path_), table_->value(), -edge, edge);
    return;
  }
  const Var rows = normalized(reshape(z, {-1, width_}));
  const Clusters clusters = kmeans(key.fold(path_), rows.value(), width_, count, kKmeansRounds);
  // The averages start as those of a long run with one vector for each code in a step: what training then brings soon outweighs
  // them.
  if (weight_ != nullptr) weight_->value()[0] = 1;
  const double mean_size = double(rows.shape()[0]) / double(count);
  for (Index k = 0; k < count; ++k)
    set_code(first + k, clusters.centres.data() + k * width_,
             static_cast<Real>(std::max(clusters.sizes[static_cast<std::size_t>(k)] / mean_size, 1e-3)));
}

std::string CodebookConfig::describe() const {
  const std::string moves =
      learning == "ema" ? cat("moving averages (decay ", decay, ")") : cat("the gradient of ", codebook_weight, " |sg(z) - e|^2");
  return cat(codes, normalize ? " codes of length 1" : " codes", " that follow ", moves, ", ", commitment, " |z - sg(e)|^2");
}

namespace terms {

Term commitment(Var value) {
  return {"commitment", value, "",
          "squared distance of the encoder's vectors from their codes, summed over an example; lower is better"};
}
Term codebook(Var value) {
  return {"codebook", value, "",
          "squared distance of the codes from the encoder's vectors, whose gradient moves the codes; lower is better"};
}
Term penalty(Var value) { return {"penalty", value, "nats", "weighted squared distances of vectors and codes in the loss"}; }
Term perplexity(Var value) {
  return {"perplexity", value, "codes", "exp of the entropy of the codes' use: how many are in use, evenly counted"};
}
Term usage(Var value) { return {"usage", value, "", "share of the codes that are in use"}; }

}  // namespace terms

}  // namespace vaezoo
