#include "datasets/idx.hpp"

#include <array>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"

namespace vaezoo {
namespace {

constexpr int kUnsignedByte = 0x08;

IdxArray read_array(const std::filesystem::path& path, int axes) {
  const auto file = open_file(path);
  std::array<std::uint8_t, 4> magic;
  file->read(magic, "the IDX header");
  if (magic[0] != 0 || magic[1] != 0) {
    file->fail("is not an IDX file: it starts with bytes other than 0 0 (a web page saved in its place?)");
  }
  if (magic[2] != kUnsignedByte) {
    file->fail(ad::cat("holds values of IDX type ", int{magic[2]}, "; only unsigned bytes (type 8) are read"));
  }
  if (magic[3] != axes) {
    const char* expected = axes == 3 ? "images" : "labels";
    file->fail(ad::cat("has ", int{magic[3]}, " axes instead of ", axes, "; ", expected, " were expected here"));
  }
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(axes));
  for (std::uint64_t& size : sizes) {
    std::array<std::uint8_t, 4> b;
    file->read(b, "the IDX header");
    size = std::uint64_t{b[0]} << 24 | std::uint64_t{b[1]} << 16 | std::uint64_t{b[2]} << 8 | b[3];
    if (size == 0) file->fail("has an axis of size 0 and holds no values");
  }
  IdxArray array;
  array.shape.assign(sizes.begin(), sizes.end());
  array.bytes = file->read_bytes(checked_bytes(*file, sizes, 1), "the values");
  file->expect_end();
  return array;
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& path, int axes) {
  return name_out_of_memory(path, [&] { return read_array(path, axes); });
}

}  // namespace vaezoo
