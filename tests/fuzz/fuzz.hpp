#pragma once
// What reads files is given any bytes. A target writes its input to a file and calls the readers of that format, which may do two
// things: return, or throw one of the project's errors with a sentence of some length. All else is a fault: a crash, another exception, no
// end, memory without bound.
//
// The preset "fuzz" makes a libFuzzer program of each target. The program test_fuzz holds all of them and runs each over its corpus.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.hpp"
#include "datasets/dataset.hpp"
#include "experiments/output/files.hpp"
#include "experiments/runner/errors.hpp"

#ifdef VAEZOO_LIBFUZZER
#define FUZZ_TARGET(name)                                                             \
  static void fuzz(std::string_view input);                                           \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    fuzz({reinterpret_cast<const char*>(data), size});                                \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz(std::string_view input)
#else
/// Defines what a target does with its `input`. One per file, named like its corpus.
#define FUZZ_TARGET(name)                                                              \
  static void fuzz(std::string_view input);                                            \
  [[maybe_unused]] static const bool is_listed = fuzzing::list_target({#name, &fuzz}); \
  static void fuzz(std::string_view input)
#endif

namespace fuzzing {

struct Target {
  std::string name;
  void (*run)(std::string_view input);
};
bool list_target(const Target& target);
const std::vector<Target>& targets();

/// This process's own folder, which goes away with it.
const std::filesystem::path& folder();
/// folder() without what lay in it.
const std::filesystem::path& empty_folder();
/// A file in folder() with these bytes; what had the name is replaced.
std::filesystem::path write_file(const std::string& name, std::string_view bytes);

/// The input up to the first `end`, taken off with it; all of it when there is none.
std::string_view take_until(char end, std::string_view& input);

/// Throws std::logic_error when a message is empty or too long to be read.
void check_message(std::string_view text);

/// Runs a reader that may refuse its input.
template <class Read>
void may_refuse(Read read) {
  try {
    read();
  } catch (const vaezoo::DataError& error) {
    check_message(error.what());
  } catch (const vaezoo::ConfigError& error) {
    check_message(error.what());
  } catch (const vaezoo::FileError& error) {
    check_message(error.what());
  } catch (const vaezoo::DivergedError& error) {
    check_message(error.what());
  } catch (const vaezoo::UsageError& error) {
    check_message(error.what());
  }
}

}  // namespace fuzzing
