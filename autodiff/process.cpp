#include "autodiff/process.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "autodiff/gemm.hpp"

namespace ad {

void set_up_process(char** argv) {
  bool changed = false;
  const auto set = [&](const std::string& name, const std::string& value) {
    changed |= std::getenv(name.c_str()) == nullptr && setenv(name.c_str(), value.c_str(), 0) == 0;
  };
  const char* own_threads = std::getenv("OPENBLAS_NUM_THREADS");
  if (own_threads == nullptr || std::strcmp(own_threads, "1") != 0) changed |= setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0;
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) set("GOMP_SPINCOUNT", "6000");
  if (const std::string hint = gemm_kernel_hint(); !hint.empty())
    set(hint.substr(0, hint.find('=')), hint.substr(hint.find('=') + 1));
  if (changed) execv("/proc/self/exe", argv);  // comes back only when it fails; all works then, slower
}

}  // namespace ad
