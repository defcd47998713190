#pragma once
// Matrix products on raw row-major memory: one function, two backends. oneDNN's sgemm where it was found at build
// time, else OpenBLAS; VAEZOO_GEMM=openblas or onednn in the environment overrides the choice at run time.
#include <string>

#include "autodiff/parallel.hpp"
#include "autodiff/real.hpp"

namespace ad {

/// A matrix operand: element (i, j) is data[i * stride + j], or data[j * stride + i] when transposed.
struct Matrix {
  const Real* data;
  Index stride;
  bool transposed = false;

  const Real* at(Index row, Index column) const {
    return data + (transposed ? column * stride + row : row * stride + column);
  }
};

/// C = A B + beta C on the calling thread; C is [m, n] with row stride ldc, A [m, k], B [k, n]. With beta = 0, C is
/// only written, so it may hold anything before.
void gemm_serial(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc);

enum class Cut { longer_side, rows };

/// How a product is cut into blocks that run in parallel: along the longer of rows and columns (each block packs all of the
/// other operand, so cutting the longer side wastes less) or by rows, into a number of pieces fixed by the shape.
struct GemmBlocks {
  GemmBlocks(Index m, Index n, Index k, Cut cut = Cut::longer_side);
  Index count;

  struct Block {
    Index row, rows, column, columns;
  };
  Block operator[](Index i) const;

 private:
  Index m_, n_;
  bool by_rows_;
};

/// C = A B + beta C, its blocks in parallel; afterwards `epilogue(block)` runs on each block while it is in cache.
template <class Epilogue>
void gemm(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc, Epilogue epilogue,
          Cut cut = Cut::longer_side) {
  const GemmBlocks blocks(m, n, k, cut);
  parallel_for(blocks.count, [&](Index i) {
    const GemmBlocks::Block t = blocks[i];
    gemm_serial(t.rows, t.columns, k, {a.at(t.row, 0), a.stride, a.transposed}, {b.at(0, t.column), b.stride, b.transposed},
                beta, c + t.row * ldc + t.column, ldc);
    epilogue(t);
  });
}
inline void gemm(Index m, Index n, Index k, const Matrix& a, const Matrix& b, Real beta, Real* c, Index ldc) {
  gemm(m, n, k, a, b, beta, c, ldc, [](const GemmBlocks::Block&) {});
}

/// "oneDNN 2.6.3" or "OpenBLAS 0.3.21 (SkylakeX)", as in use.
std::string gemm_backend();

/// The environment that this CPU needs for OpenBLAS to pick its fast kernels ("OPENBLAS_CORETYPE=SkylakeX"), or "" when it
/// already has. Old OpenBLAS versions do not know newer CPUs and fall back to kernels half as fast; the variable
/// must be set before the process starts.
std::string gemm_kernel_hint();

/// For a program that is about to begin: throws Error where the address space (ulimit -v) has no room for what the backend takes at its
/// first products. Without the question oneDNN crashes, and OpenBLAS asks for its buffers, one for each thread, again and again for ever.
void prepare_gemm(int threads);
/// The same for OpenBLAS only, for other uses of it.
void require_blas_memory(int threads = 1);

}  // namespace ad
