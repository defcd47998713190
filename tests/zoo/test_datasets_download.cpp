#include <doctest/doctest.h>
#include <zip.h>

#include <algorithm>
#include <set>

#include "datasets/download.hpp"
#include "datasets/unpack.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

// Computed with sha256sum.
const char* const kHelloSum = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";  // of "hello\n"

RemoteFile hello(const std::filesystem::path& from) { return {"hello.txt", {"file://" + from.string()}, 6, kHelloSum}; }

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("remote_files: every file has a URL, a size and a SHA-256, and the list knows which sets can be downloaded") {
  for (const DatasetInfo& info : dataset_list()) {
    const std::vector<RemoteFile> files = remote_files(info.name);
    CHECK(info.downloadable == !files.empty());
    std::set<std::string> sums;
    for (const RemoteFile& file : files) {
      CHECK_FALSE(file.urls.empty());
      for (const std::string& url : file.urls) {
        CHECK(url.starts_with("http"));
        CHECK(url.ends_with("/" + file.name));
      }
      CHECK(file.bytes > 0);
      CHECK(file.sha256.size() == 64);
      sums.insert(file.sha256);
    }
    CHECK(sums.size() == files.size());
  }
  CHECK(remote_files("mnist").size() == 4);
  CHECK(remote_files("digits").empty());
}

TEST_CASE("fetch: a verified file appears whole, and a second call finds it there") {
  if (!can_download()) return;
  const TempFolder folder;
  write(folder / "source", "hello\n");
  std::uint64_t last = 0;
  CHECK(fetch(hello(folder / "source"), folder / "data/set", [&](const std::string& name, std::uint64_t done, std::uint64_t) {
    CHECK(name == "hello.txt");
    last = done;
  }));
  CHECK(last == 6);
  CHECK(read(folder / "data/set/hello.txt") == "hello\n");
  CHECK(files_in(folder / "data/set") == 1);
  CHECK_FALSE(fetch(hello(folder / "none"), folder / "data/set"));
}

TEST_CASE("fetch: a damaged copy is replaced, and a copy that was compressed anew is accepted") {
  if (!can_download()) return;
  const TempFolder folder;
  write(folder / "source", "hello\n");
  write(folder / "data/hello.txt", "hellp\n");
  CHECK(fetch(hello(folder / "source"), folder / "data"));
  CHECK(read(folder / "data/hello.txt") == "hello\n");

  write_gz(folder / "data/hello.gz", "hello\n");
  RemoteFile file{"hello.gz", {"file://" + (folder / "none").string()}, 6, std::string(64, '0'), kHelloSum};
  CHECK_FALSE(fetch(file, folder / "data"));
}

TEST_CASE("fetch: wrong contents and unreachable places leave nothing behind and say what to do by hand") {
  if (!can_download()) return;
  const TempFolder folder;
  write(folder / "wrong", "hullo\n");
  write(folder / "right", "hello\n");
  RemoteFile file = hello(folder / "wrong");
  file.urls.insert(file.urls.begin(), "file://" + (folder / "none").string());
  const std::string error = data_error([&] { fetch(file, folder / "data"); });
  CAPTURE(error);
  CHECK(error.starts_with("hello.txt: could not be downloaded (file://"));
  CHECK(contains(error, "its SHA-256 is not the published one"));
  CHECK(contains(error, "by other means and put it into " + (folder / "data").string()));
  CHECK(contains(error, kHelloSum));
  CHECK(files_in(folder / "data") == 0);

  file.urls.push_back("file://" + (folder / "right").string());  // the next mirror has it
  CHECK(fetch(file, folder / "data"));
}

TEST_CASE("fetch: what the progress callback throws stops the transfer and comes through") {
  if (!can_download()) return;
  const TempFolder folder;
  write(folder / "source", "hello\n");
  const auto stop = [](const std::string&, std::uint64_t, std::uint64_t) { throw std::runtime_error("stop"); };
  CHECK_THROWS_WITH_AS(fetch(hello(folder / "source"), folder / "data", stop), "stop", std::runtime_error);
  CHECK(files_in(folder / "data") == 0);
}

TEST_CASE("unpack emnist takes every subset out of the archive, and says what is missing") {
  const TempFolder folder;
  int error = 0;
  zip_t* archive = zip_open((folder / "gzip.zip").c_str(), ZIP_CREATE, &error);
  std::vector<std::string> names;
  for (const char* subset : {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"}) {
    for (const char* part : {"train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"}) {
      names.push_back(std::string("emnist-") + subset + "-" + part + "-ubyte.gz");
    }
  }
  for (const std::string& name : names) {
    zip_file_add(archive, ("gzip/" + name).c_str(), zip_source_buffer(archive, name.data(), name.size(), 0), 0);
  }
  REQUIRE(zip_close(archive) == 0);
  std::filesystem::create_directory(folder / "emnist");
  unpack("emnist", folder / "gzip.zip", folder / "emnist");
  CHECK(files_in(folder / "emnist") == names.size());
  for (const std::string& name : names) CHECK(read(folder / "emnist" / name) == name);

  archive = zip_open((folder / "gzip.zip").c_str(), 0, &error);
  zip_delete(archive, static_cast<zip_uint64_t>(zip_name_locate(archive, ("gzip/" + names[5]).c_str(), 0)));
  REQUIRE(zip_close(archive) == 0);
  CHECK(contains(data_error([&] { unpack("emnist", folder / "gzip.zip", folder / "emnist"); }),
                 "holds no 'gzip/" + names[5] + "'"));
}

TEST_CASE("download: a set that cannot be downloaded says which can") {
  const TempFolder folder;
  CHECK(contains(data_error([&] { download("digits", folder.path()); }), "mnist, fashion_mnist, kmnist, emnist, cifar10, svhn"));
}

TEST_CASE("download: a program without libcurl says which file to fetch, its sum, and where to put it") {
  if (can_download()) return;
  const TempFolder folder;
  const std::string error = data_error([&] { download("mnist", folder.path()); });
  CHECK(contains(error, "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz"));
  CHECK(contains(error, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"));
  CHECK(contains(error, "put it into " + (folder / "mnist").string()));
}
