#pragma once
#include "autodiff/parameters.hpp"
#include "autodiff/tape.hpp"

namespace ad {

/// w_o = g_o v_o / |v_o| for each row, so that length and direction are learned apart (Salimans & Kingma 2016).
///   v: [out, ...]   g: out numbers in any shape   returns: the shape of v. Throws ShapeError when the numbers differ.
Var weight_norm(Var v, Var g);

namespace init {
/// The lengths of the rows of v, as they are when the parameter is made: weight_norm(v, g) is then v.
Initializer row_lengths(Parameter& v);
}  // namespace init

}  // namespace ad
