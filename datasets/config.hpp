#pragma once
// "dataset" in an experiment: which data, cut and binarised how.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/part.hpp"
#include "datasets/dataset.hpp"
#include "datasets/poly_digits.hpp"
#include "datasets/shapes3d.hpp"
#include "datasets/sources.hpp"
#include "datasets/sprites.hpp"
#include "datasets/synthetic.hpp"
#include "datasets/text.hpp"

namespace vaezoo {

/// What a data set of a program's own is loaded with.
struct DatasetArgs {
  const std::filesystem::path& data_dir;
  Key key;  ///< of draws that the data need
};

/// Data sets beyond those of vaezoo: PartEntry::of with a struct that has fields(Fields&) and build(const DatasetArgs&), which returns a
/// Dataset with its examples; splits, classes, limits and binarisation are made of it as of every data set.
using DatasetEntry = PartEntry<Dataset, DatasetArgs>;
Registry<DatasetEntry>& dataset_registry();

/// The settings of each of them.
struct AddedDatasets {
  struct Set {
    DatasetEntry entry;
    std::shared_ptr<PartSettings<Dataset, DatasetArgs>> settings;
  };
  std::vector<Set> sets;
  AddedDatasets();
};

/// "labels": {"keep": 100}: partly labelled training examples, for semi-supervised learning. Other splits keep all labels.
struct LabelsConfig {
  std::optional<std::int64_t> keep = {};  ///< so many examples keep their label, as many of each class
  std::string others = "unlabelled";      ///< unlabelled or dropped
  std::int64_t repeat = 1;                ///< how often a labelled example stands in the training split
  void fields(Fields& f);
};

/// "inputs": {"keep": 40000}: training examples of which some have only their label. Other splits keep all.
struct InputsConfig {
  std::optional<std::int64_t> keep = {};  ///< so many examples keep their numbers; the others are drawn among those with a label
  void fields(Fields& f);
};

/// "cells": {"keep": 0.5}: numbers that count as missing, in all splits, drawn with the seed; their values serve to measure how well they are
/// filled in. They have no part in standardisation.
struct CellsConfig {
  double keep = 1;  ///< share of the numbers that stays
  void fields(Fields& f);
};

/// "modalities": {"names": ["image", "sound"], "sizes": [784, 64], "keep": 0.7}: stretches of x that are things of their own.
struct ModalitiesConfig {
  std::vector<std::string> names = {};
  std::vector<std::int64_t> sizes = {};
  double keep = 1;  ///< probability that a training example keeps one
  void fields(Fields& f);
};

/// Use in the experiment's field list as f.one_of("dataset", dataset.name, dataset.alternatives(), "the data").
struct DatasetConfig {
  std::string name = "digits";
  std::string binarize = "none";            ///< none, static or dynamic
  std::optional<std::int64_t> validation = {};   ///< examples cut from the end of the training split
  std::optional<std::int64_t> test = {};         ///< examples drawn for the test split, where the source has none
  std::vector<std::string> classes = {};         ///< names or numbers of those to keep, in their new order; empty: all
  std::vector<std::string> normal = {};          ///< names or numbers of the classes that training and validation keep; empty: all
  std::optional<std::int64_t> limit = {};        ///< keep only the first so many training examples
  LabelsConfig labels = {};                      ///< of the training examples that are left
  InputsConfig inputs = {};                      ///< of those that are in the training split then
  CellsConfig cells = {};
  ModalitiesConfig modalities = {};
  /// Draws splits, binarisation and synthetic data. It is not the run's seed, so that runs of any seed see the same data.
  std::int64_t seed = 0;

  /// Not of the JSON: a file of images in the place of those of a set in IDX files, see load_idx_file.
  std::filesystem::path idx_file = {};

  EmnistConfig emnist = {};
  ImageFolderConfig image_folder = {};
  NpyConfig npy = {};
  CsvConfig csv = {};
  TextConfig text = {};
  GrammarConfig grammar = {};
  LinearGaussianConfig linear_gaussian = {};
  GaussianMixtureConfig gaussian_mixture = {};
  TwoMoonsConfig two_moons = {};
  SpritesConfig sprites = {};
  Shapes3dConfig shapes3d = {};
  PolyDigitsConfig poly_digits = {};
  AddedDatasets added = {};

  std::vector<Alternative> alternatives();
};

struct DatasetInfo {
  std::string name;
  std::string doc;
  bool downloadable = false;  ///< `vaezoo download NAME` fetches it
};
std::vector<DatasetInfo> dataset_list();

/// Means and deviations of columns.
struct Scale {
  std::vector<double> mean, stddev;
};

/// Loads, splits, limits, standardises and binarises. Throws DataError for files that are missing or damaged and ConfigError
/// for a configuration that the data cannot fulfil. Standardisation is by `scale` where one is given: a trained model's, whose
/// training examples set it.
Dataset load_dataset(const DatasetConfig& config, const std::filesystem::path& data_dir, const Scale* scale = nullptr);

/// Where data files are looked for: the flag (--data-dir) when given, else the environment's VAEZOO_DATA, else "data".
std::filesystem::path data_directory(const std::optional<std::string>& flag = std::nullopt);

}  // namespace vaezoo
