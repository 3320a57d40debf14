"""The networks of train_step.py in PyTorch, each with a batch to train on, and their ONNX files.

    python testdata/peers/models.py FOLDER             # writes FOLDER/NAME.onnx and FOLDER/NAME.npz
    python testdata/peers/models.py FOLDER resnet18    # those that are named: bert_base too
"""
import pathlib
import sys

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from hourglass import Hourglass
from networks import ResNet


class MLP(nn.Sequential):
    """Three layers for pictures of 28x28."""

    def __init__(self):
        super().__init__(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))


class CNN(nn.Module):
    """The convolutional network of PyTorch's MNIST example, its dropout left out."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = (f(x).view(n, length, self.heads, width // self.heads).transpose(1, 2)
                   for f in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.output(y.transpose(1, 2).reshape(n, length, width))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention, self.norm1 = Attention(width, heads), nn.LayerNorm(width, 1e-12)
        self.up, self.down, self.norm2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.LayerNorm(width, 1e-12)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class BERT(nn.Module):
    """BERT-Mini: four layers, 256 wide, four heads; post-norm; a classifier on the first token. Dropout is off."""

    def __init__(self, width=256, layers=4, heads=4, vocabulary=30522, positions=512):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(vocabulary, width), nn.Embedding(positions, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, 1e-12)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, ids, types):
        at = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.positions(at) + self.types(types))
        for layer in self.layers:
            x = layer(x)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


def batch(name):
    """Inputs by name, and the labels or target."""
    rng = np.random.default_rng(0)
    if name == "mlp":
        return {"x": rng.random((64, 784), np.float32), "labels": rng.integers(0, 10, 64)}
    if name == "cnn":
        return {"x": rng.random((64, 1, 28, 28), np.float32), "labels": rng.integers(0, 10, 64)}
    if name == "resnet18":
        return {"x": rng.random((128, 3, 32, 32), np.float32), "labels": rng.integers(0, 10, 128)}
    if name == "bert_base":
        return {"ids": rng.integers(0, 30522, (32, 128)), "types": rng.integers(0, 2, (32, 128)), "labels": rng.integers(0, 2, 32)}
    if name == "bert":
        return {"ids": rng.integers(0, 30522, (8, 64)), "types": rng.integers(0, 2, (8, 64)), "labels": rng.integers(0, 2, 8)}
    return {"z": 0.1 * rng.random((1, 32, 128, 128), np.float32), "target": rng.random((1, 3, 128, 128), np.float32)}


def network(name):
    torch.manual_seed(0)
    return {"mlp": MLP, "cnn": CNN, "bert": BERT, "bert_base": lambda: BERT(768, 12, 12), "resnet18": lambda: ResNet((2, 2, 2, 2)),
            "hourglass": lambda: Hourglass([16, 32, 64, 64], 5, 3, 32)}[name]()


NAMES = ["hourglass", "cnn", "bert", "mlp"]  # and resnet18 and bert_base by their names


def export(name, folder):
    """Writes the network and its batch."""
    data = batch(name)
    np.savez(folder / f"{name}.npz", **data)
    inputs = [torch.from_numpy(v) for k, v in data.items() if k not in ("labels", "target")]
    names = [k for k in data if k not in ("labels", "target")]
    torch.onnx.export(network(name), tuple(inputs), str(folder / f"{name}.onnx"), input_names=names, output_names=["output"],
                      dynamo=False, opset_version=17, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for each in sys.argv[2:] or NAMES:
        export(each, target)
