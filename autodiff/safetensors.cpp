#include "autodiff/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "autodiff/files.hpp"

namespace ad {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the reference reader's limit
constexpr const char* kRealDtype = sizeof(Real) == 4 ? "F32" : "F64";

/// Bits of one number of a dtype; 0 for a name that the format does not have.
unsigned bits_of(std::string_view dtype) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 22> kBits{{{"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},
      {"U8", 8}, {"I8", 8}, {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
      {"U16", 16}, {"F16", 16}, {"BF16", 16}, {"I32", 32}, {"U32", 32}, {"F32", 32}, {"C64", 64}, {"F64", 64}, {"I64", 64},
      {"U64", 64}}};
  for (const auto& [name, bits] : kBits)
    if (name == dtype) return bits;
  return 0;
}

std::optional<std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (const std::uint64_t n : shape) text += cat(text.size() > 1 ? ", " : "", n);
  return text + "]";
}

// ---- writing

std::string header_of(const std::vector<NamedTensor>& tensors, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const NamedTensor& t : tensors) {
    const std::uint64_t end = offset + t.values.size_bytes();
    const std::vector<Index> shape(t.shape.begin(), t.shape.end());
    header[t.name] = {{"dtype", kRealDtype}, {"shape", shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the numbers begin aligned
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::vector<NamedTensor> tensors, const Metadata& metadata) {
  std::ranges::sort(tensors, {}, &NamedTensor::name);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const NamedTensor& t = tensors[i];
    if (t.name == "__metadata__" || (i > 0 && t.name == tensors[i - 1].name))
      throw FileError(cat(path.string(), ": cannot be written: the tensor name \"", t.name, "\" is taken"));
    if (std::ssize(t.values) != t.shape.size())
      throw FileError(cat(path.string(), ": cannot be written: \"", t.name, "\" is ", t.shape, " but has ", t.values.size(),
                          " numbers"));
  }
  std::string header;
  try {
    header = header_of(tensors, metadata);
  } catch (const nlohmann::json::exception& e) {  // names or metadata that are not UTF-8
    throw FileError(cat(path.string(), ": cannot be written: ", e.what()));
  }
  const std::uint64_t length = header.size();
  std::vector<std::string_view> pieces{{reinterpret_cast<const char*>(&length), sizeof length}, header};
  for (const NamedTensor& t : tensors) pieces.emplace_back(reinterpret_cast<const char*>(t.values.data()), t.values.size_bytes());
  atomic_write(path, pieces);
}

// ---- reading

namespace {

using nlohmann::json;

/// What a message shows of a file's text, which may be of any length.
std::string cut(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  return text.size() > kLongest ? cat(text.substr(0, kLongest), "...") : std::string(text);
}

[[noreturn]] void reject(const std::string& path, const std::string& sentence) {
  throw FileError(cat(path, ": not a valid safetensors file: ", sentence));
}

/// The header as JSON; unlike the library alone, a key that comes twice is an error.
json parse_header(const std::string& path, std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string twice;
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  try {
    json header = json::parse(text.begin(), text.end(), watch);
    if (!twice.empty()) reject(path, cat("the name \"", cut(twice), "\" comes twice"));
    return header;
  } catch (const json::exception& e) {
    reject(path, cat("the header is not JSON (", cut(e.what()), ")"));
  }
}

/// The unsigned integers under `key`, or nothing when something else is there.
std::optional<std::vector<std::uint64_t>> unsigned_list(const json& entry, const char* key) {
  const auto it = entry.find(key);
  if (it == entry.end() || !it->is_array()) return std::nullopt;
  if (!std::ranges::all_of(*it, [](const json& n) { return n.is_number_unsigned(); })) return std::nullopt;
  return it->get<std::vector<std::uint64_t>>();
}

Safetensors::Tensor read_entry(const std::string& path, const std::string& name, const json& entry) {
  const auto bad = [&](const std::string& sentence) { reject(path, cat("tensor \"", cut(name), "\" ", sentence)); };
  if (!entry.is_object() || entry.size() != 3) bad("must have exactly dtype, shape and data_offsets");
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) bad("has no dtype");
  const auto shape = unsigned_list(entry, "shape"), offsets = unsigned_list(entry, "data_offsets");
  if (!shape) bad("has no shape of non-negative integers");
  if (!offsets || offsets->size() != 2 || offsets->front() > offsets->back())
    bad("has no data_offsets [begin, end] with begin <= end");
  Safetensors::Tensor t{name, dtype->get<std::string>(), *shape, offsets->front(), offsets->back(), 1};
  const unsigned bits = bits_of(t.dtype);
  if (bits == 0) bad(cat("has the unknown dtype \"", cut(t.dtype), "\""));
  for (const std::uint64_t n : t.shape) {
    const auto product = multiply(t.size, n);
    if (!product) bad(cat("has the shape ", cut(shape_text(t.shape)), ", more numbers than there can be"));
    t.size = *product;
  }
  const auto all_bits = multiply(t.size, bits);
  if (!all_bits || *all_bits % 8 != 0 || *all_bits / 8 != t.end - t.begin)
    bad(cat("of shape ", cut(shape_text(t.shape)), " and dtype ", t.dtype, " does not fill its ", t.end - t.begin, " bytes"));
  return t;
}

float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 0x1f, fraction = h & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: fraction 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;  // infinities and NaNs; else the bias 127 for 15
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// out_i = convert(i-th T of data).
template <class T, class Convert>
void convert_each(const char* data, std::span<Real> out, Convert convert) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T raw;
    std::memcpy(&raw, data + i * sizeof(T), sizeof(T));
    out[i] = static_cast<Real>(convert(raw));
  }
}

/// false when the dtype is none that becomes a Real.
bool convert(std::string_view dtype, const char* data, std::span<Real> out) {
  const auto same = [](auto v) { return v; };
  if (dtype == "F32") convert_each<float>(data, out, same);
  else if (dtype == "F64") convert_each<double>(data, out, same);
  else if (dtype == "F16") convert_each<std::uint16_t>(data, out, half_to_float);
  else if (dtype == "BF16")
    convert_each<std::uint16_t>(data, out, [](std::uint16_t b) { return std::bit_cast<float>(std::uint32_t{b} << 16); });
  else if (dtype == "I64") convert_each<std::int64_t>(data, out, same);
  else if (dtype == "I32") convert_each<std::int32_t>(data, out, same);
  else if (dtype == "I16") convert_each<std::int16_t>(data, out, same);
  else if (dtype == "I8") convert_each<std::int8_t>(data, out, same);
  else if (dtype == "U64") convert_each<std::uint64_t>(data, out, same);
  else if (dtype == "U32") convert_each<std::uint32_t>(data, out, same);
  else if (dtype == "U16") convert_each<std::uint16_t>(data, out, same);
  else if (dtype == "U8" || dtype == "BOOL") convert_each<std::uint8_t>(data, out, same);
  else return false;
  return true;
}

std::vector<char> whole_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) throw FileError(cat(path, ": there is no such file"));
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.tellg();  // of the file that is open: at its path there may be another by now
  if (size < 0) throw FileError(cat(path, ": cannot be opened for reading"));
  file.seekg(0);
  std::vector<char> bytes;
  try {
    bytes.resize(static_cast<std::size_t>(size));
  } catch (const std::exception&) {
    throw FileError(cat(path, ": its ", size, " bytes do not fit into memory"));
  }
  if (!file.read(bytes.data(), size)) throw FileError(cat(path, ": cannot be read to its end"));
  return bytes;
}

}  // namespace

Safetensors::Safetensors(const std::filesystem::path& path) : path_(path.string()), bytes_(whole_file(path_)) {
  std::uint64_t length = 0;
  if (bytes_.size() < sizeof length) reject(path_, cat("it has ", bytes_.size(), " bytes, the header's length alone needs 8"));
  std::memcpy(&length, bytes_.data(), sizeof length);
  const std::uint64_t rest = bytes_.size() - sizeof length;
  if (length > kMaxHeader || length > rest)
    reject(path_, cat("it says that its header has ", length, " bytes, but ",
                      length > kMaxHeader ? "100000000 is the most" : cat("only ", rest, " follow")));
  data_ = sizeof length + static_cast<std::size_t>(length);
  parse({bytes_.data() + sizeof length, static_cast<std::size_t>(length)}, rest - length);
}

void Safetensors::parse(std::string_view text, std::uint64_t data_bytes) {
  if (!text.starts_with('{')) reject(path_, "the header does not begin with {");
  const json header = parse_header(path_, text);
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      tensors_.push_back(read_entry(path_, name, entry));
      continue;
    }
    if (!entry.is_object() || !std::ranges::all_of(entry, [](const json& v) { return v.is_string(); }))
      reject(path_, "__metadata__ must be an object of strings");
    metadata_ = entry.get<Metadata>();
  }
  std::ranges::sort(tensors_, {}, [](const Tensor& t) { return std::pair(t.begin, t.end); });
  std::uint64_t covered = 0;
  for (const Tensor& t : tensors_) {
    if (t.begin != covered)
      reject(path_, cat("tensor \"", cut(t.name), "\" begins at byte ", t.begin,
                        t.begin < covered ? ", inside the one before, which ends at " : ", after a hole from ", covered));
    covered = t.end;
  }
  if (covered != data_bytes) reject(path_, cat("the tensors have ", covered, " bytes, the file has ", data_bytes, " for them"));
}

const Safetensors::Tensor* Safetensors::find(std::string_view name) const {
  const auto it = std::ranges::find(tensors_, name, &Tensor::name);
  return it == tensors_.end() ? nullptr : &*it;
}

void Safetensors::read(const Tensor& t, std::span<Real> out) const {
  if (out.size() != t.size)
    throw FileError(cat(path_, ": tensor \"", cut(t.name), "\" has ", t.size, " numbers, ", out.size(), " were asked for"));
  if (!convert(t.dtype, bytes_.data() + data_ + t.begin, out))
    throw FileError(cat(path_, ": tensor \"", cut(t.name), "\" has the dtype ", t.dtype, ", which cannot be read; save it as F32"));
}

// ---- parameters

namespace {

std::string dotted(std::string path) {
  std::ranges::replace(path, '/', '.');
  return path;
}

bool same_shape(const Shape& a, std::span<const std::uint64_t> b) {
  const auto same = [](Index m, std::uint64_t n) { return static_cast<std::uint64_t>(m) == n; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

}  // namespace

void save_parameters(ParameterStore& store, const std::filesystem::path& path, const Metadata& metadata) {
  std::vector<NamedTensor> tensors;
  for (Parameter& p : store.all()) tensors.push_back({dotted(p.path()), p.shape(), p.value()});
  write_safetensors(path, std::move(tensors), metadata);
}

namespace {

/// Why the tensor cannot become the parameter: "is missing"; empty when it can.
std::string objection(const Parameter& p, const Safetensors::Tensor* t) {
  if (t == nullptr) return "is missing";
  if (!same_shape(p.shape(), t->shape)) return cat("is ", cut(shape_text(t->shape)), " but must be ", p.shape());
  if (!p.is_buffer() && !t->dtype.starts_with('F') && t->dtype != "BF16") return cat("has the dtype ", t->dtype, " but is a weight");
  return "";
}

/// All are converted before one is stored, so that an error changes nothing.
void store_values(const std::vector<Parameter*>& parameters, const Safetensors& file) {
  std::vector<std::vector<Real>> values;
  for (const Parameter* p : parameters) {
    const Safetensors::Tensor& t = *file.find(dotted(p->path()));
    file.read(t, values.emplace_back(t.size));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) std::ranges::copy(values[i], parameters[i]->value().begin());
}

}  // namespace

Metadata load_parameters(ParameterStore& store, const std::filesystem::path& path) {
  const Safetensors file(path);
  std::vector<std::string> wrong;
  std::set<std::string, std::less<>> wanted;
  std::vector<Parameter*> all;
  for (Parameter& p : store.all()) {
    const std::string name = *wanted.insert(dotted(p.path())).first;
    if (const std::string why = objection(p, file.find(name)); !why.empty()) wrong.push_back(cat(name, " ", why));
    all.push_back(&p);
  }
  for (const Safetensors::Tensor& t : file.tensors())
    if (!wanted.contains(t.name)) wrong.push_back(cat(cut(t.name), " is not in the model"));
  if (!wrong.empty()) {
    constexpr std::size_t kShown = 8;
    std::string text = cat(path.string(), ": does not fit the model: ");
    for (std::size_t i = 0; i < std::min(wrong.size(), kShown); ++i) text += (i > 0 ? "; " : "") + wrong[i];
    throw FileError(wrong.size() > kShown ? cat(text, "; and ", wrong.size() - kShown, " more") : text);
  }
  store_values(all, file);
  return file.metadata();
}

MatchingParameters load_matching(ParameterStore& store, const std::filesystem::path& path) {
  const Safetensors file(path);
  MatchingParameters result;
  std::vector<Parameter*> matching;
  for (Parameter& p : store.all()) {
    const std::string name = dotted(p.path());
    if (const std::string why = objection(p, file.find(name)); !why.empty()) {
      result.left.push_back(cat(name, " ", why));
    } else {
      matching.push_back(&p);
    }
  }
  for (const Safetensors::Tensor& t : file.tensors())
    if (std::ranges::none_of(store.all(), [&](const Parameter& p) { return dotted(p.path()) == t.name; })) result.unused.push_back(t.name);
  store_values(matching, file);
  result.taken = std::ssize(matching);
  return result;
}

}  // namespace ad
