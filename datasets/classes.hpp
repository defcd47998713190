#pragma once
// From labels as files have them to class numbers, by one rule for every reader of a user's own data; and keeping some classes.
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

/// The classes are the distinct labels of the training examples, numbered from 0 in sorted order: by value when all are whole
/// numbers, else by bytes. Labels with holes (3, 7) so give as many classes as there are, which keep their labels as names.
class Classes {
 public:
  Classes() = default;
  /// Throws DataError naming the source when there are more than a million of them.
  Classes(const std::vector<std::string>& training_labels, const std::string& source);

  /// The number of each label. Throws DataError naming the source and the label that the training examples do not have.
  std::vector<int> numbers(const std::vector<std::string>& labels, const std::string& source) const;
  int count() const { return static_cast<int>(names_.size()); }
  /// Empty when the labels are 0, 1, ... themselves.
  std::vector<std::string> names() const;

 private:
  std::string canonical(const std::string& label) const;

  bool whole_ = true;               // all labels are whole numbers
  std::vector<std::string> names_;  // sorted
};

/// What a user calls class `label`: its name, else its number; "" where it was not observed.
std::string class_name(const Dataset& data, int label);
/// The class of this name, or else of this number from 0; nothing when there is none.
std::optional<int> find_class(const Dataset& data, const std::string& wanted);
/// "there are 0 to 2, called a, b, c", for messages.
std::string about_classes(const Dataset& data);

/// Keeps the examples of the named classes, by name or by number, in every split; they become classes 0, 1, ... in the order
/// given and keep their names. What is known of the whole set's density and factors is dropped. Throws ConfigError about
/// "dataset.classes" when the data have no labels or not that class, or when a class is named twice.
void keep_classes(Dataset& data, const std::vector<std::string>& wanted);

/// Keeps only the examples of the named classes in training and validation, and marks the others as anomalies (Dataset::normal), which stay in the test
/// split. Throws ConfigError about "dataset.normal" as above, and when no example is left.
void keep_normal(Dataset& data, const std::vector<std::string>& wanted);

}  // namespace vaezoo
