#include <doctest/doctest.h>

#include "datasets/sources.hpp"
#include "datasets/unpack.hpp"
#include "tests/zoo/datasets_support.hpp"

using namespace vaezoo;
using namespace test_support;

namespace {

/// A record of the binary version: the label, then planes whose byte at (row, column) of plane c is a number of all three.
std::string record(int label) {
  std::string bytes(1, static_cast<char>(label));
  for (int c = 0; c < 3; ++c) {
    for (int p = 0; p < 1024; ++p) bytes += static_cast<char>(p + 85 * c + label);
  }
  return bytes;
}

void write_batches(const TempFolder& folder, const std::string& place) {
  for (int batch = 1; batch <= 5; ++batch) {
    write(folder / (place + "/data_batch_" + std::to_string(batch) + ".bin"), record(batch) + record(0));
  }
  write(folder / (place + "/test_batch.bin"), record(9));
}

/// A tar member: 512 bytes of name, size and checksum, then the contents, padded.
std::string tar_member(const std::string& name, const std::string& content, char kind = '0') {
  std::string head(512, '\0');
  head.replace(0, name.size(), name);
  char size[12];
  std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(content.size()));
  head.replace(124, 11, size);
  head[156] = kind;
  head.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char byte : head) sum += static_cast<unsigned char>(byte);
  char check[8];
  std::snprintf(check, sizeof check, "%06o", sum);
  head.replace(148, 7, std::string(check, 7));
  return head + content + std::string((512 - content.size() % 512) % 512, '\0');
}

std::string cifar_tar() {
  std::string tar = tar_member("cifar-10-batches-bin/", "", '5') + tar_member("cifar-10-batches-bin/readme.html", "<html>");
  for (const std::string& name : unpacked_files("cifar10")) tar += tar_member("cifar-10-batches-bin/" + name, "of " + name);
  return tar + std::string(1024, '\0');
}

}  // namespace

TEST_CASE("cifar10: planes become NHWC, batches follow each other, and classes have names") {
  for (const char* place : {"cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"}) {
    const TempFolder folder;
    write_batches(folder, place);
    const Dataset data = load_cifar10(folder.path());
    CHECK(data.shape == ItemShape{32, 32, 3});
    CHECK(data.train.labels() == std::vector<int>{1, 0, 2, 0, 3, 0, 4, 0, 5, 0});
    CHECK(data.test.labels() == std::vector<int>{9});
    CHECK(data.class_names[9] == "truck");
    const std::vector<Real> x = row(data.train, 4);
    for (std::size_t p = 0; p < 1024; ++p) {
      for (std::size_t c = 0; c < 3; ++c) CHECK(x[3 * p + c] == static_cast<Real>((p + 85 * c + 3) % 256) / 255);
    }
  }
}

TEST_CASE("cifar10: files that are missing, cut off, empty or of another version are refused") {
  const TempFolder folder;
  const auto error = [&] { return data_error([&] { load_cifar10(folder.path()); }); };
  CHECK(contains(error(), "cifar10: there is no data_batch_1.bin (plain or .gz) in " + (folder / "cifar10").string()));
  CHECK(contains(error(), "run 'vaezoo download cifar10'"));
  write_batches(folder, "cifar10");
  const std::string file = (folder / "cifar10/data_batch_3.bin").string();
  write(file, (record(1) + record(2)).substr(0, 4000));
  CHECK(error() == file + ": ends after 4000 bytes, inside an image (2146 bytes more were expected)");
  write(file, record(10));
  CHECK(error() == file + ": has label 10 before byte 3073; expected 0 to 9. Is it of the binary version?");
  write(file, "");
  CHECK(error() == file + ": is empty");
}

TEST_CASE("unpack cifar10 takes the batches out of the archive and leaves the rest") {
  const TempFolder folder;
  write_gz(folder / "c.tar.gz", cifar_tar());
  std::filesystem::create_directory(folder / "to");
  unpack("cifar10", folder / "c.tar.gz", folder / "to");
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "to"), {}) == 6);
  for (const std::string& name : unpacked_files("cifar10")) CHECK(read(folder / "to" / name) == "of " + name);
}

TEST_CASE("unpack cifar10: an archive that is cut off, damaged or another one is refused, and no half file appears") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "to");
  const auto error = [&](const std::string& tar) {
    write(folder / "c.tar.gz", tar);
    return data_error([&] { unpack("cifar10", folder / "c.tar.gz", folder / "to"); });
  };
  const std::string tar = cifar_tar();
  CHECK(contains(error(tar.substr(0, 2050)), "c.tar.gz: is cut off inside 'data_batch_1.bin'"));
  CHECK(std::filesystem::is_empty(folder / "to"));
  CHECK(contains(error(tar.substr(0, 2600)), "c.tar.gz: ends after 2600 bytes, inside the head of a member"));
  CHECK(contains(error(std::string(512, '<')), "c.tar.gz: is no tar archive, or is damaged before byte 512"));
  CHECK(contains(error(tar_member("other/test_batch.bin", "x") + std::string(1024, '\0')),
                 "c.tar.gz: holds no 'cifar-10-batches-bin/data_batch_1.bin'"));
  std::string damaged = tar;
  damaged[3] = 'X';
  CHECK(contains(error(damaged), "is damaged before byte 512"));
}
