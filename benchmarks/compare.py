#!/usr/bin/env python3
"""The same training step side by side: the hand-written floor, vaezoo, PyTorch and JAX, on the same threads of the same machine.

  python3 benchmarks/compare.py [--build build] [--rounds 5] [--seconds 3] [--threads 2] [--python PYTHON]
                                [--steps mlp:32,mlp:128,mlp:512,conv:128,pvae:64]

Needs the built benchmarks; PyTorch and JAX are shown when PYTHON has them (pip install torch jax). Every command runs once a round,
in turn, so that all meet the same noise. The table gives the median over the rounds of each command's median step time, its ratio to
vaezoo, and of the last round the time from process start to the end of the first step, peak memory and heap allocations per step.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--build", default=os.path.join(here, "..", "build"), help="folder of the build")
options.add_argument("--rounds", type=int, default=5)
options.add_argument("--seconds", type=float, default=3, help="of each run")
options.add_argument("--threads", type=int, default=2)
options.add_argument("--steps", default="mlp:32,mlp:128,mlp:512,conv:128,pvae:64", help="models of benchmarks/step with their batches")
options.add_argument("--python", default=sys.executable, help="interpreter that has torch and jax")
args = options.parse_args()


def commands(model, size):
    threads, seconds = str(args.threads), str(args.seconds * (2 if model == "pvae" else 1))
    built = lambda name: os.path.join(args.build, "benchmarks", name)
    peer = lambda name, *more: [args.python, os.path.join(here, "peers", name), model, size, threads, seconds, *more]
    all_of_them = {"vaezoo": [built("step"), "--model", model, "--batch", size, "--threads", threads, "--seconds", seconds]}
    if model == "mlp":
        all_of_them["floor, oneDNN"] = [built("floor_onednn"), size, threads, seconds]
        all_of_them["floor, OpenBLAS"] = [built("floor_openblas"), size, threads, seconds]
    for mode in ["eager", "compile"] + ([] if model == "mlp" else ["eager-nhwc", "compile-nhwc"]):
        all_of_them["PyTorch " + mode] = peer("torch_step.py", mode)
    all_of_them["JAX jit"] = peer("jax_step.py")
    return {name: c for name, c in all_of_them.items() if not c[0].startswith(args.build) or os.path.exists(c[0])}


def figure(pattern, text):
    found = re.findall(pattern, text)
    return float(found[-1]) if found else None


def show(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


print(f"{'step':>9}  {'what':20} {'median ms':>10} {'ratio':>6} {'first step ms':>14} {'peak MB':>8} {'allocations':>12}")
for model, batch in [step.split(":") for step in args.steps.split(",")]:
    times, rest = {}, {}
    for _ in range(args.rounds):
        for name, command in commands(model, batch).items():
            done = subprocess.run(command, capture_output=True, text=True)
            median = figure(r"median ([0-9.]+) ms", done.stdout)
            if median is None:
                print(f"  {name}: {(done.stderr.strip().splitlines() or ['printed no figure'])[-1][:150]}", file=sys.stderr)
                continue
            times.setdefault(name, []).append(median)
            rest[name] = (figure(r"first step done after ([0-9.]+) ms", done.stdout), figure(r"peak memory ([0-9.]+) MB", done.stdout),
                          figure(r"heap allocations per step ([0-9.]+)", done.stdout))
    medians = {name: statistics.median(t) for name, t in times.items()}
    for name, median in medians.items():
        first, memory, allocations = rest[name]
        ratio = median / medians["vaezoo"] if "vaezoo" in medians else None
        print(f"{model + ':' + batch:>9}  {name:20} {median:10.3f} {show(ratio, 2):>6} {show(first, 0):>14} {show(memory, 0):>8} {show(allocations, 0):>12}", flush=True)
