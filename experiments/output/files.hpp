#pragma once
// Files that survive a crash, as all that runs write: the engine's.
#include "autodiff/files.hpp"

namespace vaezoo {

using ad::AppendFile;
using ad::atomic_write;
using ad::FileError;
using ad::make_folder;
using ad::read_file;
using ad::remove_stale_temporaries;

}  // namespace vaezoo
