#pragma once
// Fetching public data sets, verified by SHA-256. Built with libcurl and OpenSSL when both are found; without them, and
// without a network, errors say which file to fetch from where by other means.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vaezoo {

/// A file that a data set consists of.
struct RemoteFile {
  std::string name = {};                ///< in DATA_DIR/SET
  std::vector<std::string> urls = {};   ///< tried in this order
  std::uint64_t bytes = 0;
  std::string sha256 = {};              ///< of the file as it is served
  std::string content_sha256 = {}; ///< of what it decompresses to, where known: accepts a copy that was compressed again
};

/// Whether this program was built with libcurl and OpenSSL.
bool can_download();

/// The files of a data set; empty when it cannot be downloaded.
std::vector<RemoteFile> remote_files(const std::string& set);

/// Called as bytes arrive, with the file's name, the bytes so far and their total. May throw to stop.
using DownloadProgress = std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)>;

/// Fetches the files that DATA_DIR/SET lacks or has with wrong contents, and unpacks archives; what is there and right stays.
/// A file gets its name only when it is complete and verified. Returns the names of the files that were fetched.
/// Throws DataError.
std::vector<std::string> download(const std::string& set, const std::filesystem::path& data_dir,
                                  const DownloadProgress& progress = {});

/// Fetches one file into a directory, as download does. Returns false when it was there already.
bool fetch(const RemoteFile& file, const std::filesystem::path& directory, const DownloadProgress& progress = {});

/// "run 'vaezoo download SET', or put FILE, ... from URL into DIRECTORY yourself", for a data set whose files are missing.
std::string download_hint(const std::string& set, const std::filesystem::path& directory);

}  // namespace vaezoo
