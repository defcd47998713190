#pragma once
// The mutual information gap from the densities q(z | x), without bins.   Chen et al., NeurIPS 2018, section 4 and appendix C
#include <functional>
#include <optional>
#include <vector>

#include "experiments/tasks/codes.hpp"

namespace vaezoo {

/// q(z | x) of examples as normals of each number of the code, [N, D].
struct NormalCodes {
  Matrix mean, log_variance;  ///< no log variances where q is one point
};

/// (I(z_1st; v_k) - I(z_2nd; v_k)) / H(v_k) for each factor, where I(z_d; v_k) = H(z_d) - E_v H(z_d | v_k = v) and an entropy is the mean of
/// -log q(z) over draws z from `examples` examples, with q(z) the mean of the densities of the others. Both entropies are of as many examples, so that
/// the bias of few falls out. Nothing where q is one point: it has no density.
std::optional<std::vector<double>> density_information_gaps(const std::function<NormalCodes(const FactorTable&, Key)>& posterior,
                                                            const std::vector<int>& counts, Index examples, Key key);

}  // namespace vaezoo
