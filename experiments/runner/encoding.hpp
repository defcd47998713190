#pragma once
// What a trained model says of single examples: their codes, and how likely they are.
#include <string>
#include <vector>

#include "experiments/runner/session.hpp"

namespace vaezoo {

/// One line for each of N examples. What the model or the data do not have, or was not asked for, is empty.
struct Encoding {
  std::vector<Index> rows;           ///< where the data's source has the example, counted from 0
  std::vector<std::string> splits;
  std::vector<int> labels;
  std::vector<float> conditions;     ///< [N, C]
  std::vector<float> means, deviations;  ///< of q(z | x), [N, Z]; no deviations where q is one point
  std::vector<Index> indices;        ///< discrete codes: the indices of an example's maps, one map after the other, [N, P]
  std::vector<double> elbo, nll;     ///< nats
  Index size() const { return std::ssize(rows); }
};

struct EncodingOptions {
  bool elbo = false;
  Index importance_samples = 0;  ///< K of the nll; 0 leaves it out
};

/// Adds the examples of a split of `data`, which need not be the session's own, under the name `called`. elbo and nll are the numbers
/// whose means evaluate() gives for the same data, settings and key.
void encode_examples(const Session& session, const Dataset& data, Split split, const std::string& called, const EncodingOptions& options,
                     Encoding& to);

/// The names of the numbers of a code: "0", "1", ... or, of several stochastic layers, "z1_0", "z1_1", ..., "z2_0", ...
std::vector<std::string> code_names(const Model& model);
/// The names of discrete codes: "0_0", "0_1", ..., the map and the place in it, row by row.
std::vector<std::string> index_names(const Model& model);

}  // namespace vaezoo
