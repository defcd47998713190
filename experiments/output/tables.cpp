#include "experiments/output/tables.hpp"

#include <fmt/core.h>

#include <bit>
#include <cstring>
#include <stdexcept>

namespace vaezoo {

static_assert(std::endian::native == std::endian::little, "npy_bytes copies the machine's own numbers");

namespace {

std::string npy_of(const char* type, const std::vector<ad::Index>& shape, ad::Index count, std::string_view data) {
  ad::Index size = 1;
  std::string sizes;
  for (const ad::Index n : shape) {
    size *= n;
    sizes += fmt::format("{}{}", n, shape.size() == 1 ? "," : &n == &shape.back() ? "" : ", ");
  }
  if (size != count) throw std::invalid_argument("npy_bytes: the shape and the number of values differ");
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  constexpr std::size_t kPrefix = 10, kAlignment = 64;  // magic, version, length; the data begin at a multiple of 64
  header.append(kAlignment - (kPrefix + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(data);
  return bytes;
}

template <class T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace

std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const float> values) {
  return npy_of("<f4", shape, std::ssize(values), bytes_of(values));
}

std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const double> values) {
  return npy_of("<f8", shape, std::ssize(values), bytes_of(values));
}

std::string npy_bytes(const std::vector<ad::Index>& shape, std::span<const ad::Index> values) {
  static_assert(sizeof(ad::Index) == 8);
  return npy_of("<i8", shape, std::ssize(values), bytes_of(values));
}

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

namespace {

template <class T>
std::string table(const std::vector<std::string>& columns, std::span<const T> values, const TextColumn& first) {
  const std::size_t width = columns.size(), rows = width == 0 ? 0 : values.size() / width;
  const bool begins = !first.name.empty();
  if (width == 0 || values.size() % width != 0 || (begins && first.cells.size() != rows))
    throw std::invalid_argument("csv_text: columns, values and cells do not fit");
  std::string text = begins ? csv_cell(first.name) + "," : "";
  for (std::size_t i = 0; i < width; ++i) text += csv_cell(columns[i]) + (i + 1 < width ? "," : "\n");
  for (std::size_t r = 0; r < rows; ++r) {
    if (begins) text += csv_cell(first.cells[r]) + ",";
    for (std::size_t i = 0; i < width; ++i) text += fmt::format("{}{}", values[r * width + i], i + 1 < width ? "," : "\n");
  }
  return text;
}

}  // namespace

std::string csv_text(const std::vector<std::string>& columns, std::span<const float> values, const TextColumn& first) {
  return table(columns, values, first);
}
std::string csv_text(const std::vector<std::string>& columns, std::span<const double> values, const TextColumn& first) {
  return table(columns, values, first);
}

}  // namespace vaezoo
