#pragma once
// A judge of what a model makes: a classifier that is trained on the data (as in Ravuri & Vinyals, "Classification Accuracy Score for
// Conditional Generative Models", NeurIPS 2019, but trained on data and asked about samples).
#include "experiments/runner/session.hpp"

namespace vaezoo {

struct Judgement {
  double classifier_accuracy = 0;  ///< of the classifier on the test split (validation, training, where there is none)
  double sample_accuracy = 0;      ///< share of samples that the classifier puts into the class that was asked for

  std::vector<Metric> metrics() const;  ///< both by name, with their meaning
};

/// The training examples, of data with labels, of which both x and the label were observed: what the judge learns from.
std::vector<Index> fully_observed(const Dataset& data);

/// Trains a perceptron of two hidden layers for `epochs` on the training split and asks it about `count` samples E[x | z, y], the classes
/// in turn. Throws ConfigError unless the model is conditioned on labels.
Judgement judge_samples(const Session& session, Index epochs, Index count);

/// How well the modalities that a model makes agree with those that they are made from: a judge of each modality, trained for `epochs`, is asked about
/// modality B decoded from the mean code of modality A of every test example ("coherence_A_to_B", and "coherence", the mean over pairs), and all
/// judges about `count` samples ("coherence_of_samples": all modalities of one class).   Shi et al., NeurIPS 2019, section 4; Sutter et al., ICLR 2021
/// Throws ConfigError unless the data have modalities and labels, and the model takes masks.
std::vector<Metric> judge_modalities(const Session& session, Index epochs, Index count);

}  // namespace vaezoo
