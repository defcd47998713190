#pragma once
// Signals in a program that uses oneDNN. The code that dnnl_sgemm generates keeps its stack pointer in a buffer on the heap while it runs (seen in version
// 2.6): a handler that began then would write its frame over whatever lies there. So no signal may come to a thread that is in it.
#include <csignal>

namespace ad {

/// While one lives, signals do not come to this thread: another takes them, or they wait. Those that a fault of the thread itself raises
/// (SIGSEGV, SIGABRT, ...) do come.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
  bool held_;
};

/// For the main function of a program, before it starts other threads: a thread of its own takes all signals from now on, handlers run
/// there and may do what any thread may; the calling thread and those it starts later hold them back, and so do child processes.
/// SignalsHeld, which a product needs otherwise, then costs nothing. Throws Error when no thread can be started.
void handle_signals_aside();

}  // namespace ad
