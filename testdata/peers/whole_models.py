#!/usr/bin/env python3
"""Compare the gradients in training artifacts with PyTorch's, parameter by parameter, on whole models: the file's graph is run
node by node with PyTorch, in float64 and float32, artifacts of graft by ONNX Runtime in float32.

    whole_models.py --graft ./graft light_resnet50.onnx --loss cross-entropy
    whole_models.py --graft ./graft silero_vad_legacy.onnx --output output --size batch=2 --size sequence=1536 --feed sr=16000 --trained

Prints the largest relative error of a parameter's gradient, |difference| / |gradient|, in a step from random weights, or with
--trained from the file's, and PyTorch's own in float32: rounding moves elements across the kinks of Relu and MaxPool. Ends with
1 where one is above --tolerance and four times PyTorch's. A gradient counts as at least 1e-4 times the largest of a parameter.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import numpy_helper

torch.set_num_threads(2)


def ints(v):
    return [int(x) for x in v.reshape(-1)]


def windowed(x, a, value=0.0):
    """x with a window's padding made explicit, which may differ at both ends."""
    r = x.dim() - 2
    k = a["kernel_shape"]
    s, d = a.get("strides", [1] * r), a.get("dilations", [1] * r)
    pads = a.get("pads", [0] * 2 * r)
    if a.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        total = [max(0, (-(-n // st) - 1) * st + (kk - 1) * dd + 1 - n) for n, kk, st, dd in zip(x.shape[2:], k, s, d)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = small + large if a["auto_pad"] == b"SAME_UPPER" else large + small
    flat = [p for i in reversed(range(r)) for p in (pads[i], pads[r + i])]
    return (F.pad(x, flat, value=value) if any(flat) else x), k, s, d


def conv(a, x, w, b=None):
    a = {**a, "kernel_shape": list(w.shape[2:])}
    x, _, s, d = windowed(x, a)
    return [F.conv1d, F.conv2d, F.conv3d][w.dim() - 3](x, w, b, stride=s, dilation=d, groups=a.get("group", 1))


def max_pool(a, x):
    x, k, s, d = windowed(x, a, -np.inf)
    return F.max_pool2d(x, k, s, dilation=d)


def average_pool(a, x):
    padded, k, s, _ = windowed(x, a)
    if a.get("count_include_pad", 0) or padded is x:
        return F.avg_pool2d(padded, k, s)
    ones, _, _, _ = windowed(torch.ones_like(x), a)
    return F.avg_pool2d(padded, k, s) / F.avg_pool2d(ones, k, s)


def batch_norm(a, x, scale, bias, mean, variance):
    return F.batch_norm(x, None, None, scale, bias, training=True, eps=a.get("epsilon", 1e-5))


def lstm(a, x, w, r, b=None, lengths=None, h=None, c=None, p=None):
    hidden = a["hidden_size"]
    bias = 0 if b is None else b[0, :4 * hidden] + b[0, 4 * hidden:]
    h, c, ys = h[0], c[0], []
    for t in range(x.shape[0]):
        i, o, f, g = (x[t] @ w[0].T + h @ r[0].T + bias).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        ys.append(h)
    return torch.stack(ys)[:, None], h[None], c[None]


def slices(a, x, starts, ends, axes=None, steps=None):
    starts, ends = ints(starts), ints(ends)
    axes = range(len(starts)) if axes is None else ints(axes)
    index = [slice(None)] * x.dim()
    for s, e, axis, step in zip(starts, ends, axes, [1] * len(starts) if steps is None else ints(steps)):
        if step < 0:
            at = list(range(x.shape[axis]))[slice(s, None if e < -x.shape[axis] else e, step)]
            x = x.index_select(axis, torch.tensor(at))
        else:
            index[axis] = slice(s, e, step)
    return x[tuple(index)]


def reshape(a, x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(ints(shape))])


def pad(a, x, pads, value=None):
    pads, r = ints(pads), x.dim()
    flat = [p for i in reversed(range(r)) for p in (pads[i], pads[r + i])]
    mode = a.get("mode", b"constant").decode()
    if mode == "constant":
        return F.pad(x, flat)
    lead = 0
    while lead < r and pads[r - 1 - lead] | pads[2 * r - 1 - lead]:
        lead += 1
    y = F.pad(x.reshape(1, -1, *x.shape[r - lead:]), flat[:2 * lead], mode={"reflect": "reflect", "edge": "replicate"}[mode])
    return y.reshape(*x.shape[:r - lead], *y.shape[2:])


def squeeze(a, x, axes=None):
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axes is None else ints(axes)
    return x.reshape([n for i, n in enumerate(x.shape) if i not in [k % x.dim() for k in axes]])


def unsqueeze(a, x, axes):
    axes = ints(axes)
    for axis in sorted(k % (x.dim() + len(axes)) for k in axes):
        x = x.unsqueeze(axis)
    return x


def gather(a, x, at):
    axis = a.get("axis", 0) % x.dim()
    at = torch.where(at < 0, at + x.shape[axis], at)
    return x.index_select(axis, at.reshape(-1)).reshape([*x.shape[:axis], *at.shape, *x.shape[axis + 1:]])


def gemm(a, x, y, c=None):
    x, y = (x.T if a.get("transA") else x), (y.T if a.get("transB") else y)
    return a.get("alpha", 1.0) * (x @ y) + (0 if c is None else a.get("beta", 1.0) * c)


def lrn(a, x):
    n = a["size"]
    square = F.pad(x * x, (0, 0, 0, 0, (n - 1) // 2, n // 2))
    total = sum(square[:, i:i + x.shape[1]] for i in range(n))
    return x / (a.get("bias", 1.0) + a.get("alpha", 1e-4) / n * total) ** a.get("beta", 0.75)


FLOAT = torch.float64
KINDS = {6: torch.int32, 7: torch.int64, 9: torch.bool}

OPERATORS = {
    "Add": lambda a, x, y: x + y, "Sub": lambda a, x, y: x - y, "Mul": lambda a, x, y: x * y, "Div": lambda a, x, y: x / y,
    "Neg": lambda a, x: -x, "Pow": lambda a, x, y: x ** y, "Sqrt": lambda a, x: x.sqrt(), "Log": lambda a, x: x.log(),
    "Relu": lambda a, x: x.relu(), "Sigmoid": lambda a, x: x.sigmoid(), "Sum": lambda a, *x: sum(x), "Equal": lambda a, x, y: x == y,
    "Identity": lambda a, x: x, "Dropout": lambda a, x, *_: x, "MatMul": lambda a, x, y: x @ y, "Gemm": gemm, "LRN": lrn,
    "Conv": conv, "MaxPool": max_pool, "AveragePool": average_pool, "BatchNormalization": batch_norm, "LSTM": lstm,
    "GlobalAveragePool": lambda a, x: x.mean(dim=tuple(range(2, x.dim())), keepdim=True),
    "Softmax": lambda a, x: x.reshape(*x.shape[:a.get("axis", 1)], -1).softmax(-1).reshape(x.shape),
    "Concat": lambda a, *x: torch.cat(x, a["axis"]), "Transpose": lambda a, x: x.permute(a["perm"]), "Slice": slices,
    "Reshape": reshape, "Flatten": lambda a, x: x.flatten(a.get("axis", 1)), "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Pad": pad,
    "Shape": lambda a, x: torch.tensor(x.shape), "Size": lambda a, x: torch.tensor(x.numel()), "Not": lambda a, x: ~x, "Gather": gather, "Cast": lambda a, x: x.to(KINDS.get(a["to"], FLOAT)),
    "ReduceMean": lambda a, x, *_: x.mean(dim=a["axes"], keepdim=bool(a.get("keepdims", 1))),
    "ConstantOfShape": lambda a, n: torch.full(ints(n), a["value"].item(), dtype=a["value"].dtype),
    "Constant": lambda a: a["value"],
}


def tensor(t):
    v = torch.from_numpy(np.array(numpy_helper.to_array(t)))
    return v.to(FLOAT) if v.is_floating_point() else v


def attribute(a):
    v = onnx.helper.get_attribute_value(a)
    return tensor(v) if isinstance(v, onnx.TensorProto) else v


def run(graph, values, weights):
    """Evaluate a graph; values are those of the graphs around it."""
    values = dict(values)
    for t in graph.initializer:
        if t.name not in values:
            values[t.name] = weights[t.name] if t.name in weights else tensor(t)
    for n in graph.node:
        a = {x.name: attribute(x) for x in n.attribute}
        x = [values[i] if i else None for i in n.input]
        if n.op_type == "If":
            branch = a["then_branch"] if bool(x[0].reshape(-1)[0]) else a["else_branch"]
            y = run(branch, values, weights)
        else:
            y = OPERATORS[n.op_type](a, *x)
        values.update(zip(n.output, y if isinstance(y, (tuple, list)) else [y]))
        values.update((o, weights[o]) for o in n.output if o in weights)  # light models make their weights by nodes
    return [values[o.name] for o in graph.output]


def artifacts(args, folder):
    command = [args.graft, "artifacts", args.model, "--loss", args.loss, "--optimizer", "sgd", "--out", str(folder), "--quiet"]
    if args.output:
        command += ["--output", args.output]
    subprocess.run(command, check=True)
    return json.loads((folder / "contract.json").read_text())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--graft", required=True)
    p.add_argument("--loss", default="mse", choices=["mse", "cross-entropy"])
    p.add_argument("--output", default="")
    p.add_argument("--size", action="append", default=[], help="NAME=N, of a free dimension")
    p.add_argument("--feed", action="append", default=[], help="NAME=N, of an integer input")
    p.add_argument("--trained", action="store_true", help="take the weights of the file")
    p.add_argument("--tolerance", type=float, default=2e-3)
    args = p.parse_args()
    rng = np.random.default_rng(3)
    sizes = {k: int(v) for k, v in (s.split("=") for s in args.size)}
    fixed = {k: int(v) for k, v in (s.split("=") for s in args.feed)}

    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "artifacts"
        contract = artifacts(args, folder)
        ours = onnxruntime.InferenceSession(str(folder / contract["models"]["training"]["file"]))
        with open(folder / "checkpoint" / "parameters.safetensors", "rb") as f:
            raw = f.read()
    head = int.from_bytes(raw[:8], "little")
    stored = {k: np.frombuffer(raw[8 + head + v["data_offsets"][0]:8 + head + v["data_offsets"][1]], np.float32).reshape(v["shape"])
              for k, v in json.loads(raw[8:8 + head]).items() if k != "__metadata__"}

    feeds, parameters = {}, {q["name"] for q in contract["parameters"]}
    for i in ours.get_inputs():
        shape = [sizes.get(d, d) for d in i.shape]
        if i.name in fixed:
            v = np.full(shape, fixed[i.name], np.int64)
        elif i.name in parameters and args.trained:
            v = stored[i.name]
        elif i.name in parameters:
            v = rng.standard_normal(shape)
            v = v * np.sqrt(2 / (v.size / shape[0])) if len(shape) > 1 else 1 + 0.1 * v
        elif i.type == "tensor(int64)":
            v = rng.integers(0, 2, shape)
        elif i.type == "tensor(bool)":
            v = np.ones(shape, bool)
        elif i.name.endswith("accumulation.buffer"):
            v = np.zeros(shape)
        else:
            v = np.ones(shape) if "var" in i.name else rng.standard_normal(shape)
        feeds[i.name] = np.asarray(v, np.float32) if i.type == "tensor(float)" else v
    names = [o.name for o in ours.get_outputs()]
    got = dict(zip(names, ours.run(names, feeds)))

    model = onnx.load(args.model)
    exact, value = gradients(args, model, contract, feeds, parameters, torch.float64)
    rounded, _ = gradients(args, model, contract, feeds, parameters, torch.float32)
    key = next(n for n in names if n not in {p + "_grad.accumulation.out" for p in parameters} and got[n].size == 1)
    print(f"{args.model}: loss {float(np.reshape(got[key], -1)[0]):.8g} by graft, {value:.8g} by PyTorch")
    largest = max(np.linalg.norm(g) for g in exact.values())

    def error(g, k):
        return float(np.linalg.norm(g - exact[k])) / max(np.linalg.norm(exact[k]), 1e-4 * largest)

    ours, theirs = ({k: error(g, k) for k, g in side.items()} for side in
                    ({k: got[k + "_grad.accumulation.out"].astype(np.float64) for k in parameters}, rounded))
    zero = sum(not g.any() for g in exact.values())
    worst = max(ours, key=ours.get)
    print(f"{len(ours)} parameters, {zero} without influence; relative error: largest {ours[worst]:.2g} ({worst}; PyTorch in float32 "
          f"{theirs[worst]:.2g}), median {np.median(list(ours.values())):.2g}; PyTorch's largest {max(theirs.values()):.2g}")
    sys.exit(int(any(e > max(args.tolerance, 4 * theirs[k]) for k, e in ours.items())))


def gradients(args, model, contract, feeds, parameters, kind):
    """The gradient of each parameter by PyTorch, and the loss."""
    global FLOAT
    FLOAT = kind
    weights = {k: torch.tensor(feeds[k], dtype=kind, requires_grad=True) for k in parameters}
    values = {i.name: torch.from_numpy(np.array(feeds[i.name])) for i in model.graph.input if i.name in feeds and i.name not in parameters}
    values = {k: v.to(kind) if v.is_floating_point() else v for k, v in values.items()}
    outputs = dict(zip([o.name for o in model.graph.output], run(model.graph, values, weights)))
    y = outputs[contract["output"]]
    goal = torch.from_numpy(np.array(feeds[contract["target"]["name"]]))
    if args.loss == "mse":
        loss = F.mse_loss(y, goal.to(kind))
    elif any(n.op_type == "Softmax" and n.output[0] == contract["output"] for n in model.graph.node):
        loss = F.nll_loss(y.log(), goal)  # graft reads what goes into the Softmax
    else:
        loss = F.cross_entropy(y, goal)
    loss.backward()
    return {k: np.zeros(w.shape) if w.grad is None else w.grad.double().numpy() for k, w in weights.items()}, loss.item()


main()
