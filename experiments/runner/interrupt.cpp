#include "experiments/runner/interrupt.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>

#include "autodiff/check.hpp"
#include "autodiff/files.hpp"
#include "autodiff/signals.hpp"
#include "experiments/output/console.hpp"

namespace vaezoo {
namespace {

struct Watch {
  std::mutex guard;
  bool noted = false;
  std::string sentence = "stopped; nothing was written";
};
Watch& watch() {  // never destroyed: a signal may come while the program ends
  static Watch& one = *new Watch;
  return one;
}

std::atomic<int> received = 0;

[[noreturn]] void end(int signal, const std::string& sentence) {
  ad::abandon_temporary_files();
  pollfd error{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  constexpr int kMilliseconds = 200;  // nobody may be reading
  if (::poll(&error, 1, kMilliseconds) > 0)
    tell(ad::cat(::isatty(STDERR_FILENO) == 1 ? "\n" : "", "vaezoo: ", sentence, "\n"));
  ::_exit(signal_code(signal));
}

/// A handler that may lock: it runs in a thread of its own (ad::handle_signals_aside).
void take(int signal) {
  const std::scoped_lock lock(watch().guard);
  if (received.exchange(signal) != 0) end(signal, "stopped at once; what was saved before is kept");
  if (!watch().noted) end(signal, watch().sentence);
}

}  // namespace

void watch_signals() {
  watch();
  struct sigaction action {};
  action.sa_handler = take;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);  // one after the other
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (signal != SIGHUP || before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  std::signal(SIGXFSZ, SIG_IGN);
  ad::handle_signals_aside();
}

void note_signals() {
  const std::scoped_lock lock(watch().guard);
  watch().noted = true;
}

void end_on_signals(const std::string& sentence) {
  const std::scoped_lock lock(watch().guard);
  watch().noted = false;
  watch().sentence = sentence;
  if (received != 0) end(received, sentence);
}

int signal_received() { return received; }

int signal_code(int signal) { return 128 + signal; }

}  // namespace vaezoo
