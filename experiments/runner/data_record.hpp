#pragma once
// What a trained model must remember of its data: enough to draw and decode without them, to treat others alike, and to tell
// whether the data of today are those of then. Every checkpoint holds it.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datasets/dataset.hpp"

namespace vaezoo {

struct DataRecord {
  struct Part {
    Index examples = 0;
    std::uint64_t digest = 0;  ///< Dataset::digests
    friend bool operator==(const Part&, const Part&) = default;
  };
  std::string name, provenance, binarize;
  ItemShape shape;
  bool is_image = false, unit_range = false, counts = false;
  int levels = 0, classes = 0;
  Index condition_size = 0;
  std::vector<std::string> column_names, class_names, condition_names, vocabulary = {};
  std::string token_separator = {};
  std::vector<Modality> modalities = {};
  std::vector<double> mean, stddev;    ///< of each column, when the data were standardised
  std::pair<float, float> shown{0, 1};  ///< what pictures show black and white
  std::array<Part, 3> parts;           ///< training, validation, test
};

DataRecord record_of(const Dataset& data);

/// As JSON, for a checkpoint's metadata; numbers come back exactly.
std::string to_json_text(const DataRecord& record);
/// Throws FileError, naming `source`, when the text is no such record.
DataRecord read_data_record(const std::string& text, const std::string& source);

/// The data set without its examples: what a model needs to be built, to draw and to decode.
Dataset without_examples(const DataRecord& record);

/// A sentence on what keeps a model of `then` from understanding the data `now`: shape, classes, conditions.
std::optional<std::string> misfit(const DataRecord& then, const DataRecord& now);
/// A sentence on how the examples, or what was done with them, differ: "data.csv is not what this run was trained on (60 examples then,
/// 30 now)".
std::optional<std::string> difference(const DataRecord& then, const DataRecord& now);

}  // namespace vaezoo
