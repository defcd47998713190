#include "autodiff/parameters.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "autodiff/check.hpp"

namespace ad {
namespace {

/// The system promises more memory than there is, and ends the process when it is used.
void refuse_too_many(std::string_view path, const Shape& shape, Index present) {
  static const double memory = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
  const double needed = 2.0 * sizeof(Real) * (double(present) + double(shape.size()));  // with the gradients
  if (needed > memory)
    throw Error(cat("[ParameterStore] ", path, " of ", shape, " is too large: with its gradients, the model needs ",
                    std::ceil(needed / 1e9), " GB or more, and this machine has ", std::floor(memory / 1e9), " GB"));
}

}  // namespace

std::span<Real> Parameter::value() {
  auto& flat = is_buffer_ ? store_->buffers_ : store_->values_;
  return flat.span().subspan(static_cast<std::size_t>(offset_), static_cast<std::size_t>(size()));
}

Real* Parameter::gradient_data() { return store_->gradients_.data() + offset_; }

std::span<const Real> Parameter::gradient() {
  AD_CHECK(!is_buffer_, "gradient", cat(path_, " is a buffer and has no gradient"));
  if (!touched_) {
    std::fill_n(gradient_data(), size(), Real(0));
    touched_ = true;
  }
  return {gradient_data(), static_cast<std::size_t>(size())};
}

Parameter& ParameterStore::insert(std::string_view path, const Shape& shape, bool is_buffer) {
  AD_CHECK(!path.empty() && path.find('.') == path.npos, "ParameterStore",
           cat("\"", path, "\" is no path: it must be like encoder/0/weight, without '.'"));
  AD_CHECK(find(path) == nullptr, "ParameterStore", cat("there is already a parameter named ", path));
  refuse_too_many(path, shape, values_.size());
  Parameter& p = parameters_.emplace_back();
  p.store_ = this;
  p.path_ = path;
  p.shape_ = shape;
  p.is_buffer_ = is_buffer;
  p.trainable_ = !is_buffer;
  p.offset_ = (is_buffer ? buffers_ : values_).append(shape.size());
  if (!is_buffer) {
    gradients_.append(shape.size());
    p.group_ = group_of(path.substr(0, path.find('/')));
  }
  return p;
}

Groups ParameterStore::group_of(std::string_view name) {
  auto it = std::ranges::find(group_names_, name);
  if (it == group_names_.end()) it = group_names_.insert(it, std::string(name));
  return Groups::one(static_cast<int>(std::min<std::ptrdiff_t>(it - group_names_.begin(), Groups::kMost - 1)));
}

Groups ParameterStore::groups(std::initializer_list<std::string_view> names) const {
  AD_CHECK(std::ssize(group_names_) <= Groups::kMost, "groups",
           cat("the first parts of the paths have ", group_names_.size(), " names, more than the ", Groups::kMost, " that a tape distinguishes"));
  Groups chosen;
  for (const std::string_view name : names) {
    const auto it = std::ranges::find(group_names_, name);
    AD_CHECK(it != group_names_.end(), "groups", cat("no trained parameter's path begins with \"", name, "\""));
    chosen = chosen | Groups::one(static_cast<int>(it - group_names_.begin()));
  }
  return chosen;
}

Parameter& ParameterStore::add(std::string_view path, const Shape& shape, const Initializer& initializer) {
  Parameter& p = insert(path, shape, false);
  initializer(key_.fold(path), shape, p.value());
  return p;
}

Parameter& ParameterStore::add_buffer(std::string_view path, const Shape& shape, Real value) {
  Parameter& p = insert(path, shape, true);
  std::ranges::fill(p.value(), value);
  return p;
}

Parameter* ParameterStore::find(std::string_view path) {
  const auto it = std::ranges::find(parameters_, path, &Parameter::path);
  return it == parameters_.end() ? nullptr : &*it;
}

Index ParameterStore::count() const {
  Index n = 0;
  for (const Parameter& p : parameters_) n += p.is_buffer() ? 0 : p.size();
  return n;
}

std::span<Real> ParameterStore::gradients() {
  for (Parameter& p : parameters_)
    if (!p.is_buffer()) p.gradient();
  return gradients_.span();
}

void ParameterStore::zero_grad() {
  for (Parameter& p : parameters_) p.touched_ = false;
}

namespace {
bool finite(std::span<const Real> values) {
  return std::ranges::all_of(values, [](Real v) { return std::isfinite(v); });
}
}  // namespace

std::string ParameterStore::first_nonfinite_gradient() {
  for (Parameter& p : parameters_)
    if (!p.is_buffer() && !finite(p.gradient())) return p.path();
  return "";
}

std::string ParameterStore::first_nonfinite_value() {
  for (Parameter& p : parameters_)
    if (!finite(p.value())) return p.path();
  return "";
}

}  // namespace ad
