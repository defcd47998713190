#pragma once
// Files of examples that a model made: pictures, arrays, tables. What the commands that write them share.
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/output/tables.hpp"
#include "experiments/runner/run.hpp"

namespace vaezoo {

/// The file to write: `out`, or `name` with the best ending for the run's data in the run's folder. Throws UsageError for an ending
/// that is not one of `endings`, for .png where the data are no pictures and for .txt where they are no text.
std::filesystem::path output_file(const LoadedRun& run, const std::string& out, const std::string& name,
                                  const std::vector<std::string>& endings);

/// Says so on the terminal; returns the exit code.
int wrote(const std::filesystem::path& path, const std::string& what);

/// "x0", "x1", ... for letter x; "x_age", "x_height", ... where the data set names its columns.
std::vector<std::string> column_headers(const Dataset& data, const std::string& letter);
/// "PREFIX0", "PREFIX1", ...
std::vector<std::string> numbered(const std::string& prefix, Index count);

/// The column "class" of these labels, [N], by name; none where there are no labels.
TextColumn class_column(const Dataset& data, const std::vector<int>& labels);

// Rows [N, D] as the model has them are written in the data's own units: in double where a standardisation is undone.

/// Some examples a line: `columns` are those of each.
std::string example_table(const Dataset& data, const std::vector<std::string>& columns, const std::vector<float>& rows,
                          const TextColumn& first = {});
/// The bytes of a .npy file, [first..., H, W, C] for images, [first..., D] for vectors.
std::string example_array(const Dataset& data, std::vector<Index> first, const std::vector<float>& rows);

/// Writes N examples as a grid of pictures, an array, a table or lines of text, as the file's ending says.
void write_examples(const std::filesystem::path& path, const Dataset& data, const std::vector<float>& rows,
                    const TextColumn& first = {});
/// Writes each example as a PNG: FOLDER/000001.png, or FOLDER/CLASS/000001.png where there are labels, as the data set image_folder
/// reads them. Throws UsageError when the data are no pictures, a class's name cannot name a folder, or one of the folders holds files.
void write_picture_folder(const std::filesystem::path& folder, const Dataset& data, const std::vector<float>& rows,
                          const std::vector<int>& labels);

}  // namespace vaezoo
