#pragma once
// Examples that are no part of a run's data set.
#include <filesystem>

#include "experiments/runner/session.hpp"

namespace vaezoo {

/// The examples of a file (of pictures: a folder) of the kind that the run was trained on, read and standardised as those were, all of them
/// as training examples in the order of the file; classes are the run's, by name. Columns of a table are found by name; it may lack the
/// label, and more columns do no harm. Throws UsageError when the run's data do not come from files of the user's, and DataError when the
/// model cannot take these.
Dataset load_new_examples(const Session& session, const std::filesystem::path& file);

}  // namespace vaezoo
