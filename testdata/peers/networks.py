#!/usr/bin/env python3
"""Compare the classifiers of graft build with the usual implementations in PyTorch: parameter counts, logits in evaluation, and
logits, loss and gradients of a training step with the statistics of the batch.

    networks.py --graft ./graft                    # all networks; or some: networks.py --graft ./graft lenet vgg/13 gcn bert/quick

The modules below are written as the field has them; weights are graft's initial ones, put in by their order, or by their names
where the network is Hugging Face's BERT. Running statistics, scales and biases are moved off their initial values first. The
reference is PyTorch in float64; beside ONNX Runtime's largest difference stands that of PyTorch in float32. Ends with 1 when
a count differs or a difference is above --tolerance and four times PyTorch's.
"""
import argparse
import copy
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
from torch import nn


def conv(i, o, k, stride=1, bias=False):
    return nn.Conv2d(i, o, k, stride, k // 2, bias=bias)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class VGG(nn.Module):
    def __init__(self, plan):
        super().__init__()
        layers, i = [], 3
        for o in plan:
            if o == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()]
                i = o
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(512, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def vgg_plan(a, b, c):
    return [64] * 2 + ["M"] + [128] * 2 + ["M"] + [256] * a + ["M"] + [512] * b + ["M"] + [512] * c + ["M"]


class Block(nn.Module):
    def __init__(self, i, width, stride, bottleneck):
        super().__init__()
        o = 4 * width if bottleneck else width
        shapes = [(i, width, 1, 1), (width, width, 3, stride), (width, o, 1, 1)] if bottleneck else [(i, o, 3, stride), (o, o, 3, 1)]
        self.body = nn.ModuleList()
        for s in shapes:
            self.body += [conv(*s[:3], stride=s[3]), nn.BatchNorm2d(s[1])]
        self.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))

    def forward(self, x):
        y = x
        for at, layer in enumerate(self.body):
            y = layer(F.relu(y) if at and at % 2 == 0 else y)
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, depths, bottleneck=False, widths=(64, 128, 256, 512)):
        super().__init__()
        self.stem, self.norm, blocks, i = conv(3, widths[0], 3), nn.BatchNorm2d(widths[0]), [], widths[0]
        for s, (width, depth) in enumerate(zip(widths, depths)):
            for at in range(depth):
                blocks.append(Block(i, width, 2 if s and not at else 1, bottleneck))
                i = 4 * width if bottleneck else width
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(i, 10)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.blocks(F.relu(self.norm(self.stem(x)))), 1).flatten(1))


class Dense(nn.Module):
    def __init__(self, i, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(i), conv(i, 4 * growth, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3)

    def forward(self, x):
        return torch.cat([self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x)))))), x], 1)


class Shrink(nn.Module):
    def __init__(self, i):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(i), conv(i, i // 2, 1)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, depths=(6, 12, 24, 16), growth=32):
        super().__init__()
        i = 2 * growth
        layers = [conv(3, i, 3)]
        for s, depth in enumerate(depths):
            for _ in range(depth):
                layers.append(Dense(i, growth))
                i += growth
            if s + 1 < len(depths):
                layers.append(Shrink(i))
                i //= 2
        self.layers, self.norm, self.fc = nn.Sequential(*layers), nn.BatchNorm2d(i), nn.Linear(i, 10)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(F.relu(self.norm(self.layers(x))), 1).flatten(1))


class Wide(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(i)
        self.shortcut = conv(i, o, 1, stride) if i != o or stride != 1 else None
        self.conv1, self.norm2, self.conv2 = conv(i, o, 3, stride), nn.BatchNorm2d(o), conv(o, o, 3)

    def forward(self, x):
        y = F.relu(self.norm1(x))
        return self.conv2(F.relu(self.norm2(self.conv1(y)))) + (x if self.shortcut is None else self.shortcut(y))


class WideResNet(nn.Module):
    def __init__(self, depth=16, widen=8):
        super().__init__()
        layers, i = [conv(3, 16, 3)], 16
        for s in range(3):
            for at in range((depth - 4) // 6):
                layers.append(Wide(i, 16 * widen << s, 2 if s and not at else 1))
                i = 16 * widen << s
        self.layers, self.norm, self.fc = nn.Sequential(*layers), nn.BatchNorm2d(i), nn.Linear(i, 10)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(F.relu(self.norm(self.layers(x))), 1).flatten(1))


class GCN(nn.Module):
    """Layers of S x W' + b, S = D^-1/2 (A + 1) D^-1/2."""

    def __init__(self, widths=(1433, 16, 7)):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(widths, widths[1:]))
        for layer in self.layers:  # the bias comes behind the sum: its own parameter, weight first
            layer.register_parameter("shift", nn.Parameter(layer.bias.detach().clone()))
            layer.bias = None

    def forward(self, x, adjacency):
        spread = spreading(adjacency)
        for at, layer in enumerate(self.layers):
            x = spread @ layer(F.relu(x) if at else x) + layer.shift
        return x


def spreading(adjacency):
    a = adjacency + torch.eye(len(adjacency), dtype=adjacency.dtype)
    d = a.sum(1).rsqrt()
    return d[:, None] * a * d


class APPNP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(1433, 64), nn.Linear(64, 7)

    def forward(self, x, adjacency):
        z = self.fc2(F.relu(self.fc1(x)))
        y, spread = z, spreading(adjacency)
        for _ in range(10):
            y = 0.9 * spread @ y + 0.1 * z
        return y


class SAGE(nn.Module):
    def __init__(self, widths=(1433, 16, 7)):
        super().__init__()
        self.layers = nn.ModuleList()
        for i, o in zip(widths, widths[1:]):
            self.layers += [nn.Linear(i, o), nn.Linear(i, o, bias=False)]

    def forward(self, x, adjacency):
        mean = adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)
        for at in range(0, len(self.layers), 2):
            x = F.relu(x) if at else x
            x = self.layers[at](mean @ x) + self.layers[at + 1](x)
        return x


class GATLayer(nn.Module):
    def __init__(self, i, o, heads):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads * o, i))
        self.source, self.target = nn.Parameter(torch.zeros(heads, o)), nn.Parameter(torch.zeros(heads, o))
        self.bias, self.heads = nn.Parameter(torch.zeros(heads * o if heads > 1 else o)), heads

    def forward(self, x, adjacency):
        h = (x @ self.weight.T).reshape(len(x), self.heads, -1)
        e = F.leaky_relu((h * self.target).sum(-1)[:, None] + (h * self.source).sum(-1)[None], 0.2)  # [to, from, head]
        e = e.masked_fill((adjacency + torch.eye(len(x), dtype=x.dtype) == 0)[..., None], float("-inf"))
        return torch.einsum("ijh,jhf->ihf", e.softmax(1), h).flatten(1) + self.bias


class GAT(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = GATLayer(1433, 8, 8), GATLayer(64, 7, 1)

    def forward(self, x, adjacency):
        return self.layer2(F.elu(self.layer1(x, adjacency)), adjacency)


class BERT(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        import transformers
        config = transformers.BertConfig(hidden_dropout_prob=0, attention_probs_dropout_prob=0, num_labels=2, **sizes)
        self.of = transformers.BertForSequenceClassification._from_config(config, attn_implementation="eager")

    def forward(self, input_ids, attention_mask):
        return self.of(input_ids=input_ids, attention_mask=attention_mask).logits


# The network and preset of graft build, its settings after a comma, and the module.
NETWORKS = {
    "gcn": GCN,
    "gat": GAT,
    "sage": SAGE,
    "appnp": APPNP,
    "gcn,sparse=true": GCN,
    "gat,sparse=true": GAT,
    "sage,sparse=true": SAGE,
    "appnp,sparse=true": APPNP,
    "bert/quick": lambda: BERT(num_hidden_layers=2, hidden_size=64, num_attention_heads=2, intermediate_size=256, vocab_size=8192, max_position_embeddings=64),
    "bert": BERT,
    "lenet": LeNet,
    "vgg/13": lambda: VGG(vgg_plan(2, 2, 2)),
    "vgg/16": lambda: VGG(vgg_plan(3, 3, 3)),
    "vgg/19": lambda: VGG(vgg_plan(4, 4, 4)),
    "resnet/18": lambda: ResNet((2, 2, 2, 2)),
    "resnet/34": lambda: ResNet((3, 4, 6, 3)),
    "resnet/50": lambda: ResNet((3, 4, 6, 3), True),
    "densenet": DenseNet,
    "wideresnet": WideResNet,
}


def inputs(rng, model, batch):
    """What the network is fed, what the module is fed, and labels."""
    names = [i.name for i in model.graph.input]
    if names[0] == "input_ids":
        ids = rng.integers(1, 8192, (batch, 12))
        mask = (np.arange(12) < rng.integers(3, 13, (batch, 1))).astype(np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask}
        return feeds, feeds, rng.integers(0, 2, batch)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    if len(names) == 1:
        feeds = {"x": rng.standard_normal([batch, *shape[1:]], np.float32)}
        return feeds, feeds, rng.integers(0, 10, batch)
    nodes = 40
    x = rng.standard_normal((nodes, shape[1]), np.float32)
    a = np.triu(rng.random((nodes, nodes)) < 0.1, 1)
    a = (a | a.T).astype(np.float32)
    a[:, 3] = a[3] = 0  # a node that nobody tells anything
    given = {"adjacency": a} if "adjacency" in names else {"edges": np.stack(np.nonzero(a.T))}
    return {"x": x, **given}, {"x": x, "adjacency": a}, rng.integers(0, 7, nodes)


LEARNED = ("weight", "bias", "running_mean", "running_var", "source", "target")


def fill(module, weights):
    """Put weights into a module, by their names where it has these, otherwise in their order."""
    state = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    if {"of." + k for k in weights} == set(state):
        state = {"of." + k: state["of." + k] for k in weights}
    if len(state) != len(weights):
        sys.exit(f"{len(weights)} tensors for {len(state)}")
    for (key, to), (name, w) in zip(state.items(), weights.items()):
        if tuple(to.shape) != w.shape:
            sys.exit(f"{name} {w.shape} for {key} {tuple(to.shape)}")
        to.copy_(torch.from_numpy(w))
    return {name: key for key, name in zip(state, weights)}


def run(graft, name, make, batch, rng, work):
    name, *settings = name.split(",")
    network, _, preset = name.partition("/")
    file, folder = work / "net.onnx", work / "artifacts"
    subprocess.run([graft, "build", network, *(["--preset", preset] if preset else []), *sum((["--set", s] for s in settings), []), "--out", file, "--force", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([graft, "artifacts", file, "--loss", "cross-entropy", "--optimizer", "sgd", "--out", folder, "--force", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    model = onnx.load(file)
    weights = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer if t.name.rsplit(".", 1)[-1] in LEARNED}
    for key, w in weights.items():
        if w.ndim == 1:
            w += (rng.random(w.shape, np.float32) - np.float32(0.5)) * np.float32(0.4)
    for t in model.graph.initializer:
        if t.name in weights:
            t.CopyFrom(numpy_helper.from_array(weights[t.name], t.name))
    feeds, own, labels = inputs(rng, model, batch)

    module = make()
    keys = fill(module, weights)
    learned = sum(p.numel() for p in module.parameters())
    exact, feed = copy.deepcopy(module).double(), {k: torch.from_numpy(v) for k, v in own.items()}
    feed64 = {k: v.double() if v.is_floating_point() else v for k, v in feed.items()}

    def differ(got, want):
        return float(np.abs(np.asarray(got, np.float64) - want.detach().double().numpy()).max())

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = {}
    with torch.no_grad():
        want = exact.eval()(**feed64)
        rows["evaluation"] = differ(session.run(None, feeds)[0], want), differ(module.eval()(**feed).numpy(), want)

    contract = json.loads((folder / "contract.json").read_text())
    given = dict(feeds, labels=labels, lazy_reset_grad=np.array([True]))
    for port in contract["models"]["training"]["inputs"]:
        key = port["name"]
        if key in weights:
            given[key] = weights[key]
        elif key.endswith("_grad.accumulation.buffer"):
            given[key] = np.zeros(port["shape"], np.float32)
    training = onnxruntime.InferenceSession(str(folder / "training_model.onnx"), providers=["CPUExecutionProvider"])
    got = dict(zip([o.name for o in training.get_outputs()], training.run(None, given)))
    results = {}
    for m, x in ((exact, feed64), (module, feed)):
        m.train()
        logits = m(**x)
        loss = F.cross_entropy(logits, torch.from_numpy(labels))
        loss.backward()
        results[m] = logits, loss, {k: p.grad for k, p in m.named_parameters()}
    (logits, loss, grads), (logits32, loss32, grads32) = results[exact], results[module]
    rows["training"] = differ(got["logits"], logits), differ(logits32.detach().numpy(), logits)
    rows["loss"] = differ(got["loss"], loss), differ(loss32.detach().numpy(), loss)
    worst, worst32 = 0.0, 0.0
    largest = max(float(g.norm()) for g in grads.values())
    for p in contract["parameters"]:
        p = p["name"] if isinstance(p, dict) else p
        g = grads[keys[p]]
        scale = max(float(g.norm()), 1e-4 * largest)
        worst = max(worst, float(np.linalg.norm(got[p + "_grad.accumulation.out"] - g.numpy())) / scale)
        worst32 = max(worst32, float((grads32[keys[p]].double() - g).norm()) / scale)
    rows["gradients"] = worst, worst32
    return learned, len(contract["parameters"]), rows


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--graft", default="graft")
    args.add_argument("--batch", type=int, default=4)
    args.add_argument("--tolerance", type=float, default=1e-4)
    args.add_argument("networks", nargs="*")
    args = args.parse_args()
    torch.set_num_threads(2)
    failed = False
    print("network, parameters: largest difference to float64 of graft and of PyTorch in float32", flush=True)
    for name in args.networks or NETWORKS:
        rng = np.random.default_rng(7)
        with tempfile.TemporaryDirectory() as work:
            learned, tensors, rows = run(args.graft, name, NETWORKS[name], args.batch, rng, pathlib.Path(work))
        bad = [k for k, (a, b) in rows.items() if a > max(args.tolerance, 4 * b)]
        failed = failed or bool(bad)
        print(f"{name} {learned:,} in {tensors}: " + ", ".join(f"{k} {a:.1e} {b:.1e}" for k, (a, b) in rows.items()) + (f"  FAILED {bad}" if bad else ""), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
