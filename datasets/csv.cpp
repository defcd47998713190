#include "datasets/csv.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"

namespace vaezoo {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  const auto same = [&](std::string_view word) {
    return std::ranges::equal(text, word, {}, [](unsigned char c) { return std::tolower(c); });
  };
  return std::ranges::any_of(words, same);
}

/// What stands for a number that nobody knows.
bool is_missing_number(std::string_view cell) {
  return cell.empty() || is_one_of(cell, {"?", "nan", "-nan", "na", "n/a", "<na>", "null", "none"});
}
/// The same for a class, which may well be called "none".
bool is_missing_label(std::string_view cell) { return cell.empty() || is_one_of(cell, {"?", "nan"}); }

/// Cuts a text into records of cells.
class Records {
 public:
  Records(const InputFile& file, std::string_view text, char delimiter) : file_(file), text_(text), delimiter_(delimiter) {}

  /// The next record that is not blank; false at the end.
  bool next(std::vector<std::string>& cells) {
    while (at_ < text_.size()) {
      line_ = next_line_;
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      const std::string_view line = text_.substr(at_, end - at_);
      if (line.find_first_not_of(delimiter_ == '\t' ? " \r" : kBlank) == std::string_view::npos) {
        at_ = end + 1;
        ++next_line_;
        continue;
      }
      read_cells(cells);
      return true;
    }
    return false;
  }

  Index line() const { return line_; }  ///< on which the last record began, from 1

 private:
  bool blanks() const { return delimiter_ == ' '; }
  bool ends_cell(char c) const { return c == '\n' || c == delimiter_ || (blanks() && c == '\t'); }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] != delimiter_ && kBlank.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  /// Stands after the line's end afterwards.
  void read_cells(std::vector<std::string>& cells) {
    std::size_t count = 0;
    if (blanks()) skip_run();
    while (true) {
      if (count == cells.size()) cells.emplace_back();
      read_cell(cells[count++]);
      if (blanks()) skip_run();
      if (at_ >= text_.size() || text_[at_] == '\n') break;
      if (!blanks()) ++at_;  // the delimiter
    }
    cells.resize(count);
    ++at_;
    ++next_line_;
  }

  void skip_run() {
    while (at_ < text_.size() && kBlank.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  void read_cell(std::string& cell) {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted(cell);
    const std::size_t begin = at_;
    while (at_ < text_.size() && !ends_cell(text_[at_])) ++at_;
    cell = trim(text_.substr(begin, at_ - begin));
  }

  void read_quoted(std::string& cell) {
    const Index opened = next_line_;
    cell.clear();
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) file_.fail(ad::cat("line ", opened, ": a quote is opened and not closed"));
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;  // "" stands for a quote
      }
      next_line_ += text_[at_] == '\n';
      cell += text_[at_];
    }
    ++at_;
    skip_blanks();
    if (at_ < text_.size() && !ends_cell(text_[at_])) {
      file_.fail(ad::cat("line ", next_line_, ": text follows a closing quote; a quote inside a quoted cell is written twice"));
    }
    cell = trim(cell);
  }

  const InputFile& file_;
  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0;
  Index line_ = 0, next_line_ = 1;
};

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

class Reader {
 public:
  Reader(const InputFile& file, const CsvFormat& format, const CsvTable* first) : file_(file), format_(format), first_(first) {
    table_.source = file.name();
  }

  CsvTable read(std::string_view text) {
    Records records(file_, without_byte_order_mark(text), format_.delimiter[0]);
    while (records.next(cells_)) {
      line_ = records.line();
      read_record();
    }
    if (table_.numbers.empty()) file_.fail("holds no rows");
    return std::move(table_);
  }

 private:
  void read_record() {
    if (width_ == 0) {
      width_ = cells_.size();
      if (format_.header) take_header();
      choose_columns();
      if (format_.header) return;
    }
    if (cells_.size() != width_) {
      file_.fail(
          ad::cat("line ", line_, " has ", cells_.size(), " columns where the first line has ", width_, about_delimiter()));
    }
    for (std::size_t column : chosen_) table_.numbers.push_back(number(column, format_.missing));
    for (std::size_t column : conditions_) table_.conditions.push_back(number(column, false));
    if (!format_.label.empty()) table_.labels.push_back(label());
  }

  void take_header() {
    std::set<std::string> seen;
    for (const std::string& name : cells_) {
      if (seen.insert(name).second) continue;
      file_.fail(ad::cat("its first line names two columns '", excerpt(name), "'; give each a name of its own"));
    }
    table_.header = cells_;
  }

  /// "line 3, column 'age'"
  std::string place(std::size_t column) const {
    const std::string name = table_.header.empty() ? ad::cat(column, " (from 0)") : "'" + excerpt(table_.header[column]) + "'";
    return ad::cat("line ", line_, ", column ", name, ": ");
  }

  [[noreturn]] void fail_missing(std::size_t column, const char* otherwise = "") const {
    const std::string& cell = cells_[column];
    file_.fail(ad::cat(place(column), cell.empty() ? "an empty cell" : ad::cat("'", excerpt(cell), "'"),
                       " is a missing value; ", otherwise, "fill it in, or leave the row out"));
  }

  std::string label() const {
    const std::string& cell = cells_[label_];
    if (is_missing_label(cell)) fail_missing(label_);
    return cell;
  }

  /// NaN where a number is missing and may be.
  double number(std::size_t column, bool may_be_missing) const {
    std::string_view cell = cells_[column];
    if (cell.starts_with('+')) cell.remove_prefix(1);
    double x = 0;
    const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), x);
    if (error == std::errc::result_out_of_range) x = std::strtod(std::string(cell).c_str(), nullptr);  // 0, or infinite
    const bool whole = error != std::errc::invalid_argument && stop == cell.data() + cell.size();
    if (whole && std::isfinite(x)) return x;
    if (is_missing_number(cell) && may_be_missing) return std::numeric_limits<double>::quiet_NaN();
    if (is_missing_number(cell)) fail_missing(column, std::ranges::count(chosen_, column) > 0 ? "set \"missing\": true to learn from the others, " : "");
    std::string hint = line_ == 1 && !format_.header ? "; if the first line names the columns, set header to true" : "";
    if (width_ == 1) hint += about_delimiter();
    file_.fail(ad::cat(place(column), "'", excerpt(cells_[column]), "' is not a finite number", hint));
  }

  std::size_t find_column(const std::string& name) const {
    const auto found = std::ranges::find(table_.header, name);
    if (found != table_.header.end()) return static_cast<std::size_t>(found - table_.header.begin());
    if (first_ != nullptr && !first_->header.empty()) fail_other_columns();
    std::size_t number = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && stop == name.data() + name.size() && number < width_) return number;
    const std::string names = table_.header.empty() ? "" : ", called " + listed(table_.header);
    file_.fail(ad::cat("has no column '", excerpt(name), "'; it has 0 to ", width_ - 1, names, width_ == 1 ? about_delimiter() : ""));
  }

  std::string about_delimiter() const { return ad::cat("; is the delimiter really '", format_.delimiter, "'?"); }

  [[noreturn]] void fail_other_columns() const {
    file_.fail(ad::cat("has the columns ", listed(table_.header), "; ", first_->source, " has ", listed(first_->header)));
  }

  /// Called on the first line.
  void choose_columns() {
    if (first_ != nullptr && format_.columns.empty() && width_ != first_width()) {
      if (format_.header) fail_other_columns();
      file_.fail(ad::cat("has ", width_, " columns; ", first_->source, " has ", first_width()));
    }
    const CsvFormat& format = first_ != nullptr ? first_->same_columns : format_;
    if (!format.label.empty()) label_ = find_column(format.label);
    for (const std::string& name : format.conditions) conditions_.push_back(find_column(name));
    for (const std::string& name : format.columns) chosen_.push_back(find_column(name));
    for (std::size_t i = 0; i < width_ && format.columns.empty(); ++i) {
      const bool taken = (!format.label.empty() && i == label_) || std::ranges::count(conditions_, i) > 0;
      if (!taken) chosen_.push_back(i);
    }
    if (chosen_.empty()) file_.fail(ad::cat("has no column besides the label", conditions_.empty() ? "" : " and the conditions"));
    table_.columns = static_cast<Index>(chosen_.size());
    note_columns();
  }

  std::size_t first_width() const { return static_cast<std::size_t>(first_->width); }

  /// So that another file's can be found.
  void note_columns() {
    const auto called = [&](std::size_t column) {
      return table_.header.empty() ? std::to_string(column) : table_.header[column];
    };
    table_.width = static_cast<Index>(width_);
    table_.same_columns = format_;
    table_.same_columns.columns.clear();
    table_.same_columns.conditions.clear();
    for (std::size_t column : chosen_) table_.same_columns.columns.push_back(called(column));
    for (std::size_t column : conditions_) table_.same_columns.conditions.push_back(called(column));
    if (!format_.label.empty()) table_.same_columns.label = called(label_);
    if (!table_.header.empty()) table_.column_names = table_.same_columns.columns;
  }

  const InputFile& file_;
  const CsvFormat& format_;
  const CsvTable* first_;  // whose columns this file must have; may be null
  CsvTable table_;
  std::vector<std::string> cells_;
  std::vector<std::size_t> chosen_, conditions_;
  std::size_t label_ = 0, width_ = 0;
  Index line_ = 0;
};

CsvTable read_table(const std::filesystem::path& path, const CsvFormat& format, const CsvTable* first) {
  AD_CHECK(format.delimiter.size() == 1, "read_csv", ad::cat("the delimiter '", format.delimiter, "' is not one character"));
  return name_out_of_memory(path, [&] {
    const auto file = open_file(path);
    const std::string text = file->read_all();
    return Reader(*file, format, first).read(text);
  });
}

}  // namespace

CsvTable read_csv(const std::filesystem::path& path, const CsvFormat& format) { return read_table(path, format, nullptr); }

std::vector<std::string> first_csv_line(const std::filesystem::path& path, const std::string& delimiter) {
  return name_out_of_memory(path, [&] {
    const auto file = open_file(path);
    const std::string text = file->read_all();
    std::vector<std::string> cells;
    Records(*file, without_byte_order_mark(text), delimiter[0]).next(cells);
    return cells;
  });
}

CsvTable read_csv_beside(const std::filesystem::path& path, const CsvTable& first, const CsvFormat& format) {
  return read_table(path, format, &first);
}

}  // namespace vaezoo
