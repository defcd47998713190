#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>

#include "datasets/batches.hpp"
#include "tests/zoo/picture_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// A flat grey picture, which stays what it is however it is cut and resized.
void write_flat(const std::filesystem::path& path, int level, Index height = 8, Index width = 8) {
  write_png(path, {height, width, 1,
                   std::vector<std::uint8_t>(static_cast<std::size_t>(height * width), static_cast<std::uint8_t>(level))});
}

int level_of(const Examples& examples, Index i) { return static_cast<int>(row(examples, i)[0] * 255 + Real(0.5)); }

std::vector<int> levels_of(const Examples& examples) {
  std::vector<int> levels;
  for (Index i = 0; i < examples.size(); ++i) levels.push_back(level_of(examples, i));
  return levels;
}

Dataset load(const TempFolder& folder, ImageFolderConfig config = {}) {
  config.path = "pictures";
  return load_image_folder(config, folder.path(), Key(1));
}

std::string load_error(const TempFolder& folder, const ImageFolderConfig& config = {}) {
  return data_error([&] {
    const Dataset data = load(folder, config);
    for (Index i = 0; i < data.train.size(); ++i) row(data.train, i);
  });
}

}  // namespace

TEST_CASE("image_folder: sub-folders are classes, deeper folders belong to them, and files that are no pictures are left alone") {
  const TempFolder folder;
  for (int i = 0; i < 6; ++i) write_flat(folder / ("pictures/cat/" + std::to_string(i) + ".png"), 10 + i);
  for (int i = 0; i < 5; ++i) write_flat(folder / ("pictures/Ant/deep/er/" + std::to_string(i) + ".PNG"), 100 + i);
  write(folder / "pictures/notes.txt", "hello");
  const Dataset data = load(folder);
  CHECK(data.class_names == std::vector<std::string>{"Ant", "cat"});
  CHECK(data.classes == 2);
  CHECK(data.shape == ItemShape{8, 8, 3});
  CHECK(data.train.is_lazy());
  CHECK(data.validation.size() + data.test.size() == 0);
  std::vector<int> levels = levels_of(data.train);
  for (std::size_t i = 0; i < levels.size(); ++i) CHECK(data.train.labels()[i] == (levels[i] >= 100 ? 0 : 1));
  CHECK_FALSE(std::ranges::is_sorted(levels));  // an order is drawn, so that splits cut from an end hold all classes
  CHECK(levels == levels_of(load(folder).train));
  std::ranges::sort(levels);
  CHECK(levels == std::vector<int>{10, 11, 12, 13, 14, 15, 100, 101, 102, 103, 104});
}

TEST_CASE("image_folder: train, val and test folders are the splits, and classes are the training split's") {
  const TempFolder folder;
  for (const char* name : {"train/a/1.png", "train/b/2.png", "train/c/3.png", "val/c/4.png", "test/b/5.png", "test/c/6.png"}) {
    write_flat(folder / ("pictures/" + std::string(name)), name[std::string_view(name).size() - 5] - '0');
  }
  const Dataset data = load(folder, {.grey = true});
  CHECK(data.shape == ItemShape{8, 8, 1});
  CHECK(data.train.size() == 3);
  CHECK(levels_of(data.validation) == std::vector<int>{4});
  CHECK(levels_of(data.test) == std::vector<int>{5, 6});
  CHECK(data.validation.labels() == std::vector<int>{2});
  CHECK(data.test.labels() == std::vector<int>{1, 2});
  write_flat(folder / "pictures/test/d/7.png", 7);
  CHECK(load_error(folder) == (folder / "pictures/test").string() +
                                  ": has a class 'd' that the training examples do not have; theirs are a, b, c");
  std::filesystem::remove_all(folder / "pictures/test");
  write_flat(folder / "pictures/test/8.png", 8);
  CHECK(load_error(folder) ==
        (folder / "pictures/test").string() + ": has no folders of classes, but the training examples have them");
}

TEST_CASE("image_folder: crop, size and grey make pictures of any size fit") {
  const TempFolder folder;
  const Picture picture = random_picture(21, 30, 3, Key(1));
  write_png(folder / "pictures/a.png", picture);
  write_png(folder / "pictures/b.png", random_picture(40, 18, 1, Key(2)));
  const Dataset data = load(folder, {.crop = 15, .size = 6, .grey = true});
  CHECK(data.shape == ItemShape{6, 6, 1});
  CHECK(data.classes == 0);
  CHECK(data.train.labels().empty());
  const Picture expected = resize_square(crop_centre(to_grey(picture), 15), 6);
  const std::vector<Real> first = row(data.train, 0), second = row(data.train, 1);
  int same = 0;
  for (const std::vector<Real>& x : {first, second}) {
    same += std::ranges::equal(x, expected.pixels,
                               [](Real value, std::uint8_t byte) { return value == static_cast<Real>(byte) / 255; });
  }
  CHECK(same == 1);
  CHECK(load_error(folder, {.crop = 19}) ==
        (folder / "pictures/b.png").string() + ": has 40 x 18 pixels, fewer than the crop of 19");
  CHECK(load_error(folder) == (folder / "pictures/b.png").string() +
                                  ": has 40 x 18 pixels where the first picture has 21 x 30; set 'size' to resize them all");
}

TEST_CASE("image_folder: folders that cannot be used are refused with what to do") {
  const TempFolder folder;
  const std::string path = (folder / "pictures").string();
  CHECK(load_error(folder).starts_with("pictures: no such folder in the data directory " + folder.path().string() +
                                       " nor in the current"));
  std::filesystem::create_directories(folder / "pictures/empty");
  CHECK(load_error(folder) == path + ": holds no PNG or JPEG files");
  write(folder / "pictures/x.gif", "GIF89a");
  CHECK(load_error(folder) == path + "/x.gif: pictures of this format are not read; convert it to PNG or JPEG");
  std::filesystem::remove(folder / "pictures/x.gif");
  write_flat(folder / "pictures/x.png", 1);
  write_flat(folder / "pictures/a/y.png", 1);
  CHECK(load_error(folder) ==
        path + ": holds pictures next to folders with pictures (x.png); put them into a folder of their own, or keep only one "
               "kind");
}

TEST_CASE("image_folder: a corrupt file comes out of next() as one sentence with its path, with prefetch and without") {
  const TempFolder folder;
  for (int i = 0; i < 30; ++i) write_flat(folder / ("pictures/" + std::to_string(100 + i) + ".png"), i);
  const std::string broken = (folder / "pictures/117.png").string();
  const std::string good = read(broken);
  write(broken, good.substr(0, good.size() / 2));
  const Dataset data = load(folder);
  for (bool prefetch : {false, true}) {
    Batches batches(data, Split::train, {.batch_size = 4, .prefetch = prefetch}, Key(1));
    std::vector<Real> x(4 * 8 * 8 * 3);
    std::string error;
    Index delivered = 0;
    for (Index batch = 0; batch < batches.per_epoch(); ++batch) {
      batches.seek(batch);
      const std::string sentence = data_error([&] { delivered += batches.next(x); });
      if (!sentence.empty()) error += sentence;
    }
    CHECK(error.starts_with(broken + ": is a damaged PNG file ("));
    CHECK(delivered == 26);
  }
}

TEST_CASE("image_folder in JSON: splits are cut, binarised examples stay lazy and are the same each time") {
  const TempFolder folder;
  for (int i = 0; i < 40; ++i) write_flat(folder / ("pictures/" + std::to_string(i) + ".png"), 6 * i);
  DatasetConfig config;
  config.name = "image_folder";
  config.image_folder = {.path = "pictures", .size = 4, .grey = true};
  const Dataset grey = load_dataset(config, folder.path());
  CHECK(grey.train.size() == 32);
  CHECK(grey.validation.size() == 4);
  CHECK(grey.test.size() == 4);
  CHECK(grey.levels == 256);
  config.binarize = "static";
  config.limit = 5;
  const Dataset binary = load_dataset(config, folder.path()), again = load_dataset(config, folder.path());
  CHECK(binary.train.is_lazy());
  CHECK(binary.train.size() == 5);
  CHECK(binary.levels == 2);
  for (Index i = 0; i < 5; ++i) {
    CHECK(row(binary.train, i) == row(again.train, i));
    CHECK(std::ranges::all_of(row(binary.train, i), [](Real x) { return x == 0 || x == 1; }));
  }
}

TEST_CASE("image_folder: hidden files and folders are no data") {
  const TempFolder folder;
  for (const char* name : {"cat/1.png", "cat/2.png", "dog/3.png", ".thumbs/1.png", "cat/.checkpoints/9.png", "cat/.x.png"}) {
    write_flat(folder / ("pictures/" + std::string(name)), 9);
  }
  write(folder / "pictures/._cat.png", "Mac");
  write(folder / "pictures/__MACOSX/cat/._1.png", "Mac");
  const Dataset data = load(folder);
  CHECK(data.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(data.train.size() == 3);
}

TEST_CASE("image_folder: links to folders are followed, but not in circles") {
  const TempFolder folder;
  write_flat(folder / "elsewhere/1.png", 9);
  write_flat(folder / "pictures/a/deep/2.png", 9);
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "pictures/b");
  CHECK(load(folder).class_names == std::vector<std::string>{"a", "b"});
  std::filesystem::create_directory_symlink("..", folder / "pictures/a/deep/up");
  CHECK(load_error(folder) == (folder / "pictures/a/deep/up").string() + ": links to a folder that it lies in; remove it");
}

TEST_CASE("image_folder: folders called by numbers are ordered by value") {
  const TempFolder folder;
  for (const char* name : {"10/1.png", "9/1.png", "2/1.png"}) write_flat(folder / ("pictures/" + std::string(name)), 9);
  CHECK(load(folder).class_names == std::vector<std::string>{"2", "9", "10"});
}

TEST_CASE("image_folder: skip_broken leaves out what cannot be read and says how much, else its name is the hint") {
  const TempFolder folder;
  for (int i = 0; i < 6; ++i) write_flat(folder / ("pictures/a/" + std::to_string(i) + ".png"), i);
  write_flat(folder / "pictures/b/9.png", 9);
  const std::string broken = (folder / "pictures/a/4.png").string(), good = read(broken);
  write(broken, good.substr(0, good.size() / 2));
  write(folder / "pictures/a/2.png", "");
  const std::string pipe = (folder / "pictures/b/0.png").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(load_error(folder) == pipe + ": is a pipe, not a file");
  const Dataset data = load(folder, {.skip_broken = true});
  std::vector<int> levels = levels_of(data.train);
  std::ranges::sort(levels);
  CHECK(levels == std::vector<int>{0, 1, 3, 5, 9});
  CHECK(data.train.labels().size() == 5);
  CHECK(std::ranges::count(data.train.labels(), 1) == 1);
  REQUIRE(data.warnings.size() == 1);
  CHECK(data.warnings[0] == (folder / "pictures").string() + ": 3 of 8 pictures cannot be read and are left out; " +
                                (folder / "pictures/a/2.png").string() + ": is empty");
  std::filesystem::remove(pipe);
  CHECK(contains(load_error(folder), "; \"skip_broken\": true leaves out files that cannot be read"));
  std::filesystem::remove_all(folder / "pictures");
  write(folder / "pictures/x.png", "");
  CHECK(contains(load_error(folder, {.skip_broken = true}), "none of the 1 pictures can be read; "));
}

TEST_CASE("image_folder: what is lost of a picture is said") {
  const TempFolder folder;
  write(folder / "pictures/a.png", png_file(1, 1, 16, PNG_COLOR_TYPE_GRAY_ALPHA, from_hex("00" "8080" "0000")));
  const std::string file = (folder / "pictures/a.png").string();
  const Dataset data = load(folder);
  CHECK(data.warnings ==
        std::vector<std::string>{file + ": has 16 bits per channel, of which 8 are kept; an .npy array keeps all",
                                 file + ": has transparent pixels, which are laid on black; \"alpha\" has other ways"});
  CHECK(level_of(data.train, 0) == 0);
  CHECK(level_of(load(folder, {.alpha = "white"}).train, 0) == 255);
  CHECK(level_of(load(folder, {.alpha = "ignore"}).train, 0) == 128);
}
