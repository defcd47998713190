#include "datasets/mat.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"

namespace vaezoo {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers of little-endian files are copied as they are");

// Types of data elements and classes of arrays, as the format numbers them.
enum Type : std::uint32_t {
  kInt8 = 1, kUInt8, kInt16, kUInt16, kInt32, kUInt32, kSingle, kDouble = 9, kInt64 = 12, kUInt64, kMatrix, kCompressed
};
constexpr std::uint32_t kFirstNumericClass = 6, kLastNumericClass = 15;
constexpr std::uint32_t kComplexFlag = 0x0800;
constexpr std::size_t kHeaderSize = 128, kChunk = std::size_t{1} << 16;
constexpr std::uint64_t kMostExpansion = 1032;  // of deflate
constexpr std::uint64_t kMostName = 1 << 10, kMostAxes = 32;

/// A compressed variable, which is a zlib stream inside the file.
class Inflated final : public InputFile {
 public:
  Inflated(InputFile& from, std::uint64_t size)
      : InputFile(from.name(), std::min(size, from.most_left()) * kMostExpansion, std::min(size, from.most_left())),
        from_(from),
        left_(size) {
    if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
  }
  ~Inflated() override { inflateEnd(&stream_); }
  Inflated(const Inflated&) = delete;
  Inflated& operator=(const Inflated&) = delete;

  /// Bytes of the file that belong to this variable and were not used.
  std::uint64_t left() const { return left_ + stream_.avail_in; }

 private:
  std::size_t read_some(std::uint8_t* out, std::size_t size) override {
    stream_.next_out = out;
    stream_.avail_out = static_cast<unsigned>(std::min(size, kChunk));
    const unsigned room = stream_.avail_out;
    while (!ended_ && stream_.avail_out == room) {
      if (stream_.avail_in == 0) refill();
      const int code = inflate(&stream_, Z_NO_FLUSH);
      ended_ = code == Z_STREAM_END;  // zlib has verified the checksum then
      if (code != Z_OK && !ended_) fail(ad::cat("a compressed variable is damaged after ", position(), " bytes of its contents"));
    }
    return room - stream_.avail_out;
  }

  void refill() {
    if (left_ == 0) fail(ad::cat("a compressed variable is cut off after ", position(), " bytes of its contents"));
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer_.size()));
    from_.read(std::span(buffer_).first(size), "a compressed variable");
    left_ -= size;
    stream_.next_in = buffer_.data();
    stream_.avail_in = static_cast<unsigned>(size);
  }

  InputFile& from_;
  std::uint64_t left_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kChunk);
  z_stream stream_ = {};
  bool ended_ = false;
};

template <class T>
T number_at(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

void skip(InputFile& file, std::uint64_t size, const char* what) {
  std::array<std::uint8_t, 4096> ignored;
  for (; size > 0; size -= std::min<std::uint64_t>(size, ignored.size())) {
    file.read(std::span(ignored).first(static_cast<std::size_t>(std::min<std::uint64_t>(size, ignored.size()))), what);
  }
}

/// Head of a data element. One of at most four bytes may stand in the head itself.
struct Head {
  std::uint32_t type = 0, size = 0;
  std::array<std::uint8_t, 4> inside = {};
  bool small = false;
};

Head parse_head(const std::array<std::uint8_t, 8>& raw) {
  Head head{number_at<std::uint32_t>(raw.data()), number_at<std::uint32_t>(raw.data() + 4)};
  if (head.type >> 16 != 0) {
    head.small = true;
    head.size = head.type >> 16;
    head.type &= 0xFFFF;
    std::copy_n(raw.begin() + 4, 4, head.inside.begin());
  }
  return head;
}

Head read_head(InputFile& file) {
  std::array<std::uint8_t, 8> raw;
  file.read(raw, "the head of an element");
  const Head head = parse_head(raw);
  if (head.small && head.size > 4) file.fail("has a short element of more than 4 bytes; it is damaged");
  return head;
}

std::uint64_t padding(const Head& head) { return head.small ? 0 : (8 - head.size % 8) % 8; }

std::vector<std::uint8_t> read_bytes(InputFile& file, const Head& head, std::uint64_t most, const char* what) {
  if (head.size > most) file.fail(ad::cat(what, " takes ", head.size, " bytes; it is damaged"));
  if (head.small) return {head.inside.begin(), head.inside.begin() + head.size};
  std::vector<std::uint8_t> bytes = file.read_bytes(head.size, what);
  skip(file, padding(head), what);
  return bytes;
}

std::size_t width_of(std::uint32_t type) {
  switch (type) {
    case kInt8: case kUInt8: return 1;
    case kInt16: case kUInt16: return 2;
    case kInt32: case kUInt32: case kSingle: return 4;
    case kDouble: case kInt64: case kUInt64: return 8;
    default: return 0;
  }
}

template <class T>
void convert(std::span<const std::uint8_t> bytes, std::vector<Real>& out) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i)
    out.push_back(static_cast<Real>(number_at<T>(bytes.data() + i * sizeof(T))));
}

void convert(std::uint32_t type, std::span<const std::uint8_t> bytes, std::vector<Real>& out) {
  switch (type) {
    case kInt8: return convert<std::int8_t>(bytes, out);
    case kInt16: return convert<std::int16_t>(bytes, out);
    case kUInt16: return convert<std::uint16_t>(bytes, out);
    case kInt32: return convert<std::int32_t>(bytes, out);
    case kUInt32: return convert<std::uint32_t>(bytes, out);
    case kInt64: return convert<std::int64_t>(bytes, out);
    case kUInt64: return convert<std::uint64_t>(bytes, out);
    case kSingle: return convert<float>(bytes, out);
    default: return convert<double>(bytes, out);
  }
}

struct Variable {
  std::uint32_t flags = 0;
  std::vector<Index> shape;
  std::string name;
};

Variable read_variable_head(InputFile& file) {
  Variable variable;
  const Head flags = read_head(file);
  if (flags.type != kUInt32 || flags.size != 8) file.fail("has a variable without its flags; it is damaged");
  variable.flags = number_at<std::uint32_t>(read_bytes(file, flags, 8, "the flags of a variable").data());
  const Head shape = read_head(file);
  if (shape.type != kInt32 || shape.size % 4 != 0 || shape.size < 8) file.fail("has a variable without its sizes; it is damaged");
  const std::vector<std::uint8_t> sizes = read_bytes(file, shape, 4 * kMostAxes, "the sizes of a variable");
  for (std::size_t i = 0; i < sizes.size(); i += 4) variable.shape.push_back(number_at<std::int32_t>(sizes.data() + i));
  const Head name = read_head(file);
  if (name.type != kInt8) file.fail("has a variable without a name; it is damaged");
  const std::vector<std::uint8_t> letters = read_bytes(file, name, kMostName, "the name of a variable");
  variable.name.assign(letters.begin(), letters.end());
  return variable;
}

MatArray read_values(InputFile& file, const Variable& variable) {
  const std::string name = excerpt(variable.name);
  MatArray array{.source = file.name() + ":" + name, .shape = variable.shape, .bytes = {}, .numbers = {}};
  const std::uint32_t kind = variable.flags & 0xFF;
  if (kind < kFirstNumericClass || kind > kLastNumericClass || (variable.flags & kComplexFlag) != 0) {
    file.fail("its variable '" + name + "' is not an array of real numbers");
  }
  const Head head = read_head(file);
  const std::size_t width = width_of(head.type);
  if (width == 0)
    file.fail(ad::cat("holds the values of '", name, "' in type ", head.type, ", which is none of numbers"));
  std::uint64_t count = 1;
  for (Index size : variable.shape) {
    if (size >= 0) count *= static_cast<std::uint64_t>(size);  // at most 2^32 times 2^31
    if (size < 0 || count > UINT32_MAX) file.fail("its variable '" + name + "' has sizes that cannot be; it is damaged");
  }
  if (count * width != head.size) {
    file.fail(ad::cat("its variable '", name, "' holds ", head.size, " bytes where its sizes ask for ", count,
                      " values of ", width, "; it is damaged"));
  }
  if (!head.small) file.check_announced(head.size, ad::cat("its variable '", name, "' takes ", head.size, " bytes"));
  if (head.type == kUInt8) {
    array.bytes = read_bytes(file, head, head.size, "the values of a variable");
    return array;
  }
  if (head.small) {
    convert(head.type, std::span(head.inside).first(head.size), array.numbers);
    return array;
  }
  array.numbers.reserve(file.credit(head.size) / width);
  std::vector<std::uint8_t> chunk(kChunk);
  for (std::uint64_t done = 0; done < head.size; done += chunk.size()) {
    const auto part = std::span(chunk).first(static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), head.size - done)));
    file.read(part, "the values of a variable");
    convert(head.type, part, array.numbers);
  }
  skip(file, padding(head), "the values of a variable");
  return array;
}

class Reader {
 public:
  Reader(InputFile& file, const std::vector<std::string>& names) : file_(file), names_(names) {}

  std::map<std::string, MatArray> read() {
    read_header();
    std::array<std::uint8_t, 8> raw;
    while (file_.read_up_to(std::span(raw).first(1)) != 0) {
      file_.read(std::span(raw).subspan(1), "the head of a variable");
      read_element(parse_head(raw));
    }
    for (const std::string& name : names_) {
      if (found_.contains(name)) continue;
      file_.fail("holds no variable '" + name + "'; it holds " + (there_.empty() ? "none" : listed(there_)));
    }
    return std::move(found_);
  }

 private:
  void read_header() {
    std::array<std::uint8_t, kHeaderSize> header;
    file_.read(header, "the MATLAB header");
    const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
    if (text.starts_with("MATLAB 7.3")) file_.fail("is a MATLAB file of version 7.3, which is HDF5; save it again with -v7");
    if (!text.starts_with("MATLAB 5.0") || !text.ends_with("IM")) {
      file_.fail("is not a little-endian MATLAB file of level 5 (a web page saved in its place?)");
    }
  }

  void read_element(const Head& head) {
    if (head.type == kCompressed) {
      Inflated inside(file_, head.size);
      const Head matrix = read_head(inside);
      read_matrix(inside, matrix);
      inside.expect_end();
      skip(file_, inside.left(), "a compressed variable");
    } else {
      read_matrix(file_, head);
    }
  }

  void read_matrix(InputFile& file, const Head& head) {
    if (head.type != kMatrix || head.small)
      file.fail(ad::cat("has an element of type ", head.type, " where a variable was expected"));
    const std::uint64_t end = file.position() + head.size;
    if (head.size > file.most_left()) file.fail("is cut off inside a variable");
    const Variable variable = read_variable_head(file);
    if (std::ranges::find(names_, variable.name) != names_.end()) found_[variable.name] = read_values(file, variable);
    there_.push_back(variable.name);
    if (file.position() > end) file.fail("its variable '" + excerpt(variable.name) + "' is longer than announced; it is damaged");
    skip(file, end - file.position(), "a variable");
  }

  InputFile& file_;
  const std::vector<std::string>& names_;
  std::map<std::string, MatArray> found_;
  std::vector<std::string> there_;
};

}  // namespace

std::map<std::string, MatArray> read_mat(const std::filesystem::path& path, const std::vector<std::string>& names) {
  return name_out_of_memory(path, [&] {
    const auto file = open_file(path);
    return Reader(*file, names).read();
  });
}

}  // namespace vaezoo
