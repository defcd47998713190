#include "autodiff/tape.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "autodiff/parameters.hpp"

namespace ad {

using detail::Node;

Real Var::item() const {
  AD_CHECK(size() == 1, "item", cat("needs a tensor of one element, this one is ", shape()));
  return *data();
}

std::span<const Real> Var::gradient() const {
  Node& n = node();
  if (n.groups.empty()) return {};
  if (n.pullback != nullptr)
    fail("gradient", cat("of the result of '", n.name, "' is not kept; make the tensor whose gradient you want a tape.variable"));
  if (n.adjoint == nullptr) n.adjoint = tape_->scratch(n.size);
  if (!*n.touched) {
    std::fill_n(n.adjoint, n.size, Real(0));
    *n.touched = true;
  }
  return {n.adjoint, static_cast<std::size_t>(n.size)};
}

Var Tape::node(const char* op, const Shape& shape, std::span<const Var> inputs) {
  Node* n = new (arena_.allocate(sizeof(Node))) Node{};
  n->shape = shape;
  n->size = shape.size();
  n->value = scratch(n->size);
  n->touched = &n->own_touched;
  n->name = op;
  n->previous = last_;
  n->input_count = std::ssize(inputs);
  n->inputs = scratch<Node*>(n->input_count);
  for (Index i = 0; i < n->input_count; ++i) {
    const Var& x = inputs[static_cast<std::size_t>(i)];
    AD_CHECK(x.tape_ == this, op, cat("input ", i, " is on another tape"));
    n->inputs[i] = &x.node();
    n->groups = n->groups | n->inputs[i]->groups;
  }
  if (!recording()) n->groups = Groups::none();
  last_ = n;
  ++count_;
  return {n, this, epoch_};
}

Var Tape::constant(const Shape& shape, std::span<const Real> data) {
  AD_CHECK(std::ssize(data) == shape.size(), "constant",
           cat("shape ", shape, " needs ", shape.size(), " numbers, got ", std::ssize(data)));
  Var x = node("constant", Shape{0}, {});
  x.node_->shape = shape;
  x.node_->size = shape.size();
  x.node_->value = const_cast<Real*>(data.data());  // ops never write to their inputs
  return x;
}

Var Tape::constant(const Shape& shape, Real value) {
  Var x = node("constant", shape, {});
  std::fill_n(x.data(), x.size(), value);
  return x;
}

Var Tape::variable(const Shape& shape, std::span<const Real> data) {
  AD_CHECK(std::ssize(data) == shape.size(), "variable",
           cat("shape ", shape, " needs ", shape.size(), " numbers, got ", std::ssize(data)));
  Var x = node("variable", shape, {});
  std::copy(data.begin(), data.end(), x.data());
  if (recording()) x.node_->groups = Groups::variables();
  return x;
}

Var Tape::parameter(Parameter& p) {
  Var x = node("parameter", Shape{0}, {});
  Node& n = *x.node_;
  n.shape = p.shape();
  n.size = p.size();
  n.value = p.value().data();
  n.parameter = &p;
  if (recording() && p.trainable() && !frozen_) {
    n.groups = p.group();
    n.adjoint = p.gradient_data();
    n.touched = p.touched_flag();
  }
  return x;
}

Var Tape::alias(const char* op, const Shape& shape, Var x, bool live) {
  AD_CHECK(shape.size() == x.size(), op, cat("cannot view ", x.shape(), " as ", shape, ": the sizes differ"));
  Var y = node(op, Shape{0}, {x});
  Node& n = *y.node_;
  n.shape = shape;
  n.size = shape.size();
  n.value = x.data();
  if (!live) n.groups = Groups::none();
  return y;
}

GradSlot Tape::grad(Var x) {
  Node& n = x.node();
  if ((n.groups & active_).empty()) return {};
  if (n.adjoint == nullptr) n.adjoint = scratch(n.size);
  const GradSlot slot{n.adjoint, *n.touched};
  *n.touched = true;
  return slot;
}

GradSlot Tape::grad_over(Var x, Var y) {
  Node &n = x.node(), &from = y.node();
  if (!(n.groups & active_).empty() && n.adjoint == nullptr && n.size == from.size) {
    n.adjoint = from.adjoint;
    n.borrowed = true;
  }
  return grad(x);
}

Real* Tape::workspace(Index count) {
  if (count > workspace_size_) {
    workspace_.reset();
    workspace_.reset(system_allocate(static_cast<std::size_t>(count) * sizeof(Real)));
    workspace_size_ = count;
  }
  return reinterpret_cast<Real*>(workspace_.get());
}

void Tape::backward(Var loss, Groups groups) {
  AD_CHECK(loss.size() == 1, "backward", cat("the loss must be one number, it is ", loss.shape(), "; take its sum or mean"));
  AD_CHECK(recording(), "backward", "this tape was made with Grad::off and recorded nothing");
  AD_CHECK(loss.live(), "backward", "the loss does not depend on any parameter or variable");
  active_ = groups | Groups::variables();
  AD_CHECK(!(loss.groups() & active_).empty(), "backward", "the loss does not depend on any parameter of the groups that it is to train");
  for (Node* n = last_; n != nullptr; n = n->previous) {
    n->own_touched = false;
    if (n->borrowed) n->adjoint = nullptr;  // its owner comes first again
    n->borrowed = false;
  }
  const GradSlot seed = grad(loss);
  *seed.data = seed.add ? *seed.data + Real(1) : Real(1);
  for (Node* n = last_; n != nullptr; n = n->previous)
    if (n->pullback != nullptr && *n->touched) n->pullback(n->closure);
}

void Tape::commit() {
  for (const detail::Effect* e = std::exchange(first_effect_, nullptr); e != nullptr; e = e->next) e->run(e->closure);
  last_effect_ = nullptr;
}

void Tape::reset() {
  arena_.reset();
  last_ = nullptr;
  first_effect_ = last_effect_ = nullptr;
  count_ = 0;
  ++epoch_;
}

std::vector<const Node*> Tape::in_order() const {
  std::vector<const Node*> nodes;
  for (const Node* n = last_; n != nullptr; n = n->previous) nodes.push_back(n);
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

std::string Tape::first_nonfinite() const {
  const auto nodes = in_order();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& n = *nodes[i];
    if (std::all_of(n.value, n.value + n.size, [](Real v) { return std::isfinite(v); })) continue;
    std::string text = cat("node ", i, " '", n.name, "'");
    if (n.parameter != nullptr) text += cat(" (", n.parameter->path(), ")");
    for (Index k = 0; k < n.input_count; ++k)
      if (n.inputs[k]->parameter != nullptr) text += cat(" (with ", n.inputs[k]->parameter->path(), ")");
    return text;
  }
  return "";
}

std::string Tape::dot() const {
  std::string text = "digraph tape {\n  node [shape=box];\n";
  const auto nodes = in_order();
  const auto id = [&](const Node* n) { return std::find(nodes.begin(), nodes.end(), n) - nodes.begin(); };
  for (const Node* n : nodes) {
    const std::string label = n->parameter != nullptr ? n->parameter->path() : std::string(n->name);
    text += cat("  n", id(n), " [label=\"", label, " ", n->shape, !n->groups.empty() ? "\"];\n" : "\", style=dashed];\n");
    for (Index k = 0; k < n->input_count; ++k) text += cat("  n", id(n->inputs[k]), " -> n", id(n), ";\n");
  }
  return text + "}\n";
}

}  // namespace ad
