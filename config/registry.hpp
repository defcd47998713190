#pragma once
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vaezoo {

/// Entries by name, in the order in which they are listed. A program of its own adds to them before it reads a configuration.
template <class Entry>
class Registry {
 public:
  Registry(std::initializer_list<Entry> entries) : entries_(entries) {}
  /// Throws std::invalid_argument when the name is taken.
  void add(const Entry& entry) {
    for (const Entry& other : entries_)
      if (std::string_view(other.name) == entry.name) throw std::invalid_argument("there is a \"" + std::string(entry.name) + "\" already");
    entries_.push_back(entry);
  }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace vaezoo
