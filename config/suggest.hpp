#pragma once
// What the user may have meant.
#include <optional>
#include <string>
#include <vector>

namespace vaezoo {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b);

/// The candidate nearest to `word`, when it is near enough to be a misspelling: within a third of the longer word's length.
/// Case does not count.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "; did you mean "vae"?", or "; there are ..." where no name is near.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& names);

/// "a, b, c"
std::string joined(const std::vector<std::string>& words, const std::string& separator = ", ");

}  // namespace vaezoo
