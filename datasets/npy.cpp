#include "datasets/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"

namespace vaezoo {
namespace {

constexpr std::uint64_t kMostHeader = 1 << 20;  // NumPy's own headers stay below 64 kB
constexpr std::size_t kChunk = 1 << 16;         // values decoded at a time
constexpr std::size_t kMostAxes = 32;           // NumPy's limit

struct Header {
  char kind = 0;  // b i u f
  std::size_t item_size = 0;
  bool swap_bytes = false;
  bool fortran_order = false;
  std::vector<std::uint64_t> sizes;
};

/// The text after "'key':" in the header's Python dictionary, or an error.
std::string_view value_of(const InputFile& file, std::string_view dictionary, std::string_view key) {
  for (char quote : {'\'', '"'}) {
    const std::string quoted = quote + std::string(key) + quote;
    std::size_t i = dictionary.find(quoted);
    if (i == std::string_view::npos) continue;
    i = dictionary.find_first_not_of(" :", i + quoted.size());
    if (i != std::string_view::npos) return dictionary.substr(i);
  }
  file.fail(ad::cat("its npy header lacks '", key, "'"));
}

void parse_type(const InputFile& file, std::string_view text, Header& header) {
  constexpr const char* kReadable = "booleans, integers of 1, 2, 4 or 8 bytes and floats of 2, 4 or 8 bytes are read";
  const std::size_t end = text.size() > 1 ? text.find(text[0], 1) : std::string_view::npos;
  if ((text[0] != '\'' && text[0] != '"') || end == std::string_view::npos) {
    file.fail(ad::cat("holds records instead of plain numbers; ", kReadable));
  }
  const std::string_view type = text.substr(1, end - 1);
  if (type.size() == 3) {
    header.kind = type[1];
    header.item_size = static_cast<std::size_t>(type[2] - '0');
  }
  if (type.find('O') != std::string_view::npos) file.fail("holds Python objects; save it again with a numeric dtype");
  const std::size_t n = header.item_size;
  const bool whole = (header.kind == 'i' || header.kind == 'u') && (n == 1 || n == 2 || n == 4 || n == 8);
  const bool real = header.kind == 'f' && (n == 2 || n == 4 || n == 8);
  if (!whole && !real && !(header.kind == 'b' && n == 1))
    file.fail(ad::cat("holds values of type '", excerpt(type), "'; ", kReadable));
  constexpr char kOurs = std::endian::native == std::endian::little ? '<' : '>';
  header.swap_bytes = n > 1 && (type[0] == '<' || type[0] == '>') && type[0] != kOurs;
}

void parse_shape(const InputFile& file, std::string_view text, Header& header) {
  const std::size_t end = text.find(')');
  if (text[0] != '(' || end == std::string_view::npos) file.fail("its npy header has a 'shape' that is not a tuple");
  std::string_view rest = text.substr(1, end - 1);
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" ,"), rest.size()));
    if (rest.empty()) break;
    std::uint64_t size = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    if (error != std::errc() || header.sizes.size() == kMostAxes) file.fail("its npy header has a 'shape' that makes no sense");
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    header.sizes.push_back(size);
  }
}

Header read_header(InputFile& file) {
  std::array<std::uint8_t, 8> magic;
  file.read(magic, "the npy header");
  if (std::memcmp(magic.data(), "\x93NUMPY", 6) != 0) file.fail("is not an .npy file");
  const int version = magic[6];
  if (version < 1 || version > 3) file.fail(ad::cat("is of npy version ", version, "; versions 1 to 3 are read"));
  std::array<std::uint8_t, 4> length{};
  file.read(std::span(length).first(version == 1 ? 2 : 4), "the npy header");
  std::uint64_t size = 0;
  for (std::size_t i = length.size(); i-- > 0;) size = size << 8 | length[i];  // little-endian
  if (size > std::min(kMostHeader, file.most_left())) {
    file.fail(ad::cat("announces an npy header of ", size, " bytes: it is cut off or damaged"));
  }
  std::vector<std::uint8_t> text(size);
  file.read(text, "the npy header");
  const std::string_view dictionary(reinterpret_cast<const char*>(text.data()), text.size());
  Header header;
  parse_type(file, value_of(file, dictionary, "descr"), header);
  parse_shape(file, value_of(file, dictionary, "shape"), header);
  header.fortran_order = value_of(file, dictionary, "fortran_order").starts_with("True");
  return header;
}

/// IEEE half precision: sign, 5 bits of exponent, 10 of fraction.
double from_half(std::uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  double x = 0;
  if (exponent == 0) x = std::ldexp(fraction, -24);
  else if (exponent < 31) x = std::ldexp(fraction + 1024, exponent - 25);
  else x = fraction == 0 ? HUGE_VAL : NAN;
  return half >> 15 != 0 ? -x : x;
}

template <class T>
double decode(const std::uint8_t* from, bool swap_bytes) {
  std::array<std::uint8_t, sizeof(T)> raw;
  std::copy_n(from, sizeof(T), raw.data());
  if (swap_bytes) std::reverse(raw.begin(), raw.end());
  return static_cast<double>(std::bit_cast<T>(raw));
}

double decode_half(const std::uint8_t* from, bool swap_bytes) {
  return from_half(static_cast<std::uint16_t>(decode<std::uint16_t>(from, swap_bytes)));
}

using Decode = double (*)(const std::uint8_t*, bool);

Decode decoder(const Header& header) {
  const auto of_size = [n = header.item_size](Decode one, Decode two, Decode four, Decode eight) {
    return n == 1 ? one : n == 2 ? two : n == 4 ? four : eight;
  };
  if (header.kind == 'f') return of_size(nullptr, decode_half, decode<float>, decode<double>);
  if (header.kind == 'i') return of_size(decode<std::int8_t>, decode<std::int16_t>, decode<std::int32_t>, decode<std::int64_t>);
  return of_size(decode<std::uint8_t>, decode<std::uint16_t>, decode<std::uint32_t>, decode<std::uint64_t>);
}

/// Whether every value of the file's type is a float's.
bool fits_float(const Header& header) { return header.item_size <= (header.kind == 'f' ? 4 : 2); }

template <class T>
void read_numbers(InputFile& file, const Header& header, std::uint64_t count, std::vector<T>& numbers) {
  const Decode decode_one = decoder(header);
  std::vector<std::uint8_t> chunk(kChunk * header.item_size);
  numbers.reserve(file.credit(count * header.item_size) / header.item_size);
  while (numbers.size() < count) {
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, count - numbers.size()));
    file.read(std::span(chunk).first(n * header.item_size), "the values");
    for (std::size_t j = 0; j < n; ++j) {
      numbers.push_back(static_cast<T>(decode_one(chunk.data() + j * header.item_size, header.swap_bytes)));
    }
  }
}

/// Column-major to row-major.
template <class T>
void transpose(std::vector<T>& values, const std::vector<Index>& shape) {
  std::vector<T> rows(values.size());
  std::vector<Index> index(shape.size());
  for (const T& value : values) {  // in column-major order: the first index runs fastest
    Index to = 0;
    for (std::size_t a = 0; a < shape.size(); ++a) to = to * shape[a] + index[a];
    rows[static_cast<std::size_t>(to)] = value;
    for (std::size_t a = 0; a < shape.size() && ++index[a] == shape[a]; ++a) index[a] = 0;
  }
  values = std::move(rows);
}

NpyArray read_array(InputFile& file) {
  const Header header = read_header(file);
  const std::uint64_t bytes = checked_bytes(file, header.sizes, header.item_size);
  NpyArray array;
  array.source = file.name();
  array.shape.assign(header.sizes.begin(), header.sizes.end());
  array.boolean = header.kind == 'b';
  if (header.kind == 'b' || (header.kind == 'u' && header.item_size == 1)) {
    array.bytes = file.read_bytes(bytes, "the values");
  } else if (fits_float(header)) {
    read_numbers(file, header, bytes / header.item_size, array.numbers);
  } else {
    read_numbers(file, header, bytes / header.item_size, array.exact);
  }
  file.expect_end();
  if (header.fortran_order && array.shape.size() > 1) {
    transpose(array.bytes, array.shape);
    transpose(array.numbers, array.shape);
    transpose(array.exact, array.shape);
  }
  return array;
}

bool is_zip(const std::filesystem::path& path) {
  std::array<std::uint8_t, 4> magic;
  const auto file = open_file(path);
  if (file->most_left() < magic.size()) file->fail("is too short to hold an array");
  file->read(magic, "the header");
  return magic[0] == 'P' && magic[1] == 'K';
}

}  // namespace

bool npz_has(const std::filesystem::path& path, const std::string& key) {
  if (!is_zip(path)) return false;
  const std::vector<std::string> members = zip_members(path);
  return std::find(members.begin(), members.end(), key + ".npy") != members.end();
}

NpyArray read_npy(const std::filesystem::path& path, const std::string& key) {
  return name_out_of_memory(path, [&] {
    if (!is_zip(path)) return read_array(*open_file(path));
    std::string member = key + ".npy";
    if (key.empty()) {
      const std::vector<std::string> members = zip_members(path);
      if (members.size() != 1)
        throw DataError(ad::cat(path.string(), ": holds ", members.size(), " arrays; say which with 'key'"));
      member = members.front();
    }
    return read_array(*open_zip_member(path, member));
  });
}

std::vector<double> NpyArray::values() const {
  std::vector<double> all = exact;
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.insert(all.end(), numbers.begin(), numbers.end());
  return all;
}

}  // namespace vaezoo
