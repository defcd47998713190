#pragma once
// The smaller commands. Each returns the exit code and throws as its parts do.
#include <string>
#include <vector>

#include "experiments/runner/run.hpp"

namespace vaezoo {

std::string version_text();

int list_command();
/// A model, a data set, "experiment", or an experiment file ("-": standard input). Throws ConfigError with the nearest name otherwise.
int describe_command(const std::string& name);
/// One line per file on what is wrong; kConfig when a file is. Where the data are there, they are read and the model is made, and all that a run
/// checks before its first step is checked. The schema of experiments, which lies among them, is passed over.
int validate_command(const std::vector<std::string>& files, const std::vector<std::string>& overrides, const CommonOptions& common);
int schema_command();
int download_command(const std::string& dataset, const CommonOptions& common);
/// CPU, threads, GEMM backend with its kernel and GFLOP/s, optional parts of this build.
int doctor_command(const CommonOptions& common);

struct SampleRequest {
  Index count = 64;
  std::vector<std::string> classes = {};  ///< names or numbers, drawn in turn; empty: all that there are
  std::string out = "";
};
// `out` says the format by its ending; empty: a file in the run's folder.

/// `out` may be a folder too, an existing one or one that ends in "/", for a PNG of each sample: see write_picture_folder. Throws
/// UsageError for classes of a model that is not conditioned on labels, and for classes that the data do not have.
int sample_command(const LoadedRun& run, const SampleRequest& request);
int reconstruct_command(const LoadedRun& run, Index count, const std::string& out);

struct EncodeRequest {
  std::string split = "test";  ///< or all
  std::string file = "";       ///< examples that are not the run's, in place of a split; see load_new_examples
  bool elbo = false;           ///< of each example
  Index nll = 0;               ///< samples of each example's importance-weighted -log p(x); 0: without
  bool vectors = false;        ///< of discrete codes the vectors, not the indices
  std::string out = "";
};
/// A .csv with a line for each example, or only the codes as .npy. Throws UsageError for what does not fit the model.
int encode_command(const LoadedRun& run, const EncodeRequest& request);

/// Writes E[x | z] of the codes in a file: a table as encode writes it (columns mean_... or index_..., and class and condition_... for a
/// conditional model), or a .npy array [N, Z] of codes or [N, P] of indices. Throws UsageError for a model that completes examples, and
/// DataError when the file does not hold codes of this model.
int decode_command(const LoadedRun& run, const std::string& file, const std::string& out);

struct ImputeRequest {
  std::string file;       ///< examples with missing numbers, see load_new_examples
  Index iterations = 100;
  std::string out = "";
};
/// Writes the examples of the file with their missing numbers filled in, by pseudo-Gibbs sampling: z ~ q(z | x), the missing numbers of x ~ p(x | z), and
/// so on, starting from what was observed; what is written is the mean of E[x | z] over the second half of the iterations. Numbers that were
/// observed stay as they are.   Rezende, Mohamed & Wierstra, ICML 2014, appendix F
/// Throws UsageError when nothing is missing, and for a model of sequences or one that does without masks.
int impute_command(const LoadedRun& run, const ImputeRequest& request);

}  // namespace vaezoo
