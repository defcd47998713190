#pragma once
// Tables of numbers as text: CSV, TSV, or the blank-separated .amat files of Larochelle's data sets.
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

struct CsvFormat {
  std::string delimiter = ",";  ///< one character; " " stands for any run of blanks and tabs
  bool header = false;          ///< the first line names the columns
  std::vector<std::string> columns = {};     ///< names, or numbers from 0; empty: all but the label and the conditions
  std::string label = {};                    ///< name or number of the column with the class; empty: none
  std::vector<std::string> conditions = {};  ///< names or numbers of the columns with conditions
  bool missing = false;         ///< a number may be missing
};

struct CsvTable {
  std::string source;
  Index columns = 0;  ///< chosen ones
  Index width = 0;    ///< columns in the file
  std::vector<double> numbers;            ///< [rows, columns]; NaN: missing
  std::vector<std::string> labels;        ///< as written; empty without a label column
  std::vector<double> conditions;         ///< [rows, number of conditions]
  std::vector<std::string> header;        ///< all columns' names, when the file has them
  std::vector<std::string> column_names;  ///< of the chosen columns, when the file has names

  CsvFormat same_columns;  ///< that takes the same columns out of another file: by name, when this file has names
};

/// Reads a plain or gzipped file as RFC 4180 has it: cells may be quoted ("a,b"), a quoted cell may hold line ends, and "" in it
/// is a quote. Blank lines are skipped. Every cell of the chosen columns must be a finite number, and every label must be there:
/// an empty cell, ? and NaN are missing values, which are errors but for numbers where the format allows them. So is a name that
/// stands twice in the header. Throws DataError with file, line and column.
CsvTable read_csv(const std::filesystem::path& path, const CsvFormat& format);

/// The cells of the first line that is not blank; none in an empty file. Throws DataError.
std::vector<std::string> first_csv_line(const std::filesystem::path& path, const std::string& delimiter);

/// Reads a file that belongs to another one, read before: the same columns, by name when there are names. With no columns chosen
/// by the format, both must have the same ones.
CsvTable read_csv_beside(const std::filesystem::path& path, const CsvTable& first, const CsvFormat& format);

}  // namespace vaezoo
