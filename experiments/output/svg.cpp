#include "experiments/output/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#include "experiments/output/axis.hpp"
#include "experiments/output/text.hpp"

namespace vaezoo {
namespace {

constexpr std::size_t kBandAbove = 2000, kBandIntervals = 400, kDotsUpTo = 60;
constexpr double kWidth = 560;      // two charts side by side on a page, with text at its natural size
constexpr double kCharWidth = 6.6;  // of the 12 px font; SVG cannot measure text
constexpr const char* kGrey = "#9aa2ac";

constexpr std::string_view kStyle =
    "<style>"
    ".vz{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".vz .bg{fill:#fff}.vz text{fill:#4a525c}.vz .title{font-size:14px;font-weight:600;fill:#1b1f24}"
    ".vz .grid{stroke:#e6e9ed}.vz .axis,.vz .mark{stroke:#8a929c}.vz .mark{stroke-dasharray:4 4}"
    ".vz .name{font-weight:700;font-size:14px;fill:#1b1f24;stroke:#fff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}"
    "@media screen and (prefers-color-scheme:dark){"
    ".vz .bg{fill:#1b1f24}.vz text{fill:#b4bcc6}.vz .title{fill:#eef1f4}.vz .grid{stroke:#30363d}.vz .axis,.vz .mark{stroke:#77808a}"
    ".vz .name{fill:#fff;stroke:#1b1f24}}"
    "</style>";

/// The smallest interval that holds all finite values (the positive ones for a log axis).
struct Extent {
  double low = INFINITY, high = -INFINITY;
  void add(double value, bool log = false) {
    if (!std::isfinite(value) || (log && value <= 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

struct Legend {
  std::string name, color;
};

struct Frame {
  double width, height;                  // of the picture
  double left, top, right, bottom;       // of the plot area
};

/// The text of one chart, grown element by element.
class Canvas {
 public:
  Canvas(const Frame& frame, const std::string& title) : frame_(frame) {
    add("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"vz\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\" "
        "role=\"img\" aria-label=\"{2}\">{3}<rect class=\"bg\" width=\"{0:g}\" height=\"{1:g}\" rx=\"6\"/>",
        frame.width, frame.height, escape_markup(title), kStyle);
    text(16, 24, title, "class=\"title\"");
  }

  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(svg_), format, std::forward<Args>(args)...);
  }

  void text(double x, double y, std::string_view content, std::string_view attributes = "") {
    if (!content.empty()) add("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>", x, y, attributes, escape_markup(content));
  }

  void axes(const Axis& x, const Axis& y, const std::string& x_label, const std::string& y_label) {
    for (std::size_t i = 0; i < y.ticks().size(); ++i) {
      const double at = y(y.ticks()[i]);
      add("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", frame_.left, frame_.right, at, at);
      text(frame_.left - 8, at + 4, y.labels()[i], "text-anchor=\"end\"");
    }
    for (std::size_t i = 0; i < x.ticks().size(); ++i) {
      const double at = x(x.ticks()[i]);
      add("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", at, at, frame_.bottom,
          frame_.bottom + 4);
      text(at, frame_.bottom + 18, x.labels()[i], "text-anchor=\"middle\"");
    }
    add("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", frame_.left, frame_.right,
        frame_.bottom, frame_.bottom);
    axis_labels(x_label, y_label);
  }

  void axis_labels(const std::string& x_label, const std::string& y_label) {
    text((frame_.left + frame_.right) / 2, frame_.height - 10, x_label, "text-anchor=\"middle\"");
    const double middle = (frame_.top + frame_.bottom) / 2;
    text(16, middle, y_label, fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 16 {:.1f})\"", middle));
  }

  void swatch(double x, double y, const Legend& entry) {
    add("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" rx=\"3\" fill=\"{}\"/>", x, y - 10, entry.color);
    text(x + 18, y, entry.name);
  }

  std::string finish() && { return std::move(svg_) + "</svg>"; }

 private:
  Frame frame_;
  std::string svg_;
};

double text_width(std::string_view text) { return kCharWidth * static_cast<double>(display_width(text)); }

/// Positions of legend entries in rows under the title, and the y at which the plot may begin.
std::pair<std::vector<std::pair<double, double>>, double> legend_rows(const std::vector<Legend>& legend, double width) {
  std::vector<std::pair<double, double>> places;
  double x = 16, y = 46;
  for (const Legend& entry : legend) {
    const double needed = 36 + text_width(entry.name);
    if (x > 16 && x + needed > width) {
      x = 16;
      y += 18;
    }
    places.emplace_back(x, y);
    x += needed;
  }
  return {places, legend.empty() ? 42 : y + 16};
}

Canvas wide_canvas(const std::string& title, const std::vector<Legend>& legend, Frame& frame) {
  const auto [places, top] = legend_rows(legend, kWidth);
  frame = {kWidth, top + 268, 62, top, kWidth - 16, top + 220};
  Canvas canvas(frame, title);
  for (std::size_t i = 0; i < legend.size(); ++i) canvas.swatch(places[i].first, places[i].second, legend[i]);
  return canvas;
}

/// "M1 2L3 4..." with a new M after every gap.
std::string path_of(const std::vector<double>& x, const std::vector<double>& y) {
  std::string path;
  bool pen_down = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool finite = std::isfinite(x[i]) && std::isfinite(y[i]);
    if (finite) fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', x[i], y[i]);
    pen_down = finite;
  }
  return path;
}

void draw_curve(Canvas& canvas, const Series& series, const char* color, const Axis& x_axis, const Axis& y_axis) {
  std::vector<double> x(series.x.size()), y(series.y.size());
  std::transform(series.x.begin(), series.x.end(), x.begin(), x_axis);
  std::transform(series.y.begin(), series.y.end(), y.begin(), y_axis);
  canvas.add("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
             path_of(x, y), color);
  if (x.size() > kDotsUpTo) return;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) continue;
    canvas.add("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {} at {}</title></circle>", x[i], y[i], color,
               escape_markup(series.name), format_number(series.y[i], 6), format_number(series.x[i], 6));
  }
}

/// A long series becomes its means in kBandIntervals intervals of consecutive points, over a band from minimum to maximum.
Series draw_band(Canvas& canvas, const Series& series, const char* color, const Axis& x_axis, const Axis& y_axis, bool log) {
  Series means{series.name, {}, {}};
  std::string upper, lower;
  for (std::size_t k = 0; k < kBandIntervals; ++k) {
    const std::size_t begin = k * series.x.size() / kBandIntervals, end = (k + 1) * series.x.size() / kBandIntervals;
    Extent extent;
    double sum = 0, count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (!std::isfinite(series.y[i]) || (log && series.y[i] <= 0)) continue;
      extent.add(series.y[i]);
      sum += series.y[i];
      ++count;
    }
    const double x = series.x[(begin + end) / 2];
    means.x.push_back(x);
    means.y.push_back(count > 0 ? sum / count : NAN);
    if (count == 0 || !std::isfinite(x)) continue;
    upper += fmt::format("{}{:.1f} {:.1f}", upper.empty() ? 'M' : 'L', x_axis(x), y_axis(extent.high));
    lower = fmt::format("L{:.1f} {:.1f}", x_axis(x), y_axis(extent.low)) + lower;
  }
  if (!upper.empty()) canvas.add("<path class=\"band\" d=\"{}{}Z\" fill=\"{}\" opacity=\"0.25\"/>", upper, lower, color);
  return means;
}

bool all_whole(const std::vector<Series>& series) {
  return std::all_of(series.begin(), series.end(), [](const Series& s) {
    return std::all_of(s.x.begin(), s.x.end(), [](double v) { return std::floor(v) == v; });
  });
}

void draw_marker(Canvas& canvas, double at, const std::string& label, const Frame& frame) {
  const bool left = at + 8 + text_width(label) > frame.right;  // the label goes where there is room
  canvas.add("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", at, frame.top, frame.bottom);
  canvas.text(at + (left ? -6 : 6), frame.top + 10, label, left ? "text-anchor=\"end\"" : "");
}

void require_equal(const char* chart, std::size_t a, std::size_t b) {
  if (a != b) throw std::invalid_argument(fmt::format("[{}] the vectors must be equally long, got {} and {}", chart, a, b));
}

void say_no_data(Canvas& canvas, const Frame& frame) {
  canvas.text((frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2, "no data", "text-anchor=\"middle\"");
}

/// One path of zero-length strokes with round caps: 12 bytes a point, a tenth of circles.
void draw_points(Canvas& canvas, const ScatterPlot& plot, const std::vector<std::size_t>& points, const char* color,
                 const Axis& x, const Axis& y) {
  std::string path;
  for (const std::size_t i : points) fmt::format_to(std::back_inserter(path), "M{:.1f} {:.1f}h0", x(plot.x[i]), y(plot.y[i]));
  const double size = plot.x.size() <= 500 ? 6 : plot.x.size() <= 3000 ? 4 : 2.6;
  canvas.add("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" opacity=\"0.8\"/>", path,
             color, size);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Finite points by label; without labels all are 0.
std::map<int, std::vector<std::size_t>> classes_of(const ScatterPlot& plot) {
  std::map<int, std::vector<std::size_t>> classes;
  for (std::size_t i = 0; i < plot.x.size(); ++i) {
    if (std::isfinite(plot.x[i]) && std::isfinite(plot.y[i])) classes[plot.labels.empty() ? 0 : plot.labels[i]].push_back(i);
  }
  return classes;
}

std::string label_name(const ScatterPlot& plot, int label) {
  const bool named = label >= 0 && static_cast<std::size_t>(label) < plot.label_names.size();
  return named ? plot.label_names[static_cast<std::size_t>(label)] : std::to_string(label);
}

/// The classes of a scatter plot as its legend names them and as the plot does.
struct ClassNames {
  std::vector<Legend> legend;        ///< as many as fit
  std::vector<std::string> in_plot;  ///< in the order of the labels
  bool beside = true;                ///< does the legend fit next to the plot? Else it stands above, with numbers for the plot
};

/// For a plot that ends at `right`.
ClassNames names_of(const ScatterPlot& plot, const std::map<int, std::vector<std::size_t>>& classes, double right) {
  ClassNames names;
  for (const auto& [label, points] : classes)
    names.beside = names.beside && right + 34 + text_width(label_name(plot, label)) <= kWidth;
  const std::size_t room = names.beside ? 20 : 60;
  for (const auto& [label, points] : classes) {
    const std::string name = label_name(plot, label), number = std::to_string(names.in_plot.size() + 1);
    const char* color = palette_color(static_cast<std::size_t>(std::max(0, label)));
    if (names.legend.size() < room) names.legend.push_back({names.beside ? name : number + ": " + name, color});
    names.in_plot.push_back(names.beside ? name : number);
  }
  if (classes.size() > room) names.legend.push_back({fmt::format("and {} more", classes.size() - room), "none"});
  return names;
}

/// The names at the median of each class; of few points by its side, so that they hide none.
void name_classes(Canvas& canvas, const ScatterPlot& plot, const std::map<int, std::vector<std::size_t>>& classes,
                  const std::vector<std::string>& names, const Axis& x, const Axis& y, const Frame& frame) {
  const bool few = plot.x.size() <= kDotsUpTo;
  if (!few && classes.size() <= 2) return;  // two clouds may share their middle; the legend says enough
  auto name = names.begin();
  for (auto [label, points] : classes) {
    if (few) {  // by the side of the middle one
      const auto middle = points.begin() + static_cast<std::ptrdiff_t>(points.size() / 2);
      std::ranges::nth_element(points, middle, {}, [&](std::size_t i) { return plot.x[i]; });
      const double at_x = x(plot.x[*middle]), at_y = y(plot.y[*middle]) - 8;
      const bool right = at_x < (frame.left + frame.right) / 2;  // where there is room
      canvas.text(at_x + (right ? 8 : -8), at_y, *name, right ? "class=\"name\"" : "class=\"name\" text-anchor=\"end\"");
    } else {
      std::vector<double> xs, ys;
      for (const std::size_t i : points) {
        xs.push_back(plot.x[i]);
        ys.push_back(plot.y[i]);
      }
      canvas.text(x(median(xs)), y(median(ys)) + 5, *name, "class=\"name\" text-anchor=\"middle\"");
    }
    ++name;
  }
}

}  // namespace

const char* palette_color(std::size_t i) {
  static constexpr std::array<const char*, 10> kColors = {"#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
                                                          "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"};
  return kColors[i % kColors.size()];
}

std::string to_svg(const LineChart& chart) {
  Extent x_extent, y_extent;
  std::vector<Legend> legend;
  for (const Series& series : chart.series) {
    require_equal("LineChart", series.x.size(), series.y.size());
    for (const double x : series.x) x_extent.add(x);
    for (const double y : series.y) y_extent.add(y, chart.log_y);
    legend.push_back({series.name, palette_color(legend.size())});
  }
  if (chart.marker_x && y_extent.low <= y_extent.high) x_extent.add(*chart.marker_x);
  const double margin = chart.log_y || !(y_extent.low < y_extent.high) ? 0 : 0.04 * (y_extent.high - y_extent.low);

  Frame frame;
  Canvas canvas = wide_canvas(chart.title, legend, frame);
  const Axis x(x_extent.low, x_extent.high, frame.left, frame.right, {.integers = all_whole(chart.series), .ticks = 7});
  const Axis y(y_extent.low - margin, y_extent.high + margin, frame.bottom, frame.top, {.log = chart.log_y});
  canvas.axes(x, y, chart.x_label, chart.y_label);
  if (!(y_extent.low <= y_extent.high)) say_no_data(canvas, frame);
  if (chart.marker_x && std::isfinite(*chart.marker_x)) draw_marker(canvas, x(*chart.marker_x), chart.marker_label, frame);
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    const bool band = series.x.size() > kBandAbove;
    draw_curve(canvas, band ? draw_band(canvas, series, palette_color(i), x, y, chart.log_y) : series, palette_color(i), x, y);
  }
  return std::move(canvas).finish();
}

std::string to_svg(const ScatterPlot& plot) {
  require_equal("ScatterPlot", plot.x.size(), plot.y.size());
  if (!plot.labels.empty()) require_equal("ScatterPlot", plot.x.size(), plot.labels.size());
  const auto classes = classes_of(plot);
  Extent x_extent, y_extent;
  for (const auto& [label, points] : classes) {
    for (const std::size_t i : points) {
      x_extent.add(plot.x[i]);
      y_extent.add(plot.y[i]);
    }
  }
  // Halved before they are added: twice the largest double is infinite.
  const auto middle = [](const Extent& e) { return e.low / 2 + e.high / 2; };
  const auto radius = [](const Extent& e) { return e.high / 2 - e.low / 2; };
  const double half = classes.empty() ? 1 : 1.04 * std::max({radius(x_extent), radius(y_extent), 5e-10});
  const double x_middle = classes.empty() ? 0 : middle(x_extent), y_middle = classes.empty() ? 0 : middle(y_extent);

  Frame frame{kWidth, 470, 62, 42, 442, 422};
  const ClassNames names = plot.labels.empty() ? ClassNames{} : names_of(plot, classes, frame.right);
  std::vector<std::pair<double, double>> places;
  if (names.beside) {
    for (std::size_t i = 0; i < names.legend.size(); ++i) places.emplace_back(frame.right + 16, frame.top + 10 + 18 * double(i));
  } else {
    double top = 0;
    std::tie(places, top) = legend_rows(names.legend, kWidth);
    frame = {kWidth, frame.height + top - frame.top, frame.left, top, frame.right, frame.bottom + top - frame.top};
  }
  Canvas canvas(frame, plot.title);
  for (std::size_t i = 0; i < names.legend.size(); ++i) canvas.swatch(places[i].first, places[i].second, names.legend[i]);
  const AxisOptions ticks{.ticks = 8};
  const Axis x(x_middle - half, x_middle + half, frame.left, frame.right, ticks);
  const Axis y(y_middle - half, y_middle + half, frame.bottom, frame.top, ticks);
  canvas.axes(x, y, plot.x_label, plot.y_label);
  if (classes.empty()) say_no_data(canvas, frame);
  // In eight layers, so that no class hides all of another.
  for (std::size_t layer = 0; layer < 8; ++layer) {
    for (const auto& [label, points] : classes) {
      std::vector<std::size_t> some;
      for (std::size_t k = layer; k < points.size(); k += 8) some.push_back(points[k]);
      if (!some.empty()) draw_points(canvas, plot, some, palette_color(static_cast<std::size_t>(std::max(0, label))), x, y);
    }
  }
  if (!plot.labels.empty()) name_classes(canvas, plot, classes, names.in_plot, x, y, frame);
  return std::move(canvas).finish();
}

std::string to_svg(const BarChart& chart) {
  if (!chart.faded.empty()) require_equal("BarChart", chart.values.size(), chart.faded.size());
  Extent extent;
  extent.add(0);
  for (const double value : chart.values) extent.add(value);
  std::vector<Legend> legend;
  if (!chart.name.empty()) legend.push_back({chart.name, palette_color(0)});
  if (!chart.faded_name.empty()) legend.push_back({chart.faded_name, kGrey});

  Frame frame;
  Canvas canvas = wide_canvas(chart.title, legend, frame);
  const auto count = static_cast<double>(std::max<std::size_t>(1, chart.values.size()));
  const Axis x(-0.5, count - 0.5, frame.left, frame.right, {.integers = true, .ticks = 16});
  const Axis y(extent.low, extent.high * 1.04, frame.bottom, frame.top);
  canvas.axes(x, y, chart.x_label, chart.y_label);
  if (chart.values.empty()) say_no_data(canvas, frame);
  const double pitch = (frame.right - frame.left) / count, width = pitch > 4 ? 0.8 * pitch : pitch;
  for (std::size_t i = 0; i < chart.values.size(); ++i) {
    const double value = chart.values[i];
    if (!std::isfinite(value)) continue;
    const double top = std::min(y(value), y(0)),
                 height = std::max(0.5, std::abs(y(value) - y(0)));  // a zero still shows as a hair
    const bool faded = !chart.faded.empty() && chart.faded[i];
    canvas.add("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\"><title>{}: {}</title></rect>",
               x(static_cast<double>(i)) - width / 2, top, width, height, faded ? kGrey : palette_color(0), i,
               format_number(value, 6));
  }
  return std::move(canvas).finish();
}

std::string to_svg(const HeatMap& map) {
  require_equal("HeatMap", map.values.size(), map.rows.size() * map.columns.size());
  constexpr double kRow = 24;
  double names = 0;
  for (const std::string& row : map.rows) names = std::max(names, text_width(row));
  const auto rows = static_cast<double>(map.rows.size()), columns = static_cast<double>(std::max<std::size_t>(1, map.columns.size()));
  const Frame frame{kWidth, 42 + kRow * rows + 48, 42 + names, 42, kWidth - 16, 42 + kRow * rows};
  Canvas canvas(frame, map.title);
  Extent extent;
  extent.add(0);
  for (const double value : map.values) extent.add(value);
  const double pitch = (frame.right - frame.left) / columns, range = extent.high > extent.low ? extent.high - extent.low : 1;
  for (std::size_t i = 0; i < map.values.size(); ++i) {
    const double value = map.values[i];
    const double x = frame.left + pitch * static_cast<double>(i % map.columns.size()), y = frame.top + kRow * static_cast<double>(i / map.columns.size());
    const double share = std::isfinite(value) ? (value - extent.low) / range : 0;
    const auto shade = [share](double light, double dark) { return static_cast<int>(std::lround(light + share * (dark - light))); };
    canvas.add("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#{:02x}{:02x}{:02x}\"><title>{}, {}: {}</title></rect>", x + 0.5,
               y + 0.5, pitch - 1, kRow - 1, shade(247, 8), shade(251, 48), shade(255, 107), escape_markup(map.rows[i / map.columns.size()]),
               escape_markup(map.columns[i % map.columns.size()]), format_number(value, 4));
    if (std::isfinite(value) && pitch > 36)
      canvas.text(x + pitch / 2, y + kRow / 2 + 4, fmt::format("{:.2f}", value),
                  fmt::format("text-anchor=\"middle\" style=\"fill:{}\"", share > 0.5 ? "#fff" : "#1b1f24"));
  }
  for (std::size_t r = 0; r < map.rows.size(); ++r)
    canvas.text(frame.left - 8, frame.top + kRow * static_cast<double>(r) + kRow / 2 + 4, map.rows[r], "text-anchor=\"end\"");
  for (std::size_t c = 0; c < map.columns.size(); ++c)
    canvas.text(frame.left + pitch * (static_cast<double>(c) + 0.5), frame.bottom + 16, map.columns[c], "text-anchor=\"middle\"");
  canvas.axis_labels(map.x_label, map.y_label);
  return std::move(canvas).finish();
}

std::string to_svg(const TextPanel& panel) {
  constexpr double kLine = 18, kMono = 7.3;  // of the 12 px monospace font
  std::size_t longest = 0;
  for (const std::string& line : panel.lines) longest = std::max(longest, line.size());
  const double width = std::max(kWidth, 2 * 16 + kMono * double(longest)), height = 44 + kLine * double(panel.lines.size());
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"vz\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\" role=\"img\" "
      "aria-label=\"{2}\">{3}<rect class=\"bg\" width=\"{0:g}\" height=\"{1:g}\" rx=\"6\"/><text class=\"title\" x=\"16\" y=\"24\">{2}</text>",
      width, height, escape_markup(panel.title), kStyle);
  double y = 46;
  for (const std::string& line : panel.lines) {
    svg += fmt::format("<text x=\"16\" y=\"{:g}\" xml:space=\"preserve\" style=\"font-family:ui-monospace,'DejaVu Sans Mono',monospace\">{}</text>", y,
                       escape_markup(line));
    y += kLine;
  }
  return svg + "</svg>";
}

}  // namespace vaezoo
