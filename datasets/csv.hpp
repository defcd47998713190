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
};

struct CsvTable {
  std::string source;
  Index columns = 0;
  std::vector<Real> numbers;        ///< [rows, columns]
  std::vector<std::string> labels;  ///< as written; empty without a label column
  std::vector<Real> conditions;     ///< [rows, number of conditions]
};

/// Reads a plain or gzipped file. Cells may be quoted ("a,b"); blank lines are skipped. Every cell of the chosen columns
/// must be a finite number. Throws DataError with file, line and column.
CsvTable read_csv(const std::filesystem::path& path, const CsvFormat& format);

}  // namespace vaezoo
