#include "experiments/runner/interrupt.hpp"

#include <csignal>

namespace vaezoo {
namespace {

volatile std::sig_atomic_t received = 0;

void note(int signal) {
  if (received != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  received = signal;
}

}  // namespace

void watch_signals() {
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

int signal_received() { return received; }

}  // namespace vaezoo
