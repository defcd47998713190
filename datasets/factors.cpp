#include "datasets/factors.hpp"

#include <algorithm>

#include "autodiff/check.hpp"
#include "datasets/digest.hpp"

namespace vaezoo {
namespace {

constexpr Index kUsualExamples = 75000;  // 60000 for training when a tenth each is held out for validation and test

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Number of images in the grid when some factors are fixed.
Index grid_size(const std::vector<Factor>& factors, std::span<const int> fixed) {
  Index size = 1;
  for (std::size_t i = 0; i < factors.size(); ++i) size *= fixed[i] == Factors::kFree ? factors[i].count() : 1;
  return size;
}

std::size_t shape_of(const std::vector<Factor>& factors) {
  const auto found = std::find_if(factors.begin(), factors.end(), [](const Factor& f) { return f.name == "shape"; });
  AD_CHECK(found != factors.end() && !found->words.empty(), "Factors", "there is no factor \"shape\" with words");
  return at(found - factors.begin());
}

/// Images `drawn` of the grid.
class RenderedSource final : public ExampleSource {
 public:
  RenderedSource(std::shared_ptr<const Factors> truth, std::vector<Index> drawn)
      : truth_(std::move(truth)), drawn_(std::move(drawn)) {}

  Index size() const override { return std::ssize(drawn_); }
  void read(Index row, std::span<std::uint8_t> out) const override {
    std::array<int, kMaxFactors> values;
    const std::span tuple = std::span(values).first(truth_->factors().size());
    truth_->tuple(drawn_[at(row)], tuple);
    truth_->render(tuple, out);
  }
  std::uint64_t digest() const override {
    Digest digest;
    digest.add(std::span(drawn_));
    return digest.value();
  }

 private:
  std::shared_ptr<const Factors> truth_;
  std::vector<Index> drawn_;
};

}  // namespace

Real Factor::scaled(int k) const {
  const int steps = circular ? count() : count() - 1;
  return steps == 0 ? Real(0) : static_cast<Real>(k) / static_cast<Real>(steps);
}

std::vector<double> evenly(double first, double last, int count) {
  std::vector<double> values;
  for (int k = 0; k < count; ++k) values.push_back(first + (last - first) * k / (count - 1));
  return values;
}

std::vector<double> around(double turn, int count) {
  std::vector<double> values;
  for (int k = 0; k < count; ++k) values.push_back(turn * k / count);
  return values;
}

Factors::Factors(std::vector<Factor> factors, ItemShape shape, int top, Render render, std::vector<int> fixed)
    : factors_(std::move(factors)), shape_(shape), top_(top), render_(std::move(render)), fixed_(std::move(fixed)) {
  AD_CHECK(!factors_.empty() && factors_.size() <= kMaxFactors, "Factors",
           ad::cat(factors_.size(), " factors; expected 1 to ", kMaxFactors));
  if (fixed_.empty()) fixed_.assign(factors_.size(), kFree);
  AD_CHECK(fixed_.size() == factors_.size(), "Factors",
           ad::cat(fixed_.size(), " fixed values for ", factors_.size(), " factors"));
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    AD_CHECK(fixed_[i] >= kFree && fixed_[i] < factors_[i].count(), "Factors",
             ad::cat("factor \"", factors_[i].name, "\" is fixed at ", fixed_[i], " of ", factors_[i].count()));
    if (fixed_[i] == kFree) varying_.push_back(static_cast<int>(i));
  }
  size_ = grid_size(factors_, fixed_);
}

void Factors::check(std::span<const int> tuple) const {
  AD_CHECK(tuple.size() == factors_.size(), "Factors", ad::cat(tuple.size(), " values for ", factors_.size(), " factors"));
  for (std::size_t i = 0; i < tuple.size(); ++i) {
    AD_CHECK(tuple[i] >= 0 && tuple[i] < factors_[i].count(), "Factors",
             ad::cat("value ", tuple[i], " of factor \"", factors_[i].name, "\", which has ", factors_[i].count()));
    AD_CHECK(fixed_[i] == kFree || tuple[i] == fixed_[i], "Factors",
             ad::cat("value ", tuple[i], " of factor \"", factors_[i].name, "\", which is fixed at ", fixed_[i]));
  }
}

Index Factors::index(std::span<const int> tuple) const {
  check(tuple);
  Index index = 0;
  for (int i : varying_) index = index * factors_[at(i)].count() + tuple[at(i)];
  return index;
}

void Factors::tuple(Index index, std::span<int> out) const {
  AD_CHECK(index >= 0 && index < size_, "Factors", ad::cat("image ", index, " of ", size_));
  AD_CHECK(out.size() == factors_.size(), "Factors", ad::cat("room for ", out.size(), " of ", factors_.size(), " factors"));
  std::copy(fixed_.begin(), fixed_.end(), out.begin());
  for (auto i = varying_.rbegin(); i != varying_.rend(); ++i) {
    const Index count = factors_[at(*i)].count();
    out[at(*i)] = static_cast<int>(index % count);
    index /= count;
  }
}

std::vector<int> Factors::tuple(Index index) const {
  std::vector<int> out(factors_.size());
  tuple(index, out);
  return out;
}

std::vector<int> Factors::sample(Key key, std::span<const int> given) const {
  AD_CHECK(given.empty() || given.size() == factors_.size(), "Factors",
           ad::cat(given.size(), " given values for ", factors_.size(), " factors"));
  std::vector<int> tuple = fixed_;
  for (std::size_t i = 0; i < tuple.size(); ++i) {
    if (!given.empty() && given[i] != kFree) {
      tuple[i] = given[i];
    } else if (tuple[i] == kFree) {
      tuple[i] = static_cast<int>(ad::uniform_integer(key.fold(i), static_cast<std::uint64_t>(factors_[i].count())));
    }
  }
  check(tuple);
  return tuple;
}

void Factors::render(std::span<const int> tuple, std::span<std::uint8_t> pixels) const {
  check(tuple);
  AD_CHECK(std::ssize(pixels) == shape_.size(), "Factors",
           ad::cat("room for ", pixels.size(), " of ", shape_.size(), " numbers"));
  render_(tuple, pixels);
}

void Factors::render(std::span<const int> tuple, std::span<Real> x) const {
  std::vector<std::uint8_t> pixels(x.size());
  render(tuple, pixels);
  std::transform(pixels.begin(), pixels.end(), x.begin(),
                 [this](std::uint8_t byte) { return static_cast<Real>(byte) / static_cast<Real>(top_); });
}

void Factors::conditions(std::span<const int> tuple, std::span<Real> out) const {
  AD_CHECK(out.size() == varying_.size(), "Factors",
           ad::cat("room for ", out.size(), " of ", varying_.size(), " varying factors"));
  for (std::size_t c = 0; c < out.size(); ++c) out[c] = factors_[at(varying_[c])].scaled(tuple[at(varying_[c])]);
}

std::vector<std::string> Factors::condition_names() const {
  std::vector<std::string> names;
  for (int i : varying_) names.push_back(factors_[at(i)].name);
  return names;
}

void FactorConfig::fields(Fields& f, const std::vector<Factor>& factors) {
  f("size", size, "pixels along each side of an image", between(16, 256));
  f("examples", examples,
    "number of images in all splits together, drawn without replacement; 0: all that there are; null: 75000, or all of fewer",
    at_least(0));
  const auto fix_fields = [&](Fields& inner) {
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const Factor& factor = factors[i];
      if (factor.name == "shape") {
        std::vector<std::string> words = {"any"};
        words.insert(words.end(), factor.words.begin(), factor.words.end());
        inner.choice("shape", shape, words, "the one shape, or any");
      } else {
        inner(factor.name.c_str(), fix[i], "index of the one value; null: all", between(0, factor.count() - 1));
      }
    }
  };
  f.object("fix", "factors that do not vary: \"shape\" by its word, the others by their index, counted from 0", fix_fields);
  const Index available = grid_size(factors, fixed(factors));
  f.require("examples", examples.value_or(0) <= available,
            ad::cat(examples.value_or(0), " images were asked for, but the factors that vary make ", available,
                    "; 0 takes all of them"));
}

std::vector<int> FactorConfig::fixed(const std::vector<Factor>& factors) const {
  std::vector<int> indices;
  for (std::size_t i = 0; i < factors.size(); ++i) indices.push_back(static_cast<int>(fix[i].value_or(Factors::kFree)));
  const std::size_t which = shape_of(factors);
  const std::vector<std::string>& words = factors[which].words;
  const auto word = std::find(words.begin(), words.end(), shape);
  indices[which] = word == words.end() ? Factors::kFree : static_cast<int>(word - words.begin());
  return indices;
}

Dataset load_factors(std::shared_ptr<const Factors> truth, const std::optional<std::int64_t>& examples, Key key) {
  const std::size_t shape_factor = shape_of(truth->factors());
  const Index asked = examples.value_or(kUsualExamples);
  const Index count = asked == 0 ? truth->size() : std::min(asked, truth->size());
  std::vector<Index> drawn = ad::permutation(key, truth->size());
  drawn.resize(at(count));
  drawn.shrink_to_fit();

  const Index width = std::ssize(truth->varying());
  std::vector<int> labels(at(count)), tuple(truth->factors().size());
  std::vector<Real> conditions(at(count * width));
  for (Index i = 0; i < count; ++i) {
    truth->tuple(drawn[at(i)], tuple);
    labels[at(i)] = tuple[shape_factor];
    truth->conditions(tuple, std::span(conditions).subspan(at(i * width), at(width)));
  }

  Dataset data;
  data.shape = truth->shape();
  data.is_image = true;
  data.class_names = truth->factors()[shape_factor].words;
  data.classes = truth->factors()[shape_factor].count();
  data.condition_names = truth->condition_names();
  const auto source = std::make_shared<RenderedSource>(truth, std::move(drawn));
  data.train = Examples(source, truth->shape().size(), truth->top(), std::move(labels));
  if (width > 0) data.train.set_conditions(std::move(conditions), width);
  data.factors = std::move(truth);
  return data;
}

}  // namespace vaezoo
