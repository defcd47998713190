#pragma once
// Exit codes, and the errors that stand for them. 0: done, early stop too.
#include <stdexcept>

namespace vaezoo {

enum ExitCode {
  kDone = 0,
  kFailure = 1,
  kUsage = 2,
  kConfig = 3,        ///< ConfigError
  kData = 4,          ///< DataError
  kDiverged = 5,      ///< DivergedError; the last good checkpoint is kept
  // 129, 130, 141, 143: ended by a signal, 128 and its number; training is saved then (see interrupt.hpp)
};

/// A loss, a term of it, an activation or a gradient that is NaN or infinite: names the first.
struct DivergedError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A command line that asks for something impossible.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace vaezoo
