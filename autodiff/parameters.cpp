#include "autodiff/parameters.hpp"

#include <algorithm>
#include <cstring>

#include "autodiff/arena.hpp"
#include "autodiff/check.hpp"

namespace ad {

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

void ParameterStore::Flat::Free::operator()(Real* p) const { system_free(reinterpret_cast<std::byte*>(p)); }

Index ParameterStore::Flat::append(Index count) {
  constexpr Index kPad = static_cast<Index>(Arena::kAlign / sizeof(Real));
  const Index begin = size_, end = size_ + (count + kPad - 1) / kPad * kPad;
  if (end > capacity_) {
    const Index capacity = std::max(end, 2 * capacity_);
    std::unique_ptr<Real, Free> grown(reinterpret_cast<Real*>(system_allocate(static_cast<std::size_t>(capacity) * sizeof(Real))));
    if (size_ > 0) std::memcpy(grown.get(), data_.get(), static_cast<std::size_t>(size_) * sizeof(Real));
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  std::fill(data_.get() + begin, data_.get() + end, Real(0));
  size_ = end;
  return begin;
}

Parameter& ParameterStore::insert(std::string_view path, const Shape& shape, bool is_buffer) {
  AD_CHECK(find(path) == nullptr, "ParameterStore", cat("there is already a parameter named ", path));
  Parameter& p = parameters_.emplace_back();
  p.store_ = this;
  p.path_ = path;
  p.shape_ = shape;
  p.is_buffer_ = is_buffer;
  p.trainable_ = !is_buffer;
  p.offset_ = (is_buffer ? buffers_ : values_).append(shape.size());
  if (!is_buffer) gradients_.append(shape.size());
  return p;
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

}  // namespace ad
