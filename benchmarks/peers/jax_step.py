"""One training step of a VAE in JAX, jitted whole.   jax_step.py MODEL BATCH THREADS SECONDS     prints "median X ms"
MODEL: mlp, conv or pvae, the networks of benchmarks/step; images are NHWC.
XLA takes as many threads as it may run on cores, so the process is bound to THREADS of them first."""
import os
import resource
import sys
import time

start = time.perf_counter()
name, batch, threads, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import jax
import jax.numpy as jnp

keys = iter(jax.random.split(jax.random.PRNGKey(0), 64))
relu = jax.nn.relu
WIDTHS = [3, 32, 64, 128, 256, 512]


def weights(fan_in, *shape):
    bound = fan_in**-0.5
    return jax.random.uniform(next(keys), shape, minval=-bound, maxval=bound)


def linear(inputs, outputs):
    return {"w": weights(inputs, inputs, outputs), "b": jnp.zeros(outputs)}


def kernel(side, inputs, outputs, norm=False):
    p = {"w": weights(inputs * side * side, side, side, inputs, outputs), "b": jnp.zeros(outputs)}
    return p | {"scale": jnp.ones(outputs)} if norm else p


def apply(p, x):
    return x @ p["w"] + p["b"]


def conv(p, x, stride, pads=(1, 1), enlarge=1):
    y = jax.lax.conv_general_dilated(x, p["w"], (stride, stride), (pads, pads), lhs_dilation=(enlarge, enlarge),
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
    if "scale" not in p:
        return y + p["b"]
    mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))  # batch norm
    return jax.nn.leaky_relu((y - mean) * jax.lax.rsqrt(variance + 1e-5) * p["scale"] + p["b"])


def mlp_params():
    return {"encoder": linear(784, 400), "head": linear(400, 40), "decoder": linear(20, 400), "output": linear(400, 784)}


def conv_params():
    return {"c1": kernel(4, 1, 32), "c2": kernel(4, 32, 64), "encoder": linear(3136, 256), "head": linear(256, 32), "decoder": linear(16, 256),
            "start": linear(256, 3136), "t1": kernel(4, 64, 32), "t2": kernel(4, 32, 1)}


def pvae_params():
    ups = [512, 256, 128, 64, 32, 32]
    return {"down": [kernel(3, a, b, True) for a, b in zip(WIDTHS, WIDTHS[1:])], "head": linear(2048, 256), "start": linear(128, 2048),
            "up": [kernel(3, a, b, True) for a, b in zip(ups, ups[1:])], "output": kernel(3, 32, 3)}


def encode(p, x):
    if name == "mlp":
        return apply(p["head"], relu(apply(p["encoder"], x)))
    if name == "conv":
        h = relu(conv(p["c2"], relu(conv(p["c1"], x, 2)), 2))
        return apply(p["head"], relu(apply(p["encoder"], h.reshape(batch, -1))))
    for layer in p["down"]:
        x = conv(layer, x, 2)
    return apply(p["head"], x.reshape(batch, -1))


def decode(p, z):
    if name == "mlp":
        return apply(p["output"], relu(apply(p["decoder"], z)))
    if name == "conv":
        h = relu(apply(p["start"], relu(apply(p["decoder"], z)))).reshape(batch, 7, 7, 64)
        return conv(p["t2"], relu(conv(p["t1"], h, 1, (2, 2), 2)), 1, (2, 2), 2)
    h = jax.nn.leaky_relu(apply(p["start"], z)).reshape(batch, 2, 2, 512)
    for layer in p["up"]:
        h = conv(layer, h, 1, (1, 2), 2)
    return jnp.tanh(conv(p["output"], h, 1))


def loss(params, x, key):
    mean, log_variance = jnp.split(encode(params, x), 2, axis=1)
    y = decode(params, mean + jax.random.normal(key, mean.shape) * jnp.exp(0.5 * log_variance))
    distortion = 0.5 * jnp.sum((y - x) ** 2) if name == "pvae" else jnp.sum(jax.nn.softplus(y) - y * x)
    rate = 0.5 * jnp.sum(mean**2 + jnp.exp(log_variance) - 1 - log_variance)
    return (distortion + rate) / x.shape[0]


def step(params, m, v, count, key, x):
    key, noise = jax.random.split(key)
    value, gradient = jax.value_and_grad(loss)(params, x, noise)
    count = count + 1
    tree = jax.tree_util.tree_map
    m = tree(lambda a, g: 0.9 * a + 0.1 * g, m, gradient)
    v = tree(lambda a, g: 0.999 * a + 0.001 * g * g, v, gradient)
    rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    params = tree(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + 1e-8), params, m, v)
    return params, m, v, count, key, value


step = jax.jit(step, donate_argnums=(0, 1, 2))
params = {"mlp": mlp_params, "conv": conv_params, "pvae": pvae_params}[name]()
zeros = lambda: jax.tree_util.tree_map(jnp.zeros_like, params)
state = (params, zeros(), zeros(), jnp.float32(0), next(keys))
x = jax.random.uniform(next(keys), {"mlp": (batch, 784), "conv": (batch, 28, 28, 1), "pvae": (batch, 64, 64, 3)}[name])


def run():
    global state
    *state, value = step(*state, x)
    value.block_until_ready()
    return value


run()
first = time.perf_counter() - start
for _ in range(9):
    run()
times, begin = [], time.perf_counter()
while time.perf_counter() - begin < seconds:
    t = time.perf_counter()
    value = run()
    times.append(time.perf_counter() - t)
times.sort()
print(f"JAX {jax.__version__} {name} jit B={batch} threads={threads}: median {times[len(times) // 2] * 1e3:.3f} ms loss {float(value):.1f}")
print(f"first step done after {first * 1e3:.1f} ms, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MB")
