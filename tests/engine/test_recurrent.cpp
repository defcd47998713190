#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autodiff/gradcheck.hpp"
#include "autodiff/elementwise.hpp"
#include "autodiff/recurrent.hpp"
#include "autodiff/reduce.hpp"

using namespace ad;

namespace {

/// Numbers start + i step.
void ramp(ParameterStore& store, const std::string& path, double step, double start) {
  const auto values = store.find(path)->value();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<Real>(start + step * double(i));
}

}  // namespace

TEST_CASE(
    "recurrent cells give what PyTorch's LSTMCell and GRUCell give") {  // torch 2.13, in double, the weights ramps of numbers
  constexpr double tolerance = sizeof(Real) == 4 ? 1e-5 : 1e-10;
  const std::vector<Real> x{Real(0.5), -1, Real(0.25)}, twice{1, -2, Real(0.5)}, h0{Real(0.3), Real(-0.2)},
      c0{Real(0.1), Real(0.7)};
  for (const bool lstm : {true, false}) {
    ParameterStore store{Key(1)};
    const RecurrentCell cell(lstm ? RecurrentCell::Kind::lstm : RecurrentCell::Kind::gru, Parameters(store) / "cell", 3, 2);
    ramp(store, "cell/input/weight", .07, -.5);
    ramp(store, "cell/recurrent/weight", .05, -.3);
    ramp(store, "cell/input/bias", .1, -.4);
    if (!lstm) ramp(store, "cell/recurrent/bias", -.06, .2);
    Tape tape;
    const Context c{tape, true, Key(2)};
    RecurrentState s{tape.constant({1, 2}, h0), lstm ? tape.constant({1, 2}, c0) : Var()};
    s = cell.step(c, cell.from_input(c, tape.constant({1, 3}, x)), s);
    s = cell.step(c, cell.from_input(c, tape.constant({1, 3}, twice)), s);
    const std::vector<double> h =
        lstm ? std::vector{-0.04314375161824073, 0.017729898453265627} : std::vector{-0.1109910314579172, -0.23274119196076504};
    for (std::size_t i = 0; i < 2; ++i) CHECK(double(s.h.value()[i]) == doctest::Approx(h[i]).epsilon(tolerance));
    if (lstm) {
      CHECK(double(s.c.value()[0]) == doctest::Approx(-0.09612006213108529).epsilon(tolerance));
      CHECK(double(s.c.value()[1]) == doctest::Approx(0.039198352973539824).epsilon(tolerance));
    }
  }
}

#ifdef VAEZOO_DOUBLE
TEST_CASE("the gradient of three steps of a recurrent cell is its finite difference") {
  for (const auto kind : {RecurrentCell::Kind::lstm, RecurrentCell::Kind::gru}) {
    ParameterStore store{Key(3)};
    const RecurrentCell cell(kind, Parameters(store) / "cell", 2, 3);
    const std::vector<Real> x{.1, -.4, .9, .3, -.2, .5};
    const GradcheckReport report = gradcheck_parameters(store, [&](Tape& tape) {
      const Context c{tape, true, Key(2)};
      RecurrentState s = cell.start(tape, 2);
      for (std::size_t t = 0; t < 3; ++t)
        s = cell.step(c,
                      cell.from_input(c, tape.constant({1, 2}, std::span(x).subspan(2 * t, 2))) +
                          tape.constant({2, cell.hidden() * (kind == RecurrentCell::Kind::lstm ? 4 : 3)}, Real(0.1)),
                      s);
      return sum(square(s.h));
    });
    CHECK_MESSAGE(report.passed, report.text());
  }
}
#endif
