// Folders of pictures. Each line of the input is an entry: a letter for what it is, then its path.
#include <sys/stat.h>

#include <algorithm>

#include "datasets/sources.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

/// A PNG of 2 x 2 pixels of grey.
constexpr unsigned char kPng[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
    0x02, 0x08, 0x00, 0x00, 0x00, 0x00, 0x57, 0xdd, 0x52, 0xf8, 0x00, 0x00, 0x00, 0x0e, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x10, 0x68,
    0x60, 0xf8, 0xef, 0x00, 0x00, 0x04, 0x94, 0x01, 0xd0, 0x84, 0x76, 0x96, 0x78, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42,
    0x60, 0x82};
constexpr std::size_t kMostEntries = 24, kMostParts = 4;

/// The path below the folder; empty for one that leads out of it or is too deep.
std::filesystem::path inside(std::string_view text) {
  const std::filesystem::path path(text.substr(0, text.find('\0')));
  if (path.is_absolute() || std::ranges::distance(path) > std::ptrdiff_t{kMostParts}) return {};
  for (const auto& part : path) {
    if (part == ".." || part == "." || part.empty() || part.string().size() > 100) return {};
  }
  return path;
}

void make(char kind, const std::filesystem::path& path) {
  std::error_code ignored;  // what the line before made can be in the way
  std::filesystem::create_directories(path.parent_path(), ignored);
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return;
  const std::string_view png(reinterpret_cast<const char*>(kPng), sizeof kPng);
  const std::string name = path.lexically_relative(fuzzing::folder()).string();
  if (!std::filesystem::is_directory(path.parent_path(), ignored)) return;
  switch (kind) {
    case 'p': fuzzing::write_file(name, png); break;
    case 'x': fuzzing::write_file(name, png.substr(0, 40)); break;
    case 'e': fuzzing::write_file(name, ""); break;
    case 'd': std::filesystem::create_directory(path, ignored); break;
    case 'f': ::mkfifo(path.c_str(), 0600); break;
    case 'u': std::filesystem::create_directory_symlink("..", path, ignored); break;
    case 's': std::filesystem::create_symlink("nowhere", path, ignored); break;
    default: break;
  }
}

}  // namespace

FUZZ_TARGET(image_folder) {
  using namespace vaezoo;
  const std::filesystem::path folder = fuzzing::empty_folder() / "data";
  std::filesystem::create_directory(folder);
  for (std::size_t i = 0; i < kMostEntries && !input.empty(); ++i) {
    const std::string_view line = fuzzing::take_until('\n', input);
    if (line.size() < 2) continue;
    if (const auto path = inside(line.substr(1)); !path.empty()) make(line[0], folder / path);
  }
  fuzzing::may_refuse([&] {
    ImageFolderConfig config;
    config.path = "data";
    const Dataset data = load_image_folder(config, fuzzing::folder(), Key(1));
    for (const Examples* split : {&data.train, &data.validation, &data.test}) {
      std::vector<Real> pixels(static_cast<std::size_t>(split->item_size()));
      for (Index i = 0; i < split->size(); ++i) fuzzing::may_refuse([&] { split->read(i, pixels); });
    }
  });
}
