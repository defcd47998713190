#include "experiments/runner/pictures.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "autodiff/shape_ops.hpp"
#include "datasets/text.hpp"
#include "experiments/output/files.hpp"
#include "experiments/output/svg.hpp"
#include "experiments/runner/feed.hpp"
#include "experiments/runner/linalg.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

constexpr Index kMapPoints = 2000;  ///< as many as a scatter can show before it is one blot
constexpr Index kWideCode = 512;    ///< dimensions beyond which the map shows so many points only: its components cost their cube
constexpr Index kStyleExamples = 8;  ///< rows of the pictures that show several columns of each example

void append(std::vector<float>& to, Var x) { to.insert(to.end(), x.data(), x.data() + x.size()); }

/// The first split that has examples.
Split shown_split(const Dataset& data) {
  return data.test.size() > 0 ? Split::test : data.validation.size() > 0 ? Split::validation : Split::train;
}

/// Calls f(context, batch) for the first `limit` examples of a split, in order.
template <class F>
Index for_batches(const Session& s, Split split, Index limit, F&& f) {
  limit = std::min(limit, s.data.split(split).size());
  if (limit == 0) return 0;
  Feed feed(s.data, split, {.batch_size = std::min<Index>(s.config.evaluate.batch_size, limit)}, s.keys.order());
  Tape tape(ad::Grad::off);
  for (Index done = 0; done < limit;) {
    const Index count = std::min(feed.next(), limit - done);
    tape.reset();
    const Context c{tape, false, s.keys.pictures().fold(static_cast<std::uint64_t>(done))};
    f(c, feed.batch(tape, count));
    done += count;
  }
  return limit;
}

/// From the numbers that the model saw to what pictures show: black is 0, white 1.
std::vector<float> to_pixels(const Dataset& data, std::vector<float> rows) {
  const auto [low, high] = pixel_range(data);
  if (data.mean.empty() && low == 0 && high == 1) return rows;
  const std::vector<double> values = in_source_units(data, rows);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>((values[i] - double(low)) / (double(high) - double(low)));
  return rows;
}

TileShape tiles(const Dataset& data, const std::vector<float>& rows) {
  return {.count = std::ssize(rows) / data.shape.size(),
          .height = data.shape.height,
          .width = data.shape.width,
          .channels = data.shape.channels};
}

/// Samples over data in the plane.
std::string plane_svg(const Session& s, const std::vector<float>& samples) {
  ScatterPlot plot{.title = "Data and samples",
                   .x_label = "x0",
                   .y_label = "x1",
                   .x = {},
                   .y = {},
                   .labels = {},
                   .label_names = {"data", "samples"}};
  const auto add = [&](const std::vector<float>& rows, int label) {
    const std::vector<double> points = in_source_units(s.data, rows);
    for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
      plot.x.push_back(points[i]);
      plot.y.push_back(points[i + 1]);
      plot.labels.push_back(label);
    }
  };
  std::vector<float> data;
  for_batches(s, shown_split(s.data), kMapPoints, [&](const Context&, const Minibatch& batch) { append(data, batch.x); });
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

LatentPlane latent_plane(const MeanCodes& codes) {
  if (codes.dimensions == 2) return {"Mean codes", "z0", "z1", "", codes.codes};
  const PrincipalComponents pca = principal_components(codes.codes, codes.dimensions, 2);
  const double first = 100 * pca.explained[0], second = 100 * pca.explained[1];
  return {fmt::format("Mean codes: {:.0f} % of their variance", first + second), fmt::format("component 1 ({:.0f} %)", first),
          fmt::format("component 2 ({:.0f} %)", second),
          fmt::format(": the first two of {} principal components", codes.dimensions), project(codes.codes, pca)};
}

std::optional<SavedPicture> draw_latent_map(const Session& s, const fs::path& folder) {
  const Split split = shown_split(s.data);
  const MeanCodes codes = encode_split(s, split, s.model->latent_dim() > kWideCode ? kWideCode : kMapPoints);
  if (codes.dimensions < 2 || codes.count == 0) return std::nullopt;
  const LatentPlane plane = latent_plane(codes);
  ScatterPlot plot{.title = plane.title,
                   .x_label = plane.x_label,
                   .y_label = plane.y_label,
                   .x = {},
                   .y = {},
                   .labels = codes.labels,
                   .label_names = s.data.class_names};
  for (std::size_t i = 0; i + 1 < plane.points.size(); i += 2) {
    plot.x.push_back(double(plane.points[i]));
    plot.y.push_back(double(plane.points[i + 1]));
  }
  atomic_write(folder / "latent_map.svg", to_svg(plot));
  return SavedPicture{fmt::format("Mean codes of {}{}{}.", plural(codes.count, to_text(split)),
                             codes.labels.empty() ? "" : ", coloured by label", plane.caption),
                 folder / "latent_map.svg"};
}

/// Writes a picture's PNG and shows it to TensorBoard.
SavedPicture save_picture(const fs::path& folder, const std::string& name, const Image& image, std::string caption, std::int64_t step,
                     EventWriter* events) {
  write_png(folder / (name + ".png"), image);
  if (events != nullptr) events->picture(step, name, image);
  return {std::move(caption), folder / (name + ".png")};
}

constexpr Index kTextLines = 20;

SavedPicture save_text(const fs::path& folder, const std::string& name, const std::string& title, const std::vector<std::string>& lines,
                       const std::string& caption) {
  atomic_write(folder / (name + ".svg"), to_svg(TextPanel{title, lines}));
  return {caption, folder / (name + ".svg")};
}

std::optional<SavedPicture> draw_samples(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  const Index wanted = s.config.output.samples;
  const Key key = s.keys.pictures().fold("samples");
  if (wanted == 0) return std::nullopt;
  if (shows_pixels(s.data)) {
    const bool by_class = s.model->conditioning() == Conditioning::labels;
    const Index columns = by_class ? s.data.classes : 0,
                count = by_class ? std::max<Index>(1, wanted / columns) * columns : wanted;
    const Image image = pixel_grid(s.data, samples(s, count, key).x, columns);
    return save_picture(
        folder, "samples", image,
        fmt::format("{} samples: E[x | z] for z drawn from the prior{}.", count, by_class ? ", a column for each class" : ""),
        step, events);
  }
  if (!s.data.vocabulary.empty()) {
    const std::vector<float> x = samples(s, std::min<Index>(wanted, kTextLines), key).x;
    return save_text(folder, "samples", "Samples", lines_of(s.data, x),
                     fmt::format("{} samples: z from the prior, each token the likeliest after those before it.", std::ssize(x) / s.data.shape.size()));
  }
  if (s.data.shape.size() != 2) return std::nullopt;
  atomic_write(folder / "samples.svg", plane_svg(s, samples(s, kMapPoints, key, Drawn::sample).x));
  return SavedPicture{fmt::format("Data, and {} samples: z from the prior, then x from p(x | z).", kMapPoints),
                 folder / "samples.svg"};
}

/// Codes of examples decoded with every label: what of an example is style, and what its class.
std::optional<SavedPicture> draw_styles(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  if (s.model->decoder_conditioning() != Conditioning::labels || !shows_pixels(s.data)) return std::nullopt;
  std::vector<float> rows;
  const Index columns = s.data.classes + 1;
  for_batches(s, shown_split(s.data), kStyleExamples, [&](const Context& c, const Minibatch& batch) {
    const Var z = s.model->encode(c, batch);
    std::vector<Var> columns_of{batch.x};
    std::vector<int> label(batch.labels.size());
    for (int k = 0; k < s.data.classes; ++k) {
      std::ranges::fill(label, k);
      columns_of.push_back(s.model->decode(c, z, {.x = batch.x, .labels = label, .conditions = batch.conditions}));
    }
    append(rows, ad::stack(columns_of, 1));
  });
  return save_picture(
      folder, "styles", pixel_grid(s.data, std::move(rows), columns),
      "Examples (first column), and their codes decoded with each label in turn: the style stays, the class changes.", step,
      events);
}

/// Reconstructions in which the lower levels are drawn again: what each level knows.
std::optional<SavedPicture> draw_levels(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  const std::vector<Level> levels = s.model->levels();
  if (levels.size() < 2 || !shows_pixels(s.data)) return std::nullopt;
  std::vector<float> rows;
  for_batches(s, shown_split(s.data), kStyleExamples, [&](const Context& c, const Minibatch& batch) {
    const Var z = s.model->encode(c, batch);
    std::vector<Var> columns{batch.x, s.model->decode(c, z, batch)};
    for (std::size_t level = 1; level < levels.size(); ++level) {
      const Context redrawn{c.tape, false, c.key.fold(level)};
      columns.push_back(s.model->decode(c, s.model->resample_below(redrawn, z, level, batch), batch));
    }
    append(rows, ad::stack(columns, 1));
  });
  return save_picture(
      folder, "levels", pixel_grid(s.data, std::move(rows), std::ssize(levels) + 1),
      fmt::format("Examples, their reconstructions, and these with the levels below {} to {} drawn again from the prior.",
                  levels[1].name, levels.back().name),
      step, events);
}

/// A colour for each code: hues by the golden angle, so that neighbours differ.
std::array<float, 3> code_colour(Index code) {
  const double hue = std::fmod(static_cast<double>(code) * 0.61803398875, 1.0) * 6;
  const auto channel = [hue](double offset) {
    const double h = std::fmod(hue + offset, 6.0);
    return static_cast<float>(0.25 + 0.7 * std::clamp(std::min(h, 4 - h), 0.0, 1.0));
  };
  return {channel(2), channel(0), channel(4)};
}

/// Discrete codes as maps, a row of tiles for each example; maps of other sizes than the first are scaled to it.
std::optional<SavedPicture> draw_codes(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  std::vector<float> pixels;
  Index side_h = 0, side_w = 0, columns = 0;
  std::string names;
  for_batches(s, shown_split(s.data), kStyleExamples, [&](const Context& c, const Minibatch& batch) {
    const std::vector<CodeMap> maps = s.model->code_maps(c, batch);
    columns = std::ssize(maps);
    for (const CodeMap& m : maps) {
      side_h = std::max(side_h, m.height);
      side_w = std::max(side_w, m.width);
      names += (names.empty() ? "" : ", ") + m.name;
    }
    for (Index b = 0; b < batch.x.shape()[0]; ++b)
      for (const CodeMap& m : maps)
        for (Index y = 0; y < side_h; ++y)
          for (Index x = 0; x < side_w; ++x) {
            const Index at = (b * m.height + y * m.height / side_h) * m.width + x * m.width / side_w;
            std::ranges::copy(code_colour(m.indices[static_cast<std::size_t>(at)]), std::back_inserter(pixels));
          }
  });
  if (columns == 0) return std::nullopt;
  const TileShape tile{.count = std::ssize(pixels) / (3 * side_h * side_w), .height = side_h, .width = side_w, .channels = 3};
  return save_picture(folder, "codes", image_grid(pixels, tile, {.columns = columns == 1 ? 0 : columns}),
                      fmt::format("The codes of test examples, a colour for each code ({}).", names), step, events);
}

std::optional<SavedPicture> draw_reconstructions(const Session& s, const fs::path& folder, std::int64_t step, EventWriter* events) {
  if (s.config.output.reconstructions > 0 && !s.data.vocabulary.empty()) {
    const Reconstructions r = reconstruct(s, std::min<Index>(s.config.output.reconstructions, kTextLines));
    const std::vector<std::string> originals = lines_of(s.data, r.originals), again = lines_of(s.data, r.reconstructions);
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < originals.size(); ++i) lines.insert(lines.end(), {originals[i], "  " + again[i]});
    return save_text(folder, "reconstructions", "Reconstructions", lines,
                     fmt::format("{}, each above its reconstruction from the mean code.", plural(r.count, to_text(r.split))));
  }
  if (s.config.output.reconstructions == 0 || !shows_pixels(s.data)) return std::nullopt;
  Reconstructions r = reconstruct(s, s.config.output.reconstructions);
  const Image image = pixel_pairs(s.data, std::move(r.originals), std::move(r.reconstructions));
  return save_picture(folder, "reconstructions", image,
                      fmt::format("{}, each above its reconstruction from the mean code.", plural(r.count, to_text(r.split))),
                      step, events);
}

}  // namespace

bool shows_pixels(const Dataset& data) { return data.is_image && (data.shape.channels == 1 || data.shape.channels == 3); }

std::pair<float, float> pixel_range(const Dataset& data) {
  if (data.shown) return *data.shown;
  if (data.unit_range) return {0.f, 1.f};
  std::vector<float> rows;
  std::vector<Real> row(static_cast<std::size_t>(data.shape.size()));
  for (Index i = 0; i < std::min<Index>(data.train.size(), kMapPoints); ++i) {
    data.train.read(i, row);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const std::vector<double> values = in_source_units(data, rows);
  const auto [low, high] = std::ranges::minmax_element(values);
  if (low == values.end() || (*low >= 0 && *high <= 1) || !(static_cast<float>(*low) < static_cast<float>(*high))) return {0.f, 1.f};
  return {static_cast<float>(*low), static_cast<float>(*high)};
}

Image pixel_grid(const Dataset& data, std::vector<float> rows, Index columns) {
  const std::vector<float> pixels = to_pixels(data, std::move(rows));
  return image_grid(pixels, tiles(data, pixels), {.columns = columns});
}

Image pixel_pairs(const Dataset& data, std::vector<float> originals, std::vector<float> reconstructions) {
  std::ranges::replace_if(originals, [](float x) { return std::isnan(x); }, 0.f);  // not observed: as the model was given it
  originals = to_pixels(data, std::move(originals));
  return pairs_grid(originals, to_pixels(data, std::move(reconstructions)), tiles(data, originals));
}

Image pixel_image(const Dataset& data, std::vector<float> row) {
  return to_image(to_pixels(data, std::move(row)), data.shape.height, data.shape.width, data.shape.channels);
}

Samples samples(const Session& s, Index count, Key key, Drawn drawn, std::span<const int> classes) {
  Samples made;
  const auto draw = [&](const Context& c, Index now, const Minibatch& given) {
    const Var z = s.model->sample_prior(c, now, given);
    append(made.x, drawn == Drawn::mean ? s.model->decode(c, z, given) : s.model->sample_x(c, z, given));
  };
  const Conditioning given_kind = s.model->conditioning();
  if (given_kind == Conditioning::conditions || given_kind == Conditioning::x) {
    for_batches(s, shown_split(s.data), count,
                [&](const Context& c, const Minibatch& given) { draw(c, given.x.shape()[0], given); });
  } else {
    std::vector<int>& labels = made.labels;
    labels.resize(given_kind == Conditioning::labels ? static_cast<std::size_t>(count) : 0);
    for (std::size_t i = 0; i < labels.size(); ++i)
      labels[i] = classes.empty() ? static_cast<int>(i) % s.data.classes : classes[i % classes.size()];
    Tape tape(ad::Grad::off);
    for (Index done = 0; done < count;) {
      const Index now = std::min<Index>(s.config.evaluate.batch_size, count - done);
      tape.reset();
      const Context c{tape, false, key.fold(static_cast<std::uint64_t>(done))};
      Minibatch given;
      if (!labels.empty())
        given.labels = std::span<const int>(labels).subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(now));
      draw(c, now, given);
      done += now;
    }
  }
  return made;
}

Reconstructions reconstruct(const Session& s, Index count) {
  Reconstructions r{.split = shown_split(s.data), .count = 0, .originals = {}, .reconstructions = {}};
  r.count = for_batches(s, r.split, count, [&](const Context& c, const Minibatch& batch) {
    append(r.originals, batch.x);
    for (Index i = 0; batch.mask && i < batch.mask.size(); ++i)
      if (batch.mask.data()[i] == 0) r.originals[r.originals.size() - static_cast<std::size_t>(batch.mask.size() - i)] = std::nanf("");
    append(r.reconstructions, s.model->decode(c, s.model->encode(c, batch), batch));
  });
  return r;
}

MeanCodes encode_split(const Session& s, Split split, Index limit) {
  MeanCodes codes{.count = 0, .dimensions = s.model->latent_dim(), .codes = {}, .labels = {}};
  codes.count = for_batches(s, split, limit, [&](const Context& c, const Minibatch& batch) {
    append(codes.codes, s.model->encode(c, batch));
    codes.labels.insert(codes.labels.end(), batch.labels.begin(), batch.labels.end());
  });
  return codes;
}

std::vector<SavedPicture> draw_pictures(const Session& session, const fs::path& folder, std::int64_t step, EventWriter* events) {
  std::vector<SavedPicture> pictures;
  const auto keep = [&](std::optional<SavedPicture> p) {
    if (p) pictures.push_back(std::move(*p));
  };
  keep(draw_samples(session, folder, step, events));
  keep(draw_reconstructions(session, folder, step, events));
  keep(draw_styles(session, folder, step, events));
  keep(draw_levels(session, folder, step, events));
  keep(draw_codes(session, folder, step, events));
  if (session.config.output.latent_map) keep(draw_latent_map(session, folder));
  return pictures;
}

}  // namespace vaezoo
