// Convolution by oneDNN. It runs on one thread inside our own parallel loop over blocks of images, as the GEMMs do: the blocks
// are fixed by shape, so the bits do not depend on the number of threads. Images stay plain NHWC; the weights are brought into
// the primitive's own layout once a call.
#include "autodiff/conv_kernels.hpp"

#if defined(VAEZOO_ONEDNN) && !defined(VAEZOO_DOUBLE)
#include <dnnl.hpp>
#endif

#if defined(VAEZOO_ONEDNN) && !defined(VAEZOO_DOUBLE) && DNNL_VERSION_MAJOR == 2
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "autodiff/conv_tiles.hpp"

namespace ad::detail {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

enum class Kind { forward, data, weights };

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

/// How many threads oneDNN may start, until the end of the scope.
class ThreadLimit {
 public:
  explicit ThreadLimit(int n) : before_(omp_get_max_threads()) { omp_set_num_threads(n); }
  ~ThreadLimit() { omp_set_num_threads(before_); }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

/// The tensors of a convolution as oneDNN sees them, weights in any layout.
struct Tensors {
  Desc x, y, weight, plain_weight, bias;
  dnnl::memory::dims strides, dilations, before, after;

  explicit Tensors(const ConvGeometry& g) {
    constexpr auto f32 = dnnl::memory::data_type::f32;
    const auto behind = [&](Index in, Index out, Index kernel, Index first) {
      return std::max<Index>(0, (out - 1) * g.stride + (kernel - 1) * g.dilation + 1 - in - first);
    };
    x = Desc({g.batch, g.channels, g.height, g.width}, f32, Tag::nhwc);
    y = Desc({g.batch, g.out_channels, g.out_height, g.out_width}, f32, Tag::nhwc);
    const bool grouped = g.groups > 1;
    dnnl::memory::dims w{g.group_out(), g.group_in(), g.kernel_height, g.kernel_width};
    if (grouped) w.insert(w.begin(), g.groups);
    weight = Desc(w, f32, Tag::any);
    plain_weight = Desc(w, f32, grouped ? Tag::goihw : Tag::oihw);
    bias = Desc({g.out_channels}, f32, Tag::x);
    strides = {g.stride, g.stride};
    dilations = {g.dilation - 1, g.dilation - 1};
    before = {g.top, g.left};
    after = {behind(g.height, g.out_height, g.kernel_height, g.top), behind(g.width, g.out_width, g.kernel_width, g.left)};
  }
};

struct Key {
  ConvGeometry geometry;  // batch: the images of one call
  Kind kind;
  Activation activation;
  bool bias, add;

  auto tie() const {
    const ConvGeometry& g = geometry;
    return std::tuple(kind, activation, bias, add, g.batch, g.height, g.width, g.channels, g.out_height, g.out_width,
                      g.out_channels, g.kernel_height, g.kernel_width, g.stride, g.top, g.left, g.dilation, g.groups);
  }
  friend bool operator<(const Key& a, const Key& b) { return a.tie() < b.tie(); }
};

Index padded_size(const Desc& d) { return static_cast<Index>((d.get_size() + 63) / 64 * 64 / sizeof(Real)); }

/// A primitive's memory objects. Made once; a call only points them to its data.
struct Memories {
  dnnl::memory x, y, weight, scratchpad;
};

/// One primitive with what it needs to run.
class Primitive {
 public:
  explicit Primitive(const Key& key) : kind_(key.kind), tensors_(key.geometry) {
    const ThreadLimit one(1);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    constexpr auto direct = dnnl::algorithm::convolution_direct;
    const Tensors& t = tensors_;
    const auto forward = forward_description(key, attributes);
    if (kind_ == Kind::forward) take(dnnl::convolution_forward(forward), forward.weights_desc(), forward.scratchpad_desc());
    if (kind_ == Kind::data) {
      const dnnl::convolution_backward_data::primitive_desc d(
          {direct, t.x, t.weight, t.y, t.strides, t.dilations, t.before, t.after}, attributes, engine(), forward);
      take(dnnl::convolution_backward_data(d), d.weights_desc(), d.scratchpad_desc());
    }
    if (kind_ == Kind::weights) {
      const dnnl::convolution_backward_weights::primitive_desc d(
          {direct, t.x, t.weight, t.y, t.strides, t.dilations, t.before, t.after}, attributes, engine(), forward);
      take(dnnl::convolution_backward_weights(d), d.diff_weights_desc(), d.scratchpad_desc());
    }
  }

  Index weight_size() const { return padded_size(weight_); }
  Index scratch_size() const { return padded_size(scratchpad_); }

  /// Between plain weights and the primitive's layout: there, or back for Kind::weights.
  void reorder(const Real* from, Real* to) {
    from_.set_data_handle(const_cast<Real*>(from));
    to_.set_data_handle(to);
    constexpr Index kSmall = 1 << 16;  // not worth waking threads for
    const ThreadLimit limit(weight_size() < kSmall ? 1 : threads());
    run(reorder_, {{{DNNL_ARG_FROM, from_.get()}, {DNNL_ARG_TO, to_.get()}}});
  }
  void set_bias(const Real* bias) { bias_.set_data_handle(const_cast<Real*>(bias)); }

  /// The convolution, on the calling thread. `bias` is the one of set_bias.
  void operator()(const Real* x, const Real* y, const Real* weight, Real* scratch, bool bias) {
    Memories& m = of_thread_[static_cast<std::size_t>(omp_get_thread_num())];
    const std::array<std::pair<dnnl::memory*, const Real*>, 4> data{
        {{&m.x, x}, {&m.y, y}, {&m.weight, weight}, {&m.scratchpad, scratch}}};
    for (const auto& [memory, place] : data)
      if (memory->get_data_handle() != place) memory->set_data_handle(const_cast<Real*>(place));
    const bool back_to_x = kind_ == Kind::data, back_to_weight = kind_ == Kind::weights, forward = kind_ == Kind::forward;
    const std::array<dnnl_exec_arg_t, 5> arguments{{{back_to_x ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, m.x.get()},
                                                    {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, m.y.get()},
                                                    {back_to_weight ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, m.weight.get()},
                                                    {DNNL_ARG_SCRATCHPAD, m.scratchpad.get()},
                                                    {DNNL_ARG_BIAS, bias_.get()}}};
    const ThreadLimit one(1);
    run(primitive_, std::span(arguments).first(bias ? 5 : 4));
  }

  /// Memory objects for as many threads as there are now.
  void prepare() {
    while (std::ssize(of_thread_) < threads()) {
      const auto none = [](const Desc& d) { return dnnl::memory(d, engine(), nullptr); };
      of_thread_.push_back({none(tensors_.x), none(tensors_.y), none(weight_), none(scratchpad_)});
    }
  }

 private:
  dnnl::convolution_forward::primitive_desc forward_description(const Key& key, dnnl::primitive_attr attributes) const {
    const Tensors& t = tensors_;
    dnnl::post_ops after;
    if (key.add) after.append_sum(1.0f);
    if (key.activation != Activation::identity)
      after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, key.activation == Activation::relu ? 0.0f : kLeakySlope, 0.0f);
    attributes.set_post_ops(after);
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, t.x, t.weight, key.bias ? t.bias : Desc(),
             t.y, t.strides, t.dilations, t.before, t.after},
            attributes,
            engine()};
  }

  void take(dnnl::primitive primitive, const Desc& weight, const Desc& scratchpad) {
    primitive_ = std::move(primitive);
    weight_ = weight;
    scratchpad_ = scratchpad;
    const Desc &from = kind_ == Kind::weights ? weight_ : tensors_.plain_weight,
               &to = kind_ == Kind::weights ? tensors_.plain_weight : weight_;
    reorder_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
    from_ = dnnl::memory(from, engine(), nullptr);
    to_ = dnnl::memory(to, engine(), nullptr);
    bias_ = dnnl::memory(tensors_.bias, engine(), nullptr);
  }

  static void run(const dnnl::primitive& p, std::span<const dnnl_exec_arg_t> arguments) {
    static thread_local dnnl::stream stream(engine());
    dnnl::error::wrap_c_api(dnnl_primitive_execute(p.get(), stream.get(), static_cast<int>(arguments.size()), arguments.data()),
                            "a convolution of oneDNN failed");
  }

  Kind kind_;
  Tensors tensors_;
  Desc weight_, scratchpad_;  // weight_: in the primitive's layout
  dnnl::primitive primitive_, reorder_;
  dnnl::memory from_, to_, bias_;
  std::vector<Memories> of_thread_;
};

/// The primitive of a key, made at its first use; nullptr where oneDNN has none.
Primitive* find(const Key& key) {
  static thread_local std::map<Key, std::unique_ptr<Primitive>> cache;
  auto [at, is_new] = cache.try_emplace(key);
  if (is_new) {
    try {
      at->second = std::make_unique<Primitive>(key);
    } catch (const dnnl::error&) {  // the entry stays empty
    }
  }
  if (at->second) at->second->prepare();
  return at->second.get();
}

/// Images cut into blocks, all of one size but the last, each with its primitive.
struct Blocks {
  Index batch, images, count;
  Primitive *most = nullptr, *last = nullptr;

  Blocks(const ConvGeometry& g, Index images_of_block, Key key)
      : batch(g.batch), images(images_of_block), count((batch + images - 1) / images) {
    key.geometry.batch = images;
    most = find(key);
    key.geometry.batch = batch - (count - 1) * images;
    last = find(key);
  }
  bool found() const { return most != nullptr && last != nullptr; }
  Index first(Index i) const { return i * images; }
  Index size(Index i) const { return std::min(images, batch - i * images); }
  Primitive& primitive(Index i) const { return i + 1 == count ? *last : *most; }
  Index scratch_size() const { return std::max(most->scratch_size(), last->scratch_size()); }
};

Index image_x(const ConvGeometry& g) { return g.height * g.width * g.channels; }
Index image_y(const ConvGeometry& g) { return g.out_height * g.out_width * g.out_channels; }

constexpr Index kBlockSize = 1 << 18;  // numbers of x and y in a block: it stays in the second-level cache
constexpr Index kFewestPixels = 256;   // of y in a block: the weights are read again for each

Index images_of_block(const ConvGeometry& g) {
  const Index fewest = (kFewestPixels + g.out_height * g.out_width - 1) / (g.out_height * g.out_width);
  const Index images = std::max(kBlockSize / (image_x(g) + image_y(g)), fewest);
  return std::min(g.batch, even_grain(g.batch, std::max<Index>(1, images)));
}

/// Both products that read weights: `to` = the primitive's result for each block, then the rest of the finish.
bool run_blocks(Tape& tape, const ConvGeometry& g, const Blocks& blocks, const Real* x, const Real* y, const Real* weight,
                const Real* bias, const Finish& rest, Real* result, Index image, Index channels) {
  if (!blocks.found()) return false;
  const Index scratch = blocks.scratch_size(), weights = blocks.most->weight_size();
  if (weights != blocks.last->weight_size()) return false;
  Real* packed = tape.workspace(weights + threads() * scratch);
  blocks.most->reorder(weight, packed);
  if (bias != nullptr) blocks.most->set_bias(bias), blocks.last->set_bias(bias);
  parallel_for(blocks.count, [&](Index i) {
    const Index first = blocks.first(i);
    blocks.primitive(i)(x + first * image_x(g), y + first * image_y(g), packed, packed + weights + omp_get_thread_num() * scratch,
                        bias != nullptr);
    finish_tile(rest, 0, result + first * image, blocks.size(i) * image / channels, channels, channels);
  });
  return true;
}

void forward(Tape& tape, const ConvGeometry& g, const Real* x, const Real* weight, const Finish& finish, GradSlot y) {
  const bool inside = finish.activation == Activation::relu || finish.activation == Activation::leaky_relu;
  const Key key{g, Kind::forward, inside ? finish.activation : Activation::identity, finish.bias != nullptr, y.add};
  if (g.out_pixels() == 0 ||
      !run_blocks(tape, g, Blocks(g, images_of_block(g), key), x, y.data, weight, finish.bias,
                  {nullptr, inside ? Activation::identity : finish.activation}, y.data, image_y(g), g.out_channels))
    kIm2colKernels.forward(tape, g, x, weight, finish, y);
}

void backward_data(Tape& tape, const ConvGeometry& g, const Real* y, const Real* weight, const Finish& finish, GradSlot x) {
  const Key key{g, Kind::data, Activation::identity, false, false};
  if (x.add || g.out_pixels() == 0 ||
      !run_blocks(tape, g, Blocks(g, images_of_block(g), key), x.data, y, weight, nullptr, finish, x.data, image_x(g),
                  g.channels))
    kIm2colKernels.backward_data(tape, g, y, weight, finish, x);
}

void backward_weights(Tape& tape, const ConvGeometry& g, const Real* x, const Real* y, GradSlot weight) {
  if (g.out_pixels() == 0) return kIm2colKernels.backward_weights(tape, g, x, y, weight);
  constexpr Index kSums = 8, kSumsSize = 1 << 21;  // sums of the gradient, added in order: how many, and numbers in all of them
  const Index most = std::clamp(kSumsSize / g.weights(), Index(2), kSums), each = std::max<Index>(1, g.batch / most);
  const Blocks blocks(g, std::min(g.batch, even_grain(g.batch, each)), Key{g, Kind::weights, Activation::identity, false, false});
  if (!blocks.found() || blocks.most->weight_size() != blocks.last->weight_size())
    return kIm2colKernels.backward_weights(tape, g, x, y, weight);
  const Index size = blocks.most->weight_size(), scratch = blocks.scratch_size();
  Real* sums = tape.workspace(blocks.count * size + g.weights() + threads() * scratch);
  Real *plain = sums + blocks.count * size, *scratches = plain + g.weights();
  parallel_for(blocks.count, [&](Index i) {
    const Index first = blocks.first(i);
    blocks.primitive(i)(x + first * image_x(g), y + first * image_y(g), sums + i * size,
                        scratches + omp_get_thread_num() * scratch, false);
  });
  parallel_blocks(size, kMapGrain, [&](Index begin, Index end) {
    for (Index i = 1; i < blocks.count; ++i) add_to(sums + begin, sums + i * size + begin, end - begin);
  });
  blocks.most->reorder(sums, weight.add ? plain : weight.data);
  if (weight.add)
    parallel_blocks(g.weights(), kMapGrain,
                    [&](Index begin, Index end) { add_to(weight.data + begin, plain + begin, end - begin); });
}

}  // namespace

const ConvKernels* onednn_kernels() {
  static const ConvKernels kernels{forward, backward_data, backward_weights};
  return &kernels;
}

}  // namespace ad::detail

#else

namespace ad::detail {
const ConvKernels* onednn_kernels() { return nullptr; }
}  // namespace ad::detail

#endif
