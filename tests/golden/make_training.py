#!/usr/bin/env python3
"""Writes training.json: numbers of PyTorch (float64) that tests/engine compares with. Run in this folder."""
import datetime
import json
import platform

import torch
from torch.optim import SGD, Adam, AdamW, Adamax, RMSprop, lr_scheduler

torch.set_default_dtype(torch.float64)
torch.manual_seed(1)


def flat(t):
    return t.detach().flatten().tolist()


def optimizer(kind, rate, **options):
    """Five steps on sum_i scale_i / 2 (p_i - target_i)^2, whose gradient is scale (p - target)."""
    torch.manual_seed(2)
    p, target, scale = torch.randn(37), torch.randn(37), torch.rand(37) * 3
    start = flat(p)
    p = torch.nn.Parameter(p)
    run = kind([p], lr=rate, **options)
    after = []
    for _ in range(5):
        run.zero_grad()
        (scale / 2 * (p - target) ** 2).sum().backward()
        run.step()
        after.append(flat(p))
    return dict(kind=kind.__name__, rate=rate, options=options, start=start, target=flat(target), scale=flat(scale), after=after)


def optimizers():
    return [
        optimizer(SGD, 0.1), optimizer(SGD, 0.1, weight_decay=0.2), optimizer(SGD, 0.1, momentum=0.9),
        optimizer(SGD, 0.1, momentum=0.9, dampening=0.3, weight_decay=0.1), optimizer(SGD, 0.1, momentum=0.8, nesterov=True),
        optimizer(Adam, 0.1), optimizer(Adam, 0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.1), optimizer(Adam, 0.3, amsgrad=True),
        optimizer(AdamW, 0.1), optimizer(AdamW, 0.1, weight_decay=0.3),
        optimizer(Adamax, 0.1), optimizer(Adamax, 0.1, weight_decay=0.2),
        optimizer(RMSprop, 0.05), optimizer(RMSprop, 0.05, centered=True), optimizer(RMSprop, 0.05, momentum=0.7, weight_decay=0.1),
        optimizer(RMSprop, 0.05, centered=True, momentum=0.7, alpha=0.8),
    ]


def clipping():
    g = torch.randn(20) * 3
    cases = []
    for limit in (1.0, 100.0):
        p = torch.nn.Parameter(torch.zeros(20))
        p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_([p], limit)
        by_norm = flat(p.grad)
        p.grad = g.clone()
        torch.nn.utils.clip_grad_value_([p], limit)
        cases.append(dict(limit=limit, norm=norm.item(), by_norm=by_norm, by_value=flat(p.grad)))
    return dict(gradient=flat(g), cases=cases)


def rates(make, n=24):
    p = torch.nn.Parameter(torch.zeros(1))
    run = SGD([p], lr=0.5)
    schedule = make(run)
    out = []
    for _ in range(n):
        out.append(run.param_groups[0]["lr"])
        run.step()
        schedule.step()
    return out


def schedules():
    metrics = [5, 4, 4.1, 4.2, 4.05, 3.9, 3.9, 3.9, 3.9, 3.9, 3.8999, 3.5, 3.6, 3.6, 3.6, 3.6, 3.6, 3.6, 3.6, 3.6, 3.6]
    run = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    plateau = lr_scheduler.ReduceLROnPlateau(run, factor=0.5, patience=2, threshold=1e-3, cooldown=1, min_lr=0.1)
    reduced = []
    for m in metrics:
        plateau.step(m)
        reduced.append(run.param_groups[0]["lr"])
    return dict(
        step=rates(lambda r: lr_scheduler.StepLR(r, 7, 0.3)),
        multi_step=rates(lambda r: lr_scheduler.MultiStepLR(r, [3, 4, 15], 0.2)),
        exponential=rates(lambda r: lr_scheduler.ExponentialLR(r, 0.9)),
        cosine=rates(lambda r: lr_scheduler.CosineAnnealingLR(r, 24, 0.05)),
        one_cycle=rates(lambda r: lr_scheduler.OneCycleLR(r, 0.5, total_steps=25)),
        one_cycle_rise=rates(lambda r: lr_scheduler.OneCycleLR(r, 0.5, total_steps=25, pct_start=0.5, div_factor=10, final_div_factor=100)),
        warmup=rates(lambda r: lr_scheduler.LinearLR(r, 1 / 11, total_iters=10)),
        plateau=dict(metrics=metrics, rates=reduced),
    )


def norm_case(layer, shape):
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x, g = (2 * torch.randn(shape) + 3).requires_grad_(), torch.randn(shape)
    y = layer(x)
    y.backward(g)
    case = dict(shape=list(shape), x=flat(x), g=flat(g), weight=flat(layer.weight), bias=flat(layer.bias), y=flat(y), x_bar=flat(x.grad),
                weight_bar=flat(layer.weight.grad), bias_bar=flat(layer.bias.grad))
    if isinstance(layer, torch.nn.BatchNorm1d):
        x.grad, layer.weight.grad, layer.bias.grad = None, None, None
        case.update(running_mean=flat(layer.running_mean), running_var=flat(layer.running_var))
        layer.eval()
        z = layer(x)
        z.backward(g)
        case.update(eval_y=flat(z), eval_x_bar=flat(x.grad), eval_weight_bar=flat(layer.weight.grad), eval_bias_bar=flat(layer.bias.grad))
    return case


made = dict(by="tests/golden/make_training.py", torch=torch.__version__, python=platform.python_version(), date=str(datetime.date.today()))
golden = dict(made=made, optimizers=optimizers(), clipping=clipping(), schedules=schedules(),
              batch_norm=norm_case(torch.nn.BatchNorm1d(19), (6, 19)), layer_norm=norm_case(torch.nn.LayerNorm(19), (6, 19)))
with open("training.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
