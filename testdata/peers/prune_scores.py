"""Compares what weights are ranked by when 90 % of them are taken away from an imported classifier of digits, by the schedule of
graft train --prune-to: Adam, 20 epochs, the weights gone after 12. One line a score: right of the test digits, right of the
training digits in the last epoch, weights left by layer.

    python3 testdata/peers/mnist_digits.py package/src/digits
    python3 testdata/peers/prune_scores.py mnist_cntk.onnx train.npz test.npz
"""

import math
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

WEIGHTS, BIASES = ["Parameter5", "Parameter87", "Parameter193"], ["Parameter6", "Parameter88", "Parameter194"]
EPOCHS, BATCH, RATE, SPARSITY, END, EVERY = 20, 64, 3e-3, 0.9, 0.6, 50
# Erdos-Renyi-kernel: density in proportion to (in + out + height + width) / (in out height width).
ERK = {"Parameter5": (8 + 1 + 10) / 200, "Parameter87": (16 + 8 + 10) / 3200, "Parameter193": 266 / 2560}


def network(p, x):
    x = F.max_pool2d(F.relu(F.conv2d(x, p["Parameter5"], p["Parameter6"].reshape(-1), padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, p["Parameter87"], p["Parameter88"].reshape(-1), padding=2)), 3)
    return x.flatten(1) @ p["Parameter193"].reshape(256, 10) + p["Parameter194"]


def lamp(a):
    """Layer-adaptive magnitude (Lee and others, arXiv 2010.07611): w^2 over the sum of the squares that are no smaller."""
    square = (a**2).flatten()
    order = square.argsort()
    score = torch.empty_like(square)
    score[order] = square[order] / square[order].flip(0).cumsum(0).flip(0).clamp_min(1e-30)
    return score.reshape(a.shape)


SCORES = {
    "magnitude": lambda a, v: a,
    "lamp": lambda a, v: lamp(a),
    "fisher": lambda a, v: a * v.sqrt(),  # the root of w^2 E[g^2]
    "fisher, root": lambda a, v: a * v**0.25,
    "by deviation": lambda a, v: a / a[a > 0].std(),
    "layer": lambda a, v: a,
    "erk": lambda a, v: a,
}


def choose(name, p, squares, sparsity, old):
    scores = {w: torch.where(old[w] > 0, SCORES[name](p[w].abs(), squares[w]), torch.tensor(-1.0)) for w in WEIGHTS}
    keep = math.floor((1 - sparsity) * sum(p[w].numel() for w in WEIGHTS) + 1e-6)
    if name not in ("layer", "erk"):
        flat = torch.cat([scores[w].flatten() for w in WEIGHTS])
        mask = torch.zeros_like(flat)
        mask[flat.topk(keep).indices] = 1
        parts = mask.split([p[w].numel() for w in WEIGHTS])
        return {w: m.reshape(p[w].shape) for w, m in zip(WEIGHTS, parts)}
    density, full = {w: 1 for w in WEIGHTS} if name == "layer" else ERK, set()
    while True:
        left = [w for w in WEIGHTS if w not in full]
        scale = (keep - sum(p[w].numel() for w in full)) / sum(density[w] * p[w].numel() for w in left)
        more = {w for w in left if scale * density[w] > 1}
        if not more:
            break
        full |= more
    out = {}
    for w in WEIGHTS:
        count = p[w].numel() if w in full else int(scale * density[w] * p[w].numel())
        mask = torch.zeros(p[w].numel())
        mask[scores[w].flatten().topk(count).indices] = 1
        out[w] = mask.reshape(p[w].shape)
    return out


def train(name, start, train_set, test_set):
    generator = torch.Generator().manual_seed(0)
    (x, labels), (test_x, test_labels) = train_set, test_set
    p = {k: start[k].clone().requires_grad_() for k in WEIGHTS + BIASES}
    mean, squares = ({k: torch.zeros_like(q) for k, q in p.items()} for _ in range(2))
    mask = {w: torch.ones_like(p[w]) for w in WEIGHTS}
    per = len(x) // BATCH
    steps, t = EPOCHS * per, 0
    end = int(END * steps)
    for _ in range(EPOCHS):
        order, right = torch.randperm(len(x), generator=generator), 0.0
        for i in range(per):
            picked = order[i * BATCH : (i + 1) * BATCH]
            out = network(p, x[picked])
            grads = torch.autograd.grad(F.cross_entropy(out, labels[picked]), list(p.values()))
            right += float((out.argmax(1) == labels[picked]).float().mean())
            rate = RATE * 0.5 * (1 + math.cos(math.pi * t / steps))
            t += 1
            with torch.no_grad():
                for (k, q), g in zip(p.items(), grads):
                    g = g * mask[k] if k in mask else g
                    mean[k].mul_(0.9).add_(g, alpha=0.1)
                    squares[k].mul_(0.999).addcmul_(g, g, value=0.001)
                    q.addcdiv_(mean[k] / (1 - 0.9**t), (squares[k] / (1 - 0.999**t)).sqrt() + 1e-8, value=-rate)
                if t <= end and (t % EVERY == 0 or t == end):
                    mask = choose(name, p, squares, SPARSITY * (1 - (1 - t / end) ** 3), mask)
                    for w in WEIGHTS:
                        p[w].mul_(mask[w])
                        mean[w].mul_(mask[w])
    with torch.no_grad():
        accuracy = (network(p, test_x).argmax(1) == test_labels).float().mean()
    left = [int((p[w] != 0).sum()) for w in WEIGHTS]
    print(f"{name:14s} {100 * accuracy:.2f} % right, {100 * right / per:.2f} % in training, left {left}", flush=True)


def main():
    model, *files = sys.argv[1:]
    torch.set_num_threads(1)
    start = {i.name: torch.tensor(numpy_helper.to_array(i).copy()) for i in onnx.load(model).graph.initializer}
    sets = [(torch.tensor(d["x"]) / 255, torch.tensor(d["labels"])) for d in map(np.load, files)]
    for name in SCORES:
        train(name, start, *sets)


if __name__ == "__main__":
    main()
