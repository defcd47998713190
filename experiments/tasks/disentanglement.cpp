// Does each number of the code stand for one of the factors that made the data, and each factor in one number?
//   Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations", ICML 2019
#include <algorithm>
#include <cmath>

#include "autodiff/parallel.hpp"
#include "datasets/factors.hpp"
#include "experiments/output/svg.hpp"
#include "experiments/output/tables.hpp"
#include "experiments/runner/encoding.hpp"
#include "experiments/runner/session.hpp"
#include "experiments/tasks/boosted_trees.hpp"
#include "experiments/tasks/density_information.hpp"
#include "experiments/tasks/disentanglement_measures.hpp"
#include "experiments/tasks/linear_classifiers.hpp"
#include "experiments/tasks/task.hpp"

namespace {

using namespace vaezoo;
using ad::cat;

struct DisentanglementSettings {
  std::string code = "mean";
  std::int64_t examples = 10'000, test_examples = 5'000, bins = 20, votes = 2'000, test_votes = 2'000, batch = 64, trees = 100, density_examples = 500;

  void fields(Fields& f) {
    f.choice("code", code, {"mean", "sample"}, "what stands for an example: the mean of q(z | x), or a draw");
    f("examples", examples, "examples, drawn by their factors, for information, importances and classifiers", between(100, 1e6));
    f("test_examples", test_examples, "others on which classifiers are judged", between(100, 1e6));
    f("bins", bins, "equal intervals of a code, for its mutual information with factors", between(2, 1000));
    f("votes", votes, "training points of the FactorVAE and the BetaVAE score; the study of 2019 took 10000", between(10, 1e6));
    f("test_votes", test_votes, "their test points; the study took 5000", between(10, 1e6));
    f("batch", batch, "examples that share a factor in each of those points", between(2, 10'000));
    f("trees", trees, "rounds of gradient boosting, for importances; 0 leaves DCI out", between(0, 10'000));
    f("density_examples", density_examples, "examples for each value of a factor, for the MIG by densities; 0 leaves it out", between(0, 100'000));
  }
  std::unique_ptr<Task> build(const TaskArgs& args) const;
};

/// The varying factors of the data, and the model's codes for them.
class Representation {
 public:
  Representation(const Session& session, bool mean) : s_(session), truth_(*session.data.factors), mean_(mean) {
    for (const int k : truth_.varying()) {
      counts.push_back(truth_.factors()[static_cast<std::size_t>(k)].count());
      names.push_back(truth_.factors()[static_cast<std::size_t>(k)].name);
      worded.push_back(!truth_.factors()[static_cast<std::size_t>(k)].words.empty());
    }
  }

  Matrix operator()(const FactorTable& factors, Key key) const {
    Matrix codes(factors.rows, s_.model->latent_dim());
    for_batches(factors, key, [&](Index row, const DiagonalNormal& q, Key own) {
      const Var z = mean_ || !q.log_variance ? q.mean : q.rsample(own.fold("z")).value;
      std::copy(z.data(), z.data() + z.size(), codes.values.begin() + row * codes.columns);
    });
    return codes;
  }
  /// Empty variances where q(z | x) is a point.
  NormalCodes posterior(const FactorTable& factors, Key key) const {
    const Index Z = s_.model->latent_dim();
    NormalCodes out{Matrix(factors.rows, Z), Matrix(factors.rows, Z)};
    for_batches(factors, key, [&](Index row, const DiagonalNormal& q, Key) {
      std::copy(q.mean.data(), q.mean.data() + q.mean.size(), out.mean.values.begin() + row * Z);
      if (q.log_variance) std::copy(q.log_variance.data(), q.log_variance.data() + q.log_variance.size(), out.log_variance.values.begin() + row * Z);
      else out.log_variance = Matrix();
    });
    return out;
  }

  std::vector<int> counts;
  std::vector<std::string> names;
  std::vector<bool> worded;  ///< is the factor a category?

 private:
  template <class F>
  void for_batches(const FactorTable& factors, Key key, const F& f) const {
    constexpr Index kBatch = 256;
    const auto size = static_cast<std::size_t>(s_.data.shape.size());
    std::vector<Real> x(static_cast<std::size_t>(kBatch) * size);
    ad::Tape tape(ad::Grad::off);
    for (Index begin = 0; begin < factors.rows; begin += kBatch) {
      const Index count = std::min(kBatch, factors.rows - begin);
      ad::parallel_for(count, [&](Index i) { truth_.render(tuple(factors, begin + i), std::span(x).subspan(static_cast<std::size_t>(i) * size, size)); });
      const std::span<Real> used = std::span(x).first(static_cast<std::size_t>(count) * size);
      const Key own = key.fold(static_cast<std::uint64_t>(begin));
      if (s_.data.binarize != Binarize::none) {
        const std::vector<Real> p(used.begin(), used.end());
        ad::fill_bernoulli(own.fold("binarize"), p, used);
      }
      tape.reset();
      Minibatch batch;
      batch.x = tape.constant({count, static_cast<Index>(size)}, std::span<const Real>(used));
      f(begin, s_.model->posterior({tape, false, own.fold("q")}, batch), own);
    }
  }
  std::vector<int> tuple(const FactorTable& factors, Index row) const {
    std::vector<int> out = truth_.fixed();
    for (Index k = 0; k < factors.factors(); ++k) out[static_cast<std::size_t>(truth_.varying()[static_cast<std::size_t>(k)])] = factors(row, k);
    return out;
  }

  const Session& s_;
  const Factors& truth_;
  bool mean_;
};

class Disentanglement final : public Task {
 public:
  Disentanglement(const TaskArgs& args, const DisentanglementSettings& settings) : Task(args), settings_(settings) {}

  TaskResult run() const override {
    const Session& s = session();
    const Key key = s.keys.root.fold("task").fold("disentanglement");
    const Representation represent(s, settings_.code == "mean");
    const FactorTable train_factors = draw_factors(represent.counts, settings_.examples, key.fold("train")),
                      test_factors = draw_factors(represent.counts, settings_.test_examples, key.fold("test"));
    const Matrix train = represent(train_factors, key.fold("train codes")), test = represent(test_factors, key.fold("test codes"));
    TaskResult result;
    result.summary = cat("On the ", settings_.code == "mean" ? "means" : "draws", " of q(z | x) of ", settings_.examples, " examples (", settings_.test_examples,
                         " others where classifiers are judged), drawn by their ", represent.names.size(), " factors.");
    const auto add = [&](const char* name, double value, const std::string& meaning) { result.metrics.push_back({name, value, "", meaning}); };
    const auto draw = [&](const char* name, const std::string& title, const Matrix& matrix, const std::string& caption) {
      const std::vector<std::string> codes = code_names(*s.model);
      result.files.push_back({cat(name, ".svg"),
                              to_svg(HeatMap{.title = title, .x_label = "factor", .y_label = "number of the code", .columns = represent.names, .rows = codes,
                                             .values = matrix.values}),
                              caption});
      result.files.push_back({cat(name, ".csv"), csv_text(represent.names, matrix.values, {"code", codes})});
    };

    const Matrix information = mutual_information(train, train_factors, static_cast<int>(settings_.bins));
    const std::vector<double> entropies = factor_entropies(train_factors), gaps = information_gaps(information, entropies);
    add("mig", mean_of(gaps), cat("mutual information gap as in disentanglement_lib (", settings_.bins, " bins, all factors); 1 is best"));
    if (settings_.density_examples > 0) add_density_gap(represent, key, result);
    VoteOptions votes;
    votes.train = settings_.votes;
    votes.test = settings_.test_votes;
    votes.batch = settings_.batch;
    votes.variance_examples = settings_.examples;
    add("factor_vae_score", factor_vae_score(represent, represent.counts, votes, key.fold("factor_vae_score")),
        "accuracy of the code that varies least in telling which factor stayed; 1 is best");
    add("beta_vae_score", beta_vae_score(represent, represent.counts, votes, key.fold("beta_vae_score")),
        "accuracy of a linear classifier in telling from distances of codes which factor pairs share; 1 is best");
    if (settings_.trees > 0) add_dci(train, train_factors, test, test_factors, result, draw);
    const Matrix scores = separability(train, train_factors, test, test_factors);
    add("sap", mean_top_gap(scores), "separated attribute predictability: a factor's accuracy from the best single code less the second's");
    add("modularity", modularity(information), "does each code have information on one factor only? 1 is best");
    add("explicitness", explicitness(train, train_factors, test, test_factors), "area under the ROC curve of linear classifiers of each factor's values; 1 is best, .5 chance");
    add("irs", interventional_robustness(train, train_factors).score, "how little codes move when factors other than their own vary; 1 is best");
    for (std::size_t k = 0; k < represent.names.size(); ++k)
      result.metrics.push_back({cat("mig_", represent.names[k]), gaps[k], "", cat("the gap of the factor ", represent.names[k])});

    Matrix shares = information;
    for (Index d = 0; d < shares.rows; ++d)
      for (Index k = 0; k < shares.columns; ++k) shares(d, k) /= std::max(1e-12, entropies[static_cast<std::size_t>(k)]);
    draw("information", "Mutual information", shares, "What each number of the code says of each factor: mutual information over the factor's entropy.");
    draw("accuracy", "Accuracy of one code", scores, "Accuracy of a linear classifier that predicts each factor from one number of the code.");
    return result;
  }

 private:
  void add_density_gap(const Representation& represent, Key key, TaskResult& result) const {
    const auto posterior = [&](const FactorTable& factors, Key own) { return represent.posterior(factors, own); };
    const auto gaps = density_information_gaps(posterior, represent.counts, settings_.density_examples, key.fold("mig_chen"));
    if (!gaps) return;
    std::vector<double> counted;
    for (std::size_t k = 0; k < gaps->size(); ++k)
      if (!represent.worded[k]) counted.push_back((*gaps)[k]);
    const bool all = counted.empty();
    result.metrics.push_back({"mig_chen", mean_of(all ? *gaps : counted), "",
                              cat("the same as Chen et al. define it, by the densities q(z|x)", all ? "" : ", over the factors that are numbers", "; not comparable with mig")});
  }

  template <class Draw>
  void add_dci(const Matrix& train, const FactorTable& train_factors, const Matrix& test, const FactorTable& test_factors, TaskResult& result, const Draw& draw) const {
    Matrix importance(train.columns, train_factors.factors());
    double informed = 0;
    for (Index k = 0; k < importance.columns; ++k) {
      const BoostedTrees trees(train, train_factors.column(k), train_factors.counts[static_cast<std::size_t>(k)], {.rounds = static_cast<int>(settings_.trees)});
      for (Index d = 0; d < importance.rows; ++d) importance(d, k) = trees.importances()[static_cast<std::size_t>(d)];
      informed += accuracy(trees.predict(test), test_factors.column(k)) / static_cast<double>(importance.columns);
    }
    const ImportanceScores dci = importance_scores(importance);
    result.metrics.push_back({"dci_disentanglement", dci.disentanglement, "", "is each code important for one factor only, to boosted trees? 1 is best"});
    result.metrics.push_back({"dci_completeness", dci.completeness, "", "is only one code important for each factor? 1 is best"});
    result.metrics.push_back({"dci_informativeness", informed, "", "accuracy of those trees on other examples, mean over factors"});
    draw("importance", "Importance for boosted trees", importance, "What each number of the code counts for gradient-boosted trees that predict a factor; columns add up to 1.");
  }

  DisentanglementSettings settings_;
};

std::unique_ptr<Task> DisentanglementSettings::build(const TaskArgs& args) const {
  const Session& s = args.session;
  const auto refuse = [](bool bad, const std::string& sentence) {
    if (bad) throw ConfigError(sentence);
  };
  refuse(s.data.factors == nullptr, cat(s.data.name, " has no known factors to compare codes with; the data sets sprites and shapes3d have (all of their classes)"));
  refuse(s.data.factors->varying().size() < 2, "needs two factors that vary or more; fix fewer of them (dataset.fix)");
  refuse(s.model->conditioning() != Conditioning::none, cat(s.config.model_name, " is given something about each example, which its code then need not hold"));
  refuse(!s.model->code_shapes().empty(), cat("the codes of ", s.config.model_name, " are classes, and these measures are of real numbers"));
  return std::make_unique<Disentanglement>(args, *this);
}

}  // namespace

VAEZOO_PART(Task, disentanglement, DisentanglementSettings, "MIG, FactorVAE and BetaVAE score, DCI, SAP, modularity, explicitness, IRS, on data with known factors")
