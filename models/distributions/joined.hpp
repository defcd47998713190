#pragma once
// Independent laws of neighbouring parts of a row.
#include <span>

#include "models/distributions/distribution.hpp"

namespace vaezoo {

class Joined final : public Distribution {
 public:
  struct Part {
    const Distribution* law;
    Index width;  ///< numbers of a row that it is the law of
  };

  /// `parts` live on the tape, as what they point to.
  Joined(Tape& tape, std::span<const Part> parts) : tape_(&tape), parts_(parts) {}
  Draw rsample(Key key) const override;
  Var log_prob(Var value) const override;
  Var center() const override;
  const Distribution& detached() const override;
  std::span<const Part> parts() const { return parts_; }

 private:
  Tape* tape_;
  std::span<const Part> parts_;
};

/// The sum of the parts' KLs, each of which must have a closed form; [N].
Var kl(const Joined& q, const Joined& p);

}  // namespace vaezoo
