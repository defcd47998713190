// Pictures in folders, decoded when they are needed.
#include <algorithm>

#include "autodiff/check.hpp"
#include "autodiff/parallel.hpp"
#include "datasets/classes.hpp"
#include "datasets/digest.hpp"
#include "datasets/input_file.hpp"
#include "datasets/picture.hpp"
#include "datasets/sources.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

constexpr int kTop = 255;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

fs::path find_folder(const std::string& name, const fs::path& data_dir) {
  const fs::path path = name;
  if (is_folder(data_dir / path)) return data_dir / path;  // an absolute path replaces data_dir
  if (is_folder(path)) return path;
  if (path.is_absolute()) throw DataError(ad::cat(name, ": no such folder"));
  throw DataError(ad::cat(name, ": no such folder in the data directory ", data_dir.string(), " nor in the current directory; ",
                          "put it there, or name the directory with --data-dir or VAEZOO_DATA"));
}

/// The pictures of one split, sorted by class and name.
struct Listing {
  std::vector<fs::path> files;
  std::vector<std::string> classes;  // of each file; empty without sub-folders
};

/// What a file system keeps next to data: thumbnails, checkpoints of notebooks, the "._" files of macOS.
bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

void take_file(const fs::path& path, Listing& listing) {
  if (is_foreign_picture_name(path)) {
    throw DataError(path.string() + ": pictures of this format are not read; convert it to PNG or JPEG");
  }
  if (is_picture_name(path)) listing.files.push_back(path);
}

/// A link to a folder that it lies in would be followed for ever.
void refuse_circle(const fs::directory_entry& folder) {
  if (!folder.is_symlink()) return;
  const std::string target = fs::canonical(folder.path()).string() + "/";
  const std::string place = fs::canonical(folder.path().parent_path()).string() + "/";
  if (place.starts_with(target)) throw DataError(folder.path().string() + ": links to a folder that it lies in; remove it");
}

Listing list_pictures(const fs::path& folder) {
  Listing direct, below;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (is_hidden(entry.path())) continue;
    if (!entry.is_directory()) {
      take_file(entry.path(), direct);
      continue;
    }
    refuse_circle(entry);
    fs::recursive_directory_iterator files(entry.path(), fs::directory_options::follow_directory_symlink);
    for (; files != fs::recursive_directory_iterator(); ++files) {
      if (is_hidden(files->path())) files.disable_recursion_pending();
      else if (files->is_directory()) refuse_circle(*files);
      else take_file(files->path(), below);
    }
  }
  if (direct.files.empty() && below.files.empty()) throw DataError(folder.string() + ": holds no PNG or JPEG files");
  if (!direct.files.empty() && !below.files.empty()) {
    throw DataError(ad::cat(folder.string(), ": holds pictures next to folders with pictures (",
                            direct.files.front().filename().string(),
                            "); put them into a folder of their own, or keep only one kind"));
  }
  Listing& listing = direct.files.empty() ? below : direct;
  std::ranges::sort(listing.files);
  if (direct.files.empty()) {
    for (const fs::path& file : listing.files) listing.classes.push_back(file.lexically_relative(folder).begin()->string());
  }
  return std::move(listing);
}

Alpha alpha_from(const std::string& word) {
  return word == "white" ? Alpha::white : word == "ignore" ? Alpha::ignore : Alpha::black;
}

/// Cut, resized and coloured as the configuration says.
Picture prepare(const fs::path& path, const ImageFolderConfig& config) {
  Picture picture;
  try {
    picture = read_picture(path, alpha_from(config.alpha));
  } catch (const DataError& error) {
    throw DataError(std::string(error.what()) + "; \"skip_broken\": true leaves out files that cannot be read");
  }
  picture = config.grey ? to_grey(picture) : to_colour(picture);
  if (config.crop) {
    if (*config.crop > std::min(picture.height, picture.width)) {
      throw DataError(ad::cat(path.string(), ": has ", picture.height, " x ", picture.width, " pixels, fewer than the crop of ",
                              *config.crop));
    }
    picture = crop_centre(picture, *config.crop);
  }
  return config.size ? resize_square(picture, *config.size) : picture;
}

class FolderSource final : public ExampleSource {
 public:
  FolderSource(std::vector<fs::path> files, ImageFolderConfig config, ItemShape shape)
      : files_(std::move(files)), config_(std::move(config)), shape_(shape) {}

  Index size() const override { return std::ssize(files_); }
  void read(Index row, std::span<std::uint8_t> out) const override {
    const fs::path& path = files_[static_cast<std::size_t>(row)];
    const Picture picture = prepare(path, config_);
    if (picture.height != shape_.height || picture.width != shape_.width) {
      throw DataError(ad::cat(path.string(), ": has ", picture.height, " x ", picture.width,
                              " pixels where the first picture has ", shape_.height, " x ", shape_.width,
                              "; set 'size' to resize them all"));
    }
    std::ranges::copy(picture.pixels, out.begin());
  }
  std::uint64_t digest() const override {
    Digest digest;
    for (const fs::path& file : files_) {
      std::error_code error;
      digest.add(std::string_view(file.filename().native()));
      digest.add(static_cast<std::uint64_t>(fs::file_size(file, error)));
    }
    return digest.value();
  }

 private:
  std::vector<fs::path> files_;
  ImageFolderConfig config_;
  ItemShape shape_;
};

/// Decodes every picture and leaves out those that cannot be read. Returns the sentence about each of these.
std::vector<std::string> leave_out_broken(Listing& listing) {
  const std::vector<fs::path> files = std::move(listing.files);
  const std::vector<std::string> classes = std::move(listing.classes);
  std::vector<std::string> faults(files.size());
  ad::parallel_for(std::ssize(files), [&](Index i) {
    try {  // an exception must not leave a parallel region
      read_picture(files[static_cast<std::size_t>(i)]);
    } catch (const std::exception& error) {
      faults[static_cast<std::size_t>(i)] = error.what();
    }
  });
  listing = {};
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!faults[i].empty()) continue;
    listing.files.push_back(files[i]);
    if (!classes.empty()) listing.classes.push_back(classes[i]);
  }
  std::erase(faults, "");
  return faults;
}

class Loader {
 public:
  Loader(const ImageFolderConfig& config, Key key) : config_(config), key_(key) {}

  Dataset load(const fs::path& root) {
    data_.provenance = root.string();
    data_.is_image = true;
    const bool has_splits = is_folder(root / "train");
    data_.train = load_split(has_splits ? root / "train" : root);
    data_.train = data_.train.subset(ad::permutation(key_.fold("order"), data_.train.size()));
    for (const char* name : {"validation", "val"}) {
      if (has_splits && data_.validation.size() == 0 && is_folder(root / name)) data_.validation = load_split(root / name);
    }
    if (has_splits && is_folder(root / "test")) data_.test = load_split(root / "test");
    return std::move(data_);
  }

 private:
  Examples load_split(const fs::path& folder) {
    Listing listing = list_pictures(folder);
    if (config_.skip_broken) skip_broken(folder, listing);
    for (const fs::path& file : listing.files) require_file(file);
    const bool first = data_.train.size() == 0;
    if (first) {
      const Picture picture = prepare(listing.files.front(), config_);
      warn_about(listing.files.front());
      data_.shape = {picture.height, picture.width, picture.channels};
      classes_ = Classes(listing.classes, folder.string());
      data_.class_names = classes_.names();
      data_.classes = classes_.count();
    }
    if (!first && listing.classes.empty() != (data_.classes == 0)) {
      throw DataError(ad::cat(folder.string(), listing.classes.empty()
                                                   ? ": has no folders of classes, but the training examples have them"
                                                   : ": has folders of classes, but the training examples have none"));
    }
    std::vector<int> labels = classes_.numbers(listing.classes, folder.string());
    return Examples(std::make_shared<FolderSource>(std::move(listing.files), config_, data_.shape), data_.shape.size(), kTop,
                    std::move(labels));
  }

  void skip_broken(const fs::path& folder, Listing& listing) {
    const std::size_t count = listing.files.size();
    const std::vector<std::string> faults = leave_out_broken(listing);
    if (faults.empty()) return;
    if (listing.files.empty()) throw DataError(ad::cat("none of the ", count, " pictures can be read; ", faults.front()));
    data_.warnings.push_back(printable(ad::cat(folder.string(), ": ", faults.size(), " of ", count,
                                               " pictures cannot be read and are left out; ", faults.front())));
  }

  /// Of the first picture, since all are read only as they are needed.
  void warn_about(const fs::path& file) {
    const Picture picture = read_picture(file);
    if (picture.deep) {
      data_.warnings.push_back(
          printable(file.string() + ": has 16 bits per channel, of which 8 are kept; an .npy array keeps all"));
    }
    if (picture.transparent && config_.alpha == "black") {
      data_.warnings.push_back(
          printable(file.string() + ": has transparent pixels, which are laid on black; \"alpha\" has other ways"));
    }
  }

  const ImageFolderConfig& config_;
  Key key_;
  Classes classes_;
  Dataset data_;
};

}  // namespace

void ImageFolderConfig::fields(Fields& f) {
  f("path", path, "the folder; looked for in the data directory, then in the current one");
  f("crop", crop, "first cut a square of so many pixels from the middle of each picture (CelebA: 148 or 140); null: no",
    at_least(1));
  f("size", size,
    "resize the shorter side to so many pixels and keep the square in the middle; null: as they are, all of one size",
    at_least(1));
  f("grey", grey, "one channel of brightness instead of three of colour");
  f.choice("alpha", alpha, {"black", "white", "ignore"},
           "transparent pixels are laid on black or on white; ignore: their colours are taken as stored");
  f("skip_broken", skip_broken, "leave out files that cannot be read, and say how many; each is decoded once at the start");
  f.require("path", !path.empty(), "names no folder; give the folder with the pictures");
}

Dataset load_image_folder(const ImageFolderConfig& config, const fs::path& data_dir, Key key) {
  const fs::path root = find_folder(config.path, data_dir);
  try {
    return Loader(config, key).load(root);
  } catch (const fs::filesystem_error& error) {
    throw DataError(ad::cat(root.string(), ": cannot be listed (", error.code().message(), ")"));
  }
}

}  // namespace vaezoo
