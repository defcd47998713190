#pragma once
// Examples that are no part of a run's data set.
#include <filesystem>

#include "experiments/runner/session.hpp"

namespace vaezoo {

/// The examples of a file (of pictures: a folder) of the kind that the run was trained on, read and standardised as those were, all
/// of them as training examples in the order of the file; classes are the run's, by name. Columns of a table are found by name; it may
/// lack the label, and more columns do no harm. IDX images have the labels of the file that goes with them by name, if it is there.
/// Throws UsageError when such files are not read for the run's data set, and DataError when the model cannot take these.
Dataset load_new_examples(const Session& session, const std::filesystem::path& file);

}  // namespace vaezoo
