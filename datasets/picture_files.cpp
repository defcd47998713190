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
#include "datasets/picture.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kMostPixels = 100'000'000;
constexpr std::streamoff kMostFile = std::streamoff{1} << 30;

[[noreturn]] void fail(const fs::path& path, const std::string& sentence) { throw DataError(path.string() + ": " + sentence); }

void check_size(const fs::path& path, std::uint64_t height, std::uint64_t width) {
  if (height * width == 0 || height * width > kMostPixels) {
    fail(path, ad::cat("announces ", height, " x ", width, " pixels; up to ", kMostPixels, " are read"));
  }
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

// ---- PNG

struct PngImage {
  png_image image = {};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

Picture decode_png(const fs::path& path, const Bytes& file) {
  PngImage png;
  png_image& image = png.image;
  const auto damaged = [&] { fail(path, ad::cat("is a damaged PNG file (", image.message, ")")); };
  if (png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0) damaged();
  check_size(path, image.height, image.width);
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture picture{image.height, image.width, colour ? 3 : 1, Bytes(PNG_IMAGE_SIZE(image))};
  const png_color black = {0, 0, 0};
  if (png_image_finish_read(&image, &black, picture.pixels.data(), 0, nullptr) == 0) damaged();
  return picture;
}

// ---- JPEG

#ifdef VAEZOO_JPEG

struct JpegFailure {
  jpeg_error_mgr base;  // first: libjpeg hands back its address
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
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

/// Returns false with a text in `failure`. Errors come back by longjmp, so nothing with a destructor lives in here.
bool decode_jpeg(const Bytes& file, Picture& picture, JpegFailure& failure) {
  jpeg_decompress_struct info = {};
  info.err = jpeg_std_error(&failure.base);
  failure.base.error_exit = leave;
  failure.base.emit_message = leave_on_warning;
  if (setjmp(failure.back) != 0) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), file.size());
  jpeg_read_header(&info, TRUE);
  if (std::uint64_t{info.image_width} * info.image_height > kMostPixels) ERREXIT1(&info, JERR_IMAGE_TOO_BIG, 10000);
  info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info);
  picture.height = info.output_height;
  picture.width = info.output_width;
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

Picture decode_jpeg(const fs::path& path, const Bytes& file) {
  Picture picture;
  JpegFailure failure;
  if (!decode_jpeg(file, picture, failure))
    fail(path, ad::cat("is a damaged JPEG file, or of an unusual kind (", failure.text, ")"));
  return picture;
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

Picture read_picture(const fs::path& path) {
  const Bytes file = read_file(path);
  if (starts_with(file, {0x89, 'P', 'N', 'G'})) return decode_png(path, file);
  if (starts_with(file, {0xFF, 0xD8})) return decode_jpeg(path, file);
  fail(path, file.empty() ? "is empty" : "is neither a PNG nor a JPEG file, whatever its name says");
}

}  // namespace vaezoo
