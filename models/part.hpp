#pragma once
// Parts that a configuration chooses by name: {"posterior": "iaf"} or {"posterior": {"name": "iaf", "length": 8}}. Like a model, a kind of
// part is one file, which ends in the definition of its entry, and one line in its registry (see models/posteriors/).
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/check.hpp"
#include "config/fields.hpp"

namespace vaezoo {

/// The settings of one kind of part, and how to build it.
template <class Part, class... Args>
class PartSettings {
 public:
  virtual ~PartSettings() = default;
  virtual void fields(Fields& f) = 0;
  /// Throws ConfigError when the settings do not fit.
  virtual std::unique_ptr<Part> build(Args... args) const = 0;
};

/// Makes PartSettings of a struct with fields(Fields&) and build(args...).
template <class Settings, class Part, class... Args>
class PartSettingsOf final : public PartSettings<Part, Args...> {
 public:
  void fields(Fields& f) override { settings_.fields(f); }
  std::unique_ptr<Part> build(Args... args) const override { return settings_.build(args...); }

 private:
  Settings settings_;
};

template <class Part, class... Args>
struct PartEntry {
  const char* name;
  const char* summary;  ///< formula and paper in a few words
  std::unique_ptr<PartSettings<Part, Args...>> (*make_settings)();  ///< with every default
};

/// The choice of one kind, with the settings of each.
template <class Part, class... Args>
class PartChoice {
 public:
  using Entry = PartEntry<Part, Args...>;

  PartChoice(std::span<const Entry> registry, std::string name) : registry_(registry), name_(std::move(name)) {
    for (const Entry& entry : registry) settings_.push_back(entry.make_settings());
  }
  void visit(Fields& f, const char* key, const char* doc) {
    std::vector<Alternative> alternatives;
    for (std::size_t i = 0; i < registry_.size(); ++i)
      alternatives.push_back({registry_[i].name, registry_[i].summary, [this, i](Fields& g) { settings_[i]->fields(g); }});
    f.one_of(key, name_, alternatives, doc);
  }
  const std::string& name() const { return name_; }
  std::unique_ptr<Part> build(Args... args) const {
    for (std::size_t i = 0; i < registry_.size(); ++i)
      if (registry_[i].name == name_) return settings_[i]->build(args...);
    throw ConfigError(ad::cat("there is no part \"", name_, "\""));
  }

 private:
  std::span<const Entry> registry_;
  std::string name_;
  std::vector<std::shared_ptr<PartSettings<Part, Args...>>> settings_;  // copies of a configuration share them: they are read once
};

}  // namespace vaezoo
