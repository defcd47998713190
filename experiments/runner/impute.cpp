// The command that fills in missing numbers.
#include <fmt/core.h>

#include "autodiff/elementwise.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/example_files.hpp"
#include "experiments/runner/feed.hpp"
#include "experiments/runner/new_examples.hpp"

namespace vaezoo {

using ad::cat;

int impute_command(const LoadedRun& run, const ImputeRequest& request) {
  const Session& s = *run.session;
  const Model& model = *s.model;
  if (!s.data.vocabulary.empty())
    throw UsageError("impute: the run's examples are sequences of tokens, of which none can be missing");
  if (!model.takes_mask()) throw UsageError(cat("impute: ", s.config.model_name, " does not take examples with missing numbers"));
  const std::filesystem::path path = output_file(run, request.out, "imputed", {".csv", ".npy", ".png"});
  const Dataset data = load_new_examples(s, request.file);
  if (data.train.all_cells())
    throw UsageError(
        cat(request.file,
            ": has no missing number, so there is nothing to fill in; numbers of a table or an array may be missing where the "
            "run was trained with dataset.missing"));

  const Key key = s.keys.root.fold("impute");
  const Index iterations = request.iterations, first_kept = iterations / 2;
  Feed feed(data, Split::train, {.batch_size = s.config.evaluate.batch_size}, key);
  ad::Tape tape(ad::Grad::off);
  std::vector<float> rows;
  for (std::uint64_t number = 0; feed.next() > 0; ++number) {
    tape.reset();
    const Var begun = feed.batch(tape).x;
    std::vector<Real> x(begun.value().begin(), begun.value().end());
    std::vector<double> sum(x.size());
    const std::span<const Real> mask = feed.batches().mask();
    for (Index t = 0; t < iterations; ++t) {
      tape.reset();
      const ad::Context c{tape, false, key.fold(number).fold(static_cast<std::uint64_t>(t))};
      Minibatch batch = feed.batch(tape);
      if (t > 0) {  // the first z is that of what was observed
        batch.x = tape.constant(batch.x.shape(), std::span<const Real>(x));
        batch.mask = {};
      }
      const DiagonalNormal q = model.posterior(c, batch);
      const Var z = q.log_variance ? q.rsample(c.key.fold("z")).value : q.mean;
      const Var mean = model.decode(c, z, batch), drawn = model.sample_x(c, z, batch);
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (mask[i] != 0) continue;
        x[i] = drawn.value()[i];
        if (t >= first_kept) sum[i] += double(mean.value()[i]) / double(iterations - first_kept);
      }
    }
    for (std::size_t i = 0; i < x.size(); ++i)
      rows.push_back(mask[i] != 0 ? static_cast<float>(x[i]) : static_cast<float>(sum[i]));
  }
  const Index missing = data.train.missing_cells();
  write_examples(path, data, rows, data.train.labels().empty() ? TextColumn{} : class_column(data, data.train.labels()));
  return wrote(path, fmt::format("{} examples with {} missing numbers filled in", data.train.size(), missing));
}

}  // namespace vaezoo
