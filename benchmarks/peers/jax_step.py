"""One training step of the 784-400-20 VAE in JAX, jitted whole.   jax_step.py BATCH THREADS SECONDS     prints "median X ms"
XLA takes as many threads as it may run on cores, so the process is bound to THREADS of them first."""
import os
import resource
import sys
import time

start = time.perf_counter()
batch, threads, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import jax
import jax.numpy as jnp


def linear(key, inputs, outputs):
    bound = inputs**-0.5
    return {"w": jax.random.uniform(key, (inputs, outputs), minval=-bound, maxval=bound), "b": jnp.zeros(outputs)}


def apply(layer, x):
    return x @ layer["w"] + layer["b"]


def loss(params, x, key):
    mean, log_variance = jnp.split(apply(params["head"], jax.nn.relu(apply(params["encoder"], x))), 2, axis=1)
    z = mean + jax.random.normal(key, mean.shape) * jnp.exp(0.5 * log_variance)
    logits = apply(params["output"], jax.nn.relu(apply(params["decoder"], z)))
    distortion = jnp.sum(jax.nn.softplus(logits) - logits * x)
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
keys = jax.random.split(jax.random.PRNGKey(0), 6)
params = {"encoder": linear(keys[0], 784, 400), "head": linear(keys[1], 400, 40), "decoder": linear(keys[2], 20, 400), "output": linear(keys[3], 400, 784)}
zeros = lambda: jax.tree_util.tree_map(jnp.zeros_like, params)
state = (params, zeros(), zeros(), jnp.float32(0), keys[4])
x = jax.random.uniform(keys[5], (batch, 784))


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
print(f"JAX {jax.__version__} jit B={batch} threads={threads}: median {times[len(times) // 2] * 1e3:.3f} ms loss {float(value):.1f}")
print(f"first step done after {first * 1e3:.1f} ms, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MB")
