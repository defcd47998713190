#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/reduce.hpp"
#include "tests/engine/op_table.hpp"

namespace op_table {
namespace {

using ad::Axes;
using ad::Tape;
using ad::Var;
using Vars = std::span<const Var>;
using Group = std::vector<double>;

double sum_of(const Group& g) { return std::accumulate(g.begin(), g.end(), 0.0); }
double mean_of(const Group& g) { return sum_of(g) / double(g.size()); }
double max_of(const Group& g) { return *std::ranges::max_element(g); }
double min_of(const Group& g) { return *std::ranges::min_element(g); }
double squares_of(const Group& g) {
  double total = 0;
  for (double v : g) total += (v - mean_of(g)) * (v - mean_of(g));
  return total;
}
double logsumexp_of(const Group& g) {
  if (g.empty()) return -std::numeric_limits<double>::infinity();
  double total = 0;
  for (double v : g) total += std::exp(v - max_of(g));
  return max_of(g) + std::log(total);
}

const std::vector<Reject> kAxes{{{Shape{4}}, "axis 1 is out of range for a tensor with 1 axes"}};

/// One op over every kind of axes: all, last, leading, middle, several side by side, several apart, long ones, one element.
/// `empty`: is the op defined over an empty axis?
void add_reduction(std::vector<Row>& out, const std::string& declaration, Var (*op)(Var, Axes, bool), double (*f)(const Group&),
                   bool empty) {
  const auto row = [&](Axes axes, std::vector<Index> reference_axes, bool keep_dims, std::vector<std::vector<Shape>> cases,
                       const char* note) {
    return Row{declaration,
               [=](Tape&, Vars x) { return op(x[0], axes, keep_dims); },
               grouped(reference_axes, keep_dims, f),
               std::move(cases),
               {},
               {},
               note};
  };
  out.push_back(
      row({}, {}, false, {{Shape{2}}, {Shape{1, 2}}, {Shape{5, 7}}, {Shape{2, 3, 11}}, {Shape{130}}, {Shape{9001}}}, "all"));
  out.push_back(row({}, {}, true, {{Shape{5, 7}}}, "all, kept"));
  out.push_back(row(-1, {-1}, false,
                    {{Shape{2, 3}}, {Shape{5, 67}}, {Shape{0, 3}}, {Shape{3, 4, 16}}, {Shape{2, 5000}}, {Shape{2000, 5}}},
                    "last"));
  out.push_back(row(0, {0}, false,
                    {{Shape{2}}, {Shape{3, 2}}, {Shape{5, 33}}, {Shape{3, 0}}, {Shape{7, 700}}, {Shape{300, 5}}, {Shape{9, 150}}},
                    "leading"));
  out.push_back(row(1, {1}, true, {{Shape{3, 5, 7}}, {Shape{2, 70, 17}}, {Shape{3, 2, 1}}}, "middle, kept"));
  out.push_back(row({1, 2}, {1, 2}, false, {{Shape{3, 5, 7, 2}}, {Shape{1, 2, 1, 1}}}, "side by side"));
  out.push_back(row({0, -1}, {0, -1}, false, {{Shape{3, 5, 7}}, {Shape{3, 1, 7}}}, "apart"));
  out.push_back(row({2, 0}, {2, 0}, true, {{Shape{3, 5, 2, 7}}, {Shape{3, 1, 2, 7}}}, "apart, kept"));
  Row last = row(1, {1}, false, {{Shape{3, 4}}}, "errors");
  last.rejects = kAxes;
  if (empty)
    last.cases.push_back({Shape{2, 0}});
  else
    last.rejects.push_back({{Shape{2, 0}}, declaration.starts_with("var") ? "per result, got 0" : "over an empty axis"});
  out.push_back(last);
}

std::vector<Row> reductions() {
  std::vector<Row> out;
  add_reduction(out, "sum(Var, Axes, bool)", ad::sum, sum_of, true);
  add_reduction(out, "mean(Var, Axes, bool)", ad::mean, mean_of, false);
  add_reduction(out, "max(Var, Axes, bool)", ad::max, max_of, false);
  add_reduction(out, "min(Var, Axes, bool)", ad::min, min_of, false);
  add_reduction(out, "logsumexp(Var, Axes, bool)", ad::logsumexp, logsumexp_of, true);
  add_reduction(out, "var(Var, Axes, bool, bool)", [](Var x, Axes axes, bool keep) { return ad::var(x, axes, keep); },
                [](const Group& g) { return squares_of(g) / double(g.size() - 1); }, false);
  add_reduction(out, "var(Var, Axes, bool, bool)", [](Var x, Axes axes, bool keep) { return ad::var(x, axes, keep, false); },
                [](const Group& g) { return squares_of(g) / double(g.size()); }, false);
  return out;
}
[[maybe_unused]] const bool reduction_rows = add_rows(reductions());

/// f(v, logsumexp of its axis).
Reference normalized(Index axis, double (*f)(double, double)) {
  return [=](std::span<const Tensor> x) {
    const Tensor total = grouped({axis}, true, logsumexp_of)(x);
    return each_pair(f)(std::vector<Tensor>{x[0], total});
  };
}
const std::vector<std::vector<Shape>> kAxisShapes{{Shape{1, 1}}, {Shape{5, 7}}, {Shape{3, 4, 19}},
                                                  {Shape{2, 0}}, {Shape{0, 2}}, {Shape{40, 300}}};

[[maybe_unused]] const bool softmax_rows = add_rows({
    {"softmax(Var, Index)",
     [](Tape&, Vars x) { return softmax(x[0]); },
     normalized(-1, [](double v, double l) { return std::exp(v - l); }),
     kAxisShapes,
     {{-3, 3}},
     {{{Shape{}}, "axis -1 is out of range"}}},
    {"softmax(Var, Index)",
     [](Tape&, Vars x) { return softmax(x[0], 0); },
     normalized(0, [](double v, double l) { return std::exp(v - l); }),
     kAxisShapes,
     {{-3, 3}},
     {},
     "leading"},
    {"log_softmax(Var, Index)",
     [](Tape&, Vars x) { return log_softmax(x[0]); },
     normalized(-1, [](double v, double l) { return v - l; }),
     kAxisShapes,
     {{-3, 3}},
     {{{Shape{}}, "axis -1 is out of range"}}},
    {"log_softmax(Var, Index)",
     [](Tape&, Vars x) { return log_softmax(x[0], 1); },
     normalized(1, [](double v, double l) { return v - l; }),
     kAxisShapes,
     {{-3, 3}},
     {},
     "middle"},
});

}  // namespace
}  // namespace op_table
