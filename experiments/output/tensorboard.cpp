#include "experiments/output/tensorboard.hpp"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <concepts>

namespace vaezoo {
namespace {

constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0u);
    table[i] = crc;
  }
  return table;
}();

/// A checksum stored with the data that it covers is masked (rotated and shifted), as a crc of a crc is degenerate.
std::uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u; }

template <std::unsigned_integral T>
void add_little_endian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// The protobuf wire format: a field is its number and wire type in one varint, then the value.
enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void add_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}
void add_key(std::string& out, std::uint64_t field, WireType type) { add_varint(out, field << 3 | type); }
void add_int(std::string& out, std::uint64_t field, std::int64_t value) {
  add_key(out, field, kVarint);
  add_varint(out, static_cast<std::uint64_t>(value));
}
void add_double(std::string& out, std::uint64_t field, double value) {
  add_key(out, field, kFixed64);
  add_little_endian(out, std::bit_cast<std::uint64_t>(value));
}
void add_float(std::string& out, std::uint64_t field, float value) {
  add_key(out, field, kFixed32);
  add_little_endian(out, std::bit_cast<std::uint32_t>(value));
}
void add_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  add_key(out, field, kBytes);
  add_varint(out, bytes.size());
  out += bytes;
}

std::chrono::duration<double> now() { return std::chrono::system_clock::now().time_since_epoch(); }

/// A new file whatever the clock says: two writers within a second get different numbers at the end.
AppendFile create_event_file(const std::filesystem::path& folder) {
  make_folder(folder);
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {'h', 'o', 's', 't'};
  const std::string stem = "events.out.tfevents." + std::to_string(static_cast<std::int64_t>(now().count())) + "." + host.data() +
                           "." + std::to_string(::getpid()) + ".";
  for (int n = 0;; ++n) {
    const std::filesystem::path path = folder / (stem + std::to_string(n));
    if (!std::filesystem::exists(path)) return AppendFile(path, AppendFile::Open::create_new);
  }
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

EventWriter::EventWriter(const std::filesystem::path& folder, std::optional<std::int64_t> resumed_at)
    : file_(create_event_file(folder)) {
  std::string version;
  add_bytes(version, 3, "brain.Event:2");
  write_event(version);
  if (resumed_at) {
    std::string session, fields;
    add_int(session, 1, 1);  // SessionLog.status = START: events at this step and after it from earlier files are void
    add_int(fields, 2, *resumed_at + 1);
    add_bytes(fields, 7, session);
    write_event(fields);
  }
}

void EventWriter::scalars(std::int64_t step, std::span<const Metric> values) {
  std::string summary;
  for (const Metric& metric : values) {
    std::string value;
    add_bytes(value, 1, metric.name);
    add_float(value, 2, static_cast<float>(metric.value));
    add_bytes(summary, 1, value);
  }
  std::string fields;
  add_int(fields, 2, step);
  add_bytes(fields, 5, summary);
  write_event(fields);
}

void EventWriter::picture(std::int64_t step, std::string_view tag, const Image& image) {
  const std::vector<std::uint8_t> png = encode_png(image);
  std::string picture, value, summary, fields;
  add_int(picture, 1, image.height);
  add_int(picture, 2, image.width);
  add_int(picture, 3, image.channels);  // colorspace: 1 grey, 3 RGB
  add_bytes(picture, 4, {reinterpret_cast<const char*>(png.data()), png.size()});
  add_bytes(value, 1, tag);
  add_bytes(value, 4, picture);
  add_bytes(summary, 1, value);
  add_int(fields, 2, step);
  add_bytes(fields, 5, summary);
  write_event(fields);
}

void EventWriter::write_event(std::string_view fields) {
  std::string event;
  add_double(event, 1, now().count());
  event += fields;

  std::string length;
  add_little_endian(length, static_cast<std::uint64_t>(event.size()));
  std::string record = length;
  add_little_endian(record, masked_crc(length));
  record += event;
  add_little_endian(record, masked_crc(event));
  file_.write(record);  // in one call, so that a killed run leaves whole records
}

}  // namespace vaezoo
