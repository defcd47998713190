#pragma once
// TensorBoard event files: scalars and PNG pictures, without TensorFlow and without protobuf.
//
// A file is a sequence of records: u64 length, u32 masked crc of the length, data, u32 masked crc of the data. The data is
// a protobuf message `Event` (tensorflow/core/util/event.proto): 1 wall_time, 2 step, 3 file_version, 5 summary, 7 session_log.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "experiments/output/files.hpp"
#include "experiments/output/image.hpp"
#include "experiments/output/metric.hpp"

namespace vaezoo {

class EventWriter {
 public:
  /// Starts a new file events.out.tfevents.<seconds>.<host>.<pid>.<n> in the folder, which is created if need be. With
  /// resumed_at = S it tells TensorBoard to forget what an earlier file says of steps after S. Throws FileError.
  explicit EventWriter(const std::filesystem::path& folder, std::optional<std::int64_t> resumed_at = std::nullopt);

  /// One event with all the values, written at once. A tag such as "loss/train" groups by its first part.
  void scalars(std::int64_t step, std::span<const Metric> values);
  void picture(std::int64_t step, std::string_view tag, const Image& image);

  void sync() { file_.sync(); }  ///< all events are on the disk when it returns; throws FileError

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  void write_event(std::string_view fields);

  AppendFile file_;
};

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78): "123456789" gives 0xE3069283.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace vaezoo
