#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "experiments/output/svg.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;
using test_support::contains;
using test_support::count;
using test_support::markup_fault;

namespace {

void check_self_contained(const std::string& svg) {
  CHECK(markup_fault(svg) == "");
  CHECK(contains(svg, "viewBox=\"0 0 560"));
  CHECK_FALSE(contains(svg, "<script"));
  CHECK_FALSE(contains(svg, " id="));
  CHECK_FALSE(contains(svg, "href"));
  CHECK_FALSE(contains(svg, "nan"));
  CHECK_FALSE(contains(svg, "inf "));
  CHECK(count(svg, "http") == 1);  // the name of the SVG namespace
}

Series parabola(std::size_t n) {
  Series s{"p", {}, {}};
  for (std::size_t i = 0; i < n; ++i) {
    s.x.push_back(static_cast<double>(i));
    s.y.push_back(static_cast<double>(i * i));
  }
  return s;
}

/// The numbers of the first path that is a line (fill none).
std::vector<double> path_numbers(const std::string& svg) {
  const std::size_t begin = svg.find("<path d=\"") + 9;
  std::string path = svg.substr(begin, svg.find('"', begin) - begin);
  for (char& c : path) c = c == 'M' || c == 'L' ? ' ' : c;
  std::vector<double> numbers;
  char* at = path.data();
  for (char* end = at;; at = end) {
    const double value = std::strtod(at, &end);
    if (end == at) return numbers;
    numbers.push_back(value);
  }
}

}  // namespace

TEST_CASE("svg: a line chart places points in proportion, upwards for more") {
  const std::string svg = to_svg(LineChart{"t", "x", "y", {{"a", {0, 1, 4}, {0, 5, 10}}}, false, {}, ""});
  check_self_contained(svg);
  const std::vector<double> p = path_numbers(svg);
  REQUIRE(p.size() == 6);
  CHECK((p[2] - p[0]) / (p[4] - p[0]) == doctest::Approx(0.25).epsilon(0.002));  // pixels are written to 0.1
  CHECK((p[1] - p[3]) / (p[1] - p[5]) == doctest::Approx(0.5).epsilon(0.002));
  CHECK(p[5] < p[1]);
}

TEST_CASE("svg: a log axis places decades at equal distances and leaves out what it cannot show") {
  const std::string svg = to_svg(LineChart{"t", "x", "y", {{"a", {0, 1, 2, 3, 4}, {1, 10, 100, 0, -5}}}, true, {}, ""});
  check_self_contained(svg);
  const std::vector<double> p = path_numbers(svg);
  REQUIRE(p.size() == 6);
  CHECK(p[1] - p[3] == doctest::Approx(p[3] - p[5]).epsilon(0.002));
}

TEST_CASE("svg: a value that is not finite leaves a gap") {
  const std::string svg = to_svg(LineChart{"t", "x", "y", {{"a", {0, 1, 2, 3, 4}, {1, 2, NAN, INFINITY, 2}}}, false, {}, ""});
  check_self_contained(svg);
  const std::size_t begin = svg.find("<path d=\"") + 9;
  CHECK(count(svg.substr(begin, svg.find('"', begin) - begin), "M") == 2);
  CHECK(count(svg, "<circle") == 3);
}

TEST_CASE("svg: long series become a mean over a band that keeps a single spike") {
  CHECK_FALSE(contains(to_svg(LineChart{"t", "", "", {parabola(2000)}, false, {}, ""}), "class=\"band\""));
  LineChart chart{"t", "", "", {parabola(50'000)}, false, {}, ""};
  for (double& y : chart.series[0].y) y = 1;
  chart.series[0].y[31'234] = 1000;
  const std::string svg = to_svg(chart);
  check_self_contained(svg);
  CHECK(contains(svg, "class=\"band\""));
  CHECK(svg.size() < 40'000);
  const std::size_t begin = svg.find("d=\"", svg.find("class=\"band\""));
  CHECK(contains(svg.substr(begin, svg.find('Z', begin) - begin),
                 " 70.1"));  // the spike: 0.04 / 1.08 of 220 below the plot's top at 62
}

TEST_CASE("svg: all text is escaped") {
  const std::string evil = "</svg><script>alert(\"&'\")";
  LineChart line{evil, evil, evil, {{evil, {1}, {1}}}, false, 1, evil};
  check_self_contained(to_svg(line));
  check_self_contained(to_svg(ScatterPlot{evil, evil, evil, {1}, {1}, {0}, {evil}}));
  check_self_contained(to_svg(BarChart{evil, evil, evil, {1}, {true}, evil, evil}));
}

TEST_CASE("svg: empty, constant, single and non-finite data still give a chart") {
  for (const auto& values : std::vector<std::vector<double>>{{}, {3}, {0, 0}, {NAN}, {5, 5, 5}, {INFINITY, 1}, {-1e308, 1e308}}) {
    CAPTURE(values.size());
    Series series{"s", std::vector<double>(values.size(), 2), values};
    for (const bool log : {false, true})
      check_self_contained(to_svg(LineChart{"t", "", "", {series, {"", {}, {}}}, log, 3, "best"}));
    check_self_contained(to_svg(BarChart{"t", "", "", values, {}, "", ""}));
    const std::vector<double> points(values.begin(), values.end());
    check_self_contained(to_svg(ScatterPlot{"t", "", "", points, points, {}, {}}));
  }
  CHECK(contains(to_svg(LineChart{}), "no data"));
  CHECK(contains(to_svg(ScatterPlot{}), "no data"));
  CHECK(contains(to_svg(BarChart{}), "no data"));
}

TEST_CASE("svg: the best epoch is marked and named") {
  const std::string svg = to_svg(LineChart{"t", "", "", {parabola(10)}, false, 9, "best: epoch 9"});
  CHECK(contains(svg, "class=\"mark\""));
  CHECK(contains(svg, "text-anchor=\"end\">best: epoch 9</text>"));  // at the right edge the name stands to the left
}

TEST_CASE("svg: names stand by the side of few points and hide none; long ones stand above the plot, with numbers in it") {
  const auto svg_of = [](const std::string& first) {
    return to_svg(ScatterPlot{"t", "", "", {0, 10}, {0, 10}, {0, 1}, {first, "b"}});
  };
  const std::string brief = svg_of("a"), lengthy = svg_of("beta=0.5, latent_dim=20, seed=3");
  CHECK(contains(brief, "class=\"name\">a</text>"));                           // to the right of the left point
  CHECK(contains(brief, "class=\"name\" text-anchor=\"end\">b</text>"));       // to the left of the right one
  CHECK(contains(brief, "<text x=\"476.0\" y=\"52.0\" >a</text>"));
  check_self_contained(lengthy);
  CHECK(contains(lengthy, "<text x=\"34.0\" y=\"46.0\" >1: beta=0.5, latent_dim=20, seed=3</text>"));
  CHECK(contains(lengthy, "class=\"name\">1</text>"));
  CHECK(contains(lengthy, "class=\"name\" text-anchor=\"end\">2</text>"));
}

TEST_CASE("svg: a scatter plot shows every finite point in its label's colour and names the classes twice") {
  ScatterPlot plot{"t", "z1", "z2", {}, {}, {}, {"zero", "one"}};
  for (int i = 0; i < 100; ++i) {
    plot.x.push_back(static_cast<float>(i % 7));
    plot.y.push_back(static_cast<float>(i % 11));
    plot.labels.push_back(i % 3);
  }
  plot.x[5] = NAN;
  const std::string svg = to_svg(plot);
  check_self_contained(svg);
  CHECK(count(svg, "h0") == 99);
  CHECK(count(svg, ">zero</text>") == 2);
  CHECK(count(svg, ">2</text>") >= 2);  // label 2 has no name: its number
  for (std::size_t label = 0; label < 3; ++label) CHECK(contains(svg, palette_color(label)));
}

TEST_CASE("svg: both axes of a scatter plot have equal units") {
  const std::string svg = to_svg(ScatterPlot{"t", "", "", {0, 10, 0}, {0, 0, 1}, {}, {}});
  std::vector<std::pair<double, double>> points;
  for (std::size_t at = svg.find("d=\"M"); at != std::string::npos; at = svg.find("d=\"M", at + 1)) {
    char* end = nullptr;
    const double x = std::strtod(svg.c_str() + at + 4, &end);
    points.emplace_back(x, std::strtod(end, nullptr));
  }
  REQUIRE(points.size() == 3);
  CHECK((points[1].first - points[0].first) / (points[0].second - points[2].second) == doctest::Approx(10).epsilon(0.01));
}

TEST_CASE("svg: bars are as high as their values and inactive ones are grey") {
  const std::string svg = to_svg(BarChart{"KL", "dimension", "nats", {4, 2, 0}, {false, false, true}, "active", "inactive"});
  check_self_contained(svg);
  std::vector<double> heights;
  for (std::size_t at = svg.find("<rect x"); at != std::string::npos; at = svg.find("<rect x", at + 1)) {
    if (svg.compare(svg.find('>', at) + 1, 7, "<title>") == 0)
      heights.push_back(std::atof(svg.c_str() + svg.find("height=\"", at) + 8));
  }
  REQUIRE(heights.size() == 3);
  CHECK(heights[0] == doctest::Approx(2 * heights[1]).epsilon(0.001));
  CHECK(contains(svg, "fill=\"#9aa2ac\"><title>2: 0</title>"));
}

TEST_CASE("svg: vectors of different length are refused") {
  CHECK_THROWS_AS(to_svg(LineChart{"", "", "", {{"a", {1, 2}, {1}}}, false, {}, ""}), std::invalid_argument);
  CHECK_THROWS_AS(to_svg(ScatterPlot{"", "", "", {1}, {1, 2}, {}, {}}), std::invalid_argument);
  CHECK_THROWS_AS(to_svg(ScatterPlot{"", "", "", {1}, {1}, {1, 2}, {}}), std::invalid_argument);
  CHECK_THROWS_AS(to_svg(BarChart{"", "", "", {1, 2}, {true}, "", ""}), std::invalid_argument);
}
