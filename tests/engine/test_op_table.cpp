// Every op of the public headers against its row in the op table: value, gradient, use of an input twice, threads, Grad::off,
// errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradcheck.hpp"
#include "autodiff/reduce.hpp"
#include "tests/engine/op_table.hpp"

namespace {

using namespace op_table;
using ad::GradcheckInput;
using ad::Real;
using ad::Tape;
using ad::Var;

#ifdef VAEZOO_DOUBLE
constexpr double kValueTolerance = 2e-12;         // a thousand roundings of numbers of order one
constexpr Index kLargestChecked = 1 << 20, kMostElements = 24;
#else
constexpr double kValueTolerance = 2e-5;
constexpr Index kLargestChecked = 64, kMostElements = 64;  // differences in float need points well apart
#endif

std::string title(const Row& row, const std::vector<Shape>& shapes) {
  std::string text = row.declaration + (row.note.empty() ? "" : " (" + row.note + ")") + " of";
  for (const Shape& s : shapes) text += " " + ad::to_text(s);
  return text;
}

/// Distinct numbers, spread evenly over the domain in random order. The fraction of a step by which they are shifted keeps
/// inputs apart from each other and from the middle of the domain, where the kinks are.
std::vector<GradcheckInput> inputs_for(const Row& row, const std::vector<Shape>& shapes) {
  std::vector<GradcheckInput> inputs;
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    const Domain d = row.domains.empty() ? Domain{} : row.domains[std::min(k, row.domains.size() - 1)];
    const Index n = shapes[k].size();
    GradcheckInput input{shapes[k], std::vector<Real>(static_cast<std::size_t>(n))};
    const auto order = ad::permutation(ad::Key(17).fold(k), n);
    for (std::size_t i = 0; i < order.size(); ++i)
      input.values[i] = static_cast<Real>(d.low + (d.high - d.low) * (double(order[i]) + 0.3 - 0.1 * double(k)) / double(n));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

std::vector<Var> record(Tape& tape, const std::vector<GradcheckInput>& inputs) {
  std::vector<Var> x;
  for (const GradcheckInput& input : inputs) x.push_back(tape.variable(input.shape, input.values));
  return x;
}

std::vector<Real> copy(std::span<const Real> v) { return {v.begin(), v.end()}; }
bool same_bits(const std::vector<Real>& a, const std::vector<Real>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0);
}

/// Calls f(row, shapes) for every case of every row, its title in the message of whatever fails.
template <class F>
void each_case(F f) {
  for (const Row& row : rows())
    for (const auto& shapes : row.cases) {
      INFO(title(row, shapes));
      try {
        f(row, shapes);
      } catch (const ad::Error& e) {
        FAIL_CHECK(e.what());
      }
    }
}

/// The value and, for a differentiable op, the gradients of a projection of it.
std::vector<std::vector<Real>> run(const Row& row, const std::vector<Shape>& shapes) {
  Tape tape;
  const auto x = record(tape, inputs_for(row, shapes));
  const Var y = row.call(tape, x);
  std::vector<std::vector<Real>> out{copy(y.value())};
  if (y.live()) tape.backward(sum(square(y) + y));
  for (const Var& v : x) out.push_back(copy(v.gradient()));
  return out;
}

}  // namespace

TEST_CASE("every op gives the value of its reference") {
  each_case([](const Row& row, const std::vector<Shape>& shapes) {
    const auto inputs = inputs_for(row, shapes);
    Tape tape;
    const Var y = row.call(tape, record(tape, inputs));
    std::vector<Tensor> x;
    for (const auto& input : inputs) {
      x.emplace_back(input.shape);
      std::ranges::copy(input.values, x.back().values.begin());
    }
    const Tensor expected = row.reference(x);
    REQUIRE(y.shape() == expected.shape);
    double worst = 0;
    for (Index i = 0; i < y.size(); ++i) {
      const double got = double(y.data()[i]), want = expected[i];
      if (got != want) worst = std::max(worst, std::isfinite(got) ? std::abs(got - want) / std::max(1.0, std::abs(want)) : 1e300);
    }
    CHECK(worst <= kValueTolerance);
  });
}

TEST_CASE("the gradient of every op agrees with differences") {
  each_case([](const Row& row, const std::vector<Shape>& shapes) {
    Index largest = 0;
    for (const Shape& s : shapes) largest = std::max(largest, s.size());
    if (largest > kLargestChecked) return;
    Tape tape;
    CHECK(row.call(tape, record(tape, inputs_for(row, shapes))).live() == row.differentiable);
    if (!row.differentiable) return;
    ad::GradcheckOptions options;
    options.most_elements = kMostElements;
    const auto report =
        ad::gradcheck([&](Tape& t, std::span<const Var> x) { return row.call(t, x); }, inputs_for(row, shapes), options);
    INFO(report.text());
    CHECK(report.passed);
  });
}

TEST_CASE("the gradient of an input that is used twice is twice the gradient") {
  each_case([](const Row& row, const std::vector<Shape>& shapes) {
    if (!row.differentiable) return;
    std::array<std::vector<std::vector<Real>>, 2> gradients;
    for (std::size_t uses : {1u, 2u}) {
      Tape tape;
      const auto x = record(tape, inputs_for(row, shapes));
      Var loss = sum(square(row.call(tape, x)));
      if (uses == 2) loss = loss + sum(square(row.call(tape, x)));
      tape.backward(loss);
      for (const Var& v : x) gradients[uses - 1].push_back(copy(v.gradient()));
    }
    for (std::size_t k = 0; k < shapes.size(); ++k)
      CHECK(std::ranges::equal(gradients[0][k], gradients[1][k], [](Real once, Real twice) {
        return std::abs(double(twice) - 2 * double(once)) <= kValueTolerance * std::max(1.0, std::abs(double(twice)));
      }));
  });
}

TEST_CASE("every op gives the same bits at one, two and three threads") {
  const int before = ad::threads();
  each_case([](const Row& row, const std::vector<Shape>& shapes) {
    ad::set_threads(1);
    const auto one = run(row, shapes);
    for (int n : {2, 3}) {
      ad::set_threads(n);
      const auto many = run(row, shapes);
      for (std::size_t k = 0; k < one.size(); ++k) CHECK(same_bits(one[k], many[k]));
    }
  });
  ad::set_threads(before);
}

TEST_CASE("every op gives the same value on a tape without gradients") {
  each_case([](const Row& row, const std::vector<Shape>& shapes) {
    Tape plain(ad::Grad::off);
    const Var y = row.call(plain, record(plain, inputs_for(row, shapes)));
    CHECK(!y.live());
    CHECK(same_bits(copy(y.value()), run(row, shapes)[0]));
  });
}

TEST_CASE("every op refuses shapes that do not fit and says why") {
  for (const Row& row : rows())
    for (const Reject& reject : row.rejects) {
      INFO(title(row, reject.shapes));
      Tape tape;
      std::string message = "nothing was thrown";
      try {
        row.call(tape, record(tape, inputs_for(row, reject.shapes)));
      } catch (const ad::ShapeError& e) {
        message = e.what();
      }
      CHECK_MESSAGE(message.find(reject.message) != std::string::npos, message << " should say: " << reject.message);
      CHECK(message.starts_with("["));
    }
}

namespace {

/// "Var sum(Var x, Axes axes = {}, bool keep = false);" -> "sum(Var, Axes, bool)".
std::string without_names(const std::string& name, const std::string& parameters) {
  std::string out = name + "(";
  int depth = 0;
  std::string part;
  const auto add = [&] {
    part = std::regex_replace(part, std::regex("\\s*=.*$"), "");
    part = std::regex_replace(part, std::regex("^\\s+|\\s+$"), "");
    part = std::regex_replace(part, std::regex("\\s+\\w+$"), "");
    if (!part.empty()) out += (out.back() == '(' ? "" : ", ") + part;
    part.clear();
  };
  for (char c : parameters) {
    depth += (c == '<' || c == '{' || c == '(') - (c == '>' || c == '}' || c == ')');
    if (c == ',' && depth == 0)
      add();
    else
      part += c;
  }
  add();
  return out + ")";
}

/// All functions at the start of a line in the engine's headers that return a Var. (Members are indented; templates take
/// lambdas.)
std::set<std::string> declared_ops() {
  std::set<std::string> ops;
  for (const auto& entry : std::filesystem::directory_iterator("autodiff")) {
    if (entry.path().extension() != ".hpp" || entry.path().filename() == "map.hpp") continue;
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const std::string source = std::regex_replace(text.str(), std::regex("//[^\n]*"), "");
    const std::regex declaration("(?:^|\n)(?:std::span<const Index>|Normalized|Var) ((?:operator ?[-+*/]|\\w+))\\(([^;]*?)\\);");
    for (std::sregex_iterator m(source.begin(), source.end(), declaration), end; m != end; ++m)
      ops.insert(without_names((*m)[1], std::regex_replace((*m)[2].str(), std::regex("\\s+"), " ")));
  }
  return ops;
}

}  // namespace

TEST_CASE("every public op has a row, and every row an op") {
  auto declared = declared_ops();
  CHECK(declared.size() > 80);  // the headers were found and read
  for (const char* index_op : {"argmax(Var, Index)", "argmin(Var, Index)"})  // no Var comes out: test_ops.cpp has them
    CHECK(declared.erase(index_op) == 1);
  std::set<std::string> covered;
  for (const Row& row : rows()) covered.insert(row.declaration);
  for (const std::string& op : declared)
    CHECK_MESSAGE(covered.contains(op),
                  op << " is declared in a header of autodiff/ and has no row in tests/engine/op_table_*.cpp");
  for (const std::string& row : covered) CHECK_MESSAGE(declared.contains(row), row << " has a row and is declared nowhere");
}
