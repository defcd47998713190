#include "datasets/unpack.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"
#include "datasets/partial_file.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kBlock = 512;  // of a tar archive

/// Copies `size` bytes, or all there are, to a new file.
void copy(InputFile& from, std::optional<std::uint64_t> size, const fs::path& path) {
  PartialFile part(path);
  std::ofstream to(part.path(), std::ios::binary);
  std::vector<std::uint8_t> chunk(kChunk);
  std::uint64_t left = size.value_or(UINT64_MAX);
  while (left > 0) {
    const std::size_t n =
        from.read_up_to(std::span(chunk).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk))));
    if (n == 0 && size) from.fail(ad::cat("is cut off inside '", path.filename().string(), "'"));
    if (n == 0) break;
    to.write(reinterpret_cast<const char*>(chunk.data()), static_cast<std::streamsize>(n));
    left -= n;
  }
  to.close();
  if (!to) throw DataError(ad::cat(part.path().string(), ": cannot be written; is the disk full?"));
  part.finish();
}

void unpack_zip(const fs::path& archive, const std::string& folder, const std::vector<std::string>& names,
                const fs::path& directory) {
  for (const std::string& name : names) copy(*open_zip_member(archive, folder + name), {}, directory / name);
}

/// Numbers in the head of a tar member are octal text.
std::uint64_t octal(std::string_view text) {
  std::uint64_t value = 0;
  for (char c : text) {
    if (c >= '0' && c <= '7') value = 8 * value + static_cast<std::uint64_t>(c - '0');
    else if (c == '\0' && value > 0) break;
  }
  return value;
}

struct TarHead {
  std::string name = {};
  std::uint64_t size = 0;
  bool is_file = false, is_end = false;
};

/// The 512 bytes before each member (POSIX ustar): name, size, kind, and the sum of the head's own bytes.
TarHead read_tar_head(InputFile& file) {
  std::array<std::uint8_t, kBlock> block;
  file.read(block, "the head of a member");
  const std::string_view text(reinterpret_cast<const char*>(block.data()), kBlock);
  if (text.find_first_not_of('\0') == std::string_view::npos) return {.is_end = true};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? std::uint64_t{' '} : block[i];
  if (sum != octal(text.substr(148, 8))) file.fail(ad::cat("is no tar archive, or is damaged before byte ", file.position()));
  const std::string_view name = text.substr(0, 100);
  return {std::string(name.substr(0, name.find('\0'))), octal(text.substr(124, 12)), text[156] == '0' || text[156] == '\0'};
}

void skip(InputFile& file, std::uint64_t size) {
  std::array<std::uint8_t, kBlock> ignored;
  for (std::uint64_t left = size; left > 0; left -= std::min<std::uint64_t>(left, kBlock)) {
    file.read(std::span(ignored).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, kBlock))), "a member");
  }
}

void unpack_tar(const fs::path& archive, const std::string& folder, const std::vector<std::string>& names,
                const fs::path& directory) {
  const auto file = open_file(archive);
  std::set<std::string> missing(names.begin(), names.end());
  while (!missing.empty()) {
    const TarHead head = read_tar_head(*file);
    if (head.is_end) file->fail(ad::cat("holds no '", folder, *missing.begin(), "'"));
    const std::uint64_t padding = (kBlock - head.size % kBlock) % kBlock;
    const std::string name = head.name.starts_with(folder) ? head.name.substr(folder.size()) : "";
    if (!head.is_file || missing.erase(name) == 0) {
      skip(*file, head.size + padding);
      continue;
    }
    copy(*file, head.size, directory / name);
    skip(*file, padding);
  }
}

}  // namespace

bool is_archive(const std::string& name) { return name.ends_with(".zip") || name.ends_with(".tar.gz"); }

std::vector<std::string> unpacked_files(const std::string& set) {
  std::vector<std::string> names;
  if (set == "cifar10") {
    for (int batch = 1; batch <= 5; ++batch) names.push_back(ad::cat("data_batch_", batch, ".bin"));
    names.push_back("test_batch.bin");
  } else if (set == "emnist") {
    for (const char* subset : {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}) {
      for (const char* part : {"train", "test"}) {
        for (const char* kind : {"images-idx3", "labels-idx1"}) {
          names.push_back(ad::cat("emnist-", subset, "-", part, "-", kind, "-ubyte.gz"));
        }
      }
    }
  }
  return names;
}

void unpack(const std::string& set, const fs::path& archive, const fs::path& directory) {
  const std::vector<std::string> names = unpacked_files(set);
  AD_CHECK(!names.empty(), "unpack", "'" + set + "' is not published as an archive");
  if (archive.extension() == ".zip") unpack_zip(archive, "gzip/", names, directory);
  else unpack_tar(archive, "cifar-10-batches-bin/", names, directory);
}

}  // namespace vaezoo
