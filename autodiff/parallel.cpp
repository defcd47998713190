#include "autodiff/parallel.hpp"

#include "autodiff/check.hpp"

namespace ad {
namespace {
int& thread_count() {
  static int n = omp_get_num_procs();
  return n;
}
}  // namespace

int threads() { return thread_count(); }

void set_threads(int n) {
  if (n < 1) throw Error(cat("[set_threads] needs at least one thread, got ", n));
  thread_count() = n;
}

}  // namespace ad
