#pragma once
// Charts as self-contained SVG: no script, no ids, no external reference, so any number of them can stand in one HTML
// page. They follow the reader's light or dark scheme and print on white.
#include <optional>
#include <string>
#include <vector>

namespace vaezoo {

struct Series {
  std::string name;
  std::vector<double> x, y;  ///< equally long; a value that is not finite (or <= 0 on a log axis) leaves a gap
};

/// Curves over steps or epochs. A series of more than 2000 points is drawn as its mean in 400 intervals inside a band from
/// minimum to maximum, so that spikes stay visible.
struct LineChart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool log_y = false;
  std::optional<double> marker_x;  ///< a dashed vertical line, for example at the best epoch
  std::string marker_label;
};

/// Points in the plane, equal units on both axes (so that a round prior looks round), coloured by label.
struct ScatterPlot {
  std::string title, x_label, y_label;
  std::vector<double> x, y;
  std::vector<int> labels;               ///< empty, or one per point; the name of label i is label_names[i], else its number
  std::vector<std::string> label_names;  ///< written at the median of each class as well, for those who cannot tell the colours
};

/// One bar per value, at positions 0, 1, ...; for example the KL of each latent dimension.
struct BarChart {
  std::string title, x_label, y_label;
  std::vector<double> values;
  std::vector<bool> faded;   ///< empty, or one per value: drawn in grey, for example inactive units
  std::string name, faded_name;  ///< the legend; empty for none
};

/// A matrix as cells, the darker the larger, from 0 (or the least value below it) to the largest; a value that is not finite is left white.
struct HeatMap {
  std::string title, x_label, y_label;
  std::vector<std::string> columns, rows;  ///< names
  std::vector<double> values;              ///< [rows, columns]
};

/// Lines of text in a fixed-width font.
struct TextPanel {
  std::string title;
  std::vector<std::string> lines;
};

/// SVG text with a viewBox, UTF-8. Throw std::invalid_argument when the vectors of a chart differ in length.
std::string to_svg(const LineChart& chart);
std::string to_svg(const ScatterPlot& plot);
std::string to_svg(const BarChart& chart);
std::string to_svg(const HeatMap& map);
std::string to_svg(const TextPanel& panel);

/// One of ten colours that colour-blind readers can tell apart (M. Petroff, "Accessible Color Sequences for Data
/// Visualization", 2021), repeating; "#3f90da".
const char* palette_color(std::size_t i);

}  // namespace vaezoo
