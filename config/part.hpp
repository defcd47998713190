#pragma once
// Parts that a configuration chooses by name: {"posterior": "iaf"} or {"posterior": {"name": "iaf", "length": 8}}. Like a model, a kind of
// part is one file, which ends in VAEZOO_PART, and one line in its folder's registry.def. A program of one's own adds its kinds with
// add() before it calls vaezoo::main.
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/fields.hpp"
#include "config/registry.hpp"

namespace vaezoo {

/// The settings of one kind of part, and how to build it.
template <class Part, class Args>
class PartSettings {
 public:
  virtual ~PartSettings() = default;
  virtual void fields(Fields& f) = 0;
  /// Throws ConfigError when the settings do not fit.
  virtual std::unique_ptr<Part> build(const Args& args) const = 0;
};

template <class Part, class Args>
struct PartEntry {
  const char* name;
  const char* summary;  ///< the formula in a few words, for descriptions
  std::unique_ptr<PartSettings<Part, Args>> (*make_settings)();  ///< with every default

  /// From a struct with fields(Fields&) and build(const Args&).
  template <class Settings>
  static PartEntry of(const char* name, const char* summary) {
    return {name, summary, []() -> std::unique_ptr<PartSettings<Part, Args>> { return std::make_unique<Of<Settings>>(); }};
  }

 private:
  template <class Settings>
  class Of final : public PartSettings<Part, Args> {
   public:
    void fields(Fields& f) override { settings_.fields(f); }
    std::unique_ptr<Part> build(const Args& args) const override { return settings_.build(args); }

   private:
    Settings settings_;
  };
};

/// Defines the entry of one kind of KIND, for its registry.
#define VAEZOO_PART(KIND, NAME, SETTINGS, SUMMARY) \
  ::vaezoo::KIND##Entry vaezoo_##KIND##_##NAME() { return ::vaezoo::KIND##Entry::of<SETTINGS>(#NAME, SUMMARY); }

/// The choice of one kind, with the settings of each.
template <class Part, class Args>
class PartChoice {
 public:
  using Entry = PartEntry<Part, Args>;

  PartChoice(const Registry<Entry>& registry, std::string name) : name_(std::move(name)) {
    for (const Entry& entry : registry) kinds_.push_back({entry, entry.make_settings()});
  }
  /// `without`: kinds that do not suit this model.
  void visit(Fields& f, const char* key, const char* doc, std::initializer_list<std::string_view> without = {}) {
    f.one_of(key, name_, alternatives(without), doc);
  }
  std::vector<Alternative> alternatives(std::initializer_list<std::string_view> without = {}) const {
    std::vector<Alternative> all;
    for (const Kind& kind : kinds_)
      if (std::ranges::find(without, std::string_view(kind.entry.name)) == without.end())
        all.push_back({kind.entry.name, kind.entry.summary, [settings = kind.settings](Fields& g) { settings->fields(g); }});
    return all;
  }
  /// Only the settings of the kind that is chosen.
  void visit_settings(Fields& f) { chosen().fields(f); }
  const std::string& name() const { return name_; }
  void choose(std::string name) { name_ = std::move(name); }
  std::unique_ptr<Part> build(const Args& args) const { return chosen().build(args); }

 private:
  struct Kind {
    Entry entry;
    std::shared_ptr<PartSettings<Part, Args>> settings;  // copies of a configuration share them: they are read once
  };
  PartSettings<Part, Args>& chosen() const {
    return *std::ranges::find(kinds_, name_, [](const Kind& kind) { return std::string(kind.entry.name); })->settings;
  }

  std::string name_;
  std::vector<Kind> kinds_;
};

}  // namespace vaezoo
