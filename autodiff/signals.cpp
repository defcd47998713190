#include "autodiff/signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cstring>

#include "autodiff/check.hpp"

namespace ad {
namespace {

bool handled_aside = false;  // set before there are other threads

sigset_t all_but_faults() {
  sigset_t set;
  sigfillset(&set);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&set, fault);
  return set;
}

void* take_signals(void*) {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  while (true) pause();
}

}  // namespace

SignalsHeld::SignalsHeld() : held_(!handled_aside) {
  if (!held_) return;
  const sigset_t set = all_but_faults();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
}

SignalsHeld::~SignalsHeld() {
  if (held_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void handle_signals_aside() {
  const sigset_t set = all_but_faults();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &set, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, std::size_t{1} << 18);  // handlers do little
  pthread_t thread;
  const int code = pthread_create(&thread, &attributes, take_signals, nullptr);
  pthread_attr_destroy(&attributes);
  handled_aside = code == 0;
  if (handled_aside) return;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  throw Error(cat("cannot start a thread: ", std::strerror(code), "; a higher limit of memory (ulimit -v) or of processes may help"));
}

}  // namespace ad
