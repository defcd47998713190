#pragma once
// report.html: one file that holds all of a run that people look at. It references nothing outside itself, needs no
// script, follows the reader's light or dark scheme and prints.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vaezoo {

/// One row of the table of results.
struct Headline {
  std::string name;
  double value = 0;
  std::string unit;  ///< "nats", "bits/dim", ...
  std::optional<double> standard_error;
  std::string explanation;  ///< one sentence: what it says and which way is better
};

/// A chart (`svg`, as from to_svg) or a picture (`png`, as from encode_png), whichever is given.
struct Figure {
  std::string caption;
  std::string svg;
  std::vector<std::uint8_t> png;
};

struct ReportTable {
  std::string caption;  ///< a sentence below it; empty for none
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  ///< the first cell of each names the row
};

struct ReportSection {
  std::string heading;
  std::string text;  ///< a paragraph; empty for none
  std::vector<Figure> figures;
  std::vector<ReportTable> tables = {};
  std::vector<Headline> numbers = {};
};

struct Report {
  std::string title;
  std::string description;            ///< what it is about; empty for none
  std::string subtitle;               ///< one line: model, data set, time
  std::vector<std::string> warnings;  ///< shown in a box at the top, for example "the posterior has collapsed"
  std::vector<Headline> headlines;
  std::vector<ReportSection> sections;
  std::string config;                                            ///< the resolved configuration, JSON text
  std::vector<std::pair<std::string, std::string>> environment;  ///< name and value
};

/// The page, UTF-8. All text is escaped; SVG is inserted as it is.
std::string to_html(const Report& report);

/// A page of to_html with these sections in the place kept for what is done with the run later, after its own; what stood there
/// goes. Nothing where the page has no such place, as one of an earlier version.
std::optional<std::string> with_later_sections(const std::string& page, const std::vector<ReportSection>& sections);

}  // namespace vaezoo
