#pragma once
// Named tensors in a file: the safetensors format, which PyTorch, JAX and MLX users read with one line. A file is the length
// of a JSON header, the header, and the numbers. Files are checked in full before anything of them is used: a damaged or
// hostile one gives a sentence, never a crash or a wrong number.
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/check.hpp"
#include "autodiff/parameters.hpp"

namespace ad {

using Metadata = std::map<std::string, std::string>;  ///< free text stored with the tensors; the format has strings only

struct NamedTensor {
  std::string name;
  Shape shape;
  std::span<const Real> values;  ///< row-major
};

/// Writes the tensors as F32 (F64 in a double build), sorted by name, byte for byte as Python's safetensors does. The file
/// appears under its name when it is complete and on the disk, or not at all. Throws FileError.
void write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors, const Metadata& metadata = {});

/// A file in memory.
class Safetensors {
 public:
  /// Reads and checks the file: header length, unique names, known dtypes, sizes without overflow, ranges that cover the
  /// data without hole or overlap. Throws FileError.
  explicit Safetensors(const std::filesystem::path& path);

  struct Tensor {
    std::string name, dtype;           ///< "encoder.0.weight", "F32"
    std::vector<std::uint64_t> shape;  ///< of any rank
    std::uint64_t begin, end;          ///< bytes of the data
    std::uint64_t size;                ///< numbers
  };
  const std::vector<Tensor>& tensors() const { return tensors_; }  ///< in the order of the data
  const Tensor* find(std::string_view name) const;                 ///< nullptr when there is none
  const Metadata& metadata() const { return metadata_; }

  /// Converts the tensor's numbers, which may be F64, F32, F16, BF16, BOOL or integers; rounds to Real. Throws FileError for
  /// another dtype, and when out has another size.
  void read(const Tensor& tensor, std::span<Real> out) const;

 private:
  void parse(std::string_view header, std::uint64_t data_bytes);

  std::string path_;
  std::vector<char> bytes_;
  std::size_t data_ = 0;  // where the numbers begin
  std::vector<Tensor> tensors_;
  Metadata metadata_;
};

/// All tensors of the store, buffers too, under their paths with '.' for '/' as in PyTorch's state_dict: "encoder.0.weight".
void save_parameters(ParameterStore& store, const std::filesystem::path& path, const Metadata& metadata = {});

/// Fills the store from such a file, also one that PyTorch wrote; returns its metadata. Throws FileError and changes nothing
/// when a tensor is missing, left over, of another shape, or a weight that is not floating point; the message names them.
Metadata load_parameters(ParameterStore& store, const std::filesystem::path& path);

/// What load_matching found in common.
struct MatchingParameters {
  std::ptrdiff_t taken = 0;         ///< tensors
  std::vector<std::string> left;    ///< of the store, with the reason: "head.weight is [20, 4] but must be [20, 8]"
  std::vector<std::string> unused;  ///< of the file: their names
};

/// Fills those parameters whose tensors the file has in the same shape, and leaves the others. Throws FileError and changes nothing when the
/// file is damaged.
MatchingParameters load_matching(ParameterStore& store, const std::filesystem::path& path);

}  // namespace ad
