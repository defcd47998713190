// CIFAR-10 in its binary version: records of one label and 32 x 32 pixels, colour plane by colour plane.
#include <array>

#include "autodiff/check.hpp"
#include "datasets/input_file.hpp"
#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

constexpr ItemShape kShape = {32, 32, 3};
constexpr std::size_t kPixels = 32 * 32, kChannels = 3, kRecord = 1 + kPixels * kChannels;
constexpr int kClasses = 10;

/// Appends the records of one file, with pixels in NHWC.
void read_batch(const fs::path& path, std::vector<std::uint8_t>& images, std::vector<int>& labels) {
  const auto file = open_file(path);
  std::array<std::uint8_t, kRecord> record;
  while (file->read_up_to(std::span(record).first(1)) != 0) {
    file->read(std::span(record).subspan(1), "an image");
    file->check_limit();
    if (record[0] >= kClasses) {
      file->fail(ad::cat("has label ", int{record[0]}, " before byte ", file->position(),
                         "; expected 0 to 9. Is it of the binary version?"));
    }
    labels.push_back(record[0]);
    const std::size_t begin = images.size();
    images.resize(begin + kPixels * kChannels);
    for (std::size_t c = 0; c < kChannels; ++c) {
      for (std::size_t p = 0; p < kPixels; ++p) images[begin + p * kChannels + c] = record[1 + c * kPixels + p];
    }
  }
  if (file->position() == 0) file->fail("is empty");
}

}  // namespace

Dataset load_cifar10(const fs::path& data_dir) {
  std::vector<fs::path> places = {data_dir / "cifar10", data_dir / "cifar10" / "cifar-10-batches-bin",
                                  data_dir / "cifar-10-batches-bin"};
  if (is_file(data_dir / "test_batch.bin")) places.push_back(data_dir);
  Dataset data;
  data.provenance = "CIFAR-10, A. Krizhevsky, V. Nair and G. Hinton (2009), no licence stated; photographs from the web";
  data.shape = kShape;
  data.is_image = true;
  data.classes = kClasses;
  data.class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  const auto load = [&](const std::vector<std::string>& names) {
    std::vector<std::uint8_t> images;
    std::vector<int> labels;
    for (const std::string& name : names) {
      const fs::path path = find_set_file("cifar10", name, places);
      name_out_of_memory(path, [&] { read_batch(path, images, labels); });
    }
    return Examples(std::move(images), kShape.size(), 255, std::move(labels));
  };
  data.train = load({"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"});
  data.test = load({"test_batch.bin"});
  return data;
}

}  // namespace vaezoo
