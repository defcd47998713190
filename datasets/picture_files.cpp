// Decoding PNG (libpng) and JPEG (libjpeg).
#include <png.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <fstream>

#ifdef VAEZOO_JPEG
#include <jpeglib.h>
#include <jerror.h>
#endif

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"
#include "datasets/picture.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kMostPixels = 100'000'000;
constexpr std::streamoff kMostFile = std::streamoff{1} << 30;

[[noreturn]] void fail(const fs::path& path, const std::string& sentence) { throw DataError(path.string() + ": " + sentence); }

bool is_possible_size(std::uint64_t height, std::uint64_t width, std::uint64_t most) {
  return height * width != 0 && height * width <= std::min(most, kMostPixels);
}

/// `most` pixels are what a file of `bytes` can hold.
void check_size(const fs::path& path, std::uint64_t height, std::uint64_t width, std::uint64_t most, std::size_t bytes) {
  if (is_possible_size(height, width, most)) return;
  const bool too_many = height * width > kMostPixels || height * width == 0;
  const std::string why = too_many ? ad::cat("up to ", kMostPixels, " are read")
                                   : ad::cat("its ", bytes, " bytes cannot hold them: it is damaged");
  fail(path, ad::cat("announces ", height, " x ", width, " pixels; ", why));
}

std::string lower_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::ranges::find(words, word) != words.end();
}

bool starts_with(const Bytes& file, std::initializer_list<std::uint8_t> magic) {
  return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
}

Bytes read_file(const fs::path& path) {
  require_file(path);
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail(path, ad::cat("cannot be read (", std::strerror(errno), ")"));
  stream.seekg(0, std::ios::end);
  const std::streamoff size = stream.tellg();
  if (size < 0 || size > kMostFile) fail(path, ad::cat("takes ", size, " bytes; up to ", kMostFile, " are read"));
  Bytes bytes(static_cast<std::size_t>(size));
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), size)) fail(path, "cannot be read");
  return bytes;
}

// ---- How a camera was held

/// The numbers of an EXIF block, in its byte order; 0 beyond its end.
class Tiff {
 public:
  explicit Tiff(std::span<const std::uint8_t> bytes) : bytes_(bytes), little_(!bytes.empty() && bytes[0] == 'I') {}

  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes_[at + (little_ ? size - 1 - i : i)];
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool little_;
};

/// EXIF's orientation, 1 to 8; 1, upright, when the block does not say.
int orientation_of(std::span<const std::uint8_t> exif) {
  constexpr std::uint32_t kMagic = 42, kOrientation = 0x0112, kShort = 3;
  const Tiff tiff(exif);
  if (tiff.number(2, 2) != kMagic) return 1;
  const std::size_t directory = tiff.number(4, 4), entries = tiff.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (tiff.number(entry, 2) != kOrientation || tiff.number(entry + 2, 2) != kShort) continue;
    const std::uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// ---- PNG

/// Where libpng reads from and what it says; outside the function that longjmp leaves.
struct PngSource {
  const Bytes& file;
  std::size_t at = 0;
  std::jmp_buf back = {};
  char text[128] = {};
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<png_bytep> rows = {};

  explicit PngSource(const Bytes& bytes) : file(bytes) {}
  ~PngSource() { png_destroy_read_struct(&png, &info, nullptr); }
  PngSource(const PngSource&) = delete;
  PngSource& operator=(const PngSource&) = delete;
};

[[noreturn]] void leave_png(png_structp png, png_const_charp text) {
  auto* source = static_cast<PngSource*>(png_get_error_ptr(png));
  std::snprintf(source->text, sizeof source->text, "%s", text);
  std::longjmp(source->back, 1);
}

void ignore_png_warning(png_structp, png_const_charp) {}

void give_png(png_structp png, png_bytep to, std::size_t size) {
  auto* source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (source->file.size() - source->at < size) png_error(png, "it is cut off");
  std::memcpy(to, source->file.data() + source->at, size);
  source->at += size;
}

/// Reads the pixels as the file has them, in 1 to 4 channels of 8 bits: values are not changed by any gamma. Returns false with a
/// text in the source. Errors come back by longjmp, so nothing with a destructor lives in here.
bool decode_png(PngSource& source, Picture& picture, int& orientation) {
  source.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, leave_png, ignore_png_warning);
  if (source.png == nullptr) throw std::bad_alloc();
  if (setjmp(source.back) != 0) return false;
  png_structp png = source.png;
  png_infop info = source.info = png_create_info_struct(png);
  png_set_read_fn(png, &source, give_png);
  png_read_info(png, info);
  const int depth = png_get_bit_depth(png, info), type = png_get_color_type(png, info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (png_get_valid(png, info, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(png);
  if (depth == 16) png_set_scale_16(png);  // rounds value / 257
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  picture.height = png_get_image_height(png, info);
  picture.width = png_get_image_width(png, info);
  picture.channels = png_get_channels(png, info);
  picture.deep = depth == 16;
  const std::size_t row = png_get_rowbytes(png, info);
  picture.pixels.resize(row * static_cast<std::size_t>(picture.height));
  source.rows.resize(static_cast<std::size_t>(picture.height));
  for (std::size_t y = 0; y < source.rows.size(); ++y) source.rows[y] = picture.pixels.data() + y * row;
  png_read_image(png, source.rows.data());
#ifdef PNG_eXIf_SUPPORTED
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png, info, &size, &exif) != 0) orientation = orientation_of({exif, size});
#endif
  return true;
}

/// Takes the last channel, opacity, away.
void lay_on(Picture& picture, Alpha alpha) {
  const std::size_t colours = static_cast<std::size_t>(picture.channels) - 1;
  const std::size_t count = static_cast<std::size_t>(picture.height * picture.width);
  const unsigned behind = alpha == Alpha::white ? 255 : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* from = &picture.pixels[i * (colours + 1)];
    const unsigned opacity = from[colours];
    picture.transparent = picture.transparent || opacity < 255;
    for (std::size_t c = 0; c < colours; ++c) {
      const unsigned laid = (from[c] * opacity + behind * (255 - opacity) + 127) / 255;
      picture.pixels[i * colours + c] = alpha == Alpha::ignore ? from[c] : static_cast<std::uint8_t>(laid);
    }
  }
  picture.channels -= 1;
  picture.pixels.resize(count * colours);
}

Picture decode_png(const fs::path& path, const Bytes& file, Alpha alpha) {
  constexpr std::size_t kHead = 33;             // signature and the first chunk
  constexpr std::uint64_t kMostExpansion = 1032;  // of deflate
  if (file.size() >= kHead && std::memcmp(&file[12], "IHDR", 4) == 0) {
    const auto number = [&](std::size_t at) {
      return std::uint64_t{file[at]} << 24 | std::uint64_t{file[at + 1]} << 16 | std::uint64_t{file[at + 2]} << 8 | file[at + 3];
    };
    const std::uint64_t depth = std::clamp<std::uint64_t>(file[24], 1, 16);
    check_size(path, number(20), number(16), kMostExpansion * file.size() * 8 / depth, file.size());
  }
  PngSource source(file);
  Picture picture;
  int orientation = 1;
  if (!decode_png(source, picture, orientation)) fail(path, ad::cat("is a damaged PNG file (", source.text, ")"));
  if (picture.channels == 2 || picture.channels == 4) lay_on(picture, alpha);
  return turned(std::move(picture), orientation);
}

// ---- JPEG

#ifdef VAEZOO_JPEG

// The least that a block of 8 x 8 pixels takes is part of a bit, where arithmetic coding meets a plain surface.
constexpr std::uint64_t kMostPixelsPerByte = 16384;

struct JpegFailure {
  jpeg_error_mgr base;  // first: libjpeg hands back its address
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
  bool impossible_size;
};

[[noreturn]] void leave(j_common_ptr info) {
  auto* failure = reinterpret_cast<JpegFailure*>(info->err);
  info->err->format_message(info, failure->text);
  std::longjmp(failure->back, 1);
}

/// Missing and wrong data are mere warnings to libjpeg, which paints something in their place; to us they are errors.
void leave_on_warning(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  const bool harmless =
      code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM || code == JWRN_BOGUS_ICC;
  if (level < 0 && !harmless) leave(info);
}

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) return orientation_of(std::span(marker->data, marker->data_length).subspan(kExif.size()));
  }
  return 1;
}

/// Returns false with a text in `failure`. Errors come back by longjmp, so nothing with a destructor lives in here.
bool decode_jpeg(const Bytes& file, Picture& picture, int& orientation, JpegFailure& failure) {
  jpeg_decompress_struct info = {};
  info.err = jpeg_std_error(&failure.base);
  failure.base.error_exit = leave;
  failure.base.emit_message = leave_on_warning;
  failure.impossible_size = false;
  if (setjmp(failure.back) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), file.size());
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&info, TRUE);
  picture.height = info.image_height;
  picture.width = info.image_width;
  if (!is_possible_size(info.image_height, info.image_width, kMostPixelsPerByte * file.size())) {
    failure.impossible_size = true;
    jpeg_destroy_decompress(&info);
    return false;
  }
  orientation = orientation_of(info);
  info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  picture.channels = info.output_components;
  const std::size_t row = std::size_t{info.output_width} * static_cast<std::size_t>(info.output_components);
  picture.pixels.resize(row * info.output_height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW to = picture.pixels.data() + row * info.output_scanline;
    jpeg_read_scanlines(&info, &to, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

/// Inks to light. Files hold how little ink there is, as Adobe writes it and Pillow assumes.
void from_inks(Picture& picture) {
  const std::size_t count = picture.pixels.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned black = picture.pixels[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      picture.pixels[3 * i + c] = static_cast<std::uint8_t>((picture.pixels[4 * i + c] * black + 127) / 255);
    }
  }
  picture.channels = 3;
  picture.pixels.resize(3 * count);
}

Picture decode_jpeg(const fs::path& path, const Bytes& file) {
  Picture picture;
  JpegFailure failure;
  int orientation = 1;
  if (!decode_jpeg(file, picture, orientation, failure)) {
    if (failure.impossible_size) {
      check_size(path, static_cast<std::uint64_t>(picture.height), static_cast<std::uint64_t>(picture.width),
                 kMostPixelsPerByte * file.size(), file.size());
    }
    fail(path, ad::cat("is a damaged JPEG file, or of an unusual kind (", failure.text, ")"));
  }
  if (picture.channels == 4) from_inks(picture);
  return turned(std::move(picture), orientation);
}

#else

Picture decode_jpeg(const fs::path& path, const Bytes&) {
  fail(path,
       "is a JPEG file, and this program was built without libjpeg; install libjpeg-dev and build it again, or convert to PNG");
}

#endif

}  // namespace

#ifdef VAEZOO_JPEG
bool can_read_jpeg() { return true; }
#else
bool can_read_jpeg() { return false; }
#endif

bool is_picture_name(const fs::path& path) { return is_one_of(lower_ending(path), {".png", ".jpg", ".jpeg"}); }

bool is_foreign_picture_name(const fs::path& path) {
  return is_one_of(lower_ending(path), {".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif", ".heic"});
}

Picture read_picture(const fs::path& path, Alpha alpha) {
  return name_out_of_memory(path, [&] {
    const Bytes file = read_file(path);
    if (starts_with(file, {0x89, 'P', 'N', 'G'})) return decode_png(path, file, alpha);
    if (starts_with(file, {0xFF, 0xD8})) return decode_jpeg(path, file);
    fail(path, file.empty() ? "is empty" : "is neither a PNG nor a JPEG file, whatever its name says");
  });
}

}  // namespace vaezoo
