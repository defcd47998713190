#!/usr/bin/env python3
"""Writes convolutions.json: values and gradients of PyTorch's image ops (float64). Run in this folder.

Inputs are not stored: number i of input k is sin(0.7 i + k), images as [batch, height, width, channels]. The gradients are those
of sum_i cos(0.3 i) y_i.
"""
import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def wave(shape, k):
    n = torch.Size(shape).numel()
    return torch.sin(0.7 * torch.arange(n) + k).reshape(shape).requires_grad_()


def numbers(t):
    return [float(f"{v:.7g}") for v in t.detach().flatten().tolist()]


def images_first(t):
    return t.permute(0, 3, 1, 2)


def channels_last(t):
    return t.permute(0, 2, 3, 1)


def case(op, call, shapes, **options):
    inputs = [wave(s, k) for k, s in enumerate(shapes)]
    y = channels_last(call(images_first(inputs[0]), *inputs[1:], **options))
    (torch.cos(0.3 * torch.arange(y.numel())) * y.flatten()).sum().backward()
    return dict(op=op, options=options, shapes=shapes, y_shape=list(y.shape), y=numbers(y),
                gradients=[numbers(i.grad) for i in inputs])


def conv(x, weight, bias, **options):
    return case("conv2d", F.conv2d, [x, weight, bias], **options)


def transposed(x, weight, bias, **options):
    return case("conv_transpose2d", F.conv_transpose2d, [x, weight, bias], **options)


cases = [
    conv([2, 4, 5, 3], [4, 3, 3, 3], [4]),
    conv([1, 5, 4, 2], [3, 2, 1, 1], [3]),
    conv([2, 6, 6, 1], [3, 1, 4, 4], [3], stride=2, padding=1),
    conv([1, 5, 7, 3], [4, 3, 3, 3], [4], stride=2, padding=1),
    conv([1, 7, 6, 2], [3, 2, 3, 2], [3], padding=2, dilation=2),
    conv([1, 5, 5, 4], [6, 2, 3, 3], [6], padding=1, groups=2),
    conv([1, 5, 4, 5], [5, 1, 3, 3], [5], padding=1, groups=5),
    conv([1, 5, 4, 5], [5, 1, 3, 3], [5], stride=2, padding=1, groups=5),
    conv([1, 7, 8, 4], [4, 2, 3, 3], [4], stride=3, padding=2, dilation=2, groups=2),
    conv([1, 4, 4, 18], [2, 18, 3, 3], [2], padding=1),
    transposed([2, 3, 4, 3], [3, 4, 3, 3], [4]),
    transposed([1, 3, 3, 4], [4, 1, 4, 4], [1], stride=2, padding=1),
    transposed([1, 3, 4, 3], [3, 2, 3, 3], [2], stride=2, padding=1, output_padding=1),
    transposed([1, 3, 3, 2], [2, 3, 3, 2], [3], stride=3, padding=2, output_padding=2, dilation=2),
    transposed([1, 3, 3, 4], [4, 3, 3, 3], [6], stride=2, padding=1, groups=2),
    transposed([1, 3, 3, 5], [5, 1, 3, 3], [5], stride=2, padding=1, output_padding=1, groups=5),
    case("avg_pool2d", F.avg_pool2d, [[1, 5, 6, 3]], kernel_size=3, stride=2, padding=1),
    case("max_pool2d", F.max_pool2d, [[1, 5, 6, 3]], kernel_size=3, stride=2, padding=1),
    case("upsample_nearest", lambda x, size: F.interpolate(x, size=size, mode="nearest"), [[1, 3, 4, 2]], size=[7, 6]),
    case("upsample_bilinear", lambda x, size: F.interpolate(x, size=size, mode="bilinear", align_corners=False), [[1, 3, 4, 2]],
         size=[7, 6]),
    case("upsample_bilinear", lambda x, size: F.interpolate(x, size=size, mode="bilinear", align_corners=False), [[1, 6, 5, 2]],
         size=[3, 4]),
    case("pixel_shuffle", lambda x, r: F.pixel_shuffle(x, r), [[1, 2, 3, 8]], r=2),
    case("pixel_unshuffle", lambda x, r: F.pixel_unshuffle(x, r), [[1, 4, 6, 2]], r=2),
    case("group_norm", lambda x, w, b, groups: F.group_norm(x, groups, w, b), [[2, 3, 2, 6], [6], [6]], groups=3),
]
with open("convolutions.json", "w") as f:
    json.dump(dict(torch=torch.__version__, cases=cases), f, separators=(",", ":"))
    f.write("\n")
