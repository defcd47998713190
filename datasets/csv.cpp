#include "datasets/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"

namespace vaezoo {
namespace {

constexpr std::uint64_t kMostText = std::uint64_t{8} << 30;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// The cells of a line, without surrounding blanks and quotes.
void split_line(std::string_view line, const std::string& delimiter, std::vector<std::string_view>& cells) {
  constexpr auto kNone = std::string_view::npos;
  cells.clear();
  const bool blanks = delimiter == " ";
  const std::string_view ends = blanks ? std::string_view(" \t") : std::string_view(delimiter);
  if (blanks) line = trim(line);
  for (std::size_t begin = 0;;) {
    std::size_t search = line.find_first_not_of(' ', begin);
    const bool quoted = search != kNone && line[search] == '"';
    if (quoted) search = line.find('"', search + 1);
    const std::size_t end = search == kNone ? kNone : line.find_first_of(ends, quoted ? search : begin);
    std::string_view cell = trim(line.substr(begin, end == kNone ? kNone : end - begin));
    if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    cells.push_back(cell);
    if (end == kNone) return;
    begin = blanks ? line.find_first_not_of(ends, end) : end + 1;
  }
}

class Reader {
 public:
  Reader(const InputFile& file, const CsvFormat& format) : file_(file), format_(format) { table_.source = file.name(); }

  CsvTable read(std::string_view text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      ++line_;
      const std::string_view line = trim(text.substr(0, end));
      if (!line.empty()) read_line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (table_.numbers.empty()) file_.fail("holds no rows");
    return std::move(table_);
  }

 private:
  void read_line(std::string_view line) {
    split_line(line, format_.delimiter, cells_);
    if (width_ == 0) {
      width_ = cells_.size();
      choose_columns();
      if (format_.header) return;
    }
    if (cells_.size() != width_) {
      file_.fail(ad::cat("line ", line_, " has ", cells_.size(), " columns where the first line has ", width_,
                         "; is the delimiter really '", format_.delimiter, "'?"));
    }
    for (std::size_t column : chosen_) table_.numbers.push_back(number(column));
    for (std::size_t column : conditions_) table_.conditions.push_back(number(column));
    if (!format_.label.empty()) table_.labels.emplace_back(cells_[label_]);
  }

  Real number(std::size_t column) const {
    std::string_view cell = cells_[column];
    if (cell.starts_with('+')) cell.remove_prefix(1);
    double x = 0;
    const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), x);
    if (error != std::errc() || stop != cell.data() + cell.size() || !std::isfinite(static_cast<Real>(x))) {
      const char* hint = line_ == 1 && !format_.header ? "; if the first line names the columns, set header to true" : "";
      file_.fail(ad::cat("line ", line_, ", column ", column, " (from 0): ",
                         cell.empty() ? "an empty cell" : ad::cat("'", cell, "'"),
                         " is not a finite number", hint));
    }
    return static_cast<Real>(x);
  }

  std::size_t find_column(const std::string& name) const {
    if (format_.header) {
      const auto found = std::find(cells_.begin(), cells_.end(), name);
      if (found != cells_.end()) return static_cast<std::size_t>(found - cells_.begin());
    }
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && stop == name.data() + name.size() && number < width_) return number;
    std::string there = ad::cat("0 to ", width_ - 1);
    if (format_.header) {
      for (std::string_view cell : cells_) there += ad::cat(", ", cell);
    }
    file_.fail(ad::cat("has no column '", name, "'; it has ", there));
  }

  /// Called on the first line.
  void choose_columns() {
    if (!format_.label.empty()) label_ = find_column(format_.label);
    for (const std::string& name : format_.conditions) conditions_.push_back(find_column(name));
    for (const std::string& name : format_.columns) chosen_.push_back(find_column(name));
    for (std::size_t i = 0; i < width_ && format_.columns.empty(); ++i) {
      const bool taken = (!format_.label.empty() && i == label_) || std::ranges::count(conditions_, i) > 0;
      if (!taken) chosen_.push_back(i);
    }
    if (chosen_.empty()) file_.fail(ad::cat("has no column besides the label", conditions_.empty() ? "" : " and the conditions"));
    table_.columns = static_cast<Index>(chosen_.size());
  }

  const InputFile& file_;
  const CsvFormat& format_;
  CsvTable table_;
  std::vector<std::string_view> cells_;
  std::vector<std::size_t> chosen_, conditions_;
  std::size_t label_ = 0, width_ = 0, line_ = 0;
};

}  // namespace

CsvTable read_csv(const std::filesystem::path& path, const CsvFormat& format) {
  AD_CHECK(format.delimiter.size() == 1, "read_csv", ad::cat("the delimiter '", format.delimiter, "' is not one character"));
  const auto file = open_file(path);
  const std::string text = file->read_all(kMostText);
  return Reader(*file, format).read(text);
}

}  // namespace vaezoo
