#include "tests/fuzz/fuzz.hpp"

#include <fstream>
#include <stdexcept>

#include "tests/zoo/output_support.hpp"

namespace fuzzing {
namespace {

constexpr std::size_t kLongestMessage = 4000;

std::vector<Target>& list() {
  static std::vector<Target> targets;
  return targets;
}

}  // namespace

bool list_target(const Target& target) {
  list().push_back(target);
  return true;
}

const std::vector<Target>& targets() { return list(); }

const std::filesystem::path& folder() {
  static const test_support::TempFolder folder;
  return folder.path();
}

const std::filesystem::path& empty_folder() {
  for (const auto& entry : std::filesystem::directory_iterator(folder())) std::filesystem::remove_all(entry.path());
  return folder();
}

std::filesystem::path write_file(const std::string& name, std::string_view bytes) {
  const std::filesystem::path path = folder() / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error(path.string() + ": the fuzzer cannot write its input");
  return path;
}

std::string_view take_until(char end, std::string_view& input) {
  const std::size_t found = input.find(end);
  const std::string_view piece = input.substr(0, found);
  input.remove_prefix(found == std::string_view::npos ? input.size() : found + 1);
  return piece;
}

void check_message(std::string_view text) {
  if (text.empty() || text.size() > kLongestMessage) throw std::logic_error("a message of " + std::to_string(text.size()) + " bytes");
}

}  // namespace fuzzing
