#include "experiments/runner/pictures.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "datasets/batches.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/svg.hpp"
#include "experiments/runner/linalg.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

constexpr Index kMapPoints = 2000;  ///< as many as a scatter can show before it is one blot

void append(std::vector<float>& to, Var x) { to.insert(to.end(), x.data(), x.data() + x.size()); }

/// The data's own units from what the model saw.
void undo_standardization(const Dataset& data, std::vector<float>& rows) {
  if (data.mean.empty()) return;
  const std::size_t D = data.mean.size();
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(rows[i] * data.stddev[i % D] + data.mean[i % D]);
}

/// The first split that has examples.
Split shown_split(const Dataset& data) {
  return data.test.size() > 0 ? Split::test : data.validation.size() > 0 ? Split::validation : Split::train;
}

/// Calls f(context, batch) for the first `limit` examples of a split, in order.
template <class F>
Index for_batches(const Session& s, Split split, Index limit, F&& f) {
  limit = std::min(limit, s.data.split(split).size());
  if (limit == 0) return 0;
  Batches batches(s.data, split, {.batch_size = std::min<Index>(s.config.evaluate.batch_size, limit)}, s.keys.order());
  const Index size = batches.item_size();
  std::vector<Real> x(static_cast<std::size_t>(batches.batch_size() * size));
  std::vector<int> labels(s.data.classes > 0 ? static_cast<std::size_t>(batches.batch_size()) : 0);
  Tape tape(ad::Grad::off);
  for (Index done = 0; done < limit;) {
    const Index count = std::min(batches.next(x, labels), limit - done);
    tape.reset();
    const Context c{tape, false, s.keys.pictures().fold(static_cast<std::uint64_t>(done))};
    f(c, Minibatch{tape.constant({count, size}, std::span<const Real>(x).first(static_cast<std::size_t>(count * size))),
                   std::span<const int>(labels).first(labels.empty() ? 0 : static_cast<std::size_t>(count))});
    done += count;
  }
  return limit;
}

/// What is black and what is white.
std::pair<float, float> pixel_range(const Dataset& data) {
  if (data.unit_range) return {0.f, 1.f};
  std::vector<float> rows;
  std::vector<Real> row(static_cast<std::size_t>(data.shape.size()));
  for (Index i = 0; i < std::min<Index>(data.train.size(), kMapPoints); ++i) {
    data.train.read(i, row);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  undo_standardization(data, rows);
  const auto [low, high] = std::ranges::minmax_element(rows);
  if (low == rows.end() || (*low >= 0 && *high <= 1)) return {0.f, 1.f};
  return {*low, *high};
}

void to_unit_range(const Dataset& data, std::vector<float>& rows) {
  const auto [low, high] = pixel_range(data);
  if (low == 0 && high == 1) return;
  for (float& v : rows) v = (v - low) / (high - low);
}

TileShape tiles(const Dataset& data, const std::vector<float>& rows) {
  return {.count = std::ssize(rows) / data.shape.size(), .height = data.shape.height, .width = data.shape.width, .channels = data.shape.channels};
}

/// Samples over data in the plane.
std::string plane_svg(const Session& s, const std::vector<float>& samples) {
  ScatterPlot plot{.title = "Data and samples", .x_label = "x0", .y_label = "x1", .x = {}, .y = {}, .labels = {}, .label_names = {"data", "E[x | z]"}};
  const auto add = [&plot](const std::vector<float>& points, int label) {
    for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
      plot.x.push_back(points[i]);
      plot.y.push_back(points[i + 1]);
      plot.labels.push_back(label);
    }
  };
  std::vector<float> data;
  for_batches(s, shown_split(s.data), kMapPoints, [&](const Context&, const Minibatch& batch) { append(data, batch.x); });
  undo_standardization(s.data, data);
  add(data, 0);
  add(samples, 1);
  return to_svg(plot);
}

std::string plural(Index n, std::string_view split) { return fmt::format("{} {} example{}", n, split, n == 1 ? "" : "s"); }

/// The plane in which codes are shown: themselves, or their two principal components.
struct LatentPlane {
  std::string title, x_label, y_label, caption;
  std::vector<float> points;  ///< [N, 2]
};

LatentPlane latent_plane(const Codes& codes) {
  if (codes.dimensions == 2) return {"Mean codes", "z0", "z1", "", codes.codes};
  const PrincipalComponents pca = principal_components(codes.codes, codes.dimensions, 2);
  const double first = 100 * pca.explained[0], second = 100 * pca.explained[1];
  return {fmt::format("Mean codes: {:.0f} % of their variance", first + second), fmt::format("component 1 ({:.0f} %)", first),
          fmt::format("component 2 ({:.0f} %)", second), fmt::format(": the first two of {} principal components", codes.dimensions),
          project(codes.codes, pca)};
}

std::optional<Picture> draw_latent_map(const Session& s, const fs::path& folder) {
  const Split split = shown_split(s.data);
  const Codes codes = encode_split(s, split, kMapPoints);
  if (codes.dimensions < 2 || codes.count == 0) return std::nullopt;
  const LatentPlane plane = latent_plane(codes);
  ScatterPlot plot{.title = plane.title, .x_label = plane.x_label, .y_label = plane.y_label, .x = {}, .y = {}, .labels = codes.labels,
                   .label_names = s.data.class_names};
  for (std::size_t i = 0; i + 1 < plane.points.size(); i += 2) {
    plot.x.push_back(plane.points[i]);
    plot.y.push_back(plane.points[i + 1]);
  }
  atomic_write(folder / "latent_map.svg", to_svg(plot));
  return Picture{fmt::format("Mean codes of {}{}{}.", plural(codes.count, to_text(split)), codes.labels.empty() ? "" : ", coloured by label", plane.caption),
                 folder / "latent_map.svg"};
}

std::optional<Picture> draw_samples(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  const Index wanted = s.config.output.samples;
  const Key key = s.keys.pictures().fold("samples");
  if (wanted == 0) return std::nullopt;
  if (shows_pixels(s.data)) {
    const Image image = pixel_grid(s.data, sample_means(s, wanted, key));
    write_png(folder / "samples.png", image);
    if (events != nullptr) events->picture(step, "samples", image);
    return Picture{fmt::format("{} samples: E[x | z] for z drawn from the prior.", wanted), folder / "samples.png"};
  }
  if (s.data.shape.size() != 2) return std::nullopt;
  atomic_write(folder / "samples.svg", plane_svg(s, sample_means(s, kMapPoints, key)));
  return Picture{fmt::format("Data, and E[x | z] for {} draws of z from the prior; p(x | z) spreads about these means.", kMapPoints),
                 folder / "samples.svg"};
}

std::optional<Picture> draw_reconstructions(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  if (s.config.output.reconstructions == 0 || !shows_pixels(s.data)) return std::nullopt;
  Reconstructions r = reconstruct(s, s.config.output.reconstructions);
  const Image image = pixel_pairs(s.data, std::move(r.originals), std::move(r.reconstructions));
  write_png(folder / "reconstructions.png", image);
  if (events != nullptr) events->picture(step, "reconstructions", image);
  return Picture{fmt::format("{}, each above its reconstruction from the mean code.", plural(r.count, to_text(r.split))), folder / "reconstructions.png"};
}

}  // namespace

bool shows_pixels(const Dataset& data) { return data.is_image && (data.shape.channels == 1 || data.shape.channels == 3); }

Image pixel_grid(const Dataset& data, std::vector<float> rows) {
  to_unit_range(data, rows);
  return image_grid(rows, tiles(data, rows));
}

Image pixel_pairs(const Dataset& data, std::vector<float> originals, std::vector<float> reconstructions) {
  to_unit_range(data, originals);
  to_unit_range(data, reconstructions);
  return pairs_grid(originals, reconstructions, tiles(data, originals));
}

std::vector<float> sample_means(const Session& s, Index count, Key key) {
  std::vector<float> means;
  Tape tape(ad::Grad::off);
  for (Index done = 0; done < count;) {
    const Index now = std::min<Index>(s.config.evaluate.batch_size, count - done);
    tape.reset();
    const Context c{tape, false, key.fold(static_cast<std::uint64_t>(done))};
    append(means, s.model->decode(c, s.model->sample_prior(c, now)));
    done += now;
  }
  undo_standardization(s.data, means);
  return means;
}

Reconstructions reconstruct(const Session& s, Index count) {
  Reconstructions r{.split = shown_split(s.data), .count = 0, .originals = {}, .reconstructions = {}};
  r.count = for_batches(s, r.split, count, [&](const Context& c, const Minibatch& batch) {
    append(r.originals, batch.x);
    append(r.reconstructions, s.model->decode(c, s.model->encode(c, batch)));
  });
  undo_standardization(s.data, r.originals);
  undo_standardization(s.data, r.reconstructions);
  return r;
}

Codes encode_split(const Session& s, Split split, Index limit) {
  Codes codes{.count = 0, .dimensions = s.model->latent_dim(), .codes = {}, .labels = {}};
  codes.count = for_batches(s, split, limit, [&](const Context& c, const Minibatch& batch) {
    append(codes.codes, s.model->encode(c, batch));
    codes.labels.insert(codes.labels.end(), batch.labels.begin(), batch.labels.end());
  });
  return codes;
}

std::vector<Picture> draw_pictures(const Session& session, const fs::path& folder, std::int64_t step, EventWriter* events) {
  std::vector<Picture> pictures;
  const auto keep = [&](std::optional<Picture> p) {
    if (p) pictures.push_back(std::move(*p));
  };
  keep(draw_samples(session, folder, step, events));
  keep(draw_reconstructions(session, folder, step, events));
  if (session.config.output.latent_map) keep(draw_latent_map(session, folder));
  return pictures;
}

}  // namespace vaezoo
