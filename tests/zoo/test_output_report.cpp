#include <doctest/doctest.h>

#include <cmath>

#include "experiments/output/image.hpp"
#include "experiments/output/report.hpp"
#include "experiments/output/svg.hpp"
#include "experiments/output/text.hpp"
#include "tests/zoo/output_support.hpp"

using namespace vaezoo;
using test_support::contains;
using test_support::count;

namespace {

Report full_report(const std::string& text) {
  Report report;
  report.title = report.subtitle = report.config = text;
  report.warnings = {text, text};
  report.headlines = {{text, 97.3149, text, 0.4217, text}, {"nll", NAN, "nats", {}, ""}};
  const std::vector<std::uint8_t> png = encode_png(Image{2, 2, 1, {0, 80, 160, 255}});
  report.sections = {
      {text,
       text,
       {{text, to_svg(LineChart{text, "epoch", "nats", {{"train", {1, 2}, {3, 2}}}, false, 2, "best"}), {}}, {text, "", png}}}};
  report.environment = {{text, text}};
  return report;
}

}  // namespace

TEST_CASE("report: one page holds numbers with their errors, warnings, charts, pictures, configuration and environment") {
  const Report report = full_report("a & b");
  const std::string page = to_html(report);
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(contains(page, "<td class=\"number\">97.31 ± 0.42</td>"));
  CHECK(contains(page, "<td class=\"number\">NaN</td>"));
  CHECK(contains(page, "<strong>Warnings</strong>"));
  CHECK(contains(page, "<svg "));
  CHECK(contains(page, "src=\"data:image/png;base64," + base64(report.sections[0].figures[1].png) + "\""));
  CHECK(contains(page, "<details"));
  CHECK(contains(page, "@media print"));
  CHECK(contains(page, "prefers-color-scheme:dark"));
}

TEST_CASE("report: nothing is fetched from elsewhere and nothing runs") {
  const std::string page = to_html(full_report("x"));
  CHECK_FALSE(contains(page, "href"));
  CHECK_FALSE(contains(page, "@import"));
  CHECK_FALSE(contains(page, "url("));
  CHECK_FALSE(contains(page, "<script"));
  CHECK(count(page, "src=\"") == count(page, "src=\"data:image/png;base64,"));
  CHECK(count(page, "http") == count(page, "xmlns=\"http"));
}

TEST_CASE("report: text from outside cannot leave its place") {
  const std::string page = to_html(full_report("</pre></details><script>alert(1)</script>\"><img src=x onerror=alert(1)>"));
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "<img src=x"));
  CHECK(count(page, "</details>") == 1);
}

TEST_CASE("report: an empty report is a page without empty boxes") {
  const std::string page = to_html(Report{"t", "", "", {}, {}, {}, "", {}});
  CHECK(contains(page, "<h1>t</h1>"));
  CHECK_FALSE(contains(page, "<table"));
  CHECK_FALSE(contains(page, "class=\"warnings\""));
  CHECK_FALSE(contains(page, "<details"));
}
