#!/usr/bin/env python3
"""Write gradients of activations, norms and losses in float64.

Each case is one ONNX operator: its inputs NAME/x0, NAME/x1, ...; a seed for the
first output NAME/dy; the first output NAME/y; and the gradients of <y, dy> in
the floating-point inputs, NAME/d0, NAME/d1, ... The metadata "cases" holds
operator and attributes as JSON. Inputs are multiples of 1/8 between -2 and 2
from one small integer recurrence (see goldens.py).

    python goldens_pointwise.py [PATH]      default ../goldens/pointwise.safetensors
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

EPS = 0.01
state = 1
tensors, cases = {}, []


def numbers(*shape, low=-16, high=16):
    global state
    out = np.empty(int(np.prod(shape)))
    for i in range(out.size):
        state = (state * 1103515245 + 12345) % 2**31
        out[i] = ((state >> 16) % (high - low + 1) + low) / 8
    return torch.from_numpy(out.reshape(shape))


def classes(*shape, count, also=None):
    global state
    out = np.empty(int(np.prod(shape)), dtype=np.int64)
    for i in range(out.size):
        state = (state * 1103515245 + 12345) % 2**31
        out[i] = (state >> 16) % count
    if also is not None:
        out[::3] = also
    return torch.from_numpy(out.reshape(shape))


def case(name, op, f, *xs, **attrs):
    xs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in xs]
    y = f(*xs)
    dy = numbers(*y.shape, low=1, high=16) if y.dim() else torch.tensor(1.5, dtype=torch.float64)
    wanted = [x for x in xs if x.requires_grad]
    grads = iter(torch.autograd.grad(y, wanted, dy, allow_unused=True))
    tensors[name + "/y"], tensors[name + "/dy"] = y, dy
    for i, x in enumerate(xs):
        tensors[f"{name}/x{i}"] = x
        if x.requires_grad:
            d = next(grads)
            tensors[f"{name}/d{i}"] = torch.zeros_like(x) if d is None else d
    cases.append({"name": name, "op": op, "inputs": len(xs), "attributes": attrs})


def positive(*shape):
    return numbers(*shape, low=4, high=16)


def activations():
    x = numbers(3, 7)
    small = x / 4
    for name, f, v in [("Acos", torch.acos, small), ("Asin", torch.asin, small), ("Atan", torch.atan, x), ("Sinh", torch.sinh, x),
                       ("Cosh", torch.cosh, x), ("Tan", torch.tan, small), ("Asinh", torch.asinh, x), ("Atanh", torch.atanh, small),
                       ("Acosh", torch.acosh, x.abs() + 1.125), ("Elu", F.elu, x), ("Celu", F.celu, x), ("Selu", F.selu, x),
                       ("Gelu", F.gelu, x), ("Mish", F.mish, x), ("Softsign", F.softsign, x), ("Softplus", F.softplus, x),
                       ("HardSwish", F.hardswish, 2 * x), ("Erf", torch.erf, x), ("Swish", F.silu, x)]:
        case(name, name, f, v)
    case("Gelu tanh", "Gelu", lambda x: F.gelu(x, approximate="tanh"), x, approximate="tanh")
    case("Elu alpha", "Elu", lambda x: F.elu(x, 0.5), x, alpha=0.5)
    case("Celu alpha", "Celu", lambda x: F.celu(x, 0.5), x, alpha=0.5)
    case("PRelu", "PRelu", lambda x, w: torch.where(x > 0, x, w * x), numbers(2, 3, 4), numbers(3, 1))
    case("ThresholdedRelu", "ThresholdedRelu", lambda x: F.threshold(x, 0.5, 0.0), x, alpha=0.5)
    case("Shrink hard", "Shrink", lambda x: F.hardshrink(x, 0.5), x, lambd=0.5, bias=0.0)
    case("Shrink soft", "Shrink", lambda x: F.softshrink(x, 0.5), x, lambd=0.5, bias=0.5)
    case("Softmax", "Softmax", lambda x: F.softmax(x, 1), numbers(2, 5, 3), axis=1)
    case("LogSoftmax", "LogSoftmax", lambda x: F.log_softmax(x, -1), numbers(2, 3, 5), axis=-1)


def frozen_norm(x, w, b, m, v):  # PyTorch's own has no gradient of the statistics
    w, b, m, v = (t.reshape(-1, 1, 1) for t in (w, b, m, v))
    return (x - m) / torch.sqrt(v + EPS) * w + b


def norms():
    x = numbers(3, 4, 5)
    case("LayerNormalization", "LayerNormalization", lambda x, w, b: F.layer_norm(x, (5,), w, b, EPS), x, numbers(5), numbers(5), axis=-1, epsilon=EPS)
    case("LayerNormalization two axes", "LayerNormalization", lambda x, w, b: F.layer_norm(x, (4, 5), w, b, EPS), x, numbers(4, 5), numbers(4, 5), axis=1, epsilon=EPS)
    case("RMSNormalization", "RMSNormalization", lambda x, w: F.rms_norm(x, (5,), w, EPS), x, numbers(5), axis=-1, epsilon=EPS)
    image = numbers(3, 4, 2, 3)
    case("GroupNormalization", "GroupNormalization", lambda x, w, b: F.group_norm(x, 2, w, b, EPS), image, numbers(4), numbers(4), num_groups=2, epsilon=EPS)
    case("InstanceNormalization", "InstanceNormalization", lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=EPS), image, numbers(4), numbers(4), epsilon=EPS)
    case("BatchNormalization", "BatchNormalization", frozen_norm,
         image, numbers(4), numbers(4), numbers(4), positive(4), epsilon=EPS)
    case("BatchNormalization training", "BatchNormalization", lambda x, w, b, m, v: F.batch_norm(x, m.detach().clone(), v.detach().clone(), w, b, True, 0.1, EPS),
         image, numbers(4), numbers(4), numbers(4), positive(4), training_mode=1, epsilon=EPS)
    case("LpNormalization", "LpNormalization", lambda x: F.normalize(x, 2, 1), x, axis=1)
    case("LpNormalization 1", "LpNormalization", lambda x: F.normalize(x, 1, -1), x, p=1)
    case("LRN", "LRN", lambda x: F.local_response_norm(x, 3, 0.5, 0.75, 1.5), numbers(2, 6, 2, 2), size=3, alpha=0.5, beta=0.75, bias=1.5)


def losses():
    for op, f in [("SoftmaxCrossEntropyLoss", F.cross_entropy), ("NegativeLogLikelihoodLoss", F.nll_loss)]:
        for reduction in ["none", "sum", "mean"]:
            for weighted in [False, True]:
                for ignore in [None, -1, 2]:
                    for dims in [(6,), (3, 2, 2)]:
                        x = numbers(dims[0], 5, *dims[1:])
                        t = classes(*dims, count=5, also=ignore)
                        attrs = {"reduction": reduction}
                        if ignore is not None:
                            attrs["ignore_index"] = ignore
                        w = [positive(5)] if weighted else []
                        name = f"{op} {reduction} {'weights ' if weighted else ''}{ignore} {len(dims)}-D"
                        case(name, op, lambda x, t, *w: f(x, t, *[v.detach() for v in w], reduction=reduction,
                                                         ignore_index=-100 if ignore is None else ignore), x, t, *w, **attrs)
                        if weighted:  # PyTorch has no gradient of the weights
                            del tensors[name + "/d2"]


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "../goldens/pointwise.safetensors"
    activations()
    norms()
    losses()
    arrays = {k: np.ascontiguousarray(t.detach().numpy()) for k, t in tensors.items()}
    save_file(arrays, path, metadata={"torch": torch.__version__, "cases": json.dumps(cases)})
    print(f"{path}: {os.path.getsize(path)} bytes, {len(cases)} cases")


if __name__ == "__main__":
    main()
