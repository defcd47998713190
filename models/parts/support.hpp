#pragma once
// Where codes lie.
#include <string>

namespace vaezoo {

enum class Support { real, positive, unit_interval, simplex, sphere, ball, one_hot, real_and_one_hot };

/// Throws ConfigError when the codes of a posterior do not lie where the prior has its density.
void require_same_support(Support posterior, const std::string& posterior_name, Support prior, const std::string& prior_name);

}  // namespace vaezoo
