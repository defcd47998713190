#pragma once
// The folder of a run: its files, and who may write them.
#include <filesystem>

namespace vaezoo {

struct RunFolder {
  std::filesystem::path path;
  std::filesystem::path config() const { return path / "config.json"; }
  std::filesystem::path summary() const { return path / "summary.json"; }
  std::filesystem::path tensorboard() const { return path / "tensorboard"; }
  std::filesystem::path tasks() const { return path / "tasks"; }
  std::filesystem::path checkpoints() const { return path / "checkpoints"; }
  std::filesystem::path last() const { return checkpoints() / "last.safetensors"; }    ///< weights for use
  std::filesystem::path best() const { return checkpoints() / "best.safetensors"; }  ///< weights with the best validation metric
  std::filesystem::path state() const { return checkpoints() / "state.safetensors"; }  ///< all that resuming needs, in one file

  bool holds_run() const;
  /// Removes what a run writes here but for config.json, and evaluation.json, which speaks of its weights. Other files stay.
  void clear() const;
};

/// While it lives, no other process that asks for it trains in the folder, which must exist. The system lets go of it when the
/// process ends, however it ends. On file systems without locks it guards nothing.
class RunLock {
 public:
  /// Takes the lock, and removes what killed processes left half written. Throws UsageError naming the process that has it.
  explicit RunLock(const RunFolder& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// Throws UsageError naming the process that holds the lock of the folder, if one does.
void require_no_other(const RunFolder& folder);

}  // namespace vaezoo
