#pragma once
// Taking the files of a data set out of the archive in which it is published.
#include <filesystem>
#include <string>
#include <vector>

namespace vaezoo {

/// Whether a file of this name is an archive, which is removed when it is unpacked.
bool is_archive(const std::string& name);

/// The files that the archive of "emnist" or "cifar10" leaves in the data set's directory.
std::vector<std::string> unpacked_files(const std::string& set);

/// Takes those files, and no others, out of the archive into a directory. Throws DataError when one is missing or damaged.
void unpack(const std::string& set, const std::filesystem::path& archive, const std::filesystem::path& directory);

}  // namespace vaezoo
