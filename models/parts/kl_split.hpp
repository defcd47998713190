#pragma once
// The KL of a code, split in three.
//   Hoffman & Johnson, "ELBO surgery", 2016; Chen, Li, Grosse & Duvenaud, "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018, eq. (2)
#include "models/distributions/normal.hpp"

namespace vaezoo {

/// KL(q(z | x) || p(z)) = I(x; z) + KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d)), in nats, of each of n draws, [n].
struct KlSplit {
  Var mutual_information;  ///< log q(z | x) - log q(z): of x and z under q
  Var total_correlation;   ///< log q(z) - sum_d log q(z_d): what the dimensions say of each other
  Var dimension_wise;      ///< sum_d log q(z_d) - log p(z): how far each dimension is from its prior
};

/// At draws z [n, Z] with log q(z | x) and log p(z), each [n]. q(z) is sum_j exp(log_weight_ij) q(z | x_j) of the N rows of q, log_weight [n, N].
KlSplit split_kl(Var z, Var log_q_z_given_x, Var log_p_z, const DiagonalNormal& q, Var log_weight);

/// Weights of a minibatch of B out of N examples with its own draws, [B, B].   Chen et al. 2018, appendix C
Var stratified_log_weights(Tape& tape, Index batch, Index examples);  ///< minibatch stratified sampling: unbiased inside of the logarithm
Var weighted_log_weights(Tape& tape, Index batch, Index examples);    ///< minibatch weighted sampling: -log(N B)

}  // namespace vaezoo
