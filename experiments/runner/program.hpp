#pragma once

namespace vaezoo {

/// The whole vaezoo command; the result is the exit code. A program with models, parts or data sets of its own adds them to the registries
/// first: model_registry(), likelihood_registry(), prior_registry(), posterior_registry(), dataset_registry().
int main(int argc, char** argv);

}  // namespace vaezoo
