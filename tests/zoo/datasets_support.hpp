#pragma once
// Files, built byte by byte, for the tests of data sets.
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "datasets/config.hpp"
#include "tests/zoo/output_support.hpp"

namespace test_support {

inline void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_gz(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

/// An IDX file of unsigned bytes.
inline std::string idx(const std::vector<std::uint32_t>& shape, const std::string& values) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (std::uint32_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  }
  return bytes + values;
}

inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

/// An .npy file of version 1 with the given header text and values.
inline std::string npy(std::string header, const std::string& values) {
  header += '\n';
  const std::string size{static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  return std::string("\x93NUMPY\x01\x00", 8) + size + header + values;
}

/// The sentence of the DataError that `run` throws; "" when it throws none.
template <class Run>
std::string data_error(Run run) {
  try {
    run();
  } catch (const vaezoo::DataError& error) {
    return error.what();
  }
  return "";
}

/// Calls `parse` with every prefix of a valid file and with every byte changed in two ways. Damage must give a DataError or
/// be harmless; anything else (a crash, bad_alloc, another exception) fails the test. Returns how many were refused.
template <class Parse>
int refused_damage(const std::string& valid, Parse parse) {
  int refused = 0;
  const auto attempt = [&](const std::string& bytes) {
    try {
      parse(bytes);
    } catch (const vaezoo::DataError&) {
      ++refused;
    }
  };
  for (std::size_t i = 0; i < valid.size(); ++i) {
    attempt(valid.substr(0, i));
    for (int flip : {0xFF, 0x01}) {
      std::string damaged = valid;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      attempt(damaged);
    }
  }
  return refused;
}

inline std::vector<vaezoo::Real> row(const vaezoo::Examples& examples, vaezoo::Index i) {
  std::vector<vaezoo::Real> x(static_cast<std::size_t>(examples.item_size()));
  examples.read(i, x);
  return x;
}

}  // namespace test_support
