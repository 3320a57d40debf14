#!/usr/bin/env python3
"""Exports small networks of the usual kinds with PyTorch, to be simplified beside OnnxSlim and onnxsim.

    exported_models.py FOLDER

writes each network as NAME_script.onnx (the TorchScript exporter, opset 17), NAME_dynamo.onnx (the exporter of torch.export with
its optimizer) and NAME_plain.onnx (without, which leaves functions), with free dimensions where the network allows them. Weights
come from a seed. It needs torch and onnxscript.
"""
import pathlib
import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    """Convolutions with norms and residual connections, a pooled head."""

    def __init__(self):
        super().__init__()
        block = lambda i, o, s: nn.ModuleList([nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o),
                                               nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s > 1 else nn.Identity()])
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.ModuleList([block(16, 16, 1), block(16, 32, 2)])
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(32, 10)

    def forward(self, x):
        x = self.stem(x)
        for c1, n1, c2, n2, short in self.blocks:
            x = F.relu(n2(c2(F.relu(n1(c1(x))))) + short(x))
        return self.head(self.drop(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)))


class Mobile(nn.Module):
    """An inverted residual with squeeze and excitation."""

    def __init__(self, c=16, wide=48):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(c, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.Hardswish())
        self.depth = nn.Sequential(nn.Conv2d(wide, wide, 5, 1, 2, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.Hardswish())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 12, 1), nn.ReLU(), nn.Conv2d(12, wide, 1), nn.Hardsigmoid())
        self.project = nn.Sequential(nn.Conv2d(wide, c, 1, bias=False), nn.BatchNorm2d(c))

    def forward(self, x):
        y = self.depth(self.expand(x))
        return x + self.project(y * self.squeeze(y))


class Encoder(nn.Module):
    """A layer as BERT's: embeddings, attention with a mask, LayerNormalization behind."""

    def __init__(self, d=32, heads=4):
        super().__init__()
        self.heads = heads
        self.words, self.places = nn.Embedding(50, d), nn.Embedding(64, d)
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.norm0, self.norm1, self.norm2 = (nn.LayerNorm(d) for _ in range(3))

    def forward(self, ids, mask):
        n, s = ids.shape
        x = self.norm0(self.words(ids) + self.places(torch.arange(s, device=ids.device)).unsqueeze(0))
        split = lambda t: t.view(n, s, self.heads, -1).permute(0, 2, 1, 3)
        scores = split(self.q(x)) @ split(self.k(x)).transpose(-1, -2) / (x.shape[-1] // self.heads) ** 0.5
        scores = scores + (1.0 - mask[:, None, None, :].float()) * -10000.0
        y = (scores.softmax(-1) @ split(self.v(x))).permute(0, 2, 1, 3).contiguous().view(n, s, -1)
        x = self.norm1(x + self.o(y))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Transformer(nn.Module):
    """PyTorch's own layer, norms in front, and a causal mask."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True, activation="gelu")

    def forward(self, x):
        mask = torch.triu(torch.full((x.shape[1], x.shape[1]), -1e4), diagonal=1)
        return self.layer(x, src_mask=mask)


class Decoder(nn.Module):
    """A block as LLaMA's: RMSNorm, rotary embedding, scaled_dot_product_attention, SwiGLU."""

    def __init__(self, d=32, heads=4):
        super().__init__()
        self.heads, self.emb = heads, nn.Embedding(50, d)
        self.qkv, self.o = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.gate, self.up, self.down = nn.Linear(d, 64, bias=False), nn.Linear(d, 64, bias=False), nn.Linear(64, d, bias=False)
        self.w1, self.w2 = (nn.Parameter(torch.rand(d) + 0.5) for _ in range(2))
        self.register_buffer("freq", 10000.0 ** (-torch.arange(0, d // heads, 2).float() / (d // heads)))

    def norm(self, x, w):
        return w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def turn(self, x, cos, sin):
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat((-b, a), -1) * sin

    def forward(self, ids):
        n, s = ids.shape
        x = self.emb(ids)
        angle = torch.outer(torch.arange(s, device=ids.device).float(), self.freq)
        angle = torch.cat((angle, angle), -1)
        q, k, v = (t.view(n, s, self.heads, -1).transpose(1, 2) for t in self.qkv(self.norm(x, self.w1)).chunk(3, -1))
        y = F.scaled_dot_product_attention(self.turn(q, angle.cos(), angle.sin()), self.turn(k, angle.cos(), angle.sin()), v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(n, s, -1))
        h = self.norm(x, self.w2)
        return (x + self.down(F.silu(self.gate(h)) * self.up(h))) @ self.emb.weight.t()


class Recurrent(nn.Module):
    """A bidirectional LSTM of two layers, and a GRU."""

    def __init__(self):
        super().__init__()
        self.emb, self.lstm, self.gru, self.head = nn.Embedding(40, 12), nn.LSTM(12, 16, 2, batch_first=True, bidirectional=True), nn.GRU(32, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, ids):
        y, _ = self.lstm(self.emb(ids))
        y, h = self.gru(y)
        return self.head(y).log_softmax(-1), h


class Unet(nn.Module):
    """Skip connections, a transposed convolution, pixel shuffle, resizing to a size that is computed."""

    def __init__(self):
        super().__init__()
        double = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.LeakyReLU(0.1), nn.Conv2d(o, o, 3, padding=1), nn.BatchNorm2d(o), nn.LeakyReLU(0.1))
        self.d1, self.d2, self.d3 = double(3, 8), double(8, 16), double(16, 32)
        self.up2, self.u2 = nn.ConvTranspose2d(32, 16, 2, 2), double(32, 16)
        self.u1, self.out = double(24, 8), nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        c = self.d3(F.max_pool2d(b, 2))
        y = self.u2(torch.cat((self.up2(c), b), 1))
        y = F.interpolate(y, size=a.shape[2:], mode="bilinear", align_corners=False)
        return torch.sigmoid(self.out(self.u1(torch.cat((y, a), 1))))


class Window(nn.Module):
    """Attention within shifted windows, as Swin's."""

    def __init__(self, d=24, heads=3, side=4):
        super().__init__()
        self.d, self.heads, self.side = d, heads, side
        self.patch, self.norm1, self.norm2 = nn.Conv2d(3, d, 4, 4), nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj, self.mlp = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(approximate="tanh"), nn.Linear(2 * d, d))
        self.bias = nn.Parameter(torch.randn(heads, side * side, side * side) * 0.1)

    def forward(self, x):
        x = self.patch(x).permute(0, 2, 3, 1)
        n, h, w, d = x.shape
        s, short = self.side, x
        y = torch.roll(self.norm1(x), (-2, -2), (1, 2)).view(n, h // s, s, w // s, s, d).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, d)
        q, k, v = self.qkv(y).view(y.shape[0], s * s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = ((q * (d // self.heads) ** -0.5) @ k.transpose(-2, -1) + self.bias).softmax(-1) @ v
        y = self.proj(y.transpose(1, 2).reshape(-1, s * s, d)).view(n, h // s, w // s, s, s, d).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, d)
        x = short + torch.roll(y, (2, 2), (1, 2))
        return x + self.mlp(self.norm2(x))


class Detector(nn.Module):
    """Two heads over a grid that is computed from sizes, decoded and joined."""

    def __init__(self, classes=4):
        super().__init__()
        conv = lambda i, o, s: nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.SiLU())
        self.back = nn.ModuleList([nn.Sequential(conv(3, 8, 2), conv(8, 16, 2)), conv(16, 24, 2)])
        self.heads = nn.ModuleList([nn.Conv2d(c, 2 * (5 + classes), 1) for c in (16, 24)])
        self.register_buffer("anchors", torch.tensor([[[10.0, 13], [16, 30]], [[30, 61], [62, 45]]]))

    def forward(self, x):
        out = []
        for i, (b, h) in enumerate(zip(self.back, self.heads)):
            x = b(x)
            y = h(x)
            n, c, ny, nx = y.shape
            y = y.view(n, 2, c // 2, ny, nx).permute(0, 1, 3, 4, 2).sigmoid()
            gy, gx = torch.meshgrid(torch.arange(ny), torch.arange(nx), indexing="ij")
            grid = torch.stack((gx, gy), -1).float()
            xy = (y[..., :2] * 2 - 0.5 + grid) * (4 << i)
            wh = (y[..., 2:4] * 2) ** 2 * self.anchors[i].view(1, 2, 1, 1, 2)
            out.append(torch.cat((xy, wh, y[..., 4:]), -1).view(n, -1, c // 2))
        return torch.cat(out, 1)


image = lambda c, side: (torch.randn(2, c, side, side),)
ids = lambda: torch.randint(0, 40, (2, 6))
# Inputs by name, and which of their dimensions are free.
NETWORKS = {
    "residual": (Residual, image(3, 32), {"x": {0: "batch"}}),
    "mobile": (Mobile, image(16, 12), {"x": {0: "batch", 2: "height", 3: "width"}}),
    "encoder": (Encoder, (ids(), torch.ones(2, 6, dtype=torch.int64)), {"ids": {0: "batch", 1: "sequence"}, "mask": {0: "batch", 1: "sequence"}}),
    "transformer": (Transformer, (torch.randn(2, 6, 32),), {"x": {0: "batch", 1: "sequence"}}),
    "decoder": (Decoder, (ids(),), {"ids": {0: "batch", 1: "sequence"}}),
    "recurrent": (Recurrent, (ids(),), {"ids": {0: "batch", 1: "sequence"}}),
    "unet": (Unet, image(3, 32), {"x": {0: "batch"}}),
    "window": (Window, image(3, 32), {"x": {0: "batch"}}),
    "detector": (Detector, image(3, 32), {"x": {0: "batch"}}),
    "detector_fixed": (Detector, image(3, 32), {}),
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name, (make, args, free) in NETWORKS.items():
        torch.manual_seed(1)
        net = make().eval()
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.3), m.running_var.uniform_(0.5, 2), m.weight.data.uniform_(0.5, 1.5), m.bias.data.normal_(0, 0.3)
        names = list(free) or ["x"]
        for kind in ("script", "dynamo", "plain"):
            path = folder / f"{name}_{kind}.onnx"
            try:
                if kind == "script":
                    torch.onnx.export(net, args, path, dynamo=False, opset_version=17, input_names=names, dynamic_axes=free)
                else:
                    shapes = tuple({d: torch.export.Dim(s, max=64) for d, s in free[n].items()} for n in names) if free else None
                    torch.onnx.export(net, args, path, dynamo=True, optimize=kind == "dynamo", input_names=names, dynamic_shapes=shapes, external_data=False, verbose=False)
            except Exception as e:
                print(f"{path.name}: {type(e).__name__}: {str(e).splitlines()[0][:200]}", file=sys.stderr)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
