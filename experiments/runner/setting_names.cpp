#include "experiments/runner/setting_names.hpp"

#include <map>

namespace vaezoo {

std::vector<std::string> short_setting_names(const std::vector<std::string>& paths) {
  const auto last_part = [](const std::string& path) { return path.substr(path.rfind('.') + 1); };
  std::map<std::string, int> ends;
  for (const std::string& path : paths) ++ends[last_part(path)];
  std::vector<std::string> names;
  for (const std::string& path : paths) names.push_back(ends[last_part(path)] > 1 ? path : last_part(path));
  return names;
}

}  // namespace vaezoo
