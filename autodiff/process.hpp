#pragma once
// What libraries read from the environment before main begins, and a program cannot tell them later.

namespace ad {

/// Call first in main. Sets what is missing and starts the program once more when there was something to set:
///   GOMP_SPINCOUNT      a thread that waits for its share of work spins; libgomp lets it for some 16 ms, and where other programs want the
///                       cores, steps are then many times slower. Here: about 0.3 ms, which costs an idle machine nothing (unless OMP_WAIT_POLICY is set)
///   OPENBLAS_NUM_THREADS  1, whatever it was: products are cut into blocks here, and threads of OpenBLAS's own, which begin before main,
///                       would take 128 MB of address space each; where there is no room they spin for ever and are waited for at the end
///   OPENBLAS_CORETYPE   where OpenBLAS does the matrix products and took too old a kernel for this CPU (see gemm_kernel_hint)
void set_up_process(char** argv);

}  // namespace ad
