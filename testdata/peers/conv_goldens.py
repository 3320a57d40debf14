#!/usr/bin/env python3
"""Write the golden of the convolution family and the pools: gradients from PyTorch in float64, on whole numbers.

Every case is one node. Its data come from one small integer recurrence, started anew for each case:

    s <- (s * 1103515245 + 12345) mod 2^31,   value = (s >> 16) mod 7 - 3

starting from s = 1 and drawn in this order, row-major: x, w and b where there are any, and the cotangent dy of y.
Automatic padding and output_shape are worked out here, as ONNX's specification says, into PyTorch's padding or cropping.

The file is a JSON list; a case holds the node's attributes by ONNX's names, the shapes x, w and y, and the gradients dx, dw
and db, flat. Averages are given times the number of elements that `scale` says, so that they are whole.

    python conv_goldens.py [PATH]      default ../goldens/conv.json
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F


def drawn(state, shape):
    out = np.empty(int(np.prod(shape)), dtype=np.float64)
    for i in range(out.size):
        state[0] = (state[0] * 1103515245 + 12345) % 2**31
        out[i] = (state[0] >> 16) % 7 - 3
    return torch.from_numpy(out.reshape(shape))


def split(total, upper):
    total = max(0, total)
    begin = total // 2 if upper else total - total // 2
    return begin, total - begin


def conv(x, w, b, a):
    k = w.dim() - 2
    strides, dilations = a.get("strides", [1] * k), a.get("dilations", [1] * k)
    pads = a.get("pads", [0] * 2 * k)
    begins, ends = list(pads[:k]), list(pads[k:])
    if a.get("auto_pad", "NOTSET").startswith("SAME"):
        for i in range(k):
            size, span = x.shape[i + 2], (w.shape[i + 2] - 1) * dilations[i] + 1
            out = -(-size // strides[i])
            begins[i], ends[i] = split((out - 1) * strides[i] + span - size, a["auto_pad"] == "SAME_UPPER")
    flat = [p for i in reversed(range(k)) for p in (begins[i], ends[i])]
    f = (F.conv1d, F.conv2d, F.conv3d)[k - 1]
    return f(F.pad(x, flat), w, b, stride=strides, dilation=dilations, groups=a.get("group", 1))


def conv_transpose(x, w, b, a):
    k = w.dim() - 2
    strides, dilations = a.get("strides", [1] * k), a.get("dilations", [1] * k)
    extra = a.get("output_padding", [0] * k)
    pads = a.get("pads", [0] * 2 * k)
    begins, ends = list(pads[:k]), list(pads[k:])
    auto = a.get("auto_pad", "NOTSET")
    for i in range(k):
        span = (w.shape[i + 2] - 1) * dilations[i] + 1
        full = (x.shape[i + 2] - 1) * strides[i] + span + extra[i]
        if "output_shape" in a:
            begins[i], ends[i] = split(full - a["output_shape"][i], auto == "SAME_UPPER")
        elif auto.startswith("SAME"):
            begins[i], ends[i] = split(full - x.shape[i + 2] * strides[i], auto == "SAME_UPPER")
    f = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[k - 1]
    y = f(x, w, None, stride=strides, dilation=dilations, groups=a.get("group", 1))
    y = F.pad(y, [p for i in reversed(range(k)) for p in (0, extra[i])])
    for i in range(k):
        y = y.narrow(i + 2, begins[i], y.shape[i + 2] - begins[i] - ends[i])
    return y if b is None else y + b.reshape([1, -1] + [1] * k)


def pool(x, a, op):
    k = len(a["kernel_shape"])
    kernel, strides = a["kernel_shape"], a.get("strides", [1] * k)
    pads = a.get("pads", [0] * 2 * k)[:k]
    if op == "MaxPool":
        f = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[k - 1]
        return f(x, kernel, strides, pads, a.get("dilations", [1] * k), bool(a.get("ceil_mode", 0)))
    f = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[k - 1]
    return f(x, kernel, strides, pads, bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))


CONVS = [
    ("3x3", [2, 2, 4, 5], [3, 2, 3, 3], dict(pads=[1, 1, 1, 1])),
    ("5x5 one channel", [3, 1, 6, 6], [2, 1, 5, 5], dict(pads=[2, 2, 2, 2])),
    ("1x1", [2, 3, 3, 2], [2, 3, 1, 1], dict()),
    ("1x1 stride", [2, 3, 5, 4], [2, 3, 1, 1], dict(strides=[2, 2])),
    ("asymmetric pads", [1, 2, 4, 5], [2, 2, 3, 2], dict(pads=[2, 0, 1, 3])),
    ("stride 2", [2, 2, 6, 5], [3, 2, 3, 3], dict(strides=[2, 2], pads=[1, 1, 1, 1])),
    ("stride 3 and a rest", [1, 2, 8, 7], [2, 2, 2, 2], dict(strides=[3, 3])),
    ("strides 1 and 2", [1, 5, 5, 6], [2, 5, 3, 3], dict(strides=[1, 2], pads=[0, 1, 1, 0])),
    ("dilated", [1, 2, 6, 7], [2, 2, 3, 2], dict(dilations=[2, 3], pads=[1, 0, 0, 2])),
    ("stride and dilation", [1, 2, 7, 7], [2, 2, 3, 3], dict(strides=[2, 2], dilations=[2, 3], pads=[1, 2, 1, 2])),
    ("dilation and a rest", [2, 5, 9], [2, 5, 3], dict(strides=[4], dilations=[3])),
    ("groups", [2, 4, 4, 4], [6, 2, 3, 3], dict(group=2, pads=[1, 1, 1, 1])),
    ("depthwise", [2, 3, 4, 5], [3, 1, 3, 3], dict(group=3, pads=[1, 1, 1, 1])),
    ("depthwise, two a channel", [1, 3, 4, 4], [6, 1, 2, 3], dict(group=3)),
    ("depthwise stride", [2, 3, 6, 5], [3, 1, 3, 3], dict(group=3, strides=[2, 2])),
    ("same upper", [1, 2, 5, 6], [2, 2, 4, 3], dict(auto_pad="SAME_UPPER")),
    ("same lower", [1, 2, 5, 6], [2, 2, 4, 3], dict(auto_pad="SAME_LOWER")),
    ("same upper stride", [2, 2, 5, 6], [2, 2, 4, 3], dict(auto_pad="SAME_UPPER", strides=[2, 3])),
    ("same lower stride", [1, 2, 6, 5], [2, 2, 3, 2], dict(auto_pad="SAME_LOWER", strides=[3, 2])),
    ("same, stride beyond the kernel", [1, 2, 7, 6], [2, 2, 1, 2], dict(auto_pad="SAME_UPPER", strides=[3, 3])),
    ("valid", [1, 2, 5, 5], [2, 2, 3, 2], dict(auto_pad="VALID", strides=[2, 1])),
    ("1-D", [2, 3, 8], [2, 3, 3], dict(pads=[1, 2], dilations=[2])),
    ("1-D stride", [1, 6, 9], [2, 6, 4], dict(strides=[2], pads=[0, 1])),
    ("3-D", [1, 2, 3, 4, 3], [2, 2, 2, 3, 2], dict(pads=[1, 0, 1, 0, 1, 0])),
    ("3-D stride", [2, 1, 5, 4, 4], [2, 1, 2, 2, 3], dict(strides=[2, 1, 2])),
    ("3-D groups", [1, 2, 3, 3, 3], [4, 1, 2, 2, 2], dict(group=2)),
    ("blocks", [1, 2, 6, 6], [2, 2, 4, 2], dict(strides=[2, 2], pads=[1, 0, 1, 0])),
]

TRANSPOSED = [
    ("stride 2", [2, 3, 3, 4], [3, 2, 3, 3], dict(strides=[2, 2], pads=[1, 1, 1, 1])),
    ("stride 1", [1, 2, 3, 4], [2, 3, 3, 3], dict()),
    ("4x4 stride 2", [1, 2, 3, 3], [2, 3, 4, 4], dict(strides=[2, 2], pads=[1, 1, 1, 1])),
    ("asymmetric pads", [1, 2, 4, 3], [2, 2, 3, 3], dict(strides=[2, 1], pads=[0, 2, 1, 0])),
    ("output padding", [2, 2, 3, 3], [2, 2, 3, 2], dict(strides=[2, 3], output_padding=[1, 2])),
    ("output padding and dilation", [1, 2, 3, 3], [2, 2, 2, 2], dict(strides=[2, 3], dilations=[2, 2], output_padding=[1, 2])),
    ("dilated", [1, 2, 3, 4], [2, 2, 2, 3], dict(dilations=[3, 2], strides=[2, 1])),
    ("groups", [2, 4, 3, 3], [4, 2, 3, 3], dict(group=2, strides=[2, 2])),
    ("depthwise", [1, 3, 3, 4], [3, 1, 3, 3], dict(group=3)),
    ("output shape", [1, 2, 3, 3], [2, 2, 3, 3], dict(strides=[3, 2], output_shape=[8, 6])),
    ("output shape upper", [1, 2, 3, 3], [2, 2, 3, 3], dict(strides=[3, 2], output_shape=[8, 6], auto_pad="SAME_UPPER")),
    ("same upper", [1, 2, 3, 4], [2, 2, 4, 3], dict(strides=[2, 2], auto_pad="SAME_UPPER")),
    ("same lower", [2, 2, 3, 3], [2, 2, 4, 3], dict(strides=[1, 2], auto_pad="SAME_LOWER")),
    ("1-D", [2, 3, 4], [3, 2, 3], dict(strides=[2], output_padding=[1])),
    ("3-D", [1, 2, 2, 3, 2], [2, 2, 2, 2, 3], dict(strides=[1, 2, 2], pads=[0, 1, 0, 1, 0, 0])),
]

POOLS = [
    ("MaxPool", "2x2", [2, 2, 4, 6], dict(kernel_shape=[2, 2], strides=[2, 2])),
    ("MaxPool", "3x3 and a rest", [1, 2, 7, 8], dict(kernel_shape=[3, 3], strides=[3, 3])),
    ("MaxPool", "overlapping", [2, 2, 5, 6], dict(kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 1])),
    ("MaxPool", "dilated", [1, 2, 6, 7], dict(kernel_shape=[2, 3], dilations=[3, 2])),
    ("MaxPool", "ceil", [1, 2, 5, 6], dict(kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)),
    ("MaxPool", "ceil apart", [1, 2, 5, 6], dict(kernel_shape=[2, 2], strides=[2, 3], ceil_mode=1)),
    ("MaxPool", "padded apart", [1, 2, 5, 6], dict(kernel_shape=[2, 3], strides=[2, 3], pads=[1, 1, 1, 1])),
    ("MaxPool", "1-D", [2, 2, 7], dict(kernel_shape=[3], strides=[2])),
    ("MaxPool", "3-D", [1, 2, 3, 4, 4], dict(kernel_shape=[2, 2, 3], strides=[1, 2, 1])),
    ("AveragePool", "2x2", [2, 2, 4, 6], dict(kernel_shape=[2, 2], strides=[2, 2])),
    ("AveragePool", "overlapping", [2, 2, 5, 6], dict(kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 1])),
    ("AveragePool", "with the padding", [1, 2, 5, 6], dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)),
    ("AveragePool", "ceil", [1, 2, 5, 6], dict(kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)),
    ("AveragePool", "large", [1, 1, 4, 50], dict(kernel_shape=[2, 3], pads=[1, 1, 1, 1], count_include_pad=1)),
    ("AveragePool", "1-D", [2, 2, 9], dict(kernel_shape=[4], strides=[3])),
    ("AveragePool", "3-D", [1, 2, 3, 4, 4], dict(kernel_shape=[2, 2, 3], strides=[1, 2, 1])),
]


def whole(t):
    v = t.detach().numpy().reshape(-1)
    assert np.allclose(v, np.round(v), atol=1e-9), v
    return [int(round(e)) for e in v]


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../goldens/conv.json")
    cases = []
    families = [("Conv", conv, CONVS), ("ConvTranspose", conv_transpose, TRANSPOSED)]
    for op, f, listed in families:
        for name, xs, ws, a in listed:
            state = [1]
            x, w = drawn(state, xs).requires_grad_(), drawn(state, ws).requires_grad_()
            channels = ws[0] if op == "Conv" else ws[1] * a.get("group", 1)
            b = drawn(state, [channels]).requires_grad_()
            y = f(x, w, b, a)
            dy = drawn(state, list(y.shape))
            dx, dw, db = torch.autograd.grad((y * dy).sum(), [x, w, b])
            cases.append(dict(op=op, name=name, x=xs, w=ws, y=list(y.shape), attrs=a, dx=whole(dx), dw=whole(dw), db=whole(db)))
    for op, name, xs, a in POOLS:
        state = [1]
        x = drawn(state, xs).requires_grad_()
        y = pool(x, a, op)
        dy = drawn(state, list(y.shape))
        scale = 1
        if op == "AveragePool":
            scale = 2520  # every count from 1 to 10 divides it
            for k in a["kernel_shape"]:
                scale *= 2 if k % 2 == 0 else 1
        dx, = torch.autograd.grad((y * dy).sum() * scale, [x])
        cases.append(dict(op=op, name=name, x=xs, y=list(y.shape), attrs=a, scale=scale, dx=whole(dx)))
    with open(path, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
