#include "datasets/input_file.hpp"

#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "autodiff/check.hpp"

namespace vaezoo {
namespace {

constexpr std::uint64_t kMostExpansion = 1032;        // of deflate: 258 bytes from 2 bits
constexpr std::size_t kChunk = std::size_t{1} << 20;  // bytes per call of a library that counts in int
constexpr unsigned kBuffer = 1 << 18;                 // of zlib, whose default of 8 kB costs many system calls
constexpr std::uint64_t kCredit = 4;                  // bytes of memory taken at once for each byte on disk
constexpr double kGigabyte = 1e9, kDefaultLimit = 8;
constexpr const char* kLimitName = "VAEZOO_READ_GB";

std::uint64_t saturating_product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/// Says how many bytes may be read, and how to raise that.
std::string limit_in_words() {
  return ad::cat(static_cast<double>(read_limit()) / kGigabyte, " GB, the most that is read; set ", kLimitName, " to read more");
}

/// zlib reads .gz files and passes others through.
class GzFile final : public InputFile {
 public:
  GzFile(const std::string& path, gzFile file, std::uint64_t most, std::uint64_t stored)
      : InputFile(path, most, stored), file_(file) {}
  ~GzFile() override { gzclose_r(file_); }
  GzFile(const GzFile&) = delete;
  GzFile& operator=(const GzFile&) = delete;

 private:
  std::size_t read_some(std::uint8_t* out, std::size_t size) override {
    const int n = gzread(file_, out, static_cast<unsigned>(std::min(size, kChunk)));
    int error = Z_OK;
    const char* text = gzerror(file_, &error);
    if (n < 0 || error == Z_BUF_ERROR || error == Z_DATA_ERROR) {
      fail(ad::cat("the compressed data are damaged or cut off after ", position(), " bytes (", text, ")"));
    }
    return static_cast<std::size_t>(n);
  }

  gzFile file_;
};

class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path) {
    require_file(path);
    std::error_code error_code;
    size_ = std::filesystem::file_size(path, error_code);
    int code = 0;
    zip_ = zip_open(path.c_str(), ZIP_RDONLY, &code);
    if (zip_ != nullptr) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw DataError(ad::cat(path.string(), ": cannot be read as a zip archive (", text, ")"));
  }
  ~ZipArchive() { zip_discard(zip_); }
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  zip_t* handle() const { return zip_; }
  std::uint64_t size() const { return size_; }  ///< of the archive, on disk
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (zip_int64_t i = 0; i < zip_get_num_entries(zip_, 0); ++i) {
      const char* name = zip_get_name(zip_, static_cast<zip_uint64_t>(i), 0);
      if (name != nullptr) names.emplace_back(name);
    }
    return names;
  }

 private:
  zip_t* zip_ = nullptr;
  std::uint64_t size_ = 0;
};

class ZipMember final : public InputFile {
 public:
  ZipMember(std::string name, std::unique_ptr<ZipArchive> archive, const zip_stat_t& stat)
      : InputFile(std::move(name),
                  std::min(stat.size, saturating_product(std::min(stat.comp_size, archive->size()), kMostExpansion)),
                  std::min(stat.comp_size, archive->size())),
        archive_(std::move(archive)),
        file_(zip_fopen_index(archive_->handle(), stat.index, 0)) {
    if (file_ == nullptr) fail(ad::cat("cannot be unpacked (", zip_strerror(archive_->handle()), ")"));
  }
  ~ZipMember() override {
    if (file_ != nullptr) zip_fclose(file_);
  }
  ZipMember(const ZipMember&) = delete;
  ZipMember& operator=(const ZipMember&) = delete;

 private:
  std::size_t read_some(std::uint8_t* out, std::size_t size) override {
    const zip_int64_t n = zip_fread(file_, out, std::min(size, kChunk));
    if (n < 0) fail(ad::cat("the archive is damaged after ", position(), " bytes (", zip_file_strerror(file_), ")"));
    return static_cast<std::size_t>(n);
  }

  std::unique_ptr<ZipArchive> archive_;
  zip_file_t* file_;
};

}  // namespace

void InputFile::read(std::span<std::uint8_t> out, const char* what) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t n = read_some(out.data() + done, out.size() - done);
    if (n == 0) {
      fail(ad::cat("ends after ", position_, " bytes, inside ", what, " (", out.size() - done, " bytes more were expected)"));
    }
    done += n;
    position_ += n;
  }
}

std::size_t InputFile::read_up_to(std::span<std::uint8_t> out) {
  const std::size_t n = read_some(out.data(), out.size());
  position_ += n;
  return n;
}

std::vector<std::uint8_t> InputFile::read_bytes(std::uint64_t size, const char* what) {
  std::vector<std::uint8_t> bytes;
  std::uint64_t room = credit(size);
  while (bytes.size() < size) {
    const std::size_t begin = bytes.size();
    bytes.resize(static_cast<std::size_t>(room));
    read(std::span(bytes).subspan(begin), what);
    room = std::min(size, saturating_product(room, 2));
  }
  return bytes;
}

std::string InputFile::read_all() {
  std::string text;
  text.reserve(credit(most_left()));
  std::vector<std::uint8_t> chunk(kChunk);
  while (const std::size_t n = read_up_to(chunk)) {
    check_limit();
    text.append(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return text;
}

void InputFile::check_announced(std::uint64_t bytes, const std::string& what) const {
  if (bytes > most_left()) fail(ad::cat(what, ", but at most ", most_left(), " bytes follow: it is cut off or damaged"));
  if (bytes > stored_ && bytes > read_limit()) fail(ad::cat(what, ": more than ", limit_in_words()));
}

std::size_t InputFile::credit(std::uint64_t bytes) const {
  return static_cast<std::size_t>(std::min(bytes, std::max<std::uint64_t>(saturating_product(stored_, kCredit), kChunk)));
}

void InputFile::check_limit() const {
  if (position_ > read_limit()) fail(ad::cat("holds more than ", limit_in_words()));
}

void InputFile::expect_end() {
  std::uint8_t byte = 0;
  if (read_some(&byte, 1) != 0) fail(ad::cat("has bytes left after the ", position_, " that its header announces"));
}

void InputFile::fail(const std::string& sentence) const { throw DataError(name_ + ": " + sentence); }

std::uint64_t read_limit() {
  const char* given = std::getenv(kLimitName);
  if (given == nullptr || *given == '\0') return static_cast<std::uint64_t>(kDefaultLimit * kGigabyte);
  double gigabytes = 0;
  const char* end = given + std::strlen(given);
  const auto [stop, error] = std::from_chars(given, end, gigabytes);
  constexpr double kMost = 1e9;  // 10^18 bytes
  if (error != std::errc() || stop != end || !(gigabytes > 0 && gigabytes <= kMost)) {
    throw DataError(ad::cat(kLimitName, ": '", excerpt(given), "' is not a number of gigabytes above 0"));
  }
  return static_cast<std::uint64_t>(gigabytes * kGigabyte);
}

void require_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (error || is_regular_file(status) || !exists(status)) return;  // what opens it says why it cannot
  const char* kind = is_directory(status) ? "a folder" : is_fifo(status) ? "a pipe" : "a device or a socket";
  throw DataError(ad::cat(path.string(), ": is ", kind, ", not a file"));
}

bool is_file(const std::filesystem::path& path) {
  std::error_code ignored;  // what may not be looked at is not there for us
  return std::filesystem::is_regular_file(path, ignored);
}

std::unique_ptr<InputFile> open_file(const std::filesystem::path& path) {
  require_file(path);
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw DataError(ad::cat(path.string(), ": cannot be read (", error.message(), ")"));
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw DataError(ad::cat(path.string(), ": cannot be read (", std::strerror(errno), ")"));
  gzbuffer(file, kBuffer);
  const bool compressed = gzdirect(file) == 0;
  return std::make_unique<GzFile>(path.string(), file, compressed ? saturating_product(size, kMostExpansion) : size, size);
}

std::vector<std::string> zip_members(const std::filesystem::path& archive) { return ZipArchive(archive).names(); }

std::unique_ptr<InputFile> open_zip_member(const std::filesystem::path& path, const std::string& member) {
  auto archive = std::make_unique<ZipArchive>(path);
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(archive->handle(), member.c_str(), 0, &stat) != 0) {
    const std::vector<std::string> there = archive->names();
    throw DataError(ad::cat(path.string(), ": holds no '", member, "'; it holds ", there.empty() ? "nothing" : listed(there)));
  }
  return std::make_unique<ZipMember>(path.string() + ":" + member, std::move(archive), stat);
}

std::uint64_t checked_bytes(const InputFile& file, std::span<const std::uint64_t> sizes, std::uint64_t item_size) {
  std::uint64_t bytes = item_size;
  std::string shape;
  for (std::uint64_t size : sizes) {
    bytes = size == 0 ? 0 : saturating_product(bytes, size);
    shape += (shape.empty() ? "" : " x ") + std::to_string(size);
  }
  file.check_announced(bytes, ad::cat("its header announces ", shape, " values of ", item_size, " bytes"));
  return bytes;
}

}  // namespace vaezoo
