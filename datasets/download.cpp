#include "datasets/download.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>

#include "autodiff/check.hpp"
#include "datasets/dataset.hpp"
#include "datasets/input_file.hpp"
#include "datasets/partial_file.hpp"
#include "datasets/unpack.hpp"

#ifdef VAEZOO_DOWNLOAD
#include <curl/curl.h>
#include <openssl/evp.h>
#endif

namespace vaezoo {
namespace {

namespace fs = std::filesystem;

struct Quad {
  const char* name;
  std::vector<std::string> mirrors;
  std::array<RemoteFile, 4> files;  // without URLs
};

// Sums and sizes are those that TensorFlow Datasets publishes for the files as these servers send them; the sums of MNIST's
// contents were computed from the files.
const std::vector<Quad>& quads() {
  static const std::vector<Quad> kQuads = {
      {"mnist",
       {"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
       {{{"train-images-idx3-ubyte.gz", {}, 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
          "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
         {"train-labels-idx1-ubyte.gz", {}, 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
          "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
         {"t10k-images-idx3-ubyte.gz", {}, 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
          "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
         {"t10k-labels-idx1-ubyte.gz", {}, 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
          "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}}}},
      {"fashion_mnist",
       {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"},
       {{{"train-images-idx3-ubyte.gz", {}, 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
         {"train-labels-idx1-ubyte.gz", {}, 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
         {"t10k-images-idx3-ubyte.gz", {}, 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
         {"t10k-labels-idx1-ubyte.gz", {}, 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}}},
      {"kmnist",
       {"http://codh.rois.ac.jp/kmnist/dataset/kmnist/"},
       {{{"train-images-idx3-ubyte.gz", {}, 18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"},
         {"train-labels-idx1-ubyte.gz", {}, 29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"},
         {"t10k-images-idx3-ubyte.gz", {}, 3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"},
         {"t10k-labels-idx1-ubyte.gz", {}, 5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"}}}},
  };
  return kQuads;
}

RemoteFile emnist_archive() {
  return {"gzip.zip",
          {"https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip"},
          561753746,
          "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"};
}

RemoteFile cifar10_archive() {
  return {"cifar-10-binary.tar.gz",
          {"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"},
          170052171,
          "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"};
}

std::vector<RemoteFile> svhn_files() {
  const std::string server = "http://ufldl.stanford.edu/housenumbers/";
  return {{"train_32x32.mat",
           {server + "train_32x32.mat"},
           182040794,
           "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"},
          {"test_32x32.mat",
           {server + "test_32x32.mat"},
           64275384,
           "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"}};
}

constexpr const char* kDownloadable = "mnist, fashion_mnist, kmnist, emnist, cifar10, svhn";

/// What someone without a network does instead.
std::string by_hand(const RemoteFile& file, const fs::path& directory) {
  return ad::cat("fetch ", file.urls.front(), " (", file.bytes, " bytes, SHA-256 ", file.sha256, ") by other means and ",
                 is_archive(file.name) ? "unpack its files into " : "put it into ", directory.string());
}

constexpr std::size_t kChunk = std::size_t{1} << 20;

#ifdef VAEZOO_DOWNLOAD

constexpr long kConnectSeconds = 20, kStallSeconds = 30, kMostRedirects = 10;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* bytes, std::size_t count) { EVP_DigestUpdate(context_.get(), bytes, count); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      constexpr const char* kHex = "0123456789abcdef";
      text += {kHex[digest[i] >> 4], kHex[digest[i] & 15]};
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string sha256_of(std::istream& stream) {
  Sha256 sum;
  std::vector<char> chunk(kChunk);
  while (stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || stream.gcount() > 0) {
    sum.add(chunk.data(), static_cast<std::size_t>(stream.gcount()));
  }
  return sum.hex();
}

/// Whether the file at `path` has the contents that were published.
bool is_right(const RemoteFile& file, const fs::path& path) {
  std::ifstream stream;
  if (is_file(path)) stream.open(path, std::ios::binary);
  if (!stream.is_open()) return false;
  if (sha256_of(stream) == file.sha256) return true;
  if (file.content_sha256.empty()) return false;
  try {
    const auto content = open_file(path);
    std::vector<std::uint8_t> chunk(kChunk);
    Sha256 sum;
    while (const std::size_t n = content->read_up_to(chunk)) sum.add(chunk.data(), n);
    return sum.hex() == file.content_sha256;
  } catch (const DataError&) {
    return false;  // it cannot even be decompressed
  }
}

struct Transfer {
  std::FILE* to;
  const RemoteFile* file;
  const DownloadProgress* progress;
  std::exception_ptr error;
};

int report(void* pointer, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(pointer);
  try {  // an exception must not pass through libcurl's frames
    const auto size = total > 0 ? static_cast<std::uint64_t>(total) : transfer.file->bytes;
    (*transfer.progress)(transfer.file->name, static_cast<std::uint64_t>(done), size);
  } catch (...) {
    transfer.error = std::current_exception();
    return 1;
  }
  return 0;
}

bool has_all(const fs::path& directory, const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return is_file(directory / name); });
}

/// Returns "" or what went wrong.
std::string transfer_url(const std::string& url, const RemoteFile& file, const fs::path& path, const DownloadProgress& progress) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(path.c_str(), "wb"), std::fclose);
  if (!out) throw DataError(ad::cat(path.string(), ": cannot be written; is the directory writable?"));
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) return "libcurl does not start";
  Transfer transfer{out.get(), &file, &progress, nullptr};
  std::array<char, CURL_ERROR_SIZE> text{};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, text.data());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, out.get());  // libcurl's own writer calls fwrite
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, "vaezoo");
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  if (progress) {
    curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, report);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &transfer);
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.error) std::rethrow_exception(transfer.error);
  if (code != CURLE_OK) return text[0] != '\0' ? text.data() : curl_easy_strerror(code);
  return std::fflush(out.get()) == 0 ? "" : "the disk is full";
}

#endif

}  // namespace

std::vector<RemoteFile> remote_files(const std::string& set) {
  if (set == "emnist") return {emnist_archive()};
  if (set == "cifar10") return {cifar10_archive()};
  if (set == "svhn") return svhn_files();
  for (const Quad& quad : quads()) {
    if (quad.name != set) continue;
    std::vector<RemoteFile> files(quad.files.begin(), quad.files.end());
    for (RemoteFile& file : files) {
      for (const std::string& mirror : quad.mirrors) file.urls.push_back(mirror + file.name);
    }
    return files;
  }
  return {};
}

std::string download_hint(const std::string& set, const fs::path& directory) {
  const std::vector<RemoteFile> files = remote_files(set);
  if (files.empty()) return "put it there (see datasets/README.md), or name another directory with --data-dir or VAEZOO_DATA";
  return ad::cat("run 'vaezoo download ", set, "', name another directory with --data-dir or VAEZOO_DATA, or put the files from ",
                 files.front().urls.front(), files.size() > 1 ? " and its neighbours" : "", " into ", directory.string());
}

#ifdef VAEZOO_DOWNLOAD

bool can_download() { return true; }

bool fetch(const RemoteFile& file, const fs::path& directory, const DownloadProgress& progress) {
  const fs::path path = directory / file.name;
  if (is_right(file, path)) return false;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw DataError(ad::cat(directory.string(), ": cannot be made (", error.message(), ")"));
  PartialFile part(path);
  std::string failures;
  for (const std::string& url : file.urls) {
    std::string failure = transfer_url(url, file, part.path(), progress);
    if (failure.empty() && is_right(file, part.path())) {
      part.finish();
      return true;
    }
    if (failure.empty()) failure = "its SHA-256 is not the published one";
    failures += ad::cat(failures.empty() ? "" : "; ", url, ": ", failure);
  }
  throw DataError(ad::cat(file.name, ": could not be downloaded (", failures, "); ", by_hand(file, directory)));
}

std::vector<std::string> download(const std::string& set, const fs::path& data_dir, const DownloadProgress& progress) {
  const std::vector<RemoteFile> files = remote_files(set);
  if (files.empty()) throw DataError("'" + set + "' is not one that can be downloaded: " + kDownloadable);
  const fs::path directory = data_dir / set;
  std::vector<std::string> fetched;
  for (const RemoteFile& file : files) {
    if (is_archive(file.name) && has_all(directory, unpacked_files(set))) continue;  // the archive itself is not kept
    if (fetch(file, directory, progress)) fetched.push_back(file.name);
    if (!is_archive(file.name)) continue;
    unpack(set, directory / file.name, directory);
    fs::remove(directory / file.name);
  }
  return fetched;
}

#else

bool can_download() { return false; }

bool fetch(const RemoteFile& file, const fs::path& directory, const DownloadProgress&) {
  throw DataError(ad::cat(file.name, ": this program was built without libcurl and OpenSSL and cannot download; ",
                          by_hand(file, directory)));
}

std::vector<std::string> download(const std::string& set, const fs::path& data_dir, const DownloadProgress& progress) {
  const std::vector<RemoteFile> files = remote_files(set);
  if (files.empty()) throw DataError("'" + set + "' is not one that can be downloaded: " + kDownloadable);
  for (const RemoteFile& file : files) fetch(file, data_dir / set, progress);
  return {};
}

#endif

}  // namespace vaezoo
