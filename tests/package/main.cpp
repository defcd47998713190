// Fits y = 2 x + 1 with the installed engine.
#include <array>
#include <cstdio>

#include "autodiff/elementwise.hpp"
#include "autodiff/layers.hpp"
#include "autodiff/optimizers.hpp"
#include "autodiff/reduce.hpp"

int main() {
  using namespace ad;
  const std::array<Real, 4> x{-1, 0, 1, 2}, y{-1, 1, 3, 5};

  ParameterStore store{Key(1)};
  const Linear line(Parameters(store) / "line", 1, 1);
  Adam adam(store);
  Tape tape;
  for (int step = 0; step < 1000; ++step) {
    tape.reset();
    store.zero_grad();
    const Var fit = line(Context{tape}, tape.constant({4, 1}, x));
    tape.backward(mean(square(fit - tape.constant({4, 1}, y))));
    adam.step(0.05);
  }
  std::printf("y = %.2f x + %.2f\n", double(line.weight().value()[0]), double(line.bias()->value()[0]));
}
