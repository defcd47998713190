// Every target over its corpus: small valid files, and each input that once was a fault.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

TEST_CASE("each fuzz target accepts or refuses every file of its corpus") {
  const std::filesystem::path root = "tests/fuzz/corpus";
  std::vector<std::string> targets, folders;
  for (const fuzzing::Target& target : fuzzing::targets()) {
    targets.push_back(target.name);
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(root / target.name)) files.push_back(entry.path());
    std::ranges::sort(files);
    CHECK_MESSAGE(!files.empty(), target.name);
    for (const std::filesystem::path& file : files) {
      INFO(file.string());
      CHECK_NOTHROW(target.run(vaezoo::read_file(file)));
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(root)) folders.push_back(entry.path().filename().string());
  std::ranges::sort(targets);
  std::ranges::sort(folders);
  CHECK(targets == folders);
}
