// The command that decodes given codes.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "config/printable.hpp"
#include "datasets/classes.hpp"
#include "datasets/csv.hpp"
#include "datasets/npy.hpp"
#include "experiments/runner/commands.hpp"
#include "experiments/runner/encoding.hpp"
#include "experiments/runner/errors.hpp"
#include "experiments/runner/example_files.hpp"

namespace vaezoo {
namespace {

namespace fs = std::filesystem;
using ad::cat;

/// Codes from a file, and what the decoder is conditioned on.
struct CodeTable {
  std::vector<double> numbers;  ///< [N, width]: vectors z, or the indices of discrete codes
  Index count = 0, width = 0;
  bool indices = false;
  std::vector<int> labels;        ///< [N], or empty
  std::vector<Real> conditions;   ///< [N, C], or empty
};

Index positions(const Model& model) {
  Index total = 0;
  for (const CodeMap& map : model.code_shapes()) total += map.height * map.width;
  return total;
}

std::vector<int> class_numbers(const std::vector<std::string>& names, const Dataset& data, const std::string& source) {
  std::vector<int> labels;
  for (const std::string& name : names) {
    const auto label = find_class(data, name);
    if (!label) throw DataError(cat(source, ": there is no class '", excerpt(name), "'; ", about_classes(data)));
    labels.push_back(*label);
  }
  return labels;
}

CodeTable from_table(const fs::path& path, const Session& s) {
  const auto first = first_csv_line(path, ",");
  const auto has = [&](const std::string& prefix) {
    return std::ranges::any_of(first, [&](const std::string& name) { return name.starts_with(prefix); });
  };
  CodeTable codes;
  codes.indices = has("index_") && positions(*s.model) > 0;
  if (!codes.indices && !has("mean_"))
    throw DataError(cat(path.string(), ": has neither mean_ nor index_ columns in its first line; decode reads tables as encode writes them"));
  CsvFormat format{.header = true};
  for (const std::string& name : codes.indices ? index_names(*s.model) : code_names(*s.model))
    format.columns.push_back((codes.indices ? "index_" : "mean_") + name);
  const Conditioning needs = s.model->decoder_conditioning();
  if (needs == Conditioning::labels) format.label = "class";
  const Index conditions = needs == Conditioning::conditions ? s.data.train.condition_size() : 0;
  format.conditions = numbered("condition_", conditions);
  const CsvTable table = read_csv(path, format);
  codes.numbers = table.numbers;
  codes.width = table.columns;
  codes.count = std::ssize(table.numbers) / table.columns;
  codes.labels = class_numbers(table.labels, s.data, path.string());
  for (const double v : table.conditions) codes.conditions.push_back(static_cast<Real>(v));
  return codes;
}

CodeTable from_array(const fs::path& path, const Session& s) {
  if (s.model->decoder_conditioning() != Conditioning::none)
    throw UsageError(cat(path.string(), ": this ", s.config.model_name, " is conditioned, and an array holds codes only; give a .csv file with a ",
                         "class (or condition_...) column"));
  const NpyArray array = read_npy(path);
  const Index places = positions(*s.model), Z = s.model->latent_dim();
  CodeTable codes;
  codes.numbers = array.values();
  codes.width = array.shape.size() == 2 ? array.shape[1] : 0;
  codes.indices = places > 0 && codes.width == places && std::ranges::all_of(codes.numbers, [](double v) { return v == std::floor(v); });
  if (!codes.indices && codes.width != Z)
    throw DataError(cat(path.string(), ": needs the shape [N, ", Z, "]", places > 0 ? cat(" (codes) or [N, ", places, "] (indices)") : ""));
  codes.count = array.shape[0];
  return codes;
}

/// Rows [begin, end) as a code on the tape, [rows, Z].
Var code(const Context& c, const Model& model, const CodeTable& codes, Index begin, Index end, const std::string& source) {
  const double* const first = codes.numbers.data() + begin * codes.width;
  const Index rows = end - begin;
  if (!codes.indices) {
    Real* const z = c.tape.scratch(rows * codes.width);
    std::transform(first, first + rows * codes.width, z, [](double v) { return static_cast<Real>(v); });
    return c.tape.constant({rows, codes.width}, {z, static_cast<std::size_t>(rows * codes.width)});
  }
  std::vector<CodeMap> maps = model.code_shapes();
  Index column = 0;
  for (CodeMap& map : maps) {
    const Index size = map.height * map.width;
    for (Index row = 0; row < rows; ++row)
      for (Index i = 0; i < size; ++i) {
        const double index = first[row * codes.width + column + i];
        if (!(index >= 0 && index < double(map.codes) && index == std::floor(index)))
          throw DataError(cat(source, ": code ", begin + row, " (from 0) has the index ", index, " where whole numbers from 0 to ", map.codes - 1,
                              " are codes"));
        map.indices.push_back(static_cast<Index>(index));
      }
    column += size;
  }
  return model.embed_codes(c, maps);
}

}  // namespace

int decode_command(const LoadedRun& run, const std::string& file, const std::string& out) {
  const Session& s = *run.session;
  const fs::path target = output_file(run, out, "decoded", {".png", ".npy", ".csv", ".txt"});
  if (s.model->decoder_conditioning() == Conditioning::x)
    throw UsageError(cat("decode: ", s.config.model_name, " completes examples, and codes do not have the part that is seen"));
  if (!fs::is_regular_file(file)) throw UsageError(cat("decode ", excerpt(file), ": there is no such file"));
  const CodeTable codes = fs::path(file).extension() == ".npy" ? from_array(file, s) : from_table(file, s);
  const Index C = codes.conditions.empty() ? 0 : std::ssize(codes.conditions) / codes.count, batch = s.config.evaluate.batch_size;
  std::vector<float> rows;
  Tape tape(ad::Grad::off);
  for (Index begin = 0; begin < codes.count; begin += batch) {
    tape.reset();
    const Index end = std::min(begin + batch, codes.count), count = end - begin;
    const Context c{tape};
    Minibatch given;
    if (!codes.labels.empty()) given.labels = {codes.labels.data() + begin, codes.labels.data() + end};
    if (C > 0) given.conditions = tape.constant({count, C}, std::span(codes.conditions.data() + begin * C, codes.conditions.data() + end * C));
    const Var x = s.model->decode(c, code(c, *s.model, codes, begin, end, file), given);
    rows.insert(rows.end(), x.data(), x.data() + x.size());
  }
  write_examples(target, s.data, rows, class_column(s.data, codes.labels));
  return wrote(target, fmt::format("{} decoded codes", codes.count));
}

}  // namespace vaezoo
