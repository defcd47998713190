#include "experiments/output/report.hpp"

#include <string_view>

#include "experiments/output/text.hpp"

namespace vaezoo {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--page:#f3f5f7;--card:#fff;--text:#1b1f24;--soft:#5a636e;--line:#e1e5ea;--warn:#fff4d6;--warn-line:#e0a800}
@media screen and (prefers-color-scheme:dark){
:root{--page:#12151a;--card:#1b1f24;--text:#e8ebef;--soft:#a3acb7;--line:#30363d;--warn:#3a2f10;--warn-line:#b58900}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:26px;line-height:1.2;margin:0}
h2{font-size:18px;margin:36px 0 10px}
.subtitle,figcaption,.why{color:var(--soft)}
.subtitle{margin:6px 0 20px}
.warnings{background:var(--warn);border-left:4px solid var(--warn-line);border-radius:6px;padding:12px 16px;margin:16px 0}
.warnings ul{margin:4px 0 0;padding-left:20px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:8px 14px;border-bottom:1px solid var(--line)}
tr:last-child td,tr:last-child th{border-bottom:0}
thead th{font-size:13px;font-weight:600;color:var(--soft)}
tbody th{font-weight:600;white-space:nowrap}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.number{font-weight:600}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px;align-items:start}
figure{margin:0;padding:12px;break-inside:avoid}
figure svg{display:block;width:100%;height:auto}
figure img{display:block;max-width:100%;height:auto;margin:0 auto;image-rendering:pixelated}
figcaption{font-size:13px;padding-top:8px}
summary{cursor:pointer;padding:10px 14px;font-weight:600}
pre{margin:0;padding:0 14px 14px;font:13px/1.45 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
td.why{min-width:240px}
.environment th{width:170px}
.environment td{overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
@media print{:root{--page:#fff}main{max-width:none;padding:0}.card{overflow:visible}h2{break-after:avoid}
details::details-content{content-visibility:visible;height:auto}}
)css";

constexpr std::string_view kLaterBegin = "<!-- later -->\n", kLaterEnd = "<!-- /later -->\n";

void add_warnings(std::string& page, const std::vector<std::string>& warnings) {
  if (warnings.empty()) return;
  page += "<div class=\"warnings\" role=\"alert\"><strong>" + std::string(warnings.size() == 1 ? "Warning" : "Warnings") +
          "</strong><ul>\n";
  for (const std::string& warning : warnings) page += "<li>" + escape_markup(warning) + "</li>\n";
  page += "</ul></div>\n";
}

void add_headlines(std::string& page, const std::vector<Headline>& headlines) {
  if (headlines.empty()) return;
  page += "<div class=\"card\"><table><thead><tr><th>Quantity</th><th class=\"number\">Value</th><th>Unit</th>"
          "<th>Meaning</th></tr></thead><tbody>\n";
  for (const Headline& row : headlines) {
    page += "<tr><th scope=\"row\">" + escape_markup(row.name) + "</th><td class=\"number\">" +
            format_measurement(row.value, row.standard_error) + "</td><td>" + escape_markup(row.unit) +
            "</td><td class=\"why\">" + escape_markup(row.explanation) + "</td></tr>\n";
  }
  page += "</tbody></table></div>\n";
}

void add_figure(std::string& page, const Figure& figure) {
  const std::string caption = escape_markup(figure.caption);
  page += "<figure class=\"card\">";
  if (!figure.svg.empty()) page += figure.svg;
  if (!figure.png.empty()) page += "<img alt=\"" + caption + "\" src=\"data:image/png;base64," + base64(figure.png) + "\">";
  if (!caption.empty()) page += "<figcaption>" + caption + "</figcaption>";
  page += "</figure>\n";
}

void add_table(std::string& page, const ReportTable& table) {
  page += "<div class=\"card\"><table><thead><tr>";
  for (std::size_t i = 0; i < table.header.size(); ++i)
    page += std::string(i == 0 ? "<th>" : "<th class=\"number\">") + escape_markup(table.header[i]) + "</th>";
  page += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    page += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      page += i == 0 ? "<th scope=\"row\">" + escape_markup(row[i]) + "</th>" : "<td class=\"number\">" + escape_markup(row[i]) + "</td>";
    page += "</tr>\n";
  }
  page += "</tbody></table></div>\n";
  if (!table.caption.empty()) page += "<p class=\"why\">" + escape_markup(table.caption) + "</p>\n";
}

void add_section(std::string& page, const ReportSection& section) {
  page += "<section><h2>" + escape_markup(section.heading) + "</h2>\n";
  if (!section.text.empty()) page += "<p>" + escape_markup(section.text) + "</p>\n";
  add_headlines(page, section.numbers);
  for (const ReportTable& table : section.tables) add_table(page, table);
  if (!section.figures.empty()) {
    page += "<div class=\"figures\">\n";
    for (const Figure& figure : section.figures) add_figure(page, figure);
    page += "</div>\n";
  }
  page += "</section>\n";
}

void add_environment(std::string& page, const std::vector<std::pair<std::string, std::string>>& environment) {
  if (environment.empty()) return;
  page += "<h2>Environment</h2>\n<div class=\"card environment\"><table><tbody>\n";
  for (const auto& [name, value] : environment) {
    page += "<tr><th scope=\"row\">" + escape_markup(name) + "</th><td>" + escape_markup(value) + "</td></tr>\n";
  }
  page += "</tbody></table></div>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  const std::string title = escape_markup(report.title);
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>" +
      title + "</title>\n<style>";
  page += kStyle;
  page += "</style>\n</head>\n<body><main>\n<h1>" + title + "</h1>\n" +
          (report.description.empty() ? "" : "<p>" + escape_markup(report.description) + "</p>\n") + "<p class=\"subtitle\">" + escape_markup(report.subtitle) +
          "</p>\n";
  add_warnings(page, report.warnings);
  if (!report.headlines.empty()) page += "<h2>Results</h2>\n";
  add_headlines(page, report.headlines);
  for (const ReportSection& section : report.sections) add_section(page, section);
  page.append(kLaterBegin).append(kLaterEnd);
  if (!report.config.empty()) {
    page +=
        "<h2>Configuration</h2>\n<details class=\"card\"><summary>Every setting of this run, defaults included</summary><pre>" +
        escape_markup(report.config) + "</pre></details>\n";
  }
  add_environment(page, report.environment);
  page += "</main></body>\n</html>\n";
  return page;
}

std::optional<std::string> with_later_sections(const std::string& page, const std::vector<ReportSection>& sections) {
  const std::size_t begin = page.rfind(kLaterBegin), end = page.rfind(kLaterEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) return std::nullopt;
  std::string out = page.substr(0, begin + kLaterBegin.size());
  for (const ReportSection& section : sections) add_section(out, section);
  return out + page.substr(end);
}

}  // namespace vaezoo
