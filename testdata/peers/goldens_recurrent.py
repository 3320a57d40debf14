#!/usr/bin/env python3
"""Write the goldens for recurrent layers and an attention block: outputs and
gradients in float64, from PyTorch.

For each of lstm, gru, rnn (two directions, length 5, batch 3, 4 inputs, 6
units, given initial states): weights in ONNX's layout (gates of the LSTM in
the order i, o, f, c; of the GRU z, r, h, with linear_before_reset = 1), the
outputs Y, Y_h (and Y_c), and the gradients of sum(Y * seed.Y) + ... with
respect to every operand.

attention: y = Wo attend(rope(Wq x), rope(Wk x), Wv x), 4 heads of queries
over 2 of keys and values, causal, batch 2, length 6, width 16.

Tensors: CASE/NAME, CASE/grad/NAME, CASE/seed/NAME.

    python goldens_recurrent.py [PATH]      default ../goldens/recurrent.safetensors
"""
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

SEQUENCE, BATCH, INPUT, HIDDEN = 5, 3, 4, 6
out = {}


def keep(case, name, value):
    out[f"{case}/{name}"] = value.detach().numpy().copy()


def reordered(t, order):
    parts = t.chunk(len(order), 0)
    return torch.cat([parts[i] for i in order], 0)


def recurrent(case, layer, order):
    gates = len(order)
    layer = layer.double()
    operands = {}
    for name, torch_name in (("W", "weight_ih"), ("R", "weight_hh")):
        rows = [getattr(layer, f"{torch_name}_l0{s}") for s in ("", "_reverse")]
        operands[name] = rows
    biases = [[getattr(layer, f"bias_{k}_l0{s}") for k in ("ih", "hh")] for s in ("", "_reverse")]
    x = torch.randn(SEQUENCE, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
    h = torch.randn(2, BATCH, HIDDEN, dtype=torch.float64, requires_grad=True)
    c = torch.randn(2, BATCH, HIDDEN, dtype=torch.float64, requires_grad=True)
    if case == "lstm":
        y, (hn, cn) = layer(x, (h, c))
    else:
        y, hn = layer(x, h)
    y = y.view(SEQUENCE, BATCH, 2, HIDDEN).transpose(1, 2)
    results = {"Y": y, "Y_h": hn}
    if case == "lstm":
        results["Y_c"] = cn
    loss = 0
    for name, value in results.items():
        seed = torch.randn_like(value)
        keep(case, f"seed/{name}", seed)
        keep(case, name, value)
        loss = loss + (value * seed).sum()
    loss.backward()
    for name, rows in operands.items():
        keep(case, name, torch.stack([reordered(r, order) for r in rows]))
        keep(case, f"grad/{name}", torch.stack([reordered(r.grad, order) for r in rows]))
    keep(case, "B", torch.stack([torch.cat([reordered(b, order) for b in pair]) for pair in biases]))
    keep(case, "grad/B", torch.stack([torch.cat([reordered(b.grad, order) for b in pair]) for pair in biases]))
    for name, value in (("X", x), ("initial_h", h)) + ((("initial_c", c),) if case == "lstm" else ()):
        keep(case, name, value)
        keep(case, f"grad/{name}", value.grad)


def rope(x, cos, sin):
    u, w = x.chunk(2, -1)
    return torch.cat([u * cos - w * sin, u * sin + w * cos], -1)


def attention():
    batch, length, width, heads, groups, size = 2, 6, 16, 4, 2, 4
    p = {"x": torch.randn(batch, length, width)}
    for name, n in (("Wq", heads * size), ("Wk", groups * size), ("Wv", groups * size)):
        p[name] = torch.randn(width, n) / 4
    p["Wo"] = torch.randn(heads * size, width) / 4
    p = {k: v.double().requires_grad_() for k, v in p.items()}
    angle = torch.arange(length).double()[:, None] / 10 ** (torch.arange(size // 2).double() / 2)
    cos, sin = angle.cos(), angle.sin()
    split = lambda t, n: t.view(batch, length, n, size).transpose(1, 2)
    q = rope(split(p["x"] @ p["Wq"], heads), cos, sin)
    k = rope(split(p["x"] @ p["Wk"], groups), cos, sin)
    v = split(p["x"] @ p["Wv"], groups)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    y = y.transpose(1, 2).reshape(batch, length, heads * size) @ p["Wo"]
    seed = torch.randn_like(y)
    (y * seed).sum().backward()
    keep("attention", "y", y)
    keep("attention", "seed/y", seed)
    keep("attention", "cos", cos.expand(batch, length, size // 2))
    keep("attention", "sin", sin.expand(batch, length, size // 2))
    for name, t in p.items():
        keep("attention", name, t)
        keep("attention", f"grad/{name}", t.grad)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "../goldens/recurrent.safetensors"
    torch.manual_seed(3)
    recurrent("lstm", torch.nn.LSTM(INPUT, HIDDEN, bidirectional=True), (0, 3, 1, 2))
    recurrent("gru", torch.nn.GRU(INPUT, HIDDEN, bidirectional=True), (1, 0, 2))
    recurrent("rnn", torch.nn.RNN(INPUT, HIDDEN, bidirectional=True), (0,))
    attention()
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path)


main()
